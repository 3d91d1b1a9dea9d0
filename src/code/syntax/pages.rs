//! Memory for tools/wasm-libc/blocks.h, which asks for it in pages.

#![allow(unsafe_code, reason = "an allocator's interface to C")]

use std::alloc::{Layout, alloc, dealloc};

/// A page begins at a multiple of 64 KiB; what the allocator puts before each fits behind the last.
const PAGE: Layout = match Layout::from_size_align((1 << 16) - 8, 1 << 16) {
    Ok(page) => page,
    Err(_) => panic!("the alignment is no power of two"),
};

/// A page, or null.
#[unsafe(no_mangle)]
extern "C" fn page_take() -> *mut u8 {
    // SAFETY: its size is not zero
    unsafe { alloc(PAGE) }
}

/// Gives a page back.
///
/// # Safety
/// It is from `page_take`, and is not used any more.
#[unsafe(no_mangle)]
unsafe extern "C" fn page_give(page: *mut u8) {
    // SAFETY: as of this function
    unsafe { dealloc(page, PAGE) };
}
