//! `aws-sign-v4`: signs. It hashes the body each time, here an empty one, and derives the key.

use std::hint::black_box;

use aws_sign_v4::AwsSign;
use chrono::{DateTime, Utc};
use countersign::ContentSha256;

use crate::common::floor;
use crate::common::heads::{self, Head};
use crate::common::rounds::candidate;
use crate::contender::{Contender, Key, http_request, keep, request, signature_of, url};

pub(crate) fn sign(head: &Head) -> Option<Contender> {
    let request = request(head.clone());
    let signed = heads::signer().sign(request, ContentSha256::EMPTY, heads::now()).ok()?;
    let blocks = floor::of_signature(
        signed.canonical_request().to_string().len(),
        signed.string_to_sign().to_string().len(),
    );
    let mut complete = head.clone();
    for (name, value) in signed.headers().filter(|(name, _)| *name != "authorization") {
        complete.fields.push((name.to_owned(), value.to_string()));
    }
    let (headers, url) = (keep(http_request(&complete).headers().clone()), keep(url(head)));
    let time = keep(DateTime::<Utc>::from_timestamp(heads::now().unix(), 0)?);
    let method = head.method;
    let sign = move || {
        let (id, secret) = (heads::ID, heads::SECRET);
        AwsSign::new(
            method,
            black_box(url),
            time,
            black_box(headers),
            heads::REGION,
            id,
            secret,
            "s3",
            "",
        )
        .sign()
    };
    if signature_of(&sign()) != signed.signature().to_string() {
        return None;
    }
    let run = candidate(move || {
        black_box(sign());
    });
    let note = "digest of an empty body";
    Some(Contender { peer: "aws-sign-v4", key: Key::Derived, blocks, note, run })
}
