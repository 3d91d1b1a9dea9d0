//! What a search finds in single files, by whichever thread.

use super::super::cache::sections::Span;
use super::super::cache::{Text, has_wide_bom, is_binary};
use super::super::files::{FileError, Files, Stat, read_opened, read_whole};
use super::super::limits::{
    COUNTED_ANYWAY, LINES_OF_A_FILE, Memory, PIECE_BYTES, RANKED_FILES, SCOUT_PATTERN_BYTES,
    STEP_BYTES,
};
use super::file::{Collector, Matches, Stream, Wanted};
use super::pattern::Pattern;
use super::query::{Mode, Query};
use super::rank::{is_first, rank};
use super::report::{FileResult, Part, reach};
use grep_searcher::{BinaryDetection, MmapChoice, Searcher, SearcherBuilder};

/// A search of files, one after another.
pub struct Scan {
    pub query: Query,
    pub pattern: Pattern,
    searcher: Searcher,
    pub part: Part,
    /// Lines found so far, or files.
    shown: usize,
    /// Those of them that come first whatever else is found.
    first: usize,
    /// Files that were searched until as much was found as is shown.
    shown_after: Option<u64>,
    /// Files up to this are read whole, where a match may span lines. Bytes.
    whole_file: usize,
}

impl Scan {
    /// # Errors
    /// With what is wrong, in words for the model.
    pub fn new(query: Query, memory: &Memory) -> Result<Self, String> {
        let pattern = Pattern::new(&query)?;
        let searcher = SearcherBuilder::new()
            .line_number(query.mode == Mode::Lines)
            .multi_line(query.multiline)
            .memory_map(MmapChoice::never())
            .heap_limit(Some(memory.piece))
            .before_context(context(&query))
            .after_context(context(&query))
            .build();
        Ok(Self {
            query,
            pattern,
            searcher,
            part: Part::default(),
            shown: 0,
            first: 0,
            shown_after: None,
            whole_file: memory.whole_file,
        })
    }

    /// Lines are looked for one by one, without what is around them.
    #[must_use]
    pub fn goes_by_line(&self) -> bool {
        self.pattern.goes_by_line() && context(&self.query) == 0
    }

    /// Its pattern takes so much memory that it is not compiled twice.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.pattern.bytes() > SCOUT_PATTERN_BYTES
    }

    /// Reads a file as it is now, which the scout may have opened under this number, and searches it. How many bytes that
    /// were.
    pub fn read(
        &mut self,
        files: &impl Files,
        buffer: &mut Vec<u8>,
        path: &[u8],
        number: Option<u32>,
    ) -> usize {
        let opened = number.and_then(|number| read_opened(files, number, buffer));
        if let Some(length) = opened {
            self.search(path, &buffer[..length], &Text::Unknown);
            return length;
        }
        let limit = if self.pattern.goes_by_line() {
            PIECE_BYTES - 1
        } else {
            self.whole_file
        };
        match read_whole(files, path, buffer, limit) {
            Ok(Some(length)) => {
                self.search(path, &buffer[..length], &Text::Unknown);
                length
            }
            Ok(None) => {
                self.stream(files, path, &buffer[..=limit]);
                STEP_BYTES
            }
            Err(FileError::Missing | FileError::Kind) => {
                // it went between the listing and now: as if it had gone before
                self.part.searched -= 1;
                0
            }
            Err(FileError::Denied | FileError::Failed) => {
                self.part.searched -= 1;
                self.part.skipped.unreadable.add(path);
                0
            }
        }
    }

    /// Takes the lines of a file that is known to have no NUL, in pieces that stay in the processor's caches; of a long one
    /// only those of some sections. How many bytes those were; none when it has to be read as others are, for its lines are
    /// too long or it is not what it was.
    pub fn in_pieces(
        &mut self,
        files: &impl Files,
        buffer: &mut Vec<u8>,
        path: &[u8],
        stat: &Stat,
        sections: Option<Vec<Span>>,
    ) -> Option<usize> {
        let has_sections = sections.is_some();
        let spans = sections.unwrap_or_else(|| vec![Span::to(stat.size)]);
        if spans.is_empty() {
            return Some(0);
        }
        if buffer.len() < PIECE_BYTES {
            buffer.resize(PIECE_BYTES, 0);
        }
        let mut bytes = 0;
        let mut collector = Collector::new(&self.pattern, self.wanted());
        for span in spans {
            collector.go_to(span.lines + 1);
            let (mut from, mut have) = (span.from, 0);
            while from < span.to && !collector.matches.stopped {
                let wanted = (PIECE_BYTES - have).min((span.to - from) as usize);
                let into = &mut buffer[have..have + wanted];
                if files.read(path, from, into).ok()? < wanted {
                    return None;
                }
                from += wanted as u64;
                bytes += wanted;
                have += wanted;
                let end = if from == span.to {
                    have
                } else {
                    memchr::memrchr(b'\n', &buffer[..have])? + 1
                };
                self.pattern.turn_to(Some(&buffer[..end]));
                if !collector.take_text(&buffer[..end]) {
                    return None;
                }
                buffer.copy_within(end..have, 0);
                have -= end;
            }
        }
        // of another text the sections say nothing
        if has_sections && files.stat(path) != Ok(*stat) {
            return None;
        }
        let matches = collector.matches;
        self.take(path, matches);
        Some(bytes)
    }

    /// Takes the lines of some sections of a text without a NUL. Whether it was done.
    pub fn sections(&mut self, path: &[u8], contents: &[u8], spans: &[Span]) -> bool {
        let mut collector = Collector::new(&self.pattern, self.wanted());
        for span in spans {
            let Some(text) = contents.get(span.from as usize..span.to as usize) else {
                return false;
            };
            collector.go_to(span.lines + 1);
            for piece in pieces(text) {
                if collector.matches.stopped {
                    break;
                }
                self.pattern.turn_to(Some(piece));
                if !collector.take_text(piece) {
                    return false;
                }
            }
        }
        let matches = collector.matches;
        self.take(path, matches);
        true
    }

    /// Searches contents that are known: of a long text only those of some sections. How many bytes those were.
    pub fn known(
        &mut self,
        path: &[u8],
        contents: &[u8],
        text: &Text,
        sections: Option<Vec<Span>>,
    ) -> usize {
        if let Some(spans) = sections
            && self.sections(path, contents, &spans)
        {
            return spans.iter().map(|span| span.to - span.from).sum::<u64>() as usize;
        }
        self.search(path, contents, text);
        contents.len()
    }

    /// Searches a file's contents.
    pub fn search(&mut self, path: &[u8], bytes: &[u8], text: &Text) {
        // what is indexed has no NUL
        let detection = if text.is_indexed() {
            BinaryDetection::none()
        } else if !has_wide_bom(bytes) && is_binary(bytes) {
            self.part.skipped.binary += 1;
            return;
        } else {
            BinaryDetection::quit(0)
        };
        self.pattern.turn_to(Some(bytes));
        let mut collector = Collector::new(&self.pattern, self.wanted());
        let is_plain = text.is_indexed() && context(&self.query) == 0;
        if !is_plain || !collector.take_text(bytes) {
            self.searcher.set_binary_detection(detection);
            let _ = self
                .searcher
                .search_slice(&self.pattern, bytes, &mut collector);
        }
        let matches = collector.matches;
        self.take(path, matches);
    }

    /// A long file: line by line, in pieces that stay in the processor's caches; or, where a match may span lines, not at all.
    fn stream<F: Files>(&mut self, files: &F, path: &[u8], head: &[u8]) {
        self.searcher.set_binary_detection(BinaryDetection::quit(0));
        self.pattern.turn_to(None);
        let mut stream = Stream {
            files,
            path,
            head,
            offset: head.len() as u64,
        };
        let mut collector = Collector::new(&self.pattern, self.wanted());
        let done = self
            .searcher
            .search_reader(&self.pattern, &mut stream, &mut collector);
        let matches = collector.matches;
        if done.is_err() {
            self.part.skipped.long.add(path);
        }
        self.take(path, matches);
    }

    fn wanted(&self) -> Wanted {
        // whatever is shown of a file is found, also at the end of the reach
        let left = reach(&self.query)
            .saturating_sub(self.shown)
            .max(LINES_OF_A_FILE);
        match self.query.mode {
            // one more than is shown: that there are more is known then
            Mode::Lines => Wanted {
                // if a file has more, not all are shown, and of each file so many at most; one more says that there are more
                lines: (self.query.limit.saturating_sub(self.shown)).max(LINES_OF_A_FILE + 1),
                judged: left,
                stop_after: left as u64 + 1,
            },
            Mode::Files => Wanted {
                lines: 0,
                judged: 0,
                stop_after: 1,
            },
            Mode::Count => Wanted {
                lines: 0,
                judged: 0,
                stop_after: u64::MAX,
            },
        }
    }

    fn take(&mut self, path: &[u8], matches: Matches) {
        if matches.binary {
            self.part.skipped.binary += 1;
            if matches.count == 0 || self.query.mode != Mode::Lines {
                return;
            }
        }
        if matches.count == 0 {
            return;
        }
        self.part.lines += matches.count;
        self.part.matching += 1;
        self.add(FileResult {
            path: path.to_vec(),
            count: matches.count,
            defines: matches.defines,
            lines: matches.lines,
        });
    }

    fn add(&mut self, file: FileResult) {
        let count = match self.query.mode {
            Mode::Lines => file.count as usize,
            Mode::Files | Mode::Count => 1,
        };
        self.shown += count;
        if self.shown >= self.query.limit {
            self.shown_after.get_or_insert(self.part.searched);
        }
        if is_first(&file, self.query.mode) {
            self.first += count.min(LINES_OF_A_FILE);
        }
        self.part.files.push(file);
        if self.query.mode == Mode::Count && self.part.files.len() >= 2 * self.query.limit.max(512)
        {
            rank(&mut self.part.files, Mode::Count);
            self.part.files.truncate(self.query.limit);
        }
    }

    /// Takes in what the scout found.
    pub fn join(&mut self, part: Part) {
        let files = self.part.join(part);
        for file in files {
            self.add(file);
        }
    }

    /// What was found; the next file is the first again.
    pub fn finish(&mut self) -> Part {
        (self.shown, self.first, self.shown_after) = (0, 0, None);
        std::mem::take(&mut self.part)
    }

    /// Enough was found.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.query.mode != Mode::Count
            && (self.shown > reach(&self.query)
                || self.first > self.query.limit.max(COUNTED_ANYWAY)
                || self
                    .shown_after
                    .is_some_and(|files| self.part.searched > files + RANKED_FILES.max(files / 2)))
    }
}

/// A text in pieces of whole lines that stay in the processor's caches.
fn pieces(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let head = text.get(..PIECE_BYTES).unwrap_or(text);
        let end = if head.len() == text.len() {
            Some(text.len())
        } else {
            let behind = || Some(PIECE_BYTES + memchr::memchr(b'\n', &text[PIECE_BYTES..])?);
            let last = memchr::memrchr(b'\n', head).or_else(behind);
            last.map(|at| at + 1)
        };
        let (piece, rest) = text.split_at(end.unwrap_or(text.len()));
        text = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

fn context(query: &Query) -> usize {
    if query.mode == Mode::Lines {
        query.context
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_whole_lines() {
        let line = |length: usize| "x".repeat(length) + "\n";
        let long = line(PIECE_BYTES * 2);
        for text in [
            String::new(),
            line(5).repeat(10),
            line(6).repeat(PIECE_BYTES / 2),
            line(PIECE_BYTES - 1).repeat(2),
            line(PIECE_BYTES).repeat(2),
            line(9) + &long + &line(9) + &long,
            line(9) + &long.trim_end().repeat(2),
        ] {
            let pieces: Vec<&[u8]> = pieces(text.as_bytes()).collect();
            assert_eq!(pieces.concat(), text.as_bytes());
            let before_last = &pieces[..pieces.len().saturating_sub(1)];
            assert!(before_last.iter().all(|piece| piece.ends_with(b"\n")));
            let are_long = pieces.iter().filter(|piece| piece.len() > PIECE_BYTES);
            assert!(are_long.count() <= 2);
        }
    }
}
