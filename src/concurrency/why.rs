//! Why a limit is what it is, as `/mission` says it.

use crate::policy::concurrency as tuned;
use crate::time::spoken;
use std::fmt;

/// What moved a limit last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Start,
    Trying,
    Accepted,
    /// `level` launches were in flight.
    Refused {
        level: u32,
    },
    /// So many probes failed.
    Broken {
        tries: u32,
    },
    /// `peak` is the highest limit that worked before.
    Recovered {
        peak: u32,
    },
    /// Answers took longer by so much.
    Slower {
        percent: u32,
    },
    NotOurs,
    Knee,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken { tries: 0 } => {
                f.write_str("everything in flight failed; one probe goes first")
            }
            Self::Broken { tries } => write!(
                f,
                "{tries} failed {} in a row; the longest wait between two is {}",
                if *tries == 1 { "probe" } else { "probes" },
                spoken(tuned::BREAKER_CAP_MS)
            ),
            Self::Start => f.write_str("starting low: nothing is known of the provider yet"),
            Self::Trying => f.write_str("trying whether the provider takes more"),
            Self::Accepted => f.write_str("the last raise was accepted"),
            Self::Refused { level } => write!(f, "the provider refused {level} at a time"),
            Self::Recovered { peak } => write!(f, "back after an outage, from half of {peak}"),
            Self::Slower { percent } => write!(
                f,
                "cut: answers took some {percent} % longer than with fewer in flight"
            ),
            Self::Knee => f.write_str("looking where answers begin to slow"),
            Self::NotOurs => f.write_str("answers are slower, but not because of the load"),
        }
    }
}
