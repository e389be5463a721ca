//! Streamed uploads, signed and verified chunk by chunk.

use std::hint::black_box;
use std::ops::Range;

use countersign::{
    BodyVerifier, ChunkSigner, ContentSha256, Escrow, Event, Framing, Header, Request, Signer,
    SigningKey, Timestamp, Verifier,
};

use super::floor;
use super::heads::{self, Head};

/// Length of the object: long enough that its head does not count.
pub(crate) const LEN: usize = 16 * 1024 * 1024;

/// What a read from a connection gives.
pub(crate) const READ: usize = 16 * 1024;

/// What reads give where much is there to be read.
pub(crate) const LARGE_READ: usize = 1024 * 1024;

/// Sizes of chunks, with their names.
pub(crate) const CHUNKS: [(&str, usize); 3] =
    [("8k", 8 * 1024), ("64k", 64 * 1024), ("1m", 1024 * 1024)];

pub(crate) const CRC_TRAILER: &str = "x-amz-checksum-crc32c";

pub(crate) fn data(len: usize) -> Vec<u8> {
    // Not a constant byte, in case that somebody takes a short cut.
    (0..len as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

pub(crate) fn head() -> Head {
    Head { method: "PUT", ..Head::bare() }
}

pub(crate) fn signed_framing(len: usize) -> Framing<'static> {
    Framing { content: ContentSha256::StreamingSigned, decoded_len: len as u64, trailers: "" }
}

/// A framed upload as it arrives.
pub(crate) struct Upload {
    pub(crate) head: Head,
    pub(crate) wire: Vec<u8>,
    /// Where the data of each chunk lies.
    places: Vec<Range<usize>>,
}

impl Upload {
    /// `checksum` is the value of the trailer that the framing announces.
    pub(crate) fn new(
        framing: &Framing<'_>,
        data: &[u8],
        chunk: usize,
        checksum: Option<&str>,
    ) -> Self {
        let mut head = head();
        let (mut wire, mut places) = (Vec::new(), Vec::new());
        let added: Vec<_> = {
            let headers = head.headers();
            let request = head.request(&headers);
            let signed = heads::signer().sign_stream(&request, framing, heads::now());
            let (signed, mut chunks) = signed.expect("signed");
            for piece in data.chunks(chunk) {
                wire.extend_from_slice(chunks.chunk(piece).expect("a chunk").as_bytes());
                places.push(wire.len()..wire.len() + piece.len());
                wire.extend_from_slice(piece);
                wire.extend_from_slice(ChunkSigner::DATA_END);
            }
            let trailers: Vec<_> = checksum.map(|value| (CRC_TRAILER, value)).into_iter().collect();
            wire.extend_from_slice(chunks.finish(&trailers).expect("an end").as_bytes());
            signed.headers().map(|(name, value)| (name.to_owned(), value.to_string())).collect()
        };
        head.fields.extend(added);
        head.fields.push(("Content-Length".to_owned(), wire.len().to_string()));
        Self { head, wire, places }
    }

    /// The data of each chunk.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        self.places.iter().map(|place| &self.wire[place.clone()])
    }

    /// The data in pieces as reads of so many bytes give them.
    pub(crate) fn pieces(&self, read: usize) -> impl Iterator<Item = &[u8]> {
        self.places.iter().flat_map(move |place| {
            let first = place.start / read * read;
            (first..place.end)
                .step_by(read)
                .map(move |begin| &self.wire[begin.max(place.start)..(begin + read).min(place.end)])
        })
    }
}

/// Compressions of the head of an upload.
pub(crate) fn head_blocks(framing: &Framing<'_>) -> usize {
    let head = head();
    let headers = head.headers();
    let signed = heads::signer().sign_stream(&head.request(&headers), framing, heads::now());
    let (signed, _) = signed.expect("signed");
    let canonical_request = signed.canonical_request().to_string().len();
    floor::of_signature(canonical_request, signed.string_to_sign().to_string().len())
}

/// Compressions beside those of the data: the head, what the strings of all chunks begin with, and
/// a digest's padding and a signature for each chunk.
pub(crate) struct Blocks {
    pub(crate) each_chunk: usize,
    pub(crate) last: usize,
}

pub(crate) fn blocks(framing: &Framing<'_>) -> Blocks {
    let head = head();
    let headers = head.headers();
    let signed = heads::signer().sign_stream(&head.request(&headers), framing, heads::now());
    let (signed, _) = signed.expect("signed");
    let string_to_sign = signed.string_to_sign().to_string();
    // Algorithm, time and scope, then three times 64 digits: the signature before, the hash of
    // no bytes, the hash of the data. The first block is the same for all chunks.
    let begin = string_to_sign.len() - 64 + "-PAYLOAD".len();
    let chunk = floor::of_code(begin + 65 + 65 + 64) - 1;
    Blocks { each_chunk: 1 + chunk, last: head_blocks(framing) + 1 + chunk }
}

/// Signs an upload; the data stays where it is, as in a vectored write.
pub(crate) fn sign(
    signer: &Signer<'_>,
    request: &Request<'_>,
    framing: &Framing<'_>,
    now: Timestamp,
    data: &[u8],
    chunk: usize,
) {
    let (signed, mut chunks) = signer.sign_stream(request, framing, now).expect("signed");
    black_box(&signed);
    for piece in data.chunks(chunk) {
        let head = chunks.chunk_of(piece.chunks(READ)).expect("a chunk");
        black_box(head.as_bytes());
    }
    black_box(chunks.finish(&[]).expect("an end").as_bytes());
}

/// The same by whoever holds many chunks.
pub(crate) fn sign_many(
    signer: &Signer<'_>,
    request: &Request<'_>,
    framing: &Framing<'_>,
    now: Timestamp,
    data: &[&[u8]],
) {
    let (signed, mut chunks) = signer.sign_stream(request, framing, now).expect("signed");
    black_box(&signed);
    for head in chunks.chunks(data) {
        black_box(head.expect("a chunk").as_bytes());
    }
    black_box(chunks.finish(&[]).expect("an end").as_bytes());
}

/// The machine for the body of an upload.
pub(crate) fn body(
    verifier: &Verifier<'_>,
    request: &Request<'_>,
    now: Timestamp,
    key: &SigningKey,
) -> BodyVerifier {
    let claim = verifier.read(request, now).expect("a claim");
    claim.verify(key).expect("a good signature").into_body()
}

/// Feeds the machine what the reads of a connection give.
pub(crate) fn feed(mut body: BodyVerifier, wire: &[u8]) {
    for mut input in wire.chunks(READ) {
        while !input.is_empty() {
            let fed = body.feed(input).expect("a good body");
            if let Event::Data(data) = fed.event {
                black_box(data.into_unverified());
            }
            input = &input[fed.consumed..];
        }
    }
    let _ = black_box(body.finish().expect("a whole body"));
}

/// The same with covered bytes only.
pub(crate) fn lend(body: BodyVerifier, wire: &[u8], read: usize, buffer: &mut [u8]) {
    let mut escrow = Escrow::new(body, buffer);
    for mut input in wire.chunks(read) {
        while !input.is_empty() {
            let lent = escrow.feed(input).expect("a good body");
            black_box(lent.covered);
            input = &input[lent.consumed..];
        }
    }
    let (proof, last) = escrow.finish().expect("a whole body");
    black_box((&proof, last.as_ref()));
}
