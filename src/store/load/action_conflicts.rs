//! Actions that may be stored already under another type: loading them would count them twice.

use tokio_postgres::Row;

use super::{ActionConflict, LeftOut, LoadError, LoadRejection, Loader, Table, with_timeout};
use crate::store::StoreError;

/// The most conflicts that are reported.
const CONFLICTS_NAMED_MAX: i64 = 10;

impl Loader {
    /// Rejects a load with actions that may be stored already under another type.
    pub(super) async fn check_conflicts(&self) -> Result<(), LoadError> {
        match self.action_conflicts(Some(CONFLICTS_NAMED_MAX)).await? {
            conflicts if conflicts.is_empty() => Ok(()),
            conflicts => Err(LoadRejection::Conflicts(conflicts).into()),
        }
    }

    /// Deletes all rows that may be stored already under another type. Returns them. Dividends that
    /// [`Self::commit`] converts are compared as written, so it may reject others.
    ///
    /// # Errors
    /// If Postgres fails.
    pub async fn leave_out_conflicts(&self) -> Result<LeftOut<ActionConflict>, StoreError> {
        with_timeout(self.timeout, self.delete_conflicts()).await
    }

    async fn delete_conflicts(&self) -> Result<LeftOut<ActionConflict>, StoreError> {
        let mut left_out = LeftOut { rows: Vec::new(), staged_rows: 0 };
        loop {
            let mut conflicts = self.action_conflicts(None).await?;
            if conflicts.is_empty() {
                return Ok(left_out);
            }
            conflicts.dedup_by_key(|conflict| conflict.line);
            // A row that is left out may have justified another one.
            left_out.staged_rows += self.delete_lines(conflicts.iter().map(|row| row.line)).await?;
            left_out.rows.extend(conflicts);
        }
    }

    /// The staged actions that may be, or may be a part of, a stored one of the same stock,
    /// day and kind under another type. Not if the file has the stored one too.
    ///
    /// A staged action without a type may be any stored one, or their sum. A stored action may
    /// include a new one unless its type was stated. Null is taken for not stated: the refusal says
    /// what to do, and nobody sees a dividend that counts twice.
    async fn action_conflicts(&self, max: Option<i64>) -> Result<Vec<ActionConflict>, StoreError> {
        if self.table != Table::Actions {
            return Ok(Vec::new());
        }
        let sql = "
            SELECT s.line, st.symbol, s.ex_date, s.kind, s.type AS row_type, a.type AS stored_type,
                   s.has_type AND NOT is_equal AS may_be_included,
                   a.dividend, a.split_from, a.split_to
            FROM staging s
            JOIN corporate_actions a USING (stock_id, ex_date, kind)
            JOIN stocks st ON st.id = s.stock_id
            CROSS JOIN LATERAL (
                SELECT coalesce(s.dividend = a.dividend,
                                s.split_to / s.split_from = a.split_to / a.split_from) AS is_equal
            ) compared
            LEFT JOIN corporate_actions same
              ON (same.stock_id, same.ex_date, same.kind, same.type)
                 = (s.stock_id, s.ex_date, s.kind, s.type)
            WHERE a.type <> s.type
              AND (NOT s.has_type OR is_equal
                   OR (a.is_type_stated IS NOT TRUE AND same.stock_id IS NULL))
              AND (same.split_from, same.split_to, same.dividend)
                  IS DISTINCT FROM (s.split_from, s.split_to, s.dividend)
              AND NOT EXISTS (
                  SELECT FROM staging other
                  WHERE (other.stock_id, other.ex_date, other.type)
                        = (a.stock_id, a.ex_date, a.type))
            ORDER BY s.line LIMIT $1";
        self.client.query(sql, &[&max]).await?.iter().map(conflict).collect()
    }

    /// Stores that the file states the types of its actions. Nothing that is served changes, so it
    /// counts as no change.
    pub(super) async fn state_types(&self) -> Result<(), StoreError> {
        if self.table != Table::Actions {
            return Ok(());
        }
        let sql = "UPDATE corporate_actions a SET is_type_stated = true FROM staging s
                   WHERE (a.stock_id, a.ex_date, a.kind, a.type)
                         = (s.stock_id, s.ex_date, s.kind, s.type)
                     AND s.has_type AND a.is_type_stated IS NOT TRUE";
        Ok(self.client.batch_execute(sql).await?)
    }
}

fn conflict(row: &Row) -> Result<ActionConflict, StoreError> {
    let line: i64 = row.try_get("line")?;
    let dividend: Option<f64> = row.try_get("dividend")?;
    let split: (Option<f64>, Option<f64>) = (row.try_get("split_from")?, row.try_get("split_to")?);
    let stored_value = match (dividend, split) {
        (None, (Some(from), Some(to))) => format!("{from} to {to}"),
        (dividend, _) => dividend.unwrap_or_default().to_string(),
    };
    Ok(ActionConflict {
        line: line.unsigned_abs(),
        symbol: row.try_get("symbol")?,
        ex_date: row.try_get("ex_date")?,
        kind: row.try_get("kind")?,
        row_type: row.try_get("row_type")?,
        stored_type: row.try_get("stored_type")?,
        stored_value,
        may_be_included: row.try_get("may_be_included")?,
    })
}
