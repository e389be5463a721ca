//! Bodies as they arrive: not for ever, and not lost when nobody wants them.
//!
//! A connection that is closed while data arrives loses the answer that was sent on it. So a body
//! that is dropped before its end comes back to whoever made it, to be read a little more.
//!
//! What a body holds this module deliberately does not know.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep, timeout};

/// How long a peer may send nothing.
const IDLE: Duration = Duration::from_secs(60);
/// How much of a body nobody wants is read, and for how long.
const DISCARDED: usize = 8 * 1024 * 1024;
const DISCARDING: Duration = Duration::from_secs(2);

/// A body as it arrives.
#[derive(Debug)]
pub(crate) struct Arriving {
    /// `None` once it has been given back.
    body: Option<Incoming>,
    idle: Pin<Box<Sleep>>,
    /// Whether anybody asked for data: only then a peer that waits for 100-continue sends any.
    asked: bool,
    back: Option<oneshot::Sender<Incoming>>,
}

/// What is left of a body, once it has been dropped.
pub(crate) struct Leftover(oneshot::Receiver<Incoming>);

/// Why a body ends early.
#[derive(Debug)]
pub(crate) enum BrokenOff {
    /// Nothing came for too long.
    Idle,
    /// The connection failed.
    Connection(hyper::Error),
}

impl Arriving {
    /// Takes a body. If its peer waits until it is told to go on, it is not asked for the sake of
    /// reading a leftover.
    pub(crate) fn new(body: Incoming, waits: bool) -> (Self, Leftover) {
        let (back, leftover) = oneshot::channel();
        let idle = Box::pin(sleep(IDLE));
        let arriving = Arriving { body: Some(body), idle, asked: !waits, back: Some(back) };
        (arriving, Leftover(leftover))
    }
}

impl Leftover {
    /// Reads a little of it.
    pub(crate) async fn discard(self) {
        let reading = async {
            let Ok(mut body) = self.0.await else { return };
            let mut left = DISCARDED;
            while let Some(Ok(frame)) = body.frame().await {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(length) {
                    Some(rest) => left = rest,
                    None => return,
                }
            }
        };
        // Too slow is the same as too much.
        let _ = timeout(DISCARDING, reading).await;
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        self.asked = true;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.idle.as_mut().reset(Instant::now() + IDLE);
                Poll::Ready(frame.map(|frame| frame.map_err(BrokenOff::Connection)))
            }
            Poll::Pending => {
                ready!(self.idle.as_mut().poll(cx));
                Poll::Ready(Some(Err(BrokenOff::Idle)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if let (true, Some(body), Some(back)) = (self.asked, self.body.take(), self.back.take()) {
            // If nobody waits for it, nobody has to read the answer either.
            let _ = back.send(body);
        }
    }
}

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BrokenOff::Idle => f.write_str("nothing came for too long"),
            BrokenOff::Connection(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BrokenOff {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BrokenOff::Idle => None,
            BrokenOff::Connection(error) => Some(error),
        }
    }
}
