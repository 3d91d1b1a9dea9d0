//! A task's attempts: its slot, its session, its turn and the faults of these.

use super::executor::{Context, UnifiedTaskExecutor};
use super::owner::Owner;
use super::pool::Use;
use super::task::{Ask, Task, TaskState, Turn, Wait};
use crate::concurrency::{Ticket, Verdict};
use crate::effect::{Effect, Level};
use crate::event::{Blocker, Ending, Event, LastTurn, Outcome, Payload, clip};
use crate::fault::Fault;
use crate::id::{EffectId, TaskId};
use crate::policy::{
    FAILURE_FIRST_MS, OUTAGE_CAP_MS, OUTAGE_TASK_MS, PROMPT_GRACE_MS, RETRY_FIRST_MS, RETRY_MAX,
    WATCH_MS, back_off,
};
use crate::prompt;

impl Task {
    /// The title of its session, by which the session is known again.
    pub(super) fn title(&self) -> String {
        format!("{} ({} t{})", self.description, self.agent, self.id)
    }
}

impl UnifiedTaskExecutor {
    // ---- slot, session, prompt --------------------------------------------------------------------------------

    pub(super) fn on_granted(&mut self, cx: &mut Context, ticket: Ticket) {
        let Some(id) = self.tickets.get(&ticket).copied() else {
            cx.notes
                .push(super::Note::Release(ticket, Verdict::Cancelled));
            return;
        };
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        match task.state {
            TaskState::Running => self.answer_pending(cx, id),
            TaskState::Queued if task.session.is_some() => self.prompt(cx, id, false),
            TaskState::Queued => self.lease(cx, id),
            _ => {}
        }
    }

    fn lease(&mut self, cx: &mut Context, id: TaskId) {
        self.enter(id, TaskState::Leasing);
        self.progress(cx, id);
        if self.tasks.get(&id).is_some_and(|task| task.orphan) {
            self.look_for_orphan(cx, id);
        } else {
            self.create(cx, id);
        }
    }

    pub(super) fn create(&mut self, cx: &mut Context, id: TaskId) {
        let effect = self.mint(Owner::Creation(id));
        if let Some(task) = self.tasks.get(&id) {
            cx.out.push(Effect::CreateSession {
                id: effect,
                parent: task.parent.clone(),
                agent: task.agent.clone(),
                title: task.title(),
                may_delegate: task.depth < cx.policy.tasks.max_depth,
            });
        }
    }

    pub(super) fn on_created(&mut self, cx: &mut Context, id: TaskId, outcome: &Outcome) {
        let task = self.tasks.get(&id);
        let leasing = task.is_some_and(|task| task.state == TaskState::Leasing);
        let own = task.and_then(|task| task.session.clone());
        match outcome {
            Outcome::Ok(Payload::Session { session }) if self.gone.contains(session) => {} // it comes too late
            Outcome::Ok(Payload::Session { session }) => {
                let leasing = leasing && own.is_none_or(|own| own == *session);
                if !self.is_child(session) {
                    let usage = if leasing { Use::Task(id) } else { Use::Closing };
                    if let Some(task) = self.tasks.get(&id) {
                        let (parent, agent) = (task.parent.clone(), task.agent.clone());
                        self.add_child(cx, session.clone(), parent, agent, usage);
                    }
                }
                if leasing {
                    if let Some(task) = self.tasks.get_mut(&id) {
                        task.session = Some(session.clone());
                        task.hiccups = 0;
                    }
                    self.prompt(cx, id, false);
                } else {
                    self.close(cx, session); // its task ended meanwhile
                }
            }
            Outcome::Ok(_) if leasing => {
                let message = "the host sent an answer of another kind".to_owned();
                self.on_fault(cx, id, &Fault::AgentFailed { message });
            }
            Outcome::Err(Fault::SessionLost { message }) if leasing => {
                let text = format!("Its session could not be created: {message}");
                self.finish(cx, id, TaskState::Failed, &text);
            }
            Outcome::Err(fault) if fault.is_backpressure() => {
                // it may have been created although the answer did not come, and its task may have ended meanwhile
                if let Some(task) = self.tasks.get_mut(&id) {
                    task.orphan = true;
                    self.look_for_orphan(cx, id);
                }
            }
            Outcome::Err(fault) if leasing => {
                let message = format!("its session could not be created: {fault}");
                self.on_fault(cx, id, &Fault::AgentFailed { message });
            }
            _ => {}
        }
    }

    /// Hands the prompt over. `again` when it was handed over before and got no turn.
    pub(super) fn prompt(&mut self, cx: &mut Context, id: TaskId, again: bool) {
        self.enter(id, TaskState::Prompting);
        self.progress(cx, id);
        let Some((session, worked)) = self
            .tasks
            .get(&id)
            .and_then(|task| task.session.clone().map(|s| (s, task.turn.worked)))
        else {
            return;
        };
        let effect = self.mint(Owner::Task(id));
        let mut redrive = again;
        if let Some(child) = self.pool.get_mut(&session) {
            child.busy = true; // from now on a turn may begin at any moment
            // one that the session still has unanswered is not stored a second time
            redrive |= std::mem::replace(&mut child.awaiting, true);
        }
        if let Some(task) = self.tasks.get_mut(&id) {
            let text = if worked && !again {
                prompt::task_goes_on()
            } else {
                prompt::task(&task.prompt)
            };
            task.in_flight = Some((effect, Ask::Prompt));
            task.delegating = 0; // what the turn before called is over with it
            task.turn = Turn {
                acted: task.turn.acted.take(),
                messages: std::mem::take(&mut task.turn.messages),
                worked,
                ..Turn::default()
            };
            cx.out.push(Effect::Prompt {
                id: effect,
                session,
                agent: Some(task.agent.clone()),
                model: task.model.clone(),
                text,
                redrive,
            });
        }
    }

    /// Something happened that counts as progress.
    pub(super) fn progress(&mut self, cx: &Context, id: TaskId) {
        self.last_progress = cx.now;
        if let Some(task) = self.tasks.get_mut(&id) {
            task.last_event = cx.now;
            task.last_progress = cx.now;
        }
    }

    pub(super) fn on_task_reply(
        &mut self,
        cx: &mut Context,
        id: TaskId,
        effect: EffectId,
        outcome: &Outcome,
    ) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let Some((_, ask)) = task.in_flight.take_if(|(own, _)| *own == effect) else {
            return;
        };
        match (ask, outcome) {
            (Ask::Prompt, Outcome::Ok(_)) => {
                task.hiccups = 0;
                task.turn.handed = true;
                self.enter(id, TaskState::Running);
                self.watch(cx, id);
            }
            (Ask::Result, Outcome::Ok(Payload::Text { text })) => {
                let text = if text.trim().is_empty() {
                    "(The agent ended its turn without a text.)"
                } else {
                    text
                };
                self.finish(cx, id, TaskState::Done, text);
            }
            (Ask::Look, Outcome::Ok(Payload::Turn { turn })) => {
                task.hiccups = 0;
                self.on_looked(cx, id, turn);
            }
            (Ask::Result, Outcome::Err(Fault::SessionLost { .. })) => {
                let text = "It ended, but its session was deleted before its result could be read.";
                self.finish(cx, id, TaskState::Failed, text);
            }
            (_, Outcome::Err(Fault::SessionLost { message })) => {
                let fault = Fault::SessionLost {
                    message: message.clone(),
                };
                if let Some(session) = task.session.clone() {
                    self.forget_child(cx, &session);
                }
                self.on_fault(cx, id, &fault);
            }
            (ask, outcome) => {
                let message = match outcome {
                    Outcome::Err(fault) => fault.to_string(),
                    Outcome::Ok(_) => "the host sent an answer of another kind".to_owned(),
                };
                self.on_hiccup(cx, id, ask, &message);
            }
        }
    }

    /// A request of ours failed; the provider and the agent have no part in it.
    fn on_hiccup(&mut self, cx: &mut Context, id: TaskId, ask: Ask, message: &str) {
        let seed = self.seed(cx, id);
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        task.hiccups += 1;
        if task.hiccups >= RETRY_MAX {
            let what = match ask {
                Ask::Result => "It ended, but its result could not be read",
                Ask::Look => "What became of it could not be looked up",
                Ask::Prompt => "OpenCode did not accept its prompt",
            };
            let text = format!("{what}: {}", clip(message, 300));
            self.finish(cx, id, TaskState::Failed, &text);
            return;
        }
        let wait = back_off(seed, RETRY_FIRST_MS, OUTAGE_CAP_MS, task.hiccups - 1);
        self.arm_task(id, cx.now.plus(wait), Wait::BackOff);
    }

    // ---- the turn ---------------------------------------------------------------------------------------------

    pub(super) fn on_task_event(&mut self, cx: &mut Context, id: TaskId, event: &Event) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        task.last_event = cx.now;
        if !matches!(event, Event::Idle { .. } | Event::Unblocked { .. }) {
            task.turn.seen_since_look = true;
        }
        if matches!(
            event,
            Event::Busy { .. }
                | Event::Retrying { .. }
                | Event::FirstOutput { .. }
                | Event::Tool { .. }
                | Event::Blocked { .. }
        ) {
            self.turn_began(cx, id);
        }
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let ticket = task.ticket;
        match event {
            Event::Busy { .. } => task.turn.handed = false,
            Event::Retrying {
                message,
                retry_after_ms,
                ..
            } => {
                task.turn.handed = false;
                if let Some(ticket) = ticket {
                    let fault = Fault::RateLimited {
                        retry_after_ms: *retry_after_ms,
                        message: clip(message, 120),
                    };
                    cx.notes.push(super::Note::Fault(ticket, fault));
                }
            }
            Event::FirstOutput { .. } => {
                task.outage_since = None;
                task.turn.handed = false;
                task.turn.fault = None;
                if let Some(ticket) = ticket {
                    cx.notes.push(super::Note::FirstOutput(ticket));
                }
                self.progress(cx, id);
            }
            Event::AssistantText { .. } | Event::Tool { .. } => {
                task.outage_since = None;
                task.turn.worked = true;
                self.progress(cx, id);
            }
            Event::Assistant {
                message,
                ending,
                summary,
                tokens,
                ..
            } => {
                if !task.turn.messages.is_new(message) {
                    return;
                }
                task.tokens += tokens;
                task.turn.handed = false;
                let acted = task.turn.acted.as_ref() == Some(message);
                match ending {
                    _ if *summary || acted => {}
                    Ending::Step => {
                        task.turn.worked = true;
                        task.turn.fault = None;
                        self.turn_began(cx, id);
                        self.progress(cx, id);
                    }
                    Ending::Natural => {
                        task.turn.acted = Some(message.clone());
                        self.progress(cx, id);
                        self.collect(cx, id);
                    }
                    Ending::Failed { fault } => {
                        task.turn.acted = Some(message.clone());
                        self.on_turn_fault(cx, id, fault);
                    }
                    Ending::Unfinished => {}
                }
            }
            Event::SessionError { fault, .. } => self.on_turn_fault(cx, id, fault),
            Event::Blocked { request, by, .. } => {
                task.blocked.insert(request.clone(), *by);
                let what = blocker(*by);
                let label = task.label();
                let text = format!("{label} waits for your answer to {what}");
                self.notify(cx, Level::Warning, text);
            }
            Event::Unblocked {
                request, rejected, ..
            } => {
                task.blocked.remove(request);
                if *rejected {
                    task.turn.rejected = true;
                    task.remark = Some("what it asked for was refused".to_owned());
                }
                self.progress(cx, id);
            }
            Event::Idle { .. } => self.on_task_idle(cx, id),
            _ => {}
        }
    }

    /// A sign of the turn that its prompt asked for: it was accepted, and runs, whatever becomes of the answer.
    pub(super) fn turn_began(&mut self, cx: &Context, id: TaskId) {
        let unsure = self
            .tasks
            .get(&id)
            .is_some_and(|task| matches!(task.state, TaskState::Prompting | TaskState::Adopting));
        if unsure {
            self.enter(id, TaskState::Running);
            self.watch(cx, id);
        }
    }

    fn on_turn_fault(&mut self, cx: &mut Context, id: TaskId, fault: &Fault) {
        match fault {
            Fault::Cancelled if cx.policy.interactive => {
                self.finish(cx, id, TaskState::Cancelled, "The person aborted it.");
            }
            // nobody is there to abort: the host cut the turn off as it ended
            Fault::Cancelled => self.note_fault(id, &cut_off()),
            Fault::ContextOverflow => {} // the host compacts and replays: no end
            fault => self.note_fault(id, fault),
        }
    }

    fn note_fault(&mut self, id: TaskId, fault: &Fault) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.turn.fault = Some(fault.clone());
        }
    }

    fn on_task_idle(&mut self, cx: &mut Context, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        task.blocked.clear(); // an idle session waits for no answer
        if task.state != TaskState::Running {
            return; // the reply decides
        }
        if let Some(fault) = task.turn.fault.take() {
            self.on_fault(cx, id, &fault);
        } else if task.turn.handed {
            // of the turn before, or the prompt fell behind the end of OpenCode's loop: look in a moment
            self.arm_task(id, cx.now.plus(PROMPT_GRACE_MS), Wait::Watch);
        } else if task.in_flight.is_none() {
            self.request(cx, id, Ask::Look);
        }
    }

    /// The turn ended by itself: the provider is done with it, the result is read.
    fn collect(&mut self, cx: &mut Context, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        if !matches!(
            task.state,
            TaskState::Running | TaskState::Prompting | TaskState::Adopting
        ) {
            return;
        }
        task.outages = 0;
        self.enter(id, TaskState::Collecting);
        self.release_slot(cx, id, Verdict::Success);
        self.request(cx, id, Ask::Result);
    }

    pub(super) fn watch(&mut self, cx: &Context, id: TaskId) {
        if planted!(SkipWatch) {
            return;
        }
        self.arm_task(id, cx.now.plus(WATCH_MS), Wait::Watch);
    }

    /// What a lookup told of the turn.
    fn on_looked(&mut self, cx: &mut Context, id: TaskId, turn: &LastTurn) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let adopting = task.state == TaskState::Adopting;
        let prompting = task.state == TaskState::Prompting;
        if turn.busy || std::mem::take(&mut task.turn.seen_since_look) {
            task.turn.handed = false;
            if adopting || prompting {
                self.enter(id, TaskState::Running);
            }
            self.watch(cx, id);
            return;
        }
        if adopting && std::mem::take(&mut task.turn.handed) {
            // its prompt may be on its way, its loop about to start
            self.arm_task(id, cx.now.plus(PROMPT_GRACE_MS), Wait::BackOff);
            return;
        }
        if adopting {
            self.release_slot(cx, id, Verdict::Cancelled); // there was no turn to take it
        }
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        if let Some(session) = task.session.clone()
            && let Some(child) = self.pool.get_mut(&session)
        {
            child.busy = false;
        }
        let acted = |task: &Task| {
            turn.assistant
                .as_ref()
                .is_some_and(|last| task.turn.acted.as_ref() == Some(&last.message))
        };
        match &turn.assistant {
            // a summary is not an answer; a message acted on before is not the answer to this prompt
            last if last.as_ref().is_none_or(|last| last.summary) || acted(task) => {
                if !adopting && turn.unanswered && task.hiccups < RETRY_MAX {
                    task.hiccups += 1;
                    self.enter(id, TaskState::Queued); // keeps its slot: straight on
                    self.prompt(cx, id, true);
                } else if prompting {
                    self.enter(id, TaskState::Queued);
                    self.prompt(cx, id, false);
                } else {
                    let fault = task.turn.fault.take().unwrap_or_else(cut_off);
                    self.on_fault(cx, id, &fault);
                }
            }
            Some(last) => match &last.ending {
                Ending::Natural => {
                    task.turn.acted = Some(last.message.clone());
                    self.collect(cx, id);
                }
                Ending::Step if task.turn.rejected => {
                    let text = "It ended because what it asked for was refused.";
                    self.finish(cx, id, TaskState::Failed, text);
                }
                Ending::Failed {
                    fault: Fault::Cancelled,
                }
                | Ending::Unfinished
                    if !adopting && cx.policy.interactive =>
                {
                    self.finish(cx, id, TaskState::Cancelled, "The person aborted it.");
                }
                Ending::Failed { fault }
                    if !matches!(fault, Fault::Cancelled | Fault::ContextOverflow) =>
                {
                    task.turn.acted = Some(last.message.clone());
                    self.on_fault(cx, id, &fault.clone());
                }
                _ => self.on_fault(cx, id, &cut_off()),
            },
            None => self.on_fault(cx, id, &cut_off()),
        }
    }

    /// An attempt failed: again, later, or not at all.
    pub(super) fn on_fault(&mut self, cx: &mut Context, id: TaskId, fault: &Fault) {
        let seed = self.seed(cx, id);
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        if task.state.is_ended() {
            return;
        }
        let text = clip(&fault.to_string(), 300);
        let backpressure = fault.is_backpressure();
        if let (Some(ticket), true) = (task.ticket, backpressure) {
            cx.notes.push(super::Note::Fault(ticket, fault.clone()));
        }
        let wait = match fault {
            Fault::Refused { .. } | Fault::ContextOverflow => {
                self.finish(cx, id, TaskState::Failed, &text);
                return;
            }
            Fault::Cancelled => {
                self.finish(cx, id, TaskState::Cancelled, "It was aborted.");
                return;
            }
            fault if backpressure => {
                let since = *task.outage_since.get_or_insert(cx.now);
                if cx.now.since(since) >= OUTAGE_TASK_MS {
                    let text = format!("{text} (for {})", crate::time::spoken(cx.now.since(since)));
                    self.finish(cx, id, TaskState::Failed, &text);
                    return;
                }
                // the limiter knows when the provider may be asked again; here the tasks are only spread a little
                task.outages += 1;
                let wait = back_off(seed, FAILURE_FIRST_MS, OUTAGE_CAP_MS, 0);
                match fault {
                    Fault::RateLimited {
                        retry_after_ms: Some(asked),
                        ..
                    } => wait.max(*asked),
                    _ => wait,
                }
            }
            fault => {
                if matches!(fault, Fault::SessionLost { .. }) {
                    task.session = None;
                    task.turn = Turn::default();
                }
                task.failures += 1;
                if task.failures > cx.policy.tasks.retries {
                    let text = format!("{text} (attempt {} of {0})", task.failures);
                    self.finish(cx, id, TaskState::Failed, &text);
                    return;
                }
                back_off(seed, FAILURE_FIRST_MS, OUTAGE_CAP_MS, task.failures - 1)
            }
        };
        let label = task.label();
        let verdict = if backpressure {
            Verdict::Backpressure
        } else {
            Verdict::AgentFailed
        };
        self.release_slot(cx, id, verdict);
        self.enter(id, TaskState::BackingOff);
        self.arm_task(id, cx.now.plus(wait), Wait::BackOff);
        self.log(
            cx,
            &format!("{label}: {text}; again in {}", crate::time::spoken(wait)),
        );
    }
}

fn cut_off() -> Fault {
    Fault::AgentFailed {
        message: "its turn was cut off".to_owned(),
    }
}

/// What a session waits for, in words.
pub(super) fn blocker(by: Blocker) -> &'static str {
    match by {
        Blocker::Permission => "a permission request",
        Blocker::Question => "a question",
    }
}
