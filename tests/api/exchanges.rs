//! `tickerd exchanges`: the exchanges that stocks trade on, their hours and calendars.

use std::time::Duration;

use serde_json::{Value, json};
use tickerd::market::{Calendar, KnownExchange};

use crate::support::{App, CommandOutput, Database, Files, eventually, redis_url, unique};

const SOON: Duration = Duration::from_secs(10);

async fn migrated() -> Database {
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database
}

fn xetra() -> Value {
    json!({
        "code": "XETR", "name": "Xetra", "mic": "XETR", "country": "DE", "currency": "EUR",
        "timeZone": "Europe/Berlin", "opensAt": "09:00", "closesAt": "17:30", "calendar": "XETR",
        "stocks": 0
    })
}

#[tokio::test]
async fn a_built_in_exchange_is_added_by_its_code_alone() {
    let database = migrated().await;
    let added = database.output(&["exchanges", "add", "xetr", "--json"]);
    assert_eq!((added.code, added.json()), (Some(0), xetra()));
    let text = database.output(&["exchanges", "add", "XTKS"]);
    assert_eq!((text.code, text.stdout.as_str()), (Some(0), ""));
    assert_eq!(
        text.stderr.trim_end(),
        "The exchange XTKS is added: 09:00-15:30 in Asia/Tokyo, with the calendar XTKS, which is \
         known until 2099-12-31."
    );
    let listed = database.output(&["exchanges", "list", "--json"]).json();
    let listed = listed.as_array().unwrap();
    assert!(listed.contains(&xetra()), "{listed:?}");
    let us: Vec<_> = listed
        .iter()
        .filter(|exchange| exchange["calendar"] == "XNYS")
        .map(|exchange| (exchange["code"].as_str().unwrap(), exchange["mic"].as_str().unwrap()))
        .collect();
    let expected = [
        ("BATS", "BATS"),
        ("NASDAQ", "XNAS"),
        ("NYSE", "XNYS"),
        ("NYSEAMER", "XASE"),
        ("NYSEARCA", "ARCX"),
    ];
    assert_eq!(us, expected);
    let table = database.output(&["exchanges", "list"]).stdout;
    let line = ["XETR", "XETR", "EUR", "09:00-17:30", "Europe/Berlin", "XETR", "0", "Xetra"];
    assert!(table.lines().any(|row| row.split_whitespace().eq(line)), "{table}");
}

#[tokio::test]
async fn an_exchange_may_have_a_code_of_its_own_and_take_the_rest_by_its_mic() {
    let database = migrated().await;
    let added = database.output(&["exchanges", "add", "LSE", "--mic", "xlon", "--json"]).json();
    assert_eq!(
        (&added["code"], &added["mic"], &added["calendar"], &added["timeZone"]),
        (&"LSE".into(), &"XLON".into(), &"XLON".into(), &"Europe/London".into())
    );
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let path = "/api/calendar?exchange=lse&start=2024-12-24&end=2024-12-27";
    let (status, calendar) = app.json(&key, path).await;
    assert_eq!(
        (status, &calendar["timeZone"], &calendar["tradingDays"]),
        (200, &"Europe/London".into(), &serde_json::json!(["2024-12-24", "2024-12-27"]))
    );
    let other = database.output(&[
        "exchanges",
        "add",
        "TALLINN",
        "--name",
        "Nasdaq Tallinn",
        "--time-zone",
        "Europe/Tallinn",
        "--closes-at",
        "16:00",
        "--json",
    ]);
    let other = other.json();
    assert_eq!(
        (&other["opensAt"], &other["calendar"], &other["mic"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn what_contradicts_itself_is_refused_and_says_what_to_do() {
    let database = migrated().await;
    assert_eq!(database.output(&["exchanges", "add", "XETR"]).code, Some(0));
    for (arguments, code, message) in [
        (
            ["add", "XETR"].as_slice(),
            1,
            "the exchange XETR exists already: change it with tickerd exchanges set",
        ),
        (&["add", "XNYS"], 1, "the MIC XNYS is that of the exchange NYSE: expected another one"),
        (
            &["set", "XPAR", "--closes-at", "17:00"],
            1,
            "no exchange has the code XPAR: see tickerd exchanges list",
        ),
        (
            &["set", "XETR", "--time-zone", "Europe/Paris"],
            1,
            "the calendar XETR is one of Europe/Berlin, and the time zone of XETR is Europe/Paris: \
             set one of them, or --calendar none",
        ),
        (
            &["set", "XETR", "--closes-at", "08:00"],
            1,
            "the session would open at 09:00 and close at 08:00: expected a close after the open",
        ),
        (&["set", "XETR"], 2, "nothing to set: give an option, such as --closes-at 16:30"),
        (&["add", "TALLINN"], 2, "TALLINN is not built in: give --name, --time-zone and"),
        (&["add", "A-B"], 2, "expected 1 to 12 letters and digits, such as XETR"),
        (&["set", "XETR", "--mic", "XET"], 2, "expected 4 letters and digits (ISO 10383)"),
        (&["set", "XETR", "--closes-at", "25:00"], 2, "expected HH:MM, such as 17:30"),
        (&["set", "XETR", "--time-zone", "Berlin"], 2, "expected an IANA name"),
        (&["set", "XETR", "--calendar", "XETRA"], 2, "expected none, or one of NYSE, NASDAQ"),
    ] {
        let output = database.output(&[&["exchanges"], arguments].concat());
        assert_eq!(output.code, Some(code), "{arguments:?}: {output:?}");
        assert!(output.stderr.contains(message), "{arguments:?}: {}", output.stderr);
    }
    let listed = database.output(&["exchanges", "list", "--json"]).json();
    assert!(listed.as_array().unwrap().contains(&xetra()), "nothing was changed: {listed}");
}

#[tokio::test]
async fn a_change_is_recorded_in_the_audit_and_the_same_values_are_no_change() {
    let database = migrated().await;
    let run = |arguments: &[&str]| -> CommandOutput {
        let output = database.output(&[&["exchanges"], arguments, &["--actor", "ann"]].concat());
        assert_eq!(output.code, Some(0), "{output:?}");
        output
    };
    run(&["add", "XETR"]);
    run(&["set", "XETR", "--closes-at", "20:00", "--calendar", "none"]);
    let again = run(&["set", "XETR", "--closes-at", "20:00"]);
    assert!(again.stderr.starts_with("The exchange XETR is as before: 09:00-20:00"));
    let shown = database.output(&["keys", "audit"]).stdout;
    assert!(shown.contains("change exchange") && shown.contains("XETR"), "{shown}");
    let entries = database
        .texts(
            "SELECT concat_ws(' ', actor, action, kind, subject, was, became)
             FROM audit ORDER BY id",
        )
        .await;
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert!(entries[0].starts_with("cli:ann add exchange XETR {"), "{entries:?}");
    assert_eq!(
        entries[1],
        "cli:ann change exchange XETR {\"calendar\": \"XETR\", \"closes_at\": \"17:30:00\"} \
         {\"calendar\": \"NONE\", \"closes_at\": \"20:00:00\"}"
    );
}

/// The data version decides what cached answers are served. Both instances share a Redis.
#[tokio::test]
async fn a_change_shows_on_every_instance_within_a_second() {
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("exchanges"));
    let shared = [("REDIS_URL", redis_url()), ("REDIS_KEY_PREFIX", prefix)];
    let variables: Vec<_> = shared.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let apps = [App::with(&database, &variables).await, App::with(&database, &variables).await];
    let key = database.issue("pro");
    let has = async |app: &App, code: &str| {
        let (_, body) = app.json(&key, "/api/exchanges").await;
        body["exchanges"].as_array().unwrap().iter().any(|listed| listed["code"] == code)
    };
    for app in &apps {
        assert!(!has(app, "XETR").await);
    }
    let mut add = database.tickerd(&["exchanges", "add", "XETR"]);
    let output = CommandOutput::of(add.envs(variables.iter().copied()));
    assert_eq!(output.code, Some(0), "{output:?}");
    for app in &apps {
        let listed = async || has(app, "XETR").await;
        eventually("the exchange is listed", Duration::from_secs(1), listed).await;
    }
}

/// A month is over when its last trading day has a bar, so the calendar decides `unfinished`.
#[tokio::test]
async fn the_stocks_of_an_exchange_follow_its_new_calendar() {
    let database = migrated().await;
    let files = Files::new();
    assert_eq!(database.output(&["exchanges", "add", "LSE", "--mic", "XLON"]).code, Some(0));
    let stocks = "symbol,name,exchange,currency\nABC,A B C,LSE,GBP\n";
    let stocks = files.write("stocks.csv", stocks);
    assert_eq!(database.output(&["ingest", "stocks", &stocks]).code, Some(0));
    // A bank holiday in London, on which New York traded.
    let header = "symbol,date,open,high,low,close,volume,adjusted_close\n";
    let closed = files.write("closed.csv", format!("{header}ABC,2024-08-26,1,1,1,1,1,1\n"));
    let refused = database.output(&["ingest", "prices", &closed]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("Summer Bank Holiday"), "{refused:?}");
    let prices = files.write("prices.csv", format!("{header}ABC,2024-08-30,1,1,1,1,1,1\n"));
    assert_eq!(database.output(&["ingest", "prices", &prices]).code, Some(0));
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let path = "/api/stocks/ABC/prices?interval=1mo&start=2024-08-01&end=2024-08-31";
    let unfinished = async || app.json(&key, path).await.1["prices"][0].get("unfinished").cloned();
    let before = unfinished().await;
    assert!(before.is_none() || before == Some(false.into()), "August is over: {before:?}");
    let none = database.output(&["exchanges", "set", "LSE", "--calendar", "none"]);
    assert_eq!(none.code, Some(0), "{none:?}");
    let changed = async || unfinished().await == Some(true.into());
    eventually("without a calendar, August is not known to be over", SOON, changed).await;
}

#[test]
fn the_page_of_calendars_has_every_built_in_exchange_with_its_years() {
    let page = include_str!("../../docs/exchanges-and-calendars.md");
    for known in &KnownExchange::ALL {
        let Calendar { first_year, last_year, .. } = known.calendar;
        let line = format!(
            "| `{}` | {} | {} | {first_year}–{last_year} |",
            known.code, known.name, known.mic
        );
        assert!(page.contains(&line), "{line}");
    }
}
