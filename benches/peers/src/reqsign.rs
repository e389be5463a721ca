//! `reqsign-aws-v4`: signs and presigns, at the time it reads from the clock. It derives the key.

use std::hint::black_box;
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Duration;

use http::request::Parts;
use reqsign_aws_v4::{Credential, RequestSigner};
use reqsign_core::{Context, SignRequest as _};

use crate::common::heads::{self, Head};
use crate::common::rounds::candidate;
use crate::contender::{Contender, Key, http_request, keep, verified_now};

fn contender(head: &Head, expires: Option<Duration>) -> Option<Contender> {
    let request = keep(http_request(head).into_parts().0);
    let credential = Credential {
        access_key_id: heads::ID.to_owned(),
        secret_access_key: heads::SECRET.to_owned(),
        ..Default::default()
    };
    let (signer, context) = (RequestSigner::new("s3", heads::REGION), Context::new());
    let sign = move || {
        let mut parts: Parts = black_box(request).clone();
        {
            let signed = signer.sign_request(&context, &mut parts, Some(&credential), expires);
            let mut task = std::task::Context::from_waker(Waker::noop());
            match pin!(signed).poll(&mut task) {
                Poll::Ready(signed) => signed.expect("signed"),
                Poll::Pending => panic!("there is nothing to wait for"),
            }
        }
        parts
    };
    let blocks = verified_now(&sign())?;
    let run = candidate(move || {
        black_box(sign());
    });
    let note = "with a clone of the request, which it changes, and the clock";
    Some(Contender { peer: "reqsign-aws-v4", key: Key::Derived, blocks, note, run })
}

pub(crate) fn sign(head: &Head) -> Option<Contender> {
    contender(head, None)
}

pub(crate) fn presign(head: &Head) -> Option<Contender> {
    contender(head, Some(heads::EXPIRES))
}
