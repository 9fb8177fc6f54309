//! A Redis in memory that answers as `window.lua` does, and loses data when a test says so.

use std::collections::HashMap;

use super::sliding_window::SlidingWindow;
use super::take::{Grant, Report, TakeRequest, WindowAnswer};
use crate::caller::RateLimit;

/// As in `window.lua`.
const INCOMPLETE_MS: u64 = 3000;

#[derive(Default)]
pub struct RedisModel {
    /// Since when it has had data, and whether data were lost then.
    generation: Option<(u64, bool)>,
    /// By the number of the key.
    windows: HashMap<usize, StoredWindow>,
    pub may_evict_windows: bool,
}

#[derive(Clone)]
struct StoredWindow {
    window: SlidingWindow,
    created_us: u64,
    /// The window counts every request since then, or has always if it is 0.
    complete_since_ms: u64,
}

impl RedisModel {
    /// Loses everything, as after a restart or `FLUSHALL`.
    pub fn lose_all(&mut self) {
        self.generation = None;
        self.windows.clear();
    }

    pub fn lose_generation(&mut self) {
        self.generation = None;
    }

    pub fn lose_window(&mut self, key: usize) {
        self.windows.remove(&key);
    }

    /// The answer to a call at `now_ms` of an instance that knows `known_generation_us`, or 0. The
    /// call after `WindowAnswer::Lost` has a report.
    pub fn take(
        &mut self,
        key: usize,
        now_ms: u64,
        limit: RateLimit,
        take: TakeRequest,
        known_generation_us: &mut u64,
        report: Option<&Report>,
    ) -> WindowAnswer {
        let now_us = now_ms * 1000;
        let known_us = std::mem::replace(known_generation_us, 0);
        let generation = self.generation.get_or_insert((now_us, known_us != 0));
        generation.1 |= known_us != 0 && known_us != generation.0;
        let (generation_us, has_lost_data) = *generation;
        *known_generation_us = generation_us;
        let stored = self.windows.get(&key).cloned();
        let mut stored = stored.unwrap_or_else(|| {
            let is_evicted = take.known_us != 0 && take.known_us >= generation_us;
            let may_be_lost = is_evicted || self.may_evict_windows;
            let complete_since_ms = if may_be_lost { now_ms } else { 0 };
            StoredWindow { window: SlidingWindow::default(), created_us: now_us, complete_since_ms }
        });
        if has_lost_data {
            stored.complete_since_ms = stored.complete_since_ms.max(generation_us / 1000);
        }
        if take.known_us != 0 && take.known_us != stored.created_us {
            let Some(report) = report else { return WindowAnswer::Lost };
            stored.complete_since_ms = stored.complete_since_ms.max(stored.created_us / 1000);
            for (age_ms, permits) in report {
                stored.window.record_earlier(now_ms, *age_ms, *permits);
            }
        }
        let complete_ms = match stored.complete_since_ms {
            0 => 0,
            since_ms => since_ms + u64::from(limit.window_s) * 1000 + INCOMPLETE_MS,
        };
        let incomplete_ms = complete_ms.saturating_sub(now_ms);
        let permits_max = if incomplete_ms > 0 { take.incomplete_max } else { u32::MAX };
        let grant = stored.window.take_at_most(now_ms, limit, take, permits_max);
        let created_us = stored.created_us;
        let changes =
            (grant.admitted && take.cost > 0) || take.lease_return.unused > 0 || report.is_some();
        if changes {
            self.windows.insert(key, stored);
        }
        WindowAnswer::Decided(Grant { created_us, incomplete_ms, ..grant })
    }
}
