//! What is kept of files that were read before: an index of each, and the contents of some. A fact holds for one stat of
//! its file; who uses it compares that first. All of it stays below a limit.
//!
//! The index comes first: it spares the reading of most files. In what it leaves free are the contents of the shortest
//! files: to open a file costs as much as to read some 13 kB of it, and most files are shorter than that.

pub mod columns;
pub mod grams;
pub mod indexer;
pub mod sections;

use super::files::Stat;
use super::limits::{
    BINARY_BYTES, FIRST_FILES, GROWTH_BYTES, Memory, ROOMY_PART, SHORTER_PERCENT, SPARE_PART,
    TYPICAL_FILES, USUAL_BYTES,
};
use grams::Grams;
use sections::{Cutter, Sections};

/// What was found in a file when its stat was this.
pub struct Facts {
    pub stat: Stat,
    /// While the stat is the same, so is the file. Of one that had just been written only a watcher can tell.
    pub is_proof: bool,
    pub text: Text,
    pub contents: Option<Box<[u8]>>,
    /// These do not go for others.
    pub is_first: bool,
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

    /// Those that may go for others, and those that don't.
    fn content_bytes(&self) -> (usize, usize) {
        match self.contents.as_ref().map_or(0, |bytes| bytes.len()) {
            bytes if self.is_first => (0, bytes),
            bytes => (bytes, 0),
        }
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
    first: usize,
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
            first: 0,
            longest: memory.longest,
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
            first: 0,
            longest: self.memory.longest,
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

    /// Of a tree with so many files the scout, which has taken so much, has less of the memory than was thought at first.
    pub fn leave_to_scout(&mut self, files: usize, taken: usize) {
        let memory = Memory::of(self.memory.total).beside_scout(files, taken);
        if memory.scout < self.memory.scout {
            self.memory = memory;
        }
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
        let contents = match facts.content_bytes().0 {
            bytes if bytes > self.longest || self.is_first(bytes) => 0,
            bytes => bytes,
        };
        let more = facts.index_bytes() + more;
        match self.room_beside(self.index + more, self.contents + contents) {
            Room::Enough if self.index + more > self.spared() => Room::SmallerIndex,
            room => room,
        }
    }

    /// Whether so much has room among the contents of the first files.
    fn is_first(&self, bytes: usize) -> bool {
        bytes <= self.memory.first / FIRST_FILES && self.first + bytes <= self.memory.first
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
        facts.is_first = self.is_first(facts.content_bytes().0);
        let (bytes, first) = facts.content_bytes();
        facts.contents.take_if(|_| bytes > self.longest);
        let index = facts.index_bytes() + more;
        self.contents += facts.content_bytes().0;
        self.first += first;
        self.index += index;
        self.admitted += 1;
        self.admitted_bytes += index;
        self.unread = self.unread.saturating_sub(1);
        if self.is_roomy() {
            let longer = self.longest / SHORTER_PERCENT * 100 + 100;
            self.longest = longer.min(self.memory.longest);
        }
        self.grow();
        Box::new(facts)
    }

    /// A part of what may be known is going to be left.
    fn is_roomy(&self) -> bool {
        self.index + self.contents + self.expected()
            < self.memory.known / ROOMY_PART * (ROOMY_PART - 1)
    }

    /// Contents of so many bytes are going to be kept.
    #[must_use]
    pub fn has_room_for_contents(&self, bytes: u64) -> bool {
        bytes <= self.longest as u64 && self.is_roomy()
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

    /// From now on contents are kept of shorter files only. Whether any were before.
    pub fn shorten(&mut self) -> bool {
        let before = self.longest;
        self.longest = before / 100 * SHORTER_PERCENT;
        before > 0
    }

    /// Drops the contents of a file that is too long for them to be kept.
    pub fn trim(&mut self, facts: &mut Facts) {
        if facts.content_bytes().0 > self.longest {
            self.drop_contents(facts);
        }
    }

    pub fn drop_contents(&mut self, facts: &mut Facts) {
        self.remove_contents(facts);
        facts.contents = None;
    }

    fn remove_contents(&mut self, facts: &Facts) {
        let (bytes, first) = facts.content_bytes();
        self.contents = self.contents.saturating_sub(bytes);
        self.first = self.first.saturating_sub(first);
    }

    pub fn drop_facts(&mut self, facts: &Facts) {
        self.is_saturated = false;
        self.remove_contents(facts);
        self.index = self.index.saturating_sub(facts.index_bytes());
    }

    #[must_use]
    pub fn has_spare_room(&self) -> bool {
        self.index + self.contents + self.expected() <= self.spared()
    }

    /// Even the names are too many to be kept.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.index > self.memory.known
    }

    /// Bytes in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.index + self.contents + self.first
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::files::Kind;

    fn facts(contents: usize) -> Facts {
        Facts {
            stat: Stat {
                kind: Kind::File,
                size: contents as u64,
                modified: 0.0,
                changed: 0.0,
                inode: 0,
                is_linked: false,
            },
            is_proof: true,
            text: Text::Unknown,
            contents: (contents > 0).then(|| vec![0; contents].into()),
            is_first: false,
        }
    }

    /// What the index of the other files is going to take is left free by contents, and not by the index.
    #[test]
    fn contents_leave_room_for_the_index_of_what_comes() {
        const INDEX: usize = 4 << 10;
        let memory = Memory {
            first: 0,
            ..Memory::of(64 << 20)
        };
        let mut cache = Cache::new(memory);
        let files = cache.memory.known / INDEX;
        cache.expect(files);
        assert_eq!(cache.room_for(&facts(1_000), INDEX), Room::Enough);
        for _ in 0..TYPICAL_FILES {
            cache.admit(facts(1_000), INDEX);
        }
        assert_eq!(cache.room_for(&facts(1_000), INDEX), Room::LessContents);
        cache.expect(files / 2);
        assert_eq!(cache.room_for(&facts(1_000), INDEX), Room::Enough);
        // without contents it is the index that gets smaller, when it is full and not before
        let mut cache = cache.emptied();
        for _ in 0..files * 7 / 8 {
            cache.admit(facts(0), INDEX);
        }
        cache.expect(files);
        assert_eq!(cache.room_for(&facts(0), INDEX), Room::Enough);
        for _ in 0..files / 16 {
            cache.admit(facts(0), INDEX);
        }
        assert_eq!(cache.room_for(&facts(0), INDEX), Room::SmallerIndex);
        assert_eq!(cache.room(), Room::Enough, "something is left for names");
    }
}
