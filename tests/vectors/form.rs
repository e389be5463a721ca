//! Runs a form through the ladder: read, key, verify, check, body, feed, finish. Once from its fields
//! and once from a `multipart/form-data` body in several pieces: the outcome is the same.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use countersign::http::{FormFile, FormUpload, FormUploadError};
use countersign::{
    Error, Event, Family, Form, SecretKey, SessionToken, SigningKey, SuccessAction, VerifiedForm,
    Verifier, VerifyError,
};
use http_body::{Body, Frame};

use crate::model::{ExpectedForm, PostForm, Posted, Success};
use crate::verify::{name, same};

/// What an application sees of an accepted form.
#[derive(Clone, Debug, PartialEq, Eq)]
struct View {
    access_key_id: String,
    key: String,
    posted: Vec<(String, String)>,
    lengths: (u64, u64),
    success: Success,
    data: Vec<u8>,
}

/// Where and why a form was refused.
#[derive(Debug, PartialEq, Eq)]
struct Refusal(&'static str, Error);

pub(crate) fn run(vector: &PostForm) -> Result<(), String> {
    let (content_type, wire) = wire(vector);
    let outcome = match &vector.posted {
        Posted::Fields { .. } => {
            let outcome = direct(vector);
            for size in [1, 61, wire.len()] {
                let found = received(vector, &content_type, wire.chunks(size)).1;
                if found != outcome {
                    return Err(format!("in pieces of {size}: {found:?} instead of {outcome:?}"));
                }
            }
            outcome
        }
        Posted::Wire { .. } => {
            let outcome = received(vector, &content_type, [wire.as_slice()]).1;
            for size in [1, 61, 4096] {
                if received(vector, &content_type, wire.chunks(size)).1 != outcome {
                    return Err(format!("another outcome in pieces of {size}"));
                }
            }
            outcome
        }
    };
    match (&vector.expected, outcome) {
        (ExpectedForm::Valid { .. }, Ok(view)) => compare(vector, view),
        (ExpectedForm::Valid { .. }, Err(refusal)) => Err(format!("refused: {refusal:?}")),
        (ExpectedForm::Invalid { error, .. }, Ok(_)) => Err(format!("accepted instead of {error}")),
        (ExpectedForm::Invalid { stage, error, .. }, Err(refusal)) => {
            same("stage", stage.as_str(), refusal.0)?;
            same("error", error, &name(&refusal.1))?;
            answers(vector, refusal.1)
        }
    }
}

/// Changes the policy and the signature bit by bit, leaves each field out, adds one: refused.
pub(crate) fn tamper(vector: &PostForm) -> Result<(u64, u64), String> {
    let (ExpectedForm::Valid { .. }, Posted::Fields { fields, file, .. }) =
        (&vector.expected, &vector.posted)
    else {
        return Ok((0, 0));
    };
    let (mut changes, mut harmless) = (0, 0);
    let original = direct(vector);
    let mut judge = |fields: &[(String, String)], what: &dyn Fn() -> String| {
        changes += 1;
        let changed = build(vector, fields, file.as_ref().map(|file| file.name.as_deref()), &[]);
        let body = file.as_ref().map_or(&[][..], |file| &file.body);
        match changed.and_then(|form| ladder(vector, &form, body)) {
            Err(_) => Ok(()),
            Ok(view) if Ok(&view) == original.as_ref() => {
                harmless += 1;
                Ok(())
            }
            Ok(view) => Err(format!("{} is accepted as {view:?}", what())),
        }
    };
    for (nth, (name, value)) in fields.iter().enumerate() {
        if ["policy", "x-amz-signature", "x-amz-credential", "x-amz-date"]
            .iter()
            .any(|claim| name.eq_ignore_ascii_case(claim))
        {
            for at in 0..value.len() {
                for bit in 0..8 {
                    let mut bytes = value.clone().into_bytes();
                    bytes[at] ^= 1 << bit;
                    if let Ok(text) = String::from_utf8(bytes) {
                        let mut fields = fields.clone();
                        fields[nth].1 = text;
                        judge(&fields, &|| format!("{name} with bit {bit} of {at} changed"))?;
                    }
                }
            }
        }
        let mut longer = fields.clone();
        longer.push((name.to_ascii_uppercase(), value.clone()));
        judge(&longer, &|| format!("{name} twice"))?;
    }
    let mut longer = fields.clone();
    longer.push(("uncovered".into(), String::new()));
    judge(&longer, &|| "another field".into())?;
    Ok((changes, harmless))
}

/// The form, and its file, by its fields.
fn direct(vector: &PostForm) -> Result<View, Refusal> {
    let Posted::Fields { fields, file, after } = &vector.posted else {
        unreachable!("it has fields");
    };
    let name = file.as_ref().map(|file| file.name.as_deref());
    let form = build(vector, fields, name, after)?;
    ladder(vector, &form, file.as_ref().map_or(&[][..], |file| &file.body))
}

fn build(
    vector: &PostForm,
    fields: &[(String, String)],
    file: Option<Option<&str>>,
    after: &[(String, String)],
) -> Result<Form, Refusal> {
    let mut form = Form::new(vector.bucket.as_str());
    let mut put = || {
        for (name, value) in fields {
            form.push(name.as_str(), value.as_str())?;
        }
        if let Some(name) = file {
            form.file(name)?;
        }
        after.iter().try_for_each(|(name, value)| form.push(name.as_str(), value.as_str()))
    };
    put().map_err(|error| Refusal("read", error.into()))?;
    Ok(form)
}

fn ladder(vector: &PostForm, form: &Form, file: &[u8]) -> Result<View, Refusal> {
    let rules = vector.rules.verifier();
    let verified = prove(vector, &rules, form)?;
    let checked = verified.check(vector.at).map_err(|error| Refusal("check", error.into()))?;
    let mut view = View {
        access_key_id: checked.access_key_id().to_string(),
        key: checked.key().to_owned(),
        posted: checked.fields().map(|(name, value)| (name.into(), value.into())).collect(),
        lengths: checked.content_length_range().into_inner(),
        success: match checked.success_action() {
            SuccessAction::Redirect(redirect) => Success::Redirect(redirect.url().to_owned()),
            SuccessAction::Status(status) => Success::Status(status.as_u16()),
            other => panic!("{other:?}"),
        },
        data: Vec::new(),
    };
    let refused = |stage| move |error: countersign::BodyError| Refusal(stage, error.into());
    let mut machine = checked.into_checked_body().map_err(refused("body"))?;
    let mut rest = file;
    while !rest.is_empty() {
        let fed = machine.feed(rest).map_err(refused("feed"))?;
        if let Event::Data(data) = fed.event {
            view.data.extend_from_slice(data.into_unverified());
        }
        rest = &rest[fed.consumed..];
    }
    let proof = machine.finish().map_err(refused("finish"))?;
    assert!(!proof.is_signed() && proof.len() == view.data.len() as u64);
    Ok(view)
}

fn prove<'f>(
    vector: &PostForm,
    rules: &Verifier<'f>,
    form: &'f Form,
) -> Result<VerifiedForm<'f>, Refusal> {
    let claim = rules.read_form(form).map_err(|error| Refusal("read", error.into()))?;
    let Some(key) = vector.keys.get(claim.claimed_access_key_id().as_str()) else {
        let decoy = SecretKey::new("decoy").expect("not empty");
        let decoy = SigningKey::derive(&decoy, &claim.scope());
        return Err(Refusal("key", claim.refuse_unknown_key(&decoy).into()));
    };
    let secret = SecretKey::new(&key.secret).expect("a secret");
    let signing = SigningKey::derive(&secret, &claim.scope());
    match &key.session_token {
        None => claim.verify(&signing),
        Some(token) => claim.verify_session(&signing, SessionToken::new(token).expect("a token")),
    }
    .map_err(|error: VerifyError| Refusal("verify", error.into()))
}

/// The form as a browser writes it, or as it was written.
fn wire(vector: &PostForm) -> (String, Vec<u8>) {
    let (fields, file, after) = match &vector.posted {
        Posted::Wire { content_type, body } => return (content_type.clone(), body.clone()),
        Posted::Fields { fields, file, after } => (fields, file, after),
    };
    let mut body = Vec::new();
    let mut part = |name: &str, more: &str, value: &[u8]| {
        let head = format!("--boundary\r\nContent-Disposition: form-data; name=\"{name}\"{more}");
        for piece in [head.as_bytes(), b"\r\n\r\n", value, b"\r\n"] {
            body.extend_from_slice(piece);
        }
    };
    fields.iter().for_each(|(name, value)| part(name, "", value.as_bytes()));
    if let Some(file) = file {
        let name =
            file.name.as_ref().map_or(String::new(), |name| format!("; filename=\"{name}\""));
        part("file", &name, &file.body);
    }
    after.iter().for_each(|(name, value)| part(name, "", value.as_bytes()));
    body.extend_from_slice(b"--boundary--\r\n");
    ("multipart/form-data; boundary=boundary".into(), body)
}

/// The form, and its file, out of a body in pieces; the form as well, if it could be read.
fn received<'p>(
    vector: &PostForm,
    content_type: &str,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> (Option<Form>, Result<View, Refusal>) {
    let request = http::Request::post("/").header("host", "h").header("content-type", content_type);
    let (parts, ()) = request.body(()).expect("a request").into_parts();
    let pieces = Pieces(pieces.into_iter().map(Bytes::copy_from_slice).collect());
    let rules = vector.rules.verifier();
    let upload = run_to_end(FormUpload::read(&rules, &parts, pieces, &vector.bucket));
    let upload = match upload {
        Ok(upload) => upload,
        Err(error) => return (None, Err(refused(error))),
    };
    let (form, file) = upload.into_parts();
    // What the file is refused for comes behind what the form is refused for.
    let whole = run_to_end(collect(file));
    let view = match whole {
        Ok(body) => ladder(vector, &form, &body),
        Err(error) => Err(refused(error)),
    };
    (Some(form), view)
}

fn refused(error: FormUploadError) -> Refusal {
    match error {
        FormUploadError::Refused(error) => Refusal("read", error.into()),
        other => panic!("{other}"),
    }
}

async fn collect(mut file: FormFile<Pieces>) -> Result<Vec<u8>, FormUploadError> {
    let mut data = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut file).poll_frame(cx)).await {
        data.extend_from_slice(&frame?.into_data().expect("data"));
    }
    Ok(data)
}

struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

fn run_to_end<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("these bodies are always ready"),
    }
}

fn compare(vector: &PostForm, view: View) -> Result<(), String> {
    let ExpectedForm::Valid { access_key_id, key, posted, lengths, success, signature } =
        &vector.expected
    else {
        return Err("not a valid vector".into());
    };
    same("access key", access_key_id, &view.access_key_id)?;
    same("key", key, &view.key)?;
    same("posted", posted, &view.posted)?;
    same("lengths", lengths, &view.lengths)?;
    same("success", success, &view.success)?;
    let (content_type, wire) = wire(vector);
    let (form, _) = received(vector, &content_type, [wire.as_slice()]);
    let form = form.ok_or("it was read before")?;
    same("signature", &Some(signature.as_str()), &form.get("x-amz-signature"))?;
    if let Posted::Fields { file: Some(file), .. } = &vector.posted {
        same("data", &file.body, &view.data)?;
    }
    Ok(())
}

/// Code, status, message and elements are those of the vector, and nothing secret is among them.
fn answers(vector: &PostForm, error: Error) -> Result<(), String> {
    let ExpectedForm::Invalid { code, status, message, elements, .. } = &vector.expected else {
        return Err("not an invalid vector".into());
    };
    let rules = vector.rules.verifier();
    let (content_type, wire) = wire(vector);
    let form = match &vector.posted {
        Posted::Fields { fields, file, .. } => {
            build(vector, fields, file.as_ref().map(|file| file.name.as_deref()), &[]).ok()
        }
        Posted::Wire { .. } => received(vector, &content_type, [wire.as_slice()]).0,
    };
    let hint = error.hint(Family::S3);
    let hint = match &form {
        Some(form) => hint.about_form(&rules, form),
        None => hint,
    };
    same("code", code.as_str(), hint.code())?;
    same("status", status, &hint.status())?;
    same("message", message, &hint.message().to_string())?;
    let mut found = Vec::new();
    hint.elements(|name, value| found.push((name.to_owned(), value.to_string())));
    same("elements", elements, &found)?;
    for key in vector.keys.values() {
        let text = format!("{found:?} {message} {error:?} {error}");
        if text.contains(&key.secret) {
            return Err(format!("the hint shows a secret: {text}"));
        }
    }
    Ok(())
}
