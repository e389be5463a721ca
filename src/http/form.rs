//! (feature `multipart`) Forms out of `multipart/form-data` bodies.
//!
//! `multer` finds the parts. Around it stands what it does not promise: it is handed one piece at a
//! time, so that it holds no more than that and what is left of the last one; no more than
//! [`Form::MAX_LEN`] bytes before it has come to the file; the first boundary begins the body; and
//! what a part says of itself (`part.rs`) is read here, in one way.
//!
//! RFC 7578 (`multipart/form-data`), RFC 2046 section 5.1 (boundaries).

use std::boxed::Box;
use std::string::String;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use core::error::Error;
use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body::{Body, Frame, SizeHint};
use multer::{Field, Multipart};

use super::Head;
use super::part::{self, Part};
use crate::post::{Form, FormError};
use crate::verify::{Mechanism, ReadError, Verifier};

/// What is read behind the end of a form, and thrown away. Mail has texts there, browsers nothing.
const MAX_EPILOGUE: usize = 1024;

/// Any error of the body below.
type BoxError = Box<dyn Error + Send + Sync>;

/// A form whose fields have been read, and its file, which has not been.
///
/// ```
/// use countersign::http::{FormUpload, FormUploadError, VerifiedBody};
/// use countersign::{Error, SigningKey, Timestamp, Verifier};
/// # use http_body::Body;
/// # use bytes::Bytes;
///
/// async fn receive<B>(request: http::Request<B>, bucket: &str, key: &SigningKey) -> Result<(), Box<dyn std::error::Error>>
/// where
///     B: Body<Data = Bytes> + Send + Unpin + 'static,
///     B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
/// {
///     let rules = Verifier::s3("us-east-1");
///     let (parts, body) = request.into_parts();
///     let upload = FormUpload::read(&rules, &parts, body, bucket).await?;
///     let (form, file) = upload.into_parts();
///     let claim = rules.read_form(&form)?; // the key is yours to look up, by its name
///     let checked = claim.verify(key)?.check(Timestamp::now())?;
///     println!("{} may write {}", checked.access_key_id(), checked.key());
///     let file = VerifiedBody::new(checked.into_checked_body()?, file);
///     // Read it, write aside, and commit when `file.proof()` is there.
///     # let _ = file;
///     Ok(())
/// }
/// ```
pub struct FormUpload<B> {
    form: Form,
    file: FormFile<B>,
}

/// The file of a form, as it arrives.
///
/// Its end comes only if the form ends with it: what is cut off, or goes on with another part, is an
/// error in place of the end. The machine of a
/// [`CheckedForm`](crate::CheckedForm::into_checked_body) says whether it is the file that was
/// allowed; put a [`VerifiedBody`](super::VerifiedBody) around this.
pub struct FormFile<B> {
    parts: PartReader<B>,
    state: State,
}

enum State {
    /// Before the end of the file.
    File(Field<'static>),
    /// Behind it.
    End,
    /// Behind the last boundary; so many bytes have come there.
    Epilogue(usize),
    Done,
}

/// Why a form could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum FormUploadError {
    /// It is not one, or not one that may be sent.
    Refused(FormError),
    /// The body below failed.
    Inner(BoxError),
}

impl<B> FormUpload<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    /// Reads the fields of a form, up to the content of its file.
    ///
    /// `bucket` is what the request addresses, by its host or its path.
    ///
    /// # Errors
    /// [`FormUploadError`]: among others if the request makes a claim in its head as well, or is no
    /// POST of `multipart/form-data`.
    pub async fn read(
        rules: &Verifier<'_>,
        parts: &Parts,
        body: B,
        bucket: &str,
    ) -> Result<Self, FormUploadError> {
        let boundary = boundary(rules, parts)?;
        let mut parts = PartReader::new(body, boundary);
        let mut form = Form::new(bucket);
        loop {
            let Some(mut field) = poll_fn(|cx| parts.poll_next(cx)).await? else {
                return Err(FormError::FileMissing.into());
            };
            match part::read(field.headers())? {
                Part::Field(name) => {
                    let mut value = Vec::new();
                    while let Some(data) = poll_fn(|cx| parts.poll_data(&mut field, cx)).await? {
                        // What is handed over before the file is bounded.
                        value.extend_from_slice(&data);
                    }
                    let value = String::from_utf8(value).map_err(|_| FormError::FieldText)?;
                    form.push(name, value)?;
                }
                Part::File(name) => {
                    form.file(name.as_deref())?;
                    parts.gate().left = None;
                    let file = FormFile { parts, state: State::File(field) };
                    return Ok(Self { form, file });
                }
            }
        }
    }
}

impl<B> FormUpload<B> {
    /// The fields.
    #[must_use]
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// The fields, and the file.
    #[must_use]
    pub fn into_parts(self) -> (Form, FormFile<B>) {
        (self.form, self.file)
    }
}

/// What separates the parts, if the request is one with a form.
fn boundary(rules: &Verifier<'_>, parts: &Parts) -> Result<String, FormError> {
    match rules.attempted(&Head::new(parts).request()) {
        Some(Mechanism::Form) => {}
        Some(_) => return Err(ReadError::TwoMechanisms.into()),
        None => return Err(FormError::NotMultipart),
    }
    let mut types = parts.headers.get_all(CONTENT_TYPE).iter();
    let (Some(media), None) = (types.next(), types.next()) else {
        return Err(FormError::Malformed);
    };
    let boundary = media.to_str().ok().and_then(|media| multer::parse_boundary(media).ok());
    boundary
        .filter(|boundary| (1..=Form::MAX_BOUNDARY).contains(&boundary.len()))
        .ok_or(FormError::Malformed)
}

/// The parser, and the gate through which it is fed.
struct PartReader<B> {
    parser: Multipart<'static>,
    gate: Arc<Mutex<Gate<B>>>,
}

/// What stands between the body and the parser, which takes all that it can get.
struct Gate<B> {
    inner: B,
    ended: bool,
    /// What came and has not been handed over.
    waiting: Bytes,
    /// Whether a piece may be handed over.
    open: bool,
    /// How much may be handed over before the file has begun; `None` behind that.
    left: Option<usize>,
    /// What the body has still to begin with.
    beginning: Bytes,
    /// What ends the last part.
    closing: String,
    /// The end of what was handed over before the last piece, and that piece: what the parser may
    /// hold of them that belongs to no part.
    before: Vec<u8>,
    last: Bytes,
    fault: Option<FormUploadError>,
}

impl<B> PartReader<B> {
    fn gate(&self) -> MutexGuard<'_, Gate<B>> {
        lock(&self.gate)
    }
}

impl<B> PartReader<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    fn new(inner: B, boundary: String) -> Self {
        let gate = Arc::new(Mutex::new(Gate {
            inner,
            ended: false,
            waiting: Bytes::new(),
            open: false,
            left: Some(Form::MAX_LEN),
            beginning: Bytes::from(std::format!("--{boundary}")),
            closing: std::format!("\r\n--{boundary}--"),
            before: Vec::new(),
            last: Bytes::new(),
            fault: None,
        }));
        Self { parser: Multipart::new(Feed(Arc::clone(&gate)), boundary), gate }
    }

    /// The next part; the one before has been read to its end and dropped.
    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Field<'static>>, FormUploadError>> {
        let Self { parser, gate } = self;
        poll_gated(gate, || parser.poll_next_field(cx))
    }

    /// More of a part.
    fn poll_data(
        &self,
        field: &mut Field<'static>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, FormUploadError>> {
        poll_gated(&self.gate, || Pin::new(&mut *field).poll_next(cx).map(|item| item.transpose()))
    }
}

/// Polls the parser, with what it has and with one piece more in turn, until it has found
/// something or nothing more comes for now.
fn poll_gated<B, T>(
    gate: &Mutex<Gate<B>>,
    mut poll: impl FnMut() -> Poll<Result<T, multer::Error>>,
) -> Poll<Result<T, FormUploadError>> {
    let mut open = false;
    loop {
        lock(gate).open = open;
        let polled = poll();
        let mut gate = lock(gate);
        if let Some(fault) = gate.fault.take() {
            return Poll::Ready(Err(fault));
        }
        match polled {
            Poll::Ready(result) => {
                return Poll::Ready(result.map_err(|_| FormError::Malformed.into()));
            }
            // Nothing has passed, and the body below wakes whoever waits.
            Poll::Pending if gate.open => return Poll::Pending,
            // It may not have looked at the piece yet.
            Poll::Pending => open = !open,
        }
    }
}

fn lock<B>(gate: &Mutex<Gate<B>>) -> MutexGuard<'_, Gate<B>> {
    gate.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<B> Gate<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    /// The next piece of the body that is not empty.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, FormUploadError>> {
        while self.waiting.is_empty() && !self.ended {
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                // HTTP's own trailers are no part of a form.
                Some(Ok(frame)) => self.waiting = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => {
                    self.ended = true;
                    return Poll::Ready(Err(FormUploadError::Inner(error.into())));
                }
                None => self.ended = true,
            }
        }
        if self.waiting.is_empty() {
            return Poll::Ready(Ok(None));
        }
        let len = self.left.unwrap_or(usize::MAX).min(self.waiting.len());
        if len == 0 {
            return Poll::Ready(Err(FormError::TooLong.into()));
        }
        self.left = self.left.map(|left| left - len);
        let piece = self.waiting.split_to(len);
        let begins = self.beginning.len().min(len);
        if self.beginning.split_to(begins) != piece.slice(..begins) {
            return Poll::Ready(Err(FormError::Malformed.into()));
        }
        self.before
            .extend_from_slice(&self.last[self.last.len().saturating_sub(self.closing.len())..]);
        self.before.drain(..self.before.len().saturating_sub(self.closing.len()));
        self.last = piece.clone();
        Poll::Ready(Ok(Some(piece)))
    }

    /// How much the parser has been given behind the end of the last part.
    ///
    /// It asks for one piece after the other, so that what ends the last part ends in the last
    /// piece; and no part has it inside.
    fn behind_end(&self) -> usize {
        let closing = self.closing.as_bytes();
        let mut window = self.before.clone();
        window.extend_from_slice(&self.last);
        let at = window.windows(closing.len()).position(|window| window == closing);
        at.map_or(0, |at| window.len() - at - closing.len())
    }
}

/// The parser's end of the gate.
struct Feed<B>(Arc<Mutex<Gate<B>>>);

impl<B> Stream for Feed<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Item = Result<Bytes, Closed>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut gate = lock(&self.0);
        if !gate.open {
            // Whoever opens it polls again.
            return Poll::Pending;
        }
        let piece = ready!(gate.poll_piece(cx));
        gate.open = false;
        Poll::Ready(match piece {
            Ok(piece) => piece.map(Ok),
            Err(fault) => {
                gate.fault = Some(fault);
                Some(Err(Closed))
            }
        })
    }
}

/// The gate has a fault, and says itself which.
#[derive(Debug)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the form is refused")
    }
}

impl Error for Closed {}

impl<B> FormFile<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    fn poll_file(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, FormUploadError>> {
        loop {
            match &mut self.state {
                State::File(field) => match ready!(self.parts.poll_data(field, cx))? {
                    Some(data) if data.is_empty() => {}
                    Some(data) => return Poll::Ready(Ok(Some(data))),
                    None => self.state = State::End,
                },
                State::End => match ready!(self.parts.poll_next(cx))? {
                    None => {
                        let held = self.parts.gate().behind_end();
                        if held > MAX_EPILOGUE {
                            return Poll::Ready(Err(FormError::Malformed.into()));
                        }
                        self.state = State::Epilogue(held);
                    }
                    Some(other) => {
                        return Poll::Ready(Err(match part::read(other.headers())? {
                            Part::File(_) => FormError::FilesMultiple,
                            Part::Field(_) => FormError::FieldAfterFile,
                        }
                        .into()));
                    }
                },
                State::Epilogue(len) => match ready!(self.parts.gate().poll_piece(cx))? {
                    None => self.state = State::Done,
                    Some(piece) => {
                        *len = len.saturating_add(piece.len());
                        if *len > MAX_EPILOGUE {
                            return Poll::Ready(Err(FormError::Malformed.into()));
                        }
                    }
                },
                State::Done => return Poll::Ready(Ok(None)),
            }
        }
    }
}

impl<B> Body for FormFile<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = FormUploadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FormUploadError>>> {
        let result = ready!(self.poll_file(cx));
        if result.is_err() {
            // Nothing comes behind an error.
            self.state = State::Done;
        }
        Poll::Ready(result.transpose().map(|result| result.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Done)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl From<FormError> for FormUploadError {
    fn from(error: FormError) -> Self {
        Self::Refused(error)
    }
}

impl fmt::Display for FormUploadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl Error for FormUploadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(error) => Some(error),
            Self::Inner(error) => Some(&**error),
        }
    }
}

impl<B> fmt::Debug for FormUpload<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormUpload").field("form", &self.form).finish_non_exhaustive()
    }
}

impl<B> fmt::Debug for FormFile<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormFile").finish_non_exhaustive()
    }
}
