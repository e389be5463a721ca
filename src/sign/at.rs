//! Signing the requests of one second.

use core::fmt;
use core::time::Duration;

use super::presigned::presign_to;
use super::{ContentHeader, Presigned, Reading, SignError, Signed, Signer, WrittenHeaders};
use crate::canonical::{Additions, Authentication, Begun, Dialect};
use crate::chain::Chain;
use crate::chunked::{ChunkSigner, Framing};
use crate::content::ContentSha256;
use crate::crypto::DIGEST_LEN;
use crate::request::{Known, Request};
use crate::signature::Signature;
use crate::time::Timestamp;

/// The longest life of a presigned URL: seven days.
const MAX_EXPIRES: u64 = 604_800;

/// A [`Signer`] and the time at which it signs. Made by [`Signer::at`].
#[derive(Clone)]
pub struct SignerAt<'s, 'a> {
    pub(super) signer: &'s Signer<'a>,
    pub(super) now: Timestamp,
    /// What the requests of this second have in common, if there may be more than one.
    pub(super) begun: Option<Begun>,
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
        self.signer.read(request, |reading| {
            let additions = self.additions_to_whole(reading, content)?;
            Signed::new(self, reading, content, additions)
        })
    }

    /// As [`Signer::sign_to`].
    ///
    /// # Errors
    /// [`SignError`].
    #[inline(always)]
    pub fn sign_to<'b>(
        &self,
        request: &Request<'_>,
        content: ContentSha256,
        buffer: &'b mut [u8],
    ) -> Result<WrittenHeaders<'b>, SignError> {
        self.signer.read(request, |reading| {
            let additions = self.additions_to_whole(reading, content)?;
            WrittenHeaders::new(self, reading, content, &additions, buffer)
        })
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
        self.signer.read(request, |reading| {
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
            Self::check_unannounced(reading)?;
            let Framing { content, decoded_len, trailers } = *framing;
            // Frames are longer than what is in them.
            if reading.announced_len.is_some_and(|len| len <= decoded_len) {
                return Err(SignError::ContentConflict);
            }
            let additions = self.additions(content).with_content();
            let additions = additions.with_stream(decoded_len, trailers);
            let signed = Signed::new(self, reading, content, additions)?;
            let chain = || Chain::new(self.signer.key.clone(), self.now, scope, signed.signature());
            let chunks = ChunkSigner::new(framing, announced, chain);
            Ok((signed, chunks))
        })
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
        self.signer.read(request, |reading| {
            let mut content = self.usual_content();
            let expires = self.terms(reading, None, expires, &mut content)?;
            Presigned::new(self, reading, content, expires)
        })
    }

    /// As [`Signer::presign_to`].
    ///
    /// # Errors
    /// [`SignError`].
    #[inline(always)]
    pub fn presign_to<'b>(
        &self,
        request: &Request<'_>,
        expires: Duration,
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], SignError> {
        self.signer.read(request, |reading| {
            let mut content = self.usual_content();
            let expires = self.terms(reading, None, expires, &mut content)?;
            presign_to(self, reading, content, expires, buffer)
        })
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
        self.signer.read(request, |reading| {
            let mut covered = self.usual_content();
            let expires = self.terms(reading, Some(content), expires, &mut covered)?;
            Presigned::new(self, reading, covered, expires)
        })
    }

    /// As [`Signer::presign_with_to`].
    ///
    /// # Errors
    /// [`SignError`].
    #[inline]
    pub fn presign_with_to<'b>(
        &self,
        request: &Request<'_>,
        content: ContentSha256,
        expires: Duration,
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], SignError> {
        self.signer.read(request, |reading| {
            let mut covered = self.usual_content();
            let expires = self.terms(reading, Some(content), expires, &mut covered)?;
            presign_to(self, reading, covered, expires, buffer)
        })
    }

    /// The hash of a canonical request, which `hash` ends, and the signature of it. What of the string
    /// to sign does not depend on the hash is written before, so that it need not wait for it.
    #[inline(always)]
    pub(super) fn sign_hash(
        &self,
        hash: impl FnOnce() -> [u8; DIGEST_LEN],
    ) -> ([u8; DIGEST_LEN], Signature) {
        let Signer { key, credential, .. } = self.signer;
        let once;
        let begun = match &self.begun {
            Some(begun) => begun,
            None => {
                once = Begun::new(key, &self.now, credential);
                &once
            }
        };
        let hash = hash();
        (hash, begun.signature(key, &hash))
    }

    /// What is added to every request that is signed in its header.
    #[inline(always)]
    fn additions(&self, content: ContentSha256) -> Additions<'a> {
        let additions = Additions::at(self.now, content);
        match self.signer.token_parts() {
            (Some((token, text)), _) => additions.with_token(token, text),
            (None, _) => additions,
        }
    }

    /// The content is announced by the signer alone.
    #[inline(always)]
    fn check_unannounced(reading: &Reading<'_, '_>) -> Result<(), SignError> {
        match reading.wire.first(Known::AmzContentSha256) {
            Some(_) => Err(SignError::ReservedField),
            None => Ok(()),
        }
    }

    /// What is added to one with a body that is not streamed.
    #[inline(always)]
    fn additions_to_whole(
        &self,
        reading: &Reading<'_, '_>,
        content: ContentSha256,
    ) -> Result<Additions<'a>, SignError> {
        Self::check_unannounced(reading)?;
        if !matches!(content, ContentSha256::Digest(_) | ContentSha256::UnsignedPayload) {
            return Err(SignError::StreamingUnsupported);
        }
        check_body(reading, &content)?;
        let announced = self.signer.content_header == ContentHeader::Send
            || content == ContentSha256::UnsignedPayload;
        let additions = self.additions(content);
        Ok(if announced { additions.with_content() } else { additions })
    }

    /// What is added to the query of a presigned URL.
    #[inline(always)]
    pub(super) fn authentication(&self, expires: u32) -> Authentication<'_> {
        let Self { signer, now, .. } = self;
        let (token, _) = signer.token_parts();
        Authentication {
            access_key_id: &signer.access_key_id,
            scope: signer.scope,
            credential: signer.credential.escaped(),
            timestamp: *now,
            expires,
            token,
            written: None,
        }
    }

    /// What a presigned URL covers if nothing is said of it.
    #[inline(always)]
    const fn usual_content(&self) -> ContentSha256 {
        match self.signer.dialect {
            Dialect::S3 => ContentSha256::UnsignedPayload,
            Dialect::Standard => ContentSha256::EMPTY,
        }
    }

    /// Checks the terms of a presigned URL, and gives the seconds that it lives. `content` comes as the
    /// [usual](Self::usual_content) one and becomes what it covers.
    #[inline(always)]
    fn terms(
        &self,
        reading: &Reading<'_, '_>,
        given: Option<ContentSha256>,
        expires: Duration,
        content: &mut ContentSha256,
    ) -> Result<u32, SignError> {
        let in_query = reading.query.announced_content();
        let in_query = in_query.map_err(|_| SignError::ReservedParameter)?;
        let token = usize::from(self.signer.token.is_some());
        reading.check_with_parameters(Authentication::COUNT + token)?;
        let in_field = !reading.wire.has_no(&[Known::AmzContentSha256]);
        if given.is_some() || in_field || in_query.is_some() {
            self.settle_content(reading, given, in_query, content)?;
        }
        check_body(reading, content)?;
        let whole = expires.subsec_nanos() == 0 && (1..=MAX_EXPIRES).contains(&expires.as_secs());
        let expires = u32::try_from(expires.as_secs()).ok().filter(|_| whole);
        expires.ok_or(SignError::ExpiresRange)
    }

    /// Settles the content of a presigned URL of which something is said: by whoever asks for it, or by
    /// a field or a parameter of the request.
    #[inline(never)]
    fn settle_content(
        &self,
        reading: &Reading<'_, '_>,
        given: Option<ContentSha256>,
        in_query: Option<&[u8]>,
        content: &mut ContentSha256,
    ) -> Result<(), SignError> {
        let parse = |value| ContentSha256::parse(value).ok_or(SignError::ContentConflict);
        let in_query = in_query.map(parse).transpose()?;
        let in_field = reading.wire.single(Known::AmzContentSha256)?.map(parse).transpose()?;
        let announced = in_field.or(in_query);
        if announced != in_query.or(in_field) {
            return Err(SignError::ContentConflict);
        }
        *content = given.or(announced).unwrap_or(*content);
        let needs_no_field = match self.signer.dialect {
            Dialect::S3 => *content == ContentSha256::UnsignedPayload,
            Dialect::Standard => matches!(content, ContentSha256::Digest(_)),
        };
        match announced {
            Some(announced) if announced != *content => return Err(SignError::ContentConflict),
            None if !needs_no_field => return Err(SignError::ContentConflict),
            _ => {}
        }
        if !matches!(content, ContentSha256::Digest(_) | ContentSha256::UnsignedPayload) {
            return Err(SignError::StreamingUnsupported);
        }
        Ok(())
    }
}

/// Refuses a body that cannot be what is signed: one in frames that nothing says more of, for a body
/// that is called unsigned is read so if its coding is `aws-chunked`, and then needs what
/// [`Signer::sign_stream`] adds; and one that is announced to have bytes, with the digest of none.
#[inline(always)]
fn check_body(reading: &Reading<'_, '_>, content: &ContentSha256) -> Result<(), SignError> {
    let is_framed = reading.wire.is_aws_chunked();
    let is_filled = reading.announced_len.is_some_and(|len| len > 0);
    if is_framed && *content == ContentSha256::UnsignedPayload
        || is_filled && *content == ContentSha256::EMPTY
    {
        return Err(SignError::ContentConflict);
    }
    Ok(())
}

impl fmt::Debug for SignerAt<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignerAt")
            .field("signer", &self.signer)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}
