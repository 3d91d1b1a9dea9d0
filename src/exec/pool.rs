//! The child sessions of one parent: which task has which, which rest for a follow-up, which are on their way out.
//!
//! A session goes out in steps: its turn is aborted, it falls idle, it stays quiet for a moment (OpenCode answers the
//! deletion of a busy session with database errors), it is deleted. Only then is it forgotten.

use crate::concurrency::Ticket;
use crate::id::{MessageId, SessionId, TaskId, TimerId};
use crate::json::read_fields;
use crate::policy::{FAULT_ECHO_MS, POOL_RESTING, POOL_RESTING_PER_AGENT, REUSE_MAX, REUSE_TOKENS};
use crate::resource::NodeId;
use crate::sorted::SortedMap;
use crate::time::Instant;
use serde::{Deserialize, Serialize};

/// What a session is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Use {
    Task(TaskId),
    /// Its task has ended; a follow-up may go on in it.
    Resting,
    /// It should rest no longer, but a turn may run in it: that is being looked up.
    Doubted,
    Closing,
}

/// A child session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Child {
    pub seat: u32,
    /// The session below which it was created. When that one goes, it goes too.
    pub parent: SessionId,
    pub agent: String,
    pub node: NodeId,
    pub usage: Use,
    /// A turn runs, or a prompt may still start one.
    pub busy: bool,
    /// The slot of its last attempt, held until its turn has ended.
    pub ticket: Option<Ticket>,
    /// A prompt was handed over, and no message came that may be its answer: the session has it unanswered.
    pub awaiting: bool,
    /// Its newest message that was told: one that is told again, late, is no answer.
    pub heard: Option<MessageId>,
    /// Tasks that were carried out in it.
    pub uses: u32,
    /// Tokens of its newest answer: what its context has grown to.
    pub context: u64,
    /// When it was last seen to fall idle, or was created.
    pub idle_since: Instant,
    /// When its task ended.
    pub rested: Instant,
    pub timer: Option<TimerId>,
    /// Its turn was aborted while it ran: a second idle follows the first.
    pub echoes: bool,
    /// An abort is on its way, perhaps behind a prompt that begins one more turn.
    pub aborting: bool,
    /// When its last turn failed: its message and a second idle follow.
    pub failed: Option<Instant>,
    /// Attempts to abort or to delete it.
    pub tries: u32,
}

read_fields!(Child {
    seat,
    parent,
    agent,
    node,
    usage,
    busy,
    ticket,
    awaiting,
    heard,
    uses,
    context,
    idle_since,
    rested,
    timer,
    echoes,
    aborting,
    failed,
    tries
});

/// The child sessions of one parent session.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SessionPool {
    children: SortedMap<SessionId, Child>,
    seats: SortedMap<u32, SessionId>,
    last_seat: u32,
    /// Those that rest, the longest first. Few, so that looking through them costs the same however many work.
    resting: Vec<SessionId>,
}

read_fields!(SessionPool {
    children,
    seats,
    last_seat,
    resting
});

impl SessionPool {
    /// A session is new and has its first task, or is on its way out when nobody wants it any more.
    pub(super) fn add(
        &mut self,
        session: SessionId,
        parent: SessionId,
        agent: String,
        node: NodeId,
        usage: Use,
        now: Instant,
    ) {
        self.last_seat += 1;
        self.seats.insert(self.last_seat, session.clone());
        let child = Child {
            seat: self.last_seat,
            parent,
            agent,
            node,
            usage,
            busy: false,
            ticket: None,
            awaiting: false,
            heard: None,
            aborting: false,
            failed: None,
            uses: 1,
            context: 0,
            idle_since: now,
            rested: now,
            timer: None,
            echoes: false,
            tries: 0,
        };
        self.children.insert(session, child);
    }

    pub(super) fn get(&self, session: &SessionId) -> Option<&Child> {
        self.children.get(session)
    }

    pub(super) fn get_mut(&mut self, session: &SessionId) -> Option<&mut Child> {
        self.children.get_mut(session)
    }

    pub(super) fn session_at(&self, seat: u32) -> Option<SessionId> {
        self.seats.get(&seat).cloned()
    }

    pub(super) fn remove(&mut self, session: &SessionId) -> Option<Child> {
        let child = self.children.remove(session)?;
        self.seats.remove(&child.seat);
        self.resting.retain(|other| other != session);
        Some(child)
    }

    pub(super) fn sessions(&self) -> Vec<SessionId> {
        self.children.keys().cloned().collect()
    }

    pub(super) fn resting(&self) -> &[SessionId] {
        &self.resting
    }

    /// Changes what a session is used for.
    pub(super) fn assign(&mut self, session: &SessionId, usage: Use, now: Instant) {
        let Some(child) = self.children.get_mut(session) else {
            return;
        };
        self.resting.retain(|other| other != session);
        child.usage = usage;
        child.tries = 0;
        match usage {
            Use::Resting => {
                child.rested = now;
                self.resting.push(session.clone());
            }
            Use::Task(_) => child.uses += 1,
            Use::Doubted | Use::Closing => {}
        }
    }

    /// The sessions right below another. All are looked through: only where sub-agents may delegate there are any.
    pub(super) fn below(&self, parent: &SessionId) -> Vec<SessionId> {
        self.children
            .iter()
            .filter(|(_, child)| child.parent == *parent)
            .map(|(session, _)| session.clone())
            .collect()
    }

    /// Whether a follow-up may go on in the session: it rests, and neither its age nor its context is used up.
    pub(super) fn may_reuse(&self, session: &SessionId, now: Instant) -> bool {
        self.children.get(session).is_some_and(|child| {
            child.usage == Use::Resting
                && !child.busy
                && !child.awaiting // that prompt would come first
                && child.failed.is_none_or(|at| now.since(at) > FAULT_ECHO_MS)
                && child.uses < REUSE_MAX
                && child.context < REUSE_TOKENS
        })
    }

    /// The session that rests longest, when more rest than the bounds allow.
    pub(super) fn surplus(&self) -> Option<SessionId> {
        if self.resting.len() <= POOL_RESTING_PER_AGENT {
            return None; // asked after each event
        }
        let agents: Vec<_> = self
            .resting
            .iter()
            .map(|session| self.children.get(session).map(|child| &child.agent))
            .collect();
        let crowded =
            |agent| agents.iter().filter(|a| *a == agent).count() > POOL_RESTING_PER_AGENT;
        let longest = if self.resting.len() > POOL_RESTING {
            Some(0)
        } else {
            agents.iter().position(crowded)
        };
        longest.and_then(|i| self.resting.get(i)).cloned()
    }

    /// Whether no session is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.children.len()
    }
}
