use super::*;
use crate::feed::columns::columns;
use crate::feed::error::FeedError;
use crate::feed::reader::{FeedReader, FileHints};
use crate::feed::source::Source;
use crate::market::Calendar;
use crate::store::StagedRows;
use proptest::prelude::*;
use tokio_postgres::types::{FromSql, Type};

fn open(text: &str) -> Result<FeedReader, FeedError> {
    let raw = Box::new(std::io::Cursor::new(text.to_owned()));
    FeedReader::open(
        Source { name: "prices.csv".to_owned(), length_bytes: None, raw },
        columns(Table::Prices),
        FileHints::default(),
    )
}

/// The rows of a staging table of prices, as text.
fn as_csv(rows: &StagedRows) -> String {
    let whole = |value: &[u8]| i64::from_sql(&Type::INT8, value).unwrap().to_string();
    let number = |value: &[u8]| f64::from_sql(&Type::FLOAT8, value).unwrap().to_string();
    let text = |(column, value): (usize, Option<&[u8]>)| match (column, value) {
        (_, None) => String::new(),
        (0 | 8 | 10, Some(value)) => whole(value),
        (1, Some(value)) => i32::from_sql(&Type::INT4, value).unwrap().to_string(),
        (2, Some(value)) => NaiveDate::from_sql(&Type::DATE, value).unwrap().to_string(),
        (_, Some(value)) => number(value),
    };
    let row = |row: Vec<Option<&[u8]>>| {
        let texts: Vec<_> = row.into_iter().enumerate().map(text).collect();
        texts.join(",") + "\n"
    };
    rows.rows().into_iter().map(row).collect()
}

/// Reads a file of prices of AAPL. Returns the staged rows and the errors.
fn read(text: &str) -> (String, Vec<String>) {
    let symbol = "AAPL".parse().unwrap();
    let stock = KnownStock {
        id: 7,
        symbol,
        zone: chrono_tz::America::New_York,
        may_be_in_us: true,
        delisted_on: crate::market::parse_date("2030-01-02"),
        calendar: Calendar::of("NASDAQ"),
    };
    let reference = ReferenceData { stocks: [(symbol, stock)].into(), ..ReferenceData::default() };
    let mut reader = open(text).unwrap();
    let mut out = StagedRows::new(Table::Prices);
    let mut errors = Vec::new();
    while let Some(row) = reader.next_row().unwrap() {
        if let Err(error) = stage(Table::Prices, &row, &reference, &mut out) {
            errors.push(error.to_string());
        }
    }
    (as_csv(&out), errors)
}

const HEADER: &str = "symbol,date,open,high,low,close,volume,adjusted_close\n";

#[test]
fn a_valid_row_is_staged_with_all_of_its_digits() {
    let (staged, errors) = read(&format!(
        "{HEADER}aapl,2000-03-01,118.56,132.06,118.5,130.31,9616100,4.186662803811\n"
    ));
    assert_eq!(staged, "2,7,2000-03-01,118.56,132.06,118.5,130.31,4.186662803811,9616100,,\n");
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn a_file_without_adjusted_closes_stages_empty_ones() {
    let (staged, errors) =
        read("date,close,low,high,open,volume,ticker\n2000-03-01,1.5,1,2,1,5,AAPL\n");
    assert_eq!(staged, "2,7,2000-03-01,1,2,1,1.5,,5,,\n");
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
        ("AAPL,2000-03-01,1,inf,1,1,5,1", "line 6, column high: expected a number, found \"inf\""),
        (
            "AAPL,2000-03-01,1,2,1,1,-5,1",
            "line 7, column volume: expected a whole number of 0 or more, found \"-5\"",
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
    let rows =
        format!("{HEADER}AAPL,x,1,2,1,1,5,1\nAAPL,2000-03-01,1,2,1,1,5,1\nAAPL,y,1,2,1,1,5,1\n");
    let (staged, errors) = read(&rows);
    assert!(errors[0].starts_with("line 2, ") && errors[1].starts_with("line 4, "), "{errors:?}");
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
    (1u32..100_000_000, 0usize..5)
        .prop_map(|(cents, decimals)| format!("{:.*}", decimals.max(2), f64::from(cents) / 100.0))
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
                let mut out = StagedRows::new(table);
                let reader = FeedReader::open(source, columns(table), FileHints::default());
                let Ok(mut reader) = reader else { continue };
                while let Ok(Some(row)) = reader.next_row() {
                    let _ = stage(table, &row, &reference, &mut out);
                }
            }
        }
    }
}
