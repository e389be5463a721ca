//! An allocator that counts what this thread asks for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

pub(crate) struct Counting;

/// What one operation asked for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Asked {
    pub(crate) times: f64,
    pub(crate) bytes: f64,
}

thread_local! {
    static TIMES: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

fn note(bytes: usize) {
    TIMES.with(|times| times.set(times.get() + 1));
    BYTES.with(|sum| sum.set(sum.get() + bytes as u64));
}

// Safety: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size.saturating_sub(layout.size()));
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

/// What one of `count` operations asks for; the first ones are left out.
pub(crate) fn per_operation(count: usize, mut run: impl FnMut(usize)) -> Asked {
    run(1);
    let before = (TIMES.with(Cell::get), BYTES.with(Cell::get));
    run(count);
    let share = |now: u64, before: u64| (now - before) as f64 / count as f64;
    Asked {
        times: share(TIMES.with(Cell::get), before.0),
        bytes: share(BYTES.with(Cell::get), before.1),
    }
}
