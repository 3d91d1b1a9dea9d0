//! Finds where a match may be before the pattern's automaton looks, for alternatives and where case is ignored: the regex
//! engine's vector search for those does not exist for WebAssembly, and its automaton is several times slower.
//!
//! Several texts are found by Teddy (G. Langdale; as in `aho-corasick`'s `packed` module, which has it for x86 and ARM):
//! three bytes of each text that must be there are its fingerprint; two tables of sixteen bytes for each of the three say
//! by a byte's halves which texts it may belong to, and one instruction looks sixteen bytes up at a time. One text is
//! found by the two of its bytes that are rarest (as in `memchr`'s `packedpair`), in both cases; and one text in one case
//! by `memchr`, where the regex engine doesn't do that by itself.

use super::lanes::{LANES, Lanes};
use memchr::arch::all::packedpair::Pair;
use memchr::memmem::Finder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// With more texts than this too many places look like one of them.
const MAX_NEEDLES: usize = 16;
/// The bytes of a fingerprint; a shorter text has none.
const PRINT: usize = 3;
/// Vectors that are looked at together.
const TOGETHER: usize = 4;

/// Texts of which one is in every match.
#[derive(Clone, Debug)]
pub struct Prefilter {
    needles: Vec<Needle>,
    by: By,
}

#[derive(Clone, Debug)]
enum By {
    /// The only text, in one case.
    Finder(Box<Finder<'static>>),
    Pair([Rare; 2]),
    /// For each byte of a fingerprint: the buckets by its lower half, and by its upper half. A needle is in the bucket of
    /// its number, modulo 8.
    Prints([[[u8; LANES]; 2]; PRINT]),
}

/// A byte of the only text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rare {
    offset: usize,
    byte: u8,
    /// What makes a letter a small one.
    case: u8,
}

impl Rare {
    fn new(text: &[u8], offset: u8) -> Self {
        let offset = usize::from(offset);
        let byte = text[offset];
        let case = if byte.is_ascii_lowercase() { 0x20 } else { 0 };
        Self { offset, byte, case }
    }
}

/// A text to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Needle {
    /// In lower case if it is to be found in whatever case of ASCII letters.
    text: Vec<u8>,
    folds: bool,
    /// Where its fingerprint is; 0 for the only one.
    offset: usize,
}

impl Needle {
    fn new(Text { bytes, folds }: Text) -> Option<Self> {
        let text = if folds {
            bytes.to_ascii_lowercase()
        } else {
            bytes
        };
        // around its rarest byte, by memchr's ranks
        let rarest = usize::from(Pair::new(&text)?.index1());
        let offset = rarest.saturating_sub(1).min(text.len().checked_sub(PRINT)?);
        Some(Self {
            text,
            folds,
            offset,
        })
    }

    /// Whether the text is there whose fingerprint would be at this place.
    fn has_print_at(&self, text: &[u8], at: usize) -> bool {
        at.checked_sub(self.offset)
            .and_then(|start| text.get(start..start + self.text.len()))
            .is_some_and(|there| {
                there == self.text || self.folds && there.eq_ignore_ascii_case(&self.text)
            })
    }
}

impl Prefilter {
    /// For a pattern whose matches all have one of a few texts; none where that is not so, or for one text in one case
    /// where the regex engine has a vector search of its own.
    #[must_use]
    pub fn new(pattern: &Hir, engine_is_fast: bool) -> Option<Self> {
        let texts = texts_of(pattern)?;
        if let [text] = &*texts
            && !text.folds
        {
            return (!engine_is_fast).then(|| Self {
                needles: Vec::new(),
                by: By::Finder(Box::new(Finder::new(&text.bytes).into_owned())),
            });
        }
        let needles = texts
            .into_iter()
            .map(Needle::new)
            .collect::<Option<Vec<_>>>()?;
        Some(match &*needles {
            [Needle { text, .. }] => Self::in_both_cases(text)?,
            _ => Self {
                by: By::Prints(prints(&needles)),
                needles,
            },
        })
    }

    /// For one text, given in lower case, in both cases of ASCII letters: exact, where it begins. None for a short one.
    #[must_use]
    pub fn in_both_cases(lower: &[u8]) -> Option<Self> {
        if lower.len() < PRINT {
            return None;
        }
        let pair = Pair::new(lower)?;
        let text = lower.to_vec();
        Some(Self {
            by: By::Pair([pair.index1(), pair.index2()].map(|index| Rare::new(lower, index))),
            needles: vec![Needle {
                text,
                folds: true,
                offset: 0,
            }],
        })
    }

    /// Where the first of the texts is, more or less: on the line of the first match, or before.
    #[must_use]
    pub fn find(&self, text: &[u8]) -> Option<usize> {
        match &self.by {
            By::Finder(finder) => finder.find(text),
            By::Pair([one, two]) => {
                let [a, b] = [one, two].map(|rare| (Lanes::all(rare.case), Lanes::all(rare.byte)));
                let both = |at: usize| {
                    let one = Lanes::of(text, at + one.offset).or(a.0).equal(a.1);
                    let two = Lanes::of(text, at + two.offset).or(b.0).equal(b.1);
                    one.and(two)
                };
                self.scan(text, one.offset.max(two.offset), both, |_, found| found)
            }
            By::Prints(tables) => {
                let tables = tables.map(|halves| halves.map(|table| Lanes::of(&table, 0)));
                let looked_up = |at: usize, i: usize| {
                    let bytes = Lanes::of(text, at + i);
                    let [low, high] = tables[i];
                    low.at(bytes.low_halves()).and(high.at(bytes.high_halves()))
                };
                let two = |at: usize| looked_up(at, 0).and(looked_up(at, 1));
                self.scan(text, PRINT - 1, two, |at, found| {
                    found.and(looked_up(at, 2))
                })
            }
        }
    }

    /// The first place with one of the texts. `look` gives the buckets of what may be fingerprints at sixteen places, and
    /// `refine` of what are, where there are any; they look `reach` bytes further.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "the vectors stay in registers")]
    fn scan(
        &self,
        text: &[u8],
        reach: usize,
        look: impl Fn(usize) -> Lanes,
        refine: impl Fn(usize, Lanes) -> Lanes,
    ) -> Option<usize> {
        let is_room = |at: usize, vectors: usize| at + vectors * LANES + reach <= text.len();
        let first_of = |at: usize, found: Lanes| {
            let buckets = found.bytes().into_iter().enumerate();
            buckets
                .filter(|&(lane, buckets)| buckets != 0 && self.is_one_at(text, at + lane, buckets))
                .map(|(lane, _)| at + lane)
                .next()
        };
        let any = |[a, b, c, d]: [Lanes; TOGETHER]| a.or(b).or(c.or(d)).any();
        let mut at = 0;
        while is_room(at, TOGETHER) {
            let found: [Lanes; TOGETHER] = std::array::from_fn(|i| look(at + i * LANES));
            if any(found) {
                let found = std::array::from_fn(|i| refine(at + i * LANES, found[i]));
                if any(found) {
                    let mut places = found.into_iter().enumerate();
                    let place = places.find_map(|(i, found)| first_of(at + i * LANES, found));
                    if place.is_some() {
                        return place;
                    }
                }
            }
            at += TOGETHER * LANES;
        }
        while is_room(at, 1) {
            let found = refine(at, look(at));
            if found.any()
                && let Some(place) = first_of(at, found)
            {
                return Some(place);
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
}

fn prints(needles: &[Needle]) -> [[[u8; LANES]; 2]; PRINT] {
    let mut tables = [[[0; LANES]; 2]; PRINT];
    for (number, needle) in needles.iter().enumerate() {
        let bucket = 1 << (number % 8);
        let print = &needle.text[needle.offset..];
        for ([low, high], byte) in tables.iter_mut().zip(print) {
            let other = if needle.folds {
                byte.to_ascii_uppercase()
            } else {
                *byte
            };
            for byte in [*byte, other] {
                low[usize::from(byte & 15)] |= bucket;
                high[usize::from(byte >> 4)] |= bucket;
            }
        }
    }
    tables
}

/// A text that a match has.
#[derive(Clone, Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    /// In whatever case.
    folds: bool,
}

/// How long the shortest is of the texts that are looked for, if there are any. Bytes.
#[must_use]
pub fn shortest_text(pattern: &Hir) -> Option<usize> {
    texts_of(pattern)?.iter().map(|text| text.bytes.len()).min()
}

/// The texts of which each match has one.
fn texts_of(hir: &Hir) -> Option<Vec<Text>> {
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
            choices.into_iter().max_by_key(|texts| {
                let shortest = texts.iter().map(|text| text.bytes.len()).min();
                shortest.unwrap_or(0) / texts.len()
            })
        }
        HirKind::Empty | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

/// The longest text that neighbours make.
fn best_run(parts: &[Hir]) -> Option<Vec<Text>> {
    let mut runs = vec![Text::default()];
    for part in parts {
        match (part.kind(), letter_or_literal(part)) {
            (HirKind::Look(_), _) => {}
            (_, None) => runs.push(Text::default()),
            (_, Some(text)) => {
                if let Some(run) = runs.last_mut() {
                    run.bytes.extend(text.bytes);
                    run.folds |= text.folds;
                }
            }
        }
    }
    runs.into_iter()
        .filter(|run| run.bytes.len() >= PRINT)
        .max_by_key(|run| run.bytes.len())
        .map(|run| vec![run])
}

/// A literal, or the one letter of a class in both cases. A letter that also has a case outside of ASCII (k, s) is none.
fn letter_or_literal(hir: &Hir) -> Option<Text> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(Text {
            bytes: literal.0.to_vec(),
            folds: false,
        }),
        HirKind::Class(Class::Unicode(class)) => {
            let mut letters = class.iter().flat_map(|range| [range.start(), range.end()]);
            let first = letters.next()?.to_ascii_lowercase();
            let ranges = class.iter().all(|range| range.start() == range.end());
            (first.is_ascii()
                && ranges
                && letters.all(|letter| letter.to_ascii_lowercase() == first))
            .then(|| Text {
                bytes: vec![first as u8],
                folds: true,
            })
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
        let filter = Prefilter::new(&parse(pattern, fold), false)?;
        let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        if let By::Finder(finder) = &filter.by {
            return Some(vec![text(finder.needle())]);
        }
        Some(
            filter
                .needles
                .iter()
                .map(|needle| text(&needle.text))
                .collect(),
        )
    }

    #[test]
    fn each_match_has_one_of_the_texts() {
        let some = |list: &[&str]| Some(list.iter().map(|s| (*s).to_owned()).collect());
        assert_eq!(texts("Unsupported", true), some(&["upported"]));
        assert_eq!(
            texts("TODO|FIXME|XXX", false),
            some(&["TODO", "FIXME", "XXX"])
        );
        assert_eq!(texts("\\b(?:foo|bar)\\w+", false), some(&["foo", "bar"]));
        assert_eq!(
            texts("Foo|(?i:BaR)", false),
            some(&["Foo", "bar"]),
            "each in its own case"
        );
        assert_eq!(texts("[Nn]eedle", false), some(&["needle"]));
        assert_eq!(texts("\\w+Needle\\b", false), some(&["Needle"]));
        assert!(
            Prefilter::new(&parse("needle", false), true).is_none(),
            "the engine's own search is as good"
        );
        assert_eq!(texts("foo|\\w+", false), None);
        assert_eq!(texts("ks", true), None);
        assert_eq!(texts("\\w+", true), None);
    }

    proptest! {
        #[test]
        fn nothing_that_matches_is_ruled_out(
            text in "[a-eA-E kK\u{212A}\n]{0,400}",
            pattern in "([a-dk]{2,4}|\\(abc\\|cdk\\|eab\\)|\\(abc\\)\\+|a\\?|\\.){1,4}",
            fold in any::<bool>(),
        ) {
            let regex = regex::bytes::RegexBuilder::new(&pattern).case_insensitive(fold).build();
            if let (Ok(regex), Some(filter)) = (regex, Prefilter::new(&parse(&pattern, fold), false))
                && regex.is_match(text.as_bytes())
            {
                prop_assert!(filter.find(text.as_bytes()).is_some(), "{pattern}");
            }
        }
    }
}
