//! The volume-weighted average price and the number of trades: loaded if a feed has them, and
//! served on request.

use serde_json::{Value, json};

use crate::support::{App, Database, Files};

const STOCKS: &str = "symbol,name,exchange,currency\nWIDG,Widget Corp,NYSE,USD\n";
/// The columns of Massive's bars.
const BARS: &str = "T,t,o,h,l,c,v,vw,n\nWIDG,2024-01-08,20,21,19,20,300,20.1,3\n\
                    WIDG,2024-01-09,20,21,19,20,700,20.3,7\nWIDG,2024-01-10,10,11,9,10,0,0,0\n";
const PATH: &str = "/api/stocks/WIDG/prices?start=2024-01-01&order=asc";

async fn loaded() -> (Database, Files) {
    let (database, files) = (Database::empty().await, Files::new());
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database.load("stocks", STOCKS);
    database.load("actions", "symbol,ex_date,split_from,split_to\nWIDG,2024-01-10,1,2\n");
    database.load("prices", BARS);
    (database, files)
}

/// The rows of a request, each as the list of its values.
async fn rows(app: &App, key: &str, query: &str) -> Value {
    let (status, body) = app.json(key, &format!("{PATH}{query}")).await;
    assert_eq!(status, 200, "{body}");
    let rows = body["prices"].as_array().unwrap().iter();
    let values = |row: &Value| row.as_object().unwrap().values().cloned().collect::<Vec<_>>();
    json!(rows.map(values).collect::<Vec<_>>())
}

#[tokio::test]
async fn average_prices_and_trades_are_served_on_request_adjusted_and_for_periods_too() {
    let (database, _) = loaded().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let (_, body) = app.json(&key, PATH).await;
    assert_eq!(body["prices"][0].get("vwap"), None, "{body}");
    for (query, expected) in [
        ("&columns=vwap,trades", json!([[3, 20.1], [7, 20.3], [0, null]])),
        ("&columns=vwap&adjust=splits", json!([[10.05], [10.15], [null]])),
        // (10.05 * 600 + 10.15 * 1400) / 2000
        ("&columns=vwap,trades&adjust=splits&interval=1w", json!([[10, 10.12]])),
    ] {
        assert_eq!(rows(&app, &key, query).await, expected, "{query}");
    }
    let day = "/api/prices/daily/2024-01-09?columns=symbol,vwap,trades";
    let (_, body) = app.json(&key, day).await;
    assert_eq!(body["prices"], json!([{"symbol": "WIDG", "vwap": 20.3, "trades": 7}]));
    let csv = app.get(&key, &format!("{PATH}&format=csv&columns=date,vwap,trades")).await;
    let csv = csv.text().await.unwrap();
    assert_eq!(
        csv,
        "date,vwap,trades\r\n2024-01-08,20.1,3\r\n2024-01-09,20.3,7\r\n2024-01-10,,0\r\n"
    );
}

#[tokio::test]
async fn a_file_without_them_keeps_them_only_of_bars_that_it_does_not_change() {
    let (database, files) = loaded().await;
    let key = database.issue("pro");
    let stored = "SELECT concat_ws(' ', close, vwap, trades) FROM prices ORDER BY date";
    let load = |rows: &str, name: &str| {
        let path = files.write(name, format!("symbol,date,open,high,low,close,volume\n{rows}"));
        database.output(&["ingest", "prices", &path, "--json"]).json()
    };
    let same = "WIDG,2024-01-08,20,21,19,20,300\nWIDG,2024-01-09,20,21,19,20,700\n";
    assert_eq!(load(same, "same.csv")["unchanged"], 2);
    assert_eq!(database.texts(stored).await, ["20 20.1 3", "20 20.3 7", "10 0"]);
    assert_eq!(load("WIDG,2024-01-09,20,21,19,20.5,700\n", "corrected.csv")["changed"], 1);
    assert_eq!(database.texts(stored).await, ["20 20.1 3", "20.5", "10 0"]);
    // A file that has them corrects them alone.
    database.load("prices", &BARS.replace("20.1,3", "20.2,3"));
    assert_eq!(database.texts(stored).await, ["20 20.2 3", "20 20.3 7", "10 0"]);
    // The API's own CSV changes nothing.
    let app = App::without_redis(&database).await;
    let columns = "symbol,date,open,high,low,close,volume,adjustedClose,vwap,trades";
    let csv = app.get(&key, &format!("{PATH}&format=csv&columns={columns}")).await;
    let file = files.write("own.csv", csv.text().await.unwrap());
    let report = database.output(&["ingest", "prices", &file, "--json"]).json();
    assert_eq!((&report["added"], &report["changed"]), (&json!(0), &json!(0)), "{report}");
}

#[tokio::test]
async fn a_wrong_average_price_or_number_of_trades_is_named_by_line() {
    let (database, files) = loaded().await;
    let rows =
        "T,t,o,h,l,c,v,vw,n\nWIDG,2024-01-11,10,11,9,10,5,0,1\nWIDG,2024-01-12,10,11,9,10,5,9,-1\n";
    let output = database.output(&["ingest", "prices", &files.write("wrong.csv", rows)]);
    assert_eq!(output.code, Some(1));
    for part in ["line 2, column vwap", "line 3, column trades"] {
        assert!(output.stderr.contains(part), "{part}: {output:?}");
    }
}
