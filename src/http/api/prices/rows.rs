//! Rows of prices, and how they are written in each format.

use chrono::NaiveDate;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::columns::{Column, Columns};
use crate::http::respond::format::Format;
use crate::market::{Bar, DateText, Symbol};

/// One line of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// The symbol that its stock has now.
    pub symbol: Symbol,
    /// The symbol that its stock was asked for by.
    pub asked_for_by: Symbol,
    pub bar: Bar,
    pub unfinished: bool,
}

/// A daily bar as it is published.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// The trading day, at the exchange.
    #[serde(serialize_with = "iso_8601")]
    date: NaiveDate,
    /// As traded, in the stock's currency, as are `high`, `low` and `close`.
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    /// The close adjusted for splits and dividends, as of the newest one known.
    adjusted_close: f64,
    /// In shares.
    volume: i64,
}

/// Rows as JSON.
pub struct Rows<'a> {
    pub rows: &'a [Row],
    pub columns: &'a Columns,
}

struct RowOf<'a> {
    row: &'a Row,
    columns: &'a Columns,
}

struct Iso8601(NaiveDate);

/// Bytes of a row, rounded up: in JSON with all its names, in CSV.
const ROW_JSON_BYTES: usize = 160;
const ROW_CSV_BYTES: usize = 80;

/// Rows in a format that is nothing but rows; CSV with its header line where they are the first.
pub fn lines(format: Format, columns: &Columns, rows: &[Row], are_first: bool) -> Vec<u8> {
    let row_bytes = if format == Format::Csv { ROW_CSV_BYTES } else { ROW_JSON_BYTES };
    let mut out = Vec::with_capacity(rows.len() * row_bytes + ROW_JSON_BYTES);
    if format == Format::Csv && are_first {
        let mut names = String::new();
        columns.write_names(&mut names);
        out.extend_from_slice(names.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    for row in rows {
        match format {
            Format::Csv => write_csv(&mut out, columns, row),
            Format::Json | Format::Ndjson => {
                write_json(&mut out, &RowOf { row, columns });
                out.push(b'\n');
            }
        }
    }
    out
}

/// What rows take in JSON, rounded up.
pub fn json_bytes(rows: usize) -> usize {
    rows * ROW_JSON_BYTES
}

/// No value holds a comma, a quote or a line's end: nothing has to be quoted (RFC 4180).
fn write_csv(out: &mut Vec<u8>, columns: &Columns, row: &Row) {
    let bar = &row.bar;
    for (at, column) in columns.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match column {
            Column::Symbol => out.extend_from_slice(row.symbol.as_str().as_bytes()),
            Column::Date => match DateText::of(bar.date) {
                Some(text) => out.extend_from_slice(text.as_str().as_bytes()),
                None => out.extend_from_slice(bar.date.to_string().as_bytes()),
            },
            Column::Open => write_json(out, &bar.open),
            Column::High => write_json(out, &bar.high),
            Column::Low => write_json(out, &bar.low),
            Column::Close => write_json(out, &bar.close),
            Column::AdjustedClose => write_json(out, &bar.adjusted_close),
            Column::Volume => write_json(out, &bar.volume),
            Column::Unfinished => write_json(out, &row.unfinished),
        }
    }
    out.extend_from_slice(b"\r\n");
}

fn write_json(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("a row has no keys but text, so it can be written");
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(|row| RowOf { row, columns: self.columns }))
    }
}

impl Serialize for RowOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (row, bar) = (self.row, &self.row.bar);
        let mut map = serializer.serialize_map(Some(self.columns.iter().len()))?;
        for column in self.columns.iter() {
            let name = column.as_str();
            match column {
                Column::Symbol => map.serialize_entry(name, row.symbol.as_str())?,
                Column::Date => map.serialize_entry(name, &Iso8601(bar.date))?,
                Column::Open => map.serialize_entry(name, &bar.open)?,
                Column::High => map.serialize_entry(name, &bar.high)?,
                Column::Low => map.serialize_entry(name, &bar.low)?,
                Column::Close => map.serialize_entry(name, &bar.close)?,
                Column::AdjustedClose => map.serialize_entry(name, &bar.adjusted_close)?,
                Column::Volume => map.serialize_entry(name, &bar.volume)?,
                Column::Unfinished => map.serialize_entry(name, &row.unfinished)?,
            }
        }
        map.end()
    }
}

impl Serialize for Iso8601 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        iso_8601(&self.0, serializer)
    }
}

fn iso_8601<S: Serializer>(date: &NaiveDate, serializer: S) -> Result<S::Ok, S::Error> {
    match DateText::of(*date) {
        Some(text) => serializer.serialize_str(text.as_str()),
        None => date.serialize(serializer),
    }
}

impl From<Bar> for Price {
    fn from(bar: Bar) -> Self {
        let Bar { date, open, high, low, close, adjusted_close, volume } = bar;
        Self { date, open, high, low, close, adjusted_close, volume }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let date = NaiveDate::from_ymd_opt(2013, 3, 1).unwrap();
        let bar = Bar {
            date,
            open: 27.72,
            high: 27.98,
            low: 27.52,
            close: 27.95,
            adjusted_close: 23.5,
            volume: 34_849_700,
        };
        let symbol = "MSFT".parse().unwrap();
        Row { symbol, asked_for_by: symbol, bar, unfinished: true }
    }

    #[test]
    fn the_usual_row_is_the_published_bar() {
        let written =
            serde_json::to_string(&Rows { rows: &[row()], columns: &Columns::usual(false, false) })
                .unwrap();
        assert_eq!(written, serde_json::to_string(&[Price::from(row().bar)]).unwrap());
    }

    #[test]
    fn each_format_writes_the_columns_asked_for_in_their_order() {
        let columns = "volume,date,symbol,unfinished".parse().unwrap();
        let written =
            |format, first| String::from_utf8(lines(format, &columns, &[row()], first)).unwrap();
        let csv = "34849700,2013-03-01,MSFT,true\r\n";
        assert_eq!(written(Format::Csv, false), csv);
        assert_eq!(written(Format::Csv, true), format!("volume,date,symbol,unfinished\r\n{csv}"));
        let object = "{\"volume\":34849700,\"date\":\"2013-03-01\",\"symbol\":\"MSFT\",\"unfinished\":true}\n";
        assert_eq!(written(Format::Ndjson, true), object);
    }
}
