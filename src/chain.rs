//! The chain of signatures over a streamed body.
//!
//! Each chunk's signature covers the one before, the first covers the head's, and the trailers' the
//! last chunk's. Time and scope are the head's throughout, so everything before the previous
//! signature is hashed once. Nothing here reads a frame.
//!
//! Amazon S3 API Reference, "Signature Calculations for the Authorization Header: Transferring
//! Payload in Multiple Chunks" and "... Including Trailing Headers".

use core::fmt;

use crate::credential::CredentialScope;
use crate::crypto::{BegunLayout, DIGEST_LEN, Gathering, Layout};
use crate::signature::{Signature, SigningKey};
use crate::time::Timestamp;

/// The hash of no bytes, which stands for the headers that a chunk does not have, and for the data
/// that the last one does not have.
const EMPTY: &[u8; Signature::HEX_LEN] =
    b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What stands where a digest will be written.
const PLACE: &[u8] = &[b'0'; Signature::HEX_LEN];

/// Blocks for what is left of one, three digests, the ends of their lines, and the padding.
const BLOCKS: usize = 5;

/// Where a chain of signatures stands.
#[derive(Clone)]
pub(crate) struct Chain {
    key: SigningKey,
    /// The string to sign of the next chunk: the previous signature is written already, the hash of
    /// the data is not.
    chunk: Layout<BLOCKS>,
    previous_at: usize,
    data_at: usize,
    /// The string to sign of the trailers up to the previous signature. Most bodies have no signed
    /// trailers: as a rule nothing of it is hashed.
    trailer: Gathering<2>,
}

impl Chain {
    /// A chain that begins with the signature of a head.
    pub(crate) fn new(
        key: SigningKey,
        timestamp: Timestamp,
        scope: &CredentialScope<'_>,
        seed: Signature,
    ) -> Self {
        let trailer = begin(&key, b"AWS4-HMAC-SHA256-TRAILER\n", timestamp, scope);
        let mut message = begin(&key, b"AWS4-HMAC-SHA256-PAYLOAD\n", timestamp, scope);
        message.flush();
        let previous_at = message.waiting();
        for piece in [PLACE, b"\n", &EMPTY[..], b"\n"] {
            message.update(piece);
        }
        let data_at = message.waiting();
        message.update(PLACE);
        let mut chunk = message.lay_out();
        seed.put_into(&mut chunk, previous_at);
        Self { key, chunk, previous_at, data_at, trailer }
    }

    /// The signature of the next chunk, by the hash of its data. The chain moves on to it.
    #[inline]
    pub(crate) fn chunk(&mut self, data: &[u8; DIGEST_LEN]) -> Signature {
        // These blocks do not wait for the last ones of the data: a processor that looks ahead
        // hashes both at once.
        let begun = self.chunk.hash_before(self.data_at);
        self.chunk.put_hex(self.data_at, data);
        self.move_on(begun)
    }

    /// The signature of the last chunk, which has no data.
    pub(crate) fn last_chunk(&mut self) -> Signature {
        let begun = self.chunk.hash_before(self.data_at);
        self.chunk.put(self.data_at, EMPTY);
        self.move_on(begun)
    }

    #[inline]
    fn move_on(&mut self, begun: BegunLayout) -> Signature {
        let signature = self.key.finish_layout(&self.chunk, begun);
        signature.put_into(&mut self.chunk, self.previous_at);
        signature
    }

    /// The signature of the trailers, by the hash of their lines. Nothing follows it.
    pub(crate) fn trailers(self, lines: &[u8; DIGEST_LEN]) -> Signature {
        let mut message = self.trailer.clone();
        message.update(self.chunk.digits(self.previous_at));
        message.update(b"\n");
        message.update_hex(lines);
        self.key.finish(&mut message)
    }
}

/// What a string to sign begins with.
fn begin<const BLOCKS: usize>(
    key: &SigningKey,
    algorithm: &[u8],
    timestamp: Timestamp,
    scope: &CredentialScope<'_>,
) -> Gathering<BLOCKS> {
    let mut message = key.start();
    message.update(algorithm);
    message.update(timestamp.as_bytes());
    message.update(b"\n");
    scope.each_piece(|piece| message.update(piece));
    message.update(b"\n");
    message
}

impl Drop for Chain {
    /// Until something of it is hashed, the message has no other state than half of the key.
    fn drop(&mut self) {
        self.trailer.wipe();
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chain([redacted])")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::{String, ToString};

    use super::Chain;
    use crate::credential::{CredentialScope, SecretKey};
    use crate::crypto::Sha256;
    use crate::signature::{Signature, SigningKey};
    use crate::time::Timestamp;

    fn chain(seed: &str) -> Chain {
        let timestamp = Timestamp::parse("20130524T000000Z").expect("a time");
        let scope = CredentialScope { date: timestamp.date(), region: "us-east-1", service: "s3" };
        let secret = SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY").expect("a secret");
        let key = SigningKey::derive(&secret, &scope);
        Chain::new(key, timestamp, &scope, Signature::parse(seed.as_bytes()).expect("a signature"))
    }

    /// The two worked examples of the Amazon S3 API Reference: 66,560 letters `a`.
    #[test]
    fn the_documented_chains() {
        let data = [b'a'; 65_536];
        let mut chain_a = chain("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
        let mut chain_b = chain("106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
        for (piece, a, b) in [
            (
                &data[..],
                "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
                "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
            ),
            (
                &data[..1024],
                "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
                "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
            ),
            (
                &[],
                "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
                "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
            ),
        ] {
            for (chain, signature) in [(&mut chain_a, a), (&mut chain_b, b)] {
                let ended = piece.is_empty().then(|| chain.clone().last_chunk().to_string());
                assert_eq!(chain.chunk(&Sha256::digest(piece)).to_string(), signature);
                assert!(ended.is_none_or(|ended| ended == signature));
            }
        }
        let trailers = |chain: Chain, lines: &str| -> String {
            chain.trailers(&Sha256::digest(lines.as_bytes())).to_string()
        };
        assert_eq!(
            trailers(chain_b, "x-amz-checksum-crc32c:sOO8/Q==\n"),
            "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435",
        );
        // Published with aws-c-auth (Apache-2.0): three trailers behind the first example.
        assert_eq!(
            trailers(chain_a, "first:1st\nsecond:2nd\nthird:3rd\n"),
            "df5735bd9f3295cd9386572292562fefc93ba94e80a0a1ddcbd652c4e0a75e6c",
        );
    }
}
