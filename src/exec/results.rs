//! Results as the model reads them: whole where they fit, else in pages, and never over OpenCode's cut.

use super::task::{Task, TaskState};
use crate::policy::{ANSWER_BYTES, PAGE_BYTES, RESULT_BYTES};
use crate::prompt::Xml;
use crate::sorted::{SortedMap, SortedSet};
use crate::time::{Instant, spoken};
use std::fmt::Write;

/// The largest index of a character's start that is at most `index`.
fn floor(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

/// What is kept of a result, and how many bytes were cut off its end.
pub(super) fn keep(text: &str) -> (String, usize) {
    let text = text.trim();
    let end = floor(text, RESULT_BYTES);
    (text[..end].to_owned(), text.len() - end)
}

/// How many bytes of each result fit when `room` is shared: the short ones whole, the long ones equally.
fn shares(lengths: &[usize], room: usize) -> Vec<usize> {
    let by_length: SortedSet<(usize, usize)> = (lengths.iter().copied().zip(0..)).collect();
    let mut left = room;
    let mut shares = vec![0; lengths.len()];
    for (done, (length, index)) in by_length.iter().enumerate() {
        let share = left / (lengths.len() - done);
        shares[*index] = *length.min(&share);
        left -= shares[*index];
    }
    shares
}

/// `t3 worker: description - done after 12 s`.
pub(super) fn headline(task: &Task, now: Instant) -> String {
    let age = spoken(task.age(now));
    match task.state {
        state if state.is_ended() => format!("{} - {} after {age}", task.label(), state.words()),
        state => format!("{} - {} for {age}", task.label(), state.words()),
    }
}

fn page(task: &Task, from: usize, room: usize) -> String {
    let text = &task.result;
    let from = floor(text, from);
    let to = floor(text, from.saturating_add(room));
    let mut out = text[from..to].to_owned();
    if to < text.len() {
        let _ = write!(
            out,
            "\n[bytes {from} to {to} of {}; get_task_result {{\"task_id\": \"t{}\", \"offset\": {to}}} gives the next]",
            text.len(),
            task.id
        );
    } else if task.cut > 0 {
        let _ = write!(out, "\n[the last {} bytes were too long to keep]", task.cut);
    }
    if let Some(remark) = &task.remark {
        let _ = write!(out, "\n[{remark}]");
    }
    out
}

/// One page of a result, from `offset`.
pub(super) fn answer_page(task: &Task, offset: usize, now: Instant) -> String {
    if offset > 0 && offset >= task.result.len() {
        return format!(
            "{}\n[the result has only {} bytes]",
            headline(task, now),
            task.result.len()
        );
    }
    format!(
        "{}\n{}",
        headline(task, now),
        page(task, offset, PAGE_BYTES)
    )
}

/// Several results in one answer, in the order of their ids.
pub(super) fn answer_all(tasks: &[&Task], now: Instant) -> String {
    let lengths: Vec<usize> = tasks.iter().map(|task| task.result.len()).collect();
    let parts: Vec<String> = tasks
        .iter()
        .zip(shares(&lengths, ANSWER_BYTES))
        .map(|(task, share)| format!("## {}\n{}", headline(task, now), page(task, 0, share)))
        .collect();
    parts.join("\n\n")
}

/// Several results as XML for a prompt: inserted text can't close a tag.
pub(super) fn news(tasks: &[&Task]) -> String {
    let lengths: Vec<usize> = tasks.iter().map(|task| task.result.len()).collect();
    let mut xml = Xml::new();
    for (task, share) in tasks.iter().zip(shares(&lengths, ANSWER_BYTES)) {
        xml = xml.element(
            "task_result",
            &[
                ("id", &task.name()),
                ("agent", &task.agent),
                ("state", task.state.words()),
                ("description", &task.description),
            ],
            &page(task, 0, share),
        );
    }
    xml.finish()
}

/// `2 done, 1 failed`.
pub(super) fn tally<'a>(tasks: impl Iterator<Item = &'a Task>) -> String {
    let mut counts: SortedMap<TaskState, usize> = SortedMap::new();
    for task in tasks {
        *counts.entry(task.state).or_default() += 1;
    }
    let parts: Vec<String> = counts
        .iter()
        .map(|(state, count)| format!("{count} {}", state.words()))
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_results_stay_whole_and_long_ones_share_the_rest() {
        assert_eq!(shares(&[10, 1_000, 5], 1_500), vec![10, 1_000, 5]);
        assert_eq!(shares(&[10, 1_000, 800], 510), vec![10, 250, 250]);
        assert_eq!(shares(&[], 5), Vec::<usize>::new());
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        let (kept, cut) = keep(&"é".repeat(RESULT_BYTES));
        assert_eq!(kept.len() + cut, 2 * RESULT_BYTES);
        assert!(kept.len() <= RESULT_BYTES && kept.len() > RESULT_BYTES - 4);
    }
}
