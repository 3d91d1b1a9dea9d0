//! Everything that can happen to the engine. The host normalises OpenCode's events into these; nothing else
//! changes orchestration state.

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

/// What a tool call was for. The host maps OpenCode's tool names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum ToolKind {
    Read,
    Edit,
    Run,
    Plan,
    Other,
}

/// A file as it was after a tool call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct FileState {
    pub path: String,
    pub content: Fingerprint,
    /// The syntax errors that it has and had not before the mission's first edit of it, as `path:line:column: message`;
    /// none when it was not parsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<String>>,
}

/// The facts of a finished tool call that the stagnation rules need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ToolCall {
    pub call: CallId,
    pub kind: ToolKind,
    /// The call in a few words, for evidence: tool name and the start of its arguments.
    pub label: String,
    /// Tool name and arguments.
    pub args: Fingerprint,
    /// The output, or the error.
    pub result: Fingerprint,
    /// The first line of the error when the call failed.
    pub error: Option<String>,
    /// Files the call read.
    pub reads: Vec<String>,
    /// Files the call wrote, as they are now.
    pub writes: Vec<FileState>,
    /// What the call told about the health of the work tree: language diagnostics, build or test output.
    pub diagnostics: Option<Fingerprint>,
}

/// A finished tool call as the host saw it, before the core keeps only fingerprints of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", default)]
pub struct RawToolCall {
    pub call: String,
    pub tool: String,
    #[cfg_attr(
        all(test, not(target_arch = "wasm32")),
        ts(type = "\"read\" | \"edit\" | \"run\" | \"plan\" | \"other\"")
    )]
    pub kind: Option<ToolKind>,
    /// The arguments as JSON text.
    pub args: String,
    /// The output, or the error's message when `failed`.
    pub output: String,
    pub failed: bool,
    pub reads: Vec<String>,
    /// Path and content of each file written.
    pub writes: Vec<RawFile>,
    /// Diagnostics of the work tree, as text.
    pub diagnostics: Option<String>,
}

/// A written file's path and text.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(default)]
pub struct RawFile {
    pub path: String,
    pub content: String,
    /// As in [`FileState`].
    pub errors: Option<Vec<String>>,
}

/// Longest label and error prefix kept, in characters.
const LABEL_CHARS: usize = 80;

impl RawToolCall {
    /// Reduces the call to what the rules compare.
    #[must_use]
    pub fn reduce(&self) -> ToolCall {
        let kind = self.kind.unwrap_or(ToolKind::Other);
        let args = self.args.trim();
        let label = clip(&format!("{} {args}", self.tool), LABEL_CHARS);
        let diagnostics = match (&self.diagnostics, kind) {
            (Some(text), _) => Some(Fingerprint::of(text.as_bytes())),
            (None, ToolKind::Run) => Some(Fingerprint::of(untimed(&self.output).as_bytes())),
            _ => None,
        };
        ToolCall {
            call: CallId(self.call.clone()),
            kind,
            label,
            args: Fingerprint::of(format!("{}\0{args}", self.tool).as_bytes()),
            result: Fingerprint::of(self.output.as_bytes()),
            error: self
                .failed
                .then(|| clip(self.output.lines().next().unwrap_or("error"), LABEL_CHARS)),
            reads: self.reads.clone(),
            writes: self
                .writes
                .iter()
                .map(|file| FileState {
                    path: file.path.clone(),
                    content: Fingerprint::of(file.content.as_bytes()),
                    errors: file.errors.clone(),
                })
                .collect(),
            diagnostics,
        }
    }
}

/// `text` without durations (`0.53s`, `12 ms`): the same build is the same news however long it took.
fn untimed(text: &str) -> String {
    let is_number = |word: &str| word.parse::<f64>().is_ok();
    let is_unit = |word: &str| {
        matches!(
            word,
            "s" | "ms" | "µs" | "us" | "ns" | "sec" | "secs" | "seconds"
        )
    };
    let mut kept: Vec<&str> = Vec::new();
    for word in
        text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | ',' | ';'))
    {
        let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let fused = unit.len() < word.len() && is_unit(unit);
        if is_unit(word) && kept.last().is_some_and(|last| is_number(last)) {
            kept.pop();
        } else if !fused {
            kept.push(word);
        }
    }
    kept.join(" ")
}

/// The first `chars` characters of `text` on one line, with an ellipsis when something was cut.
#[must_use]
pub fn clip(text: &str, chars: usize) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= chars {
        return flat;
    }
    let mut cut: String = flat.chars().take(chars.saturating_sub(1)).collect();
    cut.push('…');
    cut
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_build_is_the_same_news_however_long_it_took() {
        let run = |output: &str| {
            RawToolCall {
                kind: Some(ToolKind::Run),
                output: output.into(),
                ..RawToolCall::default()
            }
            .reduce()
            .diagnostics
        };
        assert_eq!(run("ok in 0.53s (12 ms)"), run("ok in 1.2s (9 ms)"));
        assert_ne!(run("error at line 5"), run("error at line 7"));
        assert_ne!(run("3 errors"), run("2 errors"));
    }
}
