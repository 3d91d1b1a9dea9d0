//! The code tools' edge: the imported `Files`, and [`Code`], which serves requests.
//!
//! Callbacks answer with numbers: what they get is at least 0, what is negative is an error, see [`error_of`]. Paths are
//! strings; with `latin1` each character is one byte of a name that is no UTF-8.

use crate::code::files::{
    Change, Changes, Entry, FileError, Files, Kind, NamesIn, Received, Scout, Stat, Surroundings,
    Watch, What,
};
use crate::code::service::{self, Service, Settings, Step};
use crate::code::walk::Share;
use crate::json;
use crate::policy::options;
use std::borrow::Cow;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// The tree that the module may read: its whole authority.
    #[wasm_bindgen(js_name = Files)]
    pub type Imported;

    /// The entries of a folder: for each a letter (`f` file, `d` folder, `l` link, `o` other), its name, `/`. Names are
    /// Latin-1: each character is a byte. An error is `!` and its number.
    #[wasm_bindgen(method)]
    fn list(this: &Imported, path: &str, latin1: bool) -> String;

    /// For each of the paths, with NUL between them, fills the next six of `into` with kind (0 file, 1 folder, 2 link,
    /// 3 other; or an error), size, modified and changed (milliseconds since the Unix epoch), inode, and how many names it
    /// has. What ends in `/` is no path: it begins those that follow (`/` alone: nothing does).
    #[wasm_bindgen(method)]
    fn stat(this: &Imported, paths: &str, latin1: bool, into: &mut [f64]);

    /// Fills `into`, a view of the module's memory, from the file's `offset` on. Gives the count of bytes or an error.
    #[wasm_bindgen(method)]
    fn read(this: &Imported, path: &str, latin1: bool, offset: f64, into: &mut [u8]) -> f64;

    /// The path without links, Latin-1; undefined when it leads out of the tree. An error is NUL and its number.
    #[wasm_bindgen(method)]
    fn real(this: &Imported, path: &str, latin1: bool) -> Option<String>;

    /// The text of `info/exclude` of the repository that the folder's `.git` file names, if any.
    #[wasm_bindgen(method, js_name = linkedExclude)]
    fn linked_exclude(this: &Imported, path: &str, latin1: bool) -> Option<String>;

    /// `Surroundings` as JSON text.
    #[wasm_bindgen(method)]
    fn surroundings(this: &Imported) -> String;

    /// The tree's absolute path, Latin-1.
    #[wasm_bindgen(method)]
    fn root(this: &Imported) -> String;

    /// Milliseconds since the Unix epoch.
    #[wasm_bindgen(method)]
    fn now(this: &Imported) -> f64;

    /// Watches a folder, if its file system is of one of these types. Gives the watch's number or an error.
    #[wasm_bindgen(method)]
    fn watch(this: &Imported, path: &str, latin1: bool, types: &[u32]) -> f64;

    #[wasm_bindgen(method)]
    fn unwatch(this: &Imported, watch: u32);

    /// Folders that may be watched; 0 where none can.
    #[wasm_bindgen(method, js_name = watchLimit)]
    fn watch_limit(this: &Imported) -> f64;

    /// What happened in the watched folders since the last call: for each a letter (`f` facts, `c` came, `w` went, `n` came
    /// or went, `e` the watch ended), the watch, `:`, the move's number or 0, `:`, the name in Latin-1, `/`. `!` when that
    /// is not known and all watches have ended.
    #[wasm_bindgen(method)]
    fn changes(this: &Imported) -> String;

    /// Bytes of the scout's memory; 0 before it can search, -1 where there is none. See [`Scout`].
    #[wasm_bindgen(method, js_name = scoutMemory)]
    fn scout_memory(this: &Imported) -> f64;

    #[wasm_bindgen(method, js_name = hasScout)]
    fn has_scout(this: &Imported) -> bool;

    #[wasm_bindgen(method, js_name = callScout)]
    fn call_scout(this: &Imported, to_search: bool);

    /// Has it open files that will be read. They have numbers from `first` on; `paths` are UTF-8, else as for `stat`. False
    /// where it can't be told.
    #[wasm_bindgen(method, js_name = openAhead)]
    fn open_ahead(this: &Imported, first: u32, paths: &[u8]) -> bool;

    /// As `read`, from the beginning, of the file of this number; -1 where it is not open.
    #[wasm_bindgen(method, js_name = readAhead)]
    fn read_ahead(this: &Imported, number: u32, into: &mut [u8]) -> f64;

    /// Sends it a parcel, a view of the module's memory. With number 0 another search begins.
    #[wasm_bindgen(method)]
    fn send(this: &Imported, number: u32, parcel: &[u8]);

    /// Whether all of so many parcels were begun.
    #[wasm_bindgen(method, js_name = hasBegun)]
    fn has_begun(this: &Imported, sent: u32) -> bool;

    /// The number of the next one of so many parcels that was not begun, or -1.
    #[wasm_bindgen(method, js_name = takeBack)]
    fn take_back(this: &Imported, sent: u32) -> i32;

    /// The next answer: the parcel's number, `:`, and the text, which is empty where it could not be done; undefined when
    /// none comes in time; `!` when none will come.
    #[wasm_bindgen(method)]
    fn receive(this: &Imported, wait_ms: u32) -> Option<String>;
}

/// A path as the callbacks take it, and whether it is Latin-1.
fn path_text(path: &[u8]) -> (Cow<'_, str>, bool) {
    match std::str::from_utf8(path) {
        Ok(text) => (Cow::Borrowed(text), false),
        Err(_) => (latin1_text(path), true),
    }
}

/// The paths of names in folders, as `stat` and `openAhead` take them.
fn paths_of(asked: &[NamesIn<'_>]) -> Vec<u8> {
    let mut paths = Vec::new();
    for (folder, names) in asked {
        paths.extend_from_slice(folder);
        paths.push(b'/');
        for name in names {
            paths.push(0);
            paths.extend_from_slice(name);
        }
        paths.push(0);
    }
    paths.pop();
    paths
}

fn latin1_text(bytes: &[u8]) -> Cow<'_, str> {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn latin1_bytes(text: &str) -> Vec<u8> {
    if text.is_ascii() {
        return text.as_bytes().to_vec();
    }
    text.chars()
        .map(|c| u8::try_from(c).unwrap_or(b'?'))
        .collect()
}

/// The callbacks' error numbers.
fn error_of(code: i32) -> FileError {
    match code {
        -1 => FileError::Missing,
        -2 => FileError::Denied,
        -3 => FileError::Kind,
        _ => FileError::Failed,
    }
}

/// What `stat` fills in for one name.
const STAT_NUMBERS: usize = 6;

fn stat_of(numbers: &[f64]) -> Result<Stat, FileError> {
    let [kind, size, modified, changed, inode, names] = numbers else {
        return Err(FileError::Failed);
    };
    Ok(Stat {
        kind: match *kind as i32 {
            0 => Kind::File,
            1 => Kind::Folder,
            2 => Kind::Link,
            3 => Kind::Other,
            code => return Err(error_of(code)),
        },
        size: *size as u64,
        modified: *modified,
        changed: *changed,
        inode: *inode as u64,
        is_linked: *names > 1.0,
    })
}

fn kind_of(letter: u8) -> Kind {
    match letter {
        b'f' => Kind::File,
        b'd' => Kind::Folder,
        b'l' => Kind::Link,
        _ => Kind::Other,
    }
}

/// One of what `changes` tells; none when it is no such thing.
fn change_of(text: &str) -> Option<Change> {
    let mut parts = text.get(1..)?.splitn(3, ':');
    Some(Change {
        what: match text.as_bytes()[0] {
            b'f' => What::Facts,
            b'c' => What::Came,
            b'w' => What::Went,
            b'n' => What::Name,
            b'e' => What::Ended,
            _ => return None,
        },
        watch: parts.next()?.parse().ok()?,
        move_id: parts.next()?.parse().ok()?,
        name: latin1_bytes(parts.next()?).into(),
    })
}

impl Files for Imported {
    fn list(&self, folder: &[u8]) -> Result<Vec<Entry>, FileError> {
        let (path, latin1) = path_text(folder);
        let listed = Imported::list(self, &path, latin1);
        if let Some(code) = listed.strip_prefix('!') {
            return Err(error_of(code.parse().unwrap_or(-4)));
        }
        Ok(listed
            .split_terminator('/')
            .filter(|entry| !entry.is_empty())
            .map(|entry| Entry {
                kind: kind_of(entry.as_bytes()[0]),
                name: latin1_bytes(&entry[1..]).into(),
            })
            .collect())
    }

    fn stat(&self, path: &[u8]) -> Result<Stat, FileError> {
        let (path, latin1) = path_text(path);
        let mut into = [0.0; STAT_NUMBERS];
        Imported::stat(self, &path, latin1, &mut into);
        stat_of(&into)
    }

    fn stat_all(&self, asked: &[NamesIn<'_>]) -> Vec<Result<Stat, FileError>> {
        let count: usize = asked.iter().map(|(_, names)| names.len()).sum();
        let mut into = vec![0.0; count * STAT_NUMBERS];
        let paths = paths_of(asked);
        let (paths, latin1) = path_text(&paths);
        Imported::stat(self, &paths, latin1, &mut into);
        into.chunks_exact(STAT_NUMBERS).map(stat_of).collect()
    }

    fn read(&self, path: &[u8], offset: u64, into: &mut [u8]) -> Result<usize, FileError> {
        let (path, latin1) = path_text(path);
        let count = Imported::read(self, &path, latin1, offset as f64, into);
        if count < 0.0 {
            return Err(error_of(count as i32));
        }
        Ok((count as usize).min(into.len()))
    }

    fn real(&self, path: &[u8]) -> Result<Option<Vec<u8>>, FileError> {
        let (path, latin1) = path_text(path);
        match Imported::real(self, &path, latin1) {
            Some(real) => match real.strip_prefix('\0') {
                Some(code) => Err(error_of(code.parse().unwrap_or(-4))),
                None => Ok(Some(latin1_bytes(&real))),
            },
            None => Ok(None),
        }
    }

    fn linked_exclude(&self, folder: &[u8]) -> Option<Vec<u8>> {
        let (path, latin1) = path_text(folder);
        Imported::linked_exclude(self, &path, latin1).map(String::into_bytes)
    }

    fn surroundings(&self) -> Surroundings {
        json::from_str(&Imported::surroundings(self)).unwrap_or_default()
    }

    fn root(&self) -> Vec<u8> {
        latin1_bytes(&Imported::root(self))
    }

    fn now(&self) -> f64 {
        Imported::now(self)
    }

    fn watch(&self, folder: &[u8], file_systems: &[u32]) -> Option<Watch> {
        let (path, latin1) = path_text(folder);
        let watch = Imported::watch(self, &path, latin1, file_systems);
        (watch >= 0.0).then_some(watch as Watch)
    }

    fn unwatch(&self, watch: Watch) {
        Imported::unwatch(self, watch);
    }

    fn watch_limit(&self) -> usize {
        Imported::watch_limit(self) as usize
    }

    fn changes(&self) -> Changes {
        let text = Imported::changes(self);
        let changes: Option<Vec<Change>> = text.split_terminator('/').map(change_of).collect();
        changes.map_or(Changes::Unknown, Changes::Told)
    }

    fn scout(&self) -> Option<&dyn Scout> {
        (Imported::scout_memory(self) >= 0.0).then_some(self)
    }
}

impl Scout for Imported {
    fn memory(&self) -> usize {
        Imported::scout_memory(self) as usize
    }

    fn is_there(&self) -> bool {
        Imported::has_scout(self)
    }

    fn call(&self) {
        Imported::call_scout(self, false);
    }

    fn prepare(&self) {
        Imported::call_scout(self, true);
    }

    fn open(&self, first: u32, asked: &[NamesIn<'_>]) -> bool {
        let paths = paths_of(asked);
        std::str::from_utf8(&paths).is_ok() && Imported::open_ahead(self, first, &paths)
    }

    fn read(&self, number: u32, into: &mut [u8]) -> Option<usize> {
        let count = Imported::read_ahead(self, number, into);
        (count >= 0.0).then_some((count as usize).min(into.len()))
    }

    fn send(&self, number: usize, parcel: &[u8]) {
        Imported::send(self, number as u32, parcel);
    }

    fn has_begun(&self, sent: usize) -> bool {
        Imported::has_begun(self, sent as u32)
    }

    fn take_back(&self, sent: usize) -> Option<usize> {
        usize::try_from(Imported::take_back(self, sent as u32)).ok()
    }

    fn receive(&self, wait_ms: u32) -> Received {
        match Imported::receive(self, wait_ms) {
            None => Received::Nothing,
            Some(text) => match text.split_once(':') {
                Some((number, text)) => {
                    Received::Answer(number.parse().unwrap_or(usize::MAX), text.to_owned())
                }
                None => Received::Lost,
            },
        }
    }
}

/// The scout's side of [`Code`]: see `src/code/text/scout.rs`.
#[cfg(feature = "search")]
#[wasm_bindgen]
pub struct ScoutCode {
    files: Imported,
    scout: crate::code::text::scout::Scout,
}

#[cfg(feature = "search")]
#[wasm_bindgen]
impl ScoutCode {
    #[wasm_bindgen(constructor)]
    pub fn new(files: Imported) -> ScoutCode {
        console_error_panic_hook::set_once();
        ScoutCode {
            files,
            scout: crate::code::text::scout::Scout::default(),
        }
    }

    /// Searches a parcel's files; the text of the answer is empty where it can't.
    pub fn search(&mut self, parcel: &[u8]) -> String {
        self.scout.search(&self.files, parcel).unwrap_or_default()
    }
}

/// Serves requests over one tree.
#[wasm_bindgen]
pub struct Code {
    service: Service<Imported>,
    workers: u32,
}

/// An answer as JavaScript gets it: `+` and its text, or `-` and what to tell instead.
fn answer(result: Result<String, String>) -> String {
    let (sign, mut text) = match result {
        Ok(text) => ('+', text),
        Err(text) => ('-', text),
    };
    text.insert(0, sign);
    text
}

#[wasm_bindgen]
impl Code {
    /// `options`: the plugin options as JSON text, as the user wrote them; what is wrong in them is left at its default.
    /// `cores`: processors of this machine.
    #[wasm_bindgen(constructor)]
    pub fn new(files: Imported, options: &str, cores: u32) -> Code {
        console_error_panic_hook::set_once();
        let options = json::from_str(options).unwrap_or_default();
        let settings = Settings::of(&options::parse(&options).0.search, cores, js_sys::Date::now);
        Code {
            service: Service::new(files, settings),
            workers: settings.workers,
        }
    }

    /// How many instances, each with its share of the memory, are to serve the tree.
    pub fn workers(&self) -> u32 {
        self.workers
    }

    /// Begins a request. `index` and `of`: which share of it is this instance's; more than one give parts, see `merge`.
    pub fn begin(&mut self, id: u32, method: &str, args: &str, index: u32, of: u32) {
        self.service.begin(id, method, args, Share { index, of });
    }

    /// Works on a request for some milliseconds. Gives its answer when it is done: `+` and the text, or `-` and what to tell
    /// instead.
    pub fn step(&mut self, id: u32) -> Option<String> {
        match self.service.step(id) {
            Some(Step::More) => None,
            Some(Step::Done(result)) => Some(answer(result)),
            None => Some(answer(Err("There is no such request.".to_owned()))),
        }
    }

    /// Forgets a request.
    pub fn cancel(&mut self, id: u32) {
        self.service.cancel(id);
    }

    /// Works on the index for some milliseconds, while no request is under way. Whether there is more to do.
    pub fn idle(&mut self) -> bool {
        self.service.idle()
    }

    /// The answer to a request, as `step` gives it, from the texts of its shares.
    pub fn merge(method: &str, args: &str, parts: Vec<String>) -> String {
        answer(service::merge(method, args, &parts))
    }

    /// Bytes that index and cache take.
    pub fn used(&self) -> f64 {
        self.service.used() as f64
    }
}
