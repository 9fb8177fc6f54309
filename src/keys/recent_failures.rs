//! Whether Postgres was asked for a key in vain a moment ago.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a failure to look up a key is everybody's who waited behind it: each would wait for a
/// time-out of its own.
const SHARED: Duration = Duration::from_millis(200);

#[derive(Default)]
pub struct RecentFailures(Mutex<Option<Instant>>);

impl RecentFailures {
    pub fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    pub fn is_recent(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some_and(|at| at.elapsed() < SHARED)
    }
}
