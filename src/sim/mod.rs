//! A hostile, deterministic world for the engine: a fake OpenCode, its provider, its agents and a person, all drawn from
//! a seed, with faults at every boundary. Not part of the shipped module; the tests, `examples/vopr.rs` and the
//! playground use it.
//!
//! ```text
//!   scenario (data) ──▶ world: a queue of happenings by (time, sequence)
//!                         │  opencode: the sessions' loops        dialect: how a host version tells of them
//!                         │  agent: what a turn does              person: Esc, words, commands, deletions
//!                         │  host: carries requests out, late, twice or not at all; the journal's files
//!                         ▼
//!                      Engine::handle ──▶ laws: checked after each event, and at the end
//! ```

mod agent;
pub mod chance;
pub mod coverage;
mod dialect;
mod host;
mod laws;
mod opencode;
mod person;
pub mod planted;
pub mod scenario;
pub mod script;
mod shrink;
pub mod theatre;
mod world;

pub use host::{effect_name, event_name};
pub use laws::Violation;
pub use scenario::{Level, Scenario};
pub use shrink::Case;
pub use world::{Disk, EPOCH, Heard, ROOT, World};
