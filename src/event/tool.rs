//! Tool calls: what the host saw of one, and what the core keeps of that.

use super::Fingerprint;
use crate::id::CallId;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What a tool call was for. The host maps OpenCode's tool names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum ToolKind {
    Read,
    Edit,
    Run,
    Plan,
    Other,
}

/// A file as it was after a tool call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct FileState {
    pub path: String,
    pub content: Fingerprint,
    /// The syntax errors that it has and had not before the mission's first edit of it, as `path:line:column: message`;
    /// none when it was not parsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<String>>,
}

/// The facts of a finished tool call that the stagnation rules need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ToolCall {
    pub call: CallId,
    pub kind: ToolKind,
    /// The call in a few words, for evidence: tool name and the start of its arguments.
    pub label: String,
    /// Tool name and arguments.
    pub args: Fingerprint,
    /// The output, or the error.
    pub result: Fingerprint,
    /// The first line of the error when the call failed.
    pub error: Option<String>,
    /// Files the call read.
    pub reads: Vec<String>,
    /// Files the call wrote, as they are now.
    pub writes: Vec<FileState>,
    /// What the call told about the health of the work tree: language diagnostics, build or test output.
    pub diagnostics: Option<Fingerprint>,
}

/// A finished tool call as the host saw it, before the core keeps only fingerprints of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", default)]
pub struct RawToolCall<'a> {
    pub call: String,
    #[serde(borrow)]
    pub tool: Cow<'a, str>,
    #[cfg_attr(
        all(test, not(target_arch = "wasm32")),
        ts(type = "\"read\" | \"edit\" | \"run\" | \"plan\" | \"other\"")
    )]
    pub kind: Option<ToolKind>,
    /// The arguments as JSON text.
    #[serde(borrow)]
    pub args: Cow<'a, str>,
    /// The output, or the error's message when `failed`.
    #[serde(borrow)]
    pub output: Cow<'a, str>,
    pub failed: bool,
    pub reads: Vec<String>,
    /// Path and content of each file written.
    #[serde(borrow)]
    pub writes: Vec<RawFile<'a>>,
    /// Diagnostics of the work tree, as text.
    #[serde(borrow)]
    pub diagnostics: Option<Cow<'a, str>>,
}

/// A written file's path and text.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(default)]
pub struct RawFile<'a> {
    pub path: String,
    #[serde(borrow)]
    pub content: Cow<'a, str>,
    /// As in [`FileState`].
    pub errors: Option<Vec<String>>,
}

/// Longest label and error prefix kept, in characters.
const LABEL_CHARS: usize = 80;

impl RawToolCall<'_> {
    /// Reduces the call to what the rules compare.
    #[must_use]
    pub fn reduce(self) -> ToolCall {
        let kind = self.kind.unwrap_or(ToolKind::Other);
        let args = self.args.trim();
        let diagnostics = match (&self.diagnostics, kind) {
            (Some(text), _) => Some(Fingerprint::of(text.as_bytes())),
            (None, ToolKind::Run) => Some(Fingerprint::of(untimed(&self.output).as_bytes())),
            _ => None,
        };
        let first_line = || self.output.lines().next().unwrap_or("error");
        let written = |file: RawFile| FileState {
            path: file.path,
            content: Fingerprint::of(file.content.as_bytes()),
            errors: file.errors,
        };
        ToolCall {
            call: CallId(self.call),
            kind,
            label: clip_all(&[&self.tool, args], LABEL_CHARS),
            args: Fingerprint::of([&*self.tool, "\0", args].concat().as_bytes()),
            result: Fingerprint::of(self.output.as_bytes()),
            error: self.failed.then(|| clip(first_line(), LABEL_CHARS)),
            reads: self.reads,
            writes: self.writes.into_iter().map(written).collect(),
            diagnostics,
        }
    }
}

/// `text` without durations (`0.53s`, `12 ms`): the same build is the same news however long it took.
fn untimed(text: &str) -> String {
    let is_number = |word: &str| word.parse::<f64>().is_ok();
    let is_unit = |word: &str| {
        matches!(
            word,
            "s" | "ms" | "µs" | "us" | "ns" | "sec" | "secs" | "seconds"
        )
    };
    let mut kept: Vec<&str> = Vec::new();
    for word in
        text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | ',' | ';'))
    {
        let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let fused = unit.len() < word.len() && is_unit(unit);
        if is_unit(word) && kept.last().is_some_and(|last| is_number(last)) {
            kept.pop();
        } else if !fused {
            kept.push(word);
        }
    }
    kept.join(" ")
}

/// The first `chars` characters of `text` on one line, with an ellipsis when something was cut.
#[must_use]
pub fn clip(text: &str, chars: usize) -> String {
    clip_all(&[text], chars)
}

/// The same of several texts, with a space between them.
fn clip_all(texts: &[&str], chars: usize) -> String {
    let longest = 4 * chars; // in UTF-8
    let all: usize = texts.iter().map(|text| text.len() + 1).sum();
    let mut flat = String::with_capacity(all.min(longest));
    for text in texts {
        for word in text.split_whitespace() {
            if flat.len() > longest {
                break;
            }
            if !flat.is_empty() {
                flat.push(' ');
            }
            flat.push_str(word);
        }
    }
    let start_of = |index| flat.char_indices().nth(index).map(|(at, _)| at);
    if flat.len() > chars && start_of(chars).is_some() {
        let kept = start_of(chars.saturating_sub(1)).unwrap_or_default();
        flat.truncate(kept);
        flat.push('…');
    }
    flat
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_same_build_is_the_same_news_however_long_it_took() {
        let run = |output: &str| {
            RawToolCall {
                kind: Some(ToolKind::Run),
                output: output.into(),
                ..RawToolCall::default()
            }
            .reduce()
            .diagnostics
        };
        assert_eq!(run("ok in 0.53s (12 ms)"), run("ok in 1.2s (9 ms)"));
        assert_ne!(run("error at line 5"), run("error at line 7"));
        assert_ne!(run("3 errors"), run("2 errors"));
    }

    proptest! {
        #[test]
        fn a_clipped_text_is_its_first_characters_on_one_line(text in "[ \na-zé漢]{0,40}", chars in 0_usize..20) {
            let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let clipped = clip(&text, chars);
            if flat.chars().count() <= chars {
                prop_assert_eq!(clipped, flat);
            } else {
                let kept: String = flat.chars().take(chars.saturating_sub(1)).collect();
                prop_assert_eq!(clipped, kept + "…");
            }
        }
    }
}
