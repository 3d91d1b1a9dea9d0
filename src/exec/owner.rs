//! Whose a timer, a request or a waiting call is.

use super::task::Wait;
use crate::id::{CallId, SessionId, TaskId};
use crate::json::{read_fields, read_variants};
use crate::resource::NodeId;
use serde::{Deserialize, Serialize};

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    Task(TaskId, Wait),
    /// A child session that rests or goes out.
    Seat(u32),
    /// A waiting tool call.
    Call(u32),
    /// The parent has not begun the turn that it was woken for, or could not be woken.
    Wake,
    /// Sessions may have been created of which nothing was told.
    Orphans,
}

/// Whose request a reply answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Owner {
    Task(TaskId),
    /// A session is being created; its task may have ended meanwhile.
    Creation(TaskId),
    /// A session that goes out: it is looked up or aborted.
    Session(SessionId),
    /// ...and deleted.
    Deletion(SessionId),
    /// The children of a parent, among them perhaps one whose creation was interrupted.
    Children(SessionId),
    Wake,
}

/// A tool call that waits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Call {
    pub session: SessionId,
    pub id: CallId,
    pub kind: CallKind,
    pub node: Option<NodeId>,
}

read_fields!(Call {
    session,
    id,
    kind,
    node
});

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) enum CallKind {
    /// All its tasks, and how many of those it waits for are open.
    Delegate { tasks: Vec<TaskId>, open: u32 },
    /// `get_task_result` with a wait.
    Result { task: TaskId, offset: usize },
    /// Its answer goes out as soon as the task that made the call has a slot again.
    Answer { text: String },
}

read_variants!(CallKind {
    "Delegate" => Delegate { tasks, open },
    "Result" => Result { task, offset },
    "Answer" => Answer { text },
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{from_str, to_string};

    #[test]
    fn every_kind_of_call_is_read_as_it_was_written() {
        for kind in [
            CallKind::Delegate {
                tasks: vec![TaskId(1), TaskId(2)],
                open: 1,
            },
            CallKind::Result {
                task: TaskId(3),
                offset: 4,
            },
            CallKind::Answer {
                text: "text".to_owned(),
            },
        ] {
            let text = to_string(&kind).expect("JSON");
            assert_eq!(from_str::<CallKind>(&text).expect("itself"), kind);
        }
    }
}
