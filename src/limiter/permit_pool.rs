//! The permits of a lease. All workers take from the pool at once, without a lock.
//!
//! One 64-bit word holds the whole state, so every worker sees consistent values:
//!
//! - the end of the lease in milliseconds: 44 bits, 500 years
//! - the number of permits: 20 bits, as many as a key uses in 250 ms at 4 million requests per
//!   second

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub struct PermitPool(AtomicU64);

const COUNT_BITS: u32 = 20;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

impl PermitPool {
    /// Replaces the content of the pool.
    pub fn fill(&self, permits: u32, lease_ends_ms: u64) {
        let count = u64::from(permits).min(COUNT_MAX);
        self.0.store(word(lease_ends_ms, count), Ordering::Release);
    }

    /// Takes `permits` if the pool has that many and has not ended. Returns how many are left, and
    /// when the lease ends.
    pub fn take(&self, permits: u32, now_ms: u64) -> Option<(u32, u64)> {
        let permits = u64::from(permits);
        let take = |word: u64| {
            (count(word) >= permits && now_ms < ends_ms(word))
                .then(|| self::word(ends_ms(word), count(word) - permits))
        };
        let before = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).ok()?;
        Some(((count(before) - permits) as u32, ends_ms(before)))
    }

    /// The permits that can be taken at `now_ms`.
    pub fn available(&self, now_ms: u64) -> u32 {
        let word = self.0.load(Ordering::Acquire);
        if now_ms < ends_ms(word) { count(word) as u32 } else { 0 }
    }

    /// The permits of the lease that ends at `lease_ends_ms`. `None` if another lease has replaced
    /// it.
    pub fn left_of(&self, lease_ends_ms: u64) -> Option<u32> {
        let word = self.0.load(Ordering::Acquire);
        (ends_ms(word) == lease_ends_ms).then_some(count(word) as u32)
    }

    /// Empties the pool, whether or not the lease has ended. Returns the permits that were left.
    pub fn take_all(&self) -> u32 {
        count(self.0.swap(0, Ordering::AcqRel)) as u32
    }

    pub fn has_ended(&self, now_ms: u64) -> bool {
        now_ms >= ends_ms(self.0.load(Ordering::Acquire))
    }
}

fn word(ends_ms: u64, count: u64) -> u64 {
    ends_ms << COUNT_BITS | count
}

fn ends_ms(word: u64) -> u64 {
    word >> COUNT_BITS
}

fn count(word: u64) -> u64 {
    word & COUNT_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concurrent_workers_take_no_more_permits_than_the_pool_holds() {
        let pool = PermitPool::default();
        pool.fill(10_000, 1000);
        let take_threes = || (0..5000).filter(|_| pool.take(3, 999).is_some()).count();
        let taken: usize = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(take_threes)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        assert_eq!((taken, pool.take_all()), (3333, 1));
    }
}
