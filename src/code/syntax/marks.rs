//! Where in a text definitions can be, by the words and signs that they are written with. Most of a tree is statements and
//! expressions without one of them, and need not be walked through to find what it defines.

use super::kinds::Kinds;
use super::language::Lang;
use super::steps::Next;
use super::walk::Starts;
use ast_grep_core::tree_sitter::TSLanguage;

/// How definitions are written in a language.
#[derive(Default)]
struct Written {
    /// Each definition, or all that it is in, has one of these words, or a sign: `{` or `=>`.
    words: &'static [&'static str],
    has_signs: bool,
    /// But for those directly in nodes of these kinds.
    holders: &'static [&'static str],
    /// In nodes of these kinds `=>` is part of a type, and defines nothing.
    types: &'static [&'static str],
    /// Nodes of these kinds have so many of the words and signs themselves; [`NOTHING`] holds definitions.
    own: &'static [(&'static str, usize)],
    /// Nodes of these kinds have many parts, each definition among them with a word or sign.
    lists: &'static [&'static str],
}

/// More words and signs than a text has.
const NOTHING: usize = usize::MAX;

/// For the languages whose files are mostly long; what a test holds against the queries.
fn written(lang: Lang) -> Option<Written> {
    Some(match lang {
        Lang::JavaScript | Lang::Tsx | Lang::TypeScript => Written {
            words: &[
                "abstract",
                "class",
                "const",
                "export",
                "function",
                "interface",
                "let",
                "module",
                "namespace",
                "type",
                "var",
            ],
            has_signs: true,
            types: &[
                "function_type",
                "type_annotation",
                "type_arguments",
                "type_parameters",
            ],
            own: &[
                ("enum_declaration", 1),
                ("export_statement", 1),
                ("function_declaration", 2),
                ("function_signature", 1),
                ("lexical_declaration", 1),
                ("method_definition", 1),
                ("type_alias_declaration", 1),
                ("variable_declaration", 1),
            ],
            lists: &["arguments", "array", "object", "program", "statement_block"],
            ..Written::default()
        },
        Lang::Python => Written {
            words: &["class", "def"],
            own: &[
                ("class_definition", 1),
                ("expression_statement", NOTHING),
                ("function_definition", 1),
                ("return_statement", NOTHING),
            ],
            lists: &["block", "module"],
            ..Written::default()
        },
        Lang::Rust => Written {
            words: &[
                "const",
                "enum",
                "fn",
                "impl",
                "macro_rules",
                "mod",
                "static",
                "struct",
                "trait",
                "type",
                "union",
            ],
            holders: &[
                "enum_variant",
                "enum_variant_list",
                "field_declaration_list",
            ],
            own: &[
                ("const_item", 1),
                ("function_item", 1),
                ("function_signature_item", 1),
                ("macro_definition", NOTHING),
                ("static_item", 1),
                ("token_tree", NOTHING),
                ("type_item", 1),
                ("use_declaration", NOTHING),
            ],
            lists: &[
                "arguments",
                "array_expression",
                "block",
                "declaration_list",
                "source_file",
            ],
            ..Written::default()
        },
        _ => return None,
    })
}

/// The same, by the numbers of the language's grammar.
pub struct Writing {
    written: Written,
    /// By byte.
    classes: [Class; 256],
    holders: Kinds,
    types: Kinds,
    lists: Kinds,
    /// By kind; 0 behind the last.
    own: Vec<usize>,
}

/// What a byte may be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Class {
    Other,
    Brace,
    Equals,
    /// Of a word, as what follows.
    Word,
    /// Some of the words begin with it.
    First,
}

impl Writing {
    /// None for a language of which it is not known how its definitions are written.
    #[must_use]
    pub fn of(lang: Lang, grammar: &TSLanguage) -> Option<Self> {
        let written = written(lang)?;
        // 0 stands for a kind that the grammar has not
        let id = |name: &str| match grammar.id_for_node_kind(name, true) {
            0 => None,
            id => Some(usize::from(id)),
        };
        let kinds = |names: &[&str]| names.iter().filter_map(|name| id(name)).collect();
        let mut own = Vec::new();
        for (name, marks) in written.own {
            let Some(kind) = id(name) else { continue };
            own.resize(own.len().max(kind + 1), 0);
            own[kind] = *marks;
        }
        let mut classes = [Class::Other; 256];
        for (class, byte) in classes.iter_mut().zip(0..=u8::MAX) {
            let begins = |word: &&str| word.as_bytes()[0] == byte;
            if is_of_word(byte) {
                *class = if written.words.iter().any(begins) {
                    Class::First
                } else {
                    Class::Word
                };
            }
        }
        if written.has_signs {
            classes[usize::from(b'{')] = Class::Brace;
            classes[usize::from(b'=')] = Class::Equals;
        }
        Some(Self {
            holders: kinds(written.holders),
            types: kinds(written.types),
            lists: kinds(written.lists),
            own,
            classes,
            written,
        })
    }

    /// The kinds of nodes that may hold definitions without a mark.
    #[must_use]
    pub fn holders(&self) -> &Kinds {
        &self.holders
    }

    fn class(&self, byte: u8) -> Class {
        self.classes[usize::from(byte)]
    }

    /// Those of words and `{`, and those of `=>`.
    fn starts(&self, text: &[u8]) -> (Starts, Starts) {
        let (mut starts, mut arrows) = (Starts::default(), Starts::default());
        let mut rest = text;
        while let [byte, behind @ ..] = rest {
            let class = self.class(*byte);
            if class < Class::Word {
                let at = text.len() - rest.len();
                match class {
                    Class::Brace => starts.push(at),
                    Class::Equals if behind.first() == Some(&b'>') => arrows.push(at),
                    _ => {}
                }
                rest = behind;
                continue;
            }
            let mut end = behind;
            while let [byte, further @ ..] = end
                && self.class(*byte) >= Class::Word
            {
                end = further;
            }
            if class == Class::First {
                let word = &rest[..rest.len() - end.len()];
                if self.written.words.iter().any(|it| it.as_bytes() == word) {
                    starts.push(text.len() - rest.len());
                }
            }
            rest = end;
        }
        (starts, arrows)
    }
}

/// The places of a text where a definition may be written, in order.
pub struct Marks<'a> {
    writing: &'a Writing,
    starts: Starts,
    /// Of `=>`.
    arrows: Starts,
}

impl<'a> Marks<'a> {
    #[must_use]
    pub fn of(writing: &'a Writing, text: &str) -> Self {
        let (starts, arrows) = writing.starts(text.as_bytes());
        Self {
            writing,
            starts,
            arrows,
        }
    }

    /// Whether a definition can be below a node of this kind and range of bytes. Nodes are asked about in the order of their
    /// starts, here and in [`Self::next_in`].
    pub fn may_hold(&mut self, kind: u16, start: usize, end: usize) -> bool {
        let Writing {
            holders,
            types,
            own,
            ..
        } = self.writing;
        if holders.contains(kind) {
            return true;
        }
        let own = own.get(usize::from(kind)).copied().unwrap_or(0);
        let Some(wanted) = own.checked_add(1) else {
            return false;
        };
        self.starts.pass(start);
        let found = self.starts.until(end, wanted);
        if found == wanted || types.contains(kind) {
            return found == wanted;
        }
        self.arrows.pass(start);
        found + self.arrows.until(end, wanted - found) == wanted
    }

    /// The first part of a node of this kind, from `start` on, that has a mark or may be a definition without.
    pub fn next_in(&mut self, kind: u16, start: usize, end: usize) -> Next {
        self.starts.pass(start);
        self.arrows.pass(start);
        let marks = [self.starts.next(), self.arrows.next()];
        let first = marks.into_iter().flatten().min();
        let first = first.filter(|mark| *mark < end);
        if self.writing.lists.contains(kind) {
            first.map_or(Next::None, Next::Behind)
        } else {
            Next::BehindOrOfKind(first.unwrap_or(usize::MAX))
        }
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || !byte.is_ascii()
}

#[cfg(all(test, feature = "lang-rust", feature = "lang-typescript"))]
mod tests {
    use super::*;

    fn writing(lang: Lang) -> Writing {
        let grammar = lang.grammar().expect("linked");
        Writing::of(lang, &grammar).expect("known")
    }

    #[test]
    fn whole_words_and_signs_are_marks() {
        let marks = |lang, text: &str| {
            let (starts, arrows) = writing(lang).starts(text.as_bytes());
            let mut all: Vec<usize> = starts.into_iter().chain(arrows).collect();
            all.sort_unstable();
            all
        };
        assert_eq!(
            marks(Lang::Rust, "fn a() { b.fns(type_of, r#type) }"),
            [0, 26]
        );
        assert_eq!(
            marks(Lang::TypeScript, "a = (b) => { $let(let) }"),
            [8, 11, 18]
        );
        assert_eq!(marks(Lang::Rust, "éfn fn"), [5]);
    }

    #[test]
    fn a_node_holds_definitions_with_a_mark_or_by_its_kind() {
        let text = "struct A { b: u8 } call(1); enum B { C }";
        let writing = writing(Lang::Rust);
        let mut marks = Marks::of(&writing, text);
        let grammar = Lang::Rust.grammar().expect("linked");
        let list = grammar.id_for_node_kind("field_declaration_list", true);
        assert!(marks.may_hold(0, 0, text.len()));
        assert!(!marks.may_hold(0, 9, 18) && marks.may_hold(list, 9, 18));
        assert!(!marks.may_hold(0, 19, 27));
        assert!(marks.may_hold(0, 28, 40));
        assert!(!marks.may_hold(0, 35, 40));
    }

    #[test]
    fn an_arrow_in_a_type_is_no_definition() {
        let text = "a: (b) => c; d = () => e";
        let writing = writing(Lang::TypeScript);
        let mut marks = Marks::of(&writing, text);
        let grammar = Lang::TypeScript.grammar().expect("linked");
        let annotation = grammar.id_for_node_kind("type_annotation", true);
        assert!(marks.may_hold(0, 0, text.len()));
        assert!(!marks.may_hold(annotation, 1, 11));
        assert!(marks.may_hold(0, 1, 11) && marks.may_hold(0, 13, 24));
    }
}
