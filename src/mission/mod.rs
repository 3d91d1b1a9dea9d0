//! One mission: the loop from `/task` to a stated end.
//!
//! [`controller`] reacts to events, [`decide`] chooses what follows a turn, [`phase`] has the table; [`progress`],
//! [`stagnation`] and [`budget`] hold the facts they decide by.

mod budget;
mod controller;
mod decide;
mod phase;
mod progress;
mod stagnation;

pub use budget::Budget;
pub(crate) use controller::{Context, session_of};
pub use controller::{Decision, Mission, Waiting};
pub use phase::{Phase, Rule, StopReason, TABLE, allowed};
pub use progress::{Class, Progress, finished};
pub use stagnation::{Detectors, Evidence};
