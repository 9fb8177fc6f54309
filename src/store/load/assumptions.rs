//! What a load assumes of a file because it can't know better. The report says so.

use super::{LoadError, LoadRejection, Loader, Table};
use crate::market::{PriceBasis, are_units_of_one_currency};
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

    /// The dividends of the file above the last close before their ex-date, as `WIDG on 2024-03-01
    /// (500, close 10)`. Runs after the merge.
    pub(super) async fn large_dividends(&self) -> Result<Vec<String>, StoreError> {
        if self.table != Table::Actions {
            return Ok(Vec::new());
        }
        let sql = "SELECT format('%s on %s (%s, close %s)', s.symbol, d.ex_date, d.dividend,
                                 before.close) AS dividend
                   FROM staging d JOIN stocks s ON s.id = d.stock_id
                   CROSS JOIN LATERAL (
                       SELECT close FROM prices
                       WHERE stock_id = d.stock_id AND date < d.ex_date
                       ORDER BY date DESC LIMIT 1) before
                   WHERE d.dividend > before.close ORDER BY s.symbol, d.ex_date, d.type";
        let rows = self.client.query(sql, &[]).await?;
        rows.iter().map(|row| Ok(row.try_get("dividend")?)).collect()
    }

    /// The stocks with prices whose currency a stocks file has changed, as `VOD from GBP to USD`.
    ///
    /// # Errors
    /// If one is changed between a currency and its minor unit and the operator has not confirmed
    /// it.
    pub(super) async fn changed_currencies(
        &self,
        may_change_unit: bool,
    ) -> Result<Vec<String>, LoadError> {
        if self.table != Table::Stocks {
            return Ok(Vec::new());
        }
        let sql = "SELECT s.symbol, h.currency AS before, s.currency AS after
                   FROM stocks_history h JOIN stocks s USING (id)
                   WHERE h.until = nullif(current_setting('tickerd.change', true), '')::int4
                     AND h.currency <> s.currency
                     AND EXISTS (SELECT FROM prices WHERE stock_id = s.id)
                   ORDER BY s.symbol";
        let (mut changed, mut other_units) = (Vec::new(), Vec::new());
        for row in &self.client.query(sql, &[]).await? {
            let column = |name: &str| Ok::<String, StoreError>(row.try_get(name)?);
            let (symbol, before, after) = (column("symbol")?, column("before")?, column("after")?);
            let change = format!("{symbol} from {before} to {after}");
            if are_units_of_one_currency(&before, &after) {
                other_units.push(change.clone());
            }
            changed.push(change);
        }
        match other_units.is_empty() || may_change_unit {
            true => Ok(changed),
            false => Err(LoadRejection::WouldChangeUnit(other_units).into()),
        }
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
