//! How each host version tells what happened in a session, as the events that its plugin gives the engine.

use super::scenario::Dialect;
use crate::event::{Blocker, Ending, Event, Fingerprint, Model, Origin, Todo, ToolCall};
use crate::fault::Fault;
use crate::id::{MessageId, RequestId, SessionId};

/// Something that happened in the host's session loop, whatever the host's version.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Native {
    /// A message of the person's, or the text of a command, was stored.
    Written(Origin),
    TurnBegan,
    /// The provider is asked again after a refusal.
    AskedAgain,
    /// A call that wrote the todo list.
    Planned(Vec<Todo>, ToolCall),
    Retried {
        attempt: u32,
        retry_after_ms: Option<u64>,
    },
    FirstOutput,
    Message {
        message: MessageId,
        ending: Ending,
        summary: bool,
        tokens: u64,
    },
    Said(Fingerprint),
    Called(ToolCall),
    /// The history did not fit: the host compacts it.
    Overflowed,
    Compacting,
    Compacted,
    Asked(RequestId, Blocker),
    Answered(RequestId, bool),
    /// The turn is over: by itself.
    Rested,
    /// ...by a fault, or an abort while the model or a tool was at work.
    Failed {
        fault: Fault,
        message: MessageId,
        tokens: u64,
    },
    /// ...by an abort at another moment: the host says only that it is idle.
    Hushed,
    Created {
        parent: SessionId,
        title: String,
    },
    Deleted {
        busy: bool,
    },
}

/// OpenCode's second idle after a failed or aborted turn comes so much later, in ms.
const ECHO_MS: u64 = 65;

impl Dialect {
    /// The events of a happening, each with the ms after which it follows.
    pub(super) fn tell(self, session: &SessionId, native: Native) -> Vec<(u64, Event)> {
        let id = || session.clone();
        let idle = || Event::Idle { session: id() };
        let v1 = self == Self::V1;
        let events = match native {
            Native::Written(origin) => vec![Event::UserMessage {
                session: id(),
                origin,
                agent: Some("commander".into()),
                model: Some(model()),
            }],
            Native::TurnBegan => vec![Event::Busy { session: id() }],
            Native::Message {
                message,
                ending,
                summary,
                tokens,
            } => vec![assistant(id(), message, ending, summary, tokens)],
            Native::Said(text) => vec![Event::AssistantText {
                session: id(),
                text,
            }],
            Native::Planned(todos, call) => {
                let todos = Event::Todos {
                    session: id(),
                    todos,
                };
                let call = Event::Tool {
                    session: id(),
                    call,
                };
                vec![todos, call]
            }
            Native::Called(call) => vec![Event::Tool {
                session: id(),
                call,
            }],
            Native::Asked(request, by) => vec![Event::Blocked {
                session: id(),
                request,
                by,
            }],
            Native::Answered(request, rejected) => vec![Event::Unblocked {
                session: id(),
                request,
                rejected,
            }],
            Native::Rested => vec![idle()],
            Native::Failed {
                fault,
                message,
                tokens,
            } => {
                let last = assistant(
                    id(),
                    message,
                    Ending::Failed {
                        fault: fault.clone(),
                    },
                    false,
                    tokens,
                );
                let error = Event::SessionError {
                    session: id(),
                    fault,
                };
                if v1 {
                    // its message comes behind the first idle
                    return vec![(0, error), (0, idle()), (ECHO_MS, last), (0, idle())];
                }
                vec![last, error, idle()]
            }
            Native::Hushed if v1 => vec![idle()],
            // an interruption is told as one, whenever it comes
            Native::Hushed => vec![
                Event::SessionError {
                    session: id(),
                    fault: Fault::Cancelled,
                },
                idle(),
            ],
            Native::Deleted { busy } => {
                let deleted = Event::Deleted { session: id() };
                if v1 && busy {
                    let message = "FOREIGN KEY constraint failed".into();
                    let error = Event::SessionError {
                        session: id(),
                        fault: Fault::AgentFailed { message },
                    };
                    return vec![(0, deleted), (20, error), (0, idle()), (ECHO_MS, idle())];
                }
                vec![deleted]
            }
            // what version 2 does not tell
            _ if !v1 => Vec::new(),
            Native::Retried {
                attempt,
                retry_after_ms,
            } => vec![Event::Retrying {
                session: id(),
                attempt,
                message: "429 too many requests".into(),
                retry_after_ms,
            }],
            Native::AskedAgain => vec![Event::Busy { session: id() }],
            Native::FirstOutput => vec![Event::FirstOutput { session: id() }],
            Native::Overflowed => vec![Event::SessionError {
                session: id(),
                fault: Fault::ContextOverflow,
            }],
            Native::Compacting => vec![Event::Compacting { session: id() }],
            Native::Compacted => vec![Event::Compacted { session: id() }],
            Native::Created { parent, title } => vec![Event::Child {
                parent,
                session: id(),
                title,
            }],
        };
        events.into_iter().map(|event| (0, event)).collect()
    }
}

fn assistant(
    session: SessionId,
    message: MessageId,
    ending: Ending,
    summary: bool,
    tokens: u64,
) -> Event {
    Event::Assistant {
        session,
        message,
        ending,
        summary,
        tokens,
        cost: tokens as f64 / 1_000_000.0,
    }
}

/// The model of every turn.
pub(super) fn model() -> Model {
    Model {
        provider: "Local".into(),
        model: "Scripted".into(),
    }
}
