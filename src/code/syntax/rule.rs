//! ast-grep's YAML rules, in the modules that have them.

#[cfg(feature = "rules")]
pub use with::{Rule, RuleFault};
#[cfg(not(feature = "rules"))]
pub use without::{Rule, RuleFault};

#[cfg(feature = "rules")]
mod with {
    use crate::code::syntax::kinds::Kinds;
    use crate::code::syntax::language::Lang;
    use crate::code::syntax::matcher::Match;
    use crate::code::syntax::template::Template;
    use ast_grep_config::{DeserializeEnv, RuleCore, RuleCoreError, SerializableRuleCore};
    use ast_grep_core::matcher::MatcherExt;
    use ast_grep_core::source::Edit;
    use ast_grep_core::tree_sitter::StrDoc;
    use ast_grep_core::{Matcher, Node, Pattern};
    use serde::Deserialize;
    use serde_json::Value;
    use std::collections::HashSet;
    use std::error::Error as StdError;
    use thiserror::Error;

    /// What is wrong with a rule.
    #[derive(Debug, Error)]
    pub enum RuleFault {
        #[error("{0}")]
        Yaml(String),
        #[error("{}", chain(.0))]
        Rule(#[from] RuleCoreError),
        #[error(
            "it must name a kind or a pattern: `any`, `not` or `regex` alone would look at every node"
        )]
        NoKind,
    }

    /// A message with those of its causes.
    fn chain(error: &dyn StdError) -> String {
        let mut text = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            text = format!("{} {cause}", text.trim_end_matches('.').to_owned() + ":");
            next = cause.source();
        }
        text
    }

    /// A compiled rule.
    pub struct Rule {
        core: RuleCore,
        literal: String,
        transformed: Vec<String>,
    }

    impl Rule {
        /// Compiles the YAML text of a rule.
        ///
        /// # Errors
        /// When it is not one that could match.
        pub fn compile(lang: Lang, text: &str) -> Result<Self, RuleFault> {
            // as data first: a rule's many types read from YAML themselves are a tenth of the module
            let data: Value =
                serde_saphyr::from_str(text).map_err(|error| RuleFault::Yaml(error.to_string()))?;
            let rule = SerializableRuleCore::deserialize(&data)
                .map_err(|error| RuleFault::Yaml(error.to_string()))?;
            let transformed = rule
                .transform
                .iter()
                .flatten()
                .map(|(name, _)| name.clone())
                .collect();
            let literal = required_patterns(&data["rule"])
                .into_iter()
                .filter_map(|pattern| Pattern::try_new(pattern, lang).ok())
                .map(|pattern| pattern.fixed_string().into_owned())
                .max_by_key(String::len)
                .unwrap_or_default();
            let core = rule.get_matcher(DeserializeEnv::new(lang))?;
            if core.potential_kinds().is_none() {
                return Err(RuleFault::NoKind);
            }
            Ok(Self {
                core,
                literal,
                transformed,
            })
        }

        /// A text that every file with a match contains; empty when there is none.
        #[must_use]
        pub fn literal(&self) -> &str {
            &self.literal
        }

        #[must_use]
        pub fn kinds(&self) -> Option<Kinds> {
            self.core
                .potential_kinds()
                .map(|kinds| kinds.iter().collect())
        }

        #[must_use]
        pub fn match_node<'tree>(&self, node: Node<'tree, StrDoc<Lang>>) -> Option<Match<'tree>> {
            self.core.match_node(node)
        }

        #[must_use]
        pub fn defined_vars(&self) -> HashSet<&str> {
            self.core.defined_vars()
        }

        /// The variables that its `transform` makes.
        #[must_use]
        pub fn transformed(&self) -> &[String] {
            &self.transformed
        }

        #[must_use]
        pub fn edit(&self, found: &Match, template: &Template) -> Edit<String> {
            found.make_edit(&self.core, template)
        }
    }

    /// The patterns that a file must hold for a match of the rule: its own, and those of what it demands besides.
    fn required_patterns(rule: &Value) -> Vec<&str> {
        let own = rule.get("pattern").and_then(Value::as_str);
        let nested = ["has", "inside", "precedes", "follows"]
            .iter()
            .filter_map(|key| rule.get(key));
        let all = rule
            .get("all")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        own.into_iter()
            .chain(nested.chain(all).flat_map(required_patterns))
            .collect()
    }
}

#[cfg(not(feature = "rules"))]
mod without {
    use crate::code::syntax::kinds::Kinds;
    use crate::code::syntax::language::Lang;
    use crate::code::syntax::matcher::Match;
    use crate::code::syntax::template::Template;
    use ast_grep_core::Node;
    use ast_grep_core::source::Edit;
    use ast_grep_core::tree_sitter::StrDoc;
    use std::collections::HashSet;
    use thiserror::Error;

    #[derive(Debug, Error)]
    #[error("another module has rules")]
    pub struct RuleFault;

    /// There is none.
    pub enum Rule {}

    impl Rule {
        /// # Errors
        /// Always.
        pub fn compile(_: Lang, _: &str) -> Result<Self, RuleFault> {
            Err(RuleFault)
        }

        #[must_use]
        pub fn literal(&self) -> &str {
            match *self {}
        }

        #[must_use]
        pub fn kinds(&self) -> Option<Kinds> {
            match *self {}
        }

        #[must_use]
        pub fn match_node<'tree>(&self, _: Node<'tree, StrDoc<Lang>>) -> Option<Match<'tree>> {
            match *self {}
        }

        #[must_use]
        pub fn defined_vars(&self) -> HashSet<&str> {
            match *self {}
        }

        #[must_use]
        pub fn transformed(&self) -> &[String] {
            match *self {}
        }

        #[must_use]
        pub fn edit(&self, _: &Match, _: &Template) -> Edit<String> {
            match *self {}
        }
    }
}
