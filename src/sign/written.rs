//! Signing into a buffer: what has to be added is written while it is signed.

use core::fmt;

use super::signed::{put_before_names, put_behind_names};
use super::{Reading, SignError, SignerAt};
use crate::canonical::{Added, Additions, Filled, Hashing, Order, Sink};
use crate::content::ContentSha256;
use crate::time::Timestamp;

/// What a signer adds to a request, as it stands in the caller's buffer. Made by
/// [`Signer::sign_to`](super::Signer::sign_to).
///
/// ```
/// # use countersign::*;
/// # fn send(signer: &Signer<'_>, request: &Request<'_>, now: Timestamp) -> Result<(), SignError> {
/// let mut buffer = [0; 2048];
/// let written = signer.sign_to(request, ContentSha256::EMPTY, now, &mut buffer)?;
/// for (name, value) in written.headers() {
///     println!("{name}: {} bytes", value.len());
/// }
/// # Ok(()) }
/// ```
#[must_use = "a request is signed only when the fields have been added"]
#[derive(Clone, Copy)]
pub struct WrittenHeaders<'b> {
    content: Option<&'b [u8]>,
    date: &'b [u8],
    /// The token, and the field it is sent in.
    token: Option<(&'static str, &'b [u8])>,
    authorization: &'b [u8],
}

impl<'b> WrittenHeaders<'b> {
    #[inline(always)]
    pub(super) fn new(
        at: &SignerAt<'_, '_>,
        reading: &Reading<'_, '_>,
        content: ContentSha256,
        additions: &Additions<'_>,
        buffer: &'b mut [u8],
    ) -> Result<Self, SignError> {
        let SignerAt { signer, begun, .. } = at;
        let mut order = Order::EMPTY;
        let fields = reading.fields_to_list(additions, &mut order)?;

        let parts = reading.parts(&fields, None, content);
        let mut hash = Hashing::new();
        parts.hash_to_fields(&mut hash);

        // There is time for this while the hash is worked on.
        let mut text = Filled::new(buffer);
        let content = additions.get(Added::ContentSha256);
        let token = match signer.token_parts() {
            (Some((token, text)), _) | (None, Some((token, text))) => Some((token.field(), text)),
            (None, None) => None,
        };
        let content_len = content.map_or(0, <[u8]>::len);
        text.put(content.unwrap_or_default());
        text.put(at.now.as_bytes());
        text.put(token.map_or("", |(_, text)| text).as_bytes());
        let authorization_at = text.len();
        put_before_names(|text| text.put(signer.credential.as_bytes()), &mut text);
        // Behind the `=`.
        let list_at = text.len() + 1;
        let mut lead = b'=';
        parts.hash_fields(&mut hash, |name| {
            text.put_led_name(core::mem::replace(&mut lead, b';'), name);
        });
        let list = text.written().and_then(|text| text.get(list_at..));
        let hash = parts.hash_rest(&mut hash, list.ok_or(SignError::BufferTooSmall)?);

        put_behind_names(&begun.signature(&signer.key, &hash), &mut text);
        let text: &[u8] = text.finish().ok_or(SignError::BufferTooSmall)?;
        let (values, authorization) = text.split_at(authorization_at);
        let (first, values) = values.split_at(content_len);
        let (date, last) = values.split_at(Timestamp::LEN);
        Ok(Self {
            content: content.map(|_| first),
            date,
            token: token.map(|(field, _)| (field, last)),
            authorization,
        })
    }

    /// The fields to add and their values, `authorization` last. What
    /// [`Signed::headers`](super::Signed::headers) says of secrets holds here too.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &'b [u8])> {
        let Self { content, date, token, authorization } = *self;
        let content = content.map(|content| (Added::ContentSha256.name(), content));
        let date = (Added::Date.name(), date);
        [content, Some(date), token, Some(("authorization", authorization))].into_iter().flatten()
    }
}

impl fmt::Debug for WrittenHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrittenHeaders([redacted])")
    }
}
