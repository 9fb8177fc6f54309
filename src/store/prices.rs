//! The table `prices`.

use tokio_postgres::Row;

use super::{Params, StockRef, Store, StoreFault};
use crate::market::{Bar, DateRange};

/// Bars as they came from Postgres, newest first: each is read when it is asked for, and none is kept.
pub struct BarRows(Vec<Row>);

impl BarRows {
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = Bar> + Clone {
        self.0.iter().map(bar)
    }
}

impl Store {
    /// The newest `limit` bars of a range. By the stock's id, which looking up the symbol would take as long to find as
    /// the bars themselves.
    pub async fn bars(&self, stock: StockRef, range: DateRange, limit: u32) -> Result<BarRows, StoreFault> {
        let sql = "SELECT date, open, high, low, close, adjusted_close, volume FROM prices
                   WHERE stock_id = $1 AND date >= $2 AND date <= coalesce($3, 'infinity'::date)
                   ORDER BY date DESC LIMIT $4";
        let params: Params<'_> = &[&stock.id, &range.start(), &range.end(), &i64::from(limit)];
        Ok(BarRows(self.content(stock.version, sql, params).await?))
    }
}

pub(super) fn bar(row: &Row) -> Bar {
    Bar {
        date: row.get(0),
        open: row.get(1),
        high: row.get(2),
        low: row.get(3),
        close: row.get(4),
        adjusted_close: row.get(5),
        volume: row.get(6),
    }
}
