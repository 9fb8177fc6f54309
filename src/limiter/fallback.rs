//! Windows in process: exact for one instance without Redis, each instance's share when Redis is
//! lost.

use dashmap::DashMap;

use super::sliding_window::{Grant, SlidingWindow, TakeRequest};
use crate::caller::KeyId;

/// One ring for each key that was admitted within the last minute.
///
/// Bounded by the number of valid keys, since only verified callers get here;
/// [`LocalWindows::sweep`] drops the idle.
#[derive(Default)]
pub struct LocalWindows {
    windows: DashMap<KeyId, SlidingWindow>,
}

impl LocalWindows {
    pub fn take(&self, key: KeyId, limit: u32, cost: u32, now_ms: u64) -> Grant {
        self.windows.entry(key).or_default().take(now_ms, limit, TakeRequest::of(cost))
    }

    pub fn sweep(&self, now_ms: u64) {
        self.windows.retain(|_, window| !window.is_idle(now_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeping_frees_idle_keys_and_no_permit() {
        let (windows, key, now_ms) = (LocalWindows::default(), KeyId::random(), 1_700_000_000_000);
        assert!(windows.take(key, 1, 1, now_ms).admitted);
        windows.sweep(now_ms + 60_999);
        assert!(!windows.take(key, 1, 1, now_ms + 60_999).admitted);
        windows.sweep(now_ms + 61_000);
        assert!(windows.windows.is_empty());
    }
}
