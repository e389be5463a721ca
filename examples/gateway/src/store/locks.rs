//! Who may touch which object at the same time.
//!
//! An object and its attributes are put in place one after the other, and `If-None-Match` is
//! answered by looking before that. A lock per object makes it one step for everybody who asks
//! through this gateway. No lock is held while bytes are copied, only while files are opened,
//! renamed and removed. This module knows only names; what is done under a lock is not its
//! business.
//!
//! Always take the bucket before the object.

use std::hash::{BuildHasher as _, RandomState};

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

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

/// The remainder is below `stripes`, so it fits whatever the size of `usize`.
fn stripe(hash: u64, stripes: usize) -> usize {
    usize::try_from(hash % stripes as u64).unwrap_or(0)
}
