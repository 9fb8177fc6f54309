//! Rows of a file that repeat the key of an earlier row.

use tokio_postgres::Row;

use super::{DuplicateRow, LeftOut, Loader, with_timeout};
use crate::store::StoreError;

/// The most duplicates that are reported.
const DUPLICATES_NAMED_MAX: i64 = 10;

impl Loader {
    /// The first rows that repeat the key of an earlier one with other values.
    pub(super) async fn duplicates(&self) -> Result<Vec<DuplicateRow>, StoreError> {
        let sql = format!(
            "SELECT line, first, is_dividend
             FROM (SELECT line, {} AS is_dividend, min(line) OVER (PARTITION BY {}) AS first
                   FROM staging) rows
             WHERE line > first ORDER BY line LIMIT {DUPLICATES_NAMED_MAX}",
            self.table.is_dividend(),
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

    /// Deletes all rows whose key occurs with different values: none of them can be trusted.
    /// Returns them, the first row of each key included.
    ///
    /// # Errors
    /// If Postgres fails.
    pub async fn leave_out_duplicates(&self) -> Result<LeftOut<DuplicateRow>, StoreError> {
        with_timeout(self.timeout, self.delete_duplicates()).await
    }

    async fn delete_duplicates(&self) -> Result<LeftOut<DuplicateRow>, StoreError> {
        self.delete_identical().await?;
        let sql = format!(
            "SELECT line, min(first) AS first, bool_or(is_dividend) AS is_dividend
             FROM (SELECT line, {} AS is_dividend, min(line) OVER same AS first,
                          count(*) OVER same AS rows
                   FROM staging WINDOW same AS (PARTITION BY {})) keys
             WHERE rows > 1 GROUP BY line ORDER BY line",
            self.table.is_dividend(),
            self.table.key()
        );
        let rows: Vec<DuplicateRow> =
            self.client.query(&sql, &[]).await?.iter().map(duplicate).collect::<Result<_, _>>()?;
        let staged_rows = self.delete_lines(rows.iter().map(|row| row.line)).await?;
        Ok(LeftOut { rows, staged_rows })
    }

    /// Deletes what was staged of these lines. Returns the number of staged rows: a line of a file
    /// of actions may have two.
    pub(super) async fn delete_lines(
        &self,
        lines: impl Iterator<Item = u64>,
    ) -> Result<u64, StoreError> {
        let lines: Vec<_> = lines.map(u64::cast_signed).collect();
        if lines.is_empty() {
            return Ok(0);
        }
        let sql = "DELETE FROM staging USING unnest($1::bigint[]) bad (line)
                   WHERE staging.line = bad.line";
        Ok(self.client.execute(sql, &[&lines]).await?)
    }
}

fn duplicate(row: &Row) -> Result<DuplicateRow, StoreError> {
    let line = |column| row.try_get(column).map(i64::unsigned_abs);
    let is_dividend = row.try_get("is_dividend")?;
    Ok(DuplicateRow { line: line("line")?, first_line: line("first")?, is_dividend })
}
