//! Child sessions: what their events mean for their task, and how they go out.

use super::executor::{Context, UnifiedTaskExecutor};
use super::owner::{Owner, Purpose};
use super::pool::Use;
use super::task::{TaskState, Turn};
use crate::concurrency::Verdict;
use crate::effect::{Effect, Level};
use crate::event::{Event, Outcome, Payload};
use crate::fault::Fault;
use crate::id::{SessionId, TaskId};
use crate::policy::{ABORT_ECHO_MS, ABORT_QUIET_MS, CLOSING_MS, CLOSING_TRIES, QUIET_MS};
use crate::time::Instant;

impl UnifiedTaskExecutor {
    pub(super) fn on_child(&mut self, cx: &mut Context, session: &SessionId, event: &Event) {
        let Some(child) = self.pool.get_mut(session) else {
            return;
        };
        match event {
            Event::Deleted { .. } => {
                self.on_child_deleted(cx, session);
                return;
            }
            Event::Idle { .. } => {
                child.busy = false;
                child.idle_since = cx.now;
            }
            Event::Busy { .. } | Event::Retrying { .. } | Event::FirstOutput { .. } => {
                child.busy = true;
            }
            Event::Assistant {
                message,
                tokens,
                summary,
                ..
            } if child.heard.as_ref() != Some(message) => {
                child.heard = Some(message.clone());
                child.context = *tokens;
                child.awaiting &= *summary;
            }
            Event::SessionError { .. } => child.failed = Some(cx.now),
            _ => {}
        }
        match child.usage {
            Use::Task(task) => self.on_task_event(cx, task, event),
            Use::Resting | Use::Doubted => {} // the person talks to it
            Use::Closing => self.on_closing(cx, session, event),
        }
    }

    fn on_child_deleted(&mut self, cx: &mut Context, session: &SessionId) {
        let usage = self.pool.get(session).map(|child| child.usage);
        self.forget_child(cx, session);
        if let Some(Use::Task(task)) = usage {
            if let Some(waiting) = self.tasks.get_mut(&task)
                && matches!(waiting.state, TaskState::Queued | TaskState::BackingOff)
            {
                waiting.session = None; // its next attempt gets a fresh one
                waiting.turn = Turn::default();
                return;
            }
            let message = "its session was deleted".to_owned();
            self.on_fault(cx, task, &Fault::SessionLost { message });
        }
    }

    /// The session is gone: its slot and its timers with it.
    pub(super) fn forget_child(&mut self, cx: &mut Context, session: &SessionId) {
        let Some(child) = self.pool.remove(session) else {
            return;
        };
        self.gone.is_new(session);
        self.resources.release(child.node);
        if let Some(ticket) = child.ticket {
            cx.notes
                .push(super::Note::Release(ticket, Verdict::Cancelled));
        }
    }

    /// A session that OpenCode created is the one that was asked for, even if the reply is lost in a crash.
    pub(super) fn on_session_created(
        &mut self,
        cx: &mut Context,
        parent: &SessionId,
        session: &SessionId,
        title: &str,
    ) {
        if self.is_child(session) || *session == self.root || self.gone.contains(session) {
            return;
        }
        let named = title.rsplit_once(" t").and_then(|(_, id)| {
            let id = id.strip_suffix(')')?.parse().ok()?;
            self.tasks.get(&TaskId(id))
        });
        if let Some(task) = named
            && task.parent == *parent
            && task.title() == title
        {
            // one that comes too late, because it was created twice, or for a task that has ended meanwhile
            let ended = task.state.is_ended() || task.session.is_some();
            let (id, agent) = (task.id, task.agent.clone());
            let parent = parent.clone();
            let usage = if ended { Use::Closing } else { Use::Task(id) };
            self.add_child(cx, session.clone(), parent, agent, usage);
            if ended {
                self.close(cx, session);
            } else if let Some(task) = self.tasks.get_mut(&id) {
                task.session = Some(session.clone());
                if task.state == TaskState::Queued && task.orphan && !self.suspended {
                    task.orphan = false; // nobody will look for it any more
                    self.ask_slot(cx, id);
                }
            }
        }
    }

    pub(super) fn add_child(
        &mut self,
        cx: &mut Context,
        session: SessionId,
        parent: SessionId,
        agent: String,
        usage: Use,
    ) {
        let top = self.top();
        let Some(node) = self.resources.open(top) else {
            return;
        };
        self.resources.own_session(node, session.clone());
        self.pool.add(session, parent, agent, node, usage, cx.now);
    }

    pub(super) fn arm_seat(&mut self, session: &SessionId, at: Instant) {
        let Some(child) = self.pool.get_mut(session) else {
            return;
        };
        if let Some(old) = child.timer.take() {
            self.resources.disarm(old);
        }
        child.timer = self
            .resources
            .arm(child.node, at, Purpose::Seat(child.seat));
    }

    // ---- going out --------------------------------------------------------------------------------------------

    pub(super) fn close_if_resting(&mut self, cx: &mut Context, session: Option<&SessionId>) {
        if let Some(session) = session
            && self
                .pool
                .get(session)
                .is_some_and(|child| child.usage == Use::Resting)
        {
            self.close(cx, session);
        }
    }

    pub(super) fn close_resting(&mut self, cx: &mut Context) {
        for session in self.pool.resting().to_vec() {
            self.close(cx, &session);
        }
    }

    /// The session is not needed any more. With `keepSessions` it is only made quiet.
    pub(super) fn close(&mut self, cx: &mut Context, session: &SessionId) {
        // its own turn is told to be over within moments; a later one is the person's
        let resting = self.pool.get(session).is_some_and(|child| {
            child.usage == Use::Resting && cx.now.since(child.rested) > CLOSING_MS
        });
        let busy = self.pool.get(session).is_some_and(|child| child.busy);
        if busy && resting {
            // the person may talk to it, or the end of its turn was not told
            self.pool.assign(session, Use::Doubted, cx.now);
            self.look_at_child(cx, session);
            return;
        }
        self.pool.assign(session, Use::Closing, cx.now);
        if planted!(SkipDelete) {
            self.forget_child(cx, session);
            return;
        }
        let busy = busy && !planted!(DeleteBusy);
        if busy {
            self.abort_child(cx, session);
        }
        for below in self.below(cx, session) {
            let usage = self.pool.get(&below).map(|child| child.usage);
            match usage {
                Some(Use::Task(task)) => {
                    self.finish(
                        cx,
                        task,
                        TaskState::Cancelled,
                        "The task that waited for it ended.",
                    );
                }
                Some(Use::Resting) => self.close(cx, &below),
                _ => {}
            }
        }
        if busy {
            return; // its idle leads on
        }
        let Some(child) = self.pool.get(session) else {
            return;
        };
        let (at, seat) = (child.idle_since.plus(QUIET_MS), child.seat);
        if at <= cx.now {
            self.on_seat_timer(cx, seat);
        } else {
            self.arm_seat(session, at);
        }
    }

    /// The sessions that sub-agents created below one of ours.
    fn below(&self, cx: &Context, session: &SessionId) -> Vec<SessionId> {
        if cx.policy.tasks.max_depth > 1 {
            self.pool.below(session)
        } else {
            Vec::new()
        }
    }

    pub(super) fn look_at_child(&mut self, cx: &mut Context, session: &SessionId) {
        let id = self.mint(Owner::Session(session.clone()));
        let session = session.clone();
        cx.out.push(Effect::ReadTurn { id, session });
    }

    fn abort_child(&mut self, cx: &mut Context, session: &SessionId) {
        let Some(child) = self.pool.get_mut(session) else {
            return;
        };
        child.tries += 1;
        if child.tries > CLOSING_TRIES {
            self.log(cx, &format!("session {session} could not be stopped"));
            self.forget_child(cx, session);
            return;
        }
        child.aborting = true;
        let id = self.mint(Owner::Session(session.clone()));
        cx.out.push(Effect::Abort {
            id,
            session: session.clone(),
        });
        self.arm_seat(session, cx.now.plus(CLOSING_MS));
    }

    fn on_closing(&mut self, cx: &mut Context, session: &SessionId, event: &Event) {
        match event {
            Event::Idle { .. } => {
                self.release_if_quiet(cx, session);
                let Some(child) = self.pool.get_mut(session) else {
                    return;
                };
                let aborted = std::mem::take(&mut child.tries) > 0;
                let wait = if std::mem::take(&mut child.echoes) {
                    ABORT_ECHO_MS
                } else if aborted {
                    ABORT_QUIET_MS
                } else {
                    QUIET_MS
                };
                self.arm_seat(session, cx.now.plus(wait));
            }
            Event::SessionError {
                fault: Fault::Cancelled,
                ..
            } => {
                if let Some(child) = self.pool.get_mut(session) {
                    child.echoes = true;
                }
            }
            // a prompt that was on its way when its task ended
            Event::Busy { .. } => self.abort_child(cx, session),
            _ => {}
        }
    }

    /// The slot of a session that goes out is free once its turn is over and no further one can begin.
    fn release_if_quiet(&mut self, cx: &mut Context, session: &SessionId) {
        if let Some(child) = self.pool.get_mut(session)
            && !child.busy
            && !child.aborting
            && let Some(ticket) = child.ticket.take()
        {
            cx.notes
                .push(super::Note::Release(ticket, Verdict::Cancelled));
        }
    }

    pub(super) fn on_seat_timer(&mut self, cx: &mut Context, seat: u32) {
        let Some(session) = self.pool.session_at(seat) else {
            return;
        };
        let Some(child) = self.pool.get_mut(&session) else {
            return;
        };
        child.timer = None;
        let (usage, busy) = (child.usage, child.busy);
        match usage {
            Use::Task(_) => {}
            Use::Doubted => self.look_at_child(cx, &session),
            Use::Resting => self.close(cx, &session),
            Use::Closing if busy && !planted!(DeleteBusy) => self.abort_child(cx, &session),
            Use::Closing if !self.below(cx, &session).is_empty() => {
                // OpenCode would delete those with it, busy or not
                if self.suspended {
                    return; // they stand still, and it is closed again when they go on
                }
                self.arm_seat(&session, cx.now.plus(QUIET_MS));
            }
            Use::Closing if cx.policy.tasks.keep_sessions => self.forget_child(cx, &session),
            Use::Closing => {
                let id = self.mint(Owner::Deletion(session.clone()));
                cx.out.push(Effect::DeleteSession { id, session });
            }
        }
    }

    /// The session was looked up or aborted, or not.
    pub(super) fn on_close_reply(
        &mut self,
        cx: &mut Context,
        session: &SessionId,
        outcome: &Outcome,
    ) {
        let Some(child) = self.pool.get_mut(session) else {
            return;
        };
        child.aborting = false;
        let usage = child.usage;
        if child.usage == Use::Doubted {
            match outcome {
                Outcome::Ok(Payload::Turn { turn }) if !turn.busy => {
                    child.busy = false;
                    self.close(cx, session);
                }
                Outcome::Err(fault) if !matches!(fault, Fault::SessionLost { .. }) => {
                    self.arm_seat(session, cx.now.plus(CLOSING_MS));
                }
                // the person talks to it: it is theirs
                _ => self.forget_child(cx, session),
            }
            return;
        }
        // an abort: the idle that follows decides, or the timer
        self.release_if_quiet(cx, session);
        if let (Use::Closing, Outcome::Err(Fault::SessionLost { .. })) = (usage, outcome) {
            self.forget_child(cx, session);
        }
    }

    /// The session was deleted, or not.
    pub(super) fn on_deletion_reply(
        &mut self,
        cx: &mut Context,
        session: &SessionId,
        outcome: &Outcome,
    ) {
        let Some(child) = self.pool.get_mut(session) else {
            return;
        };
        match outcome {
            Outcome::Ok(_) | Outcome::Err(Fault::SessionLost { .. }) => {
                self.forget_child(cx, session);
            }
            Outcome::Err(fault) => {
                child.tries += 1;
                if child.tries >= CLOSING_TRIES {
                    let message =
                        format!("The session {session} of a task could not be deleted: {fault}");
                    self.forget_child(cx, session);
                    self.notify(cx, Level::Warning, message);
                } else {
                    self.arm_seat(session, cx.now.plus(CLOSING_MS));
                }
            }
        }
    }
}
