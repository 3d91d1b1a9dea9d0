//! Which files can hold a match of a pattern, before they are parsed; and where in a file, before its nodes are looked at.
//!
//! What a match must contain: of the pattern's tokens the named ones as they are written, for ast-grep compares those by
//! their text, and the words of the language. Other tokens it compares by kind, and they may be written in other ways
//! (`#  include`) or have a wrong range (tree-sitter-typescript#306). Behind `$$$` it leaves them out where it likes.

use super::language::Lang;
use ast_grep_core::Pattern;
use ast_grep_core::matcher::PatternNode;
use ast_grep_core::meta_var::MetaVariable;
use ast_grep_core::tree_sitter::LanguageExt;
use memchr::memmem::Finder;
use std::collections::HashSet;
use std::ops::Range;

/// Tells files that can hold a match from those that can't.
pub struct Prefilter {
    /// A text that every file with a match contains, as ast-grep's own program has it; empty when there is none.
    literal: Finder<'static>,
    neighbours: Option<Neighbours>,
}

impl Prefilter {
    /// Files with a match contain this text.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        Self {
            literal: Finder::new(text.as_bytes()).into_owned(),
            neighbours: None,
        }
    }

    #[must_use]
    pub fn new(pattern: &Pattern, lang: Lang) -> Self {
        Self {
            neighbours: Neighbours::new(pattern, lang),
            ..Self::of_text(&pattern.fixed_string())
        }
    }

    /// Whether a file with these bytes can hold a match.
    #[must_use]
    pub fn passes(&self, bytes: &[u8]) -> bool {
        self.literal.find(bytes).is_some()
            && (self.neighbours.as_ref()).is_none_or(|neighbours| neighbours.are_in(bytes))
    }
}

/// Two tokens of a pattern next to each other: `=` and `keyof` of `type $N = keyof $T`. Most files with the second have
/// something else before it.
struct Neighbours {
    first: String,
    second: Finder<'static>,
    /// The words among the language's tokens.
    words: HashSet<String>,
}

/// Tokens between neighbours that a match leaves out. Others may end a comment or be part of a text.
const PASSED_OVER: &[u8] = b"([{,.:;=&|?!<+~^@";

impl Neighbours {
    /// Those with the longest second.
    fn new(pattern: &Pattern, lang: Lang) -> Option<Self> {
        // between two tokens of PHP may be a page
        if !lang.is_code() || lang == Lang::Php {
            return None;
        }
        let mut best: Option<(&str, &str)> = None;
        let mut ahead = vec![&pattern.node];
        while let Some(node) = ahead.pop() {
            let PatternNode::Internal { children, .. } = node else {
                continue;
            };
            for (first, second) in required(children).zip(required(children).skip(1)) {
                if let Some(first) = first.and_then(written)
                    && let Some(second) = second.and_then(|node| first_token(node, lang))
                    && best.is_none_or(|(_, longest)| second.len() > longest.len())
                {
                    best = Some((first, second));
                }
            }
            ahead.extend(children);
        }
        let (first, second) = best?;
        Some(Self {
            first: first.to_owned(),
            second: Finder::new(second.as_bytes()).into_owned(),
            words: words(lang),
        })
    }

    fn are_in(&self, bytes: &[u8]) -> bool {
        let mut places = self.second.find_iter(bytes);
        places.any(|at| self.may_end(&bytes[..at]))
    }

    /// Whether a text can end with the first and what a match leaves out: not where tokens are without the first among them.
    /// A name alone says nothing: the parser may have put in a first that is missing.
    fn may_end(&self, text: &[u8]) -> bool {
        let mut rest = text;
        let mut are_tokens = false;
        loop {
            while let [before @ .., b' ' | b'\t'] = rest {
                rest = before;
            }
            if rest.ends_with(self.first.as_bytes()) {
                return true;
            }
            rest = match rest {
                [before @ .., last] if PASSED_OVER.contains(last) => before,
                [.., last] if is_of_word(*last) => {
                    let length = rest.iter().rev().take_while(|byte| is_of_word(**byte));
                    let (before, word) = rest.split_at(rest.len() - length.count());
                    let is_token = str::from_utf8(word).is_ok_and(|word| self.words.contains(word));
                    if !is_token {
                        return !are_tokens;
                    }
                    before
                }
                // a comment may be on the line before, or end here
                _ => return true,
            };
            are_tokens = true;
        }
    }
}

/// The nodes that a match must have, each in its place; none where it may leave one out.
fn required(children: &[PatternNode]) -> impl Iterator<Item = Option<&PatternNode>> {
    let mut is_behind_many = false;
    children.iter().map(move |node| {
        is_behind_many = is_many(node) || is_behind_many && node.is_trivial();
        (!is_behind_many).then_some(node)
    })
}

/// `$$$`
fn is_many(node: &PatternNode) -> bool {
    matches!(
        node,
        PatternNode::MetaVar {
            meta_var: MetaVariable::Multiple | MetaVariable::MultiCapture(_),
        }
    )
}

/// The text of a token that is written so: of those that have no name not what stands for a line's end, or has letters and
/// more than those.
fn written(node: &PatternNode) -> Option<&str> {
    match node {
        PatternNode::Terminal { text, is_named, .. } => {
            let is_sign = |byte: u8| byte.is_ascii_punctuation() && byte != b';' && byte != b'#';
            let is_written = *is_named || is_word(text) || text.bytes().all(is_sign);
            (is_written && !text.is_empty()).then_some(text)
        }
        _ => None,
    }
}

/// The token at the start of a node, if a match holds it for sure.
fn first_token(node: &PatternNode, lang: Lang) -> Option<&str> {
    match node {
        PatternNode::Terminal { .. } => fixed(node, lang),
        PatternNode::Internal { children, .. } => first_token(children.first()?, lang),
        PatternNode::MetaVar { .. } => None,
    }
}

/// The text of a token that a match holds for sure.
fn fixed(node: &PatternNode, lang: Lang) -> Option<&str> {
    match node {
        PatternNode::Terminal { text, is_named, .. } => {
            // PHP's words may be in capitals
            let is_fixed = *is_named || lang != Lang::Php && is_word(text);
            (is_fixed && !text.is_empty()).then_some(text)
        }
        _ => None,
    }
}

/// The longest text that each match of the pattern contains; empty when there is none.
#[must_use]
pub fn literal_within(pattern: &Pattern, lang: Lang) -> String {
    let mut longest = "";
    let mut ahead = vec![&pattern.node];
    while let Some(node) = ahead.pop() {
        if let PatternNode::Internal { children, .. } = node {
            ahead.extend(required(children).flatten());
        } else if let Some(text) = fixed(node, lang)
            && text.len() > longest.len()
        {
            longest = text;
        }
    }
    longest.to_owned()
}

fn words(lang: Lang) -> HashSet<String> {
    let grammar = lang.get_ts_language();
    let kinds = 0..u16::try_from(grammar.node_kind_count()).unwrap_or(u16::MAX);
    let unnamed = kinds.filter(|kind| !grammar.node_kind_is_named(*kind));
    let names = unnamed.filter_map(|kind| grammar.node_kind_for_id(kind));
    names
        .filter(|name| is_word(name))
        .map(str::to_owned)
        .collect()
}

fn is_word(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || !byte.is_ascii()
}

/// Where a literal is in a text. Bytes.
pub struct Places {
    length: usize,
    starts: Vec<usize>,
}

impl Places {
    /// All of them, those that overlap too.
    #[must_use]
    pub fn of(literal: &str, text: &str) -> Self {
        let finder = Finder::new(literal.as_bytes());
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

#[cfg(all(
    test,
    feature = "lang-rust",
    feature = "lang-python",
    feature = "lang-typescript"
))]
mod tests {
    use super::*;
    use crate::code::syntax::matcher::Query;

    fn pattern(lang: Lang, text: &str) -> Pattern {
        Pattern::try_new(text, lang).expect("pattern")
    }

    fn passes(lang: Lang, query: &str, file: &str) -> bool {
        Query::compile(lang, query)
            .expect("query")
            .may_be_in(file.as_bytes())
    }

    #[test]
    fn a_file_with_a_match_has_the_longest_text_of_the_pattern() {
        let passes = |query, file| passes(Lang::Rust, query, file);
        assert!(passes("foo($A).unwrap_or($B)", "x.unwrap_or(1)"));
        assert!(!passes("foo($A).unwrap_or($B)", "foo(1)"));
        let rule =
            "rule:\n  pattern: a($X)\n  inside:\n    kind: block\n    has: {pattern: long_name}";
        assert!(passes(rule, "long_name") && !passes(rule, "a(1)"));
        let any = "rule:\n  any: [{pattern: alpha}, {pattern: beta}]";
        assert!(passes(any, "") && passes(any, "beta"));
        let all = "rule:\n  all: [{pattern: $A.unwrap()}, {not: {pattern: forbidden.unwrap()}}]";
        assert!(passes(all, "a.unwrap()") && !passes(all, "a"));
    }

    #[test]
    fn tokens_next_to_each_other_have_nothing_else_between_them() {
        let passes = |file| passes(Lang::TypeScript, "type $N = keyof $T", file);
        for file in [
            "type A = keyof B",
            "type A =keyof B",
            "type A =\n  keyof B",
            "type A = /* c */ keyof B",
            "type A = // c\n keyof B",
            // `=` is missing: the parser may put it in
            "type A keyof B",
        ] {
            assert!(passes(file), "{file}");
        }
        for file in [
            "type A = B",
            "function f<K extends keyof T>() {}",
            "type A = { [K in keyof T]: 1 }",
            "let a: keyof T",
        ] {
            assert!(!passes(file), "{file}");
        }
        // behind `$$$` a word may be left out
        let python = |query| Prefilter::new(&pattern(Lang::Python, query), Lang::Python);
        let pair = |query| python(query).neighbours.map(|pair| pair.first);
        assert_eq!(pair("$A.setdefault($B)"), Some(".".to_owned()));
        assert_eq!(pair("$A if $B else $C"), None);
        assert_eq!(pair("print($$$A)"), None);
    }

    #[test]
    fn a_match_contains_a_name_or_a_word_and_no_other_token_for_sure() {
        let within = |text| literal_within(&pattern(Lang::Rust, text), Lang::Rust);
        assert_eq!(within("foo($A).unwrap_or($B)"), "unwrap_or");
        assert_eq!(within("if $A { $$$B }"), "if");
        assert_eq!(within("$A >>= $B"), "");
    }

    #[test]
    fn places_are_found_that_overlap_and_only_whole_ones_count() {
        let places = Places::of("&&", "a&&&b && c");
        assert_eq!(places.starts, [1, 2, 6]);
        let any_in = |start, end| places.any_in(start..end);
        assert!(any_in(0, 3) && any_in(2, 4) && any_in(6, 8));
        assert!(!any_in(3, 7) && !any_in(7, 10) && !any_in(0, 2));
    }
}
