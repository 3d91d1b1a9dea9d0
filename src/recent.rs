//! The newest few ids of a kind: tells an event that comes twice from a new one.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// At most `N` ids, the newest last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Recent<T, const N: usize>(VecDeque<T>);

impl<T, const N: usize> Default for Recent<T, N> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Clone + PartialEq, const N: usize> Recent<T, N> {
    /// Whether the id is among the newest.
    pub fn contains(&self, id: &T) -> bool {
        self.0.contains(id)
    }

    /// The ids, the newest last.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }

    /// Takes note of an id; true when it is not among the newest.
    pub fn is_new(&mut self, id: &T) -> bool {
        if self.0.contains(id) {
            return false;
        }
        if self.0.len() >= N {
            self.0.pop_front();
        }
        self.0.push_back(id.clone());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_while_it_is_remembered() {
        let mut recent = Recent::<u32, 2>::default();
        assert!(recent.is_new(&1));
        assert!(!recent.is_new(&1));
        assert!(recent.is_new(&2));
        assert!(recent.is_new(&3));
        assert!(recent.is_new(&1), "forgotten");
        assert!(!recent.is_new(&3));
    }
}
