//! Exchanges, their calendars, and how recent the data of each is.

use std::time::Duration;

use chrono::{NaiveDate, Utc};
use serde_json::{Value, json};

use crate::support::{App, Database, Files, eventually, header};

const SOON: Duration = Duration::from_secs(10);

fn date(text: &Value) -> NaiveDate {
    text.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn exchanges_list_their_time_zone_and_number_of_stocks() {
    let database = Database::sample().await;
    let berlin =
        "INSERT INTO exchanges VALUES ('XETRA', 'Deutsche Börse Xetra', 'Europe/Berlin', '17:30')";
    database.connect().await.batch_execute(berlin).await.unwrap();
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let new_york = |code: &str, mic: &str, name: &str, stocks: u32| {
        json!({
            "code": code, "name": name, "mic": mic, "country": "US", "currency": "USD",
            "timeZone": "America/New_York", "opensAt": "09:30", "closesAt": "16:00",
            "calendar": "XNYS", "stocks": stocks
        })
    };
    let xetra = json!({
        "code": "XETRA", "name": "Deutsche Börse Xetra", "mic": null, "country": null,
        "currency": null, "timeZone": "Europe/Berlin", "opensAt": null, "closesAt": "17:30",
        "calendar": null, "stocks": 0
    });
    let expected = json!({"count": 6, "exchanges": [
        new_york("BATS", "BATS", "Cboe BZX", 0),
        new_york("NASDAQ", "XNAS", "Nasdaq Stock Market", 4),
        new_york("NYSE", "XNYS", "New York Stock Exchange", 1),
        new_york("NYSEAMER", "XASE", "NYSE American", 0),
        new_york("NYSEARCA", "ARCX", "NYSE Arca", 0),
        xetra,
    ]});
    assert_eq!(app.json(&key, "/api/exchanges").await, (200, expected));
    let second = app.get(&key, "/api/exchanges").await;
    assert_eq!(header(&second, "x-cache"), "HIT");
    let max_age: u32 = header(&second, "cache-control")
        .strip_prefix("private, max-age=")
        .unwrap()
        .parse()
        .unwrap();
    assert!(max_age <= 60, "an exchange added with SQL is listed within a minute: {max_age}");
    let files = Files::new();
    let row = files.write("sap.csv", "symbol,name,exchange,currency\nSAP,SAP SE,XETRA,EUR\n");
    assert_eq!(database.output(&["ingest", "stocks", &row]).code, Some(0));
    let counted = async || app.json(&key, "/api/exchanges").await.1["exchanges"][5]["stocks"] == 1;
    eventually("the new stock is counted", SOON, counted).await;
}

#[tokio::test]
async fn a_years_calendar_lists_trading_days_holidays_and_early_closings() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let path = "/api/calendar?exchange=nasdaq&start=2012-01-01&end=2012-12-31";
    let (status, body) = app.json(&key, path).await;
    assert_eq!((status, &body["exchange"], &body["count"]), (200, &"NASDAQ".into(), &250.into()));
    // Exactly the days for which AAPL has prices.
    let (_, prices) =
        app.json(&key, "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31&limit=1000").await;
    let mut traded: Vec<_> =
        prices["prices"].as_array().unwrap().iter().map(|bar| bar["date"].clone()).collect();
    traded.reverse();
    assert_eq!(body["tradingDays"], Value::Array(traded));
    let holidays = body["holidays"].as_array().unwrap();
    assert_eq!(holidays.len() + 250, 261, "weekdays of 2012");
    for (date, name) in [
        ("2012-01-02", "New Year's Day"),
        ("2012-10-29", "Hurricane Sandy"),
        ("2012-12-25", "Christmas Day"),
    ] {
        assert!(holidays.contains(&json!({"date": date, "name": name})), "{date}: {holidays:?}");
    }
    let early = |date: &str, name: &str| json!({"date": date, "name": name, "closesAt": "13:00"});
    let expected = [
        early("2012-07-03", "day before Independence Day"),
        early("2012-11-23", "day after Thanksgiving"),
        early("2012-12-24", "Christmas Eve"),
    ];
    assert_eq!(body["earlyCloses"], json!(expected));
    assert_eq!(header(&app.get(&key, path).await, "x-cache"), "HIT");
}

#[tokio::test]
async fn a_calendar_is_found_by_mic_and_says_its_hours_and_until_when_it_is_known() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let (_, us) = app.json(&key, "/api/calendar?exchange=arcx&start=2024-01-01").await;
    assert_eq!((&us["exchange"], &us["count"]), (&"ARCX".into(), &252.into()));
    assert_eq!((&us["knownFrom"], &us["knownUntil"]), (&"1998-01-01".into(), &"2099-12-31".into()));
    let path = "/api/calendar?exchange=XNSE&start=2023-11-10&end=2023-11-15";
    let (_, india) = app.json(&key, path).await;
    assert_eq!(
        india,
        json!({
            "exchange": "XNSE", "start": "2023-11-10", "end": "2023-11-15",
            "timeZone": "Asia/Kolkata", "knownFrom": "2010-01-01", "knownUntil": "2026-12-31",
            "regularHours": {
                "opensAt": "09:15", "closesAt": "15:30", "breakStartsAt": null, "breakEndsAt": null
            },
            "count": 4, "tradingDays": ["2023-11-10", "2023-11-12", "2023-11-13", "2023-11-15"],
            "holidays": [{"date": "2023-11-14", "name": "Diwali Balipratipada"}],
            "earlyCloses": [],
            "specialSessions": [{"date": "2023-11-12", "name": "Muhurat", "hours": {
                "opensAt": "18:15", "closesAt": "19:15", "breakStartsAt": null, "breakEndsAt": null
            }}]
        })
    );
    let (_, tokyo) = app.json(&key, "/api/calendar?exchange=XTKS&start=2026-11-30").await;
    assert_eq!(tokyo["regularHours"]["breakStartsAt"], "11:30");
    let (status, late) = app.json(&key, "/api/calendar?exchange=XNSE&start=2027-01-01").await;
    assert_eq!(
        (status, &late["detail"]),
        (400, &"end (2027-12-31) is too late: expected 2026-12-31 or earlier".into())
    );
}

#[tokio::test]
async fn a_missing_start_or_end_defaults_to_the_year_of_the_other() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let this_year =
        Utc::now().with_timezone(&chrono_tz::America::New_York).format("%Y").to_string();
    for (query, year) in
        [("", this_year.as_str()), ("?start=2010-01-01", "2010"), ("?end=2010-12-31", "2010")]
    {
        let (_, body) = app.json(&key, &format!("/api/calendar{query}")).await;
        assert_eq!(body["exchange"], "NYSE");
        assert_eq!(
            (&body["start"], &body["end"]),
            (&format!("{year}-01-01").into(), &format!("{year}-12-31").into())
        );
    }
    // The longest range is five years, the shortest one day.
    let (_, body) = app.json(&key, "/api/calendar?start=2010-01-01&end=2015-01-04").await;
    assert_eq!(body["count"], 1259);
    let (_, body) = app.json(&key, "/api/calendar?end=2099-12-31").await;
    assert_eq!(body["start"], "2099-01-01", "the last year");
    let (_, body) = app.json(&key, "/api/calendar?start=2010-01-02&end=2010-01-02").await;
    assert_eq!((&body["count"], &body["holidays"]), (&0.into(), &json!([])));
}

#[tokio::test]
async fn an_invalid_calendar_request_says_what_was_expected() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (query, status, code, message) in [
        (
            "exchange=XETRA",
            404,
            "no_calendar",
            "there is no calendar of \"XETRA\": expected NYSE or NASDAQ or NYSEAMER or NYSEARCA or \
             BATS or XAMS or XASX or XBRU or XETR or XHKG or XKRX or XLON or XMIL or XNSE or XPAR \
             or XSHE or XSHG or XSTO or XSWX or XTKS or XTSE",
        ),
        (
            "start=1997-12-31&end=1998-02-01",
            400,
            "invalid_parameter",
            "start (1997-12-31) is too early: expected 1998-01-01 or later",
        ),
        (
            "end=2100-01-01",
            400,
            "invalid_parameter",
            "end (2100-01-01) is too late: expected 2099-12-31 or earlier",
        ),
        (
            "start=9999-01-01",
            400,
            "invalid_parameter",
            "end (9999-12-31) is too late: expected 2099-12-31 or earlier",
        ),
        (
            "start=2010-01-01&end=2015-01-05",
            400,
            "invalid_parameter",
            "start (2010-01-01) is too early: expected at most 1830 days up to end (2015-01-05)",
        ),
        (
            "start=2010-01-02&end=2010-01-01",
            400,
            "invalid_parameter",
            "start (2010-01-02) is after end (2010-01-01)",
        ),
        (
            "end=2010-02-30",
            400,
            "invalid_parameter",
            "end is not a date: expected YYYY-MM-DD, a day of the calendar",
        ),
        (
            "year=2010",
            400,
            "unknown_parameter",
            "the parameter \"year\" is unknown: expected exchange, start, end",
        ),
    ] {
        let (got, body) = app.json(&key, &format!("/api/calendar?{query}")).await;
        assert_eq!(
            (got, &body["code"], &body["detail"]),
            (status, &code.into(), &message.into()),
            "{query}"
        );
    }
}

#[tokio::test]
async fn the_status_shows_the_newest_day_its_number_of_stocks_and_whether_it_is_current() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let (status, body) = app.json(&key, "/api/status").await;
    assert_eq!((status, &body["count"]), (200, &2.into()), "{body}");
    let (nasdaq, nyse) = (&body["exchanges"][0], &body["exchanges"][1]);
    for (of, code, stocks) in [(nasdaq, "NASDAQ", 4), (nyse, "NYSE", 1)] {
        assert_eq!((&of["exchange"], &of["newestDate"]), (&code.into(), &"2013-03-01".into()));
        assert_eq!((&of["stocks"], &of["stocksWithNewest"]), (&stocks.into(), &stocks.into()));
        assert_eq!(of["isCurrent"], false, "prices of 2013");
        // Midnight in New York may fall between the two readings of the clock.
        let today = Utc::now().with_timezone(&chrono_tz::America::New_York).date_naive();
        assert!((0..=1).contains(&(today - date(&of["today"])).num_days()));
        assert!((0..=10).contains(&(today - date(&of["expectedDate"])).num_days()), "{of}");
        chrono::DateTime::parse_from_rfc3339(of["loadedAt"].as_str().unwrap()).unwrap();
    }
    let second = app.get(&key, "/api/status").await;
    assert_eq!(header(&second, "x-cache"), "HIT");
    let max_age: u32 = header(&second, "cache-control")
        .strip_prefix("private, max-age=")
        .unwrap()
        .parse()
        .unwrap();
    assert!(max_age <= 60);
    // One stock gets the expected day, and another is delisted.
    let (day, files) = (nasdaq["expectedDate"].as_str().unwrap(), Files::new());
    let row =
        format!("symbol,date,open,high,low,close,volume,adjusted_close\nAAPL,{day},1,1,1,1,1,1\n");
    assert_eq!(database.output(&["ingest", "prices", &files.write("day.csv", row)]).code, Some(0));
    assert_eq!(database.output(&["stocks", "delist", "FB", "--on", "2013-03-01"]).code, Some(0));
    let mut after = Value::Null;
    let loaded = async || {
        after = app.json(&key, "/api/status").await.1["exchanges"].clone();
        after[0]["newestDate"] == day && after[0]["stocks"] == 3
    };
    eventually("the status is updated", SOON, loaded).await;
    assert_eq!(
        (&after[0]["stocksWithNewest"], &after[0]["isCurrent"]),
        (&1.into(), &true.into()),
        "{after}"
    );
    assert!(after[0]["loadedAt"].as_str() > nasdaq["loadedAt"].as_str(), "{after}");
    assert_eq!(&after[1]["newestDate"], "2013-03-01");
}

#[tokio::test]
async fn without_a_calendar_is_current_is_null_and_without_prices_it_is_false() {
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    let berlin =
        "INSERT INTO exchanges VALUES ('XETRA', 'Deutsche Börse Xetra', 'Europe/Berlin', '17:30')";
    database.connect().await.batch_execute(berlin).await.unwrap();
    let files = Files::new();
    let rows = files.write(
        "two.csv",
        "symbol,name,exchange,currency\nSAP,SAP SE,XETRA,EUR\nKO,Coca-Cola,NYSE,USD\n",
    );
    assert_eq!(database.output(&["ingest", "stocks", &rows]).code, Some(0));
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let (_, body) = app.json(&key, "/api/status").await;
    let (nyse, xetra) = (&body["exchanges"][0], &body["exchanges"][1]);
    assert_eq!(
        (&nyse["newestDate"], &nyse["loadedAt"], &nyse["isCurrent"]),
        (&Value::Null, &Value::Null, &false.into())
    );
    assert_eq!((&xetra["expectedDate"], &xetra["isCurrent"]), (&Value::Null, &Value::Null));
    let today = Utc::now().with_timezone(&chrono_tz::Europe::Berlin).date_naive();
    assert!((0..=1).contains(&(today - date(&xetra["today"])).num_days()));
}
