//! What is kept of the files that were read, as far as there is room.

use super::super::super::cache::columns::{Columns, Slot};
use super::super::super::cache::{Cache, Facts, Room, Text};
use super::super::super::files::Files;
use super::super::super::limits::MAX_FOLDS;
use super::{FolderId, Tree};

impl Tree {
    /// Keeps facts about a file, as far as there is room for them.
    pub fn learn(&mut self, folder: FolderId, place: usize, mut facts: Facts) {
        for _ in 0..self.section_folds {
            facts.fold_sections();
        }
        facts
            .contents
            .take_if(|_| self.is_split && self.is_scouts(folder));
        let growth = |columns: &Columns| match &facts.text {
            Text::Indexed(grams, _) => columns.growth(grams),
            Text::Binary | Text::InColumns | Text::Unknown => 0,
        };
        let most = growth(&self.columns);
        if !self.make_room(|cache| cache.room_for(&facts, most)) {
            return self.cache.refuse(&facts);
        }
        // less, where it became smaller
        let growth = growth(&self.columns);
        let slot = match &facts.text {
            Text::Binary => Slot::BINARY,
            Text::Indexed(grams, _) => self.columns.insert(grams).unwrap_or(Slot::NONE),
            Text::InColumns | Text::Unknown => Slot::NONE,
        };
        if slot.is_column() {
            facts.text = Text::InColumns;
        }
        self.knowledge += 1;
        let stat = facts.stat;
        let facts = self.cache.admit(facts, growth);
        let node = self.node_mut(folder, place);
        (node.slot, node.facts) = (slot, Some(facts));
        self.trust(folder, place, &stat);
    }

    /// Files that searches came to are going to be read for the index.
    pub fn expect_reading(&mut self, files: &impl Files) {
        let nodes = self.folders.iter().flat_map(|folder| &folder.nodes);
        let wanted = nodes.filter(|node| node.wanted);
        let (known, unread) = wanted.fold((0, 0), |(known, unread), node| match node.facts {
            Some(_) => (known + 1, unread),
            None => (known, unread + 1),
        });
        self.cache.expect(unread);
        if let Some(scout) = files.scout() {
            self.cache.leave_to_scout(known + unread, scout.memory());
        }
    }

    /// Whether a file of this folder is the scout's in a search that it has a part in: the half of the files to which walks
    /// come last, for a search that ends when enough was found has no use for a scout.
    #[must_use]
    pub fn is_scouts(&self, folder: FolderId) -> bool {
        folder as usize >= self.folders.len() / 2
    }

    /// Whether the scout is to be given its files now; to be asked once, when the index is there.
    pub fn takes_filling(&mut self) -> bool {
        std::mem::take(&mut self.is_to_fill)
    }

    /// Leaves the contents of the scout's files to it. Whether that is new.
    fn split(&mut self) -> bool {
        if self.is_split || self.cache.memory.scout == 0 {
            return false;
        }
        (self.is_split, self.is_to_fill) = (true, true);
        let from = self.folders.len() / 2;
        let nodes = self.folders[from..]
            .iter_mut()
            .flat_map(|folder| &mut folder.nodes);
        for facts in nodes.filter_map(|node| node.facts.as_mut()) {
            self.cache.drop_contents(facts);
        }
        true
    }

    /// Makes room where there is none: contents of files go, the longest first, or the index is folded. Whether there is.
    pub(super) fn make_room(&mut self, room: impl Fn(&Cache) -> Room) -> bool {
        loop {
            let found = match room(&self.cache) {
                Room::Enough => return true,
                Room::LessContents => self.split() || self.trim(&room) || self.cache.shorten(),
                Room::SmallerIndex => self.fold(),
            };
            if !found {
                return false;
            }
        }
    }

    /// Drops contents that are longer than those that are kept now: more than have to go, so that it is seldom. Whether
    /// there were any.
    fn trim(&mut self, room: impl Fn(&Cache) -> Room) -> bool {
        if !self.cache.has_contents() {
            return false;
        }
        let before = self.cache.used();
        let nodes = self.folders.iter_mut().flat_map(|folder| &mut folder.nodes);
        for facts in nodes.filter_map(|node| node.facts.as_mut()) {
            self.cache.trim(facts);
            if self.cache.has_spare_room() && room(&self.cache) != Room::LessContents {
                break;
            }
        }
        self.cache.used() < before
    }

    /// Halves a part of the indexes: those of sections take the most where there are many long texts, and what passes is
    /// read in part only. Whether anything became free.
    fn fold(&mut self) -> bool {
        let freed = match self.fold_sections(1) {
            0 => self.columns.fold(),
            freed => freed,
        };
        let freed = match freed {
            0 => self.fold_sections(MAX_FOLDS),
            freed => freed,
        };
        self.cache.remove(freed);
        freed > 0
    }

    /// Folds the indexes of all sections, if they were not so often. Bytes that became free.
    fn fold_sections(&mut self, times: u32) -> usize {
        if self.section_folds >= times {
            return 0;
        }
        let nodes = self.folders.iter_mut().flat_map(|folder| &mut folder.nodes);
        let facts = nodes.filter_map(|node| node.facts.as_mut());
        let freed = facts.map(|facts| facts.fold_sections()).sum();
        self.section_folds += u32::from(freed > 0);
        freed
    }
}
