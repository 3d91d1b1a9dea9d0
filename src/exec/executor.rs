//! The executor's state and the small steps that all of its parts share; where an event goes.

use super::pool::{SessionPool, Use};
use super::results;
use super::task::{Ask, Task, TaskState, Wait, allowed};
use super::wake::Parent;
use crate::concurrency::{self, Ticket, Verdict};
use crate::effect::{Effect, Level};
use crate::event::{Event, Model, Outcome, TaskNews};
use crate::fault::Fault;
use crate::id::{CallId, EffectId, ExecutorId, SessionId, TaskId, TimerId};
use crate::json::{read_fields, read_variants};
use crate::mission::session_of;
use crate::policy::{POOL_REST_MS, Policy, RECENT_IDS, RESULTS_BYTES, TASKS_KEPT};
use crate::recent::Recent;
use crate::resource::{NodeId, ResourceTracker};
use crate::sorted::{SortedMap, SortedSet};
use crate::time::Instant;
use serde::{Deserialize, Serialize};

/// What the limiter is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// A task wants a slot.
    Ask(concurrency::Ask),
    /// A task has had a slot since before a restart of the engine.
    Adopt(concurrency::Ask),
    FirstOutput(Ticket),
    Fault(Ticket, Fault),
    Release(Ticket, Verdict),
}

/// The surroundings of a step: time, rules, where effects go, and what the limiter is told.
pub(crate) struct Context<'a> {
    pub now: Instant,
    pub policy: &'a Policy,
    pub out: &'a mut Vec<Effect>,
    pub notes: &'a mut Vec<Note>,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    Task(TaskId, Wait),
    /// A child session that rests or goes out.
    Seat(u32),
    /// A waiting tool call.
    Call(u32),
    /// The parent has not begun the turn that it was woken for, or could not be woken.
    Wake,
    /// Sessions may have been created of which nothing was told.
    Orphans,
}

/// Whose request a reply answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Owner {
    Task(TaskId),
    /// A session is being created; its task may have ended meanwhile.
    Creation(TaskId),
    /// A session that goes out: it is looked up or aborted.
    Session(SessionId),
    /// ...and deleted.
    Deletion(SessionId),
    /// The children of a parent, among them perhaps one whose creation was interrupted.
    Children(SessionId),
    Wake,
}

/// A tool call that waits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Call {
    pub session: SessionId,
    pub id: CallId,
    pub kind: CallKind,
    pub node: Option<NodeId>,
}

read_fields!(Call {
    session,
    id,
    kind,
    node
});

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) enum CallKind {
    /// All its tasks, and how many of those it waits for are open.
    Delegate { tasks: Vec<TaskId>, open: u32 },
    /// `get_task_result` with a wait.
    Result { task: TaskId, offset: usize },
    /// Its answer goes out as soon as the task that made the call has a slot again.
    Answer { text: String },
}

read_variants!(CallKind {
    "Delegate" => Delegate { tasks, open },
    "Result" => Result { task, offset },
    "Answer" => Answer { text },
});

/// The tasks delegated below one root session: a state machine. See the module for its laws.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UnifiedTaskExecutor {
    pub(crate) id: ExecutorId,
    pub(crate) root: SessionId,
    pub(super) tasks: SortedMap<TaskId, Task>,
    pub(super) last_task: u32,
    pub(super) pool: SessionPool,
    pub(super) calls: SortedMap<u32, Call>,
    pub(super) last_call: u32,
    pub(super) requests: SortedMap<EffectId, Owner>,
    pub(super) tickets: SortedMap<Ticket, TaskId>,
    /// Tasks that have not ended.
    pub(super) open: u32,
    /// Ended background tasks whose results the parent has not seen.
    pub(super) unseen: SortedSet<TaskId>,
    /// The first task of those that are announced together when all have ended.
    pub(super) batch: u32,
    /// Ended tasks in the order of their ends, and the bytes of their results.
    pub(super) ended: Vec<TaskId>,
    pub(super) result_bytes: usize,
    pub(super) parent: Parent,
    /// After a restart nothing goes on before the session is used again.
    pub(super) suspended: bool,
    /// When any task made progress.
    pub(super) last_progress: Instant,
    pub(super) attempts: u32,
    /// Failed looks for sessions whose creation got no answer, in a row.
    pub(super) orphan_looks: u32,
    /// Sessions that are gone: what is told of them late is nothing.
    pub(super) gone: Recent<SessionId, RECENT_IDS>,
    pub(super) orphan_timer: Option<TimerId>,
    pub(super) sequence: u32,
    pub(super) resources: ResourceTracker<Purpose>,
    pub(super) top: Option<NodeId>,
    /// What the mission was last told.
    pub(super) told: (u32, Vec<TaskId>),
}

read_fields!(UnifiedTaskExecutor {
    id,
    root,
    tasks,
    last_task,
    pool,
    calls,
    last_call,
    requests,
    tickets,
    open,
    unseen,
    batch,
    ended,
    result_bytes,
    parent,
    suspended,
    last_progress,
    attempts,
    orphan_looks,
    gone,
    orphan_timer,
    sequence,
    resources,
    top,
    told
});

impl UnifiedTaskExecutor {
    /// The executor of a session in which a turn is under way: its tool call is the first event.
    pub(crate) fn new(id: ExecutorId, root: SessionId, now: Instant) -> Self {
        Self {
            id,
            root,
            tasks: SortedMap::new(),
            last_task: 0,
            pool: SessionPool::default(),
            calls: SortedMap::new(),
            last_call: 0,
            requests: SortedMap::new(),
            tickets: SortedMap::new(),
            open: 0,
            unseen: SortedSet::new(),
            batch: 1,
            ended: Vec::new(),
            result_bytes: 0,
            parent: Parent::default(),
            suspended: false,
            last_progress: now,
            attempts: 0,
            orphan_looks: 0,
            gone: Recent::default(),
            orphan_timer: None,
            sequence: 0,
            resources: ResourceTracker::default(),
            top: None,
            told: (0, Vec::new()),
        }
    }

    /// Whether a session's events concern it: the parent's, or a child's.
    pub(crate) fn knows(&self, session: &SessionId) -> bool {
        self.root == *session || self.is_child(session)
    }

    /// Whether the session is one of its children.
    pub(crate) fn is_child(&self, session: &SessionId) -> bool {
        self.pool.get(session).is_some()
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.resources.next_deadline()
    }

    /// Tasks that have not ended.
    #[must_use]
    pub fn open_tasks(&self) -> u32 {
        self.open
    }

    pub(crate) fn has_mission(&self) -> bool {
        self.parent.mission
    }

    /// Its tasks, in the order in which they were delegated.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values()
    }

    /// Its child sessions.
    #[must_use]
    pub fn pool(&self) -> &SessionPool {
        &self.pool
    }

    /// Whether it stands still until the session is used again: after a restart.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Whether the call of a task tool waits for its answer.
    #[must_use]
    pub fn has_call(&self, session: &SessionId, call: &CallId) -> bool {
        self.calls
            .values()
            .any(|open| open.session == *session && open.id == *call)
    }

    /// Whether nothing is owned any more.
    #[must_use]
    pub fn owns_nothing(&self) -> bool {
        self.resources.is_empty() && self.pool.is_empty() && self.tickets.is_empty()
    }

    /// Whether a turn of a child or of the parent will still come without the person.
    pub(crate) fn is_working(&self) -> bool {
        !self.suspended && (self.open > 0 || self.parent.is_waking())
    }

    /// The same, or a session goes out.
    pub(crate) fn is_active(&self) -> bool {
        self.is_working() || !self.suspended && self.is_closing()
    }

    fn is_closing(&self) -> bool {
        self.pool.len() > self.pool.resting().len()
    }

    /// Handles an event that concerns it.
    pub(crate) fn handle(&mut self, cx: &mut Context, event: &Event) {
        match event {
            Event::TaskTool {
                session,
                call,
                tool,
                args,
                agent,
                model,
                agents,
            } => {
                self.resume(cx);
                if *session == self.root {
                    self.parent.in_turn(agent.as_ref(), model.as_ref());
                }
                self.on_tool(cx, session, call, *tool, args, model.as_ref(), agents);
            }
            Event::ToolAborted { session, call } => self.on_tool_aborted(cx, session, call),
            Event::Granted { ticket } => self.on_granted(cx, Ticket(*ticket)),
            Event::Reply { effect, outcome } => self.on_reply(cx, *effect, outcome),
            Event::Alarm => self.on_alarm(cx),
            Event::MissionOpen { open, .. } => self.on_mission(cx, *open),
            Event::ResultsSeen { tasks, .. } => self.mark_seen(tasks),
            Event::Restored { cause } => self.on_restored(cx, *cause),
            Event::Shutdown { drain } => self.on_shutdown(*drain),
            Event::Trapped { .. } => self.cancel_all(cx, "the orchestrator failed"),
            Event::Child {
                parent,
                session,
                title,
            } => self.on_session_created(cx, parent, session, title),
            event => match session_of(event) {
                Some(session) if *session == self.root => self.on_parent(cx, event),
                Some(session) => self.on_child(cx, &session.clone(), event),
                None => {}
            },
        }
        self.tidy(cx);
    }

    fn on_reply(&mut self, cx: &mut Context, effect: EffectId, outcome: &Outcome) {
        match self.requests.remove(&effect) {
            None => {} // late or doubled: a named no-op
            Some(Owner::Task(task)) => self.on_task_reply(cx, task, effect, outcome),
            Some(Owner::Creation(task)) => self.on_created(cx, task, outcome),
            Some(Owner::Session(session)) => self.on_close_reply(cx, &session, outcome),
            Some(Owner::Deletion(session)) => self.on_deletion_reply(cx, &session, outcome),
            Some(Owner::Children(parent)) => self.on_children_read(cx, &parent, outcome),
            Some(Owner::Wake) => self.on_wake_reply(cx, outcome),
        }
    }

    fn on_alarm(&mut self, cx: &mut Context) {
        while let Some((_, purpose)) = self.resources.take_due(cx.now) {
            match purpose {
                Purpose::Task(task, wait) => self.on_task_timer(cx, task, wait),
                Purpose::Seat(seat) => self.on_seat_timer(cx, seat),
                Purpose::Call(number) => self.on_call_timer(cx, number),
                Purpose::Wake => self.on_wake_timer(cx),
                Purpose::Orphans => {
                    self.orphan_timer = None;
                    self.look_for_all_orphans(cx);
                }
            }
        }
    }

    /// After each event: what is owned by nobody any more goes, what is due goes out.
    fn tidy(&mut self, cx: &mut Context) {
        while let Some(session) = self.pool.surplus() {
            self.close(cx, &session);
        }
        self.wake_if_due(cx);
        if self.open == 0
            && self.pool.is_empty()
            && self.calls.is_empty()
            && self.parent.owns_no_timer()
            && self.orphan_timer.is_none()
            && let Some(top) = self.top.take()
        {
            self.resources.release(top);
        }
    }

    /// The oldest results that were read make room for new ones.
    fn forget_old(&mut self, cx: &mut Context) {
        let mut index = 0;
        while (self.ended.len() > TASKS_KEPT || self.result_bytes > RESULTS_BYTES)
            && index < self.ended.len()
        {
            let id = self.ended[index];
            if self.tasks.get(&id).is_some_and(|task| !task.seen) {
                index += 1;
                continue;
            }
            self.ended.remove(index);
            if let Some(task) = self.tasks.remove(&id) {
                self.result_bytes -= task.result.len();
                self.close_if_resting(cx, task.session.as_ref());
            }
        }
    }

    // ---- shared steps -----------------------------------------------------------------------------------------

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{from_str, to_string};

    #[test]
    fn every_kind_of_call_is_read_as_it_was_written() {
        for kind in [
            CallKind::Delegate {
                tasks: vec![TaskId(1), TaskId(2)],
                open: 1,
            },
            CallKind::Result {
                task: TaskId(3),
                offset: 4,
            },
            CallKind::Answer {
                text: "text".to_owned(),
            },
        ] {
            let text = to_string(&kind).expect("JSON");
            assert_eq!(from_str::<CallKind>(&text).expect("itself"), kind);
        }
    }
}
