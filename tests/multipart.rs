//! Forms out of bodies: in any pieces the same, whole or refused, and never more held than one
//! piece.

use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error as _;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use countersign::http::{FormFile, FormUpload, FormUploadError, VerifiedBody, VerifiedBodyError};
use countersign::{
    AccessKeyId, BodyError, ChecksumAlgorithm, CredentialScope, Credentials, Error, Family, Form,
    FormError, PolicyError, PostField, PostPolicy, ReadError, SecretKey, Signer, SigningKey,
    Timestamp, Verifier,
};
use http::request::Parts;
use http_body::{Body, Frame};

const BOUNDARY: &str = "X-BOUNDARY";
const CONTENT: &[u8] = b"line 1\r\n--X-BOUNDAR\r\n--\r\n\r--X-BOUNDARY\nline 2";

fn now() -> Timestamp {
    Timestamp::parse("20151229T000000Z").expect("a time")
}

fn rules() -> Verifier<'static> {
    Verifier::s3("us-east-1")
}

fn scope() -> CredentialScope<'static> {
    CredentialScope { date: now().date(), region: "us-east-1", service: "s3" }
}

fn secret() -> SecretKey<'static> {
    SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY").expect("a secret")
}

/// A body in pieces, of which every other poll finds none; it counts what it has given.
struct Pieces {
    pieces: VecDeque<Bytes>,
    ready: bool,
    given: Arc<AtomicUsize>,
    fails: bool,
}

impl Pieces {
    fn new<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Self {
        let pieces = pieces.into_iter().map(Bytes::copy_from_slice).collect();
        Self { pieces, ready: true, given: Arc::default(), fails: false }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.ready = !self.ready;
        if !self.ready {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(match self.pieces.pop_front() {
            Some(piece) => {
                self.given.fetch_add(piece.len(), Ordering::Relaxed);
                Some(Ok(Frame::data(piece)))
            }
            None if self.fails => Some(Err(std::io::Error::other("gone"))),
            None => None,
        })
    }
}

/// Runs what only ever waits for a body of the kind above.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..1_000_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
    }
    panic!("nobody would wake it again");
}

fn head() -> Parts {
    head_with("multipart/form-data; boundary=X-BOUNDARY", |request| request)
}

fn head_with(
    media: &str,
    change: impl FnOnce(http::request::Builder) -> http::request::Builder,
) -> Parts {
    let request = http::Request::post("/sigv4examplebucket")
        .header("host", "127.0.0.1:9000")
        .header("content-type", media);
    change(request).body(()).expect("a request").into_parts().0
}

fn signer() -> Signer<'static> {
    let credentials = Credentials {
        access_key_id: AccessKeyId::new("AKIAIOSFODNN7EXAMPLE").expect("a name"),
        secret_key: secret(),
        session_token: None,
    };
    Signer::new(&credentials, scope()).expect("a scope")
}

/// The fields of a signed form, for a file with a checksum.
fn fields(content: &[u8]) -> Vec<(String, String)> {
    let checksum = ChecksumAlgorithm::Crc32.of(content).to_string();
    let policy =
        user().equal(PostField::Checksum("crc32"), &checksum).content_length_range(1, 1000);
    let signer = signer();
    let signed = signer.sign_form(&policy, now()).expect("a policy");
    signed.fields().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// A policy to which a test adds what it is about.
fn user<'p>() -> PostPolicy<'p> {
    PostPolicy::new("sigv4examplebucket").starts_with(PostField::Key, "user/")
}

/// A body as browsers write it.
fn written(fields: &[(String, String)], content: &[u8]) -> Vec<u8> {
    written_with(BOUNDARY, fields, ("a.txt", "text/plain"), content)
}

/// The same with a boundary, and with a name and a type of the file.
fn written_with(
    boundary: &str,
    fields: &[(String, String)],
    (file, media): (&str, &str),
    content: &[u8],
) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend_from_slice(
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            )
            .as_bytes(),
        );
    }
    body.extend_from_slice(
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file}\"\r\n\
             Content-Type: {media}\r\n\r\n"
        )
        .as_bytes(),
    );
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    body
}

fn good() -> Vec<u8> {
    written(&fields(CONTENT), CONTENT)
}

/// What came out, and why not more.
#[derive(Debug, PartialEq)]
enum Refused {
    Form(FormError),
    Body(BodyError),
    Inner(String),
    Other(Error),
}

impl From<FormUploadError> for Refused {
    fn from(error: FormUploadError) -> Self {
        match error {
            FormUploadError::Refused(error) => Self::Form(error),
            other => Self::Inner(other.to_string()),
        }
    }
}

async fn upload(body: Pieces) -> Result<FormUpload<Pieces>, Refused> {
    let parts = head();
    Ok(FormUpload::read(&rules(), &parts, body, "sigv4examplebucket").await?)
}

/// The whole ladder: data, and whether there is a proof.
fn receive(body: Pieces) -> (Vec<u8>, Result<(), Refused>) {
    let mut data = Vec::new();
    let result = run(async {
        let (form, file) = upload(body).await?.into_parts();
        let key = SigningKey::derive(&secret(), &scope());
        let claim = rules().read_form(&form).map_err(Refused::Form)?;
        let verified = claim.verify(&key).map_err(|error| Refused::Other(error.into()))?;
        let checked = verified.check(now()).map_err(Refused::Form)?;
        assert_eq!(checked.key(), "user/a.txt");
        let machine = checked.into_checked_body().map_err(Refused::Body)?;
        let mut file = VerifiedBody::new(machine, file);
        while let Some(frame) = next(&mut file).await {
            let frame = frame.map_err(|error| match error {
                VerifiedBodyError::Refused(error) => Refused::Body(error),
                VerifiedBodyError::Inner(error) => error.into(),
                other => Refused::Inner(other.to_string()),
            });
            match frame {
                Ok(frame) => data.extend_from_slice(&frame.into_data().expect("data")),
                Err(error) => {
                    assert!(file.proof().is_none());
                    assert!(next(&mut file).await.is_none(), "nothing comes behind an error");
                    return Err(error);
                }
            }
        }
        assert!(file.proof().is_some());
        Ok(())
    });
    (data, result)
}

async fn next<B: Body + Unpin>(body: &mut B) -> Option<Result<Frame<B::Data>, B::Error>> {
    std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
}

#[test]
fn a_form_in_any_pieces() {
    let body = good();
    for size in [1, 2, 3, 7, 16, 61, 1024, body.len()] {
        assert_eq!(receive(Pieces::new(body.chunks(size))), (CONTENT.to_vec(), Ok(())), "{size}");
    }
    for at in 0..=body.len() {
        let (head, tail) = body.split_at(at);
        let received = receive(Pieces::new([head, tail]));
        assert_eq!(received, (CONTENT.to_vec(), Ok(())), "split at {at}");
    }
}

#[test]
fn no_beginning_is_whole() {
    let body = good();
    let end = body.len() - 2; // without the last line end it is whole
    for len in 0..end {
        let (data, result) = receive(Pieces::new([&body[..len]]));
        assert!(CONTENT.starts_with(&data), "the first {len} bytes hold other data");
        assert!(
            matches!(result, Err(Refused::Form(_) | Refused::Body(_))),
            "the first {len} bytes: {result:?}"
        );
    }
    assert_eq!(receive(Pieces::new([&body[..end]])).1, Ok(()));
    // A body that fails is not one that ends.
    for len in [10, end - 40, end, body.len()] {
        let mut pieces = Pieces::new([&body[..len]]);
        pieces.fails = true;
        assert_eq!(receive(pieces).1, Err(Refused::Inner("gone".into())), "{len}");
    }
}

#[test]
fn nothing_follows_the_file() {
    let end = format!("--{BOUNDARY}--\r\n");
    let body = good();
    let open = body.strip_suffix(end.as_bytes()).expect("an end");
    let with = |more: &str| receive(Pieces::new([[open, more.as_bytes()].concat().as_slice()])).1;
    let part = |head: &str| format!("--{BOUNDARY}\r\n{head}\r\n\r\nv\r\n{end}");
    assert_eq!(
        with(&part("Content-Disposition: form-data; name=\"acl\"")),
        Err(Refused::Form(FormError::FieldAfterFile))
    );
    assert_eq!(
        with(&part("Content-Disposition: form-data; name=\"File\"; filename=\"b\"")),
        Err(Refused::Form(FormError::FilesMultiple))
    );
    assert_eq!(with(&part("X: y")), Err(Refused::Form(FormError::Malformed)));
    assert_eq!(with(&format!("--{BOUNDARY}-x")), Err(Refused::Form(FormError::Malformed)));
    assert_eq!(with(&format!("{end}a text of a mail")), Ok(()));
    // What the parser has not been handed is counted.
    let mail = "a".repeat(2000);
    let pieces = [open, end.as_bytes(), mail.as_bytes()];
    assert_eq!(receive(Pieces::new(pieces)).1, Err(Refused::Form(FormError::Malformed)));
}

/// Mail has texts behind the end of a form. How much of one is read does not depend on the pieces.
#[test]
fn an_epilogue_is_bounded() {
    for (len, fits) in [(0, true), (1, true), (1024, true), (1025, false), (5000, false)] {
        let form = good();
        let form = form.strip_suffix(b"\r\n").expect("an end");
        let body = [form, &vec![b'.'; len]].concat();
        for size in [1, 7, 200, 1000, body.len() - len, body.len() - len + 1, body.len()] {
            let (_, result) = receive(Pieces::new(body.chunks(size)));
            assert_eq!(result.is_ok(), fits, "{len} in pieces of {size}: {result:?}");
        }
    }
}

#[test]
fn the_file_is_the_one_that_was_allowed() {
    let of = |content: &[u8]| receive(Pieces::new([written(&fields(content), content).as_slice()]));
    assert_eq!(of(&[b'a'; 1000]).1, Ok(()));
    let large = BodyError::FileTooLarge { proposed: 1001, max: 1000 };
    let (data, result) = of(&[b'a'; 1001]);
    assert_eq!((data.len(), result), (1000, Err(Refused::Body(large))));
    let small = BodyError::FileTooSmall { proposed: 0, min: 1 };
    assert_eq!(of(b""), (Vec::new(), Err(Refused::Body(small))));
    let mismatch = BodyError::ChecksumMismatch { field: "x-amz-checksum-crc32" };
    let body = written(&fields(b"that"), b"this");
    assert_eq!(receive(Pieces::new([body.as_slice()])).1, Err(Refused::Body(mismatch)));
    let mut fields = fields(CONTENT);
    let checksum = fields.iter_mut().find(|(name, _)| name == "x-amz-checksum-crc32");
    checksum.expect("a checksum").1 = "AAAAAA==".into();
    let body = written(&fields, CONTENT);
    let result = receive(Pieces::new([body.as_slice()])).1;
    assert!(matches!(result, Err(Refused::Form(FormError::ConditionFailed { .. }))), "{result:?}");
    let text = |error| {
        let hint = Error::from(error).hint(Family::S3);
        hint.body("1", "2").to_string()
    };
    assert!(text(large).contains(
        "<Code>EntityTooLarge</Code><Message>Your proposed upload exceeds the maximum allowed \
         size</Message><ProposedSize>1001</ProposedSize><MaxSizeAllowed>1000</MaxSizeAllowed>"
    ));
    assert!(text(small).contains(
        "<Code>EntityTooSmall</Code><Message>Your proposed upload is smaller than the minimum \
         allowed size</Message><ProposedSize>0</ProposedSize><MinSizeAllowed>1</MinSizeAllowed>"
    ));
}

#[test]
fn what_stands_before_the_file_is_bounded() {
    // As it crosses the wire: with boundaries and heads.
    let with = |padding: usize| {
        let ignored = ("x-ignore-a".to_owned(), "a".repeat(padding));
        let mut fields = fields(CONTENT);
        fields.push(ignored);
        written(&fields, CONTENT)
    };
    let before = |body: &[u8]| body.len() - CONTENT.len() - format!("\r\n--{BOUNDARY}--\r\n").len();
    let room = Form::MAX_LEN - before(&with(0));
    for size in [1, 1000, 100_000] {
        let (exact, over) = (with(room), with(room + 1));
        assert_eq!(before(&exact), Form::MAX_LEN);
        assert_eq!(receive(Pieces::new(exact.chunks(size))).1, Ok(()), "{size}");
        let refused = receive(Pieces::new(over.chunks(size))).1;
        assert_eq!(refused, Err(Refused::Form(FormError::TooLong)), "{size}");
    }
    // A head, or a text before the first boundary, that never ends.
    for start in [format!("--{BOUNDARY}\r\nA: "), format!("--{BOUNDARY}   ")] {
        let endless = [start.as_bytes(), &[b' '; 100_000]].concat();
        let refused = receive(Pieces::new(endless.chunks(4096))).1;
        assert_eq!(refused, Err(Refused::Form(FormError::TooLong)), "{start}");
    }
    let many: Vec<_> = (0..=Form::MAX_FIELDS).map(|n| (format!("x{n}"), String::new())).collect();
    let refused = receive(Pieces::new([written(&many, b"a").as_slice()])).1;
    assert_eq!(refused, Err(Refused::Form(FormError::TooManyFields)));
}

/// What is signed fits with every boundary, with the least values of open fields and a file with a
/// long name; and little more would.
#[test]
fn what_is_signed_fits_into_a_body() {
    type Make = for<'n> fn(&'n [String], &'n str, usize) -> PostPolicy<'n>;
    let policies: [Make; 4] = [
        |_, long, len| user().equal(PostField::Meta("a"), &long[..len]),
        |_, long, len| user().starts_with(PostField::Meta("a"), &long[..len]),
        |names, _, count| {
            let names = names[..count].iter();
            names.fold(user(), |policy, name| policy.equal(PostField::Meta(name), ""))
        },
        |names, _, count| {
            let names = names[..count].iter();
            names.fold(user(), |policy, name| policy.starts_with(PostField::Meta(name), ""))
        },
    ];
    let names: Vec<_> = (0..Form::MAX_FIELDS).map(|nth| nth.to_string()).collect();
    let (long, signer) = ("a".repeat(Form::MAX_LEN), signer());
    // Of a file system, and of a document.
    let file = ("f".repeat(255), "t".repeat(80));
    for (nth, make) in policies.into_iter().enumerate() {
        let signs = |size: usize| signer.sign_form(&make(&names, &long, size), now()).is_ok();
        let (mut size, mut over) = (0, if nth < 2 { long.len() } else { names.len() });
        while over - size > 1 {
            let middle = size.midpoint(over);
            if signs(middle) { size = middle } else { over = middle }
        }
        let policy = make(&names, &long, size);
        let signed = signer.sign_form(&policy, now()).expect("a policy");
        let set = signed.fields().map(|(name, value)| (name.to_string(), value.to_string()));
        let open = signed.open_fields().map(|(name, prefix)| (name.to_string(), prefix.into()));
        let fields: Vec<_> = set.chain(open).collect();
        for len in [1, 38, 57, 70] {
            let boundary = "B".repeat(len);
            let body = written_with(&boundary, &fields, (&file.0, &file.1), CONTENT);
            let parts = head_with(&format!("multipart/form-data; boundary={boundary}"), |r| r);
            let body = Pieces::new([body.as_slice()]);
            let upload = run(FormUpload::read(&rules(), &parts, body, "sigv4examplebucket"));
            let form = upload.expect("it fits").into_parts().0;
            let key = SigningKey::derive(&secret(), &scope());
            let verified =
                rules().read_form(&form).expect("a claim").verify(&key).expect("its key");
            assert!(verified.check(now()).is_ok(), "{nth}, {len}");
        }
        let boundary = "B".repeat(70);
        let body = written_with(&boundary, &fields, (&file.0, &file.1), b"");
        let before = body.len() - format!("\r\n--{boundary}--\r\n").len();
        assert!((Form::MAX_LEN - 200..=Form::MAX_LEN).contains(&before), "{nth}: {before} bytes");
    }
}

/// What is signed with a checksum is a form whose file can be taken; of two checksums there is none.
#[test]
fn one_checksum_is_signed() {
    use ChecksumAlgorithm as A;
    let algorithms = [
        A::Crc32,
        A::Crc32c,
        A::Crc64Nvme,
        A::Md5,
        A::Sha1,
        A::Sha256,
        A::Sha512,
        A::Xxhash64,
        A::Xxhash3,
        A::Xxhash128,
    ];
    let signer = signer();
    let values = algorithms.map(|algorithm| algorithm.of(CONTENT).to_string());
    for (first, value) in algorithms.into_iter().zip(&values) {
        let one = || user().equal(PostField::Other(first.field()), value);
        let named = one()
            .equal(PostField::ChecksumAlgorithm, first.name())
            .equal(PostField::Other("Content-MD5"), &values[3]);
        let signed = signer.sign_form(&named, now()).expect("a policy");
        let set = signed.fields().map(|(name, value)| (name.to_string(), value.to_string()));
        let body = written(&set.collect::<Vec<_>>(), CONTENT);
        assert_eq!(receive(Pieces::new([body.as_slice()])), (CONTENT.to_vec(), Ok(())));
        for (second, value) in algorithms.into_iter().zip(&values) {
            if first != second {
                let two = one().equal(PostField::Other(second.field()), value);
                let refused = signer.sign_form(&two, now()).err();
                assert_eq!(refused, Some(PolicyError::ChecksumsMultiple), "{two:?}");
            }
        }
    }
}

#[test]
fn no_more_is_taken_than_is_asked_for() {
    let content = vec![b'a'; 1_000_000];
    let body = written(&[("key".into(), "k".into())], &content);
    let mut pieces = Pieces::new(body.chunks(1000));
    let given = Arc::new(AtomicUsize::new(0));
    pieces.given = Arc::clone(&given);
    let ready = Rc::new(Cell::new(0));
    run(async {
        let (_, mut file) = upload(pieces).await.expect("a form").into_parts();
        assert!(given.load(Ordering::Relaxed) <= 1000, "the file has not been asked for");
        while let Some(frame) = next(&mut file).await {
            ready.set(ready.get() + frame.expect("a frame").into_data().expect("data").len());
            let ahead = given.load(Ordering::Relaxed) - ready.get();
            assert!(ahead <= 2000 + 200, "{ahead} bytes are held");
        }
    });
    assert_eq!(ready.get(), content.len());
}

#[test]
fn what_is_not_multipart() {
    let read = |parts: &Parts| {
        let body = Pieces::new([good().as_slice()]);
        let result = run(FormUpload::read(&rules(), parts, body, "b"));
        match result.map(|_| ()) {
            Ok(()) => None,
            Err(FormUploadError::Refused(error)) => Some(error),
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(read(&head()), None);
    let quoted = head_with("Multipart/Form-Data; charset=utf-8; boundary=\"X-BOUNDARY\"", |r| r);
    assert_eq!(read(&quoted), None);
    for media in ["text/plain", "application/x-www-form-urlencoded", "multipart/mixed; boundary=a"]
    {
        assert_eq!(read(&head_with(media, |r| r)), Some(FormError::NotMultipart), "{media}");
    }
    let put = head_with("multipart/form-data; boundary=X-BOUNDARY", |r| r.method("PUT"));
    assert_eq!(read(&put), Some(FormError::NotMultipart));
    let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
    for media in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        &long,
        "multipart/form-datax; boundary=a",
    ] {
        assert_eq!(read(&head_with(media, |r| r)), Some(FormError::Malformed), "{media}");
    }
    let media = "multipart/form-data; boundary=X-BOUNDARY";
    let twice = head_with(media, |r| r.header("content-type", media));
    assert_eq!(read(&twice), Some(FormError::Malformed));
    // One claim.
    let both = head_with(media, |r| r.header("authorization", "AWS4-HMAC-SHA256 a"));
    assert_eq!(read(&both), Some(ReadError::TwoMechanisms.into()));
    let both = head_with(media, |r| r.uri("/b?X-Amz-Signature=a"));
    assert_eq!(read(&both), Some(ReadError::TwoMechanisms.into()));

    let error = Error::from(FormError::NotMultipart);
    let hint = error.hint(Family::S3);
    assert_eq!((hint.status(), hint.code()), (412, "PreconditionFailed"));
    assert!(hint.body("1", "2").to_string().contains(
        "<Condition>Bucket POST must be of the enclosure-type multipart/form-data</Condition>"
    ));
}

#[test]
fn what_is_not_well_formed() {
    let body = |text: &str| receive(Pieces::new([text.as_bytes()])).1;
    let part = |head: &str, value: &str| format!("--X-BOUNDARY\r\n{head}\r\n\r\n{value}\r\n");
    let field = |name: &str, value: &str| {
        part(&format!("Content-Disposition: form-data; name=\"{name}\""), value)
    };
    let malformed = Err(Refused::Form(FormError::Malformed));
    for text in [
        "",
        "\r\n--X-BOUNDARY\r\n",
        "a text\r\n--X-BOUNDARY\r\n",
        "--X-BOUNDARZ\r\n",
        "--X-BOUNDARYZ\r\nContent-Disposition: form-data; name=a\r\n\r\n",
        "--X-BOUNDARY\nContent-Disposition: form-data; name=a\n\n",
    ] {
        assert_eq!(body(text), malformed, "{text:?}");
    }
    let missing = Err(Refused::Form(FormError::FileMissing));
    assert_eq!(body("--X-BOUNDARY--\r\n"), missing);
    assert_eq!(body(&(field("key", "k") + "--X-BOUNDARY--\r\n")), missing);
    assert_eq!(
        body(&part("Content-Disposition: form-data", "v")),
        Err(Refused::Form(FormError::FieldName))
    );
    assert_eq!(body(&part("X: y", "v")), malformed);
    assert_eq!(body(&part("Content-Disposition: form-data; name*=utf-8''key", "v")), malformed);
    assert_eq!(body(&part("Content-Disposition : form-data; name=key", "v")), malformed);
    let twice = field("key", "a") + &field("KEY", "b") + "--X-BOUNDARY--";
    assert_eq!(body(&twice), Err(Refused::Form(FormError::FieldRepeated)));
    let odd = part(
        "Content-Disposition: form-data; name=key\r\nContent-Type: text/plain; charset=utf-7",
        "v",
    );
    assert_eq!(body(&odd), Err(Refused::Form(FormError::FieldText)));
    let mut bytes = (field("key", "\u{1}") + "--X-BOUNDARY--").into_bytes();
    let at = bytes.iter().position(|byte| *byte == 1).expect("a value");
    bytes[at] = 0xff;
    let refused = receive(Pieces::new([bytes.as_slice()])).1;
    assert_eq!(refused, Err(Refused::Form(FormError::FieldText)));
}

#[test]
fn uploads_move_between_threads() {
    fn sends<T: Send + 'static>() {}
    sends::<FormUpload<Pieces>>();
    sends::<FormFile<Pieces>>();
    let future = |parts: &'static Parts, body: Pieces| {
        fn is_send<T: Send>(value: T) -> T {
            value
        }
        drop(is_send(
            async move { FormUpload::read(&rules(), parts, body, "b").await.map(|_| ()) },
        ));
    };
    let _ = future;
    let inner = FormUploadError::Inner(Box::new(std::io::Error::other("gone")));
    assert_eq!(inner.source().map(ToString::to_string), Some("gone".into()));
    let _: Option<Infallible> = None;
}
