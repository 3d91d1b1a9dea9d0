//! A tree in memory: for tests, and for the browser, where the page fills it.

use super::{Entry, FileError, Files, Kind, Stat, Surroundings, What, join};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
struct Node {
    kind: Kind,
    bytes: Vec<u8>,
    changed: f64,
    inode: u64,
}

/// What happened, in order: to which path.
type Log = Vec<(Vec<u8>, What)>;

/// Files by path. Its clock goes on by a second with each change, so that a change is always seen.
#[derive(Debug, Default)]
pub struct MemoryFiles {
    nodes: RefCell<BTreeMap<Vec<u8>, Node>>,
    clock: RefCell<f64>,
    reads: Cell<usize>,
    surroundings: Surroundings,
    /// What happened to which path, for those who are told of it.
    log: RefCell<Option<Log>>,
}

impl MemoryFiles {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree's `surroundings` from now on.
    pub fn set_surroundings(&mut self, surroundings: Surroundings) {
        self.surroundings = surroundings;
    }

    /// Writes a file; its folders are made.
    pub fn write(&self, path: impl AsRef<[u8]>, bytes: impl Into<Vec<u8>>) {
        self.put(path.as_ref(), Kind::File, bytes.into());
    }

    /// Puts something else than a file there; a link's bytes are its target.
    pub fn put(&self, path: &[u8], kind: Kind, bytes: Vec<u8>) {
        let now = self.tick();
        for (at, _) in path.iter().enumerate().filter(|&(_, &byte)| byte == b'/') {
            self.insert(&path[..at], Kind::Folder, Vec::new(), now, false);
        }
        self.insert(path, kind, bytes, now, true);
    }

    /// Writes a file at the very time of the last change: two states of it can have the same stat.
    pub fn write_at_once(&self, path: impl AsRef<[u8]>, bytes: impl Into<Vec<u8>>) {
        let now = self.now();
        self.put(path.as_ref(), Kind::File, bytes.into());
        *self.clock.borrow_mut() = now;
        let mut nodes = self.nodes.borrow_mut();
        for node in nodes.values_mut() {
            node.changed = node.changed.min(now);
        }
    }

    /// Lets time pass.
    pub fn wait(&self) {
        self.tick();
    }

    /// From now on what happens is noted, or no more.
    pub fn set_log(&self, is_kept: bool) {
        let mut log = self.log.borrow_mut();
        *log = is_kept.then(|| log.take().unwrap_or_default());
    }

    /// What happened since the first so many notes.
    #[must_use]
    pub fn log_from(&self, count: usize) -> Log {
        let log = self.log.borrow();
        let log = log.as_deref().unwrap_or_default();
        log.get(count..).unwrap_or_default().to_vec()
    }

    fn note(&self, path: &[u8], what: What) {
        if let Some(log) = &mut *self.log.borrow_mut() {
            log.push((path.to_vec(), what));
        }
    }

    /// Files read so far.
    #[must_use]
    pub fn reads(&self) -> usize {
        self.reads.get()
    }

    /// Removes a file, or a folder with all in it.
    pub fn remove(&self, path: &[u8]) {
        let now = self.tick();
        let below = join(path, b"");
        self.note(path, What::Went);
        let mut nodes = self.nodes.borrow_mut();
        nodes.retain(|at, _| at != path && !at.starts_with(&below));
        if let Some(folder) = nodes.get_mut(folder_of(path)) {
            folder.changed = now;
        }
    }

    fn tick(&self) -> f64 {
        let mut clock = self.clock.borrow_mut();
        *clock += 1_000.0;
        *clock
    }

    fn insert(&self, path: &[u8], kind: Kind, bytes: Vec<u8>, now: f64, replace: bool) {
        let mut nodes = self.nodes.borrow_mut();
        if let Some(node) = nodes.get_mut(path) {
            if !replace {
                return;
            }
            let is_other = node.kind != kind;
            if is_other {
                self.note(path, What::Went);
                self.note(path, What::Came);
            } else {
                self.note(path, What::Facts);
            }
            (node.kind, node.bytes, node.changed) = (kind, bytes, now);
            // another kind is another file of that name: its folder has changed
            if is_other && let Some(folder) = nodes.get_mut(folder_of(path)) {
                folder.changed = now;
            }
            return;
        }
        self.note(path, What::Came);
        let inode = nodes.len() as u64 + 1;
        nodes.insert(
            path.to_vec(),
            Node {
                kind,
                bytes,
                changed: now,
                inode,
            },
        );
        if let Some(folder) = nodes.get_mut(folder_of(path)) {
            folder.changed = now;
        }
    }
}

fn folder_of(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    &path[..end]
}

impl Files for MemoryFiles {
    fn list(&self, folder: &[u8]) -> Result<Vec<Entry>, FileError> {
        let nodes = self.nodes.borrow();
        match nodes.get(folder) {
            Some(node) if node.kind != Kind::Folder => return Err(FileError::Kind),
            None if !folder.is_empty() => return Err(FileError::Missing),
            _ => {}
        }
        let below = if folder.is_empty() {
            Vec::new()
        } else {
            join(folder, b"")
        };
        Ok(nodes
            .range(below.clone()..)
            .take_while(|(path, _)| path.starts_with(&below))
            .filter_map(|(path, node)| {
                let name = &path[below.len()..];
                (!name.is_empty() && !name.contains(&b'/')).then(|| Entry {
                    name: name.into(),
                    kind: node.kind,
                })
            })
            .collect())
    }

    fn stat(&self, path: &[u8]) -> Result<Stat, FileError> {
        let nodes = self.nodes.borrow();
        let node = nodes.get(path);
        if node.is_none() && !path.is_empty() {
            return Err(FileError::Missing);
        }
        Ok(Stat {
            kind: node.map_or(Kind::Folder, |node| node.kind),
            size: node.map_or(0, |node| node.bytes.len() as u64),
            // the root has no node: it is always listed anew
            modified: node.map_or(self.now(), |node| node.changed),
            changed: node.map_or(self.now(), |node| node.changed),
            inode: node.map_or(0, |node| node.inode),
            is_linked: false,
        })
    }

    fn read(&self, path: &[u8], offset: u64, into: &mut [u8]) -> Result<usize, FileError> {
        self.reads.set(self.reads.get() + 1);
        let nodes = self.nodes.borrow();
        let node = nodes.get(path).ok_or(FileError::Missing)?;
        if node.kind != Kind::File {
            return Err(FileError::Kind);
        }
        let from = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(node.bytes.len());
        let count = into.len().min(node.bytes.len() - from);
        into[..count].copy_from_slice(&node.bytes[from..from + count]);
        Ok(count)
    }

    fn real(&self, path: &[u8]) -> Result<Option<Vec<u8>>, FileError> {
        match self.stat(path)?.kind {
            // links are not followed in memory
            Kind::Link => Ok(None),
            _ => Ok(Some(path.to_vec())),
        }
    }

    fn surroundings(&self) -> Surroundings {
        self.surroundings.clone()
    }

    fn now(&self) -> f64 {
        *self.clock.borrow()
    }
}
