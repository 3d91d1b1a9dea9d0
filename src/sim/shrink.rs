//! A run by its case, and the smallest case that breaks the same law.

use super::chance::Strike;
use super::laws::Violation;
use super::planted::Bug;
use super::scenario::{Children, Scenario};
use super::world::World;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A run as data: kept in `tests/corpus/` when it once broke a law.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Case {
    /// What it found.
    pub about: String,
    /// The bug that has to be planted for it to break a law; a real one, mended since, when absent.
    pub bug: Option<Bug>,
    pub scenario: Scenario,
    /// The only disturbances that happen; all that are drawn when absent.
    pub kept: Option<BTreeSet<Strike>>,
}

/// Attempts of [`Case::shrink`] at most.
const ATTEMPTS: u32 = 2_000;

impl Case {
    /// Every disturbance that the scenario draws.
    #[must_use]
    pub fn of(scenario: Scenario) -> Self {
        Self {
            scenario,
            ..Self::default()
        }
    }

    /// Runs it to its end. A panic of the engine is a violation too.
    ///
    /// # Errors
    /// When a law is broken.
    pub fn run(&self) -> Result<(), Violation> {
        self.play().1
    }

    /// The same, and the disturbances that happened.
    pub fn play(&self) -> (BTreeSet<Strike>, Result<(), Violation>) {
        let mut world = World::new(self.scenario.clone(), self.kept.clone());
        let result = catch_unwind(AssertUnwindSafe(|| world.run()))
            .unwrap_or_else(|panic| Err(world.panicked(&*panic)));
        (world.struck().iter().copied().collect(), result)
    }

    /// The smallest case found that breaks the same law: fewer disturbances, fewer things that the person does, and a
    /// simpler world. Delta debugging (Zeller and Hildebrandt 2002) over the disturbances, then one thing at a time.
    #[must_use]
    pub fn shrink(&self) -> Self {
        let (struck, Err(violation)) = self.play() else {
            return self.clone();
        };
        let law = violation.law;
        let mut best = self.clone();
        best.kept = Some(struck);
        best.about = format!("{law}: {}", violation.text);
        let mut left = ATTEMPTS;
        let mut fails = |case: &Self| {
            left = left.saturating_sub(1);
            left > 0 && case.run().is_err_and(|violation| violation.law == law)
        };
        if !fails(&best) {
            return self.clone();
        }
        loop {
            let before = best.clone();
            best.drop_strikes(&mut fails);
            for candidate in best.simpler() {
                if fails(&candidate) {
                    best = candidate;
                }
            }
            if best == before {
                break;
            }
        }
        if let Err(violation) = best.run() {
            best.about = format!("{law}: {}", violation.text);
        }
        best
    }

    fn drop_strikes(&mut self, fails: &mut impl FnMut(&Self) -> bool) {
        let mut kept: Vec<Strike> = self.kept.iter().flatten().copied().collect();
        let mut size = kept.len().div_ceil(2);
        while size > 0 && !kept.is_empty() {
            let mut from = 0;
            while from < kept.len() {
                let mut fewer = kept.clone();
                fewer.drain(from..(from + size).min(kept.len()));
                let candidate = Self {
                    kept: Some(fewer.iter().copied().collect()),
                    ..self.clone()
                };
                if fails(&candidate) {
                    kept = fewer;
                    *self = candidate;
                } else {
                    from += size;
                }
            }
            size /= 2;
        }
    }

    /// Cases that are a little simpler.
    fn simpler(&self) -> Vec<Self> {
        let mut cases = Vec::new();
        let mut with = |change: &dyn Fn(&mut Scenario)| {
            let mut case = self.clone();
            change(&mut case.scenario);
            if case != *self {
                cases.push(case);
            }
        };
        for i in 0..self.scenario.person.acts.len() {
            with(&|scenario| {
                scenario.person.acts.remove(i);
            });
        }
        with(&|scenario| scenario.agent.todos = 1);
        with(&|scenario| scenario.agent.tasks = 1);
        with(&|scenario| scenario.children = Children::default());
        with(&|scenario| scenario.provider.outages.clear());
        with(&|scenario| scenario.provider.capacity.truncate(1));
        with(&|scenario| scenario.check_fails = None);
        cases
    }
}
