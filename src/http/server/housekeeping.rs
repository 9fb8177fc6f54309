//! What goes on beside the requests: counting instances, sweeping, storing what was used. Hearing
//! of changes has a file of its own.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, Utc};
use tokio::time::interval;

use super::state::State;
use crate::store::StoreError;

/// Between two looks at how many instances there are, and two sweeps.
const HOUSEKEEPING_MS: u64 = 10_000;

/// For what keys used since the last batch to be stored when the process ends. The time-outs of a
/// store that hangs add up to more than service managers wait.
const LAST_BATCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two tries at it.
const LAST_BATCH_PAUSE: Duration = Duration::from_millis(100);

/// Stores what was used, every so often and when a day (UTC) ends.
pub async fn store_usage(state: &'static State, flush_ms: u64) {
    let mut failing = false;
    loop {
        let began = Utc::now();
        let flushed = state.usage.flush(&state.store, began).await;
        // Once an outage: it may last.
        if let (Err(error), false) = (&flushed, failing) {
            tracing::warn!(cause = %error, "usage can't be stored; it is kept and tried again");
        }
        failing = flushed.is_err();
        // Where the day has ended meanwhile, what was counted since is of that day.
        if Utc::now().date_naive() == began.date_naive() {
            tokio::time::sleep(pause(Utc::now(), flush_ms)).await;
        }
    }
}

/// Stores what was counted since the last batch, as the process ends. What fails is tried again for
/// as long as there is time: a connection may have died in an outage that is over, and a batch
/// counts once however often it is sent.
pub async fn store_last_usage(state: &State) {
    let mut error = StoreError::Timeout(LAST_BATCH_TIMEOUT.as_millis());
    let stored = async {
        while let Err(again) = state.usage.flush(&state.store, Utc::now()).await {
            error = again;
            tokio::time::sleep(LAST_BATCH_PAUSE).await;
        }
    };
    if tokio::time::timeout(LAST_BATCH_TIMEOUT, stored).await.is_err() {
        tracing::error!(cause = %error, "the usage since the last batch is lost");
    }
}

/// Until the next batch: `flush_ms`, or less where the day ends before.
fn pause(now: DateTime<Utc>, flush_ms: u64) -> Duration {
    let tomorrow = (now.date_naive() + Days::new(1)).and_time(NaiveTime::MIN).and_utc();
    let left = (tomorrow - now).to_std().unwrap_or_default();
    Duration::from_millis(flush_ms).min(left)
}

/// Sweeps idle windows and learns how many instances share the limits.
pub async fn housekeeping(state: &'static State) {
    let mut tick = interval(Duration::from_millis(HOUSEKEEPING_MS));
    loop {
        tick.tick().await;
        state.limiter.sweep();
        if let Some(redis) = &state.redis
            && let Ok(instances) = redis.listeners().await
        {
            state.limiter.set_instances(instances);
        }
    }
}
