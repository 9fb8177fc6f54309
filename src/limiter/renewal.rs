//! Renews a lease in the background, while requests still use it.

use std::sync::Arc;

use super::key_state::KeyState;
use super::redis_window::RedisWindow;
use crate::caller::KeyId;
use crate::clock::MonotonicClock;
use crate::metrics;

pub struct RenewalTask {
    pub clock: MonotonicClock,
    pub redis_window: Arc<RedisWindow>,
    pub key_state: Arc<KeyState>,
    pub key: KeyId,
    pub limit: u32,
    pub instances: u32,
    /// The end of the lease to renew.
    pub ending_ms: u64,
}

impl RenewalTask {
    pub async fn run(self) {
        let Self { clock, redis_window, key_state, key, limit, instances, ending_ms } = self;
        let lease = &key_state.lease;
        let _calling = key_state.call_lock.lock().await;
        let sent_ms = clock.now_ms();
        let Some(take) = lease.prepare_renewal(sent_ms, ending_ms, limit, instances) else {
            return;
        };
        match redis_window.take(key, limit, take).await {
            Ok(grant) => {
                metrics::lease(grant.prefetched);
                lease.apply_renewal(sent_ms, clock.now_ms(), take, grant);
            }
            // Requests have waited for this answer. They must not wait for another timeout.
            Err(_) if key_state.waiting_cost() > 0 => lease.call_failed(clock.now_ms()),
            Err(_) => lease.renewal_failed(),
        }
    }
}
