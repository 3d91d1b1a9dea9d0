//! Who owns which session and which timer: a tree whose release is a cascade.
//!
//! A node is a mission, a phase of it, or a task. Releasing a node releases everything below it, once; releasing it
//! again is a no-op. Timers are data here: the host owns one alarm, set to [`ResourceTracker::next_deadline`].

use crate::flat::FlatMap;
use crate::id::{SessionId, TimerId};
use crate::time::Instant;
use serde::{Deserialize, Serialize};

/// An owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(u32);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Timer<P> {
    id: TimerId,
    at: Instant,
    owner: NodeId,
    purpose: P,
}

/// The ownership tree. `P` says what a timer is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceTracker<P> {
    next: u32,
    parents: FlatMap<NodeId, Option<NodeId>>,
    sessions: FlatMap<SessionId, NodeId>,
    /// Earliest first; of two at the same time, the one armed first.
    timers: Vec<Timer<P>>,
}

impl<P> Default for ResourceTracker<P> {
    fn default() -> Self {
        Self {
            next: 0,
            parents: FlatMap::new(),
            sessions: FlatMap::new(),
            timers: Vec::new(),
        }
    }
}

/// What a release gave back, in order of creation. The sessions are for the caller to delete.
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
            && !self.parents.contains_key(&parent)
        {
            return None;
        }
        let node = NodeId(self.mint());
        self.parents.insert(node, parent);
        Some(node)
    }

    /// Gives `owner` a session. False when the owner was released already: the caller must release the session itself.
    pub fn own_session(&mut self, owner: NodeId, session: SessionId) -> bool {
        if !self.parents.contains_key(&owner) {
            return false;
        }
        self.sessions.insert(session, owner);
        true
    }

    /// The session is gone or given away.
    pub fn forget_session(&mut self, session: &SessionId) -> bool {
        self.sessions.remove(session).is_some()
    }

    /// Arms a timer of `owner`. `None` when the owner was released already.
    pub fn arm(&mut self, owner: NodeId, at: Instant, purpose: P) -> Option<TimerId> {
        if !self.parents.contains_key(&owner) {
            return None;
        }
        let id = TimerId(self.mint());
        let place = self.timers.partition_point(|timer| timer.at <= at);
        let timer = Timer {
            id,
            at,
            owner,
            purpose,
        };
        self.timers.insert(place, timer);
        Some(id)
    }

    /// Takes a timer away before it is due.
    pub fn disarm(&mut self, id: TimerId) -> bool {
        let armed = self.timers.len();
        self.timers.retain(|timer| timer.id != id);
        self.timers.len() < armed
    }

    /// Takes away every timer whose purpose `matches`.
    pub fn disarm_all(&mut self, matches: impl Fn(&P) -> bool) {
        self.timers.retain(|timer| !matches(&timer.purpose));
    }

    /// Takes the earliest timer that is due at `now`.
    pub fn take_due(&mut self, now: Instant) -> Option<(TimerId, P)> {
        if self.next_deadline()? > now {
            return None;
        }
        let timer = self.timers.remove(0);
        Some((timer.id, timer.purpose))
    }

    /// When the next timer is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.first().map(|timer| timer.at)
    }

    /// The armed timers and their purposes, earliest first.
    pub fn timers(&self) -> impl Iterator<Item = (Instant, P)> + '_ {
        self.timers.iter().map(|timer| (timer.at, timer.purpose))
    }

    /// Releases `node` and all below it.
    pub fn release(&mut self, node: NodeId) -> Released {
        let mut released = Released::default();
        let mut gone = Vec::new();
        if self.parents.remove(&node).is_some() {
            gone.push(node);
        }
        // a node is made after its parent, so one pass in the order of creation finds all that are below
        self.parents.retain(|node, parent| {
            let keep = parent.is_none_or(|parent| !gone.contains(&parent));
            if !keep {
                gone.push(*node);
            }
            keep
        });
        self.sessions.retain(|session, owner| {
            let keep = !gone.contains(owner);
            if !keep {
                released.sessions.push(session.clone());
            }
            keep
        });
        self.timers.retain(|timer| {
            let keep = !gone.contains(&timer.owner);
            if !keep {
                let place = released.timers.partition_point(|id| *id < timer.id);
                released.timers.insert(place, timer.id);
            }
            keep
        });
        released
    }

    /// Whether nothing is owned by anyone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty() && self.sessions.is_empty() && self.timers.is_empty()
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
