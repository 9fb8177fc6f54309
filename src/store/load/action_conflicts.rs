//! Actions that may be stored already under another type: loading them would count them twice.

use tokio_postgres::Row;

use super::report::ActionConflict;
use super::{LoadRejection, Loader, Table};
use crate::store::StoreError;

impl Loader {
    /// The first staged actions beside a stored one of the same stock, day and kind whose type
    /// differs, if the row has no type or the same values. Not if the row is stored already, or if
    /// the file has the stored one too.
    pub(super) async fn action_conflicts(&self) -> Result<Option<LoadRejection>, StoreError> {
        if self.table != Table::Actions {
            return Ok(None);
        }
        let sql = "
            SELECT s.line, st.symbol, s.ex_date, a.type AS stored_type, s.type AS row_type
            FROM staging s
            JOIN corporate_actions a USING (stock_id, ex_date, kind)
            JOIN stocks st ON st.id = s.stock_id
            WHERE a.type <> s.type
              AND (NOT s.has_type OR s.dividend = a.dividend
                   OR s.split_to / s.split_from = a.split_to / a.split_from)
              AND NOT EXISTS (
                  SELECT FROM corporate_actions same
                  WHERE (same.stock_id, same.ex_date, same.type) = (s.stock_id, s.ex_date, s.type)
                    AND (same.split_from, same.split_to, same.dividend)
                        IS NOT DISTINCT FROM (s.split_from, s.split_to, s.dividend))
              AND NOT EXISTS (
                  SELECT FROM staging other
                  WHERE (other.stock_id, other.ex_date, other.type)
                        = (a.stock_id, a.ex_date, a.type))
            ORDER BY s.line LIMIT 10";
        let rows = self.client.query(sql, &[]).await?;
        let conflict = |row: &Row| {
            let line: i64 = row.try_get("line")?;
            Ok(ActionConflict {
                line: line.unsigned_abs(),
                symbol: row.try_get("symbol")?,
                ex_date: row.try_get("ex_date")?,
                stored_type: row.try_get("stored_type")?,
                row_type: row.try_get("row_type")?,
            })
        };
        let conflicts = rows.iter().map(conflict).collect::<Result<Vec<_>, StoreError>>()?;
        Ok((!conflicts.is_empty()).then_some(LoadRejection::Conflicts(conflicts)))
    }
}
