//! Splits and dividends by ex-date: of a stock, of the market, page by page.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{App, Database, Files, eventually, header, read_text};

const SOON: Duration = Duration::from_secs(10);
const ACTIONS: &str = "symbol,ex_date,split_from,split_to,dividend";

async fn events(app: &App, key: &str, path: &str) -> Value {
    let (status, body) = app.json(key, path).await;
    assert_eq!(status, 200, "{path}: {body}");
    assert_eq!(body["count"], body["events"].as_array().unwrap().len(), "{path}");
    body
}

/// The events of a page, in the format of the sample file: symbol, date, shares before and after,
/// dividend.
fn rows(body: &Value) -> Vec<String> {
    let text = |value: &Value| {
        if value.is_null() { String::new() } else { value.to_string().trim_matches('"').to_owned() }
    };
    let row = |event: &Value| {
        let split = event["kind"] == "split";
        assert_eq!(
            (split, !split),
            (!event["splitTo"].is_null(), !event["dividend"].is_null()),
            "{event}"
        );
        ["symbol", "date", "splitFrom", "splitTo", "dividend"]
            .map(|field| text(&event[field]).trim_end_matches(".0").to_owned())
            .join(",")
    };
    body["events"].as_array().unwrap().iter().map(row).collect()
}

/// The rows of all pages, from `first` on. `between` runs after each page.
async fn all_pages(
    app: &App,
    key: &str,
    first: &str,
    mut between: impl AsyncFnMut(usize),
) -> Vec<String> {
    let (mut all, mut path, mut pages) = (Vec::new(), first.to_owned(), 0);
    loop {
        let answer = app.get(key, &path).await;
        let linked = header(&answer, "link").to_owned();
        let body: Value = answer.json().await.unwrap();
        all.extend(rows(&body));
        pages += 1;
        assert!(pages < 200, "{first} has too many pages");
        let Some(next) = body["next"].as_str() else {
            assert_eq!(linked, "", "{path}");
            return all;
        };
        assert_eq!(linked, format!("<{next}>; rel=\"next\""));
        path = next.to_owned();
        between(pages).await;
    }
}

#[tokio::test]
async fn a_stocks_events_are_listed_newest_first() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let body = events(&app, &key, "/api/stocks/AAPL/events").await;
    let dividend = |date: &str| {
        json!({
            "date": date, "kind": "dividend", "type": "cash", "splitFrom": null, "splitTo": null,
            "dividend": 2.65, "declarationDate": null, "recordDate": null, "payDate": null,
            "frequency": null
        })
    };
    let split = |date: &str| {
        json!({
            "date": date, "kind": "split", "type": "split", "splitFrom": 1.0, "splitTo": 2.0,
            "dividend": null, "declarationDate": null, "recordDate": null, "payDate": null,
            "frequency": null
        })
    };
    let newest_first = [
        dividend("2013-02-07"),
        dividend("2012-11-07"),
        dividend("2012-08-09"),
        split("2005-02-28"),
        split("2000-06-21"),
    ];
    assert_eq!(body, json!({ "symbol": "AAPL", "count": 5, "events": newest_first, "next": null }));
    for (query, expected) in [
        ("kind=split", &newest_first[3..]),
        ("kind=dividend", &newest_first[..3]),
        ("start=2005-02-28&end=2012-08-09", &newest_first[2..4]),
        ("start=2005-03-01&end=2012-08-08", &[]),
        ("limit=1", &newest_first[..1]),
        ("limit=1&order=asc", &newest_first[4..]),
    ] {
        let body = events(&app, &key, &format!("/api/stocks/aapl/events?{query}")).await;
        assert_eq!(body["events"], json!(expected), "{query}");
        assert_eq!(body["next"].is_null(), !query.starts_with("limit"), "{query}");
    }
    // A stock without events is a known stock.
    assert_eq!(events(&app, &key, "/api/stocks/GOOG/events").await["events"], json!([]));
}

#[tokio::test]
async fn pages_list_every_event_of_the_market_once_in_either_order() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let sample = read_text("seed/corporate_actions.csv");
    let mut sample: Vec<_> = sample.lines().skip(1).map(str::to_owned).collect();
    sample.sort();
    for order in ["desc", "asc"] {
        let pages = all_pages(
            &app,
            &key,
            &format!("/api/events?start=2000-01-01&limit=7&order={order}"),
            async |_| {},
        )
        .await;
        let dates: Vec<_> = pages.iter().map(|row| row.split(',').nth(1).unwrap()).collect();
        let expected =
            if order == "asc" { dates.is_sorted() } else { dates.iter().rev().is_sorted() };
        assert!(expected, "{order}: {dates:?}");
        let mut pages = pages;
        pages.sort();
        assert_eq!(pages, sample, "{order}");
    }
    let only = |filter: &'static str| {
        sample.iter().filter(move |row| row.contains(filter)).cloned().collect::<Vec<_>>()
    };
    for (query, mut expected) in [
        ("exchange=nyse", only("IBM")),
        ("exchange=BATS", Vec::new()),
        (
            "kind=split&exchange=NASDAQ",
            only(",1,2,").into_iter().filter(|row| !row.starts_with("IBM")).collect(),
        ),
        (
            "end=2000-06-21",
            sample
                .iter()
                .filter(|row| row.split(',').nth(1).unwrap() <= "2000-06-21")
                .cloned()
                .collect(),
        ),
    ] {
        let mut pages = all_pages(
            &app,
            &key,
            &format!("/api/events?start=2000-01-01&limit=3&{query}"),
            async |_| {},
        )
        .await;
        pages.sort();
        expected.sort();
        assert_eq!(pages, expected, "{query}");
    }
}

#[tokio::test]
async fn a_load_between_two_pages_neither_hides_nor_repeats_an_event() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let sample = read_text("seed/corporate_actions.csv");
    let sample: BTreeSet<_> = sample.lines().skip(1).map(str::to_owned).collect();
    let files = Files::new();
    for order in ["asc", "desc"] {
        let first = format!("/api/events?start=2000-01-01&limit=10&order={order}");
        let between = async |page: usize| {
            // Add events on days already read, on days still to come, and on a day that has one. A
            // renamed stock keeps its events.
            let on = |day: u32| format!("GOOG,{}-06-{day:02},,,0.0{page}\n", 2000 + page);
            let rows =
                format!("{ACTIONS}\n{}{}AAPL,2012-08-{:02},,,1.5\n", on(1), on(2), 10 + page);
            // Not all of these are trading days.
            let file = files.write("more.csv", rows);
            let load = ["ingest", "actions", &file, "--closed-days", "keep"];
            let output = database.output(&load);
            assert_eq!(output.code, Some(0), "{output:?}");
            if page == 3 && order == "asc" {
                let output =
                    database.output(&["stocks", "rename", "IBM", "AIBM", "--from", "2013-03-02"]);
                assert_eq!(output.code, Some(0), "{output:?}");
            }
        };
        let all: Vec<_> = all_pages(&app, &key, &first, between).await;
        let all: Vec<_> = all.into_iter().map(|row| row.replace("AIBM,", "IBM,")).collect();
        let once: BTreeSet<_> = all.iter().cloned().collect();
        assert_eq!(once.len(), all.len(), "{order}: an event is repeated");
        let hidden: Vec<_> = sample.difference(&once).collect();
        assert!(hidden.is_empty(), "{order}: {hidden:?}");
    }
}

#[tokio::test]
async fn the_url_of_the_next_page_keeps_the_parameters_and_drops_the_key() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let body = events(
        &app,
        &key,
        "/api/stocks/msft/events?order=asc&end=2012-12-31&limit=2&kind=dividend",
    )
    .await;
    let next = body["next"].as_str().unwrap();
    let before = "/api/stocks/MSFT/events?end=2012-12-31&kind=dividend&limit=2&order=asc&cursor=";
    assert!(next.starts_with(before) && next.is_ascii() && !next.contains(&key[8..20]), "{next}");
    let body = events(&app, &key, "/api/events?start=2010-01-01&exchange=nyse&limit=1").await;
    let next = body["next"].as_str().unwrap();
    assert!(
        next.starts_with("/api/events?start=2010-01-01&exchange=NYSE&limit=1&order=desc&cursor="),
        "{next}"
    );
    // The range of the market's events may begin in any year.
    for start in ["0000-01-01", "0001-01-01"] {
        let body = events(&app, &key, &format!("/api/events?start={start}&limit=1")).await;
        let next = body["next"].as_str().unwrap();
        assert!(next.starts_with(&format!("/api/events?start={start}&limit=1")), "{next}");
        events(&app, &key, next).await;
    }
}

#[tokio::test]
async fn events_are_cached_like_prices_and_a_load_invalidates_them() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let (open, closed, all) = (
        "/api/stocks/AAPL/events",
        "/api/stocks/AAPL/events?end=2012-12-31",
        "/api/events?start=2013-01-01",
    );
    for (path, fresh_s) in [(open, 295..=300), (closed, 86_000..=86_400), (all, 295..=300)] {
        let (first, second) = (app.get(&key, path).await, app.get(&key, path).await);
        assert_eq!(
            (header(&first, "x-cache"), header(&second, "x-cache")),
            ("MISS", "HIT"),
            "{path}"
        );
        let max_age = header(&second, "cache-control")
            .strip_prefix("private, max-age=")
            .unwrap()
            .parse()
            .unwrap();
        assert!(fresh_s.contains(&max_age), "{path}: {max_age}");
    }
    // Equivalent spellings share a cache entry; another page is another entry.
    for path in
        ["/api/stocks/aapl/events?order=desc&limit=100", "/api/stocks/AAPL/events?start=0000-01-01"]
    {
        assert_eq!(header(&app.get(&key, path).await, "x-cache"), "HIT", "{path}");
    }
    let next = events(&app, &key, "/api/stocks/AAPL/events?limit=1").await["next"]
        .as_str()
        .unwrap()
        .to_owned();
    let (first, second) = (app.get(&key, &next).await, app.get(&key, &next).await);
    assert_eq!((header(&first, "x-cache"), header(&second, "x-cache")), ("MISS", "HIT"));
    assert_eq!(header(&first, "link"), header(&second, "link"));
    assert!(header(&second, "link").contains("rel=\"next\""));
    let files = Files::new();
    let row = files.write("split.csv", format!("{ACTIONS}\nAAPL,2013-02-28,1,7,\n"));
    assert_eq!(database.output(&["ingest", "actions", &row, "--prices-are", "raw"]).code, Some(0));
    for path in [open, all] {
        let loaded = async || rows(&events(&app, &key, path).await)[0].contains("2013-02-28,1,7");
        eventually("the new split is served", SOON, loaded).await;
    }
}

#[tokio::test]
async fn an_invalid_request_for_events_says_what_was_expected() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for (path, status, code, message) in [
        (
            "/api/events",
            400,
            "missing_parameter",
            "the parameter start is missing: expected the first ex-date, as YYYY-MM-DD",
        ),
        ("/api/events?start=2013-02-30", 400, "invalid_parameter", "start is not a date"),
        (
            "/api/events?start=2013-02-02&end=2013-02-01",
            400,
            "invalid_parameter",
            "start (2013-02-02) is after end (2013-02-01)",
        ),
        ("/api/stocks/AAPL/events?limit=1001", 400, "invalid_parameter", "from 1 to 1000"),
        (
            "/api/stocks/AAPL/events?kind=merger",
            400,
            "invalid_parameter",
            "kind is not valid: expected split or dividend",
        ),
        (
            "/api/stocks/AAPL/events?order=up",
            400,
            "invalid_parameter",
            "order is not valid: expected desc",
        ),
        (
            "/api/stocks/AAPL/events?cursor=x",
            400,
            "invalid_parameter",
            "cursor is not valid: expected the cursor in `next`",
        ),
        (
            "/api/stocks/AAPL/events?cursor=MToyMDEzLTAyLTA3LzE",
            400,
            "invalid_parameter",
            "cursor is not valid",
        ),
        (
            "/api/stocks/AAPL/events?exchange=NYSE",
            400,
            "unknown_parameter",
            "expected start, end, kind, limit, cursor, order",
        ),
        ("/api/stocks/NOPE/events", 404, "unknown_symbol", "no stock has the symbol NOPE"),
    ] {
        let (got, body) = app.json(&key, path).await;
        assert_eq!((got, &body["code"]), (status, &code.into()), "{path}: {body}");
        assert!(body["detail"].as_str().unwrap().contains(message), "{path}: {body}");
    }
}
