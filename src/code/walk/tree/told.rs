//! What a watcher tells of the tree, and what that is good for: names, ignore files and facts that are as they were need
//! not be looked at again.
//!
//! A watch is set first, then what it watches is looked at: a later change is told before the next walk begins
//! ([`Tree::hear`]). What is told only widens what is looked at again:
//!
//! | told | looked at again |
//! |---|---|
//! | a file's contents or attributes | that file by its stat; as an ignore file, what it says |
//! | a name came or went | the folder's names; a new name may be a hard link to a known file |
//! | the same of a folder's name | all below, of which the watches end: they follow the folder, not its name |
//! | a name came and is gone; a folder came | every file by its stat: it may have been a link by which one was written |
//! | that something was missed | everything; all watches end |
//!
//! Some changes nobody tells: by a hard link in a folder that is not searched, or by shared memory. So a file's stat is
//! also compared after an answer, now and then, and what was not compared for long is not trusted ([`UNTOLD_MS`]).

use super::super::super::files::{Change, Changes, Files, Kind, Stat, Watch, What, join};
use super::super::super::limits::{
    ARRIVALS, SWEEP_MS, UNTOLD_MS, WATCH_BYTES, WATCHED_FILE_SYSTEMS, WATCHED_PART,
};
use super::{FolderId, NONE, Node, Tree};
use std::collections::{HashMap, HashSet};

/// The watches on a tree's folders.
pub(super) struct Watches {
    pub(super) are_wanted: bool,
    folders: HashMap<Watch, FolderId>,
    /// Those of folders that are gone, still to be ended.
    released: Vec<Watch>,
    /// No more are to be had.
    is_full: bool,
    /// Every folder that a walk came to is watched, as far as it can be.
    is_complete: bool,
    /// What is known of files was compared with them in this epoch or is not trusted.
    epoch: u32,
    /// Nothing that is trusted was compared before. Milliseconds since the Unix epoch.
    compared: f64,
    /// When it was last asked what happened.
    heard: f64,
    /// Files that were found to have other names, since the last walk began.
    linked: HashSet<u64>,
}

impl Watches {
    pub(super) fn new(are_wanted: bool) -> Self {
        Self {
            are_wanted,
            folders: HashMap::new(),
            released: Vec::new(),
            is_full: false,
            is_complete: false,
            epoch: 1,
            compared: 0.0,
            heard: 0.0,
            linked: HashSet::new(),
        }
    }
}

/// New names of which is not known yet whether they are links.
#[derive(Default)]
struct Arrivals {
    /// How often each was told.
    names: HashMap<(FolderId, Box<[u8]>), u32>,
    /// Those that moved on, by the move's number.
    moving: HashSet<u32>,
    /// Some can't be looked at any more.
    are_lost: bool,
}

impl Arrivals {
    fn take(&mut self, folder: FolderId, change: &Change, was_known: bool) {
        let key = (folder, change.name.clone());
        match change.what {
            What::Came => {
                self.moving.remove(&change.move_id);
                self.names.insert(key, 1);
            }
            What::Went if self.names.remove(&key).is_some() => {
                if change.move_id == 0 {
                    self.are_lost = true;
                } else {
                    self.moving.insert(change.move_id);
                }
            }
            What::Name => {
                // the first may be that a known name went
                let first = if was_known { 1 } else { 2 };
                let times = self.names.entry(key);
                times.and_modify(|times| *times += 1).or_insert(first);
            }
            _ => {}
        }
    }
}

impl Tree {
    /// Takes in what happened in the watched folders.
    pub(super) fn hear(&mut self, files: &impl Files) {
        self.release(files);
        if self.watches.folders.is_empty() {
            return;
        }
        let now = files.now();
        self.watches.heard = now;
        match files.changes() {
            Changes::Unknown => {
                self.unwatch_all();
                self.watches.released.clear();
            }
            Changes::Told(changes) => self.apply(files, &changes, now),
        }
        let linked = std::mem::take(&mut self.watches.linked);
        if !linked.is_empty() {
            self.distrust_linked(&linked);
        }
        let age = now - self.watches.compared;
        if !(0.0..=UNTOLD_MS).contains(&age) {
            self.distrust(now);
        }
    }

    fn apply(&mut self, files: &impl Files, changes: &[Change], now: f64) {
        let mut arrivals = Arrivals::default();
        for change in changes {
            // of a watch that ended nothing more is of interest: nothing is trusted that was known by it
            let Some(&id) = self.watches.folders.get(&change.watch) else {
                continue;
            };
            if change.what == What::Ended || change.name.is_empty() {
                self.distrust_below(files, id);
                continue;
            }
            self.knowledge += 1;
            let place = self.place_of(id, &change.name);
            if let Some(place) = place {
                let node = self.node_mut(id, place);
                node.told = 0;
                let Node { kind, below, .. } = *node;
                if kind == Kind::Folder && below != NONE {
                    self.distrust_below(files, below);
                }
            }
            let is_rule = is_rule_name(&change.name);
            let folder = &mut self.folders[id as usize];
            if is_rule {
                folder.ruled = 0;
            }
            if change.what != What::Facts {
                folder.is_told = false;
                arrivals.take(id, change, place.is_some());
            } else if place.is_none() && folder.is_told {
                // a file is written of which nobody told the name
                folder.nodes.iter_mut().for_each(|node| node.told = 0);
            }
            if is_rule || change.what != What::Facts {
                self.version += 1;
            }
        }
        if self.may_be_linked(files, arrivals) {
            self.distrust(now);
        }
    }

    /// Whether a known file may have been written by one of the new names.
    fn may_be_linked(&mut self, files: &impl Files, arrivals: Arrivals) -> bool {
        if arrivals.are_lost || !arrivals.moving.is_empty() || arrivals.names.len() > ARRIVALS {
            return true;
        }
        for ((id, name), times) in arrivals.names {
            match files.stat(&join(&self.folder(id).path, &name)) {
                Ok(stat) if stat.kind == Kind::Folder => return true,
                Ok(stat) => self.note_links(&stat),
                // a name that was known has gone, and nothing else happened to it
                Err(_) if times == 1 && self.place_of(id, &name).is_some() => {}
                Err(_) => return true,
            }
        }
        false
    }

    /// A file with other names is never trusted without a look at it, whichever name it is known by.
    pub(super) fn note_links(&mut self, stat: &Stat) {
        if stat.is_linked && stat.kind == Kind::File && self.watches.is_complete {
            self.watches.linked.insert(stat.inode);
        }
    }

    fn distrust_linked(&mut self, inodes: &HashSet<u64>) {
        self.knowledge += 1;
        for node in self.folders.iter_mut().flat_map(|folder| &mut folder.nodes) {
            let facts = node.facts.as_ref();
            if facts.is_some_and(|facts| inodes.contains(&facts.stat.inode)) {
                node.told = 0;
            }
        }
    }

    /// Trusts no file from now on that is not compared anew.
    fn distrust(&mut self, now: f64) {
        self.watches.epoch += 1;
        self.watches.compared = now;
        self.version += 1;
    }

    /// Ends the watches on a folder and all below.
    fn distrust_below(&mut self, files: &impl Files, id: FolderId) {
        self.version += 1;
        self.watches.is_complete = false;
        let mut left = vec![id];
        while let Some(id) = left.pop() {
            self.drop_watch(id);
            let below = self.folder(id).nodes.iter().map(|node| node.below);
            left.extend(below.filter(|below| *below != NONE));
        }
        self.release(files);
    }

    /// The folder is not watched any more: its watch is ended soon.
    pub(super) fn drop_watch(&mut self, id: FolderId) {
        let folder = &mut self.folders[id as usize];
        folder.is_told = false;
        folder.ruled = 0;
        if let Some(watch) = folder.watch.take() {
            self.watches.folders.remove(&watch);
            self.watches.released.push(watch);
            self.watches.is_full = false;
            self.cache.remove(WATCH_BYTES);
        }
    }

    fn release(&mut self, files: &impl Files) {
        for watch in std::mem::take(&mut self.watches.released) {
            files.unwatch(watch);
        }
    }

    /// Ends all watches.
    pub fn unwatch(&mut self, files: &impl Files) {
        self.unwatch_all();
        self.release(files);
    }

    fn unwatch_all(&mut self) {
        let ids: Vec<FolderId> = self.watches.folders.values().copied().collect();
        for id in ids {
            self.drop_watch(id);
        }
        self.watches.is_complete = false;
        self.version += 1;
    }

    /// Watches a folder that a walk came to, if that is possible and it is not watched yet. What was known of it by an
    /// earlier watch is not trusted. Whether a watch was tried for.
    pub fn watch(&mut self, files: &impl Files, id: FolderId) -> bool {
        let folder = self.folder(id);
        if !self.watches.are_wanted || folder.watch.is_some() || !folder.is_entered {
            return false;
        }
        // that the root is the folder that it was, the host looks at; of any other the folder above tells
        let is_known = id == Self::ROOT || self.folder(folder.above).watch.is_some();
        if !is_known || self.watches.is_full {
            return false;
        }
        self.release(files);
        if self.watches.folders.len() >= files.watch_limit() / WATCHED_PART {
            self.watches.is_full = true;
            return false;
        }
        let watch = files.watch(&self.folder(id).path, WATCHED_FILE_SYSTEMS);
        let Some(watch) = watch else { return true };
        if let Some(other) = self.watches.folders.get(&watch).copied() {
            // it is another name of a folder that is known, which has gone or will be told to have
            let other = &mut self.folders[other as usize];
            other.watch = None;
            other.is_told = false;
            self.cache.remove(WATCH_BYTES);
        }
        self.watches.folders.insert(watch, id);
        self.cache.add(WATCH_BYTES);
        let folder = &mut self.folders[id as usize];
        folder.watch = Some(watch);
        folder.is_told = false;
        folder.ruled = 0;
        folder.nodes.iter_mut().for_each(|node| node.told = 0);
        self.knowledge += 1;
        true
    }

    /// The folder comes up in a walk: where all others are watched, it is, too.
    pub(super) fn watch_new(&mut self, files: &impl Files, id: FolderId) {
        let is_entered = &mut self.folders[id as usize].is_entered;
        let is_new = !std::mem::replace(is_entered, true);
        self.knowledge += u64::from(is_new);
        if self.watches.is_complete {
            self.watch(files, id);
        }
    }

    /// All folders that walks came to were tried to be watched.
    pub fn set_watched(&mut self, files: &impl Files) {
        if !self.watches.is_complete && !self.watches.folders.is_empty() {
            self.watches.is_complete = true;
            // what was compared before may have been written since by a link in a folder that was not watched yet
            self.distrust(files.now());
        }
    }

    /// Every folder that walks came to is watched, as far as it can be.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.watches.is_complete
    }

    /// The folder's names are those of now.
    #[must_use]
    pub fn is_told(&self, id: FolderId) -> bool {
        self.folder(id).is_told
    }

    /// Its names are to be read once more for that to be known.
    #[must_use]
    pub fn is_untold(&self, id: FolderId) -> bool {
        let folder = self.folder(id);
        folder.watch.is_some() && !folder.is_told
    }

    /// What its ignore files say is known.
    pub(super) fn are_rules_told(&self, id: FolderId, in_repository: bool) -> bool {
        let folder = self.folder(id);
        folder.ruled == self.watches.epoch
            && folder.is_told
            && self.watches.is_complete
            && folder.ruled_in_repository == in_repository
    }

    /// The ignore files of a folder were read. What they say is told from now on, unless one is elsewhere or has other
    /// names.
    pub(super) fn trust_rules(&mut self, files: &impl Files, id: FolderId, in_repository: bool) {
        let are_here = self.is_told(id)
            && self.watches.is_complete
            && self.place_of(id, b".git").is_none()
            && RULE_FILES.iter().all(|name| {
                let Some(place) = self.place_of(id, name) else {
                    return true;
                };
                match self.folder(id).nodes[place].kind {
                    Kind::File => {
                        let stat = files.stat(&self.path_of(id, place));
                        stat.is_ok_and(|stat| !stat.is_linked)
                    }
                    Kind::Link => false,
                    Kind::Folder | Kind::Other => true,
                }
            });
        let epoch = if are_here { self.watches.epoch } else { 0 };
        let folder = &mut self.folders[id as usize];
        (folder.ruled, folder.ruled_in_repository) = (epoch, in_repository);
    }

    /// Reads the ignore files of a folder once more, told or not.
    pub fn compare_rules(&mut self, files: &impl Files, id: FolderId) {
        let folder = self.folder(id);
        if folder.ruled == 0 || folder.texts.say_nothing() {
            return;
        }
        if self.texts(files, id, folder.ruled_in_repository) != self.folder(id).texts {
            self.folders[id as usize].ruled = 0;
            self.version += 1;
        }
    }

    /// What is known of the node is true.
    pub(super) fn is_node_told(&self, folder: FolderId, node: &Node) -> bool {
        node.told == self.watches.epoch
            && self.watches.is_complete
            && self.folder(folder).watch.is_some()
    }

    /// What happened before has been told. Milliseconds since the Unix epoch.
    pub(super) fn heard(&self) -> f64 {
        self.watches.heard
    }

    pub(super) fn epoch(&self) -> u32 {
        self.watches.epoch
    }

    /// Whether a change of this file in a folder would be told.
    #[must_use]
    pub fn can_be_told(&self, folder: FolderId, stat: &Stat) -> bool {
        self.watches.is_complete && self.folder(folder).watch.is_some() && !stat.is_linked
    }

    /// The node was found to be what is known of it. It still is as long as nothing is told.
    pub(super) fn trust(&mut self, folder: FolderId, place: usize, stat: &Stat) {
        self.note_links(stat);
        let can_be_told = self.can_be_told(folder, stat);
        let told = if can_be_told { self.watches.epoch } else { 0 };
        let before = std::mem::replace(&mut self.node_mut(folder, place).told, told);
        self.knowledge += u64::from(before != told);
    }

    /// The names of a folder are those of now. They still are as long as nothing is told.
    pub(super) fn trust_names(&mut self, id: FolderId) {
        let folder = &mut self.folders[id as usize];
        folder.is_told = folder.watch.is_some();
    }

    /// Those of a folder's nodes that are to be compared with their stats to be trusted: all of which something is known,
    /// or those that are not trusted.
    #[must_use]
    pub fn to_compare(&self, id: FolderId, all: bool) -> Vec<usize> {
        let folder = self.folder(id);
        if folder.watch.is_none() || !self.watches.is_complete {
            return Vec::new();
        }
        let is_wanted = |node: &Node| {
            let facts = node.facts.as_ref();
            facts.is_some_and(|facts| !facts.stat.is_linked)
                && (all || node.told != self.watches.epoch)
        };
        let nodes = folder.nodes.iter().enumerate();
        let wanted = nodes.filter(|(_, node)| is_wanted(node));
        wanted.map(|(place, _)| place).collect()
    }

    /// Files are to be compared with what is known of them, told or not.
    #[must_use]
    pub fn is_sweep_due(&self, files: &impl Files) -> bool {
        self.watches.is_complete && files.now() - self.watches.compared >= SWEEP_MS
    }

    /// All of them were compared, from this moment on.
    pub fn set_compared(&mut self, began: f64) {
        self.watches.compared = began;
    }
}

const RULE_FILES: [&[u8]; 3] = [b".gitignore", b".ignore", b".rgignore"];

/// Whether the name says which others count.
fn is_rule_name(name: &[u8]) -> bool {
    name == b".git" || RULE_FILES.contains(&name)
}
