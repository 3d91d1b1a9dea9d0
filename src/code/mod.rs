//! Code tools over the imported file access: text search, finding files, and (feature `syntax`) parsing.
//!
//! Everything a user sees is decided here: arguments, limits, order, texts. The host only reads files and carries
//! requests; see [`service`].
//!
//! | module | what it is for |
//! |---|---|
//! | [`files`] | file access: the trait, and a tree in memory |
//! | [`limits`] | every tuning number, with its reason |
//! | [`walk`] | which files of a tree count, in which order: ignore rules, globs, confinement |
//! | [`text`] | `code_search` |
//! | [`find`] | `find_files` |

pub mod files;
pub mod service;
#[cfg(feature = "syntax-base")]
pub mod syntax;
