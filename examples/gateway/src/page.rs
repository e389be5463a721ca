//! The upload page: a browser's way to post files, for whoever has a key of the gateway.
//!
//! `/_/upload` is the page, with its script and its style beside it; `/_/form` issues a form for one
//! file, `/_/list` a presigned URL that lists what arrived. Both are signed with the key of whoever
//! asks, and are used like anybody else's: the page has no way into the store of its own.
//!
//! A browser asks for a name and a password: an access key id and its secret. They are good if what
//! they sign verifies. Over TLS or on this machine only, so that no secret is asked for in the clear;
//! and for keys without a session token, for which a browser has no field.
//!
//! How forms are taken this module deliberately leaves to `forms.rs`.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::{
    AccessKeyId, CredentialScope, Credentials, Form, Header, PostField, PostPolicy, Request,
    SecretKey, SignedForm, Signer, SuccessStatus, Timestamp, Verifier,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::Body;
use zeroize::Zeroizing;

use crate::config::UploadPage;
use crate::connections::Peer;
use crate::error::{Fault, Ids};
use crate::forms::{self, NoKey};
use crate::gate::Domain;
use crate::keys::Keys;

/// Where the page and all of its own lie. No bucket has this name.
const ROOT: &str = "/_/";
/// How long a form or a list may be used.
const LIFE: Duration = Duration::from_secs(10 * 60);

const HTML: &str = include_str!("page/upload.html");
const SCRIPT: &str = include_str!("page/upload.js");
const STYLE: &str = include_str!("page/upload.css");
/// What stands in the page for the one word that its own script and style have in common.
const NONCE: &str = "{nonce}";

/// What every answer says: nothing is kept, nothing is shown within other pages.
const ALWAYS: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The page, and where its files go.
pub(crate) struct Page {
    region: String,
    keys: Arc<Keys>,
    domain: Option<Domain>,
    max_body: u64,
    place: UploadPage,
}

impl Page {
    pub(crate) fn new(
        region: &str,
        keys: Arc<Keys>,
        domain: Option<Domain>,
        max_body: u64,
        place: UploadPage,
    ) -> Self {
        Page { region: region.to_owned(), keys, domain, max_body, place }
    }

    /// Whether a request is for the page: below its path, and not in a bucket that a host names.
    pub(crate) fn owns(&self, parts: &Parts) -> bool {
        let hosted = self.domain.as_ref().zip(forms::host(parts));
        let bucket = hosted.and_then(|(domain, host)| domain.bucket(host));
        bucket.is_none() && parts.uri.path().starts_with(ROOT)
    }

    /// What keeps the page's origin its own: a document that is somebody's object acts as nobody.
    pub(crate) fn confine(headers: &mut HeaderMap) {
        headers
            .entry(header::CONTENT_SECURITY_POLICY)
            .or_insert(HeaderValue::from_static("sandbox"));
    }

    /// Answers a request for the page, or for what it needs.
    pub(crate) async fn answer(&self, parts: &Parts, ids: &Ids) -> Response<Body> {
        let mut response = match self.serve(parts).await {
            Ok(response) => response,
            Err(Unanswered::Status(status, text)) => plain(status, text),
            Err(Unanswered::Fault(fault)) => fault.answer(ids),
        };
        if response.status() == StatusCode::UNAUTHORIZED {
            let realm = HeaderValue::from_static("Basic realm=\"gateway\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
        }
        for (name, value) in ALWAYS {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        response.headers_mut().entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
        response
    }

    async fn serve(&self, parts: &Parts) -> Result<Response<Body>, Unanswered> {
        let peer = parts.extensions.get::<Peer>().copied().unwrap_or_default();
        if !peer.secure && !peer.local {
            return Err(Unanswered::Status(
                StatusCode::FORBIDDEN,
                "This page asks for a secret, so it is there over TLS only, or on the gateway's own machine.\n",
            ));
        }
        let now = Timestamp::now();
        let login = Login::of(&parts.headers);
        let credentials = login.as_ref().and_then(Login::credentials);
        let refused = Unanswered::Status(
            StatusCode::UNAUTHORIZED,
            "An access key id and its secret, please.\n",
        );
        let Some(credentials) = credentials else { return Err(refused) };
        let scope = CredentialScope { date: now.date(), region: &self.region, service: "s3" };
        let signer = Signer::new(&credentials, scope).map_err(|_| Fault::Internal)?;
        let policy = self.policy();
        let form = signer.sign_form(&policy, now).map_err(|error| {
            tracing::error!(%error, "no form can be issued");
            Fault::Internal
        })?;
        if !self.knows(&form).await? {
            return Err(refused);
        }
        let path = parts.uri.path().strip_prefix(ROOT).unwrap_or_default();
        let read = matches!(parts.method, Method::GET | Method::HEAD);
        match path {
            "upload" if read => page(),
            "upload.js" if read => Ok(text("text/javascript; charset=utf-8", SCRIPT)),
            "upload.css" if read => Ok(text("text/css; charset=utf-8", STYLE)),
            // Not for a link to ask for.
            "form" if parts.method == Method::POST => {
                let form = form.to_json(&form.path_style_url(""));
                Ok(json(format!("{{\"form\":{form},\"max\":{}}}", self.max_body)))
            }
            "list" if read => {
                let list = self.list(&signer, parts, now)?;
                let UploadPage { bucket, prefix } = &self.place;
                let max = self.max_body;
                let list = serde_json::json!({
                    "url": list,
                    "bucket": bucket,
                    "prefix": prefix,
                    "max": max,
                });
                Ok(json(list.to_string()))
            }
            "upload" | "upload.js" | "upload.css" | "form" | "list" => Err(Fault::Method.into()),
            _ => Err(Unanswered::Status(StatusCode::NOT_FOUND, "There is no such page.\n")),
        }
    }

    /// What the page may post.
    fn policy(&self) -> PostPolicy<'_> {
        PostPolicy::new(&self.place.bucket)
            .starts_with(PostField::Key, &self.place.prefix)
            .starts_with(PostField::ContentType, "")
            .content_length_range(0, self.max_body)
            .success_action_status(SuccessStatus::Created)
            .expires_in(LIFE)
    }

    /// Whether a form would be taken: then whoever signed it knows a secret.
    async fn knows(&self, signed: &SignedForm<'_>) -> Result<bool, Fault> {
        let mut form = Form::new(signed.bucket());
        for (name, value) in signed.fields() {
            form.push(name.to_string(), value.to_string()).map_err(|_| Fault::Internal)?;
        }
        form.file(None).map_err(|_| Fault::Internal)?;
        let rules = Verifier::s3(&self.region);
        let claim = rules.read_form(&form).map_err(|_| Fault::Internal)?;
        match forms::prove(&self.keys, claim).await {
            Ok(verified) => Ok(verified.is_ok()),
            Err(NoKey) => Err(Fault::Internal),
        }
    }

    /// A URL that lists what arrived.
    fn list(&self, signer: &Signer<'_>, parts: &Parts, now: Timestamp) -> Result<String, Fault> {
        let host = forms::host(parts).ok_or(Fault::Header)?;
        let prefix = utf8_percent_encode(&self.place.prefix, NON_ALPHANUMERIC);
        let target = format!("/{}?list-type=2&prefix={prefix}", self.place.bucket);
        let headers = [Header { name: "host", value: host.as_bytes() }];
        let request = Request { method: "GET", target: &target, headers: &headers };
        let presigned = signer.presign(&request, LIFE, now).map_err(|_| Fault::Internal)?;
        Ok(presigned.target().to_string())
    }
}

/// A name and a password as a browser sends them (RFC 7617).
struct Login {
    name: String,
    password: Zeroizing<String>,
}

impl Login {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let mut fields = headers.get_all(header::AUTHORIZATION).iter();
        let (field, None) = (fields.next()?, fields.next()) else { return None };
        let (scheme, token) = field.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let pair = Zeroizing::new(STANDARD.decode(token.trim()).ok()?);
        let (name, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
        Some(Login { name: name.to_owned(), password: Zeroizing::new(password.to_owned()) })
    }

    fn credentials(&self) -> Option<Credentials<'_>> {
        Some(Credentials {
            access_key_id: AccessKeyId::new(&self.name).ok()?,
            secret_key: SecretKey::new(&self.password).ok()?,
            session_token: None,
        })
    }
}

/// Why something else than what was asked for is answered.
enum Unanswered {
    Status(StatusCode, &'static str),
    Fault(Fault),
}

impl From<Fault> for Unanswered {
    fn from(fault: Fault) -> Self {
        Unanswered::Fault(fault)
    }
}

/// The page. Only what has this answer's word is run, and it talks to this server only.
fn page() -> Result<Response<Body>, Unanswered> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| Fault::Internal)?;
    let nonce = format!("{:032x}", u128::from_be_bytes(bytes));
    let mut response = text("text/html; charset=utf-8", HTML.replace(NONCE, &nonce));
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let policy = HeaderValue::try_from(policy).map_err(|_| Fault::Internal)?;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

fn plain(status: StatusCode, words: &'static str) -> Response<Body> {
    let mut response = text("text/plain; charset=utf-8", words);
    *response.status_mut() = status;
    response
}

fn json(body: String) -> Response<Body> {
    text("application/json", body)
}

fn text(media: &'static str, body: impl Into<String>) -> Response<Body> {
    let mut response = Response::new(Body::from(body.into()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Profile;

    fn profile(id: &str, secret: &str, token: Option<&str>) -> Profile {
        Profile {
            name: "p".to_owned(),
            access_key_id: AccessKeyId::new(id).unwrap(),
            secret_key: Zeroizing::new(secret.to_owned()),
            session_token: token.map(|token| Zeroizing::new(token.to_owned())),
        }
    }

    fn page_over(domain: Option<&str>) -> Page {
        let keys = Keys::new(vec![
            profile("AKIA1", "sec:ret", None),
            profile("ASIA1", "secret", Some("token")),
        ]);
        let place = "demo/in".parse().unwrap();
        Page::new("us-east-1", Arc::new(keys), domain.map(Domain::new), 10, place)
    }

    fn parts(path: &str, peer: Peer, login: Option<&str>) -> Parts {
        let mut request = http::Request::get(path).header("host", "localhost");
        if let Some(login) = login {
            request = request.header("authorization", format!("Basic {}", STANDARD.encode(login)));
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        parts.extensions.insert(peer);
        parts
    }

    /// A secret is asked for over TLS or on this machine, and nowhere else.
    #[tokio::test]
    async fn no_secret_is_asked_for_in_the_clear() {
        let page = page_over(None);
        for (peer, without, with) in [
            (Peer { local: false, secure: false }, 403, 403),
            (Peer { local: true, secure: false }, 401, 200),
            (Peer { local: false, secure: true }, 401, 200),
        ] {
            let answer = page.answer(&parts("/_/upload", peer, None), &Ids::default()).await;
            assert_eq!(answer.status(), without);
            assert_eq!(answer.headers().contains_key(header::WWW_AUTHENTICATE), without == 401);
            let parts = parts("/_/upload", peer, Some("AKIA1:sec:ret"));
            assert_eq!(page.answer(&parts, &Ids::default()).await.status(), with);
        }
        // A request that does not say where it is from is from nowhere good.
        let mut nowhere = parts("/_/upload", Peer::default(), Some("AKIA1:sec:ret"));
        nowhere.extensions.clear();
        assert_eq!(page.answer(&nowhere, &Ids::default()).await.status(), 403);
    }

    #[tokio::test]
    async fn who_may_log_in() {
        let page = page_over(None);
        let local = Peer { local: true, secure: false };
        for (login, status) in [
            ("AKIA1:sec:ret", 200),
            ("AKIA1:sec:re", 401),
            ("AKIA1:", 401),
            ("AKIA1", 401),
            ("AKIA2:sec:ret", 401),
            (":", 401),
            // There is no field for its token.
            ("ASIA1:secret", 401),
        ] {
            let parts = parts("/_/upload", local, Some(login));
            assert_eq!(page.answer(&parts, &Ids::default()).await.status(), status, "{login}");
        }
        let mut twice = parts("/_/upload", local, Some("AKIA1:sec:ret"));
        let login = twice.headers["authorization"].clone();
        twice.headers.append("authorization", login);
        assert_eq!(page.answer(&twice, &Ids::default()).await.status(), 401);
    }

    #[test]
    fn what_is_the_page_and_what_a_bucket() {
        let local = Peer { local: true, secure: false };
        let owns = |page: &Page, host: &'static str, path: &str| {
            let mut parts = parts(path, local, None);
            parts.headers.insert("host", HeaderValue::from_static(host));
            page.owns(&parts)
        };
        let page = page_over(Some("s3.test"));
        assert!(owns(&page, "s3.test", "/_/upload") && owns(&page, "localhost", "/_/"));
        assert!(!owns(&page, "s3.test", "/_") && !owns(&page, "s3.test", "/demo/_/upload"));
        assert!(!owns(&page, "demo.s3.test", "/_/upload"));
        assert!(owns(&page_over(None), "demo.s3.test", "/_/upload"));
    }
}
