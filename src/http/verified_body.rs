//! (feature `http-body`) Bodies that verify, frame by frame.
//!
//! Data passes through without being copied: what goes out are slices of what came in.

use std::boxed::Box;
use std::collections::VecDeque;

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};

use crate::body::{Ahead, BodyError, BodyVerifier, Event, VerifiedBody as Proof};

/// How much of a chunk is held back at most until its signature has come, if nothing else is said.
const MAX_HELD: usize = 16 * 1024 * 1024;

/// A body that is verified while it is read.
///
/// What comes out when is for [`hold`](Self::hold) to say. By default, in the signed streaming
/// modes, only data that a good signature covers comes out, a chunk at a time. In the other modes
/// nothing covers data before the end: it comes out as it arrives, and if it was not what the head
/// said, an error comes *in place of the end*. Write aside, and commit when
/// [`proof`](Self::proof) is there. Trailers come out as a trailer frame.
///
/// ```
/// # use countersign::{Verified, http::{VerifiedBody, VerifiedBodyError}};
/// # use http_body::Body;
/// # use bytes::Bytes;
/// # async fn next<B: Body<Data = Bytes> + Unpin>(body: &mut B) -> Option<Result<http_body::Frame<Bytes>, B::Error>> {
/// #     core::future::poll_fn(|cx| core::pin::Pin::new(&mut *body).poll_frame(cx)).await
/// # }
/// async fn receive<B>(head: Verified<'_>, body: B, aside: &mut Vec<u8>) -> Result<(), VerifiedBodyError<B::Error>>
/// where
///     B: Body<Data = Bytes> + Unpin,
/// {
///     let mut body = VerifiedBody::new(head.into_body(), body);
///     while let Some(frame) = next(&mut body).await {
///         if let Ok(data) = frame?.into_data() {
///             aside.extend_from_slice(&data);
///         }
///     }
///     assert!(body.proof().is_some()); // commit now
///     Ok(())
/// }
/// ```
pub struct VerifiedBody<B> {
    inner: B,
    /// Whether `inner` has been read to its end.
    ended: bool,
    /// How much is still to come out, if the head announced it.
    left: Option<u64>,
    /// `None` once it has decided. It is large, and a request passes through many hands.
    machine: Option<Box<BodyVerifier>>,
    proof: Option<Box<Proof>>,
    hold: Hold,
    max_held: usize,
    /// What came and has not been fed yet.
    input: Bytes,
    /// Data of the chunk whose signature has not been checked yet.
    held: VecDeque<Bytes>,
    held_len: usize,
    /// Data that may go out; but for the last piece, if the end is held back.
    released: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
}

/// What a [`VerifiedBody`] keeps to itself, and until when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hold {
    /// Nothing: data comes out as it arrives, in every mode. For whoever writes it aside and takes
    /// it back if there is no proof.
    Nothing,
    /// The data of a signed chunk, until its signature has been checked.
    #[default]
    Chunks,
    /// As `Chunks`, and in every mode the last piece of data until the whole body is proven. For
    /// whoever passes it on: without its end no receiver takes it for whole.
    End,
}

/// Why a verified body ends early.
#[derive(Debug)]
#[non_exhaustive]
pub enum VerifiedBodyError<E> {
    /// It is not what its head said.
    Refused(BodyError),
    /// A chunk is longer than may be held back.
    TooLong,
    /// The body below failed.
    Inner(E),
}

impl<B> VerifiedBody<B> {
    /// Verifies `inner` by `machine`. Up to 16 MiB of a signed chunk are held back.
    pub fn new(machine: BodyVerifier, inner: B) -> Self {
        Self::of(Box::new(machine), inner)
    }

    fn of(machine: Box<BodyVerifier>, inner: B) -> Self {
        Self {
            inner,
            ended: false,
            left: machine.announced_len(),
            machine: Some(machine),
            proof: None,
            hold: Hold::default(),
            max_held: MAX_HELD,
            input: Bytes::new(),
            held: VecDeque::new(),
            held_len: 0,
            released: VecDeque::new(),
            trailers: None,
        }
    }

    /// A body that has been received whole already, if it has, and verified with its head.
    #[cfg(feature = "tower")]
    pub(crate) fn received(machine: Box<BodyVerifier>, whole: Option<Bytes>, inner: B) -> Self {
        let mut body = Self::of(machine, inner);
        if let Some(whole) = whole {
            body.ended = true;
            body.released.extend(Some(whole).filter(|whole| !whole.is_empty()));
        }
        body
    }

    /// Sets what is held back. To be called before anything is read.
    #[must_use]
    pub fn hold(mut self, hold: Hold) -> Self {
        self.hold = hold;
        self
    }

    /// Sets how much of a signed chunk is held back at most, in bytes.
    #[must_use]
    pub fn max_held(mut self, len: usize) -> Self {
        self.max_held = len;
        self
    }

    /// The proof, once the end has been read.
    pub fn proof(&self) -> Option<&Proof> {
        self.proof.as_deref()
    }

    /// Gives the proof away, once the end has been read.
    pub fn into_proof(self) -> Option<Proof> {
        self.proof.map(|proof| *proof)
    }

    /// The body below.
    pub fn get_ref(&self) -> &B {
        &self.inner
    }

    /// Feeds what came; decides what of it may go out.
    fn feed<E>(&mut self) -> Result<(), VerifiedBodyError<E>> {
        let Some(machine) = &mut self.machine else { return Ok(()) };
        let input = self.input.clone();
        let chunks = self.hold != Hold::Nothing && machine.covers_chunks();
        let (mut ahead, mut together) = (Ahead::NONE, 0);
        if chunks {
            // Chunks that are at hand whole, as many as may be held.
            together = machine.look_ahead(None, self.max_held, &input, &mut ahead);
        }
        let mut some_covered = false;
        loop {
            let fed = match machine.feed_hashed(&self.input, &ahead) {
                Ok(fed) => fed,
                // What is covered goes out first. The machine says the same when it is asked again.
                Err(_) if some_covered => return Ok(()),
                Err(error) => return Err(VerifiedBodyError::Refused(error)),
            };
            match fed.event {
                Event::NeedMore => {}
                Event::Data(data) => {
                    let data = self.input.slice_ref(data.into_unverified());
                    if chunks {
                        self.held_len = self.held_len.saturating_add(data.len());
                        if self.held_len > self.max_held {
                            return Err(VerifiedBodyError::TooLong);
                        }
                        self.held.push_back(data);
                    } else {
                        self.released.push_back(data);
                    }
                }
                Event::Covered { .. } => {
                    self.released.append(&mut self.held);
                    self.held_len = 0;
                    some_covered = true;
                    together = together.saturating_sub(1);
                }
            }
            self.input.advance(fed.consumed);
            if together == 0 || self.input.is_empty() {
                return Ok(());
            }
        }
    }

    /// What may go out now.
    fn next_released(&mut self) -> Option<Bytes> {
        let kept = usize::from(self.hold == Hold::End && self.machine.is_some());
        if self.released.len() > kept { self.released.pop_front() } else { None }
    }

    fn finish(&mut self) -> Result<(), BodyError> {
        let Some(mut machine) = self.machine.take() else { return Ok(()) };
        let proof = Box::new(machine.conclude()?);
        let mut trailers = HeaderMap::new();
        for (name, value) in proof.trailers() {
            // Names are tokens and values visible ASCII, or the body would not have been accepted.
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                trailers.append(name, value);
            }
        }
        self.trailers = Some(trailers).filter(|trailers| !trailers.is_empty());
        self.proof = Some(proof);
        Ok(())
    }

    /// Nothing comes out after an error.
    fn give_up(&mut self) {
        self.machine = None;
        self.held.clear();
        self.held_len = 0;
        self.released.clear();
        self.input = Bytes::new();
    }
}

impl<B> Body for VerifiedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = VerifiedBodyError<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            if let Some(data) = self.next_released() {
                let len = data.len() as u64;
                self.left = self.left.map(|left| left.saturating_sub(len));
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            if let Some(trailers) = self.trailers.take() {
                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
            }
            if self.machine.is_none() {
                return Poll::Ready(None);
            }
            let result = if !self.input.is_empty() {
                self.feed()
            } else if self.ended {
                self.finish().map_err(VerifiedBodyError::Refused)
            } else {
                match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        // HTTP's own trailers are not covered by anything and go no further.
                        if let Ok(data) = frame.into_data() {
                            self.input = data;
                        }
                        Ok(())
                    }
                    Some(Err(error)) => Err(VerifiedBodyError::Inner(error)),
                    None => {
                        self.ended = true;
                        Ok(())
                    }
                }
            };
            if let Err(error) = result {
                self.give_up();
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.machine.is_none() && self.released.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let left = if self.is_end_stream() { Some(0) } else { self.left };
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl<B> fmt::Debug for VerifiedBody<B> {
    /// Shows no data, nor what is around it: of a chunk that waits, its signature is part.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let released: usize = self.released.iter().map(Bytes::len).sum();
        f.debug_struct("VerifiedBody")
            .field("left", &self.left)
            .field("ended", &self.ended)
            .field("proven", &self.proof.is_some())
            .field("hold", &self.hold)
            .field("input", &self.input.len())
            .field("held", &self.held_len)
            .field("released", &released)
            .finish_non_exhaustive()
    }
}

impl<E: fmt::Display> fmt::Display for VerifiedBodyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::TooLong => f.write_str("a chunk is too long to be held back"),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for VerifiedBodyError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Refused(error) => Some(error),
            Self::TooLong => None,
            Self::Inner(error) => Some(error),
        }
    }
}
