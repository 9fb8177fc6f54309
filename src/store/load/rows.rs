//! Rows on their way into the staging table.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio_postgres::CopyInSink;

use super::within;
use crate::store::StoreError;

/// Where rows go: CSV, the line of the file first, then the columns of the staging table.
pub struct Rows {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    timeout: Duration,
}

impl Rows {
    pub(super) fn new(sink: CopyInSink<Bytes>, timeout: Duration) -> Self {
        Self { sink: Box::pin(sink), timeout }
    }

    /// Sends some, once there is room for them.
    ///
    /// # Errors
    /// When the connection is lost or Postgres takes nothing.
    pub async fn send(&mut self, rows: Bytes) -> Result<(), StoreError> {
        within(self.timeout, self.sink.send(rows)).await
    }

    /// Waits until Postgres has all of them.
    ///
    /// # Errors
    /// When it could not take one of them.
    pub async fn close(mut self) -> Result<(), StoreError> {
        within(self.timeout, self.sink.close()).await
    }
}
