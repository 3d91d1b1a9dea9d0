//! The files that a walk came to, for the next one over the same. They hold as long as no name and no ignore file changes,
//! which has to be told of every folder of the walk.

use super::super::super::cache::Cache;
use super::super::super::cache::columns::Slot;
use super::super::super::files::Files;
use super::super::super::limits::KEPT_WALKS;
use super::super::globs::Globs;
use super::super::path::Place;
use super::super::{Found, Share};
use super::{FolderId, Node, Tree};
use std::cell::RefCell;
use std::rc::Rc;

/// What a walk is over.
#[derive(Clone)]
pub struct Over {
    pub place: Place,
    pub globs: Rc<Globs>,
    pub share: Share,
}

impl Over {
    fn is(&self, other: &Self) -> bool {
        self.place == other.place && self.share == other.share && self.globs.are(&other.globs)
    }
}

/// The files of a walk, in its order.
pub struct Kept {
    over: Over,
    version: u64,
    pub files: Vec<Found>,
    /// Folders with ignore files of which nobody tells, and whether a repository is around them: these are read each time.
    read: Vec<(FolderId, bool)>,
    slots: RefCell<Slots>,
}

/// Where the index of each of a walk's files is, if it is one that would be told to be old; else [`Slot::NONE`]. The nodes
/// themselves are all over the memory.
#[derive(Default)]
struct Slots {
    /// What was known of files when this was put together.
    knowledge: u64,
    slots: Rc<[Slot]>,
}

impl Kept {
    /// What a walk that begins is going to come to.
    #[must_use]
    pub fn new(over: Over, tree: &Tree) -> Self {
        Self {
            over,
            version: tree.version,
            files: Vec::new(),
            read: Vec::new(),
            slots: RefCell::default(),
        }
    }

    /// The walk goes into a folder. Whether what it finds in it will be told when it changes.
    pub fn enter(&mut self, tree: &Tree, folder: FolderId, in_repository: bool) -> bool {
        if !tree.are_rules_told(folder, in_repository) {
            self.read.push((folder, in_repository));
        }
        tree.is_told(folder) && tree.is_watched()
    }

    fn bytes(&self) -> usize {
        let of_file = size_of::<Found>() + size_of::<Slot>();
        size_of::<Self>() + self.files.capacity() * of_file
    }
}

impl Tree {
    /// The globs of a call: those of a remembered walk if they are the same, for to compile them takes longer than to go over
    /// its files.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn globs(&self, written: &[String], smart_case: bool) -> Result<Rc<Globs>, String> {
        let mut known = self.kept.iter().map(|kept| &kept.over.globs);
        match known.find(|globs| globs.are_of(written, smart_case)) {
            Some(globs) => Ok(Rc::clone(globs)),
            None => Ok(Rc::new(Globs::new(written, smart_case)?)),
        }
    }

    /// The files of an earlier walk over the same, if they are those of now, and the [`Slot`] of each.
    pub fn kept(&mut self, files: &impl Files, over: &Over) -> Option<(Rc<Kept>, Rc<[Slot]>)> {
        self.drop_old();
        let kept = self.kept.iter().find(|kept| kept.over.is(over))?;
        let kept = Rc::clone(kept);
        for &(folder, in_repository) in &kept.read {
            if self.texts(files, folder, in_repository) != self.folder(folder).texts {
                self.version += 1;
                return None;
            }
        }
        let slots = self.slots_of(&kept);
        Some((kept, slots))
    }

    fn slots_of(&self, kept: &Kept) -> Rc<[Slot]> {
        let mut known = kept.slots.borrow_mut();
        if known.knowledge != self.knowledge || known.slots.len() != kept.files.len() {
            let slot_of = |found: &Found| {
                let node = &self.folder(found.folder).nodes[found.place];
                if self.is_told_in_walk(node) {
                    node.slot
                } else {
                    Slot::NONE
                }
            };
            *known = Slots {
                knowledge: self.knowledge,
                slots: kept.files.iter().map(slot_of).collect(),
            };
        }
        Rc::clone(&known.slots)
    }

    /// Whether what is known of a node is true, to which a walk came that still holds: that its folder is watched the walk
    /// made sure.
    #[must_use]
    pub fn is_told_in_walk(&self, node: &Node) -> bool {
        node.told == self.epoch()
    }

    /// Remembers the files of a walk, if they still are those.
    pub fn keep(&mut self, mut kept: Kept) {
        self.drop_old();
        if kept.version != self.version {
            return;
        }
        if self.kept.len() == KEPT_WALKS {
            let oldest = self.kept.remove(0);
            self.cache.remove(oldest.bytes());
        }
        kept.files.shrink_to_fit();
        self.cache.add(kept.bytes());
        if !self.make_room(Cache::room) {
            return self.cache.remove(kept.bytes());
        }
        self.kept.push(Rc::new(kept));
    }

    fn drop_old(&mut self) {
        let Self {
            kept,
            cache,
            version,
            ..
        } = self;
        kept.retain(|kept| {
            let holds = kept.version == *version;
            if !holds {
                cache.remove(kept.bytes());
            }
            holds
        });
    }
}
