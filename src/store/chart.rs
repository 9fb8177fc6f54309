//! The data of a chart: the tables `stocks`, `prices` and `corporate_actions`.

use chrono::NaiveDate;
use tokio_postgres::Row;

use super::bar_columns::bars_of_arrays;
use super::effective_actions::adjustments;
use super::{Params, Snapshot, StockRef, StoreError};
use crate::market::{Adjustments, Bar};

/// The most bars of one chart: 80 years of trading days.
const BARS_MAX: i64 = 20_000;

/// A stock's history, read in one statement.
#[derive(Debug)]
pub struct ChartData {
    pub name: String,
    /// ISO 4217, or a minor unit such as GBX.
    pub currency: String,
    /// Of all days of the stock, not only of those with bars here.
    pub adjustments: Adjustments,
    /// Oldest first.
    pub bars: Vec<Bar>,
}

impl Snapshot<'_> {
    /// The newest [`BARS_MAX`] bars from `start` to `end`. Without an `end`, up to the newest bar;
    /// without a `start`, from a year before the end. One statement reads both bars and actions, so
    /// that they are consistent. `with_dividends`: whether bars are adjusted for dividends too.
    /// `None` if there is no such stock.
    pub async fn chart_data(
        &self,
        stock: StockRef,
        start: Option<NaiveDate>,
        end: Option<NaiveDate>,
        with_dividends: bool,
    ) -> Result<Option<ChartData>, StoreError> {
        let sql = concat!(
            "SELECT s.name, s.currency, s.computes_adjusted_close, actions.*, p.*
             FROM stocks s
             LEFT JOIN LATERAL (
                 SELECT date FROM prices WHERE stock_id = s.id ORDER BY date DESC LIMIT 1
             ) newest ON true
             CROSS JOIN LATERAL (",
            effective_actions!("$5", "NULL"),
            ") actions
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
        let params: Params<'_> = &[&stock.id, &start, &end, &BARS_MAX, &with_dividends];
        self.query(stock.version, sql, params).await?.first().map(chart_data).transpose()
    }
}

fn chart_data(row: &Row) -> Result<ChartData, StoreError> {
    let mut bars = bars_of_arrays(row)?;
    // Sorting here, once, is cheaper than having Postgres sort each array.
    bars.sort_unstable_by_key(|bar| bar.date);
    Ok(ChartData {
        name: row.try_get("name")?,
        currency: row.try_get("currency")?,
        adjustments: adjustments(row)?,
        bars,
    })
}
