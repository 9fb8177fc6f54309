//! Keeps the windows of limits over a restart without Redis, in Postgres. With Redis, the windows
//! outlive the process there.

use std::time::Duration;

use tokio::time::timeout;

use super::state::State;
use crate::store::{KeptWindow, StoreError};

/// How long a start waits for the windows of the previous process. Without them the server starts
/// with empty ones.
const TAKE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the end of the process waits for Postgres.
const KEEP_TIMEOUT: Duration = Duration::from_secs(3);

/// Counts what previous processes admitted, before the first request. Returns the instances whose
/// windows it has counted.
///
/// The rows stay until this process keeps its own, so that a process that is killed, or a lost
/// answer, forgets nothing of them.
pub async fn take_kept_windows(state: &State) -> Vec<i64> {
    if state.redis.is_some() {
        return Vec::new();
    }
    let kept = timeout(TAKE_TIMEOUT, state.store.kept_windows()).await;
    let windows = kept.unwrap_or(Err(StoreError::Timeout(TAKE_TIMEOUT.as_millis())));
    let windows = windows.unwrap_or_else(|error| {
        log_loss(&error, "the previous process");
        Vec::new()
    });
    let mut instances = Vec::new();
    for KeptWindow { instance, key, requests } in windows {
        state.limiter.add_local_report(key, &requests);
        instances.push(instance);
    }
    instances.sort_unstable();
    instances.dedup();
    instances
}

/// Keeps what this process admitted, after its last request. It has counted the windows of the
/// `earlier` instances.
pub async fn keep_windows(state: &State, earlier: &[i64]) {
    if state.redis.is_some() {
        return;
    }
    let instance = rand::random();
    let windows: Vec<_> = state
        .limiter
        .local_reports()
        .into_iter()
        .map(|(key, requests)| KeptWindow { instance, key, requests })
        .collect();
    if windows.is_empty() && earlier.is_empty() {
        return;
    }
    let kept = timeout(KEEP_TIMEOUT, state.store.keep_windows(&windows, earlier)).await;
    let kept = kept.unwrap_or(Err(StoreError::Timeout(KEEP_TIMEOUT.as_millis())));
    if let Err(error) = kept {
        log_loss(&error, "this process");
    }
}

fn log_loss(cause: &StoreError, process: &str) {
    tracing::warn!(%cause, "limits forget what {process} admitted");
}
