//! The provider and its tasks, event by event, with the real controller in front. No clock, no sleep.

use super::scenario::Scenario;
use opencode_orchestrator::concurrency::controller::LimiterKind;
use opencode_orchestrator::concurrency::{Ask, Controller, Ticket, Verdict};
use opencode_orchestrator::fault::Fault;
use opencode_orchestrator::policy::LimitsPolicy;
use opencode_orchestrator::sorted::SortedMap;
use opencode_orchestrator::time::Instant;
use std::collections::{BTreeMap, BTreeSet};

const KEY: &str = "provider/model";
/// Milliseconds since 1970 at which each run starts.
const EPOCH: u64 = 1_700_000_000_000;

/// What one run counted.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub successes: u64,
    pub launches: u64,
    /// Launches that were refused, or failed before they were answered.
    pub wasted: u64,
    /// Tasks under way that an outage killed: no limiter can help it.
    pub lost: u64,
    /// Seconds from each recovery until 80 % of the capacity is used; those that never came last until the next change.
    pub recoveries: Vec<f64>,
    /// Sum of the limit's changes ÷ its mean ÷ hours.
    pub oscillation: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Arrival,
    OutageBegins,
    CapacityMoves,
    Wake,
    /// The provider's no reaches the launch.
    Refused(u64),
    /// The connection breaks.
    Broken(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    FirstOutput(u64),
    Done(u64),
}

#[derive(Clone, Debug)]
struct Task {
    agent: usize,
    seconds: f64,
    first: f64,
    /// The share of its time after which it fails for its own reasons.
    fails_at: Option<f64>,
}

#[derive(Clone, Debug)]
struct Served {
    task: u64,
    answered: bool,
    steps: Vec<(u64, Step)>,
}

pub struct World<'a> {
    scenario: &'a Scenario,
    seed: u64,
    /// The limit never changes, so it needn't be looked at.
    fixed: bool,
    controller: Controller,
    now: u64,
    /// Work done since the start by each task that is served, in microseconds: the provider shares itself evenly.
    work: f64,
    happenings: BTreeSet<(u64, Happening)>,
    steps: BTreeSet<(u64, Step)>,
    /// By ticket: the task of a launch that will fail or be refused, and whether it was answered before.
    connecting: BTreeMap<u64, (u64, bool)>,
    served: BTreeMap<u64, Served>,
    waiting: BTreeMap<u64, u64>,
    /// Every task so far.
    tasks: Vec<Task>,
    next_ticket: u64,
    tokens: f64,
    tokens_at: u64,
    wake: Option<u64>,
    counts: Counts,
    limit: u32,
    limit_changes: f64,
    limit_time: f64,
}

/// Runs `scenario` under one limiter.
pub fn run(scenario: &Scenario, kind: LimiterKind, seed: u64) -> Counts {
    let limits = LimitsPolicy {
        global: scenario.ceiling,
        per_key: SortedMap::new(),
        per_agent: SortedMap::new(),
    };
    let mut world = World {
        scenario,
        seed,
        fixed: matches!(kind, LimiterKind::Fixed(_)),
        controller: Controller::with_limiters(&limits, seed, kind),
        now: 0,
        work: 0.0,
        happenings: BTreeSet::new(),
        steps: BTreeSet::new(),
        connecting: BTreeMap::new(),
        served: BTreeMap::new(),
        waiting: BTreeMap::new(),
        tasks: Vec::new(),
        next_ticket: 0,
        tokens: scenario.provider.rate.map_or(0.0, |rate| rate.burst),
        tokens_at: 0,
        wake: None,
        counts: Counts::default(),
        limit: 0,
        limit_changes: 0.0,
        limit_time: 0.0,
    };
    world.play();
    world.counts
}

impl World<'_> {
    fn play(&mut self) {
        let end = self.scenario.end_ms();
        for outage in &self.scenario.outages {
            let from = (outage.from * 60_000.0) as u64;
            self.happenings.insert((from, Happening::OutageBegins));
        }
        for point in &self.scenario.provider.capacity {
            let at = (point.minute * 60_000.0) as u64;
            self.happenings.insert((at, Happening::CapacityMoves));
        }
        if self.scenario.tasks.per_minute.is_some() {
            self.happenings.insert((0, Happening::Arrival));
        }
        let recoveries = self.scenario.recoveries();
        let mut open: Option<u64> = None;
        let mut next_recovery = 0;
        loop {
            self.stock();
            self.pump();
            let happening = self.happenings.first().map(|(at, _)| *at);
            let step = self.steps.first().map(|(work, _)| self.time_of(*work));
            let next = [happening, step].into_iter().flatten().min().unwrap_or(end);
            // recoveries are looked at before time passes: the served are those of the interval that starts now
            if next_recovery < recoveries.len() && self.now >= recoveries[next_recovery] {
                if let Some(since) = open {
                    self.counts
                        .recoveries
                        .push((self.now - since) as f64 / 1000.0);
                }
                open = Some(recoveries[next_recovery]);
                next_recovery += 1;
            }
            if let Some(since) = open
                && !self.scenario.is_out(self.now)
                && self.served.len() as f64 >= 0.8 * self.target()
            {
                self.counts
                    .recoveries
                    .push((self.now - since) as f64 / 1000.0);
                open = None;
            }
            if next >= end {
                break;
            }
            self.pass(next);
            if let Some((at, happening)) = self.happenings.first().copied()
                && at <= self.now
            {
                self.happenings.pop_first();
                self.happens(happening);
            } else if let Some((work, step)) = self.steps.first().copied() {
                self.work = self.work.max(work as f64);
                self.steps.pop_first();
                self.steps_on(step);
            }
        }
        if let Some(since) = open {
            self.counts.recoveries.push((end - since) as f64 / 1000.0);
        }
        let hours = end as f64 / 3_600_000.0;
        let mean = self.limit_time / self.now.max(1) as f64;
        self.counts.oscillation = self.limit_changes / mean.max(1.0) / hours;
    }

    /// Keeps the queue filled, where there is always another task.
    fn stock(&mut self) {
        while self.scenario.tasks.per_minute.is_none()
            && self.waiting.len() < 2 * self.scenario.ceiling as usize
        {
            let task = self.new_task();
            self.queue(task);
        }
    }

    fn queue(&mut self, task: u64) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.insert(ticket, task);
        let ask = Ask {
            ticket: Ticket(ticket),
            key: KEY.to_owned(),
            agent: self.scenario.tasks.agents[self.tasks[task as usize].agent]
                .name
                .clone(),
            foreground: false,
        };
        self.controller.ask(self.instant(), ask);
    }

    /// Launches whoever may, and sets the alarm.
    fn pump(&mut self) {
        while let Some(Ticket(ticket)) = self.controller.grant(self.instant()) {
            let task = self.waiting.remove(&ticket).expect("a waiter");
            self.launch(ticket, task);
        }
        if let Some(wake) = self.wake.take() {
            self.happenings.remove(&(wake, Happening::Wake));
        }
        self.wake = self.controller.wake_at().map(|at| at.0 - EPOCH);
        if let Some(wake) = self.wake {
            assert!(wake > self.now, "a wake in the past");
            self.happenings.insert((wake, Happening::Wake));
        }
        if self.fixed && self.limit > 0 {
            return;
        }
        let limit = self.controller.view().first().map_or(0, |key| key.limit);
        if self.limit > 0 {
            self.limit_changes += f64::from(self.limit.abs_diff(limit));
        }
        self.limit = limit;
    }

    fn launch(&mut self, ticket: u64, task: u64) {
        self.counts.launches += 1;
        let provider = &self.scenario.provider;
        let jitter = 0.5 + self.draw(ticket, 1);
        if self.scenario.is_out(self.now) {
            self.connecting.insert(ticket, (task, false));
            let at = self.now + (provider.connect_ms * jitter) as u64 + 1;
            self.happenings.insert((at, Happening::Broken(ticket)));
            return;
        }
        let room = self.scenario.capacity(self.now) * provider.knee.map_or(1.0, |k| k.refuse_at);
        let full = self.served.len() as f64 + 1.0 > room + 1e-9;
        if full || self.draw(ticket, 2) < provider.noise || !self.take_token() {
            self.connecting.insert(ticket, (task, false));
            let at = self.now + (provider.refuse_ms * jitter) as u64 + 1;
            self.happenings.insert((at, Happening::Refused(ticket)));
            return;
        }
        let of = &self.tasks[task as usize];
        let slow = self.scenario.slowness(self.now);
        let work = |seconds: f64| (self.work + seconds * slow * 1e6) as u64;
        let first = of.first.min(of.seconds);
        let ends = of.fails_at.map_or(of.seconds, |share| share * of.seconds);
        let mut steps = vec![(work(ends), Step::Done(ticket))];
        if first < ends {
            steps.push((work(first), Step::FirstOutput(ticket)));
        }
        self.steps.extend(steps.iter().copied());
        let served = Served {
            task,
            answered: false,
            steps,
        };
        self.served.insert(ticket, served);
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Wake => self.wake = None,
            Happening::CapacityMoves => {}
            Happening::Arrival => {
                let task = self.new_task();
                self.queue(task);
                let rate = self.scenario.tasks.per_minute.unwrap_or(1.0);
                let gap = -self.draw(task, 6).max(1e-9).ln() * 60_000.0 / rate;
                self.happenings
                    .insert((self.now + gap as u64 + 1, Happening::Arrival));
            }
            Happening::OutageBegins => {
                let tickets: Vec<u64> = self.served.keys().copied().collect();
                for ticket in tickets {
                    let served = self.served.remove(&ticket).expect("served");
                    for step in &served.steps {
                        self.steps.remove(step);
                    }
                    self.connecting
                        .insert(ticket, (served.task, served.answered));
                    let delay = self.scenario.provider.connect_ms * self.draw(ticket, 7);
                    self.happenings
                        .insert((self.now + delay as u64 + 1, Happening::Broken(ticket)));
                }
            }
            Happening::Refused(ticket) => {
                let message = "429".to_owned();
                let retry_after_ms = self.retry_after_ms();
                self.turned_away(
                    ticket,
                    &Fault::RateLimited {
                        retry_after_ms,
                        message,
                    },
                );
            }
            Happening::Broken(ticket) => {
                let message = "connection failed".to_owned();
                self.turned_away(ticket, &Fault::Unavailable { message });
            }
        }
    }

    fn turned_away(&mut self, ticket: u64, fault: &Fault) {
        let Some((task, answered)) = self.connecting.remove(&ticket) else {
            return;
        };
        if answered {
            self.counts.lost += 1;
        } else {
            self.counts.wasted += 1;
        }
        let now = self.instant();
        self.controller.fault(now, Ticket(ticket), fault);
        self.controller
            .release(now, Ticket(ticket), Verdict::Backpressure);
        self.queue(task);
    }

    fn steps_on(&mut self, step: Step) {
        let now = self.instant();
        match step {
            Step::FirstOutput(ticket) => {
                if let Some(served) = self.served.get_mut(&ticket) {
                    served.answered = true;
                    self.controller.first_output(now, Ticket(ticket));
                }
            }
            Step::Done(ticket) => {
                let Some(served) = self.served.remove(&ticket) else {
                    return;
                };
                let verdict = if self.tasks[served.task as usize].fails_at.is_some() {
                    Verdict::AgentFailed
                } else {
                    self.counts.successes += 1;
                    Verdict::Success
                };
                self.controller.release(now, Ticket(ticket), verdict);
            }
        }
    }

    /// Lets time pass until `next`.
    fn pass(&mut self, next: u64) {
        let ms = next.saturating_sub(self.now) as f64;
        self.work += ms * 1000.0 / self.crowding();
        self.limit_time += ms * f64::from(self.limit);
        self.now = next.max(self.now);
    }

    /// When every task that is served will have done `work`, if nothing changes.
    fn time_of(&self, work: u64) -> u64 {
        let left = (work as f64 - self.work).max(0.0) * self.crowding() / 1000.0;
        self.now + left.ceil() as u64
    }

    /// How many times slower everybody is because of the number served.
    fn crowding(&self) -> f64 {
        let Some(knee) = self.scenario.provider.knee else {
            return 1.0;
        };
        let load = self.served.len() as f64 / self.scenario.capacity(self.now).max(1.0);
        load.max(1.0).powf(knee.exponent)
    }

    fn target(&self) -> f64 {
        self.scenario
            .capacity(self.now)
            .min(f64::from(self.scenario.ceiling))
    }

    fn take_token(&mut self) -> bool {
        let Some(rate) = self.scenario.provider.rate else {
            return true;
        };
        let earned = (self.now - self.tokens_at) as f64 / 60_000.0 * rate.per_minute;
        self.tokens = (self.tokens + earned).min(rate.burst);
        self.tokens_at = self.now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }

    /// What the provider says: a fixed time, or until its bucket holds a token, in whole seconds.
    fn retry_after_ms(&self) -> Option<u64> {
        let fixed = self.scenario.provider.retry_after_sec.map(|sec| sec * 1000);
        let Some(rate) = self.scenario.provider.rate else {
            return fixed;
        };
        let earned = (self.now - self.tokens_at) as f64 / 60_000.0 * rate.per_minute;
        let short = (1.0 - self.tokens - earned).max(0.0);
        Some(((short / rate.per_minute * 60.0).ceil() as u64).max(1) * 1000)
    }

    fn instant(&self) -> Instant {
        Instant(EPOCH + self.now)
    }

    fn new_task(&mut self) -> u64 {
        let index = self.tasks.len() as u64;
        let task = self.task(index);
        self.tasks.push(task);
        index
    }

    /// The same task under every limiter of one seed.
    fn task(&self, index: u64) -> Task {
        let agents = &self.scenario.tasks.agents;
        let whole: f64 = agents.iter().map(|agent| agent.share).sum();
        let mut pick = self.draw(index, 10) * whole;
        let agent = agents
            .iter()
            .position(|agent| {
                pick -= agent.share;
                pick < 0.0
            })
            .unwrap_or(0);
        let law = |law: super::scenario::Law, salt| {
            law.median * (law.spread * self.normal(index, salt)).exp()
        };
        let failing = self.draw(index, 11) < self.scenario.tasks.failing;
        Task {
            agent,
            seconds: law(agents[agent].seconds, 12),
            first: law(agents[agent].first_output, 14),
            fails_at: failing.then(|| self.draw(index, 16)),
        }
    }

    /// Standard normal, after Box and Muller.
    fn normal(&self, index: u64, salt: u64) -> f64 {
        let u = self.draw(index, salt).max(1e-12);
        let v = self.draw(index, salt + 1);
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// Uniform in [0, 1), the same for the same arguments.
    fn draw(&self, index: u64, salt: u64) -> f64 {
        let mut z = (self.seed << 40) ^ (salt << 56) ^ index;
        for _ in 0..2 {
            z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^= z >> 31;
        }
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}
