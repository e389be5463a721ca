//! Time that passes while a peer is waited for.
//!
//! Who is waited for, and what for, this module deliberately does not know.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// How long a peer has sent nothing. Time is not counted while nobody asks.
#[derive(Debug)]
pub(crate) struct Idle {
    limit: Duration,
    over: Pin<Box<Sleep>>,
    /// Whether `over` is running.
    waiting: bool,
}

impl Idle {
    /// For a peer that may send nothing for so long.
    pub(crate) fn new(limit: Duration) -> Self {
        Idle { limit, over: Box::pin(sleep(limit)), waiting: false }
    }

    /// Something came.
    pub(crate) fn end(&mut self) {
        self.waiting = false;
    }

    /// Nothing came: ready when that has been so for too long.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.waiting {
            self.waiting = true;
            self.over.as_mut().reset(Instant::now() + self.limit);
        }
        self.over.as_mut().poll(cx)
    }
}
