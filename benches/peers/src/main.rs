//! The same work, done by this library and by others, beside the hashing that it cannot do without.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml [-- --rounds N] [--dry]
//! ```
//!
//! Prints tables and writes them, with charts, to `benches/results`; `--dry` writes nothing. Every
//! peer's result is checked before it is measured. The feature `s3s-sigv4` adds one that needs a
//! newer compiler.

mod aws_sign_v4;
mod aws_sigv4;
#[path = "../../common/mod.rs"]
mod common;
mod contender;
mod ours;
mod report;
mod reqsign;
mod rusty_s3;
#[cfg(feature = "s3s-sigv4")]
mod s3s;
mod scaling;
mod scratchstack;

use std::time::Duration;

use common::allocations::{Counting, per_operation};
use common::floor;
use common::heads::{self, Head};
use common::rounds::{Candidate, candidate, interleaved};
use common::streams;
use contender::{Contender, keep, request};
use report::{Report, Row};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Blocks of the floor beside each journey; its time for a block is what counts.
const FLOOR: usize = 16;

pub(crate) struct Options {
    pub(crate) rounds: usize,
    dry: bool,
}

impl Options {
    fn parse() -> Self {
        let mut options = Self { rounds: 200, dry: false };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--dry" => options.dry = true,
                "--rounds" => {
                    let number = arguments.next().and_then(|number| number.parse().ok());
                    options.rounds = number.filter(|number| *number > 0).expect("--rounds NUMBER");
                }
                other => panic!("no such option: {other}"),
            }
        }
        options
    }
}

fn main() -> std::io::Result<()> {
    let options = Options::parse();
    let mut report = Report::default();
    for (journey, contenders) in journeys() {
        for row in measure(journey, contenders, &options) {
            report.add(row);
        }
    }
    let scaling = scaling::measure(&options);
    if options.dry {
        return Ok(());
    }
    report.write()?;
    scaling::write(&scaling)
}

/// Each piece of work, and who can do it; we are first.
fn journeys() -> Vec<(&'static str, Vec<Contender>)> {
    let (small, large, bare) = (Head::small(), Head::large(), Head::bare());
    let chunk = 64 * 1024;
    let data: &'static [u8] = keep(streams::data(16 * chunk));

    let sign = |head: &Head| {
        let expected = heads::signer().sign(request(head.clone()), heads::CONTENT, heads::now());
        let expected = expected.expect("signed").signature().to_string();
        let mut contenders = ours::sign(head);
        #[cfg(feature = "s3s-sigv4")]
        contenders.extend(s3s::sign(head, &expected));
        contenders.extend(aws_sigv4::sign(head, &expected));
        contenders.extend(reqsign::sign(head));
        contenders.extend(aws_sign_v4::sign(head));
        contenders
    };
    let presign = {
        let expected = heads::signer().presign(request(bare.clone()), heads::EXPIRES, heads::now());
        let expected = expected.expect("presigned").signature().to_string();
        let mut contenders = ours::presign(&bare);
        contenders.extend(aws_sigv4::presign(&bare, &expected));
        contenders.extend(reqsign::presign(&bare));
        contenders.extend(rusty_s3::presign(&bare, &expected));
        contenders
    };
    let verify = |head: &Head| {
        let mut contenders = ours::verify(head.signed(), head.blocks_signed());
        #[cfg(feature = "s3s-sigv4")]
        contenders.extend(s3s::verify(head));
        contenders.extend(scratchstack::verify(head));
        contenders
    };
    let verify_presigned = {
        let contenders = ours::verify(bare.presigned(), bare.blocks_presigned());
        #[cfg(feature = "s3s-sigv4")]
        let contenders = contenders.into_iter().chain(s3s::verify_presigned(&bare)).collect();
        contenders
    };
    let sign_stream = {
        let mut contenders = ours::sign_stream(data, chunk);
        #[cfg(feature = "s3s-sigv4")]
        contenders.extend(s3s::sign_stream(data, chunk));
        contenders.extend(aws_sigv4::sign_stream(data, chunk));
        contenders
    };
    vec![
        ("sign, small", sign(&small)),
        ("sign, large", sign(&large)),
        ("presign", presign),
        ("verify, small", verify(&small)),
        ("verify, large", verify(&large)),
        ("verify, presigned", verify_presigned),
        ("sign 1 MiB in 64 KiB chunks", sign_stream),
    ]
}

fn measure(journey: &'static str, contenders: Vec<Contender>, options: &Options) -> Vec<Row> {
    let mut blocks = floor::Blocks::new(FLOOR);
    let mut candidates: Vec<Candidate<'_>> = vec![candidate(move || blocks.run())];
    let (mut asked, mut about) = (Vec::new(), Vec::new());
    for Contender { peer, key, blocks, note, mut run } in contenders {
        asked.push(per_operation(20, &mut run));
        about.push((peer, key, blocks, note));
        candidates.push(run);
    }
    let times = interleaved(&mut candidates, options.rounds, Duration::from_micros(100));
    let (floor, times) = times.split_first().expect("the floor");
    about
        .into_iter()
        .zip(asked)
        .zip(times)
        .map(|(((peer, key, blocks, note), asked), times)| {
            let share = FLOOR as f64 / blocks as f64;
            Row {
                journey,
                peer,
                key,
                blocks,
                floor: floor.quiet() / share,
                nanoseconds: times.quiet(),
                ratio: times.quiet_ratio(floor) * share,
                median: times.median_ratio(floor) * share,
                asked,
                note,
            }
        })
        .collect()
}
