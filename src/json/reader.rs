//! The reader behind [`super::from_str`]: RFC 8259, a value at a time, as serde's types ask for them.

use super::{Error, Position, RAW, fault};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use std::borrow::Cow;

/// Deepest nesting, so that no text overflows the stack.
const MAX_DEPTH: u32 = 128;

#[cold]
#[inline(never)]
fn wrong(what: &str) -> Error {
    fault(what.to_owned())
}

/// Where in a text the reader is.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

/// A number as it is written.
#[derive(Clone, Copy)]
enum Number {
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
    fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return *byte,
            }
        }
        0
    }

    #[inline(never)]
    fn expect(&mut self, byte: u8) -> Result<(), Error> {
        if self.peek() == byte {
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
    fn word(&mut self, word: &str) -> Result<(), Error> {
        let end = self.at + word.len();
        if self.text.as_bytes().get(self.at..end) == Some(word.as_bytes()) {
            self.at = end;
            return Ok(());
        }
        Err(wrong("expected a value"))
    }

    #[inline(never)]
    fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        self.expect(b'"')?;
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
    fn number(&mut self) -> Result<Number, Error> {
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
    fn skip(&mut self) -> Result<(), Error> {
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
    fn open(&mut self) -> Result<(), Error> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(wrong("nested too deep"));
        }
        Ok(())
    }

    #[inline(never)]
    fn close(&mut self, end: u8) -> Result<(), Error> {
        self.depth -= 1;
        self.expect(end)
    }

    /// Whether there is one more in this array or object; goes past the comma.
    #[inline(never)]
    fn has_more(&mut self, end: u8, is_first: &mut bool) -> Result<bool, Error> {
        let next = self.peek();
        if std::mem::take(is_first) {
            return Ok(next != end);
        }
        if next == end {
            return Ok(false);
        }
        self.expect(b',')?;
        if self.peek() == end {
            return Err(wrong("trailing comma"));
        }
        Ok(true)
    }

    #[cold]
    fn no_value(&self) -> Error {
        wrong(if self.at >= self.text.len() {
            "unexpected end"
        } else {
            "expected a value"
        })
    }

    /// The error that there is another kind of value than a type expects.
    #[cold]
    #[inline(never)]
    fn unexpected(&mut self, expected: &dyn serde::de::Expected) -> Error {
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

/// A number for a visitor.
fn visit_number<'de, V: Visitor<'de>>(number: Number, visitor: V) -> Result<V::Value, Error> {
    match number {
        Number::Natural(number) => visitor.visit_u64(number),
        Number::Negative(number) => visitor.visit_i64(number),
        Number::Real(number) => visitor.visit_f64(number),
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.peek() {
                b'-' | b'0'..=b'9' => visit_number(self.number()?, visitor),
                _ => Err(self.unexpected(&visitor)),
            }
        }
    )*};
}

macro_rules! strings {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            if self.peek() != b'"' {
                return Err(self.unexpected(&visitor));
            }
            match self.string()? {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
    }

    strings! { deserialize_char deserialize_str deserialize_string deserialize_identifier }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            b'"' => self.deserialize_str(visitor),
            b'[' => self.deserialize_seq(visitor),
            b'{' => self.deserialize_map(visitor),
            b'n' => self.deserialize_unit(visitor),
            b't' | b'f' => self.deserialize_bool(visitor),
            b'-' | b'0'..=b'9' => self.deserialize_f64(visitor),
            _ => Err(self.no_value()),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            b't' => self.word("true").and_then(|()| visitor.visit_bool(true)),
            b'f' => self.word("false").and_then(|()| visitor.visit_bool(false)),
            _ => Err(self.unexpected(&visitor)),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            b'n' => self.word("null").and_then(|()| visitor.visit_unit()),
            _ => Err(self.unexpected(&visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            b'n' => self.word("null").and_then(|()| visitor.visit_none()),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        Err(self.unexpected(&visitor)) // JSON has none
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        Err(self.unexpected(&visitor))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name != RAW {
            return visitor.visit_newtype_struct(self);
        }
        self.peek();
        let start = self.at;
        self.skip()?;
        visitor.visit_borrowed_str(&self.text[start..self.at])
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.peek() != b'[' {
            return Err(self.unexpected(&visitor));
        }
        self.open()?;
        let items = Items {
            reader: self,
            is_first: true,
        };
        let value = visitor.visit_seq(items)?;
        self.close(b']')?;
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.peek() != b'{' {
            return Err(self.unexpected(&visitor));
        }
        self.open()?;
        let items = Items {
            reader: self,
            is_first: true,
        };
        let value = visitor.visit_map(items)?;
        self.close(b'}')?;
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.peek() {
            b'"' => visitor.visit_enum(self.string()?.into_deserializer()),
            b'{' => {
                self.open()?;
                let value = visitor.visit_enum(Variant(self))?;
                self.close(b'}')?;
                Ok(value)
            }
            _ => Err(self.unexpected(&visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.skip()?;
        visitor.visit_unit()
    }
}

/// What is in an array or object.
struct Items<'r, 'de> {
    reader: &'r mut Reader<'de>,
    is_first: bool,
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        if !self.reader.has_more(b']', &mut self.is_first)? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        if !self.reader.has_more(b'}', &mut self.is_first)? {
            return Ok(None);
        }
        if self.reader.peek() != b'"' {
            return Err(wrong("a key must be a string"));
        }
        seed.deserialize(Key(self.reader)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        self.reader.expect(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

/// An object's key: a string, or a number within one.
struct Key<'r, 'de>(&'r mut Reader<'de>);

macro_rules! number_keys {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let text = self.0.string()?;
            let mut digits = Reader::new(&text);
            match digits.number() {
                Ok(number) if digits.at == text.len() => visit_number(number, visitor),
                _ => Err(Error::invalid_type(Unexpected::Str(&text), &visitor)),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Key<'_, 'de> {
    type Error = Error;

    number_keys! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_str(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// An enum's variant with its content: an object with one key.
struct Variant<'r, 'de>(&'r mut Reader<'de>);

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let name = seed.deserialize(&mut *self.0)?;
        self.0.expect(b':')?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        serde::Deserialize::deserialize(self.0)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_map(visitor)
    }
}
