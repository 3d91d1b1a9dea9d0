//! What an event costs while many tasks run: `cargo run --release --example task_bench`.
//!
//! Waves of tasks teach the limiter that the provider bears them. Then all tasks of a round are delegated and run at the
//! same time; each gets the events of a usual turn, one event after the other over all tasks, and ends. Prints one JSON line for each number of tasks and one
//! with the slope of the logarithms: 0 means that an event costs the same however many tasks there are.

use opencode_orchestrator::effect::Effect;
use opencode_orchestrator::engine::Engine;
use opencode_orchestrator::event::{
    AgentInfo, Ending, Event, Fingerprint, Outcome, Payload, TaskTool,
};
use opencode_orchestrator::id::{EffectId, SessionId};
use opencode_orchestrator::policy::Policy;
use opencode_orchestrator::time::Instant;
use serde_json::json;
use std::collections::VecDeque;
use std::time::Instant as Clock;

const STEPS: usize = 8;
const PER_CALL: usize = 25;

struct Bench {
    engine: Engine,
    now: u64,
    events: u64,
    created: u32,
    /// The sessions of the tasks that run.
    sessions: Vec<SessionId>,
    results: VecDeque<EffectId>,
    prompts: VecDeque<EffectId>,
    messages: u32,
    calls: u32,
}

impl Bench {
    fn send(&mut self, event: Event) {
        self.events += 1;
        let effects = self.engine.handle(Instant(self.now), event);
        for effect in effects {
            match effect {
                Effect::CreateSession { id, .. } => {
                    self.created += 1;
                    let session = SessionId(format!("ses_{}", self.created));
                    self.send(Event::Reply {
                        effect: id,
                        outcome: Outcome::Ok(Payload::Session { session }),
                    });
                }
                Effect::Prompt { id, session, .. } => {
                    self.sessions.push(session);
                    self.prompts.push_back(id);
                }
                Effect::DeleteSession { id, .. } => self.send(Event::Reply {
                    effect: id,
                    outcome: Outcome::Ok(Payload::Done),
                }),
                Effect::ReadResult { id, .. } => self.results.push_back(id),
                _ => {}
            }
        }
    }

    fn each(&mut self, event: impl Fn(&SessionId, u32) -> Event) {
        for index in 0..self.sessions.len() {
            self.messages += 1;
            let event = event(&self.sessions[index], self.messages);
            self.send(event);
        }
    }

    fn delegate(&mut self, tasks: usize) {
        let mut left = tasks;
        while left > 0 {
            let count = left.min(PER_CALL);
            left -= count;
            self.calls += 1;
            let list: Vec<_> = (0..count)
                .map(|i| json!({"agent": "worker", "description": format!("part {i}"), "prompt": "do it"}))
                .collect();
            self.send(Event::TaskTool {
                session: "root".into(),
                call: format!("call_{}", self.calls).as_str().into(),
                tool: TaskTool::DelegateTask,
                args: json!({ "tasks": list }).to_string(),
                agent: None,
                model: None,
                agents: vec![AgentInfo {
                    name: "worker".into(),
                    delegable: true,
                    model: None,
                }],
            });
        }
    }

    fn begin(&mut self) {
        self.now += 1_000;
        while let Some(effect) = self.prompts.pop_front() {
            self.send(Event::Reply {
                effect,
                outcome: Outcome::Ok(Payload::Done),
            });
        }
        self.each(|session, _| Event::Busy {
            session: session.clone(),
        });
        self.each(|session, _| Event::FirstOutput {
            session: session.clone(),
        });
    }

    /// Ends all tasks that run; those that waited take their places.
    fn finish(&mut self) {
        self.now += 30_000; // the provider answers in the same time, however many ask
        let ending = std::mem::take(&mut self.sessions);
        for session in &ending {
            self.messages += 1;
            let event = assistant(session, self.messages, Ending::Natural);
            self.send(event);
        }
        while let Some(effect) = self.results.pop_front() {
            self.send(Event::Reply {
                effect,
                outcome: Outcome::Ok(Payload::Text {
                    text: "done, and checked".into(),
                }),
            });
        }
        for session in ending {
            self.send(Event::Idle { session });
        }
    }
}

/// Nanoseconds an event took while `tasks` tasks ran, and over the whole of their lives.
fn round(tasks: usize, journal: bool) -> (f64, f64) {
    let mut policy = Policy::default();
    policy.limits.global = tasks as u32;
    policy.journal.enabled = journal;
    let mut bench = Bench {
        engine: Engine::new(policy),
        now: 1_700_000_000_000,
        events: 0,
        created: 0,
        sessions: Vec::new(),
        results: VecDeque::new(),
        prompts: VecDeque::new(),
        messages: 0,
        calls: 0,
    };
    let limit = |bench: &Bench| bench.engine.limits().first().map_or(0, |key| key.limit);
    while (limit(&bench) as usize) < tasks {
        let wave = 2 * limit(&bench).max(4) as usize;
        bench.delegate(wave.min(tasks));
        while !bench.sessions.is_empty() {
            bench.begin();
            bench.finish();
        }
    }
    let (first, start) = (bench.events, Clock::now());
    bench.delegate(tasks);
    assert_eq!(
        bench.sessions.len(),
        tasks,
        "not all tasks run at the same time"
    );
    bench.begin();
    let (before, running) = (bench.events, Clock::now());
    for _ in 0..STEPS {
        bench.each(|session, _| Event::AssistantText {
            session: session.clone(),
            text: Fingerprint::of(b"text"),
        });
        bench.each(|session, message| assistant(session, message, Ending::Step));
    }
    let concurrent = running.elapsed().as_nanos() as f64 / (bench.events - before) as f64;
    bench.finish();
    assert_eq!(
        bench
            .engine
            .executors()
            .map(|e| e.open_tasks())
            .sum::<u32>(),
        0
    );
    let whole = start.elapsed().as_nanos() as f64 / (bench.events - first) as f64;
    (concurrent, whole)
}

fn assistant(session: &SessionId, message: u32, ending: Ending) -> Event {
    Event::Assistant {
        session: session.clone(),
        message: format!("msg_{message:08}").as_str().into(),
        ending,
        summary: false,
        tokens: 100,
        cost: 0.0,
    }
}

fn main() {
    for journal in [false, true] {
        let mut points = Vec::new();
        for tasks in [10, 30, 100, 300, 1_000, 2_000] {
            // small rounds are repeated; the best of them is the least disturbed
            let rounds = (3_000 / tasks).max(3);
            let (mut concurrent, mut whole) = (f64::MAX, f64::MAX);
            for _ in 0..rounds {
                let (c, w) = round(tasks, journal);
                concurrent = concurrent.min(c);
                whole = whole.min(w);
            }
            println!(
                "{}",
                json!({"tasks": tasks, "journal": journal, "nsPerEventWhileAllRun": concurrent.round(), "nsPerEventOfALife": whole.round()})
            );
            points.push((f64::from(tasks as u32).ln(), concurrent.ln(), whole.ln()));
        }
        let slope = |y: fn(&(f64, f64, f64)) -> f64| {
            let n = points.len() as f64;
            let mean_x = points.iter().map(|p| p.0).sum::<f64>() / n;
            let mean_y = points.iter().map(y).sum::<f64>() / n;
            let over: f64 = points
                .iter()
                .map(|p| (p.0 - mean_x) * (y(p) - mean_y))
                .sum();
            let under: f64 = points.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
            (over / under * 1_000.0).round() / 1_000.0
        };
        println!(
            "{}",
            json!({"journal": journal, "slopeWhileAllRun": slope(|p| p.1), "slopeOfALife": slope(|p| p.2)})
        );
    }
}
