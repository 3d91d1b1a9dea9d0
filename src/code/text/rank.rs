//! The order of an answer: what is most useful comes first, and the same tree gives the same order.
//!
//! 1. Where lines are shown, files with one that looks like the definition of what was searched for (`fn `, `class `, `#define ` before it).
//! 2. What people write: sources first, then tests and examples, then texts, data and what programs make.
//! 3. As the walk goes: folder by folder, names in byte order.
//!
//! With counts the highest come first. Within a file the order is that of its lines.

use super::super::order::sort_by;
use super::query::Mode;
use super::report::FileResult;
use std::cmp::Ordering;

/// As the walk goes: a folder's name before what is in it, whatever byte follows.
#[must_use]
pub fn in_walk_order(a: &FileResult, b: &FileResult) -> Ordering {
    let (a, b) = (&*a.path, &*b.path);
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    // no name has a NUL
    let next = |path: &[u8]| {
        path.get(same)
            .map(|&byte| if byte == b'/' { 0 } else { byte })
    };
    next(a).cmp(&next(b))
}

/// Puts the most useful first.
pub fn rank(files: &mut Vec<FileResult>, mode: Mode) {
    let role_of = |file: &FileResult| match mode {
        Mode::Count => Role::Source,
        Mode::Lines | Mode::Files => role(&file.path),
    };
    let mut ranked: Vec<_> = files.drain(..).map(|file| (role_of(&file), file)).collect();
    sort_by(&mut ranked, |(role_a, a), (role_b, b)| {
        let first = match mode {
            Mode::Count => b.count.cmp(&a.count),
            Mode::Lines | Mode::Files => (!a.defines, role_a).cmp(&(!b.defines, role_b)),
        };
        first.then_with(|| in_walk_order(a, b))
    });
    files.extend(ranked.into_iter().map(|(_, file)| file));
}

/// Whether no file comes before this one but those that the walk came to earlier.
#[must_use]
pub fn is_first(file: &FileResult, mode: Mode) -> bool {
    let is_defining = file.defines || mode == Mode::Files;
    mode != Mode::Count && is_defining && role(&file.path) == Role::Source
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Source,
    Test,
    Other,
}

const TEST_FOLDERS: [&[u8]; 11] = [
    b"test",
    b"tests",
    b"__tests__",
    b"spec",
    b"testdata",
    b"fixtures",
    b"mocks",
    b"e2e",
    b"bench",
    b"benches",
    b"examples",
];
const MADE_FOLDERS: [&[u8]; 8] = [
    b"vendor",
    b"third_party",
    b"node_modules",
    b"dist",
    b"build",
    b"out",
    b"target",
    b"generated",
];
const OTHER_ENDINGS: [&[u8]; 20] = [
    b".md", b".txt", b".rst", b".adoc", b".json", b".jsonl", b".lock", b".yaml", b".yml", b".toml",
    b".csv", b".tsv", b".xml", b".svg", b".html", b".log", b".map", b".snap", b".min.js", b".sum",
];
const TEST_MARKS: [&[u8]; 6] = [
    b".test.", b".spec.", b"_test.", b"_spec.", b"-test.", b"tests.",
];

fn role(path: &[u8]) -> Role {
    let mut folders: Vec<&[u8]> = path.split(|&byte| byte == b'/').collect();
    let name = folders.pop().unwrap_or_default();
    if OTHER_ENDINGS.iter().any(|end| name.ends_with(end))
        || folders.iter().any(|folder| MADE_FOLDERS.contains(folder))
    {
        Role::Other
    } else if name.starts_with(b"test_")
        || TEST_MARKS
            .iter()
            .any(|mark| name.windows(mark.len()).any(|part| part == *mark))
        || folders.iter().any(|folder| TEST_FOLDERS.contains(folder))
    {
        Role::Test
    } else {
        Role::Source
    }
}

/// Words after which a name is defined, in the languages that people search most.
const DEFINING: [&[u8]; 22] = [
    b"fn",
    b"func",
    b"fun",
    b"function",
    b"def",
    b"class",
    b"struct",
    b"enum",
    b"union",
    b"trait",
    b"interface",
    b"protocol",
    b"record",
    b"type",
    b"typedef",
    b"mod",
    b"module",
    b"namespace",
    b"const",
    b"static",
    b"define",
    b"macro_rules!",
];

/// Whether a line that matches at a place looks like the definition of what is there.
#[must_use]
pub fn is_definition(line: &[u8], at: usize) -> bool {
    let Some((before, there)) = line.split_at_checked(at) else {
        return false;
    };
    let is_blank = |byte: &u8| *byte == b' ' || *byte == b'\t';
    // the pattern may begin with the word itself: `fn parse`
    let mut own = there.splitn(2, is_blank);
    if own.next().is_some_and(|word| DEFINING.contains(&word)) && own.next().is_some() {
        return true;
    }
    let word = before
        .trim_ascii_end()
        .rsplit(|byte| is_blank(byte) || *byte == b'#')
        .next();
    before.last().is_some_and(is_blank) && word.is_some_and(|word| DEFINING.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn definitions_are_told_from_uses() {
        let at = |line: &str| {
            let place = line.find("parse").expect("the name");
            is_definition(line.as_bytes(), place)
        };
        for line in [
            "pub fn parse(text: &str) {",
            "export default function parse() {",
            "  class parser:",
            "#define parse(x) x",
            "const parse = 1",
        ] {
            assert!(at(line), "{line}");
        }
        for line in [
            "    parse();",
            "// the fn: parse",
            "return parse",
            "parse fn",
            "defparse",
        ] {
            assert!(!at(line), "{line}");
        }
        assert!(
            is_definition(b"fn parse() {", 0),
            "the word is a part of the match"
        );
    }

    proptest! {
        #[test]
        fn paths_are_compared_name_by_name(a in "[ab!é]{1,3}(/[ab!é]{1,3}){0,3}", b in "[ab!é]{1,3}(/[ab!é]{1,3}){0,3}") {
            let file = |path: &str| FileResult {
                path: path.into(),
                count: 1,
                defines: false,
                lines: Vec::new(),
            };
            let wanted = a.split('/').cmp(b.split('/'));
            prop_assert_eq!(in_walk_order(&file(&a), &file(&b)), wanted);
        }
    }

    #[test]
    fn files_are_told_by_their_names() {
        for (path, wanted) in [
            ("src/lib.rs", Role::Source),
            ("src/latest.rs", Role::Source),
            ("src/lib.test.ts", Role::Test),
            ("tests/a/lib.rs", Role::Test),
            ("pkg/test_it.py", Role::Test),
            ("README.md", Role::Other),
            ("web/vendor/lib.js", Role::Other),
            ("web/lib.min.js", Role::Other),
        ] {
            assert_eq!(role(path.as_bytes()), wanted, "{path}");
        }
    }
}
