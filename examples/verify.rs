//! Verifies an upload: head first, then the body while it arrives; commits only on the proof.
//!
//! `cargo run --example verify`

use std::collections::HashMap;

use countersign::{
    AccessKeyId, BodyError, ContentSha256, CredentialScope, Credentials, Error, Event, Family,
    Header, Request, SecretKey, Signer, SigningKey, Timestamp, Verified, Verifier,
};

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// A server's half: from a head to who sent it.
fn authenticate<'r>(
    keys: &HashMap<&str, &str>,
    request: &Request<'r>,
    now: Timestamp,
) -> Result<Verified<'r>, Error> {
    let rules = Verifier::s3("us-east-1");
    let claim = rules.read(request, now)?;
    match keys.get(claim.claimed_access_key_id().as_str()).and_then(|s| SecretKey::new(s).ok()) {
        Some(secret) => {
            let key = SigningKey::derive(&secret, &claim.scope());
            Ok(claim.verify(&key)?)
        }
        None => {
            // The same work as a wrong signature: the answer's time tells nobody which keys exist.
            let decoy = SecretKey::new("a secret of the server's own").expect("not empty");
            let decoy = SigningKey::derive(&decoy, &claim.scope());
            Err(claim.refuse_unknown_key(&decoy).into())
        }
    }
}

/// The body, piece by piece; what comes back may be committed.
fn receive(head: Verified<'_>, pieces: &[&[u8]]) -> Result<Vec<u8>, BodyError> {
    let mut aside = Vec::new();
    let mut body = head.into_body();
    for mut piece in pieces.iter().copied() {
        while !piece.is_empty() {
            let fed = body.feed(piece)?;
            if let Event::Data(data) = fed.event {
                aside.extend_from_slice(data.into_unverified());
            }
            piece = &piece[fed.consumed..];
        }
    }
    let proof = body.finish()?;
    println!("{} bytes, covered by the signature: {}", proof.len(), proof.is_signed());
    Ok(aside)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keys = HashMap::from([(ID, SECRET)]);
    let now = Timestamp::now();

    // A client's half, so that there is something to verify.
    let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "s3" };
    let credentials = Credentials {
        access_key_id: AccessKeyId::new(ID)?,
        secret_key: SecretKey::new(SECRET)?,
        session_token: None,
    };
    let wire = [Header { name: "Host", value: b"examplebucket.s3.amazonaws.com" }];
    let request = Request { method: "PUT", target: "/hello%20world.txt", headers: &wire };
    let content = ContentSha256::of(b"Welcome to Amazon S3.");
    let signed = Signer::new(&credentials, scope)?.sign(&request, content, now)?;
    let added: Vec<_> = signed.headers().map(|(name, value)| (name, value.to_string())).collect();
    let added = added.iter().map(|(name, value)| Header { name, value: value.as_bytes() });
    let headers: Vec<_> = wire.into_iter().chain(added).collect();
    let request = Request { headers: &headers, ..request };

    let who = authenticate(&keys, &request, now)?;
    println!("{} puts {}", who.access_key_id(), who.path());
    receive(who, &[b"Welcome to ", b"Amazon S3."])?;

    // The same head with another body, and one with another path.
    let who = authenticate(&keys, &request, now)?;
    let error = receive(who, &[b"Welcome to ", b"another."]).expect_err("another body");
    println!("refused: {error} ({})", Error::from(error).code(Family::S3));
    let request = Request { target: "/another.txt", ..request };
    let error = authenticate(&keys, &request, now).expect_err("another path");
    println!("refused: {error} ({})", error.code(Family::S3));
    Ok(())
}
