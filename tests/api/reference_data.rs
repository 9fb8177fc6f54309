//! Types, countries and identifiers of stocks: loaded, served, and found by.

use serde_json::{Value, json};

use crate::support::{App, Database, Files};

/// As vendors write them: a type of Massive, a country of three letters, identifiers in any case.
const STOCKS: &str = "symbol,name,exchange,currency,type,country,isin,cusip,figi,cik\n\
    AAPL,Apple Inc.,NASDAQ,USD,CS,USA,us0378331005,037833100,BBG000B9XRY4,320193\n\
    SPDR,Some Fund,NYSEARCA,USD,ETF,US,,,,\n\
    SAPX,Some ADR,NYSE,USD,Depositary Receipt,DE,DE0007164600,,,1000184\n\
    PLAIN,Plain Corp,NYSE,USD,,,,,,\n";

async fn loaded() -> Database {
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database.load("stocks", STOCKS);
    database
}

#[tokio::test]
async fn reference_data_is_served_in_one_form_and_null_where_the_file_lacks_it() {
    let database = loaded().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let of = async |symbol: &str| -> Value {
        let (status, body) = app.json(&key, &format!("/api/stocks/{symbol}")).await;
        assert_eq!(status, 200, "{body}");
        let stock = &body["stock"];
        let fields = ["type", "country", "isin", "cusip", "figi", "cik"];
        fields.iter().map(|field| stock[field].clone()).collect()
    };
    let apple = json!(["stock", "US", "US0378331005", "037833100", "BBG000B9XRY4", "0000320193"]);
    assert_eq!(of("AAPL").await, apple);
    let unknown = Value::Null;
    assert_eq!(of("PLAIN").await, json!(vec![unknown; 6]));
    // A file without the columns leaves them alone.
    database.load("stocks", "symbol,name,exchange,currency\nAAPL,Apple Inc.,NASDAQ,USD\n");
    assert_eq!(of("AAPL").await, apple);
}

#[tokio::test]
async fn stocks_are_found_by_type_country_currency_and_identifier() {
    let database = loaded().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (query, expected) in [
        ("type=etf", vec!["SPDR"]),
        ("country=us", vec!["AAPL", "SPDR"]),
        ("country=DE&type=adr", vec!["SAPX"]),
        ("country=USA", vec!["AAPL", "SPDR"]),
        ("country=deu", vec!["SAPX"]),
        ("country=FR", vec![]),
        ("currency=GBp", vec![]),
        ("currency=usd", vec!["AAPL", "PLAIN", "SAPX", "SPDR"]),
        ("currency=EUR", vec![]),
        ("isin=US0378331005", vec!["AAPL"]),
        ("isin=de0007164600", vec!["SAPX"]),
        ("cusip=037833100", vec!["AAPL"]),
        ("figi=BBG000B9XRY4", vec!["AAPL"]),
        ("cik=320193", vec!["AAPL"]),
        ("cik=0001000184&q=some", vec!["SAPX"]),
        ("q=some&type=etf", vec!["SPDR"]),
    ] {
        let (status, body) = app.json(&key, &format!("/api/stocks?{query}")).await;
        assert_eq!(status, 200, "{query}: {body}");
        let found: Vec<_> = body["stocks"].as_array().unwrap().iter().map(|of| &of["id"]).collect();
        assert_eq!(found, expected, "{query}");
        assert_eq!(body["total"], expected.len(), "{query}");
    }
    for (query, message) in [
        ("isin=US0378331006", "expected a check digit of 5"),
        ("cusip=1", "expected a CUSIP"),
        ("type=shares", "expected stock, etf"),
        ("country=XX", "is not a country: expected a code of ISO 3166-1, as US or USA"),
        ("country=United+States", "expected a code of ISO 3166-1"),
        ("currency=ZZZ", "is not a currency: expected a code of ISO 4217, or a minor unit as GBX"),
    ] {
        let (status, body) = app.json(&key, &format!("/api/stocks?{query}")).await;
        assert!(status == 400 && body.to_string().contains(message), "{query}: {body}");
    }
}

#[tokio::test]
async fn a_wrong_identifier_type_or_country_is_left_out_and_named_in_the_report() {
    let (database, files) = (loaded().await, Files::new());
    let header = "symbol,name,exchange,currency,type,country,isin";
    for (row, message) in [
        ("A,A,NYSE,USD,,,US0378331006", "column isin: expected a check digit of 5"),
        ("A,A,NYSE,USD,,XX,", "column country: expected the ISO 3166 code"),
        ("A,A,NYSE,USD,shares,,", "column type: expected a type of instrument (stock, etf"),
    ] {
        let file = files.write("stocks.csv", format!("{header}\n{row}\n"));
        let output = database.output(&["ingest", "stocks", &file]);
        let named = format!("1 value was not understood and left out:\n    line 2, {message}");
        assert!(output.code == Some(0) && output.stderr.contains(&named), "{output:?}");
        let report = database.output(&["ingest", "stocks", &file, "--json"]).json();
        assert_eq!(report["unreadValues"], 1, "{report}");
    }
    let details = "SELECT concat_ws(' ', symbol, type, country, isin) FROM stocks
                   WHERE symbol = 'A'";
    assert_eq!(database.texts(details).await, ["A"]);
}

#[tokio::test]
async fn an_unknown_currency_is_refused_by_line_and_one_of_old_data_is_read() {
    let (database, files) = (loaded().await, Files::new());
    let header = "symbol,name,exchange,currency";
    let rows = ["OLD,Old,NYSE,DEM", "A,A,NYSE,GPB", "B,B,NYSE,ZZZ", "C,C,NYSE,BTC", "D,D,NYSE,aaa"];
    let file = files.write("stocks.csv", format!("{header}\n{}\n", rows.join("\n")));
    let refused = database.output(&["ingest", "stocks", &file]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for (line, found) in [(3, "GPB"), (4, "ZZZ"), (5, "BTC"), (6, "aaa")] {
        let expected = format!(
            "line {line}, column currency: expected an ISO 4217 code such as USD, or a minor unit \
             such as GBX, found {found:?}"
        );
        assert!(refused.stderr.contains(&expected), "{refused:?}");
    }
    assert!(!refused.stderr.contains("line 2"), "{refused:?}");
    let old = files.write("old.csv", format!("{header}\n{}\n", rows[0]));
    assert_eq!(database.output(&["ingest", "stocks", &old]).code, Some(0));
}

#[tokio::test]
async fn another_unit_of_the_currency_of_stored_prices_needs_a_confirmation() {
    let (database, files) = (Database::empty().await, Files::new());
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    let stocks = |currency: &str| {
        format!("symbol,name,exchange,currency\nVOD,Vodafone,NYSE,{currency}\nNEW,New,NYSE,GBX\n")
    };
    database.load("stocks", &stocks("GBX"));
    let bar = "symbol,date,open,high,low,close,volume\nVOD,2024-01-04,70,71,69,70,5\n";
    database.load("prices", bar);
    let ingest = |currency: &str, options: &[&str]| {
        let file = files
            .write("stocks.csv", stocks(currency).replace("NEW,New,NYSE,GBX", "NEW,New,NYSE,GBP"));
        database.output(&[&["ingest", "stocks", &file], options].concat())
    };
    let currency = async || database.texts("SELECT currency FROM stocks ORDER BY symbol").await;
    let refused = ingest("GBP", &[]);
    let expected = "the stored prices of stocks would count as in another unit, 100 or 1000 times \
                    as large or small: VOD from GBX to GBP";
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains(expected) && refused.stderr.contains("--yes"), "{refused:?}");
    assert_eq!(currency().await, ["GBX", "GBX"]);
    let confirmed = ingest("GBP", &["--yes"]);
    assert_eq!(confirmed.code, Some(0), "{confirmed:?}");
    assert_eq!(currency().await, ["GBP", "GBP"]);
    // Back, and to another currency, which the report names.
    assert_eq!(ingest("GBX", &[]).code, Some(2));
    let other = ingest("USD", &[]);
    assert!(other.code == Some(0) && other.stderr.contains("VOD from GBP to USD"), "{other:?}");
}
