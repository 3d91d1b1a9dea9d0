//! What a search hands to the scout, a second thread: files in parcels, and the answers to them. A parcel says of each file
//! what it was when the searching thread last made sure of it, so that the scout may keep its contents: see
//! [`super::scout`].

use super::super::cache::sections::Span;
use super::super::files::{Kind, Stat};
use super::report::Part;
use crate::json;
use serde::{Deserialize, Serialize};

/// A file to be searched.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub path: Vec<u8>,
    /// What it was.
    pub stat: Stat,
    /// And is: a text without a NUL.
    pub is_known: bool,
    /// And while its stat is the same, so is the file.
    pub is_proof: bool,
    /// Of a long text, where lines may be that match.
    pub spans: Option<Vec<Span>>,
}

/// What all parcels of a search say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    /// Another one for each search.
    pub number: u64,
    /// The arguments of the search.
    pub args: String,
    /// Memory that the scout may have, and of that for contents. Bytes.
    pub memory: usize,
    pub contents: usize,
}

/// What stands for the arguments where files are to be kept, and not searched.
pub const FILLING: &str = "";

/// Writes a parcel.
pub struct Writer(Vec<u8>);

impl Writer {
    #[must_use]
    pub fn new(errand: &Errand) -> Self {
        let mut writer = Self(Vec::with_capacity(8 << 10));
        writer.number(errand.number);
        writer.bytes(errand.args.as_bytes());
        writer.number(errand.memory as u64);
        writer.number(errand.contents as u64);
        writer
    }

    pub fn add(&mut self, item: &Item) {
        let Stat {
            kind: _,
            size,
            modified,
            changed,
            inode,
            is_linked,
        } = item.stat;
        self.bytes(&item.path);
        for number in [size, modified.to_bits(), changed.to_bits(), inode] {
            self.number(number);
        }
        let flags = [
            is_linked,
            item.is_known,
            item.is_proof,
            item.spans.is_some(),
        ];
        self.0.extend(flags.map(u8::from));
        if let Some(spans) = &item.spans {
            self.number(spans.len() as u64);
            for Span { from, to, lines } in spans {
                for number in [from, to, lines] {
                    self.number(*number);
                }
            }
        }
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }
}

/// Reads what a [`Writer`] wrote; gives none where it is something else.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.number()?).ok()?;
        self.take(count)
    }

    fn item(&mut self) -> Option<Item> {
        let path = self.bytes()?.to_vec();
        let [size, modified, changed, inode] = [
            self.number()?,
            self.number()?,
            self.number()?,
            self.number()?,
        ];
        let &[is_linked, is_known, is_proof, has_spans] = self.take(4)? else {
            return None;
        };
        let mut spans = (has_spans == 1).then(Vec::new);
        if let Some(spans) = &mut spans {
            for _ in 0..self.number()? {
                spans.push(Span {
                    from: self.number()?,
                    to: self.number()?,
                    lines: self.number()?,
                });
            }
        }
        Some(Item {
            path,
            stat: Stat {
                kind: Kind::File,
                size,
                modified: f64::from_bits(modified),
                changed: f64::from_bits(changed),
                inode,
                is_linked: is_linked == 1,
            },
            is_known: is_known == 1,
            is_proof: is_proof == 1,
            spans,
        })
    }
}

/// A parcel's errand and its files; none where it is no parcel.
#[must_use]
pub fn read(parcel: &[u8]) -> Option<(Errand, Vec<Item>)> {
    let mut reader = Reader(parcel);
    let errand = Errand {
        number: reader.number()?,
        args: String::from_utf8(reader.bytes()?.to_vec()).ok()?,
        memory: usize::try_from(reader.number()?).ok()?,
        contents: usize::try_from(reader.number()?).ok()?,
    };
    let mut items = Vec::new();
    while !reader.0.is_empty() {
        items.push(reader.item()?);
    }
    Some((errand, items))
}

/// What the scout found in a parcel's files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub part: Part,
    /// The files, by their places in the parcel, that it left alone: they are not what they were, or not for it.
    pub undone: Vec<u32>,
}

impl Answer {
    #[must_use]
    pub fn to_text(&self) -> String {
        json::to_string(self).unwrap_or_default()
    }

    /// None where the text is no answer.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parcel_comes_as_it_was_sent() {
        let errand = Errand {
            number: 7,
            args: "{\"pattern\":\"ä\"}".to_owned(),
            memory: 12,
            contents: 3,
        };
        let item = |path: &[u8], spans| Item {
            path: path.to_vec(),
            stat: Stat {
                kind: Kind::File,
                size: 1 << 40,
                modified: 1.5,
                changed: 2.25,
                inode: u64::MAX,
                is_linked: path.is_empty(),
            },
            is_known: path.len() > 1,
            is_proof: !path.is_empty(),
            spans,
        };
        let span = Span {
            from: 1,
            to: 2,
            lines: 3,
        };
        let items = vec![
            item(b"a/\xFF", None),
            item(b"", Some(vec![])),
            item(b"b", Some(vec![span.clone(), span])),
        ];
        let mut writer = Writer::new(&errand);
        for item in &items {
            writer.add(item);
        }
        let parcel = writer.as_bytes();
        assert_eq!(read(parcel), Some((errand, items)));
        // cut anywhere but between two files it is none
        let whole = (0..parcel.len()).filter(|&end| read(&parcel[..end]).is_some());
        assert_eq!(whole.count(), 3);
    }
}
