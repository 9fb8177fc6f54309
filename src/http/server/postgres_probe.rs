//! Whether Postgres answers, for readiness checks.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::store::Store;

/// A load balancer checks every few seconds and gives up early.
const READY_TIMEOUT_MS: u64 = 1000;
/// How long one result is shared between requests. Any client may check, and as often as it likes.
const READY_SHARED_MS: u64 = 200;

/// The time and the result of the last check. The lock is held during a check.
#[derive(Default)]
pub struct PostgresProbe(Mutex<Option<(Instant, bool)>>);

impl PostgresProbe {
    /// Whether Postgres answers now, or answered a moment ago.
    ///
    /// One check runs at a time, in a task that goes on if its client disconnects. An abandoned
    /// check would hold its connection for longer.
    pub async fn is_up(&'static self, store: &'static Store) -> bool {
        let timeout = Duration::from_millis(READY_TIMEOUT_MS);
        let result = async {
            let mut last = self.0.lock().await;
            match *last {
                Some((at, is_up)) if at.elapsed() < Duration::from_millis(READY_SHARED_MS) => is_up,
                _ => {
                    let check = tokio::spawn(async move {
                        let is_up = store.ping(timeout).await.is_ok();
                        *last = Some((Instant::now(), is_up));
                        is_up
                    });
                    check.await.unwrap_or(false)
                }
            }
        };
        tokio::time::timeout(timeout, result).await.unwrap_or(false)
    }
}
