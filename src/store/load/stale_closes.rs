//! Adjusted closes of a feed that lack an action of the loaded file. Only the feed can restate
//! them, so the report names their stocks.

use super::{Loader, Table};
use crate::store::StoreError;

/// The actions between two neighbouring bars, for those actions that this load wrote, in stocks
/// with a feed's adjusted closes. `step` is the logarithm of the factor by which the feed has
/// adjusted the closes before, `expected` that of the factor of all actions, and `smallest` the
/// size of the smallest one of a written action.
const STEPS: &str = "
    WITH written AS (
        SELECT a.stock_id, a.ex_date, a.type
        FROM staging s JOIN corporate_actions a
          ON (a.stock_id, a.ex_date, a.type) = (s.stock_id, s.ex_date, s.type)
        JOIN stocks st ON st.id = a.stock_id
        WHERE NOT st.computes_adjusted_close AND age(a.xmin) <= age(pg_current_xact_id()::xid)
    ), between_bars AS (
        SELECT DISTINCT w.stock_id, before.date AS before, after.date AS after, after.close,
               ln(before.adjusted_close / before.close * after.close / after.adjusted_close)
                   AS step
        FROM written w
        CROSS JOIN LATERAL (
            SELECT date, close, adjusted_close FROM prices
            WHERE stock_id = w.stock_id AND date < w.ex_date ORDER BY date DESC LIMIT 1) before
        CROSS JOIN LATERAL (
            SELECT date, close, adjusted_close FROM prices
            WHERE stock_id = w.stock_id AND date >= w.ex_date ORDER BY date LIMIT 1) after
    )
    SELECT b.stock_id, b.step,
           coalesce(sum(ln(a.split_from / a.split_to)), 0)
               - ln(1 + coalesce(sum(a.dividend), 0) / b.close) AS expected,
           min(abs(coalesce(ln(a.split_from / a.split_to), ln(1 + a.dividend / b.close))))
               FILTER (WHERE w.type IS NOT NULL) AS smallest
    FROM between_bars b
    JOIN corporate_actions a
      ON a.stock_id = b.stock_id AND a.ex_date > b.before AND a.ex_date <= b.after
    LEFT JOIN written w
      ON (w.stock_id, w.ex_date, w.type) = (a.stock_id, a.ex_date, a.type)
    GROUP BY b.stock_id, b.before, b.close, b.step";

impl Loader {
    /// The symbols of the stocks whose adjusted closes come from a feed and lack an action of the
    /// file that is in effect. Runs after the merge.
    ///
    /// Closes that contain all actions are adjusted as expected, up to the rounding and the formula
    /// of the feed. They lack one if they are off by more than half of the smallest.
    pub(super) async fn stale_closes(&self) -> Result<Vec<String>, StoreError> {
        if self.table != Table::Actions {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT symbol FROM stocks WHERE id IN (
                 SELECT stock_id FROM ({STEPS}) steps
                 WHERE abs(step - expected) > smallest / 2)
             ORDER BY symbol"
        );
        let rows = self.client.query(&sql, &[]).await?;
        rows.iter().map(|row| Ok(row.try_get("symbol")?)).collect()
    }
}
