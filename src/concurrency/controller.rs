//! Who may launch next: the waiters, the leases, and the limits between them.
//!
//! Who goes first: the oldest waiter whose three limits (global, key, agent) have room, foreground before background.
//! After [`FOREGROUND_RUN`] foreground launches in a row while a background task waited, a background task that may go
//! goes first, so that neither starves. A waiter that may not go holds up only its own lane.
//!
//! Costs: a call looks at the heads of the lanes, of which there is one for each key, agent and priority that somebody
//! waits for; never at all waiters or leases.

use super::adaptive::{Adaptive, Rule};
use super::aimd::Aimd;
use super::fixed::Fixed;
use super::lanes::{Lane, Lanes};
use super::limiter::{Answer, Flight, Limiter, LimiterState};
use crate::fault::Fault;
use crate::policy::LimitsPolicy;
use crate::policy::concurrency::FOREGROUND_RUN;
use crate::policy::options::ANY;
use crate::sorted::SortedMap;
use crate::time::Instant;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A place in the queue and then in flight. Chosen by the caller; unique while it waits or is leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(transparent)]
pub struct Ticket(#[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number"))] pub u64);

/// Somebody who wants to launch. `key` is `provider/model`; keys and agents are compared without case and outer space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub ticket: Ticket,
    pub key: String,
    pub agent: String,
    /// A parent waits for it.
    pub foreground: bool,
}

/// How a lease ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Success,
    /// The agent's own failure; says nothing about the provider.
    AgentFailed,
    /// Refused or broken off by the provider. Need not, but may be told by [`Controller::fault`] before.
    Backpressure,
    Cancelled,
}

/// Which limiter each key gets. All but the first are for comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimiterKind {
    #[default]
    Adaptive,
    AdaptiveWithout(Rule),
    Aimd,
    Fixed(u32),
}

/// One key, for displays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct KeyView {
    pub key: String,
    /// How many may be in flight now, if nothing pauses.
    pub limit: u32,
    /// The configured limit.
    pub ceiling: u32,
    pub in_flight: u32,
    pub waiting: u32,
    pub state: LimiterState,
    /// One short sentence: why the limit is what it is.
    pub why: String,
    /// When a pause or the breaker's wait ends.
    pub resumes_at: Option<Instant>,
}

/// Shares the provider's capacity among tasks. See the module.
#[derive(Clone, Debug)]
pub struct AdaptiveConcurrencyController {
    limits: LimitsPolicy,
    seed: u64,
    kind: LimiterKind,
    lanes: Lanes,
    leases: SortedMap<Ticket, Lease>,
    keys: SortedMap<String, Key>,
    /// In flight, by agent.
    agents: SortedMap<String, u32>,
    /// Foreground launches in a row while a background task waited.
    run: u32,
    /// The newest `now`, for displays.
    seen: Instant,
}

/// Short name.
pub type Controller = AdaptiveConcurrencyController;

#[derive(Clone, Debug)]
struct Lease {
    key: String,
    agent: String,
    flight: Flight,
}

#[derive(Clone, Debug)]
struct Key {
    limiter: Box<dyn Limiter>,
    ceiling: u32,
    in_flight: u32,
    waiting: u32,
}

impl AdaptiveConcurrencyController {
    #[must_use]
    pub fn new(limits: &LimitsPolicy, seed: u64) -> Self {
        Self::with_limiters(limits, seed, LimiterKind::Adaptive)
    }

    /// The same with another limiter.
    #[must_use]
    pub fn with_limiters(limits: &LimitsPolicy, seed: u64, kind: LimiterKind) -> Self {
        Self {
            limits: normal_limits(limits),
            seed,
            kind,
            lanes: Lanes::default(),
            leases: SortedMap::new(),
            keys: SortedMap::new(),
            agents: SortedMap::new(),
            run: 0,
            seen: Instant::default(),
        }
    }

    /// Queues a waiter. A ticket that waits or is leased already is a no-op.
    pub fn ask(&mut self, now: Instant, ask: Ask) {
        self.seen = self.seen.max(now);
        let Ask {
            ticket,
            key,
            agent,
            foreground,
        } = ask;
        if self.leases.contains_key(&ticket) || self.lanes.contains(ticket) {
            return;
        }
        let lane = Lane {
            foreground,
            key: normal(&key),
            agent: normal(&agent),
        };
        self.key_mut(&lane.key).waiting += 1;
        self.lanes.push(lane, ticket);
    }

    /// Takes over a launch that is in flight already, as after a restart: leased without waiting, even beyond a limit.
    /// A ticket that waits stops waiting; one that is leased is a no-op.
    pub fn adopt(&mut self, now: Instant, ask: Ask) {
        self.seen = self.seen.max(now);
        let Ask {
            ticket, key, agent, ..
        } = ask;
        if self.leases.contains_key(&ticket) {
            return;
        }
        self.leave_queue(ticket);
        let name = normal(&key);
        let key = self.key_mut(&name);
        key.in_flight += 1;
        let flight = key.limiter.adopted(now);
        self.lease(ticket, name, normal(&agent), flight);
    }

    /// Leases to the next waiter that may launch now, if there is one. To be called until it says `None`, after every
    /// other call and at [`wake_at`](Self::wake_at).
    pub fn grant(&mut self, now: Instant) -> Option<Ticket> {
        self.seen = self.seen.max(now);
        if self.global_full() {
            return None;
        }
        let background_first = self.run >= FOREGROUND_RUN;
        let lane = self
            .first_that_may_go(now, !background_first)
            .or_else(|| self.first_that_may_go(now, background_first))?;
        let ticket = self.lanes.head(&lane)?;
        self.leave_queue(ticket);
        self.run = match (lane.foreground, self.lanes.has_background()) {
            (true, true) => self.run.saturating_add(1),
            _ => 0,
        };
        let key = self.key_mut(&lane.key);
        key.in_flight += 1;
        let flight = key.limiter.launched(now);
        self.lease(ticket, lane.key, lane.agent, flight);
        Some(ticket)
    }

    /// When [`grant`](Self::grant) could succeed by time alone, once it has said `None`. `None` when nobody waits or
    /// only another event can help.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        if self.global_full() {
            return None;
        }
        self.lanes
            .by_age(true)
            .chain(self.lanes.by_age(false))
            .filter(|lane| self.agent_has_room(&lane.agent))
            .filter_map(|lane| self.keys.get(&lane.key))
            .filter(|key| key.in_flight < key.ceiling)
            .filter_map(|key| key.limiter.look_at())
            .min()
    }

    /// The model began to answer.
    pub fn first_output(&mut self, now: Instant, ticket: Ticket) {
        self.seen = self.seen.max(now);
        if let Some(lease) = self.leases.get_mut(&ticket)
            && let Some(key) = self.keys.get_mut(&lease.key)
        {
            key.limiter
                .first_output(now, &mut lease.flight, &lease.agent);
        }
    }

    /// A fault of a launch in flight: the host retries by itself, or a [`release`](Self::release) follows. May come
    /// several times a lease.
    pub fn fault(&mut self, now: Instant, ticket: Ticket, fault: &Fault) {
        self.seen = self.seen.max(now);
        if let Some(lease) = self.leases.get_mut(&ticket)
            && let Some(key) = self.keys.get_mut(&lease.key)
        {
            key.limiter.fault(now, &mut lease.flight, fault);
        }
    }

    /// A lease ends, or a waiter gives up. An unknown ticket is a no-op.
    pub fn release(&mut self, now: Instant, ticket: Ticket, verdict: Verdict) {
        self.seen = self.seen.max(now);
        if self.leave_queue(ticket) {
            return;
        }
        let Some(mut lease) = self.leases.remove(&ticket) else {
            return;
        };
        if let Some(count) = self.agents.get_mut(&lease.agent) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.agents.remove(&lease.agent);
            }
        }
        let Some(key) = self.keys.get_mut(&lease.key) else {
            return;
        };
        key.in_flight = key.in_flight.saturating_sub(1);
        if verdict == Verdict::Backpressure && lease.flight.answer != Answer::Refused {
            let untold = Fault::Unavailable {
                message: String::new(),
            };
            key.limiter.fault(now, &mut lease.flight, &untold);
        }
        if verdict == Verdict::Success {
            key.limiter.success(now, lease.flight, &lease.agent);
        } else {
            key.limiter.released(now, lease.flight);
        }
    }

    /// Applies other limits. A raised one lets waiters go at the next [`grant`](Self::grant); a cut one ends nothing.
    pub fn set_limits(&mut self, now: Instant, limits: &LimitsPolicy) {
        self.seen = self.seen.max(now);
        self.limits = normal_limits(limits);
        for (name, key) in self.keys.iter_mut() {
            key.ceiling = ceiling(&self.limits, name);
            key.limiter.set_ceiling(now, key.ceiling);
        }
    }

    /// Whether nobody waits and nothing is leased.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.lanes.is_empty() && self.leases.is_empty()
    }

    /// Every key seen so far, by name.
    #[must_use]
    pub fn view(&self) -> Vec<KeyView> {
        self.keys
            .iter()
            .map(|(name, key)| {
                let (state, resumes_at) = key.limiter.state(self.seen);
                KeyView {
                    key: name.clone(),
                    limit: key.limiter.limit(),
                    ceiling: key.ceiling,
                    in_flight: key.in_flight,
                    waiting: key.waiting,
                    state,
                    why: key.limiter.why(),
                    resumes_at,
                }
            })
            .collect()
    }

    fn global_full(&self) -> bool {
        self.leases.len() >= self.limits.global as usize + usize::from(planted!(LimitOffByOne))
    }

    fn agent_has_room(&self, agent: &str) -> bool {
        let limit = named(&self.limits.per_agent, agent);
        let used = self.agents.get(agent).copied().unwrap_or(0);
        limit.is_none_or(|limit| used < limit)
    }

    fn first_that_may_go(&mut self, now: Instant, foreground: bool) -> Option<Lane> {
        let Self {
            lanes,
            keys,
            agents,
            limits,
            ..
        } = self;
        lanes
            .by_age(foreground)
            .find(|lane| {
                let used = agents.get(&lane.agent).copied().unwrap_or(0);
                named(&limits.per_agent, &lane.agent).is_none_or(|limit| used < limit)
                    // last, because the limiter raises its limit for somebody who will go
                    && keys.get_mut(&lane.key).is_some_and(|key| {
                        key.in_flight < key.ceiling && key.limiter.room(now)
                    })
            })
            .cloned()
    }

    fn leave_queue(&mut self, ticket: Ticket) -> bool {
        let Some(lane) = self.lanes.remove(ticket) else {
            return false;
        };
        if let Some(key) = self.keys.get_mut(&lane.key) {
            key.waiting = key.waiting.saturating_sub(1);
        }
        true
    }

    fn lease(&mut self, ticket: Ticket, key: String, agent: String, flight: Flight) {
        *self.agents.entry(agent.clone()).or_default() += 1;
        let lease = Lease { key, agent, flight };
        self.leases.insert(ticket, lease);
    }

    fn key_mut(&mut self, name: &str) -> &mut Key {
        let Self {
            limits, seed, kind, ..
        } = self;
        self.keys.entry(name.to_owned()).or_insert_with(|| {
            let ceiling = ceiling(limits, name);
            // keys must not come back from an outage in step
            let seed = xxh3_64_with_seed(name.as_bytes(), *seed);
            let limiter: Box<dyn Limiter> = match *kind {
                LimiterKind::Adaptive => Box::new(Adaptive::new(ceiling, seed)),
                LimiterKind::AdaptiveWithout(rule) => {
                    Box::new(Adaptive::new(ceiling, seed).without(rule))
                }
                LimiterKind::Aimd => Box::new(Aimd::new(ceiling)),
                LimiterKind::Fixed(limit) => Box::new(Fixed::new(limit, ceiling)),
            };
            Key {
                limiter,
                ceiling,
                in_flight: 0,
                waiting: 0,
            }
        })
    }
}

/// The name as limits compare it.
fn normal(name: &str) -> String {
    name.trim().to_lowercase()
}

/// The limits with names as they are compared; of two that fall together the smaller; none below 1.
fn normal_limits(limits: &LimitsPolicy) -> LimitsPolicy {
    let names = |map: &SortedMap<String, u32>| {
        let mut normalised: SortedMap<String, u32> = SortedMap::new();
        for (name, limit) in map {
            let limit = (*limit).max(1);
            let known = normalised.entry(normal(name)).or_insert(limit);
            *known = limit.min(*known);
        }
        normalised
    };
    LimitsPolicy {
        global: limits.global.max(1),
        per_key: names(&limits.per_key),
        per_agent: names(&limits.per_agent),
    }
}

fn named(limits: &SortedMap<String, u32>, name: &str) -> Option<u32> {
    limits.get(name).or_else(|| limits.get(ANY)).copied()
}

fn ceiling(limits: &LimitsPolicy, key: &str) -> u32 {
    named(&limits.per_key, key)
        .unwrap_or(limits.global)
        .min(limits.global)
        + u32::from(planted!(LimitOffByOne))
}
