//! Usage batches that are not known to be stored in Postgres.
//!
//! Each batch has a sequence number, and Postgres records the newest number of each process. A
//! batch without an answer is sent again, and Postgres ignores it if it was stored before.

use std::collections::VecDeque;

use chrono::{DateTime, NaiveDate, Utc};

use crate::store::{Store, StoreError, UsageBatch, UsageRow};

/// Rows per batch. Storing them takes much less time than the timeout of a statement.
const ROWS_MAX: usize = 5000;
/// Batches in memory, up to half a megabyte each. Beyond it, no batch is added for another day. A
/// month without Postgres fits for some thousand keys.
const BATCHES_MAX: usize = 64;

pub struct Outbox {
    /// Identifies this process.
    instance: i64,
    /// The number of the newest batch.
    sequence: i64,
    /// The day (UTC) of the counts that are not in a batch yet.
    day: NaiveDate,
    batches: VecDeque<UsageBatch>,
}

impl Outbox {
    pub fn new(now: DateTime<Utc>) -> Self {
        Self {
            instance: rand::random(),
            sequence: 0,
            day: now.date_naive(),
            batches: VecDeque::new(),
        }
    }

    /// Whether the counts that are not in a batch yet belong to an earlier day than `now`.
    pub fn day_has_ended(&self, now: DateTime<Utc>) -> bool {
        now.date_naive() != self.day
    }

    /// Whether no more batches may be added until Postgres is available.
    pub fn is_full(&self) -> bool {
        self.batches.len() >= BATCHES_MAX
    }

    #[cfg(test)]
    pub fn rows(&self) -> impl Iterator<Item = &UsageRow> {
        self.batches.iter().flat_map(|batch| &batch.rows)
    }

    /// Adds counts of the current day. Later counts belong to the day of `now`.
    pub fn add(&mut self, rows: Vec<UsageRow>, now: DateTime<Utc>) {
        for rows in rows.chunks(ROWS_MAX) {
            self.sequence += 1;
            let Self { instance, sequence, day, .. } = *self;
            self.batches.push_back(UsageBatch { instance, sequence, day, rows: rows.to_vec() });
        }
        self.day = now.date_naive();
    }

    /// Stores the batches, oldest first.
    ///
    /// # Errors
    /// If Postgres is unavailable. Batches that were not stored stay in the outbox.
    pub async fn send(&mut self, store: &Store) -> Result<(), StoreError> {
        while let Some(batch) = self.batches.front() {
            store.add_usage(batch).await?;
            self.batches.pop_front();
        }
        Ok(())
    }
}
