//! Forms of browsers: the same ladder, but the claim stands in the body.
//!
//! The library takes such a body as a server receives it, so the head is handed over as one of `http`;
//! nothing of it is signed. The bucket, which the policy has to name, is that of path or host.

use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use countersign::http::{FormFile, FormUpload, FormUploadError};
use countersign::{BodyVerifier, Form, FormClaim, VerifiedBody, VerifiedForm, VerifyError};
use http::header::HOST;
use http::request::Parts;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode_str;

use crate::args::Show;
use crate::raw::{Fault, Head};
use crate::report::Stage;
use crate::verify::{Derived, Failure, Input, Outcome, Rules};

impl Rules<'_> {
    /// Climbs with a form, which is kept for what there is to say of it.
    pub(crate) fn climb_form(
        &self,
        head: &Head,
        body: Input,
        form: &mut Option<Form>,
        outcome: &mut Outcome,
    ) -> Result<VerifiedBody, Failure> {
        let parts = parts(head).map_err(Failure::Malformed)?;
        let bucket = bucket(&parts).ok_or(Failure::Malformed(Fault::Bucket))?;
        let reading = FormUpload::read(&self.verifier, &parts, Arriving(body), &bucket);
        let upload = pollster::block_on(reading).map_err(|error| failure(error, Stage::Read))?;
        let (fields, file) = upload.into_parts();
        let form = &*form.insert(fields);
        let claim = self.verifier.read_form(form)?;
        outcome.report.claim(claim.claimed_access_key_id(), None);
        // There is no canonical request.
        let text = |show| matches!(show, Show::Sts).then(|| claim.string_to_sign().into());
        outcome.shown = self.show.and_then(text);
        let checked = self.prove_form(claim)?.check(self.now);
        let checked = checked.map_err(|error| Failure::Refused(Stage::Verify, error.into()))?;
        let verifier = feed(checked.into_checked_body()?, file)?;
        verifier.finish().map_err(|error| Failure::Refused(Stage::Finish, error.into()))
    }

    fn prove_form<'f>(&self, claim: FormClaim<'f>) -> Result<VerifiedForm<'f>, VerifyError> {
        let Derived { key, token } = self.key(claim.claimed_access_key_id(), &claim.scope());
        match (key, token) {
            (Err(decoy), _) => Err(claim.refuse_unknown_key(&decoy)),
            (Ok(key), Some(token)) => claim.verify_session(&key, token),
            (Ok(key), None) => claim.verify(&key),
        }
    }
}

/// The head of a request with a form.
fn parts(head: &Head) -> Result<Parts, Fault> {
    let headers = head.headers()?;
    let request = head.request(&headers)?;
    let mut parts = http::Request::new(()).into_parts().0;
    parts.method = request.method.parse().map_err(|_| Fault::Method)?;
    parts.uri = request.target.parse().map_err(|_| Fault::Target)?;
    for field in &head.fields {
        let name = http::HeaderName::try_from(&field.name[..]).map_err(|_| Fault::FieldName)?;
        let value = field.value.trim_ascii().try_into().map_err(|_| Fault::FieldLine)?;
        parts.headers.append(name, value);
    }
    Ok(parts)
}

/// The bucket that a request addresses, if it addresses one and nothing in it: by its path or else by
/// its host, where it stands before `.s3`, in names as AWS has them, or is the first label.
fn bucket(parts: &Parts) -> Option<String> {
    let path = parts.uri.path();
    let path = path.strip_prefix('/').unwrap_or(path);
    let bucket = if path.is_empty() {
        let field = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = field.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str))?;
        in_host(host)?.to_owned()
    } else {
        let name = path.strip_suffix('/').unwrap_or(path);
        percent_decode_str(name).decode_utf8().ok()?.into_owned()
    };
    let good = !bucket.is_empty() && !bucket.contains('/') && parts.uri.query().is_none();
    good.then_some(bucket)
}

fn in_host(host: &str) -> Option<&str> {
    let authority: http::uri::Authority = host.parse().ok()?;
    let len = authority.host().len();
    let host = host.get(..len)?;
    let lower = host.to_ascii_lowercase();
    let service = [".s3.", ".s3-", ".s3express-"].iter().filter_map(|mark| lower.rfind(mark)).max();
    let is_address = host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok();
    let label = || if is_address { None } else { host.find('.') };
    host.get(..service.or_else(label)?)
}

/// Feeds all of a file.
fn feed(mut verifier: BodyVerifier, mut file: FormFile<Arriving>) -> Result<BodyVerifier, Failure> {
    while let Some(frame) = pollster::block_on(file.frame()) {
        let frame = frame.map_err(|error| failure(error, Stage::Feed))?;
        let data = frame.into_data().unwrap_or_default();
        let mut rest = &data[..];
        while !rest.is_empty() {
            let fed = verifier.feed(rest)?;
            rest = rest.get(fed.consumed..).unwrap_or_default();
        }
    }
    Ok(verifier)
}

fn failure(error: FormUploadError, stage: Stage) -> Failure {
    match error {
        FormUploadError::Refused(error) => Failure::Refused(stage, error.into()),
        error => Failure::Io(io::Error::other(error)),
    }
}

/// The rest of an input, piece by piece. It waits where it reads.
struct Arriving(Input);

impl Body for Arriving {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(match self.0.fill_buf() {
            Ok([]) => None,
            Ok(piece) => {
                let piece = Bytes::copy_from_slice(piece);
                self.0.consume(piece.len());
                Some(Ok(Frame::data(piece)))
            }
            Err(error) => Some(Err(error)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::in_host;

    /// Endpoints as AWS names them: of regions, dual stack, FIPS, acceleration, directory buckets.
    #[test]
    fn buckets_in_hosts() {
        for (host, bucket) in [
            ("b.s3.amazonaws.com", Some("b")),
            ("a.b.s3.us-east-1.amazonaws.com:443", Some("a.b")),
            ("b.s3-us-west-2.amazonaws.com", Some("b")),
            ("b.s3.dualstack.eu-west-1.amazonaws.com", Some("b")),
            ("b.s3-fips.us-gov-east-1.amazonaws.com", Some("b")),
            ("b.s3-accelerate.dualstack.amazonaws.com", Some("b")),
            ("B.S3.cn-north-1.amazonaws.com.cn", Some("B")),
            (
                "b--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com",
                Some("b--usw2-az1--x-s3"),
            ),
            ("a.s3.b.s3.amazonaws.com", Some("a.s3.b")),
            ("b.localhost:9000", Some("b")),
            ("localhost", None),
            ("127.0.0.1:9000", None),
            ("[::1]:9000", None),
            ("", None),
        ] {
            assert_eq!(in_host(host), bucket, "{host}");
        }
    }
}
