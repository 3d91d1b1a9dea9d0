//! Goes through a tree in the order of its text, past what is not wanted.

use super::kinds::Kinds;
use super::steps::{Next, Steps};
use tree_sitter::{Node, Tree};

/// What is wanted of a tree. It is asked in the order of the text.
pub trait Guide<'tree> {
    /// Looks at a node, with those that it is in. Gives which of its parts is the first that is wanted, or nothing to end here.
    fn visit(&mut self, node: Node<'tree>, around: &[Node<'tree>]) -> Option<Next>;

    /// Which of the parts of a node is the first that is wanted, from a byte offset on.
    fn next(&mut self, node: Node<'tree>, from: usize) -> Next;
}

/// Shows the guide the root, and what it wants below; `kinds` are those of [`Next::BehindOrOfKind`].
pub fn walk<'tree>(tree: &'tree Tree, kinds: Kinds, guide: &mut impl Guide<'tree>) {
    let mut steps = Steps::new(tree, kinds);
    let mut node = tree.root_node();
    let mut around: Vec<Node<'tree>> = Vec::new();
    loop {
        let Some(first) = guide.visit(node, &around) else {
            return;
        };
        if let Some(part) = steps.descend(first) {
            around.push(node);
            node = part;
            continue;
        }
        let mut passed = node.end_byte();
        loop {
            let Some(parent) = around.last().copied() else {
                return;
            };
            let next = guide.next(parent, passed);
            if let Some(part) = steps.go_on(next) {
                node = part;
                break;
            }
            around.pop();
            passed = parent.end_byte();
        }
    }
}

/// Byte offsets in order, asked about in the same order.
#[derive(Default)]
pub struct Starts {
    all: Vec<usize>,
    /// Those before it were passed.
    next: usize,
}

impl Starts {
    /// Adds one behind the others.
    pub fn push(&mut self, start: usize) {
        self.all.push(start);
    }

    /// Passes those before `start`.
    pub fn pass(&mut self, start: usize) {
        while self.all.get(self.next).is_some_and(|mark| *mark < start) {
            self.next += 1;
        }
    }

    /// The first that was not passed.
    #[must_use]
    pub fn next(&self) -> Option<usize> {
        self.all.get(self.next).copied()
    }

    /// How many there are from there to `end`, counted up to `most`.
    #[must_use]
    pub fn until(&self, end: usize, most: usize) -> usize {
        let ahead = self.all[self.next..].iter().take(most);
        ahead.take_while(|mark| **mark < end).count()
    }
}

impl FromIterator<usize> for Starts {
    fn from_iter<T: IntoIterator<Item = usize>>(starts: T) -> Self {
        let all = starts.into_iter().collect();
        Self { all, next: 0 }
    }
}

impl IntoIterator for Starts {
    type Item = usize;
    type IntoIter = std::vec::IntoIter<usize>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

#[cfg(all(test, feature = "lang-rust"))]
mod tests {
    use super::super::cache::Trees;
    use super::super::language::Lang;
    use super::*;

    /// Wants what is or holds one of the places.
    struct ToPlaces {
        places: Starts,
        seen: Vec<String>,
    }

    impl<'tree> Guide<'tree> for ToPlaces {
        fn visit(&mut self, node: Node<'tree>, around: &[Node<'tree>]) -> Option<Next> {
            let place = format!("{}:{}-{}", around.len(), node.start_byte(), node.end_byte());
            self.seen.push(place);
            Some(self.next(node, node.start_byte()))
        }

        fn next(&mut self, node: Node<'tree>, from: usize) -> Next {
            self.places.pass(from);
            let next = self.places.next().filter(|at| *at < node.end_byte());
            next.map_or(Next::None, Next::Behind)
        }
    }

    #[test]
    fn parts_that_are_not_wanted_are_passed_over() {
        let text = "fn a() {}\n".repeat(100);
        let mut trees = Trees::default();
        let parsed = trees.parsed("a.rs", Lang::Rust, text.as_bytes());
        let parsed = parsed.expect("tree");
        let mut guide = ToPlaces {
            places: [3, 503, 993].into_iter().collect(),
            seen: Vec::new(),
        };
        walk(parsed.tree(), Kinds::default(), &mut guide);
        let functions = guide.seen.iter().filter(|seen| seen.starts_with("1:"));
        let functions: Vec<_> = functions.map(String::as_str).collect();
        assert_eq!(functions, ["1:0-9", "1:500-509", "1:990-999"]);
        assert!(guide.seen.contains(&"2:503-504".to_owned()));
    }
}
