//! A tree in memory that tells of its changes: what is told is looked at again, and nothing else.

use super::super::files::memory::MemoryFiles;
use super::super::files::{Change, Changes, Entry, FileError, Files, Kind, Stat, Watch, What};
use super::super::limits::{SWEEP_MS, UNTOLD_MS};
use super::{Service, Settings, ask, open, search, service, settings};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Files of which the changes are told. A watch follows its folder: when that goes, nothing more is told by it.
pub struct Watched {
    files: Rc<MemoryFiles>,
    watches: RefCell<BTreeMap<Vec<u8>, Watch>>,
    next: Cell<Watch>,
    heard: Cell<usize>,
    limit: Cell<usize>,
    is_missing: Cell<bool>,
    /// Folders and files looked at so far.
    looks: Cell<usize>,
    /// A file that is written as soon as what happened was told.
    late: RefCell<Option<(&'static str, String)>>,
}

impl Watched {
    pub fn new(files: &Rc<MemoryFiles>) -> Rc<Self> {
        files.set_log(true);
        Rc::new(Self {
            files: Rc::clone(files),
            watches: RefCell::default(),
            next: Cell::new(1),
            heard: Cell::new(0),
            limit: Cell::new(1_000_000),
            is_missing: Cell::new(false),
            looks: Cell::new(0),
            late: RefCell::default(),
        })
    }

    fn look(&self) {
        self.looks.set(self.looks.get() + 1);
    }
}

impl Files for Watched {
    fn list(&self, folder: &[u8]) -> Result<Vec<Entry>, FileError> {
        self.look();
        self.files.list(folder)
    }

    fn stat(&self, path: &[u8]) -> Result<Stat, FileError> {
        self.look();
        self.files.stat(path)
    }

    fn read(&self, path: &[u8], offset: u64, into: &mut [u8]) -> Result<usize, FileError> {
        self.look();
        self.files.read(path, offset, into)
    }

    in_memory! { real, now }

    fn watch(&self, folder: &[u8], _: &[u32]) -> Option<Watch> {
        let is_folder = self.files.stat(folder).map(|stat| stat.kind) == Ok(Kind::Folder);
        let watch = self.next.get();
        self.next.set(watch + 1);
        is_folder.then(|| {
            *self
                .watches
                .borrow_mut()
                .entry(folder.to_vec())
                .or_insert(watch)
        })
    }

    fn unwatch(&self, watch: Watch) {
        self.watches.borrow_mut().retain(|_, other| *other != watch);
    }

    fn watch_limit(&self) -> usize {
        self.limit.get()
    }

    fn changes(&self) -> Changes {
        let mut watches = self.watches.borrow_mut();
        let log = self.files.log_from(self.heard.get());
        self.heard.set(self.heard.get() + log.len());
        if self.is_missing.take() {
            watches.clear();
            return Changes::Unknown;
        }
        let mut changes = Vec::new();
        for (path, what) in log {
            let at = path.iter().rposition(|&byte| byte == b'/');
            let (folder, name) =
                at.map_or((&b""[..], &path[..]), |at| (&path[..at], &path[at + 1..]));
            if let Some(&watch) = watches.get(folder) {
                changes.push(Change {
                    watch,
                    what,
                    move_id: 0,
                    name: name.into(),
                });
            }
            if what == What::Went {
                let below = [&path[..], b"/"].concat();
                watches.retain(|at, _| *at != path && !at.starts_with(&below));
            }
        }
        if let Some((path, text)) = self.late.take() {
            self.files.write(path, text);
        }
        Changes::Told(changes)
    }
}

fn tree() -> (Rc<MemoryFiles>, Rc<Watched>) {
    let files = Rc::new(MemoryFiles::new());
    for i in 0..50 {
        files.write(format!("src/{}/{i}.rs", i % 5), format!("number_{i}\n"));
    }
    files.write("src/.ignore", "*.log\n");
    let watched = Watched::new(&files);
    (files, watched)
}

const SEVEN: &str = r#"{"pattern": "number_7\\b"}"#;

#[test]
fn nothing_is_looked_at_while_nothing_is_told() {
    let (files, watched) = tree();
    let mut told = service(Rc::clone(&watched));
    search(&mut told, SEVEN);
    while told.idle() {}
    search(&mut told, SEVEN); // the walk is remembered now
    let looks = || watched.looks.replace(0);
    looks();
    let answer = search(&mut told, SEVEN);
    assert_eq!(looks(), 0);
    // not even that they were written a moment ago keeps the files from being known
    assert_eq!(answer, search(&mut open(&files), SEVEN));
    files.write("src/3/8.rs", "number_7\n");
    let answer = search(&mut told, SEVEN);
    assert!(answer.contains("src/3/8.rs"), "{answer}");
    assert_eq!(looks(), 2, "its stat, and its text");
    files.write("src/3/new.rs", "number_7\n");
    let answer = search(&mut told, SEVEN);
    assert!(answer.contains("src/3/new.rs"), "{answer}");
    assert!(looks() < 10);
    files.write("src/.ignore", "*.rs\n");
    let answer = search(&mut told, SEVEN);
    assert!(answer.starts_with("No match"), "{answer}");
}

#[test]
fn what_nobody_tells_is_seen_when_it_is_time_to_compare() {
    for sweeps in [false, true] {
        let (files, watched) = tree();
        (0..3).for_each(|_| files.wait());
        let mut told = service(Rc::clone(&watched));
        search(&mut told, SEVEN);
        while told.idle() {}
        files.set_log(false);
        files.write("src/3/8.rs", "number_7\n");
        assert!(!search(&mut told, SEVEN).contains("src/3/8.rs"));
        let time = if sweeps {
            SWEEP_MS
        } else {
            UNTOLD_MS + 1_000.0
        };
        (0..(time / 1_000.0) as usize).for_each(|_| files.wait());
        if sweeps {
            while told.idle() {}
        }
        let answer = search(&mut told, SEVEN);
        assert!(answer.contains("src/3/8.rs"), "{sweeps}: {answer}");
    }
}

#[test]
fn what_is_not_watched_is_compared() {
    for limit in [0, 8, 32] {
        let (files, watched) = tree();
        (0..3).for_each(|_| files.wait());
        watched.limit.set(limit);
        let mut told = service(Rc::clone(&watched));
        search(&mut told, SEVEN);
        while told.idle() {}
        assert!(watched.watches.borrow().len() <= limit / 8);
        for i in [8, 9] {
            files.write(format!("src/{}/{i}.rs", i % 5), "number_7\n");
            let answer = search(&mut told, SEVEN);
            assert!(answer.contains(&format!("{i}.rs")), "{limit}: {answer}");
        }
    }
}

#[test]
fn when_something_was_missed_all_is_compared_and_watched_anew() {
    let (files, watched) = tree();
    (0..3).for_each(|_| files.wait());
    let mut told = service(Rc::clone(&watched));
    search(&mut told, SEVEN);
    while told.idle() {}
    let count = watched.watches.borrow().len();
    assert_eq!(count, 7);
    watched.is_missing.set(true);
    files.write("src/3/8.rs", "number_7\n");
    files.remove(b"src/2");
    let cold = ask(&mut open(&files), "code_search", SEVEN);
    assert_eq!(ask(&mut told, "code_search", SEVEN), cold);
    assert_eq!(watched.watches.borrow().len(), 0);
    while told.idle() {}
    assert_eq!(watched.watches.borrow().len(), count - 1);
}

/// A text that is too long to be kept, with a line of a megabyte and lines that match here and there.
fn long_text(word: &str) -> String {
    let lines = (0..120_000).map(|i| match i {
        50_000 => format!("{} in a long line\n", "x".repeat(1 << 20)),
        _ if i % 29_989 == 3 => format!("    fn {word}_{i}() // {word}\n"),
        _ => format!("line {} of a long file\n", i % 512),
    });
    lines.collect::<String>() + word
}

#[test]
fn a_long_file_is_searched_by_sections_as_it_is_as_a_whole() {
    let (files, watched) = tree();
    files.write("src/long.rs", long_text("needle"));
    // the text has no room in less memory
    let with = |memory_mb: usize| {
        let settings = Settings {
            memory_bytes: memory_mb << 20,
            ..settings()
        };
        let mut told = Service::new(Rc::clone(&watched), settings);
        search(&mut told, SEVEN);
        while told.idle() {}
        told
    };
    let queries = [
        r#"{"pattern": "needle"}"#,
        r#"{"pattern": "needle", "word": true, "limit": 3}"#,
        r#"{"pattern": "NEEDLE_\\d+\\(", "ignore_case": true}"#,
        r#"{"pattern": "needle_3\\b|needle_89970", "mode": "count"}"#,
        r#"{"pattern": "^line 77 ", "limit": 500}"#,
        r#"{"pattern": "^line 77 ", "mode": "files"}"#,
        r#"{"pattern": "needle$", "mode": "count"}"#,
        r#"{"pattern": "needle_\\d+", "context": 1}"#,
        r#"{"pattern": "file\n +fn needle", "multiline": true}"#,
    ];
    let mut told = with(64);
    assert!(told.used() > 3 << 20, "{} bytes", told.used());
    let mut short = with(48);
    assert!(short.used() < 2 << 20, "{} bytes", short.used());
    for query in queries {
        let cold = search(&mut open(&files), query);
        assert!(cold.contains("long.rs"), "{query}: {cold}");
        assert_eq!(search(&mut told, query), cold, "{query}");
        // it can't be searched as a whole there
        if !query.contains("multiline") {
            assert_eq!(search(&mut short, query), cold, "{query}");
        }
    }
    // what is written while it is searched is not taken for what it was
    for (i, query) in queries.into_iter().enumerate() {
        if query.contains("multiline") {
            continue;
        }
        search(&mut short, SEVEN);
        while short.idle() {}
        let text = "\n".repeat(50 * i + 50) + &long_text("needle");
        *watched.late.borrow_mut() = Some(("src/long.rs", text));
        let answer = search(&mut short, query);
        assert_eq!(answer, search(&mut open(&files), query), "{query}");
    }
}
