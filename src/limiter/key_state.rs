//! The state of one key on one instance: its lease, the renewal of the lease, and the requests that
//! call Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::lease::Lease;
use super::redis_window::RedisWindow;
use super::take::WindowAnswer;
use crate::caller::{KeyId, RateLimit};
use crate::clock::MonotonicClock;
use crate::metrics;

#[derive(Default)]
pub struct KeyState {
    pub lease: Lease,
    /// Held during a call to Redis, so that one call of a key is in progress at a time.
    pub call_lock: tokio::sync::Mutex<()>,
    waiting_cost: AtomicU32,
}

impl KeyState {
    /// Counts a request among the waiting ones, until the guard is dropped.
    pub fn wait(&self, cost: u32) -> WaitingGuard<'_> {
        self.waiting_cost.fetch_add(cost, Ordering::Relaxed);
        WaitingGuard { key_state: self, cost }
    }

    /// The total cost of the requests that wait for a call.
    pub fn waiting_cost(&self) -> u32 {
        self.waiting_cost.load(Ordering::Relaxed)
    }
}

/// A request that waits for a call. It is dropped when the request continues or its client
/// disconnects.
pub struct WaitingGuard<'a> {
    key_state: &'a KeyState,
    cost: u32,
}

impl Drop for WaitingGuard<'_> {
    fn drop(&mut self) {
        self.key_state.waiting_cost.fetch_sub(self.cost, Ordering::Relaxed);
    }
}

/// The renewal of a key's lease in the background, while requests still use it.
pub struct RenewalTask {
    pub clock: MonotonicClock,
    pub redis_window: Arc<RedisWindow>,
    pub key_state: Arc<KeyState>,
    pub key: KeyId,
    pub limit: RateLimit,
    pub instances: u32,
    /// The end of the lease to renew.
    pub lease_ends_ms: u64,
}

impl RenewalTask {
    pub async fn run(self) {
        let Self { clock, redis_window, key_state, key, limit, instances, lease_ends_ms } = self;
        let lease = &key_state.lease;
        let _calling = key_state.call_lock.lock().await;
        let sent_ms = clock.now_ms();
        let Some(take) = lease.prepare_renewal(sent_ms, lease_ends_ms, instances) else {
            return;
        };
        match redis_window.take(key, limit, take).await {
            Ok(WindowAnswer::Lost) => lease.renewal_lost(clock.now_ms()),
            Ok(WindowAnswer::Decided(grant)) => {
                metrics::lease(grant.prefetched);
                lease.apply_renewal(sent_ms, clock.now_ms(), take, grant, limit);
            }
            // Requests have waited for this answer. They must not wait for another timeout.
            Err(_) if key_state.waiting_cost() > 0 => lease.call_failed(clock.now_ms()),
            Err(_) => lease.renewal_failed(),
        }
    }
}
