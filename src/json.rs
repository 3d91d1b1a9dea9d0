//! JSON texts as values and back, by little code: a host compiles all of it before the first event, and what `serde_json`
//! becomes with some hundred types takes a third of that. So here are a reader and a writer that do their work in functions
//! which all types share ([`Reader`], [`Writer`]), checked against `serde_json`'s in the tests below; and the structs of a
//! snapshot are read field by field ([`read_fields`]), where serde derives slots for all of them, at some 600 bytes of code a
//! field.
//!
//! A struct is read from an object alone, not from an array, which nothing of ours writes.

mod reader;
mod typed;
mod writer;

use reader::Reader;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;
use writer::Writer;

/// What is wrong with a text, and where. Boxed, for nearly every function here may give one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(Box<Fault>);

#[derive(Debug)]
struct Fault {
    message: String,
    at: Option<Position>,
}

/// Counted from 1, in bytes.
#[derive(Debug)]
struct Position {
    line: usize,
    column: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.at {
            Some(Position { line, column }) => write!(f, " at line {line} column {column}"),
            None => Ok(()),
        }
    }
}

/// An error whose place is not known yet.
#[cold]
#[inline(never)]
fn fault(message: String) -> Error {
    Error(Box::new(Fault { message, at: None }))
}

impl serde::de::Error for Error {
    #[cold]
    #[inline(never)]
    fn custom<T: fmt::Display>(message: T) -> Self {
        fault(message.to_string())
    }
}

impl serde::ser::Error for Error {
    #[cold]
    #[inline(never)]
    fn custom<T: fmt::Display>(message: T) -> Self {
        fault(message.to_string())
    }
}

/// The text of a value, as `serde_json` writes it.
///
/// # Errors
/// When JSON can't hold the value: a map's key is neither a string nor a number.
pub fn to_string(value: &(impl Serialize + ?Sized)) -> Result<String, Error> {
    let mut writer = Writer::new();
    value.serialize(&mut writer)?;
    Ok(writer.finish())
}

/// The value that a text holds.
///
/// # Errors
/// What is wrong with it, and where.
pub fn from_str<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    let mut reader = Reader::new(text);
    let value = T::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| reader.placed(error))
}

/// A value's text.
pub(crate) struct Raw<'a>(&'a str);

/// By this name the reader knows what is asked for.
const RAW: &str = "json::Raw";

impl<'de> Deserialize<'de> for Raw<'de> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Raw<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("JSON text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Raw<'de>, E> {
                Ok(Raw(text))
            }
        }
        reader.deserialize_newtype_struct(RAW, Text)
    }
}

/// The fields of an object, as JSON texts.
pub(crate) struct Fields<'a>(Vec<(String, Raw<'a>)>);

impl<'a> Fields<'a> {
    /// The value of a field. One that is missing is nothing, where its type has that.
    ///
    /// # Errors
    /// When it is missing or something else.
    #[inline(never)]
    pub fn get<T: Deserialize<'a>>(&self, name: &str) -> Result<T, String> {
        let mut reader = Reader::new(self.text(name).unwrap_or("null"));
        T::deserialize(&mut reader).map_err(|error| self.wrong(name, &error))
    }

    /// The value of a field that need not be there.
    ///
    /// # Errors
    /// When it is something else.
    pub fn get_or_default<T: Deserialize<'a> + Default>(&self, name: &str) -> Result<T, String> {
        match self.text(name) {
            Some(_) => self.get(name),
            None => Ok(T::default()),
        }
    }

    #[cold]
    fn wrong(&self, name: &str, error: &Error) -> String {
        match self.text(name) {
            Some(_) => format!("{name}: {error}"),
            None => format!("missing field `{name}`"),
        }
    }

    #[inline(never)]
    fn text(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.0)
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Fields(Vec::new());
                while let Some((name, value)) = map.next_entry::<String, _>()? {
                    if fields.text(&name).is_some() {
                        let message = format!("duplicate field `{name}`");
                        return Err(serde::de::Error::custom(message));
                    }
                    fields.0.push((name, value));
                }
                Ok(fields)
            }
        }
        reader.deserialize_map(Entries)
    }
}

/// `Deserialize` for a struct, by [`from_str`] alone: all of its fields by name; those that may be missing come last, and
/// then those that no text has. The compiler says when one is forgotten.
macro_rules! read_fields {
    ($type:ident $(<$of:ident>)? {
        $($field:ident),+ $(,)?
        $(; default: $($missing:ident),+)?
        $(; never: $($never:ident),+)?
    }) => {
        impl<'de $(, $of: serde::Deserialize<'de>)?> serde::Deserialize<'de> for $type $(<$of>)? {
            fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
                let fields = $crate::json::Fields::deserialize(reader)?;
                let read = || {
                    Ok(Self {
                        $($field: fields.get(stringify!($field))?,)+
                        $($($missing: fields.get_or_default(stringify!($missing))?,)+)?
                        $($($never: Default::default(),)+)?
                    })
                };
                read().map_err(|error: String| serde::de::Error::custom(error))
            }
        }
    };
}
pub(crate) use read_fields;

/// A variant's name and the fields in it.
pub(crate) struct Variant<'a> {
    pub name: String,
    pub fields: Fields<'a>,
}

impl<'de> Deserialize<'de> for Variant<'de> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Variant<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a variant")
            }

            fn visit_str<E>(self, name: &str) -> Result<Variant<'de>, E> {
                Ok(Variant {
                    name: name.to_owned(),
                    fields: Fields(Vec::new()),
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Variant<'de>, A::Error> {
                match (map.next_entry()?, map.next_key::<String>()?) {
                    (Some((name, fields)), None) => Ok(Variant { name, fields }),
                    _ => Err(serde::de::Error::custom("expected one variant")),
                }
            }
        }
        reader.deserialize_any(Either)
    }
}

/// The same for an enum whose variants have named fields or none; names are those in the text.
macro_rules! read_variants {
    ($type:ident { $($name:literal => $variant:ident $({ $($field:ident),+ })?,)+ }) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
                let $crate::json::Variant { name, fields } = serde::Deserialize::deserialize(reader)?;
                let read = || {
                    Ok(match name.as_str() {
                        $($name => Self::$variant $({ $($field: fields.get(stringify!($field))?),+ })?,)+
                        _ => return Err(format!("unknown variant `{name}`")),
                    })
                };
                read().map_err(|error: String| serde::de::Error::custom(error))
            }
        }
    };
}
pub(crate) use read_variants;

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
