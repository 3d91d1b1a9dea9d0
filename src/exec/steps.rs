//! The small steps that all parts of the executor share.

use super::executor::{Context, Note, UnifiedTaskExecutor};
use super::owner::{Owner, Purpose};
use super::pool::Use;
use super::results;
use super::task::{Ask, Task, TaskState, Wait, allowed};
use crate::concurrency::{self, Ticket, Verdict};
use crate::effect::{Effect, Level};
use crate::event::{Event, Model, TaskNews};
use crate::id::{CallId, EffectId, SessionId, TaskId};
use crate::policy::POOL_REST_MS;
use crate::resource::NodeId;
use crate::time::Instant;

impl UnifiedTaskExecutor {
    /// The node that everything else hangs below.
    pub(super) fn top(&mut self) -> Option<NodeId> {
        if self.top.is_none() {
            self.top = self.resources.open(None);
        }
        self.top
    }

    pub(super) fn mint(&mut self, owner: Owner) -> EffectId {
        self.sequence = self.sequence.wrapping_add(1);
        let id = EffectId::of_executor(self.id, self.sequence);
        self.requests.insert(id, owner);
        id
    }

    pub(super) fn seed(&self, cx: &Context, task: TaskId) -> u64 {
        (u64::from(cx.policy.seed) << 32) ^ (u64::from(self.id.0) << 20) ^ u64::from(task.0)
    }

    pub(super) fn log(&self, cx: &mut Context, text: &str) {
        cx.out.push(Effect::Log {
            level: Level::Info,
            message: format!("tasks of {}: {text}", self.root),
        });
    }

    pub(super) fn notify(&self, cx: &mut Context, level: Level, message: String) {
        cx.out.push(Effect::Notify {
            session: self.root.clone(),
            level,
            message,
        });
    }

    pub(super) fn answer(
        cx: &mut Context,
        session: &SessionId,
        call: &CallId,
        result: Result<String, String>,
    ) {
        let failed = result.is_err();
        if planted!(AnswerTwice) {
            cx.out.push(Effect::AnswerTool {
                session: session.clone(),
                call: call.clone(),
                text: String::new(),
                failed,
            });
        }
        cx.out.push(Effect::AnswerTool {
            session: session.clone(),
            call: call.clone(),
            text: result.unwrap_or_else(|error| error),
            failed,
        });
    }

    /// Goes to a state. What the state before asked for is superseded.
    pub(super) fn enter(&mut self, task: TaskId, state: TaskState) {
        if let Some(task) = self.tasks.get_mut(&task) {
            debug_assert!(
                allowed(task.state, state),
                "{:?} -> {state:?} is not in the table",
                task.state
            );
            #[cfg(feature = "sim")]
            crate::sim::coverage::task(task.state, state);
            task.state = state;
            if let Some((id, _)) = task.in_flight.take() {
                self.requests.remove(&id);
            }
        }
    }

    pub(super) fn arm_task(&mut self, id: TaskId, at: Instant, wait: Wait) {
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        let Some(node) = task.node else { return };
        let timer = self.resources.arm(node, at, Purpose::Task(id, wait));
        if matches!(wait, Wait::Watch | Wait::BackOff) {
            // one of the two at a time, the newest
            if let Some(old) = std::mem::replace(&mut task.watch, timer) {
                self.resources.disarm(old);
            }
        }
    }

    pub(super) fn disarm_watch(&mut self, id: TaskId) {
        if let Some(timer) = self.tasks.get_mut(&id).and_then(|task| task.watch.take()) {
            self.resources.disarm(timer);
        }
    }

    /// Sends a request for a task that is answered by a reply.
    pub(super) fn request(&mut self, cx: &mut Context, id: TaskId, ask: Ask) {
        let Some(session) = self.tasks.get(&id).and_then(|task| task.session.clone()) else {
            return;
        };
        let effect = self.mint(Owner::Task(id));
        cx.out.push(match ask {
            Ask::Result => Effect::ReadResult {
                id: effect,
                session,
            },
            _ => Effect::ReadTurn {
                id: effect,
                session,
            },
        });
        if let Some(task) = self.tasks.get_mut(&id) {
            task.turn.seen_since_look = false;
            task.in_flight = Some((effect, ask));
        }
    }

    /// Asks the limiter for a slot.
    pub(super) fn ask_slot(&mut self, cx: &mut Context, id: TaskId) {
        let waits = self
            .tasks
            .get(&id)
            .is_some_and(|task| task.ticket.is_some());
        if self.suspended || waits {
            return;
        }
        if let Some(ask) = self.new_ask(id) {
            cx.notes.push(Note::Ask(ask));
        }
    }

    /// A task turned out to run: it has a slot whatever the limit.
    pub(super) fn adopt_slot(&mut self, cx: &mut Context, id: TaskId) {
        if let Some(ask) = self.new_ask(id) {
            cx.notes.push(Note::Adopt(ask));
        }
    }

    fn new_ask(&mut self, id: TaskId) -> Option<concurrency::Ask> {
        self.attempts += 1;
        let ticket = Ticket((u64::from(self.id.0) << 32) | u64::from(self.attempts));
        let task = self.tasks.get_mut(&id)?;
        task.ticket = Some(ticket);
        self.tickets.insert(ticket, id);
        Some(concurrency::Ask {
            ticket,
            key: key(task.model.as_ref()),
            agent: task.agent.clone(),
            // a task that waits for its own tasks' slots holds others up
            foreground: !task.background || task.answer.is_some(),
        })
    }

    /// Gives a task's slot back, or takes it out of the queue.
    pub(super) fn release_slot(&mut self, cx: &mut Context, id: TaskId, verdict: Verdict) {
        if let Some(ticket) = self.tasks.get_mut(&id).and_then(|task| task.ticket.take()) {
            self.tickets.remove(&ticket);
            if planted!(SkipRelease) {
                return;
            }
            cx.notes.push(Note::Release(ticket, verdict));
        }
    }

    /// The task ends. Its result is kept; whoever waits is answered; its session rests or goes out.
    pub(super) fn finish(&mut self, cx: &mut Context, id: TaskId, state: TaskState, text: &str) {
        let Some(task) = self.tasks.get(&id) else {
            return;
        };
        if task.state.is_ended() {
            return;
        }
        let waits =
            task.state == TaskState::Running && (task.ticket.is_none() || task.answer.is_some());
        self.enter(id, state);
        let mut closes = matches!(state, TaskState::Cancelled | TaskState::TimedOut);
        let verdict = match state {
            TaskState::Done => Verdict::Success,
            TaskState::Failed => Verdict::AgentFailed,
            _ => Verdict::Cancelled,
        };
        let (result, cut) = results::keep(text);
        let mut session = None;
        let mut waiters = Vec::new();
        let mut call = None;
        let mut background = false;
        if let Some(task) = self.tasks.get_mut(&id) {
            self.result_bytes += result.len();
            task.result = result;
            task.cut = cut;
            task.ended = Some(cx.now);
            task.watch = None;
            task.blocked.clear();
            session.clone_from(&task.session);
            waiters = std::mem::take(&mut task.waiters);
            call = task.call.take();
            background = task.background;
            if state == TaskState::Failed
                && let Some(session) = &session
            {
                closes |= self.pool.get(session).is_some_and(|child| child.busy);
            }
            if let Some(node) = task.node.take() {
                self.resources.release(node); // its timers; a session has a node of its own
            }
        }
        self.open -= 1;
        self.ended.push(id);
        match session {
            Some(session) if self.pool.get(&session).is_some() => {
                if closes {
                    if waits {
                        // it waited for its own tasks' results: with their answer it works on until the abort reaches it
                        self.release_slot(cx, id, Verdict::Cancelled);
                        self.adopt_slot(cx, id);
                        if let Some(child) = self.pool.get_mut(&session) {
                            child.busy = true;
                        }
                    }
                    self.leave_slot(id, &session);
                    self.release_slot(cx, id, verdict);
                    self.close(cx, &session);
                } else {
                    self.release_slot(cx, id, verdict);
                    self.rest(cx, &session);
                }
            }
            _ => self.release_slot(cx, id, verdict),
        }
        self.answer_pending(cx, id);
        if background && state != TaskState::Cancelled {
            self.unseen.insert(id);
        } else if call.is_none() {
            self.set_seen(id);
        } // else with the answer to its call
        for waiter in waiters {
            self.answer_waiter(cx, waiter);
        }
        if let Some(call) = call {
            self.on_call_progress(cx, call);
        }
        if self.open == 0 {
            self.tell_end(cx);
        }
        self.forget_old(cx);
    }

    /// The task has ended, its turn perhaps not: the slot stays with the session until that is over.
    pub(super) fn leave_slot(&mut self, id: TaskId, session: &SessionId) {
        if let Some(child) = self.pool.get_mut(session)
            && child.busy
            && let Some(ticket) = self.tasks.get_mut(&id).and_then(|task| task.ticket.take())
        {
            self.tickets.remove(&ticket);
            child.ticket = Some(ticket);
        }
    }

    fn rest(&mut self, cx: &mut Context, session: &SessionId) {
        if self.parent.silenced {
            self.close(cx, session); // nobody will follow up
            return;
        }
        self.pool.assign(session, Use::Resting, cx.now);
        self.arm_seat(session, cx.now.plus(POOL_REST_MS));
    }

    pub(super) fn set_seen(&mut self, id: TaskId) {
        self.unseen.remove(&id);
        if let Some(task) = self.tasks.get_mut(&id) {
            task.seen = true;
        }
    }

    pub(super) fn mark_seen(&mut self, tasks: &[TaskId]) {
        for id in tasks {
            self.set_seen(*id);
        }
    }

    /// Results that the parent has not seen, once no task is open.
    pub(super) fn news(&self) -> Option<TaskNews> {
        if self.open > 0 || self.unseen.is_empty() {
            return None;
        }
        let tasks: Vec<&Task> = self
            .unseen
            .iter()
            .filter_map(|id| self.tasks.get(id))
            .collect();
        Some(TaskNews {
            tasks: self.unseen.iter().copied().collect(),
            text: results::news(&tasks),
        })
    }

    /// What the session's mission must be told, when that has changed.
    pub(crate) fn take_news(&mut self) -> Option<Event> {
        if !self.parent.mission || self.suspended {
            return None;
        }
        let unseen: Vec<TaskId> = if self.open == 0 {
            self.unseen.iter().copied().collect()
        } else {
            Vec::new()
        };
        let now = (self.open, unseen);
        if now == self.told {
            return None;
        }
        self.told = now;
        Some(Event::Tasks {
            session: self.root.clone(),
            open: self.open,
            news: self.news(),
        })
    }
}

/// What shares a provider's limit.
pub(super) fn key(model: Option<&Model>) -> String {
    model.map_or_else(
        || "default".to_owned(),
        |model| format!("{}/{}", model.provider, model.model).to_lowercase(),
    )
}
