//! A verified key in memory.
//!
//! It holds the hash that the secret matched, which never changes, and the caller that the key's
//! row described when it was last read. Two times say how old that row may be: from `refresh_at_ms`
//! it should be read again, and from `stale_until_ms` it must not be used without a new read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

use crate::caller::Caller;
use crate::clock::is_ahead;
use crate::config::KeysConfig;

pub struct CachedKey {
    /// The hash that the secret matched, as a PHC string.
    pub secret_hash: String,
    /// `None` if the key turned out to be invalid. Every request of the key reads this, so it is
    /// swapped instead of locked.
    caller: ArcSwapOption<Caller>,
    /// When the row should be read again, in epoch milliseconds.
    refresh_at_ms: AtomicU64,
    /// How long the row may be used if Postgres does not answer, in epoch milliseconds.
    stale_until_ms: AtomicU64,
    /// Held by the request that reads the row again.
    pub refresh_lock: tokio::sync::Mutex<()>,
}

impl CachedKey {
    /// A key whose row was read at `now_ms` (epoch milliseconds).
    pub fn new(secret_hash: String, caller: Caller, now_ms: u64, config: &KeysConfig) -> Self {
        Self {
            secret_hash,
            caller: ArcSwapOption::from_pointee(caller),
            refresh_at_ms: AtomicU64::new(now_ms + config.key_status_ttl_ms),
            stale_until_ms: AtomicU64::new(now_ms + config.key_status_stale_max_ms),
            refresh_lock: tokio::sync::Mutex::default(),
        }
    }

    /// The caller as of the last read. `None` if the key is invalid.
    pub fn caller(&self) -> Option<Arc<Caller>> {
        self.caller.load_full()
    }

    /// Whether the last read gave this very caller. It counts no reference.
    pub fn has_caller(&self, caller: &Arc<Caller>) -> bool {
        self.caller.load().as_ref().is_some_and(|current| Arc::ptr_eq(current, caller))
    }

    /// Whether the row should be read again.
    pub fn needs_refresh(&self, now_ms: u64, config: &KeysConfig) -> bool {
        !is_ahead(self.refresh_at_ms.load(Ordering::Relaxed), now_ms, config.key_status_ttl_ms)
    }

    /// Whether the row of the last read may still be used if it can't be read again now.
    ///
    /// False after an invalidation, and from `key_status_stale_max_ms` after the last read.
    pub fn may_use_old_row(&self, now_ms: u64, config: &KeysConfig) -> bool {
        is_ahead(self.stale_until_ms.load(Ordering::SeqCst), now_ms, config.key_status_stale_max_ms)
    }

    /// Stores the `caller` of a row that was read at `now_ms`.
    pub fn update(&self, caller: Caller, now_ms: u64, config: &KeysConfig) -> Arc<Caller> {
        let caller = match self.caller() {
            Some(unchanged) if *unchanged == caller => unchanged,
            _ => Arc::new(caller),
        };
        self.caller.store(Some(caller.clone()));
        self.refresh_at_ms.store(now_ms + config.key_status_ttl_ms, Ordering::SeqCst);
        self.stale_until_ms.store(now_ms + config.key_status_stale_max_ms, Ordering::Relaxed);
        caller
    }

    /// Delays the next refresh until `at_ms`, in epoch milliseconds.
    pub fn delay_refresh(&self, at_ms: u64) {
        self.refresh_at_ms.store(at_ms, Ordering::Relaxed);
    }

    /// Requires a new read before the row is used again.
    pub fn invalidate(&self) {
        self.stale_until_ms.store(0, Ordering::SeqCst);
        self.refresh_at_ms.store(0, Ordering::SeqCst);
    }

    /// Makes the key invalid for all requests that hold it.
    pub fn clear(&self) {
        self.caller.store(None);
    }
}
