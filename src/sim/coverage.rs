//! Which transitions, events and effects the runs of this thread have taken. The core reports its transitions here.

use super::chance::{DISTURBANCES, Kind};
use super::host::{EFFECTS, EVENTS, effect_name, event_name};
use crate::concurrency::{self, LimiterState};
use crate::effect::Effect;
use crate::event::Event;
use crate::exec::{self, TaskState};
use crate::mission::{self, Phase};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

/// Something that a run can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Mission(Phase, Phase),
    Task(TaskState, TaskState),
    Limiter(LimiterState, LimiterState),
    Event(&'static str),
    Effect(&'static str),
    Fault(Kind),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mission(from, to) => write!(f, "mission {from:?} -> {to:?}"),
            Self::Task(from, to) => write!(f, "task {from:?} -> {to:?}"),
            Self::Limiter(from, to) => write!(f, "limiter {from:?} -> {to:?}"),
            Self::Event(name) => write!(f, "event {name}"),
            Self::Effect(name) => write!(f, "effect {name}"),
            Self::Fault(kind) => write!(f, "fault {kind:?}"),
        }
    }
}

impl Step {
    /// Whether it is a transition of one of the tables.
    #[must_use]
    pub fn is_transition(&self) -> bool {
        matches!(self, Self::Mission(..) | Self::Task(..) | Self::Limiter(..))
    }

    /// Every transition that the three tables allow, those by the rules that hold in every state among them, and every
    /// event, effect and fault.
    #[must_use]
    pub fn all() -> Vec<Self> {
        fn pairs<S: Copy>(
            table: &'static [(S, &'static [S])],
            allowed: fn(S, S) -> bool,
        ) -> impl Iterator<Item = (S, S)> {
            let states = || table.iter().map(|(state, _)| *state);
            states().flat_map(move |from| {
                states()
                    .filter(move |to| allowed(from, *to))
                    .map(move |to| (from, to))
            })
        }
        let missions = pairs(mission::TABLE, mission::allowed);
        let tasks = pairs(exec::TABLE, exec::allowed);
        let limiter = concurrency::TABLE
            .iter()
            .flat_map(|(from, next)| next.iter().map(|to| (*from, *to)));
        missions
            .filter(|(from, to)| from != to)
            .map(|(from, to)| Self::Mission(from, to))
            .chain(
                tasks
                    .filter(|(from, to)| from != to)
                    .map(|(from, to)| Self::Task(from, to)),
            )
            .chain(limiter.map(|(from, to)| Self::Limiter(from, to)))
            .chain(EVENTS.iter().map(|name| Self::Event(name)))
            .chain(EFFECTS.iter().map(|name| Self::Effect(name)))
            .chain(DISTURBANCES.iter().map(|kind| Self::Fault(*kind)))
            .collect()
    }
}

/// How often each step was taken.
#[derive(Clone, Debug, Default)]
pub struct Coverage(pub BTreeMap<Step, u64>);

thread_local! {
    static SEEN: RefCell<Coverage> = RefCell::default();
}

/// Takes what this thread has seen so far.
#[must_use]
pub fn take() -> Coverage {
    SEEN.take()
}

/// Puts back what was taken.
pub fn put(seen: Coverage) {
    SEEN.set(seen);
}

fn saw(step: Step) {
    SEEN.with_borrow_mut(|seen| *seen.0.entry(step).or_default() += 1);
}

pub(crate) fn phase(from: Phase, to: Phase) {
    if from != to {
        saw(Step::Mission(from, to));
    }
}

pub(crate) fn task(from: TaskState, to: TaskState) {
    saw(Step::Task(from, to));
}

pub(crate) fn limiter(from: LimiterState, to: LimiterState) {
    saw(Step::Limiter(from, to));
}

pub(super) fn event(event: &Event) {
    saw(Step::Event(event_name(event)));
}

pub(super) fn effect(effect: &Effect) {
    saw(Step::Effect(effect_name(effect)));
}

pub(super) fn fault(kind: Kind) {
    saw(Step::Fault(kind));
}

impl Coverage {
    /// Adds what another thread saw.
    pub fn add(&mut self, other: Self) {
        for (step, count) in other.0 {
            *self.0.entry(step).or_default() += count;
        }
    }

    /// How often a step was taken.
    #[must_use]
    pub fn count(&self, step: Step) -> u64 {
        self.0.get(&step).copied().unwrap_or(0)
    }

    /// The steps that were never taken.
    #[must_use]
    pub fn missing(&self) -> Vec<Step> {
        let all = Step::all().into_iter();
        all.filter(|step| self.count(*step) == 0).collect()
    }
}
