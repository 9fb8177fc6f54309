//! Dividends that were divided by splits which were not known when they were loaded. Such a vendor
//! can't be told from one who writes them as paid, so the report names the stocks.

use super::{Loader, Table};
use crate::store::StoreError;

impl Loader {
    /// The stocks with dividends in the file and without any known split, if the dividends are said
    /// to be split-adjusted. Runs after the merge.
    pub(super) async fn stocks_without_splits(
        &self,
        are_dividends_adjusted: bool,
    ) -> Result<i64, StoreError> {
        if self.table != Table::Actions || !are_dividends_adjusted {
            return Ok(0);
        }
        let sql = "SELECT count(DISTINCT s.stock_id) AS stocks FROM staging s
                   WHERE s.dividend IS NOT NULL AND NOT EXISTS (
                       SELECT FROM corporate_actions a
                       WHERE a.stock_id = s.stock_id AND a.type = 'split')";
        Ok(self.client.query_one(sql, &[]).await?.try_get("stocks")?)
    }

    /// The symbols of the stocks with a split that this load has added or given another ratio, and
    /// with an earlier dividend that was loaded on its ex-date or later, in another file. Runs
    /// after the merge.
    pub(super) async fn stocks_with_late_splits(&self) -> Result<Vec<String>, StoreError> {
        if self.table != Table::Actions {
            return Ok(Vec::new());
        }
        // What was published before the first change was so at the time of that at the latest.
        let sql = "
            WITH this AS (
                SELECT nullif(current_setting('tickerd.change', true), '')::int4 AS change
            ), late AS (
                SELECT a.stock_id, a.ex_date FROM staging s
                JOIN corporate_actions a ON (a.stock_id, a.ex_date, a.type)
                                            = (s.stock_id, s.ex_date, s.type)
                JOIN this ON this.change = a.change_id
                LEFT JOIN corporate_actions_history h
                  ON (h.stock_id, h.ex_date, h.type, h.until)
                     = (a.stock_id, a.ex_date, a.type, this.change)
                WHERE s.type = 'split'
                  AND (h.split_from, h.split_to) IS DISTINCT FROM (a.split_from, a.split_to)
            )
            SELECT DISTINCT st.symbol FROM late
            JOIN stocks st ON st.id = late.stock_id
            JOIN corporate_actions d
              ON d.stock_id = late.stock_id AND d.kind = 'dividend' AND d.ex_date < late.ex_date
            JOIN changes c ON c.id = coalesce(d.change_id, (SELECT min(id) FROM changes))
            WHERE to_timestamp(c.revision / 1e6)::date >= late.ex_date
              AND NOT EXISTS (
                  SELECT FROM staging s
                  WHERE (s.stock_id, s.ex_date, s.type) = (d.stock_id, d.ex_date, d.type))
            ORDER BY st.symbol";
        let rows = self.client.query(sql, &[]).await?;
        rows.iter().map(|row| Ok(row.try_get("symbol")?)).collect()
    }
}
