//! Price rows, and their representation in JSON, CSV and NDJSON.

use chrono::NaiveDate;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::columns::{ColumnSelection, PriceColumn};
use crate::http::respond::format::Format;
use crate::market::{Adjust, Bar, DateText, Symbol};

/// One row of a response.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PriceRow {
    /// The current symbol of the stock.
    pub symbol: Symbol,
    /// The symbol in the request: the current one or a former one.
    pub requested_symbol: Symbol,
    pub bar: Bar,
    /// Whether the row's period may still get more bars.
    pub unfinished: bool,
    /// What the bar is adjusted for.
    pub adjust: Adjust,
}

impl PriceRow {
    /// The row of a daily bar, which is always finished.
    pub fn daily(symbol: Symbol, requested_symbol: Symbol, bar: Bar) -> Self {
        Self { symbol, requested_symbol, bar, unfinished: false, adjust: Adjust::None }
    }
}

/// A daily bar.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DailyBar)]
pub struct Price {
    /// The trading day, in the exchange's time zone.
    #[serde(serialize_with = "iso_8601")]
    date: NaiveDate,
    /// The first price. `open`, `high`, `low` and `close` are as traded, in the stock's currency.
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    /// The close adjusted for all splits and dividends in effect: as the feed has it, or computed
    /// with 10 significant digits, rounded half to even.
    adjusted_close: f64,
    /// The number of shares traded.
    volume: i64,
}

/// Rows that serialize as a JSON array of objects with the selected columns.
pub struct PriceRows<'a> {
    pub rows: &'a [PriceRow],
    pub columns: &'a ColumnSelection,
}

struct JsonRow<'a> {
    row: &'a PriceRow,
    columns: &'a ColumnSelection,
}

struct Iso8601(NaiveDate);

/// The size of a row with all columns, rounded up.
const ROW_JSON_BYTES: usize = 160;
const ROW_CSV_BYTES: usize = 80;

/// Writes rows as lines: CSV, or JSON objects for the other formats. `with_header`: whether CSV
/// starts with the header line.
pub fn lines(
    format: Format,
    columns: &ColumnSelection,
    rows: &[PriceRow],
    with_header: bool,
) -> Vec<u8> {
    let row_bytes = if format == Format::Csv { ROW_CSV_BYTES } else { ROW_JSON_BYTES };
    let mut out = Vec::with_capacity(rows.len() * row_bytes + ROW_JSON_BYTES);
    if format == Format::Csv && with_header {
        let mut names = String::new();
        columns.write_names(&mut names);
        out.extend_from_slice(names.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    for row in rows {
        match format {
            Format::Csv => write_csv(&mut out, columns, row),
            Format::Json | Format::Ndjson => {
                write_json(&mut out, &JsonRow { row, columns });
                out.push(b'\n');
            }
        }
    }
    out
}

/// The size of rows in JSON, rounded up.
pub fn json_bytes(rows: usize) -> usize {
    rows * ROW_JSON_BYTES
}

/// No value contains a comma, a quote or a line break, so none needs quotes (RFC 4180).
fn write_csv(out: &mut Vec<u8>, columns: &ColumnSelection, row: &PriceRow) {
    let bar = &row.bar;
    for (i, column) in columns.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        match column {
            PriceColumn::Symbol => out.extend_from_slice(row.symbol.as_str().as_bytes()),
            PriceColumn::Date => match DateText::of(bar.date) {
                Some(text) => out.extend_from_slice(text.as_str().as_bytes()),
                None => out.extend_from_slice(bar.date.to_string().as_bytes()),
            },
            PriceColumn::Open => write_json(out, &bar.open),
            PriceColumn::High => write_json(out, &bar.high),
            PriceColumn::Low => write_json(out, &bar.low),
            PriceColumn::Close => write_json(out, &bar.close),
            PriceColumn::AdjustedClose => write_json(out, &bar.adjusted_close),
            PriceColumn::Volume => write_json(out, &bar.volume),
            PriceColumn::Unfinished => write_json(out, &row.unfinished),
            // A missing value is an empty field.
            PriceColumn::Vwap => bar.vwap.iter().for_each(|vwap| write_json(out, vwap)),
            PriceColumn::Trades => bar.trades.iter().for_each(|trades| write_json(out, trades)),
            PriceColumn::Adjust => out.extend_from_slice(row.adjust.as_str().as_bytes()),
        }
    }
    out.extend_from_slice(b"\r\n");
}

fn write_json(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("all keys of a row are strings");
}

impl Serialize for PriceRows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(|row| JsonRow { row, columns: self.columns }))
    }
}

impl Serialize for JsonRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (row, bar) = (self.row, &self.row.bar);
        let mut map = serializer.serialize_map(Some(self.columns.iter().len()))?;
        for column in self.columns.iter() {
            let name = column.as_str();
            match column {
                PriceColumn::Symbol => map.serialize_entry(name, row.symbol.as_str())?,
                PriceColumn::Date => map.serialize_entry(name, &Iso8601(bar.date))?,
                PriceColumn::Open => map.serialize_entry(name, &bar.open)?,
                PriceColumn::High => map.serialize_entry(name, &bar.high)?,
                PriceColumn::Low => map.serialize_entry(name, &bar.low)?,
                PriceColumn::Close => map.serialize_entry(name, &bar.close)?,
                PriceColumn::AdjustedClose => map.serialize_entry(name, &bar.adjusted_close)?,
                PriceColumn::Volume => map.serialize_entry(name, &bar.volume)?,
                PriceColumn::Unfinished => map.serialize_entry(name, &row.unfinished)?,
                PriceColumn::Vwap => map.serialize_entry(name, &bar.vwap)?,
                PriceColumn::Trades => map.serialize_entry(name, &bar.trades)?,
                PriceColumn::Adjust => map.serialize_entry(name, row.adjust.as_str())?,
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
        let Bar { date, open, high, low, close, adjusted_close, volume, .. } = bar;
        Self { date, open, high, low, close, adjusted_close, volume }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> PriceRow {
        let date = NaiveDate::from_ymd_opt(2013, 3, 1).unwrap();
        let bar = Bar {
            date,
            open: 27.72,
            high: 27.98,
            low: 27.52,
            close: 27.95,
            adjusted_close: 23.5,
            volume: 34_849_700,
            vwap: Some(27.8),
            trades: None,
        };
        let symbol = "MSFT".parse().unwrap();
        PriceRow { symbol, requested_symbol: symbol, bar, unfinished: true, adjust: Adjust::None }
    }

    #[test]
    fn a_row_with_default_columns_equals_the_bar_of_a_quote() {
        let columns = &ColumnSelection::default_for(false, false, false);
        let rows = serde_json::to_string(&PriceRows { rows: &[row()], columns }).unwrap();
        assert_eq!(rows, serde_json::to_string(&[Price::from(row().bar)]).unwrap());
    }

    #[test]
    fn each_format_writes_the_selected_columns_in_their_order() {
        let columns = "volume,date,symbol,unfinished".parse().unwrap();
        let text = |format, with_header| {
            String::from_utf8(lines(format, &columns, &[row()], with_header)).unwrap()
        };
        let csv = "34849700,2013-03-01,MSFT,true\r\n";
        assert_eq!(text(Format::Csv, false), csv);
        assert_eq!(text(Format::Csv, true), format!("volume,date,symbol,unfinished\r\n{csv}"));
        let details = "trades,vwap".parse().unwrap();
        assert_eq!(lines(Format::Csv, &details, &[row()], false), b",27.8\r\n");
        let object = b"{\"trades\":null,\"vwap\":27.8}\n";
        assert_eq!(lines(Format::Ndjson, &details, &[row()], false), object);
        let object = "{\"volume\":34849700,\"date\":\"2013-03-01\",\"symbol\":\"MSFT\",\
                      \"unfinished\":true}\n";
        assert_eq!(text(Format::Ndjson, true), object);
    }
}
