//! The reader behind [`super::from_str`]: RFC 8259, a piece at a time. What serde's types make of them is in
//! [`super::typed`].

use super::{Error, Position, fault};
use serde::de::{Error as _, Unexpected};
use std::borrow::Cow;

/// Deepest nesting, so that no text overflows the stack.
const MAX_DEPTH: u32 = 128;

#[cold]
#[inline(never)]
pub(super) fn wrong(what: &str) -> Error {
    fault(what.to_owned())
}

/// Where in a text the reader is.
pub(super) struct Reader<'a> {
    pub text: &'a str,
    pub at: usize,
    depth: u32,
}

/// A number as it is written.
#[derive(Clone, Copy)]
pub(super) enum Number {
    Natural(u64),
    Negative(i64),
    Real(f64),
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
        }
    }

    /// Nothing but white space is left.
    #[inline(never)]
    pub fn end(&mut self) -> Result<(), Error> {
        match self.peek() {
            0 if self.at == self.text.len() => Ok(()),
            _ => Err(wrong("trailing characters")),
        }
    }

    /// The error, with the place that was reached.
    #[cold]
    pub fn placed(&self, error: Error) -> Error {
        let before = &self.text.as_bytes()[..self.at.min(self.text.len())];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        let at = Position {
            line: memchr::memchr_iter(b'\n', before).count() + 1,
            column: before.len() - line_start,
        };
        let Error(mut fault) = error;
        fault.at.get_or_insert(at);
        Error(fault)
    }

    /// The next byte that is no white space, which stays; 0 at the end.
    #[inline(never)]
    pub fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return *byte,
            }
        }
        0
    }

    /// [`Reader::peek`] for the functions here: nearly always there is no white space.
    #[inline]
    fn next(&mut self) -> u8 {
        match self.text.as_bytes().get(self.at) {
            Some(byte) if *byte > b' ' => *byte,
            _ => self.peek(),
        }
    }

    #[inline(never)]
    pub fn expect(&mut self, byte: u8) -> Result<(), Error> {
        if self.next() == byte {
            self.at += 1;
            return Ok(());
        }
        Err(self.missing(byte))
    }

    #[cold]
    fn missing(&self, byte: u8) -> Error {
        if self.at >= self.text.len() {
            return wrong("unexpected end");
        }
        fault(format!("expected `{}`", char::from(byte)))
    }

    /// One of `null`, `true` and `false`.
    #[inline(never)]
    pub fn word(&mut self, word: &str) -> Result<(), Error> {
        let end = self.at + word.len();
        if self.text.as_bytes().get(self.at..end) == Some(word.as_bytes()) {
            self.at = end;
            return Ok(());
        }
        Err(wrong("expected a value"))
    }

    #[inline(never)]
    pub fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        if self.next() != b'"' {
            return Err(self.missing(b'"'));
        }
        self.at += 1;
        let start = self.at;
        self.plain();
        let text = self.text;
        let first = text.get(start..self.at).unwrap_or_default();
        if text.as_bytes().get(self.at) == Some(&b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(first));
        }
        let mut whole = first.to_owned();
        loop {
            match text.as_bytes().get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(whole));
                }
                Some(b'\\') => {
                    self.at += 1;
                    whole.push(self.escape()?);
                }
                Some(_) => return Err(wrong("a control character in a string")),
                None => return Err(wrong("unexpected end in a string")),
            }
            let start = self.at;
            self.plain();
            whole.push_str(text.get(start..self.at).unwrap_or_default());
        }
    }

    /// Goes on to what ends a string or is special in it.
    fn plain(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let special = |byte: &u8| *byte == b'"' || *byte == b'\\' || *byte < b' ';
        self.at += rest.iter().position(special).unwrap_or(rest.len());
    }

    /// The character of an escape, behind its `\`.
    fn escape(&mut self) -> Result<char, Error> {
        let byte = self.text.as_bytes().get(self.at).copied();
        self.at += 1;
        Ok(match byte {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unit(),
            _ => return Err(wrong("an invalid escape")),
        })
    }

    /// The character of a `\u` escape, which has two of them when it is beyond 16 bits.
    fn unit(&mut self) -> Result<char, Error> {
        const LONE: &str = "half of a surrogate pair";
        let first = self.four_digits()?;
        if !(0xD800..0xE000).contains(&first) {
            return char::from_u32(first).ok_or_else(|| wrong(LONE));
        }
        if first >= 0xDC00 || self.text.as_bytes().get(self.at..self.at + 2) != Some(b"\\u") {
            return Err(wrong(LONE));
        }
        self.at += 2;
        let second = self.four_digits()?;
        if !(0xDC00..0xE000).contains(&second) {
            return Err(wrong(LONE));
        }
        let both = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        char::from_u32(both).ok_or_else(|| wrong(LONE))
    }

    fn four_digits(&mut self) -> Result<u32, Error> {
        let digits = self.text.get(self.at..self.at + 4);
        let value = digits
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at = (self.at + 4).min(self.text.len());
        value.ok_or_else(|| wrong("an invalid escape"))
    }

    fn digits(&mut self) -> usize {
        let rest = self.text.as_bytes()[self.at..].iter();
        let count = rest.take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    #[inline(never)]
    pub fn number(&mut self) -> Result<Number, Error> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let is_negative = bytes.get(start) == Some(&b'-');
        self.at += usize::from(is_negative);
        let is_zero = bytes.get(self.at) == Some(&b'0');
        let whole = self.digits();
        let mut is_valid = whole == 1 || (whole > 1 && !is_zero);
        let mut is_real = false;
        if bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            is_real = true;
            is_valid &= self.digits() > 0;
        }
        if let Some(b'e' | b'E') = bytes.get(self.at) {
            self.at += 1;
            is_real = true;
            if let Some(b'+' | b'-') = bytes.get(self.at) {
                self.at += 1;
            }
            is_valid &= self.digits() > 0;
        }
        if !is_valid {
            return Err(wrong("invalid number"));
        }
        let text = &self.text[start..self.at];
        if !is_real {
            // -0 has a sign only as a real number
            let negative = || text.parse().ok().filter(|value| *value != 0);
            let number = if is_negative {
                negative().map(Number::Negative)
            } else {
                text.parse().ok().map(Number::Natural)
            };
            if let Some(number) = number {
                return Ok(number);
            }
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Number::Real(value)),
            _ => Err(wrong("number out of range")),
        }
    }

    /// Goes past a value.
    #[inline(never)]
    pub fn skip(&mut self) -> Result<(), Error> {
        match self.peek() {
            b'"' => self.string().map(drop),
            b'[' => {
                self.open()?;
                let mut is_first = true;
                while self.has_more(b']', &mut is_first)? {
                    self.skip()?;
                }
                self.close(b']')
            }
            b'{' => {
                self.open()?;
                let mut is_first = true;
                while self.has_more(b'}', &mut is_first)? {
                    self.string()?;
                    self.expect(b':')?;
                    self.skip()?;
                }
                self.close(b'}')
            }
            b'n' => self.word("null"),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'-' | b'0'..=b'9' => self.number().map(drop),
            _ => Err(self.no_value()),
        }
    }

    /// Goes into an array or object.
    #[inline(never)]
    pub fn open(&mut self) -> Result<(), Error> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(wrong("nested too deep"));
        }
        Ok(())
    }

    #[inline(never)]
    pub fn close(&mut self, end: u8) -> Result<(), Error> {
        self.depth -= 1;
        self.expect(end)
    }

    /// Whether there is one more in this array or object; goes past the comma.
    #[inline(never)]
    pub fn has_more(&mut self, end: u8, is_first: &mut bool) -> Result<bool, Error> {
        let next = self.next();
        if std::mem::take(is_first) {
            return Ok(next != end);
        }
        if next == end {
            return Ok(false);
        }
        if next != b',' {
            return Err(self.missing(b','));
        }
        self.at += 1;
        if self.next() == end {
            return Err(wrong("trailing comma"));
        }
        Ok(true)
    }

    #[cold]
    pub fn no_value(&self) -> Error {
        wrong(if self.at >= self.text.len() {
            "unexpected end"
        } else {
            "expected a value"
        })
    }

    /// The error that there is another kind of value than a type expects.
    #[cold]
    #[inline(never)]
    pub fn unexpected(&mut self, expected: &dyn serde::de::Expected) -> Error {
        let text;
        let found = match self.peek() {
            b'"' => match self.string() {
                Ok(string) => {
                    text = string;
                    Unexpected::Str(&text)
                }
                Err(error) => return error,
            },
            b'[' => Unexpected::Seq,
            b'{' => Unexpected::Map,
            b'n' | b't' | b'f' => {
                let is_true = self.text[self.at..].starts_with('t');
                let is_null = self.text[self.at..].starts_with('n');
                match self.skip() {
                    Ok(()) if is_null => Unexpected::Unit,
                    Ok(()) => Unexpected::Bool(is_true),
                    Err(error) => return error,
                }
            }
            b'-' | b'0'..=b'9' => match self.number() {
                Ok(Number::Natural(number)) => Unexpected::Unsigned(number),
                Ok(Number::Negative(number)) => Unexpected::Signed(number),
                Ok(Number::Real(number)) => Unexpected::Float(number),
                Err(error) => return error,
            },
            _ => return self.no_value(),
        };
        Error::invalid_type(found, expected)
    }
}
