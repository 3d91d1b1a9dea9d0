//! The whole run at a glance, kept while it runs once: what the timeline and the plot are drawn from.

use super::settings::Settings;
use super::why::{self, Why};
use crate::concurrency::{KeyView, LimiterState};
use crate::effect::Effect;
use crate::event::{Event, Origin};
use crate::mission::{Decision, Mission, Phase, Rule};
use crate::sim::Heard;
use serde::Serialize;
use std::collections::BTreeSet;

/// A value that holds from a moment on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct From<T> {
    pub n: usize,
    pub value: T,
}

/// A line of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Lane {
    /// What the plugin sends to the session.
    Plugin,
    /// What the provider and the sub-agents do.
    Tasks,
    /// What the person does.
    Person,
    /// What goes wrong.
    Faults,
}

/// Something at one moment of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct Mark {
    pub n: usize,
    pub lane: Lane,
    pub kind: &'static str,
    pub text: String,
}

/// A point of the plot. It holds until the next.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Level {
    pub limit: u32,
    pub ceiling: u32,
    pub in_flight: u32,
    pub waiting: u32,
    /// What the provider takes; not known of a real one.
    pub capacity: Option<u32>,
    pub state: LimiterState,
}

/// A run, or a recording, from its first moment to its last. A long one is thinned to what a timeline can show.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// With nothing absent; as a story has none, of a recording.
    pub settings: Settings,
    pub total: usize,
    /// When it began, in ms since 1970.
    #[cfg_attr(all(test, not(target_arch = "wasm32")), ts(type = "number"))]
    pub epoch: u64,
    /// In ms since the start.
    #[cfg_attr(
        all(test, not(target_arch = "wasm32")),
        ts(type = "Array<From<number>>")
    )]
    pub at: Vec<From<u64>>,
    pub phases: Vec<From<Phase>>,
    pub turns: Vec<From<&'static str>>,
    pub marks: Vec<Mark>,
    pub levels: Vec<From<Level>>,
    pub outcome: Outcome,
}

/// How it ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct Outcome {
    pub text: String,
    pub success: bool,
    /// The law that was broken: a bug of the program, and this is its report.
    pub violation: Option<String>,
}

/// What the observer is shown of a moment.
pub struct Seen<'a> {
    pub at: u64,
    pub heard: &'a [Heard],
    pub notes: &'a [String],
    pub violation: Option<&'a str>,
    pub mission: Option<&'a Mission>,
    /// What the mission's session does, where that is known.
    pub turn: Option<&'static str>,
    pub limits: Vec<KeyView>,
    pub ceiling: u32,
    pub capacity: Option<u32>,
    /// The program runs.
    pub alive: bool,
}

/// Watches a run and keeps what changes.
pub struct Observer {
    overview: Overview,
    reasons: Vec<Why>,
    /// The mission's newest decisions, as it keeps them.
    decisions: Vec<Decision>,
    /// The sharpest prompt that was decided and not sent yet.
    tone: Option<Rule>,
    limiter: Option<String>,
    shown: Outcome,
}

impl Observer {
    pub fn new(settings: Settings, epoch: u64) -> Self {
        Self {
            overview: Overview {
                settings,
                total: 0,
                epoch,
                at: Vec::new(),
                phases: Vec::new(),
                turns: Vec::new(),
                marks: Vec::new(),
                levels: Vec::new(),
                outcome: Outcome::default(),
            },
            reasons: Vec::new(),
            decisions: Vec::new(),
            tone: None,
            limiter: None,
            shown: Outcome::default(),
        }
    }

    pub fn epoch(&self) -> u64 {
        self.overview.epoch
    }

    pub fn moments(&self) -> usize {
        self.overview.total
    }

    pub fn see(&mut self, seen: &Seen) {
        self.overview.total += 1;
        let n = self.overview.total;
        let at = seen.at.saturating_sub(self.overview.epoch);
        push(&mut self.overview.at, n, at);
        let before = self.overview.phases.last().map(|from| from.value);
        if let Some(mission) = seen.mission {
            push(&mut self.overview.phases, n, mission.phase);
            self.judge(n, at, mission, before, seen);
            self.shown = outcome(mission);
        }
        let turn = if seen.alive { seen.turn } else { Some("dead") };
        if let Some(turn) = turn {
            push(&mut self.overview.turns, n, turn);
        }
        self.level(n, at, seen);
        for heard in seen.heard {
            self.mark_event(n, &heard.event);
            for effect in &heard.effects {
                self.mark_effect(n, seen, effect);
            }
        }
        for note in seen.notes {
            self.mark_note(n, note);
        }
        if let Some(violation) = seen.violation {
            self.mark(n, Lane::Faults, "violation", violation.to_owned());
            self.shown.violation = Some(violation.to_owned());
        }
    }

    /// The overview and all decisions; `end` is the law that was found broken at the very end.
    pub fn finish(self, end: Option<String>) -> (Overview, Vec<Why>) {
        let mut overview = self.overview;
        overview.outcome = self.shown;
        overview.outcome.violation = overview.outcome.violation.or(end);
        overview.thin();
        (overview, self.reasons)
    }

    /// The decisions that were made at this moment.
    fn judge(&mut self, n: usize, at: u64, mission: &Mission, before: Option<Phase>, seen: &Seen) {
        if self.decisions.len() == mission.decisions.len()
            && self.decisions.last() == mission.decisions.back()
        {
            return;
        }
        let now: Vec<Decision> = mission.decisions.iter().cloned().collect();
        let known = (0..=now.len())
            .rev()
            .find(|known| self.decisions.ends_with(&now[..*known]))
            .unwrap_or(0);
        if known < now.len() {
            let trigger = seen.heard.last().map(|heard| &heard.event);
            let facts = why::facts(mission, before, trigger);
            for decision in &now[known..] {
                if matches!(
                    decision.rule,
                    Rule::Pivot | Rule::Stagnant | Rule::AskForPlan | Rule::CheckFailed
                ) {
                    self.tone = Some(decision.rule);
                }
                let why = why::of_mission(n, at, decision, facts.clone());
                self.reasons.push(why);
            }
        }
        self.decisions = now;
    }

    fn level(&mut self, n: usize, at: u64, seen: &Seen) {
        // one model is in play; of several the busiest is shown
        let key = seen.limits.iter().max_by_key(|key| key.in_flight);
        let level = Level {
            limit: key.map_or(seen.ceiling, |key| key.limit),
            ceiling: key.map_or(seen.ceiling, |key| key.ceiling),
            in_flight: key.map_or(0, |key| key.in_flight),
            waiting: key.map_or(0, |key| key.waiting),
            capacity: seen.capacity,
            state: key.map_or(LimiterState::Open, |key| key.state),
        };
        if let Some(key) = key {
            let last = self.overview.levels.last().map(|from| &from.value);
            let moved =
                last.is_none_or(|last| last.limit != level.limit || last.state != level.state);
            if self.limiter.as_ref() != Some(&key.why) && (moved || self.limiter.is_none()) {
                self.reasons.push(why::of_limit(n, at, key, last));
                if level.state != LimiterState::Open {
                    self.mark(n, Lane::Tasks, "backoff", key.why.clone());
                }
            }
            self.limiter = Some(key.why.clone());
        }
        push(&mut self.overview.levels, n, level);
    }

    fn mark(&mut self, n: usize, lane: Lane, kind: &'static str, text: String) {
        self.overview.marks.push(Mark {
            n,
            lane,
            kind,
            text,
        });
    }

    fn mark_event(&mut self, n: usize, event: &Event) {
        match event {
            Event::UserMessage {
                origin: Origin::Person,
                ..
            } => self.mark(n, Lane::Person, "message", "the person writes".into()),
            Event::Command { command, .. } => {
                let text = match command {
                    crate::event::Command::Task { objective } => format!("/task {objective}"),
                    crate::event::Command::Stop => "/stop".into(),
                    crate::event::Command::Status => "/mission".into(),
                };
                self.mark(n, Lane::Person, "command", text);
            }
            Event::Blocked { session, by, .. } => {
                let text = format!("{session} asks the person ({by:?})").to_lowercase();
                self.mark(n, Lane::Person, "question", text);
            }
            Event::Compacting { .. } => {
                self.mark(
                    n,
                    Lane::Faults,
                    "compaction",
                    "the history is compacted".into(),
                );
            }
            Event::SessionError { session, fault } => {
                self.mark(n, Lane::Faults, "error", format!("{session}: {fault}"));
            }
            Event::Retrying {
                session, attempt, ..
            } => {
                let text = format!("the provider refused {session}, attempt {attempt}");
                self.mark(n, Lane::Tasks, "refused", text);
            }
            Event::Trapped { message } => {
                self.mark(n, Lane::Faults, "trap", message.clone());
            }
            _ => {}
        }
    }

    fn mark_effect(&mut self, n: usize, seen: &Seen, effect: &Effect) {
        let root = seen.mission.map(|mission| &mission.session);
        match effect {
            Effect::Prompt { session, .. } if Some(session) == root => {
                let (kind, text) = match self.tone.take() {
                    Some(Rule::Pivot) => ("pivot", "intervention: another strategy is demanded"),
                    Some(Rule::Stagnant) => ("evidence", "continuation with the evidence"),
                    Some(Rule::AskForPlan) => ("continuation", "asks for a plan"),
                    Some(Rule::CheckFailed) => ("continuation", "continuation: the check failed"),
                    _ => ("continuation", "continuation"),
                };
                self.mark(n, Lane::Plugin, kind, text.into());
            }
            Effect::Prompt { session, .. } => {
                self.mark(n, Lane::Tasks, "task", format!("prompts {session}"));
            }
            Effect::RunCheck { command, .. } => {
                self.mark(n, Lane::Plugin, "check", format!("runs {command}"));
            }
            Effect::Abort { session, .. } => {
                self.mark(n, Lane::Plugin, "abort", format!("stops {session}"));
            }
            _ => {}
        }
    }

    fn mark_note(&mut self, n: usize, note: &str) {
        let (lane, kind) = match note {
            "the program is killed" => (Lane::Faults, "crash"),
            "the program is started again" => (Lane::Faults, "restart"),
            "the instance traps" => (Lane::Faults, "trap"),
            note if note.starts_with("the person") => (Lane::Person, "act"),
            _ => (Lane::Faults, "lost"),
        };
        self.mark(n, lane, kind, crate::event::clip(note, 120));
    }
}

/// Columns of a timeline at most: what falls into the same one can't be told apart.
const COLUMNS: usize = 2_000;

impl Overview {
    /// Leaves out what can't be seen of a long run.
    fn thin(&mut self) {
        if self.total <= 2 * COLUMNS {
            return;
        }
        let total = self.total;
        let column = |n: usize| n * COLUMNS / total;
        let mut seen = BTreeSet::new();
        self.marks
            .retain(|mark| seen.insert((mark.lane, mark.kind, column(mark.n))));
        thin(&mut self.at, column);
        thin(&mut self.phases, column);
        thin(&mut self.turns, column);
        thin(&mut self.levels, column);
    }
}

/// Keeps the last change of each column.
fn thin<T>(list: &mut Vec<From<T>>, column: impl Fn(usize) -> usize) {
    let mut columns: Vec<usize> = list.iter().map(|from| column(from.n)).collect();
    columns.push(usize::MAX);
    let mut index = 0;
    list.retain(|_| {
        index += 1;
        columns[index - 1] != columns[index]
    });
}

fn push<T: PartialEq>(list: &mut Vec<From<T>>, n: usize, value: T) {
    if list.last().is_none_or(|from| from.value != value) {
        list.push(From { n, value });
    }
}

fn outcome(mission: &Mission) -> Outcome {
    Outcome {
        text: match &mission.reason {
            Some(reason) => reason.to_string(),
            None => mission.phase.words().to_owned(),
        },
        success: mission
            .reason
            .as_ref()
            .is_some_and(crate::mission::StopReason::is_success),
        violation: None,
    }
}
