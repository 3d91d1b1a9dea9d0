//! `syntax_tree`: the nodes of a file and those among them that a pattern matches, for programs that show them to people.

use super::cache::Parsed;
use super::job::{Begun, Wanted};
use super::limits::{MATCHES, NODES};
use super::matcher::{Query, is_rule};
use super::module::Elsewhere;
use super::parse::ParseFault;
use super::search::find;
use super::task::{Looked, Task};
use super::{Answer, Fault, Syntax};
use crate::code::args::Args;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::rc::Rc;
use tree_sitter::{Node, TreeCursor};

/// A part of a file's tree. Places are in UTF-16 code units, as JavaScript counts.
#[derive(Serialize)]
struct Shown<'tree> {
    kind: &'tree str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'tree str>,
    depth: u32,
    start: u32,
    end: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    wrong: bool,
    #[serde(rename = "match", skip_serializing_if = "std::ops::Not::not")]
    matched: bool,
}

/// `SyntaxTree` of host/code/code.d.ts.
#[derive(Serialize)]
struct Shape<'tree> {
    language: &'static str,
    text: &'tree str,
    nodes: Vec<Shown<'tree>>,
    more: usize,
    matches: usize,
}

/// `syntax_tree {path, pattern}`, of one file.
///
/// # Errors
/// In words.
pub fn begin(mut args: Args) -> Result<Begun, Fault> {
    let pattern = args.text("pattern")?.filter(|text| !text.trim().is_empty());
    Wanted::begin(args, |file, _| {
        Box::new(Nodes {
            is_file: file.is_some(),
            pattern,
            result: None,
        })
    })
}

struct Nodes {
    is_file: bool,
    pattern: Option<String>,
    result: Option<Result<Value, Fault>>,
}

impl Task for Nodes {
    fn has_rule(&self) -> bool {
        self.pattern.as_deref().is_some_and(is_rule)
    }

    fn look(&mut self, _: &mut Syntax, _: &str, parsed: &Rc<Parsed>) -> bool {
        if self.is_file {
            self.result = Some(shape(parsed, self.pattern.as_deref()));
        }
        false
    }

    fn finish(&mut self, _: &mut Syntax, looked: &Looked) -> Result<Answer, Fault> {
        if !self.is_file {
            return Err(Fault::Call("`path` must name a file.".to_owned()));
        }
        match (self.result.take(), looked.elsewhere) {
            (Some(result), _) => Ok(Answer::data(result?)),
            (None, Some(module)) => Ok(Elsewhere::new(module).into()),
            (None, None) => {
                let why = looked.skipped.lines();
                Err(Fault::Call(if why.is_empty() {
                    "There is no grammar for this file.".to_owned()
                } else {
                    why.trim_end().to_owned()
                }))
            }
        }
    }
}

fn shape(parsed: &Parsed, pattern: Option<&str>) -> Result<Value, Fault> {
    let mut matched = BTreeSet::new();
    if let Some(pattern) = pattern {
        let query = Query::compile(parsed.lang(), pattern)?;
        if !query.admits(parsed.tree()) {
            return Err(ParseFault::TooDeep.into());
        }
        find(&query, parsed, |found| {
            matched.insert(found.node_id());
            matched.len() < MATCHES
        });
    }
    let places = Utf16::of(parsed.text());
    let mut nodes = Vec::new();
    let mut more = 0;
    each(parsed.tree().root_node(), |node, field, depth| {
        let is_match = matched.contains(&node.id());
        let wrong = node.is_error() || node.is_missing();
        if !node.is_named() && !wrong && !is_match {
            return;
        }
        // a match is always shown
        if nodes.len() >= NODES && !is_match {
            more += 1;
            return;
        }
        nodes.push(Shown {
            kind: if node.is_missing() {
                "MISSING"
            } else {
                node.kind()
            },
            field,
            depth,
            start: places.at(node.start_byte()),
            end: places.at(node.end_byte()),
            wrong,
            matched: is_match,
        });
    });
    let shape = Shape {
        language: parsed.lang().name(),
        text: parsed.text(),
        nodes,
        more,
        matches: matched.len(),
    };
    Ok(serde_json::to_value(shape).unwrap_or_default())
}

/// Calls `with` for a node and all in it, in the order of the text; without recursion, since trees may be deep.
fn each<'tree>(root: Node<'tree>, mut with: impl FnMut(Node<'tree>, Option<&'tree str>, u32)) {
    let mut cursor: TreeCursor<'tree> = root.walk();
    loop {
        with(cursor.node(), cursor.field_name(), cursor.depth());
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}

/// Where each byte of a text is in UTF-16; nothing to know for ASCII.
struct Utf16(Option<Vec<u32>>);

impl Utf16 {
    fn of(text: &str) -> Self {
        if text.is_ascii() {
            return Self(None);
        }
        let mut places = Vec::with_capacity(text.len() + 1);
        let mut units = 0;
        for c in text.chars() {
            places.extend(std::iter::repeat_n(units, c.len_utf8()));
            units += c.len_utf16() as u32;
        }
        places.push(units);
        Self(Some(places))
    }

    fn at(&self, byte: usize) -> u32 {
        match &self.0 {
            Some(places) => places.get(byte).or(places.last()).copied().unwrap_or(0),
            None => byte as u32,
        }
    }
}
