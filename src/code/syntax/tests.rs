//! The tools from their arguments to their answers, over files in memory.

use crate::code::files::memory::MemoryFiles;
use crate::code::service::{Service, Settings, Step};
use crate::code::walk::Share;
use serde_json::{Value, json};

const SETTINGS: Settings = Settings {
    workers: 1,
    memory_bytes: 256 << 20,
    watches: false,
    clock: || 0.0,
};

fn tree(files: &[(&str, &str)]) -> MemoryFiles {
    let tree = MemoryFiles::new();
    for (path, text) in files {
        tree.write(path, *text);
    }
    tree
}

/// The answer (`text`, `elsewhere`, `data`), or what went wrong as its text.
fn answer(files: &[(&str, &str)], method: &str, args: &Value) -> Value {
    let mut service = Service::new(tree(files), SETTINGS);
    service.begin(1, method, &args.to_string(), Share::ALL);
    loop {
        match service.step(1).expect("a request") {
            Step::More => {}
            Step::Done(Ok(text)) => return serde_json::from_str(&text).expect("an answer"),
            Step::Done(Err(text)) => return json!({ "text": format!("fault: {text}") }),
        }
    }
}

fn call(files: &[(&str, &str)], method: &str, args: &Value) -> String {
    answer(files, method, args)["text"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn check(path: &str, text: &str) -> String {
    call(
        &[(path, text)],
        "code_diagnostics",
        &json!({ "path": path }),
    )
}

#[test]
fn a_search_tells_where_and_how_much() {
    let files: &[(&str, &str)] = &[
        ("a.ts", "const x = foo(1, 2);\nfoo(\n  3,\n  4,\n);\n"),
        ("b/c.ts", "bar(1, 2);\n"),
        ("d.py", "foo(1, 2)\n"),
    ];
    let args = json!({ "pattern": "foo($A, $B)", "language": "typescript" });
    assert_eq!(
        call(files, "ast_search", &args),
        "2 matches in 1 file, of 2 of typescript.\n\na.ts\n  1:11: foo(1, 2)\n  2:1: foo(\n      3,\n      4,\n    … to line 5\n"
    );
    let args =
        json!({ "pattern": "foo($A, $B)", "language": "ts", "limit": 1, "path": "", "globs": [] });
    assert!(
        call(files, "ast_search", &args)
            .starts_with("The first 1 match, in 1 file; there are more")
    );
    let args = json!({ "pattern": "nothing($A)", "language": "ts" });
    assert_eq!(
        call(files, "ast_search", &args),
        "No match in 2 files of typescript.\n"
    );
}

#[test]
fn rules_are_patterns_too() {
    let files: &[(&str, &str)] = &[(
        "a.rs",
        "fn a() { x.unwrap(); }\n#[test]\nfn b() {}\nfn c() { loop { y.unwrap(); } }\n",
    )];
    let rule =
        "rule:\n  pattern: $X.unwrap()\n  inside:\n    kind: loop_expression\n    stopBy: end\n";
    let args = json!({ "pattern": rule, "language": "rust" });
    let text = call(files, "ast_search", &args);
    assert!(
        text.contains("4:17: y.unwrap()") && !text.contains("x.unwrap"),
        "{text}"
    );
}

#[test]
fn wrong_calls_are_told_in_words() {
    let files: &[(&str, &str)] = &[("a.ts", "")];
    let fault = |args: Value| call(files, "ast_search", &args);
    assert_eq!(
        fault(json!({ "language": "ts" })),
        "fault: `pattern` is missing."
    );
    assert_eq!(
        fault(json!({ "pattern": 3, "language": "ts" })),
        "fault: `pattern` must be a text, not 3."
    );
    assert!(
        fault(json!({ "pattern": "x", "language": "cobol" }))
            .contains("There is no grammar for `cobol`; there is one for bash")
    );
    assert!(
        fault(json!({ "pattern": "x", "language": "ts", "path": "zz" }))
            .contains("There is no `zz`")
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
        check("a.yaml", "a: !Ref x\nb: [1, 2]\n---\nc: *d\n").contains("a.yaml:4:"),
        "{}",
        check("a.yaml", "a: !Ref x\nb: [1, 2]\n---\nc: *d\n")
    );
}

#[test]
fn only_what_an_edit_broke_is_new() {
    let new = |before: &str, after: &str| {
        let args = json!({ "path": "a.rs", "before": before, "after": after });
        answer(&[], "new_errors", &args)["data"].clone()
    };
    let broken = "fn a() { let x = 1 }\n";
    assert_eq!(
        new("fn a() {}\n", "fn a() {}\nfn b() {}\n")["errors"],
        json!([])
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
    assert_eq!(new(broken, "fn a() {}\n")["errors"], json!([]));
    // what was broken before stays known by the first answer's baseline
    let args = json!({ "path": "a.rs", "baseline": found["baseline"], "after": broken });
    assert_eq!(
        answer(&[], "new_errors", &args)["data"]["errors"],
        json!([])
    );
    assert_eq!(
        answer(&[], "new_errors", &json!({ "path": "a.xyz", "after": "?" }))["data"],
        Value::Null
    );
}

#[test]
fn an_outline_shows_what_is_inside_what() {
    let text = "pub struct A {\n    pub x: u32,\n}\n\nimpl A {\n    /// Doc.\n    pub fn go(&self,\n        y: u32) -> u32 {\n        y\n    }\n}\n\nconst N: u32 = 1;\n";
    let files: &[(&str, &str)] = &[("a.rs", text)];
    assert_eq!(
        call(files, "code_outline", &json!({ "path": "a.rs" })),
        "a.rs: rust, 13 lines\n1-3 pub struct A\n  2 field pub x: u32\n5-11 impl A\n  7-10 method pub fn go(&self, y: u32) -> u32\n13 constant const N: u32 = 1;\n"
    );
    let shallow = call(
        files,
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
    let files: &[(&str, &str)] = &[
        ("a.py", "def lonely():\n    pass\n"),
        ("b.py", "def popular():\n    pass\n"),
        ("c.py", "from b import popular\npopular()\n"),
        ("d.json", "{\"popular\": 1}"),
    ];
    let text = call(files, "code_outline", &json!({}));
    assert_eq!(
        text,
        "2 symbols in 3 files; the 2 most used across files are shown.\n\nb.py\n  1-2 function def popular()\n\na.py\n  1-2 function def lonely()\n"
    );
}

#[test]
fn a_name_is_found_where_it_is_defined_and_used() {
    let files: &[(&str, &str)] = &[
        ("a.ts", "export function go(x: number) { return x; }\n"),
        (
            "b.ts",
            "import { go } from './a';\nconst s = 'go';\ngo(1);\n",
        ),
    ];
    assert_eq!(
        call(files, "code_outline", &json!({ "symbol": "go" })),
        "go: 1 definition and 2 uses in 1 file, by name alone: other things of the same name are among them.\n\
         defined a.ts:1 export function go(x: number)\n\n\
         b.ts\n  1:10 import { go } from './a';\n  3:1 call: go(1);\n"
    );
}

#[test]
fn a_rewrite_is_a_diff_first_and_keeps_line_ends() {
    let files: &[(&str, &str)] = &[
        ("a.ts", "foo(1);\r\nx(foo(foo(2)));\r\n"),
        ("b.ts", "bar(1);\n"),
    ];
    let args = json!({ "pattern": "foo($A)", "rewrite": "bar(\n  $A)", "language": "ts" });
    let text = call(files, "ast_rewrite", &args);
    assert!(
        text.contains("-foo(1);\r\n") && text.contains("\n+bar(\r\n+  1);\r\n"),
        "{text}"
    );
    assert!(text.contains("1 match inside of others left"), "{text}");
    assert!(
        text.starts_with("2 matches in 1 file would change; nothing is written yet"),
        "{text}"
    );
}

#[test]
fn a_capture_moves_with_its_line_but_not_inside_of_strings() {
    let text = "{\n    f(() => {\n        a(`\n  x\n    ${\n            y}`);\n\n        b();\n    });\n}\n";
    let mut syntax = super::Syntax::default();
    let mut rewrite = |from: &str, to: &str| {
        syntax
            .rewrite_in(super::Lang::TypeScript, from, to, text)
            .expect("rewritten")
    };
    assert_eq!(rewrite("f($A)", "f($A)"), text);
    assert_eq!(rewrite("$F(() => $B)", "$F(() => $B)"), text);
    assert_eq!(
        rewrite("f($A)", "g(\n    $A,\n)"),
        "{\n    g(\n        () => {\n            a(`\n  x\n    ${\n                y}`);\n\n            b();\n        },\n    );\n}\n"
    );
    assert_eq!(
        rewrite("{ f($A) }", "f($A)"),
        "f(() => {\n    a(`\n  x\n    ${\n        y}`);\n\n    b();\n})\n"
    );
}

#[test]
fn a_name_in_a_bracket_s_place_does_not_join_the_keyword_beside_it() {
    let mut syntax = super::Syntax::default();
    let mut rewrite = |from: &str, to: &str, text: &str| {
        syntax
            .rewrite_in(super::Lang::TypeScript, from, to, text)
            .expect("rewritten")
    };
    let bracket = "($A)";
    assert_eq!(
        rewrite(bracket, "$A", "f=()=>{return[(c)in d,typeof(e)]||(f)}"),
        "f=()=>{return[c in d,typeof e]||f}"
    );
    assert_eq!(
        rewrite("a()", "b()", "return `x${a()}y`, a()"),
        "return `x${b()}y`, b()"
    );
    assert_eq!(rewrite("[]", "x", "return[]"), "return x");
}

#[test]
fn a_file_that_changed_since_the_preview_or_would_break_is_left() {
    let args = |rewrite: &str, apply: bool, preview: &Value| json!({ "pattern": "foo($A)", "rewrite": rewrite, "language": "ts", "apply": apply, "preview": preview });
    let files: &[(&str, &str)] = &[("a.ts", "foo(1);\n")];
    let text = call(files, "ast_rewrite", &args("bar($A", true, &Value::Null));
    assert!(
        text.contains("a.ts (it would not parse any more: 1:"),
        "{text}"
    );
    let preview =
        answer(files, "ast_rewrite", &args("bar($A)", false, &Value::Null))["data"].clone();
    let plan =
        |files: &[(&str, &str)]| answer(files, "ast_rewrite", &args("bar($A)", true, &preview));
    let applied = plan(files);
    assert_eq!(applied["text"], "1 match in 1 file.\n");
    assert_eq!(applied["data"]["files"][0]["after"], "YmFyKDEpOwo=");
    let changed = plan(&[("a.ts", "foo(2);\n"), ("b.ts", "foo(3);\n")]);
    assert_eq!(changed["data"]["files"], json!([]));
    let text = changed["text"].as_str().expect("text");
    assert!(
        text.contains("a.ts (it changed since the preview)"),
        "{text}"
    );
    assert!(text.contains("b.ts (it was not in the preview)"), "{text}");
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
            let text = call(&[(path, text)], method, &args);
            assert!(
                !text.is_empty() && text.len() < 60_000,
                "{path} {method}: {} characters",
                text.len()
            );
        }
    }
    let broken = MemoryFiles::new();
    broken.write("a.ts", &b"const a = '\xff\xfe'; foo(1);\n"[..]);
    let mut service = Service::new(broken, SETTINGS);
    let mut call = |id: u32, method: &str, args: Value| {
        service.begin(id, method, &args.to_string(), Share::ALL);
        loop {
            match service.step(id).expect("a request") {
                Step::More => {}
                Step::Done(result) => return result.expect("an answer"),
            }
        }
    };
    let text = call(
        1,
        "ast_search",
        json!({ "pattern": "foo($A)", "language": "ts" }),
    );
    assert!(text.contains("1:17: foo(1)"), "{text}");
    let text = call(
        2,
        "ast_rewrite",
        json!({ "pattern": "foo($A)", "rewrite": "g($A)", "language": "ts" }),
    );
    assert!(text.contains("it is not valid UTF-8"), "{text}");
}

#[test]
fn a_tree_is_shown_with_its_matches_and_errors() {
    let files: &[(&str, &str)] = &[
        ("a.ts", "let é = foo(1);\nfoo(;\n"),
        ("b.sh", "ls\n"),
        ("c", ""),
    ];
    let tree = |args: &Value| answer(files, "syntax_tree", args)["data"].clone();
    let data = tree(&json!({ "path": "a.ts", "pattern": "foo($A)" }));
    assert_eq!(data["language"], "typescript");
    assert_eq!((&data["matches"], &data["more"]), (&json!(1), &json!(0)));
    let nodes = data["nodes"].as_array().expect("nodes");
    assert_eq!(
        nodes.iter().find(|node| node["match"] == true),
        Some(
            &json!({ "kind": "call_expression", "field": "value", "depth": 3, "start": 8, "end": 14, "match": true })
        )
    );
    assert!(nodes.iter().any(|node| node["wrong"] == true));
    assert_eq!(nodes[0]["depth"], 0);
    let said = |args: &Value| call(files, "syntax_tree", args);
    assert_eq!(
        said(&json!({ "path": "" })),
        "fault: `path` must name a file."
    );
    assert_eq!(
        said(&json!({ "path": "c" })),
        "fault: There is no grammar for this file."
    );
    assert!(said(&json!({ "path": "a.ts", "pattern": "foo(" })).starts_with("fault: pattern: "));
    assert_eq!(
        answer(files, "syntax_tree", &json!({ "path": "b.sh" }))["elsewhere"]["module"],
        "syntax-more"
    );
}
