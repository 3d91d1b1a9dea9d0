//! The modules that are built of this code, with different grammars linked. All of a module is compiled before its first
//! call, so what is seldom needed is in one of its own.
//!
//! A request goes to the first. What that can't do it gives as [`Elsewhere`]: the module so named gets the same request
//! with this as its `partial`, adds its own, and writes the answer or names one behind it.

use super::language::Lang;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// In the order in which they are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Module {
    /// Patterns in the common languages.
    #[default]
    #[serde(rename = "syntax")]
    Patterns,
    /// Rules in the same ones; and those of the less common ones whose grammars are not the largest.
    #[serde(rename = "syntax-rules")]
    Rules,
    /// Both in the rare languages.
    #[serde(rename = "syntax-more")]
    More,
}

/// Who has to go on with a request, and what was found so far.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Elsewhere {
    pub module: Module,
    found: Value,
}

impl Elsewhere {
    #[must_use]
    pub fn new(module: Module) -> Self {
        Self {
            module,
            found: Value::Null,
        }
    }

    #[must_use]
    pub fn with(module: Module, found: &impl Serialize) -> Self {
        Self {
            module,
            found: serde_json::to_value(found).unwrap_or_default(),
        }
    }

    /// From a request's `partial`; the first module gets none.
    #[must_use]
    pub fn of(partial: Option<Value>) -> Self {
        partial
            .and_then(|partial| serde_json::from_value(partial).ok())
            .unwrap_or_default()
    }

    /// What those before found; nothing in the first.
    #[must_use]
    pub fn found<T: Default + DeserializeOwned>(self) -> T {
        serde_json::from_value(self.found).unwrap_or_default()
    }
}

impl Lang {
    /// The first module that has the language, or rules in it.
    #[must_use]
    pub fn module(self, has_rule: bool) -> Module {
        let own = match self {
            Lang::Bash
            | Lang::C
            | Lang::CSharp
            | Lang::Cpp
            | Lang::Kotlin
            | Lang::Lua
            | Lang::Markdown
            | Lang::Php
            | Lang::PhpPage
            | Lang::Ruby
            | Lang::Swift => Module::More,
            Lang::Css | Lang::Java | Lang::Yaml => Module::Rules,
            _ => Module::Patterns,
        };
        if has_rule {
            own.max(Module::Rules)
        } else {
            own
        }
    }

    /// Whether this module has the language, and rules in it if they are needed.
    #[must_use]
    pub fn is_served(self, has_rule: bool) -> bool {
        self.is_linked() && (cfg!(feature = "rules") || !has_rule)
    }
}
