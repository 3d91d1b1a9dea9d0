//! Bugs that can be planted in the engine, to show that the simulator finds them. One at a time, for this thread.

use serde::{Deserialize, Serialize};
use std::cell::Cell;

/// A bug that a person might write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Bug {
    /// A task that ends keeps its slot.
    SkipRelease,
    /// Open tasks and questions don't hold the mission up.
    ForgetGate,
    /// One continuation more than allowed.
    CeilingOffByOne,
    /// An error that comes late is answered with another prompt.
    ResendOnLateReply,
    /// Esc is not heard.
    ForgetAbort,
    /// A message that is told twice is acted on twice.
    ActTwice,
    /// OpenCode's second idle after a failure is taken for Esc.
    EchoIsAbort,
    /// A mission that ends keeps what it owns.
    KeepResources,
    /// A restart forgets results.
    LoseResults,
    /// The last open todo is overlooked.
    CompleteTooEarly,
    /// A prompt that got no turn is stored a second time.
    ForgetRedrive,
    /// The global limit lets one more go.
    LimitOffByOne,
    /// A session that is not needed any more stays.
    SkipDelete,
    /// A call is answered twice.
    AnswerTwice,
    /// Nothing looks for lost events.
    SkipWatch,
    /// A session is deleted while it works.
    DeleteBusy,
}

impl Bug {
    pub const ALL: [Self; 16] = [
        Self::SkipRelease,
        Self::ForgetGate,
        Self::CeilingOffByOne,
        Self::ResendOnLateReply,
        Self::ForgetAbort,
        Self::ActTwice,
        Self::EchoIsAbort,
        Self::KeepResources,
        Self::LoseResults,
        Self::CompleteTooEarly,
        Self::ForgetRedrive,
        Self::LimitOffByOne,
        Self::SkipDelete,
        Self::AnswerTwice,
        Self::SkipWatch,
        Self::DeleteBusy,
    ];
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Plants a bug in the engine, or none, for runs of this thread.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

pub(crate) fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}
