//! A delegated task: its states, the table of their transitions, and what is known of it.
//!
//! | state | what it waits for |
//! |---|---|
//! | queued | the limiter's grant |
//! | leasing | the reply to the creation of its session |
//! | prompting | the reply to its prompt |
//! | running | the end of its session's turn, or the watch timer |
//! | collecting | the reply to the reading of its result |
//! | adopting | after a restart: the reply to a lookup of its session |
//! | backing off | the back-off timer |
//! | done, failed, cancelled, timed out | nothing |

use crate::concurrency::Ticket;
use crate::event::{Blocker, Model};
use crate::fault::Fault;
use crate::id::{EffectId, MessageId, RequestId, SessionId, TaskId, TimerId};
use crate::json::read_fields;
use crate::policy::RECENT_TASK_IDS;
use crate::recent::Recent;
use crate::resource::NodeId;
use crate::sorted::SortedMap;
use crate::time::Instant;
use crate::view::TaskView;
use serde::{Deserialize, Serialize};

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum TaskState {
    Queued,
    Leasing,
    Prompting,
    Running,
    Collecting,
    Adopting,
    BackingOff,
    Done,
    Failed,
    Cancelled,
    TimedOut,
}

use TaskState::{
    Adopting, BackingOff, Cancelled, Collecting, Done, Failed, Leasing, Prompting, Queued, Running,
    TimedOut,
};

/// Every transition a task may take. `Cancelled` and `TimedOut` are reached from every open state, and a restart leads
/// back to `Queued`. Those are not repeated here.
pub const TABLE: &[(TaskState, &[TaskState])] = &[
    (Queued, &[Leasing, Prompting, Adopting]),
    (Leasing, &[Prompting, BackingOff, Failed]),
    (Prompting, &[Running, Collecting, BackingOff, Failed]),
    (Running, &[Collecting, BackingOff, Failed]),
    (Collecting, &[Done, BackingOff, Failed]),
    (Adopting, &[Running, Collecting, BackingOff, Failed]),
    (BackingOff, &[Queued]),
    (Done, &[]),
    (Failed, &[]),
    (Cancelled, &[]),
    (TimedOut, &[]),
];

/// Whether the table, or one of the rules that hold everywhere, allows the step.
#[must_use]
pub fn allowed(from: TaskState, to: TaskState) -> bool {
    !from.is_ended()
        && (matches!(to, Cancelled | TimedOut | Queued)
            || TABLE
                .iter()
                .any(|(state, next)| *state == from && next.contains(&to)))
}

impl TaskState {
    /// Whether nothing more will happen to the task.
    #[must_use]
    pub fn is_ended(self) -> bool {
        matches!(self, Done | Failed | Cancelled | TimedOut)
    }

    /// The state in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Queued => "queued",
            Leasing | Prompting => "starting",
            Running => "running",
            Collecting => "collecting its result",
            Adopting => "looked up after a restart",
            BackingOff => "waiting to try again",
            Done => "done",
            Failed => "failed",
            Cancelled => "cancelled",
            TimedOut => "timed out",
        }
    }
}

/// What a task's timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Wait {
    /// No event came from its session for a while.
    Watch,
    /// It may have made no progress for too long.
    Timeout,
    BackOff,
}

/// What the request in flight is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ask {
    Prompt,
    /// How its turn stands.
    Look,
    Result,
}

/// What its session was last seen doing.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Turn {
    /// The newest message that was acted on: no message is acted on twice.
    pub acted: Option<MessageId>,
    /// Messages that were seen.
    pub messages: Recent<MessageId, RECENT_TASK_IDS>,
    pub fault: Option<Fault>,
    pub rejected: bool,
    /// A prompt was accepted and no sign of its turn was seen yet.
    pub handed: bool,
    /// A sign of its turn was seen since the lookup of it was asked for: an answer without it is out of date.
    pub seen_since_look: bool,
    /// The session did something since the prompt: a retry goes on from there.
    pub worked: bool,
}

read_fields!(Turn {
    acted,
    messages,
    fault,
    rejected,
    handed,
    seen_since_look,
    worked
});

/// A task. Its result and its place in the session survive it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Task {
    pub(crate) id: TaskId,
    /// The session whose tool call delegated it.
    pub(crate) parent: SessionId,
    /// 1 for a task of the root session.
    pub(crate) depth: u32,
    pub(crate) agent: String,
    pub(crate) description: String,
    pub(super) prompt: String,
    /// The agent's own model, else the caller's.
    pub(super) model: Option<Model>,
    pub(super) background: bool,
    /// The tool call that waits for it.
    pub(super) call: Option<u32>,
    /// Calls of `get_task_result` that wait for it.
    pub(super) waiters: Vec<u32>,
    pub(crate) state: TaskState,
    pub(crate) session: Option<SessionId>,
    pub(super) ticket: Option<Ticket>,
    /// A session may have been created for it that nobody told of: OpenCode was killed meanwhile.
    pub(super) orphan: bool,
    /// Attempts that failed for a reason of their own.
    pub(super) failures: u32,
    /// Attempts that failed because the provider needs time, in a row.
    pub(super) outages: u32,
    /// Since when the provider gave it nothing.
    pub(super) outage_since: Option<Instant>,
    /// Failed lookups and prompts in a row.
    pub(super) hiccups: u32,
    pub(super) in_flight: Option<(EffectId, Ask)>,
    pub(super) turn: Turn,
    pub(super) blocked: SortedMap<RequestId, Blocker>,
    /// Tool calls of its own that delegate, while the task holds no slot.
    pub(super) delegating: u32,
    /// The answer that goes out once the task has a slot again.
    pub(super) answer: Option<u32>,
    pub(super) node: Option<NodeId>,
    pub(super) watch: Option<TimerId>,
    pub(super) created: Instant,
    pub(super) last_event: Instant,
    pub(super) last_progress: Instant,
    pub(super) ended: Option<Instant>,
    pub(crate) tokens: u64,
    /// The result, or why there is none.
    pub(super) result: String,
    /// Bytes that were cut off the result because it was too long.
    pub(super) cut: usize,
    /// The agent that delegated it has had the result.
    pub(super) seen: bool,
    /// A person refused what it asked for, or it waited for an answer in vain: part of the result.
    pub(super) remark: Option<String>,
}

read_fields!(Task {
    id,
    parent,
    depth,
    agent,
    description,
    prompt,
    model,
    background,
    call,
    waiters,
    state,
    session,
    ticket,
    orphan,
    failures,
    outages,
    outage_since,
    hiccups,
    in_flight,
    turn,
    blocked,
    delegating,
    answer,
    node,
    watch,
    created,
    last_event,
    last_progress,
    ended,
    tokens,
    result,
    cut,
    seen,
    remark
});

impl Task {
    /// Where it is.
    #[must_use]
    pub fn state(&self) -> TaskState {
        self.state
    }

    /// The task as displays see it.
    #[must_use]
    pub fn view(&self, now: Instant) -> TaskView {
        TaskView {
            id: self.id,
            agent: self.agent.clone(),
            description: self.description.clone(),
            state: self.state,
            parent: self.parent.clone(),
            session: self.session.clone(),
            blocked: self
                .blocked
                .values()
                .next()
                .map(|by| super::turn::blocker(*by).to_owned()),
            tokens: self.tokens,
            age_ms: self.age(now),
        }
    }

    /// Its result, or why there is none; empty while it is open.
    #[must_use]
    pub fn result(&self) -> &str {
        &self.result
    }

    pub(super) fn name(&self) -> String {
        format!("t{}", self.id)
    }

    /// `t3 worker: description`.
    pub(super) fn label(&self) -> String {
        format!("t{} {}: {}", self.id, self.agent, self.description)
    }

    /// Milliseconds since it was delegated, until its end.
    pub(super) fn age(&self, now: Instant) -> u64 {
        self.ended.unwrap_or(now).since(self.created)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_tasks_stay_ended_and_each_open_state_leads_to_an_end() {
        for (state, next) in TABLE {
            assert_eq!(next.is_empty(), state.is_ended(), "{state:?}");
            assert_eq!(allowed(*state, Cancelled), !state.is_ended());
        }
    }
}
