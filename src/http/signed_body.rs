//! (feature `http-body`) Bodies that frame and sign, frame by frame.
//!
//! Data passes through without being copied: what goes out are slices of what came in, and lines
//! between them.

#[cfg(feature = "checksums")]
use std::borrow::ToOwned as _;
use std::boxed::Box;
use std::collections::VecDeque;
use std::string::String;
#[cfg(feature = "checksums")]
use std::string::ToString as _;
use std::vec::Vec;

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::chunked::{ChunkError, ChunkSigner, Framing};

/// What stands behind a body that is framed.
pub enum Trailing {
    /// No trailers.
    Nothing,
    /// These trailers, known in advance: name and value.
    Known(Vec<(String, String)>),
    /// Those that the body below ends with, as a trailer frame: names, and how long their values
    /// will be. Any other that it has goes no further.
    Below(Vec<(String, usize)>),
    /// A checksum, taken while the data passes.
    #[cfg(feature = "checksums")]
    Checksum(crate::checksum::Checksummer),
}

/// A body that is framed, and signed where the mode says so, while it is read.
///
/// Its length is known in advance, for `Content-Length`: see [`Framing::encoded_len`].
///
/// ```
/// # use countersign::{ChunkSigner, ContentSha256, Framing, http::{SignedBody, Trailing}};
/// # use http_body::Body;
/// # fn upload<B: Body<Data = bytes::Bytes> + Unpin>(chunks: ChunkSigner, data: B, decoded_len: u64) -> Option<SignedBody<B>> {
/// let framing = Framing { content: ContentSha256::StreamingSigned, decoded_len, trailers: "" };
/// let body = SignedBody::new(chunks, &framing, 64 * 1024, Trailing::Nothing, data)?;
/// # Some(body) }
/// ```
pub struct SignedBody<B> {
    inner: B,
    /// `None` once the end has been written. It is large, and a request passes through many hands.
    signer: Option<Box<ChunkSigner>>,
    chunk_len: usize,
    trailing: Trailing,
    /// Data of the chunk that is not full yet.
    waiting: VecDeque<Bytes>,
    waiting_len: usize,
    out: VecDeque<Bytes>,
    left: u64,
}

/// Why a signed body ends early.
#[derive(Debug)]
#[non_exhaustive]
pub enum SignedBodyError<E> {
    /// It is not as long as was signed, or its trailers are not those that were announced.
    Chunk(ChunkError),
    /// The body below failed.
    Inner(E),
}

impl<B> SignedBody<B> {
    /// Frames `inner` in chunks of `chunk_len` bytes, which S3 wants to be 8,192 at least.
    ///
    /// `None` if `chunk_len` is zero or the trailers cannot stand behind such a body.
    #[must_use]
    pub fn new(
        signer: ChunkSigner,
        framing: &Framing<'_>,
        chunk_len: usize,
        trailing: Trailing,
        inner: B,
    ) -> Option<Self> {
        let values = trailing.lengths();
        let left = framing.encoded_len(chunk_len as u64, &values)?;
        Some(Self {
            inner,
            signer: Some(Box::new(signer)),
            chunk_len,
            trailing,
            waiting: VecDeque::new(),
            waiting_len: 0,
            out: VecDeque::new(),
            left,
        })
    }

    fn take(&mut self, mut data: Bytes) -> Result<(), ChunkError> {
        // Where each whole chunk ends among the pieces that wait.
        let mut ends = Vec::new();
        while !data.is_empty() {
            let room = self.chunk_len.saturating_sub(self.waiting_len);
            let piece = data.split_to(room.min(data.len()));
            #[cfg(feature = "checksums")]
            if let Trailing::Checksum(running) = &mut self.trailing {
                running.update(&piece);
            }
            self.waiting_len += piece.len();
            self.waiting.push_back(piece);
            if self.waiting_len == self.chunk_len {
                ends.push(self.waiting.len());
                self.waiting_len = 0;
            }
        }
        self.chunks(&ends)
    }

    /// Takes the trailers of the body below, if they were asked for.
    fn take_trailers(&mut self, trailers: &HeaderMap) -> Result<(), ChunkError> {
        let Trailing::Below(wanted) = &self.trailing else { return Ok(()) };
        let mut lines = Vec::with_capacity(wanted.len());
        for (name, len) in wanted {
            let mut values = trailers.get_all(name).iter();
            let value = values.next().and_then(|value| value.to_str().ok());
            match value.filter(|value| value.len() == *len && values.next().is_none()) {
                Some(value) => lines.push((name.clone(), String::from(value))),
                None => return Err(ChunkError::Trailers),
            }
        }
        self.trailing = Trailing::Known(lines);
        Ok(())
    }

    /// Writes chunks that are waiting, each up to its end among the pieces.
    fn chunks(&mut self, ends: &[usize]) -> Result<(), ChunkError> {
        let (Some(signer), Some(last)) = (&mut self.signer, ends.last()) else { return Ok(()) };
        let chunks: VecDeque<Bytes> = self.waiting.drain(..*last).collect();
        let pieces: Vec<&[u8]> = chunks.iter().map(|piece| &piece[..]).collect();
        let mut begin = 0;
        let groups: Vec<&[&[u8]]> = ends
            .iter()
            .map(|end| pieces.get(core::mem::replace(&mut begin, *end)..*end).unwrap_or_default())
            .collect();
        let mut data = chunks.iter();
        for (head, group) in signer.chunks_of(&groups).zip(&groups) {
            self.out.push_back(Bytes::copy_from_slice(head?.as_bytes()));
            self.out.extend(data.by_ref().take(group.len()).cloned());
            self.out.push_back(Bytes::from_static(ChunkSigner::DATA_END));
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ChunkError> {
        if self.waiting_len > 0 {
            self.chunks(&[self.waiting.len()])?;
        }
        let Some(signer) = self.signer.take() else { return Ok(()) };
        let trailers = core::mem::replace(&mut self.trailing, Trailing::Nothing).into_lines();
        let trailers: Vec<_> =
            trailers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.out.push_back(Bytes::copy_from_slice(signer.finish(&trailers)?.as_bytes()));
        Ok(())
    }

    /// Nothing comes out after an error.
    fn give_up(&mut self) {
        self.signer = None;
        self.waiting.clear();
        self.waiting_len = 0;
        self.out.clear();
    }
}

impl Trailing {
    pub(crate) fn lengths(&self) -> Vec<usize> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Known(lines) => lines.iter().map(|(_, value)| value.len()).collect(),
            Self::Below(lines) => lines.iter().map(|(_, len)| *len).collect(),
            #[cfg(feature = "checksums")]
            Self::Checksum(running) => std::vec![running.algorithm().text_len()],
        }
    }

    fn into_lines(self) -> Vec<(String, String)> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Known(lines) => lines,
            // They did not come; whoever announced them is told so when the body is closed.
            Self::Below(_) => Vec::new(),
            #[cfg(feature = "checksums")]
            Self::Checksum(running) => {
                let field = running.algorithm().field().to_owned();
                std::vec![(field, running.finish().to_string())]
            }
        }
    }
}

impl<B> Body for SignedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = SignedBodyError<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            if let Some(data) = self.out.pop_front() {
                self.left = self.left.saturating_sub(data.len() as u64);
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            if self.signer.is_none() {
                return Poll::Ready(None);
            }
            let result = match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.take(data).map_err(SignedBodyError::Chunk),
                    Err(frame) => match frame.trailers_ref() {
                        Some(trailers) => {
                            self.take_trailers(trailers).map_err(SignedBodyError::Chunk)
                        }
                        None => Ok(()),
                    },
                },
                Some(Err(error)) => Err(SignedBodyError::Inner(error)),
                None => self.finish().map_err(SignedBodyError::Chunk),
            };
            if let Err(error) = result {
                self.give_up();
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.signer.is_none() && self.out.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(if self.is_end_stream() { 0 } else { self.left })
    }
}

impl<B> fmt::Debug for SignedBody<B> {
    /// Shows no data, and no signatures of chunks, which wait between it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let out: usize = self.out.iter().map(Bytes::len).sum();
        f.debug_struct("SignedBody")
            .field("left", &self.left)
            .field("ended", &self.signer.is_none())
            .field("chunk_len", &self.chunk_len)
            .field("trailing", &self.trailing)
            .field("waiting", &self.waiting_len)
            .field("out", &out)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Trailing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Known(_) => "Known",
            Self::Below(_) => "Below",
            #[cfg(feature = "checksums")]
            Self::Checksum(_) => "Checksum",
        })
    }
}

impl<E: fmt::Display> fmt::Display for SignedBodyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chunk(error) => error.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for SignedBodyError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Chunk(error) => Some(error),
            Self::Inner(error) => Some(error),
        }
    }
}
