//! Strict sliding-window limits: never more than the limit in any trailing 60 seconds.
//!
//! With Redis, every instance takes its permits from one [`ledger::Ledger`]. Without Redis the same window is kept in
//! process, which is exact for one instance. When Redis is lost, each instance goes on alone with its share.

mod fallback;
mod ledger;
mod ring;

use std::sync::atomic::{AtomicU32, Ordering};

use crate::caller::{Caller, KeyId};
use crate::redis::Redis;
use fallback::LocalWindows;
use ledger::Ledger;
pub use ring::{Grant, Ring, WINDOW_S};

/// Decides who may go on.
pub struct Limiter {
    /// `None` where no Redis is configured.
    ledger: Option<Ledger>,
    local: LocalWindows,
    /// Instances that share the Redis, as last seen: what a lost Redis divides the limit by.
    instances: AtomicU32,
}

/// The limiter's answer to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub admitted: bool,
    /// Requests per minute.
    pub limit: u32,
    pub remaining: u32,
    /// Milliseconds until the window next frees a request; after a refusal, until the next one is admitted.
    pub reset_in_ms: u64,
}

impl Limiter {
    pub fn new(redis: Option<Redis>) -> Self {
        Self { ledger: redis.map(Ledger::new), local: LocalWindows::default(), instances: AtomicU32::new(1) }
    }

    /// Admits or refuses one request of `caller` at `now_ms` (epoch milliseconds).
    ///
    /// The one place where permits are taken, so the one where a lease would take several at once.
    pub async fn admit(&self, caller: &Caller, now_ms: u64) -> Decision {
        let limit = caller.tier.requests_per_minute;
        let Some(ledger) = &self.ledger else {
            return Decision::new(limit, self.local.take(caller.id, limit, now_ms));
        };
        match ledger.take(caller.id, limit, 1).await {
            Ok(grant) => Decision::new(limit, grant),
            Err(_) => self.admit_alone(caller.id, limit, now_ms),
        }
    }

    /// Redis is lost: this instance admits its share of the limit, at least one request a minute.
    fn admit_alone(&self, key: KeyId, limit: u32, now_ms: u64) -> Decision {
        let share = (limit / self.instances.load(Ordering::Relaxed).max(1)).max(1);
        Decision::new(limit, self.local.take(key, share, now_ms))
    }

    /// Tells how many instances share the Redis now.
    pub fn set_instances(&self, instances: u32) {
        self.instances.store(instances.max(1), Ordering::Relaxed);
    }

    /// Forgets the windows in process that can't matter at `now_ms` any more.
    pub fn sweep(&self, now_ms: u64) {
        self.local.sweep(now_ms);
    }
}

impl Decision {
    fn new(limit: u32, grant: Grant) -> Self {
        Self { admitted: grant.granted > 0, limit, remaining: grant.remaining, reset_in_ms: grant.reset_in_ms }
    }

    /// Whole seconds until the reset, rounded up, at least 1: who waits that long is not early.
    pub fn reset_in_s(&self) -> u64 {
        self.reset_in_ms.div_ceil(1000).max(1)
    }
}
