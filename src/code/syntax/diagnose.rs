//! What is broken in a file: syntax errors, merge-conflict markers, data that does not parse.

use super::language::Lang;
use super::limits::EXPECTED;
use super::text::{line_at, one_line, position};
use ast_grep_core::tree_sitter::TSLanguage;
use serde::{Deserialize, Serialize};
use tree_sitter::{Node, Tree};

/// Characters of the source quoted in a message.
const QUOTE_CHARS: usize = 24;

/// One thing that is broken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Line and column, from 1; columns are characters.
    pub line: usize,
    pub column: usize,
    pub message: String,
    /// The innermost definition around it.
    pub symbol: Option<String>,
    /// The line's text: with the message it tells one error from another when lines move.
    pub text: String,
}

impl Diagnostic {
    fn at(text: &str, row: usize, at: usize, message: String, symbol: Option<String>) -> Self {
        let (line, column) = position(text, row, at);
        Self {
            line,
            column,
            message,
            symbol,
            text: one_line(line_at(text, at), 120),
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        (&self.message, &self.text, &self.symbol) == (&other.message, &other.text, &other.symbol)
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        match &self.symbol {
            Some(symbol) => write!(f, " (in {symbol})"),
            None => Ok(()),
        }
    }
}

/// What of `after` was not in `before`: errors that only moved are not new.
#[must_use]
pub fn fresh(before: &[Diagnostic], after: &[Diagnostic]) -> Vec<Diagnostic> {
    let mut old: Vec<&Diagnostic> = before.iter().collect();
    after
        .iter()
        .filter(|new| match old.iter().position(|old| old.is_like(new)) {
            Some(at) => {
                old.swap_remove(at);
                false
            }
            None => true,
        })
        .cloned()
        .collect()
}

/// What is broken in a parsed file, in the order of the text; at most `most`. `symbol_at` names the innermost definition
/// around a byte offset.
pub fn diagnose(
    path: &str,
    lang: Lang,
    tree: &Tree,
    text: &str,
    most: usize,
    mut symbol_at: impl FnMut(usize) -> Option<String>,
) -> Vec<Diagnostic> {
    let conflicts = conflicts(text);
    let exact = match lang {
        _ if !conflicts.is_empty() => None,
        Lang::Json => json_error(path, tree, text),
        Lang::Yaml => yaml_error(text),
        _ => None,
    };
    let errors = match (lang, &exact) {
        (_, Some(_)) => Vec::new(),
        (Lang::Json, None) if is_json_with_comments(path, tree) => errors(tree, text, most)
            .into_iter()
            .filter(|error| error.2 != "unexpected `,`")
            .collect(),
        (Lang::Yaml, None) if is_template(text) => Vec::new(),
        _ => errors(tree, text, most),
    };
    let in_conflict = |row: usize| conflicts.iter().any(|c| (c.first..=c.last).contains(&row));
    let told = conflicts.iter().map(|conflict| {
        let message = format!("merge conflict, up to line {}", conflict.last + 1);
        (conflict.first, conflict.at, message)
    });
    let outside = errors.into_iter().filter(|(row, ..)| !in_conflict(*row));
    let mut found: Vec<Diagnostic> = told
        .chain(exact)
        .chain(outside)
        .map(|(row, at, message)| Diagnostic::at(text, row, at, message, symbol_at(at)))
        .collect();
    found.sort();
    found.dedup();
    found.truncate(most);
    found
}

// ---- syntax ----------------------------------------------------------------------------------------------------------

type Error = (usize, usize, String);

/// The errors of a tree: row, byte offset, message.
fn errors(tree: &Tree, text: &str, most: usize) -> Vec<Error> {
    let mut found = Vec::new();
    let root = tree.root_node();
    if !root.has_error() {
        return found;
    }
    let language = tree.language();
    let language: &TSLanguage = &language;
    let mut cursor = root.walk();
    // what follows the first errors are mostly their consequences, so the walk ends there
    'walk: while found.len() < most {
        let node = cursor.node();
        if node.is_missing() {
            let at = end_of_text_before(text, node.start_byte());
            let row = row_of(node, text, at);
            found.push((
                row,
                at,
                format!("missing {}", token(node.kind(), node.is_named())),
            ));
        } else if node.is_error() {
            found.push(unexpected(node, text, language));
        }
        // an error's own text is told by `unexpected`; errors below it are more precise only when it holds whole nodes
        if node.has_error() && !node.is_error() && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                break 'walk;
            }
        }
    }
    found
}

/// A missing token belongs behind the text before it, not in front of what follows lines later.
fn end_of_text_before(text: &str, at: usize) -> usize {
    text.get(..at).map_or(at, |before| before.trim_end().len())
}

fn row_of(node: Node, text: &str, at: usize) -> usize {
    let between = text.get(at..node.start_byte()).unwrap_or_default();
    node.start_position()
        .row
        .saturating_sub(between.matches('\n').count())
}

/// A token as people write it: `` `)` ``, or a kind's name in words.
fn token(kind: &str, is_named: bool) -> String {
    match kind {
        "\n" => "end of line".to_owned(),
        "end" | "" => "end of file".to_owned(),
        _ if is_named => kind.trim_start_matches('_').replace('_', " "),
        _ => format!("`{kind}`"),
    }
}

fn unexpected(error: Node, text: &str, language: &TSLanguage) -> Error {
    if let Some(open) = unclosed(error) {
        let at = open.start_byte();
        return (
            open.start_position().row,
            at,
            format!("`{}` is not closed", open.kind()),
        );
    }
    let culprit = deepest_error(error);
    let (row, at) = (culprit.start_position().row, culprit.start_byte());
    let quoted = one_line(
        text.get(culprit.byte_range()).unwrap_or_default().trim(),
        QUOTE_CHARS,
    );
    let expected = match expected(culprit, language) {
        names if names.is_empty() => String::new(),
        names => format!(", expected {}", names.join(" or ")),
    };
    if quoted.is_empty() {
        return (row, at, format!("unexpected end of text{expected}"));
    }
    (row, at, format!("unexpected `{quoted}`{expected}"))
}

/// The error inside an error that says where it is: whole nodes before it were understood.
fn deepest_error(error: Node) -> Node {
    let mut node = error;
    loop {
        let mut cursor = node.walk();
        let inner = node.children(&mut cursor).find(|child| child.is_error());
        match inner {
            Some(inner) => node = inner,
            None => return node,
        }
    }
}

/// The last opening bracket directly in an error that has no closing one there.
fn unclosed(error: Node) -> Option<Node> {
    let mut cursor = error.walk();
    let mut open: Vec<Node> = Vec::new();
    for child in error.children(&mut cursor) {
        match child.kind() {
            "{" | "(" | "[" | "${" | "#{" => open.push(child),
            "}" | ")" | "]" => {
                let matching = open
                    .last()
                    .is_some_and(|last| closes(last.kind(), child.kind()));
                if matching {
                    open.pop();
                }
            }
            _ => {}
        }
    }
    open.pop()
}

fn closes(open: &str, close: &str) -> bool {
    matches!(
        (open.chars().next_back(), close),
        (Some('{'), "}") | (Some('('), ")") | (Some('['), "]")
    )
}

/// The few tokens that could stand at an error, where the grammar leaves no more than a few.
fn expected(error: Node, language: &TSLanguage) -> Vec<String> {
    let mut leaf = error;
    while let Some(child) = leaf.child(0) {
        leaf = child;
    }
    let mut names = Vec::new();
    let Some(symbols) = language.lookahead_iterator(leaf.parse_state()) else {
        return names;
    };
    for id in symbols {
        let Some(kind) = language.node_kind_for_id(id) else {
            continue;
        };
        if kind == "ERROR" || !language.node_kind_is_visible(id) || kind.contains("comment") {
            continue;
        }
        names.push(token(kind, language.node_kind_is_named(id)));
        if names.len() > EXPECTED {
            return Vec::new();
        }
    }
    names.sort();
    names.dedup();
    names
}

// ---- merge conflicts -------------------------------------------------------------------------------------------------

struct Conflict {
    first: usize,
    last: usize,
    at: usize,
}

/// The conflicts that git left: all three markers, in order.
fn conflicts(text: &str) -> Vec<Conflict> {
    let mut found = Vec::new();
    if !text.contains("<<<<<<< ") {
        return found;
    }
    let mut open: Option<(usize, usize, bool)> = None;
    let mut at = 0;
    for (row, line) in text.split('\n').enumerate() {
        let line_at = at;
        at += line.len() + 1;
        if line.starts_with("<<<<<<< ") {
            open = Some((row, line_at, false));
        } else if line.trim_end() == "=======" {
            open = open.map(|(row, at, _)| (row, at, true));
        } else if line.starts_with(">>>>>>> ")
            && let Some((first, at, true)) = open.take()
        {
            found.push(Conflict {
                first,
                last: row,
                at,
            });
        }
    }
    found
}

// ---- data ------------------------------------------------------------------------------------------------------------

/// Files whose readers take comments and trailing commas.
fn is_json_with_comments(path: &str, tree: &Tree) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit('.').next();
    let by_name = extension == Some("jsonc")
        || (name.starts_with("tsconfig")
            || name.starts_with("jsconfig")
            || name.starts_with(".eslintrc"))
        || path.contains(".vscode/")
        || path.contains(".devcontainer/")
        || name == "opencode.json";
    let root = tree.root_node();
    let mut cursor = root.walk();
    by_name
        || root
            .children(&mut cursor)
            .any(|child| child.kind() == "comment")
}

fn json_error(path: &str, tree: &Tree, text: &str) -> Option<Error> {
    if is_json_with_comments(path, tree) || (has_comment(tree) && !tree.root_node().has_error()) {
        return None;
    }
    let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err()?;
    let message = error.to_string();
    let message = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(message, _)| message);
    // its own limit, not the file's fault
    (!message.contains("recursion limit")).then(|| {
        let row = error.line().saturating_sub(1);
        (
            row,
            offset_of(text, row, error.column().saturating_sub(1)),
            message.to_owned(),
        )
    })
}

fn has_comment(tree: &Tree) -> bool {
    let mut cursor = tree.walk();
    loop {
        if cursor.node().kind() == "comment" {
            return true;
        }
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return false;
            }
        }
    }
}

/// Helm, Jinja and Go templates are not YAML before they are filled in.
fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

#[cfg(not(feature = "lang-yaml"))]
fn yaml_error(_: &str) -> Option<Error> {
    None
}

#[cfg(feature = "lang-yaml")]
fn yaml_error(text: &str) -> Option<Error> {
    if is_template(text) {
        return None;
    }
    let error = serde_saphyr::from_multiple::<serde::de::IgnoredAny>(text).err()?;
    let place = error.location()?;
    let row = usize::try_from(place.line()).ok()?.saturating_sub(1);
    let column = usize::try_from(place.column()).ok()?.saturating_sub(1);
    let message = error.without_snippet().to_string();
    let message = message.lines().next().unwrap_or_default();
    // what is its own limit or needs the program that reads the file is not broken
    let foreign = ["tag", "budget", "limit", "recursion"]
        .iter()
        .any(|word| message.to_lowercase().contains(word));
    (!foreign).then(|| (row, offset_of(text, row, column), message.to_owned()))
}

/// The byte offset of a row and a column (in characters), both from 0.
fn offset_of(text: &str, row: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(row).map(str::len).sum();
    let line = text
        .get(start..)
        .unwrap_or_default()
        .split('\n')
        .next()
        .unwrap_or_default();
    start
        + line
            .char_indices()
            .nth(column)
            .map_or(line.len(), |(at, _)| at)
}
