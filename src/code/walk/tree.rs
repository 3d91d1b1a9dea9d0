//! What is known of a tree from earlier walks: the entries of its folders, their ignore files, and facts about its files
//! (see [`super::super::cache`]). Nothing is taken for granted: an entry list is reused only when its folder's stat is what
//! it was, and only when the folder had been left alone for long enough before for that to prove anything; or, without a
//! look at either, while a watcher that would tell of a change tells of none ([`told`]).

pub mod kept;
mod room;
mod told;

use super::super::cache::columns::{Columns, Slot};
use super::super::cache::{Cache, Facts};
use super::super::files::{
    Entry, FileError, Files, Kind, NamesIn, Stat, Surroundings, Watch, join, read_whole,
};
use super::super::limits::{NODE_BYTES, RACY_MS};
use super::super::order::sort_by;
use super::rules::{Level, Rules, Said, Texts};
use kept::Kept;
use std::rc::Rc;
use told::Watches;

/// A folder's place in the tree's list. Not used again when the folder is gone.
pub type FolderId = u32;

const NONE: u32 = u32::MAX;

/// Whether a file or folder counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Unknown,
    Counts,
    Ignored,
}

/// A name in a folder.
pub struct Node {
    pub name: Box<[u8]>,
    pub kind: Kind,
    pub verdict: Verdict,
    /// A search came to it: worth to be indexed.
    pub wanted: bool,
    below: FolderId,
    pub facts: Option<Box<Facts>>,
    /// What its index is, if something is known of it.
    pub slot: Slot,
    /// The walk in which its stat was what is known of it.
    checked: u32,
    /// The epoch in which it was, and since which it would be told if it had changed.
    told: u32,
}

impl Node {
    fn new(entry: Entry) -> Self {
        Self {
            name: entry.name,
            kind: entry.kind,
            verdict: Verdict::Unknown,
            wanted: false,
            below: NONE,
            facts: None,
            slot: Slot::NONE,
            checked: 0,
            told: 0,
        }
    }

    /// Its index is known, and that it has no NUL.
    #[must_use]
    pub fn is_indexed(&self) -> bool {
        let facts = self.facts.as_ref();
        self.slot.is_column() || facts.is_some_and(|facts| facts.text.is_indexed())
    }

    #[must_use]
    pub fn has_contents(&self) -> bool {
        let facts = self.facts.as_ref();
        facts.is_some_and(|facts| facts.contents.is_some())
    }

    fn bytes(&self) -> usize {
        NODE_BYTES + self.name.len()
    }
}

/// A folder: its names in byte order.
#[derive(Default)]
pub struct Folder {
    pub path: Vec<u8>,
    pub nodes: Vec<Node>,
    /// Its stat when the names were read, if that proves that they are the same while it is.
    stamp: Option<Stat>,
    /// The rules by which the verdicts are.
    judged: Option<u64>,
    texts: Texts,
    level: Option<Rc<Level>>,
    above: FolderId,
    /// A walk came to it.
    is_entered: bool,
    watch: Option<Watch>,
    /// The names were read after the watch was set, and nothing was told of them since.
    is_told: bool,
    /// The epoch in which the same holds for the ignore files, for a folder in a repository or not.
    ruled: u32,
    ruled_in_repository: bool,
}

/// A folder, and places of nodes in it.
pub type PlacesIn = (FolderId, Vec<usize>);

/// See [`Tree::state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeState(u64, u64);

/// The tree as far as it is known.
pub struct Tree {
    folders: Vec<Folder>,
    pub cache: Cache,
    pub columns: Columns,
    /// How often the indexes of all sections were folded.
    section_folds: u32,
    /// The contents of the scout's files are left to it.
    is_split: bool,
    /// And it was not given them yet.
    is_to_fill: bool,
    /// Walks so far.
    walks: u32,
    outer: Option<(Surroundings, Rc<Rules>)>,
    buffer: Vec<u8>,
    watches: Watches,
    /// Another one whenever another walk may come to other files.
    version: u64,
    /// Another one whenever something else is known of a file, is not trusted any more, or is wanted.
    knowledge: u64,
    kept: Vec<Rc<Kept>>,
}

impl Tree {
    pub const ROOT: FolderId = 0;

    #[must_use]
    pub fn new(cache: Cache, watches: bool) -> Self {
        Self {
            folders: vec![Folder::default()],
            cache,
            columns: Columns::default(),
            section_folds: 0,
            is_split: false,
            is_to_fill: false,
            walks: 0,
            outer: None,
            buffer: Vec::new(),
            watches: Watches::new(watches),
            version: 0,
            knowledge: 0,
            kept: Vec::new(),
        }
    }

    /// Before a walk: what was told since the last one is taken in, and what is around the tree is read anew.
    pub fn begin(&mut self, files: &impl Files) {
        self.walks += 1;
        self.hear(files);
        let now = files.surroundings();
        if self.outer.as_ref().is_some_and(|(known, _)| *known == now) {
            return;
        }
        self.version += 1;
        let bytes = |text: &Option<String>| text.as_ref().map(|text| text.as_bytes().to_vec());
        let mut path = Vec::new();
        let mut above = Vec::new();
        for folder in &now.above {
            path = [folder.below.as_bytes(), b"/", &path].concat();
            let level = Level::new(&Texts {
                rgignore: bytes(&folder.rgignore),
                ignore: bytes(&folder.ignore),
                gitignore: bytes(&folder.gitignore),
                exclude: bytes(&folder.exclude),
                repository: folder.repository,
            });
            above.push((Rc::new(level), path.clone()));
        }
        above.reverse();
        let rules = Rules::outer(now.global.as_deref(), above);
        self.outer = Some((now, rules));
    }

    /// The rules before the root's own.
    #[must_use]
    pub fn outer_rules(&self) -> Rc<Rules> {
        match &self.outer {
            Some((_, rules)) => Rc::clone(rules),
            None => Rules::outer(None, Vec::new()),
        }
    }

    #[must_use]
    pub fn folder(&self, id: FolderId) -> &Folder {
        &self.folders[id as usize]
    }

    /// What is known of the tree, in short: as long as it is the same, so is that.
    #[must_use]
    pub fn state(&self) -> TreeState {
        TreeState(self.version, self.knowledge)
    }

    #[must_use]
    pub fn node(&self, folder: FolderId, place: usize) -> &Node {
        &self.folders[folder as usize].nodes[place]
    }

    pub fn node_mut(&mut self, folder: FolderId, place: usize) -> &mut Node {
        &mut self.folders[folder as usize].nodes[place]
    }

    /// A search came to this file.
    pub fn want(&mut self, folder: FolderId, place: usize) {
        let node = self.node_mut(folder, place);
        let is_new = !std::mem::replace(&mut node.wanted, true);
        self.knowledge += u64::from(is_new);
    }

    /// Another number for each walk.
    #[must_use]
    pub fn walks(&self) -> u32 {
        self.walks
    }

    #[must_use]
    pub fn folder_count(&self) -> usize {
        self.folders.len()
    }

    /// The path of a file that a walk found.
    #[must_use]
    pub fn path_of(&self, folder: FolderId, place: usize) -> Vec<u8> {
        let folder = self.folder(folder);
        join(&folder.path, &folder.nodes[place].name)
    }

    /// Makes sure that a folder's names are those of now.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn refresh(&mut self, files: &impl Files, id: FolderId) -> Result<(), FileError> {
        self.watch_new(files, id);
        let folder = &self.folders[id as usize];
        if folder.is_told {
            return Ok(());
        }
        if let Some(stamp) = folder.stamp
            && files.stat(&folder.path) == Ok(stamp)
        {
            self.trust_names(id);
            return Ok(());
        }
        let listed = files.list(&folder.path);
        self.folders[id as usize].stamp = None;
        match listed {
            Ok(entries) => {
                self.update(id, entries);
                self.trust_names(id);
                Ok(())
            }
            Err(error) => {
                self.update(id, Vec::new());
                Err(error)
            }
        }
    }

    /// Whether what is known of the node holds: it has been compared with its stat in this walk, or a change would have
    /// been told.
    #[must_use]
    pub fn is_checked(&self, folder: FolderId, place: usize) -> bool {
        let node = &self.folder(folder).nodes[place];
        node.checked == self.walks || self.is_node_told(folder, node)
    }

    /// Compares what is known of these nodes with their stats of now, all at once. What does not hold is forgotten.
    pub fn check(&mut self, files: &impl Files, asked: &[PlacesIn]) {
        let stats = files.stat_all(&self.names(asked));
        let places = asked
            .iter()
            .flat_map(|(id, places)| places.iter().map(|&place| (*id, place)));
        for ((id, place), stat) in places.zip(stats) {
            let Node { kind, below, .. } = self.folder(id).nodes[place];
            let holds = if kind == Kind::Folder && below != NONE {
                self.check_folder(below, stat)
            } else {
                self.check_file(id, place, stat)
            };
            if holds {
                self.node_mut(id, place).checked = self.walks;
            }
        }
    }

    fn names(&self, asked: &[PlacesIn]) -> Vec<NamesIn<'_>> {
        let names = asked.iter().map(|(id, places)| {
            let Folder { path, nodes, .. } = self.folder(*id);
            let names = places.iter().map(|&place| &*nodes[place].name);
            (path.as_slice(), names.collect())
        });
        names.collect()
    }

    fn check_folder(&mut self, id: FolderId, stat: Result<Stat, FileError>) -> bool {
        let folder = &mut self.folders[id as usize];
        if folder.stamp.is_some() && folder.stamp == stat.ok() {
            self.trust_names(id);
            return true;
        }
        folder.stamp = None;
        false
    }

    fn check_file(&mut self, id: FolderId, place: usize, stat: Result<Stat, FileError>) -> bool {
        let is_told = self.is_node_told(id, &self.folder(id).nodes[place]);
        let Some(mut facts) = self.node_mut(id, place).facts.take() else {
            return false;
        };
        let stat = stat.ok().filter(|stat| *stat == facts.stat);
        let Some(stat) = stat.filter(|_| facts.is_proof || is_told) else {
            self.cache.drop_facts(&facts);
            let slot = std::mem::replace(&mut self.node_mut(id, place).slot, Slot::NONE);
            self.columns.remove(slot);
            self.knowledge += 1;
            return false;
        };
        // if it had been written again before, that would have been told; later, its stat would not be that old
        facts.is_proof |= is_settled(&stat, self.heard());
        self.node_mut(id, place).facts = Some(facts);
        self.trust(id, place, &stat);
        true
    }

    /// Whether a folder's names can be trusted while its stat stays the same.
    #[must_use]
    pub fn is_stamped(&self, id: FolderId) -> bool {
        self.folders[id as usize].stamp.is_some()
    }

    /// Whether the names in the folder at this node can be trusted if its stat is the same, and not without a look at it.
    #[must_use]
    pub fn is_to_compare(&self, node: &Node) -> bool {
        node.below != NONE && self.is_stamped(node.below) && !self.is_told(node.below)
    }

    /// Reads a folder's names anew, after a stat that is old enough: while the stat stays the same, so have the names.
    /// Or after it was watched: while nothing is told, they have.
    pub fn stamp(&mut self, files: &impl Files, id: FolderId) {
        let path = &self.folders[id as usize].path;
        let Ok(stat) = files.stat(path) else { return };
        let is_proof = is_settled(&stat, files.now());
        if stat.kind != Kind::Folder || !(is_proof || self.is_untold(id)) {
            return;
        }
        if let Ok(entries) = files.list(path) {
            self.update(id, entries);
            self.folders[id as usize].stamp = is_proof.then_some(stat);
            self.trust_names(id);
        }
    }

    /// The names are these now; what was known of those that are still there is kept.
    fn update(&mut self, id: FolderId, mut entries: Vec<Entry>) {
        sort_by(&mut entries, |a, b| a.name.cmp(&b.name));
        let folder = &mut self.folders[id as usize];
        let same = folder.nodes.len() == entries.len()
            && folder
                .nodes
                .iter()
                .zip(&entries)
                .all(|(node, entry)| node.name == entry.name && node.kind == entry.kind);
        if same {
            return;
        }
        self.version += 1;
        let mut old = std::mem::take(&mut folder.nodes).into_iter().peekable();
        let mut gone = Vec::new();
        let mut nodes = Vec::with_capacity(entries.len());
        for entry in entries {
            while let Some(node) = old.next_if(|node| node.name < entry.name) {
                gone.push(node);
            }
            match old.next_if(|node| node.name == entry.name) {
                Some(node) if node.kind == entry.kind => nodes.push(node),
                other => {
                    gone.extend(other);
                    let node = Node::new(entry);
                    self.cache.add(node.bytes());
                    nodes.push(node);
                }
            }
        }
        gone.extend(old);
        folder.nodes = nodes;
        folder.judged = None;
        for node in gone {
            self.forget(node);
        }
        self.make_room(Cache::room);
    }

    fn forget(&mut self, node: Node) {
        self.cache.remove(node.bytes());
        if let Some(facts) = node.facts {
            self.cache.drop_facts(&facts);
        }
        self.columns.remove(node.slot);
        if node.below != NONE {
            self.drop_watch(node.below);
            let folder = std::mem::take(&mut self.folders[node.below as usize]);
            for node in folder.nodes {
                self.forget(node);
            }
        }
    }

    /// Forgets everything that takes memory.
    pub fn clear(&mut self, files: &impl Files) {
        self.unwatch(files);
        *self = Self::new(self.cache.emptied(), self.watches.are_wanted);
    }

    /// The folder of this name in a folder.
    pub fn child(&mut self, id: FolderId, name: &[u8]) -> Option<FolderId> {
        let place = self.place_of(id, name)?;
        self.below(id, place)
    }

    #[must_use]
    pub fn place_of(&self, id: FolderId, name: &[u8]) -> Option<usize> {
        let nodes = &self.folder(id).nodes;
        nodes.binary_search_by(|node| (*node.name).cmp(name)).ok()
    }

    /// The folder at this place.
    pub fn below(&mut self, id: FolderId, place: usize) -> Option<FolderId> {
        let node = &self.folder(id).nodes[place];
        if node.kind != Kind::Folder {
            return None;
        }
        if node.below != NONE {
            return Some(node.below);
        }
        let folder = Folder {
            path: self.path_of(id, place),
            above: id,
            ..Folder::default()
        };
        let below = self.folders.len() as FolderId;
        self.cache.add(folder.path.len() + size_of::<Folder>());
        self.folders.push(folder);
        self.node_mut(id, place).below = below;
        Some(below)
    }

    /// The rules in a folder: those around it and its own ignore files, which are read anew unless a change of them would
    /// be told.
    pub fn rules(&mut self, files: &impl Files, id: FolderId, outer: &Rc<Rules>) -> Rc<Rules> {
        let in_repository = outer.in_repository();
        if !self.are_rules_told(id, in_repository) {
            let texts = self.texts(files, id, in_repository);
            let folder = &mut self.folders[id as usize];
            if folder.texts != texts {
                self.version += 1;
                folder.level = None;
                folder.texts = texts;
            }
            self.trust_rules(files, id, in_repository);
        }
        let folder = &mut self.folders[id as usize];
        if folder.texts.say_nothing() {
            return Rc::clone(outer);
        }
        let level = folder
            .level
            .get_or_insert_with(|| Rc::new(Level::new(&folder.texts)));
        outer.below(Rc::clone(level), folder.path.len())
    }

    fn texts(&mut self, files: &impl Files, id: FolderId, in_repository: bool) -> Texts {
        let path = std::mem::take(&mut self.folders[id as usize].path);
        let mut texts = Texts::default();
        // names with these beginnings only: most folders have none
        let git = self
            .place_of(id, b".git")
            .map(|place| self.folder(id).nodes[place].kind);
        texts.repository = match git {
            Some(Kind::Link) => files.real(&join(&path, b".git")).is_ok(),
            Some(_) => true,
            None => false,
        };
        texts.rgignore = self.text(files, id, &path, b".rgignore");
        texts.ignore = self.text(files, id, &path, b".ignore");
        if texts.repository || in_repository {
            texts.gitignore = self.text(files, id, &path, b".gitignore");
        }
        if texts.repository {
            texts.exclude = if git == Some(Kind::File) {
                files.linked_exclude(&path)
            } else {
                self.read(files, &join(&path, b".git/info/exclude"))
            };
        }
        self.folders[id as usize].path = path;
        texts
    }

    /// The text of a folder's ignore file. One that is a link is read where it is, if that is in the tree.
    fn text(
        &mut self,
        files: &impl Files,
        id: FolderId,
        folder: &[u8],
        name: &[u8],
    ) -> Option<Vec<u8>> {
        let place = self.place_of(id, name)?;
        let path = join(folder, name);
        match self.folder(id).nodes[place].kind {
            Kind::File => self.read(files, &path),
            Kind::Link => {
                let real = files.real(&path).ok()??;
                self.read(files, &real)
            }
            Kind::Folder | Kind::Other => None,
        }
    }

    fn read(&mut self, files: &impl Files, path: &[u8]) -> Option<Vec<u8>> {
        let length = read_whole(files, path, &mut self.buffer, IGNORE_FILE_BYTES).ok()?;
        Some(self.buffer[..length?].to_vec())
    }

    /// Gives each name its verdict.
    pub fn judge(&mut self, id: FolderId, rules: &Rules) {
        let folder = &mut self.folders[id as usize];
        if folder.judged == Some(rules.id) {
            return;
        }
        folder.judged = Some(rules.id);
        let mut path = folder.path.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        let length = path.len();
        for node in &mut folder.nodes {
            path.truncate(length);
            path.extend_from_slice(&node.name);
            node.verdict = match rules.say(&path, node.kind == Kind::Folder) {
                Said::Ignore => Verdict::Ignored,
                Said::Nothing if node.name.first() == Some(&b'.') => Verdict::Ignored,
                Said::Nothing | Said::Keep => Verdict::Counts,
            };
        }
    }
}

/// A longer ignore file is taken for something else. Bytes.
const IGNORE_FILE_BYTES: usize = 4 << 20;

/// Whether the file has been left alone for so long that any later change gives it another stat.
#[must_use]
pub fn is_settled(stat: &Stat, now: f64) -> bool {
    now - stat.modified.max(stat.changed) >= RACY_MS
}
