//! The tables `prices` and `corporate_actions`: where stocks stand now.

use tokio_postgres::Row;

use super::bar_columns::bar;
use super::{StockRef, Store, StoreError};
use crate::market::Bar;

/// The latest bar of a stock and what it is compared with.
#[derive(Debug, PartialEq)]
pub struct Quote {
    pub latest: Bar,
    /// The close of the trading day before, divided by the split factor of a split that went ex
    /// since then: what that close is in today's shares.
    pub previous_close: Option<f64>,
}

impl Store {
    /// The latest quote of each of these stocks in their order, with the stock that it is of. Those
    /// without bars are left out.
    pub async fn quotes(&self, stocks: &[StockRef]) -> Result<Vec<(StockRef, Quote)>, StoreError> {
        let sql = concat!(
            "SELECT p.*, before.close * coalesce(a.split_from / a.split_to, 1) AS previous_close,
                    asked.place
             FROM unnest($1::integer[]) WITH ORDINALITY AS asked (id, place)
             CROSS JOIN LATERAL (
                 SELECT ",
            bar_columns!(),
            " FROM prices WHERE stock_id = asked.id ORDER BY date DESC LIMIT 1
             ) p
             LEFT JOIN LATERAL (
                 SELECT date, close FROM prices WHERE stock_id = asked.id AND date < p.date
                 ORDER BY date DESC LIMIT 1
             ) before ON true
             LEFT JOIN LATERAL (
                 SELECT split_from, split_to FROM corporate_actions
                 WHERE stock_id = asked.id AND kind = 'split'
                   AND ex_date > before.date AND ex_date <= p.date ORDER BY ex_date DESC LIMIT 1
             ) a ON true
             ORDER BY asked.place"
        );
        // The newest version of them is one by which all of them are there.
        let Some(version) = stocks.iter().map(|stock| stock.version).max() else {
            return Ok(Vec::new());
        };
        let ids: Vec<_> = stocks.iter().map(|stock| stock.id).collect();
        let rows = self.content(version, sql, &[&ids]).await?;
        let quoted = |row: &Row| {
            // Places in SQL are counted from 1.
            let place: i64 = row.try_get("place")?;
            let stock = stocks[place.unsigned_abs() as usize - 1];
            let previous_close = row.try_get("previous_close")?;
            Ok((stock, Quote { latest: bar(row)?, previous_close }))
        };
        rows.iter().map(quoted).collect()
    }
}
