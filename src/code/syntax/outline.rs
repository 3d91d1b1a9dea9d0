//! `code_outline`: what a file defines, a map of a folder, or where a name is defined and used.

use super::cache::Parsed;
use super::job::{Begun, Wanted};
use super::language::Lang;
use super::limits::{
    CHARS_PER_TOKEN, MAP_TOKENS, OUTLINE_DEPTH, OUTLINE_SYMBOLS, REFERENCES, SIGNATURE_CHARS,
};
use super::module::Elsewhere;
use super::parse::ParseFault;
use super::sources::count;
use super::symbols::{Both, CONTAINER, Found, Symbol, Symbols, each_identifier, identifiers};
use super::task::{Looked, Task};
use super::text::{line_at, line_count, one_line, position};
use super::{Answer, Fault, Syntax};
use crate::code::args::Args;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::Range;
use std::rc::Rc;

/// Deepest nesting that can be asked for.
const MAX_DEPTH: usize = 20;

/// `code_outline {path, globs, depth, symbol}`: of a file, its symbols; of a folder, a map; with a symbol, where that
/// name is defined and used.
///
/// # Errors
/// In words for the model.
pub fn begin(mut args: Args) -> Result<Begun, Fault> {
    let depth = args
        .count("depth", 0, MAX_DEPTH)?
        .filter(|depth| *depth > 0);
    let symbol = args.text("symbol")?.map(|symbol| symbol.trim().to_owned());
    Wanted::begin(args, move |file, before| match (symbol, file) {
        (Some(name), _) if !name.is_empty() => Box::new(Lookup {
            finder: memchr::memmem::Finder::new(name.as_bytes()).into_owned(),
            name,
            places: before.found(),
        }),
        (_, Some(path)) => Box::new(OneFile {
            path: path.to_owned(),
            depth: depth.unwrap_or(OUTLINE_DEPTH),
            text: String::new(),
        }),
        _ => Box::new(Mapping {
            map: before.found(),
        }),
    })
}

impl Syntax {
    /// The symbols of a text: for tests and for other programs.
    ///
    /// # Errors
    /// When the text can't be parsed.
    pub fn symbols_in(&mut self, lang: Lang, text: &str) -> Result<Symbols, ParseFault> {
        let parsed = self.trees.parsed("", lang.whole_file(), text.as_bytes())?;
        Ok(self.symbols(&parsed).symbols(parsed.text()))
    }

    /// What a text defines, as outlines find it; otherwise as [`Self::symbols_in`].
    ///
    /// # Errors
    /// When the text can't be parsed.
    pub fn definitions_in(&mut self, lang: Lang, text: &str) -> Result<Vec<Symbol>, ParseFault> {
        let parsed = self.trees.parsed("", lang.whole_file(), text.as_bytes())?;
        let definitions = self.definitions(&parsed);
        let text = parsed.text();
        Ok(definitions.iter().map(|found| found.symbol(text)).collect())
    }

    fn symbols<'tree>(&mut self, parsed: &'tree Parsed) -> Both<'tree> {
        self.tagger
            .symbols(parsed.lang(), parsed.tree(), parsed.text())
    }

    fn definitions<'tree>(&mut self, parsed: &'tree Parsed) -> Vec<Found<'tree>> {
        self.tagger
            .definitions(parsed.lang(), parsed.tree(), parsed.text())
    }
}

// ---- one file --------------------------------------------------------------------------------------------------------

struct OneFile {
    path: String,
    depth: usize,
    text: String,
}

impl Task for OneFile {
    fn look(&mut self, syntax: &mut Syntax, path: &str, parsed: &Rc<Parsed>) -> bool {
        self.text = outline(path, parsed, &syntax.definitions(parsed), self.depth);
        true
    }

    fn finish(&mut self, _: &mut Syntax, looked: &Looked) -> Result<Answer, Fault> {
        if let Some(module) = looked.elsewhere {
            return Ok(Elsewhere::new(module).into());
        }
        Ok(Answer::text(match looked.unknown {
            0 if self.text.is_empty() => looked.skipped.lines(),
            0 => std::mem::take(&mut self.text),
            _ => format!(
                "{}: there is no grammar for this kind of file; read it instead.\n",
                self.path
            ),
        }))
    }
}

fn outline(path: &str, parsed: &Parsed, definitions: &[Found], depth: usize) -> String {
    let lang = parsed.lang();
    let lines = lines_in(parsed);
    let mut text = format!("{path}: {}, {}\n", lang.name(), count(lines, "line"));
    if parsed.tree().root_node().has_error() {
        text.push_str("It has syntax errors; symbols in broken parts may be missing.\n");
    }
    if definitions.is_empty() {
        text.push_str("No symbols.\n");
        return text;
    }
    let (mut shown, mut deeper, mut cut) = (0, 0, 0);
    for (found, level) in nested(definitions) {
        if level >= depth {
            deeper += 1;
        } else if shown == OUTLINE_SYMBOLS {
            cut += 1;
        } else {
            shown += 1;
            let symbol = found.symbol(parsed.text());
            let _ = writeln!(
                text,
                "{}{} {}",
                "  ".repeat(level),
                lines_of(&symbol),
                label(&symbol)
            );
        }
    }
    if deeper > 0 {
        let _ = writeln!(
            text,
            "{} nested deeper than {depth} not shown",
            count(deeper, "symbol")
        );
    }
    if cut > 0 {
        let _ = writeln!(text, "{} more not shown", count(cut, "symbol"));
    }
    text
}

/// How many lines a file has: the parser has counted them.
fn lines_in(parsed: &Parsed) -> usize {
    let (text, root) = (parsed.text(), parsed.tree().root_node());
    if root.end_byte() != text.len() {
        return line_count(text);
    }
    root.end_position().row + usize::from(!text.is_empty() && !text.ends_with('\n'))
}

/// `12-48`, lines from 1.
fn lines_of(symbol: &Symbol) -> String {
    let (first, last) = (symbol.rows.0 + 1, symbol.rows.1 + 1);
    if first == last {
        first.to_string()
    } else {
        format!("{first}-{last}")
    }
}

/// The kind and the signature.
fn label(symbol: &Symbol) -> String {
    let shown = if symbol.signature.is_empty() {
        &symbol.name
    } else {
        &symbol.signature
    };
    let kind = if symbol.kind == CONTAINER {
        "impl"
    } else {
        symbol.kind.as_str()
    };
    // most signatures begin with their kind
    if shown.split_whitespace().any(|word| word == kind) {
        shown.clone()
    } else {
        format!("{kind} {shown}")
    }
}

/// Symbols with how deep they are inside others, in the order of the text.
fn nested<'a, 'tree>(definitions: &'a [Found<'tree>]) -> Vec<(&'a Found<'tree>, usize)> {
    let mut order: Vec<(Range<usize>, &Found)> = definitions
        .iter()
        .map(|found| (found.range(), found))
        .collect();
    order.sort_by_key(|(range, found)| (range.start, std::cmp::Reverse(range.end), found.at()));
    let mut open: Vec<Range<usize>> = Vec::new();
    let mut result = Vec::with_capacity(order.len());
    for (range, found) in order {
        while open
            .last()
            .is_some_and(|last| last.end < range.end || *last == range)
        {
            open.pop();
        }
        result.push((found, open.len()));
        open.push(range);
    }
    result
}

// ---- a folder --------------------------------------------------------------------------------------------------------

struct Mapping {
    map: Map,
}

/// What is known of a tree's files, by this module and those before it.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Map {
    files: BTreeMap<String, Vec<Entry>>,
    /// For each name: how often it is written, and in how many files.
    uses: BTreeMap<String, (u32, u32)>,
    notes: String,
}

/// A symbol of a map.
#[derive(Serialize, Deserialize)]
struct Entry {
    name: String,
    lines: String,
    label: String,
}

impl Task for Mapping {
    fn wants_language(&self, lang: Lang) -> bool {
        // data and prose have keys and headings, not symbols that others refer to
        lang.is_code()
    }

    fn look(&mut self, syntax: &mut Syntax, path: &str, parsed: &Rc<Parsed>) -> bool {
        for (name, n) in identifiers(parsed.tree(), parsed.text()) {
            match self.map.uses.get_mut(name) {
                Some(uses) => *uses = (uses.0 + n, uses.1 + 1),
                None => drop(self.map.uses.insert(name.to_owned(), (n, 1))),
            }
        }
        let definitions = syntax.definitions(parsed);
        let entries = nested(&definitions)
            .into_iter()
            .filter(|(found, level)| *level < 2 && !found.is_container())
            .map(|(found, _)| {
                let symbol = found.symbol(parsed.text());
                Entry {
                    lines: lines_of(&symbol),
                    label: label(&symbol),
                    name: symbol.name,
                }
            });
        self.map.files.insert(path.to_owned(), entries.collect());
        true
    }

    fn finish(&mut self, _: &mut Syntax, looked: &Looked) -> Result<Answer, Fault> {
        self.map.notes.push_str(&looked.skipped.lines());
        if let Some(module) = looked.elsewhere {
            return Ok(Elsewhere::with(module, &self.map).into());
        }
        Ok(Answer::text(told(&self.map)))
    }
}

/// The map in words: the symbols most used from other files, as many as the budget holds, by file.
fn told(map: &Map) -> String {
    let mut definitions: BTreeMap<&str, u32> = BTreeMap::new();
    for entry in map.files.values().flatten() {
        *definitions.entry(&entry.name).or_insert(0) += 1;
    }
    // uses in other files count most; a name that many files define says little of each
    let rank = |entry: &Entry| {
        let (uses, files) = map.uses.get(&entry.name).copied().unwrap_or_default();
        let defined = definitions.get(entry.name.as_str()).copied().unwrap_or(1);
        let elsewhere = files.saturating_sub(1);
        (u64::from(elsewhere) * 1_000 + u64::from(uses.min(999))) / u64::from(defined)
    };
    let mut ranked: Vec<(u64, &str, usize)> = map
        .files
        .iter()
        .flat_map(|(path, entries)| {
            entries
                .iter()
                .enumerate()
                .map(move |(n, entry)| (entry, path, n))
        })
        .map(|(entry, path, n)| (rank(entry), path.as_str(), n))
        .collect();
    ranked.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)).then(a.2.cmp(&b.2)));
    let mut left = MAP_TOKENS * CHARS_PER_TOKEN;
    let mut chosen: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    let mut order: Vec<&str> = Vec::new();
    let mut shown = 0;
    for (_, path, n) in &ranked {
        let entry = &map.files[*path][*n];
        let heading = if chosen.contains_key(path) {
            0
        } else {
            path.len() + 2
        };
        let cost = heading + entry.lines.len() + entry.label.len() + 4;
        if cost > left {
            break;
        }
        left -= cost;
        shown += 1;
        if !chosen.contains_key(path) {
            order.push(path);
        }
        chosen.entry(path).or_default().insert(*n);
    }
    let mut text = format!(
        "{} in {}; the {shown} most used across files are shown.\n",
        count(ranked.len(), "symbol"),
        count(map.files.len(), "file")
    );
    for path in order {
        let _ = writeln!(text, "\n{path}");
        for n in &chosen[path] {
            let entry = &map.files[path][*n];
            let _ = writeln!(text, "  {} {}", entry.lines, entry.label);
        }
    }
    if !map.notes.is_empty() {
        let _ = write!(text, "\n{}", map.notes);
    }
    text
}

// ---- a name ----------------------------------------------------------------------------------------------------------

struct Lookup {
    name: String,
    finder: memchr::memmem::Finder<'static>,
    places: Places,
}

/// Where a name is, by this module and those before it.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Places {
    definitions: Vec<String>,
    /// By file.
    uses: BTreeMap<String, Vec<String>>,
    notes: String,
}

impl Task for Lookup {
    fn wants(&self, bytes: &[u8]) -> bool {
        self.finder.find(bytes).is_some()
    }

    fn look(&mut self, syntax: &mut Syntax, path: &str, parsed: &Rc<Parsed>) -> bool {
        let text = parsed.text();
        let symbols = syntax.symbols(parsed);
        let is_meant = |found: &&Found| found.name(text) == self.name;
        let mut defined = BTreeSet::new();
        for found in symbols.definitions.iter().filter(is_meant) {
            if found.is_container() {
                continue;
            }
            let symbol = found.symbol(text);
            defined.insert(symbol.at);
            self.places.definitions.push(format!(
                "{path}:{} {}",
                lines_of(&symbol),
                label(&symbol)
            ));
        }
        let kinds: BTreeMap<usize, &str> = symbols
            .references
            .iter()
            .filter(is_meant)
            .map(|found| (found.at(), found.kind()))
            .collect();
        let mut uses = Vec::new();
        each_identifier(parsed.tree(), |node| {
            let at = node.start_byte();
            if text.get(node.byte_range()) != Some(self.name.as_str()) || defined.contains(&at) {
                return;
            }
            let (line, column) = position(text, node.start_position().row, at);
            let shown = one_line(line_at(text, at), SIGNATURE_CHARS);
            let kind = kinds
                .get(&at)
                .map(|kind| format!("{kind}: "))
                .unwrap_or_default();
            uses.push(format!("{line}:{column} {kind}{shown}"));
        });
        if !uses.is_empty() {
            self.places.uses.insert(path.to_owned(), uses);
        }
        true
    }

    fn finish(&mut self, _: &mut Syntax, looked: &Looked) -> Result<Answer, Fault> {
        self.places.notes.push_str(&looked.skipped.lines());
        if let Some(module) = looked.elsewhere {
            return Ok(Elsewhere::with(module, &self.places).into());
        }
        Ok(Answer::text(self.places.told(&self.name)))
    }
}

impl Places {
    fn told(&self, name: &str) -> String {
        let uses: usize = self.uses.values().map(Vec::len).sum();
        if self.definitions.is_empty() && uses == 0 {
            return format!(
                "{name}: neither defined nor used as an identifier here.\n{}",
                self.notes
            );
        }
        let mut text = format!(
            "{name}: {} and {} in {}, by name alone: other things of the same name are among them.\n",
            count(self.definitions.len(), "definition"),
            count(uses, "use"),
            count(self.uses.len(), "file")
        );
        for definition in &self.definitions {
            let _ = writeln!(text, "defined {definition}");
        }
        let mut left = REFERENCES;
        for (path, uses) in &self.uses {
            if left == 0 {
                break;
            }
            let _ = writeln!(text, "\n{path}");
            for shown in uses.iter().take(left) {
                let _ = writeln!(text, "  {shown}");
            }
            left -= uses.len().min(left);
        }
        if uses > REFERENCES {
            let _ = writeln!(
                text,
                "\n{} more not shown: narrow the path or globs",
                count(uses - REFERENCES, "use")
            );
        }
        text.push_str(&self.notes);
        text
    }
}
