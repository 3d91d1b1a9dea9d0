//! The mission's own session: messages, the ends of turns, the person's words and aborts.

use super::phase::{Phase, Rule, StopReason};
use super::progress::fingerprint;
use crate::effect::{Effect, Level};
use crate::event::{Ending, Event, Model, Origin, clip};
use crate::fault::Fault;
use crate::id::MessageId;
use crate::policy::{IDLE_ECHO_MS, PROMPT_GRACE_MS};
use crate::prompt::PromptKind;

use super::state::{Activity, Context, Mission, Next, Purpose, Request};

impl Mission {
    pub(super) fn on_own(&mut self, cx: &mut Context, event: &Event) {
        self.turn.last_event = cx.now;
        if self.behind_another
            && matches!(
                event,
                Event::SessionError { .. } | Event::Assistant { .. } | Event::Idle { .. }
            )
        {
            if let Event::Assistant { message, .. } = event {
                self.turn.messages.is_new(message); // it may be told again, late
            }
            return;
        }
        match event {
            Event::Busy { .. } => {
                match self.turn.activity {
                    Activity::Idle => self.turn_seen(),
                    Activity::InTurn => {
                        self.turn.at_work = true;
                        self.turn.words.unseen = false; // each step of the loop begins so, and reads the messages
                        self.turn.seen_since_lookup = true; // a lookup on its way is older than this
                    }
                    Activity::TurnDone => {} // OpenCode says so again as the turn ends
                }
            }
            Event::FirstOutput { .. } => self.still_in_turn(),
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
                if !self.turn.messages.is_new(message) && !planted!(ActTwice) {
                    return;
                }
                self.budget.charge(&self.session.0, message, *tokens, *cost);
                // a prompt on its way can't have been answered yet
                let on_its_way = matches!(self.in_flight, Some((_, Request::Prompt)))
                    || self.turn.prompt.in_doubt;
                let aborted =
                    matches!(ending, Ending::Failed { fault } if *fault == Fault::Cancelled);
                self.turn.prompt.awaiting &= *summary || on_its_way || self.turn.side || aborted;
                self.on_assistant(cx, message, ending, *summary);
                if matches!(ending, Ending::Step) {
                    self.stop_at_ceiling(cx);
                }
            }
            Event::AssistantText { text, .. } => {
                self.still_in_turn();
                self.text = Some(*text);
            }
            Event::Todos { todos, .. } => {
                // an earlier list again: taken back, or told twice and late
                let is_known = !self.lists.is_new(&fingerprint(todos));
                self.roadmap_stale = is_known && self.roadmap.as_ref() != Some(todos);
                self.roadmap = Some(todos.clone());
                self.still_in_turn();
                self.check_early(cx);
            }
            Event::Tool { call, .. } => {
                if !call.call.0.is_empty() && !self.turn.calls.is_new(&call.call) {
                    return;
                }
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

    /// What has no id of its own may be told twice, late: it is no sign that another turn began.
    fn still_in_turn(&mut self) {
        if self.turn.activity == Activity::InTurn {
            self.turn_seen();
        }
    }

    /// A sign of a turn under way.
    pub(super) fn turn_seen(&mut self) {
        self.turn.activity = Activity::InTurn;
        self.turn.at_work = true;
        self.turn.words.spoken = false;
        self.turn.words.graced = false;
        self.turn.prompt.in_doubt = false;
        self.turn.cut_off = false;
        self.turn.idle_heard = false;
        self.turn.words.owed = false;
        if self.turn.prompt.handed.take().is_some() {
            self.resources
                .disarm_all(|purpose| *purpose == Purpose::Grace); // the prompt got its turn: nothing to look up
        }
        self.turn.failure.idle = None;
        self.turn.seen_since_lookup = true;
        self.redrives = 0;
    }

    pub(super) fn on_user_message(
        &mut self,
        cx: &mut Context,
        origin: Origin,
        agent: Option<&String>,
        model: Option<&Model>,
    ) {
        self.behind_another = false;
        self.turn.words.commanded = false;
        self.turn.words.unseen |= self.turn.at_work;
        self.turn.words.spoken |= !self.turn.at_work;
        self.turn.words.graced = false;
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
    pub(super) fn fresh_start(&mut self) {
        self.rung = 0;
        self.weak_run = 0;
        self.budget.without_progress = 0;
        self.detectors.reset();
        self.failures = 0;
        self.odd_failures = 0;
        self.retries = 0;
        self.turn.failure.fault = None;
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
        self.turn.words.commanded = true;
        self.turn.activity = Activity::InTurn;
        self.log(cx, Rule::Resume, "resumed by /task".to_owned());
        self.activate(cx);
        self.enter(cx, Phase::Working);
        let todos = self.roadmap.clone().unwrap_or_default();
        let news = self.news.take();
        if let Some(news) = &news {
            self.delivered.clone_from(&news.tasks);
        }
        crate::prompt::continuation(
            self.id,
            self.budget.iterations,
            &todos,
            &PromptKind::Resume,
            news.as_ref().map(|news| news.text.as_str()),
            &self.progress.broken().collect::<Vec<_>>(),
        )
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

    pub(super) fn on_assistant(
        &mut self,
        cx: &mut Context,
        message: &MessageId,
        ending: &Ending,
        summary: bool,
    ) {
        if summary || self.turn.acted.as_ref() == Some(message) && !planted!(ActTwice) {
            return;
        }
        match ending {
            Ending::Step => {
                self.turn_seen();
                self.turn.words.unseen = false;
                self.turn.failure.fault = None;
            }
            Ending::Natural => self.on_natural_end(cx, message),
            Ending::Failed { fault } => {
                if *fault == Fault::Cancelled {
                    self.turn.acted = Some(message.clone());
                    if std::mem::take(&mut self.turn.cut_off) {
                        return; // of the turn whose abort was told before
                    }
                } else {
                    if std::mem::take(&mut self.turn.failure.untold) {
                        return; // of the turn before: a busy machine tells it this late
                    }
                    if self.turn.activity == Activity::Idle {
                        self.turn_seen(); // its beginning was not told
                    }
                    self.turn.failure.by_message = true;
                }
                self.on_session_error(cx, fault);
                self.turn.cut_off &= *fault != Fault::Cancelled; // this is that message
            }
            Ending::Unfinished => {}
        }
    }

    pub(super) fn on_natural_end(&mut self, cx: &mut Context, message: &MessageId) {
        self.turn.acted = Some(message.clone());
        self.turn.activity = Activity::TurnDone;
        self.turn.at_work = false;
        self.turn.words.owed = false;
        self.nothing_pends(); // a turn that is over waits for no answer
        self.turn.prompt.handed = None;
        self.turn.failure.idle = None;
        self.turn.failure.fault = None;
        self.turn.failure.by_message = false;
        self.turn.failure.untold = false;
        self.failures = 0;
        self.odd_failures = 0;
        self.redrives = 0;
        let side = std::mem::take(&mut self.turn.side);
        let unseen = std::mem::take(&mut self.turn.words.unseen)
            && matches!(
                self.phase,
                Phase::Working | Phase::Reading | Phase::Prompting | Phase::Held
            );
        if unseen || side && matches!(self.phase, Phase::Reading | Phase::Prompting) {
            // another message than that one, the person's or ours, has its turn at once
            self.turn.words.owed = true;
            self.turn.activity = Activity::InTurn;
            self.next = Next::Decide;
            self.enter(cx, Phase::Working);
            return;
        }
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

    pub(super) fn on_session_error(&mut self, cx: &mut Context, fault: &Fault) {
        match fault {
            Fault::Cancelled => self.on_user_abort(cx, "you aborted the turn"),
            Fault::ContextOverflow => {} // the host compacts and replays: no end
            fault => {
                self.turn.failure.told = true;
                // nothing was seen yet of the turn that our prompt asked for: the turn before is told again
                let stale = self.failures > 0
                    && self.turn.activity == Activity::Idle
                    && (self.phase == Phase::Prompting || self.turn.prompt.handed.is_some());
                if !stale
                    && matches!(
                        self.phase,
                        Phase::Working | Phase::Prompting | Phase::Reading
                    )
                {
                    self.turn.failure.fault = Some(fault.clone());
                }
            }
        }
    }

    pub(super) fn on_user_abort(&mut self, cx: &mut Context, why: &str) {
        self.turn.side = false;
        if matches!(self.phase, Phase::Paused | Phase::Suspended) || planted!(ForgetAbort) {
            return;
        }
        if !cx.policy.interactive {
            // nobody is there to abort: the host cut the turn off as it ended. While a prompt is on its way its answer is
            // waited for, and then looked up: to begin anew now would send a second one
            if matches!(self.phase, Phase::Working | Phase::Reading) {
                let message = "it was cut off".to_owned();
                self.on_fault(cx, &Fault::AgentFailed { message });
            }
            return;
        }
        self.log(cx, Rule::UserAbort, why.to_owned());
        self.pause(cx);
    }

    pub(super) fn pause(&mut self, cx: &mut Context) {
        self.budget.set_active(cx.now, false);
        self.turn.cut_off = true;
        self.enter(cx, Phase::Paused);
        self.notify(
            cx,
            Level::Warning,
            "paused. It goes on after your next message; /stop ends it",
        );
    }

    pub(super) fn on_idle(&mut self, cx: &mut Context) {
        let was = std::mem::replace(&mut self.turn.activity, Activity::Idle);
        self.turn.at_work = false;
        self.turn.words.spoken |= std::mem::take(&mut self.turn.words.unseen);
        self.turn.idle_heard = true;
        // the message of a turn that was aborted comes later
        self.turn.cut_off |= was == Activity::InTurn && self.phase == Phase::Paused;
        self.nothing_pends();
        let failed = std::mem::take(&mut self.turn.failure.told);
        match self.phase {
            Phase::Working if self.turn.words.commanded => {
                // of the turn before: the command's own message comes after it
                self.arm(cx.now.plus(PROMPT_GRACE_MS), Purpose::Grace);
            }
            Phase::Working | Phase::Prompting => {
                if let Some(fault) = self.turn.failure.fault.take() {
                    self.turn.failure.untold = !std::mem::take(&mut self.turn.failure.by_message);
                    self.on_fault(cx, &fault);
                } else if was == Activity::Idle
                    && self.turn.prompt.handed.is_some()
                    && !self.draining
                {
                    if !self.is_echo(cx) {
                        self.on_user_abort(cx, "you aborted between two turns");
                    }
                } else if self.phase == Phase::Prompting || self.turn.prompt.handed.is_some() {
                    self.on_idle_after_prompt(cx);
                } else {
                    self.turn.failure.idle = Some((cx.now, false));
                    self.look_up_turn(cx);
                }
            }
            Phase::Held if was == Activity::InTurn => {
                self.turn.side = false;
                self.turn.failure.idle = Some((cx.now, false));
                self.look_up_turn(cx);
            }
            Phase::BackingOff | Phase::Held | Phase::Settling | Phase::Checking if failed => {
                self.turn.failure.idle = Some((cx.now, false)); // not ours to judge; an echo may follow
                self.on_gate(cx);
            }
            Phase::BackingOff | Phase::Held | Phase::Settling | Phase::Checking
                if was == Activity::Idle =>
            {
                if self.is_echo(cx) {
                    self.on_gate(cx);
                } else {
                    self.on_user_abort(cx, "you aborted while nothing ran");
                }
            }
            Phase::Reading
                if matches!(self.in_flight, Some((_, Request::ReadTodos)))
                    && was == Activity::Idle =>
            {
                if !self.is_echo(cx) {
                    self.on_user_abort(cx, "you aborted between two turns");
                }
            }
            _ => {
                if was == Activity::InTurn {
                    self.turn.side = false;
                    self.turn.failure.idle = Some((cx.now, false)); // no natural end: an echo may follow
                }
                self.on_gate(cx);
            }
        }
    }

    /// Whether this idle is OpenCode's echo of the one that ended a turn without a natural end (a fault, a refusal).
    /// Where nobody is there to abort there is no other kind.
    fn is_echo(&mut self, cx: &Context) -> bool {
        if planted!(EchoIsAbort) {
            return false;
        }
        if !cx.policy.interactive {
            return true;
        }
        match self.turn.failure.idle {
            Some((first, false)) if cx.now.since(first) <= IDLE_ECHO_MS => {
                self.turn.failure.idle = Some((first, true));
                true
            }
            _ => false,
        }
    }

    /// An idle session waits for no answer and compacts nothing, even if no event told the end of it: a request dies
    /// with an aborted turn, a compaction may fail.
    pub(super) fn nothing_pends(&mut self) {
        self.compacting = false;
        self.blocked.retain(|_, (owner, _)| *owner != self.session);
    }

    /// Idle although a prompt was handed over: either that idle belongs to the turn before, or the prompt fell between
    /// OpenCode's last look at its messages and the end of its loop, or the person aborted. Look in a moment.
    pub(super) fn on_idle_after_prompt(&mut self, cx: &mut Context) {
        if self.phase == Phase::Prompting {
            return; // the reply decides
        }
        if self.draining && self.redrives == 0 && !self.turn.prompt.in_doubt {
            self.look_up_turn(cx);
        } else {
            self.arm(cx.now.plus(PROMPT_GRACE_MS), Purpose::Grace);
        }
    }

    pub(super) fn look_up_turn(&mut self, cx: &mut Context) {
        self.enter(cx, Phase::Reading);
        self.request(cx, Request::ReadTurn);
    }

    /// The history is new: the mission is told whole, in place of the host's own "continue". A prompt that was handed
    /// over before the compaction is part of the summary and gets no turn.
    pub(super) fn on_continuing(&mut self, cx: &mut Context) {
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
        self.turn.failure.fault = None;
        self.turn.prompt.awaiting = false; // what was asked before is part of the summary
        self.next = Next::Send(PromptKind::Compacted(self.objective.clone()));
        self.budget.iterations += 1;
        self.enter(cx, Phase::Prompting);
        self.hand_over(cx, false);
    }
}
