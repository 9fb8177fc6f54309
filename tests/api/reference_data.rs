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
