//! A raw message under the rules of both dialects: nothing panics; `read` and `read_whole` agree; a
//! key that the sender cannot know never verifies it; the holder's own signature, put in its place,
//! does. Then the outcome does not depend on the pieces in which the body comes, checksums only ever
//! refuse, and any one change is refused or leaves what the application sees as it was.

#![no_main]

use countersign::{
    Claim, ContentSha256, ReadError, Request, SessionToken, SigningKey, Timestamp, Verifier,
    VerifyError,
};
use countersign_fuzz::{
    Asked, Edit, FAMILIES, Holder, Message, SECRET, Way, answer, canonical_bytes, read, verify,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(message) = Message::parse(data) else { return };
    let asked = Asked::by(data);
    // What is left to chance depends on the input alone.
    let ContentSha256::Digest(digest) = ContentSha256::of(data) else { unreachable!() };
    let [what, part, low, high, with, piece, ..] = digest;
    let edit = Edit::of([what, part, low, high, with]);
    for rules in asked.rules() {
        let verify = |message: &_, holder: &_, way| verify(&rules, message, holder, asked.at, way);
        let held = message.with(|request| claim(&rules, request, &message.body, asked.at, &digest));
        let Some((holder, signature)) = held else { continue };
        let signed = message.with_signature(&signature);
        let seen = verify(&signed, &holder, Way::WHOLE).expect("the right signature");
        if let Err(error) = seen.end {
            signed.with(|request| {
                answer(error, FAMILIES[usize::from(with % 3)], &rules, request, asked.at);
            });
        }
        let pieces = Way { piece: usize::from(piece % 32) + 1, ..Way::WHOLE };
        let again = verify(&signed, &holder, pieces).expect("the right signature");
        assert_eq!(again.covered, seen.covered);
        assert_eq!(again.end, seen.end);
        if let Ok(checked) = verify(&signed, &holder, Way { checked: true, ..pieces })
            && let Ok(view) = &checked.end
        {
            assert_eq!(Ok(view), seen.end.as_ref());
        }
        if let Some(changed) = signed.edited(edit) {
            seen.tolerates(&verify(&changed, &holder, Way::WHOLE));
        }
    }
});

/// Reads the claim in every way; gives the holder of the key and what they would have signed with.
fn claim(
    rules: &Verifier<'_>,
    request: &Request<'_>,
    body: &[u8],
    at: Timestamp,
    digest: &[u8; 32],
) -> Option<(Holder<'static>, String)> {
    let family = FAMILIES[usize::from(digest[5] % 3)];
    let text = |claim: Claim<'_>| claim.string_to_sign().to_string();
    match (rules.read(request, at).map(text), rules.read_whole(request, body, at).map(text)) {
        // The one knows no digest, the other no frames.
        (Err(ReadError::ContentUnknown), _) | (_, Err(ReadError::StreamingUnsupported)) => {}
        (alone, whole) => assert_eq!(alone, whole),
    }
    let read = || read(rules, request, body, at);
    let claim = match read() {
        Ok(claim) => claim,
        Err(error) => {
            answer(error, family, rules, request, at);
            return None;
        }
    };
    assert_eq!(rules.attempted(request), Some(claim.mechanism()));
    let canonical = canonical_bytes(&claim.canonical_request());
    let hash = ContentSha256::of(canonical).to_string();
    assert!(claim.string_to_sign().to_string().ends_with(&hash));

    let holder = Holder::claimed(&claim, SECRET);
    let signature = holder.signature(&claim);
    let key = SigningKey::from_bytes(digest);
    let expected = match &holder.token {
        None => VerifyError::SignatureMismatch,
        Some(_) => VerifyError::SessionTokenUnexpected,
    };
    assert_eq!(claim.verify(&key).err(), Some(expected));
    let told = answer(expected, family, rules, request, at);
    assert!(!told.contains(&signature) || text_of(request).contains(&signature));
    // A token that no issuer can have written has no holder.
    let token = match holder.token.as_deref().map(SessionToken::new) {
        Some(Err(_)) => return None,
        Some(Ok(token)) => Some(token),
        None => None,
    };
    if let Some(token) = token {
        let refused = read().ok()?.verify_session(&key, token).err();
        assert_eq!(refused, Some(VerifyError::SignatureMismatch));
    }
    // A signature that covers the field it stands in cannot be made.
    let covers_itself = request.headers.iter().any(|header| {
        header.name.eq_ignore_ascii_case("authorization")
            && header.value.windows(13).any(|window| window == b"authorization")
    });
    (!covers_itself).then_some((holder, signature))
}

fn text_of(request: &Request<'_>) -> String {
    let values = request.headers.iter().map(|header| String::from_utf8_lossy(header.value));
    format!("{} {}", request.target, values.collect::<Vec<_>>().join(" "))
}
