//! A pattern, compiled as ripgrep does it (its crate `grep-regex`, without the automata that take longer to build than most
//! trees to search), with what its automata and the index need to know of it.

use super::super::cache::grams::Need;
use super::super::limits::{DFA_BYTES, PATTERN_BYTES};
use super::ascii::in_ascii;
use super::lanes::is_ascii;
use super::literal::{Literal, Place};
use super::prefilter::Prefilter;
use super::query::{Mode, Query};
use super::shape::Shape;
use super::streams::Finder;
use grep_matcher::{ByteSet, LineMatchKind, LineTerminator, Match, Matcher, NoCaptures, NoError};
use regex_automata::Input;
use regex_automata::meta::Regex;
use regex_syntax::ast::ErrorKind;
use regex_syntax::hir::{
    self, Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look,
};
use regex_syntax::{Error, ParserBuilder};
use std::cell::{Cell, OnceCell};
use std::ops::Range;

/// A pattern that can be searched for.
pub struct Pattern {
    /// For any text. Where there is one for ASCII texts, it is compiled when another text first comes.
    whole: OnceCell<Result<Regex, String>>,
    /// Of what, and whether the prefilter was there before, so that the engine prepares none.
    hir: Hir,
    has_own: bool,
    ascii: Option<Regex>,
    /// The text that is searched now is one of those.
    is_ascii: Cell<bool>,
    /// Where the pattern is one text, and lines are searched one by one.
    literal: Option<Literal>,
    /// Where it is one with plain parts around it, and lines are searched one by one.
    shape: Option<Shape>,
    /// None where a match may span lines, or where the pattern says where the text begins or ends.
    line_end: Option<LineTerminator>,
    /// Bytes that no match has; of all of them only the line end is of interest.
    unmatched: ByteSet,
    /// What a file's index must have.
    pub need: Need,
    /// What a line must have; only where lines are searched one by one.
    prefilter: Option<Prefilter>,
    /// The same for texts that are not ASCII: of most of them the candidates are.
    wide_prefilter: Option<Prefilter>,
    /// The same where there is no such text.
    finder: Option<Finder>,
}

impl Matcher for Pattern {
    type Captures = NoCaptures;
    type Error = NoError;

    fn find_at(&self, text: &[u8], at: usize) -> Result<Option<Match>, NoError> {
        if let Some(literal) = &self.literal {
            match literal.find(text, at) {
                None => return Ok(None),
                Some(Place::Match(at)) => {
                    return Ok(Some(Match::new(at, at + literal.length)));
                }
                Some(Place::Candidate(_)) => {}
            }
        }
        let found = self
            .engine(text)
            .and_then(|engine| engine.find(Input::new(text).range(at..)));
        Ok(found.map(|found| Match::new(found.start(), found.end())))
    }

    fn new_captures(&self) -> Result<NoCaptures, NoError> {
        Ok(NoCaptures::new())
    }

    fn shortest_match_at(&self, text: &[u8], at: usize) -> Result<Option<usize>, NoError> {
        let input = Input::new(text).range(at..);
        let found = self
            .engine(text)
            .and_then(|engine| engine.search_half(&input));
        Ok(found.map(|found| found.offset()))
    }

    fn non_matching_bytes(&self) -> Option<&ByteSet> {
        Some(&self.unmatched)
    }

    fn line_terminator(&self) -> Option<LineTerminator> {
        self.line_end
    }

    fn find_candidate_line(&self, text: &[u8]) -> Result<Option<LineMatchKind>, NoError> {
        let place = match (&self.literal, &self.shape) {
            (Some(literal), _) => Some(literal.find(text, 0)),
            (None, Some(shape)) => Some(shape.find(text)),
            (None, None) => None,
        };
        if let Some(place) = place {
            return Ok(place.map(|place| match place {
                Place::Match(at) => LineMatchKind::Confirmed(at),
                Place::Candidate(at) => LineMatchKind::Candidate(at),
            }));
        }
        let is_ascii = self.is_ascii.get();
        let wide = self.wide_prefilter.as_ref().filter(|_| !is_ascii);
        if let Some(prefilter) = self.prefilter.as_ref().or(wide) {
            return Ok(prefilter.find(text).map(LineMatchKind::Candidate));
        }
        if let Some(finder) = self.finder.as_ref().filter(|finder| finder.is_of_use()) {
            return Ok(finder.find(text).map(LineMatchKind::Candidate));
        }
        let ascii = self.ascii.as_ref().filter(|_| is_ascii);
        let found = ascii
            .or_else(|| self.whole())
            .and_then(|engine| engine.search_half(&Input::new(text)));
        Ok(found.map(|found| LineMatchKind::Confirmed(found.offset())))
    }
}

impl Pattern {
    /// # Errors
    /// Where the pattern is wrong and what to write instead, in words for the model.
    pub fn new(query: &Query) -> Result<Self, String> {
        let source = if query.literal {
            regex_syntax::escape(&query.pattern)
        } else {
            query.pattern.clone()
        };
        let mut hir = ParserBuilder::new()
            .case_insensitive(query.ignore_case)
            .multi_line(true)
            .utf8(false)
            .build()
            .parse(&source)
            .map_err(|error| explain(&query.pattern, &error))?;
        let need = Need::of(&hir);
        if !query.multiline {
            hir = without_line_end(hir).ok_or_else(needs_multiline)?;
        }
        let by_line = !query.multiline && !hir.properties().look_set().contains_anchor_haystack();
        let mut unmatched = ByteSet::empty();
        if !may_have_line_end(&hir) {
            unmatched.add(LINE_END);
        }
        let words = if query.word {
            between_words(&hir)
        } else {
            hir.clone()
        };
        let literal = by_line.then(|| Literal::of(&hir, query.word)).flatten();
        let shape = (by_line && literal.is_none())
            .then(|| Shape::of(&words))
            .flatten();
        let mut made = Self {
            whole: OnceCell::new(),
            ascii: None,
            is_ascii: Cell::new(false),
            wide_prefilter: None,
            has_own: true,
            line_end: by_line.then(|| LineTerminator::byte(LINE_END)),
            unmatched,
            need,
            prefilter: None,
            finder: None,
            literal,
            shape,
            hir: words,
        };
        if made.shape.is_some() && query.mode == Mode::Lines {
            // it is asked where in a line that is shown the match is
            made.ascii = Some(build(&in_ascii(&made.hir), true)?);
        }
        if made.shape.is_none() && made.literal.is_none() {
            made.prepare_engine(&hir, query)?;
        }
        Ok(made)
    }

    /// What is used where lines can't be found without it.
    fn prepare_engine(&mut self, hir: &Hir, query: &Query) -> Result<(), String> {
        let by_line = self.goes_by_line();
        let find = |engine_is_fast| Prefilter::new(hir, engine_is_fast);
        let own = (!query.multiline).then(|| find(true)).flatten();
        let has_own = own.is_some();
        self.has_own = has_own;
        self.ascii = match in_ascii(&self.hir) {
            ascii if by_line && query.mode != Mode::Count && ascii != self.hir => {
                Some(build(&ascii, has_own)?)
            }
            _ => None,
        };
        let engine = match &self.ascii {
            Some(ascii) if ascii.memory_usage() <= SURELY_SMALL => ascii,
            _ => self
                .whole
                .get_or_init(|| build(&self.hir, has_own))
                .as_ref()
                .map_err(Clone::clone)?,
        };
        let is_accelerated = engine.is_accelerated();
        let is_fast = is_accelerated && !has_word_boundary(hir, query);
        self.prefilter = own.or_else(|| find(is_fast).filter(|_| !query.multiline));
        let is_slow = by_line && self.prefilter.is_none() && !is_accelerated;
        self.finder = is_slow.then(|| Finder::new(hir)).flatten();
        let has_none = self.prefilter.is_none() && self.ascii.is_some();
        self.wide_prefilter = has_none.then(|| find(false)).flatten();
        Ok(())
    }
}

const LINE_END: u8 = b'\n';

/// Of a pattern that takes no more for ASCII texts the whole one takes less than [`PATTERN_BYTES`]: a class of characters
/// some 30 kB, and there at least 60 bytes.
const SURELY_SMALL: usize = PATTERN_BYTES / 640;

impl Pattern {
    /// Whether no match spans lines.
    #[must_use]
    pub fn goes_by_line(&self) -> bool {
        self.line_end.is_some()
    }

    #[cfg(test)]
    pub fn has_shape(&self) -> bool {
        self.shape.is_some()
    }

    /// Another text is searched now; none when it is not known as a whole.
    pub fn turn_to(&self, text: Option<&[u8]>) {
        if self.ascii.is_some() && self.prefilter.is_none() && self.shape.is_none() {
            self.is_ascii.set(text.is_some_and(is_ascii));
        }
    }

    /// Why some texts could not be searched.
    #[must_use]
    pub fn failure(&self) -> Option<&String> {
        self.whole.get().and_then(|whole| whole.as_ref().err())
    }

    /// For a line, or any text where lines are not searched one by one.
    fn engine(&self, text: &[u8]) -> Option<&Regex> {
        match &self.ascii {
            Some(ascii) if self.is_ascii.get() || is_ascii(text) => Some(ascii),
            _ => self.whole(),
        }
    }

    fn whole(&self) -> Option<&Regex> {
        let whole = self.whole.get_or_init(|| build(&self.hir, self.has_own));
        whole.as_ref().ok()
    }

    /// Bytes of what is compiled.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let whole = self.whole.get().and_then(|whole| whole.as_ref().ok());
        let engines = self.ascii.iter().chain(whole);
        engines.map(Regex::memory_usage).sum()
    }

    /// Calls with each matching line of a text in UTF-8 without a NUL, from some place in it to its end, as `grep-searcher`
    /// finds them when no context is wanted, as long as the call says to go on. False where it does not go line by line. A
    /// line costs half as much so.
    pub fn each_line(&self, text: &[u8], mut call: impl FnMut(Range<usize>) -> bool) -> bool {
        if !self.goes_by_line() || text.starts_with(BYTE_ORDER_MARK) {
            return false;
        }
        let mut from = 0;
        while from < text.len() {
            let rest = &text[from..];
            let Ok(Some(found)) = self.find_candidate_line(rest) else {
                break;
            };
            let (LineMatchKind::Confirmed(at) | LineMatchKind::Candidate(at)) = found;
            // behind the last line's end there is no line
            if at == rest.len() && rest.ends_with(&[LINE_END]) {
                break;
            }
            let end = at + end_of_line(&rest[at..]);
            let matches = match found {
                LineMatchKind::Confirmed(_) => true,
                LineMatchKind::Candidate(_) => {
                    let line = &rest[start_of_line(rest, at)..end];
                    let line = line.strip_suffix(&[LINE_END]).unwrap_or(line);
                    self.engine(line)
                        .is_some_and(|engine| engine.is_match(line))
                }
            };
            if matches && !call(from + at..from + end) {
                break;
            }
            from += end;
        }
        true
    }
}

/// Where the line begins that has this place.
#[must_use]
pub fn start_of_line(text: &[u8], at: usize) -> usize {
    memchr::memrchr(LINE_END, &text[..at]).map_or(0, |at| at + 1)
}

/// How long the first line is, with its end.
fn end_of_line(text: &[u8]) -> usize {
    memchr::memchr(LINE_END, text).map_or(text.len(), |end| end + 1)
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The pattern with no word going on before or behind it.
fn between_words(hir: &Hir) -> Hir {
    Hir::concat(vec![
        Hir::look(Look::WordStartHalfUnicode),
        hir.clone(),
        Hir::look(Look::WordEndHalfUnicode),
    ])
}

/// With a prefilter of our own the engine prepares none.
fn build(hir: &Hir, has_own: bool) -> Result<Regex, String> {
    let config = Regex::config()
        .auto_prefilter(!has_own)
        .utf8_empty(false)
        .nfa_size_limit(Some(PATTERN_BYTES))
        .hybrid_cache_capacity(DFA_BYTES)
        .onepass(false)
        .dfa(false);
    let mut builder = Regex::builder();
    let built = builder.configure(config).build_from_hir(hir);
    built.map_err(|error| match error.size_limit() {
        Some(_) => format!(
            "The pattern is too large when compiled (over {} MB): repeat less, such as {{1,100}} of a class, or search for a part of it.",
            PATTERN_BYTES >> 20
        ),
        None => format!("The pattern can't be compiled: {error}."),
    })
}

/// With them the regex engine may have to leave its fast automata: it is not to be trusted to find candidates fast.
fn has_word_boundary(hir: &Hir, query: &Query) -> bool {
    query.word || hir.properties().look_set().contains_word_unicode()
}

/// The pattern for lines that come without their ends: a class such as `\s` loses it. None when it asks for one.
fn without_line_end(hir: Hir) -> Option<Hir> {
    Some(match hir.into_kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Look(look) => Hir::look(look),
        HirKind::Literal(hir::Literal(text)) => {
            if text.contains(&LINE_END) {
                return None;
            }
            Hir::literal(text)
        }
        HirKind::Class(Class::Unicode(mut class)) => {
            let end = char::from(LINE_END);
            let mut ranges = class.iter();
            if ranges.any(|range| (range.start()..=range.end()).contains(&end)) {
                class.difference(&ClassUnicode::new([ClassUnicodeRange::new(end, end)]));
                if class.ranges().is_empty() {
                    return None;
                }
            }
            Hir::class(Class::Unicode(class))
        }
        HirKind::Class(Class::Bytes(mut class)) => {
            let is_empty = class.ranges().is_empty();
            class.difference(&ClassBytes::new([ClassBytesRange::new(LINE_END, LINE_END)]));
            if class.ranges().is_empty() && !is_empty {
                return None;
            }
            Hir::class(Class::Bytes(class))
        }
        HirKind::Repetition(mut repetition) => {
            *repetition.sub = without_line_end(*repetition.sub)?;
            Hir::repetition(repetition)
        }
        HirKind::Capture(mut capture) => {
            *capture.sub = without_line_end(*capture.sub)?;
            Hir::capture(capture)
        }
        HirKind::Concat(parts) => Hir::concat(each_without_line_end(parts)?),
        HirKind::Alternation(ways) => Hir::alternation(each_without_line_end(ways)?),
    })
}

fn each_without_line_end(parts: Vec<Hir>) -> Option<Vec<Hir>> {
    parts.into_iter().map(without_line_end).collect()
}

/// Whether a match may have a line end in it, or depends on where one is.
fn may_have_line_end(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty => false,
        HirKind::Look(look) => matches!(
            look,
            Look::Start | Look::End | Look::StartLF | Look::EndLF | Look::StartCRLF | Look::EndCRLF
        ),
        HirKind::Literal(literal) => literal.0.contains(&LINE_END),
        HirKind::Class(Class::Unicode(class)) => {
            let end = char::from(LINE_END);
            let mut ranges = class.iter();
            ranges.any(|range| (range.start()..=range.end()).contains(&end))
        }
        HirKind::Class(Class::Bytes(class)) => {
            let mut ranges = class.iter();
            ranges.any(|range| (range.start()..=range.end()).contains(&LINE_END))
        }
        HirKind::Repetition(repetition) => may_have_line_end(&repetition.sub),
        HirKind::Capture(capture) => may_have_line_end(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(may_have_line_end),
    }
}

fn needs_multiline() -> String {
    "The pattern has a line break in it, and lines are searched one by one: pass multiline: true, or search for one line of it.".to_owned()
}

/// Where the pattern is wrong and what to write instead.
fn explain(pattern: &str, error: &Error) -> String {
    let (what, at, hint) = match error {
        Error::Parse(error) => {
            let hint = match error.kind() {
                ErrorKind::UnsupportedLookAround => {
                    "Look-around is not supported: search for what surrounds it as well, and look at the lines found."
                        .to_owned()
                }
                ErrorKind::UnsupportedBackreference => {
                    "Back-references are not supported: write the repeated text out, or use `\\w+`."
                        .to_owned()
                }
                _ => as_text(pattern),
            };
            (error.kind().to_string(), error.span().start.offset, hint)
        }
        Error::Translate(error) => (
            error.kind().to_string(),
            error.span().start.offset,
            as_text(pattern),
        ),
        other => return format!("The pattern is no regular expression: {other}."),
    };
    let column = pattern
        .get(..at)
        .map_or(at, |before| before.chars().count());
    let rest = pattern.get(at..).unwrap_or_default();
    let shown: String = rest.chars().take(12).collect();
    format!(
        "The pattern is no regular expression: {what}, at character {} (`{shown}`). {hint}",
        column + 1
    )
}

fn as_text(pattern: &str) -> String {
    format!(
        "To search for it as plain text pass literal: true, or write `{}`.",
        regex_syntax::escape(pattern)
    )
}
