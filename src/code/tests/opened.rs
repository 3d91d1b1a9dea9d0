//! A second thread that opens files before they are read: it never shows.

use super::super::files::memory::MemoryFiles;
use super::super::files::{
    Changes, Entry, FileError, Files, NamesIn, Received, Scout, Stat, Watch, join,
};
use super::super::limits::{AHEAD_CALL, AHEAD_FILES};
use super::super::service::Service;
use super::told::Watched;
use super::{Settings, open, search, service, settings};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The host has places for so many files, in which others are later.
const PLACES: usize = 4 * AHEAD_FILES;

/// Files with a scout that opens most of them in time, of the lots that it takes.
struct Opening {
    files: Rc<Watched>,
    is_there: Cell<bool>,
    calls: Cell<usize>,
    places: RefCell<Vec<Option<Vec<u8>>>>,
    lots: Cell<usize>,
    read: Cell<usize>,
}

impl Opening {
    fn new(files: &Rc<MemoryFiles>) -> Rc<Self> {
        Rc::new(Self {
            files: Watched::new(files),
            is_there: Cell::new(true),
            calls: Cell::new(0),
            places: RefCell::new(vec![None; PLACES]),
            lots: Cell::new(0),
            read: Cell::new(0),
        })
    }
}

impl Files for Opening {
    in_memory! { list, stat, read, real, now }

    fn watch(&self, folder: &[u8], types: &[u32]) -> Option<Watch> {
        self.files.watch(folder, types)
    }

    fn unwatch(&self, watch: Watch) {
        self.files.unwatch(watch);
    }

    fn watch_limit(&self) -> usize {
        self.files.watch_limit()
    }

    fn changes(&self) -> Changes {
        self.files.changes()
    }

    fn scout(&self) -> Option<&dyn Scout> {
        Some(self)
    }
}

impl Scout for Opening {
    fn is_there(&self) -> bool {
        self.is_there.get()
    }

    fn call(&self) {
        self.calls.set(self.calls.get() + 1);
    }

    fn open(&self, first: u32, asked: &[NamesIn<'_>]) -> bool {
        let lot = self.lots.replace(self.lots.get() + 1);
        if lot % 5 == 4 {
            return false;
        }
        let names = asked
            .iter()
            .flat_map(|(folder, names)| names.iter().map(|name| join(folder, name)));
        let mut places = self.places.borrow_mut();
        for (n, path) in names.enumerate() {
            // it is not always in time
            places[(first as usize + n) % PLACES] = (n % 3 > 0).then_some(path);
        }
        true
    }

    fn read(&self, number: u32, into: &mut [u8]) -> Option<usize> {
        let path = self.places.borrow_mut()[number as usize % PLACES].take()?;
        self.read.set(self.read.get() + 1);
        self.files.read(&path, 0, into).ok()
    }

    /// It does not search.
    fn memory(&self) -> usize {
        0
    }

    fn prepare(&self) {}

    fn send(&self, _: usize, _: &[u8]) {}

    fn has_begun(&self, _: usize) -> bool {
        false
    }

    fn take_back(&self, _: usize) -> Option<usize> {
        None
    }

    fn receive(&self, _: u32) -> Received {
        Received::Lost
    }
}

fn path_of(i: usize) -> String {
    format!("{:02}/{:02}/{i:04}.txt", i / 90, i % 7)
}

/// Of some the index says that there is no `word`, others are to be read each time.
fn tree(count: usize) -> Rc<MemoryFiles> {
    let files = Rc::new(MemoryFiles::new());
    for i in 0..count {
        let word = if i % 11 == 0 { "a word\n" } else { "" };
        let end = if i % 400 > 200 { "\0" } else { "" };
        files.write(path_of(i), format!("this is {i}\n{word}{end}"));
    }
    (0..3).for_each(|_| files.wait());
    files
}

const QUERIES: [&str; 5] = [
    r#"{"pattern": "this is", "limit": 100000}"#,
    r#"{"pattern": "word", "limit": 100000}"#,
    r#"{"pattern": "word", "limit": 20}"#,
    r#"{"pattern": "is 8?1", "limit": 40}"#,
    r#"{"pattern": "this", "mode": "files", "limit": 900}"#,
];

/// Each file is searched under its own path, in the same order, and as many of them.
#[test]
fn with_files_opened_ahead_the_answers_are_the_same() {
    let files = tree(1_900);
    let opening = Opening::new(&files);
    for query in QUERIES {
        let mut tree = service(Rc::clone(&opening));
        let alone = search(&mut open(&files), query);
        assert_eq!(search(&mut tree, query), alone, "{query}");
        // of those that are opened for nothing some places are still taken
        assert_eq!(search(&mut tree, query), alone, "{query}");
    }
    let (read, lots) = (opening.read.get(), opening.lots.get());
    assert!(read > 3_000 && lots > 100, "{read} of {lots} lots");
}

/// The same where some files are known, and all by the walk before.
#[test]
fn what_is_known_and_what_is_not_take_turns() {
    let files = tree(1_900);
    let opening = Opening::new(&files);
    let watched = Watched::new(&files);
    let settings = || Settings {
        memory_bytes: 32 << 20,
        ..settings()
    };
    let mut tree = Service::new(Rc::clone(&opening), settings());
    let mut alone = Service::new(Rc::clone(&watched), settings());
    for round in 0..4 {
        for query in QUERIES {
            assert_eq!(
                search(&mut tree, query),
                search(&mut alone, query),
                "{query}"
            );
        }
        for slice in 0..round * 3 {
            assert_eq!(tree.idle(), alone.idle(), "{slice}");
        }
        for i in (round..1_900).step_by(7) {
            files.write(path_of(i), format!("this is now {i}\n"));
        }
        (0..3).for_each(|_| files.wait());
    }
    assert!(opening.read.get() > 1_000, "{}", opening.read.get());
}

/// A search that ends when enough was found ends at the same file.
#[test]
fn where_a_search_ends_is_the_same() {
    let files = Rc::new(MemoryFiles::new());
    for i in 0..9_000 {
        let is_known = i < 3_000 && i / 40 % 2 == 0;
        let ending = if is_known { "known" } else { "new" };
        let word = if i % 20 == 19 { "word\n" } else { "" };
        files.write(format!("{:02}/{i:04}.{ending}", i / 200), word);
    }
    (0..3).for_each(|_| files.wait());
    let query = r#"{"pattern": "word", "limit": 100}"#;
    let alone = search(&mut open(&files), query);
    assert!(alone.contains("at least 30"), "{alone}");
    let opening = Opening::new(&files);
    let mut tree = service(Rc::clone(&opening));
    search(
        &mut tree,
        r#"{"pattern": "nowhere", "globs": ["*.known"], "mode": "count"}"#,
    );
    while tree.idle() {}
    assert_eq!(search(&mut tree, query), alone);
    // now all files are told by an earlier walk, and some of them are ruled out at once
    search(&mut tree, r#"{"pattern": "nowhere", "mode": "count"}"#);
    assert_eq!(search(&mut tree, query), alone);
    assert!(opening.read.get() > 0);
    // the last file is the one too many
    let files = Rc::new(MemoryFiles::new());
    for i in 0..401 {
        files.write(path_of(i), "word\n");
    }
    let query = r#"{"pattern": "word", "limit": 100}"#;
    let opening = Opening::new(&files);
    let found = search(&mut service(Rc::clone(&opening)), query);
    assert_eq!(found, search(&mut open(&files), query));
    assert!(opening.read.get() > 0);
}

#[test]
fn a_scout_is_called_where_there_are_many_files() {
    let query = r#"{"pattern": "nowhere", "mode": "count"}"#;
    for (count, is_called) in [(AHEAD_CALL - 1, false), (AHEAD_CALL + 1, true)] {
        let files = tree(count);
        let opening = Opening::new(&files);
        opening.is_there.set(false);
        let mut tree = service(Rc::clone(&opening));
        search(&mut tree, query);
        assert_eq!(opening.calls.get() > 0, is_called, "{count}");
        assert_eq!(opening.lots.get(), 0);
    }
}
