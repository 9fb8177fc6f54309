//! A file with bad rows is refused as a whole, unless `--skip` says which rows may be left out.

use serde_json::json;

use crate::support::{Database, Files};

const HEADER: &str = "symbol,date,open,high,low,close,volume";
const STORED: &str = "SELECT concat_ws(' ', symbol, date, close) FROM prices
                      JOIN stocks ON id = stock_id WHERE date >= '2020-01-01' ORDER BY 1";

#[tokio::test]
async fn unknown_symbols_are_left_out_on_request_and_named() {
    let (database, files) = (Database::sample().await, Files::new());
    let rows = "AAPL,2024-01-02,1,2,1,1.5,5,1\nNEWC,2024-01-02,1,2,1,1,5,1\n\
                IBM,2024-01-02,1,2,1,1.25,5,1\nZVZZT,2024-01-02,1,2,1,1,5,1\n\
                NEWC,2024-01-03,1,2,1,1,5,1\n";
    let file = files.write("day.csv", format!("{HEADER},adjusted_close\n{rows}"));
    let load = ["ingest", "prices", &file];
    let refused = database.output(&load);
    assert!(refused.code == Some(1) && refused.stderr.contains("\"ZVZZT\""), "{refused:?}");
    // Leaving out other rows does not leave out these.
    let others = database.output(&[&load[..], &["--skip", "bad-rows"]].concat());
    assert!(others.code == Some(1) && others.stderr.contains("\"ZVZZT\""), "{others:?}");
    assert_eq!(database.texts(STORED).await, [""; 0]);
    let report =
        database.output(&[&load[..], &["--skip", "unknown-symbols", "--json"]].concat()).json();
    assert_eq!(
        (&report["added"], &report["skipped"], &report["unknownSymbols"]),
        (&json!(2), &json!(3), &json!(["NEWC", "ZVZZT"])),
        "{report}"
    );
    let first = report["firstSkipped"][0].as_str().unwrap();
    assert!(first.starts_with("line 3, column symbol: expected a known symbol"), "{report}");
    assert_eq!(database.texts(STORED).await, ["AAPL 2024-01-02 1.5", "IBM 2024-01-02 1.25"]);
    let text = database.output(&[&load[..], &["--skip", "unknown-symbols"]].concat());
    assert_eq!(text.code, Some(0), "{text:?}");
    for part in ["\n  3 of 5 rows were left out:\n", "\n  unknown symbols: NEWC, ZVZZT\n"] {
        assert!(text.stderr.contains(part), "{text:?}");
    }
}

#[tokio::test]
async fn bad_rows_are_left_out_on_request_and_written_with_their_reasons() {
    let (database, files) = (Database::sample().await, Files::new());
    let header = format!("{HEADER},adjusted_close");
    let rows = [
        "AAPL,2024-01-02,1,2,1,1.5,5,1",
        // An open of 0, a close above the high, too few fields.
        "AAPL,2024-01-03,0,2,1,1.5,5,1",
        "AAPL,2024-01-04,1,2,1,2.5,5,1",
        "AAPL,2024-01-05",
        // Two rows that contradict each other, and two that do not.
        "AAPL,2024-01-08,1,2,1,1.5,5,1",
        "AAPL,2024-01-08,1,2,1,1.5,6,1",
        "AAPL,2024-01-09,1,2,1,1.5,6,1",
        "AAPL,2024-01-09,1,2,1,1.50,6,1",
        // No bar.
        "AAPL,2024-01-10,,,,,0,",
    ]
    .join("\n");
    let file = files.write("dirty.csv", format!("{header}\n{rows}\n"));
    let rejects = format!("{}/rejects.csv", files.path());
    let load = ["ingest", "prices", &file, "--rejects", &rejects];
    // All bad rows are written also if the file is refused.
    let refused = database.output(&load);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let expected = "line,column,reason,symbol,date,open,high,low,close,volume,adjusted_close\n\
                    3,open,\"expected a price above 0, found \"\"0\"\"\",\
                    AAPL,2024-01-03,0,2,1,1.5,5,1\n\
                    4,close,\"expected close to lie between low and high, found \"\"2.5\"\"\",\
                    AAPL,2024-01-04,1,2,1,2.5,5,1\n\
                    5,,";
    let written = std::fs::read_to_string(&rejects).unwrap();
    assert!(written.starts_with(expected) && written.lines().count() == 4, "{written}");
    assert_eq!(database.texts(STORED).await, [""; 0]);
    let report = database.output(&[&load[..], &["--skip", "bad-rows", "--json"]].concat()).json();
    for (field, count) in
        [("added", 2), ("skipped", 5), ("identicalRows", 1), ("rowsWithoutPrices", 1)]
    {
        assert_eq!(report[field], count, "{field}: {report}");
    }
    assert_eq!(database.texts(STORED).await, ["AAPL 2024-01-02 1.5", "AAPL 2024-01-09 1.5"]);
    let written = std::fs::read_to_string(&rejects).unwrap();
    let last: Vec<_> = written.lines().skip(4).collect();
    let reason = |line| {
        format!(
            "{line},,\"line {line}: expected one row for each symbol and date, found a duplicate \
             of line 6\""
        )
    };
    assert_eq!(last, [reason(6), reason(7)], "{written}");
}

#[tokio::test]
async fn actions_that_may_be_counted_twice_or_contradict_each_other_are_left_out_on_request() {
    let (database, files) = (Database::sample().await, Files::new());
    database.load("actions", "symbol,ex_date,dividend,type\nIBM,2013-01-10,0.9,special\n");
    let rows = [
        "IBM,2013-01-10,1.25,,",
        // A row is left out as a whole, with its split.
        "IBM,2013-01-11,0.2,1:2,",
        "IBM,2013-01-11,0.3,,",
        "IBM,2013-01-14,0.4,,cash",
    ]
    .join("\n");
    let file = files.write("actions.csv", format!("symbol,ex_date,dividend,split,type\n{rows}\n"));
    let rejects = format!("{}/rejects.csv", files.path());
    let load = ["ingest", "actions", &file, "--json", "--prices-are", "raw"];
    assert_eq!(database.output(&load).code, Some(1));
    let skip = ["--skip", "bad-rows", "--rejects", &rejects];
    let output = database.output(&[&load[..], &skip].concat());
    assert_eq!(output.code, Some(0), "{output:?}");
    let report = output.json();
    for (field, count) in [("added", 1), ("unchanged", 0), ("skipped", 3)] {
        assert_eq!(report[field], count, "{field}: {report}");
    }
    assert_eq!(report["identicalRows"], json!(null), "{report}");
    let lines: Vec<_> = report["firstSkipped"].as_array().unwrap().iter().collect();
    let starts = ["line 2: IBM has an event of the type special", "line 3: ", "line 4: "];
    for start in starts {
        let named = lines.iter().filter(|line| line.as_str().unwrap().starts_with(start));
        assert_eq!(named.count(), 1, "{start}: {report}");
    }
    let stored = "SELECT concat_ws(' ', ex_date, type, dividend) FROM corporate_actions
                  WHERE ex_date BETWEEN '2013-01-10' AND '2013-01-14' ORDER BY 1";
    assert_eq!(database.texts(stored).await, ["2013-01-10 special 0.9", "2013-01-14 cash 0.4"]);
    assert_eq!(std::fs::read_to_string(&rejects).unwrap().lines().count(), 4);
    // They count as left out for the bound, too.
    let few = [&load[..], &skip, &["--skip-max", "2"]].concat();
    assert!(database.output(&few).stderr.contains("3 of 4 rows would be left out"));
}

#[tokio::test]
async fn rows_that_contradict_others_are_written_although_the_file_is_refused() {
    let (database, files) = (Database::sample().await, Files::new());
    database.load("actions", "symbol,ex_date,dividend,type\nIBM,2013-01-10,0.9,special\n");
    let rejects = format!("{}/rejects.csv", files.path());
    let bars = "AAPL,2024-01-08,1,2,1,1.5,5,1\nAAPL,2024-01-08,1,2,1,1.5,6,1\n\
                AAPL,2024-01-09,1,2,1,1.5,6,1\n";
    let actions = "IBM,2013-01-10,1.25\nIBM,2013-01-11,0.2\nIBM,2013-01-11,0.3\n";
    for (kind, text, lines) in [
        ("prices", format!("{HEADER},adjusted_close\n{bars}"), ["2", "3", ""]),
        ("actions", format!("symbol,ex_date,dividend\n{actions}"), ["2", "3", "4"]),
    ] {
        let file = files.write("rows.csv", text);
        let refused = database.output(&["ingest", kind, &file, "--rejects", &rejects]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        let written = std::fs::read_to_string(&rejects).unwrap();
        let mut rejected: Vec<_> =
            written.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
        rejected.sort_unstable();
        let expected: Vec<_> = lines.into_iter().filter(|line| !line.is_empty()).collect();
        assert_eq!(rejected, expected, "{written}");
        assert!(written.contains("duplicate of line"), "{written}");
    }
    assert_eq!(database.texts(STORED).await, [""; 0]);
}

#[tokio::test]
async fn the_loaded_file_is_never_overwritten_by_its_rejects() {
    let (database, files) = (Database::sample().await, Files::new());
    let text = format!("{HEADER}\nNOPE,2024-01-02,1,2,1,1,5\n");
    let file = files.write("day.csv", &text);
    let other_name = format!("{}/./day.csv", files.path());
    let output = database.output(&["ingest", "prices", &file, "--rejects", &other_name]);
    assert_eq!(output.error_line(), "--rejects names the file to load: expected another one");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn more_bad_rows_than_allowed_refuse_the_file() {
    let (database, files) = (Database::sample().await, Files::new());
    let rows = |good: usize, bad: usize| {
        let day = |n: usize| {
            chrono::NaiveDate::from_ymd_opt(2020, 1, 1).unwrap() + chrono::Days::new(n as u64)
        };
        let good = (0..good).map(|n| format!("IBM,{},1,2,1,1,5,1\n", day(n)));
        let bad = (0..bad).map(|n| format!("IBM,{},1,2,1,x,5,1\n", day(n)));
        let rows: String = good.chain(bad).collect();
        files.write("rows.csv", format!("{HEADER},adjusted_close\n{rows}"))
    };
    for (good, bad, max, is_loaded) in [
        (2, 2, None, true),
        (0, 101, None, false),
        (100, 101, None, false),
        (90, 10, Some("10"), true),
        (90, 11, Some("10"), false),
        (90, 10, Some("10%"), true),
        (89, 11, Some("10%"), false),
        (0, 5, Some("100%"), true),
    ] {
        let file = rows(good, bad);
        let max: Vec<_> = max.map_or(vec![], |max| vec!["--skip-max", max]);
        let load = ["ingest", "prices", &file, "--skip", "bad-rows", "--closed-days", "keep"];
        let output = database.output(&[&load[..], &max].concat());
        assert_eq!(output.code, Some(i32::from(!is_loaded)), "{good}, {bad}, {max:?}: {output:?}");
        let sentence = format!("{bad} of {} rows would be left out, expected at most", good + bad);
        assert_eq!(output.stderr.contains(&sentence), !is_loaded, "{output:?}");
    }
    for arguments in [["--skip-max", "5"].as_slice(), &["--skip", "all"]] {
        let usage = [&["ingest", "prices", "rows.csv"], arguments].concat();
        assert_eq!(database.output(&usage).code, Some(2), "{arguments:?}");
    }
}

#[tokio::test]
async fn dates_without_a_common_order_are_never_left_out() {
    let (database, files) = (Database::sample().await, Files::new());
    let row = |date: &str| format!("IBM,{date},1,2,1,1,5,1\n");
    let rows = [row("01/31/2024"), row("31/01/2024"), row("02/03/2024")].concat();
    let file = files.write("mixed.csv", format!("{HEADER},adjusted_close\n{rows}"));
    let output = database.output(&["ingest", "prices", &file, "--skip", "bad-rows"]);
    assert!(output.code == Some(1) && output.stderr.contains("line 3, column date"), "{output:?}");
    assert_eq!(database.texts(STORED).await, [""; 0]);
}

#[tokio::test]
async fn a_quote_that_is_left_open_refuses_the_file_whatever_is_skipped() {
    let (database, files) = (Database::sample().await, Files::new());
    let row = |volume| format!("AAPL,2024-01-02,1,2,1,1.5,{volume}\n");
    let rows = |volumes: std::ops::Range<u32>| volumes.map(row).collect::<String>();
    let good = "AAPL,2024-01-03,1,2,1,1.5,5\n";
    for (text, line) in [
        // To the end of the file.
        (format!("{HEADER}\n{good}\"{}", rows(0..1_200)), 3),
        // To the next quote, with other numbers of fields and with the same.
        (format!("{HEADER}\n{good}\"{}\"{}", rows(0..3), rows(3..6)), 3),
        (format!("{HEADER}\n{good}\"AAPL,x\nAAPL\",2024-01-02,1,2,1,1.5,5\n"), 3),
        // In the header, and in a row that is read ahead.
        (format!("\"{HEADER}\n{good}"), 1),
        (format!(",{HEADER}\n0,{good}\"1,{good}2,{good}"), 3),
    ] {
        let file = files.write("quote.csv", &text);
        let load = ["ingest", "prices", &file, "--skip", "bad-rows", "--skip-max", "100%"];
        for arguments in [&load[..], &load[..3]] {
            let output = database.output(arguments);
            let says = format!("line {line} has a quote that is not closed on its line");
            assert!(output.code == Some(1) && output.stderr.contains(&says), "{text}: {output:?}");
        }
    }
    assert_eq!(database.texts(STORED).await, [""; 0]);
    // A quote that is closed on its line separates nothing.
    let file = files.write("quoted.csv", format!("{HEADER}\n\"AAPL\",{}", &good[5..]));
    assert_eq!(database.output(&["ingest", "prices", &file, "--yes"]).code, Some(0));
}

#[tokio::test]
async fn a_file_of_bad_rows_alone_is_refused() {
    let (database, files) = (Database::sample().await, Files::new());
    let rows = "AAPL,2024-01-02,0,2,1,1.5,5\nAAPL,2024-01-03,0,2,1,1.5,5\n";
    let file = files.write("bad.csv", format!("{HEADER}\n{rows}"));
    let output = database.output(&["ingest", "prices", &file, "--skip", "bad-rows"]);
    let says = "2 of 2 rows would be left out, expected at most 10%, or 100 rows but not all";
    assert!(output.code == Some(1) && output.stderr.contains(says), "{output:?}");
}
