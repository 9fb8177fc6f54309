//! The table `prices`, a stock at a time.

use tokio_postgres::Row;

use super::{Params, StockRef, Store, StoreError};
use crate::market::{Bar, DateRange, Order};

impl Store {
    /// The first `limit` bars of a range. By the stock's id, which looking up the symbol would take
    /// as long to find as the bars themselves.
    pub async fn bars(
        &self,
        stock: StockRef,
        range: DateRange,
        order: Order,
        limit: u32,
    ) -> Result<Vec<Bar>, StoreError> {
        let sql = match order {
            Order::Desc => {
                "SELECT date, open, high, low, close, adjusted_close, volume FROM prices
                 WHERE stock_id = $1 AND date >= $2 AND date <= coalesce($3, 'infinity'::date)
                 ORDER BY date DESC LIMIT $4"
            }
            Order::Asc => {
                "SELECT date, open, high, low, close, adjusted_close, volume FROM prices
                 WHERE stock_id = $1 AND date >= $2 AND date <= coalesce($3, 'infinity'::date)
                 ORDER BY date LIMIT $4"
            }
        };
        let params: Params<'_> = &[&stock.id, &range.start(), &range.end(), &i64::from(limit)];
        Ok(self.content(stock.version, sql, params).await?.iter().map(|row| bar(row, 0)).collect())
    }
}

/// The bar in a row, from this column on.
pub(super) fn bar(row: &Row, at: usize) -> Bar {
    Bar {
        date: row.get(at),
        open: row.get(at + 1),
        high: row.get(at + 2),
        low: row.get(at + 3),
        close: row.get(at + 4),
        adjusted_close: row.get(at + 5),
        volume: row.get(at + 6),
    }
}
