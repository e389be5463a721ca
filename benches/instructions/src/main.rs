//! One journey for each invocation, so often as it is told: what `benches/instructions/run` counts.
//!
//! ```text
//! countersign-instructions list              name, unit, compressions, gate, target of each journey
//! countersign-instructions NAME COUNT        runs it
//! ```
//!
//! Everything that is not the journey happens outside of `measured`, also its first repetition.

#[path = "../../common/mod.rs"]
mod common;
#[cfg(feature = "more")]
#[path = "../../common/forms.rs"]
mod forms;
#[cfg(feature = "more")]
#[path = "../../common/layers.rs"]
mod layers;
#[cfg(feature = "more")]
#[path = "../../common/uploads.rs"]
mod uploads;

use std::hint::black_box;
use std::process::ExitCode;

use common::floor;
use common::heads::{self, Buffer, Head};
use common::streams::{self, READ, Upload};
use countersign::{BodyVerifier, ContentSha256, Event, Framing, SigningKey};
#[cfg(feature = "more")]
use uploads::Small;

const CHUNK: usize = 64 * 1024;

struct Journey {
    name: &'static str,
    unit: &'static str,
    /// Compressions of one repetition.
    blocks: fn() -> usize,
    /// Instructions beside the compressions that are at most allowed, and that are aimed at.
    goal: Option<(u32, u32)>,
    run: fn(usize),
}

const JOURNEYS: &[Journey] = &[
    // What the others are counted with.
    Journey { name: "sha256/1", unit: "call", blocks: || 1, goal: None, run: |n| hash(n, 1) },
    Journey { name: "sha256/65", unit: "call", blocks: || 65, goal: None, run: |n| hash(n, 65) },
    Journey {
        name: "key/derive",
        unit: "key",
        blocks: floor::of_key,
        goal: None,
        run: |count| {
            let (secret, scope) = (heads::secret(), heads::scope());
            repeat(count, || {
                black_box(SigningKey::derive(black_box(&secret), black_box(&scope)));
            });
        },
    },
    Journey {
        name: "head/sign/small",
        unit: "request",
        blocks: || Head::small().blocks_signed(),
        goal: Some((1_200, 900)),
        run: |count| sign(count, &Head::small()),
    },
    Journey {
        name: "head/sign/large",
        unit: "request",
        blocks: || Head::large().blocks_signed(),
        goal: Some((12_000, 6_000)),
        run: |count| sign(count, &Head::large()),
    },
    Journey {
        name: "head/presign",
        unit: "request",
        blocks: || Head::bare().blocks_presigned(),
        goal: None,
        run: presign,
    },
    Journey {
        name: "head/verify/small",
        unit: "request",
        blocks: || Head::small().blocks_signed(),
        goal: Some((2_000, 1_200)),
        run: |count| verify(count, &Head::small().signed()),
    },
    Journey {
        name: "head/verify/large",
        unit: "request",
        blocks: || Head::large().blocks_signed(),
        goal: Some((14_000, 8_000)),
        run: |count| verify(count, &Head::large().signed()),
    },
    Journey {
        name: "head/verify/presigned",
        unit: "request",
        blocks: || Head::bare().blocks_presigned(),
        goal: Some((4_500, 2_500)),
        run: |count| verify(count, &Head::bare().presigned()),
    },
    #[cfg(feature = "more")]
    Journey { name: "form/sign", unit: "form", blocks: blocks_of_form, goal: None, run: sign_form },
    #[cfg(feature = "more")]
    Journey {
        name: "form/verify",
        unit: "form",
        blocks: blocks_of_form,
        goal: None,
        run: verify_form,
    },
    #[cfg(feature = "more")]
    Journey {
        name: "layer/sign/small",
        unit: "request",
        blocks: || Head::small().blocks_signed(),
        goal: None,
        run: |count| pass_layer(count, &Head::small(), layers::signing()),
    },
    #[cfg(feature = "more")]
    Journey {
        name: "layer/sign/large",
        unit: "request",
        blocks: || Head::large().blocks_signed(),
        goal: None,
        run: |count| pass_layer(count, &Head::large(), layers::signing()),
    },
    #[cfg(feature = "more")]
    Journey {
        name: "layer/verify/small",
        unit: "request",
        blocks: || Head::small().blocks_signed(),
        goal: None,
        run: |count| pass_layer(count, &Head::small().signed(), layers::verifying()),
    },
    #[cfg(feature = "more")]
    Journey {
        name: "layer/verify/large",
        unit: "request",
        blocks: || Head::large().blocks_signed(),
        goal: None,
        run: |count| pass_layer(count, &Head::large().signed(), layers::verifying()),
    },
    #[cfg(feature = "more")]
    Journey {
        name: "layer/verify/presigned",
        unit: "request",
        blocks: || Head::bare().blocks_presigned(),
        goal: None,
        run: |count| pass_layer(count, &Head::bare().presigned(), layers::verifying()),
    },
    #[cfg(feature = "more")]
    Journey {
        name: "upload/sign/unsigned",
        unit: "object",
        blocks: || uploads::blocks_framed(&uploads::unsigned_framing()),
        goal: None,
        run: |count| sign_upload(count, &uploads::unsigned_framing()),
    },
    #[cfg(feature = "more")]
    Journey {
        name: "upload/sign/signed",
        unit: "object",
        blocks: || uploads::blocks_framed(&uploads::signed_framing()),
        goal: None,
        run: |count| sign_upload(count, &uploads::signed_framing()),
    },
    #[cfg(feature = "more")]
    Journey {
        name: "upload/verify/whole",
        unit: "object",
        blocks: || Small::whole().blocks,
        goal: None,
        run: |count| verify_upload(count, &Small::whole()),
    },
    #[cfg(feature = "more")]
    Journey {
        name: "upload/verify/unsigned",
        unit: "object",
        blocks: || Small::unsigned().blocks,
        goal: None,
        run: |count| verify_upload(count, &Small::unsigned()),
    },
    #[cfg(feature = "more")]
    Journey {
        name: "upload/verify/signed",
        unit: "object",
        blocks: || Small::signed().blocks,
        goal: None,
        run: |count| verify_upload(count, &Small::signed()),
    },
    Journey {
        name: "stream/sign/64k",
        unit: "chunk",
        blocks: blocks_of_chunk,
        goal: None,
        run: sign_chunks,
    },
    Journey {
        name: "stream/verify/64k",
        unit: "chunk",
        blocks: blocks_of_chunk,
        goal: None,
        run: verify_chunks,
    },
    Journey {
        name: "stream/frames/64k",
        unit: "chunk",
        blocks: || 0,
        goal: None,
        run: |count| parse_chunks(count, CHUNK),
    },
    Journey {
        name: "stream/frames/bytes",
        unit: "byte",
        blocks: || 0,
        goal: None,
        run: parse_bytes,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => list(),
        [name, count] => {
            let journey = JOURNEYS.iter().find(|journey| journey.name == name);
            let (Some(journey), Ok(count)) = (journey, count.parse()) else {
                eprintln!("no journey {name}, or {count} is not a number");
                return ExitCode::FAILURE;
            };
            (journey.run)(count);
        }
        _ => {
            eprintln!("list | NAME COUNT");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn list() {
    for Journey { name, unit, blocks, goal, .. } in JOURNEYS {
        let number = |number: Option<u32>| number.map_or("-".to_owned(), |n| n.to_string());
        let (gate, target) = (number(goal.map(|goal| goal.0)), number(goal.map(|goal| goal.1)));
        println!("{name}\t{unit}\t{}\t{gate}\t{target}", blocks());
    }
}

/// The one function whose instructions are counted; its name is known to the script.
#[unsafe(no_mangle)]
#[inline(never)]
extern "Rust" fn countersign_measured(count: usize, operation: &mut dyn FnMut()) {
    for _ in 0..count {
        operation();
    }
}

fn repeat(count: usize, mut operation: impl FnMut()) {
    operation();
    countersign_measured(count, &mut operation);
}

fn hash(count: usize, blocks: usize) {
    let mut blocks = floor::Blocks::new(blocks);
    repeat(count, || blocks.run());
}

fn sign(count: usize, head: &Head) {
    let (signer, now) = (heads::signer(), heads::now());
    let headers = head.headers();
    let request = head.request(&headers);
    let mut buffer = Buffer::new();
    repeat(count, || {
        heads::sign(black_box(&signer), black_box(&request), black_box(now), &mut buffer);
    });
}

fn presign(count: usize) {
    let (signer, now) = (heads::signer(), heads::now());
    let head = Head::bare();
    let headers = head.headers();
    let request = head.request(&headers);
    let mut buffer = Buffer::new();
    repeat(count, || {
        heads::presign(black_box(&signer), black_box(&request), black_box(now), &mut buffer);
    });
}

fn verify(count: usize, arrived: &Head) {
    let (verifier, key, now) = (heads::verifier(), heads::key(), heads::now());
    let headers = arrived.headers();
    let request = arrived.request(&headers);
    repeat(count, || {
        heads::verify(black_box(&verifier), black_box(&request), black_box(now), black_box(&key));
    });
}

#[cfg(feature = "more")]
fn blocks_of_form() -> usize {
    let policy = forms::policy();
    let signed = heads::signer().sign_form(&policy, heads::now()).expect("a policy");
    floor::of_code(forms::posted(&signed).get("policy").expect("a policy").len())
}

#[cfg(feature = "more")]
fn sign_form(count: usize) {
    let (signer, now) = (heads::signer(), heads::now());
    let policy = forms::policy();
    repeat(count, || {
        let signed = black_box(&signer).sign_form(black_box(&policy), black_box(now));
        black_box(signed.expect("a policy").signature());
    });
}

#[cfg(feature = "more")]
fn verify_form(count: usize) {
    let (signer, verifier, key, now) =
        (heads::signer(), heads::verifier(), heads::key(), heads::now());
    let policy = forms::policy();
    let posted = forms::posted(&signer.sign_form(&policy, now).expect("a policy"));
    repeat(count, || {
        let claim = black_box(&verifier).read_form(black_box(&posted)).expect("a claim");
        let _ = black_box(claim.verify(black_box(&key)).expect("a good signature"));
    });
}

#[cfg(feature = "more")]
fn pass_layer(count: usize, head: &Head, mut pass: impl FnMut(http::Request<layers::Nothing>)) {
    let mut requests: Vec<_> = (0..=count).map(|_| layers::request(head)).collect();
    repeat(count, || pass(black_box(requests.pop()).expect("a request")));
}

#[cfg(feature = "more")]
fn sign_upload(count: usize, framing: &Framing<'_>) {
    uploads::signed(framing, |sign| repeat(count, sign));
}

#[cfg(feature = "more")]
fn verify_upload(count: usize, upload: &Small) {
    upload.verified(|verify| repeat(count, verify));
}

fn blocks_of_chunk() -> usize {
    CHUNK / 64 + streams::blocks(&streams::signed_framing(CHUNK)).each_chunk
}

fn sign_chunks(count: usize) {
    let head = streams::head();
    let headers = head.headers();
    let framing = streams::signed_framing((count + 1) * CHUNK);
    let signed = heads::signer().sign_stream(&head.request(&headers), &framing, heads::now());
    let (_, mut chunks) = signed.expect("signed");
    let data = streams::data(CHUNK);
    repeat(count, || {
        let head = chunks.chunk_of(black_box(&data).chunks(READ)).expect("a chunk");
        black_box(head.as_bytes());
    });
    let _ = black_box(chunks.finish(&[]).expect("all chunks"));
}

fn verify_chunks(count: usize) {
    let framing = streams::signed_framing((count + 1) * CHUNK);
    feed(&framing, CHUNK, READ, count);
}

fn parse_chunks(count: usize, chunk: usize) {
    feed(&unsigned_framing((count + 1) * chunk), chunk, READ, count);
}

fn unsigned_framing(len: usize) -> Framing<'static> {
    let content = ContentSha256::StreamingUnsignedTrailer;
    Framing { content, decoded_len: len as u64, trailers: streams::CRC_TRAILER }
}

/// Feeds a body in chunks, each in pieces of at most `read` bytes: one chunk for each repetition.
fn feed(framing: &Framing<'_>, chunk: usize, read: usize, count: usize) {
    let (mut body, wire) = upload(framing, chunk);
    let framed = (wire.iter().position(|byte| *byte == b'\n').expect("a line") + 1) + chunk + 2;
    let mut chunks = wire.chunks(framed);
    repeat(count, || {
        let framed = chunks.next().expect("a chunk");
        black_box(framed).chunks(read).for_each(|piece| take(&mut body, piece));
    });
    chunks.for_each(|rest| take(&mut body, rest));
    assert_eq!(body.finish().expect("a whole body").len(), framing.decoded_len);
}

/// Feeds a body of small chunks byte by byte: the price of parsing.
fn parse_bytes(count: usize) {
    const SMALL: usize = 64;
    let (mut body, wire) = upload(&unsigned_framing((count / SMALL + 1) * SMALL), SMALL);
    let mut bytes = wire.chunks(1);
    repeat(count, || take(&mut body, black_box(bytes.next().expect("a byte"))));
    bytes.for_each(|rest| take(&mut body, rest));
    let _ = black_box(body.finish().expect("a whole body"));
}

fn upload(framing: &Framing<'_>, chunk: usize) -> (BodyVerifier, Vec<u8>) {
    let data = streams::data(framing.decoded_len as usize);
    let checksum = (!framing.trailers.is_empty()).then_some("AAAAAA==");
    let Upload { head, wire, .. } = Upload::new(framing, &data, chunk, checksum);
    let headers = head.headers();
    let request = head.request(&headers);
    (streams::body(&heads::verifier(), &request, heads::now(), &heads::key()), wire)
}

fn take(body: &mut BodyVerifier, mut input: &[u8]) {
    while !input.is_empty() {
        let fed = body.feed(input).expect("a good body");
        if let Event::Data(data) = fed.event {
            black_box(data.into_unverified());
        }
        input = &input[fed.consumed..];
    }
}
