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

/// The latest bar of a stock and what it is compared with.
#[derive(Debug, PartialEq)]
pub struct Quote {
    pub latest: Bar,
    /// The close of the trading day before, divided by the split factor of a split that went ex since then:
    /// what that close is in today's shares.
    pub previous_close: Option<f64>,
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

    /// The latest quote of a stock; `None` where it has no bars.
    pub async fn quote(&self, stock: StockRef) -> Result<Option<Quote>, StoreFault> {
        let sql = "SELECT p.date, p.open, p.high, p.low, p.close, p.adjusted_close, p.volume,
                          before.close * coalesce(a.split_from / a.split_to, 1)
                   FROM (SELECT * FROM prices WHERE stock_id = $1 ORDER BY date DESC LIMIT 1) p
                   LEFT JOIN LATERAL (
                       SELECT * FROM prices WHERE stock_id = $1 AND date < p.date ORDER BY date DESC LIMIT 1
                   ) before ON true
                   LEFT JOIN LATERAL (
                       SELECT * FROM corporate_actions WHERE stock_id = $1 AND kind = 'split'
                       AND ex_date > before.date AND ex_date <= p.date ORDER BY ex_date DESC LIMIT 1
                   ) a ON true";
        let rows = self.content(stock.version, sql, &[&stock.id]).await?;
        Ok(rows.first().map(|row| Quote { latest: bar(row), previous_close: row.get(7) }))
    }
}

fn bar(row: &Row) -> Bar {
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
