//! Long histories are merged stock by stock, short files row by row: both give the same.

use std::ops::Range;

use serde_json::json;

use crate::support::{Database, Files};

const STOCKS: &str =
    "symbol,name,exchange,currency\nONE,One Corp,NYSE,USD\nTWO,Two Corp,NYSE,USD\n";
const BARS: &str = "symbol,date,open,high,low,close,volume,vwap,trades\n";
/// Everything that is stored of each bar: its values, and those it had before.
const STORED: &str = "
    SELECT concat_ws(' ', (SELECT symbol FROM stocks WHERE id = p.stock_id),
                     to_jsonb(p) - '{change_id,stock_id}'::text[],
                     (SELECT jsonb_agg(to_jsonb(h) - '{since,until,stock_id,date}'::text[]
                                       ORDER BY h.until)
                      FROM prices_history h WHERE (h.stock_id, h.date) = (p.stock_id, p.date)))
    FROM prices p ORDER BY p.stock_id, p.date";

/// A bar of each stock on each day. `bar` gives the volume, and the details as `vwap,trades`.
fn bars(days: Range<u32>, bar: impl Fn(u32) -> (u32, &'static str)) -> Vec<String> {
    let first = chrono::NaiveDate::from_ymd_opt(2023, 1, 1).unwrap();
    let row = |symbol: &str, n: u32| {
        let (date, (volume, details)) = (first + chrono::Days::new(n.into()), bar(n));
        format!("{symbol},{date},10,11,9,10.5,{volume},{details}\n")
    };
    days.flat_map(|n| ["ONE", "TWO"].map(|symbol| row(symbol, n))).collect()
}

/// Day 100 of the histories, and day 220.
const DIVIDENDS: &str = "symbol,ex_date,split_from,split_to,dividend\n\
                         ONE,2023-04-11,,,0.5\nONE,2023-08-09,,,0.25\n";

/// A bar of each stock on each day, without details.
fn bars_with_close(days: Range<u32>, close: impl Fn(u32) -> f64) -> Vec<String> {
    let first = chrono::NaiveDate::from_ymd_opt(2023, 1, 1).unwrap();
    let row = |symbol: &str, n: u32| {
        let date = first + chrono::Days::new(n.into());
        format!("{symbol},{date},10,11,9,{},1000,,\n", close(n))
    };
    days.flat_map(|n| ["ONE", "TWO"].map(|symbol| row(symbol, n))).collect()
}

/// The first load of 280 days, and a correction: every fourth bar changes, others get details, and
/// 40 days are new.
fn loads() -> [Vec<String>; 2] {
    let detailed = |n: u32| if n.is_multiple_of(3) { "10.2,7" } else { "," };
    let correction = |n: u32| match n % 8 {
        0 | 4 => (2000 + n, if n % 8 == 4 { "10.4,9" } else { "," }),
        1 => (1000 + n, "10.3,8"),
        _ => (1000 + n, ","),
    };
    [bars(0..280, |n| (1000 + n, detailed(n))), bars(0..320, correction)]
}

/// Loads files. Returns the sums of their reports, and all that is stored then.
async fn load(files: &[String]) -> (Vec<u64>, Vec<String>) {
    let (database, written) = (Database::empty().await, Files::new());
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database.load("stocks", STOCKS);
    let mut counts = vec![0; 3];
    for file in files {
        let file = written.write("bars.csv", format!("{BARS}{file}"));
        let options = ["--closed-days", "keep", "--json"];
        let report = database.output(&[&["ingest", "prices", &file], &options[..]].concat()).json();
        for (sum, field) in counts.iter_mut().zip(["added", "changed", "unchanged"]) {
            *sum += report[field].as_u64().unwrap();
        }
    }
    (counts, database.texts(STORED).await)
}

#[tokio::test]
async fn a_long_history_is_corrected_as_its_parts_are_and_what_it_replaces_is_kept() {
    let whole: Vec<_> = loads().iter().map(|rows| rows.concat()).collect();
    let parts: Vec<_> =
        loads().iter().flat_map(|rows| rows.chunks(100).map(<[_]>::concat)).collect();
    let (counts, stored) = load(&whole).await;
    // 70 bars of each stock have another volume, and 35 others get details.
    assert_eq!(counts, [2 * 320, 2 * (70 + 35), 2 * 175]);
    assert_eq!(stored.iter().filter(|bar| bar.contains("[{")).count(), 2 * (70 + 35));
    assert_eq!((counts, stored), load(&parts).await);
}

#[tokio::test]
async fn a_long_history_may_repeat_a_row_and_may_not_contradict_itself() {
    let (database, files) = (Database::empty().await, Files::new());
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database.load("stocks", STOCKS);
    let [first, second] = loads().map(|rows| rows.concat());
    let ingest = |rows: &str| {
        let file = files.write("bars.csv", format!("{BARS}{rows}"));
        database.output(&["ingest", "prices", &file, "--closed-days", "keep", "--json"])
    };
    assert_eq!(ingest(&first).code, Some(0));
    let stored = database.texts(STORED).await;
    let repeated = "ONE,2023-01-02,10,11,9,10.5,1001,,\n";
    let contradicting = ingest(&format!("{second}{repeated}"));
    assert_eq!(contradicting.code, Some(1), "{contradicting:?}");
    assert!(contradicting.stderr.contains("found a duplicate of line 4"), "{contradicting:?}");
    assert_eq!(database.texts(STORED).await, stored);
    let report = ingest(&format!("{first}{repeated}")).json();
    assert_eq!((&report["identicalRows"], &report["unchanged"]), (&json!(1), &json!(560)));
}

/// Adjusted closes that tickerd computes depend on the dividends of later days and on the closes of
/// those days, which a correction may change too.
#[tokio::test]
async fn a_long_correction_around_dividends_gives_the_adjusted_closes_of_its_parts() {
    let first = bars_with_close(0..320, |_| 10.5);
    // Day 100, the first ex-date, is among the corrected ones.
    let correction = bars_with_close(40..320, |n| if n % 7 == 2 { 10.75 } else { 10.5 });
    let stored = async |parts: &[&[String]]| {
        let (database, files) = (Database::empty().await, Files::new());
        assert_eq!(database.output(&["migrate"]).code, Some(0));
        database.load("stocks", STOCKS);
        database.load("actions", DIVIDENDS);
        for part in parts {
            let file = files.write("bars.csv", format!("{BARS}{}", part.concat()));
            let ingested = database.output(&["ingest", "prices", &file, "--closed-days", "keep"]);
            assert_eq!(ingested.code, Some(0), "{ingested:?}");
        }
        database.texts(STORED).await
    };
    let whole = stored(&[&first, &correction]).await;
    let first_parts: Vec<_> = std::iter::once(&first[..]).chain(correction.chunks(90)).collect();
    assert_eq!(whole, stored(&first_parts).await);
    // By hand, with close / (close + dividend) of each ex-date: 10.5 * 10.75/11.25 * 10.5/10.75.
    assert!(whole[0].contains("\"adjusted_close\": 9.8}"), "{}", whole[0]);
}
