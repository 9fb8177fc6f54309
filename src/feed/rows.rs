//! What a row of each kind of file must hold, and how it goes into staging.

use std::io::Write;

use chrono::NaiveDate;

use super::{Row, RowError};
use crate::market::{Action, ActionKind, Bar, Symbol};
use crate::store::{Known, KnownStock, Repeat, Table};

/// Checks a row and writes it for staging.
///
/// # Errors
/// The first thing that is wrong with the row.
pub fn check<W: Write>(
    table: Table,
    row: &Row<'_>,
    known: &Known,
    out: &mut csv::Writer<W>,
) -> Result<(), RowError> {
    match table {
        Table::Stocks => stock(row, known, out),
        Table::Prices => price(row, known, out),
        Table::Actions => action(row, known, out),
    }
}

/// How a row that repeats an earlier one is reported.
pub fn repeated(table: Table, repeat: &Repeat) -> String {
    let subject = match table {
        Table::Stocks => "symbol",
        Table::Prices => "symbol and date",
        Table::Actions => "symbol, ex_date and kind of action",
    };
    format!(
        "line {}: expected one row for each {subject}, found a duplicate of line {}",
        repeat.line, repeat.first_line
    )
}

/// Memory is all that can fail to be written to.
const TO_MEMORY: &str = "writing to memory does not fail";

fn stock<W: Write>(row: &Row<'_>, known: &Known, out: &mut csv::Writer<W>) -> Result<(), RowError> {
    let symbol = own_symbol(row, known)?;
    let exchange = row.filled("exchange")?;
    if !known.exchanges.contains(exchange) {
        let mut codes: Vec<_> = known.exchanges.iter().map(String::as_str).collect();
        codes.sort_unstable();
        let codes = codes.join(", ");
        return Err(row.error(
            "exchange",
            format!("expected a known exchange, a row of the table exchanges ({codes})"),
        ));
    }
    let currency = row.text("currency").to_ascii_uppercase();
    if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(row.error("currency", "expected an ISO 4217 code such as USD"));
    }
    let market_cap =
        if row.text("market_cap").is_empty() { None } else { Some(row.whole("market_cap")?) };
    let (name, sector, industry) =
        (row.filled("name")?, row.plain("sector")?, row.plain("industry")?);
    let line = row.line;
    out.serialize((line, symbol.as_str(), name, exchange, sector, industry, currency, market_cap))
        .expect(TO_MEMORY);
    Ok(())
}

fn price<W: Write>(row: &Row<'_>, known: &Known, out: &mut csv::Writer<W>) -> Result<(), RowError> {
    let (stock, date) = stock_on(row, known, "date")?;
    if let Some(today) = known.today.filter(|today| date > *today) {
        return Err(row.error(
            "date",
            format!("expected a day up to {today}, since later ones have not come"),
        ));
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
        volume: row.whole("volume")?,
    };
    bar.check().map_err(|error| row.error(error.column, error.expected))?;
    out.serialize((
        row.line,
        stock.id,
        bar.date,
        bar.open,
        bar.high,
        bar.low,
        bar.close,
        adjusted_close,
        bar.volume,
    ))
    .expect(TO_MEMORY);
    Ok(())
}

fn action<W: Write>(
    row: &Row<'_>,
    known: &Known,
    out: &mut csv::Writer<W>,
) -> Result<(), RowError> {
    let (stock, ex_date) = stock_on(row, known, "ex_date")?;
    let action = Action { ex_date, kind: action_kind(row)? };
    let (kind, from, to, dividend) = match action.kind {
        ActionKind::Split { from, to } => ("split", Some(from), Some(to), None),
        ActionKind::Dividend(dividend) => ("dividend", None, None, Some(dividend)),
    };
    out.serialize((row.line, stock.id, action.ex_date, kind, from, to, dividend)).expect(TO_MEMORY);
    Ok(())
}

fn action_kind(row: &Row<'_>) -> Result<ActionKind, RowError> {
    let (from, to) = (row.number_if_any("split_from")?, row.number_if_any("split_to")?);
    match (from, to, row.number_if_any("dividend")?) {
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

/// The stock that a row is about, and the day in `column`. Where its symbol is a former one of the
/// stock, the day has to be one on which the stock had it: later ones may be another company's.
fn stock_on(
    row: &Row<'_>,
    known: &Known,
    column: &'static str,
) -> Result<(KnownStock, NaiveDate), RowError> {
    let symbol = row.symbol("symbol")?;
    let unknown =
        || row.error("symbol", "expected a known symbol (ingest its row of stocks first)");
    let (stock, day) = (*known.stocks.get(&symbol).ok_or_else(unknown)?, row.date(column)?);
    if let Some(since) = known.free_since.get(&symbol).filter(|since| day < **since) {
        let expected =
            format!("expected a day from {since} on, before which {symbol} was another company's");
        return Err(row.error(column, expected));
    }
    match known.former.get(&symbol) {
        Some(former) if day >= former.replaced_on => {
            let (since, now) = (former.replaced_on, stock.symbol);
            let expected = format!(
                "expected a day before {since}, from which {symbol} is {now} (write {now}, or ingest stocks --reuse {symbol})"
            );
            Err(row.error(column, expected))
        }
        _ => Ok((stock, day)),
    }
}

/// The symbol of the stock that a row of stocks is about. Under a former one it has to be called
/// what it is called here: another company may have the symbol by now.
fn own_symbol(row: &Row<'_>, known: &Known) -> Result<Symbol, RowError> {
    let symbol = row.symbol("symbol")?;
    let own = known.stocks.get(&symbol).map_or(symbol, |stock| stock.symbol);
    match known.former.get(&symbol) {
        Some(former) if former.name != row.text("name") => {
            let name = &former.name;
            let expected = format!(
                "expected {name:?}, the name of {own}, which was {symbol} (--reuse {symbol} for another company)"
            );
            Err(row.error("name", expected))
        }
        _ => Ok(own),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{FeedError, Reader, Source, columns};
    use proptest::prelude::*;

    fn open(text: &str) -> Result<Reader, FeedError> {
        let raw = Box::new(std::io::Cursor::new(text.to_owned()));
        Reader::open(
            Source { name: "prices.csv".to_owned(), length_bytes: None, raw },
            columns(Table::Prices),
            None,
        )
    }

    /// Reads a file of prices of AAPL and returns what staging gets and what is wrong.
    fn read(text: &str) -> (String, Vec<String>) {
        let symbol = "AAPL".parse().unwrap();
        let stock =
            KnownStock { id: 7, symbol, delisted_on: crate::market::parse_date("2030-01-02") };
        let known = Known { stocks: [(symbol, stock)].into(), ..Known::default() };
        let mut reader = open(text).unwrap();
        let (mut out, mut errors) =
            (csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new()), Vec::new());
        while let Some(row) = reader.next_row().unwrap() {
            if let Err(error) = check(Table::Prices, &row, &known, &mut out) {
                errors.push(error.to_string());
            }
        }
        (String::from_utf8(out.into_inner().unwrap()).unwrap(), errors)
    }

    const HEADER: &str = "symbol,date,open,high,low,close,volume,adjusted_close\n";

    #[test]
    fn a_good_row_goes_to_staging_digit_for_digit() {
        let (staged, errors) = read(&format!(
            "{HEADER}aapl,2000-03-01,118.56,132.06,118.5,130.31,9616100,4.186662803811\n"
        ));
        assert_eq!(staged, "2,7,2000-03-01,118.56,132.06,118.5,130.31,4.186662803811,9616100\n");
        assert!(errors.is_empty(), "{errors:?}");
    }

    #[test]
    fn a_file_without_adjusted_closes_leaves_them_open() {
        let (staged, errors) =
            read("date,close,low,high,open,volume,ticker\n2000-03-01,1.5,1,2,1,5,AAPL\n");
        assert_eq!(staged, "2,7,2000-03-01,1.0,2.0,1.0,1.5,,5\n");
        assert!(errors.is_empty(), "{errors:?}");
    }

    #[test]
    fn each_bad_value_is_named_by_line_and_column() {
        let rows = [
            ("AAPL,2000-03-01,x,2,1,1,5,1", "line 2, column open: expected a number, found \"x\""),
            (
                "AAPL,2000-02-30,1,2,1,1,5,1",
                "line 3, column date: expected a date as YYYY-MM-DD, found \"2000-02-30\"",
            ),
            (
                "MSFT,2000-03-01,1,2,1,1,5,1",
                "line 4, column symbol: expected a known symbol (ingest its row of stocks first), found \"MSFT\"",
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
                "line 9, column date: expected no day after 2030-01-02, on which AAPL was delisted (tickerd stocks relist), found \"2030-01-03\"",
            ),
        ];
        let lines: Vec<_> = rows.iter().map(|(row, _)| *row).collect();
        let (staged, errors) = read(&format!("{HEADER}{}\n", lines.join("\n")));
        assert_eq!(errors, rows.map(|(_, error)| error));
        assert_eq!(staged, "");
    }

    #[test]
    fn lines_are_counted_alike_however_they_end() {
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
    fn a_missing_column_and_a_short_line_are_named() {
        let error = open("symbol,date\nAAPL,2000-03-01\n").err().unwrap().to_string();
        assert!(error.starts_with("prices.csv lacks the column open"), "{error}");
        let mut reader = open(&format!("{HEADER}AAPL,2000-03-01\n")).unwrap();
        let error = reader.next_row().err().unwrap().to_string();
        assert_eq!(error, "prices.csv line 2 is no CSV: expected 8 fields, found 2");
    }

    /// A price as a feed may write it.
    fn price() -> impl Strategy<Value = String> {
        (1u32..100_000_000, 0usize..5).prop_map(|(cents, decimals)| {
            format!("{:.*}", decimals.max(2), f64::from(cents) / 100.0)
        })
    }

    proptest! {
        #[test]
        fn a_row_of_prices_goes_to_staging_with_the_numbers_that_it_has(
            prices in prop::collection::vec(price(), 4), volume in 0u32.., zeros in prop::option::of("0{0,3}"), columns in Just(vec![0usize, 1, 2, 3, 4, 5, 6]).prop_shuffle()
        ) {
            let mut sorted = prices;
            sorted.sort_by(|a, b| a.parse::<f64>().unwrap().total_cmp(&b.parse().unwrap()));
            let [low, open, close, high] = [0, 1, 2, 3].map(|at| sorted[at].clone());
            let written = zeros.map_or(volume.to_string(), |zeros| format!("{volume}.{zeros}"));
            let fields = ["AAPL".to_owned(), "2000-03-01".to_owned(), open, high, low, close, written];
            let names = ["symbol", "date", "open", "high", "low", "close", "volume"];
            let line = |of: &dyn Fn(usize) -> String| columns.iter().map(|at| of(*at)).collect::<Vec<_>>().join(",");
            let (staged, errors) = read(&format!("{}\n{}\n", line(&|at| names[at].to_owned()), line(&|at| fields[at].clone())));
            prop_assert!(errors.is_empty(), "{errors:?}");
            let staged: Vec<_> = staged.trim_end().split(',').collect();
            for (at, field) in [(3, 2), (4, 3), (5, 4), (6, 5)] {
                prop_assert_eq!(staged[at].parse::<f64>(), fields[field].parse::<f64>());
            }
            prop_assert_eq!(staged[8], volume.to_string());
        }

        #[test]
        fn a_fault_names_a_place_in_the_file_and_what_is_there(field in "[^,\"\r\n]{0,50}|[-+.0-9eE]{1,8}", at in 0usize..8) {
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
        fn any_file_of_any_kind_is_read_to_its_end_or_refused_without_a_panic(file in prop::collection::vec(any::<u8>(), 0..200), rows in "([A-Z0-9.,\"-]{0,12}\n?){0,9}") {
            let headers = ["symbol,name,exchange,currency\n", HEADER, "symbol,ex_date,split_from,split_to,dividend\n"];
            for (table, header) in [Table::Stocks, Table::Prices, Table::Actions].into_iter().zip(headers) {
                for text in [file.clone(), format!("{header}{rows}").into_bytes()] {
                    let raw = Box::new(std::io::Cursor::new(text));
                    let source = Source { name: "file.csv".to_owned(), length_bytes: None, raw };
                    let mut out = csv::Writer::from_writer(Vec::new());
                    let Ok(mut reader) = Reader::open(source, columns(table), None) else { continue };
                    while let Ok(Some(row)) = reader.next_row() {
                        let _ = check(table, &row, &Known::default(), &mut out);
                    }
                }
            }
        }
    }
}
