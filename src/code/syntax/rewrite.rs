//! `ast_rewrite`: a pattern's matches replaced, as a diff first and, when asked to, as files to write.
//!
//! Nothing is written here. The answer's data is a [`Plan`]: the host asks for permission, looks once more that each file
//! is still what the plan was made from, and writes it atomically. What the caller saw in an earlier preview is held
//! against the files too: one that changed since is refused.

use super::cache::Parsed;
use super::diagnose::{Diagnostic, diagnose, fresh};
use super::job::{Begun, Wanted, language, required};
use super::language::Lang;
use super::limits::{DIFF_CHARS, ERRORS, REWRITE_FILES};
use super::matcher::{Query, Target, is_rule};
use super::module::Elsewhere;
use super::parse::ParseFault;
use super::search::find;
use super::sources::count;
use super::task::{Looked, Task};
use super::template::Template;
use super::text::head;
use super::{Answer, Fault, Syntax};
use crate::code::args::Args;
use crate::event::Fingerprint;
use base64::Engine as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

/// What is to be written.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// In the order of their paths.
    pub files: Vec<Change>,
    /// The whole diff, for the permission request.
    pub diff: String,
}

/// One file's change.
#[derive(Debug, Serialize, Deserialize)]
pub struct Change {
    pub path: String,
    /// SHA-256 of the bytes that it was made from, in hexadecimal: the host can compute that.
    pub before: String,
    /// The new bytes, in base64.
    pub after: String,
}

/// What a preview was made from, by path: kept by the host, given back with the call that applies it.
type Preview = BTreeMap<String, Fingerprint>;

/// A file's matches replaced.
struct Rewritten {
    text: String,
    replaced: usize,
    /// Matches inside of others, which were left.
    nested: usize,
}

/// `ast_rewrite {pattern, rewrite, language, path, globs, apply, preview}`. Without `apply` the answer's data is the
/// [`Preview`], with it the [`Plan`].
///
/// # Errors
/// In words for the model.
pub fn begin(mut args: Args) -> Result<Begun, Fault> {
    let preview = args
        .value("preview")
        .and_then(|preview| serde_json::from_value(preview).ok());
    let pattern = required(&mut args, "pattern")?;
    let lang = language(&mut args)?;
    let apply = args.flag("apply")?;
    let rewrite = args.text("rewrite")?.unwrap_or_default();
    let has_rule = is_rule(&pattern);
    if !lang.is_served(has_rule) {
        let elsewhere = Elsewhere::new(lang.module(has_rule));
        return Ok(Begun::Done(elsewhere.into()));
    }
    let target = Target::new(lang, &pattern)?;
    let template = target.query.replacement(&rewrite)?;
    Wanted::begin(args, move |_, _| {
        Box::new(Rewrite {
            target,
            template,
            apply,
            preview,
            plan: Plan::default(),
            seen: Preview::new(),
            notes: String::new(),
            replaced: 0,
            nested: 0,
        })
    })
}

struct Rewrite {
    target: Target,
    template: Template,
    apply: bool,
    /// What the caller was shown before.
    preview: Option<Preview>,
    plan: Plan,
    /// What this answer shows.
    seen: Preview,
    notes: String,
    replaced: usize,
    nested: usize,
}

impl Task for Rewrite {
    fn target(&self) -> Option<&Target> {
        Some(&self.target)
    }

    fn look(&mut self, syntax: &mut Syntax, path: &str, parsed: &Rc<Parsed>) -> bool {
        let rewritten = replace(&self.target.query, &self.template, parsed);
        if rewritten.text == parsed.text() {
            return true;
        }
        if self.plan.files.len() == REWRITE_FILES {
            let _ = writeln!(
                self.notes,
                "only the first {REWRITE_FILES} files are in this rewrite: narrow the path or globs"
            );
            return false;
        }
        self.seen.insert(path.to_owned(), parsed.fingerprint);
        match self.checked(syntax, path, parsed, &rewritten) {
            Ok(after) => {
                self.replaced += rewritten.replaced;
                self.nested += rewritten.nested;
                self.plan
                    .diff
                    .push_str(&diff(path, parsed.text(), &rewritten.text));
                let after = base64::prelude::BASE64_STANDARD.encode(after);
                self.plan.files.push(Change {
                    path: path.to_owned(),
                    before: parsed.digest(),
                    after,
                });
            }
            Err(why) => {
                let _ = writeln!(self.notes, "left as it is: {path} ({why})");
            }
        }
        true
    }

    fn finish(&mut self, _: &mut Syntax, looked: &Looked) -> Result<Answer, Fault> {
        let mut notes = std::mem::take(&mut self.notes);
        if self.nested > 0 {
            let _ = writeln!(
                notes,
                "{} inside of others left: run the same rewrite again for them",
                count(self.nested, "match")
            );
        }
        notes.push_str(&looked.notes());
        let files = self.plan.files.len();
        let summary = format!(
            "{} in {}",
            count(self.replaced, "match"),
            count(files, "file")
        );
        if self.apply {
            let data = serde_json::to_value(&self.plan).ok();
            return Ok(Answer {
                text: format!("{summary}.\n{notes}"),
                data,
                ..Answer::default()
            });
        }
        let shown = head(&self.plan.diff, DIFF_CHARS);
        let mut text = match files {
            0 => format!(
                "Nothing to rewrite in {} of {}.\n",
                count(looked.files, "file"),
                self.target.lang.name()
            ),
            _ => format!(
                "{summary} would change; nothing is written yet: call again with apply: true.\n\n{shown}"
            ),
        };
        if shown.len() < self.plan.diff.len() {
            text.push_str("\n… the rest of the diff is not shown\n");
        }
        if !notes.trim().is_empty() {
            let _ = write!(text, "\n{}", notes.trim_start());
        }
        Ok(Answer {
            text,
            data: serde_json::to_value(&self.seen).ok(),
            ..Answer::default()
        })
    }
}

impl Rewrite {
    /// The bytes to write, or why there are none.
    fn checked(
        &self,
        syntax: &mut Syntax,
        path: &str,
        parsed: &Parsed,
        new: &Rewritten,
    ) -> Result<Vec<u8>, String> {
        if let Some(preview) = self.preview.as_ref().filter(|_| self.apply) {
            match preview.get(path) {
                Some(shown) if *shown == parsed.fingerprint => {}
                Some(_) => return Err("it changed since the preview".to_owned()),
                None => return Err("it was not in the preview".to_owned()),
            }
        }
        if let Some(why) = syntax.breaks(path, self.target.lang, parsed.text(), &new.text) {
            return Err(why);
        }
        parsed
            .encoding
            .encode(&new.text)
            .ok_or_else(|| "it is not valid UTF-8".to_owned())
    }
}

impl Syntax {
    /// A text with the matches replaced: for tests and for other programs.
    ///
    /// # Errors
    /// When the pattern, the rewrite or the text can't be taken.
    pub fn rewrite_in(
        &mut self,
        lang: Lang,
        pattern: &str,
        rewrite: &str,
        text: &str,
    ) -> Result<String, Fault> {
        let query = Query::compile(lang, pattern)?;
        let template = query.replacement(rewrite)?;
        let parsed = self.trees.parsed("", lang, text.as_bytes())?;
        Ok(replace(&query, &template, &parsed).text)
    }

    /// Why the new text must not be written: it has syntax errors that the old one had not.
    fn breaks(&mut self, path: &str, lang: Lang, before: &str, after: &str) -> Option<String> {
        let mut errors = |text: &str| -> Result<Vec<Diagnostic>, ParseFault> {
            let tree = self.trees.parsers().parse(lang, text, None)?;
            Ok(diagnose(path, lang, &tree, text, ERRORS, |_| None))
        };
        let after = match errors(after) {
            Ok(after) => after,
            Err(fault) => return Some(fault.to_string()),
        };
        if after.is_empty() {
            return None;
        }
        let before = errors(before).unwrap_or_default();
        let new = fresh(&before, &after);
        let first = new.first()?;
        (after.len() > before.len()).then(|| format!("it would not parse any more: {first}"))
    }
}

/// Replaces the matches of a file; of one inside another the outer.
fn replace(query: &Query, template: &Template, parsed: &Parsed) -> Rewritten {
    let before = parsed.text();
    let mut after = String::with_capacity(before.len());
    let (mut copied, mut replaced, mut nested) = (0, 0, 0);
    find(query, parsed, |found| {
        let (at, length, new) = query.edit(found, template);
        if at < copied {
            nested += 1;
            return true;
        }
        let new = String::from_utf8_lossy(&new);
        let end = at + length;
        after.push_str(before.get(copied..at).unwrap_or_default());
        if copied < at && new.starts_with(is_word) && keyword_at(parsed, at - 1) {
            after.push(' ');
        }
        after.push_str(&new);
        if new.ends_with(is_word) && keyword_at(parsed, end) {
            after.push(' ');
        }
        copied = end;
        replaced += 1;
        true
    });
    after.push_str(before.get(copied..).unwrap_or_default());
    Rewritten {
        text: after,
        replaced,
        nested,
    }
}

/// Whether a keyword has this byte: `return` in `return(a)`, which a name in the place of `(a)` would join. (Words of a
/// text or a string are no tokens of their own, or have a name; they are left alone.)
fn keyword_at(parsed: &Parsed, at: usize) -> bool {
    let byte = parsed.text().as_bytes().get(at);
    byte.is_some_and(u8::is_ascii_alphanumeric)
        && parsed
            .tree()
            .root_node()
            .descendant_for_byte_range(at, at + 1)
            .is_some_and(|node| node.child_count() == 0 && !node.is_named())
}

/// A character of names and keywords.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn diff(path: &str, before: &str, after: &str) -> String {
    similar::TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(3)
        .header(&format!("a/{path}"), &format!("b/{path}"))
        .to_string()
}
