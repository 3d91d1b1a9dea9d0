//! Repetition detectors over the calls, errors, texts and files of a mission since its last strong progress.
//!
//! All of them compare call *and* result, so polling with changing output, batch edits and an edit–build loop with
//! different errors never fire.

use crate::event::{Fingerprint, ToolCall, ToolKind};
use crate::json::read_fields;
use crate::policy::{
    ALTERNATION_REPEAT, CALL_WINDOW, CYCLE_LEN, CYCLE_REPEAT, ERROR_REPEAT, FILE_RETURN,
    FILE_VERSIONS, FILES_TRACKED, REPEAT_COUNT, REPEAT_WARN, TEXT_REPEAT,
};
use crate::sorted::SortedMap;
use serde::Serialize;
use std::collections::VecDeque;

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Call {
    key: Fingerprint,
    label: String,
}

read_fields!(Call { key, label });

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct FileHistory {
    versions: Vec<Fingerprint>,
    returns: u32,
}

read_fields!(FileHistory { versions, returns });

/// What the detectors found, in words for the agent. `stagnant` when it counts, not only warns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    pub stagnant: bool,
    pub lines: Vec<String>,
}

/// The detectors' memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Detectors {
    calls: VecDeque<Call>,
    errors: VecDeque<String>,
    texts: VecDeque<Fingerprint>,
    files: SortedMap<String, FileHistory>,
}

read_fields!(Detectors {
    calls,
    errors,
    texts,
    files
});

impl Detectors {
    /// Takes note of a finished tool call.
    pub fn on_tool(&mut self, call: &ToolCall) {
        if call.kind == ToolKind::Plan {
            return; // the todo list has its own rules
        }
        let key = call.args.and(call.result);
        push(
            &mut self.calls,
            Call {
                key,
                label: call.label.clone(),
            },
            CALL_WINDOW,
        );
        if let Some(error) = &call.error {
            push(&mut self.errors, error.clone(), ERROR_REPEAT);
        }
        for file in &call.writes {
            self.on_write(&file.path, file.content);
        }
    }

    fn on_write(&mut self, path: &str, content: Fingerprint) {
        if !self.files.contains_key(path) && self.files.len() >= FILES_TRACKED {
            return;
        }
        let history = self.files.entry(path.to_owned()).or_default();
        if history.versions.last() == Some(&content) {
            return; // written again unchanged: not a return to an earlier state
        }
        if history.versions.contains(&content) {
            history.returns += 1;
        }
        history.versions.push(content);
        if history.versions.len() > FILE_VERSIONS {
            history.versions.remove(0);
        }
    }

    /// Takes note of the final text of a turn.
    pub fn on_text(&mut self, text: Fingerprint) {
        push(&mut self.texts, text, TEXT_REPEAT);
    }

    /// Forgets everything: strong progress was made.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// What is being repeated now.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        let mut found = Evidence::default();
        let mut report = |counts: bool, line: String| {
            found.stagnant |= counts;
            found.lines.push(line);
        };
        if let Some((call, times)) = self
            .most_repeated()
            .filter(|(_, times)| *times >= REPEAT_WARN)
        {
            report(
                times >= REPEAT_COUNT,
                format!("`{}` gave the same result {times} times", call.label),
            );
        }
        if let Some(first) = self.errors.front()
            && self.errors.len() >= ERROR_REPEAT
            && self.errors.iter().all(|error| error == first)
        {
            report(
                true,
                format!("the same error {ERROR_REPEAT} times in a row: {first}"),
            );
        }
        if let Some(cycle) = self.cycle() {
            report(true, cycle);
        }
        if let Some(first) = self.texts.front()
            && self.texts.len() >= TEXT_REPEAT
            && self.texts.iter().all(|text| text == first)
        {
            report(true, format!("the same final answer {TEXT_REPEAT} times"));
        }
        for (path, history) in &self.files {
            if history.returns >= FILE_RETURN {
                report(
                    true,
                    format!(
                        "{path} went back to an earlier content {} times",
                        history.returns
                    ),
                );
            }
        }
        found
    }

    fn most_repeated(&self) -> Option<(&Call, usize)> {
        let mut counts: SortedMap<Fingerprint, (usize, &Call)> = SortedMap::new();
        for call in &self.calls {
            counts.entry(call.key).or_insert((0, call)).0 += 1;
        }
        counts
            .values()
            .max_by_key(|(times, _)| *times)
            .map(|(times, call)| (*call, *times))
    }

    /// The newest calls as a repetition of a pattern of 2 to `CYCLE_LEN` different calls.
    fn cycle(&self) -> Option<String> {
        let keys: Vec<&Call> = self.calls.iter().collect();
        (2..=CYCLE_LEN).find_map(|len| {
            let repeat = if len == 2 {
                ALTERNATION_REPEAT
            } else {
                CYCLE_REPEAT
            };
            let tail = keys
                .len()
                .checked_sub(len * repeat)
                .map(|start| &keys[start..])?;
            let pattern = &tail[..len];
            let same = tail
                .chunks(len)
                .all(|chunk| chunk.iter().zip(pattern).all(|(a, b)| a.key == b.key));
            let varied = pattern.iter().any(|call| call.key != pattern[0].key);
            (same && varied).then(|| {
                let labels: Vec<String> = pattern
                    .iter()
                    .map(|call| format!("`{}`", call.label))
                    .collect();
                format!(
                    "the cycle {} repeated {repeat} times with the same results",
                    labels.join(" → ")
                )
            })
        })
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T, max: usize) {
    queue.push_back(item);
    if queue.len() > max {
        queue.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{RawFile, RawToolCall};

    fn call(kind: ToolKind, args: &str, output: &str) -> ToolCall {
        RawToolCall {
            tool: "tool".into(),
            kind: Some(kind),
            args: args.into(),
            output: output.into(),
            ..RawToolCall::default()
        }
        .reduce()
    }

    fn after(calls: &[(&str, &str)]) -> Evidence {
        let mut detectors = Detectors::default();
        for (args, output) in calls {
            detectors.on_tool(&call(ToolKind::Run, args, output));
        }
        detectors.evidence()
    }

    #[test]
    fn the_same_call_and_result_warns_then_counts() {
        assert_eq!(after(&[("a", "x"); 2]), Evidence::default());
        let warned = after(&[("a", "x"); 3]);
        assert!(!warned.stagnant);
        assert!(warned.lines[0].contains("3 times"));
        assert!(after(&[("a", "x"); 4]).stagnant);
    }

    #[test]
    fn polling_with_changing_output_is_fine() {
        let outputs: Vec<String> = (0..60).map(|i| i.to_string()).collect();
        let calls: Vec<(&str, &str)> = outputs.iter().map(|o| ("status", o.as_str())).collect();
        assert_eq!(after(&calls), Evidence::default());
    }

    #[test]
    fn edit_and_build_with_different_errors_is_fine() {
        let mut detectors = Detectors::default();
        for i in 0..30 {
            let mut edit = call(ToolKind::Edit, &format!("edit {i}"), "Edit applied");
            edit.writes = RawToolCall {
                writes: vec![RawFile {
                    path: "a.rs".into(),
                    content: i.to_string().into(),
                    errors: None,
                }],
                ..RawToolCall::default()
            }
            .reduce()
            .writes;
            detectors.on_tool(&edit);
            let mut build = call(ToolKind::Run, "cargo build", &format!("error at line {i}"));
            build.error = Some(format!("error at line {i}"));
            detectors.on_tool(&build);
        }
        assert_eq!(detectors.evidence(), Evidence::default());
    }

    #[test]
    fn batch_edits_over_many_files_are_fine() {
        let args: Vec<String> = (0..100).map(|i| format!("file{i}")).collect();
        let calls: Vec<(&str, &str)> = args.iter().map(|a| (a.as_str(), "Edit applied")).collect();
        assert_eq!(after(&calls), Evidence::default());
    }

    #[test]
    fn alternation_and_cycles_count() {
        assert!(after(&[("a", "1"), ("b", "2")].repeat(3)).stagnant);
        let mut unlike = [("a", "1"), ("b", "2")].repeat(2);
        unlike.push(("a", "1"));
        assert!(!after(&unlike).stagnant);
        let cycle = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5")];
        assert!(
            after(&cycle.repeat(5))
                .lines
                .iter()
                .any(|l| l.contains("cycle"))
        );
        assert!(!after(&cycle.repeat(3)).stagnant);
    }

    #[test]
    fn errors_texts_and_files_going_back_count() {
        let mut detectors = Detectors::default();
        for i in 0..3 {
            let mut failed = call(ToolKind::Run, &i.to_string(), &i.to_string());
            failed.error = Some("no such file".into());
            detectors.on_tool(&failed);
        }
        assert!(detectors.evidence().stagnant);

        let mut detectors = Detectors::default();
        for _ in 0..3 {
            detectors.on_text(Fingerprint::of(b"I am done"));
        }
        assert!(detectors.evidence().stagnant);

        let mut detectors = Detectors::default();
        for content in ["1", "2", "1", "3", "2"] {
            detectors.on_write("a.rs", Fingerprint::of(content.as_bytes()));
        }
        assert!(detectors.evidence().lines[0].contains("a.rs went back"));
        detectors.reset();
        assert_eq!(detectors.evidence(), Evidence::default());
    }
}
