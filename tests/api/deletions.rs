//! Bars and actions that are wrong can be taken back. Every instance serves the correction.

use std::time::Duration;

use serde_json::json;

use crate::support::{App, Database, Files, eventually};

const SOON: Duration = Duration::from_secs(10);
const PRICES: &str = "/api/stocks/FB/prices?start=2013-02-25&end=2013-03-01";

async fn days(app: &App, key: &str) -> Vec<String> {
    let (status, body) = app.json(key, PRICES).await;
    assert_eq!(status, 200, "{body}");
    let prices = body["prices"].as_array().unwrap();
    prices.iter().map(|bar| bar["date"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn deleted_bars_are_no_longer_served_by_a_running_instance_that_had_cached_them() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    assert_eq!(days(&app, &key).await.len(), 5);
    let range = ["--symbol", "FB", "--from", "2013-02-26", "--to", "2013-02-27"];
    let delete = |options: &[&str]| {
        database.output(&[&["prices", "delete"], range.as_slice(), options].concat())
    };
    let asked = delete(&[]);
    assert_eq!(
        asked.confirmation_required(),
        "2 bars from 2013-02-26 to 2013-02-27 of FB would be deleted, and no longer be served: \
         add --yes to confirm"
    );
    assert_eq!(days(&app, &key).await.len(), 5);
    let report = delete(&["--yes", "--json"]).json();
    let expected = json!({
        "symbol": "FB", "deleted": 2, "from": "2013-02-26", "to": "2013-02-27", "readjusted": 0,
    });
    assert_eq!(report, expected);
    let gone = async || days(&app, &key).await == ["2013-03-01", "2013-02-28", "2013-02-25"];
    eventually("the deletion is served", SOON, gone).await;
    let again = delete(&["--yes"]);
    assert!(again.code == Some(0) && again.stderr.starts_with("Deleted no bars"), "{again:?}");
}

#[tokio::test]
async fn a_deleted_action_no_longer_adjusts_earlier_closes() {
    let (database, files) = (Database::empty().await, Files::new());
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database.load("stocks", "symbol,name,exchange,currency\nWIDG,Widget Corp,NYSE,USD\n");
    let prices = "symbol,date,open,high,low,close,volume\nWIDG,2024-02-07,20,20,20,20,5\n\
                  WIDG,2024-02-08,10,10,10,10,5\nWIDG,2024-02-09,10,10,10,10,5\n";
    database.load("prices", prices);
    let actions = "symbol,ex_date,split_from,split_to,dividend\nWIDG,2024-02-08,1,2,\n\
                   WIDG,2024-02-09,,,10\n";
    let file = files.write("actions.csv", actions);
    assert_eq!(database.output(&["ingest", "actions", &file]).code, Some(0));
    let closes = "SELECT adjusted_close::text FROM prices ORDER BY date";
    assert_eq!(database.texts(closes).await, ["5", "5", "10"]);
    let delete = ["actions", "delete", "--symbol", "WIDG", "--yes", "--json", "--actor", "ann"];
    let range = ["--from", "2024-02-01", "--to", "2024-02-29", "--kind", "dividend"];
    let report = database.output(&[delete.as_slice(), &range].concat()).json();
    assert_eq!((&report["deleted"], &report["readjusted"]), (&1.into(), &2.into()), "{report}");
    assert_eq!(database.texts(closes).await, ["10", "10", "10"]);
    let audit = "SELECT concat_ws(' ', actor, action, kind, subject, was::text) FROM audit";
    assert_eq!(
        database.texts(audit).await,
        ["cli:ann delete action WIDG {\"to\": \"2024-02-09\", \"from\": \"2024-02-09\", \
             \"rows\": 1}"]
    );
}

#[tokio::test]
async fn a_deletion_of_an_unknown_stock_or_an_inverted_range_is_an_error() {
    let database = Database::sample().await;
    let delete = |symbol: &str, to: &str| {
        let range = ["--from", "2013-02-26", "--to", to];
        database.output(&[["prices", "delete", "--symbol", symbol].as_slice(), &range].concat())
    };
    let unknown = delete("NOPE", "2013-02-27");
    let message = "no stock has the symbol NOPE now: see tickerd stocks list";
    assert!(unknown.code == Some(1) && unknown.error_line().contains(message), "{unknown:?}");
    let inverted = delete("FB", "2013-02-25");
    let message = "expected --to to be --from or a later day";
    assert!(inverted.code == Some(1) && inverted.error_line().contains(message), "{inverted:?}");
}

#[tokio::test]
async fn operators_can_list_and_show_stocks() {
    let database = Database::sample().await;
    let renamed = ["stocks", "rename", "FB", "META", "--from", "2022-06-09"];
    assert_eq!(database.output(&renamed).code, Some(0));
    let list = database.output(&["stocks", "list"]).stdout;
    let lines: Vec<_> = list.lines().collect();
    assert_eq!(lines.len(), 6, "{list}");
    assert!(lines[0].starts_with("SYMBOL"), "{list}");
    assert!(lines[1].starts_with("AAPL") && lines[1].ends_with("Apple Inc."), "{list}");
    let all = database.output(&["stocks", "list", "--exchange", "nyse", "--json"]).json();
    assert_eq!((all.as_array().unwrap().len(), &all[0]["id"]), (1, &"IBM".into()), "{all}");
    for symbol in ["META", "fb"] {
        let shown = database.output(&["stocks", "show", symbol, "--json"]).json();
        assert_eq!(shown["id"], "META", "{shown}");
    }
    let shown = database.output(&["stocks", "show", "META"]).stdout;
    assert!(shown.contains("former symbols   FB until 2022-06-09\n"), "{shown}");
    let unknown = database.output(&["stocks", "show", "NOPE"]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
}
