//! `GET /api/market/status`: open or closed now.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{App, Database, Files, header};

fn time(text: &Value) -> DateTime<Utc> {
    text.as_str().expect("a time").parse().expect("a time of RFC 3339")
}

#[tokio::test]
async fn each_exchange_with_stocks_says_whether_it_is_open_and_when_that_changes() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let (status, body) = app.json(&key, "/api/market/status").await;
    assert_eq!((status, &body["count"]), (200, &2.into()), "{body}");
    let as_of = time(&body["asOf"]);
    assert_eq!(as_of.timestamp() % 60, 0);
    assert!((0..120).contains(&(Utc::now() - as_of).num_seconds()), "{as_of}");
    for (at, code, mic) in [(0, "NASDAQ", "XNAS"), (1, "NYSE", "XNYS")] {
        let of = &body["exchanges"][at];
        assert_eq!((&of["exchange"], &of["mic"]), (&code.into(), &mic.into()));
        assert_eq!(of["timeZone"], "America/New_York");
        let (open, close) = (time(&of["nextOpen"]), time(&of["nextClose"]));
        assert!(open > as_of && close > as_of, "{of}");
        let is_open = of["isOpen"].as_bool().unwrap();
        assert_eq!((is_open, of["reason"].is_null()), (close < open, is_open), "{of}");
        assert!(open - as_of < TimeDelta::days(6), "{of}");
        if let Some(session) = of["session"].as_object() {
            assert_eq!(session["opensAt"], "09:30");
            assert_eq!(session["breakStartsAt"], Value::Null);
        }
    }
}

#[tokio::test]
async fn an_exchange_is_named_by_code_or_mic_and_need_not_be_in_the_table() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let one = async |exchange: &str| {
        let path = format!("/api/market/status?exchange={exchange}");
        let (status, body) = app.json(&key, &path).await;
        assert_eq!((status, &body["count"]), (200, &1.into()), "{body}");
        body["exchanges"][0].clone()
    };
    for (asked, code) in [("xnas", "NASDAQ"), ("NASDAQ", "NASDAQ"), ("XTKS", "XTKS")] {
        assert_eq!(one(asked).await["exchange"], code);
    }
    let tokyo = one("XTKS").await;
    assert_eq!((&tokyo["mic"], &tokyo["timeZone"]), (&"XTKS".into(), &"Asia/Tokyo".into()));
    let (status, body) = app.json(&key, "/api/market/status?exchange=XETRA").await;
    assert_eq!((status, &body["code"]), (404, &"no_calendar".into()));
}

#[tokio::test]
async fn an_exchange_without_a_calendar_is_neither_open_nor_closed() {
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    let berlin =
        "INSERT INTO exchanges VALUES ('XETRA', 'Deutsche Börse Xetra', 'Europe/Berlin', '17:30')";
    database.connect().await.batch_execute(berlin).await.unwrap();
    let files = Files::new();
    let rows = files.write("sap.csv", "symbol,name,exchange,currency\nSAP,SAP SE,XETRA,EUR\n");
    assert_eq!(database.output(&["ingest", "stocks", &rows]).code, Some(0));
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let of = app.json(&key, "/api/market/status").await.1["exchanges"][0].clone();
    assert_eq!(
        (&of["isOpen"], &of["nextOpen"], &of["nextClose"], &of["session"]),
        (&Value::Null, &Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(of["reason"], "the calendar of this exchange is not known");
    // The operator says which calendar is right.
    let set =
        database.output(&["exchanges", "set", "XETRA", "--calendar", "XETR", "--mic", "XETR"]);
    assert_eq!(set.code, Some(0), "{set:?}");
    let fresh = App::without_redis(&database).await;
    let of = fresh.json(&key, "/api/market/status").await.1["exchanges"][0].clone();
    assert!(of["isOpen"].is_boolean() && of["nextOpen"].is_string(), "{of}");
}

#[tokio::test]
async fn an_answer_is_reused_until_its_minute_ends_and_no_longer() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for _ in 0..3 {
        let answer = app.get(&key, "/api/market/status").await;
        let max_age: i64 = header(&answer, "cache-control")
            .strip_prefix("private, max-age=")
            .unwrap()
            .parse()
            .unwrap();
        let body: Value = answer.json().await.unwrap();
        let fresh_until = Utc::now() + TimeDelta::seconds(max_age);
        let minute_ends = time(&body["asOf"]) + TimeDelta::seconds(60);
        // The answer took a moment to arrive.
        assert!(fresh_until <= minute_ends + TimeDelta::seconds(1), "{fresh_until} {minute_ends}");
    }
    assert_eq!(
        app.json(&key, "/api/market/status?at=now").await.1["detail"],
        json!("the parameter \"at\" is unknown: expected exchange")
    );
}
