//! Bars of weeks or months in the place of bars of days.
//!
//! A stock that trades seldom has sparse bars as well, but not in this order: one bar a week on the
//! first two or the last two days, or one a month at its beginning or its end, and hardly a week or
//! month without one. By chance, ten such weeks or six such months occur in about one of a million
//! stocks that trade on one day in five.

use tokio_postgres::Row;

use super::{LoadError, LoadRejection, Loader, LongBars, LongPeriod, Table};
use crate::store::StoreError;

/// Stocks with fewer staged bars are not judged.
const BARS_JUDGED_MIN: i64 = 5;
/// The average days between the bars of weeks are 7, and between those of days 1.5.
const SPARSE_FROM_DAYS: i64 = 5;

/// The bars that prove weeks, without the newest one: it may be of an unfinished week.
const WEEKS_MIN: i64 = 10;
const MONTHS_MIN: i64 = 6;
/// One in so many may lack, or lie on another day: holidays move bars.
const EXCEPTION_IN: i64 = 10;
/// The days at the beginning and at the end of a month on which its bar may lie.
const EDGE_DAYS: i64 = 4;

impl Loader {
    /// Rejects stocks whose staged bars are unmistakably those of weeks or months.
    pub(super) async fn check_periods(&self, keeps_sparse_bars: bool) -> Result<(), LoadError> {
        if self.table != Table::Prices || keeps_sparse_bars {
            return Ok(());
        }
        // Most files have none, and need no look at their bars.
        if self.sparse_stocks().await? == 0 {
            return Ok(());
        }
        match self.long_bars().await? {
            stocks if stocks.is_empty() => Ok(()),
            stocks => Err(LoadRejection::LongPeriods(stocks).into()),
        }
    }

    async fn long_bars(&self) -> Result<Vec<LongBars>, StoreError> {
        let sql = format!(
            "WITH sparse AS (
                 SELECT stock_id, last FROM staged
                 WHERE rows > {MONTHS_MIN} AND last - first >= {SPARSE_FROM_DAYS} * (rows - 1)),
             days AS (
                 SELECT DISTINCT stock_id, date, extract(isodow FROM date)::int AS weekday,
                        extract(day FROM date)::int AS day,
                        (date_trunc('month', date::timestamp) + interval '1 month')::date
                            - date AS days_left,
                        (extract(year FROM date) * 12 + extract(month FROM date))::int AS month
                 FROM staging JOIN sparse USING (stock_id) WHERE date < sparse.last),
             counts AS (
                 SELECT stock_id, count(*) AS bars, min(date) AS first, max(date) AS last,
                        count(DISTINCT date - weekday) AS weeks,
                        (max(date - weekday) - min(date - weekday)) / 7 + 1 AS week_span,
                        greatest(count(*) FILTER (WHERE weekday IN (1, 2)),
                                 count(*) FILTER (WHERE weekday IN (4, 5)),
                                 count(*) FILTER (WHERE weekday = 3),
                                 count(*) FILTER (WHERE weekday = 6),
                                 count(*) FILTER (WHERE weekday = 7)) AS on_weekdays,
                        count(DISTINCT month) AS months,
                        max(month) - min(month) + 1 AS month_span,
                        greatest(count(*) FILTER (WHERE day <= {EDGE_DAYS}),
                                 count(*) FILTER (WHERE days_left <= {EDGE_DAYS})) AS on_edges
                 FROM days GROUP BY stock_id),
             judged AS (
                 SELECT *, bars >= {WEEKS_MIN} AND weeks = bars
                           AND (week_span - bars) * {EXCEPTION_IN} <= bars
                           AND (bars - on_weekdays) * {EXCEPTION_IN} <= bars AS are_weeks,
                        bars >= {MONTHS_MIN} AND months = bars
                           AND (month_span - bars) * {EXCEPTION_IN} <= bars
                           AND (bars - on_edges) * {EXCEPTION_IN} <= bars AS are_months
                 FROM counts)
             SELECT s.symbol, are_weeks, bars, first, last
             FROM judged JOIN stocks s ON s.id = stock_id
             WHERE are_weeks OR are_months ORDER BY s.symbol"
        );
        self.client.query(&sql, &[]).await?.iter().map(long_bars).collect()
    }

    /// The number of staged stocks whose bars are as far apart as those of weeks or months.
    pub(super) async fn sparse_stocks(&self) -> Result<i64, StoreError> {
        if self.table != Table::Prices {
            return Ok(0);
        }
        let sql = format!(
            "SELECT count(*) AS stocks FROM staged WHERE rows >= {BARS_JUDGED_MIN}
             AND last - first >= {SPARSE_FROM_DAYS} * (rows - 1)"
        );
        Ok(self.client.query_one(&sql, &[]).await?.try_get("stocks")?)
    }
}

fn long_bars(row: &Row) -> Result<LongBars, StoreError> {
    let are_weeks = row.try_get("are_weeks")?;
    Ok(LongBars {
        symbol: row.try_get("symbol")?,
        period: if are_weeks { LongPeriod::Week } else { LongPeriod::Month },
        bars: row.try_get("bars")?,
        first: row.try_get("first")?,
        last: row.try_get("last")?,
    })
}
