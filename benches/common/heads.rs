//! Requests without a body, and what is done with them.

use std::hint::black_box;
use std::time::Duration;

use countersign::{
    AccessKeyId, ContentSha256, CredentialScope, Credentials, Header, Request, SecretKey,
    Signature, Signer, SignerAt, SigningKey, Timestamp, Verifier,
};
use sha2::{Digest as _, Sha256};

use super::floor;

pub(crate) const ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub(crate) const REGION: &str = "us-east-1";
pub(crate) const HOST: &str = "examplebucket.s3.us-east-1.amazonaws.com";
pub(crate) const TIME: &str = "20130524T000000Z";
pub(crate) const EXPIRES: Duration = Duration::from_secs(3600);

/// How the bodies of these requests are covered: not at all, so that the head alone is measured.
pub(crate) const CONTENT: ContentSha256 = ContentSha256::UnsignedPayload;

pub(crate) fn now() -> Timestamp {
    Timestamp::parse(TIME).expect("a time")
}

pub(crate) fn scope() -> CredentialScope<'static> {
    CredentialScope { date: now().date(), region: REGION, service: "s3" }
}

pub(crate) fn secret() -> SecretKey<'static> {
    SecretKey::new(SECRET).expect("a secret")
}

/// A signer whose key has been derived.
pub(crate) fn signer() -> Signer<'static> {
    let access_key_id = AccessKeyId::new(ID).expect("a name");
    let credentials = Credentials { access_key_id, secret_key: secret(), session_token: None };
    Signer::new(&credentials, scope()).expect("a scope")
}

pub(crate) fn key() -> SigningKey {
    SigningKey::derive(&secret(), &scope())
}

pub(crate) fn verifier() -> Verifier<'static> {
    Verifier::s3(REGION)
}

/// A request that owns its text.
#[derive(Clone)]
pub(crate) struct Head {
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Head {
    /// A GET with a host and nothing else: what is presigned.
    pub(crate) fn bare() -> Self {
        Self {
            method: "GET",
            target: "/photos/2013/05/24/sunrise.jpg".to_owned(),
            fields: vec![field("Host", HOST)],
        }
    }

    /// Four fields when it is signed: host, range, and the two that a signer adds.
    pub(crate) fn small() -> Self {
        let mut head = Self::bare();
        head.fields.push(field("Range", "bytes=0-1048575"));
        head
    }

    /// 20 fields when it is signed, 12 parameters, a path of 200 bytes that is mostly escapes.
    pub(crate) fn large() -> Self {
        let mut path = String::from("/archive/");
        let words =
            ["%E5%86%99%E7%9C%9F", "%D1%84%D0%BE%D1%82%D0%BE", "caf%C3%A9", "r%C3%A9sum%C3%A9"];
        for word in words.iter().cycle() {
            if path.len() + word.len() + 1 > 196 {
                break;
            }
            path.push_str(word);
            path.push('/');
        }
        while path.len() < 200 {
            path.push('x');
        }
        let parameters = [
            "versionId=3%2FL4kqtJlcpXroDTDmJ%2BrmSpXd3dIbrHY%2BMTRCxf3vjVBH40Nr8X8gdRQBpUMLUo",
            "response-content-type=image%2Fjpeg",
            "response-content-language=en-GB",
            "response-expires=Thu%2C%2001%20Dec%202033%2016%3A00%3A00%20GMT",
            "response-cache-control=no-cache",
            "response-content-disposition=attachment%3B%20filename%3D%22photo.jpg%22",
            "response-content-encoding=identity",
            "partNumber=7",
            "x-id=GetObject",
            "tenant=acme-europe",
            "trace=6f1c2d34-9a7b-4c55-8e2f-0d1b2a3c4d5e",
            "flags=a,b,c",
        ];
        let fields = [
            ("Host", HOST),
            ("Accept", "image/avif,image/webp,*/*;q=0.8"),
            ("Accept-Language", "en-GB,en;q=0.7,fr;q=0.3"),
            ("Cache-Control", "no-cache"),
            ("Content-Type", "application/octet-stream"),
            ("If-Match", "\"9b2cf535f27731c974343645a3985328\""),
            ("If-Modified-Since", "Thu, 23 May 2013 00:00:00 GMT"),
            ("If-None-Match", "\"d41d8cd98f00b204e9800998ecf8427e\""),
            ("Pragma", "no-cache"),
            ("Range", "bytes=0-1048575"),
            ("Referer", "https://gallery.example.org/albums/2013/05/24"),
            ("X-Amz-Expected-Bucket-Owner", "123456789012"),
            ("X-Amz-Request-Payer", "requester"),
            ("X-Amz-Checksum-Mode", "ENABLED"),
            ("X-Amz-Meta-Author", "Ada Lovelace"),
            ("X-Amz-Meta-Reviewed-By", "Charles Babbage"),
            ("X-Forwarded-Proto", "https"),
            ("X-Request-Id", "c1f1a6d4-1b5c-4f1e-9c5f-7b8a6d5e4f32"),
        ];
        Self {
            method: "GET",
            target: format!("{path}?{}", parameters.join("&")),
            fields: fields.iter().map(|(name, value)| field(name, value)).collect(),
        }
    }

    /// A request with that many fields when it is signed, at least three, and so many parameters.
    pub(crate) fn of(fields: usize, parameters: usize) -> Self {
        let mut head = Self::bare();
        for nth in 0..fields.saturating_sub(3) {
            head.fields.push(field(&format!("X-Amz-Meta-{nth:03}"), "sixteen byte val"));
        }
        let parameters: Vec<_> =
            (0..parameters).map(|nth| format!("parameter-{nth:03}=sixteen-byte-val")).collect();
        if !parameters.is_empty() {
            head.target = format!("{}?{}", head.target, parameters.join("&"));
        }
        head
    }

    pub(crate) fn headers(&self) -> Vec<Header<'_>> {
        self.fields.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect()
    }

    pub(crate) fn request<'h>(&'h self, headers: &'h [Header<'h>]) -> Request<'h> {
        Request { method: self.method, target: &self.target, headers }
    }

    /// The request as it arrives when it has been signed.
    pub(crate) fn signed(&self) -> Self {
        self.signed_with(CONTENT)
    }

    /// The same for one whose body is covered in another way.
    pub(crate) fn signed_with(&self, content: ContentSha256) -> Self {
        let headers = self.headers();
        let request = self.request(&headers);
        let signed = signer().sign(&request, content, now()).expect("signed");
        let mut arrived = self.clone();
        for (name, value) in signed.headers() {
            arrived.fields.push(field(name, &value.to_string()));
        }
        arrived
    }

    /// The request as it arrives when it has been presigned.
    pub(crate) fn presigned(&self) -> Self {
        let headers = self.headers();
        let request = self.request(&headers);
        let presigned = signer().presign(&request, EXPIRES, now()).expect("presigned");
        Self { target: presigned.target().to_string(), ..self.clone() }
    }

    /// Compressions of signing the request in its header, which are those of verifying it.
    pub(crate) fn blocks_signed(&self) -> usize {
        self.blocks_signed_with(CONTENT)
    }

    /// The same for one whose body is covered in another way.
    pub(crate) fn blocks_signed_with(&self, content: ContentSha256) -> usize {
        let headers = self.headers();
        let signed = signer().sign(&self.request(&headers), content, now()).expect("signed");
        blocks(&signed.canonical_request().to_string(), &signed.string_to_sign().to_string())
    }

    /// Compressions of signing the request in its query, which are those of verifying it.
    pub(crate) fn blocks_presigned(&self) -> usize {
        let headers = self.headers();
        let request = self.request(&headers);
        let presigned = signer().presign(&request, EXPIRES, now()).expect("presigned");
        blocks(&presigned.canonical_request().to_string(), &presigned.string_to_sign().to_string())
    }
}

fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Counts after making sure that these two texts are what is hashed.
fn blocks(canonical_request: &str, string_to_sign: &str) -> usize {
    let digest: String =
        Sha256::digest(canonical_request).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(string_to_sign.lines().last(), Some(digest.as_str()));
    floor::of_signature(canonical_request.len(), string_to_sign.len())
}

/// A buffer of the caller's, with room for all that a signer writes.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
}

impl Buffer {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; 16 * 1024] }
    }
}

/// Signs and writes the values of the fields to add.
#[inline]
pub(crate) fn sign(signer: &Signer<'_>, request: &Request<'_>, now: Timestamp, into: &mut Buffer) {
    let written = signer.sign_to(request, CONTENT, now, &mut into.bytes);
    written.expect("signed").headers().for_each(|field| {
        black_box(field);
    });
}

/// The same with what a second's requests have in common kept.
#[inline]
pub(crate) fn sign_at(second: &SignerAt<'_, '_>, request: &Request<'_>, into: &mut Buffer) {
    let written = second.sign_to(request, CONTENT, &mut into.bytes);
    written.expect("signed").headers().for_each(|field| {
        black_box(field);
    });
}

/// Signs and writes nothing.
#[inline]
pub(crate) fn signature(signer: &Signer<'_>, request: &Request<'_>, now: Timestamp) -> Signature {
    signer.sign(request, CONTENT, now).expect("signed").signature()
}

/// Signs in the query and writes the target.
#[inline]
pub(crate) fn presign(
    signer: &Signer<'_>,
    request: &Request<'_>,
    now: Timestamp,
    into: &mut Buffer,
) {
    black_box(signer.presign_to(request, EXPIRES, now, &mut into.bytes).expect("presigned"));
}

/// Reads the claim and verifies it with a key that was kept.
#[inline]
pub(crate) fn verify(
    verifier: &Verifier<'_>,
    request: &Request<'_>,
    now: Timestamp,
    key: &SigningKey,
) {
    let claim = verifier.read(request, now).expect("a claim");
    black_box(claim.claimed_access_key_id());
    let verified = claim.verify(key).expect("a good signature");
    black_box(&verified);
}
