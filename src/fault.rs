//! What can go wrong outside the core, sorted by what to do about it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A failure reported by the host. The first three are backpressure: the provider needs time. The others are not, and
/// must never slow the provider's limits down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Fault {
    /// The provider asked for less; `retry_after_ms` when it said how long.
    #[error("rate limited by the provider: {message}")]
    RateLimited {
        #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number | null"))]
        retry_after_ms: Option<u64>,
        message: String,
    },
    /// The provider or the network failed.
    #[error("provider unavailable: {message}")]
    Unavailable { message: String },
    #[error("timed out: {message}")]
    Timeout { message: String },
    /// The session is gone.
    #[error("session lost: {message}")]
    SessionLost { message: String },
    /// The turn failed for a reason of its own (a malformed answer, an internal error).
    #[error("turn failed: {message}")]
    AgentFailed { message: String },
    /// The provider or the host refused and will refuse again (bad key, bad request).
    #[error("refused: {message}")]
    Refused { message: String },
    /// The history did not fit; the host compacts it and replays the turn.
    #[error("context overflow")]
    ContextOverflow,
    /// The person aborted.
    #[error("aborted by the user")]
    Cancelled,
}

impl Fault {
    /// Whether waiting is the cure.
    #[must_use]
    pub fn is_backpressure(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. } | Self::Unavailable { .. } | Self::Timeout { .. }
        )
    }
}
