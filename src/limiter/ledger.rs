//! The window that instances share: one Redis string a key, one script call a take.

use super::ring::Grant;
use crate::caller::KeyId;
use crate::redis::{Redis, RedisFault, Script};

/// The shared log of every key's admitted requests.
pub struct Ledger {
    redis: Redis,
    window: Script,
}

impl Ledger {
    pub fn new(redis: Redis) -> Self {
        Self { redis, window: Script::new(include_str!("window.lua")) }
    }

    /// Takes up to `wanted` permits of `key` by the clock of Redis, so that instances' own clocks don't matter.
    ///
    /// # Errors
    /// When Redis did not answer in time. The permits may then have been charged: a failed call can only under-admit.
    pub async fn take(&self, key: KeyId, limit: u32, wanted: u32) -> Result<Grant, RedisFault> {
        self.take_at(key, limit, wanted, None).await
    }

    /// The same at a given time, in epoch milliseconds.
    async fn take_at(&self, key: KeyId, limit: u32, wanted: u32, now_ms: Option<u64>) -> Result<Grant, RedisFault> {
        // The braces are the hash tag: whatever else is ever kept for a key lies on the same node of a cluster.
        let name = format!("rl:{{{key}}}");
        let now_ms = now_ms.map_or(String::new(), |ms| ms.to_string());
        let arguments = vec![limit.to_string(), wanted.to_string(), now_ms];
        let (granted, remaining, reset_in_ms) = self.redis.run(&self.window, &name, arguments).await?;
        Ok(Grant { granted, remaining, reset_in_ms })
    }
}
