//! Counts the instances that share a Redis: now, and at most within the last minutes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::caller::{MINUTE_S, WINDOW_S_MAX};

/// How long an instance that disappears from the count keeps its share of the limits. It may have
/// lost Redis and still admit its share, so an instance that loses Redis later must not use it: not
/// for the length of a window after that instance has recovered or ended, which takes minutes.
const RECENT_MS: u64 = 5 * 60_000;
/// The same for windows of more than a minute.
const RECENT_FOR_LONG_WINDOWS_MS: u64 = RECENT_MS + WINDOW_S_MAX as u64 * 1000;

pub struct InstanceCount {
    current: AtomicU32,
    recent_max: AtomicU32,
    recent_max_for_long_windows: AtomicU32,
    /// The counts of the last [`RECENT_FOR_LONG_WINDOWS_MS`], oldest first. A count that is not
    /// larger than a later one is left out, so the first is the largest.
    maxima: Mutex<VecDeque<Sample>>,
}

struct Sample {
    at_ms: u64,
    instances: u32,
}

impl Default for InstanceCount {
    fn default() -> Self {
        Self {
            current: AtomicU32::new(1),
            recent_max: AtomicU32::new(1),
            recent_max_for_long_windows: AtomicU32::new(1),
            maxima: Mutex::default(),
        }
    }
}

impl InstanceCount {
    /// The last count, at least 1.
    pub fn current(&self) -> u32 {
        self.current.load(Ordering::Relaxed)
    }

    /// The largest recent count, at least 1. Recent depends on the length of a window.
    pub fn recent_max(&self, window_s: u32) -> u32 {
        if window_s > MINUTE_S {
            self.recent_max_for_long_windows.load(Ordering::Relaxed)
        } else {
            self.recent_max.load(Ordering::Relaxed)
        }
    }

    /// Adds a count that was taken at `now_ms`.
    pub fn record(&self, now_ms: u64, instances: u32) {
        let instances = instances.max(1);
        let mut maxima = self.maxima.lock().unwrap_or_else(PoisonError::into_inner);
        while maxima.back().is_some_and(|sample| sample.instances <= instances) {
            maxima.pop_back();
        }
        maxima.push_back(Sample { at_ms: now_ms, instances });
        let since = |recent_ms| move |sample: &&Sample| sample.at_ms + recent_ms >= now_ms;
        let is_kept = since(RECENT_FOR_LONG_WINDOWS_MS);
        while maxima.front().is_some_and(|sample| !is_kept(&sample)) {
            maxima.pop_front();
        }
        let largest = |recent_ms| {
            maxima.iter().find(since(recent_ms)).map_or(instances, |sample| sample.instances)
        };
        self.current.store(instances, Ordering::Relaxed);
        self.recent_max.store(largest(RECENT_MS), Ordering::Relaxed);
        let for_long_windows = largest(RECENT_FOR_LONG_WINDOWS_MS);
        self.recent_max_for_long_windows.store(for_long_windows, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_instance_that_disappears_counts_for_minutes_or_for_a_long_window() {
        let count = InstanceCount::default();
        for (now_ms, instances, recent_max) in [
            (0, 2, [2, 2]),
            (10_000, 1, [2, 2]),
            (300_000, 1, [2, 2]),
            (300_001, 1, [1, 2]),
            (3_900_000, 1, [1, 2]),
            (3_900_001, 1, [1, 1]),
            // A new instance counts at once.
            (3_910_000, 3, [3, 3]),
        ] {
            count.record(now_ms, instances);
            assert_eq!(count.current(), instances);
            let of_windows = [60, 61].map(|window_s| count.recent_max(window_s));
            assert_eq!(of_windows, recent_max, "at {now_ms} ms");
        }
    }

    proptest! {
        #[test]
        fn the_recent_maximum_equals_that_of_a_full_log(
            samples in prop::collection::vec((0u64..1_000_000, 1u32..10), 1..200),
        ) {
            let count = InstanceCount::default();
            let mut log = Vec::new();
            let mut now_ms = 0;
            for (wait_ms, instances) in samples {
                now_ms += wait_ms;
                log.push((now_ms, instances));
                count.record(now_ms, instances);
                for (window_s, recent_ms) in [(60, 300_000), (3600, 3_900_000)] {
                    let recent = log.iter().filter(|(at_ms, _)| at_ms + recent_ms >= now_ms);
                    let expected = recent.map(|(_, instances)| *instances).max().unwrap();
                    prop_assert_eq!(count.recent_max(window_s), expected);
                }
            }
        }
    }
}
