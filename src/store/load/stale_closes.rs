//! Adjusted closes of a feed that lack an action which a load has brought into effect. Only the
//! feed can restate them, so the report names their stocks.

use super::{Loader, Table};
use crate::store::StoreError;

/// Pairs of neighbouring bars, in stocks with a feed's adjusted closes. `step` is the logarithm of
/// the factor by which the feed has adjusted the closes up to the first bar, `expected` that of the
/// factor of all actions between the two, and `smallest` the size of the smallest one that matters.
///
/// After a load of actions: the bars around each written one.
const AROUND_ACTIONS: &str = "
    WITH written AS (
        SELECT a.stock_id, a.ex_date, a.type
        FROM staging s JOIN corporate_actions a
          ON (a.stock_id, a.ex_date, a.type) = (s.stock_id, s.ex_date, s.type)
        JOIN stocks st ON st.id = a.stock_id
        WHERE NOT st.computes_adjusted_close
          AND a.change_id = nullif(current_setting('tickerd.change', true), '')::int4
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

/// After a load of prices: the last bar before those of the file, and their first. An action
/// matters up to their last, because a feed adjusts them all for it.
const BEFORE_PRICES: &str = "
    SELECT t.stock_id,
           ln(before.adjusted_close / before.close * first.close / first.adjusted_close) AS step,
           coalesce(sum(ln(a.split_from / a.split_to)) FILTER (WHERE a.ex_date <= t.first), 0)
               - ln(1 + coalesce(sum(a.dividend) FILTER (WHERE a.ex_date <= t.first), 0)
                        / first.close) AS expected,
           min(abs(coalesce(ln(a.split_from / a.split_to), ln(1 + a.dividend / first.close))))
               AS smallest
    FROM staged t
    JOIN stocks st ON st.id = t.stock_id AND NOT st.computes_adjusted_close
    CROSS JOIN LATERAL (
        SELECT date, close, adjusted_close FROM prices
        WHERE stock_id = t.stock_id AND date < t.first ORDER BY date DESC LIMIT 1) before
    JOIN corporate_actions a
      ON a.stock_id = t.stock_id AND a.ex_date > before.date AND a.ex_date <= t.last
    JOIN prices first ON first.stock_id = t.stock_id AND first.date = t.first
    GROUP BY t.stock_id, before.close, before.adjusted_close, first.close, first.adjusted_close";

impl Loader {
    /// The symbols of the stocks whose adjusted closes come from a feed and lack an action that is
    /// in effect since this load. Runs after the merge.
    ///
    /// Closes that contain all actions are adjusted as expected, up to the rounding and the formula
    /// of the feed. They lack one if they are off by more than half of the smallest.
    pub(super) async fn stale_closes(&self) -> Result<Vec<String>, StoreError> {
        let steps = match self.table {
            Table::Stocks => return Ok(Vec::new()),
            Table::Prices => BEFORE_PRICES,
            Table::Actions => AROUND_ACTIONS,
        };
        let sql = format!(
            "SELECT symbol FROM stocks WHERE id IN (
                 SELECT stock_id FROM ({steps}) steps
                 WHERE abs(step - expected) > smallest / 2)
             ORDER BY symbol"
        );
        let rows = self.client.query(&sql, &[]).await?;
        rows.iter().map(|row| Ok(row.try_get("symbol")?)).collect()
    }
}
