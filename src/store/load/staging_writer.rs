//! Sends rows to the staging table.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio_postgres::CopyInSink;

use super::with_timeout;
use crate::store::StoreError;

/// Sends rows as CSV, in the columns of the staging table.
pub struct StagingWriter {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    timeout: Duration,
}

impl StagingWriter {
    pub(super) fn new(sink: CopyInSink<Bytes>, timeout: Duration) -> Self {
        Self { sink: Box::pin(sink), timeout }
    }

    /// Sends rows, as soon as Postgres accepts more.
    ///
    /// # Errors
    /// If the connection is lost, or Postgres accepts nothing in time.
    pub async fn send(&mut self, rows: Bytes) -> Result<(), StoreError> {
        with_timeout(self.timeout, self.sink.send(rows)).await
    }

    /// Waits until Postgres has stored all rows.
    ///
    /// # Errors
    /// If Postgres rejects a row, the connection is lost, or there is no answer in time.
    pub async fn close(mut self) -> Result<(), StoreError> {
        with_timeout(self.timeout, self.sink.close()).await
    }
}
