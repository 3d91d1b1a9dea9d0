//! OpenCode Orchestrator: missions for OpenCode as a deterministic state machine in WebAssembly.
//!
//! ```text
//!   OpenCode ──hooks, events──▶ host/ (TypeScript) ──▶ wasm/ ──Event──▶ engine ──▶ mission ◀──events──▶ exec ◀──▶ concurrency
//!       ▲                                                                              │                  │
//!       └──── session and todo I/O ◀── imported callbacks ◀── wasm/ ◀──Vec<Effect>─────┴──────────────────┘
//! ```
//!
//! Invariants, held by tests:
//!
//! 1. One door: all orchestration state changes in [`engine::Engine::handle`], which is synchronous and does no I/O.
//! 2. The core never reads a clock, random numbers or the environment: `now` is an argument, the seed is in the policy.
//! 3. Every effect is drained before the next event. No imported callback runs while the engine is borrowed.
//! 4. Every request carries an id made by the core; a late, duplicate or stale reply is a no-op.
//! 5. Timers are data. The host owns one alarm. Every timer and session has an owner, and goes with it.
//! 6. Malformed input from the host or the model is an error value with a clear message, never a panic.
//! 7. The same journal gives byte-identical effects natively, in Node, in Bun and in a browser.
//! 8. `wasm` is the only place that knows JavaScript; `host/` is the only place that knows OpenCode.
//! 9. The imported `Host` and `Files` callbacks are the modules' whole authority.
//!
//! | module | what it is for |
//! |---|---|
//! | [`engine`] | routing: event in, effects out |
//! | [`event`], [`effect`], [`fault`], [`id`], [`time`] | the vocabulary |
//! | [`policy`] | every tuning number; the user's options |
//! | [`mission`] | the mission loop: state machine, progress, stagnation, budget |
//! | [`resource`] | who owns which session and timer |
//! | [`exec`] | delegation: tasks, their sessions and results |
//! | [`concurrency`] | how many sub-agents may work at a time: waiters, leases, limits that learn |
//! | [`prompt`] | every text that goes to the model |
//! | `code` | code tools over the `Files` callbacks, in modules of their own (features) |
//! | [`journal`] | record and replay |
//! | [`view`] | `/mission` and other displays |
//! | [`json`], [`sorted`] | JSON read and written, and maps, in little code: a host compiles all of it before the first event |
//! | [`memory`] | the engine's allocator |
//! | `wasm` | the JavaScript edge |

#![deny(unsafe_code)]
#![warn(clippy::pedantic)]
#![allow(
    clippy::match_same_arms,
    clippy::module_name_repetitions,
    clippy::missing_panics_doc,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::collapsible_match,
    clippy::redundant_closure_for_method_calls,
    clippy::semicolon_if_nothing_returned,
    clippy::too_many_lines,
    clippy::struct_excessive_bools
)]

#[cfg(feature = "code")]
pub mod code;
/// Whether a bug is planted for the simulator to find (see `sim::planted`): never, in what people install.
#[cfg(feature = "sim")]
macro_rules! planted {
    ($bug:ident) => {
        $crate::sim::planted::is($crate::sim::planted::Bug::$bug)
    };
}
#[cfg(not(feature = "sim"))]
macro_rules! planted {
    ($bug:ident) => {
        false
    };
}

pub mod concurrency;
pub mod effect;
pub mod engine;
pub mod event;
pub mod exec;
pub mod fault;
pub mod id;
pub mod journal;
pub mod json;
pub mod memory;
pub mod mission;
pub mod policy;
pub mod prompt;
mod recent;
pub mod resource;
#[cfg(feature = "sim")]
pub mod sim;
pub mod sorted;
pub mod time;
pub mod view;

#[cfg(target_arch = "wasm32")]
pub mod wasm;

#[cfg(all(test, not(target_arch = "wasm32")))]
mod contract;
