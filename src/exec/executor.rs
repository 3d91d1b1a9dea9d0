//! The executor's state, and where an event goes.

use super::owner::{Call, Owner, Purpose};
use super::pool::SessionPool;
use super::task::Task;
use super::wake::Parent;
use crate::concurrency::{self, Ticket, Verdict};
use crate::effect::Effect;
use crate::event::{Event, Outcome};
use crate::fault::Fault;
use crate::id::{CallId, EffectId, ExecutorId, SessionId, TaskId, TimerId};
use crate::json::read_fields;
use crate::mission::session_of;
use crate::policy::{Policy, RECENT_IDS, RESULTS_BYTES, TASKS_KEPT};
use crate::recent::Recent;
use crate::resource::{NodeId, ResourceTracker};
use crate::sorted::{SortedMap, SortedSet};
use crate::time::Instant;
use serde::Serialize;

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
    pub(super) fn forget_old(&mut self, cx: &mut Context) {
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
}
