//! Whole requests over a tree in memory: what is known from before never shows.

use super::files::memory::MemoryFiles;
use super::files::{Files, Kind};
use super::limits::PIECE_BYTES;
use super::service::{Service, Settings, Step, merge};
use super::walk::Share;
use proptest::prelude::*;
use std::rc::Rc;

/// These methods of a test's files are those of the tree in memory that it has.
macro_rules! in_memory {
    ($($method:ident),*) => { $( in_memory! { @ $method } )* };
    (@ list) => {
        fn list(&self, folder: &[u8]) -> Result<Vec<Entry>, FileError> {
            self.files.list(folder)
        }
    };
    (@ stat) => {
        fn stat(&self, path: &[u8]) -> Result<Stat, FileError> {
            self.files.stat(path)
        }
    };
    (@ read) => {
        fn read(&self, path: &[u8], offset: u64, into: &mut [u8]) -> Result<usize, FileError> {
            self.files.read(path, offset, into)
        }
    };
    (@ real) => {
        fn real(&self, path: &[u8]) -> Result<Option<Vec<u8>>, FileError> {
            self.files.real(path)
        }
    };
    (@ now) => {
        fn now(&self) -> f64 {
            self.files.now()
        }
    };
}

mod ahead;
mod opened;
mod ranked;
mod scouted;
mod told;

type Tree = Service<Rc<MemoryFiles>>;

fn open(files: &Rc<MemoryFiles>) -> Tree {
    service(Rc::clone(files))
}

fn settings() -> Settings {
    Settings {
        workers: 1,
        memory_bytes: 64 << 20,
        watches: true,
        clock: || 0.0,
    }
}

fn service<F: Files + 'static>(files: F) -> Service<F> {
    Service::new(files, settings())
}

fn share<F: Files + 'static>(
    tree: &mut Service<F>,
    method: &str,
    args: &str,
    share: Share,
) -> Result<String, String> {
    tree.begin(1, method, args, share);
    loop {
        match tree.step(1) {
            Some(Step::More) => {}
            Some(Step::Done(answer)) => return answer,
            None => return Err("the request is gone".to_owned()),
        }
    }
}

fn ask<F: Files + 'static>(
    tree: &mut Service<F>,
    method: &str,
    args: &str,
) -> Result<String, String> {
    share(tree, method, args, Share::ALL)
}

fn search<F: Files + 'static>(tree: &mut Service<F>, args: &str) -> String {
    ask(tree, "code_search", args).expect("an answer")
}

#[test]
fn what_did_not_change_is_not_read_again() {
    let files = Rc::new(MemoryFiles::new());
    for i in 0..50 {
        files.write(format!("src/{i}.rs"), format!("fn number_{i}() {{}}\n"));
    }
    (0..3).for_each(|_| files.wait());
    let mut tree = open(&files);
    let args = r#"{"pattern": "number_7\\b"}"#;
    let cold = search(&mut tree, args);
    assert_eq!(files.reads(), 50);
    while tree.idle() {}
    assert_eq!(files.reads(), 100, "the index read each once");
    assert_eq!(search(&mut tree, args), cold);
    assert_eq!(files.reads(), 100, "neither index nor cache needed a file");
    files.write("src/9.rs", "fn number_7() {}\n");
    assert!(search(&mut tree, args).contains("src/9.rs"));
    assert_eq!(files.reads(), 101, "only what had changed");
}

/// Lines of a file that is too long to be kept are counted piece by piece, wherever a piece ends.
#[test]
fn lines_of_a_long_file_are_counted_in_pieces() {
    let line = |i: usize| format!("{} needle {i}\n", "filler ".repeat(i % 50));
    let text: String = (0..8000).map(line).collect();
    let long = "no end ".repeat(PIECE_BYTES / 3);
    let files = Rc::new(MemoryFiles::new());
    files.write("a.txt", text.clone());
    files.write("no last newline.txt", text.trim_end());
    files.write("mark.txt", format!("\u{FEFF}needle\n{text}"));
    files.write(
        "long line.txt",
        format!("needle\n{long}needle\nneedle\n{text}"),
    );
    files.write(
        "ends with a piece.txt",
        "a".repeat(PIECE_BYTES - 1) + "\nneedle",
    );
    files.write("short.txt", "needle\n");
    (0..3).for_each(|_| files.wait());
    let args = r#"{"pattern": "^.*needle", "mode": "count"}"#;
    let cold = search(&mut open(&files), args);
    assert!(
        cold.contains("a.txt: 8000") && cold.contains("long line.txt: 8003"),
        "{cold}"
    );
    let settings = Settings {
        memory_bytes: 32 << 20,
        ..settings()
    };
    let mut tree = Service::new(Rc::clone(&files), settings);
    assert_eq!(search(&mut tree, args), cold);
    while tree.idle() {}
    let reads = files.reads();
    assert_eq!(search(&mut tree, args), cold);
    assert!(files.reads() > reads, "not all contents are kept");
}

#[test]
fn memory_stays_below_its_limit() {
    let files = Rc::new(MemoryFiles::new());
    let text = "a line of text that is long enough\n".repeat(30_000);
    for i in 0..40 {
        files.write(format!("{i}.txt"), format!("{text}{i}"));
    }
    (0..3).for_each(|_| files.wait());
    let mut tree = open(&files);
    search(&mut tree, r#"{"pattern": "nothing"}"#);
    while tree.idle() {}
    assert!(tree.used() > 4 << 20, "{} bytes", tree.used());
    assert!(tree.used() < 34 << 20, "{} bytes", tree.used());
    // the index comes first, and the contents of short files
    let kept = tree.used();
    for i in 0..400 {
        files.write(format!("short/{i}.txt"), text[..40_000].to_owned());
    }
    (0..3).for_each(|_| files.wait());
    search(&mut tree, r#"{"pattern": "nothing"}"#);
    while tree.idle() {}
    assert!(tree.used() < 34 << 20, "{} bytes", tree.used());
    assert!(tree.used() > kept / 2, "{} bytes", tree.used());
    let before = files.reads();
    let found = search(
        &mut tree,
        r#"{"pattern": "enough$", "path": "short", "mode": "count"}"#,
    );
    assert!(found.contains("in 400 files"), "{found}");
    assert_eq!(files.reads(), before, "all of them are in memory");
}

/// Some so long texts, and a tree over them that may take so much memory.
fn crowded(count: usize, memory_bytes: usize) -> (Rc<MemoryFiles>, Tree) {
    let files = Rc::new(MemoryFiles::new());
    let text = "a line of text that is long enough\n".repeat(1_200);
    for i in 0..count {
        files.write(format!("{i}.txt"), format!("{text}{i}"));
    }
    (0..3).for_each(|_| files.wait());
    let settings = Settings {
        memory_bytes,
        ..settings()
    };
    let tree = Service::new(Rc::clone(&files), settings);
    (files, tree)
}

/// Where all files' indexes don't fit, they are made smaller.
#[test]
fn more_files_have_room_in_smaller_indexes() {
    let (files, mut tree) = crowded(1_700, 32 << 20);
    let args = r#"{"pattern": "nothing"}"#;
    let cold = search(&mut tree, args);
    while tree.idle() {}
    assert!(tree.used() < 10 << 20, "{} bytes", tree.used());
    let before = files.reads();
    assert_eq!(search(&mut tree, args), cold);
    assert_eq!(files.reads(), before, "all are ruled out");
    let found = search(&mut tree, r#"{"pattern": "enough", "mode": "count"}"#);
    assert!(found.contains("in 1,700 files"), "{found}");
}

/// Where contents have no room, those of the first files have.
#[test]
fn what_is_found_first_is_in_memory() {
    let files = Rc::new(MemoryFiles::new());
    let text = "a line of text that is long enough\n".repeat(400);
    for i in 0..1_500 {
        files.write(format!("{i:04}.txt"), format!("{text}{i}"));
    }
    (0..3).for_each(|_| files.wait());
    let settings = Settings {
        memory_bytes: 32 << 20,
        ..settings()
    };
    let mut tree = Service::new(Rc::clone(&files), settings);
    search(&mut tree, r#"{"pattern": "nothing"}"#);
    while tree.idle() {}
    let reads = |tree: &mut _, args| {
        let before = files.reads();
        search(tree, args);
        files.reads() - before
    };
    let (few, all) = (
        r#"{"pattern": "text", "limit": 5}"#,
        r#"{"pattern": "text", "mode": "count"}"#,
    );
    assert_eq!(reads(&mut tree, few), 0);
    assert!(reads(&mut tree, all) > 1_000);
    files.write("0000.txt", text.as_str());
    (0..3).for_each(|_| files.wait());
    assert_eq!(reads(&mut tree, few), 1, "it is another file");
    while tree.idle() {}
    assert_eq!(reads(&mut tree, few), 0);
}

/// Files that have no room in the index are read for it once, not after each search.
#[test]
fn what_has_no_room_is_not_read_for_the_index_again() {
    let (files, mut tree) = crowded(2_000, 25 << 20);
    let args = r#"{"pattern": "nothing"}"#;
    let cold = search(&mut tree, args);
    while tree.idle() {}
    let before = files.reads();
    assert_eq!(search(&mut tree, args), cold);
    let after = files.reads();
    assert!(after > before, "not all have room");
    assert!(after < before + 2_000, "some have");
    while tree.idle() {}
    assert_eq!(files.reads(), after);
    // where something goes there is room again
    for i in 0..400 {
        files.remove(format!("{i}.txt").as_bytes());
    }
    search(&mut tree, args);
    let read = files.reads();
    while tree.idle() {}
    assert!(files.reads() > read);
}

#[test]
fn the_count_of_workers_does_not_show() {
    let files = Rc::new(MemoryFiles::new());
    for i in 0..900 {
        let definition = if i % 7 < 3 { "fn word() {}\n" } else { "" };
        let text = definition.to_owned() + &"word\n".repeat(1 + i % 30);
        files.write(format!("{}/{}/a/{i:03}.rs", i % 3, i % 11), text);
    }
    for args in [
        r#"{"pattern": "word"}"#,
        r#"{"pattern": "word", "limit": 7}"#,
        r#"{"pattern": "fn word"}"#,
        r#"{"pattern": "word", "mode": "files"}"#,
        r#"{"pattern": "word", "mode": "count", "limit": 20}"#,
    ] {
        let shown = |answer: String| answer.rsplit_once('\n').map(|(shown, _)| shown.to_owned());
        let whole = shown(search(&mut open(&files), args));
        let parts = (0..3).map(|index| {
            let of = Share { index, of: 3 };
            share(&mut open(&files), "code_search", args, of).expect("a part")
        });
        let merged = merge("code_search", args, &parts.collect::<Vec<_>>());
        assert_eq!(shown(merged.expect("an answer")), whole, "{args}");
    }
}

#[test]
fn a_long_file_is_indexed_in_pieces() {
    let files = Rc::new(MemoryFiles::new());
    // of 64 MB an instance reads files of up to 2 MB at once; the second match begins in one piece and ends in the next
    let mut text = "some words of a long file\n".repeat(200_000).into_bytes();
    text[1000..1006].copy_from_slice(b"needle");
    text[(2 << 20) - 3..(2 << 20) + 3].copy_from_slice(b"Hidden");
    files.write("long.txt", text);
    (0..3).for_each(|_| files.wait());
    let mut tree = open(&files);
    search(&mut tree, r#"{"pattern": "nothing"}"#);
    while tree.idle() {}
    let before = files.reads();
    search(&mut tree, r#"{"pattern": "not in it"}"#);
    assert_eq!(files.reads(), before, "the index rules it out");
    for pattern in ["needle", "hidden"] {
        let args = format!(r#"{{"pattern": "{pattern}", "ignore_case": true}}"#);
        assert!(
            search(&mut tree, &args).contains("1 matching line in 1 file"),
            "{pattern}"
        );
    }
}

/// Where there is room its contents are kept, too, and only what can have a match is gone through.
#[test]
fn a_long_file_is_kept() {
    let files = Rc::new(MemoryFiles::new());
    let mut text = "some words of a long file\n".repeat(360_000).into_bytes();
    text[(8 << 20) - 3..(8 << 20) + 3].copy_from_slice(b"Hidden");
    files.write("long.txt", text.clone());
    (0..3).for_each(|_| files.wait());
    let settings = Settings {
        memory_bytes: 256 << 20,
        ..settings()
    };
    let mut tree = Service::new(Rc::clone(&files), settings);
    search(&mut tree, r#"{"pattern": "nothing"}"#);
    while tree.idle() {}
    let queries = ["words", "Hidden", "long file", "\\\\w{4} words"]
        .map(|pattern| format!(r#"{{"pattern": "{pattern}", "mode": "count"}}"#));
    let cold = |query: &String| search(&mut open(&files), query);
    for query in &queries {
        let cold = cold(query);
        let before = files.reads();
        assert_eq!(search(&mut tree, query), cold);
        assert_eq!(files.reads(), before, "it is in memory");
    }
    text[100..106].copy_from_slice(b"Hidden");
    files.write("long.txt", text);
    let found = search(&mut tree, &queries[1]);
    assert!(found.contains("2 matching lines "), "{found}");
    assert_eq!(found, cold(&queries[1]));
}

#[test]
fn context_is_shown_around_matches() {
    let files = Rc::new(MemoryFiles::new());
    files.write("a.txt", "1\n2\nhit\n4\n5\n6\n7\n8\nhit\n");
    let answer = search(&mut open(&files), r#"{"pattern": "hit", "context": 1}"#);
    assert_eq!(
        answer,
        "a.txt\n2- 2\n3: hit\n4- 4\n--\n8- 8\n9: hit\n\n2 matching lines in 1 file; 1 file searched."
    );
}

#[test]
fn a_pattern_that_is_none_says_what_to_write() {
    let mut tree = open(&Rc::new(MemoryFiles::new()));
    for (pattern, told) in [
        (
            "foo(",
            "unclosed group, at character 4 (`(`). To search for it as plain text pass literal: true, or write `foo\\(`.",
        ),
        ("ä[z-a]", "at character 3"),
        ("(?=x)", "Look-around is not supported"),
        ("(a)\\1", "Back-references are not supported"),
        ("a\\nb", "multiline: true"),
        (
            "*",
            "repetition operator missing expression, at character 1",
        ),
        ("\\w{1000}{1000}{1000}", "too large"),
    ] {
        let args = serde_json::json!({"pattern": pattern}).to_string();
        let answer = ask(&mut tree, "code_search", &args);
        assert!(
            answer.as_ref().is_err_and(|e| e.contains(told)),
            "{pattern}: {answer:?}"
        );
    }
}

#[test]
fn requests_are_done_one_after_another_and_can_be_cancelled() {
    let files = Rc::new(MemoryFiles::new());
    for i in 0..1000 {
        files.write(format!("{i}.txt"), "x\n");
    }
    let mut tree = open(&files);
    for id in 1..=3 {
        tree.begin(
            id,
            "code_search",
            r#"{"pattern": "x", "mode": "count"}"#,
            Share::ALL,
        );
    }
    assert_eq!(tree.step(3), Some(Step::More));
    assert_eq!(tree.step(1), Some(Step::More));
    assert!(!tree.idle());
    tree.cancel(1);
    tree.cancel(2);
    assert_eq!(tree.step(1), None);
    loop {
        match tree.step(3) {
            Some(Step::More) => {}
            done => {
                assert!(matches!(done, Some(Step::Done(Ok(_)))), "{done:?}");
                break;
            }
        }
    }
}

/// Something that happens to a tree.
#[derive(Clone, Debug)]
enum Event {
    Write(usize, usize),
    /// At the very time of the change before.
    WriteAtOnce(usize, usize),
    Remove(usize),
    Put(usize, Kind),
    Rules(usize),
    Wait,
    Index(usize),
    Ask(usize),
}

const PATHS: &[&str] = &[
    "a",
    "b.txt",
    "x/c.txt",
    "x/y/d.rs",
    "x/y",
    ".hidden/e",
    ".git/HEAD",
    "x/f.log",
];
const TEXTS: &[&str] = &[
    "alpha beta\n",
    "gamma alpha",
    "delta\nBETA\n",
    "nul\0alpha",
    "aaa bbb ccc\n",
    "\u{212A}appa \u{17F}igma\n",
];
const RULES: &[(&str, &str)] = &[
    (".gitignore", "*.txt\n"),
    (".gitignore", "!c.txt\ny/\n"),
    (".ignore", "*.rs\n"),
    (".rgignore", "!*.rs\n"),
    ("x/.gitignore", "d.rs\n"),
    ("x/.ignore", "!.hidden\n!*.txt\n"),
];
const ASKED: &[(&str, &str)] = &[
    ("code_search", r#"{"pattern": "alpha"}"#),
    (
        "code_search",
        r#"{"pattern": "beta|gamma", "ignore_case": true}"#,
    ),
    (
        "code_search",
        r#"{"pattern": "kappa|sigma", "ignore_case": true, "mode": "files"}"#,
    ),
    ("code_search", r#"{"pattern": "a{3} b", "mode": "count"}"#),
    (
        "code_search",
        r#"{"pattern": "a", "globs": ["*.txt"], "path": "x"}"#,
    ),
    (
        "code_search",
        r#"{"pattern": "beta\\s", "multiline": true}"#,
    ),
    ("find_files", r#"{"glob": "**/*.{txt,rs}"}"#),
    ("find_files", r#"{"fuzzy": "d"}"#),
];

fn event() -> impl Strategy<Value = Event> {
    let (path, text) = (0..PATHS.len(), 0..TEXTS.len());
    prop_oneof![
        3 => (path.clone(), text.clone()).prop_map(|(p, t)| Event::Write(p, t)),
        3 => (path.clone(), text).prop_map(|(p, t)| Event::WriteAtOnce(p, t)),
        1 => path.clone().prop_map(Event::Remove),
        1 => (path, prop_oneof![Just(Kind::Link), Just(Kind::Other)]).prop_map(|(p, k)| Event::Put(p, k)),
        1 => (0..RULES.len()).prop_map(Event::Rules),
        2 => Just(Event::Wait),
        3 => (0..4_usize).prop_map(Event::Index),
        6 => (0..ASKED.len()).prop_map(Event::Ask),
    ]
}

/// A write where a folder is, or below a file, is none of what a file system does.
fn can_be_written(files: &MemoryFiles, path: &str) -> bool {
    let is = |path: &str, kind| {
        files
            .stat(path.as_bytes())
            .is_ok_and(|stat| stat.kind == kind)
    };
    let above = path.match_indices('/').map(|(at, _)| &path[..at]);
    let mut blocked =
        above.filter(|folder| files.stat(folder.as_bytes()).is_ok() && !is(folder, Kind::Folder));
    blocked.next().is_none() && !is(path, Kind::Folder)
}

proptest! {
    /// A tree that was asked before answers as one that never was; and two shares of it as the whole; and one that is told
    /// of changes.
    #[test]
    fn warm_answers_are_the_cold_ones(events in proptest::collection::vec(event(), 1..60)) {
        let files = Rc::new(MemoryFiles::new());
        let mut warm = open(&files);
        let mut shares = [open(&files), open(&files)];
        let mut told = service(told::Watched::new(&files));
        for event in events {
            match event {
                Event::Write(p, t) if can_be_written(&files, PATHS[p]) => files.write(PATHS[p], TEXTS[t]),
                Event::WriteAtOnce(p, t) if can_be_written(&files, PATHS[p]) => files.write_at_once(PATHS[p], TEXTS[t]),
                Event::Put(p, kind) if can_be_written(&files, PATHS[p]) => files.put(PATHS[p].as_bytes(), kind, b"a".to_vec()),
                Event::Remove(p) => files.remove(PATHS[p].as_bytes()),
                Event::Rules(r) if can_be_written(&files, RULES[r].0) => files.write(RULES[r].0, RULES[r].1),
                Event::Wait => files.wait(),
                Event::Index(steps) => for _ in 0..steps {
                    warm.idle();
                    told.idle();
                    shares[0].idle();
                },
                Event::Ask(a) => {
                    let (method, args) = ASKED[a];
                    let cold = ask(&mut open(&files), method, args);
                    prop_assert_eq!(ask(&mut warm, method, args), cold.clone());
                    prop_assert_eq!(ask(&mut told, method, args), cold.clone());
                    let parts: Result<Vec<String>, String> = (0..).zip(&mut shares)
                        .map(|(index, tree)| share(tree, method, args, Share { index, of: 2 }))
                        .collect();
                    prop_assert_eq!(parts.and_then(|parts| merge(method, args, &parts)), cold);
                }
                _ => {}
            }
        }
    }
}
