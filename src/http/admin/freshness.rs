//! How new the newest prices of each exchange are.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::cache::Versions;
use crate::store::{Store, StoreError};

/// Between two looks: the newest day of each of 20,000 stocks is looked up in a tenth of a second.
const REST: Duration = Duration::from_secs(60);

/// What was found last, and whether it has to be looked up again: only a commit can have changed
/// it.
#[derive(Default)]
pub struct Freshness(Mutex<Option<Look>>);

struct Look {
    at: Instant,
    revision: Option<i64>,
    /// Exchange, and when its newest day ended, epoch seconds.
    newest_days: Vec<(String, i64)>,
}

impl Freshness {
    /// The newest day with prices of each exchange, as the time (epoch seconds) at which its
    /// regular session ended. As it was, where Postgres can't be asked.
    pub async fn newest_days(&self, store: &Store, versions: &Versions) -> Vec<(String, i64)> {
        let (mut last, revision) = (self.0.lock().await, versions.revision());
        let holds = |look: &Look| look.revision == revision || look.at.elapsed() < REST;
        if !last.as_ref().is_some_and(holds) {
            let found = look(store, versions.to_read()).await;
            // After a failure, too, it rests: whoever asks must not wait for Postgres each time.
            let (revision, newest_days) = match (found, last.take()) {
                (Ok(newest_days), _) => (revision, newest_days),
                (Err(_), Some(before)) => (None, before.newest_days),
                (Err(_), None) => (None, Vec::new()),
            };
            *last = Some(Look { at: Instant::now(), revision, newest_days });
        }
        last.as_ref().map(|look| look.newest_days.clone()).unwrap_or_default()
    }
}

async fn look(store: &Store, version: i64) -> Result<Vec<(String, i64)>, StoreError> {
    let (exchanges, newest_days) = (store.exchanges().await?, store.newest_days(version).await?);
    // One whose time zone is none is left out, and the others are not.
    let ends = newest_days.into_iter().filter_map(|newest| {
        let end = exchanges.get(&newest.exchange)?.session_end(newest.date?)?;
        Some((newest.exchange, end.timestamp()))
    });
    Ok(ends.collect())
}
