//! What a mission has used, and the ceilings that hold whatever else is decided.

use super::phase::StopReason;
use crate::id::MessageId;
use crate::policy::MissionPolicy;
use crate::sorted::SortedMap;
use crate::time::Instant;
use serde::{Deserialize, Serialize};

/// Sessions whose newest message is remembered, so that a doubled event is not charged twice.
const SESSIONS_KEPT: usize = 256;

/// Counters of a mission.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Continuations sent.
    pub iterations: u32,
    /// Continuations since the last strong progress.
    pub without_progress: u32,
    pub tokens: u64,
    /// US dollars.
    pub cost: f64,
    active_ms: u64,
    active_since: Option<Instant>,
    charged: SortedMap<String, MessageId>,
}

impl Budget {
    /// Adds a message's usage, once.
    pub fn charge(&mut self, session: &str, message: &MessageId, tokens: u64, cost: f64) {
        match self.charged.get_mut(session) {
            Some(last) if last == message => return,
            Some(last) => last.0.clone_from(&message.0),
            None => {
                if self.charged.len() >= SESSIONS_KEPT {
                    self.charged.pop_first();
                }
                self.charged.insert(session.to_owned(), message.clone());
            }
        }
        self.tokens = self.tokens.saturating_add(tokens);
        if cost.is_finite() && cost > 0.0 {
            // whole nano-dollars: a sum with few digits survives JSON exactly, so that a replay gives the same state
            self.cost = ((self.cost + cost) * 1e9).round() / 1e9;
        }
    }

    /// Starts or stops the clock of active time.
    pub fn set_active(&mut self, now: Instant, active: bool) {
        match (active, self.active_since) {
            (true, None) => self.active_since = Some(now),
            (false, Some(since)) => {
                self.active_ms += now.since(since);
                self.active_since = None;
            }
            _ => {}
        }
    }

    /// Active time so far, in milliseconds.
    #[must_use]
    pub fn active_ms(&self, now: Instant) -> u64 {
        self.active_ms + self.active_since.map_or(0, |since| now.since(since))
    }

    /// When the active time will be used up, if the mission stays active.
    #[must_use]
    pub fn deadline(&self, now: Instant, policy: &MissionPolicy) -> Instant {
        now.plus(minutes_ms(policy).saturating_sub(self.active_ms(now)))
    }

    /// The ceiling that forbids another continuation, if one does.
    #[must_use]
    pub fn exhausted(&self, now: Instant, policy: &MissionPolicy) -> Option<StopReason> {
        if self.iterations >= policy.max_iterations + u32::from(planted!(CeilingOffByOne)) {
            return Some(StopReason::Iterations {
                limit: policy.max_iterations,
            });
        }
        if self.without_progress >= policy.max_without_progress {
            return Some(StopReason::NoProgress {
                continuations: self.without_progress,
            });
        }
        self.spent(now, policy)
    }

    /// The ceiling on time, tokens or cost that is reached, if one is.
    #[must_use]
    pub fn spent(&self, now: Instant, policy: &MissionPolicy) -> Option<StopReason> {
        if self.active_ms(now) >= minutes_ms(policy) {
            return Some(StopReason::Minutes {
                limit: policy.max_minutes,
            });
        }
        if self.tokens >= policy.max_tokens {
            return Some(StopReason::Tokens {
                limit: policy.max_tokens,
            });
        }
        if policy.max_cost_usd > 0.0 && self.cost >= policy.max_cost_usd {
            return Some(StopReason::Cost {
                limit: policy.max_cost_usd,
            });
        }
        None
    }
}

fn minutes_ms(policy: &MissionPolicy) -> u64 {
    u64::from(policy.max_minutes) * 60_000
}
