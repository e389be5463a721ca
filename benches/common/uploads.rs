//! Small objects: from the head that arrives to the proof of the body, and from the data to the last
//! byte that is sent.
//!
//! They are small enough that what is done once for a body counts, as it does where many small objects
//! are stored.

use std::hint::black_box;

use countersign::{
    ChecksumAlgorithm, ContentSha256, Event, Framing, Request, SigningKey, Timestamp, Verifier,
};

use super::common::floor;
use super::common::heads::{self, Head};
use super::common::streams::{self, CRC_TRAILER, Upload};

/// Length of the object in bytes.
const LEN: usize = 1024;

/// An upload as it arrives.
pub(crate) struct Small {
    head: Head,
    body: Vec<u8>,
    /// Compressions of verifying it.
    pub(crate) blocks: usize,
}

impl Small {
    /// In one piece: the digest is signed, a checksum stands in the head.
    pub(crate) fn whole() -> Self {
        let body = streams::data(LEN);
        let mut head = streams::head();
        for (name, value) in [
            ("Content-Length", LEN.to_string()),
            ("Content-Type", "application/octet-stream".to_owned()),
            ("X-Amz-Sdk-Checksum-Algorithm", "CRC32C".to_owned()),
            ("X-Amz-Checksum-Crc32c", ChecksumAlgorithm::Crc32c.of(&body).to_string()),
        ] {
            head.fields.push((name.to_owned(), value));
        }
        let content = ContentSha256::of(&body);
        let blocks = head.blocks_signed_with(content) + floor::of_message(LEN);
        Self { head: head.signed_with(content), body, blocks }
    }

    /// In frames that are not signed, with a checksum behind them: what SDKs send.
    pub(crate) fn unsigned() -> Self {
        Self::framed(&unsigned_framing())
    }

    /// In frames that are signed.
    pub(crate) fn signed() -> Self {
        Self::framed(&streams::signed_framing(LEN))
    }

    fn framed(framing: &Framing<'_>) -> Self {
        let data = streams::data(LEN);
        let checksum = checksum(framing, &data);
        let Upload { head, wire, .. } = Upload::new(framing, &data, LEN, checksum.as_deref());
        Self { head, body: wire, blocks: blocks_framed(framing) }
    }

    /// Hands over what verifies it.
    pub(crate) fn verified<T>(&self, run: impl FnOnce(&mut dyn FnMut()) -> T) -> T {
        let (verifier, key, now) = (heads::verifier(), heads::key(), heads::now());
        let headers = self.head.headers();
        let request = self.head.request(&headers);
        run(&mut || {
            verify(black_box(&verifier), black_box(&request), black_box(now), &key, &self.body);
        })
    }
}

fn verify(
    verifier: &Verifier<'_>,
    request: &Request<'_>,
    now: Timestamp,
    key: &SigningKey,
    mut input: &[u8],
) {
    let claim = verifier.read(request, now).expect("a claim");
    let verified = claim.verify(black_box(key)).expect("a good signature");
    let mut body = verified.into_checked_body().expect("good checksums");
    while !input.is_empty() {
        let fed = body.feed(black_box(input)).expect("a good body");
        if let Event::Data(data) = fed.event {
            black_box(data.into_unverified());
        }
        input = &input[fed.consumed..];
    }
    let _ = black_box(body.finish().expect("a whole body"));
}

pub(crate) fn unsigned_framing() -> Framing<'static> {
    let content = ContentSha256::StreamingUnsignedTrailer;
    Framing { content, decoded_len: LEN as u64, trailers: CRC_TRAILER }
}

pub(crate) fn signed_framing() -> Framing<'static> {
    streams::signed_framing(LEN)
}

fn checksum(framing: &Framing<'_>, data: &[u8]) -> Option<String> {
    (!framing.trailers.is_empty()).then(|| ChecksumAlgorithm::Crc32c.of(data).to_string())
}

/// Compressions of signing an object in one chunk, which are those of verifying it.
pub(crate) fn blocks_framed(framing: &Framing<'_>) -> usize {
    if framing.content == ContentSha256::StreamingUnsignedTrailer {
        return streams::head_blocks(framing);
    }
    let counts = streams::blocks(framing);
    counts.each_chunk + LEN / floor::BLOCK + counts.last
}

/// Hands over what signs an object in one chunk, and sums it if the framing says so.
pub(crate) fn signed<T>(framing: &Framing<'_>, run: impl FnOnce(&mut dyn FnMut()) -> T) -> T {
    let (signer, now) = (heads::signer(), heads::now());
    let data = streams::data(LEN);
    let head = streams::head();
    let headers = head.headers();
    let request = head.request(&headers);
    run(&mut || {
        let signed = black_box(&signer).sign_stream(black_box(&request), framing, black_box(now));
        let (signed, mut chunks) = signed.expect("signed");
        black_box(&signed);
        black_box(chunks.chunk(black_box(&data)).expect("a chunk").as_bytes());
        let checksum = checksum(framing, black_box(&data));
        let trailer = checksum.as_deref().map(|value| (CRC_TRAILER, value));
        black_box(chunks.finish(trailer.as_slice()).expect("an end").as_bytes());
    })
}
