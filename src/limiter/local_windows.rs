//! The windows of this process, one per key.
//!
//! They are exact for one instance without Redis. While Redis is unavailable, each instance uses
//! them to admit its share of a limit.

use dashmap::DashMap;

use super::sliding_window::SlidingWindow;
use super::take::{Grant, Report, TakeRequest};
use crate::caller::{KeyId, MINUTE_S, RateLimit};

/// Only verified callers get here, so the number of valid keys bounds the memory.
#[derive(Default)]
pub struct LocalWindows {
    windows: DashMap<KeyId, SlidingWindow>,
}

impl LocalWindows {
    pub fn take(&self, key: KeyId, limit: RateLimit, cost: u32, now_ms: u64) -> Grant {
        self.windows.entry(key).or_default().take(now_ms, limit, TakeRequest::of(cost))
    }

    /// What each key was admitted in the last hour.
    pub fn reports(&self, now_ms: u64) -> Vec<(KeyId, Report)> {
        let report = |window: &mut SlidingWindow| window.report(now_ms, MINUTE_S);
        let reports = self.windows.iter_mut().map(|mut entry| (*entry.key(), report(&mut entry)));
        reports.filter(|(_, report)| !report.is_empty()).collect()
    }

    /// Counts what an earlier process admitted.
    pub fn add_report(&self, key: KeyId, report: &Report, now_ms: u64) {
        let mut window = self.windows.entry(key).or_default();
        for (age_ms, permits) in report {
            window.record_earlier(now_ms, *age_ms, *permits);
        }
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
    fn a_report_fills_the_window_of_the_next_process() {
        let (before, after) = (LocalWindows::default(), LocalWindows::default());
        let (key, limit) = (KeyId::random(), RateLimit::per_minute(10));
        let now_ms = 1_700_000_000_000;
        assert!(before.take(key, limit, 7, now_ms).admitted);
        let reports = before.reports(now_ms + 20_000);
        assert_eq!(reports.len(), 1);
        // The next process, whose clock shows other times, starts 5 s later.
        let (_, report) = &reports[0];
        let report: Report = report.iter().map(|(age_ms, n)| (age_ms + 5000, *n)).collect();
        let started_ms = 90_000_000;
        after.add_report(key, &report, started_ms);
        assert!(!after.take(key, limit, 4, started_ms).admitted);
        assert!(after.take(key, limit, 3, started_ms).admitted);
        assert!(!after.take(key, limit, 4, started_ms + 34_998).admitted);
        assert!(after.take(key, limit, 4, started_ms + 35_002).admitted);
    }

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
