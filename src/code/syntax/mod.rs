//! Parsing: `ast_search`, `ast_rewrite`, `code_outline` and `code_diagnostics` over tree-sitter's grammars and ast-grep's
//! patterns.
//!
//! Several modules are built of this code, with different grammars linked. A request over files of many languages is
//! answered by one after another ([`module`]).
//!
//! | module | what it is for |
//! |---|---|
//! | [`module`] | who answers what |
//! | [`language`] | languages, how files are recognised, their grammars |
//! | [`parse`], [`cache`], [`text`] | trees in bounded time and memory |
//! | [`walk`] | past what is not wanted of them |
//! | [`matcher`], [`rule`], [`prefilter`] | patterns, rules, and which files can hold matches |
//! | [`search`], [`rewrite`], [`template`] | matches, edits |
//! | [`tags`], [`plain`], [`marks`], [`symbols`], [`outline`] | definitions and references |
//! | [`nodes`] | a file's tree, to be looked at |
//! | [`diagnose`], [`check`] | what is broken |
//! | [`job`], [`task`], [`sources`] | requests: arguments, slices, files |
//! | [`limits`] | every tuning number |

pub mod cache;
pub mod check;
pub mod diagnose;
pub mod job;
pub mod kinds;
pub mod language;
pub mod limits;
pub mod marks;
pub mod matcher;
pub mod module;
pub mod nodes;
pub mod outline;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod pages;
pub mod parse;
pub mod plain;
pub mod prefilter;
pub mod rewrite;
pub mod rule;
pub mod search;
pub mod sources;
pub mod steps;
pub mod symbols;
pub mod tags;
pub mod task;
pub mod template;
pub mod text;
pub mod walk;

use cache::Trees;
use language::Lang;
use matcher::QueryFault;
use module::Elsewhere;
use parse::{Clock, ParseFault};
use serde::Serialize;
use serde_json::Value;
use symbols::Tagger;
use thiserror::Error;

/// Why a request has no answer: words for the model.
#[derive(Debug, Error)]
pub enum Fault {
    #[error("{0}")]
    Call(String),
    #[error(transparent)]
    Query(#[from] QueryFault),
    #[error(transparent)]
    Parse(#[from] ParseFault),
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self::Call(message)
    }
}

/// What a request gives.
#[derive(Debug, Default, Serialize)]
pub struct Answer {
    /// For the model.
    pub text: String,
    /// Another module has to go on with the same request, and this as its `partial`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Elsewhere>,
    /// For the program that asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl Answer {
    fn text(text: String) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }

    fn data(data: Value) -> Self {
        Self {
            data: Some(data),
            ..Self::default()
        }
    }
}

impl From<Elsewhere> for Answer {
    fn from(elsewhere: Elsewhere) -> Self {
        Self {
            elsewhere: Some(elsewhere),
            ..Self::default()
        }
    }
}

/// The parsing tools, with the trees and queries that they keep between requests.
#[derive(Default)]
pub struct Syntax {
    trees: Trees,
    tagger: Tagger,
}

impl Syntax {
    /// With trees of at most `bytes` in memory.
    #[must_use]
    pub fn new(bytes: usize, clock: Clock) -> Self {
        Self {
            trees: Trees::new(bytes, clock),
            ..Self::default()
        }
    }

    /// The tree of a text as an S-expression: for tests.
    ///
    /// # Errors
    /// When it can't be parsed.
    pub fn tree_of(&mut self, lang: Lang, text: &str) -> Result<String, ParseFault> {
        let parsed = self.trees.parsed("", lang, text.as_bytes())?;
        Ok(parsed.tree().root_node().to_sexp())
    }

    /// Parses a text and gives whether it has errors: for tests and for other programs.
    ///
    /// # Errors
    /// When it can't be parsed.
    pub fn has_errors(&mut self, lang: Lang, text: &str) -> Result<bool, ParseFault> {
        let parsed = self.trees.parsed("", lang, text.as_bytes())?;
        Ok(parsed.tree().root_node().has_error())
    }
}

#[cfg(all(
    test,
    feature = "lang-json",
    feature = "lang-python",
    feature = "lang-rust",
    feature = "lang-toml",
    feature = "lang-typescript",
    feature = "lang-yaml"
))]
mod tests;
