//! The data of a chart: the tables `stocks`, `prices` and `corporate_actions`.

use chrono::NaiveDate;
use tokio_postgres::Row;

use super::bar_columns::bars_of_arrays;
use super::bars_batch::splits;
use super::{Params, StockRef, Store, StoreError};
use crate::market::{Bar, Split};

/// The most bars of one chart: 80 years of trading days.
const BARS_MAX: i64 = 20_000;

/// A stock's history, read in one statement.
#[derive(Debug)]
pub struct ChartData {
    pub name: String,
    /// ISO 4217.
    pub currency: String,
    /// All splits of the stock, in no order, not only those of the days with bars.
    pub splits: Vec<Split>,
    /// Oldest first.
    pub bars: Vec<Bar>,
}

impl Store {
    /// The newest [`BARS_MAX`] bars from `start` to `end`. Without an `end`, up to the newest bar;
    /// without a `start`, from a year before the end. One statement reads both bars and splits, so
    /// that they are consistent. `None` if there is no such stock.
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
                         AND date >= coalesce($2,
                                              (coalesce($3, newest.date) - interval '1 year')::date)
                       ORDER BY date DESC LIMIT $4) shown
             ) p
             WHERE s.id = $1"
        );
        let params: Params<'_> = &[&stock.id, &start, &end, &BARS_MAX];
        self.query_content(stock.version, sql, params).await?.first().map(chart_data).transpose()
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
