use super::*;
use crate::feed::columns::columns;
use crate::store::Table;

fn open(text: impl Into<Vec<u8>>) -> Result<FeedReader, FeedError> {
    let raw = Box::new(std::io::Cursor::new(text.into()));
    let source = Source { name: "x".to_owned(), length_bytes: None, raw };
    FeedReader::open(source, columns(Table::Prices), FileHints::default())
}

/// The fields of all rows under these columns, or the first error.
fn rows(text: &str, columns: &[&'static str]) -> Result<Vec<String>, String> {
    let mut reader = open(text).map_err(|error| error.to_string())?;
    let mut rows = Vec::new();
    while let Some(row) = reader.next_row().map_err(|error| error.to_string())? {
        let fields: Vec<_> = columns.iter().map(|column| row.text(column)).collect();
        rows.push(format!("{}: {}", row.line, fields.join(" ")));
    }
    Ok(rows)
}

const HEADER: &str = "symbol,date,open,high,low,close,volume";

#[test]
fn a_quote_that_is_left_open_does_not_read_the_whole_file() {
    let rows = "AAPL,2013-03-01,1,9,1,7,5,1\n".repeat(100_000);
    let text = format!("symbol,date,open,high,low,close,volume,adjusted_close\n\"{rows}");
    let mut reader = open(text).unwrap();
    let error = reader.next_row().err().unwrap();
    assert!(matches!(error, FeedError::RowTooLong { line: 2, .. }), "{error}");
}

#[test]
fn the_order_of_day_and_month_is_that_which_all_dates_fit() {
    let file = |dates: &[&str]| {
        let rows: Vec<_> = dates.iter().map(|date| format!("AAPL,{date},1,2,1,1,5")).collect();
        open(format!("{HEADER}\n{}\n", rows.join("\n")))
    };
    let order = |dates: &[&str]| file(dates).map(|reader| reader.date_order);
    assert_eq!(order(&["07/08/2025", "07/15/2025"]).unwrap(), Some(DateOrder::Mdy));
    assert_eq!(order(&["08.07.2025", "15.07.2025"]).unwrap(), Some(DateOrder::Dmy));
    assert_eq!(order(&["2025-07-08"]).unwrap(), None);
    // Both orders give the same days.
    assert_eq!(order(&["07/07/2025"]).unwrap(), Some(DateOrder::Mdy));
    let error = order(&["07/07/2025", "07/08/2025"]).unwrap_err().to_string();
    assert!(error.contains("(\"07/08/2025\")") && error.contains("--dates mdy"), "{error}");
    let mut reader = file(&["07/08/2025", "07/15/2025", "07/16/2025"]).unwrap();
    assert_eq!(
        reader.notes(),
        ["dates are read as MM/DD/YYYY, the only order that all of them fit"]
    );
    let mut lines = Vec::new();
    while let Some(row) = reader.next_row().unwrap() {
        lines.push(format!("{} {}", row.line, row.text("date")));
    }
    assert_eq!(lines, ["2 07/08/2025", "3 07/15/2025", "4 07/16/2025"]);
}

#[test]
fn json_gives_the_same_rows_as_csv_in_each_of_its_forms() {
    let columns = ["symbol", "date", "close", "volume"];
    let record = |day: u32| {
        format!(
            "{{\"symbol\": \"AAPL\", \"date\": \"2024-01-0{day}\", \"open\": 1, \"high\": 2, \
             \"low\": 1, \"close\": 1.{day}, \"volume\": 9007199254740993}}"
        )
    };
    let (first, second) = (record(2), record(3));
    let expected = ["AAPL 2024-01-02 1.2 9007199254740993", "AAPL 2024-01-03 1.3 9007199254740993"];
    for (text, lines) in [
        (format!("{first}\n{second}\n"), [1, 2]),
        (format!("\u{feff}\n{first}\n\n{second}"), [2, 4]),
        (format!("[{first},\n{second}]"), [1, 2]),
        (format!("{{\"count\": 2, \"prices\": [{first}, {second}], \"next\": null}}"), [1, 2]),
        (format!("{{\n\"data\": [{first}, {second}]}}"), [1, 2]),
    ] {
        let expected: Vec<_> =
            lines.iter().zip(expected).map(|(line, row)| format!("{line}: {row}")).collect();
        assert_eq!(rows(&text, &columns), Ok(expected), "{text}");
    }
}

#[test]
fn lists_beside_the_columns_do_no_harm() {
    let record = "{\"symbol\":\"A\",\"date\":\"2024-01-02\",\"open\":1,\"high\":2,\"low\":1,\
                  \"close\":1,\"volume\":5,\"conditions\":[1, 2],\"more\":{\"a\":1}}";
    let expected = Ok(vec!["1: A 5".to_owned(), "2: A 5".to_owned()]);
    for text in [format!("{record}\n{record}"), format!("[{record},{record}]")] {
        assert_eq!(rows(&text, &["symbol", "volume"]), expected, "{text}");
    }
}

#[test]
fn a_field_that_only_later_records_have_is_a_column() {
    let record = "\"symbol\":\"A\",\"date\":\"2024-01-02\",\"open\":1,\"high\":2,\"low\":1,\
                  \"close\":1,\"volume\":5";
    let text = format!("[{{{record}}}, {{{record}, \"adjustedClose\": 0.5}}]");
    let expected = ["1: A ", "2: A 0.5"].map(str::to_owned).to_vec();
    assert_eq!(rows(&text, &["symbol", "adjusted_close"]), Ok(expected));
}

#[test]
fn json_without_one_list_of_like_records_is_refused() {
    let record = "{\"symbol\":\"A\",\"date\":\"2024-01-02\",\"open\":1,\"high\":2,\"low\":1,\
                  \"close\":1,\"volume\":5}";
    for (text, reason) in [
        ("{".to_owned(), "EOF"),
        ("[1, 2]".to_owned(), "expected an object as record 1"),
        (
            format!("{{\"a\": [{record}], \"b\": [{record}]}}"),
            "an object with one array of objects, found 2 lists of objects",
        ),
        (format!("{{\"adjusted\": true, \"results\": [{record}]}}"), "--prices-are split-adjusted"),
        (format!("{record}\n{{"), "x line 2 can't be read: not JSON"),
    ] {
        let error = rows(&text, &["symbol"]).unwrap_err();
        assert!(error.contains(reason), "{text}: {error}");
    }
}
