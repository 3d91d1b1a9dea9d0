//! Of a tags query the patterns that say no more than the kind of a node, that of a child with its name, and perhaps that of the
//! node around it: most of them. They are looked for here, where the query's own machine takes several times as long.

use super::kinds::Kinds;
use super::steps::each_of_field;
use super::tags::{Elements, closed, is_of_name, token};
use ast_grep_core::tree_sitter::TSLanguage;
use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::rc::Rc;
use tree_sitter::{Node, TreeCursor};

/// `(KIND FIELD: (NAME) @name) @definition.TAG`, in `(PARENT …)` where it has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape<'a> {
    kind: &'a str,
    parent: Option<&'a str>,
    field: &'a str,
    /// `_` for all that are named.
    name: &'a str,
    /// With `(#not-eq? @name "TEXT")`.
    unlike: Option<&'a str>,
    tag: &'a str,
}

/// What a pattern stands for, if it is of plain ones.
#[must_use]
pub fn shapes(pattern: &str) -> Option<Vec<Shape<'_>>> {
    let (within, behind) = opened(pattern)?;
    let tag = behind.strip_prefix("@definition.");
    if pattern.starts_with('[') {
        let tag = tag?;
        let tagged = |alternative| {
            Some(Shape {
                tag,
                ..named(alternative)?
            })
        };
        return Elements(within).map(tagged).collect();
    }
    if !within.starts_with(['(', '[']) {
        return Some(vec![match tag {
            Some(tag) => Shape {
                tag,
                ..named(pattern)?
            },
            None if behind.is_empty() => inside(within)?,
            None => return None,
        }]);
    }
    // a group, of a pattern and a predicate
    let mut parts = Elements(within);
    let mut all = shapes(parts.next()?)?;
    if let Some(predicate) = parts.next() {
        let text = predicate.strip_prefix("(#not-eq? @name \"")?;
        let unlike = text
            .strip_suffix("\")")
            .filter(|text| !text.contains('\\'))?;
        for shape in &mut all {
            shape.unlike = Some(unlike);
        }
    }
    (behind.is_empty() && parts.next().is_none()).then_some(all)
}

/// What a parenthesis or bracket encloses, and what is said of it behind it.
fn opened(pattern: &str) -> Option<(&str, &str)> {
    let length = pattern.starts_with(['(', '[']).then(|| closed(pattern))?;
    let within = pattern.get(1..length.checked_sub(1)?)?;
    Some((within.trim(), pattern[length..].trim()))
}

/// Of `KIND FIELD: (NAME) @name` in parentheses.
fn named(pattern: &str) -> Option<Shape<'_>> {
    let (within, _) = pattern.starts_with('(').then(|| opened(pattern))??;
    let kind = token(within).filter(|kind| is_kind(kind))?;
    let mut parts = Elements(&within[kind.len()..]);
    let field = parts.next()?.strip_suffix(':')?;
    let (name, capture) = opened(parts.next()?)?;
    let is_plain = capture == "@name" && (name == "_" || is_kind(name)) && parts.next().is_none();
    is_plain.then_some(Shape {
        kind,
        field,
        name,
        ..Shape::default()
    })
}

/// Of `PARENT (…) @definition.TAG`.
fn inside(within: &str) -> Option<Shape<'_>> {
    let parent = token(within).filter(|kind| is_kind(kind))?;
    let mut parts = Elements(&within[parent.len()..]);
    let child = parts.next()?;
    let (_, behind) = opened(child)?;
    let tag = behind.strip_prefix("@definition.")?;
    let is_all = parts.next().is_none();
    is_all.then_some(Shape {
        parent: Some(parent),
        tag,
        ..named(child)?
    })
}

fn is_kind(text: &str) -> bool {
    text != "_" && !text.is_empty() && text.bytes().all(is_of_name)
}

/// A pattern, by the numbers of a grammar.
struct Plain {
    order: usize,
    parent: Option<u16>,
    field: NonZeroU16,
    name: Option<u16>,
    unlike: Option<Box<str>>,
    tag: Rc<str>,
}

/// The plain patterns of a query.
#[derive(Default)]
pub struct Plains {
    by_kind: BTreeMap<u16, Vec<Plain>>,
    kinds: Kinds,
}

/// What a pattern found.
pub struct Named<'tree, 'a> {
    pub name: Node<'tree>,
    pub tag: &'a Rc<str>,
    /// The pattern's number among all of the query.
    pub order: usize,
}

impl Plains {
    /// Adds a pattern, the one of this number among all. Gives false when it is none of these.
    pub fn add(&mut self, grammar: &TSLanguage, pattern: &str, order: usize) -> bool {
        let Some(shapes) = shapes(pattern) else {
            return false;
        };
        let made = shapes.iter().map(|shape| plain(grammar, shape, order));
        let Some(made) = made.collect::<Option<Vec<_>>>() else {
            return false;
        };
        for (kind, plain) in made {
            self.by_kind.entry(kind).or_default().push(plain);
        }
        self.kinds = self.by_kind.keys().map(|kind| usize::from(*kind)).collect();
        true
    }

    /// The kinds of nodes that there are patterns for.
    #[must_use]
    pub fn kinds(&self) -> &Kinds {
        &self.kinds
    }

    /// Calls `with` for each name that a pattern finds at a node, which is in `parent`.
    pub fn each<'tree, 'a>(
        &'a self,
        node: Node<'tree>,
        parent: Option<Node<'tree>>,
        cursor: &mut TreeCursor<'tree>,
        text: &str,
        mut with: impl FnMut(Named<'tree, 'a>),
    ) {
        let Some(patterns) = self.by_kind.get(&node.kind_id()) else {
            return;
        };
        let parent = parent.map(|parent| parent.kind_id());
        for plain in patterns {
            if plain.parent.is_some() && plain.parent != parent {
                continue;
            }
            each_of_field(node, plain.field, cursor, |name| {
                let is_other = |unlike: &str| text.get(name.byte_range()) != Some(unlike);
                if plain.may_be(name) && plain.unlike.as_deref().is_none_or(is_other) {
                    with(Named {
                        name,
                        tag: &plain.tag,
                        order: plain.order,
                    });
                }
            });
        }
    }
}

impl Plain {
    fn may_be(&self, name: Node) -> bool {
        match self.name {
            Some(kind) => name.kind_id() == kind,
            None => name.is_named() && !name.is_error(),
        }
    }
}

fn plain(grammar: &TSLanguage, shape: &Shape, order: usize) -> Option<(u16, Plain)> {
    // 0 stands for one that the grammar has not
    let kind = |name: &str| match grammar.id_for_node_kind(name, true) {
        0 => None,
        id => (!grammar.node_kind_is_supertype(id)).then_some(id),
    };
    let parent = match shape.parent {
        Some(parent) => Some(kind(parent)?),
        None => None,
    };
    let name = match shape.name {
        "_" => None,
        name => Some(kind(name)?),
    };
    let field = grammar.field_id_for_name(shape.field)?;
    let (unlike, tag) = (shape.unlike.map(Into::into), shape.tag.into());
    Some((
        kind(shape.kind)?,
        Plain {
            order,
            parent,
            field,
            name,
            unlike,
            tag,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_patterns_are_told_from_others() {
        let of = |kind, field, name, tag| Shape {
            kind,
            field,
            name,
            tag,
            ..Shape::default()
        };
        assert_eq!(
            shapes("(a b: (c) @name) @definition.d"),
            Some(vec![of("a", "b", "c", "d")])
        );
        let parent = Some("p");
        assert_eq!(
            shapes("(p (a b: (_) @name) @definition.d)"),
            Some(vec![Shape {
                parent,
                ..of("a", "b", "_", "d")
            }])
        );
        let both = vec![of("a", "b", "c", "d"), of("e", "f", "_", "d")];
        let alternatives = "[(a b: (c) @name) (e f: (_) @name)] @definition.d";
        assert_eq!(shapes(alternatives), Some(both.clone()));
        assert_eq!(shapes(&format!("( {alternatives} )")), Some(both));
        let unlike = Some("x");
        assert_eq!(
            shapes("((a b: (c) @name) @definition.d (#not-eq? @name \"x\"))"),
            Some(vec![Shape {
                unlike,
                ..of("a", "b", "c", "d")
            }])
        );
        for other in [
            "(a b: (c (d) @name)) @definition.e",
            "(a b: (c) @name e: (f)) @definition.d",
            "(a b: (c) @name !e) @definition.d",
            "(a (c) @name) @definition.d",
            "(a b: [(c) (d)] @name) @definition.e",
            "(a b: (c)? @name) @definition.d",
            "(a b: (c) @name) @reference.d",
            "(p (q (a b: (c) @name) @definition.d))",
            "(p f: (a b: (c) @name) @definition.d)",
            "((a b: (c) @name) @definition.d (#eq? @name \"x\"))",
            "(_ b: (c) @name) @definition.d",
        ] {
            assert_eq!(shapes(other), None, "{other}");
        }
    }
}
