//! How fast the engine is, natively: `cargo run --release --example engine_bench [events]`.
//!
//! One JSON line for each setting: events per second over a realistic mix (of the wall clock, and of the processor time
//! that this process got, which a busy machine does not distort), the time from a turn's end to our continuation
//! (median and 99th percentile, microseconds), and the growth of resident memory after the first tenth. Making the
//! events is the host's work and is not measured.

use opencode_orchestrator::effect::Effect;
use opencode_orchestrator::engine::Engine;
use opencode_orchestrator::event::{
    Command, Ending, Event, Fingerprint, Origin, Outcome, Payload, RawFile, RawToolCall, Todo,
    TodoStatus, ToolKind,
};
use opencode_orchestrator::id::{EffectId, MessageId, SessionId};
use opencode_orchestrator::policy::Policy;
use opencode_orchestrator::time::Instant;
use std::hint::black_box;
use std::time::Instant as Clock;

const STEPS_A_TURN: u64 = 4;
/// Turns whose events are made together.
const BATCH: u64 = 200;

struct Bench {
    engine: Engine,
    session: SessionId,
    now: u64,
    events: u64,
    prompts: u64,
    journal_bytes: u64,
    /// The prompt to be answered.
    open: Option<EffectId>,
}

impl Bench {
    fn new(journal: bool) -> Self {
        let mut policy = Policy::default();
        policy.journal.enabled = journal;
        policy.mission.max_iterations = u32::MAX;
        policy.mission.max_minutes = u32::MAX;
        policy.mission.max_tokens = u64::MAX;
        let mut bench = Self {
            engine: Engine::new(policy),
            session: "ses_bench".into(),
            now: 1_700_000_000_000,
            events: 0,
            prompts: 0,
            journal_bytes: 0,
            open: None,
        };
        let session = bench.session.clone();
        let objective = "make it fast".to_owned();
        bench.send(Event::Command {
            session: session.clone(),
            command: Command::Task { objective },
        });
        bench.send(Event::UserMessage {
            session,
            origin: Origin::Command,
            agent: Some("commander".into()),
            model: None,
        });
        bench
    }

    fn send(&mut self, event: Event) {
        self.now += 3;
        self.events += 1;
        for effect in black_box(self.engine.handle(Instant(self.now), event)) {
            match effect {
                Effect::Prompt { id, .. } => {
                    self.prompts += 1;
                    self.open = Some(id);
                }
                Effect::Journal { text, .. } => self.journal_bytes += text.len() as u64,
                _ => {}
            }
        }
    }

    /// The work of one turn, up to its last word.
    fn work(&self, turn: u64) -> Vec<Event> {
        let s = || self.session.clone();
        let mut events = vec![Event::Busy { session: s() }];
        for step in 0..STEPS_A_TURN {
            events.push(Event::Tool {
                session: s(),
                call: call(turn, step),
            });
            events.push(assistant(s(), turn * 10 + step, Ending::Step));
        }
        events.push(Event::Todos {
            session: s(),
            todos: todos(turn),
        });
        events.push(Event::AssistantText {
            session: s(),
            text: Fingerprint::of(&turn.to_le_bytes()),
        });
        events
    }

    /// Some turns: their work, their natural ends, our continuations and their acceptance, idle.
    fn turns(&mut self, first: u64, spent: &mut Spent) {
        let made: Vec<(Vec<Event>, Event)> = (first..first + BATCH)
            .map(|turn| {
                let end = assistant(self.session.clone(), turn * 10 + 9, Ending::Natural);
                (self.work(turn), end)
            })
            .collect();
        let session = self.session.clone();
        let (clock, cpu) = (Clock::now(), cpu_nanos());
        for (work, end) in made {
            for event in work {
                self.send(event);
            }
            let decision = Clock::now();
            self.send(end);
            let decided = decision.elapsed().as_nanos();
            let effect = self.open.take().expect("a turn's end is continued");
            self.send(Event::Reply {
                effect,
                outcome: Outcome::Ok(Payload::Done),
            });
            self.send(Event::Idle {
                session: session.clone(),
            });
            spent
                .decisions
                .push(u32::try_from(decided).unwrap_or(u32::MAX));
        }
        spent.cpu += cpu_nanos() - cpu;
        spent.wall += u64::try_from(clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
    }
}

#[derive(Default)]
struct Spent {
    wall: u64,
    cpu: u64,
    decisions: Vec<u32>,
}

/// Processor time of this thread so far, in nanoseconds; 0 where /proc is missing.
fn cpu_nanos() -> u64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}

fn assistant(session: SessionId, number: u64, ending: Ending) -> Event {
    Event::Assistant {
        session,
        message: MessageId(format!("msg_{number:012}")),
        ending,
        summary: false,
        tokens: 1_200,
        cost: 0.0021,
    }
}

fn call(turn: u64, step: u64) -> opencode_orchestrator::event::ToolCall {
    let path = format!("src/file_{}.rs", (turn + step) % 50);
    let raw = RawToolCall {
        call: format!("call_{turn}_{step}"),
        tool: ["read", "edit", "bash", "grep"][step as usize % 4].into(),
        kind: Some(
            [
                ToolKind::Read,
                ToolKind::Edit,
                ToolKind::Run,
                ToolKind::Other,
            ][step as usize % 4],
        ),
        args: format!("{{\"path\":\"{path}\",\"n\":{turn}}}").into(),
        output: format!("output of step {step} in turn {turn}").into(),
        ..RawToolCall::default()
    };
    match step % 4 {
        0 => RawToolCall {
            reads: vec![path],
            ..raw
        },
        1 => RawToolCall {
            writes: vec![RawFile {
                errors: None,
                path,
                content: format!("content {turn}").into(),
            }],
            ..raw
        },
        _ => raw,
    }
    .reduce()
}

// A list that was told before would be read again before it is believed.
fn todos(turn: u64) -> Vec<Todo> {
    (0..10)
        .map(|i| Todo {
            content: format!("step {i} of the plan, as of turn {turn}"),
            status: if i < turn % 9 {
                TodoStatus::Completed
            } else {
                TodoStatus::Pending
            },
        })
        .collect()
}

/// Resident memory in bytes; 0 where /proc is missing.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    pages.unwrap_or_default() * 4_096
}

fn measure(journal: bool, events: u64) {
    let mut bench = Bench::new(journal);
    let mut turn = 0;
    let mut spent = Spent::default();
    while bench.events < events / 10 {
        bench.turns(turn, &mut spent);
        turn += BATCH;
    }
    // touched before the measurement, so that its pages are not taken for the engine's
    spent.decisions = vec![1; (events / 8) as usize];
    spent.decisions.clear();
    (spent.wall, spent.cpu) = (0, 0);
    let (first, before) = (bench.events, resident());
    while bench.events < first + events {
        bench.turns(turn, &mut spent);
        turn += BATCH;
    }
    let handled = bench.events - first;
    let growth = resident().saturating_sub(before);
    let rate = |nanos: u64| (handled as f64 * 1e9 / nanos.max(1) as f64).round();
    let decisions = &mut spent.decisions;
    decisions.sort_unstable();
    let at = |part: f64| f64::from(decisions[((decisions.len() - 1) as f64 * part) as usize]) / 1e3;
    println!(
        "{}",
        serde_json::json!({
            "bench": "engine",
            "runtime": "native",
            "journal": journal,
            "events": handled,
            "eventsPerSecond": rate(spent.wall),
            "eventsPerCpuSecond": rate(spent.cpu),
            "decisionMicrosMedian": at(0.5),
            "decisionMicrosP99": at(0.99),
            "continuations": bench.prompts,
            "journalBytesPerEvent": bench.journal_bytes / bench.events,
            "residentGrowthBytes": growth,
            "residentBytes": resident(),
        })
    );
    assert!(
        bench.engine.is_active(),
        "the mission ended: {}",
        bench.engine.status(&bench.session)
    );
}

fn main() {
    let events = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000_000);
    for journal in [false, true] {
        measure(journal, events);
    }
}
