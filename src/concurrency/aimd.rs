//! Plain AIMD (Chiu and Jain 1989), the peer of the scenarios: +1 for a limit's worth of successes, half on a refusal.

use super::limiter::{Answer, Flight, Limiter, LimiterState};
use crate::fault::Fault;
use crate::policy::concurrency::{AIMD_DECREASE, START};
use crate::time::Instant;

/// Additive increase, multiplicative decrease; nothing else.
#[derive(Clone, Debug)]
pub struct Aimd {
    limit: f64,
    ceiling: u32,
    in_flight: u32,
}

impl Aimd {
    #[must_use]
    pub fn new(ceiling: u32) -> Self {
        Self {
            limit: f64::from(START.min(ceiling.max(1))),
            ceiling,
            in_flight: 0,
        }
    }
}

impl Limiter for Aimd {
    fn room(&mut self, _now: Instant) -> bool {
        self.in_flight < self.limit()
    }

    fn look_at(&self) -> Option<Instant> {
        None
    }

    fn launched(&mut self, now: Instant) -> Flight {
        self.in_flight += 1;
        Flight::new(now, self.in_flight)
    }

    fn adopted(&mut self, now: Instant) -> Flight {
        self.launched(now)
    }

    fn first_output(&mut self, _now: Instant, flight: &mut Flight, _kind: &str) {
        flight.answer = Answer::Accepted;
    }

    fn fault(&mut self, _now: Instant, flight: &mut Flight, fault: &Fault) {
        if fault.is_backpressure() && flight.answer != Answer::Refused {
            flight.answer = Answer::Refused;
            self.limit = (self.limit * AIMD_DECREASE).max(1.0);
        }
    }

    fn success(&mut self, now: Instant, flight: Flight, _kind: &str) {
        // only a limit that was reached says anything
        if self.in_flight >= self.limit() {
            self.limit = (self.limit + 1.0 / self.limit).min(f64::from(self.ceiling.max(1)));
        }
        self.released(now, flight);
    }

    fn released(&mut self, _now: Instant, _flight: Flight) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    fn set_ceiling(&mut self, _now: Instant, ceiling: u32) {
        self.ceiling = ceiling;
        self.limit = self.limit.min(f64::from(ceiling.max(1)));
    }

    fn limit(&self) -> u32 {
        self.limit as u32
    }

    fn state(&self, _now: Instant) -> (LimiterState, Option<Instant>) {
        (LimiterState::Open, None)
    }

    fn why(&self) -> String {
        "additive increase, multiplicative decrease".to_owned()
    }

    fn boxed(&self) -> Box<dyn Limiter> {
        Box::new(self.clone())
    }
}
