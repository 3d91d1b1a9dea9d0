//! The limiter that learns: as many in flight as the provider takes, and few refusals on the way.
//!
//! ```text
//! state     on                                      then
//! open      top launch answered (limit reached)     raise again, by twice the step: the speculative streak
//! open      waiter, limit reached, probe due        raise by one, if the credit pays for a refusal
//! open      refused, so many were long welcome      pause, then one test launch: it may have been chance
//! open      refused                                 its slot is retired; pause, one test launch; raises wait, longer
//!                                                   each time
//! open      refused, nothing healthy in flight      breaker
//! open      more in flight get less done            cut to where answers begin to slow; undone if it doesn't help
//! open      long held so                            a few launches at a little less or more, to see it better
//! breaker   its wait is over, somebody waits        probing: one launch
//! probing   refused                                 breaker, for longer
//! probing   answered                                open, at half the remembered peak, raising freely
//! ```
//!
//! Growth follows the *first output* of a launch, not its success: a provider that refuses does so within seconds, so
//! that minutes of work needn't pass to learn that one more is welcome. What a raise can waste is bounded twice: by
//! the step, and by a credit that only successes earn. Sources: AIMD (Chiu and Jain 1989), slow start with a remembered
//! threshold (Jacobson 1988), circuit breakers (Nygard 2007), latency as a signal as in TCP Vegas (Brakmo 1994) and
//! Netflix's concurrency-limits; the parameters are in [`crate::policy::concurrency`].

use super::latency::{Finding, Latency};
use super::limiter::{Answer, Flight, Limiter, LimiterState};
use super::why::Why;
use crate::fault::Fault;
use crate::policy::{back_off, concurrency as tuned, jittered, split_mix};
use crate::time::Instant;

/// One rule of [`Adaptive`], to be switched off by an ablation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Wait a little after a refusal.
    Pause,
    /// A refusal retires its own slot.
    Retire,
    /// After a refusal one launch goes first, until one is accepted.
    Test,
    /// The first refusal at a level that was long accepted is forgiven.
    Doubt,
    /// Stop when everything failed, then probe.
    Breaker,
    /// Resume at half the peak, not at one.
    Peak,
    /// A raise follows an accepted one at once, by twice the step.
    Streak,
    /// Learn from first outputs, not from successes.
    FirstOutput,
    /// Wait longer after each refused raise.
    BackOff,
    /// Only successes pay for refusals.
    Credit,
    /// Keep credit for the time below the peak.
    Reserve,
    /// Look more often below the remembered peak.
    Below,
    /// Cut the limit when answers get slower.
    Latency,
}

impl Rule {
    pub const ALL: &[Self] = &[
        Self::Pause,
        Self::Retire,
        Self::Test,
        Self::Doubt,
        Self::Breaker,
        Self::Peak,
        Self::Streak,
        Self::FirstOutput,
        Self::BackOff,
        Self::Credit,
        Self::Reserve,
        Self::Below,
        Self::Latency,
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Open,
    Broken { since: Instant, tries: u32 },
    Probing { since: Instant, tries: u32 },
}

/// Every change of state that the module's table allows. A pause is a time, and belongs to any state.
pub const TABLE: &[(LimiterState, &[LimiterState])] = &[
    (LimiterState::Open, &[LimiterState::Breaker]),
    // straight to open when a launch from before answers after all
    (
        LimiterState::Breaker,
        &[LimiterState::Probing, LimiterState::Open],
    ),
    (
        LimiterState::Probing,
        &[LimiterState::Breaker, LimiterState::Open],
    ),
];

impl Mode {
    fn state(self) -> LimiterState {
        match self {
            Self::Open => LimiterState::Open,
            Self::Broken { .. } => LimiterState::Breaker,
            Self::Probing { .. } => LimiterState::Probing,
        }
    }
}

/// See the module's table.
#[derive(Clone, Debug)]
pub struct Adaptive {
    seed: u64,
    without: Option<Rule>,
    ceiling: u32,
    limit: u32,
    in_flight: u32,
    /// Of those in flight, refused and not yet given up by the host.
    refused: u32,
    mode: Mode,
    /// No launch before.
    until: Instant,
    /// Refused launches in a row, counting a volley as one.
    attempts: u32,
    last_refusal: Option<Instant>,
    /// After a refusal one launch goes first, and is out.
    testing: bool,
    /// Launches accepted since the last refusal.
    accepted: u32,
    /// The highest limit that worked, slowly forgotten.
    peak: u32,
    /// What the next raise adds.
    step: u32,
    /// The limit was reached and the launch that reached it was accepted.
    proven: bool,
    /// The limit that was proven last; less after a refusal.
    known: u32,
    /// Nothing was refused since the search began: raises are free.
    searching: bool,
    /// Accepted raises in a row.
    grown: u32,
    /// No raise before.
    probe_at: Instant,
    failed_probes: u32,
    /// In thousandths of a launch.
    credit: u32,
    draws: u64,
    latency: Latency,
    why: Why,
}

impl Adaptive {
    /// A limiter of a key about which nothing is known.
    #[must_use]
    pub fn new(ceiling: u32, seed: u64) -> Self {
        let limit = tuned::START.min(ceiling.max(1));
        Self {
            seed,
            without: None,
            ceiling: ceiling.max(1),
            limit,
            in_flight: 0,
            refused: 0,
            mode: Mode::Open,
            until: Instant::default(),
            attempts: 0,
            last_refusal: None,
            testing: false,
            accepted: 0,
            peak: 1,
            step: 1,
            proven: false,
            known: 0,
            searching: true,
            grown: 0,
            probe_at: Instant::default(),
            failed_probes: 0,
            credit: tuned::CREDIT_START,
            draws: 0,
            latency: Latency::default(),
            why: Why::Start,
        }
    }

    /// The same with one rule switched off.
    #[must_use]
    pub fn without(mut self, rule: Rule) -> Self {
        self.without = Some(rule);
        self
    }

    fn enter(&mut self, mode: Mode) {
        let (from, to) = (self.mode.state(), mode.state());
        if from != to {
            debug_assert!(
                TABLE
                    .iter()
                    .any(|(state, next)| *state == from && next.contains(&to)),
                "{from:?} -> {to:?} is not in the table"
            );
            #[cfg(feature = "sim")]
            crate::sim::coverage::limiter(from, to);
        }
        self.mode = mode;
    }

    fn has(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    /// Whether time alone, or nothing, stands between a reached limit and a raise.
    fn may_raise(&self) -> bool {
        self.proven
            && self.in_flight == self.limit
            && self.limit < self.ceiling
            && (self.searching || !self.has(Rule::Credit) || self.can_pay())
            && !self.latency.holds(self.limit)
            && (!self.latency.congested(self.limit) || self.latency.sure())
    }

    /// Whether capacity was lost that may come back.
    fn below(&self) -> bool {
        // one below is how far a lucky moment can be off
        self.limit + 1 < self.peak
            && u64::from(self.limit) * 100 < u64::from(self.peak) * u64::from(tuned::BELOW_PERCENT)
    }

    fn can_pay(&self) -> bool {
        let kept = if self.below() || !self.has(Rule::Reserve) {
            0
        } else {
            tuned::CREDIT_RESERVE
        };
        self.credit >= kept + tuned::CREDIT_PRICE
    }

    fn raise(&mut self, now: Instant) {
        let mut step = self.step;
        if self.latency.congested(self.limit) {
            step = 1;
            self.latency.changed(now);
        } else if self.searching && self.has(Rule::Peak) {
            // up to what worked before there is less to fear
            step = step.max((self.limit / 2).min(self.peak.saturating_sub(self.limit)));
        }
        self.limit = self.limit.saturating_add(step).min(self.ceiling);
        self.proven = false;
        self.why = Why::Trying;
    }

    fn accepted(&mut self, now: Instant, flight: Flight) {
        self.attempts = 0;
        self.testing = false;
        self.accepted = self.accepted.saturating_add(1);
        if self.mode != Mode::Open {
            self.close(now);
        } else if !self.proven && flight.level >= self.limit {
            self.proven = true;
            self.known = self.limit;
            self.grown += 1;
            self.peak = self.peak.max(self.limit);
            if self.grown >= tuned::STREAK {
                self.failed_probes = 0;
            }
            if self.has(Rule::Streak) {
                self.searching = true;
                self.probe_at = now;
                self.step = (self.step * 2).clamp(1, (self.limit / tuned::STEP_SHARE).max(1));
            } else {
                self.probe_at = now.plus(tuned::PROBE_FIRST_MS);
            }
            self.why = Why::Accepted;
        }
    }

    fn refuse(&mut self, now: Instant, flight: Flight, retry_after: Option<u64>) {
        let level = self.in_flight;
        let healthy = self.in_flight.saturating_sub(self.refused);
        // one volley is one attempt: its later refusals were on their way before the first was known
        let attempt = flight.test
            || self
                .last_refusal
                .is_none_or(|refused| flight.launched_at > refused);
        self.last_refusal = Some(now);
        self.attempts += u32::from(attempt);
        self.testing &= !flight.test;
        if let Mode::Probing { since, tries } | Mode::Broken { since, tries } = self.mode {
            if attempt {
                self.break_off(now, since, tries + 1, retry_after);
            }
            self.until = self.until.max(now.plus(retry_after.unwrap_or(0)));
            return;
        }
        let pause = self.pause(retry_after);
        self.until = self.until.max(now.plus(pause));
        let seldom = std::mem::take(&mut self.accepted) >= self.limit / tuned::SELDOM_SHARE;
        let probe = flight.level > self.known;
        if attempt && !probe && healthy > 0 && seldom && self.has(Rule::Doubt) {
            // so many were welcome for long: perhaps chance, the next launch decides
            return;
        }
        if probe {
            self.credit = self.credit.saturating_sub(tuned::CREDIT_PRICE);
        }
        self.peak = self.peak.max(self.known);
        if self.has(Rule::Retire) {
            self.latency.refused();
            self.limit = (self.limit - 1).min(healthy).max(1);
            self.why = Why::Refused { level };
        }
        if attempt {
            self.put_off(now, retry_after);
        }
        self.stop_search();
        if healthy == 0 && self.has(Rule::Breaker) {
            self.break_off(now, now, 0, retry_after);
        }
    }

    /// The limit was cut: what is left is known to work.
    fn stop_search(&mut self) {
        self.proven = true;
        self.known = self.limit;
        self.searching = false;
        self.grown = 0;
        self.step = 1;
    }

    fn pause(&mut self, retry_after: Option<u64>) -> u64 {
        if let Some(asked) = retry_after {
            return asked;
        }
        if !self.has(Rule::Pause) {
            return 0;
        }
        let spread = tuned::PAUSE_MAX_MS - tuned::PAUSE_MIN_MS + 1;
        let doublings = self.attempts.saturating_sub(1).min(tuned::PAUSE_DOUBLINGS);
        (tuned::PAUSE_MIN_MS + self.draw() % spread) << doublings
    }

    /// Puts the next raise off, after a refusal.
    fn put_off(&mut self, now: Instant, retry_after: Option<u64>) {
        let below = self.below() && self.has(Rule::Below);
        let (cap, per_pause) = if below {
            (tuned::PROBE_CAP_BELOW_MS, tuned::PROBE_PER_PAUSE_BELOW)
        } else {
            (tuned::PROBE_CAP_MS, tuned::PROBE_PER_PAUSE)
        };
        let tries = if self.has(Rule::BackOff) {
            self.failed_probes
        } else {
            0
        };
        let wait = back_off(self.draw(), tuned::PROBE_FIRST_MS, cap, tries);
        let costly = retry_after.unwrap_or(0).saturating_mul(per_pause);
        self.probe_at = now.plus(wait.max(costly));
        self.failed_probes += 1;
        self.peak -= self.peak.saturating_sub(self.limit) / tuned::PEAK_DECAY;
    }

    fn break_off(&mut self, now: Instant, since: Instant, tries: u32, retry_after: Option<u64>) {
        let wait = (now.since(since) / tuned::BREAKER_SHARE)
            .clamp(tuned::BREAKER_FIRST_MS, tuned::BREAKER_CAP_MS);
        // what the provider says is better than a guess
        let wait = retry_after.unwrap_or_else(|| jittered(self.draw(), wait));
        self.until = self.until.max(now.plus(wait));
        self.limit = 1;
        self.enter(Mode::Broken { since, tries });
        self.why = Why::Broken { tries };
    }

    /// The provider is back.
    fn close(&mut self, now: Instant) {
        self.enter(Mode::Open);
        self.until = now;
        self.limit = if self.has(Rule::Peak) {
            (self.peak / 2).clamp(1, self.ceiling)
        } else {
            1
        };
        self.proven = self.in_flight >= self.limit;
        self.searching = true;
        self.grown = 0;
        self.step = 1;
        self.failed_probes = 0;
        self.probe_at = now;
        self.latency = Latency::default();
        self.why = Why::Recovered { peak: self.peak };
    }

    fn slow(&mut self, now: Instant, ms: u64, flight: Flight, kind: &str) {
        let level = flight.level.midpoint(self.in_flight);
        match self
            .latency
            .sample(flight.launched_at, ms, kind, level, self.limit)
        {
            Finding::Nothing => {}
            Finding::Slower { limit, percent } => {
                self.limit = limit.min(self.ceiling);
                self.stop_search();
                self.latency.changed(now);
                self.why = Why::Slower { percent };
            }
            Finding::NotOurs { limit } => {
                self.limit = limit.clamp(self.limit, self.ceiling);
                self.proven = false;
                self.latency.changed(now);
                self.why = Why::NotOurs;
            }
            Finding::Look { limit } => {
                let known = limit.min(self.limit);
                self.limit = limit.min(self.ceiling);
                self.stop_search();
                self.known = known;
                self.proven = self.limit == known;
                self.latency.changed(now);
                self.why = Why::Knee;
            }
        }
    }

    fn draw(&mut self) -> u64 {
        self.draws = self.draws.wrapping_add(1);
        split_mix(self.seed ^ self.draws.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }
}

impl Limiter for Adaptive {
    fn room(&mut self, now: Instant) -> bool {
        if now < self.until {
            return false;
        }
        match self.mode {
            Mode::Probing { .. } => false,
            Mode::Open if self.testing => false,
            Mode::Broken { .. } => self.in_flight == 0,
            Mode::Open => {
                if self.in_flight >= self.limit && self.may_raise() && now >= self.probe_at {
                    self.raise(now);
                }
                self.in_flight < self.limit
            }
        }
    }

    fn look_at(&self) -> Option<Instant> {
        match self.mode {
            Mode::Probing { .. } => None,
            Mode::Broken { .. } => (self.in_flight == 0).then_some(self.until),
            Mode::Open if self.testing => None,
            Mode::Open if self.in_flight < self.limit => Some(self.until),
            Mode::Open => self.may_raise().then_some(self.until.max(self.probe_at)),
        }
    }

    fn launched(&mut self, now: Instant) -> Flight {
        self.in_flight += 1;
        if let Mode::Broken { since, tries } = self.mode {
            self.enter(Mode::Probing { since, tries });
        }
        let test = self.mode != Mode::Open || self.attempts > 0 && self.has(Rule::Test);
        self.testing |= test;
        Flight {
            test,
            ..Flight::new(now, self.in_flight)
        }
    }

    fn adopted(&mut self, now: Instant) -> Flight {
        self.in_flight += 1;
        Flight::new(now, 0)
    }

    fn first_output(&mut self, now: Instant, flight: &mut Flight, kind: &str) {
        match flight.answer {
            Answer::Accepted => return,
            // another attempt, by the host: its time and its level are not those of the launch
            Answer::Refused => {
                self.refused = self.refused.saturating_sub(1);
                flight.level = 0;
            }
            Answer::Pending => {}
        }
        flight.answer = Answer::Accepted;
        if !self.has(Rule::FirstOutput) {
            return;
        }
        let ms = now.since(flight.launched_at);
        self.accepted(now, *flight);
        if flight.level > 0 && self.has(Rule::Latency) {
            self.slow(now, ms, *flight, kind);
        }
    }

    fn fault(&mut self, now: Instant, flight: &mut Flight, fault: &Fault) {
        if !fault.is_backpressure() {
            return;
        }
        let retry_after = match fault {
            Fault::RateLimited { retry_after_ms, .. } => *retry_after_ms,
            _ => None,
        };
        if flight.answer == Answer::Refused {
            // the host tried again: its slot is retired already
            self.until = self.until.max(now.plus(retry_after.unwrap_or(0)));
            return;
        }
        self.refused += 1;
        self.refuse(now, *flight, retry_after);
        flight.answer = Answer::Refused;
    }

    fn success(&mut self, now: Instant, mut flight: Flight, _kind: &str) {
        if flight.answer == Answer::Refused {
            self.refused = self.refused.saturating_sub(1);
            flight.level = 0;
        }
        if flight.answer != Answer::Accepted || !self.has(Rule::FirstOutput) {
            self.accepted(now, flight);
        }
        self.credit = (self.credit + tuned::CREDIT_EARNED).min(tuned::CREDIT_MAX);
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    fn released(&mut self, now: Instant, flight: Flight) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if flight.answer == Answer::Refused {
            self.refused = self.refused.saturating_sub(1);
            return;
        }
        if flight.test && flight.answer == Answer::Pending {
            // it left without a word: another one, at once
            self.testing = false;
            if let Mode::Probing { since, tries } = self.mode {
                self.enter(Mode::Broken { since, tries });
                self.until = now;
            }
        }
    }

    fn set_ceiling(&mut self, now: Instant, ceiling: u32) {
        let ceiling = ceiling.max(1);
        if ceiling > self.ceiling && self.limit == self.ceiling {
            self.probe_at = now;
        }
        self.ceiling = ceiling;
        self.limit = self.limit.min(ceiling);
        self.peak = self.peak.min(ceiling);
    }

    fn limit(&self) -> u32 {
        self.limit
    }

    fn state(&self, now: Instant) -> (LimiterState, Option<Instant>) {
        let wait = (now < self.until).then_some(self.until);
        match self.mode {
            Mode::Probing { .. } => (LimiterState::Probing, None),
            Mode::Broken { .. } => (LimiterState::Breaker, wait),
            Mode::Open if wait.is_some() => (LimiterState::Paused, wait),
            Mode::Open if self.testing => (LimiterState::Probing, None),
            Mode::Open => (LimiterState::Open, None),
        }
    }

    fn why(&self) -> String {
        let at_ceiling = self.limit >= self.ceiling && !matches!(self.why, Why::Broken { .. });
        if at_ceiling {
            return "at its configured limit".to_owned();
        }
        self.why.to_string()
    }

    fn boxed(&self) -> Box<dyn Limiter> {
        Box::new(self.clone())
    }
}
