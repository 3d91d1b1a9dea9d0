//! What must hold whatever happens, checked over random calls beside a plain model.

use super::*;
use crate::fault::Fault;
use crate::policy::LimitsPolicy;
use crate::policy::concurrency::FOREGROUND_RUN;
use crate::time::Instant;
use proptest::prelude::*;

const KEYS: [&str; 3] = ["openai/gpt", "Anthropic/Claude ", "local/llama"];
const AGENTS: [&str; 3] = ["worker", "Reviewer", "planner"];

#[derive(Clone, Copy, Debug)]
enum Op {
    Ask {
        key: usize,
        agent: usize,
        foreground: bool,
    },
    Adopt {
        key: usize,
        agent: usize,
    },
    FirstOutput(usize),
    Fault(usize, u8),
    Release(usize, u8),
    GiveUp(usize),
    Wait(u64),
    WaitUntilWake,
    Limits(u32, u32, u32),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => (0usize..3, 0usize..3, any::<bool>())
            .prop_map(|(key, agent, foreground)| Op::Ask { key, agent, foreground }),
        1 => (0usize..3, 0usize..3).prop_map(|(key, agent)| Op::Adopt { key, agent }),
        4 => any::<usize>().prop_map(Op::FirstOutput),
        3 => (any::<usize>(), 0u8..4).prop_map(|(lease, kind)| Op::Fault(lease, kind)),
        5 => (any::<usize>(), 0u8..4).prop_map(|(lease, kind)| Op::Release(lease, kind)),
        1 => any::<usize>().prop_map(Op::GiveUp),
        3 => (0u64..20_000).prop_map(Op::Wait),
        3 => Just(Op::WaitUntilWake),
        1 => (1u32..12, 1u32..8, 1u32..8).prop_map(|(g, k, a)| Op::Limits(g, k, a)),
    ];
    prop::collection::vec(op, 1..250)
}

fn limits(global: u32, key: u32, agent: u32) -> LimitsPolicy {
    LimitsPolicy {
        global,
        per_key: [(" ANTHROPIC/claude".to_owned(), key)]
            .into_iter()
            .collect(),
        per_agent: [("REVIEWER".to_owned(), agent)].into_iter().collect(),
    }
}

/// The tickets as a plain list, and the controller.
struct Beside {
    controller: Controller,
    limits: LimitsPolicy,
    now: Instant,
    next: u64,
    waiting: Vec<Ask>,
    leased: Vec<Ask>,
    foreground_run: u32,
}

impl Beside {
    fn new(limits: LimitsPolicy, seed: u64) -> Self {
        Self {
            controller: Controller::new(&limits, seed),
            limits,
            now: Instant(1_000_000),
            next: 0,
            waiting: Vec::new(),
            leased: Vec::new(),
            foreground_run: 0,
        }
    }

    fn ask(&mut self, key: usize, agent: usize, foreground: bool) -> Ask {
        self.next += 1;
        Ask {
            ticket: Ticket(self.next),
            key: KEYS[key].to_owned(),
            agent: AGENTS[agent].to_owned(),
            foreground,
        }
    }

    fn apply(&mut self, op: Op) {
        let now = self.now;
        match op {
            Op::Ask {
                key,
                agent,
                foreground,
            } => {
                let ask = self.ask(key, agent, foreground);
                self.controller.ask(now, ask.clone());
                self.controller.ask(now, ask.clone());
                self.waiting.push(ask);
            }
            Op::Adopt { key, agent } => {
                let ask = self.ask(key, agent, true);
                self.controller.adopt(now, ask.clone());
                self.controller.adopt(now, ask.clone());
                self.leased.push(ask);
            }
            Op::FirstOutput(pick) => {
                if let Some(ask) = pick.checked_rem(self.leased.len()).map(|i| &self.leased[i]) {
                    self.controller.first_output(now, ask.ticket);
                }
            }
            Op::Fault(pick, kind) => {
                if let Some(ask) = pick.checked_rem(self.leased.len()).map(|i| &self.leased[i]) {
                    let message = String::new();
                    let fault = match kind {
                        0 => Fault::RateLimited {
                            retry_after_ms: Some(7_000),
                            message,
                        },
                        1 => Fault::RateLimited {
                            retry_after_ms: None,
                            message,
                        },
                        2 => Fault::Unavailable { message },
                        _ => Fault::AgentFailed { message },
                    };
                    self.controller.fault(now, ask.ticket, &fault);
                }
            }
            Op::Release(pick, kind) => {
                if let Some(index) = pick.checked_rem(self.leased.len()) {
                    let ask = self.leased.remove(index);
                    let verdict = match kind {
                        0 => Verdict::Success,
                        1 => Verdict::AgentFailed,
                        2 => Verdict::Backpressure,
                        _ => Verdict::Cancelled,
                    };
                    self.controller.release(now, ask.ticket, verdict);
                    self.controller.release(now, ask.ticket, verdict);
                }
            }
            Op::GiveUp(pick) => {
                if let Some(index) = pick.checked_rem(self.waiting.len()) {
                    let ask = self.waiting.remove(index);
                    self.controller.release(now, ask.ticket, Verdict::Cancelled);
                }
            }
            Op::Wait(ms) => self.now = now.plus(ms),
            Op::WaitUntilWake => {
                if let Some(at) = self.controller.wake_at() {
                    self.now = now.max(at);
                }
            }
            Op::Limits(global, key, agent) => {
                self.limits = limits(global, key, agent);
                self.controller.set_limits(now, &self.limits);
            }
        }
    }

    fn count(&self, of: impl Fn(&Ask) -> bool) -> usize {
        self.leased.iter().filter(|ask| of(ask)).count()
    }

    /// Grants until nobody may go, and checks each grant.
    fn drain(&mut self) -> Result<(), TestCaseError> {
        while let Some(ticket) = self.controller.grant(self.now) {
            let index = self.waiting.iter().position(|ask| ask.ticket == ticket);
            prop_assert!(index.is_some(), "{ticket:?} doesn't wait");
            let ask = self.waiting.remove(index.unwrap_or_default());
            let same_lane = |other: &Ask| {
                (&other.key, &other.agent, other.foreground)
                    == (&ask.key, &ask.agent, ask.foreground)
            };
            prop_assert!(
                !self
                    .waiting
                    .iter()
                    .any(|other| same_lane(other) && other.ticket < ticket),
                "{ticket:?} overtook"
            );
            let background_waits = self.waiting.iter().any(|other| !other.foreground);
            self.foreground_run = if ask.foreground && background_waits {
                self.foreground_run + 1
            } else {
                0
            };
            self.leased.push(ask);
            // only a grant must keep the limits: an adoption or a cut limit may leave more in flight
            prop_assert!(self.leased.len() <= self.limits.global as usize);
            let ask = &self.leased[self.leased.len() - 1];
            if ask.key == KEYS[1] {
                let limit = self.limits.per_key[" ANTHROPIC/claude"] as usize;
                prop_assert!(self.count(|other| other.key == KEYS[1]) <= limit);
            }
            if ask.agent == AGENTS[1] {
                let limit = self.limits.per_agent["REVIEWER"] as usize;
                prop_assert!(self.count(|other| other.agent == AGENTS[1]) <= limit);
            }
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let wake = self.controller.wake_at();
        prop_assert!(
            wake.is_none_or(|at| at > self.now),
            "{wake:?} at {:?}",
            self.now
        );
        prop_assert!(
            self.waiting.is_empty() || wake.is_some() || !self.leased.is_empty(),
            "{} wait for nothing",
            self.waiting.len()
        );
        prop_assert_eq!(
            self.controller.is_idle(),
            self.waiting.is_empty() && self.leased.is_empty()
        );
        let view = self.controller.view();
        let sum = |of: fn(&KeyView) -> u32| view.iter().map(of).sum::<u32>() as usize;
        prop_assert_eq!(sum(|key| key.in_flight), self.leased.len());
        prop_assert_eq!(sum(|key| key.waiting), self.waiting.len());
        for key in &view {
            prop_assert!(key.limit >= 1 && key.limit <= key.ceiling, "{key:?}");
            let full = self.leased.len() >= self.limits.global as usize;
            let free_agent = |ask: &Ask| {
                ask.agent != AGENTS[1]
                    || self.count(|other| other.agent == AGENTS[1])
                        < self.limits.per_agent["REVIEWER"] as usize
            };
            let may = self
                .waiting
                .iter()
                .any(|ask| ask.key.trim().eq_ignore_ascii_case(&key.key) && free_agent(ask));
            // work conservation
            if key.state == LimiterState::Open && key.in_flight < key.limit && may && !full {
                prop_assert!(false, "{key:?} has room and a waiter");
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn concurrency_holds_its_promises(ops in ops(), seed in any::<u64>()) {
        let mut beside = Beside::new(limits(6, 3, 2), seed);
        for op in ops {
            beside.apply(op);
            beside.drain()?;
            beside.check()?;
        }
        // everybody who waits goes, once the provider answers and time passes
        for _ in 0..20_000 {
            if beside.waiting.is_empty() && beside.leased.is_empty() {
                break;
            }
            if beside.leased.is_empty() {
                let wake = beside.controller.wake_at();
                prop_assert!(wake.is_some());
                beside.now = wake.unwrap_or_default();
            } else {
                beside.apply(Op::FirstOutput(0));
                beside.apply(Op::Release(0, 0));
            }
            beside.drain()?;
            beside.check()?;
        }
        prop_assert!(beside.controller.is_idle());
    }

    #[test]
    fn neither_priority_starves(foreground in 1usize..40, background in 1usize..10) {
        let mut beside = Beside::new(limits(1, 1, 1), 1);
        for index in 0..foreground + background {
            let foreground = index < foreground;
            beside.apply(Op::Ask { key: 0, agent: 0, foreground });
        }
        let mut most = 0;
        while !beside.controller.is_idle() {
            beside.drain()?;
            most = most.max(beside.foreground_run);
            beside.apply(Op::FirstOutput(0));
            beside.apply(Op::Release(0, 0));
        }
        prop_assert!(most <= FOREGROUND_RUN);
    }
}

#[test]
fn a_full_key_does_not_block_another() {
    let mut beside = Beside::new(limits(10, 1, 10), 1);
    for key in [1, 1, 0] {
        beside.apply(Op::Ask {
            key,
            agent: 0,
            foreground: true,
        });
    }
    beside.drain().expect("limits hold");
    let leased: Vec<u64> = beside.leased.iter().map(|ask| ask.ticket.0).collect();
    assert_eq!(leased, [1, 3]);
}

#[test]
fn peers_16_retry_after_is_honoured_to_the_second() {
    let mut beside = Beside::new(limits(4, 4, 4), 1);
    beside.apply(Op::Ask {
        key: 0,
        agent: 0,
        foreground: true,
    });
    beside.drain().expect("limits hold");
    beside.apply(Op::Ask {
        key: 0,
        agent: 0,
        foreground: true,
    });
    beside.apply(Op::Fault(0, 0));
    beside.drain().expect("limits hold");
    assert_eq!(beside.controller.wake_at(), None, "the host still tries");
    beside.apply(Op::Release(0, 2));
    beside.drain().expect("limits hold");
    assert!(beside.leased.is_empty());
    assert_eq!(beside.controller.wake_at(), Some(beside.now.plus(7_000)));
}

#[test]
fn peers_18_limits_are_ceilings_without_case_and_a_raised_one_wakes() {
    let mut beside = Beside::new(limits(8, 2, 8), 1);
    let ask = |beside: &mut Beside| {
        beside.apply(Op::Ask {
            key: 1,
            agent: 0,
            foreground: true,
        });
        beside.drain().expect("limits hold");
    };
    // many successes in a row don't lift the limit above the configured one
    for _ in 0..200 {
        ask(&mut beside);
        ask(&mut beside);
        ask(&mut beside);
        assert_eq!(beside.leased.len(), 2);
        beside.apply(Op::FirstOutput(0));
        beside.apply(Op::Release(0, 0));
        beside.drain().expect("limits hold");
        beside.waiting.clone().iter().for_each(|ask| {
            beside
                .controller
                .release(beside.now, ask.ticket, Verdict::Cancelled);
        });
        beside.waiting.clear();
    }
    ask(&mut beside);
    assert_eq!(beside.waiting.len(), 1);
    beside.apply(Op::Limits(8, 3, 8));
    beside
        .leased
        .iter()
        .for_each(|ask| beside.controller.first_output(beside.now, ask.ticket));
    beside.drain().expect("limits hold");
    assert!(beside.waiting.is_empty());
}

#[test]
fn peers_20_an_agents_failure_or_a_cancel_never_cuts_the_limit() {
    let mut beside = Beside::new(limits(4, 4, 4), 1);
    for round in 0..200u8 {
        beside.apply(Op::Ask {
            key: 0,
            agent: 0,
            foreground: true,
        });
        beside.drain().expect("limits hold");
        beside.apply(Op::Fault(0, 3));
        beside.apply(Op::Release(0, if round % 2 == 0 { 1 } else { 3 }));
    }
    assert_eq!(beside.controller.view()[0].limit, 4);
}

#[test]
fn a_host_that_retries_by_itself_is_the_probe() {
    let mut beside = Beside::new(limits(8, 8, 8), 1);
    for _ in 0..6 {
        beside.apply(Op::Ask {
            key: 0,
            agent: 0,
            foreground: true,
        });
    }
    beside.drain().expect("limits hold");
    assert_eq!(beside.leased.len(), 4);
    for lease in [0, 1, 2, 3, 0, 1, 2, 3] {
        beside.now = beside.now.plus(1_000);
        beside.apply(Op::Fault(lease, 2));
    }
    beside.now = beside.now.plus(600_000);
    beside.drain().expect("limits hold");
    assert_eq!(beside.leased.len(), 4, "none more while four retry");
    assert_eq!(beside.controller.view()[0].state, LimiterState::Breaker);
    beside.apply(Op::FirstOutput(2));
    assert_eq!(beside.controller.view()[0].state, LimiterState::Open);
}
