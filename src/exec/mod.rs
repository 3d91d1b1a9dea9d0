//! Delegation: the tasks of one parent session, from the tool call to the result.
//!
//! [`UnifiedTaskExecutor`] is a state machine like [`crate::mission::Mission`]: events in, effects out. It asks the
//! limiter for slots by [`Note`]s, which the engine passes on; a grant comes back as an event, so a journal replays
//! without a limiter. [`SessionPool`] keeps the child sessions, each until it is quiet and deleted, or kept.
//!
//! Laws, held by tests: a result is never lost or changed between reads; no prompt goes to a task's session after its
//! end; every child session is released once; the parent is woken once for what it has not seen.

mod args;
mod child;
mod executor;
mod life;
mod owner;
mod pool;
mod results;
mod steps;
mod task;
mod tools;
mod turn;
mod wake;

pub(crate) use executor::Context;
pub use executor::{Note, UnifiedTaskExecutor};
pub use pool::SessionPool;
pub use task::{TABLE, Task, TaskState, allowed};
