//! What a run is made of, as data: who takes part, how the provider is, what goes wrong and when.

use super::chance::{Chance, Kind};
use crate::policy::Policy;
use serde::{Deserialize, Serialize};

/// Which host the world plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Dialect {
    /// OpenCode as it is: idle events, sometimes two; native todos; retries and compactions are told.
    #[default]
    V1,
    /// The shape of OpenCode's version 2: an execution succeeded, failed or was interrupted; no idle event, no native
    /// todos (the plugin keeps work items of its own), nothing about retries, first outputs or compactions.
    V2,
}

/// How the mission's agent behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Temper {
    /// A todo each turn.
    #[default]
    Steady,
    /// A todo every third turn; reads new files in between.
    Slow,
    /// Many tool calls a turn, and adds todos while it finishes others.
    Chatty,
    /// The same words and the same call each turn; finishes nothing.
    Stuck,
    /// Edits a file to and fro and toggles a todo.
    Oscillating,
    /// Rewords, toggles and re-adds todos; finishes nothing new.
    Gaming,
    /// Gives its todos to sub-agents.
    Delegating,
    /// Often answers with something malformed or a failed call.
    Failing,
    /// Answers without a todo list.
    Planless,
}

impl Temper {
    pub const ALL: [Self; 9] = [
        Self::Steady,
        Self::Slow,
        Self::Chatty,
        Self::Stuck,
        Self::Oscillating,
        Self::Gaming,
        Self::Delegating,
        Self::Failing,
        Self::Planless,
    ];

    /// Whether it finishes its todos if nobody stops it.
    #[must_use]
    pub fn finishes(self) -> bool {
        matches!(
            self,
            Self::Steady | Self::Slow | Self::Chatty | Self::Delegating | Self::Failing
        )
    }
}

/// The mission's agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Agent {
    pub temper: Temper,
    pub todos: u32,
    /// Shortest and longest step, in ms.
    pub step_ms: (u64, u64),
    /// Sub-agents a turn, when it delegates.
    pub tasks: u32,
    pub background: bool,
}

/// Sub-agents: how many in a hundred do what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Children {
    pub hang: u32,
    pub ask: u32,
    pub fail: u32,
    /// Works for an hour, with a call each minute.
    pub long: u32,
    /// Tries to delegate.
    pub nest: u32,
}

/// The model's provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Provider {
    /// From when (ms since the start) it takes how many requests at a time.
    pub capacity: Vec<(u64, u32)>,
    /// From when till when (ms since the start) it refuses all.
    pub outages: Vec<(u64, u64)>,
    /// Shortest and longest time to the first output, in ms.
    pub output_ms: (u64, u64),
    /// What it asks for when it refuses.
    pub retry_after_ms: Option<u64>,
}

/// Something the person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    /// Esc.
    Abort,
    Say,
    Status,
    Stop,
    /// `/task` with another objective.
    Replace,
    /// `/task` without one, in the mission's session or in another.
    Resume,
    ResumeElsewhere,
    /// Deletes the mission's session.
    DeleteRoot,
    /// Deletes a sub-agent's session.
    DeleteChild,
    /// Esc in a sub-agent's session.
    AbortChild,
    /// Ends the program as it should be ended, and starts it again.
    Quit,
}

/// The person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Person {
    /// When (ms since the start) they do what.
    pub acts: Vec<(u64, Act)>,
    /// Shortest and longest time to an answer, in ms.
    pub answer_ms: (u64, u64),
    /// Answers in a hundred that are a refusal.
    pub rejects: u32,
    /// Comes back and writes after an abort or a restart.
    pub returns: bool,
}

/// How many times in a thousand a thing goes wrong at the boundary.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Faults {
    pub lose_event: u32,
    pub double_event: u32,
    /// Carried out, but the answer is lost: the host's time limit answers.
    pub lose_reply: u32,
    pub double_reply: u32,
    pub late_reply: u32,
    pub fail_request: u32,
    /// The model's answer is malformed.
    pub malformed: u32,
    /// A prompt is accepted and gets no turn.
    pub lost_turn: u32,
    /// Esc at a bad moment: as a prompt or a check is on its way.
    pub esc: u32,
    /// A sub-agent's session is gone just when it is needed.
    pub vanish: u32,
    /// The program is killed at an event.
    pub crash: u32,
    /// The wasm instance is lost at an event.
    pub trap: u32,
    /// ...and the fresh one too: so many in a thousand of those.
    pub trap_again: u32,
    /// When they end, in ms since the start.
    pub until_ms: u64,
}

/// How much goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    None,
    #[default]
    Light,
    Heavy,
}

/// A run, whole: the same scenario gives the same run to the byte.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Scenario {
    pub seed: u64,
    pub dialect: Dialect,
    /// Somebody is there; else it is `opencode run`.
    pub headless: bool,
    pub agent: Agent,
    pub children: Children,
    pub provider: Provider,
    pub person: Person,
    pub faults: Faults,
    /// How often the completion command fails before it passes; none is configured when absent.
    pub check_fails: Option<u32>,
    pub rules: Rules,
}

/// The user's options, as far as runs vary them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rules {
    pub global: u32,
    pub per_agent: u32,
    pub max_depth: u32,
    pub retries: u32,
    pub keep_sessions: bool,
    pub settle_ms: u64,
    pub max_iterations: u32,
    pub max_minutes: u32,
    pub max_tokens: u64,
    pub timeout_min: u32,
    /// The rules against going in circles hold; else only the ceilings do.
    pub stagnation: bool,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            temper: Temper::Steady,
            todos: 3,
            step_ms: (200, 3_000),
            tasks: 2,
            background: false,
        }
    }
}

impl Default for Provider {
    fn default() -> Self {
        Self {
            capacity: vec![(0, 16)],
            outages: Vec::new(),
            output_ms: (300, 3_000),
            retry_after_ms: None,
        }
    }
}

impl Provider {
    /// Whether it refuses everything, `elapsed` ms after the start.
    #[must_use]
    pub fn is_out(&self, elapsed: u64) -> bool {
        self.outages
            .iter()
            .any(|(from, to)| (*from..*to).contains(&elapsed))
    }

    /// How many requests at a time it takes, `elapsed` ms after the start.
    #[must_use]
    pub fn takes(&self, elapsed: u64) -> u32 {
        if self.is_out(elapsed) {
            return 0;
        }
        self.capacity_at(elapsed)
    }

    /// The same, when it is not out.
    #[must_use]
    pub fn capacity_at(&self, elapsed: u64) -> u32 {
        self.capacity
            .iter()
            .rev()
            .find(|(from, _)| *from <= elapsed)
            .map_or(u32::MAX, |(_, tasks)| *tasks)
    }
}

impl Default for Person {
    fn default() -> Self {
        Self {
            acts: Vec::new(),
            answer_ms: (1_000, 60_000),
            rejects: 0,
            returns: true,
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        let policy = Policy::default();
        Self {
            global: policy.limits.global,
            per_agent: policy.limits.global,
            max_depth: policy.tasks.max_depth,
            retries: policy.tasks.retries,
            keep_sessions: policy.tasks.keep_sessions,
            settle_ms: policy.mission.settle_ms,
            max_iterations: policy.mission.max_iterations,
            max_minutes: policy.mission.max_minutes,
            max_tokens: policy.mission.max_tokens,
            timeout_min: policy.tasks.timeout_min,
            stagnation: true,
        }
    }
}

const MINUTE: u64 = 60_000;
/// A person does one thing after another, in ms.
const PERSON_MS: u64 = 250;

impl Faults {
    /// Faults of a level.
    #[must_use]
    pub fn of(level: Level) -> Self {
        match level {
            Level::None => Self::default(),
            Level::Light => Self {
                lose_event: 5,
                double_event: 10,
                lose_reply: 3,
                double_reply: 10,
                late_reply: 10,
                fail_request: 10,
                malformed: 10,
                lost_turn: 10,
                esc: 5,
                vanish: 3,
                crash: 1,
                trap: 1,
                trap_again: 100,
                until_ms: 20 * MINUTE,
            },
            Level::Heavy => Self {
                lose_event: 40,
                double_event: 60,
                lose_reply: 25,
                double_reply: 60,
                late_reply: 60,
                fail_request: 50,
                malformed: 50,
                lost_turn: 50,
                esc: 20,
                vanish: 20,
                crash: 6,
                trap: 6,
                trap_again: 50,
                until_ms: 60 * MINUTE,
            },
        }
    }
}

impl Scenario {
    /// A scenario drawn from a seed.
    #[must_use]
    pub fn draw(seed: u64, level: Level) -> Self {
        let mut dice = Chance::new(seed, None);
        let k = Kind::Scenario;
        let dialect = if dice.percent(k, 25) {
            Dialect::V2
        } else {
            Dialect::V1
        };
        let temper = dice.pick(k, &Temper::ALL);
        // delegation has the most states: half of all runs
        let temper = if dice.percent(k, 45) {
            Temper::Delegating
        } else {
            temper
        };
        let headless = dice.percent(k, 25);
        let agent = Agent {
            temper,
            todos: dice.within(k, (1, 7)) as u32,
            step_ms: dice.pick(k, &[(5, 50), (200, 3_000), (1_000, 90_000)]),
            tasks: dice.within(k, (1, 9)) as u32,
            background: dice.percent(k, 50),
        };
        let odds = |dice: &mut Chance| if dice.percent(k, 40) { 15 } else { 0 };
        let children = Children {
            hang: odds(&mut dice) / 3,
            ask: if headless { 0 } else { odds(&mut dice) },
            fail: odds(&mut dice),
            long: odds(&mut dice) / 3,
            nest: odds(&mut dice),
        };
        let mut provider = Provider {
            capacity: vec![(0, dice.within(k, (1, 20)) as u32)],
            output_ms: dice.pick(k, &[(5, 30), (300, 3_000), (2_000, 40_000)]),
            retry_after_ms: dice.pick(k, &[None, None, Some(1_000), Some(45_000)]),
            ..Provider::default()
        };
        if dice.percent(k, 30) {
            provider.capacity.push((
                dice.within(k, (0, 20 * MINUTE)),
                dice.within(k, (1, 20)) as u32,
            ));
        }
        if dice.percent(k, 30) {
            let from = dice.within(k, (0, 10 * MINUTE));
            provider
                .outages
                .push((from, from + dice.within(k, (1_000, 25 * MINUTE))));
        }
        let mut person = Person {
            returns: dice.percent(k, 80),
            rejects: if dice.percent(k, 20) { 30 } else { 0 },
            ..Person::default()
        };
        if !headless {
            const ACTS: [Act; 14] = [
                Act::Abort,
                Act::Abort,
                Act::Abort,
                Act::Say,
                Act::Say,
                Act::Say,
                Act::Status,
                Act::Resume,
                Act::ResumeElsewhere,
                Act::AbortChild,
                Act::DeleteChild,
                Act::Stop,
                Act::Replace,
                Act::DeleteRoot,
            ];
            for _ in 0..dice.within(k, (0, 5)) {
                let span = dice.pick(k, &[2_000, 60_000, 10 * MINUTE]);
                let last = person.acts.last().map_or(0, |(at, _)| *at);
                let at = last + PERSON_MS + dice.within(k, (5, span));
                person.acts.push((at, dice.pick(k, &ACTS)));
            }
        }
        let mut rules = Rules {
            global: dice.within(k, (1, 9)) as u32,
            per_agent: dice.within(k, (1, 9)) as u32,
            max_depth: dice.pick(k, &[1, 1, 1, 2]),
            retries: dice.within(k, (0, 3)) as u32,
            keep_sessions: dice.percent(k, 20),
            settle_ms: dice.pick(k, &[0, 0, 800]),
            max_iterations: dice.pick(k, &[50, 50, 5]),
            max_minutes: dice.pick(k, &[240, 240, 15]),
            max_tokens: dice.pick(k, &[20_000_000, 20_000_000, 3_000]),
            stagnation: !temper.finishes() || dice.percent(k, 50),
            ..Rules::default()
        };
        let check_fails = dice.percent(k, 25).then(|| dice.within(k, (0, 3)) as u32);
        rules.timeout_min = dice.pick(k, &[30, 30, 1]);
        if !headless && dice.percent(k, 10) {
            let last = person.acts.last().map_or(0, |(at, _)| *at);
            let at = last + PERSON_MS + dice.within(k, (5, 5 * MINUTE));
            person.acts.push((at, Act::Quit));
        }
        Self {
            seed,
            dialect,
            headless,
            agent,
            children,
            provider,
            person,
            faults: Faults::of(level),
            check_fails,
            rules,
        }
    }

    /// The rules of the engine in this run.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let mut policy = Policy {
            seed: self.seed as u32,
            interactive: !self.headless,
            ..Policy::default()
        };
        let rules = &self.rules;
        policy.limits.global = rules.global.max(1);
        policy
            .limits
            .per_agent
            .insert("worker".into(), rules.per_agent.max(1));
        policy.tasks.max_depth = rules.max_depth;
        policy.tasks.retries = rules.retries;
        policy.tasks.keep_sessions = rules.keep_sessions;
        policy.tasks.timeout_min = rules.timeout_min;
        policy.mission.settle_ms = rules.settle_ms;
        policy.mission.max_iterations = rules.max_iterations;
        policy.mission.max_minutes = rules.max_minutes;
        policy.mission.max_tokens = rules.max_tokens;
        if !rules.stagnation {
            policy.mission.max_stagnant = 1_000;
            policy.mission.max_without_progress = 1_000;
        }
        policy.completion.command = self.check_fails.map(|_| "make test".into());
        policy
    }
}
