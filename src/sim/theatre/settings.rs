//! The stories, and what the sliders change of them. A link to the playground holds a [`Settings`] and nothing else.

use crate::sim::Scenario;
use crate::sim::scenario::{Agent, Children, Faults, Level, Provider, Temper};
use serde::{Deserialize, Serialize};

/// A scenario that shows one thing.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct Story {
    pub id: &'static str,
    pub title: &'static str,
    /// What to look for, in a sentence.
    pub about: &'static str,
    #[serde(skip)]
    scenario: Scenario,
}

/// Which story, and what is different in it. What is absent is as the story has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[cfg_attr(
    all(test, not(target_arch = "wasm32")),
    ts(optional_fields = nullable)
)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    pub story: String,
    pub seed: Option<u32>,
    /// Sub-agents that the agent starts at a time; none means that it works alone.
    pub agents: Option<u32>,
    pub todos: Option<u32>,
    /// Longest step of the mission's agent, in seconds.
    pub step: Option<u32>,
    /// Sub-agents at a time that the user allows.
    pub limit: Option<u32>,
    /// Requests at a time that the provider takes.
    pub capacity: Option<u32>,
    /// Longest time to a first output, in seconds.
    pub latency: Option<u32>,
    /// Sub-agents in a hundred that fail.
    pub failures: Option<u32>,
    /// How much goes wrong at the boundary, in a hundred of what the heaviest tests do.
    pub faults: Option<u32>,
}

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

/// The stories, in the order in which they explain the program.
#[must_use]
pub fn stories() -> Vec<Story> {
    let agent = |temper, todos, tasks| Agent {
        temper,
        todos,
        tasks,
        step_ms: (SECOND, 6 * SECOND),
        ..Agent::default()
    };
    vec![
        Story {
            id: "happy",
            title: "Happy path",
            about: "A roadmap of four todos, three sub-agents for each. The session is continued after every turn until all todos are done and the check passes.",
            scenario: Scenario {
                seed: 9,
                agent: agent(Temper::Delegating, 4, 3),
                check_fails: Some(1),
                ..Scenario::default()
            },
        },
        Story {
            id: "stuck",
            title: "Stuck agent",
            about: "The agent repeats the same failing call. First it gets the evidence, then a demand for another strategy, then the mission stops with a reason.",
            scenario: Scenario {
                seed: 3,
                agent: agent(Temper::Stuck, 4, 0),
                ..Scenario::default()
            },
        },
        Story {
            id: "gaming",
            title: "Todo-gaming agent",
            about: "The agent rewords, toggles and adds todos to look busy. None of it counts as progress, and the mission stops.",
            scenario: Scenario {
                seed: 5,
                agent: agent(Temper::Gaming, 4, 0),
                ..Scenario::default()
            },
        },
        Story {
            id: "storm",
            title: "Rate-limit storm",
            about: "Nine sub-agents meet a provider that takes three at a time. The limit falls to what the provider bears and grows again when it takes more.",
            scenario: Scenario {
                seed: 11,
                agent: agent(Temper::Delegating, 4, 9),
                provider: Provider {
                    capacity: vec![(0, 3), (3 * MINUTE, 12)],
                    retry_after_ms: Some(4 * SECOND),
                    ..Provider::default()
                },
                ..Scenario::default()
            },
        },
        Story {
            id: "outage",
            title: "Outage",
            about: "The provider refuses everything for ten minutes. The breaker opens, one probe at a time asks whether it is over, and the work goes on.",
            scenario: Scenario {
                seed: 2,
                agent: agent(Temper::Delegating, 3, 4),
                provider: Provider {
                    outages: vec![(25 * SECOND, 10 * MINUTE)],
                    ..Provider::default()
                },
                ..Scenario::default()
            },
        },
        Story {
            id: "esc",
            title: "Esc at a bad moment",
            about: "The person presses Esc just as a continuation is on its way. Nothing more is sent until they write again; then the mission goes on.",
            scenario: Scenario {
                seed: 34,
                agent: agent(Temper::Steady, 5, 0),
                faults: Faults {
                    esc: 500,
                    until_ms: 20 * SECOND,
                    ..Faults::default()
                },
                ..Scenario::default()
            },
        },
        Story {
            id: "compaction",
            title: "Compaction",
            about: "The history gets too long and is compacted in the middle of a turn. The mission waits for it, and its objective and roadmap survive.",
            scenario: Scenario {
                seed: 3,
                agent: agent(Temper::Slow, 5, 0),
                ..Scenario::default()
            },
        },
        Story {
            id: "crash",
            title: "Crash and restart",
            about: "OpenCode is killed while sub-agents work. After the restart the mission and its tasks are rebuilt from the journal and go on when the person is back.",
            scenario: Scenario {
                seed: 9,
                agent: agent(Temper::Delegating, 4, 3),
                faults: Faults {
                    crash: 8,
                    until_ms: 2 * MINUTE,
                    ..Faults::default()
                },
                ..Scenario::default()
            },
        },
        Story {
            id: "question",
            title: "A question in a sub-agent",
            about: "Sub-agents ask for permission, hang or fail. Questions are shown to the person, and what hangs is given up with a reason.",
            scenario: Scenario {
                seed: 6,
                agent: agent(Temper::Delegating, 3, 4),
                children: Children {
                    ask: 25,
                    fail: 20,
                    hang: 8,
                    ..Children::default()
                },
                ..Scenario::default()
            },
        },
        Story {
            id: "everything",
            title: "Everything at once",
            about: "Lost and doubled events, late replies, kills, traps and a provider that comes and goes: the tests run thousands of these.",
            scenario: Scenario {
                seed: 10,
                agent: agent(Temper::Delegating, 5, 5),
                provider: Provider {
                    capacity: vec![(0, 4)],
                    outages: vec![(MINUTE, 3 * MINUTE)],
                    ..Provider::default()
                },
                faults: Faults::of(Level::Heavy),
                ..Scenario::default()
            },
        },
    ]
}

impl Settings {
    /// The story that is told: the first when there is none of that name.
    fn told(&self) -> Story {
        let mut all = stories();
        let index = all.iter().position(|story| story.id == self.story);
        all.swap_remove(index.unwrap_or(0))
    }

    /// The scenario of the story with these settings.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        let mut scenario = self.told().scenario;
        if let Some(seed) = self.seed {
            scenario.seed = u64::from(seed);
        }
        if let Some(agents) = self.agents {
            let agent = &mut scenario.agent;
            agent.tasks = agents.min(12);
            agent.temper = match (agent.temper, agents) {
                (Temper::Delegating, 0) => Temper::Steady,
                (Temper::Steady, 1..) => Temper::Delegating,
                (other, _) => other,
            };
        }
        if let Some(todos) = self.todos {
            scenario.agent.todos = todos.clamp(1, 20);
        }
        if let Some(step) = self.step {
            let longest = u64::from(step.clamp(1, 600)) * SECOND;
            scenario.agent.step_ms = (longest / 6, longest);
        }
        if let Some(limit) = self.limit {
            scenario.rules.global = limit.clamp(1, 32);
            scenario.rules.per_agent = scenario.rules.global;
        }
        if let Some(capacity) = self.capacity {
            scenario.provider.capacity = vec![(0, capacity.clamp(1, 64))];
        }
        if let Some(latency) = self.latency {
            let longest = u64::from(latency.clamp(1, 600)) * SECOND;
            scenario.provider.output_ms = (longest / 10, longest);
        }
        if let Some(failures) = self.failures {
            scenario.children.fail = failures.min(100);
        }
        if let Some(faults) = self.faults {
            scenario.faults = share_of_heavy(faults.min(100));
        }
        scenario
    }

    /// The same settings with nothing absent.
    #[must_use]
    pub fn resolved(&self) -> Self {
        let story = self.told();
        let scenario = self.scenario();
        let seconds = |ms: u64| Some((ms / SECOND).max(1) as u32);
        let Scenario {
            agent,
            provider,
            rules,
            children,
            ..
        } = &scenario;
        let alone = agent.temper != Temper::Delegating;
        Self {
            story: story.id.to_owned(),
            seed: Some(scenario.seed as u32),
            agents: Some(if alone { 0 } else { agent.tasks }),
            todos: Some(agent.todos),
            step: seconds(agent.step_ms.1),
            limit: Some(rules.global),
            capacity: Some(provider.capacity_at(0)),
            latency: seconds(provider.output_ms.1),
            failures: Some(children.fail),
            faults: Some(
                self.faults
                    .unwrap_or(scenario.faults.lose_event * 100 / HEAVY_LOSS),
            ),
        }
    }
}

/// Events lost in a thousand at [`Level::Heavy`].
const HEAVY_LOSS: u32 = 40;

fn share_of_heavy(percent: u32) -> Faults {
    let heavy = Faults::of(Level::Heavy);
    let share = |per_mille: u32| (per_mille * percent).div_ceil(100);
    Faults {
        lose_event: share(heavy.lose_event),
        double_event: share(heavy.double_event),
        lose_reply: share(heavy.lose_reply),
        double_reply: share(heavy.double_reply),
        late_reply: share(heavy.late_reply),
        fail_request: share(heavy.fail_request),
        malformed: share(heavy.malformed),
        lost_turn: share(heavy.lost_turn),
        esc: share(heavy.esc),
        vanish: share(heavy.vanish),
        crash: share(heavy.crash),
        trap: share(heavy.trap),
        trap_again: share(heavy.trap_again),
        until_ms: if percent == 0 { 0 } else { heavy.until_ms },
    }
}
