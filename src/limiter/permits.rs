//! The permits of a lease: taken by all workers at once, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// Permits and their end in one word, so that nobody sees the one without the other: the end in milliseconds (40 bits:
/// 34 years), the number (24 bits: more than any limit a minute).
#[derive(Debug, Default)]
pub struct Permits(AtomicU64);

const COUNT_BITS: u32 = 24;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

impl Permits {
    pub fn put(&self, count: u32, ends_ms: u64) {
        self.0.store(ends_ms << COUNT_BITS | u64::from(count).min(COUNT_MAX), Ordering::Release);
    }

    /// Takes `count`, where there are as many that have not ended; returns how many are left, and when they end.
    pub fn take(&self, count: u32, now_ms: u64) -> Option<(u32, u64)> {
        let count = u64::from(count);
        let less = |word: u64| (word & COUNT_MAX >= count && now_ms < word >> COUNT_BITS).then(|| word - count);
        let before = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).ok()?;
        Some(((before & COUNT_MAX) as u32 - count as u32, before >> COUNT_BITS))
    }

    /// How many could be taken now.
    pub fn at_hand(&self, now_ms: u64) -> u32 {
        let word = self.0.load(Ordering::Acquire);
        if now_ms < word >> COUNT_BITS { (word & COUNT_MAX) as u32 } else { 0 }
    }

    /// How many are left of those that end at `ends_ms`; `None` where others have taken their place.
    pub fn left(&self, ends_ms: u64) -> Option<u32> {
        let word = self.0.load(Ordering::Acquire);
        (word >> COUNT_BITS == ends_ms).then_some((word & COUNT_MAX) as u32)
    }

    /// Takes all, ended or not.
    pub fn take_all(&self) -> u32 {
        (self.0.swap(0, Ordering::AcqRel) & COUNT_MAX) as u32
    }

    pub fn has_ended(&self, now_ms: u64) -> bool {
        now_ms >= self.0.load(Ordering::Acquire) >> COUNT_BITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_who_take_at_once_as_many_get_one_as_there_are_permits() {
        let permits = Permits::default();
        permits.put(10_000, 1000);
        let takes = || (0..5000).filter(|_| permits.take(3, 999).is_some()).count();
        let taken: usize = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(takes)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        assert_eq!((taken, permits.take_all()), (3333, 1));
    }
}
