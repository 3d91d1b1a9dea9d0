//! Typed identifiers. Strings are minted by OpenCode, numbers by the core.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! host_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
        #[serde(transparent)]
        pub struct $name(pub String);

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
    /// A timer of a mission, unique within it.
    TimerId
);

/// Bits of an [`EffectId`] that number the requests of one mission.
const SEQUENCE_BITS: u32 = 20;

impl EffectId {
    /// Packs the mission's low 12 bits above a 20-bit sequence number. A mission numbers its own requests, so its
    /// journal replays to the same ids whatever other missions run beside it. The sequence wraps after a million
    /// requests, when the earlier ones have long been answered.
    #[must_use]
    pub fn new(mission: MissionId, sequence: u32) -> Self {
        Self((mission.0 << SEQUENCE_BITS) | (sequence & ((1 << SEQUENCE_BITS) - 1)))
    }

    /// Whether a request with this id can belong to `mission`.
    #[must_use]
    pub fn belongs_to(self, mission: MissionId) -> bool {
        self.0 >> SEQUENCE_BITS == mission.0 & ((1 << (32 - SEQUENCE_BITS)) - 1)
    }
}
