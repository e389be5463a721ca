//! Bytes as the `Authorization` field of a request that is good but for it: nothing panics, whatever
//! is read is the field's own words, and every answer can be written.

#![no_main]

use countersign::{ContentSha256, Error, Mechanism, Timestamp, Verifier, VerifyError};
use countersign_fuzz::{AT, FAMILIES, Message, answer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|field: &[u8]| {
    let rules = Verifier::s3("us-east-1");
    let at = Timestamp::parse(AT).expect("a time");
    let fields = [
        ("host", b"s3.amazonaws.com".to_vec()),
        ("x-amz-content-sha256", ContentSha256::EMPTY.to_string().into_bytes()),
        ("x-amz-date", AT.into()),
        ("authorization", field.to_vec()),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value)).to_vec();
    let message = Message { method: "GET".into(), target: "/b/k".into(), fields, body: vec![] };
    message.with(|request| {
        let error = match rules.read(request, at) {
            Ok(claim) => {
                assert_eq!(claim.mechanism(), Mechanism::Header);
                let (id, scope) = (claim.claimed_access_key_id(), claim.scope());
                let credential = format!("Credential={id}/{scope}");
                let mut windows = field.windows(credential.len());
                assert!(windows.any(|window| window == credential.as_bytes()));
                Error::from(VerifyError::SignatureMismatch)
            }
            Err(error) => error.into(),
        };
        for family in FAMILIES {
            answer(error, family, &rules, request, at);
        }
    });
});
