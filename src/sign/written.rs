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
        let signer = at.signer;
        let has_ample_room = reading.has_ample_room(signer.token_len());
        let mut order = Order::EMPTY;
        let fields = reading.fields_to_list(additions, &mut order)?;

        let parts = reading.parts(&fields, None, content);
        let mut hash = Hashing::new();
        parts.hash_to_fields(&mut hash);

        let content = additions.get(Added::ContentSha256);
        let token = match signer.token_parts() {
            (Some((token, text)), _) | (None, Some((token, text))) => Some((token.field(), text)),
            (None, None) => None,
        };
        let values = [
            content.unwrap_or_default(),
            at.now.as_bytes(),
            token.map_or("", |(_, text)| text).as_bytes(),
        ];
        let room = buffer.split_at_mut_checked(values.iter().map(|value| value.len()).sum());
        let (front, behind) = room.ok_or(SignError::BufferTooSmall)?;

        // There is time for this while the hash is worked on.
        let mut text = Filled::new(behind);
        put_before_names(|text| text.put(signer.credential.as_bytes()), &mut text);
        // Behind the `=`.
        let list_at = text.len() + 1;
        let mut lead = b'=';
        parts.hash_fields(&mut hash, |name| {
            text.put_led_name(core::mem::replace(&mut lead, b';'), name);
        });
        let list = text.written().and_then(|text| text.get(list_at..));
        let list = list.ok_or(SignError::BufferTooSmall)?;
        let mut written = Filled::new(front);
        let (_, signature) = at.sign_hash(|| {
            let hash = parts.hash_rest(&mut hash, list);
            // And for this, while its end is.
            values.iter().for_each(|value| written.put(value));
            hash
        });
        let written: &[u8] = written.finish().ok_or(SignError::BufferTooSmall)?;
        let (first, rest) = written.split_at(content.map_or(0, <[u8]>::len));
        let (date, last) = rest.split_at(Timestamp::LEN);
        put_behind_names(&signature, &mut text);
        let written = Self {
            content: content.map(|_| first),
            date,
            token: token.map(|(field, _)| (field, last)),
            authorization: text.finish().ok_or(SignError::BufferTooSmall)?,
        };
        if !has_ample_room {
            reading.check_with(written.headers().map(|(name, value)| (name, value.len())))?;
        }
        Ok(written)
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
