//! The way of a request: named, verified, answered, logged.
//!
//! Gate, body, store: in this order, for every request, with no way around; forms have a gate of their
//! own. Only a browser's question before a request, and the upload page, come before. Each request
//! leaves one line in the log, in which there is nothing secret: no query (a presigned URL is a
//! password), no headers, and a name only after it was proven.
//!
//! What is checked and what is stored this module deliberately leaves to the others.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::http::{FormFile, Hold, VerifiedBody};
use countersign::tower::{VerifiedHead, VerifyLayer};
use countersign::{AccessKeyId, Mechanism};
use http::request::Parts;
use http::{HeaderValue, Request, Response, Version, header};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use s3s::Body;
use tokio_util::task::TaskTracker;
use tower::{Layer as _, ServiceExt as _};

use crate::arriving::Arriving;
use crate::cors::Cors;
use crate::error::{self, Fault, Ids};
use crate::forms::{self, Admitted, Forms, NotAdmitted};
use crate::gate::{self, Domain, Passed};
use crate::keys::Keys;
use crate::page::Page;
use crate::staging::{NotStaged, Staged, Staging};
use crate::store::Store;
use crate::upstream::{NotForwarded, Upstream};

/// What stands behind the gate.
pub(crate) enum Backend {
    /// Objects in a local folder.
    Store(Staging, Store),
    /// Another server.
    Upstream(Box<Upstream>),
}

/// What every verified request needs.
pub(crate) struct Shared {
    pub(crate) backend: Backend,
    pub(crate) domain: Option<Domain>,
    /// The largest body.
    pub(crate) max_body: u64,
    /// Browser forms, where they are taken.
    pub(crate) forms: Option<Forms>,
    pub(crate) cors: Cors,
    pub(crate) page: Option<Page>,
    /// What the store is doing. A verified request is carried out to its end, even if its peer goes
    /// away halfway.
    pub(crate) working: TaskTracker,
}

/// Who may come in.
pub(crate) struct Rules<'c> {
    pub(crate) region: &'c str,
    pub(crate) clock_skew: Duration,
    pub(crate) keys: Arc<Keys>,
}

/// Everything between a connection and a store.
pub(crate) fn service(
    rules: Rules<'_>,
    shared: Shared,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Body>,
    Error = Infallible,
    Future: Future + Send,
> + Clone
+ Send
+ 'static {
    let hold = match shared.backend {
        // Written aside, and taken back unless there is a proof.
        Backend::Store(..) => Hold::Nothing,
        Backend::Upstream(_) => Hold::End,
    };
    let gate = gate::layer(rules.region, rules.clock_skew, hold, rules.keys);
    let shared = Arc::new(shared);
    let host: Arc<str> = random_id().into();
    service_fn(move |request| {
        let ids = Ids { request: random_id(), host: Arc::clone(&host) };
        let (gate, shared) = (gate.clone(), Arc::clone(&shared));
        async move { Ok(answer(gate, shared, ids, request).await) }
    })
}

/// Answers one request and logs it.
async fn answer(
    gate: VerifyLayer<Arc<Keys>>,
    shared: Arc<Shared>,
    ids: Ids,
    request: Request<Incoming>,
) -> Response<Body> {
    let started = Instant::now();
    let (mut parts, body) = request.into_parts();
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    let version = parts.version;
    let (body, leftover) = Arriving::new(body, parts.headers.contains_key(header::EXPECT));
    parts.extensions.insert(ids.clone());
    let response = route(gate, shared, parts, body, &ids).await;
    let (mut response, code) = error::dress(response, &method, &ids);
    // What is left of a body that was refused, here or by the server behind, would stand before the next
    // request.
    if !leftover.discard().await && version <= Version::HTTP_11 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    tracing::info!(
        id = %ids.request,
        %method,
        %path,
        status = response.status().as_u16(),
        key = response.extensions().get::<AccessKeyId>().map(tracing::field::display),
        error = code.map(tracing::field::display),
        ms = started.elapsed().as_millis(),
        "request"
    );
    response
}

/// Brings a request to the gate where it has to prove its claim; or to the upload page, which has a
/// gate of its own.
async fn route(
    gate: VerifyLayer<Arc<Keys>>,
    shared: Arc<Shared>,
    parts: Parts,
    body: Arriving,
    ids: &Ids,
) -> Response<Body> {
    if let Some(page) = shared.page.as_ref().filter(|page| page.owns(&parts)) {
        return page.answer(&parts, ids).await;
    }
    let origin = parts.headers.get(header::ORIGIN).cloned();
    let mut response = if let Some(response) = shared.cors.preflight(&parts, ids) {
        response
    } else if let Some(forms) = shared.forms.as_ref().filter(|forms| forms.takes(&parts)) {
        shared.serve_form(forms, &parts, body, ids).await
    } else {
        let behind = Arc::clone(&shared);
        // In a place of its own: the layer's future is moved before this one begins.
        let verified =
            tower::service_fn(move |request| Box::pin(serve(Arc::clone(&behind), request)));
        let Ok(response) = gate.layer(verified).oneshot(Request::from_parts(parts, body)).await;
        response
    };
    shared.cors.mark(origin.as_ref(), response.headers_mut());
    if shared.page.is_some() {
        Page::confine(response.headers_mut());
    }
    response
}

/// Answers a request whose head is proven. Who signed it is among the answer's extensions.
async fn serve(
    shared: Arc<Shared>,
    request: Request<VerifiedBody<Arriving>>,
) -> Result<Response<Body>, Infallible> {
    let (mut parts, body) = request.into_parts();
    let ids = parts.extensions.remove::<Ids>().unwrap_or_default();
    let Some(head) = parts.extensions.remove::<VerifiedHead>() else {
        // Nothing gets here but through the gate.
        return Ok(Fault::Internal.answer(&ids));
    };
    tracing::debug!(
        id = %ids.request,
        method = %parts.method,
        path = %parts.uri.path(),
        version = ?parts.version,
        mechanism = ?head.mechanism(),
        content = %head.content(),
        "admitted"
    );
    let served = shared.serve(&parts, &head, body).await;
    let mut response = served.unwrap_or_else(|unserved| match unserved {
        Unserved::Body(error) => head.refuse(error),
        // Only forms end so.
        Unserved::Form(_) => Fault::Internal.answer(&ids),
        Unserved::Fault(fault) => fault.answer(&ids),
    });
    response.extensions_mut().insert(head.access_key_id());
    Ok(response)
}

/// Why a verified request is not served.
enum Unserved {
    Body(countersign::BodyError),
    Form(countersign::FormError),
    Fault(Fault),
}

impl Shared {
    /// The way of a request behind the gate: head rebuilt, body proven, store.
    async fn serve(
        &self,
        parts: &Parts,
        verified: &VerifiedHead,
        body: VerifiedBody<Arriving>,
    ) -> Result<Response<Body>, Unserved> {
        let mut head = Passed::new(parts, verified, self.domain.as_ref())?;
        // Before the body is received: a peer that waits for 100-continue then keeps all of it.
        if body.size_hint().lower() > self.max_body {
            return Err(Fault::TooLarge.into());
        }
        match &self.backend {
            Backend::Upstream(upstream) => Ok(upstream.serve(head, verified, body).await?),
            Backend::Store(staging, store) => {
                // The first poll of the body is what sends 100-continue, and it is in here.
                let staged = staging.receive(body).await?;
                head.take_trailers(staged.proof())?;
                Ok(self.store(store, head, staged).await?)
            }
        }
    }

    /// The way of a form: its claim proven, its file proven, store. Who signed it is among the
    /// answer's extensions once it is proven.
    async fn serve_form(
        &self,
        forms: &Forms,
        parts: &Parts,
        body: Arriving,
        ids: &Ids,
    ) -> Response<Body> {
        let Admitted { head, file, who, receipt } = match forms.admit(parts, body, ids).await {
            Ok(admitted) => admitted,
            Err(NotAdmitted::Refused(response)) => return response,
            Err(NotAdmitted::Fault(fault)) => return fault.answer(ids),
        };
        tracing::debug!(
            id = %ids.request,
            method = %parts.method,
            path = %parts.uri.path(),
            version = ?parts.version,
            mechanism = ?Mechanism::Form,
            "admitted"
        );
        let mut response = match self.take_form(head, file).await {
            Ok(stored) => receipt.answer(stored, ids),
            Err(Unserved::Body(error)) => forms::refused(error, ids),
            Err(Unserved::Form(error)) => forms::refused(error, ids),
            Err(Unserved::Fault(fault)) => fault.answer(ids),
        };
        response.extensions_mut().insert(who);
        response
    }

    async fn take_form(
        &self,
        head: Passed,
        file: VerifiedBody<FormFile<Arriving>>,
    ) -> Result<Response<Body>, Unserved> {
        let Backend::Store(staging, store) = &self.backend else {
            // Nobody takes forms there.
            return Err(Fault::Internal.into());
        };
        let staged = staging.receive(file).await?;
        Ok(self.store(store, head, staged).await?)
    }

    /// Both are proven.
    async fn store(
        &self,
        store: &Store,
        head: Passed,
        body: Staged,
    ) -> Result<Response<Body>, Fault> {
        let store = store.clone();
        // A task is moved several times before it runs.
        let working = self.working.spawn(Box::pin(async move { store.serve(head, body).await }));
        working.await.map_err(|error| {
            tracing::error!(%error, "the store broke down");
            Fault::Internal
        })
    }
}

impl From<Fault> for Unserved {
    fn from(fault: Fault) -> Self {
        Unserved::Fault(fault)
    }
}

impl From<NotStaged> for Unserved {
    fn from(reason: NotStaged) -> Self {
        match reason {
            NotStaged::Body(error) => Unserved::Body(error),
            NotStaged::Form(error) => Unserved::Form(error),
            NotStaged::Fault(fault) => Unserved::Fault(fault),
            NotStaged::Storage(error) => {
                tracing::error!(%error, "a body cannot be staged");
                Unserved::Fault(Fault::Internal)
            }
        }
    }
}

impl From<NotForwarded> for Unserved {
    fn from(reason: NotForwarded) -> Self {
        match reason {
            NotForwarded::Body(error) => Unserved::Body(error),
            NotForwarded::Fault(fault) => Unserved::Fault(fault),
        }
    }
}

/// A name for a request: 16 random digits. If the system has no random numbers, requests are
/// nameless, which is no reason to refuse them.
fn random_id() -> String {
    let mut bytes = [0_u8; 8];
    if getrandom::fill(&mut bytes).is_err() {
        return String::from("0000000000000000");
    }
    format!("{:016X}", u64::from_be_bytes(bytes))
}
