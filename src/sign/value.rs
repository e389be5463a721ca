//! The texts that signing makes: values of fields, and targets.

use core::fmt;

use super::{Presigned, Signed};
use crate::canonical::{Added, Additions, Filled, Measured, Pieces, Shown, Sink};

/// A text that a signer made: the value of a field to add, or a target. It is written on demand, to
/// where the caller wants it.
///
/// ```
/// # use countersign::*;
/// # fn send(signed: &Signed<'_>) {
/// // Into a buffer of one's own ...
/// let mut buffer = [0; 1024];
/// for (name, value) in signed.headers() {
///     let text = value.write_to(&mut buffer).expect("room for a header");
///     println!("{name}: {} bytes", text.len());
/// }
/// // ... or by way of `Display`.
/// let authorization = signed.authorization().to_string();
/// assert_eq!(authorization.len(), signed.authorization().len());
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct SignedValue<'s>(pub(super) Value<'s>);

#[derive(Clone, Copy)]
pub(super) enum Value<'s> {
    Added(&'s Additions<'s>, Added),
    Token(&'s str),
    Authorization(&'s Signed<'s>),
    Target(&'s Presigned<'s>),
}

impl SignedValue<'_> {
    /// Writes the text to the front of `buffer` and gives that part of it; `None` if the text is
    /// longer.
    #[inline]
    #[must_use]
    pub fn write_to<'b>(&self, buffer: &'b mut [u8]) -> Option<&'b mut [u8]> {
        let mut filled = Filled::new(buffer);
        self.put(&mut filled);
        filled.finish()
    }

    /// Hands over the text, piece by piece.
    pub fn pieces(&self, each: impl FnMut(&[u8])) {
        self.put(&mut Pieces(each));
    }

    /// Length of the text in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        let mut measured = Measured::default();
        self.put(&mut measured);
        measured.len()
    }

    /// Whether the text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn to_vec(&self) -> alloc::vec::Vec<u8> {
        let mut bytes = alloc::vec::Vec::with_capacity(self.len());
        self.pieces(|piece| bytes.extend_from_slice(piece));
        bytes
    }

    #[inline(always)]
    fn put(&self, sink: &mut impl Sink) {
        match self.0 {
            Value::Added(additions, added) => sink.put(additions.value(added)),
            Value::Token(token) => sink.put(token.as_bytes()),
            Value::Authorization(signed) => signed.put_authorization(sink),
            Value::Target(presigned) => presigned.put_target(sink),
        }
    }
}

impl fmt::Display for SignedValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown::with(f, |shown| self.put(shown))
    }
}

impl fmt::Debug for SignedValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedValue([redacted])")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use core::time::Duration;
    use std::string::{String, ToString};
    use std::vec::Vec;

    use super::SignedValue;
    use crate::content::ContentSha256;
    use crate::credential::{
        AccessKeyId, CredentialScope, Credentials, SecretKey, SessionToken, SessionTokenRule,
    };
    use crate::request::{Header, Request};
    use crate::sign::{ContentHeader, SignError, Signer};
    use crate::time::Timestamp;

    /// Every way to the text gives the same, and a buffer is filled to its last byte or not at all.
    fn text(value: &SignedValue<'_>) -> String {
        let text = value.to_string();
        let mut pieces = Vec::new();
        value.pieces(|piece| pieces.extend_from_slice(piece));
        assert_eq!((pieces.as_slice(), value.len()), (text.as_bytes(), text.len()));
        let mut buffer = std::vec![b'#'; text.len() + 1];
        assert_eq!(value.write_to(&mut buffer).as_deref(), Some(text.as_bytes()));
        assert_eq!(buffer.last(), Some(&b'#'));
        let written = value.write_to(&mut buffer[..text.len()]);
        assert_eq!(written.as_deref(), Some(text.as_bytes()));
        for len in 0..text.len() {
            assert!(value.write_to(&mut buffer[..len]).is_none(), "{text} in {len}");
        }
        text
    }

    /// A buffer with room for a text gets it, and any shorter one an error.
    fn filled_or_refused(text: &[u8], write: impl Fn(&mut [u8]) -> Result<Vec<u8>, SignError>) {
        let mut buffer = std::vec![b'#'; text.len() + 1];
        assert_eq!(write(&mut buffer).as_deref(), Ok(text));
        assert_eq!(write(&mut buffer[..text.len()]).as_deref(), Ok(text));
        assert_eq!(buffer.last(), Some(&b'#'));
        for len in 0..text.len() {
            assert_eq!(write(&mut buffer[..len]), Err(SignError::BufferTooSmall), "{len}");
        }
    }

    /// The lengths that the documentation of `sign_to` and `presign_to` gives.
    #[test]
    fn what_is_added_is_no_longer_than_documented() {
        let now = Timestamp::parse("20130524T000000Z").expect("a time");
        let (id, part, token) = ("i".repeat(128), "p".repeat(64), "t".repeat(500));
        let headers = [Header { name: "Host", value: b"h" }, Header { name: "X-B", value: b"1" }];
        let request = Request { method: "GET", target: "/", headers: &headers };
        let content = ContentSha256::EMPTY;
        let mut buffer = [0; 2048];
        for service in ["s3express", part.as_str()] {
            let credentials = Credentials {
                access_key_id: AccessKeyId::new(&id).expect("a name"),
                secret_key: SecretKey::new("secret").expect("a secret"),
                session_token: Some(SessionToken::new(&token).expect("a token")),
            };
            let scope = CredentialScope { date: now.date(), region: &part, service };
            let signer = Signer::new(&credentials, scope).expect("a scope");
            let signer = signer.content_header(ContentHeader::Send);
            let written = signer.sign_to(&request, content, now, &mut buffer).expect("signed");
            let values: usize = written.headers().map(|(_, value)| value.len()).sum();
            let added = written.headers().map(|(name, _)| name).filter(|n| *n != "authorization");
            let names: usize = added.chain(["Host", "X-B"]).map(|name| name.len() + 1).sum();
            assert!(values <= 400 + names + id.len() + token.len(), "{values}");
            let life = Duration::from_secs(604_800);
            let target = signer.presign_to(&request, life, now, &mut buffer).expect("presigned");
            let most = request.target.len() + 400 + "host%3Bx-b%3B".len() + id.len() + token.len();
            assert!(target.len() <= most, "{}", target.len());
        }
    }

    #[test]
    fn texts_are_the_same_however_they_are_written() {
        let now = Timestamp::parse("20130524T000000Z").expect("a time");
        let credentials = Credentials {
            access_key_id: AccessKeyId::new("AKIAIOSFODNN7EXAMPLE").expect("a name"),
            secret_key: SecretKey::new("secret").expect("a secret"),
            session_token: Some(SessionToken::new("token/+=").expect("a token")),
        };
        let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "s3" };
        let signer = Signer::new(&credentials, scope).expect("a scope");
        let headers = [Header { name: "Host", value: b"h" }, Header { name: "X-B", value: b"1" }];
        let request = Request { method: "GET", target: "/a?b=c", headers: &headers };
        for rule in [SessionTokenRule::Signed, SessionTokenRule::AfterSigning] {
            let signer = signer.clone().session_token(rule);
            let second = signer.at(now).expect("the day");
            for content in [ContentSha256::EMPTY, ContentSha256::UnsignedPayload] {
                let signed = signer.sign(&request, content, now).expect("signed");
                let again = second.sign(&request, content).expect("signed");
                let texts: Vec<_> = signed.headers().map(|(_, value)| text(&value)).collect();
                let others: Vec<_> = again.headers().map(|(_, value)| text(&value)).collect();
                assert_eq!(texts, others);
                assert_eq!(texts.last(), Some(&text(&signed.authorization())));
                let names: Vec<_> = signed.headers().map(|(name, _)| name).collect();
                filled_or_refused(texts.concat().as_bytes(), |buffer| {
                    let written = signer.sign_to(&request, content, now, buffer)?;
                    let (to, values): (Vec<_>, Vec<_>) = written.headers().unzip();
                    assert_eq!((&to, values.concat()), (&names, texts.concat().into_bytes()));
                    assert!(
                        values.iter().zip(&texts).all(|(value, text)| *value == text.as_bytes())
                    );
                    Ok(values.concat())
                });
            }
            let life = Duration::from_secs(60);
            for target in ["/a", "/a?", "/a?b=c", "/a?Z&x-amz-a=1"] {
                let request = Request { target, ..request };
                let presigned = signer.presign(&request, life, now).expect("presigned");
                let again = second.presign(&request, life).expect("presigned");
                let target = text(&presigned.target());
                assert_eq!(target, text(&again.target()));
                filled_or_refused(target.as_bytes(), |buffer| {
                    Ok(signer.presign_to(&request, life, now, buffer)?.to_vec())
                });
            }
        }
    }
}
