//! What a turn achieved, from the native todo list and the work tree.
//!
//! Strong: a new high-water mark of finished todos, or a changed work tree together with diagnostics not seen before.
//! Weak: the list's text changed, a new file was read or written, a new error appeared. Stagnant: nothing of these.
//!
//! A syntax error that an edit made is a new error; mending it is new health of the work tree, once for each error.

use crate::event::{FileState, Fingerprint, Todo, ToolCall, clip};
use crate::json::read_fields;
use crate::policy::{BROKEN_FILES, SYNTAX_CHARS, SYNTAX_PER_FILE};
use crate::sorted::SortedMap;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Facts kept of each kind, so that memory is bounded over any mission.
const SEEN_MAX: usize = 4_096;

/// How a turn is classified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Class {
    Strong,
    Weak,
    Stagnant,
}

/// Something seen before or not, with a bounded memory that forgets the oldest.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Seen {
    /// Sorted.
    set: Vec<Fingerprint>,
    order: VecDeque<Fingerprint>,
}

read_fields!(Seen { set, order });

impl Seen {
    /// Whether `item` is new. It is not after this.
    fn is_new(&mut self, item: Fingerprint) -> bool {
        let Err(at) = self.set.binary_search(&item) else {
            return false;
        };
        self.set.insert(at, item);
        self.order.push_back(item);
        if self.order.len() > SEEN_MAX
            && let Some(oldest) = self.order.pop_front()
            && let Ok(at) = self.set.binary_search(&oldest)
        {
            self.set.remove(at);
        }
        true
    }
}

/// The progress of a mission.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Progress {
    high_water: u32,
    list: Option<Fingerprint>,
    trees: Seen,
    reads: Seen,
    errors: Seen,
    diagnostics: Seen,
    /// The syntax errors that edits left, by file.
    #[serde(skip_serializing_if = "SortedMap::is_empty")]
    broken: SortedMap<String, Vec<String>>,
    turn: TurnFacts,
}

read_fields!(Progress { high_water, list, trees, reads, errors, diagnostics, turn; default: broken });

/// What happened since the last turn was classified.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct TurnFacts {
    tree_changed: bool,
    new_diagnostics: bool,
    news: bool,
}

read_fields!(TurnFacts {
    tree_changed,
    new_diagnostics,
    news
});

impl Progress {
    /// Takes note of a tool call of the current turn.
    pub fn on_tool(&mut self, call: &ToolCall) {
        for file in &call.writes {
            let path = Fingerprint::of(file.path.as_bytes());
            self.turn.tree_changed |= self.trees.is_new(path.and(file.content));
            self.on_written(file);
        }
        for path in &call.reads {
            self.turn.news |= self.reads.is_new(Fingerprint::of(path.as_bytes()));
        }
        if let Some(error) = &call.error {
            self.turn.news |= self.errors.is_new(Fingerprint::of(error.as_bytes()));
        }
        if let Some(diagnostics) = call.diagnostics {
            self.turn.new_diagnostics |= self.diagnostics.is_new(diagnostics);
        }
    }

    /// Takes note of a written file's syntax errors.
    pub fn on_written(&mut self, file: &FileState) {
        let Some(errors) = &file.errors else {
            return;
        };
        for error in errors {
            self.turn.news |= self.errors.is_new(Fingerprint::of(error.as_bytes()));
        }
        let kept = || {
            let errors = errors.iter().take(SYNTAX_PER_FILE);
            errors.map(|error| clip(error, SYNTAX_CHARS)).collect()
        };
        if errors.is_empty() {
            if let Some(mended) = self.broken.remove(&file.path) {
                let mended = Fingerprint::of(mended.join("\n").as_bytes());
                self.turn.new_diagnostics |= self.diagnostics.is_new(mended);
            }
        } else if self.broken.len() < BROKEN_FILES || self.broken.contains_key(&file.path) {
            self.broken.insert(file.path.clone(), kept());
        }
    }

    /// The syntax errors that edits left.
    pub fn broken(&self) -> impl Iterator<Item = &str> {
        self.broken.values().flatten().map(String::as_str)
    }

    /// Takes note of what the completion command printed: it speaks for the work tree's health.
    pub fn on_check(&mut self, output: Fingerprint) {
        self.turn.new_diagnostics |= self.diagnostics.is_new(output);
    }

    /// Classifies the turn that ended with `todos` and begins the next one.
    pub fn classify(&mut self, todos: &[Todo]) -> Class {
        let facts = std::mem::take(&mut self.turn);
        let finished = finished(todos);
        let list = fingerprint(todos);
        let list_changed = self.list != Some(list);
        self.list = Some(list);
        if finished > self.high_water {
            self.high_water = finished;
            return Class::Strong;
        }
        if facts.tree_changed && facts.new_diagnostics {
            return Class::Strong;
        }
        if list_changed || facts.news || facts.tree_changed {
            return Class::Weak;
        }
        Class::Stagnant
    }
}

/// Completed and cancelled todos.
#[must_use]
pub fn finished(todos: &[Todo]) -> u32 {
    let count = todos
        .iter()
        .filter(|todo| todo.status.is_terminal())
        .count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

pub(super) fn fingerprint(todos: &[Todo]) -> Fingerprint {
    let mut text = String::new();
    for todo in todos {
        text.push_str(todo.status.as_str());
        text.push('\0');
        text.push_str(&todo.content);
        text.push('\0');
    }
    Fingerprint::of(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{RawFile, RawToolCall, TodoStatus, ToolKind};

    fn list(items: &[(&str, TodoStatus)]) -> Vec<Todo> {
        items
            .iter()
            .map(|(content, status)| Todo {
                content: (*content).to_owned(),
                status: *status,
            })
            .collect()
    }

    use TodoStatus::{Completed, InProgress, Pending};

    #[test]
    fn peers_07_rewording_toggling_and_readding_is_never_strong() {
        let mut progress = Progress::default();
        assert_eq!(
            progress.classify(&list(&[("a", Completed), ("b", Pending)])),
            Class::Strong
        );
        let gaming = [
            list(&[("a", Completed), ("b!", Pending)]),
            list(&[("a", Pending), ("b!", InProgress)]),
            list(&[("a", Completed), ("b!", Pending)]),
            list(&[("c", Completed)]),
            list(&[("d", Completed), ("e", Pending)]),
        ];
        for todos in gaming {
            assert_eq!(progress.classify(&todos), Class::Weak, "{todos:?}");
        }
        assert_eq!(
            progress.classify(&list(&[("d", Completed), ("e", Pending)])),
            Class::Stagnant
        );
    }

    #[test]
    fn peers_07_adding_todos_while_finishing_others_is_strong() {
        let mut progress = Progress::default();
        for done in 1..20u32 {
            let mut todos: Vec<(String, TodoStatus)> =
                (0..done).map(|i| (i.to_string(), Completed)).collect();
            todos.extend((done..done * 2 + 2).map(|i| (i.to_string(), Pending)));
            let todos: Vec<Todo> = todos
                .into_iter()
                .map(|(content, status)| Todo { content, status })
                .collect();
            assert_eq!(progress.classify(&todos), Class::Strong);
        }
    }

    #[test]
    fn an_edit_with_new_diagnostics_is_strong_and_without_is_weak() {
        let mut progress = Progress::default();
        let todos = list(&[("a", Pending)]);
        progress.classify(&todos);
        let edit = |content: &str, diagnostics: Option<&str>| {
            RawToolCall {
                tool: "edit".into(),
                kind: Some(ToolKind::Edit),
                writes: vec![RawFile {
                    path: "a.rs".into(),
                    content: content.into(),
                    errors: None,
                }],
                diagnostics: diagnostics.map(Into::into),
                ..RawToolCall::default()
            }
            .reduce()
        };
        progress.on_tool(&edit("1", Some("error at 1")));
        assert_eq!(progress.classify(&todos), Class::Strong);
        progress.on_tool(&edit("2", Some("error at 1")));
        assert_eq!(progress.classify(&todos), Class::Weak);
        progress.on_tool(&edit("2", None));
        assert_eq!(progress.classify(&todos), Class::Stagnant);
    }

    #[test]
    fn breaking_a_file_is_news_and_mending_it_is_progress_once() {
        let mut progress = Progress::default();
        let todos = list(&[("a", Pending)]);
        progress.classify(&todos);
        let mut turn = |content: &str, errors: &[&str]| {
            let call = RawToolCall {
                kind: Some(ToolKind::Edit),
                writes: vec![RawFile {
                    path: "a.rs".into(),
                    content: content.into(),
                    errors: Some(errors.iter().map(|&error| error.to_owned()).collect()),
                }],
                ..RawToolCall::default()
            };
            progress.on_tool(&call.reduce());
            let broken = progress.broken().count();
            (progress.classify(&todos), broken)
        };
        assert_eq!(turn("1", &["a.rs:1:2: missing `)`"]), (Class::Weak, 1));
        assert_eq!(turn("2", &[]), (Class::Strong, 0));
        assert_eq!(turn("3", &["a.rs:1:2: missing `)`"]), (Class::Weak, 1));
        assert_eq!(turn("4", &[]), (Class::Weak, 0));
        assert_eq!(turn("4", &[]), (Class::Stagnant, 0));
    }
}
