//! The writer behind [`super::to_string`]: what serde's types ask of it is done by functions which all types share.

use super::{Error, fault};
use serde::ser::{self, Serialize, Serializer};

/// A text that is being written.
pub(super) struct Writer(String);

impl Writer {
    pub fn new() -> Self {
        Self(String::with_capacity(512)) // an event's line fits
    }

    pub fn finish(self) -> String {
        self.0
    }

    #[inline(never)]
    fn raw(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// A string in quotes. What JSON can't hold as it is is escaped as `serde_json` does it.
    #[inline(never)]
    fn string(&mut self, text: &str) {
        self.0.reserve(text.len() + 2);
        self.0.push('"');
        let mut rest = text;
        let special = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
        while let Some(at) = rest.as_bytes().iter().position(special) {
            self.0.push_str(&rest[..at]);
            self.escape(rest.as_bytes()[at]);
            rest = &rest[at + 1..];
        }
        self.0.push_str(rest);
        self.0.push('"');
    }

    fn escape(&mut self, byte: u8) {
        let short = match byte {
            b'\n' => 'n',
            b'\r' => 'r',
            b'\t' => 't',
            0x08 => 'b',
            0x0c => 'f',
            0..b' ' => {
                let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
                self.0.push_str("\\u00");
                self.0.push(digit(byte >> 4));
                self.0.push(digit(byte & 15));
                return;
            }
            byte => char::from(byte),
        };
        self.0.push('\\');
        self.0.push(short);
    }

    /// The comma before an entry that is not the first.
    #[inline(never)]
    fn next(&mut self) {
        if !matches!(self.0.as_bytes().last(), Some(b'[' | b'{')) {
            self.0.push(',');
        }
    }

    /// The name of a field or variant, which is one in Rust, too: nothing in it needs an escape.
    #[inline(never)]
    fn field(&mut self, name: &'static str) {
        debug_assert!(!name.contains(['"', '\\']), "{name}");
        self.next();
        self.0.reserve(name.len() + 3);
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    /// The variant's name, before its content.
    #[inline(never)]
    fn variant(&mut self, name: &'static str) {
        self.0.push('{');
        self.field(name);
    }

    fn open(&mut self, start: &str, end: &'static str) -> Entries<'_> {
        self.raw(start);
        Entries { writer: self, end }
    }

    #[inline(never)]
    fn natural(&mut self, number: u64) {
        self.raw(itoa::Buffer::new().format(number));
    }

    #[inline(never)]
    fn whole(&mut self, number: i64) {
        self.raw(itoa::Buffer::new().format(number));
    }

    #[inline(never)]
    fn real(&mut self, number: f64) {
        if number.is_finite() {
            self.raw(zmij::Buffer::new().format_finite(number));
        } else {
            self.raw("null");
        }
    }

    /// Makes a string of the key that was written last, from `start` on.
    #[inline(never)]
    fn quote(&mut self, start: usize) -> Result<(), Error> {
        match self.0.as_bytes().get(start) {
            Some(b'"') => {}
            Some(b'-' | b'0'..=b'9' | b't' | b'f') => {
                self.0.insert(start, '"');
                self.0.push('"');
            }
            _ => return Err(fault("a key must be a string".to_owned())),
        }
        self.0.push(':');
        Ok(())
    }
}

macro_rules! numbers {
    ($($method:ident $type:ty => $write:ident;)*) => {$(
        #[inline]
        fn $method(self, number: $type) -> Result<(), Error> {
            self.$write(number.into());
            Ok(())
        }
    )*};
}

impl<'a> Serializer for &'a mut Writer {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Entries<'a>;
    type SerializeTuple = Entries<'a>;
    type SerializeTupleStruct = Entries<'a>;
    type SerializeTupleVariant = Entries<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Entries<'a>;
    type SerializeStructVariant = Entries<'a>;

    numbers! {
        serialize_u8 u8 => natural;
        serialize_u16 u16 => natural;
        serialize_u32 u32 => natural;
        serialize_u64 u64 => natural;
        serialize_i8 i8 => whole;
        serialize_i16 i16 => whole;
        serialize_i32 i32 => whole;
        serialize_i64 i64 => whole;
        serialize_f64 f64 => real;
    }

    fn serialize_f32(self, number: f32) -> Result<(), Error> {
        if number.is_finite() {
            self.raw(zmij::Buffer::new().format_finite(number));
        } else {
            self.raw("null");
        }
        Ok(())
    }

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.raw(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.string(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.raw("null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.variant(variant);
        value.serialize(&mut *self)?;
        self.raw("}");
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Entries<'a>, Error> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Entries<'a>, Error> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Entries<'a>, Error> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Entries<'a>, Error> {
        self.variant(variant);
        Ok(self.open("[", "]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries<'a>, Error> {
        Ok(self.open("{", "}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Entries<'a>, Error> {
        Ok(self.open("{", "}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Entries<'a>, Error> {
        self.variant(variant);
        Ok(self.open("{", "}}"))
    }
}

/// An array or object that is being written, and what closes it.
pub(super) struct Entries<'a> {
    writer: &'a mut Writer,
    end: &'static str,
}

impl Entries<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.writer.next();
        value.serialize(&mut *self.writer)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.writer.field(name);
        value.serialize(&mut *self.writer)
    }

    fn close(self) {
        self.writer.raw(self.end);
    }
}

macro_rules! entries {
    ($($trait:ident: $method:ident($($name:ident)?) => $write:ident;)*) => {$(
        impl ser::$trait for Entries<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($name: &'static str,)?
                value: &T,
            ) -> Result<(), Error> {
                self.$write($($name,)? value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        }
    )*};
}

entries! {
    SerializeSeq: serialize_element() => item;
    SerializeTuple: serialize_element() => item;
    SerializeTupleStruct: serialize_field() => item;
    SerializeTupleVariant: serialize_field() => item;
    SerializeStruct: serialize_field(name) => field;
    SerializeStructVariant: serialize_field(name) => field;
}

impl ser::SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.writer.next();
        let start = self.writer.0.len();
        key.serialize(&mut *self.writer)?;
        self.writer.quote(start)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}
