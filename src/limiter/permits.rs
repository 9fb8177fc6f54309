//! The permits of a lease: taken by all workers at once, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

use super::sliding_window::AHEAD_S_MAX;

/// Permits, their end and their last use in one word, so that nobody sees one without the others:
/// the end in milliseconds (37 bits: 4 years), the whole seconds between the last use and the end
/// (7 bits), the number (20 bits: what a lease would have to hold at 4 million requests a second).
#[derive(Debug, Default)]
pub struct Permits(AtomicU64);

const COUNT_BITS: u32 = 20;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const EARLY_MAX_S: u64 = AHEAD_S_MAX as u64;
const ENDS_AT: u32 = COUNT_BITS + 7;

/// What is left of permits that are taken no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    pub count: u32,
    /// For so many seconds before their end none was used.
    pub early_s: u64,
}

impl Permits {
    pub fn put(&self, count: u32, ends_ms: u64) {
        self.0.store(
            word_of(ends_ms, EARLY_MAX_S, u64::from(count).min(COUNT_MAX)),
            Ordering::Release,
        );
    }

    /// Takes `count`, where there are as many that have not ended; returns how many are left, and
    /// when they end.
    pub fn take(&self, count: u32, now_ms: u64) -> Option<(u32, u64)> {
        let count = u64::from(count);
        let less = |word: u64| {
            let ends_ms = word >> ENDS_AT;
            (word & COUNT_MAX >= count && now_ms < ends_ms).then(|| {
                // The clock of another worker may have been read later.
                let early_s = early_s(word).min((ends_ms - now_ms) / 1000);
                word_of(ends_ms, early_s, (word & COUNT_MAX) - count)
            })
        };
        let before = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).ok()?;
        Some(((before & COUNT_MAX) as u32 - count as u32, before >> ENDS_AT))
    }

    /// How many could be taken now.
    pub fn at_hand(&self, now_ms: u64) -> u32 {
        let word = self.0.load(Ordering::Acquire);
        if now_ms < word >> ENDS_AT { (word & COUNT_MAX) as u32 } else { 0 }
    }

    /// How many are left of those that end at `ends_ms`; `None` where others have taken their
    /// place.
    pub fn left(&self, ends_ms: u64) -> Option<u32> {
        let word = self.0.load(Ordering::Acquire);
        (word >> ENDS_AT == ends_ms).then_some((word & COUNT_MAX) as u32)
    }

    /// Takes all, ended or not.
    pub fn take_all(&self) -> Rest {
        let word = self.0.swap(0, Ordering::AcqRel);
        Rest { count: (word & COUNT_MAX) as u32, early_s: early_s(word) }
    }

    pub fn has_ended(&self, now_ms: u64) -> bool {
        now_ms >= self.0.load(Ordering::Acquire) >> ENDS_AT
    }
}

fn word_of(ends_ms: u64, early_s: u64, count: u64) -> u64 {
    ends_ms << ENDS_AT | early_s << COUNT_BITS | count
}

fn early_s(word: u64) -> u64 {
    word >> COUNT_BITS & ((1 << (ENDS_AT - COUNT_BITS)) - 1)
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
        assert_eq!((taken, permits.take_all().count), (3333, 1));
    }
}
