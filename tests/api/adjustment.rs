//! Adjusted closes are computed unless the feed supplies them. Supplied ones are replaced only
//! after a confirmation.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;

use crate::support::{App, CommandOutput, Database, Files, eventually, read_text};

const HEADER: &str = "symbol,date,open,high,low,close,volume";
const ACTIONS: &str = "symbol,ex_date,split_from,split_to,dividend";
/// The adjusted closes of every stock, with every digit.
const ADJUSTED: &str =
    "SELECT concat_ws(' ', symbol, date, adjusted_close) FROM prices JOIN stocks ON id = stock_id
                        ORDER BY symbol, date";

/// The sample's prices without the column of adjusted closes.
fn raw_sample() -> Vec<String> {
    let text = read_text("seed/prices.csv.gz");
    text.lines().skip(1).map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect()
}

fn file(files: &Files, name: &str, header: &str, rows: &[String]) -> String {
    files.write(name, format!("{header}\n{}\n", rows.join("\n")))
}

/// A database that holds the sample's stocks and no prices.
async fn stocks_only() -> Database {
    let database = Database::empty().await;
    for arguments in [["migrate"].as_slice(), &["ingest", "stocks", "seed/stocks.csv"]] {
        assert_eq!(database.output(arguments).code, Some(0));
    }
    database
}

/// The bars of a stock as (date, raw close, adjusted close), oldest first.
async fn closes(database: &Database, symbol: &str) -> Vec<(String, f64, f64)> {
    let sql = "SELECT date::text, close, adjusted_close FROM prices JOIN stocks ON id = stock_id
               WHERE symbol = $1 ORDER BY date";
    let rows = database.connect().await.query(sql, &[&symbol]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

/// The sample's closes are adjusted as of a later day, so all of a stock's history differs by one
/// factor.
#[tokio::test]
async fn computed_adjusted_closes_differ_from_the_samples_by_one_factor_per_stock() {
    let (sample, computed, files) = (Database::sample().await, stocks_only().await, Files::new());
    let prices = file(&files, "prices.csv", HEADER, &raw_sample());
    for arguments in [["actions", "seed/corporate_actions.csv"], ["prices", &prices]] {
        assert_eq!(computed.output(&[&["ingest"], arguments.as_slice()].concat()).code, Some(0));
    }
    for (symbol, has_actions) in
        [("AAPL", true), ("FB", false), ("GOOG", false), ("IBM", true), ("MSFT", true)]
    {
        let (supplied, recomputed) =
            (closes(&sample, symbol).await, closes(&computed, symbol).await);
        assert_eq!(
            recomputed.last().unwrap().1,
            recomputed.last().unwrap().2,
            "the newest close is not adjusted"
        );
        let ratios: Vec<_> = supplied
            .iter()
            .zip(&recomputed)
            .map(|(supplied, recomputed)| recomputed.2 / supplied.2)
            .collect();
        let spread = ratios.iter().copied().fold(0.0, f64::max)
            / ratios.iter().copied().fold(f64::MAX, f64::min);
        assert!(spread < 1.0 + 1e-9, "{symbol}: {spread}");
        let adjusted = recomputed.iter().filter(|(_, close, adjusted)| close != adjusted).count();
        assert_eq!(
            adjusted > recomputed.len() * 9 / 10,
            has_actions,
            "{symbol}: {adjusted} of {}",
            recomputed.len()
        );
    }
}

/// The generator adjusts bar by bar, starting at the newest, and writes 10 significant digits.
#[tokio::test]
async fn computed_adjusted_closes_match_generated_histories_with_splits_and_dividends() {
    let (database, files) = (Database::empty().await, Files::new());
    let years = ["--from", "2000-01-03", "--to", "2019-12-31", "--out", files.path()];
    assert_eq!(
        database.output(&[["generate", "--stocks", "12"].as_slice(), &years].concat()).code,
        Some(0)
    );
    let [stocks, prices, actions] = ["stocks.csv", "prices.csv.gz", "corporate_actions.csv"]
        .map(|name| format!("{}/{name}", files.path()));
    let text = read_text(&prices);
    let rows: Vec<_> = text.lines().skip(1).map(|line| line.rsplit_once(',').unwrap()).collect();
    let raw: Vec<_> = rows.iter().map(|(row, _)| (*row).to_owned()).collect();
    let raw = file(&files, "raw.csv", HEADER, &raw);
    for arguments in [
        ["migrate"].as_slice(),
        &["ingest", "stocks", &stocks],
        &["ingest", "prices", &raw],
        &["ingest", "actions", &actions],
    ] {
        assert_eq!(database.output(arguments).code, Some(0));
    }
    let found = database
        .texts(
            "SELECT concat_ws(',', symbol, date, adjusted_close)
             FROM prices JOIN stocks ON id = stock_id",
        )
        .await;
    let found: BTreeMap<_, f64> = found
        .iter()
        .map(|row| row.rsplit_once(',').unwrap())
        .map(|(day, adjusted)| (day, adjusted.parse().unwrap()))
        .collect();
    let mut adjusted = 0;
    for (row, expected) in rows {
        let mut fields = row.split(',');
        let day = format!("{},{}", fields.next().unwrap(), fields.next().unwrap());
        let (expected, found): (f64, _) = (expected.parse().unwrap(), found[day.as_str()]);
        assert!((found / expected - 1.0).abs() < 1e-9, "{day}: {found} for {expected}");
        adjusted += usize::from(fields.nth(2).unwrap().parse::<f64>().unwrap() != expected);
    }
    assert!(adjusted > 10_000, "{adjusted}");
}

#[tokio::test]
async fn computed_adjusted_closes_do_not_depend_on_the_order_of_loads() {
    let (at_once, day_by_day, files) = (stocks_only().await, stocks_only().await, Files::new());
    let rows: Vec<_> = raw_sample().into_iter().filter(|row| row.starts_with("IBM,201")).collect();
    let whole = file(&files, "whole.csv", HEADER, &rows);
    for arguments in [["actions", "seed/corporate_actions.csv"], ["prices", &whole]] {
        assert_eq!(at_once.output(&[&["ingest"], arguments.as_slice()].concat()).code, Some(0));
    }
    // Some actions come before the prices, one day comes alone, and later years come before earlier
    // ones.
    let (later, earlier): (Vec<_>, Vec<_>) =
        rows.iter().cloned().partition(|row| row.as_str() >= "IBM,2012");
    let actions = read_text("seed/corporate_actions.csv");
    let actions: Vec<_> =
        actions.lines().filter(|line| line.starts_with("IBM")).map(str::to_owned).collect();
    let (even, odd): (Vec<_>, Vec<_>) =
        actions.into_iter().enumerate().partition(|(n, _)| n % 2 == 0);
    let rows_of =
        |rows: Vec<(usize, String)>| rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>();
    for (kind, path) in [
        ("actions", file(&files, "even.csv", ACTIONS, &rows_of(even))),
        ("prices", file(&files, "day.csv", HEADER, &later[100..101])),
        ("prices", file(&files, "later.csv", HEADER, &later)),
        ("actions", file(&files, "odd.csv", ACTIONS, &rows_of(odd))),
        ("prices", file(&files, "earlier.csv", HEADER, &earlier)),
    ] {
        let output = day_by_day.output(&["ingest", kind, &path]);
        assert_eq!(output.code, Some(0), "{output:?}");
    }
    let (expected, found) = (at_once.texts(ADJUSTED).await, day_by_day.texts(ADJUSTED).await);
    assert!(
        expected.len() > 700 && expected == found,
        "{:?}",
        expected.iter().zip(&found).find(|(a, b)| a != b)
    );
    // Loading the same file again changes nothing.
    let report = day_by_day.output(&["ingest", "prices", &whole, "--json"]).json();
    assert_eq!((&report["unchanged"], &report["restated"]), (&rows.len().into(), &json!([])));
}

#[tokio::test]
async fn a_later_split_restates_the_history_in_responses_and_in_the_report() {
    let (database, files) = (stocks_only().await, Files::new());
    let prices = file(
        &files,
        "prices.csv",
        HEADER,
        &["FB,2012-05-18,42,45,38,38,5".into(), "FB,2012-05-21,36,36,33,34,5".into()],
    );
    assert_eq!(database.output(&["ingest", "prices", &prices]).code, Some(0));
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let adjusted = async || {
        let (_, body) = app.json(&key, "/api/stocks/FB/prices?start=2012-01-01").await;
        let prices = body["prices"].as_array().unwrap().clone();
        prices.iter().map(|bar| bar["adjustedClose"].as_f64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(adjusted().await, [34.0, 38.0]);
    // A split is announced early. It takes effect with the first price of its ex-date.
    let split = file(
        &files,
        "split.csv",
        "ticker,execution_date,split_from,split_to",
        &["FB,2012-05-22,1,2".into()],
    );
    let report = database.output(&["ingest", "actions", &split, "--json"]).json();
    assert_eq!((&report["added"], &report["restated"]), (&1.into(), &json!([])));
    let next = file(&files, "next.csv", HEADER, &["FB,2012-05-22,17,18,16,16,9".into()]);
    let output = database.output(&["ingest", "prices", &next]);
    let message = "restated FB: 2 adjusted closes computed anew, 2012-05-18 to 2012-05-21";
    assert!(
        output.stderr.contains("1 added, 0 changed") && output.stderr.contains(message),
        "{output:?}"
    );
    let restated = async || adjusted().await == [16.0, 17.0, 19.0];
    eventually("the split is served", Duration::from_secs(10), restated).await;
    // A corrected split ratio restates again. The report names the stock and its days.
    let split = file(&files, "split.csv", ACTIONS, &["FB,2012-05-22,1,4,".into()]);
    let report = database.output(&["ingest", "actions", &split, "--json"]).json();
    let restated = json!([
        {
            "symbol": "FB", "changed": 1, "readjusted": 2, "converted": 0,
            "from": "2012-05-18", "to": "2012-05-22",
        }
    ]);
    assert_eq!(report["restated"], restated);
    // A dividend is adjusted by the raw close before its ex-date, so a corrected close restates it.
    let dividend = file(&files, "dividend.csv", ACTIONS, &["FB,2012-05-21,,,3.8".into()]);
    assert_eq!(database.output(&["ingest", "actions", &dividend]).code, Some(0));
    assert_eq!(closes(&database, "FB").await[0].2, 8.544_973_545); // 38 * 34 / 37.8 / 4
    let corrected = file(&files, "corrected.csv", HEADER, &["FB,2012-05-21,36,36,33,36,5".into()]);
    let report = database.output(&["ingest", "prices", &corrected, "--json"]).json();
    assert_eq!((&report["changed"], &report["restated"][0]["readjusted"]), (&1.into(), &1.into()));
    assert_eq!(closes(&database, "FB").await[0].2, 8.592_964_824); // 38 * 36 / 39.8 / 4
}

/// The second load waits for the first to commit before it reads, so it adjusts by both.
#[tokio::test]
async fn concurrent_loads_of_actions_and_prices_adjust_by_both() {
    for order in [["actions", "prices"], ["prices", "actions"]] {
        let (database, files) = (stocks_only().await, Files::new());
        let bars =
            ["FB,2012-05-18,42,45,38,38,5".to_owned(), "FB,2012-05-21,17,18,17,17,5".to_owned()];
        let first = file(&files, "first.csv", HEADER, &bars[..1]);
        assert_eq!(database.output(&["ingest", "prices", &first]).code, Some(0));
        let prices = file(&files, "prices", HEADER, &bars[1..]);
        let actions = file(&files, "actions", ACTIONS, &["FB,2012-05-21,1,2,".into()]);
        let waiting = async |count: usize| {
            let sql = "SELECT pid::text FROM pg_stat_activity WHERE application_name = 'tickerd'
                       AND datname = current_database() AND wait_event_type = 'Lock'";
            let all_wait = async || database.texts(sql).await.len() == count;
            eventually("the loads wait for a lock", Duration::from_secs(20), all_wait).await;
        };
        // The first load has done everything but commit when the second starts.
        let gate = database.connect().await;
        gate.batch_execute("BEGIN; SELECT * FROM revision FOR UPDATE").await.unwrap();
        let mut loads = Vec::new();
        for kind in order {
            let path = if kind == "prices" { &prices } else { &actions };
            let mut load = database.tickerd(&["ingest", kind, path]);
            loads.push(load.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
            waiting(loads.len()).await;
        }
        gate.batch_execute("ROLLBACK").await.unwrap();
        for load in loads {
            let output = CommandOutput::wait_for(load);
            assert_eq!(output.code, Some(0), "{output:?}");
        }
        let adjusted: Vec<_> = closes(&database, "FB").await.into_iter().map(|day| day.2).collect();
        assert_eq!(adjusted, [19.0, 17.0], "{order:?}");
    }
}

#[tokio::test]
async fn supplied_adjusted_closes_are_replaced_only_with_yes_and_never_mixed_with_computed_ones() {
    let (database, files) = (Database::sample().await, Files::new());
    let before = database.texts(ADJUSTED).await;
    let raw = file(&files, "raw.csv", HEADER, &["AAPL,2013-03-04,427,430,420,421,5".into()]);
    for source in [raw.as_str(), "-"] {
        let mut command = database.tickerd(&["ingest", "prices", source]);
        let output = CommandOutput::of(command.stdin(std::fs::File::open(&raw).unwrap()));
        let message = "the adjusted closes of AAPL came from a feed \
                       and would all be replaced by computed ones";
        assert!(
            output.confirmation_required().starts_with(message) && output.stderr.contains("--yes"),
            "{output:?}"
        );
    }
    // Actions don't replace supplied closes either.
    let split = file(&files, "split.csv", ACTIONS, &["AAPL,2013-02-01,1,2,".into()]);
    let insisted = ["ingest", "actions", &split, "--prices-are", "raw", "--json"];
    assert_eq!(database.output(&insisted).json()["restated"], json!([]));
    assert!(database.texts(ADJUSTED).await == before);

    let report = database.output(&["ingest", "prices", &raw, "--yes", "--json"]).json();
    assert_eq!((&report["added"], &report["stocksTouched"]), (&1.into(), &1.into()));
    assert_eq!(report["restated"][0]["readjusted"], 3270);
    // Supplied closes can't be mixed with computed ones. A file that supplies all of them is
    // accepted.
    let supplied = HEADER.to_owned() + ",adjusted_close";
    let day = file(&files, "day.csv", &supplied, &["AAPL,2013-03-05,420,430,420,421,5,400".into()]);
    let output = database.output(&["ingest", "prices", &day]);
    assert!(output.error_line().contains("the adjusted closes of AAPL are computed"), "{output:?}");
    let report = database
        .output(&["ingest", "prices", &day, "--adjusted-close", "computed", "--json"])
        .json();
    assert_eq!((&report["added"], &report["restated"]), (&1.into(), &json!([])));
    assert_eq!(closes(&database, "AAPL").await.last().unwrap().2, 421.0);
    let days = ["2013-03-04,427,430,420,421,5,400", "2013-03-05,420,430,420,421,5,400"];
    let mut whole: Vec<_> =
        read_text("seed/prices.csv.gz").lines().skip(1).map(str::to_owned).collect();
    whole.extend(days.map(|day| format!("AAPL,{day}")));
    // The column order of the sample file.
    let whole =
        file(&files, "whole.csv", "symbol,date,open,high,low,close,volume,Adj Close", &whole);
    let insisted = ["ingest", "prices", &whole, "--prices-are", "raw", "--json"];
    let report = database.output(&insisted).json();
    assert_eq!((&report["added"], &report["stocksTouched"]), (&0.into(), &1.into()), "{report}");
    let after = database.texts(ADJUSTED).await;
    assert!(before.iter().all(|row| after.contains(row)));
}

/// What the API answers as CSV can be loaded back: the stock's adjusted closes stay computed, so
/// that the next file without them is accepted.
#[tokio::test]
async fn the_apis_own_csv_loaded_back_changes_nothing_and_leaves_the_stock_computed() {
    let (database, files) = (stocks_only().await, Files::new());
    let days = [
        "FB,2012-05-18,42,45,38,38.23,5",
        "FB,2012-05-21,36,36.66,33,34.03,5",
        "FB,2012-05-22,10.87,11.2,10.3,10.33,9",
        "FB,2012-05-23,10.4,10.7,10.1,10.66,7",
    ];
    let prices = file(&files, "prices.csv", HEADER, &days.map(str::to_owned));
    let actions = ["FB,2012-05-22,1,3,".to_owned(), "FB,2012-05-21,,,0.37".to_owned()];
    let actions = file(&files, "actions.csv", ACTIONS, &actions);
    for (kind, file) in [("prices", &prices), ("actions", &actions)] {
        assert_eq!(database.output(&["ingest", kind, file]).code, Some(0));
    }
    let before = database.texts(ADJUSTED).await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for start in ["2012-01-01", "2012-05-21", "2012-05-23"] {
        let path = format!("/api/prices?symbols=FB&start={start}&format=csv");
        let csv = app.get(&key, &path).await.text().await.unwrap();
        assert!(csv.contains("adjustedClose"), "{csv}");
        let own = files.write("own.csv", &csv);
        let report = database.output(&["ingest", "prices", &own, "--json"]).json();
        assert_eq!((&report["added"], &report["changed"]), (&0.into(), &0.into()), "{report}");
        assert_eq!(database.texts(ADJUSTED).await, before);
    }
    // Other adjusted closes are a feed's, and would stand beside the computed ones.
    let other = "FB,2012-05-21,36,36.66,33,34.03,5,11.3434".to_owned();
    let other = file(&files, "other.csv", &format!("{HEADER},adjusted_close"), &[other]);
    let output = database.output(&["ingest", "prices", &other]);
    assert!(output.error_line().contains("the adjusted closes of FB are computed"), "{output:?}");
    // A new day of the same kind may bring a dividend into effect.
    let dividend = file(&files, "dividend.csv", ACTIONS, &["FB,2012-05-24,,,0.5".to_owned()]);
    assert_eq!(database.output(&["ingest", "actions", &dividend]).code, Some(0));
    let next = "FB,2012-05-24,10.2,10.5,10,10.2,6,10.2".to_owned();
    let next = file(&files, "next.csv", &format!("{HEADER},adjusted_close"), &[next]);
    let report = database.output(&["ingest", "prices", &next, "--json"]).json();
    assert_eq!(report["restated"][0]["readjusted"], 4, "{report}");
    // 10.66 * 10.2 / 10.7
    assert_eq!(closes(&database, "FB").await[3].2, 10.161_869_16);
    let nightly = file(&files, "nightly.csv", HEADER, &["FB,2012-05-25,10,10,10,10,1".to_owned()]);
    assert_eq!(database.output(&["ingest", "prices", &nightly]).code, Some(0));
}

/// The sample's adjusted closes have up to 14 digits, and come back with all of them.
#[tokio::test]
async fn adjusted_prices_beside_the_closes_of_a_feed_have_ten_digits() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let columns = "open,high,low,close,adjustedClose";
    let path = format!(
        "/api/prices?symbols=AAPL,FB,GOOG,IBM,MSFT&start=2000-01-01&adjust=all&format=csv\
         &columns={columns}"
    );
    let text = app.get(&key, &path).await.text().await.unwrap();
    let mut long_closes = 0;
    for row in text.lines().skip(1) {
        let fields: Vec<_> = row.split(',').collect();
        let digits = |field: &str| {
            let digits: String = field.chars().filter(char::is_ascii_digit).collect();
            digits.trim_matches('0').len()
        };
        assert!(fields[..3].iter().all(|field| digits(field) <= 10), "{row}");
        assert_eq!(fields[3], fields[4]);
        long_closes += usize::from(digits(fields[3]) > 10);
        let [open, high, low, close] = [0, 1, 2, 3].map(|at| fields[at].parse::<f64>().unwrap());
        assert!(low <= open.min(close) && high >= open.max(close), "{row}");
    }
    assert!(long_closes > 1000, "{long_closes}");
}
