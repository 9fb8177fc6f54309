//! A token that was proven, and what its key's row said when it was last read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

use crate::caller::Caller;
use crate::clock::is_ahead;
use crate::config::KeysConfig;

/// A token that matched its hash once.
pub struct CachedKey {
    /// The hash that it was proven against.
    pub phc: String,
    /// Swapped, not locked: every request of the key reads it. `None` once the key was withdrawn.
    caller: ArcSwapOption<Caller>,
    /// When the row is asked again, epoch milliseconds.
    ask_again_at_ms: AtomicU64,
    /// Until when a row that can't be asked is believed, epoch milliseconds.
    stale_until_ms: AtomicU64,
    /// Held by who asks for the row.
    pub refresh: tokio::sync::Mutex<()>,
}

impl CachedKey {
    pub fn new(phc: String, caller: Caller, now_ms: u64, config: &KeysConfig) -> Self {
        Self {
            phc,
            caller: ArcSwapOption::from_pointee(caller),
            ask_again_at_ms: AtomicU64::new(now_ms + config.key_status_ttl_ms),
            stale_until_ms: AtomicU64::new(now_ms + config.key_status_stale_max_ms),
            refresh: tokio::sync::Mutex::default(),
        }
    }

    pub fn current(&self) -> Option<Arc<Caller>> {
        self.caller.load_full()
    }

    pub fn is_old(&self, now_ms: u64, config: &KeysConfig) -> bool {
        !is_ahead(self.ask_again_at_ms.load(Ordering::Relaxed), now_ms, config.key_status_ttl_ms)
    }

    pub fn is_within_stale_limit(&self, now_ms: u64, config: &KeysConfig) -> bool {
        is_ahead(self.stale_until_ms.load(Ordering::SeqCst), now_ms, config.key_status_stale_max_ms)
    }

    pub fn renew(&self, caller: Caller, now_ms: u64, config: &KeysConfig) -> Arc<Caller> {
        let caller = match self.current() {
            Some(same) if *same == caller => same,
            _ => Arc::new(caller),
        };
        self.caller.store(Some(caller.clone()));
        self.ask_again_at_ms.store(now_ms + config.key_status_ttl_ms, Ordering::SeqCst);
        self.stale_until_ms.store(now_ms + config.key_status_stale_max_ms, Ordering::Relaxed);
        caller
    }

    /// Asks for the row no earlier than at `at_ms`.
    pub fn ask_again_at(&self, at_ms: u64) {
        self.ask_again_at_ms.store(at_ms, Ordering::Relaxed);
    }

    pub fn invalidate(&self) {
        self.stale_until_ms.store(0, Ordering::SeqCst);
        self.ask_again_at_ms.store(0, Ordering::SeqCst);
    }

    pub fn withdraw(&self) {
        self.caller.store(None);
    }
}
