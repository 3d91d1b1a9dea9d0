//! Parsing in bounded time: by steps, which are the same on every machine, not by the clock.

use super::language::Lang;
use super::limits::{MAX_FILE_BYTES, PARSE_STEPS, PARSE_STEPS_PER_KB};
use ast_grep_core::tree_sitter::TSLanguage;
use std::collections::HashMap;
use std::ops::ControlFlow;
use thiserror::Error;
use tree_sitter::{ParseOptions, Parser, Tree};

/// Why there is no tree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseFault {
    #[error("{} MB; files above {} MB are not parsed", tenths(*.0), MAX_FILE_BYTES / 1_000_000)]
    TooLarge(usize),
    #[error("too intricate: the parser gave up")]
    TooHard,
    #[error(
        "nested deeper than {} levels, where rules are not tried",
        super::limits::RULE_DEPTH
    )]
    TooDeep,
    #[error("binary")]
    Binary,
    #[error("no grammar for {} in this module", .0.name())]
    NotLinked(Lang),
}

/// Megabytes with one digit behind the point.
fn tenths(bytes: usize) -> String {
    format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

/// One parser for each grammar.
#[derive(Default)]
pub struct Parsers {
    by_grammar: HashMap<TSLanguage, Parser>,
}

impl Parsers {
    /// Parses `text`, from the `old` tree where one is given that was told of the edits between.
    ///
    /// # Errors
    /// When the text is too large, or the parse takes too many steps.
    pub fn parse(
        &mut self,
        lang: Lang,
        text: &str,
        old: Option<&Tree>,
    ) -> Result<Tree, ParseFault> {
        let grammar = lang.grammar().ok_or(ParseFault::NotLinked(lang))?;
        if text.len() > MAX_FILE_BYTES {
            return Err(ParseFault::TooLarge(text.len()));
        }
        let parser = self.by_grammar.entry(grammar.clone()).or_default();
        if parser.language().is_none() {
            parser
                .set_language(&grammar)
                .map_err(|_| ParseFault::TooHard)?;
        }
        parser.reset(); // an abandoned parse would be resumed
        let bytes = text.as_bytes();
        let mut left = PARSE_STEPS + bytes.len() / 1_000 * PARSE_STEPS_PER_KB;
        let mut progress = |_: &tree_sitter::ParseState| {
            left = left.saturating_sub(1);
            if left == 0 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let options = ParseOptions::new().progress_callback(&mut progress);
        parser
            .parse_with_options(
                &mut |at, _| bytes.get(at..).unwrap_or_default(),
                old,
                Some(options),
            )
            .ok_or(ParseFault::TooHard)
    }
}
