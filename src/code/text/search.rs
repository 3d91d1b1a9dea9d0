//! The search itself, in steps.

use super::super::cache::columns::{Candidates, Slot};
use super::super::cache::sections::Span;
use super::super::cache::{Facts, Text};
use super::super::files::{Files, Kind};
use super::super::limits::{SCOUT_FILE_BYTES, SCOUT_WAIT_MS, STEP_BYTES, STEP_FILES};
use super::super::order::sort_by;
use super::super::service::{Job, Step, World};
use super::super::walk::path::resolve;
use super::super::walk::tree::{Node, Tree};
use super::super::walk::{Found, Share, Unreadable, Walk};
use super::ahead::Ahead;
use super::handing::Handing;
use super::parcels::Item;
use super::query::{Mode, Query};
use super::scan::Scan;

/// A search under way.
pub struct Search {
    scan: Scan,
    walk: Walk,
    /// The walk came to its end.
    is_walked: bool,
    /// After the walk's end, enough was found by a file that had waited; there may be more in those after it.
    is_stopped: bool,
    /// What is known to rule files out.
    index: Index,
    ahead: Ahead,
    handing: Handing,
    whole: bool,
}

impl Search {
    /// A search with these arguments.
    ///
    /// # Errors
    /// With what is wrong, in words for the model.
    pub fn new<F: Files>(
        world: &mut World<F>,
        args: &str,
        share: Share,
        whole: bool,
    ) -> Result<Self, String> {
        let query = Query::parse(args)?;
        let scan = Scan::new(query, &world.tree.cache.memory)?;
        let query = &scan.query;
        let globs = world.tree.globs(&query.globs, false)?;
        let place = resolve(&world.files, query.path.as_deref())?;
        let walk = Walk::new(&mut world.tree, &world.files, &place, globs, share);
        let index = Index {
            candidates: world.tree.columns.candidates(scan.pattern.need.clone()),
            goes_by_line: scan.goes_by_line(),
            counts: query.mode == Mode::Count,
        };
        let handing = Handing::new(args, &scan, &world.tree);
        Ok(Self {
            scan,
            walk,
            is_walked: false,
            is_stopped: false,
            index,
            ahead: Ahead::default(),
            handing,
            whole,
        })
    }

    /// The walk came to a file: it is searched now, or after those before it. How many bytes were searched.
    fn come_to<F: Files>(&mut self, world: &mut World<F>, at: Found) -> usize {
        let World { tree, files, .. } = world;
        // what is known may be handed over
        let is_new = tree.node(at.folder, at.place).facts.is_none();
        if is_new && self.ahead.takes(files) {
            self.ahead.add(tree, files, at);
        } else if self.ahead.is_empty() {
            return self.file(world, at, None);
        } else {
            self.ahead.end(Some(at));
        }
        0
    }

    /// Searches one file, or hands it to the scout, which may have opened it under this number. How many bytes were
    /// searched.
    fn file<F: Files>(&mut self, world: &mut World<F>, at: Found, number: Option<u32>) -> usize {
        let World { tree, files, .. } = world;
        tree.want(at.folder, at.place);
        let index = &self.index;
        let is_of_use = index.is_of_use(tree, tree.node(at.folder, at.place));
        if is_of_use && !tree.is_checked(at.folder, at.place) {
            let wanted = |tree: &Tree, node: &Node| index.is_of_use(tree, node);
            self.walk.check(tree, files, at, wanted);
        }
        if !self.handing.is_wanted(files) {
            return self.file_here(world, at, number);
        }
        let is_scouts = tree.is_scouts(at.folder) || !tree.node(at.folder, at.place).has_contents();
        match is_scouts.then(|| index.item(tree, at)).flatten() {
            Some(item) => self.hand(world, at, &item),
            None if index.counts => self.handing.put_off(at, is_scouts),
            None => return self.file_here(world, at, number),
        }
        0
    }

    /// Searches one file; what is known of it holds, if it is of use. How many bytes that were.
    fn file_here<F: Files>(
        &mut self,
        world: &mut World<F>,
        at: Found,
        number: Option<u32>,
    ) -> usize {
        self.scan.part.searched += 1;
        let World {
            tree,
            files,
            buffer,
            ..
        } = world;
        let (index, scan) = (&self.index, &mut self.scan);
        let node = tree.node(at.folder, at.place);
        let may_match = index.may_match(tree, node.slot, Some(node));
        let path = || tree.path_of(at.folder, at.place);
        let facts = node.facts.as_deref();
        let size = facts.map(|facts| facts.stat.size as usize);
        let known = facts.filter(|_| index.is_of_use(tree, node));
        let bytes = match known {
            // what is read now is true whatever was known
            None => scan.read(files, buffer, &path(), number),
            Some(facts) if facts.contents.is_none() && may_match && index.goes_by_piece(node) => {
                let path = path();
                let spans = index.spans(facts);
                let done = scan.in_pieces(files, buffer, &path, &facts.stat, spans);
                match done {
                    Some(0) => return 0,
                    Some(bytes) => bytes,
                    None => scan.read(files, buffer, &path, None),
                }
            }
            Some(facts) => {
                if let Text::Binary = facts.text {
                    scan.part.skipped.binary += 1;
                } else if let Some(contents) = facts.contents.as_ref().filter(|_| may_match) {
                    let bytes = scan.known(&path(), contents, &facts.text, index.spans(facts));
                    self.handing.spend(bytes);
                    return bytes;
                }
                return 0;
            }
        };
        // what is not known is not handed over: no scout is wanted for it
        if let Some(size) = size {
            self.handing.spend_read(bytes.min(size));
        }
        bytes
    }

    /// Hands a file to the scout; if there is much under way already, something of that is done here.
    fn hand<F: Files>(&mut self, world: &mut World<F>, at: Found, item: &Item) {
        if !self.handing.add(&world.files, at, item) || self.index.counts {
            return;
        }
        self.receive(world, 0);
        if self.handing.is_ahead()
            && let Some(parcel) = self.handing.take_back(&world.files)
        {
            self.files_here(world, parcel);
        }
    }

    /// Searches files that were to be handed over.
    fn files_here<F: Files>(&mut self, world: &mut World<F>, parcel: Vec<Found>) -> usize {
        let files = parcel.into_iter();
        files.map(|at| self.file_here(world, at, None)).sum()
    }

    /// Takes in what the scout answered.
    fn receive<F: Files>(&mut self, world: &mut World<F>, wait_ms: u32) {
        while let Some((part, undone)) = self.handing.receive(&world.files, wait_ms) {
            self.scan.join(part);
            self.files_here(world, undone);
        }
    }

    /// Gets what was handed over done, by whomever. Whether all of it is.
    fn get_done<F: Files>(&mut self, world: &mut World<F>) -> bool {
        let mut bytes = 0;
        while bytes < STEP_BYTES {
            let item = |at| self.index.item(&world.tree, at);
            self.handing.hand_more(&world.files, item);
            let Some(parcel) = self.handing.take_next(&world.files) else {
                self.receive(world, SCOUT_WAIT_MS);
                return self.handing.is_done();
            };
            bytes += self.files_here(world, parcel);
        }
        false
    }
}

/// Says of files that a pattern can't match in them.
struct Index {
    candidates: Candidates,
    /// Lines are looked for without what is around them.
    goes_by_line: bool,
    /// All that is wanted is how many there are.
    counts: bool,
}

impl Index {
    /// Whether what is known of a file is of use, if it holds.
    fn is_of_use(&self, tree: &Tree, node: &Node) -> bool {
        self.spares_reading(tree, node) || self.goes_by_piece(node)
    }

    /// Whether a file without contents is read in pieces, if what is known of it holds: it has no NUL.
    fn goes_by_piece(&self, node: &Node) -> bool {
        let has_sections = || {
            let facts = node.facts.as_deref();
            facts.is_some_and(|facts| facts.text.sections().is_some())
        };
        self.goes_by_line && node.is_indexed() && (self.counts || has_sections())
    }

    /// Where in a long text its lines may be.
    fn spans(&self, facts: &Facts) -> Option<Vec<Span>> {
        let sections = facts.text.sections().filter(|_| self.goes_by_line)?;
        Some(sections.spans(&self.candidates.need))
    }

    /// The file for the scout, if it is one for it. What is known of it holds, if it is of use.
    fn item(&self, tree: &Tree, at: Found) -> Option<Item> {
        let node = tree.node(at.folder, at.place);
        let facts = node.facts.as_deref().filter(|_| node.is_indexed())?;
        let is_known = tree.is_checked(at.folder, at.place);
        if is_known && !self.may_match(tree, node.slot, Some(node)) {
            return None;
        }
        let spans = is_known.then(|| self.spans(facts)).flatten();
        let is_long = spans.is_none() && facts.stat.size > SCOUT_FILE_BYTES as u64;
        if is_long || spans.as_ref().is_some_and(Vec::is_empty) {
            return None;
        }
        Some(Item {
            path: tree.path_of(at.folder, at.place),
            stat: facts.stat,
            is_known,
            is_proof: is_known && facts.is_proof,
            spans,
        })
    }

    /// Whether what is known of a file spares its reading, if it holds.
    fn spares_reading(&self, tree: &Tree, node: &Node) -> bool {
        !self.may_match(tree, node.slot, Some(node)) || node.has_contents()
    }

    /// Whether it may, if what is known of it holds.
    fn may_match(&self, tree: &Tree, slot: Slot, node: Option<&Node>) -> bool {
        if slot == Slot::BINARY {
            return false;
        }
        if slot.is_column() {
            return self.candidates.has(&tree.columns, slot);
        }
        let facts = node.and_then(|node| node.facts.as_deref());
        match facts.map(|facts| &facts.text) {
            Some(Text::Indexed(grams, _)) => self.candidates.need.is_met(grams),
            Some(Text::Binary) => false,
            Some(Text::InColumns | Text::Unknown) | None => true,
        }
    }
}

impl<F: Files> Job<F> for Search {
    fn step(&mut self, world: &mut World<F>) -> Step {
        let mut bytes = 0;
        for _ in 0..STEP_FILES {
            if self.scan.is_full() || bytes >= STEP_BYTES {
                break;
            }
            if let Some((found, number)) = self.ahead.take() {
                bytes += self.file(world, found, number);
                self.is_stopped = self.scan.is_full();
                continue;
            }
            if self.is_walked {
                break;
            }
            // where files wait, it is not yet the turn of those after them
            if self.ahead.is_empty() {
                let (index, part) = (&self.index, &mut self.scan.part);
                self.walk.pass(&world.tree, |slot, node| {
                    let is_passed = !index.may_match(&world.tree, slot, node);
                    part.searched += u64::from(is_passed);
                    part.skipped.binary += u64::from(is_passed && slot == Slot::BINARY);
                    is_passed
                });
                if self.scan.is_full() {
                    break;
                }
            }
            let index = &self.index;
            let wanted = |tree: &Tree, node: &Node| index.is_of_use(tree, node);
            match self.walk.next(&mut world.tree, &world.files, wanted) {
                Some(found) if world.tree.node(found.folder, found.place).kind == Kind::File => {
                    bytes += self.come_to(world, found);
                }
                Some(_) => {}
                None => {
                    self.is_walked = true;
                    self.ahead.end(None);
                }
            }
        }
        let is_over = self.is_walked && self.ahead.is_empty() || self.scan.is_full();
        let is_done = is_over && self.get_done(world);
        if let Some(message) = self.scan.pattern.failure() {
            return Step::Done(Err(message.clone()));
        }
        if !is_done {
            return Step::More;
        }
        let mut part = self.scan.finish();
        part.stopped = self.is_stopped || !self.is_walked;
        if self.handing.has_handed() && !self.index.counts {
            part.sort();
        }
        let unreadable = std::mem::take(&mut self.walk.unreadable);
        part.skipped.unreadable.join(unreadable);
        Step::Done(Ok(if self.whole {
            super::report::show(&self.scan.query, vec![part])
        } else {
            part.to_text()
        }))
    }
}

impl Unreadable {
    /// Adds another's.
    pub fn join(&mut self, other: Self) {
        self.count += other.count;
        self.names.extend(other.names);
        sort_by(&mut self.names, Ord::cmp);
        self.names.truncate(super::super::limits::SKIPPED_NAMES);
    }
}
