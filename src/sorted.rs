//! A map and a set that keep their entries in order, in short vectors.
//!
//! Most of ours have some ten entries, a few have one for each task. The standard library's trees would be a third of the
//! module, which a host compiles whole before the first event: 0.3 MB, for 35 kinds of entries.

#![allow(
    clippy::must_use_candidate,
    reason = "they are the standard library's methods"
)]

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::borrow::Borrow;
use std::fmt;
use std::iter::{Flatten, Map};
use std::marker::PhantomData;
use std::ops::{Index, RangeFrom};
use std::slice;

/// Entries of a vector; one more and it is cut in two.
const RUN: usize = 32;

/// Values by key. As `BTreeMap`, to callers and in JSON. The entries are in order over vectors of which none is empty: a key
/// is found by two bisections, and an insertion moves a vector's rest at most.
#[derive(Clone)]
pub struct SortedMap<K, V>(Vec<Vec<(K, V)>>);

/// A vector, and an entry of it.
type Place = (usize, usize);

/// As `BTreeSet`.
#[derive(Clone, PartialEq)]
pub struct SortedSet<T>(SortedMap<T, ()>);

impl<K, V> SortedMap<K, V> {
    /// An empty one.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn iter(&self) -> Iter<'_, K, V> {
        self.into_iter()
    }

    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + Clone {
        self.iter().map(|(key, _)| key)
    }

    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + Clone {
        self.iter().map(|(_, value)| value)
    }

    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (&K, &mut V)> {
        let all = self.0.iter_mut().flatten();
        all.map(|(key, value)| (&*key, value))
    }

    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.iter_mut().map(|(_, value)| value)
    }

    /// The entry of the smallest key.
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    /// Takes the entry of the smallest key out.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        (!self.is_empty()).then(|| self.take((0, 0)))
    }

    /// Keeps the entries of which `keeps` is true.
    pub fn retain(&mut self, mut keeps: impl FnMut(&K, &mut V) -> bool) {
        for run in &mut self.0 {
            run.retain_mut(|(key, value)| keeps(key, value));
        }
        self.0.retain(|run| !run.is_empty());
    }

    fn take(&mut self, (run, at): Place) -> (K, V) {
        let entry = self.0[run].remove(at);
        if self.0[run].is_empty() {
            self.0.remove(run);
        }
        entry
    }

    /// Puts an entry where its key belongs; gives where it is now.
    fn put(&mut self, (run, at): Place, entry: (K, V)) -> Place {
        let Some(entries) = self.0.get_mut(run) else {
            self.0.push(vec![entry]);
            return (run, 0);
        };
        if entries.len() < RUN {
            entries.insert(at, entry);
            return (run, at);
        }
        // keys that count upwards leave full vectors behind
        let cut = if at == RUN { RUN } else { RUN / 2 };
        let rest = entries.split_off(cut);
        self.0.insert(run + 1, rest);
        let place = if at < cut {
            (run, at)
        } else {
            (run + 1, at - cut)
        };
        self.0[place.0].insert(place.1, entry);
        place
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    /// Where the key is, or would be.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<Place, Place>
    where
        K: Borrow<Q>,
    {
        let is_before = |run: &Vec<(K, V)>| run.last().is_some_and(|(last, _)| last.borrow() < key);
        let run = self.0.partition_point(is_before);
        match (self.0.get(run), self.0.last()) {
            (Some(entries), _) => entries
                .binary_search_by(|(other, _)| other.borrow().cmp(key))
                .map(|at| (run, at))
                .map_err(|at| (run, at)),
            (None, Some(last)) => Err((run - 1, last.len())),
            (None, None) => Err((0, 0)),
        }
    }

    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|(run, at)| &self.0[run][at].1)
    }

    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|(run, at)| &mut self.0[run][at].1)
    }

    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Gives the value that was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok((run, at)) => Some(std::mem::replace(&mut self.0[run][at].1, value)),
            Err(place) => {
                self.put(place, (key, value));
                None
            }
        }
    }

    /// Gives the value that was there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|place| self.take(place).1)
    }

    /// The entries from a key on.
    pub fn range(&self, keys: RangeFrom<K>) -> impl Iterator<Item = (&K, &V)> {
        let (Ok((run, at)) | Err((run, at))) = self.find(&keys.start);
        let entries = self.0[run..].iter().flatten().skip(at);
        entries.map(|(key, value)| (key, value))
    }

    /// The place of a key.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        let place = self.find(&key);
        Entry {
            map: self,
            key,
            place,
        }
    }
}

/// The place of a key, see [`SortedMap::entry`].
pub struct Entry<'a, K, V> {
    map: &'a mut SortedMap<K, V>,
    key: K,
    place: Result<Place, Place>,
}

impl<'a, K, V> Entry<'a, K, V> {
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'a mut V {
        let (run, at) = match self.place {
            Ok(place) => place,
            Err(place) => self.map.put(place, (self.key, make())),
        };
        &mut self.map.0[run][at].1
    }

    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }
}

impl<T> SortedSet<T> {
    /// An empty one.
    pub const fn new() -> Self {
        Self(SortedMap::new())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + Clone {
        self.0.keys()
    }

    pub fn first(&self) -> Option<&T> {
        self.iter().next()
    }

    pub fn pop_first(&mut self) -> Option<T> {
        self.0.pop_first().map(|(item, ())| item)
    }

    pub fn retain(&mut self, mut keeps: impl FnMut(&T) -> bool) {
        self.0.retain(|item, ()| keeps(item));
    }
}

impl<T: Ord> SortedSet<T> {
    pub fn contains<Q: Ord + ?Sized>(&self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.contains_key(item)
    }

    /// Whether it is new.
    pub fn insert(&mut self, item: T) -> bool {
        self.0.insert(item, ()).is_none()
    }

    /// Whether it was there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.remove(item).is_some()
    }
}

// ---- as the standard library's -----------------------------------------------------------------------------------

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Default for SortedSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SortedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for SortedSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<K: Ord + Borrow<Q>, Q: Ord + ?Sized, V> Index<&Q> for SortedMap<K, V> {
    type Output = V;

    /// # Panics
    /// When the key is not there.
    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("the key is there")
    }
}

impl<K: Ord, V> Extend<(K, V)> for SortedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<T: Ord> Extend<T> for SortedSet<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        self.0.extend(items.into_iter().map(|item| (item, ())));
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<T: Ord> FromIterator<T> for SortedSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut set = Self::new();
        set.extend(items);
        set
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for SortedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = Flatten<std::vec::IntoIter<Vec<(K, V)>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().flatten()
    }
}

impl<T> IntoIterator for SortedSet<T> {
    type Item = T;
    type IntoIter = Map<Flatten<std::vec::IntoIter<Vec<(T, ())>>>, fn((T, ())) -> T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|(item, ())| item)
    }
}

/// The entries of a map, in order. What a caller does with each is compiled once, and not for the first vector, those
/// between and the last, as with the standard library's `Flatten`.
pub struct Iter<'a, K, V> {
    front: slice::Iter<'a, (K, V)>,
    between: slice::Iter<'a, Vec<(K, V)>>,
    back: slice::Iter<'a, (K, V)>,
}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self {
            front: self.front.clone(),
            between: self.between.clone(),
            back: self.back.clone(),
        }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.front.next().or_else(|| {
            self.front = self
                .between
                .next()
                .map(|run| run.iter())
                .unwrap_or_default();
            self.front.next().or_else(|| self.back.next())
        });
        entry.map(|(key, value)| (key, value))
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let entry = self.back.next_back().or_else(|| {
            let last = self.between.next_back();
            self.back = last.map(|run| run.iter()).unwrap_or_default();
            self.back.next_back().or_else(|| self.front.next_back())
        });
        entry.map(|(key, value)| (key, value))
    }
}

impl<'a, K, V> IntoIterator for &'a SortedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        Iter {
            front: slice::Iter::default(),
            between: self.0.iter(),
            back: slice::Iter::default(),
        }
    }
}

impl<K: Serialize, V: Serialize> Serialize for SortedMap<K, V> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self)
    }
}

impl<T: Serialize> Serialize for SortedSet<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Deserialize<'de> for SortedMap<K, V> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entries<K, V>(PhantomData<(K, V)>);

        impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
            type Value = SortedMap<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut map = SortedMap::new();
                while let Some((key, value)) = entries.next_entry()? {
                    map.insert(key, value);
                }
                Ok(map)
            }
        }

        from.deserialize_map(Entries(PhantomData))
    }
}

impl<'de, T: Deserialize<'de> + Ord> Deserialize<'de> for SortedSet<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Vec::deserialize(from).map(|items| items.into_iter().collect())
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u8, u16),
        Remove(u8),
        Add(u8, u16),
        PopFirst,
        KeepOdd,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            50 => (any::<u8>(), any::<u16>()).prop_map(|(key, value)| Step::Insert(key, value)),
            12 => any::<u8>().prop_map(Step::Remove),
            12 => (any::<u8>(), 0..9_u16).prop_map(|(key, value)| Step::Add(key, value)),
            4 => Just(Step::PopFirst),
            1 => Just(Step::KeepOdd),
        ];
        prop::collection::vec(step, 0..400)
    }

    proptest! {
        #[test]
        fn does_what_the_standard_librarys_do(
            counted in 0..200_u8,
            steps in steps(),
            ends_taken in prop::collection::vec(any::<bool>(), 0..400),
        ) {
            let (mut map, mut tree) = (SortedMap::new(), BTreeMap::new());
            let (mut set, mut tree_set) = (SortedSet::new(), BTreeSet::new());
            let counted = (0..counted).map(|key| Step::Insert(key, 7));
            for step in counted.chain(steps) {
                match step {
                    Step::Insert(key, value) => {
                        prop_assert_eq!(map.insert(key, value), tree.insert(key, value));
                        prop_assert_eq!(set.insert(key), tree_set.insert(key));
                    }
                    Step::Remove(key) => {
                        prop_assert_eq!(map.remove(&key), tree.remove(&key));
                        prop_assert_eq!(set.remove(&key), tree_set.remove(&key));
                    }
                    Step::Add(key, value) => {
                        *map.entry(key).or_default() |= value;
                        *tree.entry(key).or_default() |= value;
                        prop_assert_eq!(map.get(&key), tree.get(&key));
                    }
                    Step::PopFirst => {
                        prop_assert_eq!(map.pop_first(), tree.pop_first());
                        prop_assert_eq!(set.pop_first(), tree_set.pop_first());
                    }
                    Step::KeepOdd => {
                        map.retain(|_, value| *value % 2 == 1);
                        tree.retain(|_, value| *value % 2 == 1);
                        set.retain(|item| item % 2 == 1);
                        tree_set.retain(|item| item % 2 == 1);
                    }
                }
                prop_assert!(map.iter().eq(tree.iter()));
                prop_assert!(set.iter().eq(tree_set.iter()));
                prop_assert!(map.iter().rev().eq(tree.iter().rev()));
                prop_assert!(map.range(9..).eq(tree.range(9..)));
                prop_assert_eq!(map.first_key_value(), tree.first_key_value());
            }
            let (mut ends, mut tree_ends) = (map.iter(), tree.iter());
            for from_front in ends_taken {
                let (one, other) = if from_front {
                    (ends.next(), tree_ends.next())
                } else {
                    (ends.next_back(), tree_ends.next_back())
                };
                prop_assert_eq!(one, other);
            }
            let text = serde_json::to_string(&(&map, &set)).expect("JSON");
            prop_assert_eq!(&text, &serde_json::to_string(&(&tree, &tree_set)).expect("JSON"));
            let read: (SortedMap<u8, u16>, SortedSet<u8>) = serde_json::from_str(&text).expect("itself");
            prop_assert_eq!(read, (map, set));
        }
    }
}
