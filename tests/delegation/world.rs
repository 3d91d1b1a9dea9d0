//! A small OpenCode for tests of delegation: sessions with turns that take time, on a clock of its own.
//!
//! What a sub-agent does is a script by the words of its prompt. After each event it checks what must hold at any time.
#![allow(dead_code, reason = "each test file uses its part")]

mod engine;
mod sessions;

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
