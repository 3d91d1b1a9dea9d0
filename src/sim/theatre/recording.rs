//! The flight recorder: a journal of a real mission, replayed by today's rules, to look at like a run.
//!
//! The text comes in pieces, so that the page can show how far it is. Every so many lines the state is kept: a jump
//! replays from there.

use super::overview::{Observer, Overview, Seen};
use super::picture::{self, Picture};
use super::settings::Settings;
use super::why::{Reasons, Why};
use crate::engine::replay_event;
use crate::journal::{self, Entry, JournalError, Subject};
use crate::mission::{Decision, Mission};
use crate::policy::Policy;
use crate::sim::Heard;
use serde::Serialize;
use thiserror::Error;

/// Largest journal taken. The plugin's own are bounded at `journal.maxMb`, 8 by default.
pub const MAX_BYTES: usize = 160_000_000;
/// Lines from one kept state to the next: some milliseconds of replay.
const KEPT_EVERY: usize = 2_000;
/// Differences listed at most.
const DIFFERENCES: usize = 100;

/// Why a file can't be opened.
#[derive(Debug, Error)]
pub enum RecordingError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the file is larger than {} MB, the most that this page takes", MAX_BYTES / 1_000_000)]
    TooLarge,
}

/// A decision that the journal tells of and today's rules did not make, or the other way round.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct Difference {
    pub n: usize,
    /// In ms since the start.
    #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number"))]
    pub at: u64,
    /// What the journal says; nothing when today's rules decided something more.
    pub recorded: Option<String>,
    pub today: Option<String>,
}

/// The state after a line.
#[derive(Clone)]
struct State {
    n: usize,
    now: u64,
    policy: Policy,
    subject: Subject,
}

/// A journal with a place in it.
pub struct Recording {
    text: String,
    /// Of the lines after the first: where each ends, its newline left out.
    ends: Vec<u32>,
    /// Where the part that was read ends.
    read: usize,
    /// What the first line ends at.
    first: usize,
    kept: Vec<State>,
    state: Option<State>,
    observer: Option<Observer>,
    overview: Option<Overview>,
    reasons: Vec<Why>,
    differences: Vec<Difference>,
    happened: Vec<picture::Happened>,
}

impl Default for Recording {
    fn default() -> Self {
        Self::new()
    }
}

impl Recording {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self {
            text: String::new(),
            ends: Vec::new(),
            read: 0,
            first: 0,
            kept: Vec::new(),
            state: None,
            observer: None,
            overview: None,
            reasons: Vec::new(),
            differences: Vec::new(),
            happened: Vec::new(),
        }
    }

    /// Reads the next piece of the file.
    ///
    /// # Errors
    /// When it is no journal, is damaged before its last line, or is too large.
    pub fn read(&mut self, piece: &str) -> Result<(), RecordingError> {
        if self.text.len() + piece.len() > MAX_BYTES {
            return Err(RecordingError::TooLarge);
        }
        self.text.push_str(piece);
        while let Some(length) = self.text[self.read..].find('\n') {
            let (from, to) = (self.read, self.read + length);
            self.line(from, to)?;
            self.read = to + 1;
        }
        Ok(())
    }

    fn line(&mut self, from: usize, to: usize) -> Result<(), RecordingError> {
        let line = self.text[from..to].trim_end_matches('\r');
        let Some(state) = &mut self.state else {
            let (policy, subject) = journal::snapshot(line)?;
            self.first = to;
            let (n, now) = (0, 0);
            self.state = Some(State {
                n,
                now,
                policy,
                subject,
            });
            self.kept.extend(self.state.clone());
            return Ok(());
        };
        let entry = journal::entry(line, self.ends.len() + 2)?;
        if let Entry::Snapshot(snapshot) = &entry {
            let epoch = self.observer.as_ref().map_or(0, Observer::epoch);
            if let (Subject::Mission(today), Subject::Mission(recorded)) =
                (&state.subject, &snapshot.1)
            {
                let found = differences(recorded, today, state.now);
                let (n, at) = (state.n + 1, state.now.saturating_sub(epoch));
                self.differences
                    .extend(found.into_iter().map(|(recorded, today)| Difference {
                        n,
                        at,
                        recorded,
                        today,
                    }));
                self.differences.truncate(DIFFERENCES);
            }
        }
        let heard = state.apply(entry);
        let observer = self
            .observer
            .get_or_insert_with(|| Observer::new(Settings::default(), state.now));
        observer.see(&state.seen(&heard));
        self.ends.push(to as u32);
        if state.n % KEPT_EVERY == 0 {
            self.kept.push(state.clone());
        }
        Ok(())
    }

    /// Ends the reading. A torn last line is what a kill leaves behind, and is dropped.
    ///
    /// # Errors
    /// When there was no whole line.
    pub fn finish(&mut self) -> Result<(), RecordingError> {
        let Some(start) = self.kept.first() else {
            return Err(JournalError::Empty.into());
        };
        let observer = self
            .observer
            .take()
            .unwrap_or_else(|| Observer::new(Settings::default(), 0));
        let (mut overview, reasons) = observer.finish(None);
        if overview.outcome.text.is_empty() {
            overview.outcome.text = "tasks of a session".into();
        }
        self.state = Some(start.clone());
        self.overview = Some(overview);
        self.reasons = reasons;
        Ok(())
    }

    /// The whole recording, once it is finished.
    #[must_use]
    pub fn overview(&self) -> Option<&Overview> {
        self.overview.as_ref()
    }

    /// Where the journal and today's rules part, as far as its snapshots show.
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// The picture after `moment` lines; the last one when there are not so many. None before it is finished.
    pub fn jump(&mut self, moment: usize) -> Option<Picture> {
        let overview = self.overview.as_ref()?;
        let moment = moment.min(self.ends.len());
        let kept = &self.kept[..self.kept.partition_point(|state| state.n <= moment)];
        let kept = kept.last()?;
        let mut state = match self.state.take() {
            Some(state) if (kept.n..=moment).contains(&state.n) => state,
            _ => {
                self.happened.clear();
                kept.clone()
            }
        };
        while state.n < moment {
            let heard = state.apply(self.entry(state.n)?);
            self.happened = picture::happened(&heard);
        }
        if moment > 0 && self.happened.is_empty() {
            // the kept state is the place itself: what happened is in the line before it
            self.happened = match self.entry(moment - 1)? {
                Entry::Event(timed) => picture::happened(&[Heard {
                    at: timed.at.0,
                    event: timed.event,
                    effects: Vec::new(),
                }]),
                Entry::Snapshot(_) => Vec::new(),
            };
        }
        let at = state.now.saturating_sub(overview.epoch);
        let picture = picture::of_subject(
            &state.subject,
            &state.policy,
            (moment, at, state.now),
            self.happened.clone(),
            Reasons::up_to(&self.reasons, moment),
        );
        self.state = Some(state);
        Some(picture)
    }

    /// The entry in the `index`th line after the first, which was read before.
    fn entry(&self, index: usize) -> Option<Entry> {
        let from = index
            .checked_sub(1)
            .map_or(self.first, |before| self.ends[before] as usize);
        let line = self.text[from..self.ends[index] as usize].trim();
        journal::entry(line, index + 2).ok()
    }
}

impl State {
    /// Replays an entry by today's rules.
    fn apply(&mut self, entry: Entry) -> Vec<Heard> {
        self.n += 1;
        match entry {
            Entry::Snapshot(snapshot) => {
                (self.policy, self.subject) = *snapshot;
                Vec::new()
            }
            Entry::Event(timed) => {
                let effects = replay_event(&self.policy, &mut self.subject, &timed);
                self.now = timed.at.0;
                vec![Heard {
                    at: timed.at.0,
                    event: timed.event,
                    effects,
                }]
            }
        }
    }

    fn seen<'a>(&'a self, heard: &'a [Heard]) -> Seen<'a> {
        let mission = match &self.subject {
            Subject::Mission(mission) => Some(&**mission),
            Subject::Tasks(_) => None,
        };
        Seen {
            at: self.now,
            heard,
            notes: &[],
            violation: None,
            mission,
            turn: None,
            limits: Vec::new(),
            ceiling: self.policy.limits.global,
            capacity: None,
            alive: true,
        }
    }
}

/// The decisions before `now` that only one of the two made. A snapshot also has those of the step that wrote it, which
/// no event tells of; and both keep only the newest.
fn differences(
    recorded: &Mission,
    today: &Mission,
    now: u64,
) -> Vec<(Option<String>, Option<String>)> {
    if recorded.id != today.id {
        return Vec::new();
    }
    let first = |mission: &Mission| mission.decisions.front().map(|decision| decision.at);
    let from = first(recorded).max(first(today));
    let told = |decision: &&Decision| Some(decision.at) > from && decision.at.0 < now;
    let words = |decision: &Decision| format!("{}: {}", decision.rule, decision.text);
    let only = |of: &Mission, not: &Mission| -> Vec<String> {
        let missing = |decision: &&Decision| !not.decisions.contains(decision);
        of.decisions
            .iter()
            .filter(told)
            .filter(missing)
            .map(words)
            .collect()
    };
    let recorded_only = only(recorded, today).into_iter();
    let today_only = only(today, recorded).into_iter();
    recorded_only
        .map(|text| (Some(text), None))
        .chain(today_only.map(|text| (None, Some(text))))
        .collect()
}
