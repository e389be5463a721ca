//! How far each journey is from the hashing that it cannot do without.
//!
//! `cargo bench --bench ratios --features checksums,post-policy [-- --rounds N] [--check] [NAME ...]`
//!
//! Journey and floor run in turn in one process. `quiet` is the time of an undisturbed round over
//! that of an undisturbed round of the floor (a tenth of them were quicker); so are the times shown.
//! `median` is the median of the ratios of all rounds. The lower of the two decides: noise raises
//! both, the first where a round is long, the second where it is short. `--check` exits with 1 if a
//! gate is missed or anything was allocated.

mod common;
#[cfg(feature = "post-policy")]
#[path = "common/forms.rs"]
mod forms;
#[cfg(feature = "checksums")]
#[path = "common/uploads.rs"]
mod uploads;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use countersign::SigningKey;

use common::allocations::{Counting, per_operation};
use common::floor;
use common::heads::{self, Buffer, Head};
use common::rounds::{Candidate, candidate, interleaved};
use common::streams::{self, CHUNKS, LARGE_READ, READ, Upload};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Length of a streamed object: its head costs a thousandth of it, and a round is short enough to
/// stay undisturbed on a machine with neighbours.
const LEN: usize = 4 * 1024 * 1024;

/// How many times the floor a journey may take, and how many it should.
#[derive(Clone, Copy)]
struct Goal {
    gate: f64,
    target: f64,
    /// How often it may allocate.
    allocations: f64,
}

const fn goal(gate: f64, target: f64) -> Option<Goal> {
    Some(Goal { gate, target, allocations: 0.0 })
}

/// Compressions, if it is them that the floor consists of.
type Floor<'f> = (Option<usize>, Candidate<'f>);

struct Report {
    options: Options,
    missed: usize,
}

struct Options {
    rounds: usize,
    check: bool,
    names: Vec<String>,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self { rounds: 400, check: false, names: Vec::new() };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // Cargo says what it runs.
                "--bench" => {}
                "--check" => options.check = true,
                "--rounds" => {
                    let number = arguments.next().and_then(|number| number.parse().ok());
                    options.rounds = number.filter(|number| *number > 0).expect("--rounds NUMBER");
                }
                name => options.names.push(name.to_owned()),
            }
        }
        options
    }

    fn asks_for(&self, journey: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| journey.contains(name.as_str()))
    }
}

fn main() -> ExitCode {
    let mut report = Report { options: Options::parse(), missed: 0 };
    println!(
        "{:<24} {:>7} {:>12} {:>12} {:>6} {:>6} {:>6}  {:>5} {:>6}",
        "journey", "blocks", "floor ns", "ours ns", "quiet", "median", "allocs", "gate", "target"
    );
    measure_heads(&mut report);
    measure_streams(&mut report);
    measure_lanes(&mut report);
    #[cfg(feature = "checksums")]
    {
        measure_unsigned(&mut report);
        measure_uploads(&mut report);
    }
    #[cfg(not(feature = "checksums"))]
    println!("{:<24} needs --features checksums", "stream/verify/unsigned, upload");
    #[cfg(feature = "post-policy")]
    measure_forms(&mut report);
    #[cfg(not(feature = "post-policy"))]
    println!("{:<24} needs --features post-policy", "form");
    if report.missed > 0 {
        println!("{} missed", report.missed);
    }
    if report.options.check && report.missed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

impl Report {
    /// Measures what has no goal and may allocate.
    #[cfg(any(feature = "checksums", feature = "post-policy"))]
    fn measure_unjudged(&mut self, name: &str, floor: Floor<'_>, ours: Candidate<'_>) {
        let missed = self.missed;
        self.measure(name, None, floor, ours);
        self.missed = missed;
    }

    fn measure(&mut self, name: &str, goal: Option<Goal>, floor: Floor<'_>, ours: Candidate<'_>) {
        // A stream takes long enough to be measured one by one.
        let is_stream = name.starts_with("stream");
        let rounds = if is_stream { self.options.rounds.div_ceil(4) } else { self.options.rounds };
        let slice = Duration::from_micros(100);
        let mut candidates = [floor.1, ours];
        let asked = per_operation(if is_stream { 1 } else { 100 }, &mut candidates[1]);
        let times = interleaved(&mut candidates, rounds, slice);
        let (quiet, median) = (times[1].quiet_ratio(&times[0]), times[1].median_ratio(&times[0]));
        let ratio = quiet.min(median);
        let verdict = match goal {
            None => "",
            Some(goal) if ratio <= goal.target => "target met",
            Some(goal) if ratio <= goal.gate => "gate met",
            Some(_) => "missed",
        };
        if verdict == "missed" || asked.times > goal.map_or(0.0, |goal| goal.allocations) {
            self.missed += 1;
        }
        let number = |number: Option<f64>| number.map_or("-".to_owned(), |n| format!("{n:.2}"));
        println!(
            "{name:<24} {:>7} {:>12.0} {:>12.0} {quiet:>6.3} {median:>6.3} {:>6}  {:>5} {:>6}  {verdict}",
            floor.0.map_or("crc".to_owned(), |blocks| blocks.to_string()),
            times[0].quiet(),
            times[1].quiet(),
            asked.times,
            number(goal.map(|goal| goal.gate)),
            number(goal.map(|goal| goal.target)),
        );
    }
}

fn blocks<'f>(count: usize) -> Floor<'f> {
    let mut blocks = floor::Blocks::new(count);
    (Some(count), candidate(move || blocks.run()))
}

fn measure_heads(report: &mut Report) {
    let (signer, verifier, key, now) =
        (heads::signer(), heads::verifier(), heads::key(), heads::now());
    let mut buffer = Buffer::new();

    if report.options.asks_for("key/derive") {
        let (secret, scope) = (heads::secret(), heads::scope());
        let derive = candidate(|| {
            black_box(SigningKey::derive(black_box(&secret), black_box(&scope)));
        });
        report.measure("key/derive", None, blocks(floor::of_key()), derive);
    }
    let sizes = [
        ("small", Head::small(), goal(1.35, 1.30), goal(1.20, 1.15), goal(1.35, 1.20)),
        ("large", Head::large(), goal(1.45, 1.25), None, goal(1.45, 1.25)),
    ];
    for (size, head, sign_goal, second_goal, verify_goal) in sizes {
        let count = head.blocks_signed();
        let headers = head.headers();
        let request = head.request(&headers);
        let name = format!("head/sign/{size}");
        if report.options.asks_for(&name) {
            let sign = candidate(|| {
                heads::sign(black_box(&signer), black_box(&request), black_box(now), &mut buffer);
            });
            report.measure(&name, sign_goal, blocks(count), sign);
        }
        let name = format!("head/sign/{size}/second");
        if report.options.asks_for(&name) {
            let second = signer.at(now).expect("the day");
            let sign = candidate(|| {
                heads::sign_at(black_box(&second), black_box(&request), &mut buffer);
            });
            report.measure(&name, second_goal, blocks(count), sign);
        }
        let name = format!("head/signature/{size}");
        if report.options.asks_for(&name) {
            let sign = candidate(|| {
                black_box(heads::signature(
                    black_box(&signer),
                    black_box(&request),
                    black_box(now),
                ));
            });
            report.measure(&name, None, blocks(count), sign);
        }
        let name = format!("head/verify/{size}");
        if report.options.asks_for(&name) {
            let arrived = head.signed();
            let headers = arrived.headers();
            let request = arrived.request(&headers);
            let verify = candidate(|| {
                heads::verify(
                    black_box(&verifier),
                    black_box(&request),
                    black_box(now),
                    black_box(&key),
                );
            });
            report.measure(&name, verify_goal, blocks(count), verify);
        }
    }

    let head = Head::bare();
    let count = head.blocks_presigned();
    let headers = head.headers();
    let request = head.request(&headers);
    if report.options.asks_for("head/presign") {
        let presign = candidate(|| {
            heads::presign(black_box(&signer), black_box(&request), black_box(now), &mut buffer);
        });
        report.measure("head/presign", goal(1.30, 1.20), blocks(count), presign);
    }
    if report.options.asks_for("head/verify/presigned") {
        let arrived = head.presigned();
        let headers = arrived.headers();
        let request = arrived.request(&headers);
        let verify = candidate(|| {
            heads::verify(
                black_box(&verifier),
                black_box(&request),
                black_box(now),
                black_box(&key),
            );
        });
        report.measure("head/verify/presigned", goal(1.70, 1.30), blocks(count), verify);
    }
}

/// A policy in base64 is what is signed; to write it, and to read it, comes besides.
#[cfg(feature = "post-policy")]
fn measure_forms(report: &mut Report) {
    let (signer, verifier, key, now) =
        (heads::signer(), heads::verifier(), heads::key(), heads::now());
    let policy = forms::policy();
    let form = forms::posted(&signer.sign_form(&policy, now).expect("a policy"));
    let count = floor::of_code(form.get("policy").expect("a policy").len());
    if report.options.asks_for("form/sign") {
        let sign = candidate(|| {
            let signed = black_box(&signer).sign_form(black_box(&policy), black_box(now));
            black_box(signed.expect("a policy").signature());
        });
        let goal = Goal { gate: 1.25, target: 1.22, allocations: 1.0 };
        report.measure("form/sign", Some(goal), blocks(count), sign);
    }
    if report.options.asks_for("form/read") {
        let read = candidate(|| {
            let _ = black_box(black_box(&verifier).read_form(black_box(&form)).expect("a claim"));
        });
        report.measure_unjudged("form/read", blocks(count), read);
    }
    if report.options.asks_for("form/verify") {
        let verify = candidate(|| {
            let claim = black_box(&verifier).read_form(black_box(&form)).expect("a claim");
            let _ = black_box(claim.verify(black_box(&key)).expect("a good signature"));
        });
        report.measure("form/verify", goal(1.15, 1.10), blocks(count), verify);
    }
    if report.options.asks_for("form/check") {
        let check = candidate(|| {
            let claim = black_box(&verifier).read_form(black_box(&form)).expect("a claim");
            let verified = claim.verify(black_box(&key)).expect("a good signature");
            let _ = black_box(verified.check(black_box(now)).expect("held to"));
        });
        // A policy is a tree, which takes memory.
        report.measure_unjudged("form/check", blocks(count), check);
    }
}

fn measure_streams(report: &mut Report) {
    let (signer, verifier, key, now) =
        (heads::signer(), heads::verifier(), heads::key(), heads::now());
    let data = streams::data(LEN);
    let framing = streams::signed_framing(LEN);
    let counts = streams::blocks(&framing);
    for (size, chunk) in CHUNKS {
        let goal = goal(1.03, 1.02);
        let name = format!("stream/sign/{size}");
        if report.options.asks_for(&name) {
            let head = streams::head();
            let headers = head.headers();
            let request = head.request(&headers);
            let sign = candidate(|| {
                let (request, data) = (black_box(&request), black_box(&data));
                streams::sign(&signer, request, black_box(&framing), black_box(now), data, chunk);
            });
            let mut floor = floor::Stream::new(data.chunks(chunk), counts.each_chunk, counts.last);
            let floor = (Some(floor.count()), candidate(move || floor.run()));
            report.measure(&name, goal, floor, sign);
        }
        let (feeds, lends) = (format!("stream/verify/{size}"), format!("stream/escrow/{size}"));
        if !report.options.asks_for(&feeds) && !report.options.asks_for(&lends) {
            continue;
        }
        let upload = Upload::new(&framing, &data, chunk, None);
        let headers = upload.head.headers();
        let request = upload.head.request(&headers);
        let body =
            || streams::body(&verifier, black_box(&request), black_box(now), black_box(&key));
        // The same bytes: between the lines of frames they lie at odd places.
        let floor = || {
            let mut floor = floor::Stream::new(upload.chunks(), counts.each_chunk, counts.last);
            (Some(floor.count()), candidate(move || floor.run()))
        };
        if report.options.asks_for(&feeds) {
            let feed = candidate(|| streams::feed(body(), black_box(&upload.wire)));
            report.measure(&feeds, goal, floor(), feed);
        }
        if report.options.asks_for(&lends) {
            let mut buffer = vec![0; chunk];
            let lend =
                candidate(|| streams::lend(body(), black_box(&upload.wire), READ, &mut buffer));
            report.measure(&lends, None, floor(), lend);
        }
    }
}

/// Many chunks at hand. The floor is what it is for one after the other.
fn measure_lanes(report: &mut Report) {
    let (signer, verifier, key, now) =
        (heads::signer(), heads::verifier(), heads::key(), heads::now());
    let data = streams::data(LEN);
    let framing = streams::signed_framing(LEN);
    let counts = streams::blocks(&framing);
    for (size, chunk) in CHUNKS {
        // Sixteen of the largest are more than is kept at hand.
        if 16 * chunk > LEN {
            continue;
        }
        let goal = if cfg!(feature = "lanes") { goal(0.60, 0.52) } else { None };
        let name = format!("stream/sign/{size}/many");
        if report.options.asks_for(&name) {
            let head = streams::head();
            let headers = head.headers();
            let request = head.request(&headers);
            let chunks: Vec<_> = data.chunks(chunk).collect();
            let sign = candidate(|| {
                let (request, chunks) = (black_box(&request), black_box(&chunks));
                streams::sign_many(&signer, request, black_box(&framing), black_box(now), chunks);
            });
            let mut floor = floor::Stream::new(data.chunks(chunk), counts.each_chunk, counts.last);
            let floor = (Some(floor.count()), candidate(move || floor.run()));
            report.measure(&name, goal, floor, sign);
        }
        let name = format!("stream/escrow/{size}/many");
        if report.options.asks_for(&name) {
            let upload = Upload::new(&framing, &data, chunk, None);
            let headers = upload.head.headers();
            let request = upload.head.request(&headers);
            let mut buffer = vec![0; 16 * chunk];
            let lend = candidate(|| {
                let (request, now, key) = (black_box(&request), black_box(now), black_box(&key));
                let body = streams::body(&verifier, request, now, key);
                streams::lend(body, black_box(&upload.wire), LARGE_READ, &mut buffer);
            });
            let mut floor = floor::Stream::new(upload.chunks(), counts.each_chunk, counts.last);
            let floor = (Some(floor.count()), candidate(move || floor.run()));
            report.measure(&name, goal, floor, lend);
        }
    }
}

/// No signature, but a checksum behind the data; the floor is the checksum.
#[cfg(feature = "checksums")]
fn measure_unsigned(report: &mut Report) {
    // What the gate was set for comes from memory, as uploads do; what stays in the cache shows our
    // own part.
    measure_unsigned_of(report, "stream/verify/unsigned", 16 * LEN, goal(1.05, 1.02));
    measure_unsigned_of(report, "stream/verify/unsigned/4m", LEN, None);
}

#[cfg(feature = "checksums")]
fn measure_unsigned_of(report: &mut Report, name: &str, len: usize, goal: Option<Goal>) {
    use countersign::{ChecksumAlgorithm, ContentSha256, Framing};
    use crc_fast::{CrcAlgorithm, Digest};

    if !report.options.asks_for(name) {
        return;
    }
    let (verifier, key, now) = (heads::verifier(), heads::key(), heads::now());
    let data = streams::data(len);
    let content = ContentSha256::StreamingUnsignedTrailer;
    let framing = Framing { content, decoded_len: len as u64, trailers: streams::CRC_TRAILER };
    let checksum = ChecksumAlgorithm::Crc32c.of(&data).to_string();
    let upload = Upload::new(&framing, &data, 64 * 1024, Some(&checksum));
    let headers = upload.head.headers();
    let request = upload.head.request(&headers);
    let feed = candidate(|| {
        let claim = verifier.read(black_box(&request), black_box(now)).expect("a claim");
        let verified = claim.verify(black_box(&key)).expect("a good signature");
        let body = verified.into_checked_body().expect("one checksum");
        streams::feed(body, black_box(&upload.wire));
    });
    let pieces: Vec<_> = upload.pieces(streams::READ).collect();
    assert_eq!(pieces.concat(), data);
    let floor = candidate(|| {
        let mut crc = Digest::new(CrcAlgorithm::Crc32Iscsi);
        black_box(&pieces).iter().for_each(|piece| crc.update(piece));
        black_box(crc.finalize());
    });
    report.measure(name, goal, (None, floor), feed);
}

/// Small objects, head and body: the floor is the hashing of both, and no checksum.
#[cfg(feature = "checksums")]
fn measure_uploads(report: &mut Report) {
    use uploads::Small;

    for (kind, framing) in
        [("unsigned", uploads::unsigned_framing()), ("signed", uploads::signed_framing())]
    {
        let name = format!("upload/sign/{kind}");
        if report.options.asks_for(&name) {
            let floor = blocks(uploads::blocks_framed(&framing));
            uploads::signed(&framing, |sign| {
                report.measure_unjudged(&name, floor, candidate(sign));
            });
        }
    }
    for (kind, upload) in
        [("whole", Small::whole()), ("unsigned", Small::unsigned()), ("signed", Small::signed())]
    {
        let name = format!("upload/verify/{kind}");
        if report.options.asks_for(&name) {
            let floor = blocks(upload.blocks);
            upload.verified(|verify| report.measure_unjudged(&name, floor, candidate(verify)));
        }
    }
}
