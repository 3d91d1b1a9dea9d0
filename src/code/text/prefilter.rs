//! Rules a text out before the pattern's automaton looks at it, for alternatives and where case is ignored: the regex
//! engine's vector search for those (Teddy) does not exist for WebAssembly, and its automaton is ten times slower.
//!
//! Of each text that must be there, two rare bytes are compared in 64 places at a time ("packed pair", as in `memchr`,
//! which does it for one text and with regard to case).

use memchr::arch::all::packedpair::Pair;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Places that are compared at a time.
const BLOCK: usize = 64;
/// With more texts than this the automaton is as fast.
const MAX_NEEDLES: usize = 16;
/// A shorter text is nearly everywhere. Bytes.
const MIN_LENGTH: usize = 3;

/// Texts of which one is in every match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefilter {
    needles: Vec<Needle>,
}

/// A text in lower case, to be found without regard to the case of ASCII letters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Needle {
    text: Vec<u8>,
    first: Probe,
    second: Probe,
}

/// A byte of a text: `byte` is at `offset` once `fold` is added to what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Probe {
    offset: usize,
    byte: u8,
    fold: u8,
}

impl Needle {
    fn new(text: Vec<u8>) -> Option<Self> {
        let pair = Pair::new(&text)?;
        let probe = |at: u8| {
            let byte = text[usize::from(at)];
            Probe {
                offset: at.into(),
                byte,
                fold: if byte.is_ascii_lowercase() { 0x20 } else { 0 },
            }
        };
        let (first, second) = (probe(pair.index1()), probe(pair.index2()));
        Some(Self {
            text,
            first,
            second,
        })
    }

    fn is_at(&self, text: &[u8], at: usize) -> bool {
        text.get(at..at + self.text.len())
            .is_some_and(|there| there.eq_ignore_ascii_case(&self.text))
    }

    /// Whether both probes hold somewhere in the block.
    fn probes(&self, text: &[u8], at: usize) -> bool {
        let window = |probe: Probe| text.get(at + probe.offset..)?.first_chunk::<BLOCK>();
        let (Some(a), Some(b)) = (window(self.first), window(self.second)) else {
            return true; // the text's end: looked at place by place
        };
        both_hold((a, self.first), (b, self.second))
    }
}

/// Whether both probes hold in one place.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
fn both_hold((a, first): (&[u8; BLOCK], Probe), (b, second): (&[u8; BLOCK], Probe)) -> bool {
    let holds = |at: u8, probe: Probe| at | probe.fold == probe.byte;
    a.iter()
        .zip(b)
        .any(|(a, b)| holds(*a, first) && holds(*b, second))
}

/// The same with vectors: the compiler doesn't make them of the loop above.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
fn both_hold((a, first): (&[u8; BLOCK], Probe), (b, second): (&[u8; BLOCK], Probe)) -> bool {
    use std::arch::wasm32::{
        u8x16_eq, u8x16_splat, v128, v128_and, v128_any_true, v128_load, v128_or,
    };
    #[allow(
        unsafe_code,
        reason = "loads the 16 bytes from `at` on, which the array has"
    )]
    fn load(bytes: &[u8; BLOCK], at: usize) -> v128 {
        assert!(at + 16 <= BLOCK);
        unsafe { v128_load(bytes.as_ptr().add(at).cast()) }
    }
    let holds = |bytes: &[u8; BLOCK], at: usize, probe: Probe| {
        let there = v128_or(load(bytes, at), u8x16_splat(probe.fold));
        u8x16_eq(there, u8x16_splat(probe.byte))
    };
    let in_lane = |at: usize| v128_and(holds(a, at, first), holds(b, at, second));
    let half = |at: usize| v128_or(in_lane(at), in_lane(at + 16));
    v128_any_true(v128_or(half(0), half(32)))
}

impl Prefilter {
    /// For a pattern whose matches all have one of a few texts; none where that is not so, or where the regex engine has a
    /// vector search of its own: for one text in one case.
    #[must_use]
    pub fn new(pattern: &Hir, ignores_case: bool) -> Option<Self> {
        let texts = texts_of(pattern)?;
        if texts.len() == 1 && !ignores_case {
            return None;
        }
        let needles = texts.into_iter().map(Needle::new).collect::<Option<_>>()?;
        Some(Self { needles })
    }

    /// Where the first of the texts is: before it no match can end.
    #[must_use]
    pub fn find(&self, text: &[u8]) -> Option<usize> {
        (0..text.len()).step_by(BLOCK).find_map(|at| {
            let found = self.needles.iter().filter_map(|needle| {
                let places = || (at..at + BLOCK).find(|&at| needle.is_at(text, at));
                needle.probes(text, at).then(places).flatten()
            });
            found.min()
        })
    }
}

/// The texts, in lower case, of which each match has one.
fn texts_of(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Capture(capture) => texts_of(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => texts_of(&repetition.sub),
        HirKind::Alternation(ways) => {
            let mut texts = Vec::new();
            for way in ways {
                texts.extend(texts_of(way)?);
                if texts.len() > MAX_NEEDLES {
                    return None;
                }
            }
            Some(texts)
        }
        HirKind::Literal(_) | HirKind::Class(_) => best_run(std::slice::from_ref(hir)),
        HirKind::Concat(parts) => {
            let inner = parts
                .iter()
                .filter(|part| letter_or_literal(part).is_none());
            let mut choices: Vec<_> = inner.filter_map(texts_of).collect();
            choices.extend(best_run(parts));
            choices
                .into_iter()
                .max_by_key(|texts| texts.iter().map(Vec::len).min().unwrap_or(0) / texts.len())
        }
        HirKind::Empty | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

/// The longest text that neighbours make.
fn best_run(parts: &[Hir]) -> Option<Vec<Vec<u8>>> {
    let mut runs = vec![Vec::new()];
    for part in parts {
        match (part.kind(), letter_or_literal(part)) {
            (HirKind::Look(_), _) => {}
            (_, None) => runs.push(Vec::new()),
            (_, Some(text)) => {
                if let Some(run) = runs.last_mut() {
                    run.extend(text);
                }
            }
        }
    }
    runs.into_iter()
        .filter(|run| run.len() >= MIN_LENGTH)
        .max_by_key(Vec::len)
        .map(|run| vec![run])
}

/// A literal in lower case, or the one letter of a class in both cases. A letter that also has a case outside of ASCII
/// (k, s) is none.
fn letter_or_literal(hir: &Hir) -> Option<Vec<u8>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(literal.0.to_ascii_lowercase()),
        HirKind::Class(Class::Unicode(class)) => {
            let mut letters = class.iter().flat_map(|range| [range.start(), range.end()]);
            let first = letters.next()?.to_ascii_lowercase();
            let ranges = class.iter().all(|range| range.start() == range.end());
            (first.is_ascii()
                && ranges
                && letters.all(|letter| letter.to_ascii_lowercase() == first))
            .then(|| vec![first as u8])
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(pattern: &str, fold: bool) -> Hir {
        regex_syntax::ParserBuilder::new()
            .case_insensitive(fold)
            .utf8(false)
            .build()
            .parse(pattern)
            .expect("a pattern")
    }

    fn texts(pattern: &str, fold: bool) -> Option<Vec<String>> {
        let filter = Prefilter::new(&parse(pattern, fold), fold)?;
        let text = |needle: Needle| String::from_utf8_lossy(&needle.text).into_owned();
        Some(filter.needles.into_iter().map(text).collect())
    }

    #[test]
    fn each_match_has_one_of_the_texts() {
        let some = |list: &[&str]| Some(list.iter().map(|s| (*s).to_owned()).collect());
        assert_eq!(texts("Unsupported", true), some(&["upported"]));
        assert_eq!(
            texts("TODO|FIXME|XXX", false),
            some(&["todo", "fixme", "xxx"])
        );
        assert_eq!(texts("\\b(?:foo|bar)\\w+", false), some(&["foo", "bar"]));
        assert_eq!(
            texts("needle", false),
            None,
            "the engine's own search is as good"
        );
        assert_eq!(texts("foo|\\w+", false), None);
        assert_eq!(texts("ks", true), None);
        assert_eq!(texts("\\w+", true), None);
    }

    proptest! {
        #[test]
        fn nothing_that_matches_is_ruled_out(
            text in "[a-eA-E kK\u{212A}\n]{0,200}",
            pattern in "([a-dk]{2,4}|\\(abc\\|cdk\\|eab\\)|\\(abc\\)\\+|a\\?|\\.){1,4}",
            fold in any::<bool>(),
        ) {
            let regex = regex::bytes::RegexBuilder::new(&pattern).case_insensitive(fold).build();
            if let (Ok(regex), Some(filter)) = (regex, Prefilter::new(&parse(&pattern, fold), fold))
                && regex.is_match(text.as_bytes())
            {
                prop_assert!(filter.find(text.as_bytes()).is_some(), "{pattern}");
            }
        }
    }
}
