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
use tokio::time::timeout;

use crate::idle::Idle;

/// How long a peer may send nothing.
const IDLE: Duration = Duration::from_secs(60);
/// How much of a body nobody wants is read, and for how long.
const DISCARDED: usize = 8 * 1024 * 1024;
const DISCARDING: Duration = Duration::from_secs(2);

/// A body as it arrives.
#[derive(Debug)]
pub(crate) struct Arriving {
    /// `None` once it has been read to its end, or given back.
    body: Option<Incoming>,
    idle: Idle,
    /// Whether anybody asked for data: only then a peer that waits for 100-continue sends any.
    asked: bool,
    back: Option<oneshot::Sender<Rest>>,
}

/// What is left of a body, once it has been dropped.
pub(crate) struct Leftover(oneshot::Receiver<Rest>);

/// What comes back of a body.
#[derive(Debug)]
enum Rest {
    /// Nothing: it was read to its end.
    Nothing,
    /// All of it: its peer still waits to be told to go on.
    NotSent,
    /// Some of it.
    Some(Incoming),
}

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
        let idle = Idle::new(IDLE);
        let arriving = Arriving { body: Some(body), idle, asked: !waits, back: Some(back) };
        (arriving, Leftover(leftover))
    }
}

impl Leftover {
    /// Reads a little of it. Says whether that was all, so that the connection can go on.
    pub(crate) async fn discard(self) -> bool {
        let reading = async {
            let mut body = match self.0.await {
                Ok(Rest::Nothing) => return true,
                Ok(Rest::Some(body)) => body,
                Ok(Rest::NotSent) | Err(_) => return false,
            };
            let mut left = DISCARDED;
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return false };
                let length = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(length) {
                    Some(rest) => left = rest,
                    None => return false,
                }
            }
            true
        };
        // Too slow is the same as too much.
        timeout(DISCARDING, reading).await.unwrap_or(false)
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = self.get_mut();
        this.asked = true;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            this.idle.end();
            if frame.is_none() {
                this.body = None;
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(BrokenOff::Connection)));
        }
        ready!(this.idle.poll(cx));
        Poll::Ready(Some(Err(BrokenOff::Idle)))
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
        let Some(back) = self.back.take() else { return };
        let rest = match self.body.take() {
            None => Rest::Nothing,
            Some(body) if body.is_end_stream() => Rest::Nothing,
            Some(_) if !self.asked => Rest::NotSent,
            Some(body) => Rest::Some(body),
        };
        // If nobody waits for it, nobody has to read the answer either.
        let _ = back.send(rest);
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
