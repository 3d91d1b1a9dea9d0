//! What a limiter hears and says. One limiter serves one provider/model key.

use crate::fault::Fault;
use crate::time::Instant;
use serde::Serialize;
use std::fmt::Debug;

/// One launch, as its limiter remembers it. The controller keeps it with the lease and hands it back, so that a limiter
/// needs no table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flight {
    pub launched_at: Instant,
    /// In flight on the key with this one, when it was launched; 0 when it proves nothing about a level.
    pub level: u32,
    /// Out alone, to see whether the provider accepts again.
    pub test: bool,
    pub answer: Answer,
}

/// What the provider said to a launch so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Pending,
    Accepted,
    /// Backpressure. The launch may still be in flight: the host retries by itself.
    Refused,
}

impl Flight {
    /// A launch at `now` as the `level`-th in flight.
    #[must_use]
    pub fn new(now: Instant, level: u32) -> Self {
        Self {
            launched_at: now,
            level,
            test: false,
            answer: Answer::Pending,
        }
    }
}

/// What a limiter is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum LimiterState {
    /// Launches up to the limit.
    Open,
    /// Launches nothing until a given time, after backpressure.
    Paused,
    /// Launches nothing until the next probe: everything in flight had failed.
    Breaker,
    /// One launch is out to see whether the provider accepts again.
    Probing,
}

/// Decides how many launches of one key may be in flight. Object-safe, deterministic, O(1) a call.
///
/// The order of calls for each launch: [`launched`](Self::launched) (or [`adopted`](Self::adopted)); then
/// [`first_output`](Self::first_output) and [`fault`](Self::fault) any number of times; then once
/// [`success`](Self::success) or [`released`](Self::released).
pub trait Limiter: Debug {
    /// Whether one more may be launched now. Asked only when somebody waits, so that it may raise the limit.
    fn room(&mut self, now: Instant) -> bool;
    /// When [`room`](Self::room) may become true by time alone; `None` when only an event can help.
    fn look_at(&self) -> Option<Instant>;

    /// One more is in flight.
    fn launched(&mut self, now: Instant) -> Flight;
    /// One more is in flight that was launched before this limiter was made.
    fn adopted(&mut self, now: Instant) -> Flight;
    /// The model answers.
    fn first_output(&mut self, now: Instant, flight: &mut Flight, kind: &str);
    /// A fault of a launch in flight. Only backpressure says anything about the limit.
    fn fault(&mut self, now: Instant, flight: &mut Flight, fault: &Fault);
    /// One has left with a result. `kind` is the agent.
    fn success(&mut self, now: Instant, flight: Flight, kind: &str);
    /// One has left without saying anything new about the provider: cancelled, failed for its own reasons, or its
    /// backpressure was told already.
    fn released(&mut self, now: Instant, flight: Flight);

    /// The configured limit; may be raised or cut at any time. A cut below what is in flight ends nothing.
    fn set_ceiling(&mut self, now: Instant, ceiling: u32);
    /// How many may be in flight, if nothing pauses.
    fn limit(&self) -> u32;
    /// What it is doing at `now`, and until when if that is known.
    fn state(&self, now: Instant) -> (LimiterState, Option<Instant>);
    /// One short sentence: why the limit is what it is.
    fn why(&self) -> String;
    fn boxed(&self) -> Box<dyn Limiter>;
}

impl Clone for Box<dyn Limiter> {
    fn clone(&self) -> Self {
        self.as_ref().boxed()
    }
}
