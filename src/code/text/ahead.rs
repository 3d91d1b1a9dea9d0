//! Files that the scout opens before they are read, for half of what it takes to read a short file is to open and to close
//! it. The walk is so far ahead of the search then; the order in which files are searched stays the same.

use super::super::files::{Files, NamesIn};
use super::super::limits::{AHEAD_AFTER, AHEAD_CALL, AHEAD_FILES};
use super::super::walk::Found;
use super::super::walk::tree::Tree;
use std::collections::VecDeque;

/// A file, and its number among those that the scout was told of.
pub type Turn = (Found, Option<u32>);

/// Files between the walk and the search.
#[derive(Default)]
pub struct Ahead {
    /// The scout is there.
    is_on: bool,
    /// Files that were to be read so far, and those of them that the scout was told of.
    read: usize,
    told: u32,
    /// Not told yet, being opened, and ready.
    next: Vec<Found>,
    opening: Vec<Turn>,
    ready: VecDeque<Turn>,
}

impl Ahead {
    /// A file is to be read; whether it waits for those before it. The scout is called where there are many.
    pub fn takes(&mut self, files: &impl Files) -> bool {
        self.read += 1;
        if !self.is_on
            && self.read.is_multiple_of(AHEAD_AFTER)
            && let Some(scout) = files.scout()
        {
            self.is_on = scout.is_there();
            if !self.is_on && self.read >= AHEAD_CALL {
                scout.call();
            }
        }
        self.is_on
    }

    pub fn add(&mut self, tree: &Tree, files: &impl Files, at: Found) {
        self.next.push(at);
        if self.next.len() >= AHEAD_FILES {
            self.tell(tree, files);
        }
    }

    /// All that wait are ready, and this file after them.
    pub fn end(&mut self, last: Option<Found>) {
        self.ready.extend(self.opening.drain(..));
        let untold = self.next.drain(..).chain(last);
        self.ready.extend(untold.map(|at| (at, None)));
    }

    /// The next file to be searched.
    pub fn take(&mut self) -> Option<Turn> {
        self.ready.pop_front()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.opening.is_empty() && self.next.is_empty()
    }

    fn tell(&mut self, tree: &Tree, files: &impl Files) {
        let mut asked: Vec<NamesIn> = Vec::new();
        for at in &self.next {
            let folder = tree.folder(at.folder);
            let name = &*folder.nodes[at.place].name;
            match asked.last_mut() {
                Some((path, names)) if *path == folder.path => names.push(name),
                _ => asked.push((&folder.path, vec![name])),
            }
        }
        let is_told = files
            .scout()
            .is_some_and(|scout| scout.open(self.told, &asked));
        self.ready.extend(self.opening.drain(..));
        let first = self.told;
        let number = |(at, n)| (at, is_told.then_some(first + n));
        self.opening
            .extend(self.next.drain(..).zip(0..).map(number));
        if is_told {
            self.told += AHEAD_FILES as u32;
        }
    }
}
