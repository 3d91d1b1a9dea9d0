//! A pattern, compiled as ripgrep does it, with what its automata and the index need to know of it.

use super::super::cache::grams::Need;
use super::super::limits::{DFA_BYTES, PATTERN_BYTES};
use super::prefilter::Prefilter;
use super::query::Query;
use grep_matcher::{ByteSet, LineMatchKind, LineTerminator, Match, Matcher, NoCaptures, NoError};
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use regex_syntax::ast::ErrorKind;
use regex_syntax::{Error, ParserBuilder};

/// A pattern that can be searched for.
pub struct Pattern {
    matcher: RegexMatcher,
    /// What a file's index must have.
    pub need: Need,
    /// What a line must have; only where lines are searched one by one.
    prefilter: Option<Prefilter>,
}

/// ripgrep's matcher, but for how it finds lines that may match.
impl Matcher for Pattern {
    type Captures = NoCaptures;
    type Error = NoError;

    fn find_at(&self, text: &[u8], at: usize) -> Result<Option<Match>, NoError> {
        self.matcher.find_at(text, at)
    }

    fn new_captures(&self) -> Result<NoCaptures, NoError> {
        Ok(NoCaptures::new())
    }

    fn shortest_match_at(&self, text: &[u8], at: usize) -> Result<Option<usize>, NoError> {
        self.matcher.shortest_match_at(text, at)
    }

    fn non_matching_bytes(&self) -> Option<&ByteSet> {
        self.matcher.non_matching_bytes()
    }

    fn line_terminator(&self) -> Option<LineTerminator> {
        self.matcher.line_terminator()
    }

    fn find_candidate_line(&self, text: &[u8]) -> Result<Option<LineMatchKind>, NoError> {
        match &self.prefilter {
            Some(prefilter) => Ok(prefilter.find(text).map(LineMatchKind::Candidate)),
            None => self.matcher.find_candidate_line(text),
        }
    }
}

impl Pattern {
    /// # Errors
    /// Where the pattern is wrong and what to write instead, in words for the model.
    pub fn new(query: &Query) -> Result<Self, String> {
        let source = if query.literal {
            regex_syntax::escape(&query.pattern)
        } else {
            query.pattern.clone()
        };
        if !query.multiline && query.literal && query.pattern.contains('\n') {
            return Err(needs_multiline());
        }
        let hir = ParserBuilder::new()
            .case_insensitive(query.ignore_case)
            .multi_line(true)
            .utf8(false)
            .build()
            .parse(&source)
            .map_err(|error| explain(&query.pattern, &error))?;
        let mut builder = RegexMatcherBuilder::new();
        builder
            .case_insensitive(query.ignore_case)
            .multi_line(true)
            .unicode(true)
            .octal(false)
            .word(query.word)
            .fixed_strings(query.literal)
            .size_limit(PATTERN_BYTES)
            .dfa_size_limit(DFA_BYTES);
        if !query.multiline {
            builder.line_terminator(Some(b'\n'));
        }
        let matcher = builder.build(&query.pattern).map_err(|error| {
            let text = error.to_string();
            if text.contains("is not allowed in a regex") {
                needs_multiline()
            } else if text.contains("size limit") {
                format!(
                    "The pattern is too large when compiled (over {} MB): repeat less, such as {{1,100}} of a class, or search for a part of it.",
                    PATTERN_BYTES >> 20
                )
            } else {
                format!("The pattern can't be compiled: {text}.")
            }
        })?;
        Ok(Self {
            matcher,
            need: Need::of(&hir),
            prefilter: if query.multiline {
                None
            } else {
                Prefilter::new(&hir, query.ignore_case)
            },
        })
    }
}

fn needs_multiline() -> String {
    "The pattern has a line break in it, and lines are searched one by one: pass multiline: true, or search for one line of it.".to_owned()
}

/// Where the pattern is wrong and what to write instead.
fn explain(pattern: &str, error: &Error) -> String {
    let (what, at, hint) = match error {
        Error::Parse(error) => {
            let hint = match error.kind() {
                ErrorKind::UnsupportedLookAround => {
                    "Look-around is not supported: search for what surrounds it as well, and look at the lines found."
                        .to_owned()
                }
                ErrorKind::UnsupportedBackreference => {
                    "Back-references are not supported: write the repeated text out, or use `\\w+`."
                        .to_owned()
                }
                _ => as_text(pattern),
            };
            (error.kind().to_string(), error.span().start.offset, hint)
        }
        Error::Translate(error) => (
            error.kind().to_string(),
            error.span().start.offset,
            as_text(pattern),
        ),
        other => return format!("The pattern is no regular expression: {other}."),
    };
    let column = pattern
        .get(..at)
        .map_or(at, |before| before.chars().count());
    let rest = pattern.get(at..).unwrap_or_default();
    let shown: String = rest.chars().take(12).collect();
    format!(
        "The pattern is no regular expression: {what}, at character {} (`{shown}`). {hint}",
        column + 1
    )
}

fn as_text(pattern: &str) -> String {
    format!(
        "To search for it as plain text pass literal: true, or write `{}`.",
        regex_syntax::escape(pattern)
    )
}
