//! One credential, for servers and clients that have no more.

use std::string::{String, ToString as _};
use std::sync::{Mutex, PoisonError};

use core::fmt;

use super::{BoxError, CredentialProvider, Found, Issued, KeyProvider, KeyScope, Wanted};
use crate::credential::{AccessKeyId, Credentials, SecretKey};
use crate::crypto::Wiped;
use crate::signature::SigningKey;

/// One credential that does not change, on either side. The key is derived once a day.
///
/// ```
/// use countersign::tower::{FixedCredential, SignLayer, VerifyLayer};
/// use countersign::{AccessKeyId, Credentials, SecretKey};
///
/// let credentials = Credentials {
///     access_key_id: AccessKeyId::new("AKIAIOSFODNN7EXAMPLE")?,
///     secret_key: SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")?,
///     session_token: None,
/// };
/// let client = SignLayer::new("s3", "us-east-1", FixedCredential::new(&credentials));
/// let server = VerifyLayer::new("s3", "us-east-1", FixedCredential::new(&credentials));
/// # let _ = (client, server);
/// # Ok::<(), countersign::CredentialError>(())
/// ```
pub struct FixedCredential {
    access_key_id: AccessKeyId,
    secret: Wiped<String>,
    session_token: Option<String>,
    /// The last key that was derived.
    derived: Mutex<Option<(KeyScope, SigningKey)>>,
}

impl FixedCredential {
    /// Keeps a copy of the credential.
    #[must_use]
    pub fn new(credentials: &Credentials<'_>) -> Self {
        Self {
            access_key_id: credentials.access_key_id,
            secret: Wiped::new(credentials.secret_key.as_str().to_string()),
            session_token: credentials.session_token.map(|token| token.as_str().to_string()),
            derived: Mutex::new(None),
        }
    }

    fn key(&self, scope: &KeyScope) -> Result<SigningKey, BoxError> {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = derived.as_ref().filter(|(known, _)| known == scope) {
            return Ok(key.clone());
        }
        let key = SigningKey::derive(&SecretKey::new(&self.secret)?, &scope.as_scope());
        *derived = Some((scope.clone(), key.clone()));
        Ok(key)
    }
}

impl KeyProvider for FixedCredential {
    async fn find(&self, wanted: Wanted) -> Result<Option<Found>, BoxError> {
        if wanted.claimed_access_key_id != self.access_key_id {
            return Ok(None);
        }
        let key = self.key(&wanted.scope)?;
        Ok(Some(Found { key, session_token: self.session_token.clone() }))
    }
}

impl CredentialProvider for FixedCredential {
    async fn issue(&self, scope: KeyScope) -> Result<Issued, BoxError> {
        Ok(Issued {
            access_key_id: self.access_key_id,
            key: self.key(&scope)?,
            session_token: self.session_token.clone(),
        })
    }
}

impl fmt::Debug for FixedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedCredential")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}
