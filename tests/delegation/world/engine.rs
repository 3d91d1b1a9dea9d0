//! The way to the engine and back: events in, effects carried out, and what must hold after each.

use super::*;

impl World {
    pub fn send(&mut self, event: Event) {
        if (self.lose)(&event) {
            return;
        }
        let again = (self.double)(&event).then(|| event.clone());
        let effects = self.engine.handle(Instant(self.now), event);
        self.perform(effects);
        if let Some(event) = again {
            let effects = self.engine.handle(Instant(self.now), event);
            self.perform(effects);
        }
    }

    pub(super) fn reply(
        &mut self,
        ms: u64,
        effect: opencode_orchestrator::id::EffectId,
        outcome: Outcome,
    ) {
        self.later(ms, Event::Reply { effect, outcome });
    }

    pub(super) fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.take(effect);
        }
        let asking = self
            .sessions
            .iter()
            .filter(|(name, session)| *name != ROOT && session.asking)
            .count();
        self.max_asking = self.max_asking.max(asking);
        assert!(
            asking <= self.policy.limits.global as usize,
            "{asking} requests at once"
        );
    }

    pub(super) fn take(&mut self, effect: Effect) {
        let gone = |session: &SessionId| {
            Outcome::Err(Fault::SessionLost {
                message: format!("no session {session}"),
            })
        };
        match effect {
            Effect::CreateSession {
                id,
                parent,
                title,
                may_delegate,
                ..
            } => {
                if let Some(fault) = self.create_faults.pop_front() {
                    self.reply(5, id, Outcome::Err(fault));
                    return;
                }
                let name = format!("ses_{}", self.sessions.len() + self.deleted.len());
                self.sessions.insert(
                    name.clone(),
                    Session {
                        parent: Some(parent.0.clone()),
                        title: title.clone(),
                        may_delegate,
                        ..Session::default()
                    },
                );
                let session: SessionId = name.as_str().into();
                self.later(
                    4,
                    Event::Child {
                        parent,
                        session: session.clone(),
                        title,
                    },
                );
                self.reply(5, id, Outcome::Ok(Payload::Session { session }));
            }
            Effect::Prompt {
                id,
                session,
                agent,
                model,
                text,
                redrive,
            } => {
                if let Some(fault) = self.prompt_faults.pop_front() {
                    self.reply(5, id, Outcome::Err(fault));
                    return;
                }
                self.prompted(&session, agent, model, &text, redrive);
                let outcome = if self.sessions.contains_key(&session.0) {
                    Outcome::Ok(Payload::Done)
                } else {
                    gone(&session)
                };
                self.reply(6, id, outcome);
            }
            Effect::ReadTurn { id, session } => {
                let outcome = self.sessions.get(&session.0).map_or_else(
                    || gone(&session),
                    |session| {
                        Outcome::Ok(Payload::Turn {
                            turn: LastTurn {
                                busy: session.busy,
                                assistant: session.last.clone(),
                                unanswered: session.unanswered,
                            },
                        })
                    },
                );
                self.reply(5, id, outcome);
            }
            Effect::ReadResult { id, session } => {
                let outcome = if let Some(fault) = self.result_faults.pop_front() {
                    Outcome::Err(fault)
                } else {
                    self.sessions.get(&session.0).map_or_else(
                        || gone(&session),
                        |session| {
                            Outcome::Ok(Payload::Text {
                                text: session.text.clone(),
                            })
                        },
                    )
                };
                self.reply(5, id, outcome);
            }
            Effect::ReadChildren { id, session } => {
                let children = self
                    .sessions
                    .iter()
                    .filter(|(_, child)| child.parent.as_ref() == Some(&session.0))
                    .map(|(name, child)| ChildSession {
                        session: name.as_str().into(),
                        title: child.title.clone(),
                    })
                    .collect();
                self.reply(5, id, Outcome::Ok(Payload::Children { children }));
            }
            Effect::ReadTodos { id, .. } => {
                let todos = self.todos.clone();
                self.reply(5, id, Outcome::Ok(Payload::Todos { todos }));
            }
            Effect::Abort { id, session } => {
                self.abort(&session.0);
                self.reply(25, id, Outcome::Ok(Payload::Done));
            }
            Effect::DeleteSession { id, session } => {
                if let Some(fault) = self.delete_faults.pop_front() {
                    self.reply(5, id, Outcome::Err(fault));
                    return;
                }
                if !self.sessions.contains_key(&session.0) {
                    self.reply(5, id, gone(&session));
                    return;
                }
                self.delete(&session.0);
                self.reply(5, id, Outcome::Ok(Payload::Done));
            }
            Effect::AnswerTool {
                call, text, failed, ..
            } => {
                self.texts.push(text.clone());
                self.answered.push((self.now, call.0.clone()));
                let old = self.answers.insert(call.0.clone(), (text.clone(), failed));
                assert!(old.is_none(), "{call} was answered twice");
                if let Some(child) = self.waiting.remove(&call.0)
                    && let Some(session) = self.sessions.get_mut(&child)
                    && session.busy
                {
                    session.asking = true;
                    let run = session.run;
                    self.after(100, Step::End(child, run, Ending::Natural, text));
                }
            }
            Effect::RunCheck { .. } | Effect::StopCheck { .. } => {
                unreachable!("no check is configured")
            }
            Effect::SetAlarm { at } => {
                self.alarm += 1;
                if let Some(at) = at {
                    self.at(at.0.max(self.now + 1), Step::Alarm(self.alarm));
                }
            }
            Effect::Notify { message, .. } => self.notices.push(message),
            Effect::Log { message, .. } => self.logs.push(message),
            Effect::AnswerCommand { .. } => {}
            Effect::Journal {
                mission,
                text,
                replace,
                ..
            } => {
                let file = self.mission_files.entry(mission).or_default();
                if replace {
                    file.clear();
                }
                file.push_str(&text);
            }
            Effect::JournalTasks { text, replace, .. } => {
                if replace {
                    self.tasks_file.clear();
                }
                self.tasks_file.push_str(&text);
            }
        }
    }

    pub(super) fn prompted(
        &mut self,
        id: &SessionId,
        agent: Option<String>,
        model: Option<Model>,
        text: &str,
        redrive: bool,
    ) {
        let name = id.0.clone();
        if name == ROOT {
            self.woken.push((self.now, text.to_owned()));
        }
        let Some(session) = self.sessions.get_mut(&name) else {
            return;
        };
        if !redrive {
            session.prompts.push(text.to_owned());
        }
        session.agent = agent;
        session.model = model;
        if name == ROOT {
            session.unanswered = true;
            if !session.busy {
                let turn = self.root_turn.clone();
                let run = self.begin_turn(ROOT);
                self.after(2, Step::Start(name, run, turn));
            }
            return;
        }
        assert!(!session.busy, "a prompt went to the busy session {name}");
        let count = session.prompts.len() as u32;
        self.launches += 1;
        let turn = (self.script)(text, count);
        let run = self.begin_turn(&name);
        self.after(2, Step::Start(name, run, turn));
    }
}
