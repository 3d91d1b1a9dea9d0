//! Parsing in bounded time: by the work done, which is the same on every machine; and by the clock where a single step has
//! no bound.

use super::language::Lang;
use super::limits::{
    MAX_FILE_BYTES, PARSE_BYTES, PARSE_MS, PARSE_STEPS, PARSE_STEPS_PER_KB, READ_BYTES,
    READS_PER_STEP, RESERVED_BYTES, STEPS_PER_LOOK, TREE_BYTES_PER_BYTE,
};
use ast_grep_core::tree_sitter::TSLanguage;
use std::cell::Cell;
use std::collections::HashMap;
use std::ops::ControlFlow;
use thiserror::Error;
use tree_sitter::{ParseOptions, Parser, Tree};

/// Why there is no tree.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseFault {
    #[error("{} MB; files above {} MB are not parsed", tenths(*.0), MAX_FILE_BYTES / 1_000_000)]
    TooLarge(usize),
    #[error("too intricate: parsing it would take too long")]
    TooHard,
    #[error(
        "nested deeper than {} levels, where rules are not tried",
        super::limits::RULE_DEPTH
    )]
    TooDeep,
    #[error("binary")]
    Binary,
    #[error("no grammar for {} in this module", .0.name())]
    NotLinked(Lang),
}

/// Megabytes with one digit behind the point.
fn tenths(bytes: usize) -> String {
    format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

/// Milliseconds of some clock.
pub type Clock = fn() -> f64;

/// One parser for each grammar.
pub struct Parsers {
    by_grammar: HashMap<TSLanguage, Parser>,
    clock: Clock,
    /// The module's memory, in bytes, when some of it was last set aside.
    memory: usize,
}

impl Parsers {
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            by_grammar: HashMap::new(),
            clock,
            memory: 0,
        }
    }

    /// Parses `text`, from the `old` tree where one is given that was told of the edits between.
    ///
    /// # Errors
    /// When the text is too large, or parsing it takes too long.
    pub fn parse(
        &mut self,
        lang: Lang,
        text: &str,
        old: Option<&Tree>,
    ) -> Result<Tree, ParseFault> {
        let grammar = lang.grammar().ok_or(ParseFault::NotLinked(lang))?;
        if text.len() > MAX_FILE_BYTES {
            return Err(ParseFault::TooLarge(text.len()));
        }
        self.reserve(text.len() * TREE_BYTES_PER_BYTE);
        let parser = self.by_grammar.entry(grammar.clone()).or_default();
        if parser.language().is_none() {
            parser
                .set_language(&grammar)
                .map_err(|_| ParseFault::TooHard)?;
        }
        parser.reset(); // an abandoned parse would be resumed
        let bytes = text.as_bytes();
        let budget = Budget::new(bytes.len(), self.clock);
        let mut progress = |_: &tree_sitter::ParseState| {
            if budget.step() {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        // In pieces, so that reading is counted: a scanner may read to the end of the file for every token. Out of budget
        // the text ends here, and the parse soon after.
        let mut read = |at: usize, _| {
            let rest = bytes.get(at..).unwrap_or_default();
            if budget.spend(1) {
                rest.get(..READ_BYTES).unwrap_or(rest)
            } else {
                &[]
            }
        };
        let options = ParseOptions::new().progress_callback(&mut progress);
        let tree = parser.parse_with_options(&mut read, old, Some(options));
        tree.filter(|_| !budget.is_spent())
            .ok_or(ParseFault::TooHard)
    }

    /// Has memory ready for a tree. What is asked for and given back stays the module's.
    fn reserve(&mut self, bytes: usize) {
        let is_out = memory_bytes() != self.memory;
        if !is_out && bytes < RESERVED_BYTES / 64 {
            return;
        }
        let wanted = if is_out {
            bytes.max(RESERVED_BYTES)
        } else {
            bytes
        };
        let mut room = Vec::<u8>::new();
        // near the limit there may be less, which can do
        let _ = room.try_reserve_exact(wanted);
        drop(std::hint::black_box(room));
        self.memory = memory_bytes();
    }
}

/// What a parse may still take: work, counted in reads, time and memory.
struct Budget {
    reads: Cell<usize>,
    steps: Cell<usize>,
    clock: Clock,
    end: f64,
    memory: usize,
}

impl Budget {
    fn new(bytes: usize, clock: Clock) -> Self {
        let steps = PARSE_STEPS + bytes / 1_000 * PARSE_STEPS_PER_KB;
        Self {
            reads: Cell::new(steps * READS_PER_STEP),
            steps: Cell::new(0),
            clock,
            end: clock() + PARSE_MS,
            memory: memory_bytes() + PARSE_BYTES,
        }
    }

    /// Takes note of a step. Gives whether there is some left.
    fn step(&self) -> bool {
        self.steps.set(self.steps.get() + 1);
        let looks = self.steps.get().is_multiple_of(STEPS_PER_LOOK);
        if looks && ((self.clock)() > self.end || memory_bytes() > self.memory) {
            self.reads.set(0);
        }
        self.spend(READS_PER_STEP)
    }

    /// Gives whether there is some left.
    fn spend(&self, reads: usize) -> bool {
        self.reads.set(self.reads.get().saturating_sub(reads));
        !self.is_spent()
    }

    fn is_spent(&self) -> bool {
        self.reads.get() == 0
    }
}

/// The module's memory, which never shrinks; natively it is not known here.
fn memory_bytes() -> usize {
    #[cfg(target_arch = "wasm32")]
    return core::arch::wasm32::memory_size(0) * 65_536;
    #[cfg(not(target_arch = "wasm32"))]
    0
}

#[cfg(all(test, feature = "lang-rust"))]
mod tests {
    use super::super::cache::Trees;
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn a_parse_that_takes_too_long_is_given_up_and_not_tried_again() {
        static LOOKS: AtomicU32 = AtomicU32::new(0);
        // each look at it is a second later
        let mut trees = Trees::new(1 << 20, || {
            f64::from(LOOKS.fetch_add(1, Ordering::Relaxed)) * 1_000.0
        });
        let text = "fn a() { b(1); }\n".repeat(2_000);
        let mut parse = |path: &str| trees.parsed(path, Lang::Rust, text.as_bytes()).err();
        assert_eq!(parse("a.rs"), Some(ParseFault::TooHard));
        let looks = LOOKS.load(Ordering::Relaxed);
        assert!(looks > 5);
        assert_eq!(parse("b.rs"), Some(ParseFault::TooHard));
        assert_eq!(LOOKS.load(Ordering::Relaxed), looks);
    }
}
