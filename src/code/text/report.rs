//! The answer of a search: parts from one or more workers, put together and written for the model.

use super::super::limits::{LINES_OF_A_FILE, MAX_OUTPUT_BYTES, OUTPUT_BYTES, RANKED};
use super::super::order::sort_by;
use super::super::show::{count, path};
use super::super::walk::Unreadable;
use super::file::Line;
use super::query::{Mode, Query};
use super::rank;
use crate::json;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// A file that matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileResult {
    #[serde(with = "crate::code::show::bytes")]
    pub path: Vec<u8>,
    pub count: u64,
    /// One of the lines looks like the definition of what was searched for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub defines: bool,
    pub lines: Vec<Line>,
}

/// What could not be searched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    pub binary: u64,
    pub unreadable: Unreadable,
    /// With lines, or for a multi-line pattern as a whole, longer than memory allows.
    pub long: Unreadable,
}

/// What one worker found, its files in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub files: Vec<FileResult>,
    /// Matching lines, and files that have one; as many as were counted.
    pub lines: u64,
    pub matching: u64,
    pub searched: u64,
    pub skipped: Skipped,
    /// It stopped before the end: enough was found.
    pub stopped: bool,
}

impl Part {
    /// As text, for [`Part::from_text`].
    #[must_use]
    pub fn to_text(&self) -> String {
        json::to_string(self).unwrap_or_default()
    }

    /// # Errors
    /// When the text is no part.
    pub fn from_text(text: &str) -> Result<Self, String> {
        json::from_str(text).map_err(|error| format!("a worker's part: {error}"))
    }

    /// One part of many. The shares of a tree have no file in common.
    fn of(mut parts: Vec<Self>) -> Self {
        if let [_] = *parts
            && let Some(only) = parts.pop()
        {
            return only;
        }
        let mut whole = Self::default();
        for part in parts {
            let files = whole.join(part);
            whole.files.extend(files);
        }
        whole.sort();
        whole
    }

    /// Joins another part's numbers to its own. Gives the other's files.
    pub fn join(&mut self, part: Self) -> Vec<FileResult> {
        self.lines += part.lines;
        self.matching += part.matching;
        self.searched += part.searched;
        self.skipped.binary += part.skipped.binary;
        self.skipped.unreadable.join(part.skipped.unreadable);
        self.skipped.long.join(part.skipped.long);
        self.stopped |= part.stopped;
        part.files
    }

    /// Puts the files in the order of the walk.
    pub fn sort(&mut self) {
        sort_by(&mut self.files, rank::in_walk_order);
    }
}

/// The answer.
#[must_use]
pub fn show(query: &Query, parts: Vec<Part>) -> String {
    let mut found = Part::of(parts);
    if query.mode != Mode::Count {
        keep_reached(&mut found.files, query);
    }
    rank::rank(&mut found.files, query.mode);
    let is_long = query.mode == Mode::Lines && (found.stopped || found.lines > query.limit as u64);
    let room = if query.limit_is_given {
        MAX_OUTPUT_BYTES
    } else {
        OUTPUT_BYTES
    };
    let mut text = String::new();
    let (mut shown, mut files) = (0_u64, 0_u64);
    let mut is_cut = false;
    'files: for file in &found.files {
        if text.len() >= room || (shown >= query.limit as u64) {
            is_cut = true;
            break;
        }
        files += 1;
        let name = path(&file.path);
        match query.mode {
            Mode::Files => {
                shown += 1;
                text.push_str(&name);
                text.push('\n');
            }
            Mode::Count => {
                shown += 1;
                let _ = writeln!(text, "{name}: {}", file.count);
            }
            Mode::Lines => {
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(&name);
                text.push('\n');
                let (mut last, mut own) = (0, 0);
                for line in &file.lines {
                    if !line.context {
                        if is_long && own >= LINES_OF_A_FILE {
                            text.push_str("… more in this file\n");
                            break;
                        }
                        own += 1;
                        if shown >= query.limit as u64 || text.len() >= room {
                            is_cut = true;
                            break 'files;
                        }
                        shown += 1;
                    }
                    if query.context > 0 && last > 0 && line.number > last + 1 {
                        text.push_str("--\n");
                    }
                    last = line.number;
                    let mark = if line.context { '-' } else { ':' };
                    let _ = writeln!(text, "{}{mark} {}", line.number, line.text);
                }
            }
        }
    }
    if !text.is_empty() && query.mode == Mode::Lines {
        text.push('\n');
    }
    let total = match query.mode {
        Mode::Lines => found.lines,
        Mode::Files | Mode::Count => found.matching,
    };
    is_cut |= shown < total || found.stopped;
    text.push_str(&last_line(query, &found, (shown, files), is_cut));
    text
}

/// How many lines, or files, are looked for before the best of them are shown.
#[must_use]
pub fn reach(query: &Query) -> usize {
    query.limit.saturating_mul(RANKED)
}

/// Keeps the first of the files in the order of the walk, so that it doesn't show how many workers there are.
fn keep_reached(files: &mut Vec<FileResult>, query: &Query) {
    let mut left = reach(query) as u64;
    files.retain(|file| {
        let kept = left > 0;
        left = left.saturating_sub(match query.mode {
            Mode::Lines => file.count,
            Mode::Files | Mode::Count => 1,
        });
        kept
    });
}

fn last_line(query: &Query, found: &Part, (shown, files): (u64, u64), is_cut: bool) -> String {
    let searched = count(found.searched, "file", "files");
    let mut text = if found.matching == 0 {
        format!("No match in {searched}.")
    } else {
        let at_least = if found.stopped { "at least " } else { "" };
        match query.mode {
            Mode::Lines if is_cut => format!(
                "Shown: {} in {}, of {at_least}{} in {at_least}{}. Narrow the pattern, or pass path, globs or a limit.",
                count(shown, "line", "lines"),
                count(files, "file", "files"),
                count(found.lines, "matching line", "matching lines"),
                count(found.matching, "file", "files"),
            ),
            Mode::Lines => format!(
                "{} in {}; {searched} searched.",
                count(found.lines, "matching line", "matching lines"),
                count(found.matching, "file", "files"),
            ),
            Mode::Files if is_cut => format!(
                "Shown: {}, of {at_least}{}. Narrow the pattern, or pass path, globs or a limit.",
                count(shown, "file", "files"),
                count(found.matching, "matching file", "matching files"),
            ),
            Mode::Files => format!(
                "{}; {searched} searched.",
                count(found.matching, "matching file", "matching files")
            ),
            Mode::Count => {
                let shown = if is_cut {
                    format!("Shown: {shown}. ")
                } else {
                    String::new()
                };
                format!(
                    "{shown}{} in {}; {searched} searched.",
                    count(found.lines, "matching line", "matching lines"),
                    count(found.matching, "file", "files"),
                )
            }
        }
    };
    let skipped = &found.skipped;
    let mut skips = Vec::new();
    if skipped.binary > 0 {
        skips.push(format!("{} binary", skipped.binary));
    }
    if skipped.unreadable.count > 0 {
        skips.push(named(&skipped.unreadable, "unreadable"));
    }
    if skipped.long.count > 0 {
        skips.push(named(&skipped.long, "too long for memory"));
    }
    if !skips.is_empty() {
        let _ = write!(text, " Skipped: {}.", skips.join(", "));
    }
    text
}

fn named(of: &Unreadable, what: &str) -> String {
    let names: Vec<String> = of.names.iter().map(|name| path(name)).collect();
    let more = if of.count > names.len() { ", …" } else { "" };
    format!("{} {what} ({}{more})", of.count, names.join(", "))
}
