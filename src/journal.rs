//! The journal: every event of a mission with its time, as NDJSON. Crash recovery, flight recorder, bug report and
//! test corpus in one.
//!
//! Line 1 is a header with the version, the policy and a snapshot of the mission; each further line is a
//! [`Timed`] event. The snapshot makes the file bounded (it is replaced by a new header when it grows too large) and
//! replayable from any size. A line is written before the effects of its event are performed.

use crate::event::Timed;
use crate::mission::Mission;
use crate::policy::Policy;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// Version of the format. A journal of another version is refused by name.
pub const VERSION: u32 = 1;

/// The first line of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub journal: u32,
    pub policy: Policy,
    pub mission: Mission,
}

/// Why a journal can't be used.
#[derive(Debug, Error)]
pub enum JournalError {
    #[error("the journal is empty")]
    Empty,
    #[error("not a mission journal: {0}")]
    Foreign(serde_json::Error),
    #[error("the journal has version {0}; this program reads version {VERSION}")]
    Version(u64),
    #[error("line {line} of the journal is damaged: {error}")]
    Damaged {
        line: usize,
        error: serde_json::Error,
    },
}

/// A journal as read.
pub(crate) struct Journal {
    pub header: Header,
    pub events: Vec<Timed>,
}

/// Writes a header line.
pub(crate) fn header_line(policy: &Policy, mission: &Mission) -> String {
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

/// Writes an event line.
pub(crate) fn event_line(at: crate::time::Instant, event: &crate::event::Event) -> String {
    #[derive(Serialize)]
    struct Borrowed<'a> {
        at: crate::time::Instant,
        event: &'a crate::event::Event,
    }
    line(&Borrowed { at, event })
}

fn line(value: &impl Serialize) -> String {
    // the types hold only strings, numbers and string-keyed maps, which always serialise
    let mut text = serde_json::to_string(value).unwrap_or_default();
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
    let first: Value = serde_json::from_str(first).map_err(JournalError::Foreign)?;
    match first.get("journal").and_then(Value::as_u64) {
        Some(version) if version != u64::from(VERSION) => {
            return Err(JournalError::Version(version));
        }
        _ => {}
    }
    let header: Header = serde_json::from_value(first).map_err(JournalError::Foreign)?;
    let mut events = Vec::new();
    for (index, line) in lines {
        // by way of a value: the boundary decodes from values too, and one decoder is half the code of two
        let event = serde_json::from_str::<Value>(line).and_then(serde_json::from_value);
        events.push(event.map_err(|error| JournalError::Damaged {
            line: index + 1,
            error,
        })?);
    }
    Ok(Journal { header, events })
}
