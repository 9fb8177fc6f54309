//! A limit in one atomic word, so that every worker sees its requests together with its window.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::caller::RateLimit;

#[derive(Debug, Default)]
pub struct AtomicLimit(AtomicU64);

impl AtomicLimit {
    pub fn load(&self) -> RateLimit {
        let word = self.0.load(Ordering::Relaxed);
        RateLimit { requests: word as u32, window_s: (word >> 32) as u32 }
    }

    pub fn store(&self, limit: RateLimit) {
        let word = u64::from(limit.window_s) << 32 | u64::from(limit.requests);
        self.0.store(word, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_limit_is_loaded_as_it_was_stored(requests: u32, window_s: u32) {
            let (limit, stored) = (RateLimit { requests, window_s }, AtomicLimit::default());
            stored.store(limit);
            prop_assert_eq!(stored.load(), limit);
        }
    }
}
