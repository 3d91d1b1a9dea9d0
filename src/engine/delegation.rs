//! Delegation's part of the engine: which executor an event goes to, what executors, missions and the limiter tell each
//! other, and the journals of tasks.

use super::Engine;
use crate::concurrency::{KeyView, Verdict};
use crate::effect::Effect;
use crate::event::{Event, RestoreCause};
use crate::exec::{self, Note, UnifiedTaskExecutor};
use crate::id::{CallId, ExecutorId, SessionId};
use crate::journal;
use crate::mission::session_of;
use crate::policy::EXECUTORS_KEPT;

impl Engine {
    /// The executors of delegated tasks, by parent session.
    pub fn executors(&self) -> impl Iterator<Item = &UnifiedTaskExecutor> {
        self.executors.values()
    }

    /// The tasks delegated below a session, if there were any.
    #[must_use]
    pub fn executor_of(&self, root: &SessionId) -> Option<&UnifiedTaskExecutor> {
        self.executors.get(root)
    }

    /// Whether a session's call of a task tool waits for its answer.
    #[must_use]
    pub fn has_call(&self, session: &SessionId, call: &CallId) -> bool {
        self.executors()
            .any(|executor| executor.has_call(session, call))
    }

    /// The limits of delegation as they are now, by provider and model.
    #[must_use]
    pub fn limits(&self) -> Vec<KeyView> {
        self.limiter.view()
    }

    /// Whether the host should hold the end of the session's turn: where the program ends with the turn, the tasks in
    /// the background would be cut off.
    #[must_use]
    pub fn holds_end(&self, session: &SessionId) -> bool {
        !self.policy.interactive
            && self
                .executor_of(session)
                .is_some_and(|executor| executor.open_tasks() > 0)
    }

    pub(super) fn restore_tasks(
        &mut self,
        out: &mut Vec<Effect>,
        mut executor: UnifiedTaskExecutor,
        text: &str,
        cause: RestoreCause,
    ) {
        let root = executor.root.clone();
        if self.executors.contains_key(&root) {
            return; // it is here already, and newer
        }
        self.last_executor += 1;
        executor.id = ExecutorId(self.last_executor);
        if text.ends_with('\n') {
            let size = text.len() as u64;
            self.tasks_journaled
                .insert(root.clone(), (size, self.journal_limit(size)));
        }
        self.executors.insert(root.clone(), executor);
        let mut effects = Vec::new();
        self.step_executor(&mut effects, &root, &Event::Restored { cause });
        self.journal_tasks_snapshot(out, &root);
        out.append(&mut effects);
        self.sync_mission(out, &root);
    }

    pub(super) fn executor_for(&self, session: &SessionId) -> Option<&SessionId> {
        self.executors
            .values()
            .find(|executor| executor.knows(session))
            .map(|executor| &executor.root)
    }

    /// The executor that a tool call of `session` goes to; a new one when it is the session's first.
    pub(super) fn open_executor(&mut self, out: &mut Vec<Effect>, session: &SessionId) {
        if self.executor_for(session).is_some() {
            return;
        }
        self.drop_idle_executors();
        self.last_executor += 1;
        let id = ExecutorId(self.last_executor);
        let executor = UnifiedTaskExecutor::new(id, session.clone(), self.now);
        self.executors.insert(session.clone(), executor);
        self.journal_tasks_snapshot(out, session);
        self.sync_mission(out, session);
    }

    /// What can be had again from its journal needs no memory.
    fn drop_idle_executors(&mut self) {
        if !self.policy.journal.enabled || self.executors.len() < EXECUTORS_KEPT {
            return;
        }
        let idle = self
            .executors
            .values()
            .filter(|executor| executor.owns_nothing() && !executor.is_active())
            .min_by_key(|executor| executor.id)
            .map(|executor| executor.root.clone());
        if let Some(root) = idle {
            self.executors.remove(&root);
            self.tasks_journaled.remove(&root);
        }
    }

    pub(super) fn route_to_executors(
        &mut self,
        out: &mut Vec<Effect>,
        event: &Event,
        text: Option<&str>,
    ) {
        let concerned: Vec<SessionId> = match event {
            Event::Reply { effect, .. } => self
                .executors
                .values()
                .filter(|executor| effect.belongs_to_executor(executor.id))
                .map(|executor| executor.root.clone())
                .collect(),
            Event::Alarm => self
                .executors
                .values()
                .filter(|executor| executor.next_deadline().is_some_and(|at| at <= self.now))
                .map(|executor| executor.root.clone())
                .collect(),
            Event::Shutdown { .. } | Event::Trapped { .. } => {
                self.executors.keys().cloned().collect()
            }
            event => session_of(event)
                .and_then(|session| self.executor_for(session))
                .cloned()
                .into_iter()
                .collect(),
        };
        for root in concerned {
            self.deliver_to_executor(out, &root, event, text);
        }
        if let Event::Deleted { session } = event
            && self.executors.remove(session).is_some()
        {
            self.tasks_journaled.remove(session);
            out.push(Effect::JournalTasks {
                session: session.clone(),
                text: String::new(),
                replace: false,
                ended: true,
            });
        }
    }

    pub(super) fn deliver_to_executor(
        &mut self,
        out: &mut Vec<Effect>,
        root: &SessionId,
        event: &Event,
        text: Option<&str>,
    ) {
        if self.policy.journal.enabled {
            let text = journal::event_line(self.now, event, text);
            self.write_tasks_journal(out, root, text, false);
        }
        self.step_executor(out, root, event);
        let grown = self
            .tasks_journaled
            .get(root)
            .is_some_and(|(size, limit)| size > limit);
        if grown {
            self.tasks_journaled.remove(root); // a new file in the place of the old one
            self.journal_tasks_snapshot(out, root);
        }
    }

    fn step_executor(&mut self, out: &mut Vec<Effect>, root: &SessionId, event: &Event) {
        if let Some(executor) = self.executors.get_mut(root) {
            let mut cx = exec::Context {
                now: self.now,
                policy: &self.policy,
                out,
                notes: &mut self.notes,
            };
            executor.handle(&mut cx, event);
            self.touched.insert(root.clone());
        }
    }

    /// Tells the session's executor whether a mission is open there.
    pub(super) fn sync_mission(&mut self, out: &mut Vec<Effect>, session: &SessionId) {
        let open = self.open_mission(session).is_some();
        if self
            .executors
            .get(session)
            .is_some_and(|executor| executor.has_mission() != open)
        {
            let session = session.clone();
            self.deliver_to_executor(
                out,
                &session.clone(),
                &Event::MissionOpen { session, open },
                None,
            );
        }
    }

    /// Carries what one part has to tell another, until there is nothing more to tell.
    pub(super) fn settle(&mut self, out: &mut Vec<Effect>) {
        loop {
            for note in std::mem::take(&mut self.notes) {
                self.tell_limiter(note);
            }
            if let Some(ticket) = self.limiter.grant(self.now) {
                let id = ExecutorId((ticket.0 >> 32) as u32);
                let root = self
                    .executors
                    .values()
                    .find(|executor| executor.id == id)
                    .map(|executor| executor.root.clone());
                match root {
                    Some(root) => {
                        let ticket = ticket.0;
                        self.deliver_to_executor(out, &root, &Event::Granted { ticket }, None);
                    }
                    None => self.tell_limiter(Note::Release(ticket, Verdict::Cancelled)),
                }
                continue;
            }
            let Some(root) = self.touched.pop_first() else {
                break;
            };
            let news = self
                .executors
                .get_mut(&root)
                .and_then(UnifiedTaskExecutor::take_news);
            if let (Some(news), Some(id)) = (news, self.open_mission(&root)) {
                self.deliver(out, id, &news, None);
            }
        }
    }

    fn tell_limiter(&mut self, note: Note) {
        let now = self.now;
        match note {
            Note::Ask(ask) => self.limiter.ask(now, ask),
            Note::Adopt(ask) => self.limiter.adopt(now, ask),
            Note::FirstOutput(ticket) => self.limiter.first_output(now, ticket),
            Note::Fault(ticket, fault) => self.limiter.fault(now, ticket, &fault),
            Note::Release(ticket, verdict) => self.limiter.release(now, ticket, verdict),
        }
    }

    fn write_tasks_journal(
        &mut self,
        out: &mut Vec<Effect>,
        root: &SessionId,
        text: String,
        replace: bool,
    ) {
        let size = text.len() as u64;
        let fresh = (0, self.journal_limit(size));
        let entry = self.tasks_journaled.entry(root.clone()).or_insert(fresh);
        if replace {
            *entry = fresh;
        }
        entry.0 += size;
        out.push(Effect::JournalTasks {
            session: root.clone(),
            text,
            replace,
            ended: false,
        });
    }

    fn journal_tasks_snapshot(&mut self, out: &mut Vec<Effect>, root: &SessionId) {
        if !self.policy.journal.enabled {
            return;
        }
        if let Some(executor) = self.executors.get(root) {
            let text = journal::tasks_snapshot_line(&self.policy, executor);
            let replace = !self.tasks_journaled.contains_key(root);
            self.write_tasks_journal(out, root, text, replace);
        }
    }

    /// A snapshot that is itself large is not written anew at each event.
    fn journal_limit(&self, snapshot: u64) -> u64 {
        (u64::from(self.policy.journal.max_mb) << 20).max(2 * snapshot)
    }
}
