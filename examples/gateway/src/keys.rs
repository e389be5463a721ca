//! Which key belongs to a claim.
//!
//! A claim names an access key id and a scope; what comes back is the signing key for exactly that,
//! derived once a day and kept.
//!
//! This module deliberately does not verify: that is the layer's work.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use countersign::tower::{BoxError, Found, KeyProvider, KeyScope, Wanted};
use countersign::{AccessKeyId, CredentialError, SecretKey, SigningKey};
use zeroize::Zeroizing;

use crate::credentials::Profile;

/// How many signing keys are kept. A claim may be for any day within the life of a presigned URL,
/// so a handful per access key is in use at a time.
const KEPT: usize = 1024;

/// The keys that may sign.
pub(crate) struct Keys {
    table: RwLock<Arc<Table>>,
    derived: Mutex<Derived>,
}

type Table = HashMap<AccessKeyId, Arc<Entry>>;

struct Entry {
    /// Which secret of this name it is: a replaced secret is another one, and nothing derived from
    /// the old one may be found again.
    generation: u64,
    secret: Zeroizing<String>,
    token: Option<Zeroizing<String>>,
}

impl Keys {
    /// Takes the profiles of a credentials file.
    pub(crate) fn new(profiles: Vec<Profile>) -> Self {
        let keys = Keys {
            table: RwLock::new(Arc::new(Table::new())),
            derived: Mutex::new(Derived::default()),
        };
        keys.replace(profiles);
        keys
    }

    /// Takes the profiles of a file that has been read again. Requests that are being verified
    /// keep the keys they found.
    pub(crate) fn replace(&self, profiles: Vec<Profile>) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = table.values().map(|entry| entry.generation).max().unwrap_or(0) + 1;
        let entry = |profile: Profile| {
            let same = table.get(&profile.access_key_id).filter(|entry| {
                entry.secret == profile.secret_key && entry.token == profile.session_token
            });
            let entry = same.cloned().unwrap_or_else(|| {
                let generation = next;
                next += 1;
                Arc::new(Entry {
                    generation,
                    secret: profile.secret_key,
                    token: profile.session_token,
                })
            });
            (profile.access_key_id, entry)
        };
        *table = Arc::new(profiles.into_iter().map(entry).collect());
    }

    /// The signing key of an entry, from the cache or anew.
    fn derive(
        &self,
        name: AccessKeyId,
        entry: &Entry,
        scope: KeyScope,
    ) -> Result<SigningKey, CredentialError> {
        let wanted = Derivation { name, generation: entry.generation, scope };
        if let Some(key) = self.derived().keys.get(&wanted) {
            return Ok(key.clone());
        }
        // Not under the lock: others need not wait for four MACs.
        let key = SigningKey::derive(&SecretKey::new(&entry.secret)?, &wanted.scope.as_scope());
        self.derived().keep(wanted, key.clone());
        Ok(key)
    }

    fn derived(&self) -> std::sync::MutexGuard<'_, Derived> {
        self.derived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyProvider for Keys {
    async fn find(&self, wanted: Wanted) -> Result<Option<Found>, BoxError> {
        let name = wanted.claimed_access_key_id;
        let table = Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner));
        let Some(entry) = table.get(&name) else { return Ok(None) };
        let key = self.derive(name, entry, wanted.scope)?;
        let session_token = entry.token.as_ref().map(|token| token.to_string());
        Ok(Some(Found { key, session_token }))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// What a signing key was derived for. The secret itself is represented by its generation.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Derivation {
    name: AccessKeyId,
    generation: u64,
    scope: KeyScope,
}

/// Signing keys, the oldest of which makes room.
#[derive(Default)]
struct Derived {
    keys: HashMap<Derivation, SigningKey>,
    order: VecDeque<Derivation>,
}

impl Derived {
    fn keep(&mut self, wanted: Derivation, key: SigningKey) {
        if self.keys.insert(wanted.clone(), key).is_some() {
            return;
        }
        self.order.push_back(wanted);
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign::{ContentSha256, Header, Request, Signer, Timestamp};

    fn profile(id: &str, secret: &str) -> Profile {
        Profile {
            name: "p".to_owned(),
            access_key_id: AccessKeyId::new(id).unwrap(),
            secret_key: Zeroizing::new(secret.to_owned()),
            session_token: None,
        }
    }

    fn wanted(id: &str) -> Wanted {
        let date = Timestamp::now().date();
        Wanted::new(AccessKeyId::new(id).unwrap(), KeyScope::new(date, "us-east-1", "s3"), None)
    }

    /// Whether the key that is found is that of `secret`.
    async fn finds(keys: &Keys, id: &str, secret: &str) -> bool {
        let wanted = wanted(id);
        let scope = wanted.scope.clone();
        let Some(found) = keys.find(wanted).await.unwrap() else { return false };
        let signed = |key: SigningKey| {
            let headers = [Header { name: "host", value: b"localhost" }];
            let request = Request { method: "GET", target: "/b/k", headers: &headers };
            let scope = scope.as_scope();
            let id = AccessKeyId::new(id).unwrap();
            let signer = Signer::with_key(id, key, None, scope).unwrap();
            signer.sign(&request, ContentSha256::EMPTY, Timestamp::now()).unwrap().signature()
        };
        let expected = SigningKey::derive(&SecretKey::new(secret).unwrap(), &scope.as_scope());
        signed(found.key).to_string() == signed(expected).to_string()
    }

    #[tokio::test]
    async fn a_replaced_secret_is_not_found_again() {
        let keys = Keys::new(vec![profile("AKIA1", "one")]);
        assert!(finds(&keys, "AKIA1", "one").await);
        assert!(!finds(&keys, "AKIA1", "two").await);
        assert!(!finds(&keys, "AKIA2", "one").await);
        keys.replace(vec![profile("AKIA1", "two")]);
        assert!(!finds(&keys, "AKIA1", "one").await);
        assert!(finds(&keys, "AKIA1", "two").await);
        keys.replace(vec![profile("AKIA2", "one")]);
        assert!(!finds(&keys, "AKIA1", "two").await);
        assert!(finds(&keys, "AKIA2", "one").await);
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut derived = Derived::default();
        let wanted = wanted("AKIA1");
        let key = SigningKey::derive(&SecretKey::new("s").unwrap(), &wanted.scope.as_scope());
        for generation in 0..KEPT as u64 + 10 {
            let wanted = Derivation {
                name: wanted.claimed_access_key_id,
                generation,
                scope: wanted.scope.clone(),
            };
            derived.keep(wanted.clone(), key.clone());
            derived.keep(wanted, key.clone());
        }
        assert_eq!(derived.keys.len(), KEPT);
        assert_eq!(derived.order.len(), KEPT);
    }
}
