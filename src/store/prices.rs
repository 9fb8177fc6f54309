//! The table `prices`.

use tokio_postgres::Row;

use super::{Store, StoreFault};
use crate::market::{Bar, DateRange, Symbol};

/// What was found for a symbol.
#[derive(Debug, PartialEq)]
pub enum Bars {
    UnknownSymbol,
    /// Newest first; empty where the stock has no bar in the range.
    Found(Vec<Bar>),
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
    /// The newest `limit` bars of a range. One trip tells an unknown symbol (no row) from an empty range (one row
    /// without a bar).
    pub async fn bars(&self, symbol: Symbol, range: DateRange, limit: u32) -> Result<Bars, StoreFault> {
        let sql = "SELECT p.date, p.open, p.high, p.low, p.close, p.adjusted_close, p.volume
                   FROM stocks s LEFT JOIN LATERAL (
                       SELECT * FROM prices
                       WHERE stock_id = s.id AND date >= $2 AND date <= coalesce($3, 'infinity'::date)
                       ORDER BY date DESC LIMIT $4
                   ) p ON true
                   WHERE s.symbol = $1 ORDER BY p.date DESC";
        let rows = self.rows(sql, &[&symbol.as_str(), &range.start(), &range.end(), &i64::from(limit)]).await?;
        if rows.is_empty() {
            return Ok(Bars::UnknownSymbol);
        }
        Ok(Bars::Found(rows.iter().filter_map(bar).collect()))
    }

    /// The latest quote of a stock: `None` for an unknown symbol, `Some(None)` for a stock without bars.
    pub async fn quote(&self, symbol: Symbol) -> Result<Option<Option<Quote>>, StoreFault> {
        let sql = "SELECT p.date, p.open, p.high, p.low, p.close, p.adjusted_close, p.volume,
                          before.close * coalesce(a.split_from / a.split_to, 1)
                   FROM stocks s
                   LEFT JOIN LATERAL (
                       SELECT * FROM prices WHERE stock_id = s.id ORDER BY date DESC LIMIT 1
                   ) p ON true
                   LEFT JOIN LATERAL (
                       SELECT * FROM prices WHERE stock_id = s.id AND date < p.date ORDER BY date DESC LIMIT 1
                   ) before ON true
                   LEFT JOIN LATERAL (
                       SELECT * FROM corporate_actions WHERE stock_id = s.id AND kind = 'split'
                       AND ex_date > before.date AND ex_date <= p.date ORDER BY ex_date DESC LIMIT 1
                   ) a ON true
                   WHERE s.symbol = $1";
        let rows = self.rows(sql, &[&symbol.as_str()]).await?;
        let quote = |row: &Row| bar(row).map(|latest| Quote { latest, previous_close: row.get(7) });
        Ok(rows.first().map(quote))
    }
}

/// `None` for the row of a stock without bars.
fn bar(row: &Row) -> Option<Bar> {
    Some(Bar {
        date: row.get::<_, Option<_>>(0)?,
        open: row.get(1),
        high: row.get(2),
        low: row.get(3),
        close: row.get(4),
        adjusted_close: row.get(5),
        volume: row.get(6),
    })
}
