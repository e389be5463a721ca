//! A text as the target, alone and beside an `Authorization` field: nothing panics, and beside the
//! field no claim is ever read from the query. A query that makes a claim makes it two mechanisms.

#![no_main]

use countersign::{ContentSha256, Error, Family, Mechanism, ReadError};
use countersign_fuzz::{Asked, ID, Message, answer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|target: &str| {
    let asked = Asked::by(target.as_bytes());
    let Asked { at, region, service } = &asked;
    let scope = format!("{}/{region}/{service}/aws4_request", at.date());
    let signature = "0".repeat(64);
    let fields = [
        ("host", "h".to_owned()),
        ("x-amz-content-sha256", ContentSha256::EMPTY.to_string()),
        ("x-amz-date", at.to_string()),
        (
            "authorization",
            format!(
                "AWS4-HMAC-SHA256 Credential={ID}/{scope}, SignedHeaders=host;x-amz-date, \
                 Signature={signature}"
            ),
        ),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.into_bytes())).to_vec();
    let beside = Message { method: "GET".into(), target: target.into(), fields, body: vec![] };
    let alone = Message { fields: beside.fields[..1].to_vec(), ..beside.clone() };

    for rules in asked.rules() {
        let read = |message: &Message| {
            message.with(|request| match rules.read_whole(request, b"", *at) {
                Ok(claim) => Ok(claim.mechanism()),
                Err(error) => {
                    answer(error, Family::of(rules.dialect()), &rules, request, *at);
                    Err(Error::from(error))
                }
            })
        };
        match (read(&alone), read(&beside)) {
            (Ok(mechanism), beside) => {
                assert_eq!(mechanism, Mechanism::Query);
                assert_eq!(beside, Err(ReadError::TwoMechanisms.into()));
            }
            (Err(alone), Ok(mechanism)) => {
                assert_eq!(mechanism, Mechanism::Header);
                assert_eq!(alone, ReadError::Anonymous.into());
            }
            (Err(_), Err(_)) => {}
        }
    }
});
