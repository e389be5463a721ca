//! How a request tries to say who sent it, valid or not: the library's word, for requests that it can
//! read and for those that it cannot. It is a word in a report and decides nothing.

use std::str;

use countersign::{Header, Request, Verifier};
use serde::Serialize;

use crate::raw::Head;

/// Where a request carries its signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mechanism {
    Header,
    Query,
    Form,
    Anonymous,
}

impl Mechanism {
    /// What a request tries, as far as it is a request.
    pub(crate) fn of(head: &Head, rules: &Verifier<'_>) -> Self {
        let text = |bytes| str::from_utf8(bytes).unwrap_or_default();
        let fields = head.fields.iter();
        let headers: Vec<_> =
            fields.map(|field| Header { name: text(&field.name), value: &field.value }).collect();
        let request =
            Request { method: text(&head.method), target: text(&head.target), headers: &headers };
        match rules.attempted(&request) {
            Some(countersign::Mechanism::Header) => Self::Header,
            Some(countersign::Mechanism::Query) => Self::Query,
            Some(countersign::Mechanism::Form) => Self::Form,
            _ => Self::Anonymous,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Query => "query",
            Self::Form => "form",
            Self::Anonymous => "anonymous",
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign::Verifier;

    use super::Mechanism;
    use crate::raw::Head;

    fn of(service: &str, text: &str) -> Mechanism {
        let text = format!("{text}\r\n\r\n");
        let head = Head::read(&mut text.as_bytes()).expect("a head");
        Mechanism::of(&head, &Verifier::service(service, "us-east-1"))
    }

    #[test]
    fn the_place_of_the_claim() {
        use Mechanism::{Anonymous, Form, Header, Query};

        const FORM: &str = "POST /bucket HTTP/1.1\r\nContent-Type: Multipart/Form-Data; boundary=a";
        for (text, expected) in [
            ("GET / HTTP/1.1", Anonymous),
            ("GET /?prefix=X-Amz-Signature HTTP/1.1", Anonymous),
            ("GET /X-Amz-Signature= HTTP/1.1", Anonymous),
            ("GET / HTTP/1.1\r\nauthorization:", Header),
            ("GET / HTTP/1.1\r\nno field\r\nAuthorization: AWS a:b", Header),
            ("GET /?a&X-Amz-Signature HTTP/1.1", Query),
            ("GET /?x-amz-%44ate=1 HTTP/1.1", Query),
            ("GET /?X-Amz-Date=1 HTTP/1.1\r\nAuthorization: a", Query),
            ("GET /?Signature=a HTTP/1.1", Anonymous),
            ("GET /?Signature=a&AWSAccessKeyId=b HTTP/1.1", Query),
            (FORM, Form),
        ] {
            assert_eq!(of("s3", text), expected, "{text}");
        }
        assert_eq!(of("sts", FORM), Anonymous);
        assert_eq!(of("s3", &FORM.replace("POST", "PUT")), Anonymous);
    }
}
