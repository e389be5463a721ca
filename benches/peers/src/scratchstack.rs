//! `scratchstack-aws-signature`: verifies requests whose body is at hand, here an empty one. The
//! caller gives it the key and may keep it.

use std::future::ready;
use std::hint::black_box;
use std::pin::pin;
use std::str::FromStr as _;
use std::task::{Context, Poll, Waker};

use chrono::{DateTime, Utc};
use countersign::ContentSha256;
use scratchstack_aws_signature::principal::{Principal, User};
use scratchstack_aws_signature::{
    GetSigningKeyRequest, GetSigningKeyResponse, KSecretKey, NO_ADDITIONAL_SIGNED_HEADERS,
    SignatureOptions, service_for_signing_key_fn, sigv4_validate_request,
};

use crate::common::floor;
use crate::common::heads::{self, Head};
use crate::common::rounds::candidate;
use crate::contender::{Contender, Key, http_request, keep, request};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn contender(arrived: &Head, blocks: usize) -> Option<Contender> {
    let arrived = keep(http_request(arrived));
    let time = DateTime::<Utc>::from_timestamp(heads::now().unix(), 0)?;
    let secret: KSecretKey = KSecretKey::from_str(heads::SECRET).ok()?;
    let key = secret.to_ksigning(time.date_naive(), heads::REGION, "s3");
    let user = User::new("aws", "123456789012", "/", "somebody").ok()?;
    let response = keep(
        GetSigningKeyResponse::builder()
            .principal(Principal::from(user))
            .signing_key(key)
            .build()
            .ok()?,
    );
    let look_up = move |request: GetSigningKeyRequest| {
        black_box(request.access_key());
        ready(Ok::<_, BoxError>(response.clone()))
    };
    let mut keys = service_for_signing_key_fn(look_up);
    let mut verify = move |request: http::Request<()>| {
        let verified = sigv4_validate_request(
            request,
            heads::REGION,
            "s3",
            &mut keys,
            black_box(time),
            &NO_ADDITIONAL_SIGNED_HEADERS,
            SignatureOptions::S3,
        );
        match pin!(verified).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(verified) => verified,
            Poll::Pending => panic!("there is nothing to wait for"),
        }
    };
    verify(arrived.clone()).ok()?;
    let mut tampered = arrived.clone();
    *tampered.method_mut() = http::Method::DELETE;
    assert!(verify(tampered).is_err());
    let run = candidate(move || {
        let _ = black_box(verify(black_box(arrived).clone()).expect("verified"));
    });
    let note = "digest of an empty body; with a clone of the request, which it takes";
    let peer = "scratchstack-aws-signature";
    Some(Contender { peer, key: Key::Kept, blocks, note, run })
}

pub(crate) fn verify(head: &Head) -> Option<Contender> {
    let request = request(head.clone());
    let signed = heads::signer().sign(request, ContentSha256::EMPTY, heads::now()).ok()?;
    let mut arrived = head.clone();
    for (name, value) in signed.headers() {
        arrived.fields.push((name.to_owned(), value.to_string()));
    }
    let blocks = floor::of_signature(
        signed.canonical_request().to_string().len(),
        signed.string_to_sign().to_string().len(),
    );
    contender(&arrived, blocks)
}
