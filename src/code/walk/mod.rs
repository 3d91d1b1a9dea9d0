//! Which files of a tree count, and in which order: what `rg --files` gives, folder by folder, names in byte order.
//!
//! | module | what it is for |
//! |---|---|
//! | [`rules`] | ignore files at every level, with ripgrep's precedence |
//! | [`globs`] | the globs of a call, as `rg -g` takes them |
//! | [`path`] | the path of a call: confined to the tree |
//! | [`tree`] | what is known of the tree from before, validated before it is trusted unless a change would have been told |

pub mod globs;
pub mod path;
pub mod rules;
pub mod tree;

use super::cache::columns::Slot;
use super::files::{Files, Kind, join};
use super::limits::{CHECKED_AT_ONCE, CHECKED_FIRST, SHARED_DEPTH};
use globs::Globs;
use path::Place;
use rules::Rules;
use std::rc::Rc;
use tree::kept::{Kept, Over};
use tree::{Folder, FolderId, Node, PlacesIn, Tree, Verdict};

/// The part of a tree that one of several workers has: of the folders at [`SHARED_DEPTH`] every `of`th or so, with all
/// that is below them, and of the files above that depth every `of`th. Only the few folders above are walked by all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Share {
    pub index: u32,
    pub of: u32,
}

impl Share {
    pub const ALL: Self = Self { index: 0, of: 1 };

    /// Whether this worker looks into the folder.
    #[must_use]
    pub fn enters(self, folder: &[u8]) -> bool {
        match depth(folder) {
            above if above < SHARED_DEPTH => true,
            SHARED_DEPTH => self.has(folder, b""),
            _ => {
                let slashes = folder.iter().enumerate().filter(|(_, byte)| **byte == b'/');
                let end = slashes.map(|(at, _)| at).nth(SHARED_DEPTH - 1);
                self.has(&folder[..end.unwrap_or(folder.len())], b"")
            }
        }
    }

    /// Whether the file is this worker's, in a folder that it looks into.
    #[must_use]
    pub fn has_file(self, folder: &[u8], name: &[u8]) -> bool {
        depth(folder) >= SHARED_DEPTH || self.has(folder, name)
    }

    fn has(self, folder: &[u8], name: &[u8]) -> bool {
        // FNV-1a: the same in each worker
        self.of <= 1
            || folder
                .iter()
                .chain(name)
                .fold(0x811c_9dc5_u32, |hash, &byte| {
                    (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
                })
                .rotate_left(13)
                % self.of
                == self.index
    }
}

fn depth(folder: &[u8]) -> usize {
    if folder.is_empty() {
        return 0;
    }
    folder.split(|&byte| byte == b'/').count()
}

/// A file that the walk came to: the folder and the name's place in it. Good until the tree is used for something else.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub folder: FolderId,
    pub place: usize,
}

/// What a walk could not look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Unreadable {
    pub count: usize,
    /// The first few, by path.
    pub names: Vec<Vec<u8>>,
}

impl Unreadable {
    pub fn add(&mut self, path: &[u8]) {
        self.count += 1;
        if self.names.len() < super::limits::SKIPPED_NAMES {
            self.names.push(path.to_vec());
        }
    }
}

struct Frame {
    folder: FolderId,
    next: usize,
    rules: Rc<Rules>,
}

/// The files of an earlier walk, and how many of them this one has come to.
struct Again {
    kept: Rc<Kept>,
    slots: Rc<[Slot]>,
    next: usize,
}

/// A walk under way. Nothing else uses the tree until it is over: the service does one job at a time.
pub struct Walk {
    stack: Vec<Frame>,
    single: Option<Found>,
    /// An earlier walk of which the files are those of this one.
    again: Option<Again>,
    /// Its own, as long as a change of them would be told.
    keeping: Option<Kept>,
    globs: Rc<Globs>,
    share: Share,
    /// The folder in which it began; none of a single file.
    top: Option<Vec<u8>>,
    /// Nodes that are checked at once next time.
    ahead: usize,
    pub unreadable: Unreadable,
}

impl Walk {
    /// A walk from `place` on.
    pub fn new(
        tree: &mut Tree,
        files: &impl Files,
        place: &Place,
        globs: Rc<Globs>,
        share: Share,
    ) -> Self {
        let mut walk = Self {
            stack: Vec::new(),
            single: None,
            again: None,
            keeping: None,
            globs: Rc::clone(&globs),
            share,
            top: None,
            ahead: CHECKED_FIRST,
            unreadable: Unreadable::default(),
        };
        tree.begin(files);
        let over = Over {
            place: place.clone(),
            globs,
            share,
        };
        if let Some((kept, slots)) = tree.kept(files, &over) {
            walk.again = Some(Again {
                kept,
                slots,
                next: 0,
            });
            return walk;
        }
        if tree.is_watched() {
            walk.keeping = Some(Kept::new(over, tree));
        }
        let (folder, file) = match place {
            Place::Folder(path) => (path.as_slice(), None),
            Place::File(path) => {
                let at = path.iter().rposition(|&byte| byte == b'/');
                let folder = at.map_or(&b""[..], |at| &path[..at]);
                (folder, Some(&path[at.map_or(0, |at| at + 1)..]))
            }
        };
        walk.top = file.is_none().then(|| folder.to_vec());
        // the folders on the way there: their ignore files hold below
        let mut id = Tree::ROOT;
        let mut rules = tree.outer_rules();
        let mut parts = folder
            .split(|&byte| byte == b'/')
            .filter(|part| !part.is_empty());
        loop {
            let part = parts.next();
            if part.is_none() && file.is_none() {
                break;
            }
            if tree.refresh(files, id).is_err() {
                walk.unreadable.add(folder);
                return walk;
            }
            let in_repository = rules.in_repository();
            rules = tree.rules(files, id, &rules);
            walk.keeping
                .take_if(|kept| !kept.enter(tree, id, in_repository));
            let Some(part) = part else { break };
            let Some(below) = tree.child(id, part) else {
                walk.unreadable.add(folder);
                return walk;
            };
            id = below;
        }
        if let Some(name) = file {
            walk.keeping = None;
            if share.index == 0 {
                match tree.place_of(id, name) {
                    Some(place) => walk.single = Some(Found { folder: id, place }),
                    None => walk.unreadable.add(name),
                }
            }
        } else if share.enters(folder) {
            walk.enter(tree, files, id, &rules, false);
        }
        walk
    }

    /// Goes into a folder; `is_known`: its names were found to be those of now.
    fn enter(
        &mut self,
        tree: &mut Tree,
        files: &impl Files,
        folder: FolderId,
        outer: &Rc<Rules>,
        is_known: bool,
    ) {
        if !is_known && tree.refresh(files, folder).is_err() {
            let path = tree.folder(folder).path.clone();
            if self.share.index == 0 || depth(&path) >= SHARED_DEPTH {
                self.unreadable.add(&path);
            }
            return;
        }
        let rules = tree.rules(files, folder, outer);
        self.keeping
            .take_if(|kept| !kept.enter(tree, folder, outer.in_repository()));
        tree.judge(folder, &rules);
        self.stack.push(Frame {
            folder,
            next: 0,
            rules,
        });
    }

    /// The next file, in order. `wanted`: what is known of such a file will be checked.
    pub fn next(
        &mut self,
        tree: &mut Tree,
        files: &impl Files,
        wanted: impl Fn(&Tree, &Node) -> bool,
    ) -> Option<Found> {
        if let Some(single) = self.single.take() {
            return Some(single);
        }
        if let Some(again) = &mut self.again {
            let found = again.kept.files.get(again.next).copied();
            again.next += 1;
            return found;
        }
        loop {
            let Some(frame) = self.stack.last_mut() else {
                if let Some(kept) = self.keeping.take()
                    && self.unreadable.count == 0
                {
                    tree.keep(kept);
                }
                return None;
            };
            let folder = tree.folder(frame.folder);
            let Some(node) = folder.nodes.get(frame.next) else {
                self.stack.pop();
                continue;
            };
            let place = frame.next;
            frame.next += 1;
            let found = Found {
                folder: frame.folder,
                place,
            };
            if !self.counts(folder, node) {
                continue;
            }
            if node.kind == Kind::File {
                if let Some(kept) = &mut self.keeping {
                    kept.files.push(found);
                }
                return Some(found);
            }
            let rules = Rc::clone(&self.stack.last()?.rules);
            let Some(below) = tree.below(found.folder, place) else {
                continue;
            };
            if tree.is_stamped(below)
                && !tree.is_told(below)
                && !tree.is_checked(found.folder, place)
            {
                self.check(tree, files, found, &wanted);
            }
            let is_known = tree.is_checked(found.folder, place);
            self.enter(tree, files, below, &rules, is_known);
        }
    }

    /// Goes on over files that a remembered walk came to and of which what is known is true and `is_passed`, so far as they
    /// follow each other. This is most of the time of a search that finds little: there is nothing else to do for a file.
    /// Most are told by their [`Slot`]; only of one that has none the node is looked at.
    pub fn pass(&mut self, tree: &Tree, mut is_passed: impl FnMut(Slot, Option<&Node>) -> bool) {
        let Some(again) = &mut self.again else { return };
        let files = again.kept.files.get(again.next..).unwrap_or_default();
        let slots = again.slots.get(again.next..).unwrap_or_default();
        let stop = slots.iter().zip(files).position(|(&slot, found)| {
            if slot != Slot::NONE {
                return !is_passed(slot, None);
            }
            let node = &tree.folder(found.folder).nodes[found.place];
            !(tree.is_told_in_walk(node) && is_passed(node.slot, Some(node)))
        });
        again.next += stop.unwrap_or(files.len());
    }

    /// Whether this walk looks at a node of a folder.
    fn counts(&self, folder: &Folder, node: &Node) -> bool {
        let is_folder = match node.kind {
            Kind::Folder => true,
            Kind::File => false,
            Kind::Link | Kind::Other => return false,
        };
        // others look into it, too: not all that is in it is this worker's
        let is_shared = self.share.of > 1 && depth(&folder.path) < SHARED_DEPTH;
        if !is_folder && is_shared && !self.share.has_file(&folder.path, &node.name) {
            return false;
        }
        let counts = match self.globs.verdict(&folder.path, &node.name, is_folder) {
            Some(wanted) => wanted,
            None => node.verdict == Verdict::Counts,
        };
        counts && (!is_folder || !is_shared || self.share.enters(&join(&folder.path, &node.name)))
    }

    /// Checks what is known of a node that the walk came to, and with it that of nodes to which it will come: of files of
    /// which `wanted` says so, and of folders. Many stats at once cost less than one by one.
    pub fn check(
        &mut self,
        tree: &mut Tree,
        files: &impl Files,
        at: Found,
        wanted: impl Fn(&Tree, &Node) -> bool,
    ) {
        let mut asked = Asked {
            groups: vec![(at.folder, vec![at.place])],
            left: self.ahead - 1,
        };
        self.ahead = (self.ahead * 2).min(CHECKED_AT_ONCE);
        if let Some(again) = &self.again {
            let is_to_check = |found: &&Found| {
                !tree.is_checked(found.folder, found.place)
                    && wanted(tree, tree.node(found.folder, found.place))
            };
            let ahead = again.kept.files[again.next..].iter().filter(is_to_check);
            for found in ahead.take(asked.left) {
                asked.add(found.folder, found.place);
            }
        } else if let Some(top) = &self.top {
            self.look_ahead(tree, at, top, wanted, &mut asked);
        }
        tree.check(files, &asked.groups);
    }

    /// What the walk will come to after a node, if it goes as the first one did: folders have numbers in its order.
    fn look_ahead(
        &self,
        tree: &Tree,
        at: Found,
        top: &[u8],
        wanted: impl Fn(&Tree, &Node) -> bool,
        asked: &mut Asked,
    ) {
        let mut from = at.place + 1;
        for id in at.folder..tree.folder_count() as FolderId {
            if asked.left == 0 {
                return;
            }
            let folder = tree.folder(id);
            let first = std::mem::take(&mut from);
            if !is_in(&folder.path, top) || !self.share.enters(&folder.path) {
                continue;
            }
            for (place, node) in folder.nodes.iter().enumerate().skip(first) {
                let is_wanted = match node.kind {
                    Kind::Folder => tree.is_to_compare(node),
                    _ => wanted(tree, node),
                };
                if is_wanted && !tree.is_checked(id, place) && self.counts(folder, node) {
                    asked.add(id, place);
                    if asked.left == 0 {
                        return;
                    }
                }
            }
        }
    }
}

/// Whether a folder is another or below it.
fn is_in(folder: &[u8], top: &[u8]) -> bool {
    let rest = folder.strip_prefix(top);
    rest.is_some_and(|rest| top.is_empty() || rest.is_empty() || rest[0] == b'/')
}

/// Nodes to be checked, and how many more may be.
struct Asked {
    groups: Vec<PlacesIn>,
    left: usize,
}

impl Asked {
    fn add(&mut self, folder: FolderId, place: usize) {
        self.left -= 1;
        match self.groups.last_mut() {
            Some((last, places)) if *last == folder => places.push(place),
            _ => self.groups.push((folder, vec![place])),
        }
    }
}
