//! A second thread that takes a part of a search: what it does, or leaves undone, never shows.

use super::super::files::memory::MemoryFiles;
use super::super::files::{Entry, FileError, Files, NamesIn, Received, Scout, Stat, join};
use super::super::limits::{AHEAD_FILES, PARCEL_FILES, SCOUT_FORGETS};
use super::super::service::{Service, Settings};
use super::super::text::scout;
use super::{open, search, service, settings};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What a scout does when it is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Answer,
    /// It has begun a parcel, and does not answer yet.
    Begin,
    /// It can't.
    Fail,
    Nothing,
    Die,
}

/// Files with a scout beside it, which does what is planned.
struct Scouted {
    files: Rc<MemoryFiles>,
    scout: RefCell<scout::Scout>,
    memory: Cell<usize>,
    calls: Cell<usize>,
    parcels: RefCell<Vec<Vec<u8>>>,
    begun: Cell<usize>,
    /// It begins all that there is at once.
    is_eager: Cell<bool>,
    /// Parcels that were begun and not answered.
    held: RefCell<Vec<usize>>,
    plan: RefCell<Box<dyn FnMut() -> Act>>,
    done: RefCell<Vec<Act>>,
    /// Parcels that were taken back, and files read by the scout.
    back: Cell<usize>,
    reads: Cell<usize>,
    /// Files that it was told to open.
    opened: RefCell<Vec<Vec<u8>>>,
}

impl Scouted {
    fn new(files: &Rc<MemoryFiles>, plan: impl FnMut() -> Act + 'static) -> Rc<Self> {
        Rc::new(Self {
            files: Rc::clone(files),
            scout: RefCell::default(),
            memory: Cell::new(1 << 20),
            calls: Cell::new(0),
            parcels: RefCell::default(),
            begun: Cell::new(0),
            is_eager: Cell::new(false),
            held: RefCell::default(),
            plan: RefCell::new(Box::new(plan)),
            done: RefCell::default(),
            back: Cell::new(0),
            reads: Cell::new(0),
            opened: RefCell::default(),
        })
    }

    fn answered(&self) -> usize {
        let done = self.done.borrow();
        done.iter().filter(|act| **act == Act::Answer).count()
    }

    fn begin(&self) -> Option<usize> {
        let next = self.begun.get();
        (next < self.parcels.borrow().len()).then(|| {
            self.begun.set(next + 1);
            next
        })
    }

    fn answer(&self, number: usize) -> Received {
        let parcels = self.parcels.borrow();
        let before = self.files.reads();
        let text = self
            .scout
            .borrow_mut()
            .search(&*self.files, &parcels[number]);
        self.reads
            .set(self.reads.get() + self.files.reads() - before);
        Received::Answer(number, text.expect("an answer"))
    }
}

impl Files for Scouted {
    in_memory! { list, stat, read, real, now }

    fn scout(&self) -> Option<&dyn Scout> {
        Some(self)
    }
}

impl Scout for Scouted {
    fn is_there(&self) -> bool {
        self.memory.get() > 0
    }

    fn call(&self) {
        self.calls.set(self.calls.get() + 1);
    }

    fn open(&self, first: u32, asked: &[NamesIn<'_>]) -> bool {
        let mut opened = self.opened.borrow_mut();
        opened.truncate(first as usize);
        assert_eq!(first as usize, opened.len(), "in order");
        for (folder, names) in asked {
            opened.extend(names.iter().map(|name| join(folder, name)));
        }
        true
    }

    fn read(&self, number: u32, into: &mut [u8]) -> Option<usize> {
        // it is not always in time
        let path = self.opened.borrow().get(number as usize).cloned();
        let path = path.filter(|_| !number.is_multiple_of(3))?;
        self.files.read(&path, 0, into).ok()
    }

    fn memory(&self) -> usize {
        self.memory.get()
    }

    fn prepare(&self) {
        self.call();
    }

    fn send(&self, number: usize, parcel: &[u8]) {
        if number == 0 {
            self.parcels.take();
            self.held.take();
            self.begun.set(0);
        }
        let mut parcels = self.parcels.borrow_mut();
        assert_eq!(number, parcels.len(), "in order");
        parcels.push(parcel.to_vec());
    }

    fn has_begun(&self, sent: usize) -> bool {
        self.begun.get() >= sent
    }

    fn take_back(&self, sent: usize) -> Option<usize> {
        assert_eq!(sent, self.parcels.borrow().len());
        // the scout was there before
        let count = if self.is_eager.get() { sent } else { 1 };
        for _ in 0..count {
            self.held.borrow_mut().extend(self.begin());
        }
        let taken = self.begin()?;
        self.back.set(self.back.get() + 1);
        Some(taken)
    }

    fn receive(&self, _: u32) -> Received {
        let act = (self.plan.borrow_mut())();
        self.done.borrow_mut().push(act);
        match act {
            Act::Die => Received::Lost,
            Act::Nothing => Received::Nothing,
            Act::Begin => {
                self.held.borrow_mut().extend(self.begin());
                Received::Nothing
            }
            Act::Answer | Act::Fail => {
                let held = self.held.borrow_mut().pop();
                match held.or_else(|| self.begin()) {
                    None => Received::Nothing,
                    Some(number) if act == Act::Fail => Received::Answer(number, String::new()),
                    Some(number) => self.answer(number),
                }
            }
        }
    }
}

/// Numbers that look random.
fn numbers(mut seed: u32) -> impl FnMut(u32) -> u32 {
    move |below| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % below
    }
}

fn path_of(i: usize) -> String {
    format!("{:02}/{}/{i:03}.txt", i / 8, i % 3)
}

fn text_of(i: usize, lines: usize) -> String {
    let line = |n: usize| match n % 97 {
        0 => format!("needle_{i}(x{n}) {{\n"),
        1 => "\treturn ä\n".to_owned(),
        _ => format!("{} some other words {}\n", n % 13, i % 7),
    };
    (0..lines).map(line).collect()
}

/// Texts of 30 kB, and among them a few that are long, binary, in UTF-16, marked, empty, or with a NUL at the end.
fn tree() -> Rc<MemoryFiles> {
    let files = Rc::new(MemoryFiles::new());
    for i in 0..200 {
        files.write(path_of(i), text_of(i, 1_000));
    }
    for (i, place) in [40, 120, 170].into_iter().enumerate() {
        files.write(path_of(place), text_of(place, 9_000));
        files.write(
            path_of(place + 1),
            [&b"needle_0\0"[..], b"needle_1\n"].concat(),
        );
        let wide = text_of(i, 50).encode_utf16().collect::<Vec<_>>();
        let wide = wide.iter().flat_map(|unit| unit.to_le_bytes());
        files.write(
            path_of(place + 2),
            [0xFF, 0xFE].into_iter().chain(wide).collect::<Vec<_>>(),
        );
        files.write(path_of(place + 3), format!("\u{FEFF}{}", text_of(i, 20)));
        files.write(path_of(place + 4), "");
        files.write(path_of(place + 5), text_of(i, 4_000) + "\0 needle_9");
        files.write(path_of(place + 6), text_of(i, 1_000).trim_end());
    }
    (0..3).for_each(|_| files.wait());
    files
}

const QUERIES: [&str; 9] = [
    r#"{"pattern": "needle_", "mode": "count", "limit": 1000}"#,
    r#"{"pattern": "needle_\\d+\\(", "mode": "count", "limit": 7}"#,
    r#"{"pattern": "some", "mode": "count", "limit": 1}"#,
    r#"{"pattern": "OTHER", "ignore_case": true, "mode": "files", "limit": 1000}"#,
    r#"{"pattern": "needle_1", "limit": 100000, "context": 1}"#,
    r#"{"pattern": "needle_4", "word": false, "limit": 100000}"#,
    r#"{"pattern": "\\{\\n\\treturn", "multiline": true, "mode": "count", "limit": 1000}"#,
    r#"{"pattern": "\\w{5}\\s\\w{5}", "mode": "count", "limit": 1000}"#,
    r#"{"pattern": "nowhere_at_all", "mode": "count"}"#,
];

/// Whatever the scout does, and whatever changes between two searches, the answers are those of a search without it.
#[test]
fn with_a_scout_the_answers_are_the_same() {
    let files = tree();
    let mut number = numbers(7);
    let mut plan = numbers(11);
    let scouted = Scouted::new(&files, move || match plan(12) {
        0..7 => Act::Answer,
        7..9 => Act::Begin,
        9 => Act::Fail,
        10 => Act::Nothing,
        _ => Act::Die,
    });
    let mut tree = service(Rc::clone(&scouted));
    search(&mut tree, QUERIES[0]);
    assert!(
        scouted.parcels.borrow().is_empty(),
        "nothing is known of the files"
    );
    assert!(scouted.opened.borrow().len() >= AHEAD_FILES);
    while tree.idle() {}
    for round in 0..3 {
        for query in QUERIES {
            assert_eq!(
                search(&mut tree, query),
                search(&mut open(&files), query),
                "{query}"
            );
        }
        for _ in 0..5 {
            let i = number(200) as usize;
            match number(4) {
                0 => files.remove(path_of(i).as_bytes()),
                1 => files.write(path_of(i), text_of(i + round, 200)),
                // the same size
                2 => files.write(path_of(i), text_of(i, 1_000).replace("needle", "noodle")),
                _ => files.write(path_of(i), [1, 0, 2]),
            }
        }
        (0..number(4)).for_each(|_| files.wait());
        if number(2) == 0 {
            while tree.idle() {}
        }
    }
    let done = scouted.done.borrow();
    for act in [Act::Answer, Act::Begin, Act::Fail, Act::Nothing, Act::Die] {
        assert!(done.contains(&act), "{act:?}");
    }
    let (answered, back) = (scouted.answered(), scouted.back.get());
    assert!(answered > 10 && back > 5, "{answered} {back}");
}

/// A search that ends when enough was found shows what it would show without.
#[test]
fn a_limited_search_is_the_same_with_a_scout() {
    let files = tree();
    let scouted = Scouted::new(&files, || Act::Answer);
    let mut tree = service(Rc::clone(&scouted));
    search(&mut tree, QUERIES[0]);
    while tree.idle() {}
    let shown = |answer: String| answer.split("Shown:").next().map(str::to_owned);
    for limit in [1, 20, 150] {
        // of each file a few lines: so far has the search to go that the scout has a part in it
        let query = format!(r#"{{"pattern": "needle_\\d+\\(x(0|97)\\)", "limit": {limit}}}"#);
        let alone = search(&mut open(&files), &query);
        assert_eq!(shown(search(&mut tree, &query)), shown(alone));
    }
    assert!(scouted.answered() > 0);
}

/// The scout keeps contents while they are what they were, and of those that are of no use not for long.
#[test]
fn a_scout_reads_a_file_once() {
    let files = tree();
    let scouted = Scouted::new(&files, || Act::Answer);
    scouted.is_eager.set(true);
    let mut tree = service(Rc::clone(&scouted));
    search(&mut tree, QUERIES[0]);
    while tree.idle() {}
    let reads = |tree: &mut _| {
        scouted.reads.set(0);
        search(tree, QUERIES[2]);
        scouted.reads.get()
    };
    let first = reads(&mut tree);
    assert!(first > PARCEL_FILES, "{first}");
    let again = reads(&mut tree);
    // those of this thread that the scout takes when it has nothing else to do are not kept by both
    assert!(again < first, "{again}");
    let theirs = path_of(130);
    files.write(&theirs, text_of(3, 1_000));
    (0..3).for_each(|_| files.wait());
    search(&mut tree, QUERIES[2]);
    while tree.idle() {}
    assert_eq!(
        reads(&mut tree),
        again + 1,
        "what was written is another file"
    );
    assert_eq!(reads(&mut tree), again);
    (0..SCOUT_FORGETS).for_each(|_| _ = search(&mut tree, QUERIES[8]));
    assert_eq!(reads(&mut tree), again, "there was no need for room");
}

#[test]
fn a_scout_is_called_when_it_is_wanted() {
    let files = tree();
    let scouted = Scouted::new(&files, || Act::Answer);
    scouted.memory.set(0);
    let mut tree = service(Rc::clone(&scouted));
    search(&mut tree, QUERIES[0]);
    while tree.idle() {}
    search(&mut tree, QUERIES[8]);
    assert_eq!(
        scouted.calls.get(),
        0,
        "of no file anything was known, or all of it"
    );
    search(&mut tree, QUERIES[2]);
    assert_eq!(scouted.calls.get(), 1);
    assert!(scouted.parcels.borrow().is_empty());
}

/// Where there is no room for all contents, the scout has read its files before a search needs them.
#[test]
fn a_scout_is_filled_once_the_index_is_there() {
    let files = Rc::new(MemoryFiles::new());
    for i in 0..400 {
        files.write(path_of(i), format!("some words of {i}\n").repeat(3_000));
    }
    (0..3).for_each(|_| files.wait());
    let scouted = Scouted::new(&files, || Act::Answer);
    let settings = Settings {
        memory_bytes: 48 << 20,
        ..settings()
    };
    let mut tree = Service::new(Rc::clone(&scouted), settings);
    let query = r#"{"pattern": "words", "mode": "count", "limit": 1}"#;
    let first = search(&mut tree, query);
    assert_eq!(scouted.calls.get(), 0);
    while tree.idle() {}
    assert_eq!(scouted.calls.get(), 1);
    let sent = scouted.parcels.borrow().len();
    assert!(sent > 0);
    let fill = || (0..sent).for_each(|number| _ = scouted.answer(number));
    fill();
    let kept = scouted.reads.take();
    assert!(kept > 10, "{kept}");
    fill();
    assert_eq!(scouted.reads.take(), 0, "it has them");
    while tree.idle() {}
    assert_eq!(scouted.parcels.borrow().len(), sent, "once");
    scouted.is_eager.set(true);
    let all = files.reads();
    assert_eq!(search(&mut tree, query), first);
    let (all, theirs) = (files.reads() - all, scouted.reads.get());
    assert!(
        all + kept <= 400,
        "{all} read, {theirs} by the scout, which has {kept}"
    );
}
