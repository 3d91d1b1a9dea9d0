//! What is kept of the files that were read, as far as there is room.

use super::super::super::cache::columns::{Columns, Slot};
use super::super::super::cache::{Cache, Facts, Text};
use super::{FolderId, Tree};

impl Tree {
    /// Keeps facts about a file, as far as there is room for them.
    pub fn learn(&mut self, folder: FolderId, place: usize, mut facts: Facts) {
        let growth = |columns: &Columns| match &facts.text {
            Text::Indexed(grams, _) => columns.growth(grams),
            Text::Binary | Text::InColumns | Text::Unknown => 0,
        };
        let wanted = growth(&self.columns);
        self.make_room(|cache| !cache.has_room_for(&facts, wanted));
        while !self.cache.has_room_for(&facts, growth(&self.columns)) {
            match self.columns.fold() {
                0 => return self.cache.refuse(&facts),
                freed => self.cache.remove(freed),
            }
        }
        let growth = growth(&self.columns);
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

    /// Drops contents of files, the longest first, when it is too full: more than have to go, so that it is seldom.
    pub(super) fn make_room(&mut self, is_full: impl Fn(&Cache) -> bool) {
        if !is_full(&self.cache) {
            return;
        }
        // without contents there is nothing to go through
        while !self.cache.has_contents() {
            if !is_full(&self.cache) || !self.cache.shorten() {
                return;
            }
        }
        loop {
            let nodes = self.folders.iter_mut().flat_map(|folder| &mut folder.nodes);
            for facts in nodes.filter_map(|node| node.facts.as_mut()) {
                self.cache.trim(facts);
                if self.cache.has_spare_room() {
                    return;
                }
            }
            if !self.cache.shorten() {
                return;
            }
        }
    }
}
