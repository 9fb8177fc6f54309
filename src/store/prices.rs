//! The table `prices`, a stock at a time.

use tokio_postgres::Row;

use super::{Params, StockRef, Store, StoreFault};
use crate::market::{Bar, DateRange, Order};

/// The latest bar of a stock and what it is compared with.
#[derive(Debug, PartialEq)]
pub struct Quote {
    pub latest: Bar,
    /// The close of the trading day before, divided by the split factor of a split that went ex since then:
    /// what that close is in today's shares.
    pub previous_close: Option<f64>,
}

impl Store {
    /// The first `limit` bars of a range. By the stock's id, which looking up the symbol would take as long to find as
    /// the bars themselves.
    pub async fn bars(
        &self,
        stock: StockRef,
        range: DateRange,
        order: Order,
        limit: u32,
    ) -> Result<Vec<Bar>, StoreFault> {
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
        Ok(rows.first().map(|row| Quote { latest: bar(row, 0), previous_close: row.get(7) }))
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
