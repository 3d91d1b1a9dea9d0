//! Sorting by one function for all kinds of things: the standard library's is some 6 kB of code for each kind.

use std::cmp::Ordering;

/// Sorts a list; what is equal stays in its order.
pub fn sort_by<T>(list: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let places = sorted(list.len(), &|a, b| compare(&list[a], &list[b]));
    let mut from: Vec<Option<T>> = list.drain(..).map(Some).collect();
    list.extend(
        places
            .into_iter()
            .filter_map(|place| from[place as usize].take()),
    );
}

/// The places of so many things, in their order.
#[inline(never)]
fn sorted(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<u32> {
    let mut places: Vec<u32> = (0..count as u32).collect();
    places.sort_unstable_by(|&a, &b| compare(a as usize, b as usize).then(a.cmp(&b)));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_things_stay_in_their_order() {
        let mut list: Vec<(i32, i32)> = (0..200).map(|i| (i * 7 % 5, i)).collect();
        let mut wanted = list.clone();
        wanted.sort_by_key(|(key, _)| *key);
        sort_by(&mut list, |a, b| a.0.cmp(&b.0));
        assert_eq!(list, wanted);
        sort_by(&mut Vec::<i32>::new(), Ord::cmp);
    }
}
