//! The symbols of a file: what it defines and what it refers to, by the tags queries of the grammars' authors and some of
//! ours (`tags/*.scm`) for what those leave out. Syntactic: names, not bindings.

use super::language::Lang;
use super::limits::SIGNATURE_CHARS;
use super::text::one_line;
use ast_grep_core::tree_sitter::TSLanguage;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::rc::Rc;
use streaming_iterator::StreamingIterator;
use tree_sitter::{Node, Query, QueryCursor, Tree};

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

/// What a capture of a tags query means.
enum Role {
    Name,
    Definition(String),
    Reference(String),
    Other,
}

struct Tags {
    query: Query,
    /// By capture index.
    roles: Vec<Role>,
}

/// The compiled queries of the languages that were asked for.
#[derive(Default)]
pub struct Tagger {
    by_lang: HashMap<Lang, Option<Rc<Tags>>>,
}

impl Tagger {
    /// The symbols of a file.
    pub fn symbols(&mut self, lang: Lang, tree: &Tree, text: &str) -> Symbols {
        self.symbols_in(lang, tree, text, 0..usize::MAX)
    }

    /// The name of the innermost definition around a byte offset.
    pub fn symbol_at(&mut self, lang: Lang, tree: &Tree, text: &str, at: usize) -> Option<String> {
        // only what touches the place is looked at: the whole file would take longer than parsing it
        let symbols = self.symbols_in(lang, tree, text, at..at + 1);
        let around = symbols.definitions.into_iter().filter(|symbol| {
            symbol.kind != CONTAINER && symbol.range.0 <= at && at < symbol.range.1
        });
        around
            .min_by_key(|symbol| symbol.range.1 - symbol.range.0)
            .map(|symbol| symbol.name)
    }

    fn symbols_in(&mut self, lang: Lang, tree: &Tree, text: &str, range: Range<usize>) -> Symbols {
        let tags = self.by_lang.entry(lang).or_insert_with(|| {
            let tags = lang.grammar().and_then(|grammar| compile(lang, &grammar));
            tags.map(Rc::new)
        });
        match tags.clone() {
            Some(tags) => collect(&tags, tree, text, range),
            None => Symbols::default(),
        }
    }
}

fn compile(lang: Lang, grammar: &TSLanguage) -> Option<Tags> {
    let query = Query::new(grammar, &query_text(lang)).ok()?; // a test compiles each
    let roles = query
        .capture_names()
        .iter()
        .map(|name| match name.split_once('.') {
            _ if *name == "name" => Role::Name,
            Some(("definition", kind)) => Role::Definition(kind.to_owned()),
            Some(("reference", kind)) => Role::Reference(kind.to_owned()),
            _ => Role::Other,
        })
        .collect();
    Some(Tags { query, roles })
}

/// Ours come first: of two patterns that tag the same name the first counts.
fn query_text(lang: Lang) -> String {
    macro_rules! with {
        ($feature:literal, $ours:literal $(, $theirs:path)*) => {{
            #[cfg(feature = $feature)]
            let texts: &[&str] = &[include_str!(concat!("tags/", $ours, ".scm")), $($theirs),*];
            #[cfg(not(feature = $feature))]
            let texts: &[&str] = &[];
            texts
        }};
    }
    let texts: &[&str] = match lang {
        Lang::Bash => with!("lang-bash", "bash"),
        Lang::C => with!("lang-c", "c", tree_sitter_c::TAGS_QUERY),
        Lang::CSharp => with!("lang-c-sharp", "csharp", tree_sitter_c_sharp::TAGS_QUERY),
        Lang::Cpp => {
            return [
                with!("lang-cpp", "cpp", tree_sitter_cpp::TAGS_QUERY),
                with!("lang-cpp", "c"),
            ]
            .concat()
            .join("\n");
        }
        Lang::Css => with!("lang-css", "css"),
        Lang::Go => with!("lang-go", "go", tree_sitter_go::TAGS_QUERY),
        Lang::Html => with!("lang-html", "html"),
        Lang::Java => with!("lang-java", "java", tree_sitter_java::TAGS_QUERY),
        Lang::JavaScript => {
            with!(
                "lang-javascript",
                "javascript",
                tree_sitter_javascript::TAGS_QUERY
            )
        }
        Lang::Json => with!("lang-json", "json"),
        Lang::Kotlin => with!("lang-kotlin", "kotlin"),
        #[cfg(feature = "lang-lua")]
        Lang::Lua => &[tree_sitter_lua::TAGS_QUERY],
        #[cfg(not(feature = "lang-lua"))]
        Lang::Lua => &[],
        Lang::Markdown => with!("lang-markdown", "markdown"),
        Lang::Php | Lang::PhpPage => with!("lang-php", "php", tree_sitter_php::TAGS_QUERY),
        Lang::Python => with!("lang-python", "python", tree_sitter_python::TAGS_QUERY),
        Lang::Ruby => with!("lang-ruby", "ruby", tree_sitter_ruby::TAGS_QUERY),
        Lang::Rust => with!("lang-rust", "rust", tree_sitter_rust::TAGS_QUERY),
        Lang::Swift => with!("lang-swift", "swift"),
        Lang::Toml => with!("lang-toml", "toml"),
        Lang::Tsx | Lang::TypeScript => with!(
            "lang-typescript",
            "typescript",
            tree_sitter_javascript::TAGS_QUERY,
            tree_sitter_typescript::TAGS_QUERY
        ),
        Lang::Yaml => with!("lang-yaml", "yaml"),
    };
    without_comments(&texts.join("\n"))
}

/// A tags query without what it says of a definition's doc comment, which is not shown: JavaScript's and TypeScript's takes
/// two fifths less to compile so. The authors write each part of that on a line of its own.
fn without_comments(query: &str) -> String {
    const OF_COMMENTS: [&str; 4] = [
        "(comment)* @doc",
        "(#strip!",
        "(#select-adjacent!",
        "(#set-adjacent!",
    ];
    let mut text = String::with_capacity(query.len());
    let mut is_left_out = false;
    for line in query.lines() {
        let words = line.trim();
        let is_anchor = is_left_out && words == ".";
        is_left_out = OF_COMMENTS.iter().any(|part| words.starts_with(part));
        if !is_left_out && !is_anchor {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

fn collect(tags: &Tags, tree: &Tree, text: &str, range: Range<usize>) -> Symbols {
    let mut cursor = QueryCursor::new();
    cursor.set_byte_range(range);
    let mut matches = cursor.matches(&tags.query, tree.root_node(), text.as_bytes());
    // by the name's position, then by the pattern: the first pattern that tags a name counts
    let mut definitions: BTreeMap<(usize, usize), (usize, Symbol)> = BTreeMap::new();
    let mut references = definitions.clone();
    while let Some(found) = matches.next() {
        let mut name = None;
        let mut whole = None;
        for capture in found.captures() {
            match &tags.roles[capture.index as usize] {
                Role::Name => name = Some(capture.node),
                role @ (Role::Definition(_) | Role::Reference(_)) => {
                    whole = Some((capture.node, role))
                }
                Role::Other => {}
            }
        }
        let (Some(name), Some((node, role))) = (name, whole) else {
            continue;
        };
        let key = (name.start_byte(), name.end_byte());
        let (into, kind) = match role {
            Role::Definition(kind) => (&mut definitions, kind),
            Role::Reference(kind) => (&mut references, kind),
            _ => continue,
        };
        if into
            .get(&key)
            .is_some_and(|(pattern, _)| *pattern <= found.pattern_index)
        {
            continue;
        }
        let is_definition = matches!(role, Role::Definition(_));
        into.insert(
            key,
            (
                found.pattern_index,
                symbol(name, node, kind, is_definition, text),
            ),
        );
    }
    references.retain(|key, _| !definitions.contains_key(key));
    let in_order =
        |symbols: BTreeMap<_, (usize, Symbol)>| symbols.into_values().map(|(_, s)| s).collect();
    Symbols {
        definitions: in_order(definitions),
        references: in_order(references),
    }
}

fn symbol(name: Node, node: Node, kind: &str, is_definition: bool, text: &str) -> Symbol {
    let whole = if is_definition {
        declaration_of(node)
    } else {
        node
    };
    let signature = if is_definition {
        signature(whole, name, text)
    } else {
        String::new()
    };
    let called = text.get(name.byte_range()).unwrap_or_default();
    Symbol {
        name: one_line(called.trim(), SIGNATURE_CHARS),
        kind: kind.to_owned(),
        at: name.start_byte(),
        row: name.start_position().row,
        rows: (whole.start_position().row, last_row(whole)),
        range: (whole.start_byte(), whole.end_byte()),
        signature,
    }
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

/// Queries tag the innermost node that has the name; people read the statement around it.
fn declaration_of(node: Node) -> Node {
    const AROUND: &[&str] = &[
        "array_declarator",
        "declaration",
        "export_statement",
        "field_declaration",
        "function_definition",
        "init_declarator",
        "lexical_declaration",
        "pointer_declarator",
        "reference_declarator",
        "template_declaration",
        "type_declaration",
        "type_definition",
        "variable_declaration",
    ];
    let mut whole = node;
    while let Some(parent) = whole.parent() {
        if !AROUND.contains(&parent.kind()) || parent.named_child_count() > 3 {
            break;
        }
        whole = parent;
    }
    whole
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_linked_language_has_a_query_that_compiles() {
        for lang in Lang::all().filter(|lang| lang.is_linked()) {
            let grammar = lang.grammar().expect("linked");
            let text = query_text(lang);
            assert!(!text.is_empty(), "{}", lang.name());
            assert!(!text.contains("@doc"), "{}: {text}", lang.name());
            if let Err(error) = Query::new(&grammar, &text) {
                panic!("{}: {error}", lang.name());
            }
        }
    }
}
