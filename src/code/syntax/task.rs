//! A request over many files, carried out in slices: between two of them the worker hears of cancellations.

use super::cache::Parsed;
use super::language::Lang;
use super::limits::SLICE_MS;
use super::matcher::Target;
use super::module::Module;
use super::parse::ParseFault;
use super::sources::{Skipped, count, language_of, read};
use super::{Answer, Fault, Syntax};
use crate::code::files::Files;
use crate::code::walk::Unreadable;
use std::fmt::Write;
use std::rc::Rc;

/// What a request does with each file, and in the end.
pub trait Task {
    /// The query whose matches are wanted, if it is about matches.
    fn target(&self) -> Option<&Target> {
        None
    }

    /// Whether rules are tried on the files.
    fn has_rule(&self) -> bool {
        self.target().is_some_and(|target| target.query.is_rule())
    }

    /// Whether a file of this language concerns the request.
    fn wants_language(&self, lang: Lang) -> bool {
        self.target().is_none_or(|target| target.lang == lang)
    }

    /// Whether a file with these bytes has to be parsed.
    fn wants(&self, bytes: &[u8]) -> bool {
        self.target()
            .is_none_or(|target| target.query.may_be_in(bytes))
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
    /// There are files that this module parses, and none before it.
    pub elsewhere: Option<Module>,
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
    module: Module,
    paths: Vec<String>,
    next: usize,
    looked: Looked,
    bytes: Vec<u8>,
}

impl Run {
    /// Begins a request over these files, as the module that was asked for.
    #[must_use]
    pub fn new(
        task: Box<dyn Task>,
        module: Module,
        paths: Vec<String>,
        unreadable: &Unreadable,
    ) -> Self {
        let mut looked = Looked::default();
        // the first has told of it
        if module == Module::default() {
            looked.skipped.note_unreadable(unreadable);
        }
        Self {
            task,
            module,
            paths,
            next: 0,
            looked,
            bytes: Vec::new(),
        }
    }

    /// Works until a slice's time is over; gives the answer when it is there.
    pub fn step(
        &mut self,
        syntax: &mut Syntax,
        files: &dyn Files,
    ) -> Option<Result<Answer, Fault>> {
        if self.next == 0 {
            syntax.trees.begin();
        }
        let start = files.now();
        while let Some(path) = self.paths.get(self.next) {
            let path = path.clone();
            self.next += 1;
            if !self.file(syntax, files, &path) {
                self.next = self.paths.len();
            } else if files.now() - start >= SLICE_MS {
                return None;
            }
        }
        Some(self.task.finish(syntax, &self.looked))
    }

    /// Looks at a file. Gives whether to go on.
    fn file(&mut self, syntax: &mut Syntax, files: &dyn Files, path: &str) -> bool {
        let Some(lang) = language_of(files, path) else {
            self.looked.unknown += 1;
            return true;
        };
        if !self.task.wants_language(lang) {
            return true;
        }
        let has_rule = self.task.has_rule();
        let module = lang.module(has_rule);
        if module < self.module {
            return true; // which was asked before
        }
        if !lang.is_served(has_rule) {
            let elsewhere = self.looked.elsewhere.get_or_insert(module);
            *elsewhere = module.min(*elsewhere);
            return true;
        }
        let length = match read(files, path, &mut self.bytes) {
            Ok(length) => length,
            Err(why) => {
                self.looked.skipped.note_why(path, why);
                return true;
            }
        };
        let bytes = &self.bytes[..length];
        self.looked.files += 1;
        // UTF-16 shows what it holds only when it is decoded
        let is_utf16 = matches!(bytes.first(), Some(0xfe | 0xff));
        if !is_utf16 && !self.task.wants(bytes) {
            return true;
        }
        let target = self.task.target();
        let reads_as = match target {
            Some(_) => lang,
            None => lang.whole_file(),
        };
        match syntax.trees.parsed(path, reads_as, bytes) {
            Ok(parsed) => {
                if target.is_some_and(|target| !target.query.admits(parsed.tree())) {
                    self.looked.skipped.note(path, &ParseFault::TooDeep);
                    return true;
                }
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
