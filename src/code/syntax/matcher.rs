//! What to look for: an ast-grep pattern, or one of its YAML rules.

use super::language::Lang;
use super::limits::RULE_DEPTH;
use super::template::Template;
use ast_grep_config::{DeserializeEnv, RuleCore, RuleCoreError, SerializableRuleCore};
use ast_grep_core::matcher::{MatcherExt, NodeMatch, PatternNode};
use ast_grep_core::tree_sitter::StrDoc;
use ast_grep_core::{Matcher, Node, Pattern, PatternError};
use serde::Deserialize;
use serde_json::Value;
use std::error::Error as StdError;
use std::ops::Range;
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
    Yaml(String),
    #[error("rule: {}", chain(.0))]
    Rule(#[from] RuleCoreError),
    #[error(
        "rule: it must name a kind or a pattern: `any`, `not` or `regex` alone would look at every node"
    )]
    NoKind,
    #[error("rewrite: ${0} is not in the pattern")]
    UnknownVariable(String),
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

enum Kind {
    Pattern(Pattern),
    Rule(Box<RuleCore>),
}

/// A compiled query.
pub struct Query {
    kind: Kind,
    /// A text that every file with a match contains, as ast-grep's own program has it; empty when there is none.
    literal: String,
    /// One that every match contains.
    within: String,
    transformed: Vec<String>,
}

/// A text with this first key is a rule.
const RULE_KEY: &str = "rule:";

impl Query {
    /// Compiles an ast-grep pattern, or a YAML rule when `text` begins with `rule:`.
    ///
    /// # Errors
    /// When it is not one that could match.
    pub fn compile(lang: Lang, text: &str) -> Result<Self, QueryFault> {
        if text.trim().is_empty() {
            return Err(QueryFault::Empty);
        }
        if text.trim_start().starts_with(RULE_KEY) {
            return Self::compile_rule(lang, text);
        }
        let pattern = Pattern::try_new(text.trim(), lang)?;
        // ast-grep accepts such a pattern and finds nothing
        if pattern.has_error() {
            return Err(QueryFault::Broken(text.trim().to_owned(), lang.name()));
        }
        Ok(Self {
            literal: pattern.fixed_string().into_owned(),
            within: literal_within(&pattern, lang),
            kind: Kind::Pattern(pattern),
            transformed: Vec::new(),
        })
    }

    fn compile_rule(lang: Lang, text: &str) -> Result<Self, QueryFault> {
        // as data first: a rule's many types read from YAML themselves are a tenth of the module
        let data: Value =
            serde_saphyr::from_str(text).map_err(|error| QueryFault::Yaml(error.to_string()))?;
        let rule: SerializableRuleCore = SerializableRuleCore::deserialize(&data)
            .map_err(|error| QueryFault::Yaml(error.to_string()))?;
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
        let rule = rule.get_matcher(DeserializeEnv::new(lang))?;
        if rule.potential_kinds().is_none() {
            return Err(QueryFault::NoKind);
        }
        Ok(Self {
            kind: Kind::Rule(Box::new(rule)),
            literal,
            within: String::new(),
            transformed,
        })
    }

    /// Looks for the query's literal; made once for many files.
    #[must_use]
    pub fn prefilter(&self) -> Prefilter {
        Prefilter {
            finder: memchr::memmem::Finder::new(self.literal.as_bytes()).into_owned(),
        }
    }

    /// Where in a text that is which each match contains, if there is such a text.
    #[must_use]
    pub fn places_in(&self, text: &str) -> Option<Places> {
        (!self.within.is_empty()).then(|| Places::of(&self.within, text))
    }

    /// The kinds of node that can match; all when there are none.
    #[must_use]
    pub fn kinds(&self) -> Option<Kinds> {
        match &self.kind {
            Kind::Pattern(pattern) => pattern.potential_kinds(),
            Kind::Rule(rule) => rule.potential_kinds(),
        }
        .map(|kinds| Kinds {
            kinds: kinds.iter().collect(),
        })
    }

    /// Whether the query may be tried on this tree: a rule's work grows with the depth of every node.
    #[must_use]
    pub fn admits(&self, tree: &Tree) -> bool {
        matches!(self.kind, Kind::Pattern(_)) || !is_deeper(tree, RULE_DEPTH)
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
        let known = match &self.kind {
            Kind::Pattern(pattern) => pattern.defined_vars(),
            Kind::Rule(rule) => rule.defined_vars(),
        };
        let template = Template::new(text, &self.transformed);
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
            Kind::Rule(rule) => found.make_edit(rule.as_ref(), template),
        };
        (edit.position, edit.deleted_length, edit.inserted_text)
    }
}

/// A query and the files that it is about.
pub struct Target {
    pub lang: Lang,
    pub query: Query,
    prefilter: Prefilter,
}

impl Target {
    /// Compiles the pattern or rule.
    ///
    /// # Errors
    /// As [`Query::compile`].
    pub fn new(lang: Lang, pattern: &str) -> Result<Self, QueryFault> {
        let query = Query::compile(lang, pattern)?;
        let prefilter = query.prefilter();
        Ok(Self {
            lang,
            query,
            prefilter,
        })
    }

    /// Whether a file with these bytes can hold a match.
    #[must_use]
    pub fn may_be_in(&self, bytes: &[u8]) -> bool {
        self.prefilter.passes(bytes)
    }
}

/// Tells files that can hold a match from those that can't, before they are parsed.
pub struct Prefilter {
    finder: memchr::memmem::Finder<'static>,
}

impl Prefilter {
    /// Whether a file with these bytes can hold a match.
    #[must_use]
    pub fn passes(&self, bytes: &[u8]) -> bool {
        self.finder.find(bytes).is_some()
    }
}

/// The longest text that each match of the pattern contains: a name, which ast-grep compares by its text, or a word of the
/// language. Other tokens it compares by kind, and they may be written in other ways (`#  include`) or have a wrong range
/// (tree-sitter-typescript#306).
fn literal_within(pattern: &Pattern, lang: Lang) -> String {
    let mut longest = "";
    let mut ahead = vec![&pattern.node];
    while let Some(node) = ahead.pop() {
        match node {
            PatternNode::Terminal { text, is_named, .. } => {
                // PHP's words may be in capitals
                let is_fixed = *is_named || lang != Lang::Php && is_word(text);
                if is_fixed && text.len() > longest.len() {
                    longest = text;
                }
            }
            PatternNode::Internal { children, .. } => ahead.extend(children),
            PatternNode::MetaVar { .. } => {}
        }
    }
    longest.to_owned()
}

fn is_word(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

/// Where a literal is in a text. Bytes.
pub struct Places {
    length: usize,
    starts: Vec<usize>,
}

impl Places {
    /// All of them, those that overlap too.
    fn of(literal: &str, text: &str) -> Self {
        let finder = memchr::memmem::Finder::new(literal.as_bytes());
        let mut starts: Vec<usize> = Vec::new();
        loop {
            let from = starts.last().map_or(0, |last| last + 1);
            match finder.find(&text.as_bytes()[from..]) {
                Some(at) => starts.push(from + at),
                None => break,
            }
        }
        Self {
            length: literal.len(),
            starts,
        }
    }

    /// Whether one of them is in this range as a whole.
    #[must_use]
    pub fn any_in(&self, range: Range<usize>) -> bool {
        let next = self.starts.partition_point(|&start| start < range.start);
        let next = self.starts.get(next);
        next.is_some_and(|start| start + self.length <= range.end)
    }
}

/// A set of node kinds.
pub struct Kinds {
    kinds: std::collections::BTreeSet<usize>,
}

impl Kinds {
    #[must_use]
    pub fn contains(&self, kind: u16) -> bool {
        self.kinds.contains(&usize::from(kind))
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

#[cfg(all(test, feature = "lang-rust"))]
mod tests {
    use super::*;

    fn literal(text: &str) -> String {
        Query::compile(Lang::Rust, text).expect("query").literal
    }

    #[test]
    fn the_literal_is_the_longest_text_that_must_be_there() {
        assert_eq!(literal("foo($A).unwrap_or($B)"), "unwrap_or");
        assert_eq!(
            literal(
                "rule:\n  pattern: a($X)\n  inside:\n    kind: block\n    has: {pattern: long_name}"
            ),
            "long_name"
        );
        assert_eq!(
            literal("rule:\n  any: [{pattern: alpha}, {pattern: beta}]"),
            ""
        );
        assert_eq!(
            literal("rule:\n  all: [{pattern: $A.unwrap()}, {not: {pattern: forbidden.unwrap()}}]"),
            "unwrap"
        );
    }

    #[test]
    fn a_match_contains_a_name_or_a_word_and_no_other_token_for_sure() {
        let within = |text| Query::compile(Lang::Rust, text).expect("query").within;
        assert_eq!(within("foo($A).unwrap_or($B)"), "unwrap_or");
        assert_eq!(within("if $A { $$$B }"), "if");
        assert_eq!(within("$A >>= $B"), "");
        assert_eq!(within("rule: {pattern: foo($A)}"), "");
    }

    #[test]
    fn places_are_found_that_overlap_and_only_whole_ones_count() {
        let places = Places::of("&&", "a&&&b && c");
        assert_eq!(places.starts, [1, 2, 6]);
        let any_in = |start, end| places.any_in(start..end);
        assert!(any_in(0, 3) && any_in(2, 4) && any_in(6, 8));
        assert!(!any_in(3, 7) && !any_in(7, 10) && !any_in(0, 2));
    }

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
