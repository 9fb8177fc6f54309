//! The windows of this process, one per key.
//!
//! They are exact for one instance without Redis. While Redis is unavailable, each instance uses
//! them to admit its share of a limit.

use dashmap::DashMap;

use super::sliding_window::SlidingWindow;
use super::take::{Grant, TakeRequest};
use crate::caller::KeyId;

/// Only verified callers get here, so the number of valid keys bounds the memory.
#[derive(Default)]
pub struct LocalWindows {
    windows: DashMap<KeyId, SlidingWindow>,
}

impl LocalWindows {
    pub fn take(&self, key: KeyId, limit: u32, cost: u32, now_ms: u64) -> Grant {
        self.windows.entry(key).or_default().take(now_ms, limit, TakeRequest::of(cost))
    }

    /// Removes the windows of idle keys.
    pub fn sweep(&self, now_ms: u64) {
        self.windows.retain(|_, window| !window.is_idle(now_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_removes_idle_keys_and_frees_no_permit() {
        let windows = LocalWindows::default();
        let key = KeyId::random();
        let now_ms = 1_700_000_000_000;
        assert!(windows.take(key, 1, 1, now_ms).admitted);
        windows.sweep(now_ms + 60_999);
        assert!(!windows.take(key, 1, 1, now_ms + 60_999).admitted);
        windows.sweep(now_ms + 61_000);
        assert!(windows.windows.is_empty());
    }
}
