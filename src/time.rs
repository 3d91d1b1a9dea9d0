//! Time as the core sees it: an argument, never a clock.

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, given by the host with each event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(transparent)]
pub struct Instant(
    #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number"))] pub u64,
);

impl Instant {
    /// The instant `ms` milliseconds later.
    #[must_use]
    pub fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to `self`; 0 when `earlier` is the later one.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// `ms` as people say it: `850 ms`, `42 s`, `3 min 5 s`, `2 h 10 min`.
#[must_use]
pub fn spoken(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{seconds} s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}
