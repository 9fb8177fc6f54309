//! The latest quotes of stocks: the tables `prices` and `corporate_actions`.

use tokio_postgres::Row;

use super::bar_columns::{array, bar};
use super::{Snapshot, StockRef, StoreError};
use crate::market::{Bar, Ratio};

/// The latest bar of a stock, and the close that it is compared with.
#[derive(Debug, PartialEq)]
pub struct Quote {
    pub latest: Bar,
    /// The close of the previous trading day in today's shares: splits and spin-offs since then
    /// change it.
    pub previous_close: Option<f64>,
}

impl Snapshot<'_> {
    /// The latest quote of each of these stocks, in their order. Stocks without bars are left out.
    pub async fn quotes(&self, stocks: &[StockRef]) -> Result<Vec<(StockRef, Quote)>, StoreError> {
        let sql = concat!(
            "SELECT p.*, before.close AS close_before, a.split_from, a.split_to, asked.place,
                    (SELECT computes_adjusted_close FROM stocks WHERE id = asked.id)
             FROM unnest($1::integer[]) WITH ORDINALITY AS asked (id, place)
             CROSS JOIN LATERAL (
                 SELECT ",
            bar_columns!(),
            " FROM prices WHERE stock_id = asked.id ORDER BY date DESC LIMIT 1
             ) p
             LEFT JOIN LATERAL (
                 SELECT date, close FROM prices WHERE stock_id = asked.id AND date < p.date
                 ORDER BY date DESC LIMIT 1
             ) before ON true
             LEFT JOIN LATERAL (
                 SELECT array_agg(split_from) AS split_from, array_agg(split_to) AS split_to
                 FROM corporate_actions
                 WHERE stock_id = asked.id AND kind = 'split'
                   AND ex_date > before.date AND ex_date <= p.date
             ) a ON true
             ORDER BY asked.place"
        );
        // As of the newest of these versions, all of the stocks are up to date.
        let Some(version) = stocks.iter().map(|stock| stock.version).max() else {
            return Ok(Vec::new());
        };
        let ids: Vec<_> = stocks.iter().map(|stock| stock.id).collect();
        let rows = self.query(version, sql, &[&ids]).await?;
        let quoted = |row: &Row| {
            // Places in SQL are counted from 1.
            let place: i64 = row.try_get("place")?;
            let stock = stocks[place.unsigned_abs() as usize - 1];
            Ok((stock, Quote { latest: latest(row)?, previous_close: previous_close(row)? }))
        };
        rows.iter().map(quoted).collect()
    }
}

/// No action in effect is after the newest bar, so a computed adjusted close is its close. That
/// holds as of an earlier time too, when the stored one was computed later.
fn latest(row: &Row) -> Result<Bar, StoreError> {
    let latest = bar(row)?;
    Ok(match row.try_get("computes_adjusted_close")? {
        true => Bar { adjusted_close: latest.close, ..latest },
        false => latest,
    })
}

/// The close of the previous trading day, multiplied by the factors of all splits since then.
fn previous_close(row: &Row) -> Result<Option<f64>, StoreError> {
    let close: Option<f64> = row.try_get("close_before")?;
    let from: Vec<f64> = array(row, "split_from")?;
    let to: Vec<f64> = array(row, "split_to")?;
    let splits = from.into_iter().zip(to);
    let ratio = splits.fold(Ratio::one(), |ratio, (from, to)| ratio.times(&Ratio::of(from, to)));
    Ok(close.map(|close| ratio.of_price(close)))
}
