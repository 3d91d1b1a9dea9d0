//! A pattern that is one text in one case, perhaps as a word: nothing has to be compiled for it, and what is found need not
//! be looked at again by an automaton.

use memchr::memmem::Finder;
use regex_syntax::hir::{Hir, HirKind};

/// Of a longer text it is the regex engine that says whether it is too long. Bytes.
const LONGEST: usize = 4096;

pub struct Literal {
    finder: Finder<'static>,
    /// No word goes on before or behind it.
    is_word: bool,
}

/// A place of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It matches.
    Match(usize),
    /// The characters around it are not ASCII: it may.
    Candidate(usize),
}

impl Literal {
    /// None when the pattern is something else.
    #[must_use]
    pub fn of(pattern: &Hir, is_word: bool) -> Option<Self> {
        match pattern.kind() {
            HirKind::Literal(text) if text.0.len() <= LONGEST => Some(Self {
                finder: Finder::new(&text.0).into_owned(),
                is_word,
            }),
            _ => None,
        }
    }

    /// Bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.finder.needle().len()
    }

    /// The first place from `from` on.
    #[must_use]
    pub fn find(&self, text: &[u8], mut from: usize) -> Option<Place> {
        loop {
            let at = from + self.finder.find(text.get(from..)?)?;
            match self.stands_alone(text, at) {
                Some(true) => return Some(Place::Match(at)),
                Some(false) => from = at + 1,
                None => return Some(Place::Candidate(at)),
            }
        }
    }

    /// None where a character beside it is not ASCII.
    fn stands_alone(&self, text: &[u8], at: usize) -> Option<bool> {
        if !self.is_word {
            return Some(true);
        }
        let before = text[..at].last();
        let beside = [before, text.get(at + self.length())];
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

#[cfg(test)]
mod tests {
    use super::super::pattern::Pattern;
    use super::super::query::Query;
    use grep_matcher::{LineMatchKind, Matcher};
    use proptest::prelude::*;

    fn query(pattern: &str, word: bool, ignore_case: bool) -> Query {
        let args =
            serde_json::json!({ "pattern": pattern, "word": word, "ignore_case": ignore_case });
        Query::parse(&args.to_string()).expect("a query")
    }

    proptest! {
        /// What is found is what the regex engine finds: of a pattern that is the same, and no text.
        #[test]
        fn the_engine_finds_the_same(
            text in "[ab_ \u{E9}\u{4E2D}-]{0,30}",
            pattern in "[ab_\u{E9}-]{1,3}",
            word in any::<bool>(),
        ) {
            let literal = Pattern::new(&query(&pattern, word, false)).expect("a pattern");
            let engine = Pattern::new(&query(&format!("(?:{pattern}|{pattern})x{{0}}"), word, false));
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
}
