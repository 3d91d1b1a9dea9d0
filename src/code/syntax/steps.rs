//! Steps through a tree, past what is not wanted. In WebAssembly tools/wasm-libc/steps.h takes them, natively tree-sitter's own
//! functions.

use super::kinds::Kinds;
use std::num::NonZeroU16;
use tree_sitter::{Node, Tree, TreeCursor};

/// Which of the parts of a node is the next that is wanted.
#[derive(Clone, Copy)]
pub enum Next {
    /// Each.
    Any,
    /// That which goes on behind this byte.
    Behind(usize),
    /// That which goes on behind this byte, or is of a kind that is always wanted.
    BehindOrOfKind(usize),
    None,
}

/// A cursor.
pub struct Steps<'tree> {
    cursor: TreeCursor<'tree>,
    /// What is always wanted.
    kinds: Kinds,
}

impl<'tree> Steps<'tree> {
    /// At the root of a tree.
    #[must_use]
    pub fn new(tree: &'tree Tree, kinds: Kinds) -> Self {
        let cursor = tree.walk();
        Self { cursor, kinds }
    }

    /// Goes from a node to the first part that is wanted, if there is one.
    pub fn descend(&mut self, first: Next) -> Option<Node<'tree>> {
        match first {
            Next::None => None,
            first => self.go(false, first),
        }
    }

    /// Goes from a part of a node to the next that is wanted; where there is none, to the node.
    pub fn go_on(&mut self, next: Next) -> Option<Node<'tree>> {
        if matches!(next, Next::None) {
            self.cursor.goto_parent();
            return None;
        }
        self.go(true, next)
    }

    fn go(&mut self, is_at_part: bool, next: Next) -> Option<Node<'tree>> {
        let kinds: &[bool] = match next {
            Next::BehindOrOfKind(_) => self.kinds.as_ref(),
            _ => &[],
        };
        let behind = match next {
            Next::Any => -1,
            Next::Behind(at) | Next::BehindOrOfKind(at) => i32::try_from(at).unwrap_or(i32::MAX),
            Next::None => i32::MAX,
        };
        go(&mut self.cursor, is_at_part, kinds, behind)
    }
}

/// Calls `with` for each part of a node that has the field.
pub fn each_of_field<'tree>(
    node: Node<'tree>,
    field: NonZeroU16,
    cursor: &mut TreeCursor<'tree>,
    mut with: impl FnMut(Node<'tree>),
) {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    {
        let mut child = None;
        if in_c::is_only_child(node, field, &mut child) {
            child.into_iter().for_each(with);
            return;
        }
    }
    cursor.reset(node);
    let mut is_there = cursor.goto_first_child();
    while is_there {
        if cursor.field_id() == Some(field) {
            with(cursor.node());
        }
        is_there = cursor.goto_next_sibling();
    }
}

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use in_c::go;

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod in_c {
    #![allow(unsafe_code, reason = "an interface to C")]

    use std::num::NonZeroU16;
    use tree_sitter::ffi::{TSNode, TSTreeCursor};
    use tree_sitter::{Node, TreeCursor};

    unsafe extern "C" {
        fn ts_tree_cursor_goto_wanted(
            cursor: *mut TSTreeCursor,
            is_at_part: bool,
            kinds: *const bool,
            kind_count: u32,
            behind: i32,
        ) -> TSNode;
        fn ts_node_only_child_of_field(node: TSNode, field: u16, child: *mut TSNode) -> bool;
    }

    pub fn go<'tree>(
        cursor: &mut TreeCursor<'tree>,
        is_at_part: bool,
        kinds: &[bool],
        behind: i32,
    ) -> Option<Node<'tree>> {
        let count = u32::try_from(kinds.len()).unwrap_or(0);
        // SAFETY: the cursor is moved out and in again, with a call between that does not panic; the node is of its tree
        unsafe {
            let mut raw = std::ptr::read(cursor).into_raw();
            let node =
                ts_tree_cursor_goto_wanted(&raw mut raw, is_at_part, kinds.as_ptr(), count, behind);
            std::ptr::write(cursor, TreeCursor::from_raw(raw));
            (!node.id.is_null()).then(|| Node::from_raw(node))
        }
    }

    /// Gives the child of a node with a field, if there is one, and whether it can be the only one.
    pub fn is_only_child<'tree>(
        node: Node<'tree>,
        field: NonZeroU16,
        child: &mut Option<Node<'tree>>,
    ) -> bool {
        let node = node.into_raw();
        let mut found = node;
        // SAFETY: what is found is of the node's tree
        unsafe {
            let is_only = ts_node_only_child_of_field(node, field.get(), &raw mut found);
            *child = (!found.id.is_null()).then(|| Node::from_raw(found));
            is_only
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
fn go<'tree>(
    cursor: &mut TreeCursor<'tree>,
    is_at_part: bool,
    kinds: &[bool],
    behind: i32,
) -> Option<Node<'tree>> {
    let mut is_there = if is_at_part {
        cursor.goto_next_sibling()
    } else {
        cursor.goto_first_child()
    };
    let is_inside = is_at_part || is_there;
    while is_there {
        let node = cursor.node();
        let goes_on = i32::try_from(node.end_byte()).is_ok_and(|end| end > behind);
        if goes_on || kinds.get(usize::from(node.kind_id())) == Some(&true) {
            return Some(node);
        }
        is_there = cursor.goto_next_sibling();
    }
    if is_inside {
        cursor.goto_parent();
    }
    None
}
