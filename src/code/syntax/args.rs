//! The tools' arguments: OpenCode passes on whatever the model wrote.

use super::language::Lang;
use serde_json::Value;
use thiserror::Error;

/// What is wrong with a call, for the model to read.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ArgsFault {
    #[error("{0}: {1} is wanted, not {2}")]
    Kind(&'static str, &'static str, String),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error(
        "language: there is no grammar for {name:?}; there is one for {}",
        names()
    )]
    Language { name: String },
}

/// All languages, in words.
#[must_use]
pub fn names() -> String {
    Lang::all().map(Lang::name).collect::<Vec<_>>().join(", ")
}

/// A call's arguments.
pub struct Args<'json>(pub &'json Value);

impl Args<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn wrong<T>(name: &'static str, wanted: &'static str, value: &Value) -> Result<T, ArgsFault> {
        let shown = crate::event::clip(&value.to_string(), 60);
        Err(ArgsFault::Kind(name, wanted, shown))
    }

    /// A text; empty when it is not given.
    ///
    /// # Errors
    /// When it is something else.
    pub fn text(&self, name: &'static str) -> Result<&str, ArgsFault> {
        match self.get(name) {
            None => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Self::wrong(name, "a text", other),
        }
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn required(&self, name: &'static str) -> Result<&str, ArgsFault> {
        match self.text(name)? {
            "" => Err(ArgsFault::Missing(name)),
            text => Ok(text),
        }
    }

    /// The path argument, relative to the tree: `""` is its root.
    ///
    /// # Errors
    /// When it is no text.
    pub fn path(&self) -> Result<&str, ArgsFault> {
        let path = self.text("path")?.trim();
        Ok(if path == "." || path == "./" {
            ""
        } else {
            path
        })
    }

    /// A list of texts; one text counts as a list of it.
    ///
    /// # Errors
    /// When it is something else.
    pub fn list(&self, name: &'static str) -> Result<Vec<String>, ArgsFault> {
        let wanted = "a list of texts";
        let Some(value) = self.get(name) else {
            return Ok(Vec::new());
        };
        let items = match value {
            Value::String(text) => vec![text.clone()],
            Value::Array(items) => items
                .iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text.clone()),
                    other => Self::wrong(name, wanted, other),
                })
                .collect::<Result<_, _>>()?,
            other => return Self::wrong(name, wanted, other),
        };
        Ok(items.into_iter().filter(|item| !item.is_empty()).collect())
    }

    /// A count from 1 to `most`; `default` when it is 0 or not given.
    ///
    /// # Errors
    /// When it is no such number.
    pub fn count(
        &self,
        name: &'static str,
        default: usize,
        most: usize,
    ) -> Result<usize, ArgsFault> {
        let wanted = "a whole number from 0 on";
        let Some(value) = self.get(name) else {
            return Ok(default);
        };
        let number = match value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        match number {
            Some(0) => Ok(default),
            Some(number) => Ok(usize::try_from(number).unwrap_or(most).min(most)),
            None => Self::wrong(name, wanted, value),
        }
    }

    /// Yes or no; no when it is not given.
    ///
    /// # Errors
    /// When it is something else.
    pub fn flag(&self, name: &'static str) -> Result<bool, ArgsFault> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if matches!(text.as_str(), "true" | "false") => {
                Ok(text == "true")
            }
            Some(other) => Self::wrong(name, "true or false", other),
        }
    }

    /// The language argument, which must be there.
    ///
    /// # Errors
    /// When it is missing or unknown.
    pub fn language(&self) -> Result<Lang, ArgsFault> {
        let name = self.required("language")?;
        Lang::named(name).ok_or_else(|| ArgsFault::Language {
            name: name.to_owned(),
        })
    }
}
