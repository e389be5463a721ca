//! Which key belongs to a claim.
//!
//! A claim names an access key id and a scope; what comes back is the signing key for exactly that,
//! derived once a day and kept. An unknown name gets the key of a secret nobody has, so that a
//! refusal takes the same work either way.
//!
//! This module deliberately does not verify: that stays in `gate.rs`, in plain sight.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use countersign::{AccessKeyId, Claim, CredentialScope, Date, SecretKey, SessionToken, SigningKey};
use zeroize::Zeroizing;

use crate::credentials::{self, CredentialsError, Profile};

/// How many signing keys are kept. A claim may be for any day within the life of a presigned URL,
/// so a handful per access key is in use at a time.
const KEPT: usize = 1024;

/// The keys that may sign.
pub(crate) struct Keys {
    table: RwLock<Arc<Table>>,
    derived: Mutex<Derived>,
    /// Signs nothing. Unknown names are tried against it.
    decoy: Entry,
}

type Table = HashMap<AccessKeyId, Arc<Entry>>;

struct Entry {
    /// Which secret of this name it is: a replaced secret is another one, and nothing derived from
    /// the old one may be found again.
    generation: u64,
    secret: Zeroizing<String>,
    token: Option<Zeroizing<String>>,
}

/// What there is for a claim.
pub(crate) enum Found {
    /// The key of a name we know, with the token that has to come along.
    Known(SigningKey, Option<Zeroizing<String>>),
    /// A key that matches nothing.
    Unknown(SigningKey),
}

impl Keys {
    /// Takes the profiles of a credentials file.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub(crate) fn new(profiles: Vec<Profile>) -> Result<Self, CredentialsError> {
        let (_, secret) = credentials::generate()?;
        let keys = Keys {
            table: RwLock::new(Arc::new(Table::new())),
            derived: Mutex::new(Derived::default()),
            decoy: Entry { generation: 0, secret, token: None },
        };
        keys.replace(profiles);
        Ok(keys)
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

    /// The key for a claim.
    pub(crate) fn find(&self, claim: &Claim<'_>) -> Found {
        let name = claim.claimed_access_key_id();
        let table = Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner));
        match table.get(&name) {
            Some(entry) => {
                Found::Known(self.derive(Some(name), entry, claim.scope()), entry.token.clone())
            }
            None => Found::Unknown(self.derive(None, &self.decoy, claim.scope())),
        }
    }

    /// The signing key of an entry, from the cache or anew. The decoy takes the same way.
    fn derive(
        &self,
        name: Option<AccessKeyId>,
        entry: &Entry,
        scope: CredentialScope<'_>,
    ) -> SigningKey {
        let wanted = Wanted {
            name,
            generation: entry.generation,
            date: scope.date,
            region: scope.region.into(),
            service: scope.service.into(),
        };
        if let Some(key) = self.derived().keys.get(&wanted) {
            return key.clone();
        }
        // Not under the lock: others need not wait for four MACs.
        let key = match SecretKey::new(&entry.secret) {
            Ok(secret) => SigningKey::derive(&secret, &scope),
            // Profiles without a secret do not get this far. If one did, it would match nothing.
            Err(_) => return self.derive(None, &self.decoy, scope),
        };
        self.derived().keep(wanted, key.clone());
        key
    }

    fn derived(&self) -> std::sync::MutexGuard<'_, Derived> {
        self.derived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// The session token of a key, if it has one that can be compared.
pub(crate) fn token(token: &Zeroizing<String>) -> Option<SessionToken<'_>> {
    SessionToken::new(token).ok()
}

/// What a signing key was derived for. The secret itself is represented by its generation.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Wanted {
    name: Option<AccessKeyId>,
    generation: u64,
    date: Date,
    region: Box<str>,
    service: Box<str>,
}

/// Signing keys, the oldest of which makes room.
#[derive(Default)]
struct Derived {
    keys: HashMap<Wanted, SigningKey>,
    order: VecDeque<Wanted>,
}

impl Derived {
    fn keep(&mut self, wanted: Wanted, key: SigningKey) {
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
    use countersign::{ContentSha256, Credentials};
    use countersign::{Header, Request, Signer, Timestamp, Verifier};

    const HOST: Header<'static> = Header { name: "host", value: b"localhost" };

    fn profile(id: &str, secret: &str) -> Profile {
        Profile {
            name: "p".to_owned(),
            access_key_id: AccessKeyId::new(id).unwrap(),
            secret_key: Zeroizing::new(secret.to_owned()),
            session_token: None,
        }
    }

    /// Whether a request signed with `secret` is accepted.
    fn accepts(keys: &Keys, id: &str, secret: &str) -> bool {
        let now = Timestamp::now();
        let credentials = Credentials {
            access_key_id: AccessKeyId::new(id).unwrap(),
            secret_key: SecretKey::new(secret).unwrap(),
            session_token: None,
        };
        let scope = CredentialScope { date: now.date(), region: "us-east-1", service: "s3" };
        let signer = Signer::new(&credentials, scope).unwrap();
        let request = Request { method: "GET", target: "/b/k", headers: &[HOST] };
        let signed = signer.sign(&request, ContentSha256::EMPTY, now).unwrap();
        let added: Vec<(&str, String)> =
            signed.headers().map(|(name, value)| (name, value.to_string())).collect();
        let mut headers = vec![HOST];
        headers.extend(added.iter().map(|(name, value)| Header { name, value: value.as_bytes() }));
        let request = Request { headers: &headers, ..request };
        let claim = Verifier::s3("us-east-1").read(&request, now).unwrap();
        match keys.find(&claim) {
            Found::Known(key, _) => claim.verify(&key).is_ok(),
            Found::Unknown(decoy) => {
                let _ = claim.refuse_unknown_key(&decoy);
                false
            }
        }
    }

    #[test]
    fn a_replaced_secret_is_not_found_again() {
        let keys = Keys::new(vec![profile("AKIA1", "one")]).unwrap();
        assert!(accepts(&keys, "AKIA1", "one"));
        assert!(!accepts(&keys, "AKIA1", "two"));
        assert!(!accepts(&keys, "AKIA2", "one"));
        keys.replace(vec![profile("AKIA1", "two")]);
        assert!(!accepts(&keys, "AKIA1", "one"));
        assert!(accepts(&keys, "AKIA1", "two"));
        keys.replace(vec![profile("AKIA2", "one")]);
        assert!(!accepts(&keys, "AKIA1", "two"));
        assert!(accepts(&keys, "AKIA2", "one"));
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut derived = Derived::default();
        let scope =
            CredentialScope { date: Timestamp::now().date(), region: "us-east-1", service: "s3" };
        let key = SigningKey::derive(&SecretKey::new("s").unwrap(), &scope);
        for generation in 0..KEPT as u64 + 10 {
            let wanted = Wanted {
                name: None,
                generation,
                date: scope.date,
                region: "r".into(),
                service: "s".into(),
            };
            derived.keep(wanted.clone(), key.clone());
            derived.keep(wanted, key.clone());
        }
        assert_eq!(derived.keys.len(), KEPT);
        assert_eq!(derived.order.len(), KEPT);
    }
}
