//! The JavaScript edge, the only code that knows JavaScript. Each artefact of pkg/ has the classes of its feature.
//!
//! | feature | file | what it is |
//! |---|---|---|
//! | `engine` | `orchestrator`, `host`, `driver` | missions: [`host`] is what the module may call, [`Orchestrator`] is what JavaScript may call, [`driver`] is the loop between them: events are queued, the engine is borrowed for one event only, and its effects are all started before the next |
//! | `theatre` | `theatre` | the playground: simulated missions to look at, in no module of pkg/ |
//! | `code` | `code` | the code tools: the imported `Files`, and `Code`, which serves requests |
//! | `syntax-base` | `syntax` | parsing |

#![allow(
    clippy::must_use_candidate,
    clippy::missing_errors_doc,
    clippy::needless_pass_by_value,
    reason = "called from JavaScript; each method says what it throws"
)]

#[cfg(feature = "code")]
mod code;
#[cfg(feature = "engine")]
mod driver;
#[cfg(feature = "engine")]
mod host;
#[cfg(feature = "engine")]
mod orchestrator;
#[cfg(feature = "syntax-base")]
mod syntax;

#[cfg(feature = "theatre")]
mod theatre;

/// The code tools keep the standard library's: they have few blocks, and large ones.
#[cfg(all(target_arch = "wasm32", feature = "engine"))]
#[global_allocator]
static MEMORY: crate::memory::SmallBlocks = crate::memory::SmallBlocks::new();

#[cfg(feature = "engine")]
pub use orchestrator::{Orchestrator, replay};
#[cfg(feature = "theatre")]
pub use theatre::{Recording, Theatre};
