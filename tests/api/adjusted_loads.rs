//! Loads refuse prices that their vendor has adjusted for a split, also if the bars around it are
//! weeks apart, and corrections that turn stored prices into adjusted ones.

use crate::support::{CommandOutput, Database, Files};

/// A database with one stock, WIDG on NYSE.
async fn one_stock() -> (Database, Files) {
    let (database, files) = (Database::empty().await, Files::new());
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database.load("stocks", "symbol,name,exchange,currency\nWIDG,Widget Corp,NYSE,USD\n");
    (database, files)
}

fn bars(rows: &[(&str, f64, u64)]) -> String {
    let row = |(date, price, volume): &(&str, f64, u64)| {
        format!("WIDG,{date},{price},{price},{price},{price},{volume}\n")
    };
    let rows: String = rows.iter().map(row).collect();
    format!("symbol,date,open,high,low,close,volume\n{rows}")
}

fn load_split(database: &Database, ex_date: &str, from: u32, to: u32) {
    let split = format!("symbol,ex_date,split_from,split_to\nWIDG,{ex_date},{from},{to}\n");
    database.load("actions", &split);
}

fn ingest(database: &Database, file: &str, options: &[&str]) -> CommandOutput {
    database.output(&[&["ingest", "prices", file], options].concat())
}

async fn closes(database: &Database) -> Vec<String> {
    database.texts("SELECT close::text FROM prices ORDER BY date").await
}

#[tokio::test]
async fn adjusted_prices_are_refused_where_the_bars_around_a_large_split_are_weeks_apart() {
    for first in ["2024-03-06", "2024-02-16"] {
        let (database, files) = one_stock().await;
        load_split(&database, "2024-03-18", 1, 20);
        let file = [(first, 50.0, 5), ("2024-03-18", 50.0, 5), ("2024-03-19", 50.0, 5)];
        let file = files.write("adjusted.csv", bars(&file));
        let refused = ingest(&database, &file, &[]);
        let expected = "WIDG: at the split of 2024-03-18 the close moved by +0.0 %";
        assert!(refused.code == Some(1) && refused.stderr.contains(expected), "{refused:?}");
        assert_eq!(closes(&database).await, Vec::<String>::new());
        assert_eq!(ingest(&database, &file, &["--prices-are", "split-adjusted"]).code, Some(0));
        assert_eq!(closes(&database).await, ["1000", "50", "50"]);
    }
}

#[tokio::test]
async fn prices_as_traded_are_loaded_where_the_bars_around_a_split_are_weeks_apart() {
    for (to, before, after) in [
        (20, 1000.0, 50.0),
        (20, 1000.0, 25.0), // fell by half meanwhile
        (20, 1000.0, 100.0),
        (4, 100.0, 12.5),
        (4, 100.0, 50.0),  // doubled meanwhile
        (2, 100.0, 100.0), // proves nothing
    ] {
        let (database, files) = one_stock().await;
        load_split(&database, "2024-03-18", 1, to);
        let rows = [("2024-02-16", before, 5), ("2024-03-18", after, 5)];
        let loaded = ingest(&database, &files.write("raw.csv", bars(&rows)), &[]);
        assert_eq!(loaded.code, Some(0), "{to}: {before} to {after}: {loaded:?}");
    }
}

const JANUARY: [(&str, f64); 6] = [
    ("2024-01-08", 1002.5),
    ("2024-01-09", 1007.37),
    ("2024-01-10", 995.0),
    ("2024-01-11", 990.01),
    ("2024-01-12", 1010.0),
    ("2024-01-16", 1021.4),
];

/// The bars of January divided by a split, to cents.
fn january(ratio: f64) -> Vec<(&'static str, f64, u64)> {
    let adjusted = |price: f64| (price / ratio * 100.0).round() / 100.0;
    JANUARY.iter().map(|(date, price)| (*date, adjusted(*price), 1000)).collect()
}

#[tokio::test]
async fn a_correction_by_the_ratio_of_a_later_split_is_refused() {
    let (database, files) = one_stock().await;
    assert_eq!(ingest(&database, &files.write("raw.csv", bars(&january(1.0))), &[]).code, Some(0));
    load_split(&database, "2024-06-03", 1, 20);
    let before = closes(&database).await;
    let adjusted = files.write("adjusted.csv", bars(&january(20.0)));
    let refused = ingest(&database, &adjusted, &[]);
    let expected = "stored closes as traded would be replaced by adjusted ones:\n  WIDG: \
                    changed closes from 2024-01-08 to 2024-01-16 move as at a split of 20 new \
                    shares for 1, but that is later\n--prices-are split-adjusted converts";
    assert!(refused.code == Some(1) && refused.stderr.contains(expected), "{refused:?}");
    assert_eq!(closes(&database).await, before);
    // One wrong row of many, and one row alone.
    let mut mixed = january(1.0);
    mixed[3] = january(20.0)[3];
    let one = files.write("one.csv", bars(&mixed));
    assert!(ingest(&database, &one, &[]).stderr.contains("closes from 2024-01-11 to 2024-01-11"));
    assert_eq!(closes(&database).await, before);
    // The operator may insist.
    assert_eq!(ingest(&database, &adjusted, &["--prices-are", "raw"]).code, Some(0));
    assert_eq!(closes(&database).await[0], "50.13");
    // A repair needs no word.
    let raw = files.write("raw.csv", bars(&january(1.0)));
    assert_eq!(ingest(&database, &raw, &[]).code, Some(0));
    assert_eq!(closes(&database).await, before);
}

#[tokio::test]
async fn other_corrections_before_a_split_are_loaded() {
    let (database, files) = one_stock().await;
    assert_eq!(ingest(&database, &files.write("raw.csv", bars(&january(1.0))), &[]).code, Some(0));
    load_split(&database, "2024-06-03", 4, 5);
    let mut corrected = january(1.0);
    corrected[2].1 = 994.0;
    corrected[4].1 = 850.0;
    let loaded = ingest(&database, &files.write("corrected.csv", bars(&corrected)), &[]);
    assert!(loaded.code == Some(0) && loaded.stderr.contains("2 changed"), "{loaded:?}");
}
