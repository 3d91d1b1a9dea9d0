//! What to look for: an ast-grep pattern, or one of its YAML rules.

use super::kinds::Kinds;
use super::language::Lang;
use super::limits::RULE_DEPTH;
use super::prefilter::{Places, Prefilter, literal_within};
use super::rule::{Rule, RuleFault};
use super::template::Template;
use ast_grep_core::matcher::{MatcherExt, NodeMatch};
use ast_grep_core::tree_sitter::StrDoc;
use ast_grep_core::{Matcher, Node, Pattern, PatternError};
use thiserror::Error;
use tree_sitter::Tree;

/// A match in a file.
pub type Match<'tree> = NodeMatch<'tree, StrDoc<Lang>>;

/// What is wrong with a pattern, a rule or a rewrite.
#[derive(Debug, Error)]
pub enum QueryFault {
    #[error("pattern: it is empty")]
    Empty,
    #[error("pattern: {0}")]
    Pattern(#[from] PatternError),
    #[error(
        "pattern: `{0}` does not parse as {1}; write a whole expression, statement or declaration"
    )]
    Broken(String, &'static str),
    #[error("rule: {0}")]
    Rule(#[from] RuleFault),
    #[error("rewrite: ${0} is not in the pattern")]
    UnknownVariable(String),
}

enum Kind {
    Pattern(Pattern),
    Rule(Box<Rule>),
}

/// A compiled query.
pub struct Query {
    kind: Kind,
    prefilter: Prefilter,
    /// A text that every match contains; empty when there is none.
    within: String,
    /// The kinds of node that can match; all when there are none.
    kinds: Option<Kinds>,
}

/// A text with this first key is a rule.
const RULE_KEY: &str = "rule:";

/// Whether a text is a rule, as opposed to a pattern.
#[must_use]
pub fn is_rule(text: &str) -> bool {
    text.trim_start().starts_with(RULE_KEY)
}

impl Query {
    /// Compiles an ast-grep pattern, or a YAML rule when `text` begins with `rule:`.
    ///
    /// # Errors
    /// When it is not one that could match.
    pub fn compile(lang: Lang, text: &str) -> Result<Self, QueryFault> {
        if text.trim().is_empty() {
            return Err(QueryFault::Empty);
        }
        if is_rule(text) {
            let rule = Rule::compile(lang, text)?;
            return Ok(Self {
                prefilter: Prefilter::of_text(rule.literal()),
                within: String::new(),
                kinds: rule.kinds(),
                kind: Kind::Rule(Box::new(rule)),
            });
        }
        let pattern = Pattern::try_new(text.trim(), lang)?;
        // ast-grep accepts such a pattern and finds nothing
        if pattern.has_error() {
            return Err(QueryFault::Broken(text.trim().to_owned(), lang.name()));
        }
        Ok(Self {
            prefilter: Prefilter::new(&pattern, lang),
            within: literal_within(&pattern, lang),
            kinds: (pattern.potential_kinds()).map(|kinds| kinds.iter().collect()),
            kind: Kind::Pattern(pattern),
        })
    }

    #[must_use]
    pub fn is_rule(&self) -> bool {
        matches!(self.kind, Kind::Rule(_))
    }

    /// Whether a file with these bytes can hold a match.
    #[must_use]
    pub fn may_be_in(&self, bytes: &[u8]) -> bool {
        self.prefilter.passes(bytes)
    }

    /// Where in a text that is which each match contains, if there is such a text.
    #[must_use]
    pub fn places_in(&self, text: &str) -> Option<Places> {
        (!self.within.is_empty()).then(|| Places::of(&self.within, text))
    }

    /// Whether a node of this kind can match.
    #[must_use]
    pub fn may_match(&self, kind: u16) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(kind))
    }

    /// Whether the query may be tried on this tree: a rule's work grows with the depth of every node.
    #[must_use]
    pub fn admits(&self, tree: &Tree) -> bool {
        !self.is_rule() || !is_deeper(tree, RULE_DEPTH)
    }

    /// The match at this node.
    #[must_use]
    pub fn match_node<'tree>(&self, node: Node<'tree, StrDoc<Lang>>) -> Option<Match<'tree>> {
        match &self.kind {
            Kind::Pattern(pattern) => pattern.match_node(node),
            Kind::Rule(rule) => rule.match_node(node),
        }
    }

    /// Compiles the text that takes a match's place.
    ///
    /// # Errors
    /// When it uses a variable that the pattern does not set.
    pub fn replacement(&self, text: &str) -> Result<Template, QueryFault> {
        let (known, transformed) = match &self.kind {
            Kind::Pattern(pattern) => (pattern.defined_vars(), [].as_slice()),
            Kind::Rule(rule) => (rule.defined_vars(), rule.transformed()),
        };
        let template = Template::new(text, transformed);
        let mut unknown: Vec<String> = template
            .variables()
            .into_iter()
            .filter(|name| !known.contains(name))
            .map(str::to_owned)
            .collect();
        unknown.sort_unstable();
        match unknown.first() {
            Some(name) => Err(QueryFault::UnknownVariable(name.clone())),
            None => Ok(template),
        }
    }

    /// The edit that puts `template` in the place of a match: byte offset, length, new text.
    #[must_use]
    pub fn edit(&self, found: &Match, template: &Template) -> (usize, usize, Vec<u8>) {
        let edit = match &self.kind {
            Kind::Pattern(pattern) => found.make_edit(pattern, template),
            Kind::Rule(rule) => rule.edit(found, template),
        };
        (edit.position, edit.deleted_length, edit.inserted_text)
    }
}

/// A query and the files that it is about.
pub struct Target {
    pub lang: Lang,
    pub query: Query,
}

impl Target {
    /// Compiles the pattern or rule.
    ///
    /// # Errors
    /// As [`Query::compile`].
    pub fn new(lang: Lang, pattern: &str) -> Result<Self, QueryFault> {
        let query = Query::compile(lang, pattern)?;
        Ok(Self { lang, query })
    }
}

fn is_deeper(tree: &Tree, than: u32) -> bool {
    let mut cursor = tree.walk();
    let mut depth = 0;
    loop {
        if cursor.goto_first_child() {
            depth += 1;
            if depth > than {
                return true;
            }
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return false;
            }
            depth -= 1;
        }
    }
}

#[cfg(all(test, feature = "lang-rust"))]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_match_is_refused_in_words() {
        let fault = |text: &str| match Query::compile(Lang::Rust, text) {
            Err(fault) => fault.to_string(),
            Ok(_) => "no fault".to_owned(),
        };
        assert_eq!(fault(" "), "pattern: it is empty");
        assert!(
            fault("foo((").contains("does not parse as rust"),
            "{}",
            fault("foo((")
        );
        assert!(
            fault("rule: {regex: x}").contains("must name a kind"),
            "{}",
            fault("rule: {regex: x}")
        );
        assert!(
            fault("rule: {kind: nonsense}").contains("nonsense"),
            "{}",
            fault("rule: {kind: nonsense}")
        );
        assert!(
            fault("rule: [").starts_with("rule: "),
            "{}",
            fault("rule: [")
        );
    }

    #[test]
    fn a_rewrite_uses_the_variables_of_the_pattern() {
        let query = Query::compile(Lang::Rust, "foo($A)").expect("query");
        assert!(query.replacement("bar($A)").is_ok());
        let fault = query.replacement("bar($B)").err().expect("fault");
        assert_eq!(fault.to_string(), "rewrite: $B is not in the pattern");
    }
}
