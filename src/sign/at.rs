//! Signing the requests of one second.

use core::fmt;
use core::time::Duration;

use super::{ContentHeader, Presigned, SignError, Signed, Signer};
use crate::canonical::{Begun, Dialect, PlusSign, Query};
use crate::chain::Chain;
use crate::chunked::{ChunkSigner, Framing};
use crate::content::ContentSha256;
use crate::request::{Known, Request};
use crate::time::Timestamp;

/// The longest life of a presigned URL: seven days.
const MAX_EXPIRES: u64 = 604_800;

/// A [`Signer`] and the time at which it signs. Made by [`Signer::at`].
#[derive(Clone)]
pub struct SignerAt<'s, 'a> {
    pub(super) signer: &'s Signer<'a>,
    pub(super) now: Timestamp,
    pub(super) begun: Begun,
}

impl<'a> SignerAt<'_, 'a> {
    /// As [`Signer::sign`].
    ///
    /// # Errors
    /// [`SignError`]; nothing that was given is changed.
    #[inline]
    pub fn sign<'r>(
        &self,
        request: &Request<'r>,
        content: ContentSha256,
    ) -> Result<Signed<'r>, SignError>
    where
        'a: 'r,
    {
        let mut query = Query::new(PlusSign::Space);
        let reading = self.signer.read(request, &mut query)?;
        if reading.wire.first(Known::AmzContentSha256).is_some() {
            return Err(SignError::ReservedField);
        }
        if !matches!(content, ContentSha256::Digest(_) | ContentSha256::UnsignedPayload) {
            return Err(SignError::StreamingUnsupported);
        }
        let announced = self.signer.content_header == ContentHeader::Send
            || content == ContentSha256::UnsignedPayload;
        Signed::new(self, &reading, content, announced, None)
    }

    /// As [`Signer::sign_stream`].
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign_stream<'r>(
        &self,
        request: &Request<'r>,
        framing: &Framing<'r>,
    ) -> Result<(Signed<'r>, ChunkSigner), SignError>
    where
        'a: 'r,
    {
        let mut query = Query::new(PlusSign::Space);
        let reading = self.signer.read(request, &mut query)?;
        if reading.wire.first(Known::AmzContentSha256).is_some() {
            return Err(SignError::ReservedField);
        }
        let streams = matches!(
            framing.content,
            ContentSha256::StreamingSigned
                | ContentSha256::StreamingSignedTrailer
                | ContentSha256::StreamingUnsignedTrailer
        );
        let scope = &self.signer.scope;
        if !streams || self.signer.dialect != Dialect::S3 {
            return Err(SignError::StreamingUnsupported);
        }
        let announced = framing.announced().ok_or(SignError::Trailers)?;
        let signed = Signed::new(self, &reading, framing.content, true, Some(*framing))?;
        let chain = Chain::new(self.signer.key.clone(), self.now, scope, signed.signature());
        Ok((signed, ChunkSigner::new(framing, announced, chain)))
    }

    /// As [`Signer::presign`].
    ///
    /// # Errors
    /// [`SignError`].
    #[inline]
    pub fn presign<'r>(
        &self,
        request: &Request<'r>,
        expires: Duration,
    ) -> Result<Presigned<'r>, SignError>
    where
        'a: 'r,
    {
        self.presign_some(request, None, expires)
    }

    /// As [`Signer::presign_with`].
    ///
    /// # Errors
    /// [`SignError`].
    #[inline]
    pub fn presign_with<'r>(
        &self,
        request: &Request<'r>,
        content: ContentSha256,
        expires: Duration,
    ) -> Result<Presigned<'r>, SignError>
    where
        'a: 'r,
    {
        self.presign_some(request, Some(content), expires)
    }

    #[inline]
    fn presign_some<'r>(
        &self,
        request: &Request<'r>,
        content: Option<ContentSha256>,
        expires: Duration,
    ) -> Result<Presigned<'r>, SignError>
    where
        'a: 'r,
    {
        let mut query = Query::new(PlusSign::Space);
        let reading = self.signer.read(request, &mut query)?;
        if reading.query.names_content() {
            return Err(SignError::ReservedParameter);
        }
        let announced = reading.content()?;
        let dialect = self.signer.dialect;
        let content = content.or(announced).unwrap_or(match dialect {
            Dialect::S3 => ContentSha256::UnsignedPayload,
            Dialect::Standard => ContentSha256::EMPTY,
        });
        let needs_no_field = match dialect {
            Dialect::S3 => content == ContentSha256::UnsignedPayload,
            Dialect::Standard => matches!(content, ContentSha256::Digest(_)),
        };
        match announced {
            Some(announced) if announced != content => return Err(SignError::ContentConflict),
            None if !needs_no_field => return Err(SignError::ContentConflict),
            _ => {}
        }
        if !matches!(content, ContentSha256::Digest(_) | ContentSha256::UnsignedPayload) {
            return Err(SignError::StreamingUnsupported);
        }
        let whole = expires.subsec_nanos() == 0 && (1..=MAX_EXPIRES).contains(&expires.as_secs());
        let expires = u32::try_from(expires.as_secs()).ok().filter(|_| whole);
        let expires = expires.ok_or(SignError::ExpiresRange)?;
        Presigned::new(self, &reading, content, expires)
    }
}

impl fmt::Debug for SignerAt<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignerAt")
            .field("signer", &self.signer)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}
