//! A long text in sections of whole lines, each with an index of its own: lines that match are looked for in those sections
//! alone that have all that a pattern needs. In a long text the pieces of any word are there, but not near each other; and
//! much of what is long repeats itself, so that a section's index takes a twentieth of its text.

use super::super::limits::SECTION_BYTES;
use super::grams::{Distinct, Grams, Need, Sketch};

/// Some lines of a text.
struct Section {
    /// Where it ends in the text. Bytes.
    end: u64,
    /// Line ends in it.
    lines: u64,
    grams: Grams,
}

/// All of a text, in order; none of one that is not long.
#[derive(Default)]
pub struct Sections(Box<[Section]>);

/// Sections that follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Bytes.
    pub from: u64,
    pub to: u64,
    /// Line ends before it.
    pub lines: u64,
}

impl Span {
    /// All of a text that is so long.
    #[must_use]
    pub fn to(to: u64) -> Self {
        Self {
            from: 0,
            to,
            lines: 0,
        }
    }
}

impl Sections {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn bytes(&self) -> usize {
        let of_sections = self.0.iter().map(|section| section.grams.bytes());
        size_of_val(&*self.0) + of_sections.sum::<usize>()
    }

    /// Folds the index of each: half as long, and more pass. Bytes that became free.
    pub fn fold(&mut self) -> usize {
        let before = self.bytes();
        self.0.iter_mut().for_each(|section| section.grams.fold());
        before - self.bytes()
    }

    /// Where lines may be that have what is needed.
    #[must_use]
    pub fn spans(&self, need: &Need) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        let (mut from, mut lines) = (0, 0);
        for section in &self.0 {
            let to = section.end;
            if need.is_met(&section.grams) {
                match spans.last_mut().filter(|last| last.to == from) {
                    Some(last) => last.to = to,
                    None => spans.push(Span { from, to, lines }),
                }
            }
            lines += section.lines;
            from = to;
        }
        spans
    }
}

/// Cuts a text that comes in parts, and collects what it has as a whole.
#[derive(Default)]
pub struct Cutter {
    sections: Vec<Section>,
    /// Of the section that is not whole yet: where it began, and its line ends so far.
    from: u64,
    lines: u64,
    sketch: Sketch,
    distinct: Distinct,
    /// Bytes of the text so far.
    length: u64,
}

impl Cutter {
    /// Takes a part in, which has to begin with the last [`Distinct::OVERLAP`] bytes of the part before.
    pub fn add(&mut self, part: &[u8]) {
        let mut known = if self.length == 0 {
            0
        } else {
            Distinct::OVERLAP
        };
        while known < part.len() {
            let wanted = (self.from + SECTION_BYTES).saturating_sub(self.length + 1) as usize;
            let line_end = part
                .get(known + wanted..)
                .and_then(|rest| memchr::memchr(b'\n', rest));
            let end = line_end.map(|at| known + wanted + at + 1);
            let to = end.unwrap_or(part.len());
            let from = known.saturating_sub(Distinct::OVERLAP);
            self.distinct.add(&part[from..to], &mut self.sketch);
            self.lines += memchr::memchr_iter(b'\n', &part[known..to]).count() as u64;
            self.length += (to - known) as u64;
            known = to;
            if end.is_some() {
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        self.sections.push(Section {
            end: self.length,
            lines: self.lines,
            grams: self.sketch.grams(),
        });
        self.from = self.length;
        self.lines = 0;
    }

    /// The index of the whole, and the sections.
    #[must_use]
    pub fn end(mut self) -> (Grams, Sections) {
        if self.from < self.length {
            self.cut();
        }
        (self.distinct.grams(), Sections(self.sections.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_syntax::ParserBuilder;

    fn need(pattern: &str) -> Need {
        let mut parser = ParserBuilder::new().build();
        Need::of(&parser.parse(pattern).expect("a pattern"))
    }

    fn text() -> Vec<u8> {
        let lines = (0..30_000).map(|i| {
            let word = if i % 9_999 == 7 { "needle" } else { "hay" };
            let long = if i == 20_000 { 100_000 } else { i % 40 };
            format!("{word} {i} {}\n", "x".repeat(long))
        });
        (lines.collect::<String>() + "needle at the end").into_bytes()
    }

    fn sections_of(text: &[u8]) -> Sections {
        let mut cutter = Cutter::default();
        cutter.add(text);
        cutter.end().1
    }

    #[test]
    fn every_line_with_what_is_needed_is_in_a_span() {
        let text = text();
        let mut sections = sections_of(&text);
        for pattern in ["needle", "needle 10006", "hay", "nowhere_at_all", "x{3}"] {
            let spans = sections.spans(&need(pattern));
            let lines = text.split_inclusive(|&byte| byte == b'\n');
            for (line_ends, line) in lines.enumerate() {
                let from = line.as_ptr() as usize - text.as_ptr() as usize;
                let is_in = |span: &&Span| {
                    (span.from..span.to).contains(&(from as u64))
                        && span.to >= (from + line.len()) as u64
                };
                let is_needed = memchr::memmem::find(line, pattern.as_bytes()).is_some();
                let span = spans.iter().find(is_in);
                assert!(span.is_some() || !is_needed, "{pattern}");
                if let Some(span) = spans.iter().find(|span| span.from == from as u64) {
                    assert_eq!(span.lines, line_ends as u64);
                }
            }
        }
        let read = |sections: &Sections, pattern| -> u64 {
            let spans = sections.spans(&need(pattern));
            spans.iter().map(|span| span.to - span.from).sum()
        };
        assert_eq!(
            read(&sections, "hay"),
            text.len() as u64,
            "all of them, as one"
        );
        assert!(read(&sections, "needle") < text.len() as u64 / 3);
        assert!(read(&sections, "needle") >= 3 * SECTION_BYTES);
        assert_eq!(read(&sections, "nowhere_at_all"), 0);
        // smaller ones say less, and nothing wrong
        let (bytes, before) = (sections.bytes(), read(&sections, "needle"));
        assert_eq!(sections.fold(), bytes - sections.bytes());
        assert!(sections.bytes() < bytes * 2 / 3);
        assert!(read(&sections, "needle") >= before);
    }

    #[test]
    fn parts_make_the_sections_of_the_whole() {
        let text = text();
        let whole = sections_of(&text);
        for length in [1_000, 65_536, 1 << 20] {
            let mut cutter = Cutter::default();
            let mut end = 0;
            while end < text.len() {
                let from = end.saturating_sub(Distinct::OVERLAP);
                end = text.len().min(from + length);
                cutter.add(&text[from..end]);
            }
            let (_, sections) = cutter.end();
            let ends = |sections: &Sections| -> Vec<(u64, u64)> {
                let all = sections.0.iter();
                all.map(|section| (section.end, section.lines)).collect()
            };
            assert_eq!(ends(&sections), ends(&whole), "{length}");
            for pattern in ["needle", "needle 10006", "needle at the end"] {
                let need = need(pattern);
                assert_eq!(sections.spans(&need), whole.spans(&need), "{pattern}");
            }
        }
    }
}
