//! A pattern that is a text with a few plain parts around it, as those are that look for a definition (`fn \w+\(`): where
//! the text is, what is beside it says whether there is a match, and the regex engine need not look at the line. Nor has
//! it to be compiled.
//!
//! The parts are gone through once. That is right where none that may be longer or shorter could also take what the next
//! ones begin with: then there is one way only for them to match. Whether they do is all that is asked, so a part at the
//! end is as short as it may be. Characters that are not ASCII are left to the engine.

use super::super::limits::SHAPE_CHARS;
use super::literal::Place;
use super::parts::{Builder, Fit, Part, flatten, is_of_word};
use super::prefilter::shortest_text;
use memchr::memmem::Finder;
use regex_syntax::hir::{Hir, HirKind, Literal, Look};

pub struct Shape {
    /// Finds the text that each match has.
    finder: Finder<'static>,
    /// Of which one must be right before it, given from its end on; or none, when anything may be.
    before: Vec<Vec<Part>>,
    /// And right behind it.
    behind: Vec<Vec<Part>>,
    /// For each class whether a byte is a character of it.
    classes: Vec<[Fit; 256]>,
}

impl Shape {
    /// None when the pattern is something else, or the text says less than what the prefilter would look for.
    #[must_use]
    pub fn of(pattern: &Hir) -> Option<Self> {
        let mut parts = Vec::new();
        flatten(pattern, &mut parts);
        let texts = parts.iter().enumerate().filter_map(|(i, part)| {
            let HirKind::Literal(Literal(text)) = part.kind() else {
                return None;
            };
            // one byte again and again may be found at each place of a line
            let is_varied = text.iter().any(|byte| *byte != text[0]);
            is_varied.then_some((i, text))
        });
        let (place, text) = texts.max_by_key(|(_, text)| text.len())?;
        if shortest_text(pattern).is_some_and(|length| text.len() + 1 < length) {
            return None;
        }
        let mut builder = Builder::default();
        Some(Self {
            before: builder.ways(&parts[..place], true)?,
            behind: builder.ways(&parts[place + 1..], false)?,
            classes: builder.classes,
            finder: Finder::new(text).into_owned(),
        })
    }

    /// The first place that has a match around it, or may have.
    #[must_use]
    pub fn find(&self, text: &[u8]) -> Option<Place> {
        let length = self.finder.needle().len();
        let mut next = 0;
        loop {
            let at = next + self.finder.find(text.get(next..)?)?;
            let mut is_match = self.leads(&self.behind, text, at + length, false);
            if is_match != Some(false) {
                let before = self.leads(&self.before, text, at, true);
                is_match = if before == Some(true) {
                    is_match
                } else {
                    before
                };
            }
            match is_match {
                Some(true) => return Some(Place::Match(at)),
                None => return Some(Place::Candidate(at)),
                Some(false) => next = at + 1,
            }
        }
    }

    /// Whether one of the ways matches from a place on, or up to it. None where the engine has to say.
    fn leads(&self, ways: &[Vec<Part>], text: &[u8], at: usize, back: bool) -> Option<bool> {
        let mut any = Some(ways.is_empty());
        for way in ways {
            match self.goes(way, text, at, back) {
                Some(true) => return Some(true),
                Some(false) => {}
                None => any = None,
            }
        }
        any
    }

    fn goes(&self, way: &[Part], text: &[u8], mut at: usize, back: bool) -> Option<bool> {
        let (behind, step) = if back { (1, usize::MAX) } else { (0, 1) };
        let beside = |at: usize| text.get(at.wrapping_sub(behind)).copied();
        let beyond = |at: usize| at.wrapping_add(step);
        for part in way {
            let is_there = match part {
                Part::Byte(byte) => {
                    let is_there = beside(at) == Some(*byte);
                    if is_there {
                        at = beyond(at);
                    }
                    is_there
                }
                Part::Run(run) => {
                    let class = &self.classes[run.class];
                    let mut count = 0;
                    while count < run.max {
                        match beside(at).map_or(Fit::No, |byte| class[usize::from(byte)]) {
                            Fit::Yes => (count, at) = (count + 1, beyond(at)),
                            Fit::No => break,
                            Fit::Maybe => return None,
                        }
                        if count == SHAPE_CHARS {
                            return None;
                        }
                    }
                    count >= run.min
                }
                Part::Look(look) => holds(*look, text, at)?,
                Part::Group => return None,
            };
            if !is_there {
                return Some(false);
            }
        }
        Some(true)
    }
}

/// None beside characters that are not ASCII.
fn holds(look: Look, text: &[u8], at: usize) -> Option<bool> {
    let beside = [at.wrapping_sub(1), at].map(|at| text.get(at).copied());
    let [starts, ends] = beside.map(|byte| byte.is_none_or(|byte| byte == b'\n'));
    match look {
        Look::StartLF => return Some(starts),
        Look::EndLF => return Some(ends),
        _ if !beside.iter().flatten().all(u8::is_ascii) => return None,
        _ => {}
    }
    let [before, behind] = beside.map(|byte| byte.is_some_and(is_of_word));
    Some(match look {
        Look::WordAscii | Look::WordUnicode => before != behind,
        Look::WordAsciiNegate | Look::WordUnicodeNegate => before == behind,
        Look::WordStartAscii | Look::WordStartUnicode => !before && behind,
        Look::WordEndAscii | Look::WordEndUnicode => before && !behind,
        Look::WordStartHalfAscii | Look::WordStartHalfUnicode => !before,
        Look::WordEndHalfAscii | Look::WordEndHalfUnicode => !behind,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Pattern;
    use super::super::query::Query;
    use grep_matcher::Matcher;
    use proptest::prelude::*;

    fn compiled(pattern: &str, word: bool) -> Pattern {
        let args = serde_json::json!({ "pattern": pattern, "word": word, "mode": "count" });
        Pattern::new(&Query::parse(&args.to_string()).expect("a query")).expect("a pattern")
    }

    proptest! {
        /// What is found is what the regex engine finds line by line: of a pattern with another text, that is not there.
        #[test]
        fn the_engine_finds_the_same_lines(
            text in "((fn |fn|ab\\(n|n\u{E9})?[abn(_ \u{E9}]{0,3}[abn(_ \n]{0,2}(\r\n)?){0,12}",
            before in "((a|b|a\\\\w| |\\\\w|\\\\s|\\.|\u{E9}|\\[ab\\]|\\[\\^a \\]|\\\\W|\\[\u{E9}b\\]|\\(ab\\)|\\(a\\|bn\\|\\))(|\\*|\\+|\\?|\\{2\\})|\\^|\\\\b|\\\\B){0,2}",
            literal in "fn |fn|ab\\\\\\(n|n\u{E9}",
            behind in "((a|b|\\\\w\\+b|\\[ab\\]\\*a| |\\\\w|\\\\s|\\.|\\\\\\(|\u{E9}|\\[\\^\\(\\]|\\(\\\\w\\)|\\( \\?\\|b\\\\w\\*\\))(|\\*|\\+|\\+\\?|\\{1,2\\})|\\$|\\\\b|\\\\b\\{end\\}){0,3}",
            word in any::<bool>(),
        ) {
            let pattern = format!("{before}{literal}{behind}");
            let shape = compiled(&pattern, word);
            // of too few with a shape proptest complains
            prop_assume!(shape.has_shape());
            let engine = compiled(&format!("{pattern}|\u{10FFFF}"), word);
            prop_assert!(!engine.has_shape());
            prop_assert_eq!(found(&shape, &text), wanted(&engine, &text), "{} word {}", pattern, word);
        }
    }

    /// The ends of the lines that match, line by line.
    fn wanted(engine: &Pattern, text: &str) -> Vec<usize> {
        let (mut ends, mut end) = (Vec::new(), 0);
        for line in text.split_inclusive('\n') {
            end += line.len();
            let line = line.strip_suffix('\n').unwrap_or(line);
            if engine.is_match(line.as_bytes()).expect("no error") {
                ends.push(end);
            }
        }
        ends
    }

    fn found(pattern: &Pattern, text: &str) -> Vec<usize> {
        let mut ends = Vec::new();
        let is_done = pattern.each_line(text.as_bytes(), |line| {
            ends.push(line.end);
            true
        });
        assert!(is_done);
        ends
    }

    /// What earlier versions found otherwise.
    #[test]
    fn lines_that_were_missed() {
        let cases = [
            ("ab(n ", "ab\\(n( ?|b\\w*)\\b"),
            ("fnafn ", "fn\\b"),
            ("\u{E9}fn ", "^.fn"),
            ("n\u{E9}", "[ab]n\u{E9}"),
            ("afn ", "a\\w?fn"),
        ];
        for (text, pattern) in cases {
            let engine = compiled(&format!("{pattern}|\u{10FFFF}"), false);
            assert!(!engine.has_shape());
            assert_eq!(
                found(&compiled(pattern, false), text),
                wanted(&engine, text),
                "{pattern}"
            );
        }
    }

    /// In a line without end each place of the text may begin a match: it is not gone through again from each.
    #[test]
    fn a_long_line_is_gone_through_once() {
        let (count, text) = (300_000, "ab");
        let mut line = text.repeat(count);
        let shape = compiled("ab\\w+\\(", false);
        assert!(shape.has_shape());
        assert!(shape.each_line(line.as_bytes(), |_| false));
        line.push('(');
        let mut found = 0;
        shape.each_line(line.as_bytes(), |_| {
            found += 1;
            true
        });
        assert_eq!(found, 1);
    }

    #[test]
    fn shapes_are_told_from_other_patterns() {
        let shapes = "fn \\w+\\(;fn\\s+\\w+;class\\s+\\w+;def \\w+\\(self;TODO\\(\\w+\\);\\bfoo\\w*;^\\s*def \\w+;\
            (pub )?fn get_\\w+;(struct|enum|trait) Foo;fn (new|default)\\(;^import .*;needle\\b;[Nn]eedle;foo.*$";
        for pattern in shapes.split(';') {
            assert!(compiled(pattern, false).has_shape(), "{pattern}");
        }
        let others = "needle;impl .* for \\w+;(struct|enum) \\w+;foo|bar;\\w+;--\\w;f\\w+;foo\\w+o;foo(ab)*c;foo\\w{200};\
            (?i)unsupported: ;foo\\s+(?-u:\\w)x;foo\\w*\\s*\\b";
        for pattern in others.split(';') {
            assert!(!compiled(pattern, false).has_shape(), "{pattern}");
        }
        assert!(compiled("fn \\w+", true).has_shape());
        assert!(!compiled("fn .+", true).has_shape());
    }
}
