//! Timers, restarts, the mission's end, the host's end.

use super::executor::{Context, UnifiedTaskExecutor};
use super::owner::{Owner, Purpose};
use super::pool::Use;
use super::results;
use super::task::{Ask, TaskState, Wait};
use super::tools::timeout_ms;
use super::turn::blocker;
use crate::effect::{Effect, Level};
use crate::event::{Outcome, Payload, RestoreCause};
use crate::fault::Fault;
use crate::id::{SessionId, TaskId};
use crate::policy::{PROMPT_GRACE_MS, RETRY_MAX, WATCH_MS};
use crate::sorted::{SortedMap, SortedSet};
use crate::time::spoken;
use std::fmt::Write;

impl UnifiedTaskExecutor {
    pub(super) fn on_task_timer(&mut self, cx: &mut Context, id: TaskId, wait: Wait) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        if matches!(wait, Wait::Watch | Wait::BackOff) {
            task.watch = None;
        }
        match (wait, task.state) {
            (Wait::Timeout, state) if !state.is_ended() => self.on_timeout(cx, id),
            (Wait::Watch, TaskState::Running) => {
                let quiet = cx.now.since(task.last_event);
                if task.in_flight.is_some() {
                    // the reply decides
                } else if quiet >= WATCH_MS || task.turn.handed {
                    self.request(cx, id, Ask::Look);
                } else {
                    let at = task.last_event.plus(WATCH_MS);
                    self.arm_task(id, at, Wait::Watch);
                }
            }
            (Wait::BackOff, TaskState::BackingOff) => {
                self.enter(id, TaskState::Queued);
                self.ask_slot(cx, id);
            }
            // a request of ours failed and is made again
            (Wait::BackOff, TaskState::Collecting) => self.request(cx, id, Ask::Result),
            // a prompt whose answer failed may have been accepted
            (Wait::BackOff, TaskState::Prompting | TaskState::Running | TaskState::Adopting) => {
                self.request(cx, id, Ask::Look);
            }
            _ => {}
        }
    }

    fn on_timeout(&mut self, cx: &mut Context, id: TaskId) {
        let limit = timeout_ms(cx);
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let waits = task.state == TaskState::Queued && task.outages == 0;
        let since = if waits {
            self.last_progress.max(task.created) // nothing moves at all
        } else {
            task.last_progress
        };
        if self.suspended {
            return; // armed again when it goes on
        }
        let stands = task.delegating > 0; // it is not its fault
        if stands || cx.now.since(since) < limit {
            task.last_progress = if stands { cx.now } else { since };
            self.arm_timeout(cx, id);
            return;
        }
        let mut text = format!("No progress for {} (tasks.timeoutMin).", spoken(limit));
        if let Some(by) = task.blocked.values().next() {
            let _ = write!(
                text,
                " It waited for the person's answer to {}.",
                blocker(*by)
            );
        } else if let Some(fault) = &task.turn.fault {
            let _ = write!(text, " Last: {fault}.");
        } else if waits {
            text.push_str(" It never got a slot.");
        }
        self.finish(cx, id, TaskState::TimedOut, &text);
    }

    fn open_ids(&self) -> Vec<TaskId> {
        self.tasks
            .values()
            .filter(|task| !task.state.is_ended())
            .map(|task| task.id)
            .collect()
    }

    pub(super) fn cancel_all(&mut self, cx: &mut Context, why: &str) {
        let open = self.open_ids();
        for id in open {
            self.finish(cx, id, TaskState::Cancelled, why);
        }
    }

    /// A batch has ended: one toast for all of it.
    pub(super) fn tell_end(&mut self, cx: &mut Context) {
        let first = self.batch;
        self.batch = self.last_task + 1;
        let batch = || self.tasks.range(TaskId(first)..).map(|(_, task)| task);
        let all_done = batch().all(|task| task.state == TaskState::Done);
        let level = if all_done {
            Level::Success
        } else {
            Level::Warning
        };
        let text = match (batch().next(), batch().count()) {
            (Some(task), 1) => format!("Task {}", results::headline(task, cx.now)),
            (_, count) => format!("{count} tasks ended: {}", results::tally(batch())),
        };
        self.notify(cx, level, text);
    }

    // ---- the mission ------------------------------------------------------------------------------------------

    pub(super) fn on_mission(&mut self, cx: &mut Context, open: bool) {
        if open {
            self.resume(cx);
        }
        if self.parent.mission == open {
            return;
        }
        self.parent.mission = open;
        if open {
            self.parent.silenced = false;
            self.told = (0, Vec::new());
        } else {
            self.parent.silenced = true; // the turn under way may still delegate
            self.cancel_all(cx, "Its mission ended.");
            let unseen: Vec<TaskId> = self.unseen.iter().copied().collect();
            self.mark_seen(&unseen); // they stay readable; nobody is woken for them
            self.close_resting(cx);
        }
    }

    // ---- restarts ---------------------------------------------------------------------------------------------

    pub(super) fn on_restored(&mut self, cx: &mut Context, cause: RestoreCause) {
        let creations = self.requests.values().filter_map(|owner| match owner {
            Owner::Creation(task) => Some(*task),
            _ => None,
        });
        for id in creations.collect::<Vec<_>>() {
            if let Some(task) = self.tasks.get_mut(&id) {
                task.orphan |= task.session.is_none(); // even when it has ended meanwhile
            }
        }
        if planted!(LoseResults) {
            for id in &self.ended {
                if let Some(task) = self.tasks.get_mut(id) {
                    task.result.clear();
                }
            }
        }
        self.requests.clear();
        self.tickets.clear();
        let open = self.open_ids();
        for session in self.pool.sessions() {
            if let Some(child) = self.pool.get_mut(&session) {
                child.ticket = None;
                child.aborting = false;
            }
        }
        if cause == RestoreCause::Restart {
            // the turns that made the calls are gone: their results go to the parent like those of the background
            for number in self.calls.keys().copied().collect::<Vec<_>>() {
                if let Some(call) = self.calls.remove(&number)
                    && let Some(node) = call.node
                {
                    self.resources.release(node);
                }
            }
            self.parent.after_restart();
        }
        for id in open {
            if let Some(task) = self.tasks.get_mut(&id) {
                task.in_flight = None;
                task.ticket = None;
                task.orphan |= task.state == TaskState::Leasing && task.session.is_none();
                if cause == RestoreCause::Restart {
                    task.blocked.clear();
                    task.waiters.clear();
                    task.background |= task.call.take().is_some();
                    task.answer = None;
                    task.delegating = 0;
                    task.background |= task.depth == 1;
                }
                task.last_progress = cx.now;
                // after a trap the requests before it are still on their way
                task.turn.handed = cause == RestoreCause::Trap;
            }
            self.disarm_watch(id);
            self.enter(id, TaskState::Queued);
        }
        self.last_progress = cx.now;
        let was_suspended = std::mem::replace(&mut self.suspended, true);
        if cause == RestoreCause::Trap && !was_suspended {
            if self.tasks.values().any(|task| task.orphan) {
                // what the instance before asked for is still on its way
                let top = self.top();
                self.orphan_timer = top.and_then(|top| {
                    let at = cx.now.plus(PROMPT_GRACE_MS);
                    self.resources.arm(top, at, Purpose::Orphans)
                });
            }
            self.doubt_wake(cx);
            self.resume(cx);
        }
    }

    /// The session is used again: what was interrupted goes on.
    pub(super) fn resume(&mut self, cx: &mut Context) {
        if !std::mem::take(&mut self.suspended) {
            return;
        }
        let mut closing = self.pool.sessions();
        closing.retain(|session| {
            let child = self.pool.get(session);
            child.is_some_and(|child| child.usage == Use::Closing)
        });
        // those whose turns may run come first: their slots are taken before others get any
        let (doubtful, waiting): (Vec<TaskId>, Vec<TaskId>) =
            self.open_ids().into_iter().partition(|id| {
                self.tasks
                    .get(id)
                    .is_some_and(|task| task.session.is_some())
            });
        for id in doubtful.into_iter().chain(waiting) {
            if self
                .tasks
                .get(&id)
                .is_some_and(|task| !task.orphan || task.session.is_some())
            {
                self.resume_task(cx, id);
            } else {
                self.progress(cx, id); // it is looked for; meanwhile its time runs
                self.arm_timeout(cx, id);
            }
        }
        if self.orphan_timer.is_none() {
            self.look_for_all_orphans(cx);
        }
        for session in self.pool.sessions() {
            let usage = self.pool.get(&session).map(|child| child.usage);
            match usage {
                // one whose task has just ended, with its parent's, has its slot and is on its way out
                Some(Use::Closing) if closing.contains(&session) => {
                    self.hold_slot(cx, &session);
                    self.close(cx, &session);
                }
                Some(Use::Doubted) => self.look_at_child(cx, &session),
                _ => {}
            }
        }
    }

    /// The turn of a session that goes out may still run: it counts until it is over.
    fn hold_slot(&mut self, cx: &mut Context, session: &SessionId) {
        let busy = self.pool.get(session).is_some_and(|child| child.busy);
        let task = self
            .tasks
            .values()
            .rev()
            .find(|task| task.session.as_ref() == Some(session))
            .map(|task| task.id);
        if let (true, Some(id)) = (busy, task) {
            self.adopt_slot(cx, id);
            self.leave_slot(id, session);
        }
    }

    fn resume_task(&mut self, cx: &mut Context, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        task.last_progress = cx.now;
        task.last_event = cx.now;
        self.arm_timeout(cx, id);
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let (in_doubt, answers) = (task.session.is_some(), task.answer.is_some());
        let waits = task.delegating > 0 || answers;
        if !in_doubt {
            self.ask_slot(cx, id);
            return;
        }
        self.enter(id, TaskState::Adopting);
        if waits {
            // its turn waits for an answer of ours, and needs no slot before that
            self.enter(id, TaskState::Running);
            self.watch(cx, id);
            if answers {
                self.ask_slot(cx, id);
            }
        } else {
            self.adopt_slot(cx, id);
            self.request(cx, id, Ask::Look);
        }
    }

    pub(super) fn look_for_all_orphans(&mut self, cx: &mut Context) {
        let parents: SortedSet<SessionId> = self
            .tasks
            .values()
            .filter(|task| task.orphan && task.session.is_none())
            .map(|task| task.parent.clone())
            .collect();
        for session in parents {
            self.look_for_orphans(cx, session);
        }
    }

    fn look_for_orphans(&mut self, cx: &mut Context, session: SessionId) {
        let id = self.mint(Owner::Children(session.clone()));
        cx.out.push(Effect::ReadChildren { id, session });
    }

    /// Looks among the caller's sessions for the one that was to be created for the task.
    pub(super) fn look_for_orphan(&mut self, cx: &mut Context, id: TaskId) {
        if let Some(task) = self.tasks.get(&id) {
            let parent = task.parent.clone();
            self.look_for_orphans(cx, parent);
        }
    }

    /// Sessions whose creation got no answer go to the tasks that they were created for.
    pub(super) fn on_children_read(
        &mut self,
        cx: &mut Context,
        parent: &SessionId,
        outcome: &Outcome,
    ) {
        let mut by_title = SortedMap::new();
        match outcome {
            Outcome::Ok(Payload::Children { children }) => {
                self.orphan_looks = 0;
                for child in children {
                    if !self.is_child(&child.session) {
                        by_title.insert(child.title.as_str(), &child.session);
                    }
                }
            }
            Outcome::Err(Fault::SessionLost { .. }) => {} // nothing is below it any more
            _ if self.orphan_looks < RETRY_MAX => {
                self.orphan_looks += 1;
                self.look_for_orphans(cx, parent.clone());
                return;
            }
            _ => self.orphan_looks = 0,
        }
        let orphans: Vec<TaskId> = self
            .tasks
            .values()
            .filter(|task| task.orphan && task.parent == *parent)
            .map(|task| task.id)
            .collect();
        for id in orphans {
            let Some(task) = self.tasks.get_mut(&id) else {
                continue;
            };
            let state = task.state;
            let found = by_title.get(task.title().as_str()).copied().cloned();
            if found.is_none() && self.orphan_timer.is_some() {
                continue; // it may still be on its way: the timer looks again
            }
            task.orphan = false;
            let (parent, agent) = (task.parent.clone(), task.agent.clone());
            if let Some(session) = found {
                if state.is_ended() {
                    self.add_child(cx, session.clone(), parent, agent, Use::Closing);
                    self.close(cx, &session);
                } else {
                    task.session = Some(session.clone());
                    self.add_child(cx, session, parent, agent, Use::Task(id));
                }
            }
            let there = self
                .tasks
                .get(&id)
                .is_some_and(|task| task.session.is_some());
            match state {
                TaskState::Leasing if there => self.prompt(cx, id, false),
                TaskState::Leasing => self.create_again(cx, id),
                TaskState::Queued => self.ask_slot(cx, id),
                _ => {}
            }
        }
    }

    /// The session was not created: once more, a few times.
    fn create_again(&mut self, cx: &mut Context, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        task.hiccups += 1;
        if task.hiccups < RETRY_MAX {
            self.create(cx, id);
        } else {
            let message = "its session could not be created".to_owned();
            self.on_fault(cx, id, &Fault::AgentFailed { message });
        }
    }

    pub(super) fn on_shutdown(&mut self, drain: bool) {
        if drain {
            self.parent.idle();
            return;
        }
        self.suspended = true; // what is open goes on when the session is used again
    }
}
