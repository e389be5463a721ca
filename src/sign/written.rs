//! Signing into a buffer: what has to be added is written while it is signed.

use core::fmt;

use super::signed::{put_before_names, put_behind_names};
use super::{Reading, SignError, SignerAt};
use crate::bounded::Bounded;
use crate::canonical::{Additions, Filled, Hashing, Order, Sink};
use crate::content::ContentSha256;

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
    /// The values, one behind the other.
    text: &'b [u8],
    /// The names, and where in the text their values end.
    fields: Bounded<(&'static str, usize), MAX_FIELDS>,
}

/// Time, content, a token and the signature: what is added to a request that is not streamed.
const MAX_FIELDS: usize = 4;

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
        // There is room: it is that of all that is added.
        let mut ends = Bounded::filled_with(("", 0));
        for added in additions.iter() {
            text.put(additions.value(added));
            let _ = ends.push((added.name(), text.len()));
        }
        if let (_, Some((token, value))) = signer.token_parts() {
            text.put(value.as_bytes());
            let _ = ends.push((token.field(), text.len()));
        }
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
        let _ = ends.push(("authorization", text.len()));
        let text = text.finish().ok_or(SignError::BufferTooSmall)?;
        Ok(Self { text, fields: ends })
    }

    /// The fields to add and their values, `authorization` last. What
    /// [`Signed::headers`](super::Signed::headers) says of secrets holds here too.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &'b [u8])> {
        let Self { text, fields } = *self;
        let mut start = 0;
        (0..).map_while(move |nth| {
            let (name, end) = *fields.as_slice().get(nth)?;
            let value = text.get(core::mem::replace(&mut start, end)..end)?;
            Some((name, value))
        })
    }
}

impl fmt::Debug for WrittenHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrittenHeaders([redacted])")
    }
}
