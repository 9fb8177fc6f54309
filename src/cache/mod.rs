//! The response cache: in memory and in Redis, with stale-while-revalidate.
//!
//! The cache key of a response contains the data version of its stocks. A committed change raises
//! the version, so later requests have new keys and never find the outdated response.
//!
//! [`Cache::look_up`] looks in memory, then in Redis. On a miss, one request gets a [`Miss`]: it
//! runs the handler and finishes the miss with the response or with a failure. Other requests of
//! the key wait for it.
//!
//! An expired entry may be served as stale, within two limits:
//!
//! - While one request refreshes it: up to [`Lifetime::revalidate_s`] after its expiry, which is
//!   30 s at most.
//! - If the refresh fails: up to `cache_stale_s_max` after its expiry.
//!
//! Memory gets every new response. Redis gets a response on its second request: most keys are
//! requested once, and a write to Redis costs as much as a read from Postgres.

mod empty_days;
mod entry;
mod memory;
#[cfg(test)]
pub mod model;
mod policy;
mod shared;
mod versions;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::clock::is_ahead;
use crate::config::CacheConfig;
use crate::metrics::{self, CacheTier};
use crate::redis::Redis;
pub use empty_days::{EmptyDay, EmptyDays};
pub use entry::{CachedHeaders, CachedResponse, Encoding, Entry, Media, Variant};
use memory::{FillGuard, MemoryTier, MemoryUsage, Slot};
pub use policy::{Content, Lifetime, lifetime, lifetime_start};
use shared::{RedisOrModel, SharedTier};
pub use versions::{DependsOn, Versions};

/// How long a stale entry is served after a failed refresh, before one request tries again.
const REFRESH_RETRY_MS: u64 = 500;

/// How long the outcomes "failed" and "not cacheable" are remembered: long enough for all waiting
/// requests to see them, and too short to be noticed.
const OUTCOME_TTL_MS: u64 = 200;

pub struct Cache {
    memory: MemoryTier,
    /// `None` without Redis.
    shared: Option<SharedTier>,
    /// No other instance uses Redis, so that memory has all that Redis would have.
    is_alone: AtomicBool,
    /// How long after its expiry an entry may be served if the handler fails.
    stale_ms_max: u64,
}

/// The result of a lookup.
pub enum Found<'a> {
    /// A fresh entry.
    Hit(Arc<Entry>),
    /// Expired; a refresh is in progress or has just failed.
    Stale(Arc<Entry>),
    /// Another request has just failed to get the response, and there is no stale entry.
    Failed,
    /// The response is not cacheable: run the handler for this request alone.
    Uncacheable,
    /// Run the handler and finish the [`Miss`]: there is no usable entry, or this request must
    /// refresh it.
    Miss(Miss<'a>),
}

/// The duty of one request to get the response of a key for all requests of that key.
///
/// If it is dropped unfinished because the client disconnected, the next request takes over.
pub struct Miss<'a> {
    cache: &'a Cache,
    key: Arc<str>,
    /// Other requests of the key wait until it is filled. `None` for a refresh: meanwhile the
    /// others get the stale entry.
    guard: Option<FillGuard<'a>>,
    /// Served if the handler fails.
    stale: Option<Arc<Entry>>,
}

impl Cache {
    pub fn new(config: &CacheConfig, redis: Option<Redis>) -> Self {
        Self::with_redis_or_model(config, redis.map(RedisOrModel::Redis))
    }

    /// A cache that uses a model in the place of Redis.
    #[cfg(test)]
    pub fn with_model(config: &CacheConfig, model: model::RedisModel) -> Self {
        Self::with_redis_or_model(config, Some(RedisOrModel::Model(model)))
    }

    fn with_redis_or_model(config: &CacheConfig, redis: Option<RedisOrModel>) -> Self {
        Self {
            memory: MemoryTier::new(config.cache_memory_bytes_max),
            shared: redis.map(|redis| SharedTier::new(redis, config.cache_writes_max)),
            is_alone: AtomicBool::new(false),
            stale_ms_max: u64::from(config.cache_stale_s_max) * 1000,
        }
    }

    /// Looks a key up at `now_ms` (epoch milliseconds), in memory and then in Redis.
    ///
    /// Waits if another request is getting the response of the same key.
    pub async fn look_up(&self, key: &str, now_ms: u64) -> Found<'_> {
        let mut expired = None;
        if let Some(slot) = self.memory.get(key) {
            if let Some(found) = self.found_in_memory(key, &slot, now_ms) {
                let is_hit = matches!(found, Found::Hit(_) | Found::Stale(_));
                metrics::lookup(CacheTier::Memory, is_hit);
                return found;
            }
            self.memory.remove_if_same(key, &slot);
            if let Slot::Entry(entry) = slot {
                expired = Some(entry);
            }
        }
        metrics::lookup(CacheTier::Memory, false);
        // Boxed to keep the future small for requests that are answered from memory.
        Box::pin(self.wait_or_read_redis(key.into(), expired, now_ms)).await
    }

    /// Counts a hit on an entry that the caller still holds. From time to time `key` makes the
    /// memory tier keep it longer.
    pub fn count_hit(&self, key: Option<&str>) {
        metrics::lookup(CacheTier::Memory, true);
        key.map(|key| self.memory.get(key));
    }

    /// The result that a slot gives, or `None` if it can no longer be used.
    ///
    /// May claim the refresh for this request, or start the write to Redis.
    fn found_in_memory(&self, key: &str, slot: &Slot, now_ms: u64) -> Option<Found<'_>> {
        let entry = match slot {
            Slot::Entry(entry) => entry.clone(),
            Slot::Failed { until_ms } => {
                return is_ahead(*until_ms, now_ms, OUTCOME_TTL_MS).then_some(Found::Failed);
            }
            Slot::Uncacheable { until_ms } => {
                return is_ahead(*until_ms, now_ms, OUTCOME_TTL_MS).then_some(Found::Uncacheable);
            }
        };
        if entry.is_fresh(now_ms) {
            self.write_to_redis_once(key, &entry, now_ms);
            Some(Found::Hit(entry))
        } else if !entry.may_be_served_while_revalidating(now_ms) {
            None
        } else if entry.claim_refresh(now_ms) {
            Some(Found::Miss(Miss {
                cache: self,
                key: key.into(),
                guard: None,
                stale: Some(entry),
            }))
        } else {
            Some(Found::Stale(entry))
        }
    }

    /// Waits for the request that is getting the response, or looks in Redis.
    ///
    /// `expired` is the entry that memory had.
    async fn wait_or_read_redis(
        &self,
        key: Arc<str>,
        mut expired: Option<Arc<Entry>>,
        now_ms: u64,
    ) -> Found<'_> {
        let guard = loop {
            let slot = match self.memory.get_or_guard(&key).await {
                Ok(slot) => slot,
                Err(guard) => break guard,
            };
            // This slot was filled after this request had looked in memory, so `until_ms` of an
            // outcome needs no check.
            match &slot {
                Slot::Uncacheable { .. } => return Found::Uncacheable,
                Slot::Failed { .. } => {
                    // The request that failed had no stale entry. This one may still hold an
                    // expired entry.
                    let stale = expired.filter(|entry| self.is_within_stale_limit(entry, now_ms));
                    return stale.map_or(Found::Failed, Found::Stale);
                }
                Slot::Entry(entry) if entry.is_fresh(now_ms) => {
                    self.write_to_redis_once(&key, entry, now_ms);
                    return Found::Hit(entry.clone());
                }
                Slot::Entry(entry) if entry.may_be_served_while_revalidating(now_ms) => {
                    return Found::Stale(entry.clone());
                }
                // `Miss::drop` left this expired entry. Serve it only if the handler fails for this
                // request.
                Slot::Entry(entry) => expired = Some(entry.clone()),
            }
            self.memory.remove_if_same(&key, &slot);
        };
        if let Some(entry) = self.get_from_redis(&key).await {
            if entry.is_fresh(now_ms) {
                guard.fill(Slot::Entry(entry.clone()));
                return Found::Hit(entry);
            }
            expired = expired.or(Some(entry));
        }
        let stale = expired.filter(|entry| self.is_within_stale_limit(entry, now_ms));
        Found::Miss(Miss { cache: self, key, guard: Some(guard), stale })
    }

    /// Sets whether this is the only instance. It then needs no shared responses.
    pub fn set_alone(&self, is_alone: bool) {
        self.is_alone.store(is_alone, Ordering::Relaxed);
    }

    /// Redis, unless this is the only instance.
    fn shared_tier(&self) -> Option<&SharedTier> {
        self.shared.as_ref().filter(|_| !self.is_alone.load(Ordering::Relaxed))
    }

    pub fn memory_usage(&self) -> MemoryUsage {
        self.memory.usage()
    }

    fn is_within_stale_limit(&self, entry: &Entry, now_ms: u64) -> bool {
        now_ms < entry.fresh_until_ms() + self.stale_ms_max
    }

    async fn get_from_redis(&self, key: &str) -> Option<Arc<Entry>> {
        self.shared_tier()?.get(key).await.map(Arc::new)
    }

    /// Writes an entry to Redis the first time that it is found in memory.
    fn write_to_redis_once(&self, key: &str, entry: &Entry, now_ms: u64) {
        // If the write fails, another instance runs one query more; a retry is not worth it.
        if let Some(shared) = self.shared_tier()
            && entry.claim_redis_write()
        {
            shared.set(key, entry, entry.fresh_until_ms() - now_ms + self.stale_ms_max);
        }
    }
}

impl Miss<'_> {
    /// Stores the response and wakes all requests that wait for it.
    pub fn fill(mut self, response: CachedResponse, lifetime: Lifetime, now_ms: u64) -> Arc<Entry> {
        let entry = Arc::new(Entry::new(response, lifetime, now_ms));
        self.finish(Slot::Entry(entry.clone()));
        entry
    }

    /// Tells the waiting requests that the response is not cacheable, so that they run their
    /// handlers at once, not one after the other.
    pub fn mark_uncacheable(mut self, now_ms: u64) {
        self.finish(Slot::Uncacheable { until_ms: now_ms + OUTCOME_TTL_MS });
    }

    /// Records that the handler failed, and returns the stale entry to serve instead, if any.
    ///
    /// All requests of the key get that entry for half a second. Without one, the waiting requests
    /// fail too, so that they don't try one after the other.
    pub fn record_failure(mut self, now_ms: u64) -> Option<Arc<Entry>> {
        let stale = self.stale.take().map(|stale| {
            let until_ms =
                (now_ms + REFRESH_RETRY_MS).min(stale.fresh_until_ms() + self.cache.stale_ms_max);
            Arc::new(stale.without_refresh_until(until_ms))
        });
        let failed = Slot::Failed { until_ms: now_ms + OUTCOME_TTL_MS };
        self.finish(stale.clone().map_or(failed, Slot::Entry));
        stale
    }

    fn finish(&mut self, slot: Slot) {
        match self.guard.take() {
            Some(guard) => guard.fill(slot),
            None => self.cache.memory.insert(self.key.clone(), slot),
        }
    }
}

impl Drop for Miss<'_> {
    /// Leaves the stale entry to the next request, which serves it if its handler fails.
    fn drop(&mut self) {
        if let (Some(guard), Some(stale)) = (self.guard.take(), self.stale.take()) {
            guard.fill(Slot::Entry(stale));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Lifetime = Lifetime { fresh_s: 60, revalidate_s: 6 };
    const KEY: &str = "v1/quote/AAPL";

    fn cache() -> Cache {
        let config = CacheConfig {
            cache_memory_bytes_max: 1024 * 1024,
            cache_stale_s_max: 3600,
            cache_writes_max: 1,
            changes_poll_ms: 1000,
            changes_poll_without_redis_ms: 1000,
            rest_after_s: 0,
        };
        Cache::new(&config, None)
    }

    async fn miss(cache: &Cache, now_ms: u64) -> Miss<'_> {
        match cache.look_up(KEY, now_ms).await {
            Found::Miss(miss) => miss,
            _ => panic!("expected a miss at {now_ms}"),
        }
    }

    /// Fills the cache with an entry that is made at 0.
    async fn fill(cache: &Cache) {
        miss(cache, 0).await.fill(CachedResponse::json(""), LIFETIME, 0);
    }

    async fn outcome(cache: &Cache, now_ms: u64) -> &'static str {
        match cache.look_up(KEY, now_ms).await {
            Found::Hit(_) => "hit",
            Found::Stale(_) => "stale",
            Found::Failed => "failed",
            Found::Uncacheable => "uncacheable",
            Found::Miss(_) => "miss",
        }
    }

    #[tokio::test]
    async fn one_request_refreshes_an_expired_entry_while_others_get_it_stale() {
        let cache = cache();
        fill(&cache).await;
        assert_eq!(outcome(&cache, 59_999).await, "hit");
        let refresh = miss(&cache, 60_000).await;
        assert_eq!(outcome(&cache, 60_001).await, "stale");
        refresh.fill(CachedResponse::json(""), LIFETIME, 60_002);
        assert_eq!(outcome(&cache, 60_003).await, "hit");
    }

    #[tokio::test]
    async fn an_entry_past_its_revalidation_time_is_not_served_stale() {
        let cache = cache();
        fill(&cache).await;
        assert_eq!(outcome(&cache, 66_000).await, "miss");
    }

    #[tokio::test]
    async fn after_a_failed_refresh_all_get_the_stale_entry_for_half_a_second_within_its_limit() {
        let cache = cache();
        fill(&cache).await;
        let limit_ms = 60_000 + 3_600_000;
        for (failed_ms, served_ms) in [(100_000, 100_499), (limit_ms - 300, limit_ms - 1)] {
            assert!(miss(&cache, failed_ms).await.record_failure(failed_ms).is_some());
            assert_eq!(outcome(&cache, served_ms).await, "stale");
        }
        assert!(miss(&cache, limit_ms).await.record_failure(limit_ms).is_none());
    }

    #[tokio::test]
    async fn requests_that_wait_for_a_failing_request_fail_with_it() {
        let cache = cache();
        let first = miss(&cache, 0).await;
        let waiting = futures_util::future::join_all((0..20).map(|_| outcome(&cache, 0)));
        let fails = async {
            tokio::task::yield_now().await;
            assert!(first.record_failure(0).is_none());
        };
        let (outcomes, ()) = tokio::join!(waiting, fails);
        assert!(outcomes.iter().all(|outcome| *outcome == "failed"), "{outcomes:?}");
        assert_eq!(outcome(&cache, 200).await, "miss");
    }

    #[tokio::test]
    async fn requests_that_wait_for_an_uncacheable_response_run_side_by_side() {
        let cache = cache();
        let first = miss(&cache, 0).await;
        let waiting = futures_util::future::join_all((0..20).map(|_| outcome(&cache, 0)));
        let is_uncacheable = async {
            tokio::task::yield_now().await;
            first.mark_uncacheable(0);
        };
        let (outcomes, ()) = tokio::join!(waiting, is_uncacheable);
        assert!(outcomes.iter().all(|outcome| *outcome == "uncacheable"), "{outcomes:?}");
        assert_eq!(outcome(&cache, 200).await, "miss");
    }

    #[tokio::test]
    async fn a_dropped_miss_leaves_the_stale_entry_to_the_next_request() {
        let cache = cache();
        fill(&cache).await;
        drop(miss(&cache, 100_000).await);
        assert!(miss(&cache, 100_000).await.record_failure(100_000).is_some());
    }

    #[tokio::test]
    async fn waiting_requests_do_not_get_the_expired_entry_of_a_dropped_miss() {
        let cache = cache();
        fill(&cache).await;
        let first = miss(&cache, 100_000).await;
        let next = async { miss(&cache, 100_000).await.record_failure(100_000).is_some() };
        let disconnects = async {
            tokio::task::yield_now().await;
            drop(first);
        };
        let (has_stale_entry, ()) = tokio::join!(next, disconnects);
        assert!(has_stale_entry, "the entry is kept for the case that the next request fails");
    }

    #[tokio::test]
    async fn a_dropped_miss_passes_its_duty_to_the_next_request() {
        let cache = cache();
        drop(miss(&cache, 0).await);
        assert_eq!(outcome(&cache, 0).await, "miss");
    }
}
