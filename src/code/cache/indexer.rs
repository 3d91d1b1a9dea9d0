//! Puts a tree into the index between two queries.

use super::super::files::{Files, Stat, read_whole};
use super::super::limits::INDEXED_FILE_BYTES;
use super::super::walk::tree::{FolderId, Tree, is_settled};
use super::grams::Distinct;
use super::sections::Cutter;
use super::{Facts, Text, has_wide_bom, is_binary, must_be_read, text_of};

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
                tree.expect_reading(files);
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
            contents: (tree.cache.has_room_for_contents(stat.size))
                .then(|| Vec::with_capacity(stat.size as usize)),
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
        is_first: false,
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
    /// Those so far, if they are to be kept.
    contents: Option<Vec<u8>>,
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
                self.keep(piece);
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
        let mut facts = Facts {
            stat: self.stat,
            is_proof: self.is_proof,
            text,
            contents: None,
            is_first: false,
        };
        if facts.text.is_indexed() {
            let whole = |bytes: &Vec<u8>| bytes.len() as u64 == facts.stat.size;
            facts.contents = self.contents.filter(whole).map(Vec::into_boxed_slice);
        }
        tree.learn(self.folder, self.place, facts);
        None
    }

    /// Of another length than its stat says it has changed meanwhile.
    fn keep(&mut self, piece: &[u8]) {
        let known = if self.offset == 0 {
            0
        } else {
            Distinct::OVERLAP
        };
        let new = &piece[known.min(piece.len())..];
        self.contents
            .take_if(|bytes| bytes.len() + new.len() > bytes.capacity());
        if let Some(contents) = &mut self.contents {
            contents.extend_from_slice(new);
        }
    }
}
