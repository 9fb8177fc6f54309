//! Remembers for a moment that a lookup of a key in Postgres failed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Requests that waited behind a failed lookup share its failure for this long. Otherwise each of
/// them would wait for its own timeout, one after the other.
const SHARED_FOR: Duration = Duration::from_millis(200);

#[derive(Default)]
pub struct RecentFailures(Mutex<Option<Instant>>);

impl RecentFailures {
    pub fn record(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a lookup failed within the last [`SHARED_FOR`].
    pub fn is_recent(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some_and(|failed_at| failed_at.elapsed() < SHARED_FOR)
    }
}
