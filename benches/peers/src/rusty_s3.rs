//! `rusty-s3`: presigns. It derives the key each time.

use std::hint::black_box;

use jiff::Timestamp;
use rusty_s3::actions::GetObject;
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};

use crate::common::heads::{self, Head};
use crate::common::rounds::candidate;
use crate::contender::{Contender, Key, keep, signature_of};

pub(crate) fn presign(head: &Head, expected: &str) -> Option<Contender> {
    let (bucket, endpoint) = heads::HOST.split_once('.')?;
    let endpoint = format!("https://{endpoint}").parse().ok()?;
    let bucket = Bucket::new(endpoint, UrlStyle::VirtualHost, bucket, heads::REGION).ok()?;
    let (bucket, credentials) = (keep(bucket), keep(Credentials::new(heads::ID, heads::SECRET)));
    let key = keep(head.target.strip_prefix('/')?.to_owned());
    let time = Timestamp::from_second(heads::now().unix()).ok()?;
    let presign = move || {
        GetObject::new(black_box(bucket), Some(credentials), black_box(key))
            .sign_with_time(heads::EXPIRES, black_box(&time))
    };
    if signature_of(presign().as_str()) != expected {
        return None;
    }
    let run = candidate(move || {
        black_box(presign());
    });
    let blocks = head.blocks_presigned();
    Some(Contender { peer: "rusty-s3", key: Key::Derived, blocks, note: "", run })
}
