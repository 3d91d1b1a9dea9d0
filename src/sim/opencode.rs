//! The host's sessions: OpenCode's loop of a turn, with its races, as it was seen on the real one.
//!
//! A message that is stored starts the loop of an idle session; a running loop finds it at its last look. What falls
//! between that look and the loop's end is stored and gets no turn.

mod turns;

use super::agent::{Deed, called};
use super::chance::Kind;
use super::dialect::Native;
use super::world::{Happening, ROOT, World};
use crate::event::{AgentInfo, Blocker, Ending, Event, LastAssistant, LastTurn, Origin, ToolKind};
use crate::fault::Fault;
use crate::id::{CallId, MessageId, RequestId, SessionId};
use std::collections::VecDeque;

/// Where a session's loop is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Loop {
    #[default]
    Idle,
    /// A message was stored; the loop starts.
    Starting,
    /// The model or a tool works.
    Working,
    /// The host waits before it asks the provider again.
    Retrying,
    /// A task tool was called.
    Calling,
    /// The person was asked.
    Asking,
    /// The last message is out; the loop is not over.
    Ending,
    /// It looked a last time and found nothing.
    Leaving,
}

impl Loop {
    /// The state in words, for displays.
    pub fn words(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Starting => "starting",
            Self::Working => "working",
            Self::Retrying => "retrying",
            Self::Calling => "calling",
            Self::Asking => "asking",
            Self::Ending | Self::Leaving => "ending",
        }
    }
}

/// A step of the loop.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Begin,
    /// The provider is asked, for the so many-th time.
    Ask(u32),
    Refused(u32, Fault),
    Output,
    /// The next deed of the turn.
    Do,
    /// The loop looks for newer messages a last time.
    Look,
    Rest,
}

/// A session of the host.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    pub parent: Option<SessionId>,
    pub title: String,
    pub agent: String,
    pub state: Loop,
    /// Counts the runs of the loop: an abort makes the steps of the one before void.
    pub run: u32,
    pub turns: u32,
    /// Stored messages that the loop has not seen, and those of the turn under way.
    pub pending: u32,
    pub taken: u32,
    /// Of both, those that the plugin wrote.
    pub ours_pending: u32,
    pub ours_taken: u32,
    /// The plugin's newest prompt is stored, under an id that its host still knows.
    pub ours_known: bool,
    pub last: Option<LastAssistant>,
    pub text: String,
    pub deeds: VecDeque<Deed>,
    pub call: Option<CallId>,
    pub asked: Option<(RequestId, Blocker)>,
    /// The turn only shows something to the person.
    pub side: bool,
    /// The provider took its request and works on it.
    pub taken_on: bool,
    pub said_output: bool,
    /// When its last event was told: events of a session keep their order.
    pub told: u64,
}

impl Session {
    pub fn root() -> Self {
        Self {
            agent: "commander".into(),
            ..Self::default()
        }
    }

    /// Messages of the plugin's that wait for an answer.
    pub fn ours(&self) -> u32 {
        self.ours_pending + self.ours_taken
    }

    pub fn is_busy(&self) -> bool {
        !matches!(self.state, Loop::Idle | Loop::Starting)
    }

    /// How its last turn ended, as a lookup finds it.
    pub fn last_turn(&self) -> LastTurn {
        LastTurn {
            busy: self.is_busy(),
            assistant: self.last.clone(),
            unanswered: self.pending + self.taken > 0,
        }
    }

    /// Whether the provider works for it.
    pub fn loads(&self) -> bool {
        matches!(self.state, Loop::Starting | Loop::Working | Loop::Retrying)
    }
}

/// Tokens of every message.
const TOKENS: u64 = 100;
/// Attempts of the host at one request to the provider.
const HOST_RETRIES: u32 = 5;

impl World {
    // ---- telling ----------------------------------------------------------------------------------------------

    pub(super) fn tell(&mut self, name: &str, native: Native) {
        let id: SessionId = name.into();
        for (after, event) in self.scenario.dialect.tell(&id, native) {
            self.tell_event(name, after, event);
        }
    }

    fn tell_event(&mut self, name: &str, after: u64, event: Event) {
        let delay = self.chance.within(Kind::HostTime, (0, 3));
        let now = self.now;
        let told = self.sessions.get(name).map_or(0, |session| session.told);
        let at = (now + delay).max(told) + after;
        if let Some(session) = self.sessions.get_mut(name) {
            session.told = at;
        }
        if is_losable(&event) && self.strikes(Kind::LoseEvent) {
            self.laws.blurred |= name == ROOT;
            self.note(|| format!("lost: {event:?}"));
            return;
        }
        if is_doublable(&event) && self.strikes(Kind::DoubleEvent) {
            self.laws.blurred |= name == ROOT;
            let late = self.chance.within(Kind::HostTime, (0, 500));
            self.at(at + late, Happening::Deliver(event.clone()));
        }
        self.at(at, Happening::Deliver(event));
    }

    pub(super) fn go_on(&mut self, name: &str, range: (u64, u64), step: Step) {
        let Some(run) = self.sessions.get(name).map(|session| session.run) else {
            return;
        };
        let ms = self.chance.within(Kind::HostTime, range);
        self.after(ms, Happening::Step(name.to_owned(), run, step));
    }

    fn set(&mut self, name: &str, state: Loop) {
        if let Some(session) = self.sessions.get_mut(name) {
            session.state = state;
        }
    }

    // ---- messages ---------------------------------------------------------------------------------------------

    /// A message is stored.
    pub(super) fn store(&mut self, name: &str, ours: bool, gets_turn: bool) {
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        session.pending += 1;
        session.ours_pending += u32::from(ours);
        session.ours_known |= ours;
        if ours && session.ours() > 1 {
            self.break_law("one prompt", "two prompts of ours wait in one session");
        }
        if gets_turn {
            self.start_loop(name);
        }
    }

    /// Starts the loop of an idle session with something to answer.
    pub(super) fn start_loop(&mut self, name: &str) {
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        if session.state == Loop::Idle && session.pending + session.taken > 0 {
            session.state = Loop::Starting;
            session.run += 1;
            self.go_on(name, (3, 60), Step::Begin);
        }
    }

    /// The person, or a command of theirs, writes to a session.
    pub(super) fn write(&mut self, name: &str, origin: Origin) {
        self.tell(name, Native::Written(origin));
        self.store(name, false, true);
    }

    /// An assistant message is complete: a lookup finds it from now on.
    fn store_message(&mut self, name: &str, ending: Ending, summary: bool) -> MessageId {
        self.messages += 1;
        let message = MessageId(format!("msg_{:06}", self.messages));
        if let Some(session) = self.sessions.get_mut(name) {
            session.last = Some(LastAssistant {
                message: message.clone(),
                ending,
                summary,
            });
        }
        message
    }

    fn message(&mut self, name: &str, ending: Ending, summary: bool) {
        let message = self.store_message(name, ending.clone(), summary);
        self.tell_message(name, message, ending, summary);
    }

    fn tell_message(&mut self, name: &str, message: MessageId, ending: Ending, summary: bool) {
        let tokens = TOKENS;
        self.tell(
            name,
            Native::Message {
                message,
                ending,
                summary,
                tokens,
            },
        );
    }

    /// The turn ends without a last word.
    fn break_off(&mut self, name: &str, fault: Fault) {
        let ending = Ending::Failed {
            fault: fault.clone(),
        };
        let message = self.store_message(name, ending, false);
        let tokens = TOKENS;
        self.tell(
            name,
            Native::Failed {
                fault,
                message,
                tokens,
            },
        );
    }

    fn answered(&mut self, name: &str, all: bool) {
        if let Some(session) = self.sessions.get_mut(name) {
            session.taken = 0;
            session.ours_taken = 0;
            if all {
                session.pending = 0;
                session.ours_pending = 0;
            }
        }
    }

    // ---- answers ----------------------------------------------------------------------------------------------

    /// A task tool's call returns.
    pub(super) fn tool_answered(&mut self, name: &str, call: &CallId, text: &str) {
        if name == ROOT {
            for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
                let number = word.strip_prefix('t').filter(|digits| {
                    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
                });
                if number.is_some() && !self.known_tasks.iter().any(|task| task == word) {
                    self.known_tasks.push(word.to_owned());
                }
            }
        }
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        if session.call.as_ref() != Some(call) || session.state != Loop::Calling {
            return;
        }
        session.call = None;
        session.state = Loop::Working;
        let mut tool = called(ToolKind::Other);
        tool.call = call.clone();
        self.tell(name, Native::Called(tool));
        self.end_step(name);
    }

    pub(super) fn answer_question(&mut self, name: &str, turn: u32) {
        let request = RequestId(format!("req_{turn}"));
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        let Some((_, by)) = session
            .asked
            .take_if(|(asked, _)| session.state == Loop::Asking && *asked == request)
        else {
            return;
        };
        session.state = Loop::Working;
        let rejected = self
            .chance
            .percent(Kind::Person, self.scenario.person.rejects);
        self.tell(name, Native::Answered(request, rejected));
        if !rejected {
            let call = self.number(called(match by {
                Blocker::Question => ToolKind::Other,
                Blocker::Permission => ToolKind::Run,
            }));
            self.tell(name, Native::Called(call));
            self.end_step(name);
            return;
        }
        // a refusal without a word ends the turn: idle, and no last word
        self.message(name, Ending::Step, false);
        self.answered(name, false);
        self.laws.refused.insert(name.to_owned());
        self.go_on(name, (5, 50), Step::Rest);
    }

    // ---- ends -------------------------------------------------------------------------------------------------

    /// The session's turn is aborted, by the person or by the plugin.
    pub(super) fn abort(&mut self, name: &str) {
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        let state = std::mem::take(&mut session.state);
        session.run += 1;
        session.deeds.clear();
        session.asked = None;
        if let Some(call) = session.call.take() {
            let event = Event::ToolAborted {
                session: name.into(),
                call,
            };
            let at = session.told;
            self.at(at, Happening::Deliver(event));
        }
        let cancelled = Ending::Failed {
            fault: Fault::Cancelled,
        };
        match state {
            Loop::Idle => {}
            Loop::Starting => {
                self.answered(name, true);
                self.store_message(name, cancelled, false);
            }
            Loop::Retrying => {
                self.answered(name, true);
                self.store_message(name, Ending::Unfinished, false);
            }
            Loop::Working | Loop::Calling | Loop::Asking => {
                self.answered(name, true);
                self.break_off(name, Fault::Cancelled);
                return;
            }
            Loop::Ending | Loop::Leaving => {}
        }
        self.tell(name, Native::Hushed);
    }

    /// The session is gone, and those below it before it.
    pub(super) fn delete(&mut self, name: &str) {
        let below: Vec<String> = self
            .sessions
            .iter()
            .filter(|(_, child)| child.parent.as_ref().is_some_and(|parent| parent.0 == name))
            .map(|(name, _)| name.clone())
            .collect();
        for child in below {
            self.delete(&child);
        }
        let Some(session) = self.sessions.get(name) else {
            return;
        };
        let busy = session.is_busy();
        if let Some(call) = session.call.clone() {
            let event = Event::ToolAborted {
                session: name.into(),
                call,
            };
            self.at(session.told, Happening::Deliver(event));
        }
        self.tell(name, Native::Deleted { busy });
        self.sessions.remove(name);
        self.deleted.insert(name.to_owned());
    }

    /// The program was killed: every turn is over without a word, and what was asked is forgotten.
    pub(super) fn kill_sessions(&mut self) {
        let names: Vec<String> = self.sessions.keys().cloned().collect();
        for name in names {
            let busy = self.sessions.get(&name).is_some_and(Session::is_busy);
            if busy {
                let state = self.sessions.get(&name).map(|session| session.state);
                if !matches!(state, Some(Loop::Ending | Loop::Leaving)) {
                    self.store_message(&name, Ending::Unfinished, false);
                    self.answered(&name, false);
                }
            }
            if let Some(session) = self.sessions.get_mut(&name) {
                session.run += 1;
                session.ours_known = false;
                session.state = Loop::Idle;
                session.call = None;
                session.asked = None;
                session.deeds.clear();
            }
        }
    }
}

/// Events that a host may lose. What the person did and what was created or deleted is told by calls, not by events.
fn is_losable(event: &Event) -> bool {
    match event {
        Event::SessionError { fault, .. } => *fault != Fault::Cancelled,
        Event::Assistant { ending, .. } => !matches!(
            ending,
            Ending::Failed {
                fault: Fault::Cancelled
            }
        ),
        Event::Busy { .. }
        | Event::Retrying { .. }
        | Event::FirstOutput { .. }
        | Event::Idle { .. }
        | Event::AssistantText { .. }
        | Event::Tool { .. }
        | Event::Unblocked { .. }
        | Event::Compacting { .. }
        | Event::Compacted { .. }
        | Event::Child { .. } => true,
        _ => false,
    }
}

/// Events that may come twice. A second word of the person's, or a second abort, would be another one.
fn is_doublable(event: &Event) -> bool {
    match event {
        Event::UserMessage { .. } | Event::TaskTool { .. } | Event::Idle { .. } => false,
        Event::SessionError { fault, .. } => *fault != Fault::Cancelled,
        Event::Assistant { ending, .. } => !matches!(
            ending,
            Ending::Failed {
                fault: Fault::Cancelled
            }
        ),
        _ => true,
    }
}

/// The agents that the host lists.
fn agents() -> Vec<AgentInfo> {
    [("worker", true), ("reviewer", true), ("commander", false)]
        .map(|(name, delegable)| AgentInfo {
            name: name.to_owned(),
            delegable,
            model: None,
        })
        .to_vec()
}
