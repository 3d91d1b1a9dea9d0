//! Parsed files, kept under a ceiling of memory and re-parsed from what changed.
//!
//! A tree answers for a file only when the file's bytes have the fingerprint that it was made from. When memory is short,
//! what the last two requests used stays: a search over more than fits would otherwise throw out each tree just before it
//! is wanted again.

use super::language::Lang;
use super::limits::{CACHE_BYTES, REFUSED_FILES, SHARED_PERCENT, TREE_BYTES_PER_BYTE};
use super::parse::{Clock, ParseFault, Parsers};
use super::text::{Encoding, Source};
use crate::event::Fingerprint;
use ast_grep_core::AstGrep;
use ast_grep_core::Doc;
use ast_grep_core::tree_sitter::StrDoc;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::rc::Rc;
use tree_sitter::{InputEdit, Point, Tree};

/// A parsed file.
pub struct Parsed {
    pub root: AstGrep<StrDoc<Lang>>,
    pub encoding: Encoding,
    /// Of the file's bytes.
    pub fingerprint: Fingerprint,
}

impl Parsed {
    /// SHA-256 of the file's bytes in hexadecimal; of what was not UTF-8, of its replacement.
    #[must_use]
    pub fn digest(&self) -> String {
        let bytes = self.encoding.encode(self.text()).unwrap_or_default();
        let mut text = String::new();
        for byte in Sha256::digest(bytes) {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.root.get_text()
    }

    /// The file's tree.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.root.root().get_doc().tree
    }

    /// The file's language.
    #[must_use]
    pub fn lang(&self) -> Lang {
        *self.root.root().get_doc().get_lang()
    }

    fn cost(&self) -> usize {
        self.text().len() * (1 + TREE_BYTES_PER_BYTE) + 256
    }
}

struct Entry {
    parsed: Rc<Parsed>,
    /// The request that used it last.
    used: u64,
}

/// The cache, with the parsers that fill it.
pub struct Trees {
    parsers: Parsers,
    entries: BTreeMap<(String, Lang), Entry>,
    /// Contents that were too hard: they are not tried again.
    refused: BTreeSet<(Fingerprint, Lang)>,
    bytes: usize,
    ceiling: usize,
    request: u64,
}

impl Default for Trees {
    fn default() -> Self {
        Self::new(CACHE_BYTES, || 0.0)
    }
}

impl Trees {
    /// An empty cache of at most `ceiling` bytes.
    #[must_use]
    pub fn new(ceiling: usize, clock: Clock) -> Self {
        Self {
            parsers: Parsers::new(clock),
            entries: BTreeMap::new(),
            refused: BTreeSet::new(),
            bytes: 0,
            ceiling,
            request: 0,
        }
    }

    /// A new request begins: what the one before the last used may be thrown out.
    pub fn begin(&mut self) {
        self.request += 1;
    }

    /// The parsers, for texts that are not kept.
    pub fn parsers(&mut self) -> &mut Parsers {
        &mut self.parsers
    }

    /// The tree of a file with these bytes: the kept one, one made from it, or a new one.
    ///
    /// # Errors
    /// As [`Parsers::parse`], and for binary files.
    pub fn parsed(
        &mut self,
        path: &str,
        lang: Lang,
        bytes: &[u8],
    ) -> Result<Rc<Parsed>, ParseFault> {
        let fingerprint = Fingerprint::of(bytes);
        let key = (path.to_owned(), lang);
        if let Some(entry) = self.entries.get_mut(&key)
            && entry.parsed.fingerprint == fingerprint
        {
            entry.used = self.request;
            return Ok(Rc::clone(&entry.parsed));
        }
        if bytes.len() > super::limits::MAX_FILE_BYTES {
            return Err(ParseFault::TooLarge(bytes.len()));
        }
        let Source { text, encoding } = Source::decode(bytes)?;
        if self.refused.contains(&(fingerprint, lang)) {
            return Err(ParseFault::TooHard);
        }
        let old = self.remove(&key).and_then(|old| edited(&old, &text));
        let tree = self
            .parse(lang, &text, old.as_ref())
            .inspect_err(|_| self.refuse(fingerprint, lang))?;
        let root = AstGrep::doc(StrDoc {
            src: text,
            lang,
            tree,
        });
        let parsed = Rc::new(Parsed {
            root,
            encoding,
            fingerprint,
        });
        self.keep(key, &parsed);
        Ok(parsed)
    }

    /// What the parser makes of broken text depends on the tree that it began from; the same file always reads the same.
    fn parse(&mut self, lang: Lang, text: &str, old: Option<&Tree>) -> Result<Tree, ParseFault> {
        if old.is_some() {
            let tree = self.parsers.parse(lang, text, old)?;
            if !tree.root_node().has_error() {
                return Ok(tree);
            }
        }
        self.parsers.parse(lang, text, None)
    }

    fn refuse(&mut self, fingerprint: Fingerprint, lang: Lang) {
        if self.refused.len() >= REFUSED_FILES {
            self.refused.clear();
        }
        self.refused.insert((fingerprint, lang));
    }

    fn remove(&mut self, key: &(String, Lang)) -> Option<Rc<Parsed>> {
        let entry = self.entries.remove(key)?;
        self.bytes -= entry.parsed.cost();
        Some(entry.parsed)
    }

    fn keep(&mut self, key: (String, Lang), parsed: &Rc<Parsed>) {
        let cost = parsed.cost();
        if self.bytes + cost > self.ceiling && !self.make_room(cost) {
            return;
        }
        self.bytes += cost;
        let entry = Entry {
            parsed: Rc::clone(parsed),
            used: self.request,
        };
        self.entries.insert(key, entry);
    }

    fn make_room(&mut self, cost: usize) -> bool {
        let Self {
            entries,
            bytes,
            request,
            ..
        } = self;
        entries.retain(|_, entry| {
            let stays = entry.used + 1 >= *request;
            if !stays {
                *bytes -= entry.parsed.cost();
            }
            stays
        });
        self.bytes + cost <= self.ceiling
    }
}

/// The old tree, told that its text became `text`: all between what is the same at the start and at the end was replaced.
/// None when too much was.
fn edited(old: &Parsed, text: &str) -> Option<Tree> {
    let (a, b) = (old.text().as_bytes(), text.as_bytes());
    let start = common_prefix(a, b);
    let most = a.len().min(b.len()) - start;
    let tail = common_suffix(&a[a.len() - most..], &b[b.len() - most..]);
    if (start + tail) * 100 < text.len() * SHARED_PERCENT {
        return None;
    }
    let mut tree = old.tree().clone();
    if start == a.len() && start == b.len() {
        return Some(tree);
    }
    let (old_end, new_end) = (a.len() - tail, b.len() - tail);
    let start_position = advance(Point::new(0, 0), &a[..start]);
    tree.edit(&InputEdit {
        start_byte: start,
        old_end_byte: old_end,
        new_end_byte: new_end,
        start_position,
        old_end_position: advance(start_position, &a[start..old_end]),
        new_end_position: advance(start_position, &b[start..new_end]),
    });
    Some(tree)
}

/// Compared at once: most of a text is what it was.
const BLOCK: usize = 4_096;

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.chunks_exact(BLOCK).zip(b.chunks_exact(BLOCK));
    let same = blocks.take_while(|(x, y)| x == y).count() * BLOCK;
    let rest = a[same..].iter().zip(&b[same..]);
    same + rest.take_while(|(x, y)| x == y).count()
}

fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.rchunks_exact(BLOCK).zip(b.rchunks_exact(BLOCK));
    let same = blocks.take_while(|(x, y)| x == y).count() * BLOCK;
    let rest = a[..a.len() - same].iter().rev();
    let rest = rest.zip(b[..b.len() - same].iter().rev());
    same + rest.take_while(|(x, y)| x == y).count()
}

/// The position behind `bytes` that begin at `from`.
fn advance(from: Point, bytes: &[u8]) -> Point {
    match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(last) => Point::new(
            from.row + memchr::memchr_iter(b'\n', bytes).count(),
            bytes.len() - last - 1,
        ),
        None => Point::new(from.row, from.column + bytes.len()),
    }
}

#[cfg(all(test, feature = "lang-rust"))]
mod tests {
    use super::*;

    #[test]
    fn a_tree_made_from_the_old_one_is_the_tree_made_afresh() {
        let texts = [
            "fn a() { b(1); }\nfn c() {}\n",
            "fn a() { b(1, \"x\"); }\nfn c() {}\n",
            "fn a() { b(1, \"x\" }\nfn c() {}\n",
            "fn a() {}\n",
            "",
            "fn a() {}\nfn α() {}\n",
        ];
        let mut trees = Trees::default();
        for text in texts {
            trees.begin();
            let kept = trees
                .parsed("a.rs", Lang::Rust, text.as_bytes())
                .expect("tree");
            let fresh = Trees::default().parsed("a.rs", Lang::Rust, text.as_bytes());
            let (kept, fresh) = (kept.tree().clone(), fresh.expect("tree").tree().clone());
            assert_eq!(kept.root_node().to_sexp(), fresh.root_node().to_sexp());
        }
    }

    #[test]
    fn what_two_texts_share_is_found_to_the_byte() {
        let text: Vec<u8> = (0..10_000u32).map(|n| (n % 251) as u8).collect();
        for at in [0, 1, 4_095, 4_096, 4_097, 8_192, 9_999] {
            let mut other = text.clone();
            other[at] = 255;
            assert_eq!(common_prefix(&text, &other), at);
            assert_eq!(common_suffix(&text, &other), text.len() - at - 1);
        }
        assert_eq!(common_prefix(&text, &text[..5_000]), 5_000);
        assert_eq!(common_suffix(&text, &text[5_000..]), 5_000);
        assert_eq!(common_prefix(b"", b"x"), 0);
    }

    #[test]
    fn the_same_bytes_are_not_parsed_again_and_the_ceiling_holds() {
        let mut trees = Trees::new(20_000, || 0.0);
        trees.begin();
        let text = "fn a() {}\n".repeat(30);
        let first = trees
            .parsed("a.rs", Lang::Rust, text.as_bytes())
            .expect("tree");
        let again = trees
            .parsed("a.rs", Lang::Rust, text.as_bytes())
            .expect("tree");
        assert!(Rc::ptr_eq(&first, &again));
        for n in 0..50 {
            trees.begin();
            trees
                .parsed(&format!("{n}.rs"), Lang::Rust, text.as_bytes())
                .expect("tree");
            assert!(trees.bytes <= trees.ceiling);
            assert_eq!(
                trees.bytes,
                trees
                    .entries
                    .values()
                    .map(|e| e.parsed.cost())
                    .sum::<usize>()
            );
        }
    }
}
