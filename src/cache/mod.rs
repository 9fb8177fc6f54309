//! Ready answers, in memory and in Redis.
//!
//! An answer lives under a canonical key that holds the data version: what an ingest commits makes new keys, so that
//! no time to live can hide a correction.

mod entry;
mod memory;
mod policy;
mod shared;
mod versions;

use std::sync::Arc;

use bytes::Bytes;

use crate::config::CacheConfig;
use crate::redis::Redis;
pub use entry::{Encoding, Entry, Variant};
use memory::{Guard, Memory};
pub use policy::{Content, Lifetime, lifetime};
use shared::SharedTier;
pub use versions::Versions;

/// How long expired answers rest after a failed refresh, before one request tries again.
const REST_AFTER_FAILURE_MS: u64 = 1000;

pub struct Cache {
    memory: Memory,
    /// `None` where no Redis is configured.
    shared: Option<SharedTier>,
    stale_ms_max: u64,
}

/// What the cache has for a key.
pub enum Found<'a> {
    /// Fresh.
    Hit(Arc<Entry>),
    /// Past its time, and somebody is at it, or nobody can be.
    Stale(Arc<Entry>),
    /// To be answered by whoever gets this; others of the same key wait for it.
    Miss(Miss<'a>),
}

/// The duty to answer for all who ask the same. Dropped unanswered, the next one takes it over.
pub struct Miss<'a> {
    cache: &'a Cache,
    key: Arc<str>,
    /// `None` where others are served the stale answer meanwhile.
    guard: Option<Guard<'a>>,
    stale: Option<Arc<Entry>>,
}

impl Cache {
    pub fn new(config: &CacheConfig, redis: Option<Redis>) -> Self {
        Self {
            memory: Memory::new(config.cache_memory_bytes_max),
            shared: redis.map(|redis| SharedTier::new(redis, config.cache_writes_max)),
            stale_ms_max: u64::from(config.cache_stale_s_max) * 1000,
        }
    }

    /// Looks a key up at `now_ms` (epoch milliseconds): memory, then Redis. Concurrent misses of one key wait for one.
    pub async fn look_up(&self, key: &str, now_ms: u64) -> Found<'_> {
        let mut expired = None;
        if let Some(entry) = self.memory.get(key) {
            match self.judge(key, entry, now_ms) {
                Ok(found) => return found,
                Err(entry) => {
                    self.memory.remove(key, &entry);
                    expired = Some(entry);
                }
            }
        }
        let key: Arc<str> = key.into();
        let guard = match self.memory.get_or_guard(&key).await {
            // Somebody answered while we waited. Too old already is still better than to wait once more.
            Ok(entry) if entry.is_fresh(now_ms) => return Found::Hit(entry),
            Ok(entry) => return Found::Stale(entry),
            Err(guard) => guard,
        };
        if let Some(entry) = self.fetch(&key).await {
            if entry.is_fresh(now_ms) {
                guard.fill(entry.clone());
                return Found::Hit(entry);
            }
            expired = expired.or(Some(entry));
        }
        let stale = expired.filter(|entry| now_ms < entry.expired_at_ms() + self.stale_ms_max);
        Found::Miss(Miss { cache: self, key, guard: Some(guard), stale })
    }

    /// What to do with an answer found in memory; gives it back where it is too old to be shown.
    fn judge(&self, key: &str, entry: Arc<Entry>, now_ms: u64) -> Result<Found<'_>, Arc<Entry>> {
        if entry.is_fresh(now_ms) {
            Ok(Found::Hit(entry))
        } else if !entry.may_be_shown_while_revalidating(now_ms) {
            Err(entry)
        } else if entry.claim_refresh(now_ms) {
            Ok(Found::Miss(Miss { cache: self, key: key.into(), guard: None, stale: Some(entry) }))
        } else {
            Ok(Found::Stale(entry))
        }
    }

    async fn fetch(&self, key: &str) -> Option<Arc<Entry>> {
        self.shared.as_ref()?.get(key).await.map(Arc::new)
    }
}

impl Miss<'_> {
    /// Keeps a new answer, here and in Redis, and wakes all who wait for it.
    pub fn fill(self, body: Bytes, lifetime: Lifetime, now_ms: u64) -> Arc<Entry> {
        let entry = Arc::new(Entry::new(body, lifetime, now_ms));
        if let Some(shared) = &self.cache.shared {
            let keep_ms = u64::from(lifetime.fresh_s) * 1000 + self.cache.stale_ms_max;
            shared.set(&self.key, &entry, keep_ms);
        }
        self.put(entry.clone());
        entry
    }

    /// No new answer could be had: the stale one, where there is one that may still be shown. It rests for a second,
    /// in which everybody gets it without trying again.
    pub fn fall_back(mut self, now_ms: u64) -> Option<Arc<Entry>> {
        let stale = self.stale.take()?;
        let rested = Arc::new(stale.resting_until(now_ms + REST_AFTER_FAILURE_MS));
        self.put(rested.clone());
        Some(rested)
    }

    fn put(self, entry: Arc<Entry>) {
        match self.guard {
            Some(guard) => guard.fill(entry),
            None => self.cache.memory.insert(self.key, entry),
        }
    }
}
