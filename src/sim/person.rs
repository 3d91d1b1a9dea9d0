//! The person: starts the mission, and steps in at bad moments.

use super::chance::Kind;
use super::opencode::Step;
use super::scenario::Act;
use super::world::{Happening, ROOT, World};
use crate::event::{Command, Event, Origin};

impl World {
    pub(super) fn act(&mut self, act: Act) {
        if self.dead {
            return; // nobody can do anything but start it again
        }
        if !self.sessions.contains_key(ROOT) {
            return;
        }
        self.note(|| format!("the person: {act:?}"));
        match act {
            Act::Abort => {
                self.laws.interrupt();
                self.abort(ROOT);
                self.come_back();
            }
            Act::Say => {
                self.laws.speak();
                self.write(ROOT, Origin::Person);
            }
            Act::Status => self.command(Command::Status),
            Act::Stop => self.command(Command::Stop),
            Act::Replace => {
                let objective = "do the work".to_owned();
                self.known_tasks.clear();
                self.command(Command::Task { objective });
            }
            Act::Resume => {
                let objective = String::new();
                self.command(Command::Task { objective });
            }
            Act::ResumeElsewhere => self.deliver(Event::Command {
                session: "ses_other".into(),
                command: Command::Task {
                    objective: String::new(),
                },
            }),
            Act::DeleteRoot => self.delete(ROOT),
            Act::Quit => self.quit(),
            Act::DeleteChild => {
                if let Some(child) = self.some_child() {
                    self.laws.meddled.insert(child.clone());
                    self.delete(&child);
                }
            }
            Act::AbortChild => {
                if let Some(child) = self.some_child() {
                    self.laws.meddled.insert(child.clone());
                    self.abort(&child);
                }
            }
        }
    }

    /// What a script has the person do while a turn is at work, and then, each time after a while.
    pub(super) fn step_in(&mut self, name: &str, acts: Vec<Act>) {
        const QUIET_MS: u64 = 5_000;
        for (act, wait) in acts.into_iter().zip(0..) {
            self.after(wait * QUIET_MS, Happening::Act(act));
        }
        self.go_on(name, (2_000, 2_001), Step::Do); // void when the turn is aborted meanwhile
    }

    fn come_back(&mut self) {
        if self.scenario.person.returns {
            let wait = self.chance.within(Kind::Person, (5_000, 300_000));
            self.after(wait, Happening::Act(Act::Say));
        }
    }

    fn some_child(&mut self) -> Option<String> {
        let children: Vec<String> = self
            .sessions
            .keys()
            .filter(|name| *name != ROOT)
            .cloned()
            .collect();
        if children.is_empty() {
            return None;
        }
        let index = self.chance.draw(Kind::Person) % children.len() as u64;
        Some(children[index as usize].clone())
    }
}
