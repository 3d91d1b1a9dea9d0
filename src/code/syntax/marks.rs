//! Where in a text definitions can be, by the words and signs that they are written with. Most of a tree is statements and
//! expressions without one of them, and need not be walked through to find what it defines.

use super::kinds::Kinds;
use super::language::Lang;

/// How definitions are written in a language.
struct Written {
    /// Each definition, or all that it is in, has one of these words, or a sign: `{` or `=>`.
    words: &'static [&'static str],
    has_signs: bool,
    /// But for those directly in nodes of these kinds.
    holders: &'static [&'static str],
    /// In nodes of these kinds `=>` is part of a type, and defines nothing.
    types: &'static [&'static str],
}

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
            holders: &[],
            types: &[
                "function_type",
                "type_annotation",
                "type_arguments",
                "type_parameters",
            ],
        },
        Lang::Python => Written {
            words: &["class", "def"],
            has_signs: false,
            holders: &[],
            types: &[],
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
            has_signs: false,
            holders: &[
                "enum_variant",
                "enum_variant_list",
                "field_declaration_list",
            ],
            types: &[],
        },
        _ => return None,
    })
}

/// The places of a text where a definition may be written, in order.
pub struct Marks {
    starts: Starts,
    /// Of `=>`.
    arrows: Starts,
    holders: Kinds,
    types: Kinds,
}

/// Byte offsets, in order.
#[derive(Default)]
struct Starts {
    all: Vec<usize>,
    /// Those before it were passed.
    next: usize,
}

impl Starts {
    /// Whether one is in a range, which begins where the last one did or behind that.
    fn any_in(&mut self, start: usize, end: usize) -> bool {
        while self.all.get(self.next).is_some_and(|mark| *mark < start) {
            self.next += 1;
        }
        self.all.get(self.next).is_some_and(|mark| *mark < end)
    }
}

impl Marks {
    /// None for a language of which it is not known how its definitions are written.
    #[must_use]
    pub fn of(lang: Lang, text: &str) -> Option<Self> {
        let written = written(lang)?;
        let grammar = lang.grammar()?;
        let kinds = |names: &[&str]| {
            let ids = names
                .iter()
                .map(|kind| grammar.id_for_node_kind(kind, true));
            // 0 stands for one that the grammar has not
            ids.filter(|id| *id != 0).map(usize::from).collect()
        };
        let (starts, arrows) = starts(&written, text.as_bytes());
        Some(Self {
            starts,
            arrows,
            holders: kinds(written.holders),
            types: kinds(written.types),
        })
    }

    /// Whether a definition can be below a node of this kind and range of bytes. Nodes are asked about in the order of their
    /// starts.
    pub fn may_hold(&mut self, kind: u16, start: usize, end: usize) -> bool {
        let has_arrow = self.arrows.any_in(start, end);
        self.starts.any_in(start, end)
            || has_arrow && !self.types.contains(kind)
            || self.holders.contains(kind)
    }
}

/// Those of words and `{`, and those of `=>`.
fn starts(written: &Written, text: &[u8]) -> (Starts, Starts) {
    let letter = |byte: u8| 1_u32 << (byte.wrapping_sub(b'a') & 31);
    let first_letters = written
        .words
        .iter()
        .fold(0, |all, word| all | letter(word.as_bytes()[0]));
    let (mut starts, mut arrows) = (Starts::default(), Starts::default());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if !is_of_word(byte) {
            if written.has_signs && byte == b'{' {
                starts.all.push(at);
            } else if written.has_signs && byte == b'=' && text.get(at + 1) == Some(&b'>') {
                arrows.all.push(at);
            }
            at += 1;
            continue;
        }
        let rest = &text[at..];
        let length = rest
            .iter()
            .position(|byte| !is_of_word(*byte))
            .unwrap_or(rest.len());
        let is_word = |word: &&str| word.as_bytes() == &rest[..length];
        if byte.is_ascii_lowercase()
            && first_letters & letter(byte) != 0
            && written.words.iter().any(is_word)
        {
            starts.all.push(at);
        }
        at += length;
    }
    (starts, arrows)
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || !byte.is_ascii()
}

#[cfg(all(test, feature = "lang-rust", feature = "lang-typescript"))]
mod tests {
    use super::*;

    #[test]
    fn whole_words_and_signs_are_marks() {
        let marks = |lang, text| {
            let Marks { starts, arrows, .. } = Marks::of(lang, text).expect("known");
            let mut all = [starts.all, arrows.all].concat();
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
        assert!(Marks::of(Lang::Toml, "").is_none());
    }

    #[test]
    fn a_node_holds_definitions_with_a_mark_or_by_its_kind() {
        let text = "struct A { b: u8 } call(1); enum B { C }";
        let mut marks = Marks::of(Lang::Rust, text).expect("known");
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
        let mut marks = Marks::of(Lang::TypeScript, text).expect("known");
        let grammar = Lang::TypeScript.grammar().expect("linked");
        let annotation = grammar.id_for_node_kind("type_annotation", true);
        assert!(marks.may_hold(0, 0, text.len()));
        assert!(!marks.may_hold(annotation, 1, 11));
        assert!(marks.may_hold(0, 1, 11) && marks.may_hold(0, 13, 24));
    }
}
