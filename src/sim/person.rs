//! The person: starts the mission, and steps in at bad moments.

use super::chance::Kind;
use super::scenario::Act;
use super::world::{Happening, ROOT, World};
use crate::event::{Command, Origin};

impl World {
    pub(super) fn act(&mut self, act: Act) {
        if self.dead {
            // nobody can do anything but start it again; they do it afterwards
            self.after(1_000, Happening::Act(act));
            return;
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
            Act::DeleteRoot => self.delete(ROOT),
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
