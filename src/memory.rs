//! The engine's memory: small blocks of a size are kept in a list, large ones are the standard library's.
//!
//! An event costs some fifteen short strings and vectors, and the standard library's allocator for wasm, which looks for the
//! block that fits best, took a quarter of the time. Here a small block is taken off the list of its size and put back, as in
//! Knuth, The Art of Computer Programming, volume 1, section 2.5. What a list once had stays in it, so that memory is bounded
//! by the most that was in use of each size.

#![allow(
    unsafe_code,
    clippy::cast_ptr_alignment,
    reason = "an allocator: a block is as aligned as the largest number"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::null_mut;

/// Sizes are multiples of this, and so are places. Bytes.
const STEP: usize = 16;
/// How many sizes have lists: blocks of up to 512 bytes.
const SIZES: usize = 32;
/// Small blocks are cut from pieces of so many bytes.
const PIECE: usize = 32 << 10;

/// An allocator for one thread.
pub struct SmallBlocks {
    /// The first free block of each size; each holds the place of the next.
    free: [Cell<*mut u8>; SIZES],
    /// What is left of the newest piece.
    rest: Cell<*mut u8>,
    left: Cell<usize>,
}

// SAFETY: it is the allocator of a module for wasm32-unknown-unknown, which has no threads.
#[cfg(target_arch = "wasm32")]
unsafe impl Sync for SmallBlocks {}

impl SmallBlocks {
    /// An allocator that has nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            free: [const { Cell::new(null_mut()) }; SIZES],
            rest: Cell::new(null_mut()),
            left: Cell::new(0),
        }
    }

    /// The list of blocks for it, if they have one.
    #[inline]
    fn list(&self, layout: Layout) -> Option<&Cell<*mut u8>> {
        if layout.align() > STEP {
            return None;
        }
        self.free.get(index(layout.size()))
    }

    /// A new block of the list's size.
    #[cold]
    #[inline(never)]
    fn cut(&self, index: usize) -> *mut u8 {
        let size = (index + 1) * STEP;
        if self.left.get() < size {
            // SAFETY: the size is not zero, and the alignment is a power of two
            let piece = unsafe { System.alloc(Layout::from_size_align_unchecked(PIECE, STEP)) };
            if piece.is_null() {
                return piece;
            }
            self.rest.set(piece);
            self.left.set(PIECE);
        }
        let block = self.rest.get();
        // SAFETY: so much is left of the piece
        self.rest.set(unsafe { block.add(size) });
        self.left.set(self.left.get() - size);
        block
    }
}

impl Default for SmallBlocks {
    fn default() -> Self {
        Self::new()
    }
}

/// Which list has blocks of `size` bytes, of which there is one at least.
#[inline]
fn index(size: usize) -> usize {
    size.wrapping_sub(1) / STEP
}

// SAFETY: a block is in one list or in use, never both, for a list is left when it is given out and entered when it comes
// back; blocks do not overlap, because each is cut from what is left of a piece; they are as large as their list's size and
// as aligned as the pieces. By its layout a block comes back to where it was from.
unsafe impl GlobalAlloc for SmallBlocks {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(list) = self.list(layout) else {
            // SAFETY: as of this function
            return unsafe { System.alloc(layout) };
        };
        let block = list.get();
        if block.is_null() {
            return self.cut(index(layout.size()));
        }
        // SAFETY: a free block holds the place of the next
        list.set(unsafe { block.cast::<*mut u8>().read() });
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(list) = self.list(layout) else {
            // SAFETY: it is from there
            return unsafe { System.dealloc(block, layout) };
        };
        // SAFETY: the block is ours again, and has room for a place
        unsafe { block.cast::<*mut u8>().write(list.get()) };
        list.set(block);
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as of this function
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (self.list(layout), self.list(new)) {
            // SAFETY: it is from there
            (None, None) => unsafe { System.realloc(block, layout, size) },
            (Some(old), Some(new)) if std::ptr::eq(old, new) => block,
            // SAFETY: both blocks have so many bytes, and they are two
            _ => unsafe {
                let moved = self.alloc(new);
                if !moved.is_null() {
                    block.copy_to_nonoverlapping(moved, layout.size().min(size));
                    self.dealloc(block, layout);
                }
                moved
            },
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a program does with one block after another.
    #[derive(Clone, Debug)]
    enum Step {
        Take { size: usize, align: usize },
        Resize { which: usize, size: usize },
        Give { which: usize },
    }

    fn step() -> impl Strategy<Value = Step> {
        let size = || prop_oneof![8 => 1_usize..600, 1 => 1_usize..4_000];
        prop_oneof![
            3 => (size(), 0_u32..6).prop_map(|(size, align)| Step::Take { size, align: 1 << align }),
            2 => (any::<usize>(), size()).prop_map(|(which, size)| Step::Resize { which, size }),
            2 => any::<usize>().prop_map(|which| Step::Give { which }),
        ]
    }

    /// A block in use is filled with bytes of its own.
    struct Block {
        place: *mut u8,
        layout: Layout,
        mark: u8,
    }

    impl Block {
        fn fill(&self) {
            // SAFETY: the block is in use and has this size
            unsafe { self.place.write_bytes(self.mark, self.layout.size()) };
        }

        fn is_whole(&self, bytes: usize) -> bool {
            // SAFETY: as above
            let held = unsafe { std::slice::from_raw_parts(self.place, bytes) };
            held.iter().all(|byte| *byte == self.mark)
        }
    }

    proptest! {
        #[test]
        fn blocks_are_aligned_and_keep_what_is_in_them(steps in proptest::collection::vec(step(), 1..100)) {
            let memory = SmallBlocks::new();
            let mut blocks: Vec<Block> = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Take { size, align } => {
                        let layout = Layout::from_size_align(size, align).unwrap();
                        // SAFETY: the size is not zero
                        let place = unsafe { memory.alloc(layout) };
                        let block = Block { place, layout, mark: number as u8 };
                        prop_assert_eq!(place as usize % align, 0);
                        block.fill();
                        blocks.push(block);
                    }
                    Step::Resize { which, size } if !blocks.is_empty() => {
                        let at = which % blocks.len();
                        let Block { place, layout, mark } = blocks[at];
                        // SAFETY: it was taken here with this layout
                        let place = unsafe { memory.realloc(place, layout, size) };
                        let kept = layout.size().min(size);
                        let layout = Layout::from_size_align(size, layout.align()).unwrap();
                        let block = Block { place, layout, mark };
                        prop_assert_eq!(place as usize % layout.align(), 0);
                        prop_assert!(block.is_whole(kept));
                        block.fill();
                        blocks[at] = block;
                    }
                    Step::Give { which } if !blocks.is_empty() => {
                        let block = blocks.swap_remove(which % blocks.len());
                        // SAFETY: it was taken here with this layout
                        unsafe { memory.dealloc(block.place, block.layout) };
                    }
                    _ => continue,
                }
                for block in &blocks {
                    prop_assert!(block.is_whole(block.layout.size()));
                }
            }
            for block in blocks {
                // SAFETY: as above
                unsafe { memory.dealloc(block.place, block.layout) };
            }
        }

        #[test]
        fn what_was_given_back_is_taken_again(sizes in proptest::collection::vec(1_usize..512, 1..50)) {
            let memory = SmallBlocks::new();
            let rounds: Vec<Vec<usize>> = (0..2)
                .map(|_| {
                    let layouts = sizes.iter().map(|size| Layout::from_size_align(*size, 8).unwrap());
                    // SAFETY: no size is zero
                    let taken: Vec<_> = layouts.map(|layout| (unsafe { memory.alloc(layout) }, layout)).collect();
                    for (place, layout) in &taken {
                        // SAFETY: it was taken here with this layout
                        unsafe { memory.dealloc(*place, *layout) };
                    }
                    let mut places: Vec<usize> = taken.iter().map(|(place, _)| *place as usize).collect();
                    places.sort_unstable();
                    places
                })
                .collect();
            prop_assert_eq!(&rounds[0], &rounds[1]);
        }
    }
}
