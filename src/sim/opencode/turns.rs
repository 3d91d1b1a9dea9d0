//! The loop of a turn: the provider is asked, the agent does what it does, the loop looks once more and rests.

use super::{HOST_RETRIES, Loop, Step, agents};
use crate::event::{Ending, Event, Fingerprint, ToolCall};
use crate::fault::Fault;
use crate::id::{CallId, RequestId};
use crate::sim::agent::{Deed, malformed, planned};
use crate::sim::chance::Kind;
use crate::sim::dialect::{self, Native};
use crate::sim::scenario::Dialect;
use crate::sim::world::{Happening, ROOT, World};

impl World {
    pub(in crate::sim) fn loop_step(&mut self, name: &str, step: Step) {
        match step {
            Step::Begin => self.begin(name),
            Step::Ask(attempt) => self.ask_provider(name, attempt),
            Step::Refused(attempt, fault) => self.refused(name, attempt, fault),
            Step::Output => self.output(name),
            Step::Do => self.next_deed(name),
            Step::Look => {
                if self
                    .sessions
                    .get(name)
                    .is_some_and(|session| session.pending > 0)
                {
                    self.go_on(name, (1, 30), Step::Begin);
                } else {
                    self.set(name, Loop::Leaving);
                    self.go_on(name, (0, 6), Step::Rest);
                }
            }
            Step::Rest => {
                self.set(name, Loop::Idle);
                self.tell(name, Native::Rested);
                if name == ROOT && self.scenario.headless && !self.draining {
                    self.draining = true;
                    self.after(1, Happening::Deliver(Event::Shutdown { drain: true }));
                }
            }
        }
    }

    fn begin(&mut self, name: &str) {
        // a loop that found a newer message at its last look goes on: it was busy all the time
        let goes_on = self.scenario.dialect == Dialect::V1
            && self
                .sessions
                .get(name)
                .is_some_and(|session| session.state == Loop::Ending);
        if let Some(session) = self.sessions.get_mut(name) {
            session.turns += 1;
            session.state = Loop::Working;
            session.taken_on = false;
            session.said_output &= goes_on;
        }
        if name == ROOT {
            self.laws.blurred = false;
        }
        if !goes_on {
            self.tell(name, Native::TurnBegan);
        }
        let deeds = self.plan_turn(name);
        if let Some(session) = self.sessions.get_mut(name) {
            session.deeds = deeds;
            session.side = false;
        }
        self.go_on(name, (1, 10), Step::Ask(1));
    }

    fn ask_provider(&mut self, name: &str, attempt: u32) {
        let elapsed = self.elapsed();
        let others = self
            .sessions
            .iter()
            .filter(|(other, session)| {
                *other != name && session.state == Loop::Working && session.taken_on
            })
            .count() as u32;
        let provider = &self.scenario.provider;
        let outage = provider.is_out(elapsed);
        let scripted = self.sessions.get_mut(name).is_some_and(|session| {
            let refuses = session.deeds.front() == Some(&Deed::Refuse);
            refuses && session.deeds.pop_front().is_some()
        });
        let capacity = provider.capacity_at(elapsed);
        let (output_ms, retry_after_ms) = (provider.output_ms, provider.retry_after_ms);
        if let Some(session) = self.sessions.get_mut(name) {
            session.taken += std::mem::take(&mut session.pending);
            session.ours_taken += std::mem::take(&mut session.ours_pending);
            session.state = Loop::Working;
            session.taken_on = !outage && others < capacity;
        }
        if attempt > 1 {
            self.tell(name, Native::AskedAgain);
        }
        if outage || others >= capacity || scripted {
            let fault = if outage {
                Fault::Unavailable {
                    message: "503 overloaded".into(),
                }
            } else {
                Fault::RateLimited {
                    retry_after_ms,
                    message: "429 too many requests".into(),
                }
            };
            self.go_on(name, (50, 800), Step::Refused(attempt, fault));
        } else if self.strikes(Kind::Malformed) {
            self.fail(name, malformed());
        } else if self.sessions.get(name).is_some_and(|session| {
            let next = session.deeds.front();
            matches!(next, Some(Deed::Fail(_) | Deed::Compact { overflow: true }))
        }) {
            self.next_deed(name); // without any output
        } else {
            let ms = self.chance.within(Kind::Provider, output_ms);
            self.go_on(name, (ms, ms), Step::Output);
        }
    }

    fn refused(&mut self, name: &str, attempt: u32, fault: Fault) {
        if attempt > HOST_RETRIES {
            self.fail(name, fault);
            return;
        }
        let retry_after_ms = match fault {
            Fault::RateLimited { retry_after_ms, .. } => retry_after_ms,
            _ => None,
        };
        self.set(name, Loop::Retrying);
        if let Some(session) = self.sessions.get_mut(name) {
            session.said_output = false; // what comes after it is told anew
        }
        self.tell(
            name,
            Native::Retried {
                attempt,
                retry_after_ms,
            },
        );
        let wait = retry_after_ms.unwrap_or((1_000 << attempt).min(30_000));
        self.go_on(name, (wait, wait * 5 / 4), Step::Ask(attempt + 1));
    }

    fn output(&mut self, name: &str) {
        self.put_out(name);
        let step = if name == ROOT {
            self.scenario.agent.step_ms
        } else {
            (200, 20_000)
        };
        self.go_on(name, step, Step::Do);
    }

    fn put_out(&mut self, name: &str) {
        if let Some(session) = self.sessions.get_mut(name)
            && !std::mem::replace(&mut session.said_output, true)
        {
            self.tell(name, Native::FirstOutput);
        }
    }

    fn next_deed(&mut self, name: &str) {
        let deed = self
            .sessions
            .get_mut(name)
            .and_then(|session| session.deeds.pop_front());
        match deed {
            None => self.finish(name, "done".into()),
            Some(Deed::Finish(text)) => self.finish(name, text),
            Some(Deed::Plan(todos)) => {
                if name == ROOT {
                    self.todos.clone_from(&todos);
                }
                let call = self.number(planned());
                self.tell(name, Native::Planned(todos, call));
                self.end_step(name);
            }
            Some(Deed::Tool(call)) => {
                let call = self.number(call);
                self.tell(name, Native::Called(call));
                self.end_step(name);
            }
            Some(Deed::Call(tool, args)) => {
                self.calls += 1;
                let call = CallId(format!("call_{}", self.calls));
                if let Some(session) = self.sessions.get_mut(name) {
                    session.state = Loop::Calling;
                    session.call = Some(call.clone());
                }
                let agent = self.sessions.get(name).map(|session| session.agent.clone());
                let event = Event::TaskTool {
                    session: name.into(),
                    call,
                    tool,
                    args,
                    agent,
                    model: Some(dialect::model()),
                    agents: agents(),
                };
                let at = self.sessions.get(name).map_or(0, |session| session.told);
                self.at(at, Happening::Deliver(event));
            }
            Some(Deed::Ask(by)) => {
                let turn = self.messages;
                let request = RequestId(format!("req_{turn}"));
                if let Some(session) = self.sessions.get_mut(name) {
                    session.state = Loop::Asking;
                    session.asked = Some((request.clone(), by));
                }
                self.tell(name, Native::Asked(request, by));
                let wait = self.scenario.person.answer_ms;
                let ms = self.chance.within(Kind::Person, wait);
                self.after(ms, Happening::Answer(name.to_owned(), turn));
            }
            Some(Deed::Compact { overflow }) => self.compact(name, overflow),
            Some(Deed::Fail(fault)) => self.fail(name, fault),
            Some(Deed::Refuse) => self.go_on(name, (1, 20), Step::Ask(1)),
            Some(Deed::Person(acts)) => self.step_in(name, acts),
            Some(Deed::Hang) => {}
        }
    }

    pub(super) fn number(&mut self, mut call: ToolCall) -> ToolCall {
        self.calls += 1;
        call.call = CallId(format!("call_{}", self.calls));
        call
    }

    pub(super) fn end_step(&mut self, name: &str) {
        self.message(name, Ending::Step, false);
        self.go_on(name, (1, 20), Step::Ask(1));
    }

    fn compact(&mut self, name: &str, overflow: bool) {
        if overflow {
            self.tell(name, Native::Overflowed);
        }
        self.tell(name, Native::Compacting);
        if self.scenario.dialect == Dialect::V1 {
            self.put_out(name);
            self.tell(name, Native::Said(Fingerprint::of(b"a summary")));
        }
        self.message(name, Ending::Natural, true);
        if !overflow {
            self.answered(name, false); // what was asked is part of the summary
        }
        if !overflow && self.scenario.dialect == Dialect::V1 {
            // the host is about to go on by itself, or with a prompt of the mission's
            let at = self.sessions.get(name).map_or(0, |session| session.told);
            let session = name.into();
            self.at(at, Happening::Deliver(Event::Continuing { session }));
        }
        self.tell(name, Native::Compacted);
        self.go_on(name, (50, 500), Step::Ask(1));
    }

    fn finish(&mut self, name: &str, text: String) {
        if name == ROOT && (self.engine.holds(&ROOT.into()) || self.engine.holds_end(&ROOT.into()))
        {
            // the awaited hook holds the end of the turn
            if let Some(session) = self.sessions.get_mut(name) {
                session.deeds.push_front(Deed::Finish(text));
            }
            self.go_on(name, (500, 501), Step::Do);
            return;
        }
        self.tell(name, Native::Said(Fingerprint::of(text.as_bytes())));
        if let Some(session) = self.sessions.get_mut(name) {
            session.text = text;
            session.state = Loop::Ending;
        }
        self.answered(name, false);
        let message = self.store_message(name, Ending::Natural, false);
        // with a newer message in wait it is told as no end: the loop goes on with that one
        let waits = self
            .sessions
            .get(name)
            .is_some_and(|session| session.pending > 0);
        let ending = if waits && self.scenario.dialect == Dialect::V1 {
            Ending::Step
        } else {
            Ending::Natural
        };
        self.tell_message(name, message, ending, false);
        self.go_on(name, (5, 20), Step::Look);
    }

    fn fail(&mut self, name: &str, fault: Fault) {
        self.answered(name, false);
        self.set(name, Loop::Idle);
        if let Some(session) = self.sessions.get_mut(name) {
            session.ours_pending = 0; // what was stored meanwhile waits for the next one
            session.run += 1;
        }
        self.break_off(name, fault);
        if name == ROOT && self.scenario.headless && !self.draining {
            self.draining = true;
            self.after(5, Happening::Deliver(Event::Shutdown { drain: true }));
        }
    }
}
