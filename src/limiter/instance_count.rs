//! Counts the instances that share a Redis: now, and at most within the last minutes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// How long an instance that disappears from the count keeps its share of the limits. It may have
/// lost Redis and still admit its share, so an instance that loses Redis later must not use it.
const RECENT_MS: u64 = 5 * 60_000;

pub struct InstanceCount {
    current: AtomicU32,
    recent_max: AtomicU32,
    /// The counts of the last [`RECENT_MS`], oldest first. A count that is not larger than a later
    /// one is left out, so the first is the largest.
    maxima: Mutex<VecDeque<Sample>>,
}

struct Sample {
    at_ms: u64,
    instances: u32,
}

impl Default for InstanceCount {
    fn default() -> Self {
        Self { current: AtomicU32::new(1), recent_max: AtomicU32::new(1), maxima: Mutex::default() }
    }
}

impl InstanceCount {
    /// The last count, at least 1.
    pub fn current(&self) -> u32 {
        self.current.load(Ordering::Relaxed)
    }

    /// The largest count of the last [`RECENT_MS`], at least 1.
    pub fn recent_max(&self) -> u32 {
        self.recent_max.load(Ordering::Relaxed)
    }

    /// Adds a count that was taken at `now_ms`.
    pub fn record(&self, now_ms: u64, instances: u32) {
        let instances = instances.max(1);
        let mut maxima = self.maxima.lock().unwrap_or_else(PoisonError::into_inner);
        while maxima.back().is_some_and(|sample| sample.instances <= instances) {
            maxima.pop_back();
        }
        maxima.push_back(Sample { at_ms: now_ms, instances });
        while maxima.front().is_some_and(|sample| sample.at_ms + RECENT_MS < now_ms) {
            maxima.pop_front();
        }
        let recent_max = maxima.front().map_or(instances, |largest| largest.instances);
        self.current.store(instances, Ordering::Relaxed);
        self.recent_max.store(recent_max, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_instance_that_disappears_counts_for_five_more_minutes() {
        let count = InstanceCount::default();
        for (now_ms, instances, recent_max) in [
            (0, 2, 2),
            (10_000, 1, 2),
            (300_000, 1, 2),
            (300_001, 1, 1),
            // A new instance counts at once.
            (310_000, 3, 3),
        ] {
            count.record(now_ms, instances);
            assert_eq!(count.current(), instances);
            assert_eq!(count.recent_max(), recent_max, "at {now_ms} ms");
        }
    }

    proptest! {
        #[test]
        fn the_recent_maximum_equals_that_of_a_full_log(
            samples in prop::collection::vec((0u64..100_000, 1u32..10), 1..200),
        ) {
            let count = InstanceCount::default();
            let mut log = Vec::new();
            let mut now_ms = 0;
            for (wait_ms, instances) in samples {
                now_ms += wait_ms;
                log.push((now_ms, instances));
                let recent = log.iter().filter(|(at_ms, _)| at_ms + RECENT_MS >= now_ms);
                let expected = recent.map(|(_, instances)| *instances).max().unwrap();
                count.record(now_ms, instances);
                prop_assert_eq!(count.recent_max(), expected);
            }
        }
    }
}
