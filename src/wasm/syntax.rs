//! The parsing tools' edge: [`Grammars`] works on texts that it is given, for tests, other programs and the browser.

use crate::code::syntax::Syntax;
use crate::code::syntax::language::Lang;
use crate::code::syntax::limits::CACHE_BYTES;
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// The languages of this module, over texts in memory.
#[wasm_bindgen]
pub struct Grammars {
    syntax: Syntax,
}

#[wasm_bindgen]
impl Grammars {
    #[wasm_bindgen(constructor)]
    pub fn new() -> Grammars {
        console_error_panic_hook::set_once();
        Grammars {
            syntax: Syntax::new(CACHE_BYTES, js_sys::Date::now),
        }
    }

    /// The names of the languages that this module parses.
    pub fn languages() -> Vec<String> {
        let linked = Lang::all().filter(|lang| lang.is_linked());
        linked.map(|lang| lang.name().to_owned()).collect()
    }

    /// The tree of a text as an S-expression. Throws when it can't be parsed.
    pub fn tree(&mut self, language: &str, text: &str) -> Result<String, JsError> {
        Ok(self.syntax.tree_of(lang(language)?, text)?)
    }

    /// Parses a text and gives whether it has errors. Throws when it can't be parsed.
    #[wasm_bindgen(js_name = hasErrors)]
    pub fn has_errors(&mut self, language: &str, text: &str) -> Result<bool, JsError> {
        Ok(self.syntax.has_errors(lang(language)?, text)?)
    }

    /// The matches of an ast-grep pattern or rule: start and end of each in bytes of UTF-8, one after the other.
    /// Throws what is wrong with the pattern.
    pub fn find(&mut self, language: &str, pattern: &str, text: &str) -> Result<Vec<u32>, JsError> {
        let ranges = self.syntax.find_in(lang(language)?, pattern, text)?;
        Ok(ranges
            .into_iter()
            .flat_map(|(start, end)| [start as u32, end as u32])
            .collect())
    }

    /// The text with the pattern's matches replaced. Throws what is wrong with the pattern or the rewrite.
    pub fn rewrite(
        &mut self,
        language: &str,
        pattern: &str,
        rewrite: &str,
        text: &str,
    ) -> Result<String, JsError> {
        Ok(self
            .syntax
            .rewrite_in(lang(language)?, pattern, rewrite, text)?)
    }

    /// What a text defines and refers to (`Symbols` as JSON text).
    pub fn symbols(&mut self, language: &str, text: &str) -> Result<String, JsError> {
        json(&self.syntax.symbols_in(lang(language)?, text)?)
    }

    /// What a text defines (`Symbol[]` as JSON text), as outlines find it: the same as among its symbols.
    pub fn definitions(&mut self, language: &str, text: &str) -> Result<String, JsError> {
        json(&self.syntax.definitions_in(lang(language)?, text)?)
    }

    /// What is broken in a file's text (`Diagnostic[]` as JSON text).
    pub fn diagnostics(
        &mut self,
        path: &str,
        language: &str,
        text: &str,
    ) -> Result<String, JsError> {
        json(&self.syntax.diagnostics_in(path, lang(language)?, text)?)
    }
}

fn lang(name: &str) -> Result<Lang, JsError> {
    let lang = Lang::named(name).filter(|lang| lang.is_linked());
    lang.ok_or_else(|| JsError::new(&format!("{name} is not in this module")))
}

fn json(value: &impl Serialize) -> Result<String, JsError> {
    Ok(serde_json::to_string(value)?)
}
