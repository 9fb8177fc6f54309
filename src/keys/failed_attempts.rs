//! Limits how often one client network may send invalid tokens.
//!
//! The limit is checked before any lookup or hash. Tokens that are already cached are not affected.
//!
//! A token counts as an attempt from the moment when its verification begins, because many may be
//! in progress at once. If it turns out to be valid, it counts no longer. Tokens beyond the limit
//! wait for the attempts in progress: each may be valid.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::error::VerifyError;
use crate::caller::{ClientNetwork, MINUTE_S, RateLimit};
use crate::limiter::{SlidingWindow, TakeRequest};

/// Invalid tokens by client network, in the same sliding window as requests.
pub struct FailedAttempts {
    networks: Cache<ClientNetwork, Arc<Network>>,
    limit: RateLimit,
}

#[derive(Default)]
struct Network {
    state: Mutex<NetworkState>,
    /// Notified when an attempt ends.
    ended: Notify,
}

struct NetworkState {
    failures: SlidingWindow,
    /// Attempts in progress.
    pending: u32,
}

/// An attempt in progress. It counts as no failure unless it ends with [`Attempt::fail`].
pub struct Attempt {
    network: Arc<Network>,
    limit: RateLimit,
}

impl FailedAttempts {
    /// `networks_max` bounds the memory, at most 1,100 bytes per network. Beyond it, the least
    /// recently used networks are evicted.
    pub fn new(per_minute_max: u32, networks_max: usize) -> Self {
        let limit = RateLimit::per_minute(per_minute_max);
        Self { networks: Cache::new(networks_max), limit }
    }

    /// The end of the block of `address`, in epoch milliseconds. `None` if it is not blocked.
    pub fn blocked_until_ms(&self, address: IpAddr, now_ms: u64) -> Option<u64> {
        let network = self.networks.get(&ClientNetwork::from(address))?;
        let state = network.state();
        state.blocked_until_ms(now_ms, self.limit)
    }

    /// Begins an attempt. Waits if the attempts in progress may reach the limit, at most `wait`.
    ///
    /// # Errors
    /// [`VerifyError::TooManyFailures`] if the network is blocked, [`VerifyError::Busy`] if the
    /// wait was too long.
    pub async fn begin(
        &self,
        address: IpAddr,
        now_ms: u64,
        wait: Duration,
    ) -> Result<Attempt, VerifyError> {
        let new_network = || Ok::<_, Infallible>(Arc::default());
        let Ok(network) =
            self.networks.get_or_insert_with(&ClientNetwork::from(address), new_network);
        let limit = self.limit;
        let begins = async {
            loop {
                // Before the check, so that no end is missed between the check and the wait.
                let mut ended = std::pin::pin!(network.ended.notified());
                ended.as_mut().enable();
                if network.state().begins(now_ms, limit)? {
                    return Ok::<_, VerifyError>(());
                }
                ended.await;
            }
        };
        timeout(wait, begins).await.map_err(|_| VerifyError::Busy)??;
        Ok(Attempt { network, limit })
    }
}

impl Attempt {
    /// Counts the attempt as a failure.
    pub fn fail(self, now_ms: u64) {
        let one = TakeRequest::ONE;
        self.network.state().failures.take(now_ms, self.limit, one);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.network.state().pending -= 1;
        self.network.ended.notify_waiters();
    }
}

impl Default for NetworkState {
    fn default() -> Self {
        Self { failures: SlidingWindow::of_at_most(MINUTE_S), pending: 0 }
    }
}

impl Network {
    fn state(&self) -> MutexGuard<'_, NetworkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NetworkState {
    fn blocked_until_ms(&self, now_ms: u64, limit: RateLimit) -> Option<u64> {
        // Takes from a copy, because a check is not a failed attempt.
        let grant = self.failures.clone().take(now_ms, limit, TakeRequest::ONE);
        (!grant.admitted).then_some(now_ms + grant.reset_in_ms)
    }

    /// Whether an attempt begins. If not, one in progress may free its place.
    fn begins(&mut self, now_ms: u64, limit: RateLimit) -> Result<bool, VerifyError> {
        if let Some(until_ms) = self.blocked_until_ms(now_ms, limit) {
            return Err(VerifyError::TooManyFailures { until_ms });
        }
        let with_pending = TakeRequest::of(self.pending + 1);
        let begins = self.failures.clone().take(now_ms, limit, with_pending).admitted;
        self.pending += u32::from(begins);
        Ok(begins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_700_000_000_000;
    const WAIT: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_network_with_too_many_failures_is_blocked_until_the_window_has_passed() {
        let failed_attempts = FailedAttempts::new(2, 100);
        let blocked: IpAddr = "2001:db8::1".parse().unwrap();
        let same_network: IpAddr = "2001:db8::2".parse().unwrap();
        let other: IpAddr = "192.0.2.1".parse().unwrap();
        failed_attempts.begin(blocked, NOW_MS, WAIT).await.unwrap().fail(NOW_MS);
        assert_eq!(failed_attempts.blocked_until_ms(blocked, NOW_MS), None);
        failed_attempts.begin(same_network, NOW_MS, WAIT).await.unwrap().fail(NOW_MS);
        assert_eq!(failed_attempts.blocked_until_ms(blocked, NOW_MS), Some(NOW_MS + 60_001));
        assert_eq!(failed_attempts.blocked_until_ms(blocked, NOW_MS + 60_001), None);
        assert_eq!(failed_attempts.blocked_until_ms(other, NOW_MS), None);
        let error = failed_attempts.begin(blocked, NOW_MS, WAIT).await.err();
        assert!(matches!(error, Some(VerifyError::TooManyFailures { .. })), "{error:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_in_progress_count_and_valid_ones_make_room() {
        let failed_attempts = FailedAttempts::new(2, 100);
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let begin = || failed_attempts.begin(address, NOW_MS, WAIT);
        let (first, second) = (begin().await.unwrap(), begin().await.unwrap());
        let third = begin().await.err();
        assert!(matches!(third, Some(VerifyError::Busy)), "both may be invalid: {third:?}");
        let (third, ()) = tokio::join!(begin(), async { drop(first) });
        let third = third.expect("the first was valid");
        second.fail(NOW_MS);
        let (fourth, ()) = tokio::join!(begin(), async { third.fail(NOW_MS) });
        let fourth = fourth.err();
        assert!(matches!(fourth, Some(VerifyError::TooManyFailures { .. })), "{fourth:?}");
    }
}
