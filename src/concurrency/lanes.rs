//! The waiters: one FIFO lane for each key, agent and priority, and an index of the lanes by their oldest waiter.

use super::controller::Ticket;
use crate::sorted::SortedMap;

/// Who waits together: those that the same limits let go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    pub foreground: bool,
    pub key: String,
    pub agent: String,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Lanes {
    /// Counts arrivals; the order between lanes.
    arrivals: u64,
    queues: SortedMap<Lane, SortedMap<u64, Ticket>>,
    /// The lanes by the arrival of their oldest waiter.
    foreground: SortedMap<u64, Lane>,
    background: SortedMap<u64, Lane>,
    places: SortedMap<Ticket, (Lane, u64)>,
}

impl Lanes {
    /// Puts `ticket` at the end of its lane.
    pub fn push(&mut self, lane: Lane, ticket: Ticket) {
        self.arrivals += 1;
        let arrival = self.arrivals;
        let queue = self.queues.entry(lane.clone()).or_default();
        if queue.is_empty() {
            let heads = if lane.foreground {
                &mut self.foreground
            } else {
                &mut self.background
            };
            heads.insert(arrival, lane.clone());
        }
        queue.insert(arrival, ticket);
        self.places.insert(ticket, (lane, arrival));
    }

    /// Takes `ticket` out, wherever it stands.
    pub fn remove(&mut self, ticket: Ticket) -> Option<Lane> {
        let (lane, arrival) = self.places.remove(&ticket)?;
        let heads = if lane.foreground {
            &mut self.foreground
        } else {
            &mut self.background
        };
        if let Some(queue) = self.queues.get_mut(&lane) {
            queue.remove(&arrival);
            let next = queue.first_key_value().map(|(arrival, _)| *arrival);
            if next.is_none() {
                self.queues.remove(&lane);
            }
            if heads.remove(&arrival).is_some()
                && let Some(next) = next
            {
                heads.insert(next, lane.clone());
            }
        }
        Some(lane)
    }

    /// The lanes of one priority that somebody waits in, the longest wait first.
    pub fn by_age(&self, foreground: bool) -> impl Iterator<Item = &Lane> {
        if foreground {
            self.foreground.values()
        } else {
            self.background.values()
        }
    }

    /// The oldest waiter of `lane`.
    pub fn head(&self, lane: &Lane) -> Option<Ticket> {
        self.queues
            .get(lane)
            .and_then(|queue| queue.first_key_value())
            .map(|(_, ticket)| *ticket)
    }

    pub fn contains(&self, ticket: Ticket) -> bool {
        self.places.contains_key(&ticket)
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub fn has_background(&self) -> bool {
        !self.background.is_empty()
    }
}
