//! Forms for browser uploads: `cargo bench --bench form --features post-policy`.

mod common;
#[path = "common/forms.rs"]
mod forms;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

use common::heads;

fn form(criterion: &mut Criterion) {
    let (signer, verifier, key, now) =
        (heads::signer(), heads::verifier(), heads::key(), heads::now());
    let policy = forms::policy();
    let posted = forms::posted(&signer.sign_form(&policy, now).expect("a policy"));
    criterion.bench_function("form/sign", |bencher| {
        bencher.iter(|| {
            let signed = signer.sign_form(black_box(&policy), black_box(now));
            black_box(signed.expect("a policy").signature())
        });
    });
    let verify = || {
        let claim = verifier.read_form(black_box(&posted)).expect("a claim");
        claim.verify(black_box(&key)).expect("a good signature")
    };
    criterion.bench_function("form/verify", |bencher| bencher.iter(|| drop(black_box(verify()))));
    criterion.bench_function("form/check", |bencher| {
        bencher.iter(|| drop(black_box(verify().check(black_box(now)).expect("held to"))));
    });
}

criterion_group!(benches, form);
criterion_main!(benches);
