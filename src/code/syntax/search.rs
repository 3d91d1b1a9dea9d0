//! `ast_search`: the matches of a pattern in the files of its language.

use super::cache::Parsed;
use super::job::{Begun, Wanted, language, required};
use super::kinds::Kinds;
use super::language::Lang;
use super::limits::{MATCH_CHARS, MATCH_LINES, MATCHES, MAX_MATCHES};
use super::matcher::{Match, Query, Target, is_rule};
use super::module::Elsewhere;
use super::parse::ParseFault;
use super::prefilter::Places;
use super::sources::count;
use super::steps::Next;
use super::task::{Looked, Task};
use super::text::{head, one_line, position};
use super::walk::{Guide, walk};
use super::{Answer, Fault, Syntax};
use crate::code::args::Args;
use std::fmt::Write;
use std::rc::Rc;
use tree_sitter::Node;

/// `ast_search {pattern, language, path, globs, limit}`.
///
/// # Errors
/// In words for the model.
pub fn begin(mut args: Args) -> Result<Begun, Fault> {
    let pattern = required(&mut args, "pattern")?;
    let lang = language(&mut args)?;
    let limit = args
        .count("limit", 0, MAX_MATCHES)?
        .filter(|limit| *limit > 0);
    let has_rule = is_rule(&pattern);
    if !lang.is_served(has_rule) {
        let elsewhere = Elsewhere::new(lang.module(has_rule));
        return Ok(Begun::Done(elsewhere.into()));
    }
    let target = Target::new(lang, &pattern)?;
    Wanted::begin(args, move |_, _| {
        Box::new(Search {
            hint: hint(lang, &pattern),
            target,
            limit: limit.unwrap_or(MATCHES),
            shown: String::new(),
            matches: 0,
            files: 0,
            is_cut: false,
        })
    })
}

struct Search {
    target: Target,
    limit: usize,
    hint: &'static str,
    shown: String,
    matches: usize,
    files: usize,
    is_cut: bool,
}

impl Task for Search {
    fn target(&self) -> Option<&Target> {
        Some(&self.target)
    }

    fn look(&mut self, _: &mut Syntax, path: &str, parsed: &Rc<Parsed>) -> bool {
        let mut in_file = String::new();
        find(&self.target.query, parsed, |found| {
            self.is_cut = self.matches == self.limit;
            if !self.is_cut {
                self.matches += 1;
                write_match(&mut in_file, parsed, found);
            }
            !self.is_cut
        });
        if !in_file.is_empty() {
            self.files += 1;
            let _ = write!(self.shown, "\n{path}\n{in_file}");
        }
        !self.is_cut
    }

    fn finish(&mut self, _: &mut Syntax, looked: &Looked) -> Result<Answer, Fault> {
        let (matches, files) = (count(self.matches, "match"), count(self.files, "file"));
        let name = self.target.lang.name();
        let mut text = if self.matches == 0 {
            format!(
                "No match in {} of {name}.\n{}",
                count(looked.files, "file"),
                self.hint
            )
        } else if self.is_cut {
            format!(
                "The first {matches}, in {files}; there are more: narrow the pattern, path or globs.\n"
            )
        } else {
            format!("{matches} in {files}, of {} of {name}.\n", looked.files)
        };
        text.push_str(&self.shown);
        text.push_str(&looked.notes());
        Ok(Answer::text(text))
    }
}

impl Syntax {
    /// The byte ranges of the matches in a text, in the order of their starts: for tests and for other programs.
    ///
    /// # Errors
    /// When the pattern or the text can't be taken.
    pub fn find_in(
        &mut self,
        lang: Lang,
        pattern: &str,
        text: &str,
    ) -> Result<Vec<(usize, usize)>, Fault> {
        let target = Target::new(lang, pattern)?;
        let mut ranges = Vec::new();
        if target.query.may_be_in(text.as_bytes()) {
            let parsed = self.trees.parsed("", lang, text.as_bytes())?;
            if !target.query.admits(parsed.tree()) {
                return Err(ParseFault::TooDeep.into());
            }
            find(&target.query, &parsed, |found| {
                ranges.push((found.range().start, found.range().end));
                true
            });
        }
        Ok(ranges)
    }
}

/// Calls `with` for each match, in the order of the text, until it gives false.
pub(super) fn find(query: &Query, parsed: &Parsed, with: impl FnMut(&Match) -> bool) {
    let mut guide = ToMatches {
        query,
        parsed,
        places: query.places_in(parsed.text()),
        with,
    };
    walk(parsed.tree(), Kinds::default(), &mut guide);
}

/// To the nodes that can match; below one without the text that each match contains there is none.
struct ToMatches<'tree, F> {
    query: &'tree Query,
    parsed: &'tree Parsed,
    places: Option<Places>,
    with: F,
}

impl<'tree, F: FnMut(&Match) -> bool> Guide<'tree> for ToMatches<'tree, F> {
    fn visit(&mut self, node: Node<'tree>, _: &[Node<'tree>]) -> Option<Next> {
        let first = self.next(node, node.start_byte());
        let may_match =
            matches!(first, Next::Any | Next::Behind(_)) && self.query.may_match(node.kind_id());
        if may_match
            && let Some(found) = self.query.match_node(self.parsed.root.adopt(node))
            && !(self.with)(&found)
        {
            return None;
        }
        Some(first)
    }

    fn next(&mut self, node: Node<'tree>, from: usize) -> Next {
        match &mut self.places {
            Some(places) => {
                let first = places.first_in(from, node.end_byte());
                first.map_or(Next::None, Next::Behind)
            }
            None => Next::Any,
        }
    }
}

fn write_match(into: &mut String, parsed: &Parsed, found: &Match) {
    let text = parsed.text();
    let range = found.range();
    let (line, column) = position(text, found.start_pos().line(), range.start);
    let mut lines = text.get(range).unwrap_or_default().lines();
    let first = one_line(lines.next().unwrap_or_default(), MATCH_CHARS);
    let _ = writeln!(into, "  {line}:{column}: {first}");
    let rest: Vec<&str> = lines.collect();
    for more in rest.iter().take(MATCH_LINES - 1) {
        let _ = writeln!(into, "    {}", head(more.trim_end(), MATCH_CHARS));
    }
    if rest.len() > MATCH_LINES - 1 {
        let _ = writeln!(into, "    … to line {}", line + rest.len());
    }
}

/// Why a pattern that looks right may find nothing.
fn hint(lang: Lang, pattern: &str) -> &'static str {
    match lang {
        Lang::C | Lang::Cpp if pattern.trim_end().ends_with(')') => {
            "A bare call reads as a declaration here; give it a context: rule: {pattern: {context: 'int _ = f($A);', selector: call_expression}}\n"
        }
        _ => "",
    }
}
