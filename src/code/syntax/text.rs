//! A file's bytes as text, and back: the encoding, the line ends and the byte order mark stay what they were.

use super::parse::ParseFault;

/// How a file's text is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    /// With a byte order mark, which is not part of the text.
    Utf8Mark,
    Utf16Le,
    Utf16Be,
    /// UTF-8 with errors, which were replaced: it can be read, not written back.
    Broken,
}

/// A decoded file.
#[derive(Clone, Debug)]
pub struct Source {
    pub text: String,
    pub encoding: Encoding,
}

const MARK: &[u8] = b"\xef\xbb\xbf";

impl Source {
    /// Decodes a file.
    ///
    /// # Errors
    /// [`ParseFault::Binary`] when it holds a NUL byte and is not UTF-16.
    pub fn decode(bytes: &[u8]) -> Result<Self, ParseFault> {
        let (encoding, body) = match bytes {
            [0xff, 0xfe, body @ ..] => (Encoding::Utf16Le, body),
            [0xfe, 0xff, body @ ..] => (Encoding::Utf16Be, body),
            _ => match bytes.strip_prefix(MARK) {
                Some(body) => (Encoding::Utf8Mark, body),
                None => (Encoding::Utf8, bytes),
            },
        };
        if let Encoding::Utf16Le | Encoding::Utf16Be = encoding {
            return Ok(Self::from_utf16(body, encoding));
        }
        if body.contains(&0) {
            return Err(ParseFault::Binary);
        }
        Ok(match std::str::from_utf8(body) {
            Ok(text) => Self {
                text: text.to_owned(),
                encoding,
            },
            Err(_) => Self {
                text: String::from_utf8_lossy(body).into_owned(),
                encoding: Encoding::Broken,
            },
        })
    }

    fn from_utf16(body: &[u8], encoding: Encoding) -> Self {
        let unit = |pair: &[u8; 2]| match encoding {
            Encoding::Utf16Be => u16::from_be_bytes(*pair),
            _ => u16::from_le_bytes(*pair),
        };
        let (pairs, rest) = body.as_chunks::<2>();
        let text: Result<String, _> = char::decode_utf16(pairs.iter().map(unit)).collect();
        match text {
            Ok(text) if rest.is_empty() => Self { text, encoding },
            _ => Self {
                text: char::decode_utf16(pairs.iter().map(unit))
                    .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect(),
                encoding: Encoding::Broken,
            },
        }
    }
}

impl Encoding {
    /// `text` in this encoding; nothing when it can't be written back.
    #[must_use]
    pub fn encode(self, text: &str) -> Option<Vec<u8>> {
        let utf16 = |mark: u16, bytes: fn(u16) -> [u8; 2]| {
            std::iter::once(mark)
                .chain(text.encode_utf16())
                .flat_map(bytes)
                .collect()
        };
        Some(match self {
            Encoding::Utf8 => text.as_bytes().to_vec(),
            Encoding::Utf8Mark => [MARK, text.as_bytes()].concat(),
            Encoding::Utf16Le => utf16(0xfeff, u16::to_le_bytes),
            Encoding::Utf16Be => utf16(0xfeff, u16::to_be_bytes),
            Encoding::Broken => return None,
        })
    }
}

/// Whether the lines of `text` end in `\r\n`: most of them.
#[must_use]
pub fn has_crlf(text: &str) -> bool {
    let all = text.matches('\n').count();
    all > 0 && text.matches("\r\n").count() * 2 > all
}

/// How many lines `text` has; what is behind the last line's end is one, if there is something.
#[must_use]
pub fn line_count(text: &str) -> usize {
    let ends = memchr::memchr_iter(b'\n', text.as_bytes()).count();
    ends + usize::from(!text.is_empty() && !text.ends_with('\n'))
}

/// The line at a byte offset, without its end.
#[must_use]
pub fn line_at(text: &str, at: usize) -> &str {
    let at = at.min(text.len());
    let start = memchr_back(text, at);
    let end = text[at..].find('\n').map_or(text.len(), |i| at + i);
    text[start..end].trim_end_matches('\r')
}

fn memchr_back(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |i| i + 1)
}

/// Line and column of a byte offset, both from 1; columns are characters.
#[must_use]
pub fn position(text: &str, row: usize, at: usize) -> (usize, usize) {
    let at = at.min(text.len());
    let start = memchr_back(text, at);
    (row + 1, text[start..at].chars().count() + 1)
}

/// At most `chars` characters of `text`, cut where a character ends.
#[must_use]
pub fn head(text: &str, chars: usize) -> &str {
    match text.char_indices().nth(chars) {
        Some((at, _)) => &text[..at],
        None => text,
    }
}

/// `text` on one line of at most `chars` characters, with an ellipsis where something was cut.
#[must_use]
pub fn one_line(text: &str, chars: usize) -> String {
    // bounded before it is flattened: a minified file is one line
    let cut = head(text, chars * 4);
    let flat = crate::event::clip(cut, chars);
    if cut.len() < text.len() && !flat.ends_with('…') {
        return format!("{flat} …");
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_round_trip() {
        let text = "let α = \"𝔘\";\r\n";
        for encoding in [
            Encoding::Utf8,
            Encoding::Utf8Mark,
            Encoding::Utf16Le,
            Encoding::Utf16Be,
        ] {
            let bytes = encoding.encode(text).expect("writable");
            let source = Source::decode(&bytes).expect("text");
            assert_eq!((source.text.as_str(), source.encoding), (text, encoding));
        }
    }

    #[test]
    fn what_is_broken_is_read_and_not_written() {
        let source = Source::decode(b"a \xff b").expect("text");
        assert_eq!(source.encoding, Encoding::Broken);
        assert_eq!(source.encoding.encode("x"), None);
        assert!(matches!(Source::decode(b"a\0b"), Err(ParseFault::Binary)));
        let odd = Source::decode(b"\xff\xfea\0b").expect("text");
        assert_eq!(odd.encoding, Encoding::Broken);
    }

    #[test]
    fn positions_are_in_characters_from_one() {
        let text = "ab\nαβγ\n";
        assert_eq!(position(text, 1, 7), (2, 3));
        assert_eq!(line_at(text, 5), "αβγ");
        for text in ["", "a", "a\n", "a\nb", "\n\n"] {
            assert_eq!(line_count(text), text.lines().count());
        }
        assert_eq!(one_line("a  b\n c", 10), "a b c");
    }
}
