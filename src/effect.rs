//! Everything the engine can ask of the host. The host performs; it decides nothing.

use crate::event::Model;
use crate::id::{CallId, EffectId, MissionId, SessionId};
use crate::time::Instant;
use serde::{Deserialize, Serialize};

/// How a notice is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Level {
    Info,
    Success,
    Warning,
    Error,
}

/// An output of [`crate::engine::Engine::handle`]. Those with an `id` of their own are requests and are answered by
/// an [`crate::event::Event::Reply`] with that id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Effect {
    /// Hand a prompt to the session, at once and without a lookup before it. Answered when the host has accepted it
    /// (not when the turn ends). With `redrive` the same prompt was handed over before and got no turn: the host
    /// starts the turn without a second message where it can.
    Prompt {
        id: EffectId,
        session: SessionId,
        agent: Option<String>,
        model: Option<Model>,
        text: String,
        redrive: bool,
    },
    /// Read the native todo list. Answered by `Payload::Todos`.
    ReadTodos { id: EffectId, session: SessionId },
    /// Read how the session's last turn ended. Answered by `Payload::Turn`.
    ReadTurn { id: EffectId, session: SessionId },
    /// Stop the session's turn. Answered by `Payload::Done`.
    Abort { id: EffectId, session: SessionId },
    /// Read the text of the session's last assistant message. Answered by `Payload::Text`.
    ReadResult { id: EffectId, session: SessionId },
    /// Create a child session. Answered by `Payload::Session`. Without `may_delegate` the tools that would start
    /// further sessions are denied to it.
    CreateSession {
        id: EffectId,
        parent: SessionId,
        agent: String,
        title: String,
        may_delegate: bool,
    },
    /// Read the sessions below a session. Answered by `Payload::Children`.
    ReadChildren { id: EffectId, session: SessionId },
    /// Delete a session once it is quiet. Answered by `Payload::Done`.
    DeleteSession { id: EffectId, session: SessionId },
    /// Run the user's completion command in the project folder. Answered by `Payload::Check`.
    RunCheck {
        id: EffectId,
        command: String,
        #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number"))]
        timeout_ms: u64,
    },
    /// Stop the `RunCheck` with this id and whatever it started: nobody waits for its answer any more.
    StopCheck { id: EffectId },
    /// Send `Event::Alarm` at `at`; replaces the alarm set before. `None` clears it.
    SetAlarm { at: Option<Instant> },
    /// What becomes of a slash command: `text` goes to the model in place of its template, and the person sees `shown`,
    /// or what they typed. Always emitted while that command is handled.
    AnswerCommand {
        session: SessionId,
        text: String,
        shown: Option<String>,
    },
    /// What a task tool's call returns. With `failed` it is an error that the model reads.
    AnswerTool {
        session: SessionId,
        call: CallId,
        text: String,
        failed: bool,
    },
    /// As `Journal`, for the tasks of a parent session.
    JournalTasks {
        session: SessionId,
        text: String,
        replace: bool,
        ended: bool,
    },
    /// Tell the person.
    Notify {
        session: SessionId,
        level: Level,
        message: String,
    },
    /// A line for the host's log.
    Log { level: Level, message: String },
    /// Append `text` (whole lines) to the mission's journal file; with `replace` the file is created or replaced by it.
    /// With `ended` nothing follows, and the file is put away. Comes before the effects of the event it holds.
    Journal {
        mission: MissionId,
        text: String,
        replace: bool,
        ended: bool,
    },
}
