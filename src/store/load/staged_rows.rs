//! The way of rows into a staging table, in the binary format of `COPY`: Postgres parses no text,
//! and numbers arrive to the last bit.

use std::pin::Pin;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::SinkExt;
use tokio_postgres::CopyInSink;
use tokio_postgres::types::{IsNull, ToSql, Type};

use super::{Table, with_timeout};
use crate::store::StoreError;

/// What comes before the first row: a signature, no flags and no extension. See "Binary Format" in
/// <https://www.postgresql.org/docs/current/sql-copy.html>.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What comes after the last row.
const COPY_TRAILER: &[u8] = &(-1i16).to_be_bytes();
/// The size from which rows are sent.
const CHUNK_BYTES: usize = 256 * 1024;
/// The room for the row that fills a chunk.
const ROW_BYTES: usize = 1024;
/// The length that stands for `NULL`.
const NULL: i32 = -1;

const VALUE_FITS: &str = "a staged value is of the type of its column";

/// Rows that were not sent yet.
pub struct StagedRows {
    table: Table,
    bytes: BytesMut,
}

impl StagedRows {
    pub fn new(table: Table) -> Self {
        Self { table, bytes: BytesMut::with_capacity(CHUNK_BYTES + ROW_BYTES) }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If the values are not those of the columns of the staging table.
    pub fn push(&mut self, values: &[&dyn ToSql]) {
        let types = self.table.column_types();
        assert_eq!(values.len(), types.len(), "a staged row has a value for each column");
        self.bytes.put_u16(types.len().try_into().expect("a table has few columns"));
        for (value, column_type) in values.iter().zip(types) {
            self.put(*value, column_type);
        }
    }

    /// Writes a value after its length.
    fn put(&mut self, value: &dyn ToSql, column_type: &Type) {
        let at = self.bytes.len();
        self.bytes.put_i32(NULL);
        match value.to_sql_checked(column_type, &mut self.bytes).expect(VALUE_FITS) {
            IsNull::Yes => {}
            IsNull::No => {
                let start = at + size_of::<i32>();
                let length = i32::try_from(self.bytes.len() - start).expect(VALUE_FITS);
                self.bytes[at..start].copy_from_slice(&length.to_be_bytes());
            }
        }
    }

    /// Whether the rows are worth sending.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= CHUNK_BYTES
    }

    /// Takes the rows out, and leaves none.
    pub fn take(&mut self) -> Bytes {
        let empty = Self::new(self.table);
        std::mem::replace(self, empty).bytes.freeze()
    }

    /// The values of each row as Postgres reads them, `None` for `NULL`, for tests.
    pub fn rows(&self) -> Vec<Vec<Option<&[u8]>>> {
        let mut rest = &self.bytes[..];
        let mut rows = Vec::new();
        while let Some((count, after)) = rest.split_first_chunk() {
            rest = after;
            let values = (0..u16::from_be_bytes(*count)).map(|_| {
                let (length, after) = rest.split_first_chunk().expect("a value has a length");
                let length = usize::try_from(i32::from_be_bytes(*length)).ok();
                let (value, after) = after.split_at(length.unwrap_or(0));
                rest = after;
                length.map(|_| value)
            });
            rows.push(values.collect());
        }
        rows
    }
}

/// Sends rows to the staging table.
pub struct StagingWriter {
    sink: Pin<Box<CopyInSink<Bytes>>>,
    timeout: Duration,
}

impl StagingWriter {
    pub(super) async fn open(
        sink: CopyInSink<Bytes>,
        timeout: Duration,
    ) -> Result<Self, StoreError> {
        let mut writer = Self { sink: Box::pin(sink), timeout };
        writer.send(Bytes::from_static(COPY_HEADER)).await?;
        Ok(writer)
    }

    /// Sends rows, as soon as Postgres accepts more.
    ///
    /// # Errors
    /// If the connection is lost, or Postgres accepts nothing in time.
    pub async fn send(&mut self, rows: Bytes) -> Result<(), StoreError> {
        with_timeout(self.timeout, self.sink.send(rows)).await
    }

    /// Waits until Postgres has stored all rows. Returns their number.
    ///
    /// # Errors
    /// If Postgres rejects a row, the connection is lost, or there is no answer in time.
    pub async fn close(mut self) -> Result<u64, StoreError> {
        self.send(Bytes::from_static(COPY_TRAILER)).await?;
        with_timeout(self.timeout, self.sink.as_mut().finish()).await
    }
}
