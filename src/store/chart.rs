//! The tables `stocks`, `prices` and `corporate_actions`: what a chart of a stock is drawn from.

use chrono::NaiveDate;
use tokio_postgres::Row;

use super::{Params, StockRef, Store, StoreError};
use crate::market::{Bar, Split};

/// Bars of one chart at most: 80 years of trading days.
const BARS_MAX: i64 = 20_000;

/// A stock's history as of one moment.
#[derive(Debug)]
pub struct ChartData {
    pub name: String,
    /// ISO 4217.
    pub currency: String,
    /// All there are, whichever days the bars are of.
    pub splits: Vec<Split>,
    /// Oldest first.
    pub bars: Vec<Bar>,
}

impl Store {
    /// What there is of a stock from `start` (a year before the end, where there is none) to `end`
    /// (the newest bar): the newest [`BARS_MAX`]. In one statement, so that bars and splits fit
    /// together. `None` where there is no such stock.
    pub async fn chart_data(
        &self,
        stock: StockRef,
        start: Option<NaiveDate>,
        end: Option<NaiveDate>,
    ) -> Result<Option<ChartData>, StoreError> {
        let sql = "SELECT s.name, s.currency, a.days, a.factors, p.*
                   FROM stocks s
                   CROSS JOIN LATERAL (
                       SELECT array_agg(ex_date), array_agg(split_from / split_to)
                       FROM corporate_actions WHERE stock_id = s.id AND kind = 'split'
                   ) a (days, factors)
                   LEFT JOIN LATERAL (
                       SELECT date FROM prices WHERE stock_id = s.id ORDER BY date DESC LIMIT 1
                   ) newest ON true
                   CROSS JOIN LATERAL (
                       SELECT array_agg(date), array_agg(open), array_agg(high), array_agg(low), array_agg(close),
                              array_agg(adjusted_close), array_agg(volume)
                       FROM (SELECT * FROM prices
                             WHERE stock_id = s.id AND date <= coalesce($3, newest.date)
                               AND date >= coalesce($2, (coalesce($3, newest.date) - interval '1 year')::date)
                             ORDER BY date DESC LIMIT $4) shown
                   ) p
                   WHERE s.id = $1";
        let params: Params<'_> = &[&stock.id, &start, &end, &BARS_MAX];
        Ok(self.content(stock.version, sql, params).await?.first().map(chart_data))
    }
}

fn chart_data(row: &Row) -> ChartData {
    let days: Vec<NaiveDate> = list(row, 2);
    let splits =
        days.into_iter().zip(list(row, 3)).map(|(ex_date, factor)| Split { ex_date, factor });
    ChartData { name: row.get(0), currency: row.get(1), splits: splits.collect(), bars: bars(row) }
}

/// A column of each field, all of the same bars. They are put in order here once, not by Postgres
/// for each column.
fn bars(row: &Row) -> Vec<Bar> {
    let (dates, volumes): (Vec<NaiveDate>, Vec<i64>) = (list(row, 4), list(row, 10));
    let [open, high, low, close, adjusted_close]: [Vec<f64>; 5] =
        [5, 6, 7, 8, 9].map(|at| list(row, at));
    let bar = |(n, (date, volume))| Bar {
        date,
        open: open[n],
        high: high[n],
        low: low[n],
        close: close[n],
        adjusted_close: adjusted_close[n],
        volume,
    };
    let mut bars: Vec<Bar> = dates.into_iter().zip(volumes).enumerate().map(bar).collect();
    bars.sort_unstable_by_key(|bar| bar.date);
    bars
}

/// Postgres makes no empty list of nothing.
fn list<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, at: usize) -> Vec<T> {
    row.get::<_, Option<Vec<T>>>(at).unwrap_or_default()
}
