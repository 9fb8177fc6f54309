//! Background tasks: storing usage, removing idle windows, closing unused connections, counting
//! instances. `changes.rs` has the task that follows changes.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, Utc};
use tokio::time::{Instant, interval};

use super::state::State;
use crate::caller::WINDOW_S_MAX;
use crate::store::StoreError;

/// Between two sweeps, each with a count of the instances.
const HOUSEKEEPING_MS: u64 = 10_000;

/// An instance that has counted no other one for this long does not share responses. Right after a
/// deployment it still finds those of the previous process.
const ALONE_AFTER: Duration = Duration::from_secs(120);

/// For the last batch of usage when the process ends. Without it, the timeouts of a store that
/// hangs add up to more than service managers wait.
const LAST_BATCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two attempts to store it.
const LAST_BATCH_PAUSE: Duration = Duration::from_millis(100);

/// Stores usage every `flush_ms`, and when a day (UTC) ends.
pub async fn store_usage(state: &'static State, flush_ms: u64) {
    let mut failing = false;
    loop {
        let began = Utc::now();
        let flushed = state.usage.flush(&state.store, began).await;
        // Once per outage, which may last.
        if let (Err(error), false) = (&flushed, failing) {
            tracing::warn!(
                cause = %error,
                "usage can't be stored: it is kept in memory and stored later"
            );
        }
        failing = flushed.is_err();
        // If the day has ended meanwhile, store again at once: new counts belong to the new day.
        if Utc::now().date_naive() == began.date_naive() {
            tokio::time::sleep(pause(Utc::now(), flush_ms)).await;
        }
    }
}

/// Stores the usage since the last batch, when the process ends.
///
/// It tries again until [`LAST_BATCH_TIMEOUT`], because a connection may have died in an outage
/// that is over. A batch counts once, however often it is sent.
pub async fn store_last_usage(state: &State) {
    let mut error = StoreError::Timeout(LAST_BATCH_TIMEOUT.as_millis());
    let stored = async {
        while let Err(failure) = state.usage.flush(&state.store, Utc::now()).await {
            error = failure;
            tokio::time::sleep(LAST_BATCH_PAUSE).await;
        }
    };
    if tokio::time::timeout(LAST_BATCH_TIMEOUT, stored).await.is_err() {
        tracing::error!(cause = %error, "the usage since the last batch is lost");
    }
}

/// The time until the next batch: `flush_ms`, or less if the day ends before.
fn pause(now: DateTime<Utc>, flush_ms: u64) -> Duration {
    let tomorrow = (now.date_naive() + Days::new(1)).and_time(NaiveTime::MIN).and_utc();
    let left = (tomorrow - now).to_std().unwrap_or_default();
    Duration::from_millis(flush_ms).min(left)
}

/// Removes idle windows, and counts the instances that share the limits. An instance that nobody
/// asks counts only when another one joins.
pub async fn housekeeping(state: &'static State) {
    let mut tick = interval(Duration::from_millis(HOUSEKEEPING_MS));
    let mut shared_at = Instant::now();
    let mut has_rested = false;
    loop {
        tokio::select! {
            _ = tick.tick() => {
                state.limiter.sweep();
                state.store.close_unused_connections();
                if state.activity.is_idle() {
                    has_rested = true;
                    continue;
                }
            }
            () = state.instance_joined.notified() => {}
        }
        state.limiter.mark_generations().await;
        if std::mem::take(&mut has_rested) {
            // Those that were counted before the rest may have gone on until now.
            state.limiter.set_instances(state.limiter.fallback_divisor(WINDOW_S_MAX));
        }
        if let Some(redis) = &state.redis
            && let Ok(instances) = redis.listeners().await
        {
            state.limiter.set_instances(instances);
            if instances > 1 {
                shared_at = Instant::now();
            }
            state.cache.set_alone(shared_at.elapsed() >= ALONE_AFTER);
        }
    }
}
