//! Which files can hold a match of a pattern, before they are parsed; and where in a file, before its nodes are looked at.
//!
//! What a match must contain: of the pattern's tokens the named ones as they are written, for ast-grep compares those by
//! their text, and the words of the language. Other tokens it compares by kind, and they may be written in other ways
//! (`#  include`) or have a wrong range (tree-sitter-typescript#306). Behind `$$$` it leaves them out where it likes.

use super::language::Lang;
use super::walk::Starts;
use ast_grep_core::Pattern;
use ast_grep_core::matcher::PatternNode;
use ast_grep_core::meta_var::MetaVariable;
use ast_grep_core::tree_sitter::LanguageExt;
use memchr::memmem::{self, Finder};
use std::cell::OnceCell;
use std::collections::HashSet;

/// Tells files that can hold a match from those that can't.
pub struct Prefilter {
    /// A text that every file with a match contains, as ast-grep's own program has it; empty when there is none.
    literal: Finder<'static>,
    anchor: Option<Anchor>,
}

impl Prefilter {
    /// Files with a match contain this text.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        Self {
            literal: Finder::new(text.as_bytes()).into_owned(),
            anchor: None,
        }
    }

    #[must_use]
    pub fn new(pattern: &Pattern, lang: Lang) -> Self {
        Self {
            anchor: Anchor::new(pattern, lang),
            ..Self::of_text(&pattern.fixed_string())
        }
    }

    /// Whether a file with these bytes can hold a match.
    #[must_use]
    pub fn passes(&self, bytes: &[u8]) -> bool {
        self.literal.find(bytes).is_some()
            && (self.anchor.as_ref()).is_none_or(|anchor| anchor.is_in(bytes))
    }
}

/// A token of a pattern with those next to it: `=` and `keyof` of `type $N = keyof $T`, `foo` and `(` of `foo($A)`. Most
/// files with the token have something else before or behind it.
struct Anchor {
    token: Finder<'static>,
    /// It is a word, and the language's words are never cut into tokens.
    is_word: bool,
    before: Option<String>,
    behind: Option<String>,
    lang: Lang,
    /// The words among the language's tokens, when they were asked for.
    words: OnceCell<HashSet<String>>,
}

/// Tokens between neighbours that a match leaves out. Others may end a comment or be part of a text.
const PASSED_OVER: &[u8] = b"([{}]),.:;=&|?!<+~^@";
/// At the end of a text, which no match leaves out.
const QUOTES: &[u8] = b"\"'`";
/// A line with one of these may end with a comment, or with what a directive says.
const COMMENTS: [&[u8]; 4] = [b"//", b"*/", b"#", b"--"];

impl Anchor {
    /// That with the longest token, of those with neighbours if there are.
    fn new(pattern: &Pattern, lang: Lang) -> Option<Self> {
        // between two tokens of PHP may be a page
        if !lang.is_code() || lang == Lang::Php {
            return None;
        }
        let mut best = Candidate::default();
        let mut ahead = vec![&pattern.node];
        while let Some(node) = ahead.pop() {
            let PatternNode::Internal { children, .. } = node else {
                best.improve(fixed(node, lang), None, None);
                continue;
            };
            let nodes: Vec<Option<&PatternNode>> = required(children).collect();
            for (at, node) in nodes.iter().enumerate() {
                let Some(node) = node else { continue };
                let before = at.checked_sub(1).and_then(|at| nodes[at]).and_then(written);
                // behind a node with parts a match leaves out whatever is there
                let behind = nodes.get(at + 1).copied().flatten();
                let behind = behind.filter(|_| matches!(node, PatternNode::Terminal { .. }));
                let behind = behind.and_then(first_leaf).and_then(written);
                best.improve(first_token(node, lang), before, behind);
            }
            ahead.extend(nodes.into_iter().flatten());
        }
        let token = best.token?;
        Some(Self {
            token: Finder::new(token.as_bytes()).into_owned(),
            is_word: lang.has_whole_words() && is_word(token),
            before: best.before.map(str::to_owned),
            behind: best.behind.map(str::to_owned),
            lang,
            words: OnceCell::new(),
        })
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        let mut places = self.token.find_iter(bytes);
        places.any(|at| {
            let (before, behind) = (&bytes[..at], &bytes[at + self.token.needle().len()..]);
            (!self.is_word || is_cut(before, behind))
                && self.may_end(before)
                && self.may_begin(behind)
        })
    }

    /// Whether a text can end with the token before and what a match leaves out: not where tokens are without it among them.
    /// A name alone says nothing: the parser may have put in a token that is missing.
    fn may_end(&self, text: &[u8]) -> bool {
        let Some(token) = &self.before else {
            return true;
        };
        let mut rest = text;
        let mut are_tokens = false;
        loop {
            while let [before @ .., b' ' | b'\t' | b'\r'] = rest {
                rest = before;
            }
            if rest.ends_with(token.as_bytes()) {
                return true;
            }
            rest = match rest {
                [] => return !are_tokens,
                [before @ .., b'\n'] => {
                    let line = before.rsplit(|byte| *byte == b'\n').next();
                    let may_be_comment = |line: &[u8]| {
                        COMMENTS
                            .iter()
                            .any(|mark| memmem::find(line, mark).is_some())
                    };
                    if line.is_some_and(may_be_comment) {
                        return true;
                    }
                    rest = before;
                    continue;
                }
                [before @ .., last] if PASSED_OVER.contains(last) => before,
                [.., last] if QUOTES.contains(last) => return false,
                [.., last] if is_of_word(*last) => {
                    let length = rest.iter().rev().take_while(|byte| is_of_word(**byte));
                    let (before, word) = rest.split_at(rest.len() - length.count());
                    let is_token = str::from_utf8(word).is_ok_and(|word| self.is_token(word));
                    if !is_token {
                        return !are_tokens;
                    }
                    before
                }
                // a comment may end here
                _ => return true,
            };
            are_tokens = true;
        }
    }

    fn is_token(&self, word: &str) -> bool {
        self.words.get_or_init(|| words(self.lang)).contains(word)
    }

    /// Whether a text can begin with the token behind and what a match leaves out; as [`Self::may_end`].
    fn may_begin(&self, text: &[u8]) -> bool {
        let Some(token) = &self.behind else {
            return true;
        };
        let mut rest = text.trim_ascii_start();
        let mut are_tokens = false;
        loop {
            if rest.starts_with(token.as_bytes()) {
                return true;
            }
            rest = match rest {
                [] => return !are_tokens,
                [first, behind @ ..] if PASSED_OVER.contains(first) => behind,
                [first, ..] if are_tokens && QUOTES.contains(first) => return false,
                [first, ..] if is_of_word(*first) => {
                    let length = rest.iter().take_while(|byte| is_of_word(**byte)).count();
                    let (word, behind) = rest.split_at(length);
                    let is_token = str::from_utf8(word).is_ok_and(|word| self.is_token(word));
                    if !is_token {
                        return !are_tokens;
                    }
                    behind
                }
                // a comment may begin here
                _ => return true,
            };
            are_tokens = true;
            rest = rest.trim_ascii_start();
        }
    }
}

/// The best anchor so far.
#[derive(Default)]
struct Candidate<'a> {
    token: Option<&'a str>,
    before: Option<&'a str>,
    behind: Option<&'a str>,
}

impl<'a> Candidate<'a> {
    fn improve(
        &mut self,
        token: Option<&'a str>,
        before: Option<&'a str>,
        behind: Option<&'a str>,
    ) {
        let rank = |token: &str, before: Option<_>, behind: Option<_>| {
            (
                before.is_some() || behind.is_some(),
                token.len(),
                before.is_some(),
            )
        };
        let Some(token) = token else { return };
        let known = self
            .token
            .map(|token| rank(token, self.before, self.behind));
        if known.is_none_or(|known| rank(token, before, behind) > known) {
            *self = Self {
                token: Some(token),
                before,
                behind,
            };
        }
    }
}

/// Whether a word between these texts may be one by itself, and is not a part of a longer one. Where the text before ends
/// with digits the word may begin at once (`1or 2`), and behind an escape (`\nword`).
fn is_cut(before: &[u8], behind: &[u8]) -> bool {
    let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if behind.first().is_some_and(goes_on) {
        return false;
    }
    let length = before.iter().rev().take_while(|byte| goes_on(byte)).count();
    let (further, start) = before.split_at(before.len() - length);
    match start.first() {
        None => true,
        Some(first) => {
            first.is_ascii_digit()
                || further
                    .last()
                    .is_some_and(|byte| *byte == b'\\' || !byte.is_ascii())
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
    first_leaf(node).and_then(|leaf| fixed(leaf, lang))
}

/// What a node begins with.
fn first_leaf(node: &PatternNode) -> Option<&PatternNode> {
    match node {
        PatternNode::Internal { children, .. } => first_leaf(children.first()?),
        leaf => Some(leaf),
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
    starts: Starts,
}

impl Places {
    /// All of them, those that overlap too.
    #[must_use]
    pub fn of(literal: &str, text: &str) -> Self {
        let finder = Finder::new(literal.as_bytes());
        let mut from = 0;
        let starts = std::iter::from_fn(|| {
            let start = from + finder.find(&text.as_bytes()[from..])?;
            from = start + 1;
            Some(start)
        });
        Self {
            length: literal.len(),
            starts: starts.collect(),
        }
    }

    /// The first that is in a range as a whole. Asked in the order of the starts of ranges.
    pub fn first_in(&mut self, start: usize, end: usize) -> Option<usize> {
        self.starts.pass(start);
        let first = self.starts.next();
        first.filter(|start| start + self.length <= end)
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
            "type A = T[\n  keyof B]",
            "let b = 'keyof'",
            "type A = keyofs",
            "type A = akeyof",
        ] {
            assert!(!passes(file), "{file}");
        }
        // behind `$$$` a word may be left out
        let python = |query| Prefilter::new(&pattern(Lang::Python, query), Lang::Python);
        let before = |query| python(query).anchor.and_then(|anchor| anchor.before);
        assert_eq!(before("$A.setdefault($B)"), Some(".".to_owned()));
        assert_eq!(before("$A if $B else $C"), None);
        assert_eq!(before("print($$$A)"), None);
        let behind = |query| python(query).anchor.and_then(|anchor| anchor.behind);
        assert_eq!(behind("print($$$A)"), Some("(".to_owned()));
        // between the two may be whatever else is part of the attribute
        assert_eq!(behind("$A.setdefault($B)"), None);
    }

    #[test]
    fn a_name_is_looked_for_as_a_whole_and_with_what_is_next_to_it() {
        let passes = |query, file| passes(Lang::Python, query, file);
        for file in [
            "print(1)",
            "print  (1)",
            "print\\\n(1)",
            "1or print(1)",
            "'\\nprint' # (",
            "a.print # comment\n(1)",
        ] {
            assert!(passes("print($A)", file), "{file}");
        }
        for file in [
            "import print, sys",
            "prints(1)",
            "sprint(1)",
            "_print(1)",
            "print.a(1)",
        ] {
            assert!(!passes("print($A)", file), "{file}");
        }
        let method = "$A.items()";
        for file in [
            "a.items()",
            "a\\\n  .items()",
            "a. # of a\n  items()",
            "(a.\n  items())",
        ] {
            assert!(passes(method, file), "{file}");
        }
        for file in [
            "def items(self): pass",
            "class A:\n    b = f(c)\n    def items(self): pass",
            "x = ['keys', 'items']",
        ] {
            assert!(!passes(method, file), "{file}");
        }
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
        let mut places = Places::of("&&", "a&&&b && c");
        let ranges = [(0, 2), (0, 3), (2, 4), (3, 7), (6, 8), (7, 10)];
        let found = ranges.map(|(start, end)| places.first_in(start, end));
        assert_eq!(found, [None, Some(1), Some(2), None, Some(6), None]);
    }
}
