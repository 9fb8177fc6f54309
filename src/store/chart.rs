//! The tables `stocks`, `prices` and `corporate_actions`: what a chart of a stock is drawn from.

use chrono::NaiveDate;
use tokio_postgres::Row;

use super::bar_columns::bars_of_arrays;
use super::bars_batch::splits;
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
        let sql = concat!(
            "SELECT s.name, s.currency, a.split_days, a.split_factors, p.*
             FROM stocks s
             CROSS JOIN LATERAL (
                 SELECT array_agg(ex_date) AS split_days,
                        array_agg(split_from / split_to) AS split_factors
                 FROM corporate_actions WHERE stock_id = s.id AND kind = 'split'
             ) a
             LEFT JOIN LATERAL (
                 SELECT date FROM prices WHERE stock_id = s.id ORDER BY date DESC LIMIT 1
             ) newest ON true
             CROSS JOIN LATERAL (
                 SELECT ",
            bar_columns!(as_array),
            " FROM (SELECT ",
            bar_columns!(),
            " FROM prices
                       WHERE stock_id = s.id AND date <= coalesce($3, newest.date)
                         AND date >= coalesce($2, (coalesce($3, newest.date) - interval '1 year')::date)
                       ORDER BY date DESC LIMIT $4) shown
             ) p
             WHERE s.id = $1"
        );
        let params: Params<'_> = &[&stock.id, &start, &end, &BARS_MAX];
        self.content(stock.version, sql, params).await?.first().map(chart_data).transpose()
    }
}

fn chart_data(row: &Row) -> Result<ChartData, StoreError> {
    let mut bars = bars_of_arrays(row)?;
    // Sorting here, once, is cheaper than having Postgres sort each array.
    bars.sort_unstable_by_key(|bar| bar.date);
    Ok(ChartData {
        name: row.try_get("name")?,
        currency: row.try_get("currency")?,
        splits: splits(row)?,
        bars,
    })
}
