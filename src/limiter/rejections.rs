//! Remembers the rejections of one key, so that repeated requests are rejected from memory.
//!
//! Each cost is remembered separately: after the rejection of an expensive request a cheaper one
//! may still be admitted, and a more expensive one must wait longer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::atomic_limit::AtomicLimit;
use crate::caller::RateLimit;

#[derive(Debug, Default)]
pub struct Rejections {
    /// Requests that cost 1. Nearly all requests do, so they need no lock.
    one_until_ms: AtomicU64,
    one_limit: AtomicLimit,
    /// Requests that cost more, by cost.
    costly: Mutex<BTreeMap<u32, Rejection>>,
}

#[derive(Debug)]
struct Rejection {
    until_ms: u64,
    /// The limit at that time. Under another limit, the time is another one.
    limit: RateLimit,
}

/// How many costs above 1 are remembered at once. No request costs more than 100.
const COSTS_MAX: usize = 99;

impl Rejections {
    /// The time until which a request of this cost is rejected. `None` if it may be admitted.
    pub fn until_ms(&self, now_ms: u64, cost: u32, limit: RateLimit) -> Option<u64> {
        let (until_ms, rejected_limit) = if cost == 1 {
            (self.one_until_ms.load(Ordering::Relaxed), self.one_limit.load())
        } else {
            let costly = self.costly();
            let rejection = costly.get(&cost)?;
            (rejection.until_ms, rejection.limit)
        };
        (now_ms < until_ms && limit == rejected_limit).then_some(until_ms)
    }

    /// Adds the rejection of a request at `now_ms`.
    pub fn add(&self, now_ms: u64, cost: u32, limit: RateLimit, until_ms: u64) {
        if cost == 1 {
            self.one_limit.store(limit);
            self.one_until_ms.store(until_ms, Ordering::Relaxed);
            return;
        }
        let mut costly = self.costly();
        costly.retain(|_, rejection| now_ms < rejection.until_ms);
        if costly.len() < COSTS_MAX {
            costly.insert(cost, Rejection { until_ms, limit });
        }
    }

    /// Whether all rejections have ended at `now_ms`.
    pub fn have_ended(&self, now_ms: u64) -> bool {
        now_ms >= self.one_until_ms.load(Ordering::Relaxed)
            && self.costly().values().all(|rejection| now_ms >= rejection.until_ms)
    }

    fn costly(&self) -> MutexGuard<'_, BTreeMap<u32, Rejection>> {
        self.costly.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cost_is_rejected_until_its_own_time_under_its_limit() {
        let rejections = Rejections::default();
        rejections.add(1000, 1, RateLimit::per_minute(10), 5000);
        rejections.add(1000, 4, RateLimit::per_minute(10), 8000);
        for (now_ms, cost, limit, until_ms) in [
            (4999, 1, 10, Some(5000)),
            (5000, 1, 10, None),
            (4999, 1, 11, None),
            (4999, 4, 10, Some(8000)),
            (4999, 1, 9, None),
            (7999, 4, 9, None),
            (7999, 4, 11, None),
            (4999, 3, 10, None),
            (4999, 5, 10, None),
        ] {
            let actual = rejections.until_ms(now_ms, cost, RateLimit::per_minute(limit));
            assert_eq!(actual, until_ms, "at {now_ms} ms, cost {cost}, limit {limit}");
        }
        let other_window = RateLimit { requests: 10, window_s: 61 };
        assert_eq!(rejections.until_ms(4999, 1, other_window), None);
        assert_eq!(rejections.until_ms(4999, 4, other_window), None);
        assert!(!rejections.have_ended(7999) && rejections.have_ended(8000));
    }

    #[test]
    fn the_number_of_remembered_costs_is_bounded() {
        let rejections = Rejections::default();
        let limit = RateLimit::per_minute(10_000);
        (2..10_000).for_each(|cost| rejections.add(1000, cost, limit, 5000));
        assert_eq!(rejections.costly().len(), COSTS_MAX);
        rejections.add(5000, 200, limit, 9000);
        assert_eq!(rejections.costly().len(), 1);
    }
}
