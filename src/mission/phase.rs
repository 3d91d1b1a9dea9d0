//! The phases of a mission, the table of its transitions, and the names of the rules and reasons that `/mission`
//! shows.
//!
//! | phase | what it waits for |
//! |---|---|
//! | working | the end of the turn (`Assistant`, `Idle`, `SessionError`), or the watch timer |
//! | reading | the reply to a lookup, or the retry timer of a failed one |
//! | checking | the reply to the completion command |
//! | held | the gate that is named: an answer, the children, the end of a compaction |
//! | settling | the settle timer |
//! | prompting | the reply to the prompt, or the retry timer of a failed one |
//! | backing off | the back-off timer |
//! | paused | the person |
//! | suspended | the person, after a restart |
//! | ended | nothing |

use crate::json::read_variants;
use crate::time::spoken;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a mission is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    Working,
    Reading,
    Checking,
    Held,
    Settling,
    Prompting,
    BackingOff,
    Paused,
    Suspended,
    Ended,
}

use Phase::{
    BackingOff, Checking, Ended, Held, Paused, Prompting, Reading, Settling, Suspended, Working,
};

/// Every transition a mission may take. A person's message leads to `Working` and `/stop`, a ceiling or a deleted
/// session to `Ended` from anywhere; a restart leads to `Suspended` from anywhere. Those are not repeated here.
pub const TABLE: &[(Phase, &[Phase])] = &[
    (
        Working,
        &[
            Reading, Checking, Held, Settling, Prompting, BackingOff, Paused,
        ],
    ),
    (
        Reading,
        &[Checking, Held, Settling, Prompting, BackingOff, Paused],
    ),
    (Checking, &[Held, Settling, Prompting, Paused]),
    (Held, &[Reading, Checking, Settling, Prompting, Paused]),
    (Settling, &[Held, Prompting, Paused]),
    (
        Prompting,
        &[Reading, Checking, Held, Settling, BackingOff, Paused],
    ),
    (BackingOff, &[Held, Prompting, Paused]),
    (Paused, &[Reading]),
    (Suspended, &[Reading]),
    (Ended, &[]),
];

/// Whether the table, or one of the three rules that hold everywhere, allows the step.
#[must_use]
pub fn allowed(from: Phase, to: Phase) -> bool {
    from != Ended
        && (matches!(to, Working | Ended | Suspended)
            || TABLE
                .iter()
                .any(|(phase, next)| *phase == from && next.contains(&to)))
}

impl Phase {
    /// The phase in words, for `/mission`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Working => "working",
            Reading => "reading the todo list",
            Checking => "running the completion command",
            Held => "waiting",
            Settling => "about to continue",
            Prompting => "continuing",
            BackingOff => "waiting for the provider",
            Paused => "paused",
            Suspended => "interrupted by a restart",
            Ended => "ended",
        }
    }

    /// Whether the mission goes on by itself, without the person.
    #[must_use]
    pub fn is_active(self) -> bool {
        !matches!(self, Paused | Suspended | Ended)
    }
}

/// Why a mission ended. Shown to the user as it is displayed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum StopReason {
    /// All todos are completed or cancelled, and the completion command, if any, passed.
    Complete {
        finished: u32,
    },
    /// The agent answered twice without a todo list.
    NoTodos,
    Stagnant {
        turns: u32,
        evidence: String,
    },
    NoProgress {
        continuations: u32,
    },
    Iterations {
        limit: u32,
    },
    Minutes {
        limit: u32,
    },
    Tokens {
        #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number"))]
        limit: u64,
    },
    Cost {
        limit: f64,
    },
    StoppedByUser,
    /// Another `/task` took the session over.
    Replaced,
    SessionDeleted,
    ProviderRefused {
        message: String,
    },
    ProviderDown {
        attempts: u32,
        message: String,
    },
    HostFailed {
        message: String,
    },
    Trapped {
        message: String,
    },
}

read_variants!(StopReason {
    "complete" => Complete { finished },
    "noTodos" => NoTodos,
    "stagnant" => Stagnant { turns, evidence },
    "noProgress" => NoProgress { continuations },
    "iterations" => Iterations { limit },
    "minutes" => Minutes { limit },
    "tokens" => Tokens { limit },
    "cost" => Cost { limit },
    "stoppedByUser" => StoppedByUser,
    "replaced" => Replaced,
    "sessionDeleted" => SessionDeleted,
    "providerRefused" => ProviderRefused { message },
    "providerDown" => ProviderDown { attempts, message },
    "hostFailed" => HostFailed { message },
    "trapped" => Trapped { message },
});

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete { finished } => write!(f, "complete: all {finished} todos are done"),
            Self::NoTodos => write!(
                f,
                "ended without a plan: the agent answered twice without todos"
            ),
            Self::Stagnant { turns, evidence } => {
                write!(f, "stopped: no progress in {turns} turns ({evidence})")
            }
            Self::NoProgress { continuations } => {
                write!(
                    f,
                    "stopped: {continuations} continuations without a newly finished todo (mission.maxWithoutProgress)"
                )
            }
            Self::Iterations { limit } => write!(
                f,
                "stopped: {limit} continuations used (mission.maxIterations)"
            ),
            Self::Minutes { limit } => {
                write!(
                    f,
                    "stopped: {} of active time used (mission.maxMinutes)",
                    spoken(u64::from(*limit) * 60_000)
                )
            }
            Self::Tokens { limit } => write!(f, "stopped: {limit} tokens used (mission.maxTokens)"),
            Self::Cost { limit } => {
                write!(f, "stopped: {limit} US dollars spent (mission.maxCostUsd)")
            }
            Self::StoppedByUser => write!(f, "stopped by you"),
            Self::Replaced => write!(f, "replaced by a new /task"),
            Self::SessionDeleted => write!(f, "ended: its session was deleted"),
            Self::ProviderRefused { message } => write!(f, "stopped: {message}"),
            Self::ProviderDown { attempts, message } => {
                write!(f, "stopped after {attempts} failed turns: {message}")
            }
            Self::HostFailed { message } => {
                write!(f, "stopped: OpenCode did not do what was asked: {message}")
            }
            Self::Trapped { message } => write!(
                f,
                "stopped: the orchestrator failed twice at the same event: {message}"
            ),
        }
    }
}

impl StopReason {
    /// Whether the mission reached its goal.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Complete { .. })
    }
}

/// The rule that made a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    Start,
    Resume,
    PersonSpoke,
    StrongProgress,
    WeakProgress,
    Stagnant,
    Pivot,
    AskForPlan,
    CheckFailed,
    CheckPassed,
    AllDone,
    Gate,
    GateOpened,
    TasksEnded,
    Settle,
    Ceiling,
    UserAbort,
    UserRejected,
    UserStop,
    ProviderFault,
    OutageOver,
    LookupFailed,
    PromptFailed,
    LostPrompt,
    LostEvent,
    Lookup,
    Compaction,
    SessionDeleted,
    Restart,
    Trap,
    Drain,
}

impl fmt::Display for Rule {
    /// The rule's name as the journal has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{from_str, to_string};

    #[test]
    fn every_reason_is_read_as_it_was_written() {
        let message = || "m".to_owned();
        for reason in [
            StopReason::Complete { finished: 1 },
            StopReason::NoTodos,
            StopReason::Stagnant {
                turns: 2,
                evidence: message(),
            },
            StopReason::NoProgress { continuations: 3 },
            StopReason::Iterations { limit: 4 },
            StopReason::Minutes { limit: 5 },
            StopReason::Tokens { limit: 6 },
            StopReason::Cost { limit: 0.7 },
            StopReason::StoppedByUser,
            StopReason::Replaced,
            StopReason::SessionDeleted,
            StopReason::ProviderRefused { message: message() },
            StopReason::ProviderDown {
                attempts: 8,
                message: message(),
            },
            StopReason::HostFailed { message: message() },
            StopReason::Trapped { message: message() },
        ] {
            let text = to_string(&reason).expect("JSON");
            assert_eq!(from_str::<StopReason>(&text).expect("itself"), reason);
        }
    }
}
