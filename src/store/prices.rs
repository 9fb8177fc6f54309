//! The table `prices`.

use chrono::NaiveDate;
use tokio_postgres::Row;

use super::{Store, StoreFault};
use crate::market::{Bar, DateRange, Symbol};

/// Bars as they came from Postgres, newest first: each is read when it is asked for, and none is kept. The first row
/// says that the symbol is known.
pub struct BarRows(Vec<Row>);

impl BarRows {
    pub fn count(&self) -> usize {
        self.0.len() - 1
    }

    pub fn iter(&self) -> impl Iterator<Item = Bar> + Clone {
        self.0[1..].iter().map(bar)
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
    /// The newest `limit` bars of a range; `None` for an unknown symbol. One trip tells an unknown symbol (no row) from an empty range (one row, all
    /// null, which a known symbol has before its bars).
    pub async fn bars(&self, symbol: Symbol, range: DateRange, limit: u32) -> Result<Option<BarRows>, StoreFault> {
        // Both parts come sorted and are merged: a join, whose result Postgres sorts once more, took a fifth longer.
        let sql = "WITH stock AS MATERIALIZED (SELECT id FROM stocks WHERE symbol = $1)
                   (SELECT date, open, high, low, close, adjusted_close, volume FROM prices
                    WHERE stock_id = (SELECT id FROM stock) AND date >= $2 AND date <= coalesce($3, 'infinity'::date)
                    ORDER BY date DESC LIMIT $4)
                   UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM stock
                   ORDER BY date DESC NULLS FIRST";
        let rows = self.rows(sql, &[&symbol.as_str(), &range.start(), &range.end(), &i64::from(limit)]).await?;
        Ok(if rows.is_empty() { None } else { Some(BarRows(rows)) })
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
        // A stock without bars has a row, too, all null.
        let quote = |row: &Row| {
            row.get::<_, Option<NaiveDate>>(0).map(|_| Quote { latest: bar(row), previous_close: row.get(7) })
        };
        Ok(rows.first().map(quote))
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
