//! Who may touch which object at the same time.
//!
//! An object and its attributes are put in place one after the other, and `If-None-Match` is
//! answered by looking before that. A lock per object makes it one step for everybody who asks
//! through this gateway. None of these is held while bytes are copied, only while files are opened,
//! renamed and removed. This module knows only names; what is done under a lock is not its
//! business.
//!
//! A multipart upload has a lock of its own, [`Named`], under which its parts are copied.
//!
//! Always take the upload before the bucket, and the bucket before the object.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedMutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Enough that two busy objects seldom share a lock, few enough to cost nothing.
const OBJECTS: usize = 256;
const BUCKETS: usize = 64;

/// Striped locks: names that fall on the same stripe wait for each other, which costs time and
/// nothing else.
#[derive(Debug)]
pub(super) struct Locks {
    /// Keyed with random numbers, so that nobody can choose names that all fall on one stripe.
    hasher: RandomState,
    buckets: Vec<RwLock<()>>,
    objects: Vec<RwLock<()>>,
}

impl Locks {
    pub(super) fn new() -> Self {
        Locks {
            hasher: RandomState::new(),
            buckets: (0..BUCKETS).map(|_| RwLock::new(())).collect(),
            objects: (0..OBJECTS).map(|_| RwLock::new(())).collect(),
        }
    }

    /// Held while something in the bucket is used: the bucket stays.
    pub(super) async fn use_bucket(&self, bucket: &str) -> RwLockReadGuard<'_, ()> {
        self.buckets[self.bucket(bucket)].read().await
    }

    /// Held while the bucket itself is made, removed or tidied.
    pub(super) async fn own_bucket(&self, bucket: &str) -> RwLockWriteGuard<'_, ()> {
        self.buckets[self.bucket(bucket)].write().await
    }

    /// Like [`Locks::own_bucket`], unless somebody is using the bucket.
    pub(super) fn try_own_bucket(&self, bucket: &str) -> Option<RwLockWriteGuard<'_, ()>> {
        self.buckets[self.bucket(bucket)].try_write().ok()
    }

    pub(super) async fn read(&self, bucket: &str, key: &str) -> RwLockReadGuard<'_, ()> {
        self.objects[self.object(bucket, key)].read().await
    }

    pub(super) async fn write(&self, bucket: &str, key: &str) -> RwLockWriteGuard<'_, ()> {
        self.objects[self.object(bucket, key)].write().await
    }

    fn bucket(&self, bucket: &str) -> usize {
        stripe(self.hasher.hash_one(bucket), BUCKETS)
    }

    fn object(&self, bucket: &str, key: &str) -> usize {
        stripe(self.hasher.hash_one((bucket, key)), OBJECTS)
    }
}

/// One lock for each name that somebody holds or waits for: what is done under it may take long.
#[derive(Debug, Default)]
pub(super) struct Named(Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>);

impl Named {
    pub(super) async fn hold(&self, name: &str) -> OwnedMutexGuard<()> {
        self.of(name).lock_owned().await
    }

    fn of(&self, name: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = all.get(name).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        all.insert(name.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

/// The remainder is below `stripes`, so it fits whatever the size of `usize`.
fn stripe(hash: u64, stripes: usize) -> usize {
    usize::try_from(hash % stripes as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_held_by_one_and_forgotten_by_the_last() {
        let named = Named::default();
        let held = named.hold("a").await;
        let other = named.hold("b").await;
        assert!(named.of("a").try_lock().is_err());
        drop(other);
        drop(held);
        assert!(named.of("a").try_lock().is_ok());
        drop(named.of("c"));
        assert_eq!(named.0.lock().unwrap().len(), 1);
    }
}
