//! How many requests a connection carries, and for how long there has been none.
//!
//! A request lasts from its head to the end of its answer. What it is about this module deliberately does
//! not know.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::timeout;

/// The requests of one connection.
#[derive(Clone, Debug)]
pub(super) struct Requests(Arc<watch::Sender<usize>>);

/// One of them; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Running(Arc<watch::Sender<usize>>);

/// The body of an answer, with its request.
#[derive(Debug)]
pub(super) struct Answer<B> {
    body: B,
    _running: Running,
}

impl Default for Requests {
    fn default() -> Self {
        Requests(Arc::new(watch::Sender::new(0)))
    }
}

impl Requests {
    pub(super) fn begin(&self) -> Running {
        self.0.send_modify(|count| *count += 1);
        Running(Arc::clone(&self.0))
    }

    /// Waits until there has been no request for so long.
    pub(super) async fn none_for(&self, limit: Duration) {
        let mut changes = self.0.subscribe();
        loop {
            let idle = *changes.borrow_and_update() == 0;
            match timeout(limit, changes.changed()).await {
                Err(_) if idle => return,
                Err(_) | Ok(Ok(())) => {}
                // There is always a sender: this one.
                Ok(Err(_)) => return,
            }
        }
    }
}

impl Running {
    /// The request goes on as long as its answer does.
    pub(super) fn with<B>(self, body: B) -> Answer<B> {
        Answer { body, _running: self }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
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
    use bytes::Bytes;
    use http_body_util::Full;

    #[tokio::test(start_paused = true)]
    async fn time_runs_while_there_is_none() {
        let second = Duration::from_secs(1);
        let requests = Requests::default();
        let mut idle = Box::pin(requests.none_for(10 * second));
        assert!(timeout(9 * second, &mut idle).await.is_err());
        let one = requests.begin();
        let two = requests.begin().with(Full::new(Bytes::new()));
        assert!(timeout(100 * second, &mut idle).await.is_err());
        drop(one);
        assert!(timeout(100 * second, &mut idle).await.is_err());
        drop(two);
        assert!(timeout(9 * second, &mut idle).await.is_err());
        assert!(timeout(2 * second, &mut idle).await.is_ok());
    }
}
