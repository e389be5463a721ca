//! Which web pages may read answers: cross-origin resource sharing (Fetch Standard, "CORS protocol").
//!
//! S3 answers by the rules of a bucket; here one list of origins is good for all buckets. A signature
//! is asked for all the same: this is about what a browser shows to a page.
//!
//! What is asked for this module deliberately does not know.

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use s3s::Body;

use crate::error::{Fault, Ids};

/// What a page may ask for, if it may ask.
const METHODS: [Method; 5] = [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE];
/// What it may see besides what all pages see.
const EXPOSED: &str = "ETag, Location, x-amz-request-id, x-amz-id-2";
/// How long a browser may remember, in seconds.
const MAX_AGE: &str = "600";

/// The origins whose pages may ask.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cors {
    /// As browsers write them; `*` is any.
    allowed: Vec<String>,
}

impl Cors {
    pub(crate) fn new(allowed: &[String]) -> Self {
        Cors { allowed: allowed.to_vec() }
    }

    /// The answer to a browser that asks before it sends a request; nothing is signed then.
    pub(crate) fn preflight(&self, parts: &Parts, ids: &Ids) -> Option<Response<Body>> {
        let asked = parts.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
        let origin = parts.headers.get(header::ORIGIN)?;
        (parts.method == Method::OPTIONS).then(|| {
            if self.allowed.is_empty() {
                return Fault::NoCors.answer(ids);
            }
            let method =
                METHODS.iter().any(|method| method.as_str().as_bytes() == asked.as_bytes());
            if !method || self.allows(origin).is_none() {
                return Fault::Cors.answer(ids);
            }
            let mut response = Response::new(Body::empty());
            let headers = response.headers_mut();
            // The list is short, and one text.
            let methods = METHODS.map(|method| method.to_string()).join(", ");
            if let Ok(methods) = HeaderValue::try_from(methods) {
                headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            }
            if let Some(names) = parts.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
            }
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
            response
        })
    }

    /// Says on an answer whether a page of this origin may read it.
    pub(crate) fn mark(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if self.allowed.is_empty() {
            return;
        }
        headers.append(
            header::VARY,
            HeaderValue::from_static(
                "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
            ),
        );
        // Those of a server behind this one are about itself.
        for name in MARKS {
            headers.remove(name);
        }
        if let Some(allowed) = origin.and_then(|origin| self.allows(origin)) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
            let exposed = HeaderValue::from_static(EXPOSED);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }

    /// What an origin is told, if its pages may ask. Cookies and passwords are nobody's to send.
    fn allows(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.allowed.iter().any(|allowed| allowed == "*") {
            return Some(HeaderValue::from_static("*"));
        }
        let known = self.allowed.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes());
        known.then(|| origin.clone())
    }
}

/// The fields that say so.
const MARKS: [HeaderName; 3] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server behind this one says of origins, who may be other ones.
    fn answer_of_another() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for name in MARKS {
            headers.insert(name, HeaderValue::from_static("https://theirs.test"));
        }
        headers
    }

    #[test]
    fn the_list_replaces_what_another_server_says() {
        let cors = Cors::new(&["https://ours.test".to_owned()]);
        let allow = header::ACCESS_CONTROL_ALLOW_ORIGIN;
        for (origin, told) in [
            (Some("https://ours.test"), Some("https://ours.test")),
            (Some("https://theirs.test"), None),
            (None, None),
        ] {
            let mut headers = answer_of_another();
            let origin = origin.map(HeaderValue::from_static);
            cors.mark(origin.as_ref(), &mut headers);
            assert_eq!(headers.get(&allow).map(HeaderValue::as_bytes), told.map(str::as_bytes));
            assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
            assert!(headers.contains_key(header::VARY));
        }
    }

    #[test]
    fn without_a_list_nothing_is_said() {
        let mut headers = answer_of_another();
        let origin = HeaderValue::from_static("https://ours.test");
        Cors::default().mark(Some(&origin), &mut headers);
        assert_eq!(headers, answer_of_another());
    }
}
