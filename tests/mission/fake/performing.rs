//! How effects are carried out, and what must hold after each event.

use super::*;

impl Fake {
    pub fn perform(&mut self, effects: Vec<Effect>) {
        let mut replies = Vec::new();
        for effect in effects {
            if let Some(reply) = self.take(effect) {
                replies.push(reply);
            }
        }
        self.check_laws();
        for reply in replies {
            self.send(reply);
        }
    }

    fn take(&mut self, effect: Effect) -> Option<Event> {
        let ok = || Outcome::Ok(Payload::Done);
        match effect.clone() {
            Effect::Prompt {
                id,
                session,
                agent,
                model,
                text,
                redrive,
            } => {
                self.prompts.push(Sent {
                    at: self.now,
                    id,
                    session,
                    agent,
                    model,
                    text,
                    redrive,
                });
                if self.hold_prompts {
                    self.open.push(effect);
                    return None;
                }
                let outcome = self.prompt_replies.pop_front().unwrap_or_else(ok);
                if matches!(outcome, Outcome::Ok(_)) {
                    self.turn.unanswered = true;
                    self.turn.busy = !self.lose_prompts;
                }
                Some(Event::Reply {
                    effect: id,
                    outcome,
                })
            }
            Effect::ReadTodos { id, .. } => {
                self.todo_reads += 1;
                if self.hold_lookups {
                    self.open.push(effect);
                    return None;
                }
                let todos = self.todos.clone();
                let plain = || Outcome::Ok(Payload::Todos { todos });
                let outcome = self.todo_replies.pop_front().unwrap_or_else(plain);
                Some(Event::Reply {
                    effect: id,
                    outcome,
                })
            }
            Effect::ReadTurn { id, session } => {
                self.turn_reads += 1;
                if self.hold_lookups {
                    self.open.push(effect);
                    return None;
                }
                let mut turn = self.turn.clone();
                turn.busy |= self.asking.contains(&session); // its turn waits for the answer
                let plain = || Outcome::Ok(Payload::Turn { turn });
                let outcome = self.turn_replies.pop_front().unwrap_or_else(plain);
                Some(Event::Reply {
                    effect: id,
                    outcome,
                })
            }
            Effect::StopCheck { id } => {
                assert!(self.running_checks.contains(&id), "that one does not run");
                self.running_checks.retain(|running| *running != id);
                self.stopped_checks.push(id);
                None
            }
            Effect::RunCheck { id, .. } => {
                self.checks += 1;
                self.running_checks.push(id);
                if self.hold_checks {
                    self.open.push(effect);
                    return None;
                }
                let outcome = self
                    .check_replies
                    .pop_front()
                    .unwrap_or_else(|| check(0, "fine"));
                Some(Event::Reply {
                    effect: id,
                    outcome,
                })
            }
            Effect::Abort { id, .. } => {
                self.aborts += 1;
                Some(Event::Reply {
                    effect: id,
                    outcome: ok(),
                })
            }
            Effect::SetAlarm { at } => {
                self.alarm = at;
                None
            }
            Effect::AnswerCommand { text, .. } => {
                self.answers.push(text);
                None
            }
            Effect::Notify { message, .. } => {
                self.notices.push(message);
                None
            }
            Effect::Log { message, .. } => {
                self.logs.push(message);
                None
            }
            Effect::Journal {
                mission,
                text,
                replace,
                ended,
            } => {
                let file = self.files.entry(mission).or_default();
                if replace {
                    file.clear();
                }
                file.push_str(&text);
                if mission == MissionId(1) {
                    self.file_states.push(file.clone());
                }
                if ended {
                    self.put_away.push(mission);
                }
                None
            }
            // tests/delegation has a host for these
            Effect::CreateSession { .. }
            | Effect::DeleteSession { .. }
            | Effect::ReadResult { .. }
            | Effect::ReadChildren { .. }
            | Effect::AnswerTool { .. }
            | Effect::JournalTasks { .. } => None,
        }
    }

    /// What must hold after every event.
    fn check_laws(&self) {
        for mission in self.engine.missions() {
            let view = mission.view(self.engine.now());
            assert_ne!(
                mission.waiting(),
                Waiting::Event("nothing"),
                "{:?} waits for nothing: {:#?}",
                view.phase,
                view.decisions
            );
            if view.phase == Phase::Ended {
                assert_eq!(view.wakes_at, None, "an ended mission has a timer");
                assert!(view.reason.is_some(), "an end without a reason");
                assert!(owns_nothing(mission), "an ended mission owns something");
                assert!(
                    !self.running_checks.iter().any(|id| id.belongs_to(view.id)),
                    "an ended mission's command runs on"
                );
            }
        }
        if self
            .engine
            .missions()
            .all(|m| m.view(Instant(0)).wakes_at.is_none())
        {
            assert_eq!(self.alarm, None, "an alarm for nobody");
        }
        let next = self
            .engine
            .missions()
            .filter_map(|m| m.view(Instant(0)).wakes_at)
            .min();
        assert_eq!(
            self.alarm, next,
            "the host's alarm is not the next deadline"
        );
    }
}
