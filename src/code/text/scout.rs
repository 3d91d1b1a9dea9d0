//! The scout's side of a search: it searches the files of parcels, and keeps their contents.
//!
//! What it keeps it needs not compare with the files: a file's contents are read after the searching thread made sure of its
//! stat, and used only when that thread has made sure of the same stat again. Any change in between would have given it
//! another one.

use super::super::cache::Text;
use super::super::cache::sections::Span;
use super::super::files::{Files, Stat, read_whole};
use super::super::limits::{Memory, SCOUT_FILE_BYTES, SCOUT_FORGETS};
use super::parcels::{Answer, Errand, FILLING, Item, read};
use super::query::{Mode, Query};
use super::rank::rank;
use super::scan::Scan;
use std::collections::HashMap;

/// A scout: it knows nothing of the tree.
#[derive(Default)]
pub struct Scout {
    scan: Option<(Errand, Scan)>,
    kept: Contents,
    buffer: Vec<u8>,
}

impl Scout {
    /// Searches a parcel's files. None where it can't.
    pub fn search(&mut self, files: &impl Files, parcel: &[u8]) -> Option<String> {
        let (errand, items) = read(parcel)?;
        if errand.args == FILLING {
            self.kept.begin(&errand);
            for item in &items {
                self.fill(files, item);
            }
            return Some(String::new());
        }
        let mut scan = match self.scan.take() {
            Some((last, scan)) if last == errand => scan,
            _ => {
                self.kept.begin(&errand);
                let query = Query::parse(&errand.args).ok()?;
                Scan::new(query, &Memory::of(errand.memory)).ok()?
            }
        };
        let mut answer = Answer::default();
        for (place, item) in items.iter().enumerate() {
            scan.part.searched += 1;
            if !self.file(files, &mut scan, item) {
                scan.part.searched -= 1;
                answer.undone.push(place as u32);
            }
        }
        answer.part = scan.finish();
        if scan.query.mode == Mode::Count {
            rank(&mut answer.part.files, Mode::Count);
            answer.part.files.truncate(scan.query.limit);
        }
        let is_fine = scan.pattern.failure().is_none();
        self.scan = Some((errand, scan));
        is_fine.then(|| answer.to_text())
    }

    fn fill(&mut self, files: &impl Files, item: &Item) {
        let Item { path, stat, .. } = item;
        let size = stat.size as usize;
        if self.kept.get(path, stat).is_none() && self.kept.has_room(size) {
            let read = read_whole(files, path, &mut self.buffer, SCOUT_FILE_BYTES);
            if read == Ok(Some(size)) {
                self.kept.keep(path, stat, &self.buffer[..size]);
            }
        }
    }

    /// Whether it was done.
    fn file(&mut self, files: &impl Files, scan: &mut Scan, item: &Item) -> bool {
        let Item {
            path, stat, spans, ..
        } = item;
        if item.is_proof
            && let Some(contents) = self.kept.get(path, stat)
        {
            return find(scan, item, contents);
        }
        if let Some(spans) = spans
            && !self.is_worth_keeping(item, spans)
        {
            let spans = Some(spans.clone());
            let done = scan.in_pieces(files, &mut self.buffer, path, stat, spans);
            return done.is_some();
        }
        let Ok(Some(length)) = read_whole(files, path, &mut self.buffer, SCOUT_FILE_BYTES) else {
            return false;
        };
        let contents = &self.buffer[..length];
        if !item.is_known {
            scan.search(path, contents, &Text::Unknown);
            return true;
        }
        if length as u64 != stat.size {
            return false;
        }
        if item.is_proof {
            self.kept.keep(path, stat, contents);
        }
        spans.as_ref().is_none_or(|_| files.stat(path) == Ok(*stat)) && find(scan, item, contents)
    }

    /// Whether a long text is to be read as a whole, for most of it is searched and there is room for it.
    fn is_worth_keeping(&self, item: &Item, spans: &[Span]) -> bool {
        let size = item.stat.size as usize;
        let searched = spans.iter().map(|span| span.to - span.from).sum::<u64>() as usize;
        item.is_proof && size <= SCOUT_FILE_BYTES && size < 2 * searched && self.kept.has_room(size)
    }
}

/// Whether it was done.
fn find(scan: &mut Scan, item: &Item, contents: &[u8]) -> bool {
    if let Some(spans) = &item.spans {
        return scan.sections(&item.path, contents, spans);
    }
    scan.search(&item.path, contents, &Text::InColumns);
    true
}

/// Contents of files.
#[derive(Default)]
struct Contents {
    files: HashMap<Vec<u8>, Kept>,
    /// What they take, and may take. Bytes.
    bytes: usize,
    limit: usize,
    /// The search under way, and the one before which what was not used was forgotten.
    errand: u64,
    forgot: u64,
}

struct Kept {
    stat: Stat,
    contents: Box<[u8]>,
    /// The search in which it was last of use.
    used: u64,
}

impl Kept {
    fn bytes(&self, path: &[u8]) -> usize {
        size_of::<Self>() + size_of::<Vec<u8>>() + path.len() + self.contents.len()
    }
}

impl Contents {
    fn begin(&mut self, errand: &Errand) {
        (self.errand, self.limit) = (errand.number, errand.contents);
        if self.bytes > self.limit {
            (self.files, self.bytes) = (HashMap::new(), 0);
        }
    }

    fn get(&mut self, path: &[u8], stat: &Stat) -> Option<&[u8]> {
        let kept = self.files.get_mut(path).filter(|kept| kept.stat == *stat)?;
        kept.used = self.errand;
        Some(&kept.contents)
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.bytes + bytes <= self.limit
    }

    fn keep(&mut self, path: &[u8], stat: &Stat, contents: &[u8]) {
        if let Some(old) = self.files.remove(path) {
            self.bytes -= old.bytes(path);
        }
        let kept = Kept {
            stat: *stat,
            contents: contents.into(),
            used: self.errand,
        };
        let bytes = kept.bytes(path);
        if !self.has_room(bytes) {
            self.forget();
        }
        if self.has_room(bytes) {
            self.bytes += bytes;
            self.files.insert(path.to_vec(), kept);
        }
    }

    /// Forgets what was of no use for so many searches; once in so many.
    fn forget(&mut self) {
        if self.errand < self.forgot + SCOUT_FORGETS {
            return;
        }
        self.forgot = self.errand;
        let (errand, bytes) = (self.errand, &mut self.bytes);
        self.files.retain(|path, kept| {
            let is_used = kept.used + SCOUT_FORGETS > errand;
            if !is_used {
                *bytes -= kept.bytes(path);
            }
            is_used
        });
    }
}
