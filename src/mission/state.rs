//! What a mission is: its state, what it waits for, and the small steps that all of its parts share.
//!
//! Liveness law: after every event the mission has an action under way, a timer armed, a named event it waits for, or
//! a stop reason. [`Mission::waiting`] says which; the tests ask it after every step.

use super::budget::Budget;
use super::phase::{Phase, Rule, StopReason, allowed};
use super::progress::Progress;
use super::stagnation::Detectors;
use crate::effect::{Effect, Level};
use crate::event::{Blocker, Fingerprint, Model, TaskNews, Todo};
use crate::fault::Fault;
use crate::id::{CallId, EffectId, MessageId, MissionId, RequestId, SessionId, TaskId};
use crate::json::{read_fields, read_variants};
use crate::policy::{DECISIONS_KEPT, Policy, RECENT_IDS, WATCH_MS};
use crate::prompt::PromptKind;
use crate::recent::Recent;
use crate::resource::{NodeId, ResourceTracker};
use crate::sorted::SortedMap;
use crate::time::Instant;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

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

/// What is known of the newest turn. OpenCode tells it in pieces, of which each may be late, lost or doubled: these are
/// the facts heard so far, by what they are about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Turn {
    pub activity: Activity,
    pub prompt: OurPrompt,
    pub words: Words,
    pub failure: Failure,
    /// The newest message that was acted on: no message is acted on twice.
    pub acted: Option<MessageId>,
    /// Messages and calls that were seen.
    pub messages: Recent<MessageId, RECENT_IDS>,
    pub calls: Recent<CallId, RECENT_IDS>,
    /// The model was seen at work in this turn.
    pub at_work: bool,
    /// The turn only shows something to the person; it is not the mission's.
    pub side: bool,
    /// A permission was refused in it.
    pub rejected: bool,
    /// The person aborted, and the message of that turn is still to be told; it may have answered a prompt of ours.
    pub cut_off: bool,
    /// An idle came since the last sign of a turn.
    pub idle_heard: bool,
    pub last_event: Instant,
    /// A turn was seen since the lookup of its end was asked for: an answer without it is out of date.
    pub seen_since_lookup: bool,
}

read_fields!(Turn {
    activity,
    prompt,
    words,
    failure,
    acted,
    messages,
    calls,
    at_work,
    side,
    rejected,
    cut_off,
    idle_heard,
    last_event,
    seen_since_lookup
});

/// Our newest prompt, on its way to a turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct OurPrompt {
    /// It was handed over at this time and no sign of its turn was seen.
    pub handed: Option<Instant>,
    /// It was handed over, and no message came that may be its answer.
    pub awaiting: bool,
    /// Whether it was accepted is not known: its answer failed.
    pub in_doubt: bool,
    /// The mission no longer waits for the host's answer to it, which has not come yet.
    pub unanswered: Option<EffectId>,
}

read_fields!(OurPrompt { handed, awaiting, in_doubt; default: unanswered });

/// The person's messages and commands, on their way to a turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Words {
    /// A command of ours was typed; its message is still to come.
    pub commanded: bool,
    /// A message came since the last turn, and no sign of its own was seen.
    pub spoken: bool,
    /// One came while the turn was under way, and no step ended since: the model has not seen it.
    pub unseen: bool,
    /// The turn ended with such a message unseen: OpenCode begins another one for it.
    pub owed: bool,
    /// A message without a turn was given a moment to get one.
    pub graced: bool,
}

read_fields!(Words {
    commanded,
    spoken,
    unseen,
    owed,
    graced
});

/// The turn's fault, which an event of its own tells, and the turn's last message too, in either order.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Failure {
    /// What went wrong, until the idle that ends the turn.
    pub fault: Option<Fault>,
    /// One was told since the last idle, whatever it means.
    pub told: bool,
    /// It was told by the turn's message.
    pub by_message: bool,
    /// A turn failed, and its message is still to be told.
    pub untold: bool,
    /// The first idle after a failed turn, and whether its echo came.
    pub idle: Option<(Instant, bool)>,
}

read_fields!(Failure {
    fault,
    told,
    by_message,
    untold,
    idle
});

impl Turn {
    /// The turn of a command that was just typed.
    fn of_command(now: Instant) -> Self {
        Self {
            activity: Activity::InTurn,
            prompt: OurPrompt::default(),
            words: Words {
                commanded: true,
                unseen: true, // another turn may run, and end before the command's message is read
                ..Words::default()
            },
            failure: Failure::default(),
            acted: None,
            messages: Recent::default(),
            calls: Recent::default(),
            at_work: false,
            side: false,
            rejected: false,
            cut_off: false,
            idle_heard: false,
            last_event: now,
            seen_since_lookup: false,
        }
    }
}

/// The completion command's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
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

read_variants!(Check {
    "Unknown" => Unknown,
    "Running" => Running { id, changes },
    "Known" => Known { exit, output, changes },
});

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
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// The lists that events told.
    pub(super) lists: Recent<Fingerprint, RECENT_IDS>,
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
    pub(super) blocked: SortedMap<RequestId, (SessionId, Blocker)>,
    pub(super) children: SortedMap<SessionId, bool>,
    /// Delegated tasks that have not ended.
    pub(super) open_tasks: u32,
    /// Their results, for the next prompt, and those of the prompt that was accepted last.
    pub(super) news: Option<TaskNews>,
    pub(super) sent_news: Option<TaskNews>,
    /// Tasks whose results went to the agent, for the engine to pass on.
    #[serde(skip)]
    pub(super) delivered: Vec<TaskId>,
    pub(super) compacting: bool,
    pub(super) in_flight: Option<(EffectId, Request)>,
    /// The aborted turn of the mission before is still ending; this one's own has not begun.
    pub(super) behind_another: bool,
    /// Failed turns in a row, and those of them since the last backpressure.
    pub(super) failures: u32,
    pub(super) odd_failures: u32,
    pub(super) retries: u32,
    /// Prompts in a row that were accepted and got no turn.
    pub(super) redrives: u32,
    /// The lookup that failed, for the retry timer.
    pub(super) retry: Option<Request>,
    pub(super) draining: bool,
    pub(super) sequence: u32,
    pub(super) resources: ResourceTracker<Purpose>,
    pub(super) root: Option<NodeId>,
    pub(super) phase_node: Option<NodeId>,
}

read_fields!(Mission { id, session, agent, model, objective, phase, reason, roadmap, roadmap_stale, lists, budget, decisions, progress, detectors, rung, weak_run, turn, next, check, changes, asked_for_plan, text, blocked, children, open_tasks, news, sent_news, compacting, in_flight, behind_another, failures, odd_failures, retries, redrives, retry, draining, sequence, resources, root, phase_node; never: delivered });

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
            lists: Recent::default(),
            budget: Budget::default(),
            decisions: VecDeque::new(),
            progress: Progress::default(),
            detectors: Detectors::default(),
            rung: 0,
            weak_run: 0,
            turn: Turn::of_command(cx.now),
            next: Next::Decide,
            check: Check::Unknown,
            changes: 0,
            asked_for_plan: false,
            text: None,
            blocked: SortedMap::new(),
            children: SortedMap::new(),
            open_tasks: 0,
            news: None,
            sent_news: None,
            delivered: Vec::new(),
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
            || self.turn.prompt.handed.is_some()
            || self.phase == Phase::Prompting
    }

    /// The turn of the mission that this one replaces is being aborted.
    pub(crate) fn start_behind_another(&mut self) {
        self.behind_another = true;
    }

    /// What was told in the session before, to the mission there or after its end, may be told twice, late.
    pub(crate) fn remember(
        &mut self,
        before: Option<&Self>,
        after: &Recent<MessageId, RECENT_IDS>,
    ) {
        if let Some(before) = before {
            self.turn.messages.clone_from(&before.turn.messages);
            self.turn.calls.clone_from(&before.turn.calls);
            self.turn.cut_off = before.turn.cut_off;
        }
        for message in after.iter() {
            self.turn.messages.is_new(message);
        }
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Whether a check runs that the host should hold the turn for.
    pub(crate) fn holds(&self) -> bool {
        self.phase == Phase::Working && matches!(self.check, Check::Running { .. })
    }

    /// Tasks whose results the last prompt carried.
    pub(crate) fn take_delivered(&mut self) -> Vec<TaskId> {
        std::mem::take(&mut self.delivered)
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
        if planted!(ForgetGate) {
            None
        } else if self.compacting {
            Some("the end of the compaction")
        } else if let Some((_, by)) = self.blocked.values().next() {
            Some(match by {
                Blocker::Permission => "the person's answer to a permission request",
                Blocker::Question => "the person's answer to a question",
            })
        } else if self.open_tasks > 0 {
            Some("the end of delegated tasks")
        } else if self.children.values().any(|busy| *busy) {
            Some("the end of a child session's turn")
        } else if self.turn.activity == Activity::InTurn {
            Some("the end of the turn under way")
        } else {
            None
        }
    }

    /// Goes to a phase: what the phase before owned is released and its request is superseded.
    pub(super) fn enter(&mut self, cx: &mut Context, phase: Phase) {
        debug_assert!(
            phase == self.phase || allowed(self.phase, phase),
            "{:?} -> {phase:?} is not in the table",
            self.phase
        );
        #[cfg(feature = "sim")]
        crate::sim::coverage::phase(self.phase, phase);
        if let Some(node) = self.phase_node.take() {
            self.resources.release(node);
        }
        if let Some((id, Request::Prompt)) = self.in_flight.take() {
            self.turn.prompt.unanswered = Some(id);
        }
        self.phase = phase;
        self.phase_node = self.resources.open(self.root);
        if matches!(phase, Phase::Working | Phase::Held) && !planted!(SkipWatch) {
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
            message: format!("mission {}: {rule}: {text}", self.id),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{from_str, to_string};

    #[test]
    fn every_state_of_the_check_is_read_as_it_was_written() {
        let (id, changes) = (EffectId(9), 3);
        for check in [
            Check::Unknown,
            Check::Running { id, changes },
            Check::Known {
                exit: Some(1),
                output: "out".to_owned(),
                changes,
            },
        ] {
            let text = to_string(&check).expect("JSON");
            assert_eq!(from_str::<Check>(&text).expect("itself"), check);
        }
    }
}
