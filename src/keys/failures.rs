//! How often each address may fail to sign in, counted before anything is hashed.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::Cache;

use crate::caller::ClientNetwork;
use crate::limiter::{SlidingWindow, TakeRequest};

/// Wrong keys by client address, in the same strict window as requests.
pub struct Failures {
    windows: Cache<ClientNetwork, Arc<Mutex<SlidingWindow>>>,
    per_minute_max: u32,
}

impl Failures {
    /// `addresses_max` bounds the memory (about 800 bytes an address); the coldest are forgotten
    /// beyond it.
    pub fn new(per_minute_max: u32, addresses_max: usize) -> Self {
        Self { windows: Cache::new(addresses_max), per_minute_max }
    }

    /// The epoch millisecond until which `address` has to wait, where it failed too often.
    pub fn blocked_until_ms(&self, address: IpAddr, now_ms: u64) -> Option<u64> {
        let window = self.windows.get(&ClientNetwork::from(address))?;
        // A probe on a copy: asking is not failing.
        let mut probe = window.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let grant = probe.take(now_ms, self.per_minute_max, TakeRequest::ONE);
        (!grant.admitted).then_some(now_ms + grant.reset_in_ms)
    }

    pub fn record(&self, address: IpAddr, now_ms: u64) {
        let fresh =
            || Ok::<_, std::convert::Infallible>(Arc::new(Mutex::new(SlidingWindow::default())));
        let Ok(window) = self.windows.get_or_insert_with(&ClientNetwork::from(address), fresh);
        window.lock().unwrap_or_else(PoisonError::into_inner).take(
            now_ms,
            self.per_minute_max,
            TakeRequest::ONE,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_failed_too_often_waits_until_the_minute_has_passed() {
        let failures = Failures::new(2, 100);
        let (bad, other): (IpAddr, IpAddr) =
            ("2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let now_ms = 1_700_000_000_000;
        failures.record(bad, now_ms);
        assert_eq!(failures.blocked_until_ms(bad, now_ms), None);
        failures.record("2001:db8::2".parse().unwrap(), now_ms);
        assert_eq!(failures.blocked_until_ms(bad, now_ms), Some(now_ms + 61_000));
        assert_eq!(failures.blocked_until_ms(bad, now_ms + 61_000), None);
        assert_eq!(failures.blocked_until_ms(other, now_ms), None);
    }
}
