//! This library.

use std::hint::black_box;

use countersign::{AccessKeyId, Credentials, Signer, SigningKey};

use crate::common::heads::{self, Buffer, Head};
use crate::common::rounds::candidate;
use crate::common::streams;
use crate::contender::{Contender, Key, keep, request};

const NAME: &str = "countersign";

fn contender(key: Key, blocks: usize, run: impl FnMut() + 'static) -> Contender {
    Contender { peer: NAME, key, blocks, note: "", run: candidate(run) }
}

pub(crate) fn sign(head: &Head) -> Vec<Contender> {
    let blocks = head.blocks_signed();
    let request = request(head.clone());
    let (signer, now) = (heads::signer(), heads::now());
    let mut buffer = Buffer::new();
    let kept = move || {
        heads::sign(black_box(&signer), black_box(request), black_box(now), &mut buffer);
    };
    let mut buffer = Buffer::new();
    let derived = move || {
        let signer = derive();
        heads::sign(black_box(&signer), black_box(request), black_box(now), &mut buffer);
    };
    vec![contender(Key::Kept, blocks, kept), contender(Key::Derived, blocks, derived)]
}

fn derive() -> Signer<'static> {
    let credentials = Credentials {
        access_key_id: AccessKeyId::new(black_box(heads::ID)).expect("a name"),
        secret_key: heads::secret(),
        session_token: None,
    };
    Signer::new(black_box(&credentials), black_box(heads::scope())).expect("a scope")
}

pub(crate) fn presign(head: &Head) -> Vec<Contender> {
    let blocks = head.blocks_presigned();
    let request = request(head.clone());
    let (signer, now) = (heads::signer(), heads::now());
    let mut buffer = Buffer::new();
    let kept = move || {
        heads::presign(black_box(&signer), black_box(request), black_box(now), &mut buffer);
    };
    let mut buffer = Buffer::new();
    let derived = move || {
        let signer = derive();
        heads::presign(black_box(&signer), black_box(request), black_box(now), &mut buffer);
    };
    vec![contender(Key::Kept, blocks, kept), contender(Key::Derived, blocks, derived)]
}

/// Verifies a request that has arrived.
pub(crate) fn verify(arrived: Head, blocks: usize) -> Vec<Contender> {
    let request = request(arrived);
    let (verifier, key, now) = (heads::verifier(), heads::key(), heads::now());
    let kept = move || {
        heads::verify(black_box(&verifier), black_box(request), black_box(now), black_box(&key));
    };
    let derived = move || {
        let key = SigningKey::derive(black_box(&heads::secret()), black_box(&heads::scope()));
        heads::verify(black_box(&verifier), black_box(request), black_box(now), black_box(&key));
    };
    vec![contender(Key::Kept, blocks, kept), contender(Key::Derived, blocks, derived)]
}

/// Signs a stream with its head.
pub(crate) fn sign_stream(data: &'static [u8], chunk: usize) -> Vec<Contender> {
    let framing = keep(streams::signed_framing(data.len()));
    let request = request(streams::head());
    let counts = streams::blocks(framing);
    let blocks = data.len() / 64 + data.len() / chunk * counts.each_chunk + counts.last;
    let (signer, now) = (heads::signer(), heads::now());
    let run = move || {
        let (request, data) = (black_box(request), black_box(data));
        streams::sign(&signer, request, black_box(framing), black_box(now), data, chunk);
    };
    vec![contender(Key::Kept, blocks, run)]
}

/// The signatures of such a stream: of its head, and of its last chunk.
pub(crate) fn stream_signatures(data: &[u8], chunk: usize) -> (String, String) {
    let framing = streams::signed_framing(data.len());
    let request = request(streams::head());
    let (signed, mut chunks) =
        heads::signer().sign_stream(request, &framing, heads::now()).expect("signed");
    for piece in data.chunks(chunk) {
        let _ = chunks.chunk(piece).expect("a chunk");
    }
    let end = chunks.finish(&[]).expect("an end");
    let end = std::str::from_utf8(end.as_bytes()).expect("a text").trim_end().to_owned();
    let last = crate::contender::signature_of(&end).to_owned();
    (signed.signature().to_string(), last)
}
