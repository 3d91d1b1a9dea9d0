//! What a request reads, and how it tells of files that it could not take.

use super::language::Lang;
use super::limits::MAX_FILE_BYTES;
use super::parse::ParseFault;
use crate::code::files::{Files, read_whole};
use crate::code::show::path as shown;
use crate::code::walk::Unreadable;
use std::collections::BTreeMap;
use std::fmt::Write;

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

    /// What a walk could not look at.
    pub fn note_unreadable(&mut self, unreadable: &Unreadable) {
        for name in &unreadable.names {
            self.note_why(&shown(name), "it could not be read".to_owned());
        }
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
pub fn language_of(files: &dyn Files, path: &str) -> Option<Lang> {
    Lang::of_file(path, || {
        let mut head = [0; FIRST_LINE_BYTES];
        let length = files.read(path.as_bytes(), 0, &mut head).ok()?;
        let head = head[..length].strip_prefix(b"#!")?;
        let text = String::from_utf8_lossy(head);
        text.lines().next().map(|line| format!("#!{line}"))
    })
}

/// A `#!` line is shorter. Bytes.
const FIRST_LINE_BYTES: usize = 256;

/// Reads a file to the start of `buffer`, which is never cut. Gives its length.
///
/// # Errors
/// In words: it is too large, or can't be read.
pub fn read(files: &dyn Files, path: &str, buffer: &mut Vec<u8>) -> Result<usize, String> {
    let read = read_whole(files, path.as_bytes(), buffer, MAX_FILE_BYTES);
    if let Some(length) = read.map_err(|error| error.to_string())? {
        return Ok(length);
    }
    let size = files.stat(path.as_bytes()).map_or(0, |stat| stat.size);
    Err(ParseFault::TooLarge(size as usize).to_string())
}

/// `1 match`, `2 matches`.
#[must_use]
pub fn count(number: usize, thing: &str) -> String {
    let many = if thing.ends_with("ch") {
        format!("{thing}es")
    } else {
        format!("{thing}s")
    };
    crate::code::show::count(number as u64, thing, &many)
}
