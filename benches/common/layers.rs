//! What a server and a client pay for each request, all in all: the layers of `tower`, without a
//! body, and without a network.
//!
//! A request is taken over and dropped, which counts; to make it does not.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use countersign::tower::{
    BoxError, CredentialProvider, Found, Issued, KeyProvider, KeyScope, SignBody, SignLayer,
    VerifyLayer, Wanted,
};
use countersign::{AccessKeyId, SigningKey};
use http_body::{Body, Frame};
use tower_layer::Layer as _;
use tower_service::Service;

use super::common::heads::{self, Head};

/// A request that a server receives, or a client sends.
pub(crate) fn request(head: &Head) -> http::Request<Nothing> {
    let request = http::Request::builder().method(head.method).uri(&head.target);
    let fields = head.fields.iter();
    fields
        .fold(request, |request, (name, value)| request.header(name, value))
        .body(Nothing)
        .expect("a request")
}

/// Lets a signed request through.
pub(crate) fn verifying() -> impl FnMut(http::Request<Nothing>) {
    let layer = VerifyLayer::new("s3", heads::REGION, Kept(heads::key())).clock(heads::now);
    let mut service = layer.layer(Accepting);
    move |request| {
        let answer = at_once(service.call(request)).expect("an answer");
        assert_eq!(answer.status(), 200, "{}", answer.body());
    }
}

/// Signs a request that is sent.
pub(crate) fn signing() -> impl FnMut(http::Request<Nothing>) {
    let layer = SignLayer::new("s3", heads::REGION, Kept(heads::key())).clock(heads::now);
    let mut service = layer.body(SignBody::Unsigned).layer(Accepting);
    move |request| {
        at_once(service.call(request)).expect("an answer");
    }
}

/// A key that has been derived.
struct Kept(SigningKey);

impl KeyProvider for Kept {
    async fn find(&self, _wanted: Wanted) -> Result<Option<Found>, BoxError> {
        Ok(Some(Found { key: self.0.clone(), session_token: None }))
    }
}

impl CredentialProvider for Kept {
    async fn issue(&self, _scope: KeyScope) -> Result<Issued, BoxError> {
        let access_key_id = AccessKeyId::new(heads::ID)?;
        Ok(Issued { access_key_id, key: self.0.clone(), session_token: None })
    }
}

/// What stands behind a layer.
#[derive(Clone)]
struct Accepting;

impl<B> Service<http::Request<B>> for Accepting {
    type Response = http::Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        drop(std::hint::black_box(request));
        ready(Ok(http::Response::new(String::new())))
    }
}

/// A body of no bytes.
pub(crate) struct Nothing;

impl Body for Nothing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

/// The output of a future that waits for nothing.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}
