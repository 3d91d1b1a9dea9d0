//! One file's matches, by grep-searcher: encodings, binary files, lines, context and multi-line matches are as ripgrep
//! has them.

use super::super::files::{FileError, Files};
use super::super::limits::{CHARS_BEFORE_MATCH, LINE_CHARS};
use super::pattern::{Pattern, start_of_line};
use super::rank::is_definition;
use grep_matcher::Matcher;
use grep_searcher::{Searcher, Sink, SinkContext, SinkError, SinkMatch};
use serde::{Deserialize, Serialize};
use std::io;

/// A line that is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// From 1.
    pub number: u64,
    /// A line of context, not a match.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub context: bool,
    /// Without its end; cut around the match where it is long.
    pub text: String,
}

/// What a file has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// Those to show.
    pub lines: Vec<Line>,
    /// Matching lines, shown or not.
    pub count: u64,
    /// One of those to show looks like a definition.
    pub defines: bool,
    /// It is a binary file, and was left at this.
    pub binary: bool,
    /// The search was stopped before the file's end: there may be more.
    pub stopped: bool,
}

/// How much of a file's matches is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Lines to keep.
    pub lines: usize,
    /// And so many of them are looked at for definitions.
    pub judged: usize,
    /// Stop after so many matching lines.
    pub stop_after: u64,
}

/// Collects a file's matches.
pub struct Collector<'a> {
    pub matcher: &'a Pattern,
    pub wanted: Wanted,
    pub matches: Matches,
    /// Matching lines that were kept.
    kept: usize,
    /// Of the line at which the next text begins.
    number: u64,
}

impl<'a> Collector<'a> {
    #[must_use]
    pub fn new(matcher: &'a Pattern, wanted: Wanted) -> Self {
        Self {
            matcher,
            wanted,
            matches: Matches::default(),
            kept: 0,
            number: 1,
        }
    }

    /// The next text begins at this line of the file.
    pub fn go_to(&mut self, number: u64) {
        self.number = number;
    }

    /// Takes what a text of whole lines has that is known to be UTF-8 without a NUL, where no context is wanted. Whether it
    /// was done: see [`Pattern::each_line`].
    pub fn take_text(&mut self, text: &[u8]) -> bool {
        let matcher = self.matcher;
        let mut counted = 0;
        let is_done = matcher.each_line(text, |line| {
            if self.wants_next() == (false, false) {
                self.matches.count += 1;
            } else {
                // to a place in the line: its number is the same
                self.count_to(&text[counted..line.start]);
                counted = line.start;
                let start = start_of_line(text, line.start);
                self.take_line(self.number, &text[start..line.end]);
            }
            self.goes_on()
        });
        self.count_to(&text[counted..]);
        is_done
    }

    /// Lines are counted as far as a number is shown.
    fn count_to(&mut self, text: &[u8]) {
        if self.kept < self.wanted.lines {
            self.number += memchr::memchr_iter(b'\n', text).count() as u64;
        }
    }

    /// Whether the next matching line is kept, and whether it is looked at for a definition.
    fn wants_next(&self) -> (bool, bool) {
        let is_judged = !self.matches.defines && self.matches.count < self.wanted.judged as u64;
        (self.kept < self.wanted.lines, is_judged)
    }

    fn take_line(&mut self, number: u64, line: &[u8]) {
        let (is_kept, is_judged) = self.wants_next();
        self.matches.count += 1;
        if !is_kept && !is_judged {
            return;
        }
        let at = self.matcher.find(line).ok().flatten().map(|at| at.start());
        let at = at.unwrap_or(0);
        self.matches.defines |= is_judged && is_definition(line, at);
        if is_kept {
            self.kept += 1;
            self.matches.lines.push(Line {
                number,
                context: false,
                text: shown(line, at),
            });
        }
    }

    fn goes_on(&mut self) -> bool {
        self.matches.stopped = self.matches.count >= self.wanted.stop_after;
        !self.matches.stopped
    }
}

/// The searcher's errors: reading, or a line that is too long.
#[derive(Debug)]
pub struct Broken;

impl SinkError for Broken {
    fn error_message<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}

impl Sink for Collector<'_> {
    type Error = Broken;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, Broken> {
        let first = found.line_number().unwrap_or(0);
        for (i, line) in found.lines().enumerate() {
            self.take_line(first + i as u64, line);
        }
        Ok(self.goes_on())
    }

    fn context(&mut self, _: &Searcher, found: &SinkContext<'_>) -> Result<bool, Broken> {
        if self.kept < self.wanted.lines || self.matches.count == self.kept as u64 {
            self.matches.lines.push(Line {
                number: found.line_number().unwrap_or(0),
                context: true,
                text: shown(found.bytes(), 0),
            });
        }
        Ok(true)
    }

    fn binary_data(&mut self, _: &Searcher, _: u64) -> Result<bool, Broken> {
        self.matches.binary = true;
        Ok(false)
    }
}

/// A line as it is shown: text without its end, cut around the match.
fn shown(line: &[u8], at: usize) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() <= LINE_CHARS
        && line.iter().all(|&byte| is_clean(byte))
        && let Ok(text) = str::from_utf8(line)
    {
        return text.to_owned();
    }
    // far from the match nothing is looked at: lines of minified code are megabytes long
    let reach = 4 * (LINE_CHARS + 2);
    let from = at.min(line.len()).saturating_sub(reach);
    let to = line.len().min(at + reach);
    let from = (from..at.min(line.len()))
        .find(|&i| line[i] & 0xC0 != 0x80)
        .unwrap_or(from);
    let text = String::from_utf8_lossy(&line[from..to]);
    let chars = text.chars().count();
    if from == 0 && to == line.len() && chars <= LINE_CHARS {
        return clean(&text);
    }
    let before = String::from_utf8_lossy(&line[from..at.min(line.len()).max(from)])
        .chars()
        .count();
    let skip = if from == 0 && before <= CHARS_BEFORE_MATCH {
        0
    } else {
        before.saturating_sub(CHARS_BEFORE_MATCH)
    };
    let cut: String = text.chars().skip(skip).take(LINE_CHARS).collect();
    let head = if skip > 0 || from > 0 { "…" } else { "" };
    let tail = if skip + LINE_CHARS < chars || to < line.len() {
        "…"
    } else {
        ""
    };
    clean(&format!("{head}{cut}{tail}"))
}

/// An ASCII character that is shown as it is.
fn is_clean(byte: u8) -> bool {
    byte == b'\t' || (b' '..0x7F).contains(&byte)
}

/// Control characters would move a terminal's cursor or end the line early.
fn clean(text: &str) -> String {
    if text.bytes().all(is_clean) || !text.chars().any(|c| c.is_control() && c != '\t') {
        return text.to_owned();
    }
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\t' {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

/// A file as a stream, for those that are too long to be in memory.
pub struct Stream<'a, F: ?Sized> {
    pub files: &'a F,
    pub path: &'a [u8],
    /// What was read before of its first bytes.
    pub head: &'a [u8],
    /// How many those were, and what was read since.
    pub offset: u64,
}

impl<F: Files + ?Sized> io::Read for Stream<'_, F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.head.is_empty() {
            return self.head.read(into);
        }
        let count = self
            .files
            .read(self.path, self.offset, into)
            .map_err(|error: FileError| io::Error::other(error))?;
        self.offset += count as u64;
        Ok(count)
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_around_its_match() {
        assert_eq!(shown(b"let x = 1;\r\n", 4), "let x = 1;");
        let long = [vec![b'a'; 5000], b"MATCH".to_vec(), vec![b'b'; 5000]].concat();
        let text = shown(&long, 5000);
        assert!(text.starts_with("…aaa") && text.contains("aMATCHb") && text.ends_with("b…"));
        assert_eq!(text.chars().count(), LINE_CHARS + 2);
        let text = shown(&long, 10);
        assert!(text.starts_with("aaa") && text.ends_with('…'));
        let wide = "ä".repeat(3000);
        assert_eq!(shown(wide.as_bytes(), 4000).chars().count(), LINE_CHARS + 2);
        assert!(!shown(wide.as_bytes(), 4000).contains(char::REPLACEMENT_CHARACTER));
        assert_eq!(shown(b"a\x1b[2Jb\xFF\tc", 0), "a\u{FFFD}[2Jb\u{FFFD}\tc");
        assert_eq!(shown(b"", 0), "");
    }

    /// Decoded in pieces, with little room at a time, as the standard library decodes the whole.
    #[test]
    fn marked_texts_are_decoded() {
        fn decode(bytes: &[u8], piece: usize, room: usize) -> String {
            let (encoding, _) = encoding_rs::Encoding::for_bom(bytes).expect("a mark");
            let mut decoder = encoding.new_decoder_with_bom_removal();
            let mut text = Vec::new();
            let mut pieces = bytes.chunks(piece).chain([&[][..]]).peekable();
            while let Some(mut piece) = pieces.next() {
                let is_last = pieces.peek().is_none();
                loop {
                    let mut into = vec![0; room];
                    let (end, read, written, _) = decoder.decode_to_utf8(piece, &mut into, is_last);
                    text.extend(&into[..written]);
                    piece = &piece[read..];
                    if end == encoding_rs::CoderResult::InputEmpty {
                        break;
                    }
                }
            }
            String::from_utf8(text).expect("UTF-8")
        }
        let units: Vec<u16> = "\u{FEFF}aß€𝄞\u{FEFF}\0z".encode_utf16().collect();
        let (broken, lone) = ([0xD800, 0x61, 0xDC00], [0xD83D]);
        let all: Vec<u16> = [&units[..], &broken, &units[1..], &lone].concat();
        let wanted = String::from_utf16_lossy(&all[1..]);
        let little: Vec<u8> = all.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = all.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        let bytes =
            b"\xEF\xBB\xBFa\xC3\x9F\xE2\x82\xAC\xF0\x9D\x84\x9E\xFF\xE2\x82a\xED\xA0\x80\xF4\x90\xC3";
        let lossy = String::from_utf8_lossy(&bytes[3..]).into_owned();
        for piece in 1..9 {
            for room in [4, 5, 7, 100] {
                assert_eq!(decode(&little, piece, room), wanted);
                assert_eq!(decode(&big, piece, room), wanted);
                assert_eq!(decode(bytes, piece, room), lossy);
            }
        }
    }
}
