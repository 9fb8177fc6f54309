//! The table `prices` in batches: for several stocks, and for histories that are too long for one
//! answer.

use chrono::NaiveDate;
use tokio_postgres::Row;

use super::bar_columns::{bar, bar_with_details};
use super::effective_actions::adjustments;
use super::{Params, Snapshot, StockRef, StoreError};
use crate::market::{Adjustments, Bar, Calendar, DateRange, ListingState, Order, Symbol};

/// A bar of one of several stocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchRow {
    /// The index of its stock among the requested ones, from 0.
    pub place: usize,
    /// The data version of the stock when the row was read. Rows of two versions are inconsistent.
    pub version: i64,
    pub bar: Bar,
}

/// The data that a stock's bars are adjusted and merged with.
#[derive(Debug, Clone, PartialEq)]
pub struct AdjustmentData {
    pub version: i64,
    pub adjustments: Adjustments,
    /// `None` if the stock has no bars.
    pub listing: Option<ListingState>,
}

/// The bar of one stock in the whole market of a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DayRow {
    pub stock: StockRef,
    pub bar: Bar,
}

/// The statement of [`Snapshot::bars_batch`]. Stocks come in the order given, so Postgres sorts one
/// stock after the other and stops when the batch is full.
macro_rules! batch_sql {
    ($order:literal, $columns:expr) => {
        concat!(
            "SELECT a.place, s.data_version, p.*
             FROM unnest($1::int4[]) WITH ORDINALITY a (stock_id, place)
             CROSS JOIN LATERAL (SELECT data_version FROM stocks WHERE id = a.stock_id LIMIT 1) s
             CROSS JOIN LATERAL (
                 SELECT ",
            $columns,
            " FROM prices
                 WHERE stock_id = a.stock_id
                 AND date >= CASE a.place WHEN 1 THEN $2::date ELSE $4 END
                 AND date <= coalesce(CASE a.place WHEN 1 THEN $3::date ELSE $5 END,
                                      'infinity'::date)
                 ORDER BY date ",
            $order,
            " LIMIT $6
             ) p
             ORDER BY a.place, p.date ",
            $order,
            " LIMIT $6"
        )
    };
}

/// The statement of [`Snapshot::day`]. One index lookup per stock: an index by date would slow down
/// every load.
macro_rules! day_sql {
    ($columns:expr) => {
        concat!(
            "SELECT s.id, s.symbol, s.data_version, p.* FROM stocks s
             CROSS JOIN LATERAL (
                 SELECT ",
            $columns,
            " FROM prices WHERE stock_id = s.id AND date = $1 LIMIT 1
             ) p
             WHERE ($2::text IS NULL OR s.exchange = $2)
               AND s.symbol COLLATE \"C\" > $3 COLLATE \"C\"
             ORDER BY s.symbol COLLATE \"C\" LIMIT $4"
        )
    };
}

impl Snapshot<'_> {
    /// The first `limit` bars of these stocks, one stock after the other in the order given, each
    /// by date. The first stock has a range of its own: an earlier batch may have ended within it.
    /// `with_details`: whether average prices and trades are read.
    pub async fn bars_batch(
        &self,
        stocks: &[StockRef],
        first: DateRange,
        range: DateRange,
        order: Order,
        limit: u32,
        with_details: bool,
    ) -> Result<Vec<BatchRow>, StoreError> {
        let sql = match (order, with_details) {
            (Order::Desc, false) => batch_sql!("DESC", bar_columns!()),
            (Order::Asc, false) => batch_sql!("ASC", bar_columns!()),
            (Order::Desc, true) => {
                batch_sql!("DESC", concat!(bar_columns!(), ", ", bar_details!()))
            }
            (Order::Asc, true) => batch_sql!("ASC", concat!(bar_columns!(), ", ", bar_details!())),
        };
        let ids: Vec<i32> = stocks.iter().map(|stock| stock.id).collect();
        let params: Params<'_> =
            &[&ids, &first.start(), &first.end(), &range.start(), &range.end(), &i64::from(limit)];
        let bar = if with_details { bar_with_details } else { bar };
        let rows = self.query(newest(stocks), sql, params).await?;
        rows.iter().map(|row| batch_row(row, bar)).collect()
    }

    /// The data that the bars of these stocks from the day `first` on are adjusted and merged with,
    /// in the order given. `with_dividends`: whether bars are adjusted for dividends too.
    pub async fn adjustment_data(
        &self,
        stocks: &[StockRef],
        first: NaiveDate,
        with_dividends: bool,
    ) -> Result<Vec<AdjustmentData>, StoreError> {
        let sql = concat!(
            "SELECT s.data_version, s.delisted_on IS NOT NULL AS is_delisted,
                    (SELECT calendar_name FROM exchanges WHERE code = s.exchange) AS calendar_name,
                    s.computes_adjusted_close, newest.date AS newest, actions.*
             FROM unnest($1::int4[]) WITH ORDINALITY a (stock_id, place)
             JOIN stocks s ON s.id = a.stock_id
             LEFT JOIN LATERAL (
                 SELECT date FROM prices WHERE stock_id = s.id ORDER BY date DESC LIMIT 1
             ) newest ON true
             CROSS JOIN LATERAL (",
            effective_actions!("$2", "$3"),
            ") actions
             ORDER BY a.place"
        );
        let ids: Vec<i32> = stocks.iter().map(|stock| stock.id).collect();
        let rows = self.query(newest(stocks), sql, &[&ids, &with_dividends, &first]).await?;
        rows.iter().map(background).collect()
    }

    /// The ids of those stocks that have no bar in a range.
    pub async fn stocks_without(
        &self,
        stocks: &[StockRef],
        range: DateRange,
    ) -> Result<Vec<i32>, StoreError> {
        let sql = "SELECT stock_id FROM unnest($1::int4[]) a (stock_id) WHERE NOT EXISTS (
                       SELECT FROM prices p WHERE p.stock_id = a.stock_id
                       AND date >= $2 AND date <= coalesce($3, 'infinity'::date))";
        let ids: Vec<i32> = stocks.iter().map(|stock| stock.id).collect();
        let params: Params<'_> = &[&ids, &range.start(), &range.end()];
        let rows = self.query(newest(stocks), sql, params).await?;
        rows.iter().map(|row| Ok(row.try_get("stock_id")?)).collect()
    }

    /// The first `limit` bars of one day, ordered by symbol, after the symbol `after`; as of
    /// `version` or later.
    pub async fn day(
        &self,
        date: NaiveDate,
        exchange: Option<&str>,
        after: Option<Symbol>,
        limit: u32,
        version: i64,
        with_details: bool,
    ) -> Result<Vec<DayRow>, StoreError> {
        let (sql, bar): (_, ReadBar) = match with_details {
            false => (day_sql!(bar_columns!()), bar),
            true => (day_sql!(concat!(bar_columns!(), ", ", bar_details!())), bar_with_details),
        };
        let after = after.as_ref().map_or("", Symbol::as_str);
        let params: Params<'_> = &[&date, &exchange, &after, &i64::from(limit)];
        let day_row = |row| Ok(DayRow { stock: StockRef::of(row)?, bar: bar(row)? });
        self.scan(version, sql, params).await?.iter().map(day_row).collect()
    }
}

/// Reads the bar in a row.
type ReadBar = fn(&Row) -> Result<Bar, StoreError>;

/// The version from which on all of these stocks are up to date.
fn newest(stocks: &[StockRef]) -> i64 {
    stocks.iter().map(|stock| stock.version).max().unwrap_or_default()
}

fn batch_row(row: &Row, bar: ReadBar) -> Result<BatchRow, StoreError> {
    // Places in SQL are counted from 1.
    let place: i64 = row.try_get("place")?;
    let place = place.unsigned_abs() as usize - 1;
    Ok(BatchRow { place, version: row.try_get("data_version")?, bar: bar(row)? })
}

fn background(row: &Row) -> Result<AdjustmentData, StoreError> {
    let calendar = Calendar::of(row.try_get("calendar_name")?);
    let newest: Option<NaiveDate> = row.try_get("newest")?;
    let is_delisted = row.try_get("is_delisted")?;
    let listing = newest.map(|newest| ListingState { newest, is_delisted, calendar });
    let version = row.try_get("data_version")?;
    Ok(AdjustmentData { version, adjustments: adjustments(row)?, listing })
}
