//! One or two S3 targets, a line each. What is signed is what the text means, by a decoder that shares
//! nothing with the library; the canonical target is its own canonical form; every spelling of a
//! target has that form; two targets have one form if and only if they mean the same.

#![no_main]

use countersign_fuzz::{Draft, Form, Way, now, verify};
use libfuzzer_sys::fuzz_target;

/// Path and parameters, decoded.
type Meaning = (Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>);

fuzz_target!(|text: &str| {
    let mut known = Vec::<(Vec<u8>, Meaning)>::new();
    for target in text.split('\n').take(2).filter(|target| target.starts_with('/')) {
        let Some((canonical, seen)) = signed(target) else { continue };
        let meaning = meaning(target);
        assert_eq!(seen, meaning, "{target}");

        let form = String::from_utf8(canonical.clone()).expect("a canonical form is ASCII");
        let mut lines = form.lines().skip(1);
        let (path, query) = (lines.next().expect("a path"), lines.next().expect("a query"));
        let again = signed(&format!("{path}?{query}")).expect("a canonical target can be signed");
        assert_eq!(again, (canonical.clone(), seen));

        let (other, _) = signed(&respelled(&meaning)).expect("another spelling can be signed");
        assert_eq!(other, canonical, "{target}");
        known.push((canonical, meaning));
    }
    if let [a, b] = known.as_slice() {
        assert_eq!(a.0 == b.0, a.1 == b.1, "{text}");
    }
});

/// The canonical request, and what the verifying side shows, its parameters in one order.
fn signed(target: &str) -> Option<(Vec<u8>, Meaning)> {
    let draft = Draft::s3(target);
    let wire = draft.sign(Form::Header).ok()?;
    let seen = verify(&draft.rules(), &wire.message, &draft.holder(), now(), Way::WHOLE);
    let seen = seen.expect("our own request");
    assert_eq!(seen.canonical, wire.canonical);
    let view = seen.end.expect("our own body");
    let mut query = view.query;
    query.sort();
    Some((wire.canonical, (view.path, query)))
}

fn meaning(target: &str) -> Meaning {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parameters = query.split('&').filter(|piece| !piece.is_empty()).map(|piece| {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        (decoded(&name.replace('+', "%20")), decoded(&value.replace('+', "%20")))
    });
    let mut parameters: Vec<_> = parameters.collect();
    parameters.sort();
    (decoded(path), parameters)
}

fn decoded(text: &str) -> Vec<u8> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).expect("an escape that could be signed"));
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    bytes
}

/// Everything escaped, in lower case, the parameters backwards.
fn respelled((path, query): &Meaning) -> String {
    let escaped = |bytes: &[u8]| bytes.iter().map(|b| format!("%{b:02x}")).collect::<String>();
    let parameters: Vec<_> =
        query.iter().rev().map(|(n, v)| format!("{}={}", escaped(n), escaped(v))).collect();
    format!("/{}?{}", escaped(&path[1..]), parameters.join("&"))
}
