//! The index of one file, and what a pattern needs of it (R. Cox, "Regular Expression Matching with a Trigram Index", 2012).
//! A file's pieces of three bytes and of four, ASCII letters in lower case, are a Bloom filter with one hash. Three have to
//! do for a short pattern; four say more: most files have all trigrams of a word that is put together from usual ones.
//! Some more pieces, which no text has, say that there are letters that fold to ASCII ones.
//! The filter's size is that of the text times [`INDEX_BITS_PER_BYTE`], rounded to a power of two; or of a long text the
//! count of distinct pieces times [`INDEX_BITS_PER_GRAM`].

use super::super::limits::{
    INDEX_BITS_PER_BYTE, INDEX_BITS_PER_GRAM, MAX_COLUMN_BITS, SECTION_BYTES,
};
use regex_syntax::hir::{Class, Hir, HirKind};

/// A file's pieces.
pub struct Grams(Box<[u64]>);

/// A piece, hashed.
pub type Gram = u32;

/// A piece of three bytes as a number of 24 bits.
fn three(last: u32) -> u32 {
    last & 0xFF_FFFF
}

/// One of four as another such number: those of texts are far apart, of three or four (a multiplier of `MurmurHash3`).
fn four(last: u32) -> u32 {
    last.wrapping_mul(0x85eb_ca6b) >> 8
}

/// In lower case no text has them; so many that few filters have them all by chance.
const FOLDING: std::ops::Range<u32> = 0x41_4100..0x41_4110;

fn hashed(piece: u32) -> Gram {
    // 2^32 divided by the golden ratio (Knuth's multiplicative hash)
    piece.wrapping_mul(0x9e37_79b1)
}

/// Calls with each piece of a text, letters in lower case, as a number of 24 bits.
fn each_piece(text: &[u8], mut call: impl FnMut(u32)) {
    let mut last = 0;
    for (i, byte) in text.iter().enumerate() {
        last = last << 8 | u32::from(byte.to_ascii_lowercase());
        if i >= 2 {
            call(three(last));
        }
        if i >= 3 {
            call(four(last));
        }
    }
}

/// Collects the distinct pieces of a text that comes in parts.
pub struct Distinct(Box<[u64]>);

impl Default for Distinct {
    fn default() -> Self {
        Self(vec![0; (1 << 24) / 64].into_boxed_slice())
    }
}

impl Distinct {
    /// A piece may begin in a part and end in the next: this has to begin with so many bytes of the part before.
    pub const OVERLAP: usize = 3;

    /// Takes a part in, and into a sketch of the section that it is in.
    pub fn add(&mut self, part: &[u8], sketch: &mut Sketch) {
        let mut add = |piece: u32| {
            self.0[piece as usize / 64] |= 1 << (piece % 64);
            set(&mut sketch.0, hashed(piece));
        };
        each_piece(part, &mut add);
        if has_folding_letters(part) {
            FOLDING.for_each(add);
        }
    }

    #[must_use]
    pub fn grams(&self) -> Grams {
        let count: usize = self.0.iter().map(|word| word.count_ones() as usize).sum();
        let mut bits = vec![0; count * INDEX_BITS_PER_GRAM / 64 + 1].into_boxed_slice();
        for (at, word) in self.0.iter().enumerate() {
            let mut left = *word;
            while left != 0 {
                let piece = at as u32 * 64 + left.trailing_zeros();
                set(&mut bits, hashed(piece));
                left &= left - 1;
            }
        }
        Grams(bits)
    }
}

/// Collects the pieces of a section: its filter is folded until two fifths of its bits are set.
pub struct Sketch(Box<[u64]>);

impl Default for Sketch {
    fn default() -> Self {
        Self(vec![0; SKETCH_BITS / 64].into_boxed_slice())
    }
}

/// Each byte of a text begins two pieces at most.
const SKETCH_BITS: usize = 2 * SECTION_BYTES as usize;

impl Sketch {
    /// What was collected; it begins anew.
    pub fn grams(&mut self) -> Grams {
        let mut bits = std::mem::take(self).0;
        while bits.len() > 1 {
            let halved = halved(&bits);
            let count: usize = halved.iter().map(|word| word.count_ones() as usize).sum();
            if count * 5 > halved.len() * 64 * 2 {
                break;
            }
            bits = halved;
        }
        Grams(bits)
    }
}

/// The filter of half the size: a piece's place in it is half of what it was.
fn halved(bits: &[u64]) -> Box<[u64]> {
    let pairs = |word: u64| {
        let mut any = (word | word >> 1) & 0x5555_5555_5555_5555;
        any = (any | any >> 1) & 0x3333_3333_3333_3333;
        any = (any | any >> 2) & 0x0F0F_0F0F_0F0F_0F0F;
        any = (any | any >> 4) & 0x00FF_00FF_00FF_00FF;
        any = (any | any >> 8) & 0x0000_FFFF_0000_FFFF;
        (any | any >> 16) & 0xFFFF_FFFF
    };
    let (words, _) = bits.as_chunks::<2>();
    let words = words.iter();
    words
        .map(|[low, high]| pairs(*low) | pairs(*high) << 32)
        .collect()
}

impl Grams {
    /// The index of a text, in columns; none of one that is too long for them, which is [`super::sections`]'s.
    #[must_use]
    pub fn of(text: &[u8]) -> Option<Self> {
        let wanted = (text.len() as f64 * INDEX_BITS_PER_BYTE) as usize;
        let rounded = rounded(wanted).max(64);
        if rounded > MAX_COLUMN_BITS {
            return None;
        }
        let mut bits = vec![0; rounded / 64].into_boxed_slice();
        each_piece(text, |piece| set(&mut bits, hashed(piece)));
        if has_folding_letters(text) {
            FOLDING.for_each(|piece| set(&mut bits, hashed(piece)));
        }
        Some(Self(bits))
    }

    fn has(&self, gram: Gram) -> bool {
        let (word, bit) = place(self.0.len(), gram);
        self.0[word] & bit != 0
    }

    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.len() * 8
    }

    /// Makes it half as long, if it is one that can be.
    pub fn fold(&mut self) {
        if self.0.len() > 1 && self.0.len().is_power_of_two() {
            self.0 = halved(&self.0);
        }
    }

    /// The filter itself.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.0
    }
}

/// The power of two that is nearest, by their ratio.
fn rounded(bits: usize) -> usize {
    let above = bits.next_power_of_two();
    if bits * bits * 2 < above * above {
        above / 2
    } else {
        above
    }
}

fn set(bits: &mut [u64], gram: Gram) {
    let (word, bit) = place(bits.len(), gram);
    bits[word] |= bit;
}

fn place(words: usize, gram: Gram) -> (usize, u64) {
    let bit = (u64::from(gram) * (words as u64 * 64)) >> 32;
    ((bit / 64) as usize, 1 << (bit % 64))
}

/// Whether the text has letters that match ASCII ones when case is ignored: the Kelvin sign and the long s.
fn has_folding_letters(text: &[u8]) -> bool {
    !text.is_ascii()
        && ["\u{212A}", "\u{17F}"]
            .iter()
            .any(|letter| memchr::memmem::find(text, letter.as_bytes()).is_some())
}

/// The pieces that a text must have for a pattern to match in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    Nothing,
    Gram(Gram),
    All(Vec<Need>),
    Any(Vec<Need>),
}

impl Need {
    /// What a pattern needs.
    #[must_use]
    pub fn of(pattern: &Hir) -> Self {
        let mut reader = Reader::default();
        reader.read(pattern);
        reader.end()
    }

    /// Whether a text with these pieces can match.
    #[must_use]
    pub fn is_met(&self, grams: &Grams) -> bool {
        match self {
            Self::Nothing => true,
            Self::Gram(gram) => grams.has(*gram),
            Self::All(needs) => needs.iter().all(|need| need.is_met(grams)),
            Self::Any(needs) => needs.iter().any(|need| need.is_met(grams)),
        }
    }
}

/// Reads a pattern from left to right: the bytes that follow each other for certain, and what else is needed.
#[derive(Default)]
struct Reader {
    run: Vec<u8>,
    needs: Vec<Need>,
    /// Letters that fold to ASCII ones do as well.
    folds: bool,
}

impl Reader {
    fn read(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => {
                let folded = literal.0.iter().map(u8::to_ascii_lowercase);
                self.run.extend(folded);
            }
            HirKind::Class(class) => match only_letter(class) {
                Some((letter, folds)) => {
                    self.run.push(letter);
                    self.folds |= folds;
                }
                None => self.cut(),
            },
            HirKind::Capture(capture) => self.read(&capture.sub),
            HirKind::Concat(parts) => {
                for part in parts {
                    self.read(part);
                }
            }
            HirKind::Repetition(repetition) => {
                self.cut();
                if repetition.min > 0 {
                    self.read(&repetition.sub);
                    self.cut();
                }
            }
            HirKind::Alternation(ways) => {
                self.cut();
                let ways: Vec<Need> = ways.iter().map(Need::of).collect();
                if !ways.contains(&Need::Nothing) {
                    self.needs.push(Need::Any(ways));
                }
            }
        }
    }

    /// What comes next need not follow at once.
    fn cut(&mut self) {
        let run = std::mem::take(&mut self.run);
        let number = |piece: &[u8]| {
            let bytes = piece.iter();
            bytes.fold(0, |last, &byte| last << 8 | u32::from(byte))
        };
        // first those that rule out more
        let fours = run.windows(4).map(|piece| four(number(piece)));
        let threes = run.windows(3).map(|piece| three(number(piece)));
        let pieces = fours.chain(threes).map(|piece| Need::Gram(hashed(piece)));
        self.needs.extend(pieces);
    }

    fn end(mut self) -> Need {
        self.cut();
        if self.needs.is_empty() {
            Need::Nothing
        } else if self.folds {
            let folding = FOLDING.map(|piece| Need::Gram(hashed(piece)));
            Need::Any(vec![Need::All(self.needs), Need::All(folding.collect())])
        } else {
            Need::All(self.needs)
        }
    }
}

/// The ASCII letter that all of a class fold to, and whether there are others than ASCII letters among them.
fn only_letter(class: &Class) -> Option<(u8, bool)> {
    let fold = |letter: u32| match letter {
        0x212A => Some(b'k'),
        0x17F => Some(b's'),
        ascii if ascii < 0x80 => Some((ascii as u8).to_ascii_lowercase()),
        _ => None,
    };
    let mut letters: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => class
            .iter()
            .map(|range| (u32::from(range.start()), u32::from(range.end())))
            .collect(),
        Class::Bytes(class) => class
            .iter()
            .map(|range| (u32::from(range.start()), u32::from(range.end())))
            .collect(),
    };
    let (first, _) = letters.first().copied()?;
    let letter = fold(first)?;
    let folds = letters.iter().any(|&(letter, _)| letter >= 0x80);
    letters.retain(|&(start, end)| start != end || fold(start) != Some(letter));
    letters.is_empty().then_some((letter, folds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex_syntax::ParserBuilder;

    fn need(pattern: &str, fold: bool) -> Need {
        let mut parser = ParserBuilder::new()
            .case_insensitive(fold)
            .utf8(false)
            .build();
        Need::of(&parser.parse(pattern).expect("a pattern"))
    }

    #[test]
    fn what_can_not_be_there_is_ruled_out() {
        let text = b"pub fn parse_header(input: &str) -> Header {\n    let skip = 1;\n}\n";
        let grams = Grams::of(text).expect("a short text");
        for (pattern, fold, met) in [
            ("parse_header", false, true),
            ("PARSE_HEADER", true, true),
            ("parse_footer", false, false),
            ("fn \\w+_header\\(", false, true),
            ("fn \\w+_trailer\\(", false, false),
            ("footer|header", false, true),
            ("footer|trailer", false, false),
            ("(?:foot|head)er", false, true),
            ("SKIP", true, true),
            ("footer?x*|", false, true),
            ("\\w{20}", false, true),
        ] {
            assert_eq!(need(pattern, fold).is_met(&grams), met, "{pattern}");
        }
    }

    proptest! {
        /// Whatever matches passes.
        #[test]
        fn nothing_that_matches_is_ruled_out(
            text in "[a-dA-D kK\u{212A}\n]{0,60}",
            pattern in "([a-dk]{1,4}|\\(ab\\|cd\\)|[ab]\\+|c\\?|\\\\b|\\.){1,5}",
            fold in any::<bool>(),
        ) {
            let regex = regex::bytes::RegexBuilder::new(&pattern).case_insensitive(fold).build();
            if let Ok(regex) = regex
                && regex.is_match(text.as_bytes())
            {
                let grams = Grams::of(text.as_bytes()).expect("a short text");
                prop_assert!(need(&pattern, fold).is_met(&grams), "{pattern}");
            }
        }
    }
}
