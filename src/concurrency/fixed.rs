//! A limit that never changes: the yardstick of the scenarios, and the last resort of a user who knows better.

use super::limiter::{Answer, Flight, Limiter, LimiterState};
use crate::fault::Fault;
use crate::time::Instant;

/// `limit` in flight, whatever happens.
#[derive(Clone, Debug)]
pub struct Fixed {
    limit: u32,
    ceiling: u32,
    in_flight: u32,
}

impl Fixed {
    #[must_use]
    pub fn new(limit: u32, ceiling: u32) -> Self {
        Self {
            limit,
            ceiling,
            in_flight: 0,
        }
    }
}

impl Limiter for Fixed {
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
        if fault.is_backpressure() {
            flight.answer = Answer::Refused;
        }
    }

    fn success(&mut self, now: Instant, flight: Flight, _kind: &str) {
        self.released(now, flight);
    }

    fn released(&mut self, _now: Instant, _flight: Flight) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    fn set_ceiling(&mut self, _now: Instant, ceiling: u32) {
        self.ceiling = ceiling;
    }

    fn limit(&self) -> u32 {
        self.limit.min(self.ceiling).max(1)
    }

    fn state(&self, _now: Instant) -> (LimiterState, Option<Instant>) {
        (LimiterState::Open, None)
    }

    fn why(&self) -> String {
        "fixed".to_owned()
    }

    fn boxed(&self) -> Box<dyn Limiter> {
        Box::new(self.clone())
    }
}
