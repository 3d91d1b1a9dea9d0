//! A request over many files, carried out in slices: between two of them the worker hears of cancellations.

use super::cache::Parsed;
use super::language::Lang;
use super::limits::{MAX_FILE_BYTES, SLICE_MS};
use super::sources::{Skipped, Sources, count, language_of};
use super::{Answer, Fault, Syntax};
use std::fmt::Write;
use std::rc::Rc;

/// What a request does with each file, and in the end.
pub trait Task {
    /// Whether a file of this language concerns the request.
    fn wants_language(&self, lang: Lang) -> bool {
        let _ = lang;
        true
    }

    /// Whether a file with these bytes has to be parsed.
    fn wants(&self, bytes: &[u8]) -> bool {
        let _ = bytes;
        true
    }

    /// As which language a file is parsed.
    fn reads_as(&self, lang: Lang) -> Lang {
        lang.whole_file()
    }

    /// Looks at a parsed file. Gives whether to go on.
    fn look(&mut self, syntax: &mut Syntax, path: &str, parsed: &Rc<Parsed>) -> bool;

    /// The answer, when all files were looked at.
    ///
    /// # Errors
    /// In words for the model.
    fn finish(&mut self, syntax: &mut Syntax, looked: &Looked) -> Result<Answer, Fault>;
}

/// What a request saw of the tree.
#[derive(Default)]
pub struct Looked {
    /// Files whose bytes were looked at.
    pub files: usize,
    pub skipped: Skipped,
    /// Files with syntax errors, of those that were parsed.
    pub broken: Vec<String>,
    /// There are files that the other module parses.
    pub elsewhere: bool,
    /// Files of no known language.
    pub unknown: usize,
}

impl Looked {
    /// What the caller of a pattern search must know of files that were not, or not wholly, searched.
    #[must_use]
    pub fn notes(&self) -> String {
        let mut text = self.skipped.lines();
        if !self.broken.is_empty() {
            let named: Vec<&str> = self.broken.iter().take(3).map(String::as_str).collect();
            let more = if self.broken.len() > named.len() {
                " …"
            } else {
                ""
            };
            let _ = writeln!(
                text,
                "{} with syntax errors, where matches may be missed: {}{more}",
                count(self.broken.len(), "file"),
                named.join(", "),
            );
        }
        if text.is_empty() {
            text
        } else {
            format!("\n{text}")
        }
    }
}

/// A request under way.
pub struct Run {
    task: Box<dyn Task>,
    paths: Vec<String>,
    next: usize,
    looked: Looked,
    bytes: Vec<u8>,
}

impl Run {
    /// Begins a request over these files.
    #[must_use]
    pub fn new(task: Box<dyn Task>, paths: Vec<String>) -> Self {
        Self {
            task,
            paths,
            next: 0,
            looked: Looked::default(),
            bytes: Vec::new(),
        }
    }

    /// Works until a slice's time is over by the clock `now` (milliseconds); gives the answer when it is there.
    pub fn step(
        &mut self,
        syntax: &mut Syntax,
        sources: &dyn Sources,
        now: &dyn Fn() -> f64,
    ) -> Option<Result<Answer, Fault>> {
        if self.next == 0 {
            syntax.trees.begin();
        }
        let start = now();
        while let Some(path) = self.paths.get(self.next) {
            let path = path.clone();
            self.next += 1;
            if !self.file(syntax, sources, &path) {
                self.next = self.paths.len();
            } else if now() - start >= SLICE_MS {
                return None;
            }
        }
        Some(self.task.finish(syntax, &self.looked))
    }

    /// Looks at a file. Gives whether to go on.
    fn file(&mut self, syntax: &mut Syntax, sources: &dyn Sources, path: &str) -> bool {
        let Some(lang) = language_of(sources, path) else {
            self.looked.unknown += 1;
            return true;
        };
        if !self.task.wants_language(lang) {
            return true;
        }
        if !lang.is_linked() {
            self.looked.elsewhere = true;
            return true;
        }
        if let Err(why) = sources.read(path, MAX_FILE_BYTES, &mut self.bytes) {
            self.looked.skipped.note_why(path, why);
            return true;
        }
        self.looked.files += 1;
        // UTF-16 shows what it holds only when it is decoded
        let is_utf16 = matches!(self.bytes.first(), Some(0xfe | 0xff));
        if !is_utf16 && !self.task.wants(&self.bytes) {
            return true;
        }
        match syntax
            .trees
            .parsed(path, self.task.reads_as(lang), &self.bytes)
        {
            Ok(parsed) => {
                if parsed.tree().root_node().has_error() {
                    self.looked.broken.push(path.to_owned());
                }
                self.task.look(syntax, path, &parsed)
            }
            Err(fault) => {
                self.looked.skipped.note(path, &fault);
                true
            }
        }
    }
}

/// Runs a request to its end: for tests and for other programs.
///
/// # Errors
/// In words for the model.
pub fn run_through(
    mut run: Run,
    syntax: &mut Syntax,
    sources: &dyn Sources,
) -> Result<Answer, Fault> {
    loop {
        if let Some(answer) = run.step(syntax, sources, &|| 0.0) {
            return answer;
        }
    }
}
