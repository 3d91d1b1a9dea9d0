//! What a pattern is in a text that has ASCII characters only: the same, with less to compile and no word boundary that
//! needs a look at whole characters. `\w` has 770 ranges of characters, of which a text in a program's source mostly
//! needs four.

use regex_syntax::hir::{
    Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look,
};

/// The pattern for such texts; it matches there where the whole one does.
pub fn in_ascii(pattern: &Hir) -> Hir {
    let each = |parts: &[Hir]| parts.iter().map(in_ascii).collect();
    match pattern.kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Look(look) => Hir::look(look_in_ascii(*look)),
        HirKind::Literal(literal) if literal.0.is_ascii() => pattern.clone(),
        HirKind::Literal(_) => Hir::fail(),
        HirKind::Class(Class::Unicode(class)) => {
            let mut class = class.clone();
            class.intersect(&ClassUnicode::new([ClassUnicodeRange::new('\0', '\x7F')]));
            Hir::class(Class::Unicode(class))
        }
        HirKind::Class(Class::Bytes(class)) => {
            let mut class = class.clone();
            class.intersect(&ClassBytes::new([ClassBytesRange::new(0, 0x7F)]));
            Hir::class(Class::Bytes(class))
        }
        HirKind::Repetition(repetition) => {
            let mut repetition = repetition.clone();
            *repetition.sub = in_ascii(&repetition.sub);
            Hir::repetition(repetition)
        }
        HirKind::Capture(capture) => {
            let mut capture = capture.clone();
            *capture.sub = in_ascii(&capture.sub);
            Hir::capture(capture)
        }
        HirKind::Concat(parts) => Hir::concat(each(parts)),
        HirKind::Alternation(ways) => Hir::alternation(each(ways)),
    }
}

fn look_in_ascii(look: Look) -> Look {
    match look {
        Look::WordUnicode => Look::WordAscii,
        Look::WordUnicodeNegate => Look::WordAsciiNegate,
        Look::WordStartUnicode => Look::WordStartAscii,
        Look::WordEndUnicode => Look::WordEndAscii,
        Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
        Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex_automata::meta::Regex;

    proptest! {
        #[test]
        fn an_ascii_text_has_the_same_matches(
            text in "[a-cA k_\n.]{0,40}",
            pattern in "(([a-ckS]|\u{E9}|\\\\w|\\\\W|\\\\s|\\\\b|\\\\B|\\.|\\[\\^a\\]|\\[\u{E9}b\\]|\\(a\\|\u{E9}\\)|\\\\pL|\\^|\\$|\\\\b\\{start\\}|\\\\b\\{end-half\\})[*+?]?){1,6}",
            fold in any::<bool>(),
        ) {
            let mut parser = regex_syntax::ParserBuilder::new()
                .case_insensitive(fold)
                .multi_line(true)
                .utf8(false)
                .build();
            if let Ok(hir) = parser.parse(&pattern) {
                let matches = |hir: &Hir| {
                    let regex = Regex::builder().build_from_hir(hir).expect("it compiles");
                    let found = regex.find_iter(text.as_bytes());
                    found.map(|found| found.range()).collect::<Vec<_>>()
                };
                prop_assert_eq!(matches(&in_ascii(&hir)), matches(&hir), "{}", pattern);
            }
        }
    }
}
