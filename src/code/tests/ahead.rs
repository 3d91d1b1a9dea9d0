//! Where nobody tells of changes: the stats of a tree are asked for in few calls, and only those that the search needs.

use super::super::files::memory::MemoryFiles;
use super::super::files::{Entry, FileError, Files, NamesIn, Stat, join};
use super::super::limits::CHECKED_FIRST;
use super::{search, service};
use std::cell::RefCell;
use std::rc::Rc;

/// Files that keep what was asked for at once.
struct Asked {
    files: MemoryFiles,
    calls: RefCell<Vec<Vec<Vec<u8>>>>,
}

impl Files for Asked {
    in_memory! { list, stat, read, real, now }

    fn stat_all(&self, asked: &[NamesIn<'_>]) -> Vec<Result<Stat, FileError>> {
        let paths = asked
            .iter()
            .flat_map(|(folder, names)| names.iter().map(|name| join(folder, name)))
            .collect();
        self.calls.borrow_mut().push(paths);
        self.files.stat_all(asked)
    }
}

#[test]
fn many_stats_are_asked_for_at_once_and_none_in_vain() {
    let files = Rc::new(Asked {
        files: MemoryFiles::new(),
        calls: RefCell::default(),
    });
    let write = |path: String| files.files.write(path, "a word\n");
    for folder in 0..40 {
        for file in 0..25 {
            write(format!("{folder:02}/sub/{file:02}.rs"));
            write(format!("{folder:02}/{file:02}_text"));
        }
    }
    (0..3).for_each(|_| files.files.wait());
    let mut tree = service(Rc::clone(&files));
    let mut ask = |args: &str| {
        files.calls.borrow_mut().clear();
        let answer = search(&mut tree, args);
        while tree.idle() {}
        let calls = files.calls.take();
        let mut paths = calls.concat();
        paths.sort();
        let count = paths.len();
        paths.dedup();
        assert_eq!(paths.len(), count, "one was asked for twice");
        let paths = paths
            .into_iter()
            .map(|path| String::from_utf8(path).expect("a path"));
        (answer, calls.len(), paths.collect::<Vec<_>>())
    };
    let all = r#"{"pattern": "word", "mode": "count"}"#;
    let (cold, ..) = ask(all);
    assert!(cold.contains("2,000 matching lines"), "{cold}");
    let (warm, calls, paths) = ask(all);
    assert_eq!(warm, cold);
    // all files and the folders
    assert_eq!(paths.len(), 2000 + 80);
    assert!(calls < 10, "{calls} calls");
    let (part, _, paths) = ask(r#"{"pattern": "word", "mode": "count", "path": "07"}"#);
    assert!(part.contains("50 matching lines"), "{part}");
    assert!(
        paths.iter().all(|path| path.starts_with("07/")),
        "{paths:?}"
    );
    let (some, _, paths) = ask(r#"{"pattern": "word", "mode": "count", "globs": ["*.rs"]}"#);
    assert!(some.contains("1,000 matching lines"), "{some}");
    assert!(
        !paths.iter().any(|path| path.ends_with("_text")),
        "{paths:?}"
    );
    let (first, _, paths) = ask(r#"{"pattern": "word", "limit": 1}"#);
    assert!(first.contains("at least"), "{first}");
    assert!(paths.len() < 16 * CHECKED_FIRST, "{} stats", paths.len());
}
