//! The loop between the engine and the host's callbacks.

use super::host::{Host, fault_of, read_js, to_js};
use crate::effect::{Effect, Level};
use crate::engine::Engine;
use crate::event::{ChildSession, Command, Event, LastTurn, Outcome, Payload, RestoreCause, Todo};
use crate::fault::Fault;
use crate::id::{EffectId, MissionId, SessionId};
use crate::journal::JournalError;
use crate::policy::CHECK_CHARS;
use crate::time::Instant;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

pub struct Driver {
    host: Host,
    engine: RefCell<Engine>,
    queue: RefCell<VecDeque<Event>>,
    pumping: Cell<bool>,
    answer: RefCell<Answer>,
}

/// What becomes of a slash command, see [`Effect::AnswerCommand`].
#[derive(Default, Serialize)]
pub struct Answer {
    text: String,
    shown: Option<String>,
}

/// How a settled promise's value becomes a payload.
type Read = fn(JsValue) -> Result<Payload, String>;

#[derive(Deserialize)]
struct CheckResult {
    exit: Option<i32>,
    output: String,
}

impl Driver {
    pub fn new(host: Host, engine: Engine) -> Rc<Self> {
        Rc::new(Self {
            host,
            engine: RefCell::new(engine),
            queue: RefCell::default(),
            pumping: Cell::new(false),
            answer: RefCell::default(),
        })
    }

    /// Reads the engine's state. Never called while it is borrowed for an event.
    pub fn read<T>(&self, read: impl FnOnce(&Engine) -> T) -> T {
        read(&self.engine.borrow())
    }

    /// Queues an event and handles all that are queued, unless that is being done further up the stack.
    pub fn push(self: &Rc<Self>, event: Event) {
        self.push_text(event, None);
    }

    /// [`Driver::push`] of an event that came as JSON `text`.
    pub fn push_text(self: &Rc<Self>, event: Event, text: Option<&str>) {
        if self.pumping.replace(true) {
            self.queue.borrow_mut().push_back(event);
            return;
        }
        self.step(event, text);
        loop {
            let next = self.queue.borrow_mut().pop_front();
            let Some(event) = next else { break };
            self.step(event, None);
        }
        self.pumping.set(false);
    }

    fn step(self: &Rc<Self>, event: Event, text: Option<&str>) {
        let now = self.now();
        let effects = self.engine.borrow_mut().handle_text(now, event, text);
        self.perform_all(effects);
    }

    /// Handles a command and gives what becomes of it.
    pub fn command(self: &Rc<Self>, session: SessionId, command: Command) -> Answer {
        self.push(Event::Command { session, command });
        self.answer.take()
    }

    pub fn count_from(&self, last: MissionId) {
        self.engine.borrow_mut().count_from(last);
    }

    pub fn restore(
        self: &Rc<Self>,
        journal: &str,
        cause: RestoreCause,
    ) -> Result<bool, JournalError> {
        let now = self.now();
        let effects = self.engine.borrow_mut().restore(now, journal, cause)?;
        let found = !effects.is_empty();
        self.perform_all(effects);
        Ok(found)
    }

    fn now(&self) -> Instant {
        Instant(self.host.now().max(0.0) as u64)
    }

    fn perform_all(self: &Rc<Self>, effects: Vec<Effect>) {
        for effect in effects {
            self.perform(effect);
        }
    }

    fn perform(self: &Rc<Self>, effect: Effect) {
        let host = &self.host;
        match effect {
            Effect::Prompt {
                id,
                session,
                agent,
                model,
                text,
                redrive,
            } => {
                #[derive(Serialize)]
                struct Request {
                    session: SessionId,
                    agent: Option<String>,
                    model: Option<crate::event::Model>,
                    text: String,
                    redrive: bool,
                }
                let request = object(&Request {
                    session,
                    agent,
                    model,
                    text,
                    redrive,
                });
                self.request(id, host.prompt(request), done);
            }
            Effect::ReadTodos { id, session } => {
                self.request(id, host.todos(&session.0), |value| {
                    parse::<Vec<Todo>>(value, "todos").map(|todos| Payload::Todos { todos })
                })
            }
            Effect::ReadTurn { id, session } => {
                self.request(id, host.last_turn(&session.0), |value| {
                    parse::<LastTurn>(value, "last turn").map(|turn| Payload::Turn { turn })
                })
            }
            Effect::ReadResult { id, session } => {
                self.request(id, host.result(&session.0), |value| {
                    parse::<String>(value, "result").map(|text| Payload::Text { text })
                })
            }
            Effect::ReadChildren { id, session } => {
                self.request(id, host.children(&session.0), |value| {
                    parse::<Vec<ChildSession>>(value, "children")
                        .map(|children| Payload::Children { children })
                })
            }
            Effect::Abort { id, session } => self.request(id, host.abort(&session.0), done),
            Effect::CreateSession {
                id,
                parent,
                agent,
                title,
                may_delegate,
            } => {
                #[derive(Serialize)]
                #[serde(rename_all = "camelCase")]
                struct Request {
                    parent: SessionId,
                    agent: String,
                    title: String,
                    may_delegate: bool,
                }
                let request = object(&Request {
                    parent,
                    agent,
                    title,
                    may_delegate,
                });
                self.request(id, host.create_session(request), |value| {
                    parse::<SessionId>(value, "session").map(|session| Payload::Session { session })
                });
            }
            Effect::DeleteSession { id, session } => {
                self.request(id, host.delete_session(&session.0), done)
            }
            Effect::RunCheck {
                id,
                command,
                timeout_ms,
            } => {
                #[derive(Serialize)]
                #[serde(rename_all = "camelCase")]
                struct Request {
                    id: EffectId,
                    command: String,
                    timeout_ms: u64,
                }
                let request = object(&Request {
                    id,
                    command,
                    timeout_ms,
                });
                self.request(id, host.run_check(request), |value| {
                    parse::<CheckResult>(value, "check").map(|check| Payload::Check {
                        exit: check.exit,
                        output: crate::prompt::tail(&check.output, CHECK_CHARS).to_owned(),
                    })
                });
            }
            Effect::StopCheck { id } => self.told(host.stop_check(id.0)),
            Effect::SetAlarm { at } => self.told(host.set_alarm(at.map(|at| at.0 as f64))),
            Effect::AnswerCommand { text, shown, .. } => {
                self.answer.replace(Answer { text, shown });
            }
            Effect::AnswerTool {
                session,
                call,
                text,
                failed,
            } => self.told(host.answer_tool(&session.0, &call.0, &text, failed)),
            Effect::JournalTasks {
                session,
                text,
                replace,
                ended,
            } => self.told(host.journal_tasks(&session.0, text.as_bytes(), replace, ended)),
            Effect::Notify {
                session,
                level,
                message,
            } => self.told(host.notify(&session.0, level_name(level), &message)),
            Effect::Log { level, message } => {
                // a log that fails can't be logged
                let _ = host.log(level_name(level), &message);
            }
            Effect::Journal {
                mission,
                text,
                replace,
                ended,
            } => {
                self.told(host.journal(mission.0, text.as_bytes(), replace, ended));
            }
        }
    }

    /// A callback without an answer threw: the mission goes on, the log says so.
    fn told(&self, result: Result<(), JsValue>) {
        if let Err(error) = result {
            let _ = self.host.log(
                level_name(Level::Error),
                &format!("host callback: {}", fault_of(&error)),
            );
        }
    }

    /// Follows a request to its reply.
    fn request(self: &Rc<Self>, id: EffectId, started: Result<JsValue, JsValue>, read: Read) {
        let driver = Rc::clone(self);
        spawn_local(async move {
            let settled = match started {
                Ok(promise) => JsFuture::from(js_sys::Promise::resolve(&promise)).await,
                Err(error) => Err(error),
            };
            let outcome = match settled.map(read) {
                Ok(Ok(payload)) => Outcome::Ok(payload),
                Ok(Err(message)) => Outcome::Err(Fault::AgentFailed { message }),
                Err(error) => Outcome::Err(fault_of(&error)),
            };
            driver.push(Event::Reply {
                effect: id,
                outcome,
            });
        });
    }
}

#[allow(clippy::unnecessary_wraps, reason = "the shape of `Read`")]
fn done(_: JsValue) -> Result<Payload, String> {
    Ok(Payload::Done)
}

fn parse<T: DeserializeOwned>(value: JsValue, what: &str) -> Result<T, String> {
    read_js(&value, &format!("the host's {what}"))
}

fn object(value: &impl Serialize) -> JsValue {
    to_js(value).unwrap_or(JsValue::NULL)
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Success => "success",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}
