//! The search itself, in steps.

use super::super::cache::columns::{Candidates, Slot};
use super::super::cache::sections::Span;
use super::super::cache::{Text, has_wide_bom, is_binary};
use super::super::files::{FileError, Files, Kind, read_whole};
use super::super::limits::{COUNTED_ANYWAY, LINES_OF_A_FILE, PIECE_BYTES, STEP_BYTES, STEP_FILES};
use super::super::order::sort_by;
use super::super::service::{Job, Step, World};
use super::super::walk::globs::Globs;
use super::super::walk::path::resolve;
use super::super::walk::tree::{Node, Tree};
use super::super::walk::{Found, Share, Unreadable, Walk};
use super::file::{Collector, Matches, Stream, Wanted};
use super::pattern::Pattern;
use super::query::{Mode, Query};
use super::rank::{is_first, rank};
use super::report::{FileResult, Part, reach};
use grep_searcher::{BinaryDetection, MmapChoice, Searcher, SearcherBuilder};
use std::rc::Rc;

/// A search under way.
pub struct Search {
    query: Query,
    pattern: Pattern,
    searcher: Searcher,
    walk: Walk,
    /// What is known to rule files out.
    index: Index,
    part: Part,
    /// Lines found so far, or files.
    shown: usize,
    /// Those of them that come first whatever else is found.
    first: usize,
    whole: bool,
}

impl Search {
    /// # Errors
    /// With what is wrong, in words for the model.
    pub fn new<F: Files>(
        world: &mut World<F>,
        query: Query,
        share: Share,
        whole: bool,
    ) -> Result<Self, String> {
        let pattern = Pattern::new(&query)?;
        let globs = Rc::new(Globs::new(&query.globs, false)?);
        let place = resolve(&world.files, query.path.as_deref())?;
        let searcher = SearcherBuilder::new()
            .line_number(query.mode == Mode::Lines)
            .multi_line(query.multiline)
            .memory_map(MmapChoice::never())
            .heap_limit(Some(world.tree.cache.memory.piece))
            .before_context(context(&query))
            .after_context(context(&query))
            .build();
        let walk = Walk::new(&mut world.tree, &world.files, &place, globs, share);
        let index = Index {
            candidates: world.tree.columns.candidates(pattern.need.clone()),
            goes_by_line: pattern.goes_by_line() && context(&query) == 0,
            counts: query.mode == Mode::Count,
        };
        Ok(Self {
            query,
            pattern,
            searcher,
            walk,
            index,
            part: Part::default(),
            shown: 0,
            first: 0,
            whole,
        })
    }

    /// Searches one file. How many bytes that were.
    fn file<F: Files>(&mut self, world: &mut World<F>, at: Found) -> usize {
        self.part.searched += 1;
        let World { tree, files, .. } = world;
        tree.want(at.folder, at.place);
        let index = &self.index;
        let is_of_use = index.is_of_use(tree, tree.node(at.folder, at.place));
        if is_of_use && !tree.is_checked(at.folder, at.place) {
            let wanted = |tree: &Tree, node: &Node| index.is_of_use(tree, node);
            self.walk.check(tree, files, at, wanted);
        }
        let node = tree.node(at.folder, at.place);
        let may_match = index.may_match(tree, node.slot, Some(node));
        if may_match && is_of_use && index.goes_by_piece(node) && !node.has_contents() {
            let path = tree.path_of(at.folder, at.place);
            let bytes = self.in_pieces(world, at);
            return bytes.unwrap_or_else(|| self.read(world, &path));
        }
        let node = world.tree.node_mut(at.folder, at.place);
        let Some(facts) = node.facts.take_if(|_| is_of_use) else {
            // what is read now is true whatever was known
            let path = world.tree.path_of(at.folder, at.place);
            return self.read(world, &path);
        };
        let mut bytes = 0;
        if let Text::Binary = facts.text {
            self.part.skipped.binary += 1;
        } else if let Some(contents) = facts.contents.as_ref().filter(|_| may_match) {
            let path = world.tree.path_of(at.folder, at.place);
            self.search(&path, contents, &facts.text);
            bytes = contents.len();
        }
        world.tree.node_mut(at.folder, at.place).facts = Some(facts);
        bytes
    }

    fn read<F: Files>(&mut self, world: &mut World<F>, path: &[u8]) -> usize {
        let mut buffer = std::mem::take(&mut world.buffer);
        let limit = if self.pattern.goes_by_line() {
            PIECE_BYTES - 1
        } else {
            world.tree.cache.memory.whole_file
        };
        let read = read_whole(&world.files, path, &mut buffer, limit);
        let bytes = match read {
            Ok(Some(length)) => {
                self.search(path, &buffer[..length], &Text::Unknown);
                length
            }
            Ok(None) => {
                self.stream(&world.files, path, &buffer[..=limit]);
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
        };
        world.buffer = buffer;
        bytes
    }

    /// Takes the lines of a file that is known to have no NUL, in pieces that stay in the processor's caches; of a long one
    /// only the sections that may have any. How many bytes those were; none when it has to be read as others are, for its
    /// lines are too long or it is not what it was.
    fn in_pieces<F: Files>(&mut self, world: &mut World<F>, at: Found) -> Option<usize> {
        let World {
            files,
            tree,
            buffer,
            ..
        } = world;
        let path = tree.path_of(at.folder, at.place);
        let facts = tree.node(at.folder, at.place).facts.as_deref()?;
        let sections = facts.text.sections();
        let spans = match sections {
            Some(sections) => sections.spans(&self.index.candidates.need),
            None => vec![Span::to(facts.stat.size)],
        };
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
                if files.read(&path, from, into).ok()? < wanted {
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
        if sections.is_some() && files.stat(&path) != Ok(facts.stat) {
            return None;
        }
        let matches = collector.matches;
        self.take(&path, matches);
        Some(bytes)
    }

    fn search(&mut self, path: &[u8], bytes: &[u8], text: &Text) {
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
        let count = match self.query.mode {
            Mode::Lines => matches.count as usize,
            Mode::Files | Mode::Count => 1,
        };
        self.shown += count;
        let file = FileResult {
            path: path.to_vec(),
            count: matches.count,
            defines: matches.defines,
            lines: matches.lines,
        };
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

    fn is_full(&self) -> bool {
        self.query.mode != Mode::Count
            && (self.shown > reach(&self.query)
                || self.first > self.query.limit.max(COUNTED_ANYWAY))
    }
}

/// Says of files that a pattern can't match in them.
struct Index {
    candidates: Candidates,
    /// Lines are looked for without what is around them.
    goes_by_line: bool,
    /// All that is wanted is how many there are.
    counts: bool,
}

impl Index {
    /// Whether what is known of a file is of use, if it holds.
    fn is_of_use(&self, tree: &Tree, node: &Node) -> bool {
        self.spares_reading(tree, node) || self.goes_by_piece(node)
    }

    /// Whether a file without contents is read in pieces, if what is known of it holds: it has no NUL.
    fn goes_by_piece(&self, node: &Node) -> bool {
        let has_sections = || {
            let facts = node.facts.as_deref();
            facts.is_some_and(|facts| facts.text.sections().is_some())
        };
        self.goes_by_line && node.is_indexed() && (self.counts || has_sections())
    }

    /// Whether what is known of a file spares its reading, if it holds.
    fn spares_reading(&self, tree: &Tree, node: &Node) -> bool {
        !self.may_match(tree, node.slot, Some(node)) || node.has_contents()
    }

    /// Whether it may, if what is known of it holds.
    fn may_match(&self, tree: &Tree, slot: Slot, node: Option<&Node>) -> bool {
        if slot == Slot::BINARY {
            return false;
        }
        if slot.is_column() {
            return self.candidates.has(&tree.columns, slot);
        }
        let facts = node.and_then(|node| node.facts.as_deref());
        match facts.map(|facts| &facts.text) {
            Some(Text::Indexed(grams, _)) => self.candidates.need.is_met(grams),
            Some(Text::Binary) => false,
            Some(Text::InColumns | Text::Unknown) | None => true,
        }
    }
}

fn context(query: &Query) -> usize {
    if query.mode == Mode::Lines {
        query.context
    } else {
        0
    }
}

impl<F: Files> Job<F> for Search {
    fn step(&mut self, world: &mut World<F>) -> Step {
        let mut bytes = 0;
        let mut ended = false;
        for _ in 0..STEP_FILES {
            let (index, part) = (&self.index, &mut self.part);
            self.walk.pass(&world.tree, |slot, node| {
                let is_passed = !index.may_match(&world.tree, slot, node);
                part.searched += u64::from(is_passed);
                part.skipped.binary += u64::from(is_passed && slot == Slot::BINARY);
                is_passed
            });
            let wanted = |tree: &Tree, node: &Node| index.is_of_use(tree, node);
            let Some(found) = self.walk.next(&mut world.tree, &world.files, wanted) else {
                ended = true;
                break;
            };
            if world.tree.node(found.folder, found.place).kind == Kind::File {
                bytes += self.file(world, found);
            }
            if self.is_full() || bytes >= STEP_BYTES {
                break;
            }
        }
        if let Some(message) = self.pattern.failure() {
            return Step::Done(Err(message.clone()));
        }
        if !ended && !self.is_full() {
            return Step::More;
        }
        let mut part = std::mem::take(&mut self.part);
        part.stopped = !ended;
        let unreadable = std::mem::take(&mut self.walk.unreadable);
        part.skipped.unreadable.join(unreadable);
        Step::Done(Ok(if self.whole {
            super::report::show(&self.query, vec![part])
        } else {
            part.to_text()
        }))
    }
}

impl Unreadable {
    /// Adds another's.
    pub fn join(&mut self, other: Self) {
        self.count += other.count;
        self.names.extend(other.names);
        sort_by(&mut self.names, Ord::cmp);
        self.names.truncate(super::super::limits::SKIPPED_NAMES);
    }
}
