//! A run of the simulated world for people to look at: forwards, backwards, event by event, with the reason of each
//! decision. The playground draws what this module says, and decides nothing itself.
//!
//! A run is deterministic, so a rewind is a run from the start: [`Theatre::jump`] gives the picture after any moment.
//!
//! | file | what it is for |
//! |---|---|
//! | `settings` | the stories, and what the sliders change of them |
//! | `overview` | the whole run at a glance: phases, turns, marks, limits, decisions |
//! | `picture` | everything there is to see at one moment |
//! | `why` | a decision in words, with the facts it saw |
//! | `recording` | a journal of a real mission, seen the same way |

mod overview;
mod picture;
mod recording;
mod settings;
mod why;

pub use overview::Overview;
pub use picture::Picture;
pub use recording::{Recording, RecordingError};
pub use settings::{Settings, Story, stories};

use super::laws::Violation;
use super::world::{EPOCH, ROOT, World};
use super::{Heard, Scenario};
use overview::{Observer, Seen};
use why::{Reasons, Why};

/// Moments of a run at most: a slider may ask for a run that nobody would look through.
const MAX_MOMENTS: usize = 20_000;

/// A run with a place in it.
pub struct Theatre {
    scenario: Scenario,
    overview: Overview,
    reasons: Vec<Why>,
    stage: Stage,
    /// Moments that the stage has had, and the last of them.
    at: usize,
    last: Moment,
}

/// A world, and whether it was stopped by a broken law: what it would do after that says nothing.
struct Stage {
    world: World,
    broken: bool,
}

/// What happened between two states worth seeing.
#[derive(Clone, Debug, Default)]
struct Moment {
    heard: Vec<Heard>,
    /// What the world says beside what the engine heard: kills, restarts, the person, lost events.
    notes: Vec<String>,
    violation: Option<String>,
}

impl Theatre {
    /// Runs the scenario to its end and stands before its first moment.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let scenario = settings.scenario();
        let mut stage = Stage::new(&scenario);
        let mut observer = Observer::new(settings.resolved(), EPOCH);
        while observer.moments() < MAX_MOMENTS
            && let Some(moment) = stage.next()
        {
            observer.see(&stage.seen(&moment));
        }
        let end = stage.world.check_end().err();
        let (overview, reasons) = observer.finish(end.map(|violation| said(&violation)));
        Self {
            overview,
            reasons,
            stage: Stage::new(&scenario),
            scenario,
            at: 0,
            last: Moment::default(),
        }
    }

    /// The whole run.
    #[must_use]
    pub fn overview(&self) -> &Overview {
        &self.overview
    }

    /// The picture after `moment` moments; the last one when there are not so many.
    pub fn jump(&mut self, moment: usize) -> Picture {
        let moment = moment.min(self.overview.total);
        if moment < self.at {
            self.stage = Stage::new(&self.scenario);
            self.at = 0;
            self.last = Moment::default();
        }
        while self.at < moment
            && let Some(next) = self.stage.next()
        {
            self.last = next;
            self.at += 1;
        }
        let over = self.at == self.overview.total;
        let why = Reasons::up_to(&self.reasons, self.at);
        picture::of_world(&self.stage.world, self.at, &self.last, over, why)
    }
}

impl Stage {
    fn new(scenario: &Scenario) -> Self {
        let mut world = World::new(scenario.clone(), None);
        world.listen();
        world.trace = Some(Vec::new());
        let broken = false;
        Self { world, broken }
    }

    /// Lets the world go on until something worth seeing has happened.
    fn next(&mut self) -> Option<Moment> {
        while !self.broken {
            let more = self.world.step();
            let mut moment = Moment {
                heard: self.world.heard().to_vec(),
                notes: self.notes(),
                violation: None,
            };
            match more {
                Ok(false) => return None,
                Ok(true) if moment.heard.is_empty() && moment.notes.is_empty() => {}
                Ok(true) => return Some(moment),
                Err(violation) => {
                    self.broken = true;
                    moment.violation = Some(said(&violation));
                    return Some(moment);
                }
            }
        }
        None
    }

    fn notes(&mut self) -> Vec<String> {
        let trace = self
            .world
            .trace
            .iter_mut()
            .flat_map(|lines| lines.drain(..));
        trace
            .filter_map(|line| {
                let text = line.get(NOTE_FROM..)?;
                let told = NOTES.iter().any(|begins| text.starts_with(begins));
                told.then(|| text.to_owned())
            })
            .collect()
    }

    fn seen<'a>(&'a self, moment: &'a Moment) -> Seen<'a> {
        let world = &self.world;
        Seen {
            at: world.now,
            heard: &moment.heard,
            notes: &moment.notes,
            violation: moment.violation.as_deref(),
            mission: world.engine.mission_of(&ROOT.into()),
            turn: world.sessions.get(ROOT).map(|root| root.state.words()),
            limits: world.engine.limits(),
            ceiling: world.scenario.rules.global,
            capacity: Some(world.scenario.provider.takes(world.now - EPOCH)),
            alive: !world.dead,
        }
    }
}

/// A line of the world's trace begins with its time; these of them tell what the engine does not hear.
const NOTE_FROM: usize = 11;
const NOTES: [&str; 4] = ["the person", "the program", "the instance", "lost: "];

fn said(violation: &Violation) -> String {
    format!("{}: {}", violation.law, violation.text)
}

#[cfg(test)]
mod tests;
