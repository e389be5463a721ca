//! Whose turn it is while a request is passed on: the other server is waited for, but not for ever, and
//! not blamed for a client that is slow.
//!
//! What is passed on this module deliberately does not know.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::DropGuard;

use crate::idle::Idle;

/// Who has to do something next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The client: it sends its body.
    Client,
    /// The other server: it takes what it was given, and then answers.
    Server,
}

/// Told by whoever passes a body on.
#[derive(Debug)]
pub(super) struct Turns(watch::Sender<Turn>);

/// Asked by whoever waits for the answer.
#[derive(Debug)]
pub(super) struct Patience(watch::Receiver<Turn>);

/// At first it is the other server's turn: to be connected to.
pub(super) fn begin() -> (Turns, Patience) {
    let (turns, patience) = watch::channel(Turn::Server);
    (Turns(turns), Patience(patience))
}

impl Turns {
    /// More is to come, but not yet.
    pub(super) fn to_client(&self) {
        self.0.send_if_modified(|turn| std::mem::replace(turn, Turn::Client) != Turn::Client);
    }

    /// Something was handed over, or the end.
    pub(super) fn to_server(&self) {
        self.0.send_replace(Turn::Server);
    }
}

impl Patience {
    /// Waits until the other server has had its turn for so long and done nothing.
    pub(super) async fn ends(mut self, limit: Duration) {
        loop {
            let turn = *self.0.borrow_and_update();
            match (turn, timeout(limit, self.0.changed()).await) {
                (Turn::Server, Err(_)) => return,
                // Nobody passes anything on any more: what is missing is the answer.
                (_, Ok(Err(_))) => return sleep(limit).await,
                (_, Ok(Ok(()))) | (Turn::Client, Err(_)) => {}
            }
        }
    }
}

/// The body of an answer, broken off when nothing of it comes for too long.
#[derive(Debug)]
pub(super) struct Answering {
    body: Incoming,
    idle: Idle,
    /// Kept as long as the answer is: a request that has not ended is cut off with it.
    _connection: DropGuard,
}

impl Answering {
    pub(super) fn new(body: Incoming, limit: Duration, connection: DropGuard) -> Self {
        Answering { body, idle: Idle::new(limit), _connection: connection }
    }
}

impl Body for Answering {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.idle.end();
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        ready!(this.idle.poll(cx));
        tracing::error!("the other server does not go on with its answer");
        Poll::Ready(Some(Err("nothing came for too long".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// Whether patience is at an end so many seconds later.
    async fn ends_within(patience: &mut Pin<Box<impl Future<Output = ()>>>, seconds: u64) -> bool {
        timeout(Duration::from_secs(seconds), patience).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_is_waited_for_so_long() {
        let (turns, patience) = begin();
        let mut patience = Box::pin(patience.ends(LIMIT));
        // It takes a piece now and then.
        for _ in 0..3 {
            assert!(!ends_within(&mut patience, 9).await);
            turns.to_server();
        }
        assert!(!ends_within(&mut patience, 9).await);
        assert!(ends_within(&mut patience, 2).await);
    }

    #[tokio::test(start_paused = true)]
    async fn the_client_is_not_its_fault() {
        let (turns, patience) = begin();
        let mut patience = Box::pin(patience.ends(LIMIT));
        for _ in 0..3 {
            turns.to_client();
            assert!(!ends_within(&mut patience, 100).await);
            turns.to_server();
            assert!(!ends_within(&mut patience, 9).await);
        }
        assert!(ends_within(&mut patience, 2).await);
    }

    /// The answer has its time from the end of the body on, whoever's turn it was.
    #[tokio::test(start_paused = true)]
    async fn what_is_missing_is_the_answer() {
        for client in [false, true] {
            let (turns, patience) = begin();
            let mut patience = Box::pin(patience.ends(LIMIT));
            assert!(!ends_within(&mut patience, 9).await);
            if client {
                turns.to_client();
            }
            drop(turns);
            assert!(!ends_within(&mut patience, 9).await);
            assert!(ends_within(&mut patience, 2).await);
        }
    }
}
