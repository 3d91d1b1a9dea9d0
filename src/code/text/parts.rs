//! The parts of a [`Shape`](super::shape::Shape): what a pattern has before or behind its text, if that can be gone through
//! once.

use regex_syntax::hir::{Class, Hir, HirKind, Literal, Look};

/// Before or behind the text, each a list of parts.
const MAX_WAYS: usize = 16;
/// So many characters are never too many for the engine, if it has to be asked after all: a class of them takes some 30 kB.
const MAX_CHARACTERS: u32 = 128;
/// The ASCII characters of words, a bit for each.
const OF_WORDS: u128 = of_words();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    No,
    Yes,
    /// It is a part of one that may be.
    Maybe,
}

#[derive(Clone, Copy)]
pub enum Part {
    Byte(u8),
    Run(Run),
    Look(Look),
    /// A group that may be there or not, perhaps more than once.
    Group,
}

/// Characters of a class.
#[derive(Clone, Copy)]
pub struct Run {
    /// The ASCII characters, a bit for each.
    ascii: u128,
    pub class: usize,
    pub min: u32,
    pub max: u32,
}

pub fn flatten<'a>(pattern: &'a Hir, into: &mut Vec<&'a Hir>) {
    match pattern.kind() {
        HirKind::Capture(capture) => flatten(&capture.sub, into),
        HirKind::Concat(parts) => parts.iter().for_each(|part| flatten(part, into)),
        _ => into.push(pattern),
    }
}

pub struct Builder {
    pub classes: Vec<[Fit; 256]>,
    /// Of so many characters the pattern may still ask.
    left: u32,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            classes: Vec::new(),
            left: MAX_CHARACTERS,
        }
    }
}

impl Builder {
    /// In how many ways these parts may go on from a text; none when they may be nothing.
    pub fn ways(&mut self, parts: &[&Hir], back: bool) -> Option<Vec<Vec<Part>>> {
        let mut ways = vec![Vec::new()];
        for part in parts {
            self.go_on(&mut ways, part)?;
        }
        for way in &mut ways {
            if back {
                way.reverse();
            }
            shorten(way);
            if way.is_empty() {
                return Some(Vec::new());
            }
            if !has_one_way(way, back) {
                return None;
            }
        }
        Some(ways)
    }

    /// Each of these ways goes on so.
    fn go_on(&mut self, ways: &mut Vec<Vec<Part>>, pattern: &Hir) -> Option<()> {
        match pattern.kind() {
            HirKind::Empty => {}
            HirKind::Look(look) => add(ways, Part::Look(*look)),
            HirKind::Literal(Literal(text)) => {
                for byte in text {
                    self.left = self.left.checked_sub(1)?;
                    add(ways, Part::Byte(*byte));
                }
            }
            HirKind::Class(_) => add(ways, self.run(pattern, 1, Some(1))?),
            HirKind::Repetition(repetition) => {
                let mut parts = Vec::new();
                flatten(&repetition.sub, &mut parts);
                let (min, max) = (repetition.min, repetition.max);
                if let [part] = *parts
                    && let Some(run) = self.run(part, min, max)
                {
                    add(ways, run);
                    return Some(());
                }
                let mut others = ways.clone();
                self.go_on(&mut others, &repetition.sub)?;
                match (min, max) {
                    (0, Some(1)) => ways.append(&mut others),
                    (0, None) => add(ways, Part::Group),
                    _ => return None,
                }
            }
            HirKind::Capture(capture) => self.go_on(ways, &capture.sub)?,
            HirKind::Concat(parts) => {
                for part in parts {
                    self.go_on(ways, part)?;
                }
            }
            HirKind::Alternation(all) => {
                let before = std::mem::take(ways);
                for way in all {
                    let mut others = before.clone();
                    self.go_on(&mut others, way)?;
                    ways.append(&mut others);
                }
            }
        }
        (ways.len() <= MAX_WAYS).then_some(())
    }

    /// None where it is not a class of characters.
    fn run(&mut self, pattern: &Hir, min: u32, max: Option<u32>) -> Option<Part> {
        let (mut ascii, mut fits) = (0, [Fit::No; 256]);
        let mut add = |first: u32, last: u32| {
            if last > 0x7F {
                fits[0x80..].fill(Fit::Maybe);
            }
            for byte in first..=last.min(0x7F) {
                ascii |= 1 << byte;
                fits[byte as usize] = Fit::Yes;
            }
        };
        match pattern.kind() {
            HirKind::Class(Class::Unicode(class)) => {
                let ranges = class.iter();
                ranges.for_each(|range| add(range.start().into(), range.end().into()));
            }
            HirKind::Literal(Literal(text)) if text.len() == 1 && text.is_ascii() => {
                add(text[0].into(), text[0].into());
            }
            _ => return None,
        }
        self.left = self.left.checked_sub(max.unwrap_or(min).max(1))?;
        self.classes.push(fits);
        Some(Part::Run(Run {
            ascii,
            class: self.classes.len() - 1,
            min,
            max: max.unwrap_or(u32::MAX),
        }))
    }
}

fn add(ways: &mut [Vec<Part>], part: Part) {
    for way in ways {
        way.push(part);
    }
}

/// Nothing is asked of what comes after the last part: it need not be longer than it must be.
fn shorten(way: &mut Vec<Part>) {
    while let Some(last) = way.last_mut() {
        match last {
            Part::Run(run) if run.min > 0 => {
                run.max = run.min;
                break;
            }
            Part::Byte(_) | Part::Look(_) => break,
            Part::Run(_) | Part::Group => _ = way.pop(),
        }
    }
}

/// Whether a part that may be longer or shorter always has to be as long as it can.
fn has_one_way(way: &[Part], back: bool) -> bool {
    way.iter().enumerate().all(|(i, part)| match part {
        Part::Group => false,
        Part::Run(run) if run.min < run.max => run.has_one_end(&way[i + 1..], back),
        _ => true,
    })
}

impl Run {
    /// Nothing that it could take comes next, up to what has to be there. Or only the end is looked at, and what is asked
    /// of it is true at no place between two of the characters, nor before the first.
    fn has_one_end(&self, next: &[Part], back: bool) -> bool {
        let mut is_last = true;
        for part in next {
            let (ascii, has_to_be) = match part {
                Part::Look(look) => {
                    is_last &= self.ends_at(*look, back);
                    continue;
                }
                Part::Byte(byte) => (1_u128.checked_shl((*byte).into()).unwrap_or(0), true),
                Part::Run(run) => (run.ascii, run.min > 0),
                Part::Group => return false,
            };
            if self.ascii & ascii != 0 || has_to_be {
                return self.ascii & ascii == 0;
            }
            is_last = false;
        }
        is_last
    }

    fn ends_at(&self, look: Look, back: bool) -> bool {
        let are_of_words = self.ascii & !OF_WORDS == 0;
        match (look, back) {
            (Look::EndLF, false) | (Look::StartLF, true) => true,
            (Look::WordEndHalfUnicode, false) | (Look::WordStartHalfUnicode, true) => are_of_words,
            (Look::WordUnicode, _) => self.min > 0 && (are_of_words || self.ascii & OF_WORDS == 0),
            _ => false,
        }
    }
}

pub const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

const fn of_words() -> u128 {
    let (mut all, mut byte) = (0, 0_u8);
    while byte < 0x80 {
        if is_of_word(byte) {
            all |= 1 << byte;
        }
        byte += 1;
    }
    all
}
