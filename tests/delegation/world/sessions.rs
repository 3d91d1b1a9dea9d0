//! The sessions of the simulated host: their turns, their ends, their deletion.

use super::*;

impl World {
    pub(super) fn begin_turn(&mut self, session: &str) -> u32 {
        let session = self.sessions.get_mut(session).expect("a session");
        session.run += 1;
        session.busy = true;
        session.asking = true;
        session.unanswered = true;
        session.run
    }

    pub(super) fn start(&mut self, session: &str, run: u32, turn: Turn) {
        let id: SessionId = session.into();
        self.send(Event::Busy {
            session: id.clone(),
        });
        if !self.is_on(session, run) {
            return;
        }
        let name = session.to_owned();
        match turn {
            Turn::Answer(ms, text) => {
                self.after(ms / 2, Step::Output(name.clone(), run));
                self.after(ms, Step::End(name, run, Ending::Natural, text));
            }
            Turn::Fail(ms, fault) => {
                let ending = Ending::Failed { fault };
                self.after(ms, Step::End(name, run, ending, String::new()));
            }
            Turn::Retry { .. } => self.retrying(session, run, turn),
            Turn::Hang => {}
            Turn::Ask(by) => {
                self.after(5, Step::Output(name, run));
                self.later(
                    10,
                    Event::Blocked {
                        session: id,
                        request: format!("req_{session}").as_str().into(),
                        by,
                    },
                );
            }
            Turn::Work(ms) => {
                self.after(5, Step::Output(name.clone(), run));
                self.after(ms, Step::Used(name, run, ms));
            }
            Turn::Call(tool, args) => {
                let session = session.to_owned();
                self.call_from(&session, tool, &args);
            }
        }
    }

    pub(super) fn retrying(&mut self, session: &str, run: u32, turn: Turn) {
        let Turn::Retry {
            times,
            wait,
            retry_after,
            text,
        } = turn
        else {
            return;
        };
        if times == 0 {
            self.start(session, run, Turn::Answer(500, text));
            return;
        }
        self.send(Event::Retrying {
            session: session.into(),
            attempt: 1,
            message: "Too Many Requests".into(),
            retry_after_ms: retry_after,
        });
        let turn = Turn::Retry {
            times: times - 1,
            wait,
            retry_after,
            text,
        };
        self.after(wait, Step::Retrying(session.to_owned(), run, turn));
    }

    pub(super) fn finish_turn(&mut self, name: &str, run: u32, ending: Ending, text: &str) {
        self.messages += 1;
        let message = format!("msg_{:06}", self.messages);
        let session = self.sessions.get_mut(name).expect("a session");
        assert_eq!(session.run, run);
        session.asking = false;
        session.unanswered = false;
        session.text = text.to_owned();
        session.last = Some(LastAssistant {
            message: message.as_str().into(),
            ending: ending.clone(),
            summary: false,
        });
        if let Ending::Failed { fault } = &ending {
            self.send(Event::SessionError {
                session: name.into(),
                fault: fault.clone(),
            });
        } else if !text.is_empty() {
            self.send(Event::AssistantText {
                session: name.into(),
                text: Fingerprint::of(text.as_bytes()),
            });
        }
        self.send(Event::Assistant {
            session: name.into(),
            message: message.as_str().into(),
            ending,
            summary: false,
            tokens: 100,
            cost: 0.0,
        });
    }

    pub(super) fn go_idle(&mut self, name: &str, run: u32) {
        if let Some(session) = self.sessions.get_mut(name) {
            if session.run != run || !session.busy {
                return;
            }
            session.busy = false;
            session.asking = false;
            // a prompt that came while the turn ran is answered by the same loop
            if session.unanswered && session.last.is_some() && name == ROOT {
                let turn = self.root_turn.clone();
                let run = self.begin_turn(name);
                self.after(1, Step::Start(name.to_owned(), run, turn));
                return;
            }
            self.send(Event::Idle {
                session: name.into(),
            });
        }
    }

    pub fn abort(&mut self, name: &str) {
        self.aborts.push(name.to_owned());
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        let busy = std::mem::replace(&mut session.busy, false);
        session.run += 1;
        session.asking = false;
        if busy {
            self.messages += 1;
            session.last = Some(LastAssistant {
                message: format!("msg_{:06}", self.messages).as_str().into(),
                ending: Ending::Failed {
                    fault: Fault::Cancelled,
                },
                summary: false,
            });
            let id: SessionId = name.into();
            self.later(
                20,
                Event::SessionError {
                    session: id.clone(),
                    fault: Fault::Cancelled,
                },
            );
            self.later(
                21,
                Event::Idle {
                    session: id.clone(),
                },
            );
            self.later(80, Event::Idle { session: id });
        } else {
            self.later(
                20,
                Event::Idle {
                    session: name.into(),
                },
            );
        }
    }

    pub fn delete(&mut self, name: &str) {
        if let Some(session) = self.sessions.remove(name) {
            self.bad_deletes += u32::from(session.busy);
            self.deleted.insert(name.to_owned());
            let children: Vec<String> = self
                .sessions
                .iter()
                .filter(|(_, child)| child.parent.as_deref() == Some(name))
                .map(|(name, _)| name.clone())
                .collect();
            for child in children {
                self.delete(&child);
            }
            self.send(Event::Deleted {
                session: name.into(),
            });
        }
    }

    pub fn children(&self) -> usize {
        self.sessions.len() - 1
    }
}
