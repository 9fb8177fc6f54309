//! Counts the usage of each key: requests, refusals, cache hits and bytes, by route.
//!
//! Requests add to counters in memory. [`Usage::flush`] moves the counts into batches and stores
//! the batches in Postgres. Each batch counts exactly once, even if it is sent again ([`outbox`]).

mod outbox;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use dashmap::DashMap;
use tokio::sync::Mutex;

use crate::caller::KeyId;
use crate::metrics;
use crate::route::Route;
use crate::store::{Store, StoreError, UsageRow};
use outbox::Outbox;

/// The resolution of the time of the last use.
const LAST_USED_STEP_MS: u64 = 1000;

/// The usage that Postgres does not hold yet.
pub struct Usage {
    /// Counts since the last batch.
    keys: DashMap<KeyId, Arc<KeyUsage>>,
    outbox: Mutex<Outbox>,
}

/// The counts of one key since the last batch, by route.
#[derive(Default)]
pub struct KeyUsage([RouteUsage; Route::ALL.len()]);

#[derive(Default)]
struct RouteUsage {
    requests: AtomicU64,
    /// Requests beyond the rate limit.
    refusals: AtomicU64,
    cache_hits: AtomicU64,
    /// Bytes of bodies.
    bytes: AtomicU64,
    /// Epoch milliseconds.
    last_used_at_ms: AtomicU64,
}

impl Usage {
    pub fn new(now: DateTime<Utc>) -> Self {
        Self { keys: DashMap::new(), outbox: Mutex::new(Outbox::new(now)) }
    }

    /// The counts of a key.
    pub fn of(&self, key: KeyId) -> Arc<KeyUsage> {
        if let Some(usage) = self.keys.get(&key) {
            return usage.clone();
        }
        self.keys.entry(key).or_default().clone()
    }

    /// Stores all counts. Batches that can't be stored stay in memory and are sent first next time.
    ///
    /// # Errors
    /// If Postgres is unavailable.
    pub async fn flush(&self, store: &Store, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut outbox = self.outbox.lock().await;
        let sent = outbox.send(store).await;
        // While Postgres is unavailable, counts accumulate in the counters, and each day gets its
        // own batch. If the outbox is full, days are merged.
        if sent.is_ok() || (outbox.day_has_ended(now) && !outbox.is_full()) {
            outbox.add(self.take_counts(), now);
        }
        sent?;
        outbox.send(store).await?;
        metrics::usage_stored(now.timestamp());
        Ok(())
    }

    /// Sets all counts to zero and returns them. Removes keys that are not in use.
    fn take_counts(&self) -> Vec<UsageRow> {
        let mut rows = Vec::new();
        self.keys.retain(|key, usage| {
            // Read before the counts: a request that holds the usage and ends in between may count
            // after they were taken. Its key must stay.
            let is_held = Arc::strong_count(usage) > 1;
            let rows_before = rows.len();
            rows.extend(
                Route::ALL.iter().filter_map(|route| usage.0[*route as usize].take(*key, *route)),
            );
            rows.len() > rows_before || is_held
        });
        rows
    }
}

impl KeyUsage {
    /// Counts a request at its start.
    pub fn count_request(&self, route: Route, now_ms: u64) {
        let usage = &self.0[route as usize];
        // Written once a second only, because each write makes the cores reload the cache line.
        if now_ms >= usage.last_used_at_ms.load(Ordering::Relaxed) + LAST_USED_STEP_MS {
            usage.last_used_at_ms.store(now_ms, Ordering::Relaxed);
        }
        usage.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a response whose body has `bytes` bytes.
    pub fn count_response(&self, route: Route, bytes: u64, is_refusal: bool, is_cache_hit: bool) {
        let usage = &self.0[route as usize];
        self.count_bytes(route, bytes);
        if is_refusal {
            usage.refusals.fetch_add(1, Ordering::Relaxed);
        }
        if is_cache_hit {
            usage.cache_hits.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a part of a body whose length was unknown at the start of the response.
    pub fn count_bytes(&self, route: Route, bytes: u64) {
        self.0[route as usize].bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl RouteUsage {
    /// Sets the counts to zero and returns them. `None` if all of them are zero.
    fn take(&self, key: KeyId, route: Route) -> Option<UsageRow> {
        let take =
            |count: &AtomicU64| i64::try_from(count.swap(0, Ordering::Relaxed)).unwrap_or(i64::MAX);
        let row = UsageRow {
            key,
            route: route.pattern(),
            requests: take(&self.requests),
            refusals: take(&self.refusals),
            cache_hits: take(&self.cache_hits),
            bytes: take(&self.bytes),
            last_used_at: DateTime::from_timestamp_millis(
                self.last_used_at_ms.load(Ordering::Relaxed).try_into().unwrap_or(i64::MAX),
            )?,
        };
        // A response may end in a later batch than its request, so `requests` may be 0.
        (row.requests > 0 || row.refusals > 0 || row.cache_hits > 0 || row.bytes > 0).then_some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_taken_once_and_an_idle_key_is_removed() {
        let usage = Usage::new(Utc::now());
        let key = KeyId::random();
        let key_usage = usage.of(key);
        key_usage.count_request(Route::Prices, 1_700_000_000_000);
        key_usage.count_response(Route::Prices, 700, false, true);
        key_usage.count_request(Route::Quote, 1_700_000_000_001);
        key_usage.count_response(Route::Quote, 90, true, false);
        let rows = usage.take_counts();
        let counts: Vec<_> = rows
            .iter()
            .map(|row| (row.route, row.requests, row.refusals, row.cache_hits, row.bytes))
            .collect();
        assert_eq!(
            counts,
            [(Route::Prices.pattern(), 1, 0, 1, 700), (Route::Quote.pattern(), 1, 1, 0, 90)]
        );
        assert_eq!(usage.take_counts().len(), 0);
        assert_eq!(usage.keys.len(), 1, "a request still holds the counts of the key");
        key_usage.count_response(Route::Prices, 5, false, false);
        drop(key_usage);
        assert_eq!(usage.take_counts().len(), 1, "a late response counts");
        assert_eq!(usage.take_counts().len(), 0);
        assert_eq!(usage.keys.len(), 0);
    }

    #[tokio::test]
    async fn during_a_long_outage_of_postgres_memory_is_bounded_and_no_count_is_lost() {
        use clap::Parser;
        #[derive(Parser)]
        struct Arguments {
            #[command(flatten)]
            database: crate::config::DatabaseConfig,
        }
        // No server listens on a port that was just released.
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("postgres://u:p@{closed}/d");
        let arguments = Arguments::parse_from(["test", "--database-url", &url]);
        let store = Store::new(&arguments.database).unwrap();
        let start = Utc::now();
        let key = KeyId::random();
        let usage = Usage::new(start);
        let days = 200;
        for day in 0..days {
            usage.of(key).count_request(Route::Prices, 1_700_000_000_000);
            assert!(usage.flush(&store, start + chrono::TimeDelta::days(day + 1)).await.is_err());
        }
        let outbox = usage.outbox.lock().await;
        assert!(outbox.is_full());
        let in_outbox: i64 = outbox.rows().map(|row| row.requests).sum();
        let in_counters: i64 = usage.take_counts().iter().map(|row| row.requests).sum();
        assert!(
            in_outbox < days && in_outbox + in_counters == days,
            "{in_outbox} in the outbox, {in_counters} in the counters"
        );
    }

    #[test]
    fn no_count_is_lost_when_requests_count_while_counts_are_taken() {
        let usage = Usage::new(Utc::now());
        let keys: Vec<_> = (0..4).map(|_| KeyId::random()).collect();
        let mut requests = 0;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let (usage, keys) = (&usage, &keys);
                    scope.spawn(move || {
                        (0..20_000).for_each(|n| {
                            usage.of(keys[n % 4]).count_request(Route::Stock, 1_700_000_000_000)
                        });
                    })
                })
                .collect();
            while threads.iter().any(|thread| !thread.is_finished()) {
                requests += usage.take_counts().iter().map(|row| row.requests).sum::<i64>();
            }
        });
        requests += usage.take_counts().iter().map(|row| row.requests).sum::<i64>();
        assert_eq!(requests, 80_000);
    }
}
