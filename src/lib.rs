// The examples of the front page ask the system for the time.
#![cfg_attr(feature = "std", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "std"),
    doc = "AWS Signature Version 4, both ways: verify requests, sign requests."
)]
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(any(feature = "checksums", feature = "post-policy"))]
mod base64;
mod body;
mod bounded;
mod bytes;
mod canonical;
mod chain;
#[cfg(feature = "checksums")]
mod checksum;
mod chunked;
mod content;
mod credential;
mod crypto;
mod error;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "post-policy")]
mod post;
mod request;
mod sign;
mod signature;
mod time;
#[cfg(feature = "tower")]
pub mod tower;
mod verify;

pub use body::{
    BodyError, BodyVerifier, ChunkMinimum, Escrow, EscrowError, Event, Fed, Lent, Pending,
    Remainder, VerifiedBody,
};
pub use canonical::{
    CanonicalRequest, Dialect, PlusSign, SignedParameter, SignedPath, SignedText, StringToSign,
};
#[cfg(feature = "checksums")]
pub use checksum::{Checksum, ChecksumAlgorithm, Checksummer};
pub use chunked::{ChunkEnd, ChunkError, ChunkHead, ChunkHeads, ChunkSigner, Framing, Trailers};
pub use content::ContentSha256;
pub use credential::{
    AccessKeyId, CredentialError, CredentialScope, Credentials, SecretKey, SessionToken,
    SessionTokenField, SessionTokenRule,
};
pub use error::{Error, Family, Hint};
#[cfg(feature = "post-policy")]
pub use post::{
    CheckedForm, ConditionOperator, Form, FormClaim, FormError, FormField, FormValue, PolicyError,
    PostField, PostPolicy, Redirect, SignedForm, SuccessAction, SuccessStatus, VerifiedForm,
};
pub use request::{Header, Limits, Request, RequestError};
pub use sign::{
    ContentHeader, Presigned, SignError, Signed, SignedValue, Signer, SignerAt, WrittenHeaders,
};
pub use signature::{Signature, SigningKey};
pub use time::{Date, Timestamp, TimestampError};
pub use verify::{
    Claim, ClaimedSessionToken, Component, Mechanism, ReadError, SignedHeader, UnsignedPayload,
    Verified, Verifier, VerifyError,
};
