//! The tags queries: what a language's definitions and references look like, by the grammars' authors and by us (`tags/*.scm`)
//! for what those leave out.

use super::kinds::Kinds;
use super::language::Lang;
use super::marks::Writing;
use super::plain::Plains;
use ast_grep_core::tree_sitter::TSLanguage;
use std::collections::HashMap;
use std::rc::Rc;
use tree_sitter::Query;

/// What a capture means.
pub enum Role {
    Name,
    Definition(Rc<str>),
    Reference(Rc<str>),
    Other,
}

/// A compiled query.
pub struct Tags {
    /// Of the patterns that are not among the plain ones.
    pub query: Query,
    /// By that query's patterns: the number among all.
    pub order: Vec<usize>,
    /// By capture index.
    pub roles: Vec<Role>,
    /// The kinds of the nodes at which its patterns begin. When it is not known there are no plain ones.
    pub roots: Option<Kinds>,
    pub plain: Plains,
    /// How what it finds is written.
    pub writing: Option<Writing>,
    /// See [`AROUND`].
    pub around: Kinds,
}

/// Queries tag the innermost node that has the name; people read the statement around it.
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

/// The queries of the languages that were asked for.
#[derive(Default)]
pub struct Queries {
    by_lang: HashMap<(Lang, bool), Option<Rc<Tags>>>,
}

impl Queries {
    /// For what a file defines.
    pub fn definitions(&mut self, lang: Lang) -> Option<Rc<Tags>> {
        self.get(lang, false)
    }

    /// For what it defines and what it refers to.
    pub fn all(&mut self, lang: Lang) -> Option<Rc<Tags>> {
        self.get(lang, true)
    }

    fn get(&mut self, lang: Lang, with_references: bool) -> Option<Rc<Tags>> {
        let make = || {
            let grammar = lang.grammar()?;
            let text = query_text(lang, with_references);
            let mut tags = if with_references {
                compile(&grammar, &text, Plains::default())?
            } else {
                compile_apart(&grammar, &text)?
            };
            tags.writing = Writing::of(lang, &grammar);
            Some(Rc::new(tags))
        };
        let known = self.by_lang.entry((lang, with_references));
        known.or_insert_with(make).clone()
    }
}

/// As [`compile`], with what is plain apart: most patterns, but none when it is not known where the others begin.
fn compile_apart(grammar: &TSLanguage, text: &str) -> Option<Tags> {
    let mut plain = Plains::default();
    let (mut others, mut order) = (Vec::new(), Vec::new());
    for (number, pattern) in Elements(text).enumerate() {
        if !plain.add(grammar, pattern, number) {
            others.push(pattern);
            order.push(number);
        }
    }
    let tags = compile(grammar, &others.join("\n"), plain)?;
    match tags.roots {
        Some(_) => Some(Tags { order, ..tags }),
        None => compile(grammar, text, Plains::default()),
    }
}

fn compile(grammar: &TSLanguage, text: &str, plain: Plains) -> Option<Tags> {
    let query = Query::new(grammar, text).ok()?; // a test compiles each
    let roles = query
        .capture_names()
        .iter()
        .map(|name| match name.split_once('.') {
            _ if *name == "name" => Role::Name,
            Some(("definition", kind)) => Role::Definition(kind.into()),
            Some(("reference", kind)) => Role::Reference(kind.into()),
            _ => Role::Other,
        })
        .collect();
    let is_rooted = (0..query.pattern_count()).all(|pattern| query.is_pattern_rooted(pattern));
    let mut names = Vec::new();
    let are_known = Elements(text).all(|pattern| add_roots(pattern, &mut names));
    let kinds_of = |names: &[&str]| -> Vec<usize> {
        let kinds = names
            .iter()
            .map(|name| grammar.id_for_node_kind(name, true));
        // 0 stands for one that the grammar has not
        kinds.filter(|kind| *kind != 0).map(usize::from).collect()
    };
    let roots = kinds_of(&names);
    let are_all = roots.len() == names.len();
    Some(Tags {
        order: (0..query.pattern_count()).collect(),
        query,
        roles,
        plain,
        writing: None,
        roots: (is_rooted && are_known && are_all).then(|| roots.into_iter().collect()),
        around: kinds_of(AROUND).into_iter().collect(),
    })
}

/// Ours come first: of two patterns that tag the same name the first counts.
fn query_text(lang: Lang, with_references: bool) -> String {
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
            return chosen(
                &[
                    with!("lang-cpp", "cpp", tree_sitter_cpp::TAGS_QUERY),
                    with!("lang-cpp", "c"),
                ]
                .concat(),
                with_references,
            );
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
    chosen(texts, with_references)
}

/// The patterns that are wanted: those of references take time where there are many, and an outline has no use for them.
fn chosen(texts: &[&str], with_references: bool) -> String {
    let text = without_comments(&texts.join("\n"));
    let is_chosen = |pattern: &&str| {
        pattern.contains("@definition.") || with_references && pattern.contains("@reference.")
    };
    Elements(&text)
        .filter(is_chosen)
        .collect::<Vec<_>>()
        .join("\n")
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

/// The elements of a query or of a part of one, each with what is said of it behind it (captures, quantifiers).
pub(super) struct Elements<'a>(pub(super) &'a str);

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = skip_space(self.0);
        let first = token(text)?;
        let mut end = match first {
            "(" | "[" => closed(text),
            _ => first.len(),
        };
        loop {
            let behind = skip_space(&text[end..]);
            match token(behind) {
                Some(suffix) if suffix.starts_with(['@', '?', '*', '+']) => {
                    end = text.len() - behind.len() + suffix.len();
                }
                _ => break,
            }
        }
        self.0 = &text[end..];
        Some(&text[..end])
    }
}

/// The length of what the parenthesis or bracket at the start of `text` encloses, with both.
pub(super) fn closed(text: &str) -> usize {
    let mut depth = 0;
    let mut rest = text;
    while let Some(next) = token(rest) {
        rest = &rest[next.len()..];
        match next {
            "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        rest = skip_space(rest);
    }
    text.len() - rest.len()
}

fn skip_space(text: &str) -> &str {
    let mut text = text.trim_start();
    while text.starts_with(';') {
        text = text.find('\n').map_or("", |end| &text[end..]).trim_start();
    }
    text
}

/// A bracket, a string, or anything up to the next of these or a space.
pub(super) fn token(text: &str) -> Option<&str> {
    let first = text.chars().next()?;
    let length = match first {
        '(' | ')' | '[' | ']' => 1,
        '"' => {
            let mut is_escaped = false;
            let end = text[1..].find(|c| {
                let ends = c == '"' && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
                ends
            });
            end.map_or(text.len(), |end| end + 2)
        }
        _ => text
            .find(|c: char| c.is_whitespace() || "()[]\"".contains(c))
            .unwrap_or(text.len()),
    };
    Some(&text[..length])
}

/// Adds the kinds of the nodes at which a pattern begins. Gives false when it does not say which.
fn add_roots<'a>(pattern: &'a str, into: &mut Vec<&'a str>) -> bool {
    let within = skip_space(&pattern[1..]);
    match (token(pattern), token(within)) {
        (Some("["), _) => {
            let alternatives = &pattern[1..closed(pattern) - 1];
            Elements(alternatives).all(|alternative| add_roots(alternative, into))
        }
        // a group, of a pattern and predicates
        (Some("("), Some("(" | "[")) => add_roots(within, into),
        (Some("("), Some(kind)) if kind != "_" && kind.bytes().all(is_of_name) => {
            into.push(kind);
            true
        }
        _ => false,
    }
}

pub(super) fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_linked_language_has_queries_that_compile() {
        for lang in Lang::all().filter(|lang| lang.is_linked()) {
            let grammar = lang.grammar().expect("linked");
            for with_references in [false, true] {
                let text = query_text(lang, with_references);
                assert!(!text.is_empty(), "{}", lang.name());
                assert!(!text.contains("@doc"), "{}: {text}", lang.name());
                if let Err(error) = Query::new(&grammar, &text) {
                    panic!("{}: {error}", lang.name());
                }
            }
            let tags = Queries::default().definitions(lang).expect("query");
            assert!(tags.roots.is_some(), "{}", lang.name());
        }
    }

    #[test]
    fn the_roots_of_a_pattern_are_found() {
        let roots = |pattern| {
            let mut names = Vec::new();
            add_roots(pattern, &mut names).then_some(names)
        };
        assert_eq!(roots("(a (b) @name) @definition.x"), Some(vec!["a"]));
        assert_eq!(
            roots("( [(a name: (_) @name) ((b) (#eq? @name \")\"))] @x (#eq? @x \"(\"))"),
            Some(vec!["a", "b"])
        );
        assert_eq!(roots("(_ (b)) @x"), None);
        assert_eq!(roots("\"x\" @x"), None);
        let patterns: Vec<_> = Elements("(a) @x ; (b)\n[(c) (d)]* @y (e \")\\\"\")").collect();
        assert_eq!(patterns, ["(a) @x", "[(c) (d)]* @y", "(e \")\\\"\")"]);
    }
}
