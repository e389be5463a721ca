//! The gate for browser forms: what a POST has to prove before its file is taken in.
//!
//! The claim of a form stands among its fields, so it is read from the body: up to the file, and no
//! further than the library allows. Key, signature, policy and conditions come in the order that the
//! library's types demand; what is passed on is made of the fields that the policy covers, and of
//! nothing in the head. The bucket is that of host or path.
//!
//! What becomes of the file this module deliberately leaves to `staging.rs` and `store.rs`.

use std::sync::Arc;
use std::time::Duration;

use countersign::http::{FormFile, FormUpload, FormUploadError, Head, Hold, VerifiedBody};
use countersign::tower::{ClaimedToken, KeyProvider as _, KeyScope, Wanted};
use countersign::{
    AccessKeyId, CheckedForm, Error, Family, FormClaim, Mechanism, SessionToken, SigningKey,
    SuccessAction, SuccessStatus, Timestamp, VerifiedForm, Verifier, VerifyError,
};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Body as _;
use percent_encoding::percent_decode_str;
use s3s::Body;
use s3s::xml::Serializer;
use tokio::time::timeout;

use crate::arriving::Arriving;
use crate::connections::{self, Peer};
use crate::error::{Fault, Ids, refusal};
use crate::gate::{self, Domain, Passed};
use crate::keys::Keys;

/// What a form may have besides its file: its fields with their heads, and boundaries.
const AROUND: u64 = 64 * 1024;

/// How long the fields may take, as long as any head.
const FIELDS: Duration = connections::HEAD;

/// Who may come in with a form.
pub(crate) struct Forms {
    region: String,
    keys: Arc<Keys>,
    domain: Option<Domain>,
    max_body: u64,
}

/// A form that is proven, and its file, which is not.
pub(crate) struct Admitted {
    pub(crate) head: Passed,
    pub(crate) file: VerifiedBody<FormFile<Arriving>>,
    /// Who signed the policy.
    pub(crate) who: AccessKeyId,
    pub(crate) receipt: Receipt,
}

/// What a page is answered when its file is stored.
pub(crate) struct Receipt {
    success: SuccessAction,
    bucket: String,
    key: String,
    /// The object's URL.
    url: String,
}

/// Why a form is not taken.
pub(crate) enum NotAdmitted {
    Refused(Response<Body>),
    Fault(Fault),
}

impl Forms {
    pub(crate) fn new(
        region: &str,
        keys: Arc<Keys>,
        domain: Option<Domain>,
        max_body: u64,
    ) -> Self {
        Forms { region: region.to_owned(), keys, domain, max_body }
    }

    /// Whether a request would make its claim in a form, and makes none in its head.
    pub(crate) fn takes(&self, parts: &Parts) -> bool {
        self.rules().attempted(&Head::new(parts).request()) == Some(Mechanism::Form)
    }

    /// Lets a form in, or not. Its file has not been read then.
    pub(crate) async fn admit(
        &self,
        parts: &Parts,
        body: Arriving,
        ids: &Ids,
    ) -> Result<Admitted, NotAdmitted> {
        let bucket = self.bucket(parts)?;
        // Before the body is received: a peer that waits for 100-continue then keeps all of it.
        if body.size_hint().lower() > self.max_body.saturating_add(AROUND) {
            return Err(Fault::TooLarge.into());
        }
        let rules = self.rules();
        // Nobody is known yet, so nobody may take long.
        let reading = timeout(FIELDS, FormUpload::read(&rules, parts, body, &bucket));
        let upload = match reading.await.map_err(|_| Fault::Idle)? {
            Ok(upload) => upload,
            Err(FormUploadError::Refused(error)) => return Err(refused(error, ids).into()),
            Err(error) => return Err(Fault::of_form(&error).into()),
        };
        let (form, file) = upload.into_parts();
        let refuse = |error: Error| {
            let hint = error.hint(Family::S3).about_form(&rules, &form);
            NotAdmitted::Refused(refusal(error, &hint, ids))
        };
        let claim = rules.read_form(&form).map_err(|error| refuse(error.into()))?;
        let verified = match prove(&self.keys, claim).await {
            Ok(verified) => verified.map_err(|error| refuse(error.into()))?,
            Err(NoKey) => return Err(Fault::Internal.into()),
        };
        let checked = verified.check(Timestamp::now()).map_err(|error| refuse(error.into()))?;
        let head = Passed::of_form(&checked)?;
        let who = checked.access_key_id();
        let receipt = Receipt::of(&checked, parts)?;
        let machine = checked.into_checked_body().map_err(|error| refuse(error.into()))?;
        // Written aside, and taken back unless there is a proof.
        let file = VerifiedBody::new(machine, file).hold(Hold::Nothing);
        Ok(Admitted { head, file, who, receipt })
    }

    fn rules(&self) -> Verifier<'_> {
        Verifier::s3(&self.region)
    }

    /// The bucket that a request addresses, by its host or its path. A form is posted to a bucket,
    /// and to nothing else.
    fn bucket(&self, parts: &Parts) -> Result<String, Fault> {
        let path = parts.uri.path().strip_prefix('/').unwrap_or_default();
        let hosted = self.domain.as_ref().zip(host(parts));
        let bucket = match hosted.and_then(|(domain, host)| domain.bucket(host)) {
            Some(bucket) if path.is_empty() => bucket,
            Some(_) => return Err(Fault::Method),
            None => {
                let path = path.strip_suffix('/').unwrap_or(path);
                let name = percent_decode_str(path).decode_utf8().map_err(|_| Fault::Uri)?;
                name.into_owned()
            }
        };
        // Nothing covers a query, and some of them are another operation.
        if bucket.is_empty() || bucket.contains('/') || parts.uri.query().is_some() {
            return Err(Fault::Method);
        }
        Ok(bucket)
    }
}

/// The keys cannot be asked.
pub(crate) struct NoKey;

/// Checks the signature of a claim with the key of its name.
pub(crate) async fn prove<'f>(
    keys: &Keys,
    claim: FormClaim<'f>,
) -> Result<Result<VerifiedForm<'f>, VerifyError>, NoKey> {
    let scope = claim.scope();
    let wanted = Wanted::new(
        claim.claimed_access_key_id(),
        KeyScope::new(scope.date, scope.region, scope.service),
        claim.session_token().map(|token| ClaimedToken::new(token.to_vec())),
    );
    let found = keys.find(wanted).await.map_err(|error| {
        tracing::error!(%error, "a key cannot be used");
        NoKey
    })?;
    Ok(match &found {
        // The same work as a wrong signature.
        None => Err(claim.refuse_unknown_key(&SigningKey::from_bytes(&[0; 32]))),
        Some(found) => match &found.session_token {
            None => claim.verify(&found.key),
            Some(token) => match SessionToken::new(token) {
                Ok(token) => claim.verify_session(&found.key, token),
                Err(_) => Err(VerifyError::SessionTokenMismatch),
            },
        },
    })
}

/// The answer to an error that is not about what the fields say.
pub(crate) fn refused(error: impl Into<Error>, ids: &Ids) -> Response<Body> {
    let error = error.into();
    refusal(error, &error.hint(Family::S3), ids)
}

/// The host that a request is for.
pub(crate) fn host(parts: &Parts) -> Option<&str> {
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str))
}

impl Receipt {
    fn of(form: &CheckedForm<'_>, parts: &Parts) -> Result<Self, Fault> {
        let success = form.success_action();
        let (bucket, key) = (form.bucket().to_owned(), form.key().to_owned());
        let secure = parts.extensions.get::<Peer>().is_some_and(|peer| peer.secure);
        let scheme = if secure { "https" } else { "http" };
        // Posted to the root is posted to a bucket that the host names.
        let path = match parts.uri.path() {
            "/" => gate::path(&[&key])?,
            _ => gate::path(&[&bucket, &key])?,
        };
        let url = match host(parts) {
            Some(host) => format!("{scheme}://{host}{path}"),
            None => path.to_string(),
        };
        Ok(Receipt { success, bucket, key, url })
    }

    /// The answer, of that of the store. If the file is not stored it stays as it is.
    pub(crate) fn answer(self, stored: Response<Body>, ids: &Ids) -> Response<Body> {
        if !stored.status().is_success() {
            return stored;
        }
        let tag = stored.headers().get(header::ETAG).cloned();
        let tag = tag.as_ref().and_then(|tag| tag.to_str().ok()).unwrap_or_default();
        let (status, location, body) = match &self.success {
            SuccessAction::Redirect(to) => {
                (StatusCode::SEE_OTHER, to.location(&tag.replace('"', "")), Body::empty())
            }
            SuccessAction::Status(SuccessStatus::Ok) => (StatusCode::OK, self.url, Body::empty()),
            SuccessAction::Status(SuccessStatus::Created) => {
                let Ok(body) = self.xml(tag) else {
                    return Fault::Internal.answer(ids);
                };
                (StatusCode::CREATED, self.url, Body::from(body))
            }
            _ => (StatusCode::NO_CONTENT, self.url, Body::empty()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        for (name, value) in stored.headers() {
            if *name == header::ETAG || name.as_str().starts_with("x-amz-") {
                response.headers_mut().insert(name, value.clone());
            }
        }
        let headers = response.headers_mut();
        if let Ok(location) = HeaderValue::try_from(location) {
            headers.insert(header::LOCATION, location);
        }
        if status == StatusCode::CREATED {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        }
        response
    }

    /// What S3 calls a `PostResponse`.
    fn xml(&self, tag: &str) -> Result<Vec<u8>, s3s::xml::SerError> {
        let mut xml = Vec::new();
        let mut writer = Serializer::new(&mut xml);
        writer.decl()?;
        writer.element("PostResponse", |writer| {
            writer.content("Location", &self.url)?;
            writer.content("Bucket", &self.bucket)?;
            writer.content("Key", &self.key)?;
            writer.content("ETag", tag)
        })?;
        Ok(xml)
    }
}

impl From<Fault> for NotAdmitted {
    fn from(fault: Fault) -> Self {
        NotAdmitted::Fault(fault)
    }
}

impl From<Response<Body>> for NotAdmitted {
    fn from(response: Response<Body>) -> Self {
        NotAdmitted::Refused(response)
    }
}
