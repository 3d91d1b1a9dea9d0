//! The reference model: what a session may be sent, kept as a few facts, and the laws that are checked after each event.
//!
//! | law | says |
//! |---|---|
//! | liveness | a mission has an action, a timer, a named event or a stop reason; at the end of all faults it has ended, or waits for the person |
//! | silence | after an abort, a stop or an end nothing is sent until the person speaks |
//! | busy | no prompt in the middle of a turn |
//! | one prompt | at most one unacknowledged prompt a session |
//! | limits | never more sub-agents at the provider than configured, at each launch |
//! | ceilings | no prompt beyond the iterations or the tokens allowed, no work beyond the minutes |
//! | complete | a mission never ends as complete with an open todo |
//! | ownership | an ended mission owns nothing; no session of ours is left, no slot held |
//! | results | a result, once there, stays as it was |
//! | stale | a second answer to a request does nothing |
//! | answers | a call is answered once, and not left without an answer |
//! | deletion | no busy session is deleted |
//! | paused | a mission pauses only when the person stopped it |
//! | journal | our own files can be read |
//! | no panic | the engine never panics |

mod end;

use super::coverage;
use super::scenario::Temper;
use super::world::{ROOT, World, is_journal};
use crate::effect::Effect;
use crate::event::{Command, Ending, Event, Origin, Outcome, Payload, RestoreCause};
use crate::exec::TaskState;
use crate::fault::Fault;
use crate::id::{CallId, EffectId, MessageId, MissionId, SessionId, TaskId};
use crate::mission::{Phase, StopReason, Waiting};
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Beyond `maxMinutes`: a lookup that fails for a while, or a check, may still be under way.
const GRACE_MINUTES: u64 = 10;

/// A law that was broken.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    pub seed: u64,
    pub law: &'static str,
    pub text: String,
    /// Milliseconds since the start.
    pub at: u64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {}: {} broken after {} ms: {}",
            self.seed, self.law, self.at, self.text
        )
    }
}

const RESTARTED: &str = "a restart";
const ABORT: &str = "an abort";
const MISSION_ENDED: &str = "the end of the mission";

/// What the reference model knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Laws {
    violation: Option<Violation>,
    /// The engine was told that a turn of the root runs, and not of its end.
    told_busy: bool,
    /// ...or of its last message, and not of its idle.
    told_done: bool,
    /// Why nothing may be sent to the root.
    silenced: Option<&'static str>,
    /// A `/task` was typed; its message is still to come.
    commanded: bool,
    /// The person stopped the root's turn, or the program died, since they wrote last.
    interrupted: bool,
    /// A message was written since the last abort.
    written: bool,
    /// Missions that are paused.
    paused: BTreeSet<MissionId>,
    /// Prompts without an answer, by session.
    unacknowledged: BTreeMap<SessionId, EffectId>,
    /// Prompts to sub-agents that the host has not carried out yet.
    handed: BTreeSet<SessionId>,
    /// Requests that were answered.
    replied: BTreeSet<EffectId>,
    /// Messages that the engine was told of.
    messages: BTreeSet<MessageId>,
    answered: BTreeSet<CallId>,
    results: BTreeMap<TaskId, (TaskState, String)>,
    ended: BTreeSet<MissionId>,
    /// The plugin or the person stopped the root's turn, and no idle was told since.
    stopping: bool,
    /// An event of the root's turn was lost or doubled, or the person wrote while a stopped turn was ending: it may look as
    /// if they had stopped it, or did. To pause then is safe.
    pub blurred: bool,
    /// Sessions that the person meddled with.
    pub meddled: BTreeSet<String>,
    /// Sessions whose request the person refused.
    pub refused: BTreeSet<String>,
}

/// What is remembered from before an event.
pub(super) struct Before {
    again: bool,
}

impl Laws {
    pub fn forget_requests(&mut self) {
        self.unacknowledged.clear();
        self.handed.clear();
        self.replied.clear();
    }

    /// The person writes; the event comes later, perhaps after their next abort, or before what tells of the last one.
    pub fn speak(&mut self) {
        self.blurred |= self.stopping;
        self.interrupted = false;
    }

    /// The person stops the root's turn.
    pub fn interrupt(&mut self) {
        self.interrupted = true;
        self.stopping = true;
    }
}

impl World {
    pub(super) fn violation(&self, law: &'static str, text: &str) -> Violation {
        Violation {
            seed: self.scenario.seed,
            law,
            text: text.to_owned(),
            at: self.elapsed(),
        }
    }

    /// The engine panicked: the panic's own words.
    pub(super) fn panicked(&self, panic: &(dyn Any + Send)) -> Violation {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("a panic");
        self.violation("no panic", text)
    }

    pub(super) fn break_law(&mut self, law: &'static str, text: &str) {
        self.note(|| format!("!! {law}: {text}"));
        if self.laws.violation.is_none() {
            self.laws.violation = Some(self.violation(law, text));
        }
    }

    pub(super) fn take_violation(&mut self) -> Result<(), Violation> {
        self.laws.violation.take().map_or(Ok(()), Err)
    }

    // ---- what the engine is told ------------------------------------------------------------------------------

    pub(super) fn laws_before(&mut self, event: &Event) {
        coverage::event(event);
        let headless = self.scenario.headless;
        let mut missions = self.engine.missions();
        let suspended = missions.any(|mission| mission.phase == Phase::Suspended);
        let laws = &mut self.laws;
        match event {
            Event::Reply { outcome, .. } => {
                if let Outcome::Ok(Payload::Turn { turn }) = outcome {
                    laws.told_busy &= turn.busy;
                }
                return;
            }
            Event::Shutdown { .. } => {
                laws.told_busy = false; // the host's loop is over
                return;
            }
            Event::Command { session, command } => {
                // one from elsewhere resumes what is known to be paused, and nothing else
                let counts = session.0 == ROOT || !laws.paused.is_empty() || suspended;
                if matches!(command, Command::Task { .. }) && counts {
                    laws.silenced = None;
                    laws.interrupted = false;
                    laws.commanded = session.0 == ROOT;
                }
                return;
            }
            _ => {}
        }
        if let Event::Busy { session }
        | Event::FirstOutput { session }
        | Event::Assistant { session, .. }
        | Event::SessionError { session, .. }
        | Event::Continuing { session } = event
        {
            laws.unacknowledged.remove(session); // its turn says that it was accepted
        }
        laws.written |= matches!(event, Event::UserMessage { .. });
        let of_root = crate::mission::session_of(event).is_some_and(|session| session.0 == ROOT);
        if !of_root {
            return;
        }
        match event {
            // OpenCode says so once more between a turn's last message and its idle
            Event::Busy { .. } if laws.told_done => {}
            Event::Busy { .. } | Event::Retrying { .. } => laws.told_busy = true,
            Event::Idle { .. } | Event::Continuing { .. } => {
                laws.told_busy = false;
                laws.told_done = false;
                laws.stopping = false;
            }
            Event::Assistant {
                message,
                ending,
                summary: false,
                ..
            } => match ending {
                _ if !laws.messages.insert(message.clone()) => {}
                Ending::Natural => {
                    laws.told_busy = false;
                    laws.told_done = true;
                }
                Ending::Step => {
                    laws.told_busy = true;
                    laws.told_done = false;
                }
                _ => {}
            },
            Event::SessionError {
                fault: Fault::Cancelled,
                ..
            } if !headless && laws.silenced.is_none() => {
                laws.silenced = Some(ABORT);
                laws.written = false;
            }
            Event::UserMessage {
                origin: Origin::Person,
                ..
            } => {
                laws.silenced = None;
                laws.refused.remove(ROOT);
            }
            Event::UserMessage { .. } if std::mem::take(&mut laws.commanded) => {
                // what the command itself aborted is over
                laws.silenced = None;
                laws.refused.remove(ROOT);
            }
            Event::UserMessage { .. }
                if matches!(laws.silenced, Some(MISSION_ENDED | RESTARTED)) =>
            {
                laws.silenced = None;
            }
            // its agent works on in the turn that was under way, and is told of what it delegates there
            Event::TaskTool { .. } if laws.silenced == Some(MISSION_ENDED) => laws.silenced = None,
            // or in the turn of a command's message, which came after the abort
            Event::TaskTool { .. } if laws.silenced == Some(ABORT) && laws.written => {
                laws.silenced = None;
            }
            Event::Deleted { .. } => laws.silenced = Some("its deletion"),
            _ => {}
        }
    }

    pub(super) fn before(&mut self, event: &Event) -> Before {
        let again = match event {
            Event::Reply { effect, .. } => {
                self.laws.unacknowledged.retain(|_, id| id != effect);
                !self.laws.replied.insert(*effect)
            }
            _ => false,
        };
        Before { again }
    }

    pub(super) fn laws_after(&mut self, before: &Before, effects: &[Effect]) {
        for effect in effects {
            coverage::effect(effect);
        }
        // what is due at this very moment is done with any event
        if before.again
            && self.alarm_at.is_none_or(|at| at > self.now)
            && let Some(effect) = effects
                .iter()
                .find(|effect| !is_journal(effect) && !matches!(effect, Effect::SetAlarm { .. }))
        {
            let text = format!("a second answer led to {effect:?}");
            self.break_law("stale", &text);
        }
        for effect in effects {
            match effect {
                Effect::Prompt { id, session, .. } => self.law_of_prompts(*id, session),
                Effect::Abort { session, .. } => self.laws.stopping |= session.0 == ROOT,
                _ => {}
            }
        }
        self.laws_of_missions(true);
        self.laws_of_tasks();
    }

    fn law_of_prompts(&mut self, id: EffectId, session: &SessionId) {
        if let Some(other) = self.laws.unacknowledged.insert(session.clone(), id) {
            let text = format!("{session} has prompt {other} without an answer and gets {id}");
            self.break_law("one prompt", &text);
        }
        if session.0 != ROOT {
            self.law_of_limits(session);
            return;
        }
        if let Some(why) = self.laws.silenced {
            self.break_law("silence", &format!("a prompt after {why}"));
        }
        if self.laws.told_busy {
            self.break_law("busy", "a prompt in the middle of a turn");
        }
        let rules = &self.policy.mission;
        let over = self
            .engine
            .mission_of(session)
            .filter(|mission| id.belongs_to(mission.id))
            .and_then(|mission| {
                let budget = &mission.budget;
                if budget.iterations > rules.max_iterations {
                    Some(format!("{} iterations", budget.iterations))
                } else if budget.tokens >= rules.max_tokens {
                    Some(format!("{} tokens", budget.tokens))
                } else {
                    None
                }
            });
        if let Some(text) = over {
            self.break_law("ceilings", &text);
        }
    }

    fn law_of_limits(&mut self, session: &SessionId) {
        self.laws.handed.insert(session.clone());
        let launched: Vec<&str> = self
            .sessions
            .iter()
            .filter(|(name, child)| {
                *name != ROOT
                    && (child.loads() || self.laws.handed.contains(&SessionId((*name).clone())))
            })
            .map(|(_, child)| child.agent.as_str())
            .collect();
        let (all, limit) = (launched.len(), self.policy.limits.global as usize);
        let workers = launched.iter().filter(|agent| **agent == "worker").count();
        let per_agent = self.scenario.rules.per_agent.max(1) as usize;
        if all > limit {
            self.break_law(
                "limits",
                &format!("{all} at work, {limit} allowed: {launched:?}"),
            );
        } else if workers > per_agent {
            let text = format!("{workers} workers at work, {per_agent} allowed");
            self.break_law("limits", &text);
        }
    }

    /// A prompt reached the host, or failed on its way.
    pub(super) fn law_of_arrival(&mut self, session: &SessionId) {
        self.laws.handed.remove(session);
    }

    pub(super) fn law_of_busy_child(&mut self, session: &SessionId) {
        if !self.laws.meddled.contains(&session.0) {
            let text = format!("a prompt to the busy sub-agent {session}");
            self.break_law("busy", &text);
        }
    }

    pub(super) fn law_of_deletion(&mut self, session: &SessionId) {
        if !self.laws.meddled.contains(&session.0) {
            self.break_law("deletion", &format!("{session} was deleted while busy"));
        }
    }

    pub(super) fn law_of_answers(&mut self, session: &SessionId, call: &CallId, text: &str) {
        if !self.laws.answered.insert(call.clone()) {
            let text = format!("{call} of {session} was answered twice: {text}");
            self.break_law("answers", &text);
        }
    }

    fn laws_of_missions(&mut self, pauses: bool) {
        let mut broken: Option<(&'static str, String)> = None;
        let mut newly = Vec::new();
        for mission in self.engine.missions() {
            if mission.waiting() == Waiting::Event("nothing") {
                broken = Some((
                    "liveness",
                    format!("mission {} waits for nothing", mission.id),
                ));
            }
            let minutes = mission.budget.active_ms(self.engine.now()) / 60_000;
            if mission.phase.is_active()
                && minutes > u64::from(self.policy.mission.max_minutes) + GRACE_MINUTES
            {
                broken = Some((
                    "ceilings",
                    format!("{minutes} minutes in {:?}", mission.phase),
                ));
            }
            match mission.phase {
                Phase::Ended if !self.laws.ended.contains(&mission.id) => {
                    newly.push((mission.id, mission.reason.clone()));
                    if !mission.owns_nothing() {
                        broken = Some(("ownership", "an ended mission owns something".to_owned()));
                    }
                }
                _ => {}
            }
            let was_paused = match mission.phase {
                Phase::Paused => !self.laws.paused.insert(mission.id),
                _ => self.laws.paused.remove(&mission.id),
            };
            if mission.phase == Phase::Paused
                && !was_paused
                && pauses
                && !self.laws.blurred
                && !self.laws.interrupted
                && !self.laws.refused.contains(ROOT)
            {
                broken = Some(("paused", "nobody stopped it".to_owned()));
            }
        }
        for (id, reason) in newly {
            self.laws.ended.insert(id);
            let newest = self.engine.mission_of(&ROOT.into());
            if newest.is_some_and(|mission| mission.id == id) {
                self.laws.silenced = Some(MISSION_ENDED);
            }
            let open = self.todos.iter().filter(|todo| !todo.status.is_terminal());
            if let Some(StopReason::Complete { finished }) = reason {
                let open = open.count();
                if open > 0 {
                    broken = Some(("complete", format!("{finished} done, {open} open")));
                }
                if matches!(
                    self.scenario.agent.temper,
                    Temper::Stuck | Temper::Gaming | Temper::Planless
                ) && self.script.is_none()
                {
                    broken = Some(("complete", "an agent that finishes nothing".to_owned()));
                }
            }
        }
        if let Some((law, text)) = broken {
            self.break_law(law, &text);
        }
    }

    fn laws_of_tasks(&mut self) {
        let mut broken = None;
        let mut newly = Vec::new();
        for executor in self.engine.executors() {
            for task in executor.tasks() {
                let (state, result) = (task.state(), task.result());
                if !state.is_ended() {
                    continue;
                }
                match self.laws.results.get(&task.id) {
                    None => newly.push((task.id, state, result.to_owned())),
                    Some((was, text)) if *was == state && text == result => {}
                    Some((was, _)) => {
                        broken = Some(format!("t{} was {was:?} and is {state:?}", task.id));
                    }
                }
                if state == TaskState::Done && !result.starts_with("result ") {
                    broken = Some(format!("t{} is done with {result:?}", task.id));
                }
            }
        }
        for (id, state, result) in newly {
            self.laws.results.insert(id, (state, result));
        }
        if let Some(text) = broken {
            self.break_law("results", &text);
        }
    }

    pub(super) fn laws_after_restore(&mut self, cause: RestoreCause) {
        if cause == RestoreCause::Restart {
            self.laws.told_busy = false;
            self.laws.interrupted = true;
            self.laws.silenced = Some(RESTARTED);
        }
        let there: BTreeSet<TaskId> = self
            .engine
            .executors()
            .flat_map(|executor| executor.tasks().map(|task| task.id))
            .collect();
        let lost = self.laws.results.keys().find(|id| !there.contains(id));
        if let Some(id) = lost.copied()
            && self.sessions.contains_key(ROOT)
        {
            self.break_law("results", &format!("t{id} is gone after a restart"));
        }
        self.laws_of_missions(false); // an event that ends a pause may be given again
        self.laws_of_tasks();
    }
}
