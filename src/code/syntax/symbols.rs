//! The symbols of a file: what it defines and what it refers to, by the tags queries ([`super::tags`]). Syntactic: names, not
//! bindings.

use super::kinds::Kinds;
use super::language::Lang;
use super::limits::SIGNATURE_CHARS;
use super::marks::Marks;
use super::plain::Named;
use super::steps::Next;
use super::tags::{Queries, Role, Tags};
use super::text::one_line;
use super::walk::{Guide, walk};
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use streaming_iterator::StreamingIterator;
use tree_sitter::{Node, QueryCursor, Tree, TreeCursor};

/// Something with a name, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Symbol {
    pub name: String,
    /// What the query calls it: `function`, `class`, `call` ….
    pub kind: String,
    /// Byte offset and row (from 0) of the name.
    pub at: usize,
    pub row: usize,
    /// First and last row of the whole, from 0.
    pub rows: (usize, usize),
    /// The whole in bytes.
    pub range: (usize, usize),
    /// The text up to the body, on one line; empty for a reference.
    pub signature: String,
}

/// What a file defines and refers to, each in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Symbols {
    pub definitions: Vec<Symbol>,
    pub references: Vec<Symbol>,
}

/// An `impl` and its like hold definitions and define no name.
pub const CONTAINER: &str = "implementation";

/// Finds symbols.
#[derive(Default)]
pub struct Tagger {
    queries: Queries,
}

impl Tagger {
    /// What a file defines and refers to.
    pub fn symbols<'tree>(&mut self, lang: Lang, tree: &'tree Tree, text: &str) -> Both<'tree> {
        let mut collector = Collector::default();
        if let Some(tags) = self.queries.all(lang) {
            collector.collect(&tags, tree.root_node(), &[], text);
        }
        collector.found()
    }

    /// What a file defines.
    pub fn definitions<'tree>(
        &mut self,
        lang: Lang,
        tree: &'tree Tree,
        text: &str,
    ) -> Vec<Found<'tree>> {
        self.definitions_in(lang, tree, text, 0..usize::MAX)
    }

    /// The name of the innermost definition around a byte offset.
    pub fn symbol_at(&mut self, lang: Lang, tree: &Tree, text: &str, at: usize) -> Option<String> {
        // only what touches the place is looked at: the whole file would take longer than parsing it
        let definitions = self.definitions_in(lang, tree, text, at..at + 1);
        let around = definitions
            .into_iter()
            .filter(|found| !found.is_container() && found.range().contains(&at));
        around
            .min_by_key(|found| found.range().len())
            .map(|found| found.name(text))
    }

    /// A query over a whole tree takes as long as parsing it; so it is tried only where a definition may begin.
    fn definitions_in<'tree>(
        &mut self,
        lang: Lang,
        tree: &'tree Tree,
        text: &str,
        range: Range<usize>,
    ) -> Vec<Found<'tree>> {
        let mut collector = Collector::default();
        collector.cursor.set_byte_range(range.clone());
        let Some(tags) = self.queries.definitions(lang) else {
            return Vec::new();
        };
        let Some(roots) = &tags.roots else {
            collector.collect(&tags, tree.root_node(), &[], text);
            return collector.found().definitions;
        };
        collector.cursor.set_max_start_depth(Some(0));
        // in broken code the parser puts in words that are not written
        let is_whole = range.start == 0 && range.end >= text.len() && !tree.root_node().has_error();
        let writing = tags.writing.as_ref().filter(|_| is_whole);
        let marks = writing.map(|writing| Marks::of(writing, text));
        let mut guide = ToDefinitions {
            tags: &tags,
            roots,
            text,
            range,
            marks,
            names: tree.walk(),
            collector,
        };
        let holders = writing
            .into_iter()
            .flat_map(|writing| writing.holders().iter());
        let kinds = tags.plain.kinds().iter().chain(roots.iter());
        walk(tree, kinds.chain(holders).collect(), &mut guide);
        guide.collector.found().definitions
    }
}

/// To the nodes that touch the range and, where there are marks, may be or hold a definition.
struct ToDefinitions<'tree, 'a> {
    tags: &'a Tags,
    roots: &'a Kinds,
    text: &'a str,
    range: Range<usize>,
    marks: Option<Marks<'a>>,
    names: TreeCursor<'tree>,
    collector: Collector<'tree>,
}

impl<'tree> Guide<'tree> for ToDefinitions<'tree, '_> {
    fn visit(&mut self, node: Node<'tree>, around: &[Node<'tree>]) -> Option<Next> {
        let (kind, start, end) = (node.kind_id(), node.start_byte(), node.end_byte());
        if start >= self.range.end || self.range.start > end {
            return Some(Next::None);
        }
        let Self { tags, text, .. } = *self;
        if tags.plain.kinds().contains(kind) {
            let parent = around.last().copied();
            let collector = &mut self.collector;
            tags.plain
                .each(node, parent, &mut self.names, text, |named| {
                    collector.add_named(tags, node, around, &named);
                });
        }
        if self.roots.contains(kind) {
            self.collector.collect(tags, node, around, text);
        }
        let may_hold = |marks: &mut Marks| marks.may_hold(kind, start, end);
        Some(if self.marks.as_mut().is_none_or(may_hold) {
            self.next(node, start)
        } else {
            Next::None
        })
    }

    fn next(&mut self, node: Node<'tree>, from: usize) -> Next {
        match &mut self.marks {
            Some(marks) => marks.next_in(node.kind_id(), from, node.end_byte()),
            None => Next::Any,
        }
    }
}

/// What a file defines and refers to, each in the order of the text.
pub struct Both<'tree> {
    pub definitions: Vec<Found<'tree>>,
    pub references: Vec<Found<'tree>>,
}

impl Both<'_> {
    #[must_use]
    pub fn symbols(&self, text: &str) -> Symbols {
        let all = |found: &[Found]| found.iter().map(|found| found.symbol(text)).collect();
        Symbols {
            definitions: all(&self.definitions),
            references: all(&self.references),
        }
    }
}

/// A symbol's place in a tree.
pub struct Found<'tree> {
    kind: Rc<str>,
    name: Node<'tree>,
    whole: Node<'tree>,
    is_definition: bool,
}

impl Found<'_> {
    #[must_use]
    pub fn name(&self, text: &str) -> String {
        let called = text.get(self.name.byte_range()).unwrap_or_default();
        one_line(called.trim(), SIGNATURE_CHARS)
    }

    /// The name in bytes.
    fn place(&self) -> (usize, usize) {
        (self.name.start_byte(), self.name.end_byte())
    }

    /// Byte offset of the name.
    #[must_use]
    pub fn at(&self) -> usize {
        self.name.start_byte()
    }

    /// The whole in bytes.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        self.whole.byte_range()
    }

    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    #[must_use]
    pub fn is_container(&self) -> bool {
        &*self.kind == CONTAINER
    }

    #[must_use]
    pub fn symbol(&self, text: &str) -> Symbol {
        let Self { name, whole, .. } = self;
        Symbol {
            name: self.name(text),
            kind: self.kind.to_string(),
            at: name.start_byte(),
            row: name.start_position().row,
            rows: (whole.start_position().row, last_row(*whole)),
            range: (whole.start_byte(), whole.end_byte()),
            signature: if self.is_definition {
                signature(*whole, *name, text)
            } else {
                String::new()
            },
        }
    }
}

/// Symbols, each with the number of the pattern that found it.
type ByPattern<'tree> = Vec<(usize, Found<'tree>)>;

#[derive(Default)]
struct Collector<'tree> {
    cursor: QueryCursor,
    definitions: ByPattern<'tree>,
    references: ByPattern<'tree>,
}

impl<'tree> Collector<'tree> {
    /// Adds what the query finds from `root` on, which is in `around`.
    fn collect(&mut self, tags: &Tags, root: Node<'tree>, around: &[Node<'tree>], text: &str) {
        let mut matches = self.cursor.matches(&tags.query, root, text.as_bytes());
        while let Some(found) = matches.next() {
            let mut name = None;
            let mut tagged = None;
            for capture in found.captures() {
                match &tags.roles[capture.index as usize] {
                    Role::Name => name = Some(capture.node),
                    Role::Definition(kind) => tagged = Some((capture.node, kind, true)),
                    Role::Reference(kind) => tagged = Some((capture.node, kind, false)),
                    Role::Other => {}
                }
            }
            let (Some(name), Some((node, kind, is_definition))) = (name, tagged) else {
                continue;
            };
            let into = if is_definition {
                &mut self.definitions
            } else {
                &mut self.references
            };
            let symbol = Found {
                kind: Rc::clone(kind),
                name,
                whole: if is_definition {
                    declaration_of(tags, node, root, around)
                } else {
                    node
                },
                is_definition,
            };
            into.push((tags.order[found.pattern_index], symbol));
        }
    }

    /// Adds what a plain pattern found at `node`, which is in `around`.
    fn add_named(
        &mut self,
        tags: &Tags,
        node: Node<'tree>,
        around: &[Node<'tree>],
        named: &Named<'tree, '_>,
    ) {
        let symbol = Found {
            kind: Rc::clone(named.tag),
            name: named.name,
            whole: declaration_of(tags, node, node, around),
            is_definition: true,
        };
        self.definitions.push((named.order, symbol));
    }

    fn found(self) -> Both<'tree> {
        let definitions = in_order(self.definitions);
        let mut references = in_order(self.references);
        references.retain(|found| {
            let is_defined = definitions.binary_search_by_key(&found.place(), Found::place);
            is_defined.is_err()
        });
        Both {
            definitions,
            references,
        }
    }
}

/// In the order of the names; of the patterns that tag a name the first counts.
fn in_order(mut all: ByPattern) -> Vec<Found> {
    all.sort_by_key(|(pattern, found)| (found.place(), *pattern));
    all.dedup_by_key(|(_, found)| found.place());
    all.into_iter().map(|(_, found)| found).collect()
}

/// A node that ends with a line's end ends on that line.
fn last_row(node: Node) -> usize {
    let end = node.end_position();
    let row = if end.column == 0 {
        end.row.saturating_sub(1)
    } else {
        end.row
    };
    row.max(node.start_position().row)
}

/// The statement around a definition, from which the query began at `root`, which is in `around`.
fn declaration_of<'tree>(
    tags: &Tags,
    node: Node<'tree>,
    root: Node<'tree>,
    around: &[Node<'tree>],
) -> Node<'tree> {
    let mut whole = node;
    let mut further = around.iter().rev();
    let mut is_below = whole != root;
    loop {
        // asking a node for the one around it goes all the way from the top
        let next = if is_below {
            whole.parent()
        } else {
            further.next().copied()
        };
        match next {
            Some(next) if tags.around.contains(next.kind_id()) && next.named_child_count() <= 3 => {
                whole = next;
                is_below &= whole != root;
            }
            _ => return whole,
        }
    }
}

/// The text of a definition up to its body; at least the line of its name.
fn signature(whole: Node, name: Node, text: &str) -> String {
    let upto = |end: usize| text.get(whole.start_byte()..end).unwrap_or_default();
    let head = match body_of(whole, name, 4) {
        Some(body) => upto(body.start_byte()),
        None => upto(whole.end_byte()).lines().next().unwrap_or_default(),
    };
    one_line(head, SIGNATURE_CHARS)
        .trim_end_matches(['{', ' ', ':'])
        .to_owned()
}

/// The body below `node`, behind the name.
fn body_of<'tree>(node: Node<'tree>, name: Node, depth: usize) -> Option<Node<'tree>> {
    if let Some(body) = node.child_by_field_name("body") {
        return (body.start_byte() > name.start_byte()).then_some(body);
    }
    if depth == 0 {
        return None;
    }
    let mut cursor = node.walk();
    let children: Vec<Node> = node.named_children(&mut cursor).take(8).collect();
    let is_body = |child: &Node| {
        let kind = child.kind();
        kind.ends_with("_body")
            || matches!(
                kind,
                "block" | "declaration_list" | "field_declaration_list"
            )
    };
    let behind = |child: &Node| child.end_byte() > name.end_byte();
    let own = children
        .iter()
        .find(|child| is_body(child) && child.start_byte() > name.start_byte());
    own.copied().or_else(|| {
        children
            .iter()
            .filter(|child| behind(child))
            .find_map(|child| body_of(*child, name, depth - 1))
    })
}

/// How often each name is written as an identifier in the tree, wherever it stands.
#[must_use]
pub fn identifiers<'text>(tree: &Tree, text: &'text str) -> BTreeMap<&'text str, u32> {
    let mut counts = BTreeMap::new();
    each_identifier(tree, |node| {
        if let Some(name) = text.get(node.byte_range()) {
            *counts.entry(name).or_insert(0) += 1;
        }
    });
    counts
}

/// Calls `with` for each identifier, in the order of the text.
pub fn each_identifier(tree: &Tree, mut with: impl FnMut(Node)) {
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        if node.child_count() == 0 && node.is_named() && is_identifier(node.kind()) {
            with(node);
        }
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

fn is_identifier(kind: &str) -> bool {
    kind.contains("identifier")
        || matches!(
            kind,
            "constant" | "name" | "word" | "variable_name" | "bare_key" | "tag_name"
        )
}
