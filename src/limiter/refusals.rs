//! What was refused, and until when: it is refused again from memory until then.
//!
//! A request that was too heavy says nothing of lighter ones, and a heavier one may have to wait
//! longer: each weight is remembered for itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The refusals of one key on one instance.
#[derive(Debug, Default)]
pub struct Refusals {
    /// Requests that weigh 1 are nearly all, and are looked up without a lock.
    light_until_ms: AtomicU64,
    /// The limit that was reached: under a larger one there may be room.
    light_limit: AtomicU32,
    /// Heavier ones by weight: the limit, and until when.
    heavy: Mutex<BTreeMap<u32, (u32, u64)>>,
}

/// Weights that are remembered at once: as many as there are of them above 1.
const WEIGHTS_MAX: usize = 99;

impl Refusals {
    /// Until when such a request is refused, where it is.
    pub fn until_ms(&self, now_ms: u64, cost: u32, limit: u32) -> Option<u64> {
        let (reached, until_ms) = if cost == 1 {
            (self.light_limit.load(Ordering::Relaxed), self.light_until_ms.load(Ordering::Relaxed))
        } else {
            *self.heavy().get(&cost)?
        };
        (now_ms < until_ms && limit <= reached).then_some(until_ms)
    }

    pub fn note(&self, now_ms: u64, cost: u32, limit: u32, until_ms: u64) {
        if cost == 1 {
            self.light_limit.store(limit, Ordering::Relaxed);
            self.light_until_ms.store(until_ms, Ordering::Relaxed);
            return;
        }
        let mut heavy = self.heavy();
        heavy.retain(|_, (_, until_ms)| now_ms < *until_ms);
        if heavy.len() < WEIGHTS_MAX {
            heavy.insert(cost, (limit, until_ms));
        }
    }

    pub fn have_ended(&self, now_ms: u64) -> bool {
        now_ms >= self.light_until_ms.load(Ordering::Relaxed)
            && self.heavy().values().all(|(_, until_ms)| now_ms >= *until_ms)
    }

    fn heavy(&self) -> MutexGuard<'_, BTreeMap<u32, (u32, u64)>> {
        self.heavy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_weight_is_refused_until_its_own_time_and_up_to_its_limit() {
        let refusals = Refusals::default();
        refusals.note(1000, 1, 10, 5000);
        refusals.note(1000, 4, 10, 8000);
        for (now_ms, cost, limit, until_ms) in [
            (4999, 1, 10, Some(5000)),
            (5000, 1, 10, None),
            (4999, 1, 11, None),
            (4999, 4, 10, Some(8000)),
            (7999, 4, 9, Some(8000)),
            (7999, 4, 11, None),
            (4999, 3, 10, None),
            (4999, 5, 10, None),
        ] {
            assert_eq!(refusals.until_ms(now_ms, cost, limit), until_ms, "{now_ms} {cost} {limit}");
        }
        assert!(!refusals.have_ended(7999) && refusals.have_ended(8000));
    }

    #[test]
    fn no_number_of_weights_grows_without_a_bound() {
        let refusals = Refusals::default();
        (2..10_000).for_each(|cost| refusals.note(1000, cost, 10_000, 5000));
        assert_eq!(refusals.heavy().len(), WEIGHTS_MAX);
        refusals.note(5000, 200, 10_000, 9000);
        assert_eq!(refusals.heavy().len(), 1);
    }
}
