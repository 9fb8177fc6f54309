//! Rows of a file that repeat the key of an earlier row.

use tokio_postgres::Row;

use super::{DuplicateRow, Loader, with_timeout};
use crate::store::StoreError;

/// The most duplicates that are reported.
const DUPLICATES_NAMED_MAX: i64 = 10;

impl Loader {
    /// The first rows that repeat the key of an earlier one with other values.
    pub(super) async fn duplicates(&self) -> Result<Vec<DuplicateRow>, StoreError> {
        let sql = format!(
            "SELECT line, first
             FROM (SELECT line, min(line) OVER (PARTITION BY {}) AS first FROM staging) rows
             WHERE line > first ORDER BY line LIMIT {DUPLICATES_NAMED_MAX}",
            self.table.key()
        );
        self.client.query(&sql, &[]).await?.iter().map(duplicate).collect()
    }

    /// Deletes staged rows that are the same as an earlier one, which is harmless.
    pub(super) async fn delete_identical(&self) -> Result<(), StoreError> {
        // Rows are compared as a whole, without the line, only where their keys are equal.
        let sql = format!(
            "WITH keys AS (
                 SELECT ctid AS row, first_value(ctid) OVER (PARTITION BY {} ORDER BY line) AS first
                 FROM staging)
             DELETE FROM staging d USING keys k JOIN staging f ON f.ctid = k.first
             WHERE d.ctid = k.row AND k.row <> k.first
               AND to_jsonb(d) - 'line' = to_jsonb(f) - 'line'",
            self.table.key()
        );
        Ok(self.client.batch_execute(&sql).await?)
    }

    /// Deletes all staged rows whose key occurs with different values: none of them can be
    /// trusted. Returns them, the first row of each key included.
    ///
    /// # Errors
    /// If Postgres fails.
    pub async fn leave_out_duplicates(&self) -> Result<Vec<DuplicateRow>, StoreError> {
        with_timeout(self.timeout, self.delete_duplicates()).await
    }

    async fn delete_duplicates(&self) -> Result<Vec<DuplicateRow>, StoreError> {
        self.delete_identical().await?;
        let sql = format!(
            "WITH keys AS (
                 SELECT ctid AS row, min(line) OVER same AS first, count(*) OVER same AS rows
                 FROM staging WINDOW same AS (PARTITION BY {}))
             DELETE FROM staging d USING keys k WHERE d.ctid = k.row AND k.rows > 1
             RETURNING d.line, k.first",
            self.table.key()
        );
        let mut rows: Vec<DuplicateRow> =
            self.client.query(&sql, &[]).await?.iter().map(duplicate).collect::<Result<_, _>>()?;
        rows.sort_unstable_by_key(|row| row.line);
        Ok(rows)
    }
}

fn duplicate(row: &Row) -> Result<DuplicateRow, StoreError> {
    let line = |column| row.try_get(column).map(i64::unsigned_abs);
    Ok(DuplicateRow { line: line("line")?, first_line: line("first")? })
}
