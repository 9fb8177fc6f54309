//! A stock keeps its history when its symbol changes, when another company takes over the symbol,
//! and when it is delisted.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{App, Database, Files, eventually, header};

const META: &str = "/api/stocks/META/prices?start=2013-01-01";
const FB: &str = "/api/stocks/FB/prices?start=2013-01-01";
const PRICES: &str = "symbol,date,open,high,low,close,volume,adjusted_close";
const STOCKS: &str = "symbol,name,exchange,currency";
/// An instance without Redis polls for changes every 500 ms.
const SOON: Duration = Duration::from_secs(10);

fn rename(database: &Database) {
    let output = database.output(&["stocks", "rename", "FB", "META", "--from", "2022-06-09"]);
    assert_eq!(
        (output.code, output.stderr.as_str()),
        (Some(0), "FB is now META; both symbols find it.\n"),
        "{output:?}"
    );
}

async fn body(app: &App, key: &str, path: &str) -> Value {
    let (status, body) = app.json(key, path).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

#[tokio::test]
async fn a_renamed_stock_is_served_under_both_symbols() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let before = body(&app, &key, FB).await;
    assert_eq!(before["symbol"], "FB");
    rename(&database);
    let renamed = async || body(&app, &key, FB).await["symbol"] == "META";
    eventually("the former symbol leads to the stock", SOON, renamed).await;
    let (under_fb, under_meta) = (body(&app, &key, FB).await, body(&app, &key, META).await);
    assert_eq!(under_fb, under_meta);
    assert_eq!(under_fb["prices"], before["prices"]);
    assert_eq!(
        body(&app, &key, "/api/stocks/fb/quote").await,
        body(&app, &key, "/api/stocks/META/quote").await
    );
    let stock = body(&app, &key, "/api/stocks/FB").await;
    assert_eq!(stock, body(&app, &key, "/api/stocks/META").await);
    let stock = &stock["stock"];
    let former = json!([{ "symbol": "FB", "replacedOn": "2022-06-09" }]);
    assert_eq!(
        (&stock["id"], &stock["formerSymbols"], &stock["delistedOn"]),
        (&"META".into(), &former, &Value::Null)
    );
    let listed = body(&app, &key, "/api/stocks").await;
    let ids: Vec<_> = listed["stocks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stock| stock["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["AAPL", "GOOG", "IBM", "META", "MSFT"]);
    // Responses under a former symbol are cached too, and a correction invalidates them.
    assert_eq!(header(&app.get(&key, FB).await, "x-cache"), "HIT");
    let files = Files::new();
    let row = files.write("fb.csv", format!("{PRICES}\nFB,2013-03-01,27,28,26,27.5,5,27.5\n"));
    assert_eq!(
        database.output(&["ingest", "prices", &row, "--json"]).json()["restated"][0]["symbol"],
        "META"
    );
    for path in [FB, META] {
        let corrected = async || body(&app, &key, path).await["prices"][0]["close"] == 27.5;
        eventually("the correction is served", SOON, corrected).await;
    }
}

#[tokio::test]
async fn files_with_a_former_symbol_update_the_renamed_stock_and_renaming_again_changes_nothing() {
    let database = Database::sample().await;
    rename(&database);
    let revision = "SELECT current::text FROM revision";
    let before = database.texts(revision).await;
    for (kind, path) in [("stocks", "seed/stocks.csv"), ("prices", "seed/prices.csv.gz")] {
        let report = database.output(&["ingest", kind, path, "--json"]).json();
        assert_eq!(
            (&report["added"], &report["changed"]),
            (&0.into(), &0.into()),
            "{kind}: {report}"
        );
    }
    // Rows that may belong to another company are rejected.
    let files = Files::new();
    let prices = files.write("prices.csv", format!("{PRICES}\nFB,2022-06-09,1,2,1,1,5,1\n"));
    let stocks = files.write("stocks.csv", format!("{STOCKS}\nFB,Fresh Bread,NYSE,USD\n"));
    let actions = files.write("actions.csv", "symbol,ex_date,dividend\nFB,2022-06-09,1\n");
    for (kind, path, message) in [
        (
            "prices",
            prices,
            "line 2, column date: expected a day before 2022-06-09, from which FB is META",
        ),
        (
            "stocks",
            stocks,
            "line 2, column name: expected \"Facebook, Inc.\", the name of META, which was FB",
        ),
        ("actions", actions, "line 2, column ex_date: expected a day before 2022-06-09"),
    ] {
        let output = database.output(&["ingest", kind, &path]);
        assert!(
            output.code == Some(1)
                && output.stderr.contains(message)
                && output.stderr.contains("--reuse FB"),
            "{output:?}"
        );
    }
    let again = database.output(&["stocks", "rename", "FB", "META"]);
    assert_eq!(
        (again.code, again.stderr.as_str()),
        (Some(0), "FB is already META; both symbols find it.\n")
    );
    assert_eq!(database.texts(revision).await, before);
}

#[tokio::test]
async fn a_reused_symbol_belongs_to_the_new_company_and_the_first_keeps_its_history() {
    let (database, files) = (Database::sample().await, Files::new());
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    rename(&database);
    let renamed = async || body(&app, &key, FB).await["symbol"] == "META";
    eventually("the former symbol leads to the stock", SOON, renamed).await;
    let history = body(&app, &key, META).await;
    let stocks = files.write("stocks.csv", format!("{STOCKS}\nFB,Fresh Bread,NYSE,USD\n"));
    let prices = files.write("prices.csv", format!("{PRICES}\nFB,2025-01-02,1,2,1,1,5,1\n"));
    for arguments in [["stocks", &stocks, "--reuse", "FB"].as_slice(), &["prices", &prices]] {
        let report = database.output(&[&["ingest"], arguments, &["--json"]].concat()).json();
        assert_eq!(report["added"], 1, "{report}");
    }
    let expected = json!([{ "date": "2025-01-02", "open": 1.0, "high": 2.0, "low": 1.0,
                            "close": 1.0,
                            "adjustedClose": 1.0, "volume": 5 }]);
    let taken_over = async || body(&app, &key, FB).await["prices"] == expected;
    eventually("the symbol leads to the new company", SOON, taken_over).await;
    assert_eq!(body(&app, &key, FB).await["symbol"], "FB");
    assert_eq!(body(&app, &key, META).await, history);
    let former = body(&app, &key, "/api/stocks/META").await["stock"]["formerSymbols"].clone();
    assert_eq!(former, json!([{ "symbol": "FB", "replacedOn": "2022-06-09" }]));
    // An old file of the first company would change the past of the second.
    let old = files.write("old.csv", format!("{PRICES}\nFB,2012-05-21,1,2,1,1,5,1\n"));
    let output = database.output(&["ingest", "prices", &old]);
    assert!(
        output.code == Some(1) && output.stderr.contains("expected a day from 2022-06-09 on"),
        "{output:?}"
    );
    // The same file again, also without `--reuse`: the stock is known now.
    for more in [["--reuse", "FB"].as_slice(), &[]] {
        let report =
            database.output(&[&["ingest", "stocks", &stocks, "--json"], more].concat()).json();
        assert_eq!(report["unchanged"], 1, "{report}");
    }
    // A load for the first company does not change responses for the second.
    let row = files.write("meta.csv", format!("{PRICES}\nMETA,2025-01-02,9,9,9,9,9,9\n"));
    assert_eq!(database.output(&["ingest", "prices", &row]).code, Some(0));
    let loaded = async || body(&app, &key, META).await["prices"][0]["close"] == 9.0;
    eventually("the price is served", SOON, loaded).await;
    assert_eq!(body(&app, &key, FB).await["prices"], expected);
    // The second company got the symbol after the first, so it can't have lost it earlier.
    let misdated = database.output(&["stocks", "rename", "FB", "BREAD", "--from", "2022-01-01"]);
    assert!(
        misdated.error_line().starts_with("another stock had FB until 2022-06-09"),
        "{misdated:?}"
    );
    // The second company is renamed too: the symbol leads to its last owner.
    assert_eq!(
        database.output(&["stocks", "rename", "FB", "BREAD", "--from", "2026-01-02"]).code,
        Some(0)
    );
    let renamed = async || body(&app, &key, FB).await["symbol"] == "BREAD";
    eventually("the symbol leads to its last owner", SOON, renamed).await;
}

#[tokio::test]
async fn two_stocks_that_swap_their_symbols_swap_their_answers() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let names = async || {
        let name = async |symbol: &str| {
            let stock = body(&app, &key, &format!("/api/stocks/{symbol}")).await;
            stock["stock"]["name"].as_str().unwrap().to_owned()
        };
        [name("IBM").await, name("GOOG").await]
    };
    let [first, second] = names().await;
    for [from, to] in [["IBM", "TMP"], ["GOOG", "IBM"], ["TMP", "GOOG"]] {
        let output = database.output(&["stocks", "rename", from, to, "--yes"]);
        assert_eq!(output.code, Some(0), "{output:?}");
    }
    let swapped = async || names().await == [second.clone(), first.clone()];
    eventually("the symbols are swapped", SOON, swapped).await;
}

#[tokio::test]
async fn a_rename_that_would_lose_data_is_rejected_or_requires_yes() {
    let database = Database::sample().await;
    rename(&database);
    for (arguments, message) in [
        (["rename", "NOPE", "X"], "no stock has the symbol NOPE now"),
        (["rename", "FB", "X"], "no stock has the symbol FB now"),
        (["rename", "IBM", "AAPL"], "AAPL is the symbol of Apple Inc."),
        (["rename", "IBM", "IBM"], "IBM is the symbol of International"),
    ] {
        let output = database.output(&[&["stocks"], arguments.as_slice()].concat());
        assert!(output.error_line().starts_with(message), "{output:?}");
    }
    let output = database.output(&["stocks", "rename", "IBM", "FB"]);
    let message =
        "under FB, which META had before, clients would no longer get the history of META";
    assert!(
        output.confirmation_required().starts_with(message) && output.stderr.contains("--yes"),
        "{output:?}"
    );
    let output = database.output(&["stocks", "rename", "IBM", "FB", "--yes", "--json"]);
    assert_eq!(output.json(), json!({ "symbol": "FB", "formerSymbol": "IBM", "changed": true }));
    for usage in [
        ["rename", "FB"].as_slice(),
        &["rename", "FB", "A B"],
        &["delist", "FB"],
        &["delist", "FB", "--on", "x"],
    ] {
        assert_eq!(database.output(&[&["stocks"], usage].concat()).code, Some(2), "{usage:?}");
    }
}

#[tokio::test]
async fn a_stock_can_be_renamed_to_a_symbol_that_was_loaded_as_a_new_stock() {
    let (database, files) = (Database::sample().await, Files::new());
    let stocks = files.write("stocks.csv", format!("{STOCKS}\nMETA,Meta Platforms,NASDAQ,USD\n"));
    let prices =
        files.write("prices.csv", format!("{PRICES}\nMETA,2022-06-09,194,196,184,184,23,184\n"));
    for arguments in [
        ["ingest", "stocks", &stocks].as_slice(),
        &["ingest", "prices", &prices],
        &["stocks", "rename", "META", "META.X"],
        &["stocks", "rename", "FB", "META", "--from", "2022-06-09", "--yes"],
        &["ingest", "prices", &prices],
    ] {
        let output = database.output(arguments);
        assert_eq!(output.code, Some(0), "{output:?}");
    }
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let whole = body(&app, &key, "/api/stocks/META/prices?start=2012-01-01&limit=1000").await;
    assert_eq!((&whole["count"], &whole["prices"][0]["date"]), (&197.into(), &"2022-06-09".into()));
    assert_eq!(body(&app, &key, "/api/stocks/FB/prices?start=2012-01-01&limit=1000").await, whole);
}

#[tokio::test]
async fn a_delisted_stock_keeps_its_history_and_accepts_no_later_price() {
    let (database, files) = (Database::sample().await, Files::new());
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let history = body(&app, &key, FB).await;
    let early = database.output(&["stocks", "delist", "FB", "--on", "2013-02-28"]);
    assert!(early.error_line().starts_with("FB has prices up to 2013-03-01"), "{early:?}");
    assert_eq!(database.output(&["stocks", "delist", "FB", "--on", "2013-03-01"]).code, Some(0));
    let delisted =
        async || body(&app, &key, "/api/stocks/FB").await["stock"]["delistedOn"] == "2013-03-01";
    eventually("the last day is served", SOON, delisted).await;
    assert_eq!(body(&app, &key, FB).await, history);
    let row = files.write("fb.csv", format!("{PRICES}\nFB,2013-03-04,1,2,1,1,5,1\n"));
    let output = database.output(&["ingest", "prices", &row]);
    assert!(
        output.code == Some(1)
            && output.stderr.contains("line 2, column date: expected no day after 2013-03-01"),
        "{output:?}"
    );
    assert_eq!(
        database.output(&["ingest", "prices", "seed/prices.csv.gz", "--json"]).json()["unchanged"],
        12_154
    );
    for line in ["FB is now listed.\n", "FB is already listed.\n"] {
        let output = database.output(&["stocks", "relist", "FB"]);
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), line));
    }
    assert_eq!(database.output(&["ingest", "prices", &row, "--json"]).json()["added"], 1);
}
