//! The file access that the code tools are given. In `pkg/` it is the imported `Files` callbacks (`src/wasm/code.rs`),
//! in the browser and in tests a tree in memory ([`memory`]).
//!
//! Paths are bytes, relative to the tree's root, with `/` between their parts and neither `.` nor `..` among them; the
//! root is the empty path. Nothing here follows a symbolic link at a path's end.

pub mod memory;

use thiserror::Error;

/// What a folder's entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    File,
    Folder,
    /// A symbolic link, to whatever.
    Link,
    /// A device, FIFO or socket.
    Other,
}

/// A name in a folder: any bytes but `/` and NUL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: Box<[u8]>,
    pub kind: Kind,
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stat {
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// When its contents changed, and when anything of it did. Milliseconds since the Unix epoch, with a fraction.
    pub modified: f64,
    pub changed: f64,
    /// The file system's number of it; 0 where there is none.
    pub inode: u64,
    /// It has other names (hard links): it may be written by one of them.
    pub is_linked: bool,
}

/// A watch on a folder: a number that no other has, nor had.
pub type Watch = u32;

/// What a watcher tells of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Its contents or attributes may be others.
    Facts,
    /// It came, as a new file or folder or by a move.
    Came,
    Went,
    /// One of the two.
    Name,
    /// It is the watch that ended.
    Ended,
}

/// Something that happened in a watched folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub watch: Watch,
    pub what: What,
    /// Of a move, the number that its two ends have in common; 0 where there is none.
    pub move_id: u32,
    /// Empty when it is about the folder itself.
    pub name: Box<[u8]>,
}

/// What happened in the watched folders since this was last asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// It can't be told. All watches have ended.
    Unknown,
    /// All of it, in order: whatever happened before the question is told.
    Told(Vec<Change>),
}

/// Why something could not be had.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FileError {
    #[error("no such file or folder")]
    Missing,
    #[error("permission denied")]
    Denied,
    /// Of another kind than asked for, such as a link in a file's place.
    #[error("not a regular file or folder")]
    Kind,
    #[error("it could not be read")]
    Failed,
}

/// Ignore files above the tree's root, and those of the person. They are outside of what the tools search, but say what
/// in it is ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Surroundings {
    /// The folders above the root, nearest first.
    pub above: Vec<Above>,
    /// The person's own excludes (`core.excludesFile` of git).
    pub global: Option<String>,
}

/// A folder above the root: its name, and the texts of its ignore files.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Above {
    /// The name of the next folder below, on the way to the root.
    pub below: String,
    /// There is a `.git` in it.
    pub repository: bool,
    pub gitignore: Option<String>,
    pub ignore: Option<String>,
    pub rgignore: Option<String>,
    /// `.git/info/exclude`.
    pub exclude: Option<String>,
}

/// A folder's path, and names in it.
pub type NamesIn<'a> = (&'a [u8], Vec<&'a [u8]>);

/// What comes from the scout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    Nothing,
    /// The answer to the parcel of this number: see [`super::text::parcels::Answer`].
    Answer(usize, String),
    /// It does not answer, and won't.
    Lost,
}

/// A second thread that opens files of the tree for this one, and searches some: see [`super::text::ahead`] and
/// [`super::text::parcels`].
pub trait Scout {
    /// Whether it is there.
    fn is_there(&self) -> bool;

    /// It is wanted.
    fn call(&self);

    /// Files that are going to be read soon, in this order: whether it opens them before that. They have numbers then, from
    /// this one on; in each search these begin with 0.
    fn open(&self, first: u32, asked: &[NamesIn<'_>]) -> bool;

    /// Fills `into` with the bytes of the file of this number; none where it has not opened it.
    fn read(&self, number: u32, into: &mut [u8]) -> Option<usize>;

    /// Bytes of its memory; 0 before it can search.
    fn memory(&self) -> usize;

    /// It is wanted for searches.
    fn prepare(&self);

    /// Sends a parcel of a search: they have numbers from 0 on, and with that the parcels of earlier searches are void.
    fn send(&self, number: usize, parcel: &[u8]);

    /// Whether it has begun all of so many parcels.
    fn has_begun(&self, sent: usize) -> bool;

    /// Takes back the next one of so many parcels that it has not begun.
    fn take_back(&self, sent: usize) -> Option<usize>;

    /// The next answer. Waits for it at most so many milliseconds.
    fn receive(&self, wait_ms: u32) -> Received;
}

/// A tree of files.
pub trait Files {
    /// The entries of a folder, in any order.
    ///
    /// # Errors
    /// When it can't be read.
    fn list(&self, folder: &[u8]) -> Result<Vec<Entry>, FileError>;

    /// The state of what is at the path itself (`lstat`).
    ///
    /// # Errors
    /// When there is nothing.
    fn stat(&self, path: &[u8]) -> Result<Stat, FileError>;

    /// [`Files::stat`] of each of these names, folder by folder.
    fn stat_all(&self, asked: &[NamesIn<'_>]) -> Vec<Result<Stat, FileError>> {
        let paths = asked
            .iter()
            .flat_map(|(folder, names)| names.iter().map(|name| join(folder, name)));
        paths.map(|path| self.stat(&path)).collect()
    }

    /// Fills `into` with a regular file's bytes from `offset` on. Gives how many there are: fewer than `into` holds only at
    /// the file's end.
    ///
    /// # Errors
    /// When it can't be read, or is not a regular file.
    fn read(&self, path: &[u8], offset: u64, into: &mut [u8]) -> Result<usize, FileError>;

    /// The path without symbolic links on its way; none when it leads out of the tree.
    ///
    /// # Errors
    /// When there is nothing.
    fn real(&self, path: &[u8]) -> Result<Option<Vec<u8>>, FileError>;

    /// `info/exclude` of the repository to which the folder belongs by a `.git` file (a linked work tree).
    fn linked_exclude(&self, folder: &[u8]) -> Option<Vec<u8>> {
        let _ = folder;
        None
    }

    /// What is around the tree, as it is now.
    fn surroundings(&self) -> Surroundings {
        Surroundings::default()
    }

    /// The tree's absolute path, for people and to understand theirs; empty when it has none.
    fn root(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Watches a folder from now on, if it is on one of these file systems (`statfs` types) and the host can: whatever
    /// happens to its names, or to a file by a name in it, will be among the [`Files::changes`].
    fn watch(&self, folder: &[u8], file_systems: &[u32]) -> Option<Watch> {
        let _ = (folder, file_systems);
        None
    }

    fn unwatch(&self, watch: Watch) {
        let _ = watch;
    }

    /// Folders that the user may have watched, by all programs together.
    fn watch_limit(&self) -> usize {
        0
    }

    /// See [`Changes`].
    fn changes(&self) -> Changes {
        Changes::Unknown
    }

    /// Where there may be one.
    fn scout(&self) -> Option<&dyn Scout> {
        None
    }

    /// Milliseconds since the Unix epoch, by the clock that stamps the files.
    fn now(&self) -> f64;
}

impl<F: Files + ?Sized> Files for std::rc::Rc<F> {
    fn list(&self, folder: &[u8]) -> Result<Vec<Entry>, FileError> {
        (**self).list(folder)
    }

    fn stat(&self, path: &[u8]) -> Result<Stat, FileError> {
        (**self).stat(path)
    }

    fn stat_all(&self, asked: &[NamesIn<'_>]) -> Vec<Result<Stat, FileError>> {
        (**self).stat_all(asked)
    }

    fn read(&self, path: &[u8], offset: u64, into: &mut [u8]) -> Result<usize, FileError> {
        (**self).read(path, offset, into)
    }

    fn real(&self, path: &[u8]) -> Result<Option<Vec<u8>>, FileError> {
        (**self).real(path)
    }

    fn linked_exclude(&self, folder: &[u8]) -> Option<Vec<u8>> {
        (**self).linked_exclude(folder)
    }

    fn surroundings(&self) -> Surroundings {
        (**self).surroundings()
    }

    fn root(&self) -> Vec<u8> {
        (**self).root()
    }

    fn watch(&self, folder: &[u8], file_systems: &[u32]) -> Option<Watch> {
        (**self).watch(folder, file_systems)
    }

    fn unwatch(&self, watch: Watch) {
        (**self).unwatch(watch);
    }

    fn watch_limit(&self) -> usize {
        (**self).watch_limit()
    }

    fn changes(&self) -> Changes {
        (**self).changes()
    }

    fn scout(&self) -> Option<&dyn Scout> {
        (**self).scout()
    }

    fn now(&self) -> f64 {
        (**self).now()
    }
}

/// Reads a whole file to the start of `buffer`, which grows as needed and is never cut, so that its bytes are zeroed once.
/// Gives the file's length; none when it is longer than `limit` bytes, of which one more was read.
///
/// # Errors
/// As [`Files::read`].
pub fn read_whole(
    files: &(impl Files + ?Sized),
    path: &[u8],
    buffer: &mut Vec<u8>,
    limit: usize,
) -> Result<Option<usize>, FileError> {
    let mut have = 0;
    loop {
        ensure_first(buffer);
        let room = buffer.len().min(limit + 1);
        have += files.read(path, have as u64, &mut buffer[have..room])?;
        if have < room {
            return Ok(Some(have));
        }
        if have > limit {
            return Ok(None);
        }
        let mut larger = vec![0; room * 2];
        larger[..have].copy_from_slice(&buffer[..have]);
        *buffer = larger;
    }
}

/// The same of a file that the scout has opened, by its number; none where it has not, or one read is not all of it.
pub fn read_opened(files: &impl Files, number: u32, buffer: &mut Vec<u8>) -> Option<usize> {
    ensure_first(buffer);
    let into = &mut buffer[..FIRST_READ];
    let length = files.scout()?.read(number, into)?;
    (length < FIRST_READ).then_some(length)
}

fn ensure_first(buffer: &mut Vec<u8>) {
    if buffer.len() < FIRST_READ {
        *buffer = vec![0; FIRST_READ];
    }
}

/// The first read asks for this much: most source files are smaller, so that one read is all. Bytes.
const FIRST_READ: usize = 256 * 1024;

/// `folder/name`.
#[must_use]
pub fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(folder.len() + 1 + name.len());
    join_into(&mut path, folder, name);
    path
}

/// The same, over what `path` held.
pub fn join_into(path: &mut Vec<u8>, folder: &[u8], name: &[u8]) {
    path.clear();
    if !folder.is_empty() {
        path.extend_from_slice(folder);
        path.push(b'/');
    }
    path.extend_from_slice(name);
}
