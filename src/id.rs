//! Typed identifiers. Strings are minted by OpenCode, numbers by the core.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! host_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
        #[serde(transparent)]
        pub struct $name(pub String);

        /// Ids of a kind begin alike, and most differ in the last byte.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.as_bytes().last() == other.0.as_bytes().last() && self.0 == other.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self(value.to_owned())
            }
        }
    };
}

macro_rules! core_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

host_id!(
    /// An OpenCode session (`ses_…`).
    SessionId
);
host_id!(
    /// An OpenCode message (`msg_…`).
    MessageId
);
host_id!(
    /// A tool call of the model.
    CallId
);
host_id!(
    /// A permission request or a question that waits for the person.
    RequestId
);
core_id!(
    /// A mission, counted from 1 in each project: above those whose journals the host still has.
    MissionId
);
core_id!(
    /// A request to the host. See [`EffectId::new`] for its shape.
    EffectId
);
core_id!(
    /// A timer, unique within its [`crate::resource::ResourceTracker`].
    TimerId
);
core_id!(
    /// A delegated task, counted from 1 within its parent session. The model sees it as `t3`.
    TaskId
);
core_id!(
    /// The executor of one parent session's tasks, counted from 1 within the process.
    ExecutorId
);

/// Bits of an [`EffectId`] that number the requests of one owner.
const SEQUENCE_BITS: u32 = 20;
/// Set in the ids of executors' requests, clear in those of missions.
const EXECUTOR_BIT: u32 = 1 << 31;
/// Bits that name the owner, above the sequence.
const OWNER_MASK: u32 = (EXECUTOR_BIT >> SEQUENCE_BITS) - 1;

/// An id packs a bit for the kind of its owner, the owner's low 11 bits and a 20-bit sequence number. An owner numbers
/// its own requests, so its journal replays to the same ids whatever runs beside it. The sequence wraps after a million
/// requests, when the earlier ones have long been answered.
impl EffectId {
    /// The id of a mission's request.
    #[must_use]
    pub fn new(mission: MissionId, sequence: u32) -> Self {
        Self(pack(mission.0, sequence))
    }

    /// The id of an executor's request.
    #[must_use]
    pub fn of_executor(executor: ExecutorId, sequence: u32) -> Self {
        Self(EXECUTOR_BIT | pack(executor.0, sequence))
    }

    /// Whether a request with this id can belong to `mission`.
    #[must_use]
    pub fn belongs_to(self, mission: MissionId) -> bool {
        self.0 & EXECUTOR_BIT == 0 && self.owner() == mission.0 & OWNER_MASK
    }

    /// Whether a request with this id can belong to `executor`.
    #[must_use]
    pub fn belongs_to_executor(self, executor: ExecutorId) -> bool {
        self.0 & EXECUTOR_BIT != 0 && self.owner() == executor.0 & OWNER_MASK
    }

    fn owner(self) -> u32 {
        (self.0 & !EXECUTOR_BIT) >> SEQUENCE_BITS
    }
}

fn pack(owner: u32, sequence: u32) -> u32 {
    ((owner & OWNER_MASK) << SEQUENCE_BITS) | (sequence & ((1 << SEQUENCE_BITS) - 1))
}
