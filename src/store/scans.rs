//! The share of scans in the connections: of statements that may read every stock.
//!
//! A scan takes a hundred times as long as a look-up. Without a share of their own, the scans of
//! one client would take all connections, and the processors of Postgres, from the look-ups of
//! others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::StoreError;

/// Scans that wait for their turn. With the default settings they take some seconds.
const SCANS_WAITING_MAX: usize = 100;

pub(super) struct ScanShare {
    running: Arc<Semaphore>,
    waiting: Semaphore,
    wait: Duration,
}

/// The right to run one scan. A statement holds a clone until Postgres has answered, even if its
/// request is cancelled.
pub(super) type ScanPermit = Arc<OwnedSemaphorePermit>;

impl ScanShare {
    pub(super) fn new(scans_max: usize, wait: Duration) -> Self {
        let running = Arc::new(Semaphore::new(scans_max));
        Self { running, waiting: Semaphore::new(SCANS_WAITING_MAX), wait }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`StoreError::ScansBusy`] if too many scans wait, or it takes too long.
    pub(super) async fn permit(&self) -> Result<ScanPermit, StoreError> {
        if let Ok(permit) = self.running.clone().try_acquire_owned() {
            return Ok(Arc::new(permit));
        }
        let _place = self.waiting.try_acquire().map_err(|_| StoreError::ScansBusy)?;
        match tokio::time::timeout(self.wait, self.running.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Arc::new(permit)),
            _ => Err(StoreError::ScansBusy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn scans_wait_for_a_turn_for_a_bounded_time_and_in_a_bounded_queue() {
        let share = Arc::new(ScanShare::new(1, Duration::from_secs(3)));
        let held = share.permit().await.unwrap();
        let wait = || {
            let share = share.clone();
            tokio::spawn(async move { share.permit().await.map(drop) })
        };
        let waiting: Vec<_> = (0..SCANS_WAITING_MAX).map(|_| wait()).collect();
        tokio::task::yield_now().await;
        assert!(matches!(share.permit().await, Err(StoreError::ScansBusy)), "the queue is full");
        // A cancelled request leaves a clone with its statement.
        let statement = held.clone();
        drop(held);
        for one in waiting {
            assert!(matches!(one.await.unwrap(), Err(StoreError::ScansBusy)));
        }
        drop(statement);
        assert!(share.permit().await.is_ok());
    }
}
