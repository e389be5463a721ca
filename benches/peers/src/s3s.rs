//! `s3s-sigv4`: the parts from which a service verifies and a client could sign; what joins them is
//! ours, done as simply as it can be. The caller keeps the key.

use std::fmt::Write as _;
use std::hint::black_box;

use http::HeaderMap;
use s3s_sigv4::{
    AmzDate, AuthorizationV4, Payload, PresignedUrlV4, calculate_signature_with_key,
    create_canonical_request_with_raw_uri_path, create_chunk_string_to_sign,
    create_presigned_canonical_request_with_raw_uri_path, create_string_to_sign,
    derive_signing_key,
};

use crate::common::heads::{self, Head};
use crate::common::rounds::candidate;
use crate::common::{floor, streams};
use crate::contender::{Contender, Key, http_request, keep};
use crate::ours;

const MAX_EXPIRES: u32 = 604_800;

fn contender(blocks: usize, note: &'static str, mut run: impl FnMut() + 'static) -> Contender {
    run();
    Contender { peer: "s3s-sigv4", key: Key::Kept, blocks, note, run: candidate(run) }
}

const PARTS: &str = "its parts, joined by us";

fn key() -> [u8; 32] {
    let date = AmzDate::parse(heads::TIME).expect("a time");
    derive_signing_key(heads::SECRET, &date, heads::REGION, "s3")
}

fn hex(bytes: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn decoded(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// Lower-case names and values of the request's fields and of those that are added, sorted.
pub(crate) fn sign(head: &Head, expected: &str) -> Option<Contender> {
    let blocks = head.blocks_signed();
    let (path, query) = head.target.split_once('?').unwrap_or((&head.target, ""));
    let (path, query) = (keep(path.to_owned()), keep(decoded(query)));
    let fields: Vec<(String, String)> = head
        .fields
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    let (fields, key, method) = (keep(fields), key(), head.method);
    let sign = move || {
        let date = AmzDate::parse(black_box(heads::TIME)).expect("a time");
        let mut signed: Vec<(&str, &str)> =
            black_box(fields).iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        signed.push(("x-amz-content-sha256", "UNSIGNED-PAYLOAD"));
        signed.push(("x-amz-date", heads::TIME));
        signed.sort_unstable();
        let canonical_request = create_canonical_request_with_raw_uri_path(
            method,
            path,
            black_box(query),
            &signed,
            Payload::Unsigned,
        );
        let text = create_string_to_sign(&canonical_request, &date, heads::REGION, "s3");
        let signature = hex(&calculate_signature_with_key(&text, black_box(&key)));
        let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
        let mut authorization = String::with_capacity(512);
        write!(
            authorization,
            "AWS4-HMAC-SHA256 Credential={}/{}/{}/s3/aws4_request, SignedHeaders={}, Signature={}",
            heads::ID,
            date.fmt_date(),
            heads::REGION,
            names.join(";"),
            signature,
        )
        .expect("room");
        (authorization, signature)
    };
    (sign().1 == expected).then(|| {
        contender(blocks, PARTS, move || {
            black_box(sign());
        })
    })
}

fn signed_fields<'h>(headers: &'h HeaderMap, names: &[&'h str]) -> Vec<(&'h str, &'h str)> {
    names
        .iter()
        .flat_map(|name| headers.get_all(*name).into_iter().map(move |value| (*name, value)))
        .map(|(name, value)| (name, value.to_str().expect("a text")))
        .collect()
}

pub(crate) fn verify(head: &Head) -> Option<Contender> {
    let arrived = keep(http_request(&head.signed()));
    let key = key();
    let verify = move |request: &http::Request<()>| {
        let headers = request.headers();
        let text = |name: &str| headers.get(name).expect("a field").to_str().expect("a text");
        let authorization = AuthorizationV4::parse(text("authorization")).expect("a claim");
        black_box(authorization.credential.access_key_id);
        let date = AmzDate::parse(text("x-amz-date")).expect("a time");
        black_box(text("x-amz-content-sha256"));
        let signed = signed_fields(headers, &authorization.signed_headers);
        let canonical_request = create_canonical_request_with_raw_uri_path(
            request.method().as_str(),
            request.uri().path(),
            &decoded(request.uri().query().unwrap_or("")),
            &signed,
            Payload::Unsigned,
        );
        let credential = authorization.credential;
        let (region, service) = (credential.aws_region, credential.aws_service);
        let text = create_string_to_sign(&canonical_request, &date, region, service);
        hex(&calculate_signature_with_key(&text, black_box(&key))) == authorization.signature
    };
    checked(arrived, head.blocks_signed(), verify)
}

pub(crate) fn verify_presigned(head: &Head) -> Option<Contender> {
    let arrived = keep(http_request(&head.presigned()));
    let key = key();
    let verify = move |request: &http::Request<()>| {
        let query = decoded(request.uri().query().unwrap_or(""));
        let claim = PresignedUrlV4::parse(&query, MAX_EXPIRES).expect("a claim");
        black_box(claim.credential.access_key_id);
        let signed = signed_fields(request.headers(), &claim.signed_headers);
        let canonical_request = create_presigned_canonical_request_with_raw_uri_path(
            request.method().as_str(),
            request.uri().path(),
            &query,
            &signed,
        );
        let (region, service) = (claim.credential.aws_region, claim.credential.aws_service);
        let text = create_string_to_sign(&canonical_request, &claim.amz_date, region, service);
        hex(&calculate_signature_with_key(&text, black_box(&key))) == claim.signature
    };
    checked(arrived, head.blocks_presigned(), verify)
}

fn checked(
    arrived: &'static http::Request<()>,
    blocks: usize,
    verify: impl Fn(&http::Request<()>) -> bool + 'static,
) -> Option<Contender> {
    let mut tampered = arrived.clone();
    *tampered.method_mut() = http::Method::DELETE;
    assert!(!verify(&tampered));
    verify(arrived).then(|| {
        contender(blocks, PARTS, move || {
            assert!(verify(black_box(arrived)));
        })
    })
}

pub(crate) fn sign_stream(data: &'static [u8], chunk: usize) -> Option<Contender> {
    let (seed, expected) = ours::stream_signatures(data, chunk);
    let key = key();
    let date = AmzDate::parse(heads::TIME).ok()?;
    let sign = move || {
        let next = |previous: String, chunk: &[&[u8]]| {
            let text = create_chunk_string_to_sign(&date, heads::REGION, "s3", &previous, chunk);
            hex(&calculate_signature_with_key(&text, black_box(&key)))
        };
        let last = black_box(data)
            .chunks(chunk)
            .fold(seed.clone(), |previous, chunk| next(previous, &[chunk]));
        next(last, &[])
    };
    if sign() != expected {
        return None;
    }
    let counts = streams::blocks(&streams::signed_framing(data.len()));
    let count = data.len() / chunk;
    let blocks = data.len() / floor::BLOCK + (count + 1) * counts.each_chunk;
    Some(contender(blocks, "signatures of the chunks alone: no head, no frames", move || {
        black_box(sign());
    }))
}
