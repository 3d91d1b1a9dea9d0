//! The journal: every event of a mission with its time, as NDJSON. Crash recovery, flight recorder, bug report and
//! test corpus in one.
//!
//! A line is a [`Timed`] event or a snapshot with the version, the policy and the whole mission, or the tasks of one
//! parent session, which have a file of their own: results outlive missions. The first line is a
//! snapshot; another follows each step that no event of the mission explains (a command, a restart). A file that grows
//! too large is replaced by one that begins with a snapshot of now, so it is bounded and still replayable. A line is
//! written before the effects of its event are performed.

use crate::event::Timed;
use crate::exec::UnifiedTaskExecutor;
use crate::json::read_fields;
use crate::mission::Mission;
use crate::policy::Policy;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Version of the format. A journal of another version is refused by name.
pub const VERSION: u32 = 4;

/// How a snapshot line begins.
const SNAPSHOT: &str = r#"{"journal":"#;

#[derive(Deserialize)]
struct Version {
    journal: u32,
}

/// What a journal is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    Mission(Box<Mission>),
    /// The tasks of one parent session.
    Tasks(Box<UnifiedTaskExecutor>),
}

impl Subject {
    /// The mission, when it is one.
    #[must_use]
    pub fn mission(self) -> Option<Mission> {
        match self {
            Self::Mission(mission) => Some(*mission),
            Self::Tasks(_) => None,
        }
    }
}

/// A snapshot line: the rules, and the mission or the tasks as they were at one moment.
struct Snapshot {
    policy: Policy,
    mission: Option<Box<Mission>>,
    tasks: Option<Box<UnifiedTaskExecutor>>,
}

read_fields!(Snapshot {
    policy,
    mission,
    tasks
});

/// A line of a journal after the first.
pub(crate) enum Entry {
    Snapshot(Box<(Policy, Subject)>),
    Event(Box<Timed>),
}

/// Why a journal can't be used.
#[derive(Debug, Error)]
pub enum JournalError {
    #[error("the journal is empty")]
    Empty,
    #[error("not a mission journal: {0}")]
    Foreign(crate::json::Error),
    #[error("the journal has version {0}; this program reads version {VERSION}")]
    Version(u32),
    #[error("line {line} of the journal is damaged: {error}")]
    Damaged {
        line: usize,
        error: crate::json::Error,
    },
}

/// A journal as read.
pub(crate) struct Journal {
    pub first: (Policy, Subject),
    pub rest: Vec<Entry>,
}

/// Writes a snapshot line.
pub(crate) fn snapshot_line(policy: &Policy, mission: &Mission) -> String {
    #[derive(Serialize)]
    struct Borrowed<'a> {
        journal: u32,
        policy: &'a Policy,
        mission: &'a Mission,
    }
    line(&Borrowed {
        journal: VERSION,
        policy,
        mission,
    })
}

/// Writes a snapshot line of a session's tasks.
pub(crate) fn tasks_snapshot_line(policy: &Policy, tasks: &UnifiedTaskExecutor) -> String {
    #[derive(Serialize)]
    struct Borrowed<'a> {
        journal: u32,
        policy: &'a Policy,
        tasks: &'a UnifiedTaskExecutor,
    }
    line(&Borrowed {
        journal: VERSION,
        policy,
        tasks,
    })
}

/// Writes an event line: `text` is the event as it came, if it came as text.
pub(crate) fn event_line(
    at: crate::time::Instant,
    event: &crate::event::Event,
    text: Option<&str>,
) -> String {
    #[derive(Serialize)]
    struct Borrowed<'a> {
        at: crate::time::Instant,
        event: &'a crate::event::Event,
    }
    match text {
        // JSON may be written over several lines, a journal's line may not
        Some(text) if memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_none() => {
            let mut line =
                String::with_capacity(text.len() + "{'at':1700000000000,'event':}_".len());
            line.push_str("{\"at\":");
            line.push_str(itoa::Buffer::new().format(at.0));
            line.push_str(",\"event\":");
            line.push_str(text);
            line.push_str("}\n");
            line
        }
        _ => line(&Borrowed { at, event }),
    }
}

fn line(value: &impl Serialize) -> String {
    // the types hold only strings, numbers and string-keyed maps, which always serialise
    let mut text = crate::json::to_string(value).unwrap_or_default();
    text.push('\n');
    text
}

/// Reads a journal. A torn last line (no newline at its end) is what a kill leaves behind, and is dropped.
///
/// # Errors
/// When the file is empty, foreign, of another version, or damaged before its last line.
pub(crate) fn parse(text: &str) -> Result<Journal, JournalError> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut lines = whole
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let (_, first) = lines.next().ok_or(JournalError::Empty)?;
    let first = snapshot(first)?;
    let mut rest = Vec::new();
    for (index, line) in lines {
        rest.push(entry(line, index + 1)?);
    }
    Ok(Journal { first, rest })
}

/// Reads the line with this number, counted from 1.
pub(crate) fn entry(line: &str, number: usize) -> Result<Entry, JournalError> {
    if line.starts_with(SNAPSHOT) {
        return Ok(Entry::Snapshot(Box::new(snapshot(line)?)));
    }
    let event = crate::json::from_str(line).map_err(|error| JournalError::Damaged {
        line: number,
        error,
    })?;
    Ok(Entry::Event(Box::new(event)))
}

/// Reads a snapshot line.
pub(crate) fn snapshot(line: &str) -> Result<(Policy, Subject), JournalError> {
    let version: Version = crate::json::from_str(line).map_err(JournalError::Foreign)?;
    if version.journal != VERSION {
        return Err(JournalError::Version(version.journal));
    }
    let snapshot: Snapshot = crate::json::from_str(line).map_err(JournalError::Foreign)?;
    let subject = match (snapshot.mission, snapshot.tasks) {
        (Some(mission), _) => Subject::Mission(mission),
        (None, Some(tasks)) => Subject::Tasks(tasks),
        (None, None) => return Err(JournalError::Empty),
    };
    Ok((snapshot.policy, subject))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::time::Instant;

    #[test]
    fn an_event_that_came_as_text_is_kept_as_it_came_on_one_line() {
        for (text, expected) in [
            (
                r#"{ "idle": {"session":"s","more":1} }"#,
                "{\"at\":7,\"event\":{ \"idle\": {\"session\":\"s\",\"more\":1} }}\n",
            ),
            (
                "{\"idle\":\n{\"session\":\"s\"}}",
                "{\"at\":7,\"event\":{\"idle\":{\"session\":\"s\"}}}\n",
            ),
            ("\"alarm\"", "{\"at\":7,\"event\":\"alarm\"}\n"),
        ] {
            let event: Event = serde_json::from_str(text).expect("an event");
            let line = event_line(Instant(7), &event, Some(text));
            assert_eq!(line, expected);
            let timed: Timed = serde_json::from_str(line.trim_end()).expect("a line");
            assert_eq!((timed.at, timed.event), (Instant(7), event));
        }
    }
}
