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

/// Counts what the previous process admitted, before the first request.
pub async fn take_kept_windows(state: &State) {
    if state.redis.is_some() {
        return;
    }
    match timeout(TAKE_TIMEOUT, state.store.take_kept_windows()).await {
        Ok(Ok(windows)) => {
            for KeptWindow { key, requests } in windows {
                state.limiter.add_local_report(key, &requests);
            }
        }
        Ok(Err(error)) => log_loss(&error, "the previous process"),
        Err(_) => log_loss(&StoreError::Timeout(TAKE_TIMEOUT.as_millis()), "the previous process"),
    }
}

/// Keeps what this process admitted, after its last request.
pub async fn keep_windows(state: &State) {
    if state.redis.is_some() {
        return;
    }
    let windows: Vec<_> = state
        .limiter
        .local_reports()
        .into_iter()
        .map(|(key, requests)| KeptWindow { key, requests })
        .collect();
    if windows.is_empty() {
        return;
    }
    let instance = rand::random();
    match timeout(KEEP_TIMEOUT, state.store.keep_windows(instance, &windows)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log_loss(&error, "this process"),
        Err(_) => log_loss(&StoreError::Timeout(KEEP_TIMEOUT.as_millis()), "this process"),
    }
}

fn log_loss(cause: &StoreError, process: &str) {
    tracing::warn!(%cause, "limits forget what {process} admitted");
}
