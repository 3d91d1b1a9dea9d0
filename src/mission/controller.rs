//! The mission's state machine: each event by phase. The table is in [`super::phase`].
//!
//! Liveness law: after every event the mission has an action under way, a timer armed, a named event it waits for, or
//! a stop reason. [`Mission::waiting`] says which; the tests ask it after every step.

use super::budget::Budget;
use super::phase::{Phase, Rule, StopReason, allowed};
use super::progress::Progress;
use super::stagnation::Detectors;
use crate::effect::{Effect, Level};
use crate::event::{
    Blocker, Ending, Event, Fingerprint, LastTurn, Model, Origin, Outcome, Payload, RestoreCause,
    Todo, clip,
};
use crate::fault::Fault;
use crate::id::{EffectId, MessageId, MissionId, RequestId, SessionId};
use crate::policy::{
    DECISIONS_KEPT, FAILURE_FIRST_MS, FAILURE_MAX, IDLE_ECHO_MS, OUTAGE_CAP_MS, OUTAGE_FIRST_MS,
    OUTAGE_MAX, PROMPT_GRACE_MS, Policy, RETRY_FIRST_MS, RETRY_MAX, WATCH_MS, back_off,
};
use crate::prompt::PromptKind;
use crate::resource::{NodeId, ResourceTracker};
use crate::time::{Instant, spoken};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// No event came from a working session for a while.
    Watch,
    /// A lookup or a prompt failed and is tried again.
    Retry,
    Settle,
    BackOff,
    /// The session is idle although a prompt was accepted.
    Grace,
    /// The mission's active time is used up.
    Deadline,
}

/// What the request in flight is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Request {
    ReadTodos,
    ReadTurn,
    /// A lookup beside the phase, because nothing was heard for a while.
    Probe,
    ProbeChild(SessionId),
    Prompt,
    Check,
}

/// Where the session is, as far as the events tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Activity {
    InTurn,
    /// The turn's last message came; the session is not idle yet.
    TurnDone,
    Idle,
}

/// Facts about the newest turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Turn {
    pub activity: Activity,
    /// The newest message that was acted on: no message is acted on twice.
    pub acted: Option<MessageId>,
    pub fault: Option<Fault>,
    /// A prompt was handed over at this time and no sign of its turn was seen.
    pub handed: Option<Instant>,
    /// The first idle after a failed turn, and whether its echo came.
    pub failed_idle: Option<(Instant, bool)>,
    pub rejected: bool,
    /// The turn only shows something to the person; it is not the mission's.
    pub side: bool,
    pub last_event: Instant,
    /// A turn was seen since the lookup of its end was asked for: an answer without it is out of date.
    pub seen_since_lookup: bool,
}

/// The completion command's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) enum Check {
    #[default]
    Unknown,
    /// Running for the work tree as it was at this count of changes.
    Running { id: EffectId, changes: u64 },
    Known {
        exit: Option<i32>,
        output: String,
        changes: u64,
    },
}

/// What follows once the gates are open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Next {
    /// Judge the turn.
    Decide,
    /// The judgement stands: send this.
    Send(PromptKind),
}

/// A decision and the rule that made it, for `/mission`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(all(test, not(target_arch = "wasm32")), derive(ts_rs::TS))]
pub struct Decision {
    pub at: Instant,
    pub rule: Rule,
    pub text: String,
}

/// What keeps a mission alive (the liveness law).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    Action,
    Timer(Instant),
    Event(&'static str),
    Stopped,
}

/// A mission. See the module for its laws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mission {
    pub(crate) id: MissionId,
    pub(crate) session: SessionId,
    pub(crate) agent: Option<String>,
    pub(crate) model: Option<Model>,
    pub(crate) objective: String,
    pub(crate) phase: Phase,
    pub(crate) reason: Option<StopReason>,
    pub(crate) roadmap: Option<Vec<Todo>>,
    /// The roadmap may have changed unseen: read it before the next decision.
    pub(super) roadmap_stale: bool,
    pub(crate) budget: Budget,
    pub(crate) decisions: VecDeque<Decision>,
    pub(super) progress: Progress,
    pub(super) detectors: Detectors,
    pub(super) rung: u32,
    pub(super) weak_run: u32,
    pub(super) turn: Turn,
    pub(super) next: Next,
    pub(super) check: Check,
    /// Tool calls that may have changed the work tree.
    pub(super) changes: u64,
    pub(super) asked_for_plan: bool,
    pub(super) text: Option<Fingerprint>,
    blocked: BTreeMap<RequestId, (SessionId, Blocker)>,
    children: BTreeMap<SessionId, bool>,
    compacting: bool,
    pub(super) in_flight: Option<(EffectId, Request)>,
    /// The aborted turn of the mission before is still ending; this one's own has not begun.
    #[serde(default)]
    behind_another: bool,
    /// Failed turns in a row, and those of them since the last backpressure.
    pub(super) failures: u32,
    odd_failures: u32,
    pub(super) retries: u32,
    /// Prompts in a row that were accepted and got no turn.
    redrives: u32,
    /// The lookup that failed, for the retry timer.
    retry: Option<Request>,
    draining: bool,
    sequence: u32,
    pub(super) resources: ResourceTracker<Purpose>,
    root: Option<NodeId>,
    phase_node: Option<NodeId>,
}

/// The surroundings of a step: time, rules, and where effects go.
pub(crate) struct Context<'a> {
    pub now: Instant,
    pub policy: &'a Policy,
    pub out: &'a mut Vec<Effect>,
}

impl Mission {
    /// A mission whose first turn is the `/task` command's own.
    pub(crate) fn start(
        cx: &mut Context,
        id: MissionId,
        session: SessionId,
        objective: String,
    ) -> Self {
        let mut resources = ResourceTracker::default();
        let root = resources.open(None);
        let mut mission = Self {
            id,
            session,
            agent: None,
            model: None,
            objective,
            phase: Phase::Working,
            reason: None,
            roadmap: None,
            roadmap_stale: true,
            budget: Budget::default(),
            decisions: VecDeque::new(),
            progress: Progress::default(),
            detectors: Detectors::default(),
            rung: 0,
            weak_run: 0,
            turn: Turn {
                activity: Activity::InTurn,
                acted: None,
                fault: None,
                handed: None,
                failed_idle: None,
                rejected: false,
                side: false,
                last_event: cx.now,
                seen_since_lookup: false,
            },
            next: Next::Decide,
            check: Check::Unknown,
            changes: 0,
            asked_for_plan: false,
            text: None,
            blocked: BTreeMap::new(),
            children: BTreeMap::new(),
            compacting: false,
            in_flight: None,
            behind_another: false,
            failures: 0,
            odd_failures: 0,
            retries: 0,
            redrives: 0,
            retry: None,
            draining: false,
            sequence: 0,
            resources,
            root,
            phase_node: None,
        };
        mission.log(cx, Rule::Start, "the person gave an objective".to_owned());
        mission.activate(cx);
        mission.enter(cx, Phase::Working);
        mission
    }

    /// Whether a session's events concern this mission: its own session or a child of it.
    pub(crate) fn knows(&self, session: &SessionId) -> bool {
        self.session == *session || self.children.contains_key(session)
    }

    /// Whether a turn runs, or may be about to: a prompt of ours may have one of which nothing was seen yet.
    pub(crate) fn may_have_turn(&self) -> bool {
        self.turn.activity != Activity::Idle
            || self.turn.handed.is_some()
            || self.phase == Phase::Prompting
    }

    /// The turn of the mission that this one replaces is being aborted.
    pub(crate) fn start_behind_another(&mut self) {
        self.behind_another = true;
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Whether a check runs that the host should hold the turn for.
    pub(crate) fn holds(&self) -> bool {
        self.phase == Phase::Working && matches!(self.check, Check::Running { .. })
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.resources.next_deadline()
    }

    /// Whether nothing is owned any more.
    #[must_use]
    pub fn owns_nothing(&self) -> bool {
        self.resources.is_empty()
    }

    /// What keeps the mission alive, for the liveness law.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        let timer = self
            .resources
            .timers()
            .find(|(_, purpose)| *purpose != Purpose::Deadline)
            .map(|(at, _)| at);
        match self.phase {
            Phase::Ended => Waiting::Stopped,
            Phase::Paused | Phase::Suspended => Waiting::Event("the person"),
            Phase::Held => Waiting::Event(self.gate().unwrap_or("nothing")),
            _ if self.in_flight.is_some() => Waiting::Action,
            _ => timer.map_or(Waiting::Event("nothing"), Waiting::Timer),
        }
    }

    /// The gate that is closed, by the name of what opens it.
    pub(crate) fn gate(&self) -> Option<&'static str> {
        if self.compacting {
            Some("the end of the compaction")
        } else if let Some((_, by)) = self.blocked.values().next() {
            Some(match by {
                Blocker::Permission => "the person's answer to a permission request",
                Blocker::Question => "the person's answer to a question",
            })
        } else if self.children.values().any(|busy| *busy) {
            Some("the end of a child session's turn")
        } else if self.turn.activity == Activity::InTurn {
            Some("the end of the turn under way")
        } else {
            None
        }
    }

    /// Handles an event that concerns this mission.
    pub(crate) fn handle(&mut self, cx: &mut Context, event: &Event) {
        if self.is_ended() {
            return;
        }
        match event {
            Event::Reply { effect, outcome } => self.on_reply(cx, *effect, outcome),
            Event::Alarm => self.on_alarm(cx),
            Event::Child { session, .. } => {
                self.children.entry(session.clone()).or_insert(false);
            }
            Event::Blocked {
                session,
                request,
                by,
            } => {
                self.blocked.insert(request.clone(), (session.clone(), *by));
                let what = match by {
                    Blocker::Permission => "a permission request",
                    Blocker::Question => "a question",
                };
                if *session != self.session {
                    self.notify(
                        cx,
                        Level::Warning,
                        &format!("a sub-agent waits for your answer to {what}"),
                    );
                }
            }
            Event::Unblocked {
                request, rejected, ..
            } => {
                self.blocked.remove(request);
                self.turn.rejected |= rejected;
                self.on_gate(cx);
            }
            Event::Restored { cause } => self.on_restored(cx, *cause),
            Event::Shutdown { drain } => self.on_shutdown(cx, *drain),
            Event::Trapped { message } => self.end(
                cx,
                Rule::Trap,
                StopReason::Trapped {
                    message: message.clone(),
                },
            ),
            Event::Compacting { session } if *session == self.session => self.compacting = true,
            Event::Continuing { session } if *session == self.session => self.on_continuing(cx),
            Event::Compacted { session } if *session == self.session => {
                self.compacting = false;
                self.log(cx, Rule::Compaction, "the history was compacted".to_owned());
                self.on_gate(cx);
            }
            event => match session_of(event) {
                Some(session) if *session == self.session => self.on_own(cx, event),
                Some(session) => {
                    let session = session.clone();
                    self.on_child(cx, &session, event);
                }
                None => {}
            },
        }
    }

    // ---- the mission's own session ----------------------------------------------------------------------------

    fn on_own(&mut self, cx: &mut Context, event: &Event) {
        self.turn.last_event = cx.now;
        if self.behind_another
            && matches!(
                event,
                Event::SessionError { .. } | Event::Assistant { .. } | Event::Idle { .. }
            )
        {
            return;
        }
        match event {
            Event::Busy { .. } => {
                if self.turn.activity == Activity::Idle {
                    self.turn_seen();
                }
            }
            Event::Retrying {
                attempt, message, ..
            } => {
                self.turn_seen();
                cx.out.push(Effect::Log {
                    level: Level::Info,
                    message: format!(
                        "mission {}: the host retries (attempt {attempt}): {}",
                        self.id,
                        clip(message, 120)
                    ),
                });
            }
            Event::UserMessage {
                origin,
                agent,
                model,
                ..
            } => self.on_user_message(cx, *origin, agent.as_ref(), model.as_ref()),
            Event::Assistant {
                message,
                ending,
                summary,
                tokens,
                cost,
                ..
            } => {
                self.budget.charge(&self.session.0, message, *tokens, *cost);
                self.on_assistant(cx, message, ending, *summary);
            }
            Event::AssistantText { text, .. } => {
                self.turn_seen();
                self.text = Some(text.clone());
            }
            Event::Todos { todos, .. } => {
                self.roadmap = Some(todos.clone());
                self.roadmap_stale = false;
                self.turn_seen();
                self.check_early(cx);
            }
            Event::Tool { call, .. } => {
                self.turn_seen();
                if matches!(
                    call.kind,
                    crate::event::ToolKind::Edit | crate::event::ToolKind::Run
                ) {
                    self.changes += 1;
                }
                self.progress.on_tool(call);
                self.detectors.on_tool(call);
            }
            Event::SessionError { fault, .. } => self.on_session_error(cx, fault),
            Event::Idle { .. } => self.on_idle(cx),
            Event::Deleted { .. } => self.end(cx, Rule::SessionDeleted, StopReason::SessionDeleted),
            _ => {}
        }
    }

    /// A sign of a turn under way.
    fn turn_seen(&mut self) {
        self.turn.activity = Activity::InTurn;
        if self.turn.handed.take().is_some() {
            self.resources
                .disarm_all(|purpose| *purpose == Purpose::Grace); // the prompt got its turn: nothing to look up
        }
        self.turn.failed_idle = None;
        self.turn.seen_since_lookup = true;
        self.redrives = 0;
    }

    fn on_user_message(
        &mut self,
        cx: &mut Context,
        origin: Origin,
        agent: Option<&String>,
        model: Option<&Model>,
    ) {
        self.behind_another = false;
        self.turn.activity = Activity::InTurn;
        if origin == Origin::Person || self.agent.is_none() {
            self.model = model.cloned().or(self.model.take());
        }
        if origin == Origin::Command {
            if self.agent.is_none() {
                self.agent = agent.cloned();
            }
            return; // the command itself was an event before
        }
        self.turn.side = false;
        let was = self.phase;
        self.fresh_start();
        if was == Phase::Working {
            return;
        }
        self.log(
            cx,
            Rule::PersonSpoke,
            format!("your message comes first (was {})", was.words()),
        );
        self.activate(cx);
        self.enter(cx, Phase::Working);
    }

    /// The person said something new: earlier signs of being stuck no longer count.
    fn fresh_start(&mut self) {
        self.rung = 0;
        self.weak_run = 0;
        self.budget.without_progress = 0;
        self.detectors.reset();
        self.failures = 0;
        self.odd_failures = 0;
        self.retries = 0;
        self.turn.fault = None;
        self.turn.rejected = false;
        self.next = Next::Decide;
    }

    /// `/mission` and its like: the turn that follows is not the mission's.
    pub(crate) fn side_turn(&mut self) {
        if !matches!(self.phase, Phase::Working) {
            self.turn.side = true;
        }
    }

    /// `/task` without an objective, in the mission's own session: the command's turn is the next turn.
    pub(crate) fn resume_here(&mut self, cx: &mut Context) -> String {
        self.fresh_start();
        self.turn.side = false;
        self.turn.activity = Activity::InTurn;
        self.log(cx, Rule::Resume, "resumed by /task".to_owned());
        self.activate(cx);
        self.enter(cx, Phase::Working);
        let todos = self.roadmap.clone().unwrap_or_default();
        crate::prompt::continuation(self.id, self.budget.iterations, &todos, &PromptKind::Resume)
    }

    /// `/task` without an objective, from another session: the mission is prompted in its own.
    pub(crate) fn resume_there(&mut self, cx: &mut Context) {
        self.fresh_start();
        self.turn.side = false;
        self.log(
            cx,
            Rule::Resume,
            "resumed by /task in another session".to_owned(),
        );
        self.activate(cx);
        self.next = Next::Send(PromptKind::Resume);
        self.enter(cx, Phase::Reading);
        self.request(cx, Request::ReadTodos);
    }

    fn on_assistant(
        &mut self,
        cx: &mut Context,
        message: &MessageId,
        ending: &Ending,
        summary: bool,
    ) {
        if summary || self.turn.acted.as_ref() == Some(message) {
            return;
        }
        match ending {
            Ending::Step => {
                self.turn_seen();
                self.turn.fault = None;
            }
            Ending::Natural => self.on_natural_end(cx, message),
            Ending::Failed { fault } => self.on_session_error(cx, fault),
            Ending::Unfinished => {}
        }
    }

    fn on_natural_end(&mut self, cx: &mut Context, message: &MessageId) {
        self.turn.acted = Some(message.clone());
        self.turn.activity = Activity::TurnDone;
        self.turn.handed = None;
        self.turn.failed_idle = None;
        self.turn.fault = None;
        self.failures = 0;
        self.odd_failures = 0;
        self.redrives = 0;
        let side = std::mem::take(&mut self.turn.side);
        match self.phase {
            // the phases that wait for this message judge it, whoever asked for it
            Phase::Held if side => self.on_gate(cx),
            Phase::Working | Phase::Reading | Phase::Prompting => {
                self.retries = 0;
                self.next = Next::Decide;
                self.in_flight = None;
                self.proceed(cx);
            }
            Phase::Held => {
                self.next = Next::Decide;
                self.on_gate(cx);
            }
            _ => {}
        }
    }

    fn on_session_error(&mut self, cx: &mut Context, fault: &Fault) {
        match fault {
            Fault::Cancelled => self.on_user_abort(cx, "you aborted the turn"),
            Fault::ContextOverflow => {} // the host compacts and replays: no end
            fault => {
                if matches!(
                    self.phase,
                    Phase::Working | Phase::Prompting | Phase::Reading
                ) {
                    self.turn.fault = Some(fault.clone());
                }
            }
        }
    }

    fn on_user_abort(&mut self, cx: &mut Context, why: &str) {
        self.turn.side = false;
        if matches!(self.phase, Phase::Paused | Phase::Suspended) {
            return;
        }
        self.log(cx, Rule::UserAbort, why.to_owned());
        self.pause(cx);
    }

    fn pause(&mut self, cx: &mut Context) {
        self.budget.set_active(cx.now, false);
        self.enter(cx, Phase::Paused);
        self.notify(
            cx,
            Level::Warning,
            "paused. It goes on after your next message; /stop ends it",
        );
    }

    fn on_idle(&mut self, cx: &mut Context) {
        let was = std::mem::replace(&mut self.turn.activity, Activity::Idle);
        self.nothing_pends();
        match self.phase {
            Phase::Working | Phase::Prompting => {
                if let Some(fault) = self.turn.fault.take() {
                    self.on_fault(cx, &fault);
                } else if was == Activity::Idle && self.turn.handed.is_some() && !self.draining {
                    self.on_user_abort(cx, "you aborted between two turns");
                } else if self.phase == Phase::Prompting || self.turn.handed.is_some() {
                    self.on_idle_after_prompt(cx);
                } else {
                    self.look_up_turn(cx);
                }
            }
            Phase::Held if was == Activity::InTurn => {
                self.turn.side = false;
                self.look_up_turn(cx);
            }
            Phase::BackingOff | Phase::Held | Phase::Settling | Phase::Checking
                if was == Activity::Idle =>
            {
                if let Some((first, echoed)) = self.turn.failed_idle
                    && !echoed
                    && cx.now.since(first) <= IDLE_ECHO_MS
                {
                    self.turn.failed_idle = Some((first, true));
                    self.on_gate(cx);
                    return;
                }
                self.on_user_abort(cx, "you aborted while nothing ran");
            }
            Phase::Reading
                if matches!(self.in_flight, Some((_, Request::ReadTodos)))
                    && was == Activity::Idle =>
            {
                self.on_user_abort(cx, "you aborted between two turns");
            }
            _ => {
                if was == Activity::InTurn {
                    self.turn.side = false;
                    self.turn.failed_idle = Some((cx.now, false)); // no natural end: an echo may follow
                }
                self.on_gate(cx);
            }
        }
    }

    /// An idle session waits for no answer and compacts nothing, even if no event told the end of it: a request dies
    /// with an aborted turn, a compaction may fail.
    fn nothing_pends(&mut self) {
        self.compacting = false;
        self.blocked.retain(|_, (owner, _)| *owner != self.session);
    }

    /// Idle although a prompt was handed over: either that idle belongs to the turn before, or the prompt fell between
    /// OpenCode's last look at its messages and the end of its loop, or the person aborted. Look in a moment.
    fn on_idle_after_prompt(&mut self, cx: &mut Context) {
        if self.phase == Phase::Prompting {
            return; // the reply decides
        }
        if self.draining && self.redrives == 0 {
            self.look_up_turn(cx);
        } else {
            self.arm(cx.now.plus(PROMPT_GRACE_MS), Purpose::Grace);
        }
    }

    fn look_up_turn(&mut self, cx: &mut Context) {
        self.enter(cx, Phase::Reading);
        self.request(cx, Request::ReadTurn);
    }

    /// The history is new: the mission is told whole, in place of the host's own "continue". A prompt that was handed
    /// over before the compaction is part of the summary and gets no turn.
    fn on_continuing(&mut self, cx: &mut Context) {
        if !matches!(self.phase, Phase::Working | Phase::Prompting | Phase::Held)
            || !self.blocked.is_empty()
        {
            return;
        }
        if self.budget.exhausted(cx.now, &cx.policy.mission).is_some() {
            return; // the end of the host's own turn decides
        }
        self.log(
            cx,
            Rule::Compaction,
            "the mission is told again after the compaction".to_owned(),
        );
        self.compacting = false;
        self.turn.fault = None;
        self.next = Next::Send(PromptKind::Compacted(self.objective.clone()));
        self.budget.iterations += 1;
        self.enter(cx, Phase::Prompting);
        self.hand_over(cx, false);
    }

    // ---- children ---------------------------------------------------------------------------------------------

    fn on_child(&mut self, cx: &mut Context, session: &SessionId, event: &Event) {
        match event {
            Event::Busy { .. } | Event::Retrying { .. } => {
                self.children.insert(session.clone(), true);
            }
            Event::Idle { .. } => {
                self.children.insert(session.clone(), false);
                self.blocked.retain(|_, (owner, _)| owner != session);
                self.on_gate(cx);
            }
            Event::Deleted { .. } => {
                self.children.remove(session);
                self.blocked.retain(|_, (owner, _)| owner != session);
                self.on_gate(cx);
            }
            Event::Assistant {
                message,
                tokens,
                cost,
                ..
            } => self.budget.charge(&session.0, message, *tokens, *cost),
            _ => {}
        }
    }

    /// A gate may have opened.
    fn on_gate(&mut self, cx: &mut Context) {
        if self.phase == Phase::Held && self.gate().is_none() {
            self.log(
                cx,
                Rule::GateOpened,
                "what it waited for happened".to_owned(),
            );
            self.proceed(cx);
        }
    }

    // ---- replies ----------------------------------------------------------------------------------------------

    fn on_reply(&mut self, cx: &mut Context, effect: EffectId, outcome: &Outcome) {
        if let Check::Running { id, changes } = self.check
            && id == effect
        {
            self.on_check(cx, changes, outcome);
            return;
        }
        if self.in_flight.as_ref().is_none_or(|(id, _)| *id != effect) {
            return; // late, doubled or superseded: a named no-op
        }
        let Some((_, request)) = self.in_flight.take() else {
            return;
        };
        match (request, outcome) {
            (Request::Prompt, Outcome::Ok(_)) => {
                self.retries = 0;
                self.turn.handed = Some(cx.now);
                let idle = self.turn.activity == Activity::Idle;
                self.enter(cx, Phase::Working);
                if idle {
                    self.on_idle_after_prompt(cx);
                }
            }
            (Request::ReadTodos, Outcome::Ok(Payload::Todos { todos })) => {
                self.retries = 0;
                self.roadmap = Some(todos.clone());
                self.roadmap_stale = false;
                self.proceed(cx);
            }
            (Request::ReadTurn | Request::Probe, Outcome::Ok(Payload::Turn { turn })) => {
                self.retries = 0;
                self.on_turn_read(cx, turn);
            }
            (Request::ProbeChild(child), Outcome::Ok(Payload::Turn { turn })) => {
                self.children.insert(child, turn.busy);
                if self.gate().is_some() {
                    self.arm(cx.now.plus(WATCH_MS), Purpose::Watch);
                }
                self.on_gate(cx);
            }
            (Request::ProbeChild(child), Outcome::Err(Fault::SessionLost { .. })) => {
                self.children.remove(&child);
                self.on_gate(cx);
            }
            (Request::Probe | Request::ProbeChild(_), _) => {
                self.arm(cx.now.plus(WATCH_MS), Purpose::Watch);
            }
            (_, Outcome::Err(Fault::SessionLost { .. })) => {
                self.end(cx, Rule::SessionDeleted, StopReason::SessionDeleted);
            }
            (request, Outcome::Err(fault)) => {
                self.on_request_failed(cx, request, &fault.to_string())
            }
            (request, Outcome::Ok(_)) => {
                self.on_request_failed(cx, request, "the host sent an answer of another kind")
            }
        }
    }

    fn on_request_failed(&mut self, cx: &mut Context, request: Request, message: &str) {
        self.retries += 1;
        let (rule, what) = match request {
            Request::Prompt => (Rule::PromptFailed, "the prompt was not accepted"),
            _ => (Rule::LookupFailed, "a lookup failed"),
        };
        self.log(
            cx,
            rule,
            format!(
                "{what} ({} of {RETRY_MAX}): {}",
                self.retries,
                clip(message, 120)
            ),
        );
        if self.retries >= RETRY_MAX {
            let message = clip(message, 200);
            self.end(cx, rule, StopReason::HostFailed { message });
            return;
        }
        let wait = back_off(
            self.seed(cx),
            RETRY_FIRST_MS,
            OUTAGE_CAP_MS,
            self.retries - 1,
        );
        self.arm(cx.now.plus(wait), Purpose::Retry);
        self.retry = Some(request);
    }

    fn on_turn_read(&mut self, cx: &mut Context, turn: &LastTurn) {
        let seen = self.turn.seen_since_lookup && self.turn.activity == Activity::InTurn;
        if turn.busy || seen {
            self.turn.activity = Activity::InTurn;
            self.turn.handed = None;
            if self.phase == Phase::Working {
                self.arm(cx.now.plus(WATCH_MS), Purpose::Watch);
            } else {
                self.enter(cx, Phase::Working);
            }
            return;
        }
        self.turn.activity = Activity::Idle;
        self.nothing_pends();
        let handed = self.turn.handed.take();
        if turn.unanswered && handed.is_none() && self.phase == Phase::Reading {
            // a message of the person's is about to be answered
            self.enter(cx, Phase::Working);
            self.turn.activity = Activity::InTurn;
            self.arm(cx.now.plus(PROMPT_GRACE_MS), Purpose::Grace);
            return;
        }
        let Some(last) = &turn.assistant else {
            if turn.unanswered && handed.is_some() {
                self.redrive(cx);
            } else {
                self.on_user_abort(cx, "the turn ended without an answer");
            }
            return;
        };
        if last.summary {
            self.log(
                cx,
                Rule::Compaction,
                "the compaction was the last turn".to_owned(),
            );
            self.next = Next::Send(PromptKind::Resume);
            self.proceed(cx);
            return;
        }
        let acted = self.turn.acted.as_ref() == Some(&last.message);
        match &last.ending {
            _ if turn.unanswered
                && handed.is_some_and(|at| {
                    acted || self.draining || cx.now.since(at) <= 3 * PROMPT_GRACE_MS
                }) =>
            {
                self.redrive(cx);
            }
            _ if acted && self.next != Next::Decide => self.proceed(cx),
            _ if acted && turn.unanswered => {
                self.log(
                    cx,
                    Rule::LostPrompt,
                    "a message fell behind the end of OpenCode's loop and got no turn".to_owned(),
                );
                self.next = Next::Send(PromptKind::Resume);
                self.proceed(cx);
            }
            _ if acted => self.on_user_abort(cx, "you aborted between two turns"),
            Ending::Natural => {
                self.log(
                    cx,
                    Rule::Lookup,
                    "the turn's end was found by a lookup".to_owned(),
                );
                if self.phase == Phase::Working {
                    self.log(cx, Rule::LostEvent, "its event never came".to_owned());
                }
                self.on_natural_end(cx, &last.message.clone());
                self.turn.activity = Activity::Idle;
            }
            Ending::Step if self.turn.rejected && !cx.policy.interactive => {
                self.log(
                    cx,
                    Rule::UserRejected,
                    "a permission was refused; nobody is there to ask".to_owned(),
                );
                self.turn.rejected = false;
                self.turn.acted = Some(last.message.clone());
                self.next = Next::Decide;
                self.proceed(cx);
            }
            Ending::Step => {
                let why = if std::mem::take(&mut self.turn.rejected) {
                    "you refused a permission"
                } else {
                    "you aborted the turn"
                };
                self.log(cx, Rule::UserRejected, why.to_owned());
                self.pause(cx);
            }
            Ending::Unfinished
            | Ending::Failed {
                fault: Fault::Cancelled,
            } => {
                self.on_user_abort(cx, "you aborted the turn");
            }
            Ending::Failed { fault } => self.on_fault(cx, &fault.clone()),
        }
    }

    /// Hands the same prompt over again: it was accepted and got no turn.
    fn redrive(&mut self, cx: &mut Context) {
        self.log(
            cx,
            Rule::LostPrompt,
            "the prompt was accepted but got no turn".to_owned(),
        );
        self.redrives += 1;
        if self.redrives > RETRY_MAX {
            let message = "accepted prompts get no turn".to_owned();
            self.end(cx, Rule::LostPrompt, StopReason::HostFailed { message });
            return;
        }
        self.enter(cx, Phase::Prompting);
        self.hand_over(cx, true);
    }

    // ---- faults -----------------------------------------------------------------------------------------------

    fn on_fault(&mut self, cx: &mut Context, fault: &Fault) {
        self.failures += 1;
        let message = clip(&fault.to_string(), 200);
        let (first, max, count) = match fault {
            Fault::Refused { .. } => {
                self.end(
                    cx,
                    Rule::ProviderFault,
                    StopReason::ProviderRefused { message },
                );
                return;
            }
            Fault::SessionLost { .. } => {
                self.end(cx, Rule::SessionDeleted, StopReason::SessionDeleted);
                return;
            }
            fault if fault.is_backpressure() => {
                self.odd_failures = 0;
                (OUTAGE_FIRST_MS, OUTAGE_MAX, self.failures)
            }
            _ => {
                self.odd_failures += 1; // one malformed answer in a long outage is no fourth one
                (FAILURE_FIRST_MS, FAILURE_MAX, self.odd_failures)
            }
        };
        if count >= max || self.failures >= OUTAGE_MAX {
            let attempts = self.failures;
            self.end(
                cx,
                Rule::ProviderFault,
                StopReason::ProviderDown { attempts, message },
            );
            return;
        }
        if let Some(reason) = self.budget.exhausted(cx.now, &cx.policy.mission) {
            self.end(cx, Rule::Ceiling, reason);
            return;
        }
        let mut wait = back_off(self.seed(cx), first, OUTAGE_CAP_MS, count - 1);
        if let Fault::RateLimited {
            retry_after_ms: Some(asked),
            ..
        } = fault
        {
            wait = wait.max(*asked);
        }
        self.log(
            cx,
            Rule::ProviderFault,
            format!("{message}; next try in {}", spoken(wait)),
        );
        self.next = Next::Send(PromptKind::Resume);
        self.turn.failed_idle = Some((cx.now, false));
        self.enter(cx, Phase::BackingOff);
        self.arm(cx.now.plus(wait), Purpose::BackOff);
        self.notify(
            cx,
            Level::Warning,
            &format!("{message}. Next try in {}", spoken(wait)),
        );
    }

    // ---- timers -----------------------------------------------------------------------------------------------

    fn on_alarm(&mut self, cx: &mut Context) {
        while !self.is_ended() {
            let Some((_, purpose)) = self.resources.take_due(cx.now) else {
                break;
            };
            self.on_timer(cx, purpose);
        }
    }

    fn on_timer(&mut self, cx: &mut Context, purpose: Purpose) {
        match (purpose, self.phase) {
            (Purpose::Watch, Phase::Working) => self.on_watch(cx),
            (Purpose::Watch, Phase::Held) => {
                let child = self
                    .children
                    .iter()
                    .find(|(_, busy)| **busy)
                    .map(|(child, _)| child.clone());
                match child {
                    Some(child) => self.request(cx, Request::ProbeChild(child)),
                    None if self.turn_may_be_lost(cx) => self.look_up_turn(cx),
                    None => self.arm(cx.now.plus(WATCH_MS), Purpose::Watch),
                }
            }
            (Purpose::Retry, Phase::Prompting) => match self.gate() {
                Some(gate) => self.hold(cx, gate), // its turn may have begun in spite of the error
                None => self.hand_over(cx, true),
            },
            (Purpose::Retry, Phase::Reading) => {
                let lookup = self.retry.take().unwrap_or(Request::ReadTurn);
                self.request(cx, lookup);
            }
            (Purpose::Grace, Phase::Working) if self.turn.handed.is_some() => self.look_up_turn(cx),
            (Purpose::Grace, Phase::Working) if self.in_flight.is_none() => {
                self.request(cx, Request::Probe)
            }
            (Purpose::Settle, Phase::Settling) => self.proceed_settled(cx),
            (Purpose::BackOff, Phase::BackingOff) => {
                self.log(cx, Rule::OutageOver, "the wait is over".to_owned());
                self.proceed_settled(cx);
            }
            (Purpose::Deadline, phase) => self.on_deadline(cx, phase),
            _ => {}
        }
    }

    /// Whether a turn is what the mission waits for, and nothing was heard of it for a while.
    fn turn_may_be_lost(&self, cx: &Context) -> bool {
        self.turn.activity == Activity::InTurn
            && self.blocked.is_empty()
            && !self.compacting
            && cx.now.since(self.turn.last_event) >= WATCH_MS
    }

    fn on_watch(&mut self, cx: &mut Context) {
        let quiet = cx.now.since(self.turn.last_event);
        if quiet < WATCH_MS {
            let at = self.turn.last_event.plus(WATCH_MS);
            self.arm(at, Purpose::Watch);
        } else if self.in_flight.is_none() {
            self.request(cx, Request::Probe);
        }
    }

    fn on_deadline(&mut self, cx: &mut Context, phase: Phase) {
        let Some(reason) = self.budget.spent(cx.now, &cx.policy.mission) else {
            self.arm_deadline(cx);
            return;
        };
        // a turn, a lookup or a check under way is followed by a decision, and that one looks at the ceilings
        if matches!(phase, Phase::Held | Phase::Settling | Phase::BackingOff) {
            self.end(cx, Rule::Ceiling, reason);
        }
    }

    // ---- life -------------------------------------------------------------------------------------------------

    fn on_restored(&mut self, cx: &mut Context, cause: RestoreCause) {
        match cause {
            RestoreCause::Restart => {
                self.in_flight = None;
                self.blocked.clear();
                self.children.clear();
                self.compacting = false;
                self.draining = false;
                self.check = Check::Unknown;
                self.roadmap_stale = true;
                self.turn.activity = Activity::Idle;
                self.turn.handed = None;
                self.turn.side = false;
                self.budget.set_active(cx.now, false);
                self.log(cx, Rule::Restart, "OpenCode was restarted".to_owned());
                self.enter(cx, Phase::Suspended);
                let text = format!(
                    "\"{}\" is unfinished. Write in its session, or type /task, to go on; /stop ends it",
                    clip(&self.objective, 60)
                );
                self.notify(cx, Level::Info, &text);
            }
            RestoreCause::Trap => {
                self.log(cx, Rule::Trap, "a fresh instance took over".to_owned());
                if matches!(self.check, Check::Running { .. }) {
                    self.check = Check::Unknown;
                }
                match self.phase {
                    Phase::Checking => self.proceed(cx),
                    Phase::Held => {
                        self.in_flight = None;
                        self.arm(cx.now.plus(WATCH_MS), Purpose::Watch);
                        self.proceed(cx);
                    }
                    Phase::Reading if self.reads_todos() => self.proceed(cx),
                    Phase::Prompting => {
                        // the prompt may still be on its way: looked at too early it would be sent twice
                        self.turn.handed = Some(cx.now);
                        self.enter(cx, Phase::Working);
                        self.arm(cx.now.plus(PROMPT_GRACE_MS), Purpose::Grace);
                    }
                    Phase::Reading => {
                        self.turn.handed = Some(cx.now);
                        self.look_up_turn(cx);
                    }
                    Phase::Working => {
                        self.in_flight = None;
                        self.request(cx, Request::Probe);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Whether the lookup under way, or about to be tried again, is of the todo list: the turn's end is known then.
    fn reads_todos(&self) -> bool {
        let request = self.in_flight.as_ref().map(|(_, request)| request);
        request.or(self.retry.as_ref()) == Some(&Request::ReadTodos)
    }

    fn on_shutdown(&mut self, cx: &mut Context, drain: bool) {
        if !self.phase.is_active() {
            return;
        }
        if !drain {
            self.budget.set_active(cx.now, false);
            self.enter(cx, Phase::Suspended);
            return;
        }
        self.draining = true;
        self.log(
            cx,
            Rule::Drain,
            "the host is ending; the mission goes on inside it".to_owned(),
        );
        if self.phase == Phase::Working {
            self.turn.handed = self.turn.handed.or(Some(cx.now));
            self.look_up_turn(cx);
        }
    }

    /// Ends the mission. Everything it owns is released.
    pub(crate) fn end(&mut self, cx: &mut Context, rule: Rule, reason: StopReason) {
        let text = reason.to_string();
        self.log(cx, rule, text.clone());
        self.budget.set_active(cx.now, false);
        if rule == Rule::UserStop && self.may_have_turn() {
            let id = self.mint();
            cx.out.push(Effect::Abort {
                id,
                session: self.session.clone(),
            });
        }
        let level = match &reason {
            StopReason::Complete { .. } => Level::Success,
            StopReason::StoppedByUser | StopReason::Replaced | StopReason::SessionDeleted => {
                Level::Info
            }
            _ => Level::Error,
        };
        self.reason = Some(reason);
        self.enter(cx, Phase::Ended);
        if let Some(root) = self.root.take() {
            self.resources.release(root);
        }
        self.phase_node = None;
        self.notify(cx, level, &text);
    }

    /// The clock of active time runs, and the deadline with it.
    fn activate(&mut self, cx: &mut Context) {
        self.budget.set_active(cx.now, true);
        self.arm_deadline(cx);
    }

    fn arm_deadline(&mut self, cx: &mut Context) {
        let armed = self
            .resources
            .timers()
            .any(|(_, purpose)| purpose == Purpose::Deadline);
        if let Some(root) = self.root
            && !armed
            && self.phase.is_active()
        {
            let at = self.budget.deadline(cx.now, &cx.policy.mission);
            self.resources.arm(root, at, Purpose::Deadline);
        }
    }

    // ---- small tools ------------------------------------------------------------------------------------------

    /// Goes to a phase: what the phase before owned is released and its request is superseded.
    pub(super) fn enter(&mut self, cx: &mut Context, phase: Phase) {
        debug_assert!(
            phase == self.phase || allowed(self.phase, phase),
            "{:?} -> {phase:?} is not in the table",
            self.phase
        );
        if let Some(node) = self.phase_node.take() {
            self.resources.release(node);
        }
        self.in_flight = None;
        self.phase = phase;
        self.phase_node = self.resources.open(self.root);
        if matches!(phase, Phase::Working | Phase::Held) {
            self.arm(cx.now.plus(WATCH_MS), Purpose::Watch);
        }
    }

    /// Arms a timer of the phase; it takes the place of one for the same purpose.
    pub(super) fn arm(&mut self, at: Instant, purpose: Purpose) {
        if let Some(node) = self.phase_node {
            self.resources.disarm_all(|other| *other == purpose);
            self.resources.arm(node, at, purpose);
        }
    }

    pub(super) fn mint(&mut self) -> EffectId {
        self.sequence = self.sequence.wrapping_add(1);
        EffectId::new(self.id, self.sequence)
    }

    pub(super) fn seed(&self, cx: &Context) -> u64 {
        (u64::from(cx.policy.seed) << 32) | u64::from(self.id.0)
    }

    /// Sends a lookup. Prompts go through [`Mission::hand_over`], checks through `run_check`.
    pub(super) fn request(&mut self, cx: &mut Context, request: Request) {
        let id = self.mint();
        if matches!(request, Request::ReadTurn | Request::Probe) {
            self.turn.seen_since_lookup = false;
        }
        cx.out.push(match &request {
            Request::ReadTodos => Effect::ReadTodos {
                id,
                session: self.session.clone(),
            },
            Request::ProbeChild(child) => Effect::ReadTurn {
                id,
                session: child.clone(),
            },
            _ => Effect::ReadTurn {
                id,
                session: self.session.clone(),
            },
        });
        self.in_flight = Some((id, request));
    }

    pub(super) fn log(&mut self, cx: &mut Context, rule: Rule, text: String) {
        cx.out.push(Effect::Log {
            level: Level::Info,
            message: format!("mission {}: {}: {text}", self.id, rule.name()),
        });
        self.decisions.push_back(Decision {
            at: cx.now,
            rule,
            text,
        });
        if self.decisions.len() > DECISIONS_KEPT {
            self.decisions.pop_front();
        }
    }

    pub(crate) fn notify(&self, cx: &mut Context, level: Level, message: &str) {
        cx.out.push(Effect::Notify {
            session: self.session.clone(),
            level,
            message: format!("Mission {}: {message}", self.id),
        });
    }
}

/// The session an event is about.
pub(crate) fn session_of(event: &Event) -> Option<&SessionId> {
    match event {
        Event::Command { session, .. }
        | Event::UserMessage { session, .. }
        | Event::Busy { session }
        | Event::Retrying { session, .. }
        | Event::Idle { session }
        | Event::Assistant { session, .. }
        | Event::AssistantText { session, .. }
        | Event::SessionError { session, .. }
        | Event::Todos { session, .. }
        | Event::Tool { session, .. }
        | Event::Blocked { session, .. }
        | Event::Unblocked { session, .. }
        | Event::Compacting { session }
        | Event::Compacted { session }
        | Event::Continuing { session }
        | Event::Deleted { session } => Some(session),
        Event::Child { parent, .. } => Some(parent),
        Event::Reply { .. }
        | Event::Alarm
        | Event::Restored { .. }
        | Event::Shutdown { .. }
        | Event::Trapped { .. } => None,
    }
}
