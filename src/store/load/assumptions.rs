//! What a load assumes of a file because it can't know better. The report says so.

use super::{Loader, Table};
use crate::market::PriceBasis;
use crate::store::StoreError;

impl Loader {
    /// The rows of a stocks file that have updated a stock under another spelling of its symbol, as
    /// `BRK-B is BRK.B`.
    pub(super) async fn other_spellings(&self) -> Result<Vec<String>, StoreError> {
        if self.table != Table::Stocks {
            return Ok(Vec::new());
        }
        let sql = "SELECT other_spelling || ' is ' || symbol AS spelling
                   FROM (SELECT symbol, other_spelling,
                                count(*) OVER (PARTITION BY symbol) AS rows FROM staging) listed
                   WHERE other_spelling IS NOT NULL AND rows = 1 ORDER BY symbol";
        let rows = self.client.query(sql, &[]).await?;
        rows.iter().map(|row| Ok(row.try_get("spelling")?)).collect()
    }

    /// The spin-offs by which split-adjusted prices of the file may be divided, and which the load
    /// does not undo: vendors differ. Each is the symbol of its stock and its ex-date.
    pub(super) async fn kept_spin_offs(
        &self,
        basis: Option<PriceBasis>,
    ) -> Result<Vec<String>, StoreError> {
        if self.table != Table::Prices || basis != Some(PriceBasis::SplitAdjusted) {
            return Ok(Vec::new());
        }
        let sql = "SELECT s.symbol || ' on ' || a.ex_date AS spin_off
                   FROM staged t JOIN corporate_actions a
                     ON a.stock_id = t.stock_id AND a.type = 'spin_off' AND a.ex_date > t.first
                   JOIN stocks s ON s.id = t.stock_id
                   WHERE a.ex_date <= current_date
                   ORDER BY s.symbol, a.ex_date";
        let rows = self.client.query(sql, &[]).await?;
        rows.iter().map(|row| Ok(row.try_get("spin_off")?)).collect()
    }
}
