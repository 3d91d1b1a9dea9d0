//! `code_diagnostics`, and what an edit broke.

use super::cache::Parsed;
use super::diagnose::{Diagnostic, diagnose, fresh};
use super::job::{Begun, Wanted, required};
use super::language::Lang;
use super::limits::{ERRORS, ERRORS_PER_FILE};
use super::module::Elsewhere;
use super::parse::ParseFault;
use super::sources::count;
use super::task::{Looked, Task};
use super::{Answer, Fault, Syntax};
use crate::code::args::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

/// `code_diagnostics {path, globs}`.
///
/// # Errors
/// In words for the model.
pub fn begin(args: Args) -> Result<Begun, Fault> {
    Wanted::begin(args, |file, before| {
        Box::new(Check {
            only: file.map(str::to_owned),
            found: before.found(),
        })
    })
}

struct Check {
    /// The call names this file.
    only: Option<String>,
    found: Found,
}

/// What was found, by this module and those before it.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Found {
    files: BTreeMap<String, Vec<Diagnostic>>,
    checked: usize,
    notes: String,
    /// C or C++ is among those with errors.
    preprocessed: bool,
}

impl Task for Check {
    fn look(&mut self, syntax: &mut Syntax, path: &str, parsed: &Rc<Parsed>) -> bool {
        let diagnostics = syntax.diagnostics_of(path, parsed, ERRORS_PER_FILE + 1);
        if !diagnostics.is_empty() {
            self.found.preprocessed |= matches!(parsed.lang(), Lang::C | Lang::Cpp);
            self.found.files.insert(path.to_owned(), diagnostics);
        }
        true
    }

    fn finish(&mut self, _: &mut Syntax, looked: &Looked) -> Result<Answer, Fault> {
        self.found.checked += looked.files;
        self.found.notes.push_str(&looked.skipped.lines());
        if let Some(module) = looked.elsewhere {
            return Ok(Elsewhere::with(module, &self.found).into());
        }
        Ok(Answer::text(match &self.only {
            Some(path) if looked.unknown == 1 => {
                format!("{path}: there is no grammar for this kind of file; nothing was checked.\n")
            }
            _ => self.found.told(),
        }))
    }
}

impl Found {
    fn told(&self) -> String {
        let total: usize = self.files.values().map(Vec::len).sum();
        let mut text = if total == 0 {
            format!("No syntax errors in {}.\n", count(self.checked, "file"))
        } else {
            let (problems, files) = (count(total, "problem"), count(self.files.len(), "file"));
            format!("{problems} in {files}, of {} checked.\n\n", self.checked)
        };
        let mut left = ERRORS;
        for (path, diagnostics) in &self.files {
            let shown = diagnostics.len().min(ERRORS_PER_FILE).min(left);
            for diagnostic in &diagnostics[..shown] {
                let _ = writeln!(text, "{path}:{diagnostic}");
            }
            left -= shown;
            if diagnostics.len() > shown {
                let _ = writeln!(text, "{path}: more, not shown");
            }
        }
        if self.preprocessed {
            text.push_str(
                "C and C++ are read before the preprocessor: a macro can look like an error.\n",
            );
        }
        if !self.notes.is_empty() {
            let _ = write!(text, "\n{}", self.notes);
        }
        text
    }
}

impl Syntax {
    fn diagnostics_of(&mut self, path: &str, parsed: &Parsed, most: usize) -> Vec<Diagnostic> {
        let (lang, tree, text) = (parsed.lang(), parsed.tree(), parsed.text());
        let tagger = &mut self.tagger;
        diagnose(path, lang, tree, text, most, |at| {
            tagger.symbol_at(lang, tree, text, at)
        })
    }

    /// What is broken in a text: for tests and for other programs.
    ///
    /// # Errors
    /// When the text can't be parsed.
    pub fn diagnostics_in(
        &mut self,
        path: &str,
        lang: Lang,
        text: &str,
    ) -> Result<Vec<Diagnostic>, ParseFault> {
        let parsed = self
            .trees
            .parsed(path, lang.whole_file(), text.as_bytes())?;
        Ok(self.diagnostics_of(path, &parsed, ERRORS))
    }

    /// `new_errors {path, before, baseline, after}`: the errors of the text `after` that the text `before` did not have, or
    /// in its place the `baseline` of an answer before. The answer's data is `{errors, baseline}`: those as
    /// `path:line:column: message`; nothing for a file that can't be parsed.
    ///
    /// # Errors
    /// When the arguments are wrong.
    pub fn new_errors(&mut self, mut args: Args) -> Result<Answer, Fault> {
        let path = required(&mut args, "path")?;
        let after = args.text("after")?.unwrap_or_default();
        let before = args.text("before")?.unwrap_or_default();
        let baseline = args
            .value("baseline")
            .and_then(|baseline| serde_json::from_value(baseline).ok());
        args.value("partial");
        args.end()?;
        let Some(lang) = Lang::of_file(&path, || after.lines().next().map(str::to_owned)) else {
            return Ok(Answer::default());
        };
        if !lang.is_served(false) {
            return Ok(Elsewhere::new(lang.module(false)).into());
        }
        self.trees.begin();
        let baseline: Vec<Diagnostic> = match baseline {
            Some(baseline) => baseline,
            None => match self.diagnostics_in(&path, lang, &before) {
                Ok(baseline) => baseline,
                Err(_) => return Ok(Answer::default()),
            },
        };
        let Ok(now) = self.diagnostics_in(&path, lang, &after) else {
            return Ok(Answer::default());
        };
        let errors: Vec<String> = fresh(&baseline, &now)
            .iter()
            .take(ERRORS_PER_FILE)
            .map(|error| format!("{path}:{error}"))
            .collect();
        Ok(Answer::data(
            json!({ "errors": errors, "baseline": baseline }),
        ))
    }
}
