//! Streamed bodies: signing, verifying, checksums; beside each the hash of the same bytes.
//! `cargo bench --bench stream --features checksums`

mod common;

use std::hint::black_box;
use std::time::Duration;

use countersign::{ChecksumAlgorithm, ContentSha256, Framing};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sha2::{Digest as _, Sha256};

use common::heads;
use common::streams::{self, CHUNKS, LEN, READ, Upload};

fn signed(criterion: &mut Criterion) {
    let (signer, verifier, key, now) =
        (heads::signer(), heads::verifier(), heads::key(), heads::now());
    let data = streams::data(LEN);
    let framing = streams::signed_framing(LEN);
    let mut group = criterion.benchmark_group("stream");
    group.throughput(Throughput::Bytes(LEN as u64)).sample_size(20);
    for (size, chunk) in CHUNKS {
        group.bench_function(format!("hash/{size}"), |bencher| {
            bencher.iter(|| {
                for piece in black_box(&data).chunks(chunk) {
                    black_box(Sha256::digest(piece));
                }
            });
        });

        let head = streams::head();
        let headers = head.headers();
        let request = head.request(&headers);
        group.bench_function(format!("sign/{size}"), |bencher| {
            bencher.iter(|| {
                let (request, data) = (black_box(&request), black_box(&data));
                streams::sign(&signer, request, black_box(&framing), black_box(now), data, chunk);
            });
        });

        let upload = Upload::new(&framing, &data, chunk, None);
        let headers = upload.head.headers();
        let request = upload.head.request(&headers);
        let body =
            || streams::body(&verifier, black_box(&request), black_box(now), black_box(&key));
        group.bench_function(format!("verify/{size}"), |bencher| {
            bencher.iter(|| streams::feed(body(), black_box(&upload.wire)));
        });
        let mut buffer = vec![0; chunk];
        group.bench_function(format!("escrow/{size}"), |bencher| {
            bencher.iter(|| streams::lend(body(), black_box(&upload.wire), READ, &mut buffer));
        });
    }
}

fn unsigned(criterion: &mut Criterion) {
    let (verifier, key, now) = (heads::verifier(), heads::key(), heads::now());
    let data = streams::data(LEN);
    let mut group = criterion.benchmark_group("stream");
    group.throughput(Throughput::Bytes(LEN as u64)).measurement_time(Duration::from_secs(3));
    group.bench_function("checksum/crc32c", |bencher| {
        bencher.iter(|| {
            let mut crc = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
            black_box(&data).chunks(READ).for_each(|piece| crc.update(piece));
            crc.finalize()
        });
    });

    let content = ContentSha256::StreamingUnsignedTrailer;
    let framing = Framing { content, decoded_len: LEN as u64, trailers: streams::CRC_TRAILER };
    let checksum = ChecksumAlgorithm::Crc32c.of(&data).to_string();
    let upload = Upload::new(&framing, &data, 64 * 1024, Some(&checksum));
    let headers = upload.head.headers();
    let request = upload.head.request(&headers);
    group.bench_function("verify/unsigned", |bencher| {
        bencher.iter(|| {
            let claim = verifier.read(black_box(&request), black_box(now)).expect("a claim");
            let verified = claim.verify(black_box(&key)).expect("a good signature");
            let body = verified.into_checked_body().expect("one checksum");
            streams::feed(body, black_box(&upload.wire));
        });
    });
}

criterion_group!(benches, signed, unsigned);
criterion_main!(benches);
