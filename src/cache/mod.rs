//! Ready answers, in memory and in Redis.
//!
//! An answer lives under a canonical key that holds the data version: what an ingest commits makes
//! new keys, so that no time to live can hide a correction.
//!
//! Memory has every new answer. Redis gets it when somebody asks for it again: most of what is
//! asked for only once, far back in some history, is nothing to share, and writing it there cost as
//! much as reading it from Postgres.

mod entry;
mod memory;
#[cfg(test)]
pub mod model;
mod policy;
mod shared;
mod versions;

use std::sync::Arc;

use crate::clock::is_ahead;
use crate::config::CacheConfig;
use crate::metrics::{self, CacheTier};
use crate::redis::Redis;
pub use entry::{Answer, CachedHeaders, Encoding, Entry, Media, Variant};
use memory::{Guard, Memory, Slot};
pub use policy::{Content, Lifetime, lifetime};
use shared::{SharedTier, Values};
pub use versions::{DependsOn, Versions};

/// How long expired answers rest after a failed refresh, before one request tries again.
const REST_AFTER_FAILURE_MS: u64 = 500;

/// How long it holds for everybody that there is no answer to keep: longer than it takes those who
/// waited for it to be told, shorter than anybody would notice.
const SHARED_MS: u64 = 200;

pub struct Cache {
    memory: Memory,
    /// `None` where no Redis is configured.
    shared: Option<SharedTier>,
    stale_ms_max: u64,
}

/// What the cache has for a key.
pub enum Found<'a> {
    /// Fresh.
    Hit(Arc<Entry>),
    /// Past its time, and somebody is at it, or nobody can be.
    Stale(Arc<Entry>),
    /// Somebody has just tried and failed.
    Failed,
    /// Not to be had from here, nor to be kept: ask for yourself.
    Uncacheable,
    /// To be answered by whoever gets this; others of the same key wait for it.
    Miss(Miss<'a>),
}

/// The duty to answer for all who ask the same. Dropped unanswered, the next one takes it over.
pub struct Miss<'a> {
    cache: &'a Cache,
    key: Arc<str>,
    /// `None` where others are served the stale answer meanwhile.
    guard: Option<Guard<'a>>,
    stale: Option<Arc<Entry>>,
}

impl Cache {
    pub fn new(config: &CacheConfig, redis: Option<Redis>) -> Self {
        Self::on(config, redis.map(Values::Redis))
    }

    /// One that shares its answers through a model of Redis.
    #[cfg(test)]
    pub fn on_model(config: &CacheConfig, model: model::RedisModel) -> Self {
        Self::on(config, Some(Values::Model(model)))
    }

    fn on(config: &CacheConfig, values: Option<Values>) -> Self {
        Self {
            memory: Memory::new(config.cache_memory_bytes_max),
            shared: values.map(|values| SharedTier::new(values, config.cache_writes_max)),
            stale_ms_max: u64::from(config.cache_stale_s_max) * 1000,
        }
    }

    /// Looks a key up at `now_ms` (epoch milliseconds): memory, then Redis. Concurrent misses of
    /// one key wait for one.
    pub async fn look_up(&self, key: &str, now_ms: u64) -> Found<'_> {
        let mut expired = None;
        if let Some(slot) = self.memory.get(key) {
            match self.judge(key, &slot, now_ms) {
                Some(found) => {
                    metrics::lookup(
                        CacheTier::Memory,
                        matches!(found, Found::Hit(_) | Found::Stale(_)),
                    );
                    return found;
                }
                None => self.memory.remove(key, &slot),
            }
            if let Slot::Answer(entry) = slot {
                expired = Some(entry);
            }
        }
        metrics::lookup(CacheTier::Memory, false);
        // Boxed, so that those who are answered from memory do not carry it.
        Box::pin(self.look_further(key.into(), expired, now_ms)).await
    }

    /// Waits for whoever is at it already, or looks in Redis. `expired` is what memory had.
    async fn look_further(
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
            match &slot {
                Slot::Uncacheable { .. } => return Found::Uncacheable,
                Slot::Failed { .. } => {
                    // Another worker may have tried without the old answer that we have.
                    let stale = expired.filter(|entry| self.may_be_shown_stale(entry, now_ms));
                    return stale.map_or(Found::Failed, Found::Stale);
                }
                Slot::Answer(entry) if entry.is_fresh(now_ms) => return Found::Hit(entry.clone()),
                Slot::Answer(entry) if entry.may_be_shown_while_revalidating(now_ms) => {
                    return Found::Stale(entry.clone());
                }
                // Whoever was at it hung up, and left what may be shown only where no better is to
                // be had.
                Slot::Answer(entry) => expired = Some(entry.clone()),
            }
            self.memory.remove(&key, &slot);
        };
        if let Some(entry) = self.fetch(&key).await {
            if entry.is_fresh(now_ms) {
                guard.fill(Slot::Answer(entry.clone()));
                return Found::Hit(entry);
            }
            expired = expired.or(Some(entry));
        }
        let stale = expired.filter(|entry| self.may_be_shown_stale(entry, now_ms));
        Found::Miss(Miss { cache: self, key, guard: Some(guard), stale })
    }

    /// What to do with what was found in memory; `None` where it is too old for anything.
    fn judge(&self, key: &str, slot: &Slot, now_ms: u64) -> Option<Found<'_>> {
        let entry = match slot {
            Slot::Answer(entry) => entry.clone(),
            Slot::Failed { until_ms } => {
                return is_ahead(*until_ms, now_ms, SHARED_MS).then_some(Found::Failed);
            }
            Slot::Uncacheable { until_ms } => {
                return is_ahead(*until_ms, now_ms, SHARED_MS).then_some(Found::Uncacheable);
            }
        };
        if entry.is_fresh(now_ms) {
            // A write that is left out is not made up for: it costs a query elsewhere.
            if let Some(shared) = &self.shared
                && entry.claim_sharing()
            {
                shared.set(key, &entry, entry.expired_at_ms() - now_ms + self.stale_ms_max);
            }
            Some(Found::Hit(entry))
        } else if !entry.may_be_shown_while_revalidating(now_ms) {
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

    /// Answers in memory, and what they weigh in bytes.
    pub fn in_memory(&self) -> (u64, u64) {
        self.memory.size()
    }

    fn may_be_shown_stale(&self, entry: &Entry, now_ms: u64) -> bool {
        now_ms < entry.expired_at_ms() + self.stale_ms_max
    }

    async fn fetch(&self, key: &str) -> Option<Arc<Entry>> {
        self.shared.as_ref()?.get(key).await.map(Arc::new)
    }
}

impl Miss<'_> {
    /// Keeps a new answer and wakes all who wait for it.
    pub fn fill(mut self, answer: Answer, lifetime: Lifetime, now_ms: u64) -> Arc<Entry> {
        let entry = Arc::new(Entry::new(answer, lifetime, now_ms));
        self.end(Slot::Answer(entry.clone()));
        entry
    }

    /// The answer is none that is kept. Those who wait get theirs side by side, not one after the
    /// other.
    pub fn uncacheable(mut self, now_ms: u64) {
        self.end(Slot::Uncacheable { until_ms: now_ms + SHARED_MS });
    }

    /// No new answer could be had: the stale one, where there is one that may still be shown, for
    /// everybody for half a second. Where there is none, all who wait are told, instead of trying
    /// one after the other.
    pub fn fall_back(mut self, now_ms: u64) -> Option<Arc<Entry>> {
        let rested = self.stale.take().map(|stale| {
            let until_ms = (now_ms + REST_AFTER_FAILURE_MS)
                .min(stale.expired_at_ms() + self.cache.stale_ms_max);
            Arc::new(stale.retry_after(until_ms))
        });
        let failed = Slot::Failed { until_ms: now_ms + SHARED_MS };
        self.end(rested.clone().map_or(failed, Slot::Answer));
        rested
    }

    fn end(&mut self, slot: Slot) {
        self.stale = None;
        match self.guard.take() {
            Some(guard) => guard.fill(slot),
            None => self.cache.memory.insert(self.key.clone(), slot),
        }
    }
}

impl Drop for Miss<'_> {
    /// The client hung up. Others still need the stale answer: should the next one fail, it is what
    /// there is.
    fn drop(&mut self) {
        if let (Some(guard), Some(stale)) = (self.guard.take(), self.stale.take()) {
            guard.fill(Slot::Answer(stale));
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
        };
        Cache::new(&config, None)
    }

    async fn miss(cache: &Cache, now_ms: u64) -> Miss<'_> {
        match cache.look_up(KEY, now_ms).await {
            Found::Miss(miss) => miss,
            _ => panic!("expected a miss at {now_ms}"),
        }
    }

    async fn outcome(cache: &Cache, now_ms: u64) -> &'static str {
        match cache.look_up(KEY, now_ms).await {
            Found::Hit(_) => "hit",
            Found::Stale(_) => "stale",
            Found::Failed => "failed",
            Found::Uncacheable => "unkept",
            Found::Miss(_) => "miss",
        }
    }

    #[tokio::test]
    async fn an_answer_is_fresh_until_its_time_and_then_refreshed_by_one_while_others_see_it_stale()
    {
        let cache = cache();
        miss(&cache, 0).await.fill(Answer::json(""), LIFETIME, 0);
        assert_eq!(outcome(&cache, 59_999).await, "hit");
        let refreshing = miss(&cache, 60_000).await;
        assert_eq!(outcome(&cache, 60_001).await, "stale");
        refreshing.fill(Answer::json(""), LIFETIME, 60_002);
        assert_eq!(outcome(&cache, 60_003).await, "hit");
    }

    #[tokio::test]
    async fn an_answer_that_nobody_asked_for_in_a_long_time_is_not_shown_stale() {
        let cache = cache();
        miss(&cache, 0).await.fill(Answer::json(""), LIFETIME, 0);
        assert_eq!(outcome(&cache, 66_000).await, "miss");
    }

    #[tokio::test]
    async fn a_failed_refresh_shows_the_stale_answer_to_everybody_for_half_a_second_and_up_to_the_bound()
     {
        let cache = cache();
        miss(&cache, 0).await.fill(Answer::json(""), LIFETIME, 0);
        let bound_ms = 60_000 + 3_600_000;
        for (failed_ms, shown_ms) in [(100_000, 100_499), (bound_ms - 300, bound_ms - 1)] {
            assert!(miss(&cache, failed_ms).await.fall_back(failed_ms).is_some());
            assert_eq!(outcome(&cache, shown_ms).await, "stale");
        }
        assert!(miss(&cache, bound_ms).await.fall_back(bound_ms).is_none());
    }

    #[tokio::test]
    async fn those_who_wait_for_a_failure_are_told_instead_of_trying_one_after_the_other() {
        let cache = cache();
        let leader = miss(&cache, 0).await;
        let waiting = futures_util::future::join_all((0..20).map(|_| outcome(&cache, 0)));
        let fails = async {
            tokio::task::yield_now().await;
            assert!(leader.fall_back(0).is_none());
        };
        let (outcomes, ()) = tokio::join!(waiting, fails);
        assert!(outcomes.iter().all(|outcome| *outcome == "failed"), "{outcomes:?}");
        assert_eq!(outcome(&cache, 200).await, "miss");
    }

    #[tokio::test]
    async fn those_who_wait_for_what_is_not_kept_ask_side_by_side() {
        let cache = cache();
        let leader = miss(&cache, 0).await;
        let waiting = futures_util::future::join_all((0..20).map(|_| outcome(&cache, 0)));
        let passes = async {
            tokio::task::yield_now().await;
            leader.uncacheable(0);
        };
        let (outcomes, ()) = tokio::join!(waiting, passes);
        assert!(outcomes.iter().all(|outcome| *outcome == "unkept"), "{outcomes:?}");
        assert_eq!(outcome(&cache, 200).await, "miss");
    }

    #[tokio::test]
    async fn a_leader_that_hangs_up_leaves_the_stale_answer_to_the_next() {
        let cache = cache();
        miss(&cache, 0).await.fill(Answer::json(""), LIFETIME, 0);
        drop(miss(&cache, 100_000).await);
        assert!(miss(&cache, 100_000).await.fall_back(100_000).is_some());
    }

    #[tokio::test]
    async fn a_leader_that_hangs_up_shows_nobody_an_answer_beyond_its_time() {
        let cache = cache();
        miss(&cache, 0).await.fill(Answer::json(""), LIFETIME, 0);
        let leader = miss(&cache, 100_000).await;
        let next = async { miss(&cache, 100_000).await.fall_back(100_000).is_some() };
        let hangs_up = async {
            tokio::task::yield_now().await;
            drop(leader);
        };
        let (falls_back, ()) = tokio::join!(next, hangs_up);
        assert!(falls_back, "and it is still there, should the next one fail");
    }

    #[tokio::test]
    async fn a_leader_that_hangs_up_hands_its_duty_to_the_next() {
        let cache = cache();
        drop(miss(&cache, 0).await);
        assert_eq!(outcome(&cache, 0).await, "miss");
    }
}
