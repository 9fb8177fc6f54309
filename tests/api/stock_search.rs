//! Search finds a stock by its symbol, a former symbol, a word of its name, or something similar.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{App, Database, Files, eventually, header};

/// An instance without Redis polls for changes every 500 ms.
const SOON: Duration = Duration::from_secs(10);
const STOCKS: &str = "symbol,name,exchange,currency
MSF,Mid South Financial,NYSE,USD
SOFT,Apple Hospitality REIT,NYSE,USD
ITX,100% Pure_Soft [x] (AT&T) \\d Corp.,NYSE,USD
ITY,100 PureXSoft x ATT d Corp.,NYSE,USD
KO,Coca-Cola Company,NYSE,USD
";

async fn found(app: &App, key: &str, query: &str) -> (Vec<String>, u64) {
    let (status, body) = app.json(key, &format!("/api/stocks?{query}")).await;
    assert_eq!(status, 200, "{query}: {body}");
    let stocks = body["stocks"].as_array().unwrap();
    assert_eq!(body["count"], stocks.len());
    (
        stocks.iter().map(|stock| stock["id"].as_str().unwrap().to_owned()).collect(),
        body["total"].as_u64().unwrap(),
    )
}

async fn more_stocks(database: &Database) {
    let files = Files::new();
    let output = database.output(&["ingest", "stocks", &files.write("more.csv", STOCKS)]);
    assert_eq!(output.code, Some(0), "{output:?}");
}

#[tokio::test]
async fn results_are_ranked_by_symbol_then_name_then_similarity() {
    let database = Database::sample().await;
    more_stocks(&database).await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (query, expected) in [
        // The symbol itself, then a word of a name, in upper or lower case; a hyphen separates
        // words.
        ("q=soft", ["SOFT", "ITX"].as_slice()),
        ("q=MSF", &["MSF", "MSFT"]),
        ("q=aapl", &["AAPL"]),
        ("q=apple", &["AAPL", "SOFT"]),
        ("q=cola", &["KO"]),
        ("q=business", &["IBM"]),
        ("q=%20%20business%20%20MACH%20", &["IBM"]),
        // Misspelled words.
        ("q=micrsoft", &["MSFT"]),
        ("q=facebok", &["FB"]),
        ("q=gogle", &["GOOG"]),
        // The search text is never a pattern.
        ("q=100%25", &["ITX", "ITY"]),
        ("q=pure_", &["ITX"]),
        ("q=%25", &[]),
        ("q=_", &[]),
        ("q=.*", &[]),
        ("q=%5C", &["ITX"]),
        ("q=%5Cd", &["ITX", "ITY"]),
        ("q=(AT%26T", &["ITX"]),
        ("q=[x]", &["ITX", "ITY"]),
        ("q='", &[]),
        ("q=***:", &[]),
        ("q=%F0%9F%92%B0", &[]),
        ("q=zzzzqqqq", &[]),
    ] {
        let (ids, total) = found(&app, &key, query).await;
        assert_eq!(ids, expected, "{query}");
        assert_eq!(total, expected.len() as u64, "{query}");
    }
}

#[tokio::test]
async fn a_stock_is_found_by_its_former_symbol() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    assert_eq!(found(&app, &key, "q=fb").await, (vec!["FB".to_owned()], 1));
    let output = database.output(&["stocks", "rename", "FB", "META", "--from", "2022-06-09"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let renamed = async || found(&app, &key, "q=fb").await == (vec!["META".to_owned()], 1);
    eventually("the former symbol finds the stock", SOON, renamed).await;
    // A current symbol ranks before a former one.
    let files = Files::new();
    let row = "symbol,name,exchange,currency\nFB,ProShares Trust,NYSE,USD\nFBX,Fab Inc.,NYSE,USD\n";
    let output =
        database.output(&["ingest", "stocks", &files.write("fb.csv", row), "--reuse", "FB"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let taken = async || found(&app, &key, "q=fb").await.0 == ["FB", "META", "FBX"];
    eventually("the symbol belongs to the new stock", SOON, taken).await;
}

#[tokio::test]
async fn pages_of_a_search_and_of_a_list_report_the_total() {
    let database = Database::sample().await;
    more_stocks(&database).await;
    let output = database.output(&["stocks", "delist", "GOOG", "--on", "2013-03-01"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (query, expected, of) in [
        (
            "",
            ["AAPL", "FB", "GOOG", "IBM", "ITX", "ITY", "KO", "MSF", "MSFT", "SOFT"].as_slice(),
            10,
        ),
        ("limit=2&offset=8", &["MSFT", "SOFT"], 10),
        ("limit=2&offset=50", &[], 10),
        ("active=false", &["GOOG"], 1),
        ("active=true&limit=1", &["AAPL"], 9),
        ("exchange=nasdaq&active=true", &["AAPL", "FB", "MSFT"], 3),
        ("q=ms", &["MSF", "MSFT"], 2),
        ("q=ms&limit=1", &["MSF"], 2),
        ("q=ms&limit=1&offset=1", &["MSFT"], 2),
        ("q=ms&limit=1&offset=2", &[], 2),
        ("q=ms&exchange=NASDAQ", &["MSFT"], 1),
        ("q=ms&sector=Technology", &["MSFT"], 1),
        ("q=google&active=true", &[], 0),
        ("q=google&active=false", &["GOOG"], 1),
    ] {
        assert_eq!(
            found(&app, &key, query).await,
            (expected.iter().map(ToString::to_string).collect(), of),
            "{query}"
        );
    }
}

#[tokio::test]
async fn equivalent_searches_share_a_cache_entry_and_a_load_invalidates_it() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    assert_eq!(header(&app.get(&key, "/api/stocks?q=Apple").await, "x-cache"), "MISS");
    for query in ["q=Apple", "q=apple", "q=+APPLE+", "limit=50&q=apple"] {
        assert_eq!(
            header(&app.get(&key, &format!("/api/stocks?{query}")).await, "x-cache"),
            "HIT",
            "{query}"
        );
    }
    for query in ["q=Apple&active=true", "q=Apple&active=false", "q=Appl", "sector=Technology", ""]
    {
        assert_eq!(
            header(&app.get(&key, &format!("/api/stocks?{query}")).await, "x-cache"),
            "MISS",
            "{query}"
        );
    }
    more_stocks(&database).await;
    let loaded = async || found(&app, &key, "q=apple").await.1 == 2;
    eventually("the loaded stock is found", SOON, loaded).await;
}

#[tokio::test]
async fn a_stock_shows_its_first_and_last_day_also_in_lists() {
    let database = Database::sample().await;
    more_stocks(&database).await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let (_, listed) = app.json(&key, "/api/stocks").await;
    for (at, symbol, first, last) in [
        (0, "AAPL", json!("2000-03-01"), json!("2013-03-01")),
        (1, "FB", json!("2012-05-18"), json!("2013-03-01")),
        (4, "ITX", Value::Null, Value::Null),
    ] {
        let (_, single) = app.json(&key, &format!("/api/stocks/{symbol}")).await;
        for stock in [&listed["stocks"][at], &single["stock"]] {
            assert_eq!(
                (&stock["id"], &stock["firstDate"], &stock["lastDate"]),
                (&symbol.into(), &first, &last)
            );
        }
    }
}

#[tokio::test]
async fn an_invalid_search_says_what_was_expected() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (query, message) in [
        ("q=".to_owned(), "q is not valid: expected a text of 1 to 100 characters"),
        (
            format!("q={}", "x".repeat(101)),
            "q is not valid: expected a text of 1 to 100 characters",
        ),
        ("q=%20%09".to_owned(), "q is blank: expected a symbol or words"),
        ("q=a%00b".to_owned(), "q is not valid: expected a text of 1 to 100 characters"),
        ("active=yes".to_owned(), "active is not valid: expected true or false"),
        ("active=".to_owned(), "active is not valid: expected true or false"),
    ] {
        let (status, body) = app.json(&key, &format!("/api/stocks?{query}")).await;
        assert_eq!(
            (status, &body["code"], &body["detail"]),
            (400, &"invalid_parameter".into(), &message.into()),
            "{query}"
        );
    }
    assert_eq!(found(&app, &key, &format!("q={}", "x".repeat(100))).await.1, 0);
}
