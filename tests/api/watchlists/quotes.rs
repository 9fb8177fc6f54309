//! The quotes of a list.

use std::time::Duration;

use serde_json::{Value, json};

use super::{make, send};
use crate::support::{App, Database, Files, eventually, header};

#[tokio::test]
async fn quotes_are_listed_in_the_order_of_the_list() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let symbols = ["MSFT", "AAPL", "GOOG", "FB", "IBM"];
    let list = make(&app, &key, "A", &symbols).await;
    let mut alone = Vec::new();
    for symbol in symbols {
        alone.push(app.json(&key, &format!("/api/stocks/{symbol}/quote")).await.1);
    }
    let cost = app.get(&key, &format!("{list}/quotes")).await;
    assert_eq!(header(&cost, "x-ratelimit-cost"), "5");
    let (status, quotes) = send(&app, &key, "GET", &format!("{list}/quotes"), Value::Null).await;
    let id = list.rsplit_once('/').unwrap().1;
    let expected = json!({ "id": id, "name": "A", "count": 5, "quotes": alone, "missing": [] });
    assert_eq!((status, quotes), (200, expected));
}

#[tokio::test]
async fn a_stock_without_prices_is_listed_as_missing_and_an_empty_list_has_no_quotes() {
    let (database, files) = (Database::sample().await, Files::new());
    let stocks = files.write(
        "new.csv",
        "symbol,name,exchange,currency\nNEW,New Inc.,NYSE,USD\nAAA,A Inc.,NYSE,USD\n",
    );
    assert_eq!(database.output(&["ingest", "stocks", &stocks]).code, Some(0));
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let list = make(&app, &key, "A", &["NEW", "IBM", "AAA"]).await;
    let (_, quotes) = send(&app, &key, "GET", &format!("{list}/quotes"), Value::Null).await;
    assert_eq!(
        (&quotes["count"], &quotes["missing"]),
        (&1.into(), &json!(["NEW", "AAA"])),
        "{quotes}"
    );
    assert_eq!(quotes["quotes"][0]["symbol"], "IBM");
    let empty = make(&app, &key, "B", &[]).await;
    let (status, quotes) = send(&app, &key, "GET", &format!("{empty}/quotes"), Value::Null).await;
    assert_eq!((status, &quotes["count"], &quotes["quotes"]), (200, &0.into(), &json!([])));
    // One of them gets its first day.
    let price = "symbol,date,open,high,low,close,volume,adjusted_close\n\
                 NEW,2013-03-01,27,28,26,27.5,5,27.5\n";
    assert_eq!(
        database.output(&["ingest", "prices", &files.write("new.csv", price)]).code,
        Some(0)
    );
    let quoted = async || {
        let (_, quotes) = send(&app, &key, "GET", &format!("{list}/quotes"), Value::Null).await;
        quotes["quotes"][0]["symbol"] == "NEW" && quotes["quotes"][0]["previousClose"].is_null()
    };
    eventually("the new price is in the quotes", Duration::from_secs(5), quoted).await;
}
