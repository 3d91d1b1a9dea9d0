//! What of many matches is shown, and when a search has found enough.

use super::super::files::Kind;
use super::super::files::memory::MemoryFiles;
use super::super::limits::RANKED_FILES;
use super::{open, search};
use std::rc::Rc;

#[test]
fn the_most_useful_comes_first() {
    let files = Rc::new(MemoryFiles::new());
    files.write("a/README.md", "widget\n");
    files.write("a/tests/widget.rs", "fn widget() {}\n");
    files.write("b/main.rs", "widget();\n");
    files.write("c/widget.rs", "// widget\npub fn widget() {}\n");
    files.write("d/main.rs", "widget();\n".repeat(500));
    let names = |args: &str| {
        let answer = search(&mut open(&files), args);
        let blocks = answer
            .split("\n\n")
            .map(|block| block.lines().next().unwrap_or_default());
        let mut names: Vec<String> = blocks.map(str::to_owned).collect();
        names.pop();
        (names, answer)
    };
    let order = [
        "c/widget.rs",
        "a/tests/widget.rs",
        "b/main.rs",
        "d/main.rs",
        "a/README.md",
    ];
    let (found, answer) = names(r#"{"pattern": "widget"}"#);
    assert_eq!(found, order);
    assert_eq!(
        answer.matches("widget();").count(),
        1 + 20,
        "a file leaves room for others"
    );
    assert!(
        answer.contains("\n20: widget();\n… more in this file\n"),
        "{answer}"
    );
    let (found, answer) = names(r#"{"pattern": "widget", "limit": 1000}"#);
    assert_eq!(found, order);
    assert_eq!(
        answer.matches("widget();").count(),
        501,
        "all that was asked for"
    );
    let answer = search(
        &mut open(&files),
        r#"{"pattern": "widget", "mode": "count"}"#,
    );
    assert!(
        answer.starts_with("d/main.rs: 500\nc/widget.rs: 2\na/README.md: 1\n"),
        "{answer}"
    );
}

#[test]
fn the_best_of_many_is_shown_and_the_rest_is_told() {
    let files = Rc::new(MemoryFiles::new());
    for i in 0..300 {
        files.write(format!("{i:03}.txt"), "word\nword\n");
    }
    files.put(b"bin.dat", Kind::File, b"word\0".to_vec());
    files.put(b"pipe", Kind::Other, Vec::new());
    let mut tree = open(&files);
    let answer = search(&mut tree, r#"{"pattern": "word"}"#);
    assert_eq!(answer.matches(": word").count(), 100);
    assert!(
        answer.ends_with(
            "Shown: 100 lines in 50 files, of at least 402 matching lines in at least 201 files. Narrow the pattern, or pass path, globs or a limit."
        ),
        "{answer}"
    );
    let answer = search(
        &mut tree,
        r#"{"pattern": "word", "limit": 1000, "mode": "files"}"#,
    );
    assert!(
        answer.ends_with("300 matching files; 301 files searched. Skipped: 1 binary."),
        "{answer}"
    );
    let answer = search(
        &mut tree,
        r#"{"pattern": "word", "limit": 2, "mode": "count"}"#,
    );
    assert_eq!(
        answer,
        "000.txt: 2\n001.txt: 2\nShown: 2. 600 matching lines in 300 files; 301 files searched. Skipped: 1 binary."
    );
    let answer = search(&mut tree, r#"{"pattern": "nowhere"}"#);
    assert_eq!(answer, "No match in 301 files. Skipped: 1 binary.");
}

/// Definitions in sources come first: with as many as are shown the rest need not be looked at.
#[test]
fn a_search_ends_when_nothing_can_come_before_what_it_found() {
    let files = Rc::new(MemoryFiles::new());
    for i in 0..300 {
        files.write(format!("a/{i:03}.txt"), "fn word() {}\n");
        files.write(format!("b/{i:03}.rs"), "fn word() {}\n");
    }
    let mut tree = open(&files);
    let answer = search(&mut tree, r#"{"pattern": "word", "limit": 80}"#);
    assert!(answer.starts_with("b/000.rs\n") && answer.contains("b/019.rs\n1: fn word() {}\n"));
    let answer = search(
        &mut tree,
        r#"{"pattern": "word", "limit": 80, "path": "b"}"#,
    );
    assert!(
        answer.contains("b/079.rs")
            && answer.ends_with("of at least 81 matching lines in at least 81 files. Narrow the pattern, or pass path, globs or a limit."),
        "{answer}"
    );
}

/// For better lines than the first ones a search does not go through all of a large tree, whatever is known of it.
#[test]
fn enough_is_enough_in_a_large_tree() {
    let files = Rc::new(MemoryFiles::new());
    for i in 0..12_000 {
        let text = if i % 200 == 0 { "rare\n" } else { "usual\n" };
        files.write(format!("{:03}/{i:05}.txt", i / 100), text);
    }
    (0..3).for_each(|_| files.wait());
    let mut tree = open(&files);
    let args = r#"{"pattern": "rare", "limit": 20}"#;
    let cold = search(&mut tree, args);
    let all = 20 + RANKED_FILES / 200;
    assert!(
        cold.contains(&format!("of at least {all} matching lines")),
        "{cold}"
    );
    while tree.idle() {}
    assert_eq!(search(&mut tree, args), cold);
    let all = search(&mut tree, r#"{"pattern": "rare", "limit": 59}"#);
    assert!(
        all.contains("Shown: 59 lines in 59 files, of 60 matching"),
        "{all}"
    );
}
