//! The adjusted closes of a feed do not change when an action is loaded. The report says which
//! stocks need their prices again.

use serde_json::{Value, json};

use crate::support::{CommandOutput, Database, Files};

const DIVIDEND: &str = "symbol,ex_date,dividend\nFEED,2024-05-10,0.35\n";

/// A stock with a feed's adjusted closes, of which the first is `adjusted`.
async fn fed(adjusted: &str) -> Database {
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database.load("stocks", "symbol,name,exchange,currency\nFEED,Feed Inc,NYSE,USD\n");
    let prices = format!(
        "symbol,date,open,high,low,close,volume,adjusted_close\n\
         FEED,2024-05-09,21,21.6,20.8,21.5,800,{adjusted}\n\
         FEED,2024-05-10,20.1,20.4,19.9,20.25,900,20.25\n"
    );
    database.load("prices", &prices);
    database
}

fn ingest(database: &Database, text: &str, options: &[&str]) -> CommandOutput {
    let files = Files::new();
    let file = files.write("rows.csv", text);
    let load = ["ingest", "actions", &file, "--prices-are", "raw"];
    let output = database.output(&[&load[..], options].concat());
    assert_eq!(output.code, Some(0), "{output:?}");
    output
}

fn stale(database: &Database, text: &str) -> Value {
    ingest(database, text, &["--json"]).json()["staleAdjustedCloses"].clone()
}

#[tokio::test]
async fn a_load_of_actions_names_the_stocks_whose_adjusted_closes_lack_them() {
    let split = "symbol,ex_date,split_from,split_to\nFEED,2024-05-10,1,2\n";
    for actions in [DIVIDEND, split] {
        let database = fed("21.5").await;
        assert_eq!(stale(&database, actions), json!(["FEED"]));
        // The same file again has no new effect.
        assert_eq!(stale(&database, actions), Value::Null);
    }
    let text = ingest(&fed("21.5").await, DIVIDEND, &[]).stderr;
    let expected = "\n  the adjusted closes of 1 stocks come from a feed, and earlier ones lack a \
                    split or dividend: FEED\n  load all their prices again, from the feed or with \
                    ingest prices --adjusted-close computed --yes\n";
    assert!(text.contains(expected), "{text}");
}

#[tokio::test]
async fn adjusted_closes_that_contain_an_action_or_that_it_does_not_reach_are_not_stale() {
    // 21.5 * 20.25 / 20.6, 21.5 * (1 - 0.35 / 21.5), and rounded to cents.
    for adjusted in ["21.134708737864", "21.15", "21.13"] {
        assert_eq!(stale(&fed(adjusted).await, DIVIDEND), Value::Null, "{adjusted}");
    }
    let database = fed("21.5").await;
    // Before the first bar, and announced.
    let outside = "symbol,ex_date,dividend\nFEED,2024-05-09,0.35\nFEED,2024-05-13,0.35\n";
    assert_eq!(stale(&database, outside), Value::Null);
    // Of two actions of a day, the closes contain one.
    let database = fed("10.75").await;
    let both = "symbol,ex_date,split_from,split_to,dividend\nFEED,2024-05-10,1,2,0.35\n";
    assert_eq!(stale(&database, both), json!(["FEED"]));
    let database = fed("10.75").await;
    let split = "symbol,ex_date,split_from,split_to\nFEED,2024-05-10,1,2\n";
    assert_eq!(stale(&database, split), Value::Null);
    assert_eq!(stale(&database, DIVIDEND), json!(["FEED"]));
    // The sample's adjusted closes contain all of its actions.
    let database = Database::sample().await;
    database.connect().await.batch_execute("DELETE FROM corporate_actions").await.unwrap();
    let actions = std::fs::read_to_string("seed/corporate_actions.csv").unwrap();
    assert_eq!(stale(&database, &actions), Value::Null);
}

/// The report of a load of prices with the bars of 2024-05-13 and 14, after announced dividends.
async fn stale_after_bars(ex_dates: &[&str], adjusted: [&str; 2]) -> Value {
    let database = fed("21.5").await;
    for ex_date in ex_dates {
        assert_eq!(stale(&database, &DIVIDEND.replace("2024-05-10", ex_date)), Value::Null);
    }
    let header = "symbol,date,open,high,low,close,volume,adjusted_close";
    let row = |day: u8, adjusted: &str| format!("FEED,2024-05-{day},20,20,20,20,5,{adjusted}\n");
    let rows = format!("{header}\n{}{}", row(13, adjusted[0]), row(14, adjusted[1]));
    let files = Files::new();
    let load = ["ingest", "prices", &files.write("bars.csv", rows), "--json"];
    database.output(&load).json()["staleAdjustedCloses"].clone()
}

#[tokio::test]
async fn a_load_of_prices_names_the_stocks_whose_earlier_adjusted_closes_lack_an_action() {
    for (ex_dates, adjusted, expected) in [
        (&["2024-05-13"][..], ["20", "20"], json!(["FEED"])),
        // The file is adjusted for a dividend within it, and the bars before it are not.
        (&["2024-05-14"], ["19.65", "20"], json!(["FEED"])),
        (&["2024-05-15"], ["20", "20"], Value::Null),
        (&[], ["20", "20"], Value::Null),
        // 20 / 20.35 on both days: a feed may count from any day.
        (&["2024-05-13"], ["20.35", "20.35"], Value::Null),
    ] {
        let stale = stale_after_bars(ex_dates, adjusted).await;
        assert_eq!(stale, expected, "{ex_dates:?} {adjusted:?}");
    }
}

#[tokio::test]
async fn computed_adjusted_closes_are_never_stale() {
    let database = fed("21.5").await;
    let files = Files::new();
    let prices = "symbol,date,open,high,low,close,volume\nFEED,2024-05-09,21,21.6,20.8,21.5,800\n";
    let file = files.write("raw.csv", prices);
    let load = ["ingest", "prices", &file, "--adjusted-close", "computed", "--yes"];
    assert_eq!(database.output(&load).code, Some(0));
    assert_eq!(stale(&database, DIVIDEND), Value::Null);
}

#[tokio::test]
async fn ten_stale_stocks_are_named_and_the_others_counted() {
    let database = fed("21.5").await;
    let symbols: Vec<_> = (10..22).map(|n| format!("F{n}")).collect();
    let rows = |row: &dyn Fn(&String) -> String| symbols.iter().map(row).collect::<String>();
    let stocks = rows(&|symbol| format!("{symbol},Feed,NYSE,USD\n"));
    database.load("stocks", &format!("symbol,name,exchange,currency\n{stocks}"));
    let prices = rows(&|symbol| {
        format!("{symbol},2024-05-09,9,9,9,9,5,9\n{symbol},2024-05-10,8,8,8,8,5,8\n")
    });
    let header = "symbol,date,open,high,low,close,volume,adjusted_close";
    database.load("prices", &format!("{header}\n{prices}"));
    let actions = rows(&|symbol| format!("{symbol},2024-05-10,0.25\n"));
    let actions = format!("symbol,ex_date,dividend\n{actions}");
    let text = ingest(&database, &actions, &[]).stderr;
    let expected = "of 12 stocks come from a feed, and earlier ones lack a split or dividend: F10, \
                    F11, F12, F13, F14, F15, F16, F17, F18, F19 and 2 more\n";
    assert!(text.contains(expected), "{text}");
}
