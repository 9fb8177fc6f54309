//! A file is loaded completely or not at all.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::{CommandOutput, Database, Files, read_text, redis_url, tickerd};

const HEADER: &str = "symbol,date,open,high,low,close,volume,adjusted_close";
/// Each kind of file: the sample file, its table, and its number of rows.
const SAMPLE: [(&str, &str, &str, usize); 3] = [
    ("stocks", "seed/stocks.csv", "stocks", 5),
    ("prices", "seed/prices.csv.gz", "prices", 12_154),
    ("actions", "seed/corporate_actions.csv", "corporate_actions", 95),
];
/// All that a load can change.
const STATE: &str =
    "SELECT concat_ws(' ', (SELECT count(*) FROM stocks), (SELECT count(*) FROM prices),
                     (SELECT sum(volume) FROM prices), (SELECT count(*) FROM corporate_actions),
                     (SELECT current FROM revision), (SELECT max(data_version) FROM stocks))";
const VERSIONS: &str = "SELECT concat_ws(' ', symbol, data_version) FROM stocks ORDER BY symbol";

/// The report of a load that restated nothing.
fn counts(added: usize, changed: usize, unchanged: usize, touched: usize) -> Value {
    json!({
        "added": added, "changed": changed, "unchanged": unchanged, "converted": 0,
        "stocksTouched": touched,
        "restated": []
    })
}

fn packed(text: &str) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

async fn migrated() -> Database {
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database
}

#[tokio::test]
async fn the_sample_loads_plain_or_gzipped_and_loading_it_again_changes_nothing() {
    for pack in [false, true] {
        let (database, files) = (migrated().await, Files::new());
        let sources = SAMPLE.map(|(kind, path, ..)| {
            // One name for plain and gzipped files: the content decides, not the name.
            let text = read_text(path);
            files.write(kind, if pack { packed(&text) } else { text.into_bytes() })
        });
        for ((kind, _, table, rows), source) in SAMPLE.iter().zip(&sources) {
            let touched = if *kind == "actions" { 3 } else { 5 };
            let report = database.output(&["ingest", kind, source, "--json"]).json();
            assert_eq!(report, counts(*rows, 0, 0, touched));
            assert_eq!(
                database.texts(&format!("SELECT count(*)::text FROM {table}")).await,
                [rows.to_string()]
            );
        }
        let (versions, state) = (database.texts(VERSIONS).await, database.texts(STATE).await);
        for ((kind, _, _, rows), source) in SAMPLE.iter().zip(&sources) {
            let report = database.output(&["ingest", kind, source, "--json"]).json();
            assert_eq!(report, counts(0, 0, *rows, 0));
        }
        assert_eq!(
            (database.texts(VERSIONS).await, database.texts(STATE).await),
            (versions, state)
        );
    }
}

#[tokio::test]
async fn nothing_of_a_bad_file_is_loaded_and_its_first_bad_rows_are_named() {
    let (database, files) = (Database::sample().await, Files::new());
    let before = database.texts(STATE).await;
    let good = "AAPL,2020-01-02,1,2,1,1,5,1";
    let file = |row: &str| format!("{HEADER}\n{good}\n{row}\n").into_bytes();
    let many = format!("{HEADER}\n{}", "AAPL,2020-01-03,x,2,1,1,5,1\n".repeat(12)).into_bytes();
    let ten: Vec<_> = (2..=11).map(|line| format!("line {line}, column open")).collect();
    let mut cases: Vec<(Vec<u8>, Vec<&str>)> = vec![
        (
            file("AAPL,2020-01-03,abc,2,1,1,5,1"),
            vec!["line 3, column open", "expected a number", "\"abc\""],
        ),
        (file("AAPL,2020-01-03,NaN,2,1,1,5,1"), vec!["line 3, column open"]),
        (file("AAPL,2020-01-03,1,2,1,1,5,1e"), vec!["line 3, column adjusted_close"]),
        (file("AAPL,2020-01-03,1,2,3,1,5,1"), vec!["line 3, column low", "\"3\""]),
        (file("AAPL,2020-01-03,1,2,1,1,-5,1"), vec!["line 3, column volume"]),
        (file("AAPL,2020-01-03,1,2,1,1,5x,1"), vec!["line 3, column volume"]),
        (
            file("AAPL,2020-02-30,1,2,1,1,5,1"),
            vec!["line 3, column date", "YYYY-MM-DD", "2020-02-30"],
        ),
        (
            file("NOPE,2020-01-03,1,2,1,1,5,1"),
            vec!["line 3, column symbol", "known symbol", "\"NOPE\""],
        ),
        (file("AAPL,2020-01-02,1,2,1,1,6,1"), vec!["line 3", "duplicate of line 2"]),
        (file("AAPL,2020-01-03,1"), vec!["line 3", "expected 8 fields, found 3"]),
        (file("AAPL,2020-01-03,1,2,1,1,5,1,9"), vec!["line 3", "expected 8 fields, found 9"]),
        (
            format!("{}\nAAPL,2020-01-02,1,2,1,1\n", &HEADER[..31]).into_bytes(),
            vec!["column volume"],
        ),
        (
            [file(good), b"\xff\xfe,2020-01-03,1,2,1,1,5,1\n".to_vec()].concat(),
            vec!["line 4", "expected UTF-8"],
        ),
        (Vec::new(), vec!["column symbol"]),
        (many.clone(), ten.iter().map(String::as_str).collect()),
    ];
    // Move the dates forty years back so that all rows are new. Cut the gzipped file in half, and
    // within its checksum.
    let earlier = (2000..2015).fold(read_text("seed/prices.csv.gz"), |text, year| {
        text.replace(&format!(",{year}-"), &format!(",{}-", year - 40))
    });
    let earlier = packed(&earlier);
    cases.push((earlier[..earlier.len() / 2].to_vec(), vec!["can't be read"]));
    cases.push((earlier[..earlier.len() - 4].to_vec(), vec!["can't be read"]));
    for (n, (bytes, message)) in cases.into_iter().enumerate() {
        let path = files.write(&format!("bad-{n}.csv"), &bytes);
        for arguments in
            [["ingest", "prices", &path].as_slice(), &["ingest", "prices", &path, "--json"]]
        {
            let output = database.output(arguments);
            assert_eq!((output.code, output.stdout.as_str()), (Some(1), ""), "{output:?}");
            assert!(output.stderr.contains(&format!("bad-{n}.csv")), "{output:?}");
            assert!(
                message.iter().all(|part| output.stderr.contains(part)),
                "{message:?}: {output:?}"
            );
        }
        assert_eq!(database.texts(STATE).await, before, "{message:?}");
    }
    let output = database.output(&["ingest", "prices", &files.write("many.csv", &many)]);
    assert!(!output.stderr.contains("line 12"), "only ten are named: {output:?}");
    assert!(output.stderr.ends_with("\n  and 2 more\n"), "the others are counted: {output:?}");
    let absent = database.output(&["ingest", "prices", "/nowhere/prices.csv"]);
    assert!(absent.error_line().starts_with("/nowhere/prices.csv can't be read"), "{absent:?}");
}

#[tokio::test]
async fn a_changed_row_touches_its_stock_and_no_other() {
    let (database, files) = (Database::sample().await, Files::new());
    let before = database.texts(VERSIONS).await;
    let sample = read_text("seed/prices.csv.gz");
    let row = |symbol: &str| sample.lines().find(|line| line.starts_with(symbol)).unwrap();
    let mut fields: Vec<_> = row("IBM").split(',').collect();
    fields[6] = "1";
    let rows = [HEADER, row("AAPL"), &fields.join(","), row("MSFT")].join("\n");
    let output = database.output(&["ingest", "prices", &files.write("prices.csv", rows)]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), ""), "{output:?}");
    assert!(
        output.stderr.contains("0 added, 1 changed, 2 unchanged; 1 stock touched"),
        "{output:?}"
    );
    let after = database.texts(VERSIONS).await;
    let moved: Vec<_> =
        before.iter().zip(&after).filter(|(before, after)| before != after).collect();
    assert_eq!(moved.len(), 1, "{moved:?}");
    assert!(moved[0].0.starts_with("IBM "), "{moved:?}");
    let changed = database
        .texts("SELECT s.symbol FROM prices p JOIN stocks s ON s.id = stock_id WHERE volume = 1")
        .await;
    assert_eq!(changed, ["IBM"]);
}

#[tokio::test]
async fn wrong_usage_exits_2_and_leaves_stdout_empty() {
    let database = Database::sample().await;
    let usages: [&[&str]; 8] = [
        &[],
        &["prices"],
        &["bonds", "seed/stocks.csv"],
        &["stocks", "seed/stocks.csv", "more"],
        &["stocks", "seed/stocks.csv", "--symbol", "AAPL"],
        &["actions", "seed/corporate_actions.csv", "--yes"],
        &["prices", "seed/prices.csv.gz", "--reuse", "FB"],
        &["prices", "seed/prices.csv.gz", "--adjusted-close", "mine"],
    ];
    for usage in usages {
        let output = database.output(&[&["ingest"], usage].concat());
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{output:?}");
    }
    let nowhere = CommandOutput::of(&mut tickerd(&["ingest", "stocks", "seed/stocks.csv"]));
    assert_eq!(nowhere.code, Some(2), "{nowhere:?}");
    assert!(nowhere.stderr.contains("--database-url"), "{nowhere:?}");
}

#[tokio::test]
async fn a_load_without_a_reachable_redis_succeeds_with_a_warning() {
    let database = Database::sample().await;
    // The shared Redis listens on 127.0.0.1 only.
    let away = redis_url().replace("127.0.0.1", "127.0.0.9");
    let output = CommandOutput::of(
        database.tickerd(&["ingest", "stocks", "seed/stocks.csv", "--json"]).env("REDIS_URL", away),
    );
    assert_eq!(output.json()["unchanged"], 5);
    assert!(output.stderr.contains("Redis did not take the message"), "{output:?}");
}

#[tokio::test]
async fn a_load_that_is_killed_leaves_nothing_behind_and_can_be_repeated() {
    let (database, files) = (migrated().await, Files::new());
    let out = files.path();
    let years = ["--from", "2000-01-01", "--to", "2024-12-31", "--out", out, "--json"];
    let generated = CommandOutput::of(&mut tickerd(
        &[["generate", "--stocks", "25"].as_slice(), &years].concat(),
    ))
    .json();
    let (stocks, prices) = (format!("{out}/stocks.csv"), format!("{out}/prices.csv.gz"));
    assert_eq!(database.output(&["ingest", "stocks", &stocks]).code, Some(0));
    let before = database.texts(STATE).await;

    let mut arriving = database.spawn(&["ingest", "prices", &prices]);
    database.wait_for_connections(1, "tuples_processed > 1000").await;
    arriving.kill().unwrap();
    assert!(!arriving.wait().unwrap().success());
    database.wait_for_connections(0, "true").await;
    assert_eq!(database.texts(STATE).await, before);

    // All rows are merged; only the last lock before the commit is missing.
    let gate = database.connect().await;
    gate.batch_execute("BEGIN; SELECT * FROM revision FOR UPDATE").await.unwrap();
    let mut merged = database.spawn(&["ingest", "prices", &prices]);
    database.wait_for_connections(1, "wait_event_type = 'Lock'").await;
    merged.kill().unwrap();
    assert!(!merged.wait().unwrap().success());
    gate.batch_execute("ROLLBACK").await.unwrap();
    database.wait_for_connections(0, "true").await;
    assert_eq!(database.texts(STATE).await, before);

    assert_eq!(
        database.output(&["ingest", "prices", &prices, "--json"]).json()["added"],
        generated["prices"]
    );
}

#[tokio::test]
async fn concurrent_loads_of_one_stock_succeed_in_any_order_of_rows() {
    let (database, files) = (Database::sample().await, Files::new());
    let days = ["2000-03-01", "2000-03-02", "2000-03-03"];
    let rows = |volume: u32| days.map(|day| format!("AAPL,{day},1,2,1,1,{volume},1"));
    let (mut backwards, forwards) = (rows(2), rows(1));
    backwards.reverse();
    let paths = [forwards, backwards]
        .map(|rows| files.write(&rows[0], format!("{HEADER}\n{}", rows.join("\n"))));
    // Lock the day in the middle until both loads have begun. Loads that lock rows in the order of
    // their file would now deadlock.
    let gate = database.connect().await;
    gate.batch_execute("BEGIN; SELECT * FROM prices WHERE date = '2000-03-02' FOR UPDATE")
        .await
        .unwrap();
    let loads = paths.map(|path| database.spawn(&["ingest", "prices", &path, "--json"]));
    database.wait_for_connections(2, "wait_event_type = 'Lock'").await;
    gate.batch_execute("ROLLBACK").await.unwrap();
    for load in loads {
        let report = CommandOutput::wait_for(load).json();
        let restated = json!([{
            "symbol": "AAPL", "changed": 3, "readjusted": 0, "converted": 0,
            "from": days[0], "to": days[2],
        }]);
        assert_eq!(
            (&report["added"], &report["changed"], &report["restated"]),
            (&0.into(), &3.into(), &restated)
        );
    }
    let volumes = "SELECT DISTINCT volume::text FROM prices JOIN stocks ON id = stock_id
                   WHERE symbol = 'AAPL' AND date < '2000-03-04'";
    assert_eq!(database.texts(volumes).await.len(), 1, "all rows are from one file");
}

#[tokio::test]
async fn concurrent_loads_of_the_same_new_rows_succeed_despite_other_inserts() {
    for others in ["ROLLBACK", "COMMIT"] {
        let (database, files) = (Database::sample().await, Files::new());
        // Enough rows to be inserted instead of merged.
        let rows = |volume: u32| {
            let days = [10, 13, 14, 15, 16, 17, 21, 22, 23, 24];
            days.map(|day| format!("AAPL,2020-01-{day},1,2,1,1,{volume},1")).join("\n")
        };
        let paths = [1, 2].map(|volume| {
            files.write(&format!("{volume}.csv"), format!("{HEADER}\n{}", rows(volume)))
        });
        // Neither load sees this row when it starts. Both run into it while they insert their own.
        let gate = database.connect().await;
        let other = "BEGIN; INSERT INTO prices SELECT id, '2020-01-13', 1, 2, 1, 1, 1, 3
                     FROM stocks WHERE symbol = 'AAPL'";
        gate.batch_execute(other).await.unwrap();
        let loads = paths.map(|path| database.spawn(&["ingest", "prices", &path, "--json"]));
        database.wait_for_connections(2, "wait_event_type = 'Lock'").await;
        gate.batch_execute(others).await.unwrap();
        let mut reports = loads.map(|load| {
            let report = CommandOutput::wait_for(load).json();
            ["added", "changed", "unchanged", "stocksTouched"]
                .map(|count| report[count].as_i64().unwrap())
        });
        reports.sort_unstable();
        let first = if others == "COMMIT" { [9, 1, 0, 1] } else { [10, 0, 0, 1] };
        assert_eq!(reports, [[0, 10, 0, 1], first], "{others}");
        let volumes = "SELECT concat_ws(' ', volume, count(*)) FROM prices
                       WHERE date > '2020-01-01' GROUP BY volume";
        let volumes = database.texts(volumes).await;
        assert!(
            volumes == ["1 10"] || volumes == ["2 10"],
            "all rows are from one file: {volumes:?}"
        );
    }
}

#[tokio::test]
async fn a_long_history_is_counted_correctly_whether_or_not_rows_exist() {
    let (database, files) = (Database::sample().await, Files::new());
    let history = |symbol: &str, years: std::ops::Range<u32>| -> Vec<String> {
        years.map(|year| format!("{symbol},{year}-07-01,1,2,1,1,5,1")).collect()
    };
    let cases = [
        // All after the sample's days; again; two more years; an existing day of another stock,
        // changed.
        (history("AAPL", 1960..1980), [20, 0, 0, 1]),
        (history("AAPL", 1960..1980), [0, 0, 20, 0]),
        (history("AAPL", 1960..1982), [2, 0, 20, 1]),
        (
            [history("MSFT", 1960..1980), vec!["IBM,2012-12-31,1,2,1,1,5,1".to_owned()]].concat(),
            [20, 1, 0, 2],
        ),
        // Before the sample's days and after them.
        ([history("GOOG", 1980..2000), history("IBM", 1960..1980)].concat(), [40, 0, 0, 2]),
    ];
    for (rows, [added, changed, unchanged, touched]) in cases {
        let before = database.texts(VERSIONS).await;
        let text = format!("{HEADER}\n{}", rows.join("\n"));
        let mut report = database
            .output(&["ingest", "prices", &files.write("prices.csv", text), "--json"])
            .json();
        // One bar a year, some on weekends before the calendar.
        for note in ["stocksWithSparseBars", "rowsOfUnknownWeekends"] {
            report.as_object_mut().unwrap().remove(note);
        }
        let mut expected = counts(added, changed, unchanged, touched);
        if changed > 0 {
            let day = "2012-12-31";
            let restated = json!([{
                "symbol": "IBM", "changed": 1, "readjusted": 0, "converted": 0,
                "from": day, "to": day,
            }]);
            expected["restated"] = restated;
        }
        assert_eq!(report, expected, "{rows:?}");
        let after = database.texts(VERSIONS).await;
        assert_eq!(
            before.iter().zip(&after).filter(|(before, after)| before != after).count(),
            touched,
            "{rows:?}"
        );
    }
    let (before, rows) = (database.texts(STATE).await, history("AAPL", 1940..1960));
    let text = format!("{HEADER}\n{}\n{}", rows.join("\n"), rows[7].replace(",5,", ",6,"));
    let output = database.output(&["ingest", "prices", &files.write("prices.csv", text)]);
    assert_eq!((output.code, database.texts(STATE).await), (Some(1), before), "{output:?}");
    assert!(
        output.stderr.contains("line 22") && output.stderr.contains("duplicate of line 9"),
        "{output:?}"
    );
}

#[tokio::test]
async fn loading_a_file_again_rewrites_no_row() {
    let database = Database::sample().await;
    let places = "SELECT concat_ws(' ', ctid, xmin) FROM prices ORDER BY ctid";
    let before = database.texts(places).await;
    assert_eq!(database.output(&["ingest", "prices", "seed/prices.csv.gz"]).code, Some(0));
    assert!(database.texts(places).await == before, "a row was rewritten");
}
