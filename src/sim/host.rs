//! The host's side of the boundary: it carries requests out, late, twice or not at all, and keeps the files.

use super::chance::Kind;
use super::dialect::Native;
use super::opencode::Session;
use super::world::{Happening, ROOT, World};
use crate::effect::Effect;
use crate::event::{ChildSession, Event, Outcome, Payload};
use crate::fault::Fault;
use crate::id::{EffectId, SessionId};

/// The host's own limit for a call: what has no answer by then is answered with a fault. Milliseconds.
const CALL_LIMIT_MS: u64 = 30_000;

impl World {
    /// The engine said this: what is no request happens at once, requests go to the host.
    pub(super) fn take_effect(&mut self, effect: Effect) {
        match effect {
            Effect::Journal { .. } | Effect::JournalTasks { .. } => self.write_file(effect),
            Effect::SetAlarm { at } => {
                self.alarm += 1;
                self.alarm_at = at.map(|at| at.0);
                if let Some(at) = at {
                    self.at(at.0, Happening::Alarm(self.alarm));
                }
            }
            Effect::Notify { message, .. } => {
                self.note(|| format!("   notice: {message}"));
                self.notices.push((self.now, message));
            }
            Effect::Log { message, .. } => self.note(|| format!("   log: {message}")),
            Effect::AnswerCommand { .. } => {}
            Effect::AnswerTool {
                session,
                call,
                text,
                failed,
            } => {
                self.note(|| format!("   -> answer {call} failed {failed}: {text}"));
                self.law_of_answers(&session, &call, &text);
                // not before an abort that is on its way
                match self
                    .aborted
                    .get(&session)
                    .copied()
                    .filter(|at| *at >= self.now)
                {
                    Some(at) => self.at(at, Happening::AnswerTool(session.0, call, text)),
                    None => self.tool_answered(&session.0, &call, &text),
                }
            }
            Effect::StopCheck { id } => {
                if !self.running_checks.remove(&id) {
                    self.note(|| format!("   {id} does not run any more"));
                }
            }
            request => {
                self.note(|| format!("   -> {request:?}"));
                let delay = self.chance.within(Kind::HostTime, (1, 40));
                let of_root = match &request {
                    Effect::Prompt { session, .. } | Effect::ReadTodos { session, .. } => {
                        session.0 == ROOT
                    }
                    Effect::RunCheck { .. } => true,
                    _ => false,
                };
                if of_root && self.strikes(Kind::Esc) {
                    let soon = self.chance.within(Kind::Person, (0, 90));
                    self.after(soon, Happening::Esc);
                }
                if let Effect::RunCheck { id, .. } = &request {
                    self.running_checks.insert(*id);
                }
                let mut at = self.now + delay;
                if let Effect::Prompt { session, .. }
                | Effect::Abort { session, .. }
                | Effect::DeleteSession { session, .. } = &request
                {
                    let newest = self.changed.entry(session.clone()).or_default();
                    at = at.max(*newest);
                    *newest = at;
                }
                if let Effect::Abort { session, .. } = &request {
                    self.aborted.insert(session.clone(), at);
                }
                self.at(at, Happening::Perform(request, self.instance));
            }
        }
    }

    pub(super) fn write_file(&mut self, effect: Effect) {
        match effect {
            Effect::Journal {
                mission,
                text,
                replace,
                ended,
            } => {
                let file = self.disk.missions.entry(mission).or_default();
                if replace {
                    file.clear();
                }
                file.push_str(&text);
                if ended && let Some(file) = self.disk.missions.remove(&mission) {
                    self.disk.ended.insert(mission, file);
                }
            }
            Effect::JournalTasks {
                session,
                text,
                replace,
                ended,
            } => {
                let file = self.disk.tasks.entry(session.clone()).or_default();
                if replace {
                    file.clear();
                }
                file.push_str(&text);
                if ended {
                    self.disk.tasks.remove(&session);
                }
            }
            _ => {}
        }
    }

    /// A request is carried out.
    pub(super) fn perform(&mut self, effect: Effect, instance: u32) {
        let Some(id) = request_id(&effect) else {
            return;
        };
        if let Effect::RunCheck { id, .. } = effect {
            self.run_check(id, instance);
            return;
        }
        if let Effect::Prompt { session, .. } = &effect {
            self.law_of_arrival(session);
        }
        if self.strikes(Kind::FailRequest) {
            if let Effect::Prompt {
                session,
                redrive: false,
                ..
            } = &effect
                && let Some(there) = self.sessions.get_mut(&session.0)
            {
                there.ours_known = false;
            }
            let message = "the connection was reset".into();
            self.reply(id, Outcome::Err(Fault::Unavailable { message }), instance);
            return;
        }
        let outcome = self.carry_out(effect);
        if self.strikes(Kind::LoseReply) {
            let message = "OpenCode did not answer within 30 s".into();
            let outcome = Outcome::Err(Fault::Timeout { message });
            self.after(CALL_LIMIT_MS, Happening::Reply(id, outcome, instance));
            return;
        }
        self.reply(id, outcome, instance);
    }

    fn reply(&mut self, id: EffectId, outcome: Outcome, instance: u32) {
        let mut wait = self.chance.within(Kind::HostTime, (0, 10));
        if self.strikes(Kind::LateReply) {
            wait += self.chance.within(Kind::HostTime, (100, CALL_LIMIT_MS));
        }
        if self.strikes(Kind::DoubleReply) {
            let again = wait + self.chance.within(Kind::HostTime, (0, 5_000));
            self.after(again, Happening::Reply(id, outcome.clone(), instance));
        }
        self.after(wait, Happening::Reply(id, outcome, instance));
    }

    fn run_check(&mut self, id: EffectId, instance: u32) {
        if !self.running_checks.contains(&id) {
            return; // stopped before it began
        }
        self.checks += 1;
        let failing = self.scenario.check_fails.unwrap_or(0);
        let outcome = Outcome::Ok(Payload::Check {
            exit: Some(i32::from(self.checks <= failing)),
            output: format!("run {}", self.checks),
        });
        let wait = self.chance.within(Kind::HostTime, (100, 20_000));
        self.after(wait, Happening::Reply(id, outcome, instance));
    }

    fn carry_out(&mut self, effect: Effect) -> Outcome {
        let gone = |session: &SessionId| {
            Outcome::Err(Fault::SessionLost {
                message: format!("no session {session}"),
            })
        };
        let done = Outcome::Ok(Payload::Done);
        if let Effect::Prompt { session, .. }
        | Effect::ReadTurn { session, .. }
        | Effect::ReadResult { session, .. } = &effect
            && session.0 != ROOT
            && self.strikes(Kind::Vanish)
        {
            self.laws.meddled.insert(session.0.clone());
            self.delete(&session.0);
        }
        match effect {
            Effect::CreateSession {
                parent,
                agent,
                title,
                ..
            } => {
                if !self.sessions.contains_key(&parent.0) {
                    return gone(&parent);
                }
                self.created += 1;
                let name = format!("ses_{:03}", self.created);
                self.sessions.insert(
                    name.clone(),
                    Session {
                        parent: Some(parent.clone()),
                        title: title.clone(),
                        agent,
                        ..Session::default()
                    },
                );
                self.tell(&name, Native::Created { parent, title });
                Outcome::Ok(Payload::Session {
                    session: name.as_str().into(),
                })
            }
            Effect::Prompt {
                session, redrive, ..
            } => {
                let Some(there) = self.sessions.get(&session.0) else {
                    return gone(&session);
                };
                let (busy, waits, known) = (there.is_busy(), there.ours() > 0, there.ours_known);
                if session.0 != ROOT && busy {
                    self.law_of_busy_child(&session);
                }
                if redrive && waits {
                    self.start_loop(&session.0);
                } else if redrive && known {
                    // it was answered meanwhile: sent again with its id it asks for nothing
                } else {
                    let gets_turn = !self.strikes(Kind::LostTurn);
                    self.store(&session.0, true, gets_turn);
                }
                done
            }
            Effect::ReadTodos { session, .. } => {
                if !self.sessions.contains_key(&session.0) {
                    return gone(&session);
                }
                Outcome::Ok(Payload::Todos {
                    todos: self.todos.clone(),
                })
            }
            Effect::ReadTurn { session, .. } => match self.sessions.get(&session.0) {
                None => gone(&session),
                Some(there) => Outcome::Ok(Payload::Turn {
                    turn: there.last_turn(),
                }),
            },
            Effect::ReadResult { session, .. } => match self.sessions.get(&session.0) {
                None => gone(&session),
                Some(there) => Outcome::Ok(Payload::Text {
                    text: there.text.clone(),
                }),
            },
            Effect::ReadChildren { session, .. } => {
                let children = self
                    .sessions
                    .iter()
                    .filter(|(_, child)| child.parent.as_ref() == Some(&session))
                    .map(|(name, child)| ChildSession {
                        session: name.as_str().into(),
                        title: child.title.clone(),
                    })
                    .collect();
                Outcome::Ok(Payload::Children { children })
            }
            Effect::Abort { session, .. } => {
                self.abort(&session.0);
                done
            }
            Effect::DeleteSession { session, .. } => {
                let Some(there) = self.sessions.get(&session.0) else {
                    return gone(&session);
                };
                if there.is_busy() {
                    self.law_of_deletion(&session);
                }
                self.delete(&session.0);
                done
            }
            _ => done,
        }
    }
}

/// The id that a request is answered with.
pub(super) fn request_id(effect: &Effect) -> Option<EffectId> {
    match effect {
        Effect::Prompt { id, .. }
        | Effect::ReadTodos { id, .. }
        | Effect::ReadTurn { id, .. }
        | Effect::Abort { id, .. }
        | Effect::ReadResult { id, .. }
        | Effect::CreateSession { id, .. }
        | Effect::ReadChildren { id, .. }
        | Effect::DeleteSession { id, .. }
        | Effect::RunCheck { id, .. } => Some(*id),
        _ => None,
    }
}

/// An event's name, without what it carries.
#[must_use]
pub fn event_name(event: &Event) -> &'static str {
    match event {
        Event::Command { .. } => "command",
        Event::UserMessage { .. } => "userMessage",
        Event::Busy { .. } => "busy",
        Event::Retrying { .. } => "retrying",
        Event::FirstOutput { .. } => "firstOutput",
        Event::Idle { .. } => "idle",
        Event::Assistant { .. } => "assistant",
        Event::AssistantText { .. } => "assistantText",
        Event::SessionError { .. } => "sessionError",
        Event::Todos { .. } => "todos",
        Event::Tool { .. } => "tool",
        Event::Blocked { .. } => "blocked",
        Event::Unblocked { .. } => "unblocked",
        Event::Compacting { .. } => "compacting",
        Event::Compacted { .. } => "compacted",
        Event::Continuing { .. } => "continuing",
        Event::Child { .. } => "child",
        Event::TaskTool { .. } => "taskTool",
        Event::ToolAborted { .. } => "toolAborted",
        Event::Granted { .. } => "granted",
        Event::Tasks { .. } => "tasks",
        Event::ResultsSeen { .. } => "resultsSeen",
        Event::MissionOpen { .. } => "missionOpen",
        Event::Deleted { .. } => "deleted",
        Event::Reply { .. } => "reply",
        Event::Alarm => "alarm",
        Event::Restored { .. } => "restored",
        Event::Shutdown { .. } => "shutdown",
        Event::Trapped { .. } => "trapped",
    }
}

/// An effect's name, without what it carries.
#[must_use]
pub fn effect_name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Prompt { .. } => "prompt",
        Effect::ReadTodos { .. } => "readTodos",
        Effect::ReadTurn { .. } => "readTurn",
        Effect::Abort { .. } => "abort",
        Effect::ReadResult { .. } => "readResult",
        Effect::CreateSession { .. } => "createSession",
        Effect::ReadChildren { .. } => "readChildren",
        Effect::DeleteSession { .. } => "deleteSession",
        Effect::RunCheck { .. } => "runCheck",
        Effect::StopCheck { .. } => "stopCheck",
        Effect::SetAlarm { .. } => "setAlarm",
        Effect::AnswerCommand { .. } => "answerCommand",
        Effect::AnswerTool { .. } => "answerTool",
        Effect::JournalTasks { .. } => "journalTasks",
        Effect::Notify { .. } => "notify",
        Effect::Log { .. } => "log",
        Effect::Journal { .. } => "journal",
    }
}

/// The names of the events that a host sends.
pub(super) const EVENTS: [&str; 24] = [
    "command",
    "userMessage",
    "busy",
    "retrying",
    "firstOutput",
    "idle",
    "assistant",
    "assistantText",
    "sessionError",
    "todos",
    "tool",
    "blocked",
    "unblocked",
    "compacting",
    "compacted",
    "continuing",
    "child",
    "taskTool",
    "toolAborted",
    "deleted",
    "reply",
    "alarm",
    "shutdown",
    "trapped",
];

/// The names of all effects.
pub(super) const EFFECTS: [&str; 17] = [
    "prompt",
    "readTodos",
    "readTurn",
    "abort",
    "readResult",
    "createSession",
    "readChildren",
    "deleteSession",
    "runCheck",
    "stopCheck",
    "setAlarm",
    "answerCommand",
    "answerTool",
    "journalTasks",
    "notify",
    "log",
    "journal",
];
