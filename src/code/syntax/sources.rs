//! Where the parsing tools get their files from, and how they tell of those that they could not take.

use super::language::Lang;
use super::parse::ParseFault;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A tree of files, confined and without what is ignored. Paths have `/` and are relative to the tree's root.
pub trait Sources {
    /// The files at or below `path` (`""`: all) that the globs admit (none: all), sorted.
    ///
    /// # Errors
    /// In words for the caller, when there is no such path or a glob is broken.
    fn select(&self, path: &str, globs: &[String]) -> Result<Vec<String>, String>;

    /// Reads a file whole, up to `limit` bytes; more than that may be cut off at any length above it.
    ///
    /// # Errors
    /// In words.
    fn read(&self, path: &str, limit: usize, buffer: &mut Vec<u8>) -> Result<(), String>;
}

/// Files that were not taken, by the reason.
#[derive(Default)]
pub struct Skipped {
    by_reason: BTreeMap<String, Vec<String>>,
}

impl Skipped {
    /// Takes note of a file; binary ones are no news.
    pub fn note(&mut self, path: &str, fault: &ParseFault) {
        if !matches!(fault, ParseFault::Binary) {
            self.note_why(path, fault.to_string());
        }
    }

    pub fn note_why(&mut self, path: &str, why: String) {
        self.by_reason.entry(why).or_default().push(path.to_owned());
    }

    /// A line for each reason, or nothing.
    #[must_use]
    pub fn lines(&self) -> String {
        const NAMED: usize = 5;
        let mut text = String::new();
        for (why, paths) in &self.by_reason {
            let named = paths
                .iter()
                .take(NAMED)
                .cloned()
                .collect::<Vec<_>>()
                .join(", ");
            let more = match paths.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let _ = writeln!(text, "not parsed: {named}{more} ({why})");
        }
        text
    }
}

/// The language of a file of the tree, from its name or its first bytes.
pub fn language_of(sources: &dyn Sources, path: &str) -> Option<Lang> {
    Lang::of_file(path, || {
        let mut head = Vec::new();
        sources.read(path, FIRST_LINE_BYTES, &mut head).ok()?;
        if !head.starts_with(b"#!") {
            return None;
        }
        head.truncate(FIRST_LINE_BYTES);
        let text = String::from_utf8_lossy(&head).into_owned();
        text.lines().next().map(str::to_owned)
    })
}

/// A `#!` line is shorter. Bytes.
const FIRST_LINE_BYTES: usize = 256;

/// `n thing` or `n things`.
#[must_use]
pub fn count(n: usize, thing: &str) -> String {
    let plural = match thing.strip_suffix("ch") {
        Some(_) => "es",
        None => "s",
    };
    format!("{n} {thing}{}", if n == 1 { "" } else { plural })
}
