//! UTF-8 and UTF-16 to UTF-8, with the part of `encoding_rs`'s interface that `encoding_rs_io` and `grep-searcher` use.
//! The decoders are those of the Encoding Standard (<https://encoding.spec.whatwg.org/>, "UTF-8 decoder", "shared UTF-16
//! decoder"), a byte at a time: few files have a byte order mark.

/// An encoding.
#[derive(Debug, PartialEq, Eq)]
pub struct Encoding(Form);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Utf8,
    Utf16Le,
    Utf16Be,
}

pub static UTF_8: &Encoding = &Encoding(Form::Utf8);
pub static UTF_16LE: &Encoding = &Encoding(Form::Utf16Le);
pub static UTF_16BE: &Encoding = &Encoding(Form::Utf16Be);

impl Encoding {
    /// The encoding whose byte order mark the text begins with, and the mark's length.
    #[must_use]
    pub fn for_bom(text: &[u8]) -> Option<(&'static Self, usize)> {
        match text {
            [0xEF, 0xBB, 0xBF, ..] => Some((UTF_8, 3)),
            [0xFF, 0xFE, ..] => Some((UTF_16LE, 2)),
            [0xFE, 0xFF, ..] => Some((UTF_16BE, 2)),
            _ => None,
        }
    }

    /// The encoding of this name.
    #[must_use]
    pub fn for_label_no_replacement(label: &[u8]) -> Option<&'static Self> {
        let is = |name: &str| label.eq_ignore_ascii_case(name.as_bytes());
        if is("utf-8") {
            Some(UTF_8)
        } else if is("utf-16le") {
            Some(UTF_16LE)
        } else if is("utf-16be") {
            Some(UTF_16BE)
        } else {
            None
        }
    }

    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.0 {
            Form::Utf8 => "UTF-8",
            Form::Utf16Le => "UTF-16LE",
            Form::Utf16Be => "UTF-16BE",
        }
    }

    /// A decoder that leaves the byte order mark out.
    #[must_use]
    pub fn new_decoder_with_bom_removal(&'static self) -> Decoder {
        Decoder {
            encoding: self,
            is_at_start: true,
            state: State::default(),
        }
    }
}

/// Why a decoder stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoderResult {
    InputEmpty,
    OutputFull,
}

/// Decodes a text that comes in pieces.
pub struct Decoder {
    encoding: &'static Encoding,
    is_at_start: bool,
    state: State,
}

/// What is known of a character that has begun.
#[derive(Default)]
struct State {
    /// UTF-8: the bits so far, how many bytes are still needed, and the bounds of the next.
    point: u32,
    needed: u8,
    bounds: Option<(u8, u8)>,
    /// UTF-16: the first byte of a unit, the first unit of a pair, and a unit that has to be looked at again.
    first: Option<u8>,
    lead: Option<u16>,
    again: Option<u16>,
}

/// The longest character in UTF-8.
const CHAR_BYTES: usize = 4;

impl Decoder {
    #[must_use]
    pub fn encoding(&self) -> &'static Encoding {
        self.encoding
    }

    /// Decodes `from` into `into`, malformed parts as U+FFFD; `last` says that nothing follows. Gives why it stopped, the
    /// bytes read, those written, and whether anything was malformed.
    pub fn decode_to_utf8(
        &mut self,
        from: &[u8],
        into: &mut [u8],
        last: bool,
    ) -> (CoderResult, usize, usize, bool) {
        let (mut read, mut written, mut malformed) = (0, 0, false);
        loop {
            if into.len() - written < CHAR_BYTES {
                return (CoderResult::OutputFull, read, written, malformed);
            }
            let decoded = match self.state.again.take() {
                Some(unit) => self.state.unit(unit),
                None => match from.get(read) {
                    Some(&byte) => {
                        let (decoded, is_read) = self.byte(byte);
                        read += usize::from(is_read);
                        decoded
                    }
                    None if last && self.state.is_open() => {
                        self.state = State::default();
                        Some(Err(()))
                    }
                    None => return (CoderResult::InputEmpty, read, written, malformed),
                },
            };
            if let Some(decoded) = decoded {
                malformed |= decoded.is_err();
                let c = decoded.unwrap_or(char::REPLACEMENT_CHARACTER);
                if !(self.is_at_start && c == '\u{FEFF}') {
                    written += c.encode_utf8(&mut into[written..]).len();
                }
                self.is_at_start = false;
            }
        }
    }

    /// What a byte ends, if anything, and whether it belongs to it: else it is to be looked at again.
    fn byte(&mut self, byte: u8) -> (Option<Result<char, ()>>, bool) {
        let unit = match self.encoding.0 {
            Form::Utf8 => return self.state.utf8(byte),
            Form::Utf16Le => self.state.first.take().map(|first| [first, byte]),
            Form::Utf16Be => self.state.first.take().map(|first| [byte, first]),
        };
        match unit {
            Some(unit) => (self.state.unit(u16::from_le_bytes(unit)), true),
            None => {
                self.state.first = Some(byte);
                (None, true)
            }
        }
    }
}

impl State {
    fn is_open(&self) -> bool {
        self.needed > 0 || self.first.is_some() || self.lead.is_some()
    }

    fn utf8(&mut self, byte: u8) -> (Option<Result<char, ()>>, bool) {
        if self.needed == 0 {
            let (needed, point) = match byte {
                0..=0x7F => return (Some(Ok(char::from(byte))), true),
                0xC2..=0xDF => (1, byte & 0x1F),
                0xE0..=0xEF => (2, byte & 0x0F),
                0xF0..=0xF4 => (3, byte & 0x07),
                _ => return (Some(Err(())), true),
            };
            (self.needed, self.point) = (needed, u32::from(point));
            self.bounds = match byte {
                0xE0 => Some((0xA0, 0xBF)),
                0xED => Some((0x80, 0x9F)),
                0xF0 => Some((0x90, 0xBF)),
                0xF4 => Some((0x80, 0x8F)),
                _ => None,
            };
            return (None, true);
        }
        let (low, high) = self.bounds.take().unwrap_or((0x80, 0xBF));
        if !(low..=high).contains(&byte) {
            self.needed = 0;
            return (Some(Err(())), false);
        }
        self.point = self.point << 6 | u32::from(byte & 0x3F);
        self.needed -= 1;
        let is_done = self.needed == 0;
        (
            is_done.then(|| char::from_u32(self.point).ok_or(())),
            true,
        )
    }

    fn unit(&mut self, unit: u16) -> Option<Result<char, ()>> {
        match (self.lead.take(), unit) {
            (Some(lead), 0xDC00..=0xDFFF) => {
                let point = 0x1_0000 + (u32::from(lead & 0x3FF) << 10) + u32::from(unit & 0x3FF);
                Some(char::from_u32(point).ok_or(()))
            }
            (Some(_), unit) => {
                self.again = Some(unit);
                Some(Err(()))
            }
            (None, 0xD800..=0xDBFF) => {
                self.lead = Some(unit);
                None
            }
            (None, unit) => Some(char::from_u32(u32::from(unit)).ok_or(())),
        }
    }
}
