//! The arguments of a call, as a model writes them: every property that OpenCode advertises is filled in, so empty texts
//! and nulls mean nothing; numbers and flags come as texts, too; and options may be nested in an `options` object, which is
//! the only way to advertise optional ones.

use crate::json;
use serde_json::{Map, Value};

/// A call's arguments, read one by one. What is left over at the end is unknown.
pub struct Args {
    values: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Args {
    /// # Errors
    /// When the text is not a JSON object.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: Value = json::from_str(text)
            .map_err(|error| format!("The arguments are not JSON: {error}."))?;
        let mut values = match value {
            Value::Null => Map::new(),
            Value::Object(values) => values,
            _ => return Err("The arguments must be a JSON object.".to_owned()),
        };
        match values.remove("options") {
            None | Some(Value::Null) => {}
            Some(Value::Object(more)) => {
                for (name, value) in more {
                    values.entry(name).or_insert(value);
                }
            }
            Some(Value::String(text)) if text.trim().is_empty() => {}
            Some(_) => return Err("`options` must be an object.".to_owned()),
        }
        Ok(Self {
            values,
            known: Vec::new(),
        })
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.values.remove(name).filter(|value| !value.is_null())
    }

    /// Whatever it is.
    pub fn value(&mut self, name: &'static str) -> Option<Value> {
        self.take(name)
    }

    /// # Errors
    /// When it is no text.
    pub fn text(&mut self, name: &'static str) -> Result<Option<String>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok((!text.is_empty()).then_some(text)),
            Some(other) => Err(format!("`{name}` must be a text, not {}.", written(&other))),
        }
    }

    /// # Errors
    /// When it is neither a text nor a list of texts.
    pub fn texts(&mut self, name: &'static str) -> Result<Vec<String>, String> {
        let wrong =
            |value: &Value| format!("`{name}` must be a list of texts, not {}.", written(value));
        let list = match self.take(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(one) => vec![one],
        };
        list.into_iter()
            .filter(|value| value.as_str() != Some(""))
            .map(|value| match value {
                Value::String(text) => Ok(text),
                other => Err(wrong(&other)),
            })
            .collect()
    }

    /// # Errors
    /// When it is neither true nor false.
    pub fn flag(&mut self, name: &'static str) -> Result<bool, String> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(Value::String(text)) if matches!(text.as_str(), "true" | "false" | "") => {
                Ok(text == "true")
            }
            Some(other) => Err(format!(
                "`{name}` must be true or false, not {}.",
                written(&other)
            )),
        }
    }

    /// A whole number; `max` when it is more than that.
    ///
    /// # Errors
    /// When it is none, or below `min`.
    pub fn count(
        &mut self,
        name: &'static str,
        min: usize,
        max: usize,
    ) -> Result<Option<usize>, String> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        if value.as_str() == Some("") {
            return Ok(None);
        }
        let number = value
            .as_f64()
            .or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()))
            .filter(|number| number.fract() == 0.0 && *number >= min as f64)
            .ok_or_else(|| {
                format!(
                    "`{name}` must be a whole number from {min}, not {}.",
                    written(&value)
                )
            })?;
        Ok(Some(number.min(max as f64) as usize))
    }

    /// One of the named values.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn choice<T: Copy>(
        &mut self,
        name: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, String> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let found = choices.iter().find(|(choice, _)| *choice == text);
        found.map(|(_, value)| Some(*value)).ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            format!(
                "`{name}` must be one of {}, not `{text}`.",
                names.join(", ")
            )
        })
    }

    /// # Errors
    /// When there are arguments that nobody asked for.
    pub fn end(self) -> Result<(), String> {
        let unknown: Vec<String> = self.values.keys().map(|name| format!("`{name}`")).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        Err(format!(
            "Unknown: {}. The arguments are {}.",
            unknown.join(", "),
            self.known.join(", ")
        ))
    }
}

/// A value as a model wrote it.
fn written(value: &Value) -> String {
    json::to_string(value).unwrap_or_default() // its keys are strings
}
