//! What is kept of files that were read before: an index of each, and the contents of some. A fact holds for one stat of
//! its file; who uses it compares that first. All of it stays below a limit.
//!
//! The index comes first: it spares the reading of most files. In what it leaves free are the contents of the shortest
//! files: to open a file costs as much as to read some 13 kB of it, and most files are shorter than that.

pub mod columns;
pub mod grams;
pub mod sections;

use super::files::{Files, Stat, read_whole};
use super::limits::{
    BINARY_BYTES, GROWTH_BYTES, INDEXED_FILE_BYTES, Memory, ROOMY_PART, SHORTER_PERCENT,
    SPARE_PART, TYPICAL_FILES, USUAL_BYTES,
};
use super::walk::tree::{FolderId, Tree, is_settled};
use grams::{Distinct, Grams};
use sections::{Cutter, Sections};

/// What was found in a file when its stat was this.
pub struct Facts {
    pub stat: Stat,
    /// While the stat is the same, so is the file. Of one that had just been written only a watcher can tell.
    pub is_proof: bool,
    pub text: Text,
    pub contents: Option<Box<[u8]>>,
}

/// What kind of text a file has.
pub enum Text {
    /// None: there is a NUL among its first bytes.
    Binary,
    /// What its index has, and those of its sections where it is long.
    Indexed(Grams, Sections),
    /// The same, and it is in [`columns`]; the tree knows where.
    InColumns,
    /// One that has to be read: see [`must_be_read`].
    Unknown,
}

impl Facts {
    fn index_bytes(&self) -> usize {
        let grams = match &self.text {
            Text::Indexed(grams, sections) => grams.bytes() + sections.bytes(),
            Text::Binary | Text::InColumns | Text::Unknown => 0,
        };
        size_of::<Self>() + grams
    }

    /// Bytes that became free.
    pub fn fold_sections(&mut self) -> usize {
        match &mut self.text {
            Text::Indexed(_, sections) => sections.fold(),
            Text::Binary | Text::InColumns | Text::Unknown => 0,
        }
    }

    fn content_bytes(&self) -> usize {
        self.contents.as_ref().map_or(0, |bytes| bytes.len())
    }
}

impl Text {
    /// Those of a long text that is indexed.
    #[must_use]
    pub fn sections(&self) -> Option<&Sections> {
        match self {
            Self::Indexed(_, sections) if !sections.is_empty() => Some(sections),
            _ => None,
        }
    }

    /// There is no NUL in it.
    #[must_use]
    pub fn is_indexed(&self) -> bool {
        matches!(self, Self::Indexed(..) | Self::InColumns)
    }
}

/// Whether there is room for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    Enough,
    /// There is where contents of files go.
    LessContents,
    /// There is where the index gets smaller.
    SmallerIndex,
}

/// The memory that the tree and the facts take, and may take. Bytes.
#[derive(Clone, Copy, Debug)]
pub struct Cache {
    index: usize,
    contents: usize,
    /// Contents are kept of files up to this.
    longest: usize,
    pub memory: Memory,
    /// What the allocator was made to have at hand.
    at_hand: usize,
    /// Files whose facts were taken in, and what these took but for contents.
    admitted: usize,
    admitted_bytes: usize,
    /// Files still to be read for the index.
    unread: usize,
    /// See [`Cache::is_saturated`].
    is_saturated: bool,
}

impl Cache {
    #[must_use]
    pub fn new(memory: Memory) -> Self {
        let mut cache = Self {
            index: 0,
            contents: 0,
            longest: memory.whole_file,
            memory,
            at_hand: 0,
            admitted: 0,
            admitted_bytes: 0,
            unread: 0,
            is_saturated: false,
        };
        cache.grow();
        cache
    }

    /// Makes the memory grow ahead of its use.
    fn grow(&mut self) {
        if self.used() + GROWTH_BYTES / 2 > self.at_hand {
            drop(Vec::<u8>::with_capacity(GROWTH_BYTES));
            self.at_hand = self.used() + GROWTH_BYTES;
        }
    }

    #[must_use]
    pub fn emptied(&self) -> Self {
        Self {
            index: 0,
            contents: 0,
            longest: self.memory.whole_file,
            admitted: 0,
            admitted_bytes: 0,
            unread: 0,
            is_saturated: false,
            ..*self
        }
    }

    pub fn add(&mut self, bytes: usize) {
        self.index += bytes;
        self.grow();
    }

    pub fn remove(&mut self, bytes: usize) {
        self.is_saturated = false;
        self.index = self.index.saturating_sub(bytes);
    }

    /// So many files are going to be read for the index.
    pub fn expect(&mut self, unread: usize) {
        self.unread = unread;
    }

    /// What the index of files that are still to be read is going to take, as those so far did: contents that would have to
    /// go for it are not kept before, for what they leave is in pieces.
    fn expected(&self) -> usize {
        if self.admitted < TYPICAL_FILES {
            return 0;
        }
        (self.admitted_bytes as u64 * self.unread as u64 / self.admitted as u64) as usize
    }

    /// Whether there is room for these facts, as far as they are to be kept, with as many bytes of index more.
    #[must_use]
    pub fn room_for(&self, facts: &Facts, more: usize) -> Room {
        let contents = facts.content_bytes();
        let contents = if contents > self.longest { 0 } else { contents };
        let more = facts.index_bytes() + more;
        match self.room_beside(self.index + more, self.contents + contents) {
            Room::Enough if self.index + more > self.spared() => Room::SmallerIndex,
            room => room,
        }
    }

    /// Whether there is room for all that is known.
    #[must_use]
    pub fn room(&self) -> Room {
        self.room_beside(self.index, self.contents)
    }

    fn room_beside(&self, index: usize, contents: usize) -> Room {
        if contents > 0 && index + contents + self.expected() > self.memory.known {
            Room::LessContents
        } else if index > self.memory.known {
            Room::SmallerIndex
        } else {
            Room::Enough
        }
    }

    /// What may be taken so that something is left for what comes next: names, and the files of walks. Bytes.
    fn spared(&self) -> usize {
        self.memory.known - self.memory.known / SPARE_PART
    }

    /// Takes a file's facts in for which there is room, without its contents where they are too long, and what their index
    /// takes elsewhere.
    pub fn admit(&mut self, mut facts: Facts, more: usize) -> Box<Facts> {
        let contents = &mut facts.contents;
        contents.take_if(|bytes| bytes.len() > self.longest);
        let index = facts.index_bytes() + more;
        self.contents += facts.content_bytes();
        self.index += index;
        self.admitted += 1;
        self.admitted_bytes += index;
        self.unread = self.unread.saturating_sub(1);
        if self.used() + self.expected() < self.memory.known / ROOMY_PART * (ROOMY_PART - 1) {
            let longer = self.longest / SHORTER_PERCENT * 100 + 100;
            self.longest = longer.min(self.memory.whole_file);
        }
        self.grow();
        Box::new(facts)
    }

    /// There is no room for these facts.
    pub fn refuse(&mut self, facts: &Facts) {
        let is_usual = facts.index_bytes() < USUAL_BYTES;
        self.is_saturated |= is_usual && self.contents == 0;
    }

    /// Not even a file of usual length has room, and nothing has gone since: to read others for the index is of no use.
    #[must_use]
    pub fn is_saturated(&self) -> bool {
        self.is_saturated
    }

    /// There are contents that could make room.
    #[must_use]
    pub fn has_contents(&self) -> bool {
        self.contents > 0
    }

    /// From now on contents are kept of shorter files only. Whether there are any.
    pub fn shorten(&mut self) -> bool {
        self.longest = self.longest / 100 * SHORTER_PERCENT;
        self.longest > 0
    }

    /// Drops the contents of a file that is too long for them to be kept.
    pub fn trim(&mut self, facts: &mut Facts) {
        if facts.content_bytes() > self.longest {
            self.contents = self.contents.saturating_sub(facts.content_bytes());
            facts.contents = None;
        }
    }

    pub fn drop_facts(&mut self, facts: &Facts) {
        self.is_saturated = false;
        self.contents = self.contents.saturating_sub(facts.content_bytes());
        self.index = self.index.saturating_sub(facts.index_bytes());
    }

    #[must_use]
    pub fn has_spare_room(&self) -> bool {
        self.used() + self.expected() <= self.spared()
    }

    /// Even the names are too many to be kept.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.index > self.memory.known
    }

    /// Bytes in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.index + self.contents
    }
}

/// What is done between two queries, in this order, folder by folder.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Round {
    /// Folders are watched, where the host can.
    #[default]
    Watch,
    /// Files are read for the index.
    Read,
    /// What is known is compared with the files, told or not, from this moment on.
    Compare(f64),
}

/// Puts the tree into the index between two queries.
#[derive(Default)]
pub struct Indexer {
    round: Round,
    folder: usize,
    place: usize,
    long: Option<LongFile>,
    /// It found something to do.
    did: bool,
}

impl Indexer {
    /// It went through all of the tree and found nothing to do: the same tree needs no other.
    #[must_use]
    pub fn did_nothing(&self) -> bool {
        !self.did
    }

    /// Indexes at most so many files and bytes. Whether there are more.
    pub fn step(
        &mut self,
        tree: &mut Tree,
        files: &impl Files,
        buffer: &mut Vec<u8>,
        (mut count, mut bytes): (usize, usize),
    ) -> bool {
        while count > 0 && bytes > 0 {
            if let Some(long) = self.long.take() {
                bytes = bytes.saturating_sub(tree.cache.memory.whole_file);
                self.long = long.step(tree, files, buffer);
                continue;
            }
            if self.folder >= tree.folder_count() {
                let Some(round) = self.next_round(tree, files) else {
                    return false;
                };
                (self.round, self.folder) = (round, 0);
                continue;
            }
            let id = self.folder as FolderId;
            let done = match self.round {
                Round::Watch => {
                    self.folder += 1;
                    watch_folder(tree, files, id)
                }
                Round::Compare(_) => {
                    self.folder += 1;
                    tree.compare_rules(files, id);
                    compare_files(tree, files, id, true)
                }
                Round::Read => {
                    let (count, read) = self.read_next(tree, files, buffer, id);
                    bytes = bytes.saturating_sub(read);
                    count
                }
            };
            self.did |= done > 0;
            count = count.saturating_sub(done);
        }
        true
    }

    fn next_round(&self, tree: &mut Tree, files: &impl Files) -> Option<Round> {
        match self.round {
            Round::Watch => {
                tree.set_watched(files);
                tree.expect_reading();
                Some(Round::Read)
            }
            Round::Read if tree.is_sweep_due(files) => Some(Round::Compare(files.now())),
            Round::Read => None,
            Round::Compare(began) => {
                tree.set_compared(began);
                None
            }
        }
    }

    /// Reads the next file of a folder, or goes to the next folder. Files looked at, and bytes read.
    fn read_next(
        &mut self,
        tree: &mut Tree,
        files: &impl Files,
        buffer: &mut Vec<u8>,
        id: FolderId,
    ) -> (usize, usize) {
        let compared = match self.place {
            0 => compare_files(tree, files, id, false),
            _ => 0,
        };
        let nodes = &tree.folder(id).nodes;
        let next = nodes[self.place.min(nodes.len())..]
            .iter()
            .position(|node| node.wanted && node.facts.is_none())
            .filter(|_| !tree.cache.is_saturated());
        let Some(next) = next else {
            self.folder += 1;
            self.place = 0;
            return (compared, 0);
        };
        let place = self.place + next;
        self.place = place + 1;
        let (read, long) = index_file(tree, files, buffer, id, place);
        self.long = long;
        (compared + 1, read)
    }
}

/// Watches a folder, and reads its names so that they are known as long as nothing is told of it, or its stat is the same.
/// How many files could have been looked at instead.
fn watch_folder(tree: &mut Tree, files: &impl Files, id: FolderId) -> usize {
    let watched = usize::from(tree.watch(files, id));
    let has_names = !tree.folder(id).nodes.is_empty();
    if tree.is_untold(id) || (has_names && !tree.is_stamped(id)) {
        tree.stamp(files, id);
        return watched + 1;
    }
    watched
}

/// Compares files of a folder with what is known of them: all, or those that are not trusted. How many.
fn compare_files(tree: &mut Tree, files: &impl Files, id: FolderId, all: bool) -> usize {
    let places = tree.to_compare(id, all);
    let count = places.len();
    if count > 0 {
        tree.check(files, &[(id, places)]);
    }
    count
}

/// Reads one file for the index. How many bytes that were, and what is left to be done when it is too long for one read.
fn index_file(
    tree: &mut Tree,
    files: &impl Files,
    buffer: &mut Vec<u8>,
    folder: FolderId,
    place: usize,
) -> (usize, Option<LongFile>) {
    let path = tree.path_of(folder, place);
    let Ok(stat) = files.stat(&path) else {
        return (0, None);
    };
    let is_proof = is_settled(&stat, files.now());
    if !is_proof && !tree.can_be_told(folder, &stat) {
        return (0, None);
    }
    let limit = tree.cache.memory.whole_file;
    if stat.size > limit as u64 {
        let long = LongFile {
            folder,
            place,
            path,
            stat,
            is_proof,
            offset: 0,
            cutter: Cutter::default(),
        };
        return (0, Some(long));
    }
    let Ok(Some(length)) = read_whole(files, &path, buffer, limit) else {
        return (0, None);
    };
    let bytes = &buffer[..length];
    let text = text_of(bytes);
    let contents = match text {
        Text::Binary => None,
        Text::Indexed(..) | Text::InColumns | Text::Unknown => Some(bytes.into()),
    };
    let facts = Facts {
        stat,
        is_proof,
        text,
        contents,
    };
    tree.learn(folder, place, facts);
    (length, None)
}

/// A file that is read for the index piece by piece.
struct LongFile {
    folder: FolderId,
    place: usize,
    path: Vec<u8>,
    stat: Stat,
    is_proof: bool,
    offset: u64,
    cutter: Cutter,
}

impl LongFile {
    /// Reads the next piece. What is left, if anything.
    fn step(mut self, tree: &mut Tree, files: &impl Files, buffer: &mut Vec<u8>) -> Option<Self> {
        let length = tree.cache.memory.whole_file;
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        let buffer = &mut buffer[..length];
        let count = files.read(&self.path, self.offset, buffer).ok()?;
        let piece = &buffer[..count];
        let text = match self.offset {
            0 if !has_wide_bom(piece) && is_binary(piece) => Some(Text::Binary),
            0 if self.stat.size > INDEXED_FILE_BYTES => Some(Text::Unknown),
            _ if must_be_read(piece) => Some(Text::Unknown),
            _ => {
                self.cutter.add(piece);
                None
            }
        };
        let text = match text {
            Some(text) => text,
            None if count == length => {
                self.offset += (count - Distinct::OVERLAP) as u64;
                return Some(self);
            }
            None => {
                let (grams, sections) = self.cutter.end();
                Text::Indexed(grams, sections)
            }
        };
        let facts = Facts {
            stat: self.stat,
            is_proof: self.is_proof,
            text,
            contents: None,
        };
        tree.learn(self.folder, self.place, facts);
        None
    }
}

fn text_of(bytes: &[u8]) -> Text {
    if !has_wide_bom(bytes) && is_binary(bytes) {
        Text::Binary
    } else if must_be_read(bytes) {
        Text::Unknown
    } else {
        let (grams, sections) = if let Some(grams) = Grams::of(bytes) {
            (grams, Sections::default())
        } else {
            let mut cutter = Cutter::default();
            cutter.add(bytes);
            cutter.end()
        };
        Text::Indexed(grams, sections)
    }
}

/// Whether its pieces don't say what there is to be found: in UTF-16, or with a NUL, at which a search may stop.
fn must_be_read(bytes: &[u8]) -> bool {
    has_wide_bom(bytes) || memchr::memchr(0, bytes).is_some()
}

/// The text is UTF-16: a NUL in it says nothing.
#[must_use]
pub fn has_wide_bom(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF")
}

/// Whether ripgrep would take the file for a binary one before it searches it.
#[must_use]
pub fn is_binary(bytes: &[u8]) -> bool {
    memchr::memchr(0, &bytes[..bytes.len().min(BINARY_BYTES)]).is_some()
}
