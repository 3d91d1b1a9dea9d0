//! The indexes of many files side by side: whether they have a piece is one row for 64 of them, so that a query looks at
//! some rows and not at each file's index in turn, which is elsewhere in memory. Files whose indexes are of one size
//! are together (B. Goodwin et al., "`BitFunnel`: Revisiting Signatures for Search", 2017). Where memory is short, those of
//! a size are folded: two rows become one, which half of the memory does for and lets some more files pass.

use super::super::limits::{MAX_COLUMN_BITS, MAX_FOLDS};
use super::grams::{Grams, Need};
use std::cell::Cell;

/// Files of a block: a bit of a row for each.
const BLOCK: u32 = u64::BITS;
const PLACE_BITS: u32 = 26;

/// Where a file's index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u32);

impl Slot {
    /// Not in columns.
    pub const NONE: Self = Self(u32::MAX);
    /// The file is a binary one: it needs no index.
    pub const BINARY: Self = Self(u32::MAX - 1);

    fn new(size: usize, place: u32) -> Self {
        Self((size as u32) << PLACE_BITS | place)
    }

    #[must_use]
    pub fn is_column(self) -> bool {
        self != Self::NONE && self != Self::BINARY
    }

    /// The binary logarithm of its bits, and its place among those of that size.
    fn parts(self) -> (usize, u32) {
        let size = self.0 >> PLACE_BITS;
        (size as usize, self.0 & ((1 << PLACE_BITS) - 1))
    }
}

/// Indexes of one size.
#[derive(Default)]
struct Shard {
    /// Each with a word for each bit of an index, or for two, or four: the number of folds is the binary logarithm.
    blocks: Vec<Box<[u64]>>,
    folds: u32,
    /// Places that were used.
    used: u32,
    /// Of these, those that are free again.
    free: Vec<u32>,
}

impl Shard {
    /// Bytes of its blocks.
    fn bytes(&self) -> usize {
        self.blocks.iter().map(|block| size_of_val(&**block)).sum()
    }

    fn fold(&mut self) {
        self.folds += 1;
        for block in &mut self.blocks {
            let mut rows = std::mem::take(block).into_vec();
            for i in 0..rows.len() / 2 {
                rows[i] = rows[2 * i] | rows[2 * i + 1];
            }
            rows.truncate(rows.len() / 2);
            *block = rows.into_boxed_slice();
        }
    }
}

/// The indexes, by the binary logarithm of their bits.
#[derive(Default)]
pub struct Columns {
    shards: Vec<Shard>,
}

impl Columns {
    /// Whether an index can be in columns, and by which size.
    fn size_of(grams: &Grams) -> Option<usize> {
        let bits = grams.words().len() * u64::BITS as usize;
        (bits.is_power_of_two() && bits <= MAX_COLUMN_BITS).then(|| bits.ilog2() as usize)
    }

    /// Bytes that taking it in takes.
    #[must_use]
    pub fn growth(&self, grams: &Grams) -> usize {
        let Some(size) = Self::size_of(grams) else {
            return 0;
        };
        let Some(shard) = self.shards.get(size) else {
            return size_of::<u64>() << size;
        };
        let is_full = shard.free.is_empty() && shard.used == shard.blocks.len() as u32 * BLOCK;
        if is_full {
            size_of::<u64>() << size >> shard.folds
        } else {
            0
        }
    }

    /// Folds the indexes of the size that takes the most memory. Bytes that became free: none when all that could be was.
    pub fn fold(&mut self) -> usize {
        let shards = self.shards.iter_mut();
        let foldable = shards.filter(|shard| shard.folds < MAX_FOLDS && !shard.blocks.is_empty());
        let Some(shard) = foldable.max_by_key(|shard| shard.bytes()) else {
            return 0;
        };
        let before = shard.bytes();
        shard.fold();
        before - shard.bytes()
    }

    /// Takes an index in; none when it has another size.
    pub fn insert(&mut self, grams: &Grams) -> Option<Slot> {
        let size = Self::size_of(grams)?;
        if self.shards.len() <= size {
            self.shards.resize_with(size + 1, Shard::default);
        }
        let shard = &mut self.shards[size];
        let place = shard.free.pop().unwrap_or_else(|| {
            shard.used += 1;
            shard.used - 1
        });
        if place >> PLACE_BITS != 0 {
            return None;
        }
        if place == shard.blocks.len() as u32 * BLOCK {
            let rows = 1 << size >> shard.folds;
            shard.blocks.push(vec![0; rows].into_boxed_slice());
        }
        let block = &mut shard.blocks[(place / BLOCK) as usize];
        let bit = 1 << (place % BLOCK);
        for (i, word) in grams.words().iter().enumerate() {
            let mut left = *word;
            while left != 0 {
                let row = i * 64 + left.trailing_zeros() as usize;
                block[row >> shard.folds] |= bit;
                left &= left - 1;
            }
        }
        Some(Slot::new(size, place))
    }

    /// The file has gone, or changed.
    pub fn remove(&mut self, slot: Slot) {
        if !slot.is_column() {
            return;
        }
        let (size, place) = slot.parts();
        let shard = &mut self.shards[size];
        let bit = 1 << (place % BLOCK);
        for row in &mut shard.blocks[(place / BLOCK) as usize] {
            *row &= !bit;
        }
        shard.free.push(place);
    }

    /// The files with all that a pattern needs; see [`Candidates::has`].
    #[must_use]
    pub fn candidates(&self, need: Need) -> Candidates {
        let blocks = self.shards.iter().map(|shard| shard.blocks.len());
        Candidates {
            known: blocks.map(|count| vec![Cell::new(None); count]).collect(),
            need,
        }
    }
}

/// Those of a block's files that have what is needed.
fn files_with(need: &Need, block: &[u64]) -> u64 {
    match need {
        Need::Nothing => u64::MAX,
        Need::Gram(gram) => block[(*gram >> (u32::BITS - block.len().ilog2())) as usize],
        Need::All(needs) => {
            let mut files = u64::MAX;
            for need in needs {
                files &= files_with(need, block);
                if files == 0 {
                    break;
                }
            }
            files
        }
        Need::Any(needs) => {
            let files = needs.iter().map(|need| files_with(need, block));
            files.fold(0, |any, files| any | files)
        }
    }
}

/// Files that a pattern may match in. Good until another file is taken in.
pub struct Candidates {
    pub need: Need,
    /// Of each block that was asked for: a search that soon has enough asks for few, and each costs some reads from
    /// memory.
    known: Vec<Vec<Cell<Option<u64>>>>,
}

impl Candidates {
    /// Whether the file with this index in the columns is one.
    #[must_use]
    pub fn has(&self, columns: &Columns, slot: Slot) -> bool {
        if self.need == Need::Nothing {
            return true;
        }
        let (size, place) = slot.parts();
        let block = (place / BLOCK) as usize;
        let known = &self.known[size][block];
        let files = known.get().unwrap_or_else(|| {
            let files = files_with(&self.need, &columns.shards[size].blocks[block]);
            known.set(Some(files));
            files
        });
        files >> (place % BLOCK) & 1 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_syntax::ParserBuilder;

    fn need(pattern: &str) -> Need {
        Need::of(
            &ParserBuilder::new()
                .build()
                .parse(pattern)
                .expect("a pattern"),
        )
    }

    fn used(columns: &Columns) -> usize {
        columns.shards.iter().map(Shard::bytes).sum()
    }

    /// Each file is told as its own index tells it, also after others went and came.
    #[test]
    fn columns_say_what_the_indexes_say() {
        let text = |i: usize| {
            let words = (0..i % 40 * (i % 7 + 1)).map(|j| format!("word_{}_{} ", i, j * i));
            words.collect::<String>() + ["needle", "haystack", "haystack"][i % 3]
        };
        let mut columns = Columns::default();
        let mut files: Vec<(Grams, Slot)> = Vec::new();
        let mut bytes = 0;
        for i in 0..500 {
            let grams = Grams::of(text(i).as_bytes()).expect("a short text");
            bytes += columns.growth(&grams);
            let slot = columns.insert(&grams).expect("short texts are in columns");
            files.push((grams, slot));
        }
        let before = bytes;
        for i in (0..500).step_by(2) {
            columns.remove(files[i].1);
        }
        for i in (0..500).step_by(2) {
            // of another text: another size, mostly
            let grams = Grams::of(text(500 - i).as_bytes()).expect("a short text");
            bytes += columns.growth(&grams);
            let slot = columns.insert(&grams).expect("a slot");
            files[i] = (grams, slot);
        }
        assert!(bytes < before * 2, "places are used again");
        assert_eq!(used(&columns), bytes);
        for pattern in [
            "needle",
            "haystack",
            "word_(7_49|12_0)",
            "needle|hay.?stack",
            "nowhere",
            "x?",
        ] {
            let need = need(pattern);
            let candidates = columns.candidates(need.clone());
            for (grams, slot) in &files {
                let is_one = candidates.has(&columns, *slot);
                assert_eq!(is_one, need.is_met(grams), "{pattern}");
            }
        }
        assert!(Grams::of(&vec![b'a'; 2 * MAX_COLUMN_BITS]).is_none());
        // folded, they let more pass, and take less; also what comes later, and instead of what goes
        let passing = |columns: &Columns, files: &[(Grams, Slot)], pattern| {
            let candidates = columns.candidates(need(pattern));
            let passes = files.iter().map(|(_, slot)| candidates.has(columns, *slot));
            passes.collect::<Vec<_>>()
        };
        let mut passed = passing(&columns, &files, "word_(7_49|12_0)");
        loop {
            let freed = columns.fold();
            bytes -= freed;
            if freed == 0 {
                break;
            }
            let (_, slot) = files.swap_remove(7);
            columns.remove(slot);
            passed.swap_remove(7);
            let grams = Grams::of(text(7).as_bytes()).expect("a short text");
            bytes += columns.growth(&grams);
            let slot = columns.insert(&grams).expect("a slot");
            passed.push(need("word_(7_49|12_0)").is_met(&grams));
            files.push((grams, slot));
            let now = passing(&columns, &files, "word_(7_49|12_0)");
            let kept = passed.iter().zip(&now).all(|(before, now)| now >= before);
            assert!(kept, "what passed still does");
            passed = now;
        }
        assert!(bytes < before / 2, "{bytes} of {before}");
        assert_eq!(used(&columns), bytes);
        assert!(passed.contains(&false));
    }
}
