//! `aws-sigv4`: signs, presigns, signs chunks. It derives the key each time.

use std::hint::black_box;
use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningInstructions, SigningParams, SigningSettings, UriPathNormalizationMode,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use bytes::Bytes;

use crate::common::heads::{self, Head};
use crate::common::rounds::candidate;
use crate::common::{floor, streams};
use crate::contender::{Contender, Key, keep, url};
use crate::ours;

const NAME: &str = "aws-sigv4";

fn identity() -> &'static Identity {
    keep(Credentials::new(heads::ID, heads::SECRET, None, None, "static").into())
}

fn parameters(location: SignatureLocation) -> &'static SigningParams<'static> {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings.signature_location = location;
    if location == SignatureLocation::QueryParams {
        settings.expires_in = Some(heads::EXPIRES);
    }
    keep(with(settings).into())
}

fn with<S: Default>(settings: S) -> v4::SigningParams<'static, S> {
    v4::SigningParams::builder()
        .identity(identity())
        .region(heads::REGION)
        .name("s3")
        .time(UNIX_EPOCH + Duration::from_secs(heads::now().unix() as u64))
        .settings(settings)
        .build()
        .expect("parameters")
}

fn run(head: &Head, url: &str, parameters: &SigningParams<'_>) -> (SigningInstructions, String) {
    let headers = head.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let body = SignableBody::UnsignedPayload;
    let request = SignableRequest::new(head.method, url, headers, body).expect("a request");
    aws_sigv4::http_request::sign(request, parameters).expect("signed").into_parts()
}

fn contender(
    head: &Head,
    location: SignatureLocation,
    blocks: usize,
    expected: &str,
) -> Option<Contender> {
    let (head, url, parameters) = (keep(head.clone()), keep(url(head)), parameters(location));
    if run(head, url, parameters).1 != expected {
        return None;
    }
    let run = candidate(move || {
        black_box(run(black_box(head), black_box(url), black_box(parameters)));
    });
    Some(Contender { peer: NAME, key: Key::Derived, blocks, note: "", run })
}

pub(crate) fn sign(head: &Head, expected: &str) -> Option<Contender> {
    contender(head, SignatureLocation::Headers, head.blocks_signed(), expected)
}

pub(crate) fn presign(head: &Head, expected: &str) -> Option<Contender> {
    contender(head, SignatureLocation::QueryParams, head.blocks_presigned(), expected)
}

pub(crate) fn sign_stream(data: &'static [u8], chunk: usize) -> Option<Contender> {
    let (seed, expected) = ours::stream_signatures(data, chunk);
    let chunks: Vec<Bytes> =
        data.chunks(chunk).map(Bytes::from_static).chain([Bytes::new()]).collect();
    let parameters = with(());
    let sign = move || {
        chunks.iter().fold(seed.clone(), |previous, chunk| {
            v4::sign_chunk(black_box(chunk), &previous, &parameters).expect("signed").into_parts().1
        })
    };
    if sign() != expected {
        return None;
    }
    let counts = streams::blocks(&streams::signed_framing(data.len()));
    let count = data.len() / chunk;
    let run = candidate(move || {
        black_box(sign());
    });
    Some(Contender {
        peer: NAME,
        key: Key::Derived,
        blocks: data.len() / floor::BLOCK + (count + 1) * counts.each_chunk,
        note: "signatures of the chunks alone: no head, no frames",
        run,
    })
}
