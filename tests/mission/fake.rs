//! A host for tests: it carries the engine's effects out at once from scripts, and keeps what they were.
//!
//! After each event it checks what must hold at any time: the liveness law, and that an ended mission owns nothing.
#![allow(dead_code, reason = "each test file uses its part")]

mod performing;

use opencode_orchestrator::effect::Effect;
use opencode_orchestrator::engine::Engine;
use opencode_orchestrator::event::{
    Blocker, Command, Ending, Event, Fingerprint, LastAssistant, LastTurn, Model, Origin, Outcome,
    Payload, RawToolCall, RestoreCause, Todo, TodoStatus, ToolKind,
};
use opencode_orchestrator::fault::Fault;
use opencode_orchestrator::id::{EffectId, MessageId, MissionId, SessionId};
use opencode_orchestrator::mission::{Mission, Phase, Rule, StopReason, Waiting};
use opencode_orchestrator::policy::Policy;
use opencode_orchestrator::time::Instant;
use opencode_orchestrator::view::MissionView;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub const ROOT: &str = "ses_root";
pub const AGENT: &str = "commander";
/// Any time; nothing may depend on it.
pub const EPOCH: u64 = 1_700_000_000_000;

/// A prompt that was handed to the host.
#[derive(Clone, Debug)]
pub struct Sent {
    pub at: u64,
    pub id: EffectId,
    pub session: SessionId,
    pub agent: Option<String>,
    pub model: Option<Model>,
    pub text: String,
    pub redrive: bool,
}

pub struct Fake {
    pub engine: Engine,
    pub policy: Policy,
    pub now: u64,
    pub alarm: Option<Instant>,
    /// The native todo list, for lookups.
    pub todos: Vec<Todo>,
    /// Answers to come before the plain ones.
    pub todo_replies: VecDeque<Outcome>,
    pub turn_replies: VecDeque<Outcome>,
    /// Sessions with a question or a permission request.
    asking: BTreeSet<SessionId>,
    pub prompt_replies: VecDeque<Outcome>,
    pub check_replies: VecDeque<Outcome>,
    /// The session's end, for lookups.
    pub turn: LastTurn,
    /// Requests of this kind are kept in `open` without an answer.
    pub hold_prompts: bool,
    /// Accepted prompts get no turn.
    pub lose_prompts: bool,
    pub hold_lookups: bool,
    pub hold_checks: bool,
    pub open: Vec<Effect>,
    pub prompts: Vec<Sent>,
    pub checks: usize,
    /// The checks that run, and those that were stopped.
    pub running_checks: Vec<EffectId>,
    pub stopped_checks: Vec<EffectId>,
    pub aborts: usize,
    pub todo_reads: usize,
    pub turn_reads: usize,
    pub notices: Vec<String>,
    pub logs: Vec<String>,
    pub answers: Vec<String>,
    /// The journal files, whole.
    pub files: BTreeMap<MissionId, String>,
    /// Each state of the first mission's file, as a kill may leave it.
    pub file_states: Vec<String>,
    pub put_away: Vec<MissionId>,
    messages: u32,
}

pub fn root() -> SessionId {
    ROOT.into()
}

pub fn model() -> Model {
    Model {
        provider: "local".into(),
        model: "scripted".into(),
    }
}

pub fn todo(content: &str, status: TodoStatus) -> Todo {
    Todo {
        content: content.to_owned(),
        status,
    }
}

/// `total` todos, the first `done` of them completed.
pub fn list(done: usize, total: usize) -> Vec<Todo> {
    (0..total)
        .map(|i| {
            let status = if i < done {
                TodoStatus::Completed
            } else {
                TodoStatus::Pending
            };
            todo(&format!("step {i}"), status)
        })
        .collect()
}

pub fn rate_limited(retry_after_ms: Option<u64>) -> Fault {
    Fault::RateLimited {
        retry_after_ms,
        message: "429 too many requests".into(),
    }
}

pub fn unavailable() -> Fault {
    Fault::Unavailable {
        message: "500 internal error".into(),
    }
}

pub fn malformed() -> Fault {
    Fault::AgentFailed {
        message: "JSON parsing failed".into(),
    }
}

pub fn check(exit: i32, output: &str) -> Outcome {
    Outcome::Ok(Payload::Check {
        exit: Some(exit),
        output: output.into(),
    })
}

impl Fake {
    pub fn new(change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = Policy::default();
        change(&mut policy);
        Self {
            engine: Engine::new(policy.clone()),
            policy,
            now: EPOCH,
            alarm: None,
            todos: Vec::new(),
            todo_replies: VecDeque::new(),
            turn_replies: VecDeque::new(),
            asking: BTreeSet::new(),
            prompt_replies: VecDeque::new(),
            check_replies: VecDeque::new(),
            turn: LastTurn {
                busy: false,
                assistant: None,
                unanswered: false,
            },
            hold_prompts: false,
            lose_prompts: false,
            hold_lookups: false,
            hold_checks: false,
            open: Vec::new(),
            prompts: Vec::new(),
            checks: 0,
            running_checks: Vec::new(),
            stopped_checks: Vec::new(),
            aborts: 0,
            todo_reads: 0,
            turn_reads: 0,
            notices: Vec::new(),
            logs: Vec::new(),
            answers: Vec::new(),
            files: BTreeMap::new(),
            file_states: Vec::new(),
            put_away: Vec::new(),
            messages: 0,
        }
    }

    /// A host whose mission has started and whose first turn is under way.
    pub fn started(change: impl FnOnce(&mut Policy)) -> Self {
        let mut fake = Self::new(change);
        fake.task("do the work");
        fake
    }

    // ---- events -----------------------------------------------------------------------------------------------

    pub fn send(&mut self, event: Event) {
        if let Event::Reply { effect, .. } = &event {
            self.running_checks.retain(|running| running != effect);
        }
        let effects = self.engine.handle(Instant(self.now), event);
        self.perform(effects);
    }

    pub fn command(&mut self, session: &str, command: Command) -> String {
        self.send(Event::Command {
            session: session.into(),
            command,
        });
        self.answers.pop().expect("a command is answered at once")
    }

    /// `/task`, and the turn it begins.
    pub fn task(&mut self, objective: &str) -> String {
        let answer = self.command(
            ROOT,
            Command::Task {
                objective: objective.into(),
            },
        );
        self.command_message(ROOT);
        self.busy();
        answer
    }

    pub fn command_message(&mut self, session: &str) {
        if session == ROOT {
            self.turn.unanswered = true;
        }
        self.send(Event::UserMessage {
            session: session.into(),
            origin: Origin::Command,
            agent: Some(AGENT.into()),
            model: Some(model()),
        });
    }

    /// The person writes something.
    pub fn says(&mut self) {
        self.turn.unanswered = true;
        self.send(Event::UserMessage {
            session: root(),
            origin: Origin::Person,
            agent: Some(AGENT.into()),
            model: Some(model()),
        });
    }

    pub fn busy(&mut self) {
        self.turn.busy = true;
        self.send(Event::Busy { session: root() });
    }

    pub fn idle(&mut self) {
        // a prompt that was accepted before this idle begins a turn after it
        self.turn.busy = self.turn.unanswered && !self.lose_prompts;
        self.send(Event::Idle { session: root() });
    }

    pub fn next_message(&mut self) -> MessageId {
        self.messages += 1;
        MessageId(format!("msg_{:04}", self.messages))
    }

    /// An assistant message ends; the session stays busy.
    pub fn assistant(&mut self, ending: Ending) -> MessageId {
        let message = self.next_message();
        self.turn.assistant = Some(LastAssistant {
            message: message.clone(),
            ending: ending.clone(),
            summary: false,
        });
        if ending != Ending::Step {
            self.turn.unanswered = false;
        }
        self.assistant_again(&message, ending);
        message
    }

    pub fn assistant_again(&mut self, message: &MessageId, ending: Ending) {
        self.send(Event::Assistant {
            session: root(),
            message: message.clone(),
            ending,
            summary: false,
            tokens: 100,
            cost: 0.01,
        });
    }

    pub fn text(&mut self, text: &str) {
        self.send(Event::AssistantText {
            session: root(),
            text: Fingerprint::of(text.as_bytes()),
        });
    }

    pub fn todos(&mut self, todos: Vec<Todo>) {
        self.todos.clone_from(&todos);
        self.send(Event::Todos {
            session: root(),
            todos,
        });
    }

    pub fn tool(&mut self, kind: ToolKind, args: &str, output: &str) {
        self.send(Event::Tool {
            session: root(),
            call: RawToolCall {
                tool: "tool".into(),
                kind: Some(kind),
                args: args.into(),
                output: output.into(),
                ..RawToolCall::default()
            }
            .reduce(),
        });
    }

    /// A whole turn: busy, a step that writes the list, the final text, idle.
    pub fn turn_with(&mut self, todos: Vec<Todo>, text: &str) {
        self.busy();
        self.todos(todos);
        self.assistant(Ending::Step);
        self.text(text);
        self.assistant(Ending::Natural);
        self.idle();
    }

    /// A whole turn that leaves the list alone.
    pub fn turn_of_words(&mut self, text: &str) {
        self.busy();
        self.text(text);
        self.assistant(Ending::Natural);
        self.idle();
    }

    /// The turn under way fails on a busy machine: the back-off is over before the second idle.
    pub fn turn_fails_slowly(&mut self, fault: Fault) {
        self.send(Event::SessionError {
            session: root(),
            fault,
        });
        self.idle();
        self.wait(2_000);
    }

    /// The turn under way fails as OpenCode shows it: an error, and two idles.
    pub fn turn_fails(&mut self, fault: Fault) {
        self.assistant(Ending::Failed {
            fault: fault.clone(),
        });
        self.send(Event::SessionError {
            session: root(),
            fault,
        });
        self.idle();
        self.wait(60);
        self.idle();
    }

    pub fn blocked(&mut self, session: &str, by: Blocker) {
        self.asking.insert(session.into());
        self.send(Event::Blocked {
            session: session.into(),
            request: "req_1".into(),
            by,
        });
    }

    pub fn unblocked(&mut self, session: &str, rejected: bool) {
        self.asking.remove(&session.into());
        self.send(Event::Unblocked {
            session: session.into(),
            request: "req_1".into(),
            rejected,
        });
    }

    /// The session's turn ended, and no event told of it.
    pub fn falls_quiet(&mut self, session: &str) {
        self.asking.remove(&session.into());
    }

    pub fn child(&mut self) -> &'static str {
        self.send(Event::Child {
            parent: root(),
            session: "ses_child".into(),
            title: String::new(),
        });
        "ses_child"
    }

    pub fn stop(&mut self) -> String {
        self.command(ROOT, Command::Stop)
    }

    // ---- time -------------------------------------------------------------------------------------------------

    /// Time passes, and the alarms in it ring.
    pub fn wait(&mut self, ms: u64) {
        let end = self.now + ms;
        let mut rings = 0;
        while let Some(at) = self.alarm.filter(|at| at.0 <= end) {
            self.now = self.now.max(at.0);
            self.alarm = None;
            self.send(Event::Alarm);
            rings += 1;
            assert!(rings < 10_000, "the alarm rings for ever at {}", self.now);
        }
        self.now = end;
    }

    /// Time passes until a prompt is handed over.
    pub fn wait_for_prompt(&mut self, at_most_ms: u64) -> u64 {
        let (start, before) = (self.now, self.prompts.len());
        while self.prompts.len() == before {
            let at = self.alarm.expect("an alarm is set").0;
            assert!(at - start <= at_most_ms, "no prompt within {at_most_ms} ms");
            self.wait(at.saturating_sub(self.now));
        }
        self.now - start
    }

    // ---- restart ----------------------------------------------------------------------------------------------

    /// OpenCode is killed and starts again with what the journal file has.
    pub fn restart(&mut self, cause: RestoreCause) {
        let text = self.files.values().last().cloned().unwrap_or_default();
        self.restore_from(&text, cause);
    }

    pub fn restore_from(&mut self, text: &str, cause: RestoreCause) {
        self.engine = Engine::new(self.policy.clone());
        self.alarm = None;
        self.open.clear();
        if cause == RestoreCause::Restart {
            self.running_checks.clear(); // they end with the process
        }
        self.messages += 1_000; // OpenCode never uses an id twice
        let effects = self
            .engine
            .restore(Instant(self.now), text, cause)
            .expect("a journal");
        self.files.clear();
        // a host cuts a torn last line off before it appends
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        self.files.insert(MissionId(1), whole.to_owned());
        self.perform(effects);
    }

    // ---- answers held back ------------------------------------------------------------------------------------

    /// Answers the oldest request held back.
    pub fn answer(&mut self, outcome: Outcome) -> EffectId {
        let effect = self.open.remove(0);
        let (Effect::Prompt { id, .. }
        | Effect::ReadTodos { id, .. }
        | Effect::ReadTurn { id, .. }
        | Effect::RunCheck { id, .. }) = effect
        else {
            unreachable!("only requests are held")
        };
        self.reply(id, outcome);
        id
    }

    pub fn reply(&mut self, effect: EffectId, outcome: Outcome) {
        self.send(Event::Reply { effect, outcome });
    }

    // ---- looking ----------------------------------------------------------------------------------------------

    pub fn view(&self) -> MissionView {
        self.engine.views().pop().expect("a mission")
    }

    pub fn phase(&self) -> Phase {
        self.view().phase
    }

    pub fn reason(&self) -> Option<StopReason> {
        self.view().reason
    }

    /// The rules of the decisions kept, oldest first.
    pub fn rules(&self) -> Vec<Rule> {
        self.view().decisions.iter().map(|d| d.rule).collect()
    }

    pub fn last_prompt(&self) -> &str {
        &self.prompts.last().expect("a prompt").text
    }

    #[track_caller]
    pub fn assert_phase(&self, phase: Phase) {
        assert_eq!(self.phase(), phase, "{:#?}", self.view().decisions);
    }

    #[track_caller]
    pub fn assert_sent(&self, count: usize) {
        assert_eq!(
            self.prompts.len(),
            count,
            "{:#?}\n{:#?}",
            self.prompts.iter().map(|p| &p.text).collect::<Vec<_>>(),
            self.view().decisions
        );
    }

    #[track_caller]
    pub fn assert_complete(&self) {
        assert!(
            matches!(self.reason(), Some(StopReason::Complete { .. })),
            "{:#?}",
            self.view()
        );
    }

    /// Nothing happens any more, whatever time passes.
    #[track_caller]
    pub fn assert_silent(&mut self) {
        let before = self.prompts.len();
        for _ in 0..8 {
            self.wait(20 * 60_000);
            self.idle();
        }
        self.assert_sent(before);
    }
}

/// Whether the mission's ownership tree is empty.
pub fn owns_nothing(mission: &Mission) -> bool {
    let state = serde_json::to_value(mission).expect("a mission is data");
    ["nodes", "sessions", "timers", "deadlines"]
        .iter()
        .all(|part| {
            let part = &state["resources"][part];
            part.as_object().is_some_and(serde_json::Map::is_empty)
                || part.as_array().is_some_and(Vec::is_empty)
        })
}
