//! Batches on their way to Postgres.

use std::collections::VecDeque;

use chrono::{DateTime, NaiveDate, Utc};

use crate::store::{Store, StoreError, UsageBatch, UsageRow};

/// Rows in a batch: it is stored within the time-out of a statement by a wide margin.
const ROWS_MAX: usize = 5000;
/// Batches that wait, half a megabyte each where they are full, before no more are made of another
/// day: a month of days without Postgres for some thousand keys.
const BATCHES_MAX: usize = 64;

/// What was taken out of the counts and is not known to be stored. Each batch has a number, and
/// Postgres remembers the newest of this process: a batch whose answer got lost is sent again and
/// counted once.
pub struct Outbox {
    instance: i64,
    sequence: i64,
    /// The day (UTC) in which what is counted now began.
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

    /// Whether what is counted now began on another day.
    pub fn is_of_another_day(&self, now: DateTime<Utc>) -> bool {
        now.date_naive() != self.day
    }

    /// Whether no more days can be told apart until Postgres is back.
    pub fn is_full(&self) -> bool {
        self.batches.len() >= BATCHES_MAX
    }

    #[cfg(test)]
    pub fn rows(&self) -> impl Iterator<Item = &UsageRow> {
        self.batches.iter().flat_map(|batch| &batch.rows)
    }

    pub fn put(&mut self, rows: Vec<UsageRow>, now: DateTime<Utc>) {
        for rows in rows.chunks(ROWS_MAX) {
            self.sequence += 1;
            let Self { instance, sequence, day, .. } = *self;
            self.batches.push_back(UsageBatch { instance, sequence, day, rows: rows.to_vec() });
        }
        self.day = now.date_naive();
    }

    /// # Errors
    /// When Postgres can't be asked; what was not stored is kept.
    pub async fn send(&mut self, store: &Store) -> Result<(), StoreError> {
        while let Some(batch) = self.batches.front() {
            store.add_usage(batch).await?;
            self.batches.pop_front();
        }
        Ok(())
    }
}
