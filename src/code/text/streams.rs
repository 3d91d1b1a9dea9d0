//! Finds where a match may end, for patterns in which there is no text to look for: by bit streams, with a bit for each
//! byte of the text (R. Cameron et al., "Bitwise Data Parallelism in Regular Expression Matching", 2014). The regex
//! engine's automaton takes one byte after another.
//!
//! Each class of bytes is a stream. Markers, the places that the pattern's first parts may lead to, are another: a part
//! moves all markers at once, by a shift; repetition of a class by an addition, whose carry runs through the class's bytes.
//! What is found is wider than the pattern: places are bytes and not characters, what is around a match is not looked at,
//! and a group that is repeated may be anything.

use super::lanes::{LANES, Lanes, is_ascii};
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};
use std::cell::Cell;

/// Bytes of a word.
const WORD: usize = 64;
/// Words that an operation goes through at a time: all streams together stay in the processor's nearest cache.
const BLOCK: usize = 64;
/// And at first: the next candidate may be near. Words.
const FIRST: usize = 8;
/// With more operations the automaton is as fast.
const MAX_OPERATIONS: usize = 40;
/// A shorter match is nearly everywhere. Bytes.
const MIN_MATCH: usize = 2;
/// A run of more characters is looked for in parts.
const LONGEST_RUN: u32 = 32;
/// A candidate in fewer bytes than this costs more than it spares.
const SPARSE_BYTES: usize = 256;
/// What has been looked at before that is told. Bytes.
const TRIAL_BYTES: usize = 16 << 10;

/// A set of bytes; of those that are not ASCII all or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Set {
    /// By a byte's lower half: a bit for each upper half of those that are in the set.
    ascii: [u8; LANES],
    wide: bool,
}

impl Set {
    fn of_byte(byte: u8) -> Self {
        let mut set = Self::default();
        set.add(u32::from(byte), u32::from(byte));
        set
    }

    fn of_class(class: &Class) -> Self {
        let mut set = Self::default();
        match class {
            Class::Unicode(class) => {
                for range in class.iter() {
                    set.add(range.start().into(), range.end().into());
                }
            }
            Class::Bytes(class) => {
                for range in class.iter() {
                    set.add(range.start().into(), range.end().into());
                }
            }
        }
        set
    }

    fn of_line() -> Self {
        let mut set = Self::default();
        set.add(0, u32::from(b'\n') - 1);
        set.add(u32::from(b'\n') + 1, u32::MAX);
        set
    }

    fn add(&mut self, first: u32, last: u32) {
        self.wide |= last >= 0x80;
        for byte in first..=last.min(0x7F) {
            self.ascii[byte as usize & 15] |= 1 << (byte >> 4);
        }
    }

    /// Which of sixteen bytes are in the set.
    #[inline]
    fn bits(&self, bytes: Lanes) -> u16 {
        const UPPER: [u8; LANES] = [1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0];
        let row = Lanes::of(&self.ascii, 0).at(bytes.low_halves());
        let bit = Lanes::of(&UPPER, 0).at(bytes.high_halves());
        let ascii = !row.and(bit).equal(Lanes::all(0)).upper_bits();
        if self.wide {
            ascii | bytes.upper_bits()
        } else {
            ascii
        }
    }
}

/// A stream's number: that of the operation that makes it.
type Id = usize;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operation {
    /// The bytes of a set.
    Bytes(Set),
    /// All places.
    All,
    /// The places of one that are so many behind those of the other.
    Behind {
        one: Id,
        other: Id,
        by: u32,
    },
    Either(Id, Id),
    /// Widens a stream to where the bytes of a class lead from its places. With `only_wide` it is characters of several
    /// bytes that it is widened for: nothing is done where there are none.
    Through {
        markers: Id,
        class: Id,
        only_wide: bool,
    },
}

/// A pattern's operations.
#[derive(Clone, Debug, Default)]
struct Program {
    operations: Vec<Operation>,
    /// That of the places where a match may end.
    ends: Id,
}

impl Program {
    fn of(pattern: &Hir) -> Option<Self> {
        let mut program = Self::default();
        let start = program.stream(Operation::All);
        program.ends = program.follow(pattern, start)?;
        (program.operations.len() <= MAX_OPERATIONS).then_some(program)
    }

    /// The stream that an operation makes. One that is there is not made twice.
    fn stream(&mut self, operation: Operation) -> Id {
        let same = self.operations.iter().position(|made| *made == operation);
        same.filter(|_| !matches!(operation, Operation::Either(..)))
            .unwrap_or_else(|| {
                self.operations.push(operation);
                self.operations.len() - 1
            })
    }

    /// Where the pattern leads from the markers.
    fn follow(&mut self, pattern: &Hir, markers: Id) -> Option<Id> {
        if self.operations.len() > MAX_OPERATIONS {
            return None;
        }
        Some(match pattern.kind() {
            HirKind::Empty | HirKind::Look(_) => markers,
            HirKind::Literal(literal) => literal.0.iter().fold(markers, |markers, &byte| {
                self.run(&Set::of_byte(byte), false, 1, markers)
            }),
            HirKind::Class(class) => self.run(&Set::of_class(class), true, 1, markers),
            HirKind::Capture(capture) => self.follow(&capture.sub, markers)?,
            HirKind::Concat(parts) => {
                let mut parts = parts.iter();
                parts.try_fold(markers, |markers, part| self.follow(part, markers))?
            }
            HirKind::Alternation(ways) => {
                let mut either = None;
                for way in ways {
                    let end = self.follow(way, markers)?;
                    either = Some(
                        either.map_or(end, |either| self.stream(Operation::Either(either, end))),
                    );
                }
                either?
            }
            HirKind::Repetition(repetition) => self.repeat(repetition, markers)?,
        })
    }

    fn repeat(&mut self, repetition: &Repetition, markers: Id) -> Option<Id> {
        let Repetition { min, max, sub, .. } = repetition;
        if (*min, *max) == (0, Some(1)) {
            let end = self.follow(sub, markers)?;
            return Some(self.stream(Operation::Either(markers, end)));
        }
        let (end, set) = match sub.kind() {
            HirKind::Class(class) => {
                let set = Set::of_class(class);
                (self.run(&set, true, *min, markers), set)
            }
            HirKind::Literal(literal) if literal.0.len() == 1 => {
                let set = Set::of_byte(literal.0[0]);
                (self.run(&set, false, *min, markers), set)
            }
            _ => {
                let mut end = markers;
                for _ in 0..*min {
                    end = self.follow(sub, end)?;
                }
                (end, Set::of_line())
            }
        };
        if *max == Some(*min) {
            return Some(end);
        }
        // where others begin, too, is left as it is
        let end = self.stream(Operation::Either(end, end));
        Some(self.through(end, set, false))
    }

    fn through(&mut self, markers: Id, set: Set, only_wide: bool) -> Id {
        let class = self.stream(Operation::Bytes(set));
        self.operations.push(Operation::Through {
            markers,
            class,
            only_wide,
        });
        markers
    }

    /// Where so many characters, or bytes, of a set lead.
    fn run(&mut self, set: &Set, are_characters: bool, count: u32, mut markers: Id) -> Id {
        let mut left = count;
        while left > 0 {
            let part = left.min(LONGEST_RUN);
            let one = self.runs(set, part);
            self.operations.push(Operation::Behind {
                one,
                other: markers,
                by: part,
            });
            markers = self.operations.len() - 1;
            if set.wide && are_characters {
                self.through(markers, set.clone(), true);
            }
            left -= part;
        }
        markers
    }

    /// The places before which there are so many bytes of a set: half of them, half of them again, and what is left.
    fn runs(&mut self, set: &Set, count: u32) -> Id {
        if count == 1 {
            let one = self.stream(Operation::All);
            let other = self.stream(Operation::Bytes(set.clone()));
            return self.stream(Operation::Behind { one, other, by: 1 });
        }
        let half = self.runs(set, count / 2);
        let both = self.stream(Operation::Behind {
            one: half,
            other: half,
            by: count / 2,
        });
        if count.is_multiple_of(2) {
            return both;
        }
        let one = self.runs(set, 1);
        self.stream(Operation::Behind {
            one,
            other: both,
            by: 1,
        })
    }
}

/// A stream's part that is worked on.
#[derive(Clone)]
struct Stream {
    /// The first is the last of the part before.
    words: [u64; 1 + BLOCK],
    /// Any of them is not 0; if not, they were not written.
    any: bool,
    /// What an addition carries into the next part.
    carry: bool,
}

/// A pattern's streams.
#[derive(Clone, Default)]
struct Streams {
    parts: Vec<Stream>,
    /// Words of the part before.
    length: usize,
    /// There was a byte that is not ASCII in this part, and in the one before.
    wide: [bool; 2],
}

/// Finds candidates for one pattern.
pub struct Finder {
    program: Program,
    streams: Cell<Streams>,
    /// Bytes that were looked at, and candidates found.
    looked_at: Cell<usize>,
    found: Cell<usize>,
}

impl Finder {
    /// None where an automaton is likely to be as fast. No match of the pattern may have a line's end in it.
    #[must_use]
    pub fn new(pattern: &Hir) -> Option<Self> {
        let shortest = pattern.properties().minimum_len()?;
        if shortest < MIN_MATCH {
            return None;
        }
        let program = Program::of(pattern)?;
        let stream = Stream {
            words: [0; 1 + BLOCK],
            any: false,
            carry: false,
        };
        let streams = Streams {
            parts: vec![stream; program.operations.len()],
            ..Streams::default()
        };
        Some(Self {
            program,
            streams: Cell::new(streams),
            looked_at: Cell::new(0),
            found: Cell::new(0),
        })
    }

    /// Whether candidates were so few that it is worth to look for them.
    #[must_use]
    pub fn is_of_use(&self) -> bool {
        let looked_at = self.looked_at.get();
        looked_at < TRIAL_BYTES || self.found.get() < looked_at / SPARSE_BYTES
    }

    /// A place in the first line that may have a match, if there is one.
    #[must_use]
    pub fn find(&self, text: &[u8]) -> Option<usize> {
        let mut streams = self.streams.take();
        streams.begin();
        let (mut at, mut length) = (0, FIRST);
        let mut found = None;
        while found.is_none() && at <= text.len() {
            // a match may end where the text does: there is a place more than there are bytes
            length = length.min((text.len() - at) / WORD + 1);
            streams.advance(&self.program, text, at, length);
            found = streams.first(self.program.ends).map(|end| at + end);
            at += length * WORD;
            length = BLOCK;
        }
        self.streams.set(streams);
        let found = found.filter(|&end| end <= text.len());
        self.found
            .set(self.found.get() + usize::from(found.is_some()));
        self.looked_at
            .set(self.looked_at.get() + found.unwrap_or(text.len()));
        found.map(|end| end.saturating_sub(1))
    }
}

impl Streams {
    fn begin(&mut self) {
        for stream in &mut self.parts {
            stream.any = false;
            stream.carry = false;
        }
        (self.length, self.wide) = (0, [false; 2]);
    }

    /// The first place of a stream, in this part.
    fn first(&self, id: Id) -> Option<usize> {
        let stream = &self.parts[id];
        let mut words = stream.words[1..=self.length].iter();
        let word = words.position(|word| *word != 0).filter(|_| stream.any)?;
        Some(word * WORD + stream.words[1 + word].trailing_zeros() as usize)
    }

    /// Works out the next part of all streams: so many words of the text from `at` on.
    fn advance(&mut self, program: &Program, text: &[u8], at: usize, length: usize) {
        let bytes = &text[at..text.len().min(at + length * WORD)];
        self.wide = [!is_ascii(bytes), self.wide[0]];
        let is_wide = self.wide != [false; 2];
        for (id, operation) in program.operations.iter().enumerate() {
            if let Operation::Through {
                markers,
                class,
                only_wide,
            } = *operation
            {
                if is_wide || !only_wide || self.parts[markers].carry {
                    self.through(markers, class, length);
                }
                continue;
            }
            let (made, rest) = self.parts.split_at_mut(id);
            let into = &mut rest[0];
            into.words[0] = if into.any { into.words[self.length] } else { 0 };
            into.any = match operation {
                Operation::Bytes(set) => into.take_bytes(set, bytes, length),
                Operation::All => {
                    into.words[1..=length].fill(u64::MAX);
                    true
                }
                Operation::Behind { one, other, by } => {
                    into.take_behind(&made[*one], &made[*other], *by, length)
                }
                Operation::Either(one, other) => {
                    into.take_either(&made[*one], &made[*other], length)
                }
                Operation::Through { .. } => into.any,
            };
        }
        self.length = length;
    }

    /// Adds to the markers the places that bytes of the class lead to.
    fn through(&mut self, markers: Id, class: Id, length: usize) {
        let Ok([markers, class]) = self.parts.get_disjoint_mut([markers, class]) else {
            return;
        };
        if !markers.any && !markers.carry {
            return;
        }
        if !markers.any {
            markers.words[..=length].fill(0);
        }
        markers.any = true;
        let mut carry = u64::from(markers.carry);
        let none = [0; 1 + BLOCK];
        let class = if class.any { &class.words } else { &none };
        for (word, class) in markers.words[1..=length].iter_mut().zip(&class[1..]) {
            let (sum, over) = (*word & class).overflowing_add(*class);
            let (sum, more) = sum.overflowing_add(carry);
            carry = u64::from(over || more);
            *word |= sum ^ class;
        }
        markers.carry = carry != 0;
    }
}

impl Stream {
    fn take_bytes(&mut self, set: &Set, bytes: &[u8], length: usize) -> bool {
        let mut any = self.words[0];
        for (i, word) in self.words[1..=length].iter_mut().enumerate() {
            let from = i * WORD;
            let mut padded = [0; WORD];
            let bytes = if let Some(bytes) = bytes.get(from..from + WORD) {
                bytes
            } else {
                let rest = bytes.get(from..).unwrap_or_default();
                padded[..rest.len()].copy_from_slice(rest);
                &padded
            };
            let part = |i: usize| u64::from(set.bits(Lanes::of(bytes, i * LANES))) << (i * LANES);
            *word = part(0) | part(1) | part(2) | part(3);
            any |= *word;
        }
        any != 0
    }

    fn take_behind(&mut self, one: &Self, other: &Self, by: u32, length: usize) -> bool {
        if !one.any || !other.any {
            // what is not 0 in the part before is that part's
            return self.words[0] != 0 && {
                self.words[1..=length].fill(0);
                true
            };
        }
        let mut any = self.words[0];
        let words = self.words[1..=length].iter_mut().zip(&one.words[1..]);
        for ((word, one), other) in words.zip(other.words.windows(2)) {
            *word = one & (other[1] << by | other[0] >> (u64::BITS - by));
            any |= *word;
        }
        any != 0
    }

    fn take_either(&mut self, one: &Self, other: &Self, length: usize) -> bool {
        let (one, other) = match (one.any, other.any) {
            (true, true) => (one, other),
            (true, false) => (one, one),
            (false, true) => (other, other),
            (false, false) => {
                self.words[1..=length].fill(0);
                return self.words[0] != 0;
            }
        };
        for i in 1..=length {
            self.words[i] = one.words[i] | other.words[i];
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn finder(pattern: &str, fold: bool) -> Option<Finder> {
        let mut parser = regex_syntax::ParserBuilder::new()
            .case_insensitive(fold)
            .utf8(false)
            .build();
        Finder::new(&parser.parse(pattern).expect("a pattern"))
    }

    #[test]
    fn candidates_are_where_matches_end() {
        let find = |pattern: &str, text: &str| finder(pattern, false)?.find(text.as_bytes());
        let long = format!("{}abcde fghij", "x ".repeat(5000));
        for (pattern, text, place) in [
            (r"\w{5}\s+\w{5}", "abcd efgh abcde  fghij", Some(21)),
            (r"\w{5}\s+\w{5}", "abcde", None),
            (r"\w{5}\s+\w{5}", &long, Some(10_010)),
            (r"[ab]c?d", "bcxacd", Some(5)),
            (r"[ab]c?d", "bcxad", Some(4)),
            (r"(x|yz)\d", "y5 z5 yz5", Some(8)),
            (r"a-{2,3}b", "a-b a--b", Some(7)),
            (r"\w{5}!", "ab\u{E9}de!", Some(6)),
            (r"\w{40}", &"w".repeat(39), None),
            (r"\w{40}", &"w".repeat(40), Some(39)),
        ] {
            assert_eq!(find(pattern, text), place, "{pattern} {text}");
        }
        assert!(finder(r"\w", false).is_none(), "it is nearly everywhere");
        assert!(
            finder("(abcdefghijkl){10}", false).is_none(),
            "it is too long"
        );
    }

    #[test]
    fn frequent_candidates_are_not_looked_for() {
        let finder = finder(r"\w{2}!", false).expect("a finder");
        assert_eq!(finder.find(&vec![b'a'; 2 * TRIAL_BYTES]), None);
        assert!(finder.is_of_use());
        for _ in 0..2 * TRIAL_BYTES / 100 {
            assert_eq!(finder.find(b"aa! aa!"), Some(2));
        }
        assert!(!finder.is_of_use());
    }

    proptest! {
        /// Whatever matches is found, in its line or before.
        #[test]
        fn nothing_that_matches_is_ruled_out(
            text in "[a-cA k\u{212A}\u{E9}\u{4E2D}\n]{0,90}",
            before in 0_usize..1100,
            pattern in "([a-c]|\\\\w|\\\\w\\{[1-6]\\}|\\\\W\\+|[ab]\\{2,4\\}|\\.\\*|a\\?|\\(ab\\|c\\+\\|\\[\\^a\\]k\\)[+*?]?|\\\\b|\\[\\^k\\]\\{3\\}){1,5}",
            fold in any::<bool>(),
        ) {
            let text = [" ".repeat(before), text].concat();
            let regex = regex::bytes::RegexBuilder::new(&pattern).case_insensitive(fold).build();
            if let (Ok(regex), Some(finder)) = (regex, finder(&pattern, fold)) {
                let mut from = 0;
                for line in text.split_inclusive('\n') {
                    if regex.is_match(line.trim_end_matches('\n').as_bytes()) {
                        let place = finder.find(&text.as_bytes()[from..]);
                        let is_near = place.is_some_and(|place| place <= line.len());
                        prop_assert!(is_near, "{pattern} {place:?} {line:?}");
                    }
                    from += line.len();
                }
            }
        }
    }
}
