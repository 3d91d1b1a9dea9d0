//! One mission: the loop from `/task` to a stated end.
//!
//! An event goes through `controller` to the part it concerns: `turn` (the session), `reply` (the host's answers and
//! faults) or `life` (timers, restarts, the end). `decide` chooses what follows a turn; `phase` has the table of
//! transitions, `state` the state itself; `progress`, `stagnation` and `budget` hold the facts to decide by.

mod budget;
mod controller;
mod decide;
mod life;
mod phase;
mod progress;
mod reply;
mod stagnation;
mod state;
mod turn;

pub use budget::Budget;
pub(crate) use controller::session_of;
pub use phase::{Phase, Rule, StopReason, TABLE, allowed};
pub use progress::{Class, Progress, finished};
pub use stagnation::{Detectors, Evidence};
pub(crate) use state::Context;
pub use state::{Decision, Mission, Waiting};
