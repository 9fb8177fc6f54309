//! Checks the rows of each kind of file, and writes the valid ones for the staging table.

use std::io::Write;

use chrono::NaiveDate;

use super::error::RowError;
use super::row::FeedRow;
use crate::market::{Action, ActionKind, Bar, Symbol};
use crate::store::{DuplicateRow, KnownStock, ReferenceData, Table};

/// Checks a row and writes it in the columns of the staging table.
///
/// # Errors
/// The first invalid value of the row.
pub fn stage<W: Write>(
    table: Table,
    row: &FeedRow<'_>,
    reference: &ReferenceData,
    out: &mut csv::Writer<W>,
) -> Result<(), RowError> {
    match table {
        Table::Stocks => stage_stock(row, reference, out),
        Table::Prices => stage_price(row, reference, out),
        Table::Actions => stage_action(row, reference, out),
    }
}

/// The message for a row that repeats the key of an earlier one.
pub fn describe_duplicate(table: Table, row: &DuplicateRow) -> String {
    let key = match table {
        Table::Stocks => "symbol",
        Table::Prices => "symbol and date",
        Table::Actions => "symbol, ex_date and kind of action",
    };
    let DuplicateRow { line, first_line } = row;
    format!("line {line}: expected one row for each {key}, found a duplicate of line {first_line}")
}

const WRITES_TO_MEMORY: &str = "writing to memory does not fail";

fn stage_stock<W: Write>(
    row: &FeedRow<'_>,
    reference: &ReferenceData,
    out: &mut csv::Writer<W>,
) -> Result<(), RowError> {
    let symbol = current_symbol(row, reference)?;
    let exchange = row.required_text("exchange")?;
    if !reference.exchanges.contains(exchange) {
        let mut codes: Vec<_> = reference.exchanges.iter().map(String::as_str).collect();
        codes.sort_unstable();
        let codes = codes.join(", ");
        let expected = format!("expected a known exchange, a row of the table exchanges ({codes})");
        return Err(row.error("exchange", expected));
    }
    let currency = row.text("currency").to_ascii_uppercase();
    if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(row.error("currency", "expected an ISO 4217 code such as USD"));
    }
    let market_cap = match row.text("market_cap") {
        "" => None,
        _ => Some(row.whole_number("market_cap")?),
    };
    out.serialize((
        row.line,
        symbol.as_str(),
        row.required_text("name")?,
        exchange,
        row.optional_text("sector")?,
        row.optional_text("industry")?,
        currency,
        market_cap,
    ))
    .expect(WRITES_TO_MEMORY);
    Ok(())
}

fn stage_price<W: Write>(
    row: &FeedRow<'_>,
    reference: &ReferenceData,
    out: &mut csv::Writer<W>,
) -> Result<(), RowError> {
    let (stock, date) = stock_on(row, reference, "date")?;
    if let Some(today) = reference.today.filter(|today| date > *today) {
        let expected =
            format!("expected a day up to {today}, because later ones are in the future");
        return Err(row.error("date", expected));
    }
    if let Some(last) = stock.delisted_on.filter(|last| date > *last) {
        let symbol = stock.symbol;
        let expected = format!(
            "expected no day after {last}, on which {symbol} was delisted (tickerd stocks relist)"
        );
        return Err(row.error("date", expected));
    }
    let adjusted_close =
        if row.has("adjusted_close") { Some(row.number("adjusted_close")?) } else { None };
    let close = row.number("close")?;
    let bar = Bar {
        date,
        open: row.number("open")?,
        high: row.number("high")?,
        low: row.number("low")?,
        close,
        adjusted_close: adjusted_close.unwrap_or(close),
        volume: row.whole_number("volume")?,
    };
    bar.check().map_err(|error| row.error(error.column, error.expected))?;
    let Bar { date, open, high, low, close, volume, .. } = bar;
    out.serialize((row.line, stock.id, date, open, high, low, close, adjusted_close, volume))
        .expect(WRITES_TO_MEMORY);
    Ok(())
}

fn stage_action<W: Write>(
    row: &FeedRow<'_>,
    reference: &ReferenceData,
    out: &mut csv::Writer<W>,
) -> Result<(), RowError> {
    let (stock, ex_date) = stock_on(row, reference, "ex_date")?;
    let action = Action { ex_date, kind: action_kind(row)? };
    let (kind, from, to, dividend) = match action.kind {
        ActionKind::Split { from, to } => ("split", Some(from), Some(to), None),
        ActionKind::Dividend(dividend) => ("dividend", None, None, Some(dividend)),
    };
    out.serialize((row.line, stock.id, action.ex_date, kind, from, to, dividend))
        .expect(WRITES_TO_MEMORY);
    Ok(())
}

fn action_kind(row: &FeedRow<'_>) -> Result<ActionKind, RowError> {
    let from = row.optional_number("split_from")?;
    let to = row.optional_number("split_to")?;
    match (from, to, row.optional_number("dividend")?) {
        (Some(from), Some(to), None) if from > 0.0 && to > 0.0 => {
            Ok(ActionKind::Split { from, to })
        }
        (None, None, Some(dividend)) if dividend > 0.0 => Ok(ActionKind::Dividend(dividend)),
        (None, None, _) => {
            Err(row.error("dividend", "expected a dividend above 0, or split_from and split_to"))
        }
        (Some(_), Some(_), Some(_)) => {
            Err(row.error("dividend", "expected none beside a split: give it a row of its own"))
        }
        _ => Err(row.error("split_to", "expected split_from and split_to, both above 0")),
    }
}

/// The stock of a row, and the day in `column`. Under a former symbol only days on which the stock
/// had that symbol are accepted: later ones may be another company's.
fn stock_on(
    row: &FeedRow<'_>,
    reference: &ReferenceData,
    column: &'static str,
) -> Result<(KnownStock, NaiveDate), RowError> {
    let symbol = row.symbol("symbol")?;
    let Some(stock) = reference.stocks.get(&symbol).copied() else {
        let expected = "expected a known symbol (ingest its row of stocks first)";
        return Err(row.error("symbol", expected));
    };
    let day = row.date(column)?;
    if let Some(since) = reference.free_since.get(&symbol).filter(|since| day < **since) {
        let expected =
            format!("expected a day from {since} on, before which {symbol} was another company's");
        return Err(row.error(column, expected));
    }
    let inherited = reference.inherited.get(&symbol);
    if let Some(inherited) = inherited.filter(|inherited| day >= inherited.replaced_on) {
        let since = inherited.replaced_on;
        let now = stock.symbol;
        let expected = format!(
            "expected a day before {since}, from which {symbol} is {now} (write {now}, or ingest \
             stocks --reuse {symbol})"
        );
        return Err(row.error(column, expected));
    }
    Ok((stock, day))
}

/// The current symbol of the stock in a row of stocks. Under a former symbol the row must have the
/// stored name of the stock: another company may have the symbol by now.
fn current_symbol(row: &FeedRow<'_>, reference: &ReferenceData) -> Result<Symbol, RowError> {
    let symbol = row.symbol("symbol")?;
    let current = reference.stocks.get(&symbol).map_or(symbol, |stock| stock.symbol);
    match reference.inherited.get(&symbol) {
        Some(inherited) if inherited.name != row.text("name") => {
            let name = &inherited.name;
            let expected = format!(
                "expected {name:?}, the name of {current}, which was {symbol} (--reuse {symbol} \
                 for another company)"
            );
            Err(row.error("name", expected))
        }
        _ => Ok(current),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::columns::columns;
    use crate::feed::error::FeedError;
    use crate::feed::reader::{CsvReader, Source};
    use proptest::prelude::*;

    fn open(text: &str) -> Result<CsvReader, FeedError> {
        let raw = Box::new(std::io::Cursor::new(text.to_owned()));
        CsvReader::open(
            Source { name: "prices.csv".to_owned(), length_bytes: None, raw },
            columns(Table::Prices),
            None,
        )
    }

    /// Reads a file of prices of AAPL. Returns the staged rows and the errors.
    fn read(text: &str) -> (String, Vec<String>) {
        let symbol = "AAPL".parse().unwrap();
        let stock =
            KnownStock { id: 7, symbol, delisted_on: crate::market::parse_date("2030-01-02") };
        let reference =
            ReferenceData { stocks: [(symbol, stock)].into(), ..ReferenceData::default() };
        let mut reader = open(text).unwrap();
        let mut out = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        let mut errors = Vec::new();
        while let Some(row) = reader.next_row().unwrap() {
            if let Err(error) = stage(Table::Prices, &row, &reference, &mut out) {
                errors.push(error.to_string());
            }
        }
        (String::from_utf8(out.into_inner().unwrap()).unwrap(), errors)
    }

    const HEADER: &str = "symbol,date,open,high,low,close,volume,adjusted_close\n";

    #[test]
    fn a_valid_row_is_staged_with_all_of_its_digits() {
        let (staged, errors) = read(&format!(
            "{HEADER}aapl,2000-03-01,118.56,132.06,118.5,130.31,9616100,4.186662803811\n"
        ));
        assert_eq!(staged, "2,7,2000-03-01,118.56,132.06,118.5,130.31,4.186662803811,9616100\n");
        assert!(errors.is_empty(), "{errors:?}");
    }

    #[test]
    fn a_file_without_adjusted_closes_stages_empty_ones() {
        let (staged, errors) =
            read("date,close,low,high,open,volume,ticker\n2000-03-01,1.5,1,2,1,5,AAPL\n");
        assert_eq!(staged, "2,7,2000-03-01,1.0,2.0,1.0,1.5,,5\n");
        assert!(errors.is_empty(), "{errors:?}");
    }

    #[test]
    fn each_invalid_value_is_reported_with_line_and_column() {
        let rows = [
            ("AAPL,2000-03-01,x,2,1,1,5,1", "line 2, column open: expected a number, found \"x\""),
            (
                "AAPL,2000-02-30,1,2,1,1,5,1",
                "line 3, column date: expected a date as YYYY-MM-DD, found \"2000-02-30\"",
            ),
            (
                "MSFT,2000-03-01,1,2,1,1,5,1",
                "line 4, column symbol: expected a known symbol (ingest its row of stocks first), \
                 found \"MSFT\"",
            ),
            (
                "AAPL,2000-03-01,1,2,3,2,5,1",
                "line 5, column low: expected low to be at most high, found \"3\"",
            ),
            (
                "AAPL,2000-03-01,1,inf,1,1,5,1",
                "line 6, column high: expected a number, found \"inf\"",
            ),
            (
                "AAPL,2000-03-01,1,2,1,1,5.5,1",
                "line 7, column volume: expected a whole number of 0 or more, found \"5.5\"",
            ),
            (
                "AAPL,2000-03-01,1,2,1,1,5,",
                "line 8, column adjusted_close: expected a number, found \"\"",
            ),
            (
                "AAPL,2030-01-03,1,2,1,1,5,1",
                "line 9, column date: expected no day after 2030-01-02, on which AAPL was delisted \
                 (tickerd stocks relist), found \"2030-01-03\"",
            ),
        ];
        let lines: Vec<_> = rows.iter().map(|(row, _)| *row).collect();
        let (staged, errors) = read(&format!("{HEADER}{}\n", lines.join("\n")));
        assert_eq!(errors, rows.map(|(_, error)| error));
        assert_eq!(staged, "");
    }

    #[test]
    fn lines_are_counted_the_same_for_every_line_end() {
        let rows = format!(
            "{HEADER}AAPL,x,1,2,1,1,5,1\nAAPL,2000-03-01,1,2,1,1,5,1\nAAPL,y,1,2,1,1,5,1\n"
        );
        let (staged, errors) = read(&rows);
        assert!(
            errors[0].starts_with("line 2, ") && errors[1].starts_with("line 4, "),
            "{errors:?}"
        );
        assert!(staged.starts_with("3,7,"), "{staged}");
        for newline in ["\r\n", "\r"] {
            assert_eq!(read(&rows.replace('\n', newline)), (staged.clone(), errors.clone()));
        }
    }

    #[test]
    fn a_missing_column_and_a_short_line_are_reported() {
        let error = open("symbol,date\nAAPL,2000-03-01\n").err().unwrap().to_string();
        assert!(error.starts_with("prices.csv lacks the column open"), "{error}");
        let mut reader = open(&format!("{HEADER}AAPL,2000-03-01\n")).unwrap();
        let error = reader.next_row().err().unwrap().to_string();
        assert_eq!(error, "prices.csv line 2 is not CSV: expected 8 fields, found 2");
    }

    /// A price, written as a feed may write it.
    fn price() -> impl Strategy<Value = String> {
        (1u32..100_000_000, 0usize..5).prop_map(|(cents, decimals)| {
            format!("{:.*}", decimals.max(2), f64::from(cents) / 100.0)
        })
    }

    proptest! {
        #[test]
        fn a_row_of_prices_is_staged_with_its_numbers_unchanged(
            prices in prop::collection::vec(price(), 4),
            volume in 0u32..,
            zeros in prop::option::of("0{0,3}"),
            columns in Just(vec![0usize, 1, 2, 3, 4, 5, 6]).prop_shuffle()
        ) {
            let mut sorted = prices;
            sorted.sort_by(|a, b| a.parse::<f64>().unwrap().total_cmp(&b.parse().unwrap()));
            let [low, open, close, high] = [0, 1, 2, 3].map(|at| sorted[at].clone());
            let written = zeros.map_or(volume.to_string(), |zeros| format!("{volume}.{zeros}"));
            let names = ["symbol", "date", "open", "high", "low", "close", "volume"];
            let fields = ["AAPL", "2000-03-01", &open, &high, &low, &close, &written];
            let line = |of: [&str; 7]| {
                columns.iter().map(|at| of[*at]).collect::<Vec<_>>().join(",")
            };
            let (staged, errors) = read(&format!("{}\n{}\n", line(names), line(fields)));
            prop_assert!(errors.is_empty(), "{errors:?}");
            let staged: Vec<_> = staged.trim_end().split(',').collect();
            for (at, field) in [(3, 2), (4, 3), (5, 4), (6, 5)] {
                prop_assert_eq!(staged[at].parse::<f64>(), fields[field].parse::<f64>());
            }
            prop_assert_eq!(staged[8], volume.to_string());
        }

        #[test]
        fn an_error_names_the_position_and_the_expected_value(
            field in "[^,\"\r\n]{0,50}|[-+.0-9eE]{1,8}", at in 0usize..8
        ) {
            let mut fields = ["AAPL", "2000-03-01", "1", "2", "1", "1", "5", "1"];
            fields[at] = &field;
            let (staged, errors) = read(&format!("{HEADER}{}\n", fields.join(",")));
            prop_assert_eq!(staged.is_empty(), errors.len() == 1, "{:?}", errors);
            for error in errors {
                prop_assert!(error.starts_with("line 2, column "), "{error}");
                prop_assert!(error.contains(": expected "), "{error}");
            }
        }

        #[test]
        fn reading_any_file_of_any_kind_does_not_panic(
            file in prop::collection::vec(any::<u8>(), 0..200),
            rows in "([A-Z0-9.,\"-]{0,12}\n?){0,9}"
        ) {
            let reference = ReferenceData::default();
            for (table, header) in [
                (Table::Stocks, "symbol,name,exchange,currency\n"),
                (Table::Prices, HEADER),
                (Table::Actions, "symbol,ex_date,split_from,split_to,dividend\n"),
            ] {
                for text in [file.clone(), format!("{header}{rows}").into_bytes()] {
                    let raw = Box::new(std::io::Cursor::new(text));
                    let source = Source { name: "file.csv".to_owned(), length_bytes: None, raw };
                    let mut out = csv::Writer::from_writer(Vec::new());
                    let Ok(mut reader) = CsvReader::open(source, columns(table), None) else {
                        continue;
                    };
                    while let Ok(Some(row)) = reader.next_row() {
                        let _ = stage(table, &row, &reference, &mut out);
                    }
                }
            }
        }
    }
}
