//! Middleware (feature `tower`): a server behind [`VerifyLayer`] gets verified heads and verifying
//! bodies, a client behind [`SignLayer`] sends signed ones.
//!
//! Keys come from a [`KeyProvider`] or a [`CredentialProvider`], which may wait for them; for one
//! fixed credential, [`FixedCredential`] is both.
//!
//! A server in five lines:
//!
//! ```
//! use countersign::tower::{FixedCredential, VerifiedHead, VerifyLayer};
//! # use countersign::{AccessKeyId, Credentials, SecretKey};
//! # use tower_layer::Layer;
//! # fn serve<S>(service: S) -> Result<(), Box<dyn std::error::Error>> {
//! # let credentials = Credentials {
//! #     access_key_id: AccessKeyId::new("AKIAIOSFODNN7EXAMPLE")?,
//! #     secret_key: SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")?,
//! #     session_token: None,
//! # };
//! let keys = FixedCredential::new(&credentials);
//! let service = VerifyLayer::new("s3", "us-east-1", keys).layer(service);
//! // ... and in the service:
//! fn who(request: &http::Request<()>) -> Option<String> {
//!     Some(request.extensions().get::<VerifiedHead>()?.access_key_id().to_string())
//! }
//! # let _ = service; let _ = who; Ok(()) }
//! ```

mod fixed;
mod pairs;
mod sign;
mod verify;

use std::boxed::Box;
use std::sync::Arc;

use crate::credential::CredentialScope;
use crate::time::Date;

pub use fixed::FixedCredential;
pub use sign::{
    CredentialProvider, Issued, SignBody, SignLayer, SignService, SignServiceError, SignTrailers,
    SigningBody,
};
pub use verify::{
    ClaimedToken, Found, KeyProvider, RequestIds, VerifiedHead, VerifyLayer, VerifyService, Wanted,
};

/// Why a provider has no answer.
pub type BoxError = Box<dyn core::error::Error + Send + Sync>;

/// What a signing key is derived for: a [`CredentialScope`] that owns its parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct KeyScope {
    /// The day, in UTC.
    pub date: Date,
    /// The region.
    pub region: Arc<str>,
    /// The service.
    pub service: Arc<str>,
}

impl KeyScope {
    /// The scope of a day, a region and a service.
    #[must_use]
    pub fn new(date: Date, region: impl Into<Arc<str>>, service: impl Into<Arc<str>>) -> Self {
        Self { date, region: region.into(), service: service.into() }
    }

    /// The scope, for [`SigningKey::derive`](crate::SigningKey::derive).
    #[must_use]
    pub fn as_scope(&self) -> CredentialScope<'_> {
        CredentialScope { date: self.date, region: &self.region, service: &self.service }
    }
}
