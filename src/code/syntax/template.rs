//! The text that takes a match's place, with the variables of its pattern: ast-grep's templates, except that what they
//! capture keeps its bytes. Lines of a capture move only when it stands at another indentation than before, and never those
//! inside a string or a comment that goes over several lines: that would change what the program says.

use super::language::Lang;
use super::text::has_crlf;
use ast_grep_core::matcher::NodeMatch;
use ast_grep_core::replacer::Replacer;
use ast_grep_core::tree_sitter::StrDoc;
use std::collections::HashSet;
use std::ops::Range;
use tree_sitter::Node;

type Found<'tree> = NodeMatch<'tree, StrDoc<Lang>>;

/// A compiled template.
pub struct Template {
    parts: Vec<Part>,
    /// It can bring line ends that are not from the file.
    has_lines: bool,
}

enum Part {
    Text(String),
    Variable { name: String, kind: Kind },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `$A`
    One,
    /// `$$$A`
    Many,
    /// Made by a rule's `transform`.
    Transformed,
}

/// Of a `$$$`.
const MOST_SIGNS: usize = 3;

impl Template {
    /// Every text is a template; `transformed` names what a rule computes.
    #[must_use]
    pub fn new(text: &str, transformed: &[String]) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            plain.push_str(&rest[..at]);
            rest = &rest[at..];
            let signs = rest.bytes().take_while(|b| *b == b'$').count();
            let name_at = signs.min(MOST_SIGNS);
            let name = name_of(&rest[name_at..]);
            if name.is_empty() {
                plain.push('$');
                rest = &rest[1..];
                continue;
            }
            let kind = match name_at {
                MOST_SIGNS => Kind::Many,
                _ if transformed.iter().any(|t| t == name) => Kind::Transformed,
                _ => Kind::One,
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            let name = name.to_owned();
            rest = &rest[name_at + name.len()..];
            parts.push(Part::Variable { name, kind });
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        Self {
            parts,
            has_lines: text.contains('\n') || !transformed.is_empty(),
        }
    }

    /// The variables in it.
    #[must_use]
    pub fn variables(&self) -> HashSet<&str> {
        let names = self.parts.iter().filter_map(|part| match part {
            Part::Variable { name, .. } => Some(name.as_str()),
            Part::Text(_) => None,
        });
        names.collect()
    }

    /// The text for a match.
    fn fill(&self, found: &Found) -> String {
        let text = found.get_doc().src.as_str();
        let indent = indent_at(text, found.range().start);
        let is_crlf = self.has_lines && has_crlf(text);
        let eol = if is_crlf { "\r\n" } else { "\n" };
        let env = found.get_env();
        let mut made = String::new();
        // the indentation of the template's own line
        let mut own = Line::default();
        for part in &self.parts {
            match part {
                Part::Text(text) => {
                    push_lines(&mut made, text, indent, eol);
                    own.read(text);
                }
                Part::Variable { name, kind } => {
                    let indent = indent + own.indent;
                    match kind {
                        Kind::Transformed => {
                            let bytes = env.get_transformed(name).map(Vec::as_slice);
                            let text = String::from_utf8_lossy(bytes.unwrap_or_default());
                            push_lines(&mut made, &text, indent, eol);
                        }
                        Kind::One | Kind::Many => {
                            if let Some((range, root)) = captured(found, name, *kind) {
                                push_capture(&mut made, text, range, root, indent);
                            }
                        }
                    }
                    own.is_blank = false;
                }
            }
        }
        made
    }
}

impl Replacer<StrDoc<Lang>> for Template {
    fn generate_replacement(&self, found: &Found) -> Vec<u8> {
        self.fill(found).into_bytes()
    }
}

/// A variable's name at the start of a text; empty when there is none.
fn name_of(text: &str) -> &str {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let starts_well = !text.starts_with(|c: char| c.is_ascii_digit());
    if starts_well { &text[..end] } else { "" }
}

/// Where in the file a variable's nodes are, and the root of its tree.
fn captured<'tree>(
    found: &Found<'tree>,
    name: &str,
    kind: Kind,
) -> Option<(Range<usize>, Node<'tree>)> {
    let env = found.get_env();
    let root = found.get_doc().tree.root_node();
    if kind == Kind::One {
        return Some((env.get_match(name)?.range(), root));
    }
    let nodes = env.get_multiple_matches(name);
    let (first, last) = (nodes.first()?, nodes.last()?);
    Some((first.range().start..last.range().end, root))
}

/// How far a line is indented while nothing but spaces was on it.
struct Line {
    indent: usize,
    is_blank: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            indent: 0,
            is_blank: true,
        }
    }
}

impl Line {
    fn read(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '\n' => *self = Self::default(),
                ' ' if self.is_blank => self.indent += 1,
                _ => self.is_blank = false,
            }
        }
    }
}

/// In a longer line, of minified code, indentation means nothing. Bytes.
const LINE_BYTES: usize = 1_000;

/// The spaces at the start of the line with this byte offset.
fn indent_at(text: &str, at: usize) -> usize {
    let mut line = Line::default();
    let near = at.saturating_sub(LINE_BYTES);
    let start = match memchr::memrchr(b'\n', &text.as_bytes()[near..at]) {
        Some(end) => near + end + 1,
        None if near == 0 => 0,
        None => return 0,
    };
    line.read(&text[start..at]);
    line.indent
}

/// Text that is not from the file: its further lines are indented.
fn push_lines(made: &mut String, text: &str, indent: usize, eol: &str) {
    for (n, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if n > 0 {
            made.push_str(eol);
            if !line.is_empty() {
                made.extend(std::iter::repeat_n(' ', indent));
            }
        }
        made.push_str(line);
    }
}

/// A part of the file, whose first line is to be indented by `indent`: its further lines are moved as far as that one.
fn push_capture(made: &mut String, text: &str, range: Range<usize>, root: Node, indent: usize) {
    let start = range.start;
    let was = indent_at(text, start);
    let mut at = start;
    for line in text[range].split_inclusive('\n') {
        let is_first = at == start;
        if is_first || was == indent || line.trim().is_empty() || is_quoted(root, at) {
            made.push_str(line);
        } else if was < indent {
            made.extend(std::iter::repeat_n(' ', indent - was));
            made.push_str(line);
        } else {
            let spaces = line.bytes().take_while(|b| *b == b' ').count();
            made.push_str(&line[spaces.min(was - indent)..]);
        }
        at += line.len();
    }
}

/// Whether a byte offset is inside of a string, a comment or another token that began before it.
fn is_quoted(root: Node, at: usize) -> bool {
    let mut node = root.descendant_for_byte_range(at, at);
    while let Some(around) = node {
        let kind = around.kind();
        if around.start_byte() < at {
            if kind.contains("substitution") || kind.contains("interpolation") {
                return false;
            }
            let is_text = ["string", "comment", "heredoc"];
            if around.child_count() == 0 || is_text.iter().any(|word| kind.contains(word)) {
                return true;
            }
        }
        node = around.parent();
    }
    false
}
