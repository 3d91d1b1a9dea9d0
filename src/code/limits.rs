//! Every number that tunes the code tools, with its unit and its reason.

/// Matching lines, files or paths shown when the model doesn't say: some 5,000 tokens.
pub const DEFAULT_LIMIT: usize = 100;
/// The best are shown of so many times as much: a search ends there, far before it has seen a large tree. Of names that are
/// defined in 15,000 files, and are in more lines than that, a definition is shown of four in five so; of two in three with
/// twice as much, and of half without.
pub const RANKED: usize = 4;
/// For that a search goes on to half as many files again as it took to find what is shown, and to so many at least: in a
/// large tree of which few lines match, the rest would take three times as long.
pub const RANKED_FILES: u64 = 4096;
/// Of a file so many lines, where not all can be shown: one file doesn't take the place of all others.
pub const LINES_OF_A_FILE: usize = 20;
/// The most that may be asked for. Results are held in memory until they are shown.
pub const MAX_LIMIT: usize = 1_000_000;
/// Lines of context around a match that may be asked for.
pub const MAX_CONTEXT: usize = 100;
/// Text shown at most without an explicit limit: OpenCode cuts at 50 KiB, and without a word on what was lost. Bytes.
pub const OUTPUT_BYTES: usize = 40_000;
/// Text shown at most with one. Bytes.
pub const MAX_OUTPUT_BYTES: usize = 64 << 20;
/// A longer line is cut around its match. Characters.
pub const LINE_CHARS: usize = 240;
/// Of which so many before the match. Characters.
pub const CHARS_BEFORE_MATCH: usize = 80;
/// Lines that come first, whatever the limit, before a search ends without having seen all: the totals of few are exact.
pub const COUNTED_ANYWAY: usize = 64;
/// Names of what was skipped that are shown.
pub const SKIPPED_NAMES: usize = 3;

/// A pattern's compiled size; ripgrep allows ten times as much, of a memory that is not shared. Bytes.
pub const PATTERN_BYTES: usize = 10 << 20;
/// Characters on end that are gone through beside a text before the regex engine is asked, which goes through a line once:
/// from each place of the text in it, a line of megabytes would take minutes.
pub const SHAPE_CHARS: u32 = 1_000;
/// The lazy DFA's cache, of which a pattern has a few; ripgrep's is larger, but there the memory is not shared with an
/// index. Bytes.
pub const DFA_BYTES: usize = 2 << 20;

/// How one instance divides the memory that it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Files up to this are read whole; longer ones in pieces, line by line.
    pub whole_file: usize,
    /// The longest line of such a file, and the longest file that a multi-line pattern is tried on.
    pub piece: usize,
    /// Names, facts and indexes, and in what they leave free contents of files.
    pub known: usize,
    /// Of files up to this, if they have room.
    pub longest: usize,
    /// Contents of the first files, whatever else needs room.
    pub first: usize,
    /// All of it, with what a scout has, and that.
    pub total: usize,
    pub scout: usize,
}

impl Memory {
    /// Of so many bytes. What is not index or contents is for the module with its automata, and for reading: the buffers
    /// grow by doubling, so that each is there one and a half times for a moment.
    #[must_use]
    pub fn of(bytes: usize) -> Self {
        let whole_file = (bytes / 32).clamp(1 << 20, 8 << 20);
        let piece = (bytes / 16).clamp(2 << 20, 16 << 20);
        let reserved = FIXED_BYTES + 3 * whole_file + 3 * piece / 2;
        // an allocator can't use everything, for pieces of all sizes come and go; and what is known of 90,000 files has
        // lists of them beside it
        let known = bytes.saturating_sub(reserved) / 8 * 7;
        let first = known / FIRST_PART;
        Self {
            whole_file,
            piece,
            known: known - first,
            longest: (known / 8).max(whole_file),
            first,
            total: bytes,
            scout: 0,
        }
    }

    /// The same with a share for a scout, of which so much is taken: the less, the more files the tree has, for the index of
    /// them is this instance's alone.
    #[must_use]
    pub fn beside_scout(self, files: usize, taken: usize) -> Self {
        let (total, most) = (self.total, self.total / SCOUT_PART);
        if most < SCOUT_BYTES {
            return self;
        }
        let free = Self::of(total).known.saturating_sub(files * INDEXED_BYTES);
        let scout = (free / 2).clamp(SCOUT_BYTES, most).max(taken);
        Self {
            total,
            scout,
            ..Self::of(total - scout)
        }
    }
}

/// A scout has at most this part of the memory, and at least so many bytes, of which so many are not for contents.
pub const SCOUT_PART: usize = 3;
pub const SCOUT_BYTES: usize = 14 << 20;
pub const SCOUT_FIXED_BYTES: usize = 12 << 20;
/// Longer files are not handed to it, if not in sections. Bytes.
pub const SCOUT_FILE_BYTES: usize = 1 << 20;
/// It is wanted when a search has searched so many bytes, of which each file that it read counts so many: some milliseconds,
/// for it takes half a millisecond until the scout is at work. The trees of tests are small.
pub const SCOUT_WANTED_BYTES: usize = if cfg!(test) { 512 << 10 } else { 8 << 20 };
pub const SCOUT_READ_BYTES: usize = 64 << 10;
/// So many times as much where a search ends when enough was found: what is under way then was in vain.
pub const SCOUT_LATER: usize = 4;
/// A pattern whose automata take more is not compiled by the scout, too. Bytes.
pub const SCOUT_PATTERN_BYTES: usize = 4 << 20;
/// It opens so many files at a time ahead of a search that reads them, which has two such lots under way; see
/// `host/code/ahead.ts`.
pub const AHEAD_FILES: usize = 64;
/// Whether it does is looked at whenever a search has come to so many files more: one that ends soon needs no help.
pub const AHEAD_AFTER: usize = 64;
/// For so many it is called: its thread takes some ten milliseconds of a processor to start, in which the first code is being
/// compiled, too.
pub const AHEAD_CALL: usize = 2_048;
/// Files, and bytes of them, that it is given at once.
pub const PARCEL_FILES: usize = 64;
pub const PARCEL_BYTES: usize = 1 << 20;
/// Parcels under way in a search that ends when enough was found.
pub const PARCELS_AHEAD: usize = 4;
/// Parcels of a search. The host counts them with 16 bits.
pub const MAX_PARCELS: usize = 60_000;
/// After so many searches without a use for it the scout forgets a file's contents, if it needs the room.
pub const SCOUT_FORGETS: u64 = 16;
/// A step waits for the scout no longer than this. Milliseconds.
pub const SCOUT_WAIT_MS: u32 = 20;
/// What is known of a file takes about so much. Bytes.
const INDEXED_BYTES: usize = 2 << 10;

/// When room is made for more of what is known, this part of the whole becomes free: each time all that is known is gone
/// through. So much no index takes.
pub const SPARE_PART: usize = 16;
/// Where more than this part is going to be left, contents of longer files are kept again: the index of all was guessed
/// by the first files.
pub const ROOMY_PART: usize = 4;
/// After so many files of a tree the index of the others is guessed by theirs.
pub const TYPICAL_FILES: usize = 512;
/// What is known of a file takes less than this, if it is not a long one. Bytes.
pub const USUAL_BYTES: usize = MAX_COLUMN_BITS / 8 + 1024;
/// For that, contents are kept of files up to this share of what was the longest, in percent; and again.
pub const SHORTER_PERCENT: usize = 75;
/// This part is for contents of the files to which the index comes first, as walks do: where enough is found soon, and not all
/// contents have room, it is found in these.
pub const FIRST_PART: usize = 32;
/// So many at least.
pub const FIRST_FILES: usize = 16;
/// The module itself, its stack, a pattern's automata and the results of a search. Bytes.
const FIXED_BYTES: usize = 14 << 20;
/// The memory grows by so much at a time: a runtime takes a third of a millisecond for each growth, and the allocator would
/// ask for 64 KiB. Bytes.
pub const GROWTH_BYTES: usize = 8 << 20;
/// A NUL in a file's first bytes makes it binary: as many as ripgrep looks at. Bytes.
pub const BINARY_BYTES: usize = 64 << 10;

/// A file of which single lines are wanted is read in pieces of so many bytes.
pub const PIECE_BYTES: usize = 256 << 10;

/// A step of a job: so many files or bytes, whichever is first. Some 5 ms on a slow machine.
pub const STEP_FILES: usize = 128;
pub const STEP_BYTES: usize = 8 << 20;

/// What changed so shortly before it was read may change again without its time telling: file systems count time in
/// steps of up to 2 s (FAT; ext4 in jiffies). It is read anew until it is older. Milliseconds.
pub const RACY_MS: f64 = 2_000.0;
/// A folder is watched on these file systems, by their `statfs` types. Only this machine writes to them: of a network's, or
/// of one that is another machine's, the kernel tells what happens here alone.
pub const WATCHED_FILE_SYSTEMS: &[u32] = &[
    0xEF53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683E, // Btrfs
    0xCA45_1A4E, // bcachefs
    0xF2F5_2010, // F2FS
    0x2FC1_2FC1, // ZFS
    0x3153_464A, // JFS
    0x0102_1994, // tmpfs
    0x8584_58F6, // ramfs
    0x794C_7630, // overlayfs
    0x7371_7368, // SquashFS
    0xE0F5_E1E2, // EROFS
];
/// Of the folders that the user may have watched this part at most is taken by an instance: editors want some, too.
pub const WATCHED_PART: usize = 8;
/// What a watched folder takes beside its names. Bytes.
pub const WATCH_BYTES: usize = 48;
/// New names that are looked at one by one; more are as many as a checkout makes, and all files are looked at. Some
/// milliseconds.
pub const ARRIVALS: usize = 1_000;
/// Some changes are not told: by a hard link in a folder that is not searched, by shared memory before it is unmapped. What
/// was not compared with its file for so long is not trusted, as if it had been told: as the longest that a person waits
/// before asking again what should have changed. Milliseconds.
pub const UNTOLD_MS: f64 = 60_000.0;
/// It is compared after an answer, when nobody waits, if it was not for so long: often enough that in a session which asks
/// every half minute no answer waits for it, and a hundredth of one processor for 100,000 files. Milliseconds.
pub const SWEEP_MS: f64 = 20_000.0;
/// Walks of which the files are remembered while no name changes.
pub const KEPT_WALKS: usize = 4;
/// Index of a file: bits for each byte of text. A source file has a distinct piece of three bytes for every four bytes, and
/// one of four for every three, so two fifths of the bits are set: a pattern of eight characters, which has eleven pieces,
/// passes one file in ten thousand that has nothing of it, and one that is made of usual trigrams few that lack it.
pub const INDEX_BITS_PER_BYTE: f64 = 1.2;
/// Such an index of a file is one column of many, if it has so many bits at most: 64 of them are a block. Bits.
pub const MAX_COLUMN_BITS: usize = 1 << 17;
/// Where there is no room for more, such indexes are halved so many times at most. Once, and three fifths of the bits are
/// set: of a thousand files without a pattern of eight characters five pass. Twice, and more than four fifths are: 150 do.
/// Once more, and nearly all would.
pub const MAX_FOLDS: u32 = 2;
/// Bits for each distinct piece of a longer text, in which most are there many times: as above, two fifths of them are set.
pub const INDEX_BITS_PER_GRAM: usize = 2;
/// A text whose index is in no column has another one for each of its sections: so many bytes, and on to the line's end.
/// Twice as much takes three fifths of the memory and a count of a frequent word a fifth longer.
pub const SECTION_BYTES: u64 = 16 << 10;
/// Files longer than this are not indexed. Bytes.
pub const INDEXED_FILE_BYTES: u64 = 256 << 20;
/// What a file or folder in the tree takes beside its name. Bytes.
pub const NODE_BYTES: usize = 64;
/// Workers where the user says nothing and the machine has the processors. More were not measured; each takes its part of
/// the memory.
pub const AUTO_WORKERS: u32 = 2;
/// With less than this each they would have no room for an index. MB.
pub const WORKER_MB: u32 = 48;
/// Nodes of which the stats are asked for at once: at first, and twice as many each time, at most. A search that ends soon
/// asks for few in vain; of many the host takes a part in another thread. The most are 6 ms of work for one.
pub const CHECKED_FIRST: usize = 64;
pub const CHECKED_AT_ONCE: usize = 2048;
/// Folders so deep, and all that is below each, are one worker's: deep enough for there to be many, and not so deep that
/// the folders above, which every worker walks, are.
pub const SHARED_DEPTH: usize = 3;
