//! Missions on a small model of OpenCode's session loop, with its races and faults drawn from a seed: late and lost
//! events, prompts that fall between the loop's last look and its end, retries, outages, compactions, questions, and a
//! person who aborts, asks for the status and writes. The faults end after a while; the mission must then complete.
//!
//! A failing seed is run alone with `SEED=n cargo test --test simulation`.
#![cfg(not(target_arch = "wasm32"))]

use opencode_orchestrator::effect::Effect;
use opencode_orchestrator::engine::Engine;
use opencode_orchestrator::event::{
    Blocker, Command, Ending, Event, Fingerprint, LastAssistant, LastTurn, Origin, Outcome,
    Payload, RestoreCause, Todo, TodoStatus,
};
use opencode_orchestrator::fault::Fault;
use opencode_orchestrator::id::{EffectId, MessageId, SessionId};
use opencode_orchestrator::mission::{Phase, Waiting};
use opencode_orchestrator::policy::Policy;
use opencode_orchestrator::time::Instant;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const ROOT: &str = "ses_root";
const CHILD: &str = "ses_child";
const TODOS: usize = 12;
/// Turns with faults; the ones after that are fine.
const ROUGH_TURNS: u32 = 14;
const DAY: u64 = 86_400_000;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn within(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from)
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// What happens at a time of the simulation.
#[derive(Clone, Debug, PartialEq)]
enum Happening {
    /// The engine hears of an event, if the process still lives.
    Deliver(Event, u32),
    /// With the number of the process; what belongs to one that died is void.
    Perform(Effect, u32, u32),
    Reply(EffectId, Outcome, u32),
    Alarm,
    Loop(Step, u32),
    Person(Action),
}

/// A step of the session's loop.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Begin,
    Retry(u32),
    Work,
    Compact,
    Ask,
    Delegate,
    Finish,
    /// The loop looks for newer messages a last time.
    Look,
    Idle,
    Fail,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    Abort,
    Say,
    Status,
    Answer,
    /// The engine's instance traps; a fresh one takes over.
    Trap,
    /// The whole program is killed, and started again.
    Kill,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Loop {
    Idle,
    /// A message was accepted; the loop starts.
    Starting,
    Streaming,
    Retrying,
    Asking,
    /// The last message is out; the loop is not over.
    Ending,
    /// It looked a last time and found nothing.
    Leaving,
}

struct Sim {
    seed: u64,
    random: Random,
    engine: Engine,
    now: u64,
    heap: BinaryHeap<Reverse<(u64, u64)>>,
    happenings: Vec<Option<Happening>>,
    alarm: Option<(u64, usize)>,
    state: Loop,
    /// Number of the loop's current run of steps: an abort makes the others void.
    run: u32,
    turns: u32,
    /// Malformed answers in a row: the fourth is an end.
    malformed: u32,
    unanswered: u32,
    ours_unanswered: u32,
    last: Option<LastAssistant>,
    messages: u32,
    done: usize,
    last_delivery: u64,
    /// The engine was told that a turn runs, and not of its end.
    known_busy: bool,
    /// The engine was told of an abort and the person has not written since.
    silenced: bool,
    /// The person aborted since the last message.
    aborted: bool,
    /// Turns that the host itself may still cut off: where nobody is there it is the only one to do so.
    cuts: u32,
    /// Counts the engine's instances, and the program's processes.
    instance: u32,
    process: u32,
    file: String,
    policy: Policy,
    trace: Vec<String>,
}

impl Sim {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let mut policy = Policy {
            seed: seed as u32,
            interactive: random.percent(70),
            ..Policy::default()
        };
        policy.mission.max_stagnant = 100;
        policy.mission.max_iterations = 1_000;
        policy.mission.max_without_progress = 500;
        policy.mission.max_minutes = 100_000;
        policy.mission.settle_ms = if random.percent(30) { 800 } else { 0 };
        if random.percent(30) {
            policy.completion.command = Some("make test".into());
        }
        Self {
            seed,
            random,
            engine: Engine::new(policy.clone()),
            policy,
            instance: 0,
            process: 0,
            file: String::new(),
            now: 1_700_000_000_000,
            heap: BinaryHeap::new(),
            happenings: Vec::new(),
            alarm: None,
            state: Loop::Idle,
            run: 0,
            turns: 0,
            malformed: 0,
            unanswered: 0,
            ours_unanswered: 0,
            last: None,
            messages: 0,
            done: 0,
            last_delivery: 0,
            known_busy: false,
            silenced: false,
            aborted: false,
            cuts: 2,
            trace: Vec::new(),
        }
    }

    fn at(&mut self, time: u64, happening: Happening) -> usize {
        let index = self.happenings.len();
        self.happenings.push(Some(happening));
        self.heap.push(Reverse((time, index as u64)));
        index
    }

    fn after(&mut self, from: u64, to: u64, happening: Happening) {
        let time = self.now + self.random.within(from, to);
        self.at(time, happening);
    }

    fn step(&mut self, from: u64, to: u64, step: Step) {
        let run = self.run;
        self.after(from, to, Happening::Loop(step, run));
    }

    /// Tells the engine, in the order of the calls.
    fn tell(&mut self, event: Event) {
        let time = (self.now + self.random.within(0, 3)).max(self.last_delivery);
        self.last_delivery = time;
        let process = self.process;
        self.at(time, Happening::Deliver(event, process));
    }

    fn rough(&self) -> bool {
        self.turns < ROUGH_TURNS
    }

    fn root(&self) -> SessionId {
        ROOT.into()
    }

    // ---- the engine -------------------------------------------------------------------------------------------

    fn deliver(&mut self, event: Event) {
        self.trace.push(format!(
            "{} {:?} <- {event:?}",
            self.now % 1_000_000_000,
            self.state
        ));
        match &event {
            Event::Busy { session } | Event::Retrying { session, .. } if session.0 == ROOT => {
                self.known_busy = true;
            }
            Event::Idle { session } if session.0 == ROOT => self.known_busy = false,
            Event::Assistant {
                session,
                ending: Ending::Natural,
                summary: false,
                ..
            } if session.0 == ROOT => {
                self.known_busy = false;
            }
            Event::Assistant {
                session,
                ending: Ending::Step,
                ..
            } if session.0 == ROOT => {
                self.known_busy = true;
            }
            Event::Reply {
                outcome: Outcome::Ok(Payload::Turn { turn }),
                ..
            } => self.known_busy &= turn.busy,
            Event::SessionError {
                fault: Fault::Cancelled,
                ..
            } => self.silenced |= self.policy.interactive, // else the host itself cut the turn off
            Event::UserMessage {
                origin: Origin::Person,
                ..
            } => {
                self.silenced = false;
                self.aborted = false;
            }
            _ => {}
        }
        let effects = self.engine.handle(Instant(self.now), event);
        for effect in effects {
            self.perform(effect);
        }
        self.check();
    }

    fn perform(&mut self, effect: Effect) {
        match &effect {
            Effect::Journal { text, replace, .. } => {
                if *replace {
                    self.file.clear();
                }
                self.file.push_str(text);
                return;
            }
            Effect::AnswerCommand { .. } | Effect::Notify { .. } => return,
            Effect::Log { message, .. } => {
                self.trace.push(format!("    {message}"));
                return;
            }
            Effect::SetAlarm { at } => {
                if let Some((_, index)) = self.alarm.take() {
                    self.happenings[index] = None;
                }
                if let Some(at) = at {
                    let time = at.0.max(self.now);
                    let index = self.at(time, Happening::Alarm);
                    self.alarm = Some((time, index));
                }
                return;
            }
            Effect::Prompt { redrive, .. } => {
                self.trace.push(format!("    -> prompt, redrive {redrive}"));
                if self.silenced {
                    self.fail("a prompt after an abort");
                }
                if self.known_busy {
                    self.fail("a prompt in the middle of a turn");
                }
            }
            other => self.trace.push(format!("    -> {other:?}")),
        }
        let (instance, process) = (self.instance, self.process);
        self.after(1, 40, Happening::Perform(effect, instance, process));
    }

    fn check(&self) {
        for mission in self.engine.missions() {
            let view = mission.view(self.engine.now());
            if mission.waiting() == Waiting::Event("nothing") {
                self.fail("it waits for nothing");
            }
            if view.phase == Phase::Paused && !self.aborted {
                self.fail("paused although nobody aborted");
            }
        }
    }

    fn fail(&self, what: &str) -> ! {
        let tail = self.trace.len().saturating_sub(60);
        panic!(
            "seed {}: {what}\n{}",
            self.seed,
            self.trace[tail..].join("\n")
        );
    }

    /// The host has carried a request out.
    fn carry_out(&mut self, effect: Effect, instance: u32) {
        let fails = self.rough() && self.random.percent(4);
        let fault = Outcome::Err(Fault::Unavailable {
            message: "no answer".into(),
        });
        let (id, outcome) = match effect {
            Effect::Prompt { id, redrive, .. } => {
                if fails {
                    (id, fault)
                } else {
                    if !redrive || self.ours_unanswered == 0 {
                        self.ours_unanswered += 1;
                        self.unanswered += 1;
                        if self.ours_unanswered > 1 {
                            self.fail("two prompts of ours for one turn");
                        }
                    }
                    if self.state == Loop::Idle {
                        self.start();
                    }
                    (id, Outcome::Ok(Payload::Done))
                }
            }
            Effect::ReadTodos { id, .. } if fails => (id, fault),
            Effect::ReadTodos { id, .. } => {
                let todos = self.todos();
                (id, Outcome::Ok(Payload::Todos { todos }))
            }
            Effect::ReadTurn { id, .. } if fails => (id, fault),
            Effect::ReadTurn { id, session } => {
                let busy = session.0 == ROOT && !matches!(self.state, Loop::Idle | Loop::Starting);
                let turn = LastTurn {
                    busy,
                    assistant: self.last.clone(),
                    unanswered: self.unanswered > 0,
                };
                (id, Outcome::Ok(Payload::Turn { turn }))
            }
            Effect::RunCheck { id, .. } => {
                let exit = Some(i32::from(self.rough() && self.random.percent(50)));
                let output = format!("run {}", self.turns);
                (id, Outcome::Ok(Payload::Check { exit, output }))
            }
            Effect::Abort { id, .. } => (id, Outcome::Ok(Payload::Done)),
            _ => return,
        };
        self.after(0, 10, Happening::Reply(id, outcome, instance));
    }

    fn todos(&self) -> Vec<Todo> {
        (0..TODOS)
            .map(|i| Todo {
                content: format!("step {i}"),
                status: if i < self.done {
                    TodoStatus::Completed
                } else {
                    TodoStatus::Pending
                },
            })
            .collect()
    }

    // ---- the session's loop -----------------------------------------------------------------------------------

    fn start(&mut self) {
        self.state = Loop::Starting;
        self.run += 1;
        self.step(3, 60, Step::Begin);
    }

    fn message(&mut self, ending: Ending, summary: bool, told: bool) {
        self.messages += 1;
        let message = MessageId(format!("msg_{:05}", self.messages));
        self.last = Some(LastAssistant {
            message: message.clone(),
            ending: ending.clone(),
            summary,
        });
        if told {
            self.tell(Event::Assistant {
                session: self.root(),
                message,
                ending,
                summary,
                tokens: 10,
                cost: 0.001,
            });
        }
    }

    fn answered(&mut self) {
        self.unanswered = 0;
        self.ours_unanswered = 0;
    }

    fn loop_step(&mut self, step: Step) {
        let session = self.root();
        match step {
            Step::Begin => {
                self.turns += 1;
                self.state = Loop::Streaming;
                self.tell(Event::Busy { session });
                let next = if self.rough() {
                    match self.random.within(0, 100) {
                        0..12 => Step::Retry(1),
                        12..20 => Step::Fail,
                        20..28 => Step::Compact,
                        28..36 => Step::Ask,
                        36..44 => Step::Delegate,
                        44..60 => Step::Finish,
                        _ => Step::Work,
                    }
                } else {
                    Step::Work
                };
                self.step(5, 2_000, next);
            }
            Step::Retry(attempt) => {
                self.state = Loop::Retrying;
                self.tell(Event::Retrying {
                    session,
                    attempt,
                    retry_after_ms: None,
                    message: "429".into(),
                });
                let next = match attempt {
                    5 => Step::Fail,
                    _ if self.random.percent(40) => Step::Work,
                    _ => Step::Retry(attempt + 1),
                };
                self.step(2_000, 30_000, next);
            }
            Step::Work => {
                self.state = Loop::Streaming;
                self.malformed = 0;
                self.done = (self.done + 1).min(TODOS);
                let todos = self.todos();
                self.tell(Event::Todos { session, todos });
                self.message(Ending::Step, false, true);
                self.step(5, 5_000, Step::Finish);
            }
            Step::Compact => {
                if self.random.percent(50) {
                    self.tell(Event::SessionError {
                        session: session.clone(),
                        fault: Fault::ContextOverflow,
                    });
                }
                self.tell(Event::Compacting {
                    session: session.clone(),
                });
                self.message(Ending::Natural, true, true);
                self.tell(Event::Compacted { session });
                let next = if self.random.percent(70) {
                    Step::Work
                } else {
                    self.answered();
                    Step::Look
                };
                self.step(5, 500, next);
            }
            Step::Ask => {
                self.state = Loop::Asking;
                self.tell(Event::Blocked {
                    session,
                    request: format!("req_{}", self.turns).as_str().into(),
                    by: Blocker::Question,
                });
                self.after(1_000, 200_000, Happening::Person(Action::Answer));
            }
            Step::Delegate => {
                self.tell(Event::Child {
                    parent: session,
                    session: CHILD.into(),
                    title: String::new(),
                });
                self.tell(Event::Busy {
                    session: CHILD.into(),
                });
                let lost = self.random.percent(20);
                if !lost {
                    let time = self.last_delivery + self.random.within(5, 9_000);
                    let idle = Event::Idle {
                        session: CHILD.into(),
                    };
                    self.at(time, Happening::Deliver(idle, self.process));
                }
                self.step(5, 5_000, Step::Work);
            }
            Step::Finish => {
                self.state = Loop::Ending;
                self.answered();
                let text = Fingerprint::of(&self.turns.to_le_bytes());
                self.tell(Event::AssistantText { session, text });
                let told = !(self.rough() && self.random.percent(10));
                self.message(Ending::Natural, false, told);
                self.step(5, 20, Step::Look);
            }
            Step::Look if self.unanswered > 0 => {
                self.step(1, 30, Step::Begin);
            }
            Step::Look => {
                self.state = Loop::Leaving;
                self.step(0, 6, Step::Idle);
            }
            Step::Idle => {
                self.state = Loop::Idle;
                self.tell(Event::Idle { session });
            }
            Step::Fail => {
                let fault = match self.random.within(0, 3) {
                    0 => Fault::RateLimited {
                        retry_after_ms: Some(3_000),
                        message: "429".into(),
                    },
                    1 => Fault::Unavailable {
                        message: "reset".into(),
                    },
                    _ if self.malformed < 3 => Fault::AgentFailed {
                        message: "malformed".into(),
                    },
                    _ => Fault::Timeout {
                        message: "no answer".into(),
                    },
                };
                self.malformed += u32::from(matches!(fault, Fault::AgentFailed { .. }));
                self.message(
                    Ending::Failed {
                        fault: fault.clone(),
                    },
                    false,
                    true,
                );
                self.answered();
                self.tell(Event::SessionError {
                    session: session.clone(),
                    fault,
                });
                self.tell(Event::Idle {
                    session: session.clone(),
                });
                self.state = Loop::Idle;
                self.echo_idle();
            }
        }
    }

    fn echo_idle(&mut self) {
        let time = self.last_delivery.max(self.now) + self.random.within(40, 90);
        let session = self.root();
        self.at(
            time,
            Happening::Deliver(Event::Idle { session }, self.process),
        );
    }

    // ---- the person -------------------------------------------------------------------------------------------

    fn act(&mut self, action: Action) {
        self.trace.push(format!(
            "{} {:?} the person: {action:?}",
            self.now % 1_000_000_000,
            self.state
        ));
        let session = self.root();
        match action {
            Action::Abort if !self.policy.interactive && self.cuts == 0 => {}
            Action::Abort => {
                self.cuts = self.cuts.saturating_sub(1);
                self.run += 1;
                self.aborted |= self.policy.interactive;
                match self.state {
                    Loop::Idle => self.tell(Event::Idle { session }),
                    Loop::Starting => {
                        let fault = Fault::Cancelled;
                        self.answered();
                        self.message(Ending::Failed { fault }, false, false);
                        self.tell(Event::Idle { session });
                    }
                    Loop::Retrying => {
                        self.answered();
                        self.message(Ending::Unfinished, false, false);
                        self.tell(Event::Idle { session });
                    }
                    Loop::Streaming | Loop::Asking => {
                        let fault = Fault::Cancelled;
                        self.answered();
                        self.message(Ending::Failed { fault }, false, true);
                        self.tell(Event::SessionError {
                            session: session.clone(),
                            fault: Fault::Cancelled,
                        });
                        self.tell(Event::Idle { session });
                        self.echo_idle();
                    }
                    Loop::Ending | Loop::Leaving => self.tell(Event::Idle { session }),
                }
                self.state = Loop::Idle;
                self.after(5_000, 300_000, Happening::Person(Action::Say));
            }
            Action::Say => {
                self.unanswered += 1;
                self.tell(Event::UserMessage {
                    session,
                    origin: Origin::Person,
                    agent: Some("commander".into()),
                    model: None,
                });
                if self.state == Loop::Idle {
                    self.start();
                }
            }
            Action::Status => {
                self.unanswered += 1;
                self.tell(Event::Command {
                    session: session.clone(),
                    command: Command::Status,
                });
                self.tell(Event::UserMessage {
                    session,
                    origin: Origin::Command,
                    agent: Some("commander".into()),
                    model: None,
                });
                if self.state == Loop::Idle {
                    self.start();
                }
            }
            Action::Trap | Action::Kill if !self.engine.knows(&session) => {} // it is over
            Action::Trap => self.restore(RestoreCause::Trap),
            Action::Kill => {
                self.process += 1;
                self.run += 1;
                if !matches!(self.state, Loop::Idle | Loop::Starting | Loop::Leaving) {
                    self.message(Ending::Unfinished, false, false);
                    self.answered();
                }
                self.state = Loop::Idle;
                self.known_busy = false;
                self.aborted = true; // it waits for the person, as after an abort
                self.silenced = true;
                self.restore(RestoreCause::Restart);
                self.after(5_000, 300_000, Happening::Person(Action::Say));
            }
            Action::Answer => {
                if self.state != Loop::Asking {
                    return;
                }
                self.state = Loop::Streaming;
                self.tell(Event::Unblocked {
                    session,
                    request: format!("req_{}", self.turns).as_str().into(),
                    rejected: false,
                });
                self.step(5, 500, Step::Work);
            }
        }
    }

    fn restore(&mut self, cause: RestoreCause) {
        self.instance += 1;
        self.engine = Engine::new(self.policy.clone());
        if let Some((_, index)) = self.alarm.take() {
            self.happenings[index] = None;
        }
        let torn = format!("{}{{\"at\":1", self.file);
        let text = if self.random.percent(50) {
            &torn
        } else {
            &self.file
        };
        let effects = self
            .engine
            .restore(Instant(self.now), text, cause)
            .expect("our own journal");
        for effect in effects {
            self.perform(effect);
        }
        self.check();
    }

    // ---- all of it --------------------------------------------------------------------------------------------

    fn play(&mut self, people: &[Action]) {
        let session = self.root();
        let objective = "the work".to_owned();
        self.deliver(Event::Command {
            session: session.clone(),
            command: Command::Task { objective },
        });
        self.deliver(Event::UserMessage {
            session,
            origin: Origin::Command,
            agent: Some("commander".into()),
            model: None,
        });
        self.unanswered = 1;
        self.start();
        if !people.is_empty() {
            for _ in 0..self.random.within(0, 6) {
                let action = people[self.random.within(0, people.len() as u64) as usize];
                self.after(10, 300_000, Happening::Person(action));
            }
        }
        let end = self.now + DAY;
        let mut events = 0;
        while let Some(Reverse((time, index))) = self.heap.pop() {
            let Some(happening) = self.happenings[index as usize].take() else {
                continue;
            };
            assert!(time >= self.now);
            self.now = time;
            events += 1;
            if events > 20_000 || self.now > end {
                self.fail("it never ends");
            }
            match happening {
                Happening::Deliver(event, process) if process == self.process => {
                    self.deliver(event)
                }
                Happening::Perform(effect, instance, process) if process == self.process => {
                    self.carry_out(effect, instance);
                }
                Happening::Reply(effect, outcome, instance) if instance == self.instance => {
                    self.deliver(Event::Reply { effect, outcome });
                }
                Happening::Deliver(..) | Happening::Perform(..) | Happening::Reply(..) => {}
                Happening::Alarm => {
                    self.alarm = None;
                    self.deliver(Event::Alarm);
                }
                Happening::Loop(step, run) if run == self.run => self.loop_step(step),
                Happening::Loop(..) => {}
                Happening::Person(action) => self.act(action),
            }
        }
        let view = self.engine.views().pop().expect("a mission");
        if !view.success {
            self.fail(&format!("it ended {:?} {:?}", view.phase, view.verdict));
        }
    }
}

fn play_all(people: &[Action]) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    if let Some(seed) = number("SEED") {
        Sim::new(seed).play(people);
        return;
    }
    for seed in 0..number("SEEDS").unwrap_or(1_000) {
        Sim::new(seed).play(people);
    }
}

#[test]
fn a_mission_completes_through_a_rough_time() {
    play_all(&[]);
}

#[test]
fn a_mission_completes_with_people_around() {
    play_all(&[Action::Abort, Action::Say, Action::Status]);
}

#[test]
fn a_mission_completes_through_traps() {
    play_all(&[Action::Trap, Action::Status]);
}

#[test]
fn a_mission_completes_through_kills() {
    play_all(&[Action::Kill, Action::Trap, Action::Say]);
}
