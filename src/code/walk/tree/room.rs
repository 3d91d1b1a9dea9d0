//! What is kept of the files that were read, as far as there is room.

use super::super::super::cache::columns::{Columns, Slot};
use super::super::super::cache::{Cache, Facts, Text};
use super::super::super::limits::MAX_FOLDS;
use super::{FolderId, Tree};

impl Tree {
    /// Keeps facts about a file, as far as there is room for them.
    pub fn learn(&mut self, folder: FolderId, place: usize, mut facts: Facts) {
        for _ in 0..self.section_folds {
            facts.fold_sections();
        }
        let growth = |columns: &Columns| match &facts.text {
            Text::Indexed(grams, _) => columns.growth(grams),
            Text::Binary | Text::InColumns | Text::Unknown => 0,
        };
        let most = growth(&self.columns);
        self.make_room(|cache| !cache.has_room_for(&facts, most));
        let growth = growth(&self.columns);
        if !self.cache.has_room_for(&facts, growth) {
            return self.cache.refuse(&facts);
        }
        let slot = match &facts.text {
            Text::Binary => Slot::BINARY,
            Text::Indexed(grams, _) => self.columns.insert(grams).unwrap_or(Slot::NONE),
            Text::InColumns | Text::Unknown => Slot::NONE,
        };
        if slot.is_column() {
            facts.text = Text::InColumns;
            self.cache.add(growth);
        }
        self.knowledge += 1;
        let stat = facts.stat;
        let facts = self.cache.admit(facts);
        let node = self.node_mut(folder, place);
        (node.slot, node.facts) = (slot, facts);
        self.trust(folder, place, &stat);
    }

    /// Drops contents of files, the longest first, when it is too full: more than have to go, so that it is seldom. When there
    /// are none left, the indexes are folded.
    pub(super) fn make_room(&mut self, is_full: impl Fn(&Cache) -> bool) {
        while is_full(&self.cache) {
            if !self.trim(&is_full) && !self.cache.shorten() && !self.fold() {
                return;
            }
        }
    }

    /// Drops contents that are longer than those that are kept now, until there is room to spare. Whether there were any.
    fn trim(&mut self, is_full: impl Fn(&Cache) -> bool) -> bool {
        if !self.cache.has_contents() {
            return false;
        }
        let before = self.cache.used();
        let nodes = self.folders.iter_mut().flat_map(|folder| &mut folder.nodes);
        for facts in nodes.filter_map(|node| node.facts.as_mut()) {
            self.cache.trim(facts);
            if self.cache.has_spare_room() && !is_full(&self.cache) {
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
