//! Heads: signing, presigning, verifying. `cargo bench --bench head`

mod common;

use std::hint::black_box;

use countersign::SigningKey;
use criterion::{Criterion, criterion_group, criterion_main};

use common::heads::{self, Buffer, Head};

fn key(criterion: &mut Criterion) {
    let (secret, scope) = (heads::secret(), heads::scope());
    criterion.bench_function("key/derive", |bencher| {
        bencher.iter(|| SigningKey::derive(black_box(&secret), black_box(&scope)));
    });
}

fn sign(criterion: &mut Criterion) {
    let (signer, now) = (heads::signer(), heads::now());
    let mut buffer = Buffer::new();
    let mut group = criterion.benchmark_group("head");
    for (size, head) in [("small", Head::small()), ("large", Head::large())] {
        let headers = head.headers();
        let request = head.request(&headers);
        group.bench_function(format!("sign/{size}"), |bencher| {
            bencher.iter(|| {
                heads::sign(black_box(&signer), black_box(&request), black_box(now), &mut buffer);
            });
        });
        group.bench_function(format!("signature/{size}"), |bencher| {
            bencher
                .iter(|| heads::signature(black_box(&signer), black_box(&request), black_box(now)));
        });
    }
    let head = Head::bare();
    let headers = head.headers();
    let request = head.request(&headers);
    group.bench_function("presign", |bencher| {
        bencher.iter(|| {
            heads::presign(black_box(&signer), black_box(&request), black_box(now), &mut buffer);
        });
    });
}

fn verify(criterion: &mut Criterion) {
    let (verifier, key, now) = (heads::verifier(), heads::key(), heads::now());
    let mut group = criterion.benchmark_group("head");
    let arrived = [
        ("small", Head::small().signed()),
        ("large", Head::large().signed()),
        ("presigned", Head::bare().presigned()),
    ];
    for (name, head) in arrived {
        let headers = head.headers();
        let request = head.request(&headers);
        group.bench_function(format!("verify/{name}"), |bencher| {
            bencher.iter(|| {
                heads::verify(
                    black_box(&verifier),
                    black_box(&request),
                    black_box(now),
                    black_box(&key),
                );
            });
        });
    }
}

criterion_group!(benches, key, sign, verify);
criterion_main!(benches);
