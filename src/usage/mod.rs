//! Who used what: counted in memory, stored in batches, each of them once.

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

/// How exact the time of the last use is.
const LAST_USED_STEP_MS: u64 = 1000;

/// The counts of this process that no batch holds yet. A request costs some additions, and no
/// write.
pub struct Usage {
    keys: DashMap<KeyId, Arc<KeyUsage>>,
    outbox: Mutex<Outbox>,
}

/// What one key used since the last batch.
#[derive(Default)]
pub struct KeyUsage([Counts; Route::ALL.len()]);

#[derive(Default)]
struct Counts {
    requests: AtomicU64,
    refusals: AtomicU64,
    cache_hits: AtomicU64,
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
        if let Some(counts) = self.keys.get(&key) {
            return counts.clone();
        }
        self.keys.entry(key).or_default().clone()
    }

    /// Stores what was counted so far. What can't be stored now is kept, and goes first the next
    /// time.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn flush(&self, store: &Store, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut outbox = self.outbox.lock().await;
        let earlier = outbox.send(store).await;
        // While Postgres is away counts add up where they are, but not across days; when there is
        // no more room, across days.
        if earlier.is_ok() || (outbox.is_of_another_day(now) && !outbox.is_full()) {
            outbox.put(self.drain(), now);
        }
        earlier?;
        outbox.send(store).await?;
        metrics::usage_stored(now.timestamp());
        Ok(())
    }

    /// Takes all counts out, and forgets keys that nobody uses.
    fn drain(&self) -> Vec<UsageRow> {
        let mut rows = Vec::new();
        self.keys.retain(|key, counts| {
            // A request on its way will be counted here. Looked at first: one that ends meanwhile
            // may have counted after.
            let (before, is_held) = (rows.len(), Arc::strong_count(counts) > 1);
            rows.extend(
                Route::ALL.iter().filter_map(|route| counts.0[*route as usize].drain(*key, *route)),
            );
            rows.len() > before || is_held
        });
        rows
    }
}

impl KeyUsage {
    /// A request came in.
    pub fn came(&self, route: Route, now_ms: u64) {
        let counts = &self.0[route as usize];
        // Once a second: what all workers write, each has to fetch from the others.
        if now_ms >= counts.last_used_at_ms.load(Ordering::Relaxed) + LAST_USED_STEP_MS {
            counts.last_used_at_ms.store(now_ms, Ordering::Relaxed);
        }
        counts.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// More of a body goes out, whose length was not known when its answer did.
    pub fn sent(&self, route: Route, bytes: u64) {
        self.0[route as usize].bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Its answer goes out, with a body of `bytes`.
    pub fn answered(&self, route: Route, bytes: u64, is_refusal: bool, is_cache_hit: bool) {
        let counts = &self.0[route as usize];
        self.sent(route, bytes);
        if is_refusal {
            counts.refusals.fetch_add(1, Ordering::Relaxed);
        }
        if is_cache_hit {
            counts.cache_hits.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Counts {
    fn drain(&self, key: KeyId, route: Route) -> Option<UsageRow> {
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
        // An answer that went out after the batch with its request is in the next.
        (row.requests > 0 || row.refusals > 0 || row.cache_hits > 0 || row.bytes > 0).then_some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_taken_out_once_and_an_idle_key_is_forgotten() {
        let usage = Usage::new(Utc::now());
        let key = KeyId::random();
        let held = usage.of(key);
        held.came(Route::Prices, 1_700_000_000_000);
        held.answered(Route::Prices, 700, false, true);
        held.came(Route::Quote, 1_700_000_000_001);
        held.answered(Route::Quote, 90, true, false);
        let rows = usage.drain();
        let counts: Vec<_> = rows
            .iter()
            .map(|row| (row.route, row.requests, row.refusals, row.cache_hits, row.bytes))
            .collect();
        assert_eq!(
            counts,
            [(Route::Prices.pattern(), 1, 0, 1, 700), (Route::Quote.pattern(), 1, 1, 0, 90)]
        );
        assert_eq!(
            (usage.drain().len(), usage.keys.len()),
            (0, 1),
            "a request may still hold its counts"
        );
        held.answered(Route::Prices, 5, false, false);
        drop(held);
        assert_eq!(usage.drain().len(), 1, "an answer counts, however late");
        assert_eq!((usage.drain().len(), usage.keys.len()), (0, 0));
    }

    #[tokio::test]
    async fn however_many_days_postgres_is_away_memory_is_bounded_and_no_count_is_lost() {
        use clap::Parser;
        #[derive(Parser)]
        struct Only {
            #[command(flatten)]
            database: crate::config::DatabaseConfig,
        }
        // Nobody listens on a port that was just given back.
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("postgres://u:p@{nobody}/d");
        let store =
            Store::new(&Only::parse_from(["test", "--database-url", &url]).database).unwrap();
        let (began, key) = (Utc::now(), KeyId::random());
        let usage = Usage::new(began);
        let days = 200;
        for day in 0..days {
            usage.of(key).came(Route::Prices, 1_700_000_000_000);
            assert!(usage.flush(&store, began + chrono::TimeDelta::days(day + 1)).await.is_err());
        }
        let outbox = usage.outbox.lock().await;
        assert!(outbox.is_full());
        let waiting: i64 = outbox.rows().map(|row| row.requests).sum();
        let left: i64 = usage.drain().iter().map(|row| row.requests).sum();
        assert!(waiting < days && waiting + left == days, "{waiting} and {left}");
    }

    #[test]
    fn nothing_is_lost_while_it_is_counted_and_taken_out_at_once() {
        let usage = Usage::new(Utc::now());
        let keys: Vec<_> = (0..4).map(|_| KeyId::random()).collect();
        let mut requests = 0;
        std::thread::scope(|scope| {
            let counting: Vec<_> = (0..4)
                .map(|_| {
                    let (usage, keys) = (&usage, &keys);
                    scope.spawn(move || {
                        (0..20_000).for_each(|at| {
                            usage.of(keys[at % 4]).came(Route::Stock, 1_700_000_000_000)
                        });
                    })
                })
                .collect();
            while counting.iter().any(|thread| !thread.is_finished()) {
                requests += usage.drain().iter().map(|row| row.requests).sum::<i64>();
            }
        });
        requests += usage.drain().iter().map(|row| row.requests).sum::<i64>();
        assert_eq!(requests, 80_000);
    }
}
