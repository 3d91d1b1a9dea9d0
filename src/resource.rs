//! Who owns which session and which timer: a tree whose release is a cascade.
//!
//! A node is a mission, a phase of it, or a task. Releasing a node releases everything below it, once; releasing it
//! again is a no-op. Timers are data here: the host owns one alarm, set to [`ResourceTracker::next_deadline`].
//! No call costs more than what it touches, whatever else is owned.

use crate::id::{SessionId, TimerId};
use crate::json::read_fields;
use crate::sorted::{SortedMap, SortedSet};
use crate::time::Instant;
use serde::{Deserialize, Serialize};

/// An owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(u32);

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Timer<P> {
    at: Instant,
    owner: NodeId,
    purpose: P,
}

read_fields!(Timer<P> { at, owner, purpose });

/// An owner's place in the tree, and what it owns itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Node {
    parent: Option<NodeId>,
    children: SortedSet<NodeId>,
    sessions: SortedSet<SessionId>,
    timers: SortedSet<TimerId>,
}

read_fields!(Node {
    parent,
    children,
    sessions,
    timers
});

/// The ownership tree. `P` says what a timer is for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResourceTracker<P> {
    next: u32,
    nodes: SortedMap<NodeId, Node>,
    sessions: SortedMap<SessionId, NodeId>,
    timers: SortedMap<TimerId, Timer<P>>,
    deadlines: SortedSet<(Instant, TimerId)>,
}

read_fields!(ResourceTracker<P> { next, nodes, sessions, timers, deadlines });

impl<P> Default for ResourceTracker<P> {
    fn default() -> Self {
        Self {
            next: 0,
            nodes: SortedMap::new(),
            sessions: SortedMap::new(),
            timers: SortedMap::new(),
            deadlines: SortedSet::new(),
        }
    }
}

/// What a release gave back: a node's own first, then what is below it. The sessions are for the caller to delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    pub sessions: Vec<SessionId>,
    pub timers: Vec<TimerId>,
}

impl<P: Copy> ResourceTracker<P> {
    fn mint(&mut self) -> u32 {
        self.next = self.next.wrapping_add(1);
        self.next
    }

    /// A new owner below `parent`, or a root. `None` when `parent` was released already.
    pub fn open(&mut self, parent: Option<NodeId>) -> Option<NodeId> {
        if let Some(parent) = parent
            && !self.nodes.contains_key(&parent)
        {
            return None;
        }
        let id = NodeId(self.mint());
        if let Some(parent) = parent.and_then(|parent| self.nodes.get_mut(&parent)) {
            parent.children.insert(id);
        }
        let node = Node {
            parent,
            ..Node::default()
        };
        self.nodes.insert(id, node);
        Some(id)
    }

    /// Gives `owner` a session; whoever owned it before does no longer. False when the owner was released already: the
    /// caller must release the session itself.
    pub fn own_session(&mut self, owner: NodeId, session: SessionId) -> bool {
        if !self.nodes.contains_key(&owner) {
            return false;
        }
        self.forget_session(&session);
        if let Some(node) = self.nodes.get_mut(&owner) {
            node.sessions.insert(session.clone());
        }
        self.sessions.insert(session, owner);
        true
    }

    /// The session is gone or given away.
    pub fn forget_session(&mut self, session: &SessionId) -> bool {
        let Some(owner) = self.sessions.remove(session) else {
            return false;
        };
        if let Some(node) = self.nodes.get_mut(&owner) {
            node.sessions.remove(session);
        }
        true
    }

    /// Arms a timer of `owner`. `None` when the owner was released already.
    pub fn arm(&mut self, owner: NodeId, at: Instant, purpose: P) -> Option<TimerId> {
        if !self.nodes.contains_key(&owner) {
            return None;
        }
        let id = TimerId(self.mint());
        if let Some(node) = self.nodes.get_mut(&owner) {
            node.timers.insert(id);
        }
        self.timers.insert(id, Timer { at, owner, purpose });
        self.deadlines.insert((at, id));
        Some(id)
    }

    /// Takes a timer away before it is due.
    pub fn disarm(&mut self, id: TimerId) -> bool {
        self.take_timer(id).is_some()
    }

    fn take_timer(&mut self, id: TimerId) -> Option<P> {
        let timer = self.timers.remove(&id)?;
        self.deadlines.remove(&(timer.at, id));
        if let Some(node) = self.nodes.get_mut(&timer.owner) {
            node.timers.remove(&id);
        }
        Some(timer.purpose)
    }

    /// Takes away every timer whose purpose `matches`.
    pub fn disarm_all(&mut self, matches: impl Fn(&P) -> bool) {
        let ids: Vec<TimerId> = self
            .timers
            .iter()
            .filter(|(_, timer)| matches(&timer.purpose))
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.disarm(id);
        }
    }

    /// Takes the earliest timer that is due at `now`.
    pub fn take_due(&mut self, now: Instant) -> Option<(TimerId, P)> {
        let (at, id) = *self.deadlines.first()?;
        if at > now {
            return None;
        }
        self.take_timer(id).map(|purpose| (id, purpose))
    }

    /// When the next timer is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// The armed timers and their purposes, earliest first.
    pub fn timers(&self) -> impl Iterator<Item = (Instant, P)> + '_ {
        self.deadlines
            .iter()
            .filter_map(|(at, id)| self.timers.get(id).map(|timer| (*at, timer.purpose)))
    }

    /// Releases `node` and all below it.
    pub fn release(&mut self, node: NodeId) -> Released {
        let mut released = Released::default();
        let mut stack = vec![node];
        while let Some(id) = stack.pop() {
            let Some(node) = self.nodes.remove(&id) else {
                continue;
            };
            if let Some(parent) = node.parent.and_then(|parent| self.nodes.get_mut(&parent)) {
                parent.children.remove(&id);
            }
            stack.extend(node.children);
            for timer in node.timers {
                if let Some(gone) = self.timers.remove(&timer) {
                    self.deadlines.remove(&(gone.at, timer));
                }
                released.timers.push(timer);
            }
            for session in node.sessions {
                self.sessions.remove(&session);
                released.sessions.push(session);
            }
        }
        released
    }

    /// Whether nothing is owned by anyone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.sessions.is_empty() && self.timers.is_empty()
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn release_cascades_once() {
        let mut tracker = ResourceTracker::default();
        let root = tracker.open(None).expect("root");
        let mission = tracker.open(Some(root)).expect("mission");
        let task = tracker.open(Some(mission)).expect("task");
        assert!(tracker.own_session(task, "ses_1".into()));
        let late = tracker.arm(mission, Instant(9), 'm').expect("timer");
        let early = tracker.arm(task, Instant(5), 't').expect("timer");
        assert_eq!(tracker.next_deadline(), Some(Instant(5)));

        let released = tracker.release(mission);
        assert_eq!(released.sessions, vec![SessionId::from("ses_1")]);
        assert_eq!(released.timers, vec![late, early]);
        assert_eq!(tracker.release(mission), Released::default());
        assert_eq!(tracker.release(task), Released::default());
        assert_eq!(tracker.open(Some(task)), None);
        assert_eq!(tracker.arm(task, Instant(1), 'x'), None);
        assert!(!tracker.own_session(task, "ses_2".into()));
        assert!(!tracker.is_empty());
        tracker.release(root);
        assert!(tracker.is_empty());
    }

    #[test]
    fn timers_come_due_in_order_and_once() {
        let mut tracker = ResourceTracker::default();
        let root = tracker.open(None).expect("root");
        tracker.arm(root, Instant(20), 'b');
        tracker.arm(root, Instant(10), 'a');
        let gone = tracker.arm(root, Instant(15), 'x').expect("timer");
        assert!(tracker.disarm(gone));
        assert!(!tracker.disarm(gone));
        assert_eq!(tracker.take_due(Instant(9)), None);
        assert_eq!(tracker.take_due(Instant(30)).map(|(_, p)| p), Some('a'));
        assert_eq!(tracker.take_due(Instant(30)).map(|(_, p)| p), Some('b'));
        assert_eq!(tracker.take_due(Instant(30)), None);
    }

    proptest! {
        #[test]
        fn whatever_is_done_releasing_the_root_empties_the_tree(ops in prop::collection::vec((0u8..5, 0usize..8, 0u64..100), 0..60)) {
            let mut tracker = ResourceTracker::default();
            let root = tracker.open(None).expect("root");
            let mut nodes = vec![root];
            for (op, pick, at) in ops {
                let node = nodes[pick % nodes.len()];
                match op {
                    0 => nodes.extend(tracker.open(Some(node))),
                    1 => { tracker.own_session(node, SessionId(format!("s{at}"))); }
                    2 => { tracker.arm(node, Instant(at), ()); }
                    3 => { tracker.take_due(Instant(at)); }
                    _ if node != root => { tracker.release(node); }
                    _ => {}
                }
            }
            tracker.release(root);
            prop_assert!(tracker.is_empty());
        }
    }
}
