//! A small OpenCode for tests of delegation: sessions with turns that take time, on a clock of its own.
//!
//! What a sub-agent does is a script by the words of its prompt. After each event it checks what must hold at any time.
#![allow(dead_code, reason = "each test file uses its part")]

use opencode_orchestrator::effect::Effect;
use opencode_orchestrator::engine::{Engine, replay};
use opencode_orchestrator::event::{
    AgentInfo, Blocker, ChildSession, Command, Ending, Event, Fingerprint, LastAssistant, LastTurn,
    Model, Origin, Outcome, Payload, RestoreCause, TaskTool, Todo,
};
use opencode_orchestrator::exec::{TaskState, UnifiedTaskExecutor};
use opencode_orchestrator::fault::Fault;
use opencode_orchestrator::id::{MissionId, SessionId};
use opencode_orchestrator::journal::Subject;
use opencode_orchestrator::policy::Policy;
use opencode_orchestrator::time::Instant;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

pub const ROOT: &str = "ses_root";
const EPOCH: u64 = 1_700_000_000_000;

/// What a sub-agent's turn does.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// Answers after so many ms.
    Answer(u64, String),
    /// Fails after so many ms.
    Fail(u64, Fault),
    /// The host waits and asks the provider again, so often and so long, and then answers.
    Retry {
        times: u32,
        wait: u64,
        retry_after: Option<u64>,
        text: String,
    },
    /// Never does anything.
    Hang,
    /// Asks the person and waits for ever.
    Ask(Blocker),
    /// Works for ever, with a tool call each so many ms.
    Work(u64),
    /// Calls a task tool at once, and answers with what that answered.
    Call(TaskTool, String),
}

#[derive(Clone, Debug, Default)]
pub struct Session {
    pub parent: Option<String>,
    pub title: String,
    pub may_delegate: bool,
    pub busy: bool,
    /// A request to the provider is under way.
    pub asking: bool,
    pub unanswered: bool,
    pub last: Option<LastAssistant>,
    pub text: String,
    pub run: u32,
    pub prompts: Vec<String>,
    pub agent: Option<String>,
    pub model: Option<Model>,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Alarm(u64),
    Tell(Event),
    Start(String, u32, Turn),
    Output(String, u32),
    End(String, u32, Ending, String),
    Idle(String, u32),
    Retrying(String, u32, Turn),
    Used(String, u32, u64),
}

type Script = Box<dyn FnMut(&str, u32) -> Turn>;

pub struct World {
    pub engine: Engine,
    pub policy: Policy,
    pub now: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    steps: BTreeMap<u64, Step>,
    seq: u64,
    alarm: u64,
    pub sessions: BTreeMap<String, Session>,
    pub deleted: BTreeSet<String>,
    /// Deletions of a busy session: these break OpenCode's database.
    pub bad_deletes: u32,
    pub launches: u32,
    /// What a child's prompt leads to; the second argument counts the prompts of that session.
    pub script: Script,
    /// What a prompt of the root leads to.
    pub root_turn: Turn,
    pub answers: BTreeMap<String, (String, bool)>,
    /// Answers in the order in which they came, with their time.
    pub answered: Vec<(u64, String)>,
    pub woken: Vec<(u64, String)>,
    pub notices: Vec<String>,
    pub logs: Vec<String>,
    pub texts: Vec<String>,
    pub tasks_file: String,
    pub mission_files: BTreeMap<MissionId, String>,
    /// The effects that each event line of the tasks' file led to.
    pub max_asking: usize,
    /// The next requests of this kind fail so.
    pub create_faults: VecDeque<Fault>,
    pub prompt_faults: VecDeque<Fault>,
    pub result_faults: VecDeque<Fault>,
    pub delete_faults: VecDeque<Fault>,
    /// Turns of sessions that were aborted, by the session.
    pub aborts: Vec<String>,
    /// Events that are lost on their way.
    pub lose: Box<dyn FnMut(&Event) -> bool>,
    /// Events that come twice.
    pub double: Box<dyn FnMut(&Event) -> bool>,
    messages: u32,
    calls: u32,
    /// Calls of children that wait for an answer: call id to session.
    waiting: BTreeMap<String, String>,
    pub todos: Vec<Todo>,
}

pub fn agents() -> Vec<AgentInfo> {
    [
        ("worker", true),
        ("reviewer", true),
        ("general", true),
        ("commander", false),
    ]
    .map(|(name, delegable)| AgentInfo {
        name: name.to_owned(),
        delegable,
        model: None,
    })
    .to_vec()
}

pub fn model() -> Model {
    Model {
        provider: "Local".into(),
        model: "Scripted".into(),
    }
}

pub fn rate_limited(retry_after_ms: Option<u64>) -> Fault {
    Fault::RateLimited {
        retry_after_ms,
        message: "429".into(),
    }
}

pub fn unavailable() -> Fault {
    Fault::Unavailable {
        message: "503".into(),
    }
}

pub fn malformed() -> Fault {
    Fault::AgentFailed {
        message: "JSON parsing failed".into(),
    }
}

/// Answers `done: <first line of the prompt>` after the ms that the prompt names as `120ms`, or 1 s.
pub fn obedient(prompt: &str, _: u32) -> Turn {
    let line = prompt.lines().next().unwrap_or_default();
    let ms = line
        .split_whitespace()
        .find_map(|word| word.strip_suffix("ms")?.parse().ok())
        .unwrap_or(1_000);
    Turn::Answer(ms, format!("done: {line}"))
}

pub fn list_of(count: usize, background: bool) -> String {
    let tasks: Vec<String> = (0..count)
        .map(|i| format!(r#"{{"agent":"worker","description":"part {i}","prompt":"part {i}"}}"#))
        .collect();
    format!(
        r#"{{"background":{background},"tasks":[{}]}}"#,
        tasks.join(",")
    )
}

impl World {
    pub fn new(change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = Policy::default();
        change(&mut policy);
        let mut world = Self {
            engine: Engine::new(policy.clone()),
            policy,
            now: EPOCH,
            queue: BinaryHeap::new(),
            steps: BTreeMap::new(),
            seq: 0,
            alarm: 0,
            sessions: BTreeMap::new(),
            deleted: BTreeSet::new(),
            bad_deletes: 0,
            launches: 0,
            script: Box::new(obedient),
            root_turn: Turn::Answer(200, "ok".into()),
            answers: BTreeMap::new(),
            answered: Vec::new(),
            woken: Vec::new(),
            notices: Vec::new(),
            logs: Vec::new(),
            texts: Vec::new(),
            tasks_file: String::new(),
            mission_files: BTreeMap::new(),
            max_asking: 0,
            create_faults: VecDeque::new(),
            prompt_faults: VecDeque::new(),
            result_faults: VecDeque::new(),
            delete_faults: VecDeque::new(),
            aborts: Vec::new(),
            lose: Box::new(|_| false),
            double: Box::new(|_| false),
            messages: 0,
            calls: 0,
            waiting: BTreeMap::new(),
            todos: Vec::new(),
        };
        world.sessions.insert(
            ROOT.into(),
            Session {
                busy: true,
                asking: true,
                may_delegate: true,
                ..Session::default()
            },
        );
        world
    }

    // ---- the parent's agent -----------------------------------------------------------------------------------

    /// The root's agent calls a tool; gives the call's id.
    pub fn call(&mut self, tool: TaskTool, args: &str) -> String {
        self.call_from(ROOT, tool, args)
    }

    pub fn call_from(&mut self, session: &str, tool: TaskTool, args: &str) -> String {
        self.calls += 1;
        let call = format!("call_{}", self.calls);
        self.sessions.get_mut(session).expect("a session").asking = false;
        if session != ROOT {
            self.waiting.insert(call.clone(), session.to_owned());
        }
        self.send(Event::TaskTool {
            session: session.into(),
            call: call.as_str().into(),
            tool,
            args: args.to_owned(),
            agent: Some("commander".into()),
            model: Some(model()),
            agents: agents(),
        });
        call
    }

    pub fn delegate(&mut self, args: &str) -> String {
        self.call(TaskTool::DelegateTask, args)
    }

    /// What a call was answered, if it was.
    pub fn answer(&self, call: &str) -> Option<&str> {
        self.answers.get(call).map(|(text, _)| text.as_str())
    }

    /// A call that is answered at once.
    pub fn ask(&mut self, tool: TaskTool, args: &str) -> String {
        let call = self.call(tool, args);
        self.answer(&call).expect("an answer at once").to_owned()
    }

    pub fn result(&mut self, task: &str) -> String {
        self.ask(
            TaskTool::GetTaskResult,
            &format!(r#"{{"task_id":"{task}"}}"#),
        )
    }

    /// The root's turn ends by itself and it falls idle.
    pub fn end_turn(&mut self) {
        let run = self.sessions[ROOT].run;
        self.finish_turn(ROOT, run, Ending::Natural, "my turn ends");
        self.go_idle(ROOT, run);
    }

    pub fn person_speaks(&mut self) {
        self.begin_turn(ROOT);
        self.send(Event::UserMessage {
            session: ROOT.into(),
            origin: Origin::Person,
            agent: Some("commander".into()),
            model: Some(model()),
        });
        self.send(Event::Busy {
            session: ROOT.into(),
        });
    }

    pub fn start_mission(&mut self) {
        self.send(Event::Command {
            session: ROOT.into(),
            command: Command::Task {
                objective: "do the work".into(),
            },
        });
        self.send(Event::UserMessage {
            session: ROOT.into(),
            origin: Origin::Command,
            agent: Some("commander".into()),
            model: Some(model()),
        });
        self.send(Event::Busy {
            session: ROOT.into(),
        });
    }

    /// The person aborts the root's turn, as Esc does.
    pub fn abort_root(&mut self) {
        self.abort(ROOT);
    }

    // ---- time -------------------------------------------------------------------------------------------------

    fn at(&mut self, at: u64, step: Step) {
        self.seq += 1;
        self.queue.push(Reverse((at, self.seq)));
        self.steps.insert(self.seq, step);
    }

    fn after(&mut self, ms: u64, step: Step) {
        self.at(self.now + ms, step);
    }

    pub fn later(&mut self, ms: u64, event: Event) {
        self.after(ms, Step::Tell(event));
    }

    /// Lets time pass.
    pub fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(Reverse((at, seq))) = self.queue.peek().copied() {
            if at > end {
                break;
            }
            self.queue.pop();
            self.now = self.now.max(at);
            let step = self.steps.remove(&seq).expect("a step");
            self.step(step);
        }
        self.now = end;
    }

    /// Lets time pass until `until` holds; at most `ms`.
    pub fn run_until(&mut self, ms: u64, until: impl Fn(&Self) -> bool) -> u64 {
        let start = self.now;
        while !until(self) {
            assert!(self.now - start < ms, "it did not happen in {ms} ms");
            self.run(10);
        }
        self.now - start
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Alarm(number) if number == self.alarm => self.send(Event::Alarm),
            Step::Alarm(_) => {}
            Step::Tell(event) => self.send(event),
            Step::Start(session, run, turn) if self.is_on(&session, run) => {
                self.start(&session, run, turn);
            }
            Step::Output(session, run) if self.is_on(&session, run) => {
                let session = session.as_str().into();
                self.send(Event::FirstOutput { session });
            }
            Step::End(session, run, ending, text) if self.is_on(&session, run) => {
                self.finish_turn(&session, run, ending, &text);
                self.after(3, Step::Idle(session, run));
            }
            Step::Idle(session, run) if self.is_on(&session, run) => self.go_idle(&session, run),
            Step::Retrying(session, run, turn) if self.is_on(&session, run) => {
                self.retrying(&session, run, turn);
            }
            Step::Used(session, run, ms) if self.is_on(&session, run) => {
                self.messages += 1;
                self.send(Event::Assistant {
                    session: session.as_str().into(),
                    message: format!("msg_{:06}", self.messages).as_str().into(),
                    ending: Ending::Step,
                    summary: false,
                    tokens: 10,
                    cost: 0.0,
                });
                self.after(ms, Step::Used(session, run, ms));
            }
            _ => {} // of a turn that was aborted
        }
    }

    fn is_on(&self, session: &str, run: u32) -> bool {
        self.sessions
            .get(session)
            .is_some_and(|session| session.run == run && session.busy)
    }

    // ---- sessions ---------------------------------------------------------------------------------------------

    fn begin_turn(&mut self, session: &str) -> u32 {
        let session = self.sessions.get_mut(session).expect("a session");
        session.run += 1;
        session.busy = true;
        session.asking = true;
        session.unanswered = true;
        session.run
    }

    fn start(&mut self, session: &str, run: u32, turn: Turn) {
        let id: SessionId = session.into();
        self.send(Event::Busy {
            session: id.clone(),
        });
        if !self.is_on(session, run) {
            return;
        }
        let name = session.to_owned();
        match turn {
            Turn::Answer(ms, text) => {
                self.after(ms / 2, Step::Output(name.clone(), run));
                self.after(ms, Step::End(name, run, Ending::Natural, text));
            }
            Turn::Fail(ms, fault) => {
                let ending = Ending::Failed { fault };
                self.after(ms, Step::End(name, run, ending, String::new()));
            }
            Turn::Retry { .. } => self.retrying(session, run, turn),
            Turn::Hang => {}
            Turn::Ask(by) => {
                self.after(5, Step::Output(name, run));
                self.later(
                    10,
                    Event::Blocked {
                        session: id,
                        request: format!("req_{session}").as_str().into(),
                        by,
                    },
                );
            }
            Turn::Work(ms) => {
                self.after(5, Step::Output(name.clone(), run));
                self.after(ms, Step::Used(name, run, ms));
            }
            Turn::Call(tool, args) => {
                let session = session.to_owned();
                self.call_from(&session, tool, &args);
            }
        }
    }

    fn retrying(&mut self, session: &str, run: u32, turn: Turn) {
        let Turn::Retry {
            times,
            wait,
            retry_after,
            text,
        } = turn
        else {
            return;
        };
        if times == 0 {
            self.start(session, run, Turn::Answer(500, text));
            return;
        }
        self.send(Event::Retrying {
            session: session.into(),
            attempt: 1,
            message: "Too Many Requests".into(),
            retry_after_ms: retry_after,
        });
        let turn = Turn::Retry {
            times: times - 1,
            wait,
            retry_after,
            text,
        };
        self.after(wait, Step::Retrying(session.to_owned(), run, turn));
    }

    fn finish_turn(&mut self, name: &str, run: u32, ending: Ending, text: &str) {
        self.messages += 1;
        let message = format!("msg_{:06}", self.messages);
        let session = self.sessions.get_mut(name).expect("a session");
        assert_eq!(session.run, run);
        session.asking = false;
        session.unanswered = false;
        session.text = text.to_owned();
        session.last = Some(LastAssistant {
            message: message.as_str().into(),
            ending: ending.clone(),
            summary: false,
        });
        if let Ending::Failed { fault } = &ending {
            self.send(Event::SessionError {
                session: name.into(),
                fault: fault.clone(),
            });
        } else if !text.is_empty() {
            self.send(Event::AssistantText {
                session: name.into(),
                text: Fingerprint::of(text.as_bytes()),
            });
        }
        self.send(Event::Assistant {
            session: name.into(),
            message: message.as_str().into(),
            ending,
            summary: false,
            tokens: 100,
            cost: 0.0,
        });
    }

    fn go_idle(&mut self, name: &str, run: u32) {
        if let Some(session) = self.sessions.get_mut(name) {
            if session.run != run || !session.busy {
                return;
            }
            session.busy = false;
            session.asking = false;
            // a prompt that came while the turn ran is answered by the same loop
            if session.unanswered && session.last.is_some() && name == ROOT {
                let turn = self.root_turn.clone();
                let run = self.begin_turn(name);
                self.after(1, Step::Start(name.to_owned(), run, turn));
                return;
            }
            self.send(Event::Idle {
                session: name.into(),
            });
        }
    }

    pub fn abort(&mut self, name: &str) {
        self.aborts.push(name.to_owned());
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        let busy = std::mem::replace(&mut session.busy, false);
        session.run += 1;
        session.asking = false;
        if busy {
            self.messages += 1;
            session.last = Some(LastAssistant {
                message: format!("msg_{:06}", self.messages).as_str().into(),
                ending: Ending::Failed {
                    fault: Fault::Cancelled,
                },
                summary: false,
            });
            let id: SessionId = name.into();
            self.later(
                20,
                Event::SessionError {
                    session: id.clone(),
                    fault: Fault::Cancelled,
                },
            );
            self.later(
                21,
                Event::Idle {
                    session: id.clone(),
                },
            );
            self.later(80, Event::Idle { session: id });
        } else {
            self.later(
                20,
                Event::Idle {
                    session: name.into(),
                },
            );
        }
    }

    pub fn delete(&mut self, name: &str) {
        if let Some(session) = self.sessions.remove(name) {
            self.bad_deletes += u32::from(session.busy);
            self.deleted.insert(name.to_owned());
            let children: Vec<String> = self
                .sessions
                .iter()
                .filter(|(_, child)| child.parent.as_deref() == Some(name))
                .map(|(name, _)| name.clone())
                .collect();
            for child in children {
                self.delete(&child);
            }
            self.send(Event::Deleted {
                session: name.into(),
            });
        }
    }

    pub fn children(&self) -> usize {
        self.sessions.len() - 1
    }

    // ---- the engine -------------------------------------------------------------------------------------------

    pub fn send(&mut self, event: Event) {
        if (self.lose)(&event) {
            return;
        }
        let again = (self.double)(&event).then(|| event.clone());
        let effects = self.engine.handle(Instant(self.now), event);
        self.perform(effects);
        if let Some(event) = again {
            let effects = self.engine.handle(Instant(self.now), event);
            self.perform(effects);
        }
    }

    fn reply(&mut self, ms: u64, effect: opencode_orchestrator::id::EffectId, outcome: Outcome) {
        self.later(ms, Event::Reply { effect, outcome });
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.take(effect);
        }
        let asking = self
            .sessions
            .iter()
            .filter(|(name, session)| *name != ROOT && session.asking)
            .count();
        self.max_asking = self.max_asking.max(asking);
        assert!(
            asking <= self.policy.limits.global as usize,
            "{asking} requests at once"
        );
    }

    fn take(&mut self, effect: Effect) {
        let gone = |session: &SessionId| {
            Outcome::Err(Fault::SessionLost {
                message: format!("no session {session}"),
            })
        };
        match effect {
            Effect::CreateSession {
                id,
                parent,
                title,
                may_delegate,
                ..
            } => {
                if let Some(fault) = self.create_faults.pop_front() {
                    self.reply(5, id, Outcome::Err(fault));
                    return;
                }
                let name = format!("ses_{}", self.sessions.len() + self.deleted.len());
                self.sessions.insert(
                    name.clone(),
                    Session {
                        parent: Some(parent.0.clone()),
                        title: title.clone(),
                        may_delegate,
                        ..Session::default()
                    },
                );
                let session: SessionId = name.as_str().into();
                self.later(
                    4,
                    Event::Child {
                        parent,
                        session: session.clone(),
                        title,
                    },
                );
                self.reply(5, id, Outcome::Ok(Payload::Session { session }));
            }
            Effect::Prompt {
                id,
                session,
                agent,
                model,
                text,
                redrive,
            } => {
                if let Some(fault) = self.prompt_faults.pop_front() {
                    self.reply(5, id, Outcome::Err(fault));
                    return;
                }
                self.prompted(&session, agent, model, &text, redrive);
                let outcome = if self.sessions.contains_key(&session.0) {
                    Outcome::Ok(Payload::Done)
                } else {
                    gone(&session)
                };
                self.reply(6, id, outcome);
            }
            Effect::ReadTurn { id, session } => {
                let outcome = self.sessions.get(&session.0).map_or_else(
                    || gone(&session),
                    |session| {
                        Outcome::Ok(Payload::Turn {
                            turn: LastTurn {
                                busy: session.busy,
                                assistant: session.last.clone(),
                                unanswered: session.unanswered,
                            },
                        })
                    },
                );
                self.reply(5, id, outcome);
            }
            Effect::ReadResult { id, session } => {
                let outcome = if let Some(fault) = self.result_faults.pop_front() {
                    Outcome::Err(fault)
                } else {
                    self.sessions.get(&session.0).map_or_else(
                        || gone(&session),
                        |session| {
                            Outcome::Ok(Payload::Text {
                                text: session.text.clone(),
                            })
                        },
                    )
                };
                self.reply(5, id, outcome);
            }
            Effect::ReadChildren { id, session } => {
                let children = self
                    .sessions
                    .iter()
                    .filter(|(_, child)| child.parent.as_ref() == Some(&session.0))
                    .map(|(name, child)| ChildSession {
                        session: name.as_str().into(),
                        title: child.title.clone(),
                    })
                    .collect();
                self.reply(5, id, Outcome::Ok(Payload::Children { children }));
            }
            Effect::ReadTodos { id, .. } => {
                let todos = self.todos.clone();
                self.reply(5, id, Outcome::Ok(Payload::Todos { todos }));
            }
            Effect::Abort { id, session } => {
                self.abort(&session.0);
                self.reply(25, id, Outcome::Ok(Payload::Done));
            }
            Effect::DeleteSession { id, session } => {
                if let Some(fault) = self.delete_faults.pop_front() {
                    self.reply(5, id, Outcome::Err(fault));
                    return;
                }
                if !self.sessions.contains_key(&session.0) {
                    self.reply(5, id, gone(&session));
                    return;
                }
                self.delete(&session.0);
                self.reply(5, id, Outcome::Ok(Payload::Done));
            }
            Effect::AnswerTool {
                call, text, failed, ..
            } => {
                self.texts.push(text.clone());
                self.answered.push((self.now, call.0.clone()));
                let old = self.answers.insert(call.0.clone(), (text.clone(), failed));
                assert!(old.is_none(), "{call} was answered twice");
                if let Some(child) = self.waiting.remove(&call.0)
                    && let Some(session) = self.sessions.get_mut(&child)
                    && session.busy
                {
                    session.asking = true;
                    let run = session.run;
                    self.after(100, Step::End(child, run, Ending::Natural, text));
                }
            }
            Effect::RunCheck { .. } | Effect::StopCheck { .. } => {
                unreachable!("no check is configured")
            }
            Effect::SetAlarm { at } => {
                self.alarm += 1;
                if let Some(at) = at {
                    self.at(at.0.max(self.now + 1), Step::Alarm(self.alarm));
                }
            }
            Effect::Notify { message, .. } => self.notices.push(message),
            Effect::Log { message, .. } => self.logs.push(message),
            Effect::AnswerCommand { .. } => {}
            Effect::Journal {
                mission,
                text,
                replace,
                ..
            } => {
                let file = self.mission_files.entry(mission).or_default();
                if replace {
                    file.clear();
                }
                file.push_str(&text);
            }
            Effect::JournalTasks { text, replace, .. } => {
                if replace {
                    self.tasks_file.clear();
                }
                self.tasks_file.push_str(&text);
            }
        }
    }

    fn prompted(
        &mut self,
        id: &SessionId,
        agent: Option<String>,
        model: Option<Model>,
        text: &str,
        redrive: bool,
    ) {
        let name = id.0.clone();
        if name == ROOT {
            self.woken.push((self.now, text.to_owned()));
        }
        let Some(session) = self.sessions.get_mut(&name) else {
            return;
        };
        if !redrive {
            session.prompts.push(text.to_owned());
        }
        session.agent = agent;
        session.model = model;
        if name == ROOT {
            session.unanswered = true;
            if !session.busy {
                let turn = self.root_turn.clone();
                let run = self.begin_turn(ROOT);
                self.after(2, Step::Start(name, run, turn));
            }
            return;
        }
        assert!(!session.busy, "a prompt went to the busy session {name}");
        let count = session.prompts.len() as u32;
        self.launches += 1;
        let turn = (self.script)(text, count);
        let run = self.begin_turn(&name);
        self.after(2, Step::Start(name, run, turn));
    }

    // ---- a crash ----------------------------------------------------------------------------------------------

    /// OpenCode is killed and started again: turns are gone, sessions and journals stay. Nothing is resumed yet.
    pub fn restart(&mut self) {
        for session in self.sessions.values_mut() {
            session.busy = false;
            session.asking = false;
            session.run += 1;
        }
        self.queue.clear();
        self.steps.clear();
        self.waiting.clear();
        self.engine = Engine::new(self.policy.clone());
        let files: Vec<String> = self
            .mission_files
            .values()
            .cloned()
            .chain([self.tasks_file.clone()])
            .filter(|text| !text.is_empty())
            .collect();
        for text in files {
            let effects = self
                .engine
                .restore(Instant(self.now), &text, RestoreCause::Restart)
                .expect("a journal");
            self.perform(effects);
        }
    }

    /// The engine trapped: a fresh instance takes over while OpenCode goes on.
    pub fn trap(&mut self) {
        self.engine = Engine::new(self.policy.clone());
        let text = self.tasks_file.clone();
        let effects = self
            .engine
            .restore(Instant(self.now), &text, RestoreCause::Trap)
            .expect("a journal");
        self.perform(effects);
    }

    pub fn executor(&self) -> &UnifiedTaskExecutor {
        self.engine.executor_of(&ROOT.into()).expect("an executor")
    }

    pub fn states(&self) -> Vec<TaskState> {
        self.executor().tasks().map(|task| task.state()).collect()
    }

    /// Whether the tasks' file replays to the state that the engine has.
    pub fn check_replay(&self) {
        let replayed = replay(&self.tasks_file, |_, _| {}).expect("a journal");
        let Subject::Tasks(tasks) = replayed else {
            panic!("not a tasks file")
        };
        let live = serde_json::to_value(self.executor()).expect("data");
        assert_eq!(serde_json::to_value(&*tasks).expect("data"), live);
    }
}
