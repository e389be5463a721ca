//! Streamed bodies: what is framed is verified, whatever the pieces it arrives in, and nothing else
//! is.

use countersign::{
    AccessKeyId, BodyError, BodyVerifier, ChunkError, ChunkHead, ChunkSigner, ContentSha256,
    CredentialScope, Credentials, Escrow, EscrowError, Event, Framing, Header, Lent, Request,
    SecretKey, Signer, SigningKey, Timestamp, Verifier,
};
use proptest::prelude::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const AT: &str = "20130524T000000Z";
const CRC: (&str, &str) = ("x-amz-checksum-crc32", "DUoRhQ==");

const HEADERS: [Header<'_>; 2] = [
    Header { name: "Host", value: b"examplebucket.s3.amazonaws.com" },
    Header { name: "Content-Encoding", value: b"gzip" },
];

const MODES: [(ContentSha256, &[(&str, &str)]); 5] = [
    (ContentSha256::StreamingSigned, &[]),
    (ContentSha256::StreamingSignedTrailer, &[]),
    (ContentSha256::StreamingSignedTrailer, &[CRC]),
    (ContentSha256::StreamingUnsignedTrailer, &[]),
    (ContentSha256::StreamingUnsignedTrailer, &[CRC]),
];

/// A head that verified, ready for its body, and the body as framed by the signer.
fn upload(
    content: ContentSha256,
    trailers: &[(&str, &str)],
    chunks: &[&[u8]],
) -> (impl Fn() -> BodyVerifier + use<>, Vec<u8>) {
    try_upload(content, trailers, chunks).expect("an end")
}

fn try_upload(
    content: ContentSha256,
    trailers: &[(&str, &str)],
    chunks: &[&[u8]],
) -> Result<(impl Fn() -> BodyVerifier + use<>, Vec<u8>), ChunkError> {
    let now = Timestamp::parse(AT).expect("a time");
    let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "s3" };
    let credentials = Credentials {
        access_key_id: AccessKeyId::new("AKIAIOSFODNN7EXAMPLE").expect("a name"),
        secret_key: SecretKey::new(SECRET).expect("a secret"),
        session_token: None,
    };
    let names = trailers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
    let decoded_len = chunks.iter().map(|chunk| chunk.len() as u64).sum();
    let framing = Framing { content, decoded_len, trailers: &names };
    let wire = HEADERS;
    let request = Request { method: "PUT", target: "/key", headers: &wire };
    let signer = Signer::new(&credentials, scope).expect("a signer");
    let (signed, mut signer) = signer.sign_stream(&request, &framing, now).expect("signed");
    let mut body = Vec::new();
    for chunk in chunks {
        body.extend_from_slice(signer.chunk(chunk).expect("a chunk").as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(ChunkSigner::DATA_END);
    }
    body.extend_from_slice(signer.finish(trailers)?.as_bytes());
    let mut fields: Vec<(String, Vec<u8>)> =
        wire.iter().map(|header| (header.name.to_owned(), header.value.to_vec())).collect();
    fields.extend(
        signed.headers().map(|(name, value)| (name.to_owned(), value.to_string().into_bytes())),
    );
    let verify = move || {
        let headers: Vec<_> = fields.iter().map(|(name, value)| Header { name, value }).collect();
        let request = Request { headers: &headers, method: "PUT", target: "/key" };
        let now = Timestamp::parse(AT).expect("a time");
        let claim = Verifier::s3("us-east-1").read(&request, now).expect("a claim");
        let key = SigningKey::derive(&SecretKey::new(SECRET).expect("a secret"), &claim.scope());
        let verified = claim.verify(&key).expect("a good head");
        assert!(verified.covers("content-encoding"));
        verified.into_body()
    };
    Ok((verify, body))
}

/// Data that came out, how much of it was covered at the end, and what `finish` said.
type Outcome = (Vec<u8>, u64, Result<(u64, bool, Vec<(String, String)>), BodyError>);

fn run<'a>(mut machine: BodyVerifier, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let (mut data, mut covered) = (Vec::new(), 0);
    for piece in pieces {
        let mut rest = piece;
        while !rest.is_empty() {
            let fed = match machine.feed(rest) {
                Ok(fed) => fed,
                Err(error) => {
                    assert_eq!(
                        machine.feed(b"x").err(),
                        Some(error),
                        "a failed machine stays failed"
                    );
                    return (data, covered, Err(error));
                }
            };
            assert!(fed.consumed > 0, "no progress");
            match fed.event {
                Event::Data(pending) => data.extend_from_slice(pending.into_unverified()),
                Event::Covered { through } => {
                    assert!(through >= covered && through <= data.len() as u64);
                    covered = through;
                }
                _ => assert_eq!(fed.consumed, rest.len(), "input is left without a reason"),
            }
            rest = &rest[fed.consumed..];
        }
    }
    let proof = machine.finish().map(|proof| {
        let trailers = proof.trailers().map(|(name, value)| (name.into(), value.into())).collect();
        (proof.len(), proof.is_signed(), trailers)
    });
    (data, covered, proof)
}

#[test]
fn whole_byte_by_byte_and_at_every_split() {
    let chunks: [&[u8]; 3] = [b"hello", b" ", b"world, in three chunks"];
    for (content, trailers) in MODES {
        let (verify, body) = upload(content, trailers, &chunks);
        let signed = content != ContentSha256::StreamingUnsignedTrailer;
        let expected: Vec<_> =
            trailers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let data = chunks.concat();
        let len = data.len() as u64;
        let good = (data, if signed { len } else { 0 }, Ok((len, signed, expected)));
        assert_eq!(run(verify(), [body.as_slice()]), good);
        assert_eq!(run(verify(), body.chunks(1)), good);
        for split in 0..=body.len() {
            let (head, tail) = body.split_at(split);
            assert_eq!(run(verify(), [head, tail]), good, "{content:?} split at {split}");
        }
    }
}

#[test]
fn every_proper_prefix_is_refused() {
    for (content, trailers) in MODES {
        let (verify, body) = upload(content, trailers, &[b"hello", b"world"]);
        for len in 0..body.len() {
            let (data, covered, proof) = run(verify(), [&body[..len]]);
            // The one documented exception: nothing is to come behind the last head.
            let bare = content == ContentSha256::StreamingUnsignedTrailer
                && trailers.is_empty()
                && len == body.len() - 2;
            assert_eq!(proof.is_ok(), bare, "{content:?}, {len} of {} bytes", body.len());
            assert!(covered <= data.len() as u64);
        }
        let mut longer = body.clone();
        longer.push(b'\n');
        assert_eq!(run(verify(), [longer.as_slice()]).2, Err(BodyError::AfterEnd));
        assert_eq!(run(verify(), longer.chunks(1)).2, Err(BodyError::AfterEnd));
    }
}

/// In a signed mode no bit can change but the case of a size's digits; and no changed byte is ever
/// called covered.
#[test]
fn every_flipped_bit_is_refused() {
    let chunks: [&[u8]; 2] = [b"hello, this is data", b"0123456789"];
    let original = chunks.concat();
    for (content, trailers) in MODES.into_iter().take(3) {
        let (verify, body) = upload(content, trailers, &chunks);
        for bit in 0..8 * body.len() {
            let mut changed = body.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let (data, covered, proof) = run(verify(), [changed.as_slice()]);
            let covered = usize::try_from(covered).expect("a length");
            assert_eq!(data[..covered], original[..covered], "bit {bit} changes what is covered");
            if proof.is_ok() {
                let (was, is) = (body[bit / 8], changed[bit / 8]);
                let letters = was.is_ascii_alphabetic() && was.eq_ignore_ascii_case(&is);
                // A size in upper case, or the name of a trailer.
                assert!(letters, "bit {bit} of {content:?} is not noticed");
                assert_eq!(data, original);
            }
        }
    }
}

#[test]
fn chunks_cannot_be_moved_dropped_or_repeated() {
    let chunks: [&[u8]; 3] = [b"aaaaaaaa", b"bbbbbbbb", b"cccccccc"];
    let (verify, body) = upload(ContentSha256::StreamingSigned, &[], &chunks);
    let frame = "8;chunk-signature=".len() + 64 + 2 + 8 + 2;
    let (a, b, c, end) =
        (&body[..frame], &body[frame..2 * frame], &body[2 * frame..3 * frame], &body[3 * frame..]);
    assert!(run(verify(), [a, b, c, end]).2.is_ok());
    for order in [[b, a, c], [a, c, b], [a, a, b], [a, b, b], [c, b, a]] {
        let pieces = order.into_iter().chain([end]);
        assert_eq!(run(verify(), pieces).2, Err(BodyError::ChunkSignature));
    }
    let expected = Err(BodyError::Length { expected: 24, provided: 16 });
    assert_eq!(run(verify(), [a, b, end]).2, expected);
    assert_eq!(run(verify(), [a, b, c]).2, Err(BodyError::Truncated));
    assert_eq!(
        run(verify(), [a, b, c, c, end]).2,
        Err(BodyError::Length { expected: 24, provided: 32 })
    );
}

#[test]
fn lengths_are_known_in_advance() {
    for (content, trailers) in MODES {
        for len in [0usize, 1, 9, 10, 11, 4095, 4096, 4097, 70_000] {
            for chunk in [1usize, 10, 4096, 65_536] {
                if len / chunk > 5_000 {
                    continue;
                }
                let data = vec![b'a'; len];
                let chunks: Vec<_> = data.chunks(chunk).collect();
                let (verify, body) = upload(content, trailers, &chunks);
                let names = trailers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
                let framing = Framing { content, decoded_len: len as u64, trailers: &names };
                let values: Vec<_> = trailers.iter().map(|(_, value)| value.len()).collect();
                assert_eq!(framing.encoded_len(chunk as u64, &values), Some(body.len() as u64));
                assert!(run(verify(), [body.as_slice()]).2.is_ok());
            }
        }
    }
    let framing =
        Framing { content: ContentSha256::StreamingSigned, decoded_len: u64::MAX, trailers: "" };
    assert_eq!(framing.encoded_len(1, &[]), None);
    assert_eq!(framing.encoded_len(0, &[]), None);
    assert_eq!(framing.encoded_len(65_536, &[8]), None);
}

/// What no reader takes is not written.
#[test]
fn a_trailer_is_written_if_it_can_be_read() {
    let (name, longest) = ("x-amz-checksum-crc32", 256 - "x-amz-checksum-crc32:".len());
    let value = "a".repeat(longest + 1);
    for (content, _) in [MODES[2], MODES[4]] {
        let trailers = [(name, &value[..longest])];
        let (verify, body) = upload(content, &trailers, &[b"hello"]);
        let (_, _, proof) = run(verify(), [body.as_slice()]);
        assert_eq!(proof.map(|(_, _, came)| came[0].1.len()), Ok(longest));

        let refused = try_upload(content, &[(name, &value)], &[b"hello"]).err();
        assert_eq!(refused, Some(ChunkError::Trailers));
        let framing = Framing { content, decoded_len: 5, trailers: name };
        assert!(framing.encoded_len(5, &[longest]).is_some());
        assert_eq!(framing.encoded_len(5, &[longest + 1]), None);
    }
}

proptest! {
    /// Whatever the chunks and however they arrive.
    #[test]
    fn any_chunks_in_any_pieces(
        mode in 0..MODES.len(),
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..6),
        cuts in prop::collection::vec(1usize..200, 1..20),
    ) {
        let (content, trailers) = MODES[mode];
        let chunks: Vec<_> = chunks.iter().map(Vec::as_slice).collect();
        let (verify, body) = upload(content, trailers, &chunks);
        let mut rest = body.as_slice();
        let mut pieces = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, tail) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = tail;
        }
        let (data, _, proof) = run(verify(), pieces);
        prop_assert_eq!(data, chunks.concat());
        prop_assert!(proof.is_ok());
    }

    /// Nothing a peer sends makes the machine panic, and no byte is covered that was not signed.
    #[test]
    fn any_bytes(mode in 0..MODES.len(), body in prop::collection::vec(any::<u8>(), 0..400), at in 0usize..200) {
        let (content, trailers) = MODES[mode];
        let (verify, good) = upload(content, trailers, &[b"hello", b"world"]);
        let at = at.min(good.len());
        let mut mixed = good[..at].to_vec();
        mixed.extend_from_slice(&body);
        let (data, covered, whole) = run(verify(), [mixed.as_slice()]);
        let covered = usize::try_from(covered).expect("a length");
        prop_assert!(data[..covered] == b"helloworld"[..covered]);
        prop_assert_eq!(run(verify(), mixed.chunks(1)).2, whole);
    }
}

/// An escrow lends out what is covered, and holds no more than its buffer.
#[test]
fn escrows() {
    let chunks: [&[u8]; 3] = [b"hello", b" ", b"world, in three chunks"];
    let longest = chunks.iter().map(|chunk| chunk.len()).max().expect("chunks");
    for (content, trailers) in MODES {
        let (verify, body) = upload(content, trailers, &chunks);
        let data = chunks.concat();
        let signed = content != ContentSha256::StreamingUnsignedTrailer;
        let needed = if signed { longest } else { data.len() };
        for piece in [1, 7, body.len()] {
            for room in [needed - 1, needed, needed + 1] {
                let mut buffer = vec![0; room];
                let mut escrow = Escrow::new(verify(), buffer.as_mut_slice());
                let mut out = Vec::new();
                let mut lend = || -> Result<(), EscrowError> {
                    for mut input in body.chunks(piece) {
                        while !input.is_empty() {
                            let lent = escrow.feed(input)?;
                            out.extend_from_slice(lent.covered);
                            input = &input[lent.consumed..];
                        }
                    }
                    Ok(())
                };
                if room < needed {
                    assert_eq!(lend(), Err(EscrowError::Full), "{content:?}");
                    assert_eq!(lend(), Err(EscrowError::Body(BodyError::Abandoned)));
                    assert!(data.starts_with(&out));
                    continue;
                }
                assert_eq!(lend(), Ok(()));
                let (proof, last) = escrow.finish().expect("the whole body");
                out.extend_from_slice(last.as_ref());
                assert_eq!((proof.len(), out.as_slice()), (data.len() as u64, data.as_slice()));
                assert_eq!(last.as_ref().is_empty(), signed);
            }
        }
        // A chunk that was changed never comes out.
        let mut changed = body.clone();
        let at = body.windows(5).position(|window| window == b"world").expect("the data");
        changed[at] ^= 1;
        let mut escrow = Escrow::new(verify(), vec![0; data.len()]);
        let mut out = Vec::new();
        let mut input = changed.as_slice();
        while !input.is_empty() {
            let Ok(lent) = escrow.feed(input) else { break };
            out.extend_from_slice(lent.covered);
            input = &input[lent.consumed..];
        }
        assert_eq!(out, if signed { &b"hello "[..] } else { b"" });
    }
}

/// Several chunks at once have the heads that they have one by one, whatever they are.
#[test]
fn many_chunks_are_signed_as_one_by_one() {
    let data: Vec<u8> =
        (0..40_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for (content, trailers) in MODES {
        // Every number of them that makes a difference, and lengths that differ.
        for count in [0, 1, 2, 3, 8, 9, 15, 16, 17, 32, 33, 40] {
            for step in [0, 1, 37] {
                let mut rest = data.as_slice();
                let mut chunks = Vec::new();
                for nth in 0..count {
                    let (chunk, tail) = rest.split_at(64 + (nth * step * 131) % 900);
                    chunks.push(chunk);
                    rest = tail;
                }
                let (_, wire) = upload(content, trailers, &chunks);
                let pieces: Vec<Vec<&[u8]>> = chunks
                    .iter()
                    .enumerate()
                    .map(|(nth, chunk)| chunk.chunks(nth * 29 % 300 + 1).collect())
                    .collect();
                let pieces: Vec<&[&[u8]]> = pieces.iter().map(Vec::as_slice).collect();
                let len = chunks.concat().len() as u64;
                for way in 0..2 {
                    let mut signer = chunk_signer(content, trailers, len);
                    let heads =
                        if way == 0 { signer.chunks(&chunks) } else { signer.chunks_of(&pieces) };
                    let mut body = Vec::new();
                    for (head, chunk) in heads.zip(&chunks) {
                        body.extend_from_slice(head.expect("a chunk").as_bytes());
                        body.extend_from_slice(chunk);
                        body.extend_from_slice(ChunkSigner::DATA_END);
                    }
                    body.extend_from_slice(signer.finish(trailers).expect("an end").as_bytes());
                    assert!(body == wire, "{content:?}, {count} chunks");
                }
            }
        }
    }
}

/// The first fault ends the heads; the chain stands where the last of them left it.
#[test]
fn many_chunks_end_with_the_first_fault() {
    let content = ContentSha256::StreamingSigned;
    let good: [&[u8]; 3] = [b"one", b"two", b"three"];
    let (_, wire) = upload(content, &[], &good);
    for (bad, fault) in [(&b""[..], ChunkError::Empty), (&[0; 12], ChunkError::Length)] {
        let mut signer = chunk_signer(content, &[], 11);
        let mut body = Vec::new();
        let mut put = |head: ChunkHead, chunk: &[u8]| {
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(ChunkSigner::DATA_END);
        };
        let chunks = [good[0], bad, good[1]];
        let mut heads = signer.chunks(&chunks);
        assert_eq!(heads.size_hint(), (1, Some(3)));
        put(heads.next().expect("a head").expect("a chunk"), good[0]);
        assert_eq!(heads.next().expect("a fault").err(), Some(fault));
        assert!(heads.next().is_none() && heads.next().is_none());
        // Heads that nobody takes link nothing.
        let _ = signer.chunks(&[b"never", b"sent"]);
        for (head, chunk) in signer.chunks(&good[1..]).zip(&good[1..]) {
            put(head.expect("a chunk"), chunk);
        }
        body.extend_from_slice(signer.finish(&[]).expect("an end").as_bytes());
        assert!(body == wire, "{fault:?}");
    }
}

fn chunk_signer(
    content: ContentSha256,
    trailers: &[(&str, &str)],
    decoded_len: u64,
) -> ChunkSigner {
    let now = Timestamp::parse(AT).expect("a time");
    let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "s3" };
    let credentials = Credentials {
        access_key_id: AccessKeyId::new("AKIAIOSFODNN7EXAMPLE").expect("a name"),
        secret_key: SecretKey::new(SECRET).expect("a secret"),
        session_token: None,
    };
    let names = trailers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
    let framing = Framing { content, decoded_len, trailers: &names };
    let request = Request { method: "PUT", target: "/key", headers: &HEADERS };
    let signer = Signer::new(&credentials, scope).expect("a signer");
    signer.sign_stream(&request, &framing, now).expect("signed").1
}

/// What an escrow lends of a body in pieces, call by call, and how it ends.
fn lend(
    machine: BodyVerifier,
    room: usize,
    pieces: &[&[u8]],
) -> (Vec<Vec<u8>>, Result<u64, EscrowError>) {
    let mut escrow = Escrow::new(machine, vec![0; room]);
    let mut lent = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            match escrow.feed(rest) {
                Ok(Lent { consumed, covered, .. }) => {
                    assert!(consumed > 0, "no progress");
                    if !covered.is_empty() {
                        lent.push(covered.to_vec());
                    }
                    rest = &rest[consumed..];
                }
                Err(error) => {
                    assert!(escrow.feed(b"x").is_err() && escrow.finish().is_err());
                    return (lent, Err(error));
                }
            }
        }
    }
    let end = escrow.finish().map(|(proof, last)| {
        assert!(last.as_ref().is_empty());
        proof.len()
    });
    (lent, end)
}

/// Chunks that are at hand whole are lent together, as many as the buffer holds and sixteen at most;
/// a bad one takes nothing with it that came before, and lets nothing out that comes behind.
#[test]
fn escrows_lend_what_is_at_hand() {
    let data: Vec<u8> =
        (0..20_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let chunks: Vec<_> = data.chunks(500).collect();
    let (verify, body) = upload(ContentSha256::StreamingSignedTrailer, &[CRC], &chunks);
    let frame = "1f4;chunk-signature=".len() + 64 + 2 + 500 + 2;
    let lens = |lent: &[Vec<u8>]| lent.iter().map(|lent| lent.len() / 500).collect::<Vec<_>>();

    let (lent, end) = lend(verify(), 20_000, &[&body]);
    assert_eq!((lens(&lent), lent.concat(), end), (vec![16, 16, 8], data.clone(), Ok(20_000)));
    let (lent, end) = lend(verify(), 7 * 500 + 499, &[&body]);
    assert_eq!((lens(&lent), end), (vec![7, 7, 7, 7, 7, 5], Ok(20_000)));
    let (lent, end) = lend(verify(), 500, &[&body]);
    assert_eq!((lens(&lent), end), (vec![1; 40], Ok(20_000)));
    // Nothing waits for more: two and a half chunks are two, and the half is the first of the next.
    let (lent, end) = lend(verify(), 20_000, &body.chunks(frame * 5 / 2).collect::<Vec<_>>());
    assert_eq!(
        (lens(&lent)[..4].to_vec(), lent.concat(), end),
        (vec![2, 3, 2, 3], data.clone(), Ok(20_000))
    );

    let mut rooms = vec![500, 999, 1000, 1001, 2500, 8000, 20_000];
    let reads = [frame, frame - 1, frame + 1, frame * 3 - 90, 5 * frame + 250, body.len()];
    for read in reads {
        let pieces: Vec<_> = body.chunks(read).collect();
        for room in &rooms {
            let (lent, end) = lend(verify(), *room, &pieces);
            assert_eq!((lent.concat() == data, end), (true, Ok(20_000)), "{read} {room}");
        }
        assert_eq!(lend(verify(), 499, &pieces), (vec![], Err(EscrowError::Full)), "{read}");
    }
    // A bit of the data, of a signature, of a size, of a line end, in each of some chunks.
    rooms.truncate(6);
    for nth in [0, 1, 7, 15, 16, 17, 38, 39] {
        for at in [0, 30, frame - 502, frame - 300, frame - 3, frame - 2, frame - 1] {
            let mut changed = body.clone();
            changed[nth * frame + at] ^= 1;
            let mut faults = Vec::new();
            for read in reads {
                let pieces: Vec<_> = changed.chunks(read).collect();
                for room in &rooms {
                    let (lent, end) = lend(verify(), *room, &pieces);
                    let good = 500 * nth;
                    assert!(lent.concat() == data[..good], "{nth} {at} {read} {room}");
                    faults.push(end.expect_err("a changed body"));
                }
            }
            // A size that was changed may want more than there is room for.
            faults.retain(|fault| at > 0 || *fault != EscrowError::Full);
            faults.dedup();
            assert!(faults.len() <= 1, "{nth} {at}: {faults:?}");
        }
    }
}
