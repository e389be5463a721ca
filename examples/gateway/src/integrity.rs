//! What a body says of itself besides its signature: `Content-MD5` and `x-amz-checksum-*`.
//!
//! The store would notice a difference only after it has replaced the object, so the sums are taken
//! while the body is spooled. They find accidents; that the body is the signer's is not their
//! business, and this module deliberately knows nothing of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, Method};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::Checksum;

use crate::error::Fault;

/// The sums a body was announced with, being taken.
pub(crate) struct Integrity {
    md5: Option<([u8; 16], Md5)>,
    declared: Checksum,
    hasher: ChecksumHasher,
}

impl Integrity {
    /// What the head of a request announces.
    pub(crate) fn announced(parts: &Parts) -> Result<Self, Fault> {
        let md5 = match parts.headers.get("content-md5") {
            None => None,
            Some(value) => {
                let digest = STANDARD.decode(value.as_bytes()).map_err(|_| Fault::Md5Syntax)?;
                let digest = digest.try_into().map_err(|_| Fault::Md5Syntax)?;
                Some((digest, Md5::new()))
            }
        };
        let declared =
            if is_completion(parts) { Checksum::default() } else { declared(&parts.headers) };
        let hasher = hasher(&declared);
        Ok(Integrity { md5, declared, hasher })
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if let Some((_, md5)) = &mut self.md5 {
            md5.update(bytes);
        }
        self.hasher.update(bytes);
    }

    /// Whether the body was the one that was announced.
    pub(crate) fn finish(self) -> Result<(), Fault> {
        if let Some((declared, md5)) = self.md5
            && md5.finalize() != declared
        {
            return Err(Fault::Md5);
        }
        if self.hasher.finalize() == self.declared { Ok(()) } else { Err(Fault::Checksum) }
    }
}

/// Takes the checksums that were declared, and no other.
pub(crate) fn hasher(declared: &Checksum) -> ChecksumHasher {
    ChecksumHasher {
        crc32: declared.checksum_crc32.as_ref().map(|_| Crc32::new()),
        crc32c: declared.checksum_crc32c.as_ref().map(|_| Crc32c::new()),
        crc64nvme: declared.checksum_crc64nvme.as_ref().map(|_| Crc64Nvme::new()),
        sha1: declared.checksum_sha1.as_ref().map(|_| Sha1::new()),
        sha256: declared.checksum_sha256.as_ref().map(|_| Sha256::new()),
    }
}

/// Completing a multipart upload carries the checksum of the object, not of the request.
fn is_completion(parts: &Parts) -> bool {
    let mut parameters = parts.uri.query().unwrap_or_default().split('&');
    parts.method == Method::POST && parameters.any(|one| one.starts_with("uploadId="))
}

/// The checksums that are known; others are not looked at, as clients invent new ones.
fn declared(headers: &HeaderMap) -> Checksum {
    let value = |name: &str| {
        headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Checksum {
        checksum_crc32: value("x-amz-checksum-crc32"),
        checksum_crc32c: value("x-amz-checksum-crc32c"),
        checksum_crc64nvme: value("x-amz-checksum-crc64nvme"),
        checksum_sha1: value("x-amz-checksum-sha1"),
        checksum_sha256: value("x-amz-checksum-sha256"),
        checksum_type: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, target: &str, header: (&str, &str), body: &[u8]) -> Result<(), Fault> {
        let (parts, ()) = http::Request::builder()
            .method(method)
            .uri(target)
            .header(header.0, header.1)
            .body(())
            .unwrap()
            .into_parts();
        let mut integrity = Integrity::announced(&parts)?;
        for byte in body {
            integrity.update(std::slice::from_ref(byte));
        }
        integrity.finish()
    }

    #[test]
    fn sums_are_compared() {
        let md5 = ("content-md5", "XUFAKrxLKna5cZ2REBfFkg==");
        assert_eq!(check("PUT", "/b/k", md5, b"hello"), Ok(()));
        assert_eq!(check("PUT", "/b/k", md5, b"hullo"), Err(Fault::Md5));
        for bad in ["", "x", "XUFAKrxLKna5cZ2REBfFkg", "aGVsbG8="] {
            let header = ("content-md5", bad);
            assert_eq!(check("PUT", "/b/k", header, b"hello"), Err(Fault::Md5Syntax), "{bad}");
        }
        let crc = ("x-amz-checksum-crc32", "NhCmhg==");
        assert_eq!(check("PUT", "/b/k", crc, b"hello"), Ok(()));
        assert_eq!(check("PUT", "/b/k", crc, b"hullo"), Err(Fault::Checksum));
        let nonsense = ("x-amz-checksum-crc32", "hello");
        assert_eq!(check("PUT", "/b/k", nonsense, b"hello"), Err(Fault::Checksum));
        let unknown = ("x-amz-checksum-xxhash3", "AAAA");
        assert_eq!(check("PUT", "/b/k", unknown, b"hello"), Ok(()));
    }

    #[test]
    fn a_completed_upload_speaks_of_the_object() {
        let crc = ("x-amz-checksum-crc32", "AAAAAA==");
        assert_eq!(check("POST", "/b/k?uploadId=1", crc, b"<xml/>"), Ok(()));
        assert_eq!(check("POST", "/b?delete", crc, b"<xml/>"), Err(Fault::Checksum));
    }
}
