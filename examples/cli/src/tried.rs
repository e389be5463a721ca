//! How a request tries to say who sent it, valid or not.
//!
//! The library reads a claim or refuses it; of a refused one it does not say where it stood. This
//! looks for the same places from outside. It is a word in a report and decides nothing.

use bstr::ByteSlice;
use countersign::Dialect;
use percent_encoding::percent_decode;
use serde::Serialize;

use crate::raw::Head;

/// The parameters that make a query a claim.
const PARAMETERS: [&str; 8] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-S3session-Token",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];

/// The parameters that together make a query a claim of Signature Version 2.
const PARAMETERS_OF_VERSION_2: [&str; 2] = ["AWSAccessKeyId", "Signature"];

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
    /// What a request tries. If it tries both query and header, the query is named.
    pub(crate) fn of(head: &Head, dialect: Dialect) -> Self {
        if in_query(head) {
            Self::Query
        } else if head.values("authorization").next().is_some() {
            Self::Header
        } else if dialect == Dialect::S3 && is_form(head) {
            Self::Form
        } else {
            Self::Anonymous
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

fn in_query(head: &Head) -> bool {
    let query = head.target.split_once_str(b"?").map_or(&[][..], |(_, query)| query);
    let names = || {
        query
            .split_str(b"&")
            .map(|piece| piece.split_once_str(b"=").map_or(piece, |(name, _)| name))
    };
    let is_spelling_of = |name: &[u8], parameter: &str| {
        let spelled = percent_decode(name).map(|byte| byte.to_ascii_lowercase());
        spelled.eq(parameter.bytes().map(|byte| byte.to_ascii_lowercase()))
    };
    names().any(|name| PARAMETERS.iter().any(|parameter| is_spelling_of(name, parameter)))
        || PARAMETERS_OF_VERSION_2
            .iter()
            .all(|parameter| names().any(|name| name == parameter.as_bytes()))
}

fn is_form(head: &Head) -> bool {
    const FORM: &[u8] = b"multipart/form-data";
    let starts =
        |value: &[u8]| value.get(..FORM.len()).is_some_and(|m| m.eq_ignore_ascii_case(FORM));
    head.method == b"POST" && head.values("content-type").any(starts)
}

#[cfg(test)]
mod tests {
    use countersign::Dialect;

    use super::Mechanism;
    use crate::raw::Head;

    fn of(dialect: Dialect, text: &str) -> Mechanism {
        let text = format!("{text}\r\n\r\n");
        Mechanism::of(&Head::read(&mut text.as_bytes()).expect("a head"), dialect)
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
            assert_eq!(of(Dialect::S3, text), expected, "{text}");
        }
        assert_eq!(of(Dialect::Standard, FORM), Anonymous);
        assert_eq!(of(Dialect::S3, &FORM.replace("POST", "PUT")), Anonymous);
    }
}
