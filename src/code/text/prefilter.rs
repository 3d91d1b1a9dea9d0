//! Finds where a match may be before the pattern's automaton looks, for alternatives and where case is ignored: the regex
//! engine's vector search for those does not exist for WebAssembly, and its automaton is several times slower.
//!
//! This is Teddy (G. Langdale; as in `aho-corasick`'s `packed` module, which has it for x86 and ARM): three bytes of each text
//! that must be there are its fingerprint; two tables of sixteen bytes for each of the three say by a byte's halves which
//! texts it may belong to, and one instruction looks sixteen bytes up at a time.

use memchr::arch::all::packedpair::Pair;
use regex_syntax::hir::{Class, Hir, HirKind};

/// With more texts than this too many places look like one of them.
const MAX_NEEDLES: usize = 16;
/// The bytes of a fingerprint; a shorter text has none.
const PRINT: usize = 3;
/// Bytes of a vector.
const LANES: usize = 16;

/// Texts of which one is in every match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefilter {
    needles: Vec<Needle>,
    /// For each byte of a fingerprint: the buckets by its lower half, and by its upper half. A needle is in the bucket of
    /// its number, modulo 8.
    low: [[u8; LANES]; PRINT],
    high: [[u8; LANES]; PRINT],
}

/// A text in lower case, to be found without regard to the case of ASCII letters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Needle {
    text: Vec<u8>,
    /// Where its fingerprint is.
    offset: usize,
}

impl Needle {
    fn new(text: Vec<u8>) -> Option<Self> {
        // around its rarest byte, by memchr's ranks
        let rarest = usize::from(Pair::new(&text)?.index1());
        let offset = rarest.saturating_sub(1).min(text.len().checked_sub(PRINT)?);
        Some(Self { text, offset })
    }

    /// Whether the text is there whose fingerprint would be at this place.
    fn has_print_at(&self, text: &[u8], at: usize) -> bool {
        at.checked_sub(self.offset)
            .and_then(|start| text.get(start..start + self.text.len()))
            .is_some_and(|there| there.eq_ignore_ascii_case(&self.text))
    }
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
        let needles = texts
            .into_iter()
            .map(Needle::new)
            .collect::<Option<Vec<_>>>()?;
        let [mut low, mut high] = [[[0; LANES]; PRINT]; 2];
        for (number, needle) in needles.iter().enumerate() {
            let bucket = 1 << (number % 8);
            for (at, byte) in needle.text[needle.offset..].iter().take(PRINT).enumerate() {
                for byte in [*byte, byte.to_ascii_uppercase()] {
                    low[at][usize::from(byte & 15)] |= bucket;
                    high[at][usize::from(byte >> 4)] |= bucket;
                }
            }
        }
        Some(Self { needles, low, high })
    }

    /// Where the first of the texts is, more or less: on the line of the first match, or before.
    #[must_use]
    pub fn find(&self, text: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(chunk) = text[at..].first_chunk::<{ LANES + PRINT - 1 }>() {
            let buckets = self.buckets(chunk);
            if let Some(buckets) = buckets {
                for (lane, buckets) in buckets.into_iter().enumerate() {
                    if buckets != 0 && self.is_one_at(text, at + lane, buckets) {
                        return Some(at + lane);
                    }
                }
            }
            at += LANES;
        }
        (at..text.len()).find(|&at| self.is_one_at(text, at, u8::MAX))
    }

    fn is_one_at(&self, text: &[u8], at: usize, buckets: u8) -> bool {
        let mut needles = self.needles.iter().enumerate();
        needles.any(|(number, needle)| {
            buckets & (1 << (number % 8)) != 0 && needle.has_print_at(text, at)
        })
    }

    /// The buckets of the fingerprints at the first sixteen places; none when there is no bucket at all.
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    fn buckets(&self, chunk: &[u8; LANES + PRINT - 1]) -> Option<[u8; LANES]> {
        let mut buckets = [u8::MAX; LANES];
        for (lane, buckets) in buckets.iter_mut().enumerate() {
            for at in 0..PRINT {
                let byte = usize::from(chunk[lane + at]);
                *buckets &= self.low[at][byte & 15] & self.high[at][byte >> 4];
            }
        }
        (buckets != [0; LANES]).then_some(buckets)
    }

    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "the tables stay in registers")]
    fn buckets(&self, chunk: &[u8; LANES + PRINT - 1]) -> Option<[u8; LANES]> {
        use std::arch::wasm32::{
            u8x16_shr, u8x16_splat, u8x16_swizzle, v128, v128_and, v128_any_true, v128_load,
            v128_store,
        };
        #[allow(unsafe_code, reason = "the slice has the sixteen bytes")]
        fn load(bytes: &[u8]) -> v128 {
            assert!(bytes.len() >= LANES);
            unsafe { v128_load(bytes.as_ptr().cast()) }
        }
        let looked_up = |at: usize| {
            let bytes = load(&chunk[at..at + LANES]);
            let low = u8x16_swizzle(load(&self.low[at]), v128_and(bytes, u8x16_splat(15)));
            let high = u8x16_swizzle(load(&self.high[at]), u8x16_shr(bytes, 4));
            v128_and(low, high)
        };
        let found = v128_and(v128_and(looked_up(0), looked_up(1)), looked_up(2));
        if !v128_any_true(found) {
            return None;
        }
        let mut buckets = [0; LANES];
        #[allow(unsafe_code, reason = "the array has sixteen bytes")]
        unsafe {
            v128_store(buckets.as_mut_ptr().cast(), found);
        }
        Some(buckets)
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
        .filter(|run| run.len() >= PRINT)
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
