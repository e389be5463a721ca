//! Bodies of the `http-body` crate: signed by one, verified by the other, in any pieces.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Debug;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use countersign::http::{
    Hold, SignedBody, SignedBodyError, Trailing, VerifiedBody, VerifiedBodyError,
};
use countersign::{
    AccessKeyId, BodyError, BodyVerifier, ChecksumAlgorithm, Checksummer, ChunkError, ChunkSigner,
    ContentSha256, CredentialScope, Credentials, Framing, Header, Request, SecretKey, Signed,
    Signer, SigningKey, Timestamp, Verifier,
};
use http::HeaderMap;
use http_body::{Body, Frame};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A body of pieces, with trailers of HTTP's own at its end, which nobody covers.
struct Pieces(VecDeque<Bytes>, Option<HeaderMap>);

impl Pieces {
    fn of(data: &[u8], len: usize) -> Self {
        Self(data.chunks(len.max(1)).map(Bytes::copy_from_slice).collect(), None)
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.0.pop_front().map(Frame::data);
        let frame = data.or_else(|| self.1.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }
}

/// Data and trailers that come out, and how it ends. An end of either kind leaves nothing to come.
fn drain<B: Body<Data = Bytes, Error: Debug> + Unpin>(
    body: &mut B,
) -> (Vec<u8>, Option<HeaderMap>, Option<B::Error>) {
    let (mut data, mut trailers) = (Vec::new(), None);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match Pin::new(&mut *body).poll_frame(&mut context) {
            Poll::Pending => panic!("these bodies are always ready"),
            Poll::Ready(None) => {
                assert!(body.is_end_stream() && body.size_hint().exact() == Some(0));
                return (data, trailers, None);
            }
            Poll::Ready(Some(Err(error))) => {
                let hint = body.size_hint();
                assert!(body.is_end_stream() && hint.exact() == Some(0), "{error:?} {hint:?}");
                let again = Pin::new(&mut *body).poll_frame(&mut context);
                assert!(matches!(again, Poll::Ready(None)), "nothing comes after an error");
                return (data, trailers, Some(error));
            }
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(bytes) => {
                    assert!(trailers.is_none(), "data after trailers");
                    data.extend_from_slice(&bytes);
                }
                Err(frame) => trailers = frame.into_trailers().ok(),
            },
        }
    }
}

const HOST: [Header<'_>; 1] = [Header { name: "host", value: b"b.s3.amazonaws.com" }];
const REQUEST: Request<'_> = Request { method: "PUT", target: "/k", headers: &HOST };

fn now() -> Timestamp {
    Timestamp::parse("20130524T000000Z").expect("a time")
}

/// Signs with this signer.
fn with_signer<T>(sign: impl FnOnce(&Signer<'_>) -> T) -> T {
    let scope = CredentialScope { date: now().date(), region: "us-east-1", service: "s3" };
    let credentials = Credentials {
        access_key_id: AccessKeyId::new("AKIAIOSFODNN7EXAMPLE").expect("a name"),
        secret_key: SecretKey::new(SECRET).expect("a secret"),
        session_token: None,
    };
    sign(&Signer::new(&credentials, scope).expect("a signer"))
}

/// A head that verified, twice: to sign a body for it, and to verify that.
fn upload(content: ContentSha256, decoded_len: u64, trailers: &str) -> (ChunkSigner, BodyVerifier) {
    let framing = Framing { content, decoded_len, trailers };
    with_signer(|signer| {
        let (signed, chunks) = signer.sign_stream(&REQUEST, &framing, now()).expect("signed");
        (chunks, machine(&signed))
    })
}

/// What verifies the body of such a head.
fn machine(signed: &Signed<'_>) -> BodyVerifier {
    let added: Vec<_> = signed.headers().map(|(name, value)| (name, value.to_string())).collect();
    let added = added.iter().map(|(name, value)| Header { name, value: value.as_bytes() });
    let headers: Vec<_> = HOST.into_iter().chain(added).collect();
    let claim = Verifier::s3("us-east-1").read(&Request { headers: &headers, ..REQUEST }, now());
    let claim = claim.expect("a claim");
    let key = SigningKey::derive(&SecretKey::new(SECRET).expect("a secret"), &claim.scope());
    claim.verify(&key).expect("a good head").into_checked_body().expect("checks")
}

fn checksum() -> Trailing {
    Trailing::Checksum(Checksummer::new(ChecksumAlgorithm::Crc64Nvme))
}

#[test]
fn what_one_signs_the_other_verifies() {
    let data: Vec<u8> = (0..10_000u32).map(|n| n as u8).collect();
    let field = ChecksumAlgorithm::Crc64Nvme.field();
    for (content, trailers) in [
        (ContentSha256::StreamingSigned, ""),
        (ContentSha256::StreamingSignedTrailer, field),
        (ContentSha256::StreamingUnsignedTrailer, field),
        (ContentSha256::StreamingUnsignedTrailer, ""),
    ] {
        for (chunk_len, piece_len, wire_len) in
            [(1024, 100, 333), (4096, 10_000, 1), (20_000, 7, 99_999), (100, 3333, 10_000)]
        {
            let (chunks, machine) = upload(content, data.len() as u64, trailers);
            let framing = Framing { content, decoded_len: data.len() as u64, trailers };
            let trailing = if trailers.is_empty() { Trailing::Nothing } else { checksum() };
            let source = Pieces::of(&data, piece_len);
            let signed = SignedBody::new(chunks, &framing, chunk_len, trailing, source);
            let mut signed = signed.expect("a body");
            let announced = signed.size_hint().exact();
            let (wire, _, error) = drain(&mut signed);
            assert!(error.is_none() && signed.is_end_stream());
            assert_eq!(announced, Some(wire.len() as u64));

            let mut pieces = Pieces::of(&wire, wire_len);
            pieces.1 = Some(HeaderMap::from_iter([(
                http::HeaderName::from_static("x-uncovered"),
                http::HeaderValue::from_static("1"),
            )]));
            let mut verified = VerifiedBody::new(machine, pieces);
            assert!(verified.proof().is_none());
            let (out, found, error) = drain(&mut verified);
            assert!(error.is_none(), "{error:?}");
            assert_eq!(out, data);
            let value = ChecksumAlgorithm::Crc64Nvme.of(&data).to_string();
            let found = found.unwrap_or_default();
            assert_eq!(found.len(), usize::from(!trailers.is_empty()));
            assert_eq!(
                found.get(field).map(|v| v.as_bytes()),
                (!trailers.is_empty()).then_some(value.as_bytes())
            );
            assert_eq!(verified.proof().map(|proof| proof.len()), Some(data.len() as u64));
            assert!(verified.into_proof().is_some());
        }
    }
}

#[test]
fn only_covered_data_comes_out_of_signed_chunks() {
    let data = vec![b'a'; 3000];
    let (mut chunks, _) = upload(ContentSha256::StreamingSigned, 3000, "");
    let mut wire = Vec::new();
    for piece in data.chunks(1000) {
        wire.extend_from_slice(chunks.chunk(piece).expect("a chunk").as_bytes());
        wire.extend_from_slice(piece);
        wire.extend_from_slice(ChunkSigner::DATA_END);
    }
    wire.extend_from_slice(chunks.finish(&[]).expect("an end").as_bytes());
    // A change in the second chunk: the first comes out, the second does not.
    let at = wire.len() / 2;
    assert_eq!(wire[at], b'a');
    for piece_len in [1, 500, wire.len()] {
        let (_, machine) = upload(ContentSha256::StreamingSigned, 3000, "");
        let mut changed = wire.clone();
        changed[at] = b'b';
        let mut body = VerifiedBody::new(machine, Pieces::of(&changed, piece_len));
        let (out, _, error) = drain(&mut body);
        assert_eq!(out, vec![b'a'; 1000]);
        assert!(matches!(error, Some(VerifiedBodyError::Refused(BodyError::ChunkSignature))));
        assert!(body.proof().is_none() && body.is_end_stream());

        let (_, machine) = upload(ContentSha256::StreamingSigned, 3000, "");
        let mut body = VerifiedBody::new(machine, Pieces::of(&wire, piece_len)).max_held(999);
        let (out, _, error) = drain(&mut body);
        assert!(out.is_empty() && matches!(error, Some(VerifiedBodyError::TooLong)));
        let (_, machine) = upload(ContentSha256::StreamingSigned, 3000, "");
        let mut body = VerifiedBody::new(machine, Pieces::of(&wire, piece_len)).max_held(1000);
        assert!(drain(&mut body).2.is_none() && body.proof().is_some());
    }
    // Cut off: an error in place of the end, whatever was cut.
    for len in 0..wire.len() {
        let (_, machine) = upload(ContentSha256::StreamingSigned, 3000, "");
        let mut body = VerifiedBody::new(machine, Pieces::of(&wire[..len], 700));
        let (out, _, error) = drain(&mut body);
        assert!(out.len().is_multiple_of(1000) && error.is_some() && body.proof().is_none());
    }
}

#[test]
fn what_is_held_back_comes_out_with_the_proof() {
    let data = vec![b'a'; 3000];
    let modes =
        [(ContentSha256::StreamingSigned, 1000), (ContentSha256::StreamingUnsignedTrailer, 1000)];
    for (content, chunk_len) in modes {
        let (chunks, _) = upload(content, 3000, "");
        let framing = Framing { content, decoded_len: 3000, trailers: "" };
        let source = Pieces::of(&data, 100);
        let signed = SignedBody::new(chunks, &framing, chunk_len, Trailing::Nothing, source);
        let (wire, _, _) = drain(&mut signed.expect("a body"));
        for hold in [Hold::Nothing, Hold::Chunks, Hold::End] {
            let (_, machine) = upload(content, 3000, "");
            let mut body = VerifiedBody::new(machine, Pieces::of(&wire, 50)).hold(hold);
            assert_eq!(body.size_hint().exact(), Some(3000));
            let (out, _, error) = drain(&mut body);
            assert!(error.is_none() && out == data && body.proof().is_some());
            assert_eq!(body.size_hint().exact(), Some(0));

            // Without its last frame nobody must be able to take it for whole.
            let cut = &wire[..wire.len() - 3];
            let (_, machine) = upload(content, 3000, "");
            let mut body = VerifiedBody::new(machine, Pieces::of(cut, 50)).hold(hold);
            let (out, _, error) = drain(&mut body);
            assert!(matches!(error, Some(VerifiedBodyError::Refused(BodyError::Truncated))));
            assert_eq!(out.len() < 3000, hold == Hold::End, "{content:?} {hold:?}");

            // In the middle of the last chunk: what a signature has to cover waits for it.
            let cut = &wire[..wire.len() - 300];
            let (_, machine) = upload(content, 3000, "");
            let mut body = VerifiedBody::new(machine, Pieces::of(cut, 50)).hold(hold);
            let (out, _, _) = drain(&mut body);
            let waits = hold != Hold::Nothing && content == ContentSha256::StreamingSigned;
            assert_eq!(out.len() <= 2000, waits, "{content:?} {hold:?}: {}", out.len());
        }
    }
}

#[test]
fn trailers_of_the_body_below_are_framed() {
    let content = ContentSha256::StreamingSignedTrailer;
    let data = vec![b'a'; 300];
    let field = ChecksumAlgorithm::Crc64Nvme.field();
    let value = ChecksumAlgorithm::Crc64Nvme.of(&data).to_string();
    let below = |len| Trailing::Below(vec![(field.to_owned(), len)]);
    let framing = Framing { content, decoded_len: 300, trailers: field };
    let with = |trailers: Option<&str>, trailing| {
        let (chunks, machine) = upload(content, 300, field);
        let mut source = Pieces::of(&data, 70);
        source.1 = trailers.map(|value| {
            let name = http::HeaderName::from_static(field);
            let value = http::HeaderValue::from_str(value).expect("a value");
            HeaderMap::from_iter([(name, value)])
        });
        let signed = SignedBody::new(chunks, &framing, 128, trailing, source);
        let mut signed = signed.expect("a body");
        let announced = signed.size_hint().exact();
        let (wire, _, error) = drain(&mut signed);
        (wire, announced, error, machine)
    };
    let (wire, announced, error, machine) = with(Some(&value), below(value.len()));
    assert!(error.is_none());
    assert_eq!(announced, Some(wire.len() as u64));
    let mut body = VerifiedBody::new(machine, Pieces::of(&wire, 9));
    assert!(drain(&mut body).2.is_none() && body.proof().is_some());

    // Missing, or not as long as was announced.
    for (trailers, len) in [(None, value.len()), (Some("AAAA"), value.len()), (Some("AAAA"), 3)] {
        let (_, _, error, _) = with(trailers, below(len));
        assert!(matches!(error, Some(SignedBodyError::Chunk(ChunkError::Trailers))), "{error:?}");
    }
}

#[test]
fn a_signed_body_has_the_length_that_was_signed() {
    let content = ContentSha256::StreamingSigned;
    for (announced, len) in [(100u64, 99), (100, 101), (0, 1), (1, 0)] {
        let (chunks, _) = upload(content, announced, "");
        let framing = Framing { content, decoded_len: announced, trailers: "" };
        let source = Pieces::of(&vec![0; len], 64);
        let mut body =
            SignedBody::new(chunks, &framing, 64, Trailing::Nothing, source).expect("a body");
        let (_, _, error) = drain(&mut body);
        assert!(
            matches!(error, Some(SignedBodyError::Chunk(ChunkError::Length))),
            "{announced} {len}"
        );
    }
    let (chunks, _) = upload(content, 1, "");
    let framing = Framing { content, decoded_len: 1, trailers: "" };
    assert!(SignedBody::new(chunks, &framing, 0, Trailing::Nothing, ()).is_none());
    let (chunks, _) = upload(content, 1, "");
    assert!(SignedBody::new(chunks, &framing, 1, checksum(), ()).is_none());
}

/// A body that fails after some data.
struct Broken(Option<Bytes>);

impl Body for Broken {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Poll::Ready(Some(self.0.take().map(Frame::data).ok_or("broken")))
    }
}

/// A body that does not go on after some data.
struct Stalled(Option<Bytes>);

impl Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.take().map_or(Poll::Pending, |data| Poll::Ready(Some(Ok(Frame::data(data)))))
    }
}

#[test]
fn nothing_is_left_at_an_end_of_either_kind() {
    // The head of this one announces no length.
    let digest = ContentSha256::of(b"hello");
    let whole =
        || with_signer(|signer| machine(&signer.sign(&REQUEST, digest, now()).expect("signed")));
    let mut body = VerifiedBody::new(whole(), Pieces::of(b"hello", 2));
    assert_eq!(body.size_hint().exact(), None);
    let (data, _, error) = drain(&mut body);
    assert!(data == b"hello" && error.is_none(), "{error:?}");
    let mut body = VerifiedBody::new(whole(), Pieces::of(b"hullo", 2));
    assert!(matches!(drain(&mut body).2, Some(VerifiedBodyError::Refused(_))));
    let mut body = VerifiedBody::new(whole(), Broken(Some(Bytes::from_static(b"he"))));
    assert!(matches!(drain(&mut body).2, Some(VerifiedBodyError::Inner("broken"))));

    let content = ContentSha256::StreamingSigned;
    let framing = Framing { content, decoded_len: 9, trailers: "" };
    let (chunks, machine) = upload(content, 9, "");
    let source = Broken(Some(Bytes::from_static(b"hello")));
    let signed = SignedBody::new(chunks, &framing, 3, Trailing::Nothing, source);
    let mut signed = signed.expect("a body");
    let announced = signed.size_hint().exact();
    let (wire, _, error) = drain(&mut signed);
    assert!(matches!(error, Some(SignedBodyError::Inner("broken"))));
    assert!(!wire.is_empty() && announced > Some(wire.len() as u64));
    let mut body = VerifiedBody::new(machine, Broken(Some(wire.into())));
    assert_eq!(body.size_hint().exact(), Some(9));
    let (data, _, error) = drain(&mut body);
    assert!(data == b"hel" && matches!(error, Some(VerifiedBodyError::Inner("broken"))));
}

#[test]
fn debug_shows_neither_data_nor_signatures() {
    /// Shows a body before each of its frames, and behind its end.
    fn shown<B: Body<Data = Bytes, Error: Debug> + Debug + Unpin>(body: &mut B) -> (String, Bytes) {
        let (mut text, mut out) = (format!("{body:?}"), Vec::new());
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(frame)) = Pin::new(&mut *body).poll_frame(&mut context) {
            out.extend(frame.expect("a frame").into_data().unwrap_or_default());
            text.push_str(&format!("\n{body:?}"));
        }
        (text, out.into())
    }
    let content = ContentSha256::StreamingSigned;
    let data = b"secret,".repeat(30);
    let framing = Framing { content, decoded_len: 210, trailers: "" };
    for (piece, wire_piece) in [(210, 10_000), (35, 100), (100, 400)] {
        let (chunks, machine) = upload(content, 210, "");
        // The first poll signs more than one chunk; what is left of a piece waits.
        let source = Pieces::of(&data, piece);
        let signed = SignedBody::new(chunks, &framing, 30, Trailing::Nothing, source);
        let (mut text, wire) = shown(&mut signed.expect("a body"));
        let signatures: Vec<_> = String::from_utf8_lossy(&wire)
            .split("chunk-signature=")
            .skip(1)
            .map(|rest| rest[..64].to_owned())
            .collect();
        assert_eq!(signatures.len(), 8);
        for hold in [Hold::Nothing, Hold::Chunks, Hold::End] {
            let (_, machine) = upload(content, 210, "");
            let pieces = Pieces::of(&wire, wire_piece);
            text += &shown(&mut VerifiedBody::new(machine, pieces).hold(hold)).0;
        }
        // Its input ends in the middle of a chunk and may go on.
        let mut body = VerifiedBody::new(machine, Stalled(Some(wire.slice(..wire.len() / 2))));
        text += &shown(&mut body).0;
        assert!(text.contains("SignedBody") && text.contains("VerifiedBody"));
        assert!(!text.contains("secret") && !text.contains("chunk-signature"), "{text}");
        for signature in &signatures {
            assert!(!text.contains(signature), "{text}");
        }
    }
}

/// Of chunks that arrive together, those before a bad one come out, and nothing behind it.
#[test]
fn a_bad_chunk_among_many_takes_none_with_it() {
    let data: Vec<u8> = (0..4000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let content = ContentSha256::StreamingSigned;
    let wire = || {
        let (mut chunks, machine) = upload(content, 4000, "");
        let mut wire = Vec::new();
        for piece in data.chunks(100) {
            wire.extend_from_slice(chunks.chunk(piece).expect("a chunk").as_bytes());
            wire.extend_from_slice(piece);
            wire.extend_from_slice(ChunkSigner::DATA_END);
        }
        wire.extend_from_slice(chunks.finish(&[]).expect("an end").as_bytes());
        (wire, machine)
    };
    let frame = "64;chunk-signature=".len() + 64 + 2 + 100 + 2;
    for bad in [0, 1, 15, 16, 39] {
        for read in [frame, 5 * frame + 50, 40 * frame, usize::MAX] {
            for max_held in [100, 350, 1_000_000] {
                let (mut wire, machine) = wire();
                wire[bad * frame + frame - 50] ^= 1;
                let pieces = Pieces::of(&wire, read);
                let mut verified = VerifiedBody::new(machine, pieces).max_held(max_held);
                let (out, _, error) = drain(&mut verified);
                assert!(out == data[..100 * bad], "{bad} {read} {max_held}");
                assert!(
                    matches!(error, Some(VerifiedBodyError::Refused(BodyError::ChunkSignature))),
                    "{error:?}"
                );
                assert!(verified.proof().is_none());
            }
        }
    }
    // One that is too long for what may be held is found to be so behind others, too.
    let (mut chunks, machine) = upload(content, 4000, "");
    let mut wire = Vec::new();
    for piece in [&data[..100], &data[100..200], &data[200..]] {
        wire.extend_from_slice(chunks.chunk(piece).expect("a chunk").as_bytes());
        wire.extend_from_slice(piece);
        wire.extend_from_slice(ChunkSigner::DATA_END);
    }
    let mut verified = VerifiedBody::new(machine, Pieces::of(&wire, usize::MAX)).max_held(3799);
    let (out, _, error) = drain(&mut verified);
    assert!(out == data[..200] && matches!(error, Some(VerifiedBodyError::TooLong)), "{error:?}");
}
