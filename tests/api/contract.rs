//! The public contract: paths, fields, defaults, headers.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use serde_json::Value;

use crate::support::{App, Database, eventually, header};

const YEAR_2012: &str = "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31&limit=1000";

/// The sample's rows of a stock: date to the text of open, high, low, close, volume, adjusted
/// close.
fn sample_rows(symbol: &str) -> BTreeMap<String, Vec<String>> {
    let mut text = String::new();
    let file = std::fs::File::open("seed/prices.csv.gz").unwrap();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix(symbol)?.strip_prefix(','));
    let fields = |row: &str| row.split(',').map(str::to_owned).collect::<Vec<_>>();
    rows.map(fields).map(|row| (row[0].clone(), row[1..].to_vec())).collect()
}

#[tokio::test]
async fn a_year_of_prices_equals_the_sample_digit_for_digit() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let body = app.get(&database.issue("pro"), YEAR_2012).await.text().await.unwrap();
    let parsed: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&parsed["symbol"], &parsed["count"]), (&"AAPL".into(), &250.into()));
    let rows = sample_rows("AAPL");
    let mut expected = rows.range("2012-01-01".to_owned().."2013-01-01".to_owned()).rev();
    // Compares the text itself, since a parser could round.
    for row in body.split("{\"date\":").skip(1) {
        let (date, fields) = expected.next().expect("no more rows than the file has");
        let [open, high, low, close, volume, adjusted] = &fields[..] else { panic!("{fields:?}") };
        let text = format!(
            "\"{date}\",\"open\":{open},\"high\":{high},\"low\":{low},\
             \"close\":{close},\"adjustedClose\":{adjusted},\"volume\":{volume}}}"
        );
        assert!(row.starts_with(&text), "expected {text}, found {row}");
    }
    assert_eq!(expected.next(), None);
}

#[tokio::test]
async fn ranges_are_inclusive_newest_first_and_100_rows_by_default() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let dates = async |path: &str| -> Vec<String> {
        let (_, body) = app.json(&key, path).await;
        body["prices"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["date"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        dates("/api/stocks/IBM/prices?start=2013-02-27&end=2013-03-01").await,
        ["2013-03-01", "2013-02-28", "2013-02-27"]
    );
    assert_eq!(dates("/api/stocks/IBM/prices?start=2013-02-27").await.len(), 3);
    let by_default = dates("/api/stocks/IBM/prices?start=2000-01-01").await;
    assert_eq!((by_default.len(), by_default[0].as_str()), (100, "2013-03-01"));
    assert_eq!(dates("/api/stocks/IBM/prices?start=2000-01-01&limit=1000").await.len(), 1000);
    assert_eq!(dates("/api/stocks/ibm/prices?start=2013-03-01").await, ["2013-03-01"]);
}

#[tokio::test]
async fn stocks_are_listed_by_symbol_filtered_and_paged() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let ids = async |query: &str| -> Vec<String> {
        let (_, body) = app.json(&key, &format!("/api/stocks{query}")).await;
        let ids: Vec<_> = body["stocks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(body["count"], ids.len());
        assert!(body["total"].as_u64().unwrap() >= body["count"].as_u64().unwrap(), "{body}");
        ids
    };
    assert_eq!(ids("").await, ["AAPL", "FB", "GOOG", "IBM", "MSFT"]);
    for name in ["nyse", "XNYS", "New+York+Stock+Exchange"] {
        assert_eq!(ids(&format!("?exchange={name}")).await, ["IBM"], "{name}");
    }
    assert!(ids("?exchange=AMEX").await.is_empty());
    assert_eq!(ids("?sector=Communication+Services").await, ["FB", "GOOG"]);
    assert_eq!(ids("?exchange=NASDAQ&sector=Technology").await, ["AAPL", "MSFT"]);
    assert_eq!(ids("?limit=2&offset=1").await, ["FB", "GOOG"]);
    assert!(ids("?offset=5").await.is_empty());
    assert!(ids("?exchange=BATS").await.is_empty());
}

#[tokio::test]
async fn a_stock_is_described_by_its_published_fields() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let (status, body) = app.json(&database.issue("pro"), "/api/stocks/AAPL").await;
    let stock = body["stock"].as_object().unwrap();
    assert_eq!(status, 200);
    assert_eq!(
        (&stock["id"], &stock["name"], &stock["exchange"]),
        (&"AAPL".into(), &"Apple Inc.".into(), &"NASDAQ".into())
    );
    let fields: Vec<_> = stock.keys().map(String::as_str).collect();
    assert_eq!(
        fields,
        [
            "cik",
            "country",
            "currency",
            "cusip",
            "delistedOn",
            "exchange",
            "figi",
            "firstDate",
            "formerSymbols",
            "id",
            "industry",
            "isin",
            "lastDate",
            "marketCap",
            "name",
            "sector",
            "type",
            "updatedAt"
        ]
    );
    assert_eq!(
        (&stock["firstDate"], &stock["lastDate"]),
        (&"2000-03-01".into(), &"2013-03-01".into())
    );
    chrono::DateTime::parse_from_rfc3339(stock["updatedAt"].as_str().unwrap()).unwrap();
}

#[tokio::test]
async fn a_quote_compares_the_latest_close_with_the_one_before_in_todays_shares() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let (_, quote) = app.json(&key, "/api/stocks/MSFT/quote").await;
    assert_eq!(
        (&quote["date"], &quote["close"], &quote["previousClose"]),
        (&"2013-03-01".into(), &27.95.into(), &27.8.into())
    );
    assert_eq!((&quote["change"], &quote["changePercent"]), (&0.15.into(), &0.5396.into()));
    // Make the day of AAPL's two-for-one split of 2005 its latest: 88.99 before the split is 44.495
    // in shares after it.
    let client = database.connect().await;
    client
        .batch_execute(
            "DELETE FROM prices USING stocks WHERE id = stock_id AND symbol = 'AAPL'
             AND date > '2005-02-28'",
        )
        .await
        .unwrap();
    let app = App::without_redis(&database).await;
    let (_, quote) = app.json(&key, "/api/stocks/AAPL/quote").await;
    let rows = sample_rows("AAPL");
    let close = |date: &str| rows[date][3].parse::<f64>().unwrap();
    assert_eq!(quote["close"], close("2005-02-28"));
    assert_eq!(quote["previousClose"], close("2005-02-25") / 2.0);
}

#[tokio::test]
async fn every_response_carries_the_documented_headers() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let answer = app.get(&key, "/api/stocks/AAPL").await;
    assert_eq!(
        (header(&answer, "x-ratelimit-limit"), header(&answer, "x-ratelimit-remaining")),
        ("1000", "999")
    );
    let now_ms = chrono::Utc::now().timestamp_millis();
    let reset_ms: i64 = header(&answer, "x-ratelimit-reset").parse().unwrap();
    assert!((now_ms + 59_000..=now_ms + 61_000).contains(&reset_ms), "{reset_ms} at {now_ms}");
    assert_eq!(header(&answer, "ratelimit-policy"), "\"pro\";q=1000;w=60");
    assert!(
        header(&answer, "ratelimit").starts_with("\"pro\";r=999;t=6"),
        "{}",
        header(&answer, "ratelimit")
    );
    assert_eq!(header(&answer, "x-request-id").len(), 16);
    assert_eq!(header(&answer, "vary"), "Accept-Encoding, Authorization, X-API-Key");
    assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
    assert_eq!(header(&answer, "content-type"), "application/json");
    for path in ["/api/stocks/NOPE", "/api/nothing", "/api/stocks?limit=0"] {
        assert_eq!(header(&app.get(&key, path).await, "x-ratelimit-limit"), "1000", "{path}");
    }
}

#[tokio::test]
async fn a_valid_request_id_is_kept_and_any_other_is_replaced() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let id = async |given: &str| {
        let answer =
            app.request("GET", "/health").header("x-request-id", given).send().await.unwrap();
        header(&answer, "x-request-id").to_owned()
    };
    assert_eq!(id("abc-123_D.e").await, "abc-123_D.e");
    for given in ["a b", "\"}", &"x".repeat(65), ""] {
        assert_eq!(id(given).await.len(), 16, "{given:?}");
    }
}

#[tokio::test]
async fn cors_allows_reads_from_any_origin_and_exposes_the_limits() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let preflight =
        app.request("OPTIONS", "/api/stocks").header("origin", "https://notebook.example");
    let preflight = preflight
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "x-api-key");
    let answer = preflight.send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "access-control-allow-origin")),
        (204, "*")
    );
    assert!(header(&answer, "access-control-allow-headers").contains("x-api-key"));
    let answer = app
        .request("GET", "/api/stocks")
        .header("origin", "https://notebook.example")
        .header("x-api-key", key);
    let answer = answer.send().await.unwrap();
    assert_eq!(header(&answer, "access-control-allow-origin"), "*");
    assert!(header(&answer, "access-control-expose-headers").contains("x-ratelimit-remaining"));
}

#[tokio::test]
async fn cors_allows_writes_and_exposes_the_location() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let preflight =
        app.request("OPTIONS", "/api/watchlists").header("origin", "https://notebook.example");
    let preflight = preflight.header("access-control-request-method", "POST");
    let answer = preflight
        .header("access-control-request-headers", "content-type,x-api-key")
        .send()
        .await
        .unwrap();
    for method in ["GET", "HEAD", "POST", "PATCH", "DELETE"] {
        let allowed = header(&answer, "access-control-allow-methods");
        assert!(allowed.split(", ").any(|allowed| allowed == method), "{method}: {allowed}");
    }
    let sent = header(&answer, "access-control-allow-headers");
    assert!(sent.split(", ").any(|name| name == "content-type"), "{sent}");
    let request =
        app.request("POST", "/api/watchlists").header("origin", "https://notebook.example");
    let answer = request
        .header("x-api-key", key)
        .json(&serde_json::json!({ "name": "A" }))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "access-control-allow-origin")),
        (201, "*")
    );
    assert!(header(&answer, "location").starts_with("/api/watchlists/"));
    let shown = header(&answer, "access-control-expose-headers");
    assert!(shown.split(", ").any(|name| name == "location"), "{shown}");
}

#[tokio::test]
async fn health_needs_no_key_and_readiness_lists_the_dependencies() {
    let database = Database::sample().await;
    let app = App::with_shared_redis(&database, 1).await.remove(0);
    let body = async |path: &str| -> (u16, Value) {
        let answer = app.request("GET", path).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    };
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        body("/health").await,
        (200, serde_json::json!({"status": "ok", "version": version}))
    );
    let ready = serde_json::json!({
        "status": "ok", "version": version, "postgres": "up", "redis": "up", "changes": "followed",
        "redisEvictionPolicy": "volatile-lru"
    });
    eventually("the policy of Redis is known", Duration::from_secs(5), async || {
        body("/health/ready").await == (200, ready.clone())
    })
    .await;
}

#[tokio::test]
async fn head_gets_the_headers_of_get_and_no_body() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let length = header(&app.get(&key, YEAR_2012).await, "content-length").to_owned();
    let answer = app.request("HEAD", YEAR_2012).header("x-api-key", &key).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "content-length")),
        (200, length.as_str())
    );
    assert!(answer.bytes().await.unwrap().is_empty());
}
