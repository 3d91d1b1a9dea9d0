//! How many sub-agents may work at a time: the `AdaptiveConcurrencyController`.
//!
//! ```text
//!   ask ──▶ lanes (key, agent; FIFO) ──grant──▶ leases ──first output, fault, release──▶ Limiter of the key
//!             ▲                                                                              │
//!             └────────────────────────── room? when next? ◀─────────────────────────────────┘
//! ```
//!
//! [`controller`] holds the waiters and the leases and applies the configured ceilings: global, per key, per agent.
//! A [`limiter::Limiter`] learns one key's limit below its ceiling. Nothing here knows of missions, sessions or clocks.

pub mod adaptive;
pub mod aimd;
pub mod controller;
pub mod fixed;
mod lanes;
mod latency;
pub mod limiter;
mod logarithm;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod properties;
mod why;

pub use adaptive::TABLE;
pub use controller::{AdaptiveConcurrencyController, Ask, Controller, KeyView, Ticket, Verdict};
pub use limiter::{Flight, Limiter, LimiterState};
