//! Code tools over the imported file access: text search, finding files, and (feature `syntax`) parsing.
//!
//! Everything a user sees is decided here: arguments, limits, order, texts. The host only reads files and carries
//! requests; see [`service`].
//!
//! | module | what it is for |
//! |---|---|
//! | [`service`] | requests, done in steps |
//! | [`args`] | arguments as models write them |
//! | [`files`] | file access: the trait, and a tree in memory |
//! | [`limits`] | every tuning number, with its reason |
//! | [`order`] | sorting |
//! | [`walk`] | which files of a tree count, in which order: ignore rules, globs, confinement |
//! | [`cache`] | index and contents of files that were read before, within a memory limit |
//! | [`text`] | `code_search` |
//! | [`find`] | `find_files` |
//! | `syntax` | parsing, in modules of their own |

pub mod args;
pub mod cache;
pub mod files;
pub mod find;
pub mod limits;
pub mod order;
pub mod service;
pub mod show;
#[cfg(feature = "syntax-base")]
pub mod syntax;
pub mod text;
pub mod walk;

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
