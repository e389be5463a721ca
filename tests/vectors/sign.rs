//! Runs the signing side: what was published has to come out, and what comes out has to verify.

use std::time::Duration;

use countersign::{
    AccessKeyId, CanonicalRequest, ChunkSigner, ContentHeader, ContentSha256, CredentialScope,
    Credentials, Date, Dialect, Framing, Header, Request, SecretKey, SessionToken, Signed, Signer,
    SigningKey, Verifier,
};

use crate::model::{Form, Key, Sign, Stream};
use crate::verify::{pass, read, same};

pub(crate) fn run(vector: &Sign) -> Result<(), String> {
    let text = |error: &dyn std::error::Error| format!("{error} ({error:?})");
    let scope = CredentialScope {
        date: vector.at.date(),
        region: &vector.region,
        service: &vector.service,
    };
    let token = vector.session_token.as_deref().map(SessionToken::new).transpose();
    let credentials = Credentials {
        access_key_id: AccessKeyId::new(&vector.access_key_id).map_err(|error| text(&error))?,
        secret_key: SecretKey::new(&vector.secret).map_err(|error| text(&error))?,
        session_token: token.map_err(|error| text(&error))?,
    };
    let mut signer = Signer::new(&credentials, scope).map_err(|error| text(&error))?;
    if let Some(rule) = vector.token_rule {
        signer = signer.session_token(rule);
    }
    if let Some(add) = vector.add_content_header {
        let rule = if add { ContentHeader::Send } else { ContentHeader::Omit };
        signer = signer.content_header(rule);
    }
    let content = match vector.content.as_deref() {
        None | Some("body") => ContentSha256::of(&vector.body),
        Some(other) => ContentSha256::parse(other).ok_or("a content that is none")?,
    };
    vector.head.with(|request| match &vector.form {
        Form::Header { authorization } => {
            let Some(stream) = &vector.stream else {
                let signed =
                    signer.sign(request, content, vector.at).map_err(|error| text(&error))?;
                let mut buffer = vec![0; 64 * 1024];
                let written = signer.sign_to(request, content, vector.at, &mut buffer);
                let written = written.map_err(|error| text(&error))?;
                let shown = |(name, value)| format!("{name}: {}", String::from_utf8_lossy(value));
                same(
                    "fields in a buffer",
                    &signed.headers().map(|(n, v)| format!("{n}: {v}")).collect::<Vec<_>>(),
                    &written.headers().map(shown).collect::<Vec<_>>(),
                )?;
                return head(vector, authorization, request, &signed, &vector.body);
            };
            let names: Vec<_> = stream.trailers.iter().map(|(name, _)| name.as_str()).collect();
            let names = names.join(",");
            let content = ContentSha256::parse(&stream.content).ok_or("a content that is none")?;
            let framing = Framing { content, decoded_len: stream.decoded_len, trailers: &names };
            let (signed, chunks) =
                signer.sign_stream(request, &framing, vector.at).map_err(|error| text(&error))?;
            let encoded = frame(vector, stream, &framing, chunks)?;
            head(vector, authorization, request, &signed, &encoded)
        }
        Form::Query { expires, target } => {
            let expires = Duration::from_secs(*expires);
            let mut buffer = vec![0; 64 * 1024];
            let (presigned, written) = if vector.content.is_some() || signer_hashes_body(vector) {
                let written =
                    signer.presign_with_to(request, content, expires, vector.at, &mut buffer);
                (signer.presign_with(request, content, expires, vector.at), written)
            } else {
                let written = signer.presign_to(request, expires, vector.at, &mut buffer);
                (signer.presign(request, expires, vector.at), written)
            };
            let presigned = presigned.map_err(|error| text(&error))?;
            let written = written.map_err(|error| text(&error))?;
            same(
                "canonical request",
                &vector.canonical_request,
                &bytes_of(&presigned.canonical_request()),
            )?;
            same(
                "string to sign",
                &vector.string_to_sign,
                &presigned.string_to_sign().to_string(),
            )?;
            same("signature", &vector.signature, &presigned.signature().to_string())?;
            let found = presigned.target().to_string();
            same("target in a buffer", found.as_bytes(), written)?;
            same("target", &parameters(target), &parameters(&found))?;
            verifies(vector, &Request { target: &found, ..*request }, &vector.body)
        }
    })
}

/// Compares a signed head, and verifies it with a body as it crosses the wire.
fn head(
    vector: &Sign,
    authorization: &str,
    request: &Request<'_>,
    signed: &Signed<'_>,
    body: &[u8],
) -> Result<(), String> {
    let found = bytes_of(&signed.canonical_request());
    same("canonical request", &vector.canonical_request, &found)?;
    same("string to sign", &vector.string_to_sign, &signed.string_to_sign().to_string())?;
    same("signature", &vector.signature, &signed.signature().to_string())?;
    let blank_after_comma = authorization.replace(", ", ",").replace(',', ", ");
    same("authorization", &blank_after_comma, &signed.authorization().to_string())?;
    let added: Vec<_> = signed.headers().map(|(name, value)| (name, value.to_string())).collect();
    let added = added.iter().map(|(name, value)| Header { name, value: value.as_bytes() });
    let headers: Vec<_> = request.headers.iter().copied().chain(added).collect();
    verifies(vector, &Request { headers: &headers, ..*request }, body)
}

/// Frames the body; it and its length come out as published.
fn frame(
    vector: &Sign,
    stream: &Stream,
    framing: &Framing<'_>,
    mut chunks: ChunkSigner,
) -> Result<Vec<u8>, String> {
    let (mut rest, mut encoded) = (vector.body.as_slice(), Vec::new());
    for len in &stream.chunks {
        let (chunk, tail) = rest.split_at_checked(*len).ok_or("chunks longer than the body")?;
        let head = chunks.chunk(chunk).map_err(|error| format!("a chunk: {error:?}"))?;
        for piece in [head.as_bytes(), chunk, ChunkSigner::DATA_END] {
            encoded.extend_from_slice(piece);
        }
        rest = tail;
    }
    same("rest of the body", &b""[..], rest)?;
    let trailers: Vec<_> =
        stream.trailers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let end = chunks.finish(&trailers).map_err(|error| format!("the end: {error:?}"))?;
    encoded.extend_from_slice(end.as_bytes());
    if encoded != stream.encoded {
        let at = encoded.iter().zip(&stream.encoded).take_while(|(a, b)| a == b).count();
        return Err(format!("the framed body is another one from byte {at}"));
    }
    same("length of the framed body", &stream.encoded_len, &(encoded.len() as u64))?;
    // The length is foretold for chunks of one size but for the last.
    let size = stream.chunks.first().copied().unwrap_or(1);
    let (last, others) = stream.chunks.split_last().unwrap_or((&size, &[]));
    if *last <= size && others.iter().all(|len| *len == size) {
        let values: Vec<_> = stream.trailers.iter().map(|(_, value)| value.len()).collect();
        let found = framing.encoded_len(size as u64, &values);
        same("foretold length", &Some(stream.encoded_len), &found)?;
    }
    Ok(encoded)
}

fn bytes_of(canonical: &CanonicalRequest<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    canonical.pieces(|piece| bytes.extend_from_slice(piece));
    bytes
}

fn signer_hashes_body(vector: &Sign) -> bool {
    Dialect::of_service(&vector.service) == Dialect::Standard
}

/// The path and the parameters in an order of their own: publishers write them in different ones.
fn parameters(target: &str) -> (String, Vec<String>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut parameters: Vec<_> = query.split('&').map(str::to_owned).collect();
    parameters.sort();
    (path.to_owned(), parameters)
}

/// What we signed, we verify.
fn verifies(vector: &Sign, request: &Request<'_>, body: &[u8]) -> Result<(), String> {
    let mut rules = Verifier::service(&vector.service, &vector.region)
        .unsigned_payload(countersign::UnsignedPayload::Accept);
    if let Some(rule) = vector.token_rule {
        rules = rules.session_token(rule);
    }
    let digest_of_another_body =
        vector.content.as_deref().is_some_and(|content| content.len() == 64);
    if digest_of_another_body && rules.dialect() == Dialect::Standard {
        // Nothing says which body it was: a verifier hashes the one it has.
        return Ok(());
    }
    let missing = vector.add_content_header == Some(false)
        && rules.dialect() == Dialect::S3
        && matches!(vector.form, Form::Header { .. });
    if missing {
        // Signed without the field that S3 demands, as older documents show it.
        return Ok(());
    }
    let claim = read(&rules, request, body, vector.at)
        .map_err(|error| format!("our own request is refused: {error:?}"))?;
    let secret = SecretKey::new(&vector.secret).map_err(|error| error.to_string())?;
    let key = SigningKey::derive(&secret, &claim.scope());
    let verified = match &vector.session_token {
        None => claim.verify(&key),
        Some(token) => claim.verify_session(&key, SessionToken::new(token).expect("as before")),
    };
    let verified = verified.map_err(|error| format!("our own signature is refused: {error:?}"))?;
    same("access key", vector.access_key_id.as_str(), verified.access_key_id().as_str())?;
    let Some(stream) = &vector.stream else { return Ok(()) };
    let passage = pass(verified.into_body(), [body]);
    let proof = passage.end.map_err(|error| format!("our own body is refused: {error:?}"))?;
    same("object", &vector.body, &passage.data)?;
    same("trailers", &stream.trailers, &proof.trailers)
}

/// A key derived from the secret signs as the key given in its bytes does.
pub(crate) fn run_key(vector: &Key) -> Result<(), String> {
    let secret = SecretKey::new(&vector.secret).map_err(|error| error.to_string())?;
    let date = Date::parse(&vector.date).map_err(|error| error.to_string())?;
    let scope = CredentialScope { date, region: &vector.region, service: &vector.service };
    let at = countersign::Timestamp::parse(format!("{}T000000Z", vector.date)).expect("a day");
    let mut bytes = [0; 32];
    const_hex::decode_to_slice(&vector.signing_key, &mut bytes)
        .map_err(|error| error.to_string())?;
    let sign = |key: SigningKey| {
        let id = AccessKeyId::new("AKID").expect("a name");
        let headers = [Header { name: "host", value: b"h" }];
        let request = Request { method: "GET", target: "/", headers: &headers };
        let signer = Signer::with_key(id, key, None, scope).expect("a scope");
        signer.sign(&request, ContentSha256::EMPTY, at).expect("a request").signature().to_string()
    };
    let published = sign(SigningKey::from_bytes(&bytes));
    let derived = sign(SigningKey::derive(&secret, &scope));
    same("signature", &published, &derived)?;
    bytes[0] ^= 1;
    if sign(SigningKey::from_bytes(&bytes)) == published {
        return Err("another key gives the same signature".into());
    }
    Ok(())
}
