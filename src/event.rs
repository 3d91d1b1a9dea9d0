//! Everything that can happen to the engine. The host normalises OpenCode's events into these; nothing else
//! changes orchestration state.

mod tool;

pub use tool::{FileState, RawFile, RawToolCall, ToolCall, ToolKind, clip};

use crate::fault::Fault;
use crate::id::{CallId, EffectId, MessageId, RequestId, SessionId, TaskId};
use crate::time::Instant;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use xxhash_rust::xxh3::xxh3_64;

/// A 64-bit XXH3 fingerprint as 16 hexadecimal digits. Contents are compared, never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(
    all(test, not(target_arch = "wasm32")),
    derive(ts_rs::TS),
    ts(type = "string")
)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(xxh3_64(bytes))
    }

    /// The fingerprint of this and another, in this order.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let (first, second) = (self.0.to_le_bytes(), other.0.to_le_bytes());
        let mut both = [0; 16];
        both[..8].copy_from_slice(&first);
        both[8..].copy_from_slice(&second);
        Self::of(&both)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// In JSON it is its 16 digits: JavaScript has no such number.
impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = [0; 16];
        for (i, digit) in digits.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(self.0 >> (60 - 4 * i)) as usize & 15];
        }
        serializer.serialize_str(std::str::from_utf8(&digits).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;

        impl Visitor<'_> for Digits {
            type Value = Fingerprint;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a fingerprint of 16 hexadecimal digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Fingerprint, E> {
                let number = u64::from_str_radix(text, 16)
                    .ok()
                    .filter(|_| text.len() == 16);
                number
                    .map(Fingerprint)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Digits)
    }
}

/// The model a prompt is sent to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// OpenCode's provider id.
    pub provider: String,
    /// The model's id within that provider.
    pub model: String,
}

/// State of one item of OpenCode's native todo list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum TodoStatus {
    Pending,
    InProgress,
    Completed,
    Cancelled,
}

impl TodoStatus {
    /// Completed and cancelled items need no more work.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }

    /// The word OpenCode uses for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One item of OpenCode's native todo list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct Todo {
    pub content: String,
    pub status: TodoStatus,
}

/// What the person asked for with a slash command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Command {
    /// `/task`: start a mission, or resume one when the objective is empty.
    Task { objective: String },
    /// `/stop`, `/cancel`.
    Stop,
    /// `/mission`.
    Status,
}

/// Who wrote a user message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// The person typed it.
    Person,
    /// It is the text of a slash command of ours.
    Command,
}

/// Why an assistant message ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    /// The model said its last word of the turn.
    Natural,
    /// The step ended with tool calls; the turn goes on.
    Step,
    /// The message carries an error.
    Failed { fault: Fault },
    /// No finish and no error: the person aborted while the host waited to retry.
    Unfinished,
}

/// What waits for the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Blocker {
    Permission,
    Question,
}

/// The end of a session as a lookup found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct LastTurn {
    /// A turn is under way.
    pub busy: bool,
    /// The newest assistant message, and how it ended.
    pub assistant: Option<LastAssistant>,
    /// A user message newer than that waits for an answer.
    pub unanswered: bool,
}

/// The newest assistant message of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct LastAssistant {
    pub message: MessageId,
    pub ending: Ending,
    /// It is a compaction's summary, not an answer.
    pub summary: bool,
}

/// A tool of ours for delegation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum TaskTool {
    DelegateTask,
    GetTaskResult,
    ListTasks,
    CancelTask,
}

/// An agent as OpenCode lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct AgentInfo {
    pub name: String,
    /// Tasks may be given to it: it is no primary agent.
    pub delegable: bool,
    /// The model it is bound to.
    pub model: Option<Model>,
}

/// Results of tasks that the agent has not seen, as text for its next prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct TaskNews {
    pub tasks: Vec<TaskId>,
    pub text: String,
}

/// A session below another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct ChildSession {
    pub session: SessionId,
    pub title: String,
}

/// A successful answer of the host to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Payload {
    /// The request was carried out; there is nothing to tell.
    Done,
    Todos {
        todos: Vec<Todo>,
    },
    Turn {
        turn: LastTurn,
    },
    /// A command ended. `exit` is absent when it could not be started or was stopped by its time limit.
    Check {
        exit: Option<i32>,
        output: String,
    },
    Session {
        session: SessionId,
    },
    /// The text of a session's last assistant message, without its reasoning.
    Text {
        text: String,
    },
    Children {
        children: Vec<ChildSession>,
    },
}

/// The host's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    Ok(Payload),
    Err(Fault),
}

/// Why the state came from a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum RestoreCause {
    /// OpenCode was started again.
    Restart,
    /// The wasm instance trapped and a fresh one took over; OpenCode itself goes on.
    Trap,
}

/// An input of [`crate::engine::Engine::handle`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    /// A slash command is about to become a turn of `session`.
    Command {
        session: SessionId,
        command: Command,
    },
    /// A user message was accepted by the session (not a prompt of ours). It names the agent and model of its turn.
    UserMessage {
        session: SessionId,
        origin: Origin,
        agent: Option<String>,
        model: Option<Model>,
    },
    /// A turn is under way.
    Busy {
        session: SessionId,
    },
    /// The host waits before it asks the provider again. This is work, not idleness. `retryAfterMs` is what the
    /// provider asked for, where that is known.
    Retrying {
        session: SessionId,
        attempt: u32,
        message: String,
        #[serde(default)]
        #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number | null"))]
        retry_after_ms: Option<u64>,
    },
    /// The first output of a turn came from the provider.
    FirstOutput {
        session: SessionId,
    },
    /// The session does nothing. OpenCode's doubled idles may be passed on as they come.
    Idle {
        session: SessionId,
    },
    /// An assistant message is complete. `tokens` counts input, output, reasoning and cache; `cost` is in US dollars.
    Assistant {
        session: SessionId,
        message: MessageId,
        ending: Ending,
        /// It is a compaction's summary, not an answer.
        summary: bool,
        #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number"))]
        tokens: u64,
        cost: f64,
    },
    /// The text of an assistant message.
    AssistantText {
        session: SessionId,
        text: Fingerprint,
    },
    /// A session error. Alone it does not mean that the turn ended.
    SessionError {
        session: SessionId,
        fault: Fault,
    },
    /// The native todo list changed.
    Todos {
        session: SessionId,
        todos: Vec<Todo>,
    },
    Tool {
        session: SessionId,
        call: ToolCall,
    },
    /// The session waits for the person.
    Blocked {
        session: SessionId,
        request: RequestId,
        by: Blocker,
    },
    Unblocked {
        session: SessionId,
        request: RequestId,
        rejected: bool,
    },
    /// The session's history is being compacted.
    Compacting {
        session: SessionId,
    },
    Compacted {
        session: SessionId,
    },
    /// The history was compacted and the host is about to continue the session by itself; with an effect `Prompt`
    /// the mission does so instead.
    Continuing {
        session: SessionId,
    },
    /// `session` was created below `parent`.
    Child {
        parent: SessionId,
        session: SessionId,
        #[serde(default)]
        title: String,
    },
    /// The model called one of the task tools; answered by an effect `AnswerTool`. `args` is the arguments' JSON text
    /// as the model wrote them, `agents` are those that OpenCode knows.
    TaskTool {
        session: SessionId,
        call: CallId,
        tool: TaskTool,
        args: String,
        agent: Option<String>,
        model: Option<Model>,
        agents: Vec<AgentInfo>,
    },
    /// The turn that called a task tool was aborted.
    ToolAborted {
        session: SessionId,
        call: CallId,
    },
    /// The limiter lets a task's attempt go. From the engine itself; the journal keeps it so that a replay needs no
    /// limiter.
    Granted {
        #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number"))]
        ticket: u64,
    },
    /// From the executor of the session to its mission: how many tasks are open, and the results that the agent has
    /// not seen once none is.
    Tasks {
        session: SessionId,
        open: u32,
        news: Option<TaskNews>,
    },
    /// From the mission of the session to the executor: these results went to the agent.
    ResultsSeen {
        session: SessionId,
        tasks: Vec<TaskId>,
    },
    /// From the engine to the executor of the session: a mission began there, went on after a restart, or ended.
    MissionOpen {
        session: SessionId,
        open: bool,
    },
    Deleted {
        session: SessionId,
    },
    /// The host's answer to the request `effect`.
    Reply {
        effect: EffectId,
        outcome: Outcome,
    },
    /// The host's alarm rang.
    Alarm,
    /// The state was rebuilt from a journal; requests in flight are in doubt.
    Restored {
        cause: RestoreCause,
    },
    /// The host program is ending. With `drain` it keeps running until no mission is active (`opencode run`).
    Shutdown {
        drain: bool,
    },
    /// The wasm instance trapped twice at the same event: the missions are stopped.
    Trapped {
        message: String,
    },
}

impl Event {
    /// Whether only the engine sends it.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        matches!(
            self,
            Self::Granted { .. }
                | Self::Tasks { .. }
                | Self::ResultsSeen { .. }
                | Self::MissionOpen { .. }
                | Self::Restored { .. }
        )
    }
}

/// An event and when it happened, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    pub at: Instant,
    pub event: Event,
}
