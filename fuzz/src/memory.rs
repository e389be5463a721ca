//! An allocator that counts, for machines that take no memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.with(|asked| asked.set(asked.get().wrapping_add(1)));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs what must not ask for memory.
pub fn without_memory<T>(run: impl FnOnce() -> T) -> T {
    let before = ASKED.with(Cell::get);
    let result = run();
    assert_eq!(ASKED.with(Cell::get), before, "memory was taken");
    result
}
