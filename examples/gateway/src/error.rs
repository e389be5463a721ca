//! What is answered when a request is refused.
//!
//! S3's XML, in one place. Faults of a signature are answered by the library; for the few that are
//! the gateway's own, code, status and message stand here. Answers of the store get the request's
//! id, and tell their code to the log.
//!
//! This module deliberately knows nothing of why something was refused.

use std::fmt;

use bytes::Bytes;
use countersign::http::{FormUploadError, VerifiedBodyError};
use countersign::{Error, Family, Hint};
use http::{HeaderValue, Method, Response, StatusCode, header};
use s3s::Body;

use crate::arriving::BrokenOff;

/// What one request is called, in its answer and in the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    pub(crate) request: String,
    /// The same for all requests of one process.
    pub(crate) host: std::sync::Arc<str>,
}

/// The gateway's own reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The body is larger than allowed.
    TooLarge,
    /// The body stopped before its end.
    Incomplete,
    /// Nothing came for too long.
    Idle,
    /// The body is framed, but what is signed does not say so.
    Framed,
    /// The path cannot be a URI.
    Uri,
    /// A header cannot be passed on.
    Header,
    /// A trailer whose length is not known in advance.
    Trailer,
    /// A field of a form that would be left out.
    Field,
    /// A method that the resource does not take.
    Method,
    /// No web page may ask.
    NoCors,
    /// This web page may not ask, or not for this.
    Cors,
    /// The store behind the gateway does not answer.
    Upstream,
    /// Something failed here.
    Internal,
}

impl Fault {
    /// What is wrong with a body that broke off, or that cannot be held.
    pub(crate) fn of_broken(error: &VerifiedBodyError<BrokenOff>) -> Self {
        match error {
            VerifiedBodyError::Inner(reason) => Fault::of_broken_off(reason),
            VerifiedBodyError::TooLong => Fault::TooLarge,
            _ => Fault::Internal,
        }
    }

    /// What is wrong with a body that broke off.
    pub(crate) fn of_broken_off(reason: &BrokenOff) -> Self {
        match reason {
            BrokenOff::Idle => Fault::Idle,
            BrokenOff::Connection(error) => {
                tracing::debug!(%error, "a body broke off");
                Fault::Incomplete
            }
        }
    }

    /// What is wrong with a form that broke off.
    pub(crate) fn of_form(error: &FormUploadError) -> Self {
        let reason = match error {
            FormUploadError::Inner(reason) => reason.downcast_ref(),
            _ => None,
        };
        reason.map_or(Fault::Internal, Fault::of_broken_off)
    }

    /// Code, status and message.
    const fn words(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Fault::TooLarge => (
                "EntityTooLarge",
                StatusCode::BAD_REQUEST,
                "Your proposed upload exceeds the maximum allowed size",
            ),
            Fault::Incomplete => (
                "IncompleteBody",
                StatusCode::BAD_REQUEST,
                "The request body terminated unexpectedly",
            ),
            Fault::Idle => (
                "RequestTimeout",
                StatusCode::BAD_REQUEST,
                "Your socket connection to the server was not read from or written to within the \
                 timeout period. Idle connections will be closed.",
            ),
            Fault::Framed => (
                "NotImplemented",
                StatusCode::NOT_IMPLEMENTED,
                "An aws-chunked body is not accepted unless x-amz-content-sha256 says that it is \
                 one",
            ),
            Fault::Uri => {
                ("InvalidURI", StatusCode::BAD_REQUEST, "Couldn't parse the specified URI.")
            }
            Fault::Header => {
                ("InvalidRequest", StatusCode::BAD_REQUEST, "A header cannot be represented")
            }
            Fault::Trailer => (
                "NotImplemented",
                StatusCode::NOT_IMPLEMENTED,
                "A trailer you announced implies functionality that is not implemented.",
            ),
            Fault::Field => (
                "NotImplemented",
                StatusCode::NOT_IMPLEMENTED,
                "A form field you provided implies functionality that is not implemented.",
            ),
            Fault::Method => (
                "MethodNotAllowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "The specified method is not allowed against this resource.",
            ),
            Fault::NoCors => (
                "AccessForbidden",
                StatusCode::FORBIDDEN,
                "CORSResponse: CORS is not enabled for this bucket.",
            ),
            // As S3 spells it.
            Fault::Cors => (
                "AccessForbidden",
                StatusCode::FORBIDDEN,
                "CORSResponse: This CORS request is not allowed. This is usually because the \
                 evalution of Origin, request method / Access-Control-Request-Method or \
                 Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
            ),
            Fault::Upstream => (
                "ServiceUnavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "The store behind this gateway does not answer. Please try again.",
            ),
            Fault::Internal => (
                "InternalError",
                StatusCode::INTERNAL_SERVER_ERROR,
                "We encountered an internal error. Please try again.",
            ),
        }
    }

    /// The answer. The texts are the gateway's own, so nothing needs escaping.
    pub(crate) fn answer(self, ids: &Ids) -> Response<Body> {
        let (code, status, message) = self.words();
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <Error><Code>{code}</Code><Message>{message}</Message>{}</Error>",
            Suffix(ids)
        );
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        response
    }
}

/// The answer to a request that the library refused outside of its layer. The error is among its
/// extensions.
pub(crate) fn refusal(error: Error, hint: &Hint<'_>, ids: &Ids) -> Response<Body> {
    let mut response = Response::new(Body::from(hint.body(&ids.request, &ids.host).to_string()));
    *response.status_mut() =
        StatusCode::from_u16(hint.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(hint.content_type()));
    response.extensions_mut().insert(error);
    response
}

/// Puts the ids on an answer and gives it the form its method and status ask for. Returns the code
/// of an error, for the log.
pub(crate) fn dress(
    mut response: Response<Body>,
    method: &Method,
    ids: &Ids,
) -> (Response<Body>, Option<String>) {
    let refused = response.status().is_client_error() || response.status().is_server_error();
    let hinted = response.extensions().get::<Error>().map(|error| error.code(Family::S3));
    let mut code = hinted.map(str::to_owned);
    if refused && let Some(body) = response.body().bytes() {
        code = code.or_else(|| find_code(&body));
        if let Some(body) = completed(&body, response.status(), ids) {
            response.headers_mut().remove(header::CONTENT_LENGTH);
            *response.body_mut() = Body::from(body);
        }
    }
    // A HEAD is answered with the status alone, and 304 has no body either.
    if refused && *method == Method::HEAD || response.status() == StatusCode::NOT_MODIFIED {
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.headers_mut().remove(header::CONTENT_TYPE);
    }
    for (name, value) in [("x-amz-request-id", ids.request.as_str()), ("x-amz-id-2", &ids.host)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    (response, code)
}

/// The code in an error's XML.
fn find_code(body: &Bytes) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (code, _) = text.split_once("<Code>")?.1.split_once("</Code>")?;
    Some(code.to_owned())
}

/// The same error with the request's id, and with a message, which s3s leaves out of its own.
fn completed(body: &Bytes, status: StatusCode, ids: &Ids) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let inner = text.strip_suffix("</Error>").filter(|_| !text.contains("<RequestId>"))?;
    let reason = status.canonical_reason().filter(|_| !text.contains("<Message>"));
    let message = reason.map(|reason| format!("<Message>{reason}</Message>")).unwrap_or_default();
    Some(format!("{inner}{message}{}</Error>", Suffix(ids)))
}

/// The end of every error: ids are of our own making, letters and digits.
struct Suffix<'i>(&'i Ids);

impl fmt::Display for Suffix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ids { request, host } = self.0;
        write!(f, "<RequestId>{request}</RequestId><HostId>{host}</HostId>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> Ids {
        Ids { request: "0123".to_owned(), host: "host".into() }
    }

    fn error(text: &str) -> Response<Body> {
        let mut response = Response::new(Body::from(text.to_owned()));
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    }

    #[test]
    fn errors_of_the_store_get_the_ids() {
        let response = error("<?xml?><Error><Code>NoSuchKey</Code></Error>");
        let (response, code) = dress(response, &Method::GET, &ids());
        assert_eq!(code.as_deref(), Some("NoSuchKey"));
        assert_eq!(
            response.body().bytes().unwrap(),
            "<?xml?><Error><Code>NoSuchKey</Code><Message>Not Found</Message>\
             <RequestId>0123</RequestId><HostId>host</HostId></Error>"
        );
        assert_eq!(response.headers()["x-amz-request-id"], "0123");
    }

    #[test]
    fn a_head_has_no_body() {
        let response = Fault::Internal.answer(&ids());
        let (response, code) = dress(response, &Method::HEAD, &ids());
        assert_eq!(code.as_deref(), Some("InternalError"));
        assert!(response.body().bytes().unwrap().is_empty());
        assert!(!response.headers().contains_key(header::CONTENT_TYPE));
    }
}
