//! The newest day with prices of each exchange, for the metrics.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::cache::Versions;
use crate::store::{Store, StoreError};

/// The minimum time between two queries, which read the newest day of every stock.
const QUERY_INTERVAL: Duration = Duration::from_secs(60);

/// The last result. It is queried again only after a commit, which alone can change it.
#[derive(Default)]
pub struct NewestDays(Mutex<Option<QueriedDays>>);

struct QueriedDays {
    at: Instant,
    /// `None` if the query failed.
    revision: Option<i64>,
    /// (exchange, end of the session of its newest day in epoch seconds).
    session_ends: Vec<(String, i64)>,
}

impl NewestDays {
    /// The exchanges with prices, each with the time at which the regular session of its newest day
    /// ended, in epoch seconds. If Postgres is unavailable, it returns the previous result.
    pub async fn get(&self, store: &Store, versions: &Versions) -> Vec<(String, i64)> {
        let mut last = self.0.lock().await;
        let revision = versions.revision();
        let is_valid = |queried: &QueriedDays| {
            queried.revision == revision || queried.at.elapsed() < QUERY_INTERVAL
        };
        if !last.as_ref().is_some_and(is_valid) {
            let result = query(store, versions.to_read()).await;
            // The interval applies after failures too: metrics don't wait for Postgres each time.
            let (revision, session_ends) = match (result, last.take()) {
                (Ok(session_ends), _) => (revision, session_ends),
                (Err(_), Some(previous)) => (None, previous.session_ends),
                (Err(_), None) => (None, Vec::new()),
            };
            *last = Some(QueriedDays { at: Instant::now(), revision, session_ends });
        }
        last.as_ref().map(|queried| queried.session_ends.clone()).unwrap_or_default()
    }
}

async fn query(store: &Store, version: i64) -> Result<Vec<(String, i64)>, StoreError> {
    let exchanges = store.exchanges().await?;
    let newest_days = store.newest_days(version).await?;
    // Exchanges with an invalid time zone are left out.
    let session_ends = newest_days.into_iter().filter_map(|newest| {
        let end = exchanges.get(&newest.exchange)?.session_end(newest.date?)?;
        Some((newest.exchange, end.timestamp()))
    });
    Ok(session_ends.collect())
}
