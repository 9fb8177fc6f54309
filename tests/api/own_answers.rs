//! What the API answers can be loaded, and changes nothing.

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
