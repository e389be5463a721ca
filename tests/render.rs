//! Error bodies hold whatever a peer sent, and stay well formed: another parser reads back what was
//! meant.

use countersign::{
    BodyError, Error, Family, Header, ReadError, Request, SecretKey, SigningKey, Timestamp,
    Verifier,
};
use proptest::prelude::*;

const AT: &str = "20130524T000000Z";

/// Elements of an S3 body: name and text.
fn elements(body: &str) -> Vec<(String, String)> {
    let document = roxmltree::Document::parse(body).expect("well-formed XML");
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "Error");
    let children = root.children().inspect(|child| assert!(child.is_element(), "stray text"));
    children
        .map(|child| {
            assert!(child.children().all(|inner| inner.is_text()), "an element inside an element");
            (child.tag_name().name().to_owned(), child.text().unwrap_or_default().to_owned())
        })
        .collect()
}

/// What XML 1.0 can hold of a text.
fn in_xml(text: &str) -> String {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if allowed(c) { c } else { '\u{fffd}' }).collect()
}

#[test]
fn a_mismatch_has_the_elements_of_s3_in_their_order() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
         SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={empty}"
    );
    let headers = [
        Header { name: "host", value: b"h" },
        Header { name: "x-amz-content-sha256", value: empty.as_bytes() },
        Header { name: "x-amz-date", value: AT.as_bytes() },
        Header { name: "authorization", value: authorization.as_bytes() },
    ];
    let request = Request { method: "GET", target: "/b/<k>?a=1&b=2", headers: &headers };
    let (rules, now) = (Verifier::s3("us-east-1"), Timestamp::parse(AT).expect("a time"));
    let claim = rules.read(&request, now).expect("a claim");
    let (canonical, text) =
        (claim.canonical_request().to_string(), claim.string_to_sign().to_string());
    let key = SigningKey::derive(&SecretKey::new("secret").expect("a secret"), &claim.scope());
    let error = Error::from(claim.verify(&key).expect_err("a wrong signature"));
    let hint = error.hint(Family::S3).about(&rules, &request, now);
    let hex =
        |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    let expected = [
        ("Code", "SignatureDoesNotMatch".to_owned()),
        (
            "Message",
            "The request signature we calculated does not match the signature you provided. Check \
             your key and signing method."
                .to_owned(),
        ),
        ("AWSAccessKeyId", "AKIAIOSFODNN7EXAMPLE".to_owned()),
        ("StringToSign", text.clone()),
        ("SignatureProvided", empty.to_owned()),
        ("StringToSignBytes", hex(&text)),
        ("CanonicalRequest", canonical.clone()),
        ("CanonicalRequestBytes", hex(&canonical)),
        ("RequestId", "id".to_owned()),
        ("HostId", "host".to_owned()),
    ];
    let found = elements(&hint.body("id", "host").to_string());
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(found, expected);
    assert!(canonical.starts_with("GET\n/b/%3Ck%3E\na=1&b=2\n"));
}

#[test]
fn elements_by_fault() {
    let names = |error: Error, request: &Request<'_>, now: &str| {
        let (rules, now) = (Verifier::s3("eu-west-1"), Timestamp::parse(now).expect("a time"));
        let hint = error.hint(Family::S3).about(&rules, request, now);
        let mut elements = Vec::new();
        hint.elements(|name, value| elements.push((name, value.to_string())));
        elements
    };
    let target = "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20130524%2Fus-east-1%2Fs3\
        %2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=range&\
        X-Amz-Signature=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let headers = [
        Header { name: "host", value: b"h" },
        Header { name: "X-Amz-Acl", value: b"public-read" },
        Header { name: "x_amz_tagging", value: b"" },
        Header { name: "accept", value: b"*/*" },
    ];
    let request = Request { method: "GET", target, headers: &headers };
    let text = |pairs: &[(&'static str, &str)]| -> Vec<_> {
        pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
    };
    assert_eq!(
        names(ReadError::HeadersNotSigned.into(), &request, AT),
        text(&[("HeadersNotSigned", "host, x-amz-acl, x_amz_tagging")]),
    );
    assert_eq!(
        names(ReadError::SignedHeaderMissing.into(), &request, AT),
        text(&[("HeadersNotSent", "range")]),
    );
    assert_eq!(
        names(ReadError::ScopeRegion(countersign::Mechanism::Query).into(), &request, AT),
        text(&[("Region", "eu-west-1")]),
    );
    assert_eq!(
        names(ReadError::Expired.into(), &request, "20130524T000200Z"),
        text(&[
            ("X-Amz-Expires", "60"),
            ("Expires", "2013-05-24T00:01:00Z"),
            ("ServerTime", "2013-05-24T00:02:00Z"),
        ]),
    );
    assert_eq!(
        names(ReadError::ClockSkew.into(), &request, "20130524T020000Z"),
        text(&[
            ("RequestTime", "20130524T000000Z"),
            ("ServerTime", "2013-05-24T02:00:00Z"),
            ("MaxAllowedSkewMilliseconds", "900000"),
        ]),
    );
    assert_eq!(
        names(BodyError::Length { expected: 3, provided: 2 }.into(), &request, AT),
        text(&[("NumberBytesExpected", "3"), ("NumberBytesProvided", "2")]),
    );
}

proptest! {
    /// Hostile values of a header that an S3 answer repeats.
    #[test]
    fn s3_bodies_are_well_formed(value in ".{0,40}", id in ".{0,10}") {
        let field = value.replace(['\r', '\n'], "");
        let headers = [
            Header { name: "host", value: b"h" },
            Header { name: "authorization", value: field.as_bytes() },
        ];
        let request = Request { method: "GET", target: "/", headers: &headers };
        let (rules, now) = (Verifier::s3("us-east-1"), Timestamp::parse(AT).expect("a time"));
        let hint = Error::from(ReadError::AuthorizationType).hint(Family::S3);
        let hint = hint.about(&rules, &request, now);
        let found = elements(&hint.body(&id, "<&\">'").to_string());
        let get = |name: &str| {
            let element = found.iter().find(|(found, _)| found == name);
            element.map(|(_, text)| text.clone())
        };
        let trimmed = field.trim_matches([' ', '\t']);
        prop_assert_eq!(get("ArgumentValue"), Some(in_xml(trimmed)));
        prop_assert_eq!(get("RequestId"), Some(in_xml(&id)));
        prop_assert_eq!(get("HostId"), Some("<&\">'".to_owned()));
    }

    /// The messages of the two other families, with a credential of the peer's choice.
    #[test]
    fn query_and_json_bodies_are_well_formed(region in "[^,/]{1,20}") {
        let region = region.replace(['\r', '\n'], "");
        let field = format!("AWS4-HMAC-SHA256 Credential=A/20130524/{region}/sts/aws4_request");
        let headers = [
            Header { name: "host", value: b"h" },
            Header { name: "authorization", value: field.as_bytes() },
        ];
        let request = Request { method: "GET", target: "/", headers: &headers };
        let (rules, now) = (Verifier::service("sts", "us-east-1"), Timestamp::parse(AT).expect("a time"));
        let error = Error::from(ReadError::ScopeRegion(countersign::Mechanism::Header));
        let message = format!("Credential should be scoped to a valid region, not '{region}'.");

        let json = error.hint(Family::Json).about(&rules, &request, now);
        let json: serde_json::Value = serde_json::from_str(&json.body("id", "").to_string()).expect("JSON");
        prop_assert_eq!(&json["__type"], "InvalidSignatureException");
        prop_assert_eq!(json["message"].as_str(), Some(message.as_str()));

        let xml = error.hint(Family::Query).about(&rules, &request, now);
        let xml = xml.body("id", "").to_string();
        let document = roxmltree::Document::parse(&xml).expect("well-formed XML");
        let text = |name: &str| {
            let mut elements = document.descendants();
            elements.find(|node| node.has_tag_name(name)).and_then(|node| node.text()).map(str::to_owned)
        };
        prop_assert_eq!(text("Code"), Some("SignatureDoesNotMatch".to_owned()));
        prop_assert_eq!(text("Message"), Some(in_xml(&message)));
    }
}
