//! A pattern that is one text, in one case or in both, perhaps as a word: nothing has to be compiled for it, and what is found
//! need not be looked at again by an automaton.

use super::prefilter::Prefilter;
use memchr::memmem::Finder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Of a longer text it is the regex engine that says whether it is too long. Bytes.
const LONGEST: usize = 4096;
/// Of a character that is an ASCII letter in another case. Bytes.
const WIDEST: usize = 3;

pub struct Literal {
    by: By,
    /// Bytes.
    pub length: usize,
    /// No word goes on before or behind it.
    is_word: bool,
}

enum By {
    Finder(Finder<'static>),
    /// In both cases of ASCII letters.
    Folded {
        lower: Vec<u8>,
        /// Finds a part of it that has no letter with other characters for cases, and where that is.
        prefilter: Prefilter,
        offset: usize,
        /// There are such letters in it.
        has_others: bool,
    },
}

/// A place of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It matches.
    Match(usize),
    /// The characters in or around it are not ASCII: it may.
    Candidate(usize),
}

impl Literal {
    /// None when the pattern is something else.
    #[must_use]
    pub fn of(pattern: &Hir, is_word: bool) -> Option<Self> {
        let (by, length) = match pattern.kind() {
            HirKind::Literal(text) => {
                let finder = Finder::new(&text.0).into_owned();
                (By::Finder(finder), text.0.len())
            }
            HirKind::Concat(parts) => {
                let lower = folded(parts)?;
                let length = lower.len();
                (By::folded(lower)?, length)
            }
            _ => return None,
        };
        (length <= LONGEST).then_some(Self {
            by,
            length,
            is_word,
        })
    }

    /// The first place from `from` on.
    #[must_use]
    pub fn find(&self, text: &[u8], from: usize) -> Option<Place> {
        let mut next = from;
        loop {
            let rest = text.get(next..)?;
            let (found, start) = match &self.by {
                By::Finder(finder) => {
                    let found = next + finder.find(rest)?;
                    (found, Some(found))
                }
                By::Folded {
                    lower,
                    prefilter,
                    offset,
                    has_others,
                } => {
                    let found = next + prefilter.find(rest)?;
                    let start = found.checked_sub(*offset).filter(|start| *start >= from);
                    let is_there = start
                        .and_then(|start| text.get(start..start + lower.len()))
                        .is_some_and(|there| there.eq_ignore_ascii_case(lower));
                    if !is_there && *has_others {
                        let first = found.saturating_sub(WIDEST * offset);
                        let last = text.len().min(found + WIDEST * lower.len());
                        if !text[first..last].is_ascii() {
                            return Some(Place::Candidate(found));
                        }
                    }
                    (found, start.filter(|_| is_there))
                }
            };
            if let Some(start) = start {
                match self.stands_alone(text, start) {
                    Some(true) => return Some(Place::Match(start)),
                    None => return Some(Place::Candidate(start)),
                    Some(false) => {}
                }
            }
            next = found + 1;
        }
    }

    /// None where a character beside it is not ASCII.
    fn stands_alone(&self, text: &[u8], at: usize) -> Option<bool> {
        if !self.is_word {
            return Some(true);
        }
        let before = text[..at].last();
        let beside = [before, text.get(at + self.length)];
        let mut beside = beside.into_iter().flatten();
        if beside
            .clone()
            .any(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        {
            return Some(false);
        }
        beside.all(u8::is_ascii).then_some(true)
    }
}

impl By {
    fn folded(lower: Vec<u8>) -> Option<Self> {
        let is_other = |byte: &u8| matches!(byte, b'k' | b's');
        let parts = lower.split(is_other);
        let longest = parts.max_by_key(|part| part.len())?;
        let offset = longest.as_ptr() as usize - lower.as_ptr() as usize;
        Some(Self::Folded {
            prefilter: Prefilter::in_both_cases(longest)?,
            offset,
            has_others: lower.iter().any(is_other),
            lower,
        })
    }
}

/// The text in lower case of which these parts are the characters, in both cases.
fn folded(parts: &[Hir]) -> Option<Vec<u8>> {
    let mut lower = Vec::new();
    for part in parts {
        match part.kind() {
            HirKind::Literal(text) if !text.0.iter().any(u8::is_ascii_alphabetic) => {
                lower.extend_from_slice(&text.0);
            }
            HirKind::Class(Class::Unicode(class)) => {
                let ranges = class.iter();
                let letters: Vec<(char, char)> = ranges.map(|r| (r.start(), r.end())).collect();
                let (&(upper, _), others) = letters.split_first()?;
                let wanted: &[char] = match upper {
                    'K' => &['k', '\u{212A}'],
                    'S' => &['s', '\u{17F}'],
                    'A'..='Z' => &[upper.to_ascii_lowercase()],
                    _ => return None,
                };
                let are_all = letters.iter().all(|(start, end)| start == end)
                    && others.iter().map(|(start, _)| start).eq(wanted);
                are_all.then(|| lower.push(upper.to_ascii_lowercase() as u8))?;
            }
            _ => return None,
        }
    }
    Some(lower)
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Pattern;
    use super::super::query::Query;
    use super::Literal;
    use grep_matcher::{LineMatchKind, Matcher};
    use proptest::prelude::*;

    fn query(pattern: &str, word: bool, ignore_case: bool) -> Query {
        let args =
            serde_json::json!({ "pattern": pattern, "word": word, "ignore_case": ignore_case });
        Query::parse(&args.to_string()).expect("a query")
    }

    proptest! {
        /// What is found is what the regex engine finds: of a pattern with another text, that is not there.
        #[test]
        fn the_engine_finds_the_same(
            text in "[abkscASK\u{17F}\u{212A}_ \u{E9}\u{C9}\u{4E2D}-]{0,40}",
            pattern in "[abksK_\u{E9}-]{1,5}",
            within in any::<bool>(),
            word in any::<bool>(),
            fold in any::<bool>(),
        ) {
            let text = if within { text.replace(' ', &pattern) } else { text };
            let literal = Pattern::new(&query(&pattern, word, fold)).expect("a pattern");
            let pattern = format!("{pattern}|\u{10FFFF}");
            let engine = Pattern::new(&query(&pattern, word, fold));
            let engine = engine.expect("a pattern");
            let bytes = text.as_bytes();
            for at in 0..=bytes.len() {
                let found = literal.find_at(bytes, at).expect("no error");
                prop_assert_eq!(found, engine.find_at(bytes, at).expect("no error"), "{} {}", pattern, at);
            }
            match literal.find_candidate_line(bytes).expect("no error") {
                Some(LineMatchKind::Confirmed(_)) => {
                    prop_assert!(engine.find_at(bytes, 0).expect("no error").is_some());
                }
                Some(LineMatchKind::Candidate(_)) => {}
                None => prop_assert_eq!(engine.find_at(bytes, 0).expect("no error"), None),
            }
        }
    }

    #[test]
    fn literals_are_told_from_other_patterns() {
        let is_one = |pattern: &str, fold: bool| {
            let mut parser = regex_syntax::ParserBuilder::new()
                .case_insensitive(fold)
                .build();
            Literal::of(&parser.parse(pattern).expect("a pattern"), false).is_some()
        };
        for (pattern, fold) in [
            ("needle", false),
            ("unsupported_2", true),
            ("\u{4E2D}abc", true),
        ] {
            assert!(is_one(pattern, fold), "{pattern}");
        }
        for (pattern, fold) in [
            ("need.e", false),
            ("[Nn]eedle", false),
            ("(?i:need)LE", false),
            ("asks", true),
            ("abc\u{E9}", true),
            ("[ab]cde", true),
        ] {
            assert!(!is_one(pattern, fold), "{pattern}");
        }
    }
}
