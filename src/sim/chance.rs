//! Everything that is drawn, from one seed. Each kind of draw has its own sequence, so that taking one disturbance out
//! of a run leaves the other draws as they were: that is what makes a failing run shrink.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a draw is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    Scenario,
    Person,
    Agent,
    Child,
    Provider,
    HostTime,
    // the disturbances
    LoseEvent,
    DoubleEvent,
    LoseReply,
    DoubleReply,
    LateReply,
    FailRequest,
    Malformed,
    LostTurn,
    /// The person presses Esc at a bad moment.
    Esc,
    /// A sub-agent's session is gone just when it is needed.
    Vanish,
    Crash,
    Trap,
    /// The fresh instance traps too.
    TrapAgain,
}

/// How many kinds there are.
const KINDS: usize = Kind::TrapAgain as usize + 1;

/// The disturbances, in the order of [`Kind`].
pub const DISTURBANCES: [Kind; 13] = [
    Kind::LoseEvent,
    Kind::DoubleEvent,
    Kind::LoseReply,
    Kind::DoubleReply,
    Kind::LateReply,
    Kind::FailRequest,
    Kind::Malformed,
    Kind::LostTurn,
    Kind::Esc,
    Kind::Vanish,
    Kind::Crash,
    Kind::Trap,
    Kind::TrapAgain,
];

/// One disturbance of a run: the `n`th draw of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Strike {
    pub kind: Kind,
    pub n: u32,
}

/// The dice of one run.
#[derive(Clone, Debug)]
pub struct Chance {
    seed: u64,
    counts: [u32; KINDS],
    /// Only these disturbances happen; all that are drawn when absent.
    kept: Option<BTreeSet<Strike>>,
    /// Those that happened.
    pub struck: Vec<Strike>,
}

impl Chance {
    #[must_use]
    pub fn new(seed: u64, kept: Option<BTreeSet<Strike>>) -> Self {
        Self {
            seed,
            counts: [0; KINDS],
            kept,
            struck: Vec::new(),
        }
    }

    fn next(&mut self, kind: Kind) -> (u32, u64) {
        let count = &mut self.counts[kind as usize];
        let n = *count;
        *count += 1;
        let place = ((kind as u64) << 40) | u64::from(n);
        let first = crate::policy::split_mix(self.seed ^ 0x5DEE_CE66_D1CE_4E5B);
        (
            n,
            crate::policy::split_mix(first ^ place.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        )
    }

    pub fn draw(&mut self, kind: Kind) -> u64 {
        self.next(kind).1
    }

    /// A number from `from` to below `to`; `from` when there is none.
    pub fn within(&mut self, kind: Kind, (from, to): (u64, u64)) -> u64 {
        from + self.draw(kind) % to.saturating_sub(from).max(1)
    }

    pub fn percent(&mut self, kind: Kind, percent: u32) -> bool {
        self.draw(kind) % 100 < u64::from(percent)
    }

    /// One of `from`, which has some.
    pub fn pick<T: Copy>(&mut self, kind: Kind, from: &[T]) -> T {
        from[(self.draw(kind) % from.len() as u64) as usize]
    }

    /// Whether a disturbance happens, which it does `per_mille` times in a thousand.
    pub fn strikes(&mut self, kind: Kind, per_mille: u32) -> bool {
        let (n, drawn) = self.next(kind);
        let strike = Strike { kind, n };
        let happens = drawn % 1_000 < u64::from(per_mille)
            && self.kept.as_ref().is_none_or(|kept| kept.contains(&strike));
        if happens {
            super::coverage::fault(kind);
            self.struck.push(strike);
        }
        happens
    }
}
