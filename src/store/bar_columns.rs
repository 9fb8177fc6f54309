//! The columns of a bar in the table `prices` and in the staging table of a load: listed once for
//! SQL, and read by name.

use chrono::NaiveDate;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::StoreError;
use crate::market::Bar;

/// The columns of a bar, separated by commas, each written by the macro `$write`. It takes the name
/// of a column and its SQL type.
macro_rules! bar_columns {
    () => {
        bar_columns!(column_name)
    };
    ($write:ident) => {
        concat!($write!("date", "date"), ", ", bar_values!($write))
    };
}

/// [`bar_columns!`] without the date, which is part of a bar's key.
macro_rules! bar_values {
    ($write:ident) => {
        concat!(
            $write!("open", "float8"),
            ", ",
            $write!("high", "float8"),
            ", ",
            $write!("low", "float8"),
            ", ",
            $write!("close", "float8"),
            ", ",
            $write!("adjusted_close", "float8"),
            ", ",
            $write!("volume", "bigint"),
        )
    };
}

/// The columns of a bar that the index of `prices` does not have. They are read only if they are
/// asked for, because each row must then be fetched from the table.
macro_rules! bar_details {
    () => {
        "vwap, trades"
    };
}

macro_rules! column_name {
    ($name:literal, $type:literal) => {
        $name
    };
}

/// All values of a column as one array, which [`bars_of_arrays`] reads.
macro_rules! as_array {
    ($name:literal, $type:literal) => {
        concat!("array_agg(", $name, ") AS ", $name)
    };
}

/// The bar in a row that has the columns of [`bar_columns!`], among others.
pub(super) fn bar(row: &Row) -> Result<Bar, StoreError> {
    Ok(Bar {
        date: row.try_get("date")?,
        open: row.try_get("open")?,
        high: row.try_get("high")?,
        low: row.try_get("low")?,
        close: row.try_get("close")?,
        adjusted_close: row.try_get("adjusted_close")?,
        volume: row.try_get("volume")?,
        vwap: None,
        trades: None,
    })
}

/// The bar in a row that has the columns of [`bar_columns!`] and of [`bar_details!`].
pub(super) fn bar_with_details(row: &Row) -> Result<Bar, StoreError> {
    Ok(Bar { vwap: row.try_get("vwap")?, trades: row.try_get("trades")?, ..bar(row)? })
}

/// The bars in a row that has an array of values in each column of [`bar_columns!`].
pub(super) fn bars_of_arrays(row: &Row) -> Result<Vec<Bar>, StoreError> {
    let dates: Vec<NaiveDate> = array(row, "date")?;
    let open: Vec<f64> = array(row, "open")?;
    let high: Vec<f64> = array(row, "high")?;
    let low: Vec<f64> = array(row, "low")?;
    let close: Vec<f64> = array(row, "close")?;
    let adjusted_close: Vec<f64> = array(row, "adjusted_close")?;
    let volume: Vec<i64> = array(row, "volume")?;
    let bar = |(n, date)| Bar {
        date,
        open: open[n],
        high: high[n],
        low: low[n],
        close: close[n],
        adjusted_close: adjusted_close[n],
        volume: volume[n],
        vwap: None,
        trades: None,
    };
    Ok(dates.into_iter().enumerate().map(bar).collect())
}

/// The array in a column. `array_agg` of no rows is null.
pub(super) fn array<'a, T: FromSql<'a>>(row: &'a Row, name: &str) -> Result<Vec<T>, StoreError> {
    Ok(row.try_get::<_, Option<Vec<T>>>(name)?.unwrap_or_default())
}
