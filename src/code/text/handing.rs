//! What of a search is handed to the scout, and what has come back of it.

use super::super::files::{Files, Received};
use super::super::limits::{
    MAX_PARCELS, PARCEL_BYTES, PARCEL_FILES, PARCELS_AHEAD, SCOUT_FILE_BYTES, SCOUT_FIXED_BYTES,
    SCOUT_LATER, SCOUT_READ_BYTES, SCOUT_WANTED_BYTES,
};
use super::super::walk::Found;
use super::super::walk::tree::{FolderId, Tree};
use super::parcels::{Answer, Errand, FILLING, Item, Writer};
use super::query::Mode;
use super::report::Part;
use super::scan::Scan;

/// Whether the scout has a part in a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not yet: little was searched so far.
    Light,
    Helped,
    /// Not in this search.
    Alone,
}

/// The parcels of a search.
pub struct Handing {
    state: State,
    errand: Errand,
    /// What was searched here, and how much that has to be before the scout is wanted. Bytes.
    spent: usize,
    wanted: usize,
    /// Files for this thread, where all are searched in the end, for what is the scout's is handed over first: such as can't
    /// be the scout's, and others.
    own: Vec<Found>,
    later: Vec<Found>,
    /// The parcel that is being filled: the bytes of its files, and its own.
    open: Vec<Found>,
    bytes: usize,
    writer: Writer,
    /// Those that were sent: their files, or none when that is done.
    sent: Vec<Option<Vec<Found>>>,
    done: usize,
}

impl Handing {
    pub fn new(args: &str, scan: &Scan, tree: &Tree) -> Self {
        let can_help = tree.cache.memory.scout > 0 && !scan.is_large();
        let state = if can_help { State::Light } else { State::Alone };
        let mut handing = Self::of(args, tree, state);
        if scan.query.mode != Mode::Count {
            handing.wanted *= SCOUT_LATER;
        }
        handing
    }

    fn of(args: &str, tree: &Tree, state: State) -> Self {
        let memory = tree.cache.memory.scout;
        let errand = Errand {
            number: u64::from(tree.walks()),
            args: args.to_owned(),
            memory,
            contents: memory.saturating_sub(SCOUT_FIXED_BYTES),
        };
        Self {
            state,
            spent: 0,
            wanted: SCOUT_WANTED_BYTES,
            own: Vec::new(),
            later: Vec::new(),
            open: Vec::new(),
            bytes: 0,
            writer: Writer::new(&errand),
            errand,
            sent: Vec::new(),
            done: 0,
        }
    }

    /// A file was searched that needed no reading.
    pub fn spend(&mut self, bytes: usize) {
        self.spent += bytes;
    }

    /// A file was read and searched.
    pub fn spend_read(&mut self, bytes: usize) {
        self.spent += bytes + SCOUT_READ_BYTES;
    }

    /// Whether files are to be handed over from now on.
    pub fn is_wanted(&mut self, files: &impl Files) -> bool {
        if self.state == State::Light && self.spent >= self.wanted {
            self.state = match files.scout() {
                Some(scout) if scout.memory() > 0 => State::Helped,
                Some(scout) => {
                    scout.prepare();
                    State::Alone
                }
                None => State::Alone,
            };
        }
        self.state == State::Helped && self.sent.len() < MAX_PARCELS
    }

    /// Takes a file. Whether a parcel was sent.
    pub fn add(&mut self, files: &impl Files, at: Found, item: &Item) -> bool {
        self.writer.add(item);
        self.open.push(at);
        self.bytes += item.stat.size as usize;
        let is_full = self.open.len() >= PARCEL_FILES || self.bytes >= PARCEL_BYTES;
        if is_full {
            self.send(files);
        }
        is_full
    }

    fn send(&mut self, files: &impl Files) {
        if let Some(scout) = files.scout()
            && !self.open.is_empty()
        {
            scout.send(self.sent.len(), self.writer.as_bytes());
            self.sent.push(Some(std::mem::take(&mut self.open)));
            self.writer = Writer::new(&self.errand);
            self.bytes = 0;
        }
    }

    /// Hands over more where the scout has nothing left to do: of what is for this thread, with what `item` gives for it.
    pub fn hand_more(&mut self, files: &impl Files, item: impl Fn(Found) -> Option<Item>) {
        let has_begun = |sent| files.scout().is_some_and(|scout| scout.has_begun(sent));
        while self.state == State::Helped
            && self.later.len() > 2 * PARCEL_FILES
            && has_begun(self.sent.len())
        {
            let from = self.later.len() - PARCEL_FILES;
            for at in self.later.split_off(from) {
                if let Some(item) = item(at) {
                    // what is kept here is not kept there, too
                    let is_proof = false;
                    self.add(files, at, &Item { is_proof, ..item });
                } else {
                    self.own.push(at);
                }
            }
            self.send(files);
        }
    }

    /// More is under way than is of use where enough may be found soon.
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        self.sent.len() - self.done > PARCELS_AHEAD
    }

    /// Files of a parcel that nobody has begun.
    pub fn take_back(&mut self, files: &impl Files) -> Option<Vec<Found>> {
        let is_under_way = self.done < self.sent.len();
        let scout = files.scout().filter(|_| is_under_way);
        match scout.and_then(|scout| scout.take_back(self.sent.len())) {
            Some(index) => self.settle(index),
            None if self.open.is_empty() => None,
            None => Some(std::mem::take(&mut self.open)),
        }
    }

    /// What the scout found in a parcel, and the files that it left alone. Waits for it at most so many milliseconds.
    pub fn receive(&mut self, files: &impl Files, wait_ms: u32) -> Option<(Part, Vec<Found>)> {
        if self.is_done() {
            return None;
        }
        match files.scout()?.receive(wait_ms) {
            Received::Nothing => None,
            Received::Answer(index, text) => {
                let parcel = self.settle(index)?;
                let Some(answer) = Answer::from_text(&text) else {
                    return Some((Part::default(), parcel));
                };
                let undone = answer.undone.iter();
                let undone = undone.filter_map(|&place| parcel.get(place as usize).copied());
                Some((answer.part, undone.collect()))
            }
            Received::Lost => {
                self.state = State::Alone;
                self.done = self.sent.len();
                let parcels = self.sent.iter_mut().filter_map(Option::take);
                Some((Part::default(), parcels.flatten().collect()))
            }
        }
    }

    fn settle(&mut self, index: usize) -> Option<Vec<Found>> {
        let parcel = self.sent.get_mut(index).and_then(Option::take)?;
        self.done += 1;
        Some(parcel)
    }

    /// The file can wait; it is for this thread alone, or not.
    pub fn put_off(&mut self, at: Found, is_own: bool) {
        if is_own {
            self.own.push(at);
        } else {
            self.later.push(at);
        }
    }

    /// Files to be searched here: the next few.
    pub fn take_next(&mut self, files: &impl Files) -> Option<Vec<Found>> {
        for list in [&mut self.own, &mut self.later] {
            if !list.is_empty() {
                let from = list.len().saturating_sub(PARCEL_FILES);
                return Some(list.split_off(from));
            }
        }
        self.take_back(files)
    }

    /// Nothing is under way.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let is_empty = [&self.own, &self.later, &self.open].map(Vec::is_empty);
        is_empty == [true; 3] && self.done == self.sent.len()
    }

    /// Whether any parcel was sent: what was found is in another order then.
    #[must_use]
    pub fn has_handed(&self) -> bool {
        !self.sent.is_empty()
    }
}

/// Has the scout read files of its own before a search needs them, as many as it can keep. Nobody waits for that.
pub fn fill(tree: &Tree, files: &impl Files) {
    let Some(scout) = files.scout() else { return };
    scout.call();
    let mut handing = Handing::of(FILLING, tree, State::Helped);
    let mut left = handing.errand.contents;
    for folder in 0..tree.folder_count() as FolderId {
        if !tree.is_scouts(folder) {
            continue;
        }
        for (place, node) in tree.folder(folder).nodes.iter().enumerate() {
            let facts = node.facts.as_deref().filter(|_| node.is_indexed());
            let Some(stat) = facts.filter(|facts| facts.is_proof).map(|facts| facts.stat) else {
                continue;
            };
            let bytes = stat.size as usize;
            if node.has_contents() || bytes > SCOUT_FILE_BYTES {
                continue;
            }
            let Some(rest) = left.checked_sub(bytes) else {
                return handing.send(files);
            };
            left = rest;
            let item = Item {
                path: tree.path_of(folder, place),
                stat,
                is_known: true,
                is_proof: true,
                spans: None,
            };
            handing.add(files, Found { folder, place }, &item);
        }
    }
    handing.send(files);
}
