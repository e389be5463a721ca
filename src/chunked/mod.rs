//! The `aws-chunked` coding: frames around the data of an object.
//!
//! ```text
//! signed    1*16HEXDIG ";chunk-signature=" 64HEXDIG CRLF  size*OCTET CRLF   each chunk
//!           "0;chunk-signature=" 64HEXDIG CRLF
//!           [ *( name ":" value CRLF ) "x-amz-trailer-signature:" 64HEXDIG CRLF ]  CRLF
//! unsigned  1*16HEXDIG CRLF  size*OCTET CRLF                                each chunk
//!           "0" CRLF  *( name ":" value CRLF )  CRLF
//! ```
//!
//! `frames.rs` reads frames and does no cryptography; `trailers.rs` knows which trailers may come
//! and what of them is signed; `sign.rs` writes frames. Verifying is in `body/chunked.rs`, beside
//! the other content modes.
//!
//! Amazon S3 API Reference, "Transferring Payload in Multiple Chunks", "... Including Trailing
//! Headers".

mod frames;
mod sign;
mod trailers;

pub(crate) use frames::{Deframer, Frame, FrameError, Signatures};
pub(crate) use trailers::{Announced, Announcement, Received, TrailerError};

pub use sign::{ChunkEnd, ChunkError, ChunkHead, ChunkHeads, ChunkSigner, Framing};
pub use trailers::Trailers;

/// What stands between the size of a signed chunk and its signature.
pub(crate) const SIGNATURE_EXTENSION: &[u8] = b";chunk-signature=";

/// The last line of signed trailers, up to the signature.
pub(crate) const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// Every chunk but the last that holds data has at least this many bytes, on S3.
pub(crate) const MIN_CHUNK: u64 = 8192;
