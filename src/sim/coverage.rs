//! Which transitions, events and effects the runs of this thread have taken. The core reports its transitions here.

use super::host::{effect_name, event_name};
use crate::effect::Effect;
use crate::event::Event;
use crate::exec::{self, TaskState};
use crate::mission::{self, Phase};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Counts of what was seen.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    pub phases: BTreeMap<(Phase, Phase), u64>,
    pub tasks: BTreeMap<(TaskState, TaskState), u64>,
    pub events: BTreeMap<&'static str, u64>,
    pub effects: BTreeMap<&'static str, u64>,
}

thread_local! {
    static SEEN: RefCell<Coverage> = RefCell::default();
}

/// Takes what this thread has seen so far.
#[must_use]
pub fn take() -> Coverage {
    SEEN.take()
}

pub(crate) fn phase(from: Phase, to: Phase) {
    SEEN.with_borrow_mut(|seen| *seen.phases.entry((from, to)).or_default() += 1);
}

pub(crate) fn task(from: TaskState, to: TaskState) {
    SEEN.with_borrow_mut(|seen| *seen.tasks.entry((from, to)).or_default() += 1);
}

pub(super) fn event(event: &Event) {
    SEEN.with_borrow_mut(|seen| *seen.events.entry(event_name(event)).or_default() += 1);
}

pub(super) fn effect(effect: &Effect) {
    SEEN.with_borrow_mut(|seen| *seen.effects.entry(effect_name(effect)).or_default() += 1);
}

impl Coverage {
    /// Adds what another thread saw.
    pub fn add(&mut self, other: Self) {
        fn sum<K: Ord>(to: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
            for (key, count) in from {
                *to.entry(key).or_default() += count;
            }
        }
        sum(&mut self.phases, other.phases);
        sum(&mut self.tasks, other.tasks);
        sum(&mut self.events, other.events);
        sum(&mut self.effects, other.effects);
    }

    /// Transitions of the two tables that were never taken, in words.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let phases = mission::TABLE
            .iter()
            .flat_map(|(from, next)| next.iter().map(move |to| (*from, *to)))
            .filter(|step| !self.phases.contains_key(step))
            .map(|(from, to)| format!("mission {from:?} -> {to:?}"));
        let tasks = exec::TABLE
            .iter()
            .flat_map(|(from, next)| next.iter().map(move |to| (*from, *to)))
            .filter(|step| !self.tasks.contains_key(step))
            .map(|(from, to)| format!("task {from:?} -> {to:?}"));
        phases.chain(tasks).collect()
    }

    /// How many transitions the two tables have.
    #[must_use]
    pub fn of() -> usize {
        let phases: usize = mission::TABLE.iter().map(|(_, next)| next.len()).sum();
        let tasks: usize = exec::TABLE.iter().map(|(_, next)| next.len()).sum();
        phases + tasks
    }
}
