//! What a load can't know of a file, it refuses or says.

use serde_json::json;

use crate::support::{App, Database, Files};

async fn with_stock() -> (Database, Files) {
    let (database, files) = (Database::empty().await, Files::new());
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database.load("stocks", "symbol,name,exchange,currency\nWIDG,Widget Corp,NYSE,USD\n");
    (database, files)
}

fn bars(dates: &[&str]) -> String {
    let rows = dates.iter().map(|date| format!("WIDG,{date},10,11,9,10,5\n"));
    "symbol,date,open,high,low,close,volume\n".to_owned() + &rows.collect::<String>()
}

#[tokio::test]
async fn bars_of_weeks_are_named_and_those_of_this_api_are_refused() {
    let (database, files) = with_stock().await;
    let days = ["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09", "2024-01-10"];
    let fridays = ["2024-01-05", "2024-01-12", "2024-01-19", "2024-01-26", "2024-02-02"];
    for (dates, expected) in [(days, json!(null)), (fridays, json!(1))] {
        let file = files.write("bars.csv", bars(&dates));
        let report = database.output(&["ingest", "prices", &file, "--json"]).json();
        assert_eq!(report["stocksWithSparseBars"], expected, "{report}");
    }
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for format in ["csv", "ndjson", "json"] {
        let path = "/api/stocks/WIDG/prices?start=2024-01-01&interval=1w&format=";
        let answer = app.get(&key, &format!("{path}{format}")).await.text().await.unwrap();
        let file = files.write(&format!("weeks.{format}"), answer);
        let output = database.output(&["ingest", "prices", &file, "--symbol", "WIDG"]);
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stderr.contains("expected the bars of days"), "{output:?}");
    }
}

#[tokio::test]
async fn the_capital_gains_of_a_fund_count_beside_its_dividend() {
    let (database, files) = with_stock().await;
    database.load("prices", &bars(&["2024-01-04", "2024-01-05"]));
    let rows = "Date,Close,Dividends,Stock Splits,Capital Gains\n\
                2024-01-04 00:00:00-05:00,10,0,0,0\n2024-01-05 00:00:00-05:00,10,0.5,0,2\n";
    let file = files.write("fund.csv", rows);
    let arguments = ["ingest", "actions", &file, "--symbol", "WIDG"];
    let output = database.output(&arguments);
    assert!(output.stderr.contains("dividends were taken as paid"), "{output:?}");
    let converted = [&arguments[..], &["--dividends-are", "split-adjusted"]].concat();
    assert!(!database.output(&converted).stderr.contains("taken as paid"));
    let events = "SELECT concat_ws(' ', type, dividend) FROM corporate_actions ORDER BY type";
    assert_eq!(database.texts(events).await, ["capital_gain 2", "cash 0.5"]);
    // 10 * 10 / 12.5
    let closes = "SELECT adjusted_close::text FROM prices ORDER BY date";
    assert_eq!(database.texts(closes).await, ["8", "10"]);
}

#[tokio::test]
async fn spin_offs_that_are_not_undone_in_split_adjusted_prices_are_named() {
    let (database, files) = with_stock().await;
    let actions = "symbol,ex_date,split_from,split_to,type\nWIDG,2024-01-05,1000,1253,spin_off\n";
    database.load("actions", actions);
    let file = files.write("bars.csv", bars(&["2024-01-04", "2024-01-05"]));
    let arguments = ["ingest", "prices", &file, "--prices-are", "split-adjusted"];
    let said = database.output(&arguments).stderr;
    let expected = "the prices before 1 spin-offs were taken as not divided by them: WIDG on \
                    2024-01-05; if the vendor divides by them, as Yahoo does, those prices are too \
                    low: load them as traded";
    assert!(said.contains(expected), "{said}");
    let report = database.output(&[&arguments[..], &["--json"]].concat()).json();
    assert_eq!(report["keptSpinOffs"], 1, "{report}");
}

#[tokio::test]
async fn a_dividend_above_the_close_before_its_ex_date_is_named() {
    let (database, files) = with_stock().await;
    database.load("prices", &bars(&["2024-01-04", "2024-01-05"]));
    // The first has no close before it.
    let rows = "symbol,ex_date,dividend\nWIDG,2023-12-08,12\nWIDG,2024-01-05,10\n\
                WIDG,2024-01-08,10.5\n";
    let file = files.write("dividends.csv", rows);
    let said = database.output(&["ingest", "actions", &file]).stderr;
    let expected = "dividends above the close before their ex-date, which may be in another unit: \
                    WIDG on 2024-01-08 (10.5, close 10)\n";
    assert!(said.contains(expected), "{said}");
}

#[tokio::test]
async fn dividends_that_a_late_split_has_divided_are_named_until_they_are_loaded_again() {
    let (database, files) = with_stock().await;
    let dividends = "symbol,ex_date,dividend\nWIDG,2020-02-07,0.25\nWIDG,2023-08-04,0.5\n";
    let dividends = files.write("dividends.csv", dividends);
    let split = files.write("split.csv", "symbol,ex_date,split\nWIDG,2023-06-05,4\n");
    let load = |file: &str, options: &[&str]| {
        let output = database.output(&[&["ingest", "actions", file], options].concat());
        assert_eq!(output.code, Some(0), "{output:?}");
        output.stderr
    };
    let convert = ["--dividends-are", "split-adjusted"];
    let said = load(&dividends, &convert);
    let no_split = "no split of 1 stocks is known, so their dividends were taken as paid";
    assert!(said.contains(no_split), "{said}");
    let said = load(&split, &[]);
    let late = "dividends before a new split were loaded when it had taken effect, and without it: \
                WIDG; if they are divided by it, as Yahoo's are, load them again with";
    assert!(said.contains(late), "{said}");
    let said = load(&dividends, &convert);
    assert!(said.contains("1 changed, 1 unchanged") && !said.contains(no_split), "{said}");
    let amounts = "SELECT dividend::text FROM corporate_actions WHERE kind = 'dividend'
                   ORDER BY ex_date";
    assert_eq!(database.texts(amounts).await, ["1", "0.5"]);
    // Nothing is said of a split that is known already, or has not divided anything yet.
    for (text, options) in [
        ("symbol,ex_date,split\nWIDG,2023-06-05,4\n", &[][..]),
        ("symbol,ex_date,split,pay_date\nWIDG,2023-06-05,4,2023-06-05\n", &[]),
        ("symbol,ex_date,split\nWIDG,2035-06-01,2\n", &[]),
        ("symbol,ex_date,split,dividend\nWIDG,2023-08-04,0,0.5\n", &convert),
    ] {
        let said = load(&files.write("more.csv", text), options);
        assert!(!said.contains(late) && !said.contains(no_split), "{text}: {said}");
    }
}

#[tokio::test]
async fn files_that_were_joined_with_their_headers_are_read() {
    let (database, files) = with_stock().await;
    let joined = bars(&["2024-01-04"]) + &bars(&["2024-01-05"]);
    let report =
        database.output(&["ingest", "prices", &files.write("joined.csv", joined), "--json"]).json();
    assert_eq!(report["added"], 2, "{report}");
}

#[tokio::test]
async fn prices_that_the_header_shows_to_be_adjusted_are_named() {
    let (database, files) = with_stock().await;
    let row = "2024-01-05,10,11,9,10,5";
    for (name, text, note) in [
        ("a.csv", format!("date,open,high,low,close,volume,adjusted\n{row},10\n"), "Yahoo"),
        (
            "b.csv",
            "Date,Close,High,Low,Open,Volume\n2024-01-05,10,11,9,10,5\n".into(),
            "auto_adjust",
        ),
        (
            "c.csv",
            "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n\
             WIDG.US,D,20240105,000000,10,11,9,10,5,0\n"
                .into(),
            "Stooq",
        ),
        ("d.csv", format!("date,open,high,low,close,volume,Name\n{row},WIDG\n"), "Kaggle"),
        ("e.csv", format!("date,open,high,low,close,volume\n{row}\n"), ""),
    ] {
        let file = files.write(name, text);
        let symbol = ["--symbol", "WIDG"];
        let symbol = if "cd".contains(&name[..1]) { &[][..] } else { &symbol };
        let arguments = [&["ingest", "prices", &file, "--yes", "--json"], symbol].concat();
        let output = database.output(&arguments);
        let notes = output.json()["notes"].to_string();
        assert_eq!(notes.contains("taken as traded"), !note.is_empty(), "{name}: {notes}");
        assert!(notes.contains(note), "{name}: {notes}");
        let delete = ["prices", "delete", "--symbol", "WIDG", "--from", "2024-01-01", "--yes"];
        assert_eq!(database.output(&[&delete[..], &["--to", "2024-12-31"]].concat()).code, Some(0));
    }
}

/// The files lie before a known split and do not reach it.
#[tokio::test]
async fn a_part_of_a_history_that_does_not_continue_the_stored_one_is_refused() {
    let (database, files) = with_stock().await;
    let bar = |date: &str, close: f64, volume: u32| {
        format!("WIDG,{date},{close},{close},{close},{close},{volume}\n")
    };
    let file = |rows: &str| {
        files.write("bars.csv", format!("symbol,date,open,high,low,close,volume\n{rows}"))
    };
    let ingest = |rows: &str, options: &[&str]| {
        database.output(&[&["ingest", "prices", &file(rows)], options].concat())
    };
    database.load("actions", "symbol,ex_date,split_from,split_to,dividend\nWIDG,2020-08-31,1,4,\n");
    let stored = [("2020-08-27", 500.04), ("2020-08-28", 499.24), ("2020-08-31", 129.04)]
        .map(|(date, close)| bar(date, close, 1000))
        .concat();
    assert_eq!(ingest(&stored, &[]).code, Some(0));
    let adjusted = bar("2020-08-25", 124.82, 4000) + &bar("2020-08-26", 126.52, 4000);
    let refused = ingest(&adjusted, &[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let expected = "WIDG: the close moves from 126.52 on 2020-08-26 to 500.04 on 2020-08-27, as at \
                    a split of 4 new shares for 1, but that is on 2020-08-31";
    assert!(refused.stderr.contains(expected), "{refused:?}");
    let as_traded = bar("2020-08-25", 499.28, 1000);
    let converted_twice = ingest(&as_traded, &["--prices-are", "split-adjusted"]);
    assert_eq!(converted_twice.code, Some(1), "{converted_twice:?}");
    assert!(converted_twice.stderr.contains("do not continue"), "{converted_twice:?}");
    let closes =
        async || database.texts("SELECT close::text FROM prices ORDER BY date LIMIT 2").await;
    assert_eq!(closes().await, ["500.04", "499.24"]);
    let converted = ingest(&adjusted, &["--prices-are", "split-adjusted"]);
    assert_eq!((converted.code, closes().await), (Some(0), vec!["499.28".into(), "506.08".into()]));
    // A correction in the middle, too, and the operator may insist.
    let middle = bar("2020-08-27", 125.01, 4000);
    assert_eq!(ingest(&middle, &[]).code, Some(1));
    assert_eq!(ingest(&middle, &["--prices-are", "raw"]).code, Some(0));
}
