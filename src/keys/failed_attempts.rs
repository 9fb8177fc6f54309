//! Limits how often one client network may send invalid tokens.
//!
//! The limit is checked before any lookup or hash. Tokens that are already cached are not affected.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::Cache;

use crate::caller::ClientNetwork;
use crate::limiter::{SlidingWindow, TakeRequest};

/// Invalid tokens by client network, in the same sliding window as requests.
pub struct FailedAttempts {
    windows: Cache<ClientNetwork, Arc<Mutex<SlidingWindow>>>,
    per_minute_max: u32,
}

impl FailedAttempts {
    /// `networks_max` bounds the memory, at about 800 bytes per network. Beyond it, the least
    /// recently used networks are evicted.
    pub fn new(per_minute_max: u32, networks_max: usize) -> Self {
        Self { windows: Cache::new(networks_max), per_minute_max }
    }

    /// The end of the block of `address`, in epoch milliseconds. `None` if it is not blocked.
    pub fn blocked_until_ms(&self, address: IpAddr, now_ms: u64) -> Option<u64> {
        let window = self.windows.get(&ClientNetwork::from(address))?;
        // Takes from a copy, because a check is not a failed attempt.
        let mut copy = window.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let grant = copy.take(now_ms, self.per_minute_max, TakeRequest::ONE);
        (!grant.admitted).then_some(now_ms + grant.reset_in_ms)
    }

    /// Counts an invalid token from `address`.
    pub fn record(&self, address: IpAddr, now_ms: u64) {
        let new_window = || Ok::<_, Infallible>(Arc::new(Mutex::new(SlidingWindow::default())));
        let network = ClientNetwork::from(address);
        let Ok(window) = self.windows.get_or_insert_with(&network, new_window);
        let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
        window.take(now_ms, self.per_minute_max, TakeRequest::ONE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_with_too_many_failures_is_blocked_until_the_window_has_passed() {
        let failed_attempts = FailedAttempts::new(2, 100);
        let blocked: IpAddr = "2001:db8::1".parse().unwrap();
        let same_network: IpAddr = "2001:db8::2".parse().unwrap();
        let other: IpAddr = "192.0.2.1".parse().unwrap();
        let now_ms = 1_700_000_000_000;
        failed_attempts.record(blocked, now_ms);
        assert_eq!(failed_attempts.blocked_until_ms(blocked, now_ms), None);
        failed_attempts.record(same_network, now_ms);
        assert_eq!(failed_attempts.blocked_until_ms(blocked, now_ms), Some(now_ms + 61_000));
        assert_eq!(failed_attempts.blocked_until_ms(blocked, now_ms + 61_000), None);
        assert_eq!(failed_attempts.blocked_until_ms(other, now_ms), None);
    }
}
