//! The windows of this process, one per key.
//!
//! They are exact for one instance without Redis. While Redis is unavailable, each instance uses
//! them to admit its share of a limit.

use dashmap::DashMap;

use super::sliding_window::SlidingWindow;
use super::take::{Grant, TakeRequest};
use crate::caller::{KeyId, RateLimit};

/// Only verified callers get here, so the number of valid keys bounds the memory.
#[derive(Default)]
pub struct LocalWindows {
    windows: DashMap<KeyId, SlidingWindow>,
}

impl LocalWindows {
    pub fn take(&self, key: KeyId, limit: RateLimit, cost: u32, now_ms: u64) -> Grant {
        self.windows.entry(key).or_default().take(now_ms, limit, TakeRequest::of(cost))
    }

    /// Removes the windows of keys that are idle for as long as the longest window lasts. A shorter
    /// window may become that long.
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
        assert!(windows.take(key, RateLimit { requests: 1, window_s: 10 }, 1, now_ms).admitted);
        windows.sweep(now_ms + 3_600_000);
        let hour = RateLimit { requests: 1, window_s: 3600 };
        assert!(!windows.take(key, hour, 1, now_ms + 3_600_000).admitted);
        windows.sweep(now_ms + 3_600_001);
        assert!(windows.windows.is_empty());
    }
}
