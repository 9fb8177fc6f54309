//! What the API answers can be loaded, and changes nothing. Adjusted prices are refused.

use serde_json::Value;

use crate::support::{App, Database, Files};

/// All that a load can change.
const STATE: &str = "SELECT concat_ws(' ', symbol, date, open, high, low, close, adjusted_close,
                                      volume, computes_adjusted_close, data_version)
                     FROM prices JOIN stocks ON id = stock_id ORDER BY symbol, date";

/// Beyond 2^53, where doubles have gaps.
const VOLUME: i64 = 9_007_199_254_740_993;

#[tokio::test]
async fn every_form_of_prices_goes_back_in_and_changes_nothing() {
    let (database, files) = (Database::sample().await, Files::new());
    let rows = format!(
        "symbol,date,open,high,low,close,volume,adjusted_close\n\
         AAPL,2020-01-02,0.00005,0.000065,0.00004,0.00005,{VOLUME},0.0000000123456789\n\
         AAPL,2020-01-03,123456789012345,123456789012345,1,123456.789012345,0,1e15\n"
    );
    let file = files.write("extreme.csv", rows);
    assert_eq!(database.output(&["ingest", "prices", &file]).code, Some(0));
    let before = database.texts(STATE).await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let one = "/api/stocks/AAPL/prices?start=2012-01-01&limit=1000";
    let many = "/api/prices?symbols=AAPL,IBM&start=2012-01-01";
    let day = "/api/prices/daily/2012-12-31?";
    let mut loads = 0;
    for (path, symbol) in [(one, Some("AAPL")), (many, None), (day, None)] {
        for format in ["json", "csv", "ndjson"] {
            let answer = app.get(&key, &format!("{path}&format={format}")).await;
            assert_eq!(answer.status(), 200, "{path}");
            let text = answer.text().await.unwrap();
            // The JSON answer for one stock names it beside the rows.
            let symbol = symbol.filter(|_| format != "json");
            let arguments: Vec<_> = symbol.map_or(vec![], |symbol| vec!["--symbol", symbol]);
            let file = files.write("answer", &text);
            let load = [&["ingest", "prices", &file, "--json"], &arguments[..]].concat();
            let report = database.output(&load).json();
            assert_eq!(
                (&report["added"], &report["changed"], &report["ignoredColumns"]),
                (&0.into(), &0.into(), &Value::Null),
                "{path} as {format}: {report}"
            );
            assert!(report["unchanged"].as_u64() > Some(1), "{path} as {format}: {report}");
            assert!(database.texts(STATE).await == before, "{path} as {format}");
            loads += 1;
        }
    }
    assert_eq!(loads, 9);
}

/// Five bars, then a dividend of 2.5 and a split of 5 for 4.
async fn with_actions() -> Database {
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database.load("stocks", "symbol,name,exchange,currency\nAA2,Adjusted Inc,NYSE,USD\n");
    let rows = "AA2,2024-03-04,100,102,99,101,1000\nAA2,2024-03-05,103,107,102,106,1000\n\
                AA2,2024-03-06,104,105,103,104.5,1000\nAA2,2024-03-07,84,86,83,84.4,1250\n\
                AA2,2024-03-08,84,86,83,85,1250\n";
    database.load("prices", &format!("symbol,date,open,high,low,close,volume\n{rows}"));
    let actions = "AA2,2024-03-06,2.5,,\nAA2,2024-03-07,,4,5\n";
    database.load("actions", &format!("symbol,ex_date,dividend,split_from,split_to\n{actions}"));
    database
}

#[tokio::test]
async fn adjusted_answers_are_refused_in_every_form() {
    let (database, files) = (with_actions().await, Files::new());
    let before = database.texts(STATE).await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let one = "/api/stocks/AA2/prices?start=2012-01-01";
    let many = "/api/prices?symbols=AA2&start=2012-01-01";
    for (path, format) in
        [one, many].iter().flat_map(|path| ["json", "csv", "ndjson"].map(|format| (*path, format)))
    {
        for adjust in ["splits", "all"] {
            let answer = app.get(&key, &format!("{path}&format={format}&adjust={adjust}")).await;
            let text = answer.text().await.unwrap();
            let file = files.write("answer", &text);
            let symbol = path == one && format != "json";
            let symbol = if symbol { &["--symbol", "AA2"][..] } else { &[] };
            for basis in [&[][..], &["--prices-are", "split-adjusted"]] {
                let load = [&["ingest", "prices", &file], symbol, basis].concat();
                let refused = database.output(&load);
                let expected = format!(
                    "this is an answer of tickerd with adjust={adjust}: ask with adjust=none"
                );
                assert_eq!(refused.code, Some(1), "{path} {format} {adjust}: {refused:?}");
                assert!(refused.stderr.contains(&expected), "{path} {format}: {refused:?}");
            }
        }
    }
    assert_eq!(database.texts(STATE).await, before);
}

/// Columns that a client selects have no place for a mark, and what is not marked is compared.
#[tokio::test]
async fn adjusted_prices_without_a_mark_do_not_replace_the_stored_ones() {
    let (database, files) = (with_actions().await, Files::new());
    let before = database.texts(STATE).await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let path = "/api/prices?symbols=AA2&start=2012-01-01&format=csv";
    for columns in ["", ",adjustedClose"] {
        let columns = format!("symbol,date,open,high,low,close,volume{columns}");
        for (adjust, reason) in [
            (
                "splits",
                "AA2: changed closes from 2024-03-04 to 2024-03-06 move as at a split of \
                        1.25 new shares for 1, but that is later",
            ),
            (
                "all",
                "AA2: changed closes from 2024-03-04 to 2024-03-06 are the adjusted closes \
                     that are served for these days",
            ),
        ] {
            let url = format!("{path}&columns={columns}&adjust={adjust}");
            let text = app.get(&key, &url).await.text().await.unwrap();
            assert!(text.starts_with(&format!("{columns}\r\n")), "{text}");
            let refused = database.output(&["ingest", "prices", &files.write("a.csv", &text)]);
            assert!(refused.code == Some(1) && refused.stderr.contains(reason), "{refused:?}");
        }
    }
    assert_eq!(database.texts(STATE).await, before);
}

/// All that a load of stocks can change.
const STOCKS: &str = "SELECT to_jsonb(stocks)::text FROM stocks ORDER BY id";

#[tokio::test]
async fn the_answers_with_stocks_go_back_in_and_change_nothing() {
    let (database, files) = (Database::sample().await, Files::new());
    let rename = ["stocks", "rename", "IBM", "IBMX", "--from", "2020-01-02"];
    let renamed = database.output(&rename);
    assert_eq!(renamed.code, Some(0), "{renamed:?}");
    let before = database.texts(STOCKS).await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (path, count) in [("/api/stocks", 5), ("/api/stocks/AAPL", 1), ("/api/stocks/IBMX", 1)] {
        let text = app.get(&key, path).await.text().await.unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        for text in [text, serde_json::to_string_pretty(&value).unwrap()] {
            let file = files.write("stocks.json", &text);
            let output = database.output(&["ingest", "stocks", &file, "--json"]);
            assert_eq!(output.code, Some(0), "{path}: {output:?}");
            assert_eq!(output.json()["unchanged"], count, "{path}");
            assert!(database.texts(STOCKS).await == before, "{path}");
        }
    }
}
