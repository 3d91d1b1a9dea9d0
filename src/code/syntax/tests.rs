//! The tools from their arguments to their answers, over files in memory.

use super::Syntax;
use super::sources::Sources;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A tree in memory: paths are prefixes, globs are extensions.
#[derive(Default)]
struct Memory(BTreeMap<String, Vec<u8>>);

impl Memory {
    fn of(files: &[(&str, &str)]) -> Self {
        Self(
            files
                .iter()
                .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
                .collect(),
        )
    }
}

impl Sources for Memory {
    fn select(&self, path: &str, _: &[String]) -> Result<Vec<String>, String> {
        let found: Vec<String> = self
            .0
            .keys()
            .filter(|name| name.starts_with(path))
            .cloned()
            .collect();
        if found.is_empty() {
            Err(format!("{path}: no such file or folder"))
        } else {
            Ok(found)
        }
    }

    fn read(&self, path: &str, _: usize, buffer: &mut Vec<u8>) -> Result<(), String> {
        buffer.clear();
        buffer.extend_from_slice(&self.0[path]);
        Ok(())
    }
}

fn call(files: &Memory, method: &str, args: &Value) -> String {
    match Syntax::default().call(files, method, args) {
        Ok(answer) => answer.text,
        Err(fault) => format!("fault: {fault}"),
    }
}

fn check(path: &str, text: &str) -> String {
    call(
        &Memory::of(&[(path, text)]),
        "code_diagnostics",
        &json!({ "path": path }),
    )
}

#[test]
fn a_search_tells_where_and_how_much() {
    let files = Memory::of(&[
        ("a.ts", "const x = foo(1, 2);\nfoo(\n  3,\n  4,\n);\n"),
        ("b/c.ts", "bar(1, 2);\n"),
        ("d.py", "foo(1, 2)\n"),
    ]);
    let args = json!({ "pattern": "foo($A, $B)", "language": "typescript" });
    assert_eq!(
        call(&files, "ast_search", &args),
        "2 matches in 1 file, of 2 of typescript.\n\na.ts\n  1:11: foo(1, 2)\n  2:1: foo(\n      3,\n      4,\n    … to line 5\n"
    );
    let args =
        json!({ "pattern": "foo($A, $B)", "language": "ts", "limit": 1, "path": "", "globs": [] });
    assert!(
        call(&files, "ast_search", &args)
            .starts_with("The first 1 match, in 1 file; there are more")
    );
    let args = json!({ "pattern": "nothing($A)", "language": "ts" });
    assert_eq!(
        call(&files, "ast_search", &args),
        "No match in 2 files of typescript.\n"
    );
}

#[test]
fn rules_are_patterns_too() {
    let files = Memory::of(&[(
        "a.rs",
        "fn a() { x.unwrap(); }\n#[test]\nfn b() {}\nfn c() { loop { y.unwrap(); } }\n",
    )]);
    let rule =
        "rule:\n  pattern: $X.unwrap()\n  inside:\n    kind: loop_expression\n    stopBy: end\n";
    let args = json!({ "pattern": rule, "language": "rust" });
    let text = call(&files, "ast_search", &args);
    assert!(
        text.contains("4:17: y.unwrap()") && !text.contains("x.unwrap"),
        "{text}"
    );
}

#[test]
fn wrong_calls_are_told_in_words() {
    let files = Memory::of(&[("a.ts", "")]);
    let fault = |args: Value| call(&files, "ast_search", &args);
    assert_eq!(
        fault(json!({ "language": "ts" })),
        "fault: pattern is missing"
    );
    assert_eq!(
        fault(json!({ "pattern": 3, "language": "ts" })),
        "fault: pattern: a text is wanted, not 3"
    );
    assert!(
        fault(json!({ "pattern": "x", "language": "cobol" }))
            .contains("no grammar for \"cobol\"; there is one for bash")
    );
    assert!(
        fault(json!({ "pattern": "x", "language": "ts", "path": "zz" })).contains("no such file")
    );
    assert!(fault(json!({ "pattern": "f(", "language": "ts" })).contains("does not parse"));
}

#[test]
fn a_syntax_error_has_a_place_an_expectation_and_a_symbol() {
    let text = check(
        "a.rs",
        "struct A;\nimpl A {\n    fn go(&self) {\n        let x = 1\n        let y = 2;\n    }\n}\n",
    );
    assert_eq!(
        text,
        "1 problem in 1 file, of 1 checked.\n\na.rs:4:18: missing `;` (in go)\n"
    );
    let text = check(
        "a.ts",
        "function f() {\n  if (x) {\n    g();\n}\n\nfunction h() {}\n",
    );
    assert!(
        text.contains("is not closed") || text.contains("missing `}`"),
        "{text}"
    );
    assert_eq!(check("a.py", "x = 1\n"), "No syntax errors in 1 file.\n");
    assert!(
        check("a.py", "def f(:\n    pass\n").contains("a.py:1:7: "),
        "{}",
        check("a.py", "def f(:\n    pass\n")
    );
    assert!(check("a.xyz", "?").contains("no grammar"));
}

#[test]
fn merge_conflicts_are_one_problem() {
    let text = check(
        "a.rs",
        "fn a() {}\n<<<<<<< HEAD\nfn b() {}\n=======\nfn c( {}\n>>>>>>> x\nfn d() {}\n",
    );
    assert_eq!(
        text,
        "1 problem in 1 file, of 1 checked.\n\na.rs:2:1: merge conflict, up to line 6\n"
    );
}

#[test]
fn data_is_read_as_its_readers_do() {
    assert!(
        check("a.json", "{\"a\": 1,}").contains("a.json:1:9: key must be a string"),
        "{}",
        check("a.json", "{\"a\": 1,}")
    );
    assert!(check("tsconfig.json", "{\"a\": 1, // why\n}").contains("No syntax errors"));
    assert!(check("b.json", "// why\n{\"a\": 1}").contains("No syntax errors"));
    assert!(
        check("a.toml", "[a]\nb = \n").contains("a.toml:2:"),
        "{}",
        check("a.toml", "[a]\nb = \n")
    );
    assert!(
        check("a.yaml", "a:\n  b: 1\n c: 2\n").contains("a.yaml:3:"),
        "{}",
        check("a.yaml", "a:\n  b: 1\n c: 2\n")
    );
    assert!(check("a.yaml", "a: !Ref x\nb: {{ y }}\n").contains("No syntax errors"));
    assert!(
        check("a.yaml", "a: !Ref x\nb: [1, 2]\n---\nc: *d\n").contains("d"),
        "{}",
        check("a.yaml", "a: !Ref x\nb: [1, 2]\n---\nc: *d\n")
    );
}

#[test]
fn only_what_an_edit_broke_is_new() {
    let new = |before: &str, after: &str| {
        let args = json!({ "path": "a.rs", "before": before, "after": after });
        Syntax::default()
            .new_errors(&args)
            .expect("answer")
            .data
            .expect("data")
    };
    let broken = "fn a() { let x = 1 }\n";
    assert_eq!(
        new("fn a() {}\n", "fn a() {}\nfn b() {}\n"),
        json!({ "errors": [], "broken": 0 })
    );
    let found = new("fn a() {}\n", broken);
    assert!(
        found["errors"][0]
            .as_str()
            .expect("text")
            .starts_with("a.rs:1:"),
        "{found}"
    );
    // the same error, moved down, and one more
    let found = new(broken, &format!("fn z() {{}}\n{broken}fn c( {{}}\n"));
    assert_eq!(found["errors"].as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found["broken"], 2);
    assert_eq!(
        new(broken, "fn a() {}\n"),
        json!({ "errors": [], "broken": 0 })
    );
}

#[test]
fn an_outline_shows_what_is_inside_what() {
    let text = "pub struct A {\n    pub x: u32,\n}\n\nimpl A {\n    /// Doc.\n    pub fn go(&self,\n        y: u32) -> u32 {\n        y\n    }\n}\n\nconst N: u32 = 1;\n";
    let files = Memory::of(&[("a.rs", text)]);
    assert_eq!(
        call(&files, "code_outline", &json!({ "path": "a.rs" })),
        "a.rs: rust, 13 lines\n1-3 pub struct A\n  2 field pub x: u32\n5-11 impl A\n  7-10 method pub fn go(&self, y: u32) -> u32\n13 constant const N: u32 = 1;\n"
    );
    let shallow = call(
        &files,
        "code_outline",
        &json!({ "path": "a.rs", "depth": 1 }),
    );
    assert!(
        shallow.contains("2 symbols nested deeper than 1 not shown"),
        "{shallow}"
    );
}

#[test]
fn a_map_shows_first_what_is_used_most() {
    let files = Memory::of(&[
        ("a.py", "def lonely():\n    pass\n"),
        ("b.py", "def popular():\n    pass\n"),
        ("c.py", "from b import popular\npopular()\n"),
        ("d.json", "{\"popular\": 1}"),
    ]);
    let text = call(&files, "code_outline", &json!({}));
    assert_eq!(
        text,
        "2 symbols in 3 files; the 2 most used across files are shown.\n\nb.py\n  1-2 function def popular()\n\na.py\n  1-2 function def lonely()\n"
    );
}

#[test]
fn a_name_is_found_where_it_is_defined_and_used() {
    let files = Memory::of(&[
        ("a.ts", "export function go(x: number) { return x; }\n"),
        (
            "b.ts",
            "import { go } from './a';\nconst s = 'go';\ngo(1);\n",
        ),
    ]);
    assert_eq!(
        call(&files, "code_outline", &json!({ "symbol": "go" })),
        "go: 1 definition and 2 uses in 1 file, by name alone: other things of the same name are among them.\n\
         defined a.ts:1 export function go(x: number)\n\n\
         b.ts\n  1:10 import { go } from './a';\n  3:1 call: go(1);\n"
    );
}

#[test]
fn a_rewrite_is_a_diff_first_and_keeps_line_ends() {
    let files = Memory::of(&[
        ("a.ts", "foo(1);\r\nx(foo(foo(2)));\r\n"),
        ("b.ts", "bar(1);\n"),
    ]);
    let args = json!({ "pattern": "foo($A)", "rewrite": "bar(\n  $A)", "language": "ts" });
    let answer = Syntax::default()
        .call(&files, "ast_rewrite", &args)
        .expect("answer");
    assert!(
        answer.text.contains("-foo(1);\r\n") && answer.text.contains("\n+bar(\r\n+  1);\r\n"),
        "{}",
        answer.text
    );
    assert!(
        answer.text.contains("1 match inside of others left"),
        "{}",
        answer.text
    );
    assert!(
        answer
            .text
            .starts_with("2 matches in 1 file would change; nothing is written yet"),
        "{}",
        answer.text
    );
}

#[test]
fn a_file_that_changed_since_the_preview_or_would_break_is_left() {
    let args = |apply: bool, preview: Value| json!({ "pattern": "foo($A)", "rewrite": "bar($A", "language": "ts", "apply": apply, "preview": preview });
    let files = Memory::of(&[("a.ts", "foo(1);\n")]);
    let text = call(&files, "ast_rewrite", &args(true, Value::Null));
    assert!(
        text.contains("a.ts (it would not parse any more: 1:"),
        "{text}"
    );
    let whole = |apply: bool, preview: Value| json!({ "pattern": "foo($A)", "rewrite": "bar($A)", "language": "ts", "apply": apply, "preview": preview });
    let mut syntax = Syntax::default();
    let shown = syntax
        .call(&files, "ast_rewrite", &whole(false, Value::Null))
        .expect("answer");
    let preview = shown.data.expect("preview");
    let plan = |files: &Memory| {
        let answer = Syntax::default()
            .call(files, "ast_rewrite", &whole(true, preview.clone()))
            .expect("answer");
        (
            answer.text,
            answer.data.expect("plan")["files"]
                .as_array()
                .map_or(0, Vec::len),
        )
    };
    assert_eq!(plan(&files), ("1 match in 1 file.\n".to_owned(), 1));
    let changed = Memory::of(&[("a.ts", "foo(2);\n"), ("b.ts", "foo(3);\n")]);
    let (text, files) = plan(&changed);
    assert_eq!(files, 0);
    assert!(
        text.contains("a.ts (it changed since the preview)")
            && text.contains("b.ts (it was not in the preview)"),
        "{text}"
    );
}

#[test]
fn what_is_too_much_is_a_line_and_never_a_trap() {
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let calls = format!("x = {}1{};\n", "f(".repeat(10_000), ")".repeat(10_000));
    let open = "{[(".repeat(10_000);
    let large = "let a = 1;\n".repeat(1_000_000);
    for (path, text) in [
        ("a.json", &deep),
        ("b.ts", &calls),
        ("c.ts", &open),
        ("d.ts", &large),
        ("e.py", &calls),
    ] {
        for (method, args) in [
            ("code_diagnostics", json!({ "path": path })),
            ("code_outline", json!({ "path": path })),
            ("code_outline", json!({ "symbol": "f" })),
            (
                "ast_search",
                json!({ "pattern": "f($A)", "language": "ts" }),
            ),
            (
                "ast_search",
                json!({ "pattern": "rule: {pattern: f($A), inside: {kind: arguments, stopBy: end}}", "language": "ts", "limit": 5 }),
            ),
        ] {
            let text = call(&Memory::of(&[(path, text)]), method, &args);
            assert!(
                !text.is_empty() && text.len() < 60_000,
                "{path} {method}: {} characters",
                text.len()
            );
        }
    }
    let mut broken = Memory::default();
    broken
        .0
        .insert("a.ts".into(), b"const a = '\xff\xfe'; foo(1);\n".to_vec());
    assert!(
        call(
            &broken,
            "ast_search",
            &json!({ "pattern": "foo($A)", "language": "ts" })
        )
        .contains("1:17: foo(1)")
    );
    let text = call(
        &broken,
        "ast_rewrite",
        &json!({ "pattern": "foo($A)", "rewrite": "g($A)", "language": "ts" }),
    );
    assert!(text.contains("it is not valid UTF-8"), "{text}");
}
