//! What goes on beside the requests: counting instances, sweeping, storing what was used. Hearing of changes has a file of
//! its own.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, Utc};
use tokio::time::interval;

use super::state::State;

/// Between two looks at how many instances there are, and two sweeps.
const HOUSEKEEPING_MS: u64 = 10_000;

/// Stores what was used, every so often and when a day (UTC) ends.
pub async fn store_usage(state: &'static State, flush_ms: u64) {
    let mut failing = false;
    loop {
        let began = Utc::now();
        let flushed = state.usage.flush(&state.store, began).await;
        // Once an outage: it may last.
        if let (Err(fault), false) = (&flushed, failing) {
            tracing::warn!(cause = %fault, "usage can't be stored; it is kept and tried again");
        }
        failing = flushed.is_err();
        // Where the day has ended meanwhile, what was counted since is of that day.
        if Utc::now().date_naive() == began.date_naive() {
            tokio::time::sleep(pause(Utc::now(), flush_ms)).await;
        }
    }
}

/// Until the next batch: `flush_ms`, or less where the day ends before.
fn pause(now: DateTime<Utc>, flush_ms: u64) -> Duration {
    let tomorrow = (now.date_naive() + Days::new(1)).and_time(NaiveTime::MIN).and_utc();
    let left = (tomorrow - now).to_std().unwrap_or_default();
    Duration::from_millis(flush_ms).min(left)
}

/// Sweeps idle windows and learns how many instances share the limits.
pub async fn keep_house(state: &'static State) {
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
