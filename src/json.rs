//! JSON text to typed values, for the module's two inputs: the host's values and the journal.
//!
//! It reads what `serde_json` reads (the tests compare them) and exists for what it leaves out. The code that serde
//! derives is compiled anew for each type on top of the deserializer's; with `serde_json` that code was two fifths of the
//! module, and the runtime compiles all of it before the first prompt. Here an object is the only form of a struct, and
//! every token is read by a function that knows no type.

use serde::de::{
    self, Deserialize, DeserializeSeed, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use std::borrow::Cow;
use std::fmt;

/// Values may be nested this deep.
const MAX_DEPTH: u32 = 128;

/// Reads one value, and nothing but space may follow.
///
/// # Errors
/// With what is wrong and where.
pub fn from_str<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Error> {
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
    };
    match T::deserialize(&mut reader) {
        Ok(value) if reader.is_at_end() => Ok(value),
        Ok(_) => Err(reader.place(reader.error("something follows the value"))),
        Err(error) => Err(reader.place(error)),
    }
}

/// What is wrong with a text, and at which byte of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Error(Box<Fault>);

#[derive(Debug, PartialEq, Eq)]
struct Fault {
    message: String,
    at: usize,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.0.message, self.0.at)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    #[inline(never)]
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(Box::new(Fault {
            message: message.to_string(),
            at: usize::MAX,
        }))
    }
}

/// What [`Reader::peek`] gives at the end of the text: no value and no sign of JSON begins with it.
const END: u8 = 0;

#[derive(Clone, Copy)]
enum Number {
    Unsigned(u64),
    Negative(i64),
    Float(f64),
}

struct Reader<'de> {
    text: &'de str,
    at: usize,
    depth: u32,
}

// ---- tokens: nothing here is generic ---------------------------------------------------------------------------------

impl<'de> Reader<'de> {
    /// The next byte that is no space, still unread.
    fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                Some(byte) => return *byte,
                None => return END,
            }
        }
    }

    fn is_at_end(&mut self) -> bool {
        self.peek() == END && self.at == self.text.len()
    }

    #[cold]
    #[inline(never)]
    fn error(&self, message: &str) -> Error {
        let message = if self.at >= self.text.len() {
            "the text ends too early"
        } else {
            message
        };
        de::Error::custom(message)
    }

    /// An error without a place happened here.
    #[cold]
    #[inline(never)]
    fn place(&self, mut error: Error) -> Error {
        if error.0.at == usize::MAX {
            error.0.at = self.at.min(self.text.len());
        }
        error
    }

    /// The value that comes is not what was expected.
    #[cold]
    #[inline(never)]
    fn mismatch(&mut self, expected: &dyn Expected) -> Error {
        let text;
        let found = match self.peek() {
            b'"' => match self.string() {
                Ok(found) => {
                    text = found;
                    Unexpected::Str(&text)
                }
                Err(error) => return error,
            },
            b'[' => Unexpected::Seq,
            b'{' => Unexpected::Map,
            b't' => Unexpected::Bool(true),
            b'f' => Unexpected::Bool(false),
            b'n' => Unexpected::Unit,
            b'-' | b'0'..=b'9' => match self.number() {
                Ok(Number::Unsigned(number)) => Unexpected::Unsigned(number),
                Ok(Number::Negative(number)) => Unexpected::Signed(number),
                Ok(Number::Float(number)) => Unexpected::Float(number),
                Err(error) => return error,
            },
            _ => return self.error("no value"),
        };
        de::Error::invalid_type(found, expected)
    }

    #[inline(never)]
    fn take(&mut self, byte: u8, message: &str) -> Result<(), Error> {
        if self.peek() != byte {
            return Err(self.error(message));
        }
        self.at += 1;
        Ok(())
    }

    #[inline(never)]
    fn word(&mut self, word: &str) -> Result<(), Error> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.error("no value"));
        }
        self.at += word.len();
        Ok(())
    }

    #[inline(never)]
    fn open(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error("nested too deep"));
        }
        self.at += 1;
        Ok(())
    }

    #[inline(never)]
    fn close(&mut self, bracket: u8) -> Result<(), Error> {
        self.depth -= 1;
        self.take(bracket, "more than was expected")
    }

    /// Whether another item comes before the bracket that closes.
    #[inline(never)]
    fn has_next(&mut self, first: &mut bool, bracket: u8) -> Result<bool, Error> {
        let byte = self.peek();
        if byte == bracket {
            return Ok(false);
        }
        if std::mem::take(first) {
            return Ok(true);
        }
        self.take(b',', "a comma is missing")?;
        if self.peek() == bracket {
            return Err(self.error("a comma too many"));
        }
        Ok(true)
    }

    /// A string, borrowed when nothing in it is escaped.
    #[inline(never)]
    fn string(&mut self) -> Result<Cow<'de, str>, Error> {
        self.take(b'"', "a text is missing")?;
        let start = self.at;
        let plain = self.plain();
        if self.text.as_bytes().get(self.at) == Some(&b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        self.at = start;
        self.escaped().map(Cow::Owned)
    }

    /// The characters from here to the next quote, backslash or control character.
    fn plain(&mut self) -> &'de str {
        let rest = &self.text[self.at..];
        let len = rest
            .bytes()
            .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
            .unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    fn escaped(&mut self) -> Result<String, Error> {
        let mut text = String::new();
        loop {
            text.push_str(self.plain());
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                _ => return Err(self.error("a control character in a text")),
            }
        }
    }

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
            Some(b'u') => return self.unicode(),
            _ => {
                self.at -= 1;
                return Err(self.error("an unknown escape"));
            }
        })
    }

    /// `\uXXXX`, or a pair of them above U+FFFF.
    fn unicode(&mut self) -> Result<char, Error> {
        let first = self.hex()?;
        let code = if matches!(first, 0xd800..=0xdbff)
            && self.text.as_bytes()[self.at..].starts_with(b"\\u")
        {
            self.at += 2;
            match self.hex()? {
                second @ 0xdc00..=0xdfff => 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00),
                _ => first, // no character, as it stands
            }
        } else {
            first
        };
        char::from_u32(code).ok_or_else(|| self.error("half of a character"))
    }

    fn hex(&mut self) -> Result<u32, Error> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let mut code = 0;
        for digit in digits.unwrap_or(b"?") {
            let Some(digit) = char::from(*digit).to_digit(16) else {
                return Err(self.error("a broken escape"));
            };
            code = code << 4 | digit;
        }
        self.at += 4;
        Ok(code)
    }

    #[inline(never)]
    fn number(&mut self) -> Result<Number, Error> {
        let start = self.at;
        let negative = self.peek() == b'-';
        self.at += usize::from(negative);
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(self.error("a number that begins with 0"));
        }
        let mut float = false;
        if self.byte() == b'.' {
            self.at += 1;
            self.digits()?;
            float = true;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), b'+' | b'-'));
            self.digits()?;
            float = true;
        }
        let all = &self.text[start..self.at];
        if !float
            && !negative
            && let Ok(number) = whole.parse()
        {
            return Ok(Number::Unsigned(number));
        }
        if !float
            && whole != "0"
            && let Ok(number) = all.parse()
        {
            return Ok(Number::Negative(number));
        }
        match all.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Number::Float(number)),
            _ => Err(self.error("a number out of range")),
        }
    }

    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(END)
    }

    fn digits(&mut self) -> Result<&'de str, Error> {
        let rest = &self.text[self.at..];
        let len = rest
            .bytes()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(rest.len());
        self.at += len;
        if len == 0 {
            return Err(self.error("a digit is missing"));
        }
        Ok(&rest[..len])
    }

    /// Reads a value that nobody wants.
    #[inline(never)]
    fn skip(&mut self) -> Result<(), Error> {
        let (bracket, is_map) = match self.peek() {
            b'"' => return self.string().map(drop),
            b't' => return self.word("true"),
            b'f' => return self.word("false"),
            b'n' => return self.word("null"),
            b'-' | b'0'..=b'9' => return self.number().map(drop),
            b'[' => (b']', false),
            b'{' => (b'}', true),
            _ => return Err(self.error("no value")),
        };
        self.open()?;
        let mut first = true;
        while self.has_next(&mut first, bracket)? {
            if is_map {
                self.string()?;
                self.take(b':', "a colon is missing")?;
            }
            self.skip()?;
        }
        self.close(bracket)
    }
}

// ---- serde's side: compiled for each type, so as little as can be ------------------------------------------------------

impl Number {
    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Unsigned(number) => visitor.visit_u64(number),
            Self::Negative(number) => visitor.visit_i64(number),
            Self::Float(number) => visitor.visit_f64(number),
        }
    }
}

macro_rules! numbers {
    ($($name:ident)*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.peek() {
                b'-' | b'0'..=b'9' => self.number()?.visit(visitor),
                _ => Err(self.mismatch(&visitor)),
            }
        })*
    };
}

macro_rules! texts {
    ($($name:ident)*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.peek() {
                b'"' => visitor.visit_str(&self.string()?),
                _ => Err(self.mismatch(&visitor)),
            }
        })*
    };
}

impl<'de> de::Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            b'"' => self.deserialize_str(visitor),
            b'-' | b'0'..=b'9' => self.deserialize_f64(visitor),
            b'[' => self.deserialize_seq(visitor),
            b'{' => self.deserialize_map(visitor),
            b'n' => self.deserialize_unit(visitor),
            _ => self.deserialize_bool(visitor),
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64
    }

    texts! {
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
        deserialize_identifier
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            b't' => self.word("true").and_then(|()| visitor.visit_bool(true)),
            b'f' => self.word("false").and_then(|()| visitor.visit_bool(false)),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.peek() == b'n' {
            self.word("null")?;
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            b'n' => self.word("null").and_then(|()| visitor.visit_unit()),
            _ => Err(self.mismatch(&visitor)),
        }
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
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.peek() != b'[' {
            return Err(self.mismatch(&visitor));
        }
        self.open()?;
        let value = visitor.visit_seq(Items(self, true))?;
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
            return Err(self.mismatch(&visitor));
        }
        self.open()?;
        let value = visitor.visit_map(Items(self, true))?;
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

    /// `"name"`, or `{"name": fields}`.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.peek() {
            b'"' => visitor.visit_enum(Variant(self, false)),
            b'{' => {
                self.open()?;
                let value = visitor.visit_enum(Variant(self, true))?;
                self.close(b'}')?;
                Ok(value)
            }
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.skip()?;
        visitor.visit_unit()
    }
}

/// The items of an array or an object, and whether the next one is the first.
struct Items<'a, 'de>(&'a mut Reader<'de>, bool);

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if !self.0.has_next(&mut self.1, b']')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.0).map(Some)
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        if !self.0.has_next(&mut self.1, b'}')? {
            return Ok(None);
        }
        let key = self.0.string()?;
        seed.deserialize(Key(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        self.0.take(b':', "a colon is missing")?;
        seed.deserialize(&mut *self.0)
    }
}

/// An object's key: a text, or a number written as one.
struct Key<'de>(Cow<'de, str>);

macro_rules! number_keys {
    ($($name:ident)*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0.parse() {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_str(&self.0), // which says what it expected
            }
        })*
    };
}

impl<'de> de::Deserializer<'de> for Key<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(&self.0)
    }

    number_keys! { deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple tuple_struct map
        struct enum identifier ignored_any
    }
}

/// A variant's name, and whether a colon and its fields follow.
struct Variant<'a, 'de>(&'a mut Reader<'de>, bool);

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name = self.0.string()?;
        let value = seed.deserialize(Key(name))?;
        if self.1 {
            self.0.take(b':', "a colon is missing")?;
        }
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        if self.1 { self.0.word("null") } else { Ok(()) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        expect_fields(self.1)?;
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        expect_fields(self.1)?;
        de::Deserializer::deserialize_seq(self.0, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        expect_fields(self.1)?;
        de::Deserializer::deserialize_map(self.0, visitor)
    }
}

/// The variant that was named has fields: they must follow.
#[inline(never)]
fn expect_fields(follow: bool) -> Result<(), Error> {
    if follow {
        Ok(())
    } else {
        Err(de::Error::custom("a name that needs fields stands alone"))
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::event::Event;
    use proptest::prelude::*;
    use serde_json::Value;
    use std::collections::BTreeMap;

    const JOURNAL: &str = include_str!("../tests/fixtures/mission.ndjson");

    /// Whatever the text, both readers give the same value or both refuse it.
    fn agree<'a, T: Deserialize<'a> + PartialEq + fmt::Debug>(text: &'a str) {
        match (from_str::<T>(text), serde_json::from_str::<T>(text)) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{text}"),
            (Err(ours), Err(_)) => {
                assert!(ours.0.at <= text.len(), "{text}: {ours}");
            }
            (ours, theirs) => panic!("{text}: {ours:?}, {theirs:?}"),
        }
    }

    #[test]
    fn texts_that_are_easily_read_wrong() {
        for text in [
            "",
            " ",
            "null",
            "nul",
            "nullx",
            "true",
            "tru",
            "false ",
            "0",
            "-0",
            "00",
            "01",
            "-",
            "-1",
            "1.",
            ".5",
            "1.5",
            "1e",
            "1e+",
            "1e5",
            "1E-2",
            "1e999",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775808",
            "-9223372036854775809",
            "+1",
            "NaN",
            "\"",
            "\"a",
            "\"a\"",
            "\"a\n\"",
            "\"\\n\\t\\\"\\\\\\/\\b\\f\\r\"",
            "\"\\u00e9\"",
            "\"\\ud83e\\udd80\"",
            "\"\\ud83e\"",
            "\"\\ud83ex\"",
            "\"\\ud83e\\u0041\"",
            "\"\\udd80\"",
            "\"\\u12\"",
            "\"\\x\"",
            "\"é漢🦀\"",
            "\"é\\u00e9\"",
            "[]",
            "[",
            "[1",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1,2]",
            "{}",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":1,\"b\":[{}]}",
            "{a:1}",
            "{1:1}",
            " [ 1 , { \"a\" : null } ] ",
            "[1]x",
            "\u{feff}1",
            "1 /* */",
            "\"\u{7f}\"",
            "\"\u{1f}\"",
            "\u{0}",
            "\"\\u0000\"",
        ] {
            agree::<Value>(text);
            agree::<Option<bool>>(text);
            agree::<Vec<f64>>(text);
            agree::<BTreeMap<String, u32>>(text);
            agree::<BTreeMap<u32, i32>>(text);
            agree::<String>(text);
            agree::<u32>(text);
            agree::<i32>(text);
        }
        agree::<BTreeMap<u32, i32>>("{\"7\":-7}");
        agree::<BTreeMap<u32, i32>>("{\"-7\":7}");
    }

    #[test]
    fn events_in_every_wrong_shape() {
        for text in [
            "\"alarm\"",
            "{\"alarm\":null}",
            "{\"alarm\":{}}",
            "\"idle\"",
            "{\"idle\":null}",
            "{\"idle\":{}}",
            "{}",
            "null",
            "7",
            "{\"idle\":{\"session\":\"s\"}}",
            "{\"idle\":{\"session\":\"s\",\"more\":[{\"x\":[1,-2.5e3,true,null,\"\\n\"]}]}}",
            "{\"idle\":{\"session\":\"s\",\"session\":\"t\"}}",
            "{\"idle\":{\"session\":\"s\"},\"busy\":{\"session\":\"s\"}}",
            "{\"idle\":{\"session\":\"s\"},}",
            "{\"unheard\":{}}",
            "\"unheard\"",
            "{\"idle\":{\"session\":7}}",
            "{\"reply\":{\"effect\":1,\"outcome\":{\"ok\":\"done\"}}}",
            "{\"reply\":{\"effect\":1,\"outcome\":{\"err\":\"cancelled\"}}}",
            "{\"reply\":{\"effect\":-1,\"outcome\":{\"ok\":\"done\"}}}",
            "{\"reply\":{\"effect\":1.5,\"outcome\":\"ok\"}}",
            "{\"reply\":{\"effect\":1,\"outcome\":\"ok\"}}",
        ] {
            agree::<Event>(text);
        }
        // the one difference: for us a struct is an object and nothing else
        assert!(from_str::<Event>("{\"idle\":[\"s\"]}").is_err());
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(from_str::<Value>(&nested(100)).is_ok());
        for depth in [200, 100_000] {
            let error = from_str::<Value>(&nested(depth)).expect_err("too deep");
            assert!(error.to_string().contains("too deep"), "{error}");
            assert!(from_str::<de::IgnoredAny>(&nested(depth)).is_err());
        }
    }

    #[test]
    fn errors_say_what_and_where() {
        let message = |text: &str| from_str::<Event>(text).expect_err(text).to_string();
        assert_eq!(
            message("{\"idle\":{}}"),
            "missing field `session` at byte 9"
        );
        assert_eq!(
            message("{\"idle\":{\"session\":7}}"),
            "invalid type: integer `7`, expected a string at byte 20"
        );
        assert_eq!(
            message("{\"idle\":{\"sess"),
            "the text ends too early at byte 14"
        );
        assert!(
            message("{\"unheard\":{}}").starts_with("unknown variant `unheard`, expected one of")
        );
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_on_any_json(text in json(), cut in any::<prop::sample::Index>(), byte in any::<char>()) {
            agree::<Value>(&text);
            // … and on what is nearly JSON
            let at: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
            let at = at[cut.index(at.len())];
            agree::<Value>(&text[..at]);
            agree::<Value>(&format!("{}{byte}{}", &text[..at], &text[at..]));
        }

        #[test]
        fn agrees_with_serde_json_on_broken_journals(line in 1usize..50, cut in any::<prop::sample::Index>(), byte in prop::char::range(' ', '~')) {
            let line = JOURNAL.lines().nth(line).expect("a line");
            let at: Vec<usize> = line.char_indices().map(|(at, _)| at).collect();
            let at = at[cut.index(at.len())];
            let next = line[at..].chars().next().map_or(at, |c| at + c.len_utf8());
            agree::<crate::event::Timed>(line);
            agree::<crate::event::Timed>(&format!("{}{}", &line[..at], &line[next..]));
            agree::<crate::event::Timed>(&format!("{}{byte}{}", &line[..at], &line[at..]));
        }
    }

    fn json() -> impl Strategy<Value = String> {
        let number = any::<f64>().prop_filter("JSON has no such number", |n| n.is_finite());
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            number.prop_map(|n| Value::from((f64::from(n as f32) * 8.0).round() / 8.0)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
        .prop_map(|value| value.to_string())
    }
}
