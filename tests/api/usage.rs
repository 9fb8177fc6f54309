//! A key's usage is counted exactly, also when instances or Postgres fail.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use futures_util::future::join_all;
use serde_json::Value;
use tickerd::caller::KeyId;
use tickerd::config::DatabaseConfig;
use tickerd::store::{Store, UsageBatch, UsageRow};

use crate::support::{App, Database, eventually, header, id_of};

const RANGE: &str = "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31";
const PATHS: [&str; 5] = [
    RANGE,
    "/api/stocks/AAPL/quote",
    "/api/stocks/AAPL",
    "/api/stocks",
    "/api/stocks/NOSUCH/prices?start=2012-01-01",
];
const ROUTES: [&str; 5] = [
    "/api/stocks/{symbol}/prices",
    "/api/stocks/{symbol}/quote",
    "/api/stocks/{symbol}",
    "/api/stocks",
    "/api/stocks/{symbol}/prices",
];

/// Requests, refusals, cache hits, bytes.
type Counts = [i64; 4];

fn counts(total: &Value) -> Counts {
    ["requests", "refusals", "cacheHits", "bytes"]
        .map(|name| total[name].as_i64().expect("a count"))
}

fn add(into: &mut Counts, more: Counts) {
    into.iter_mut().zip(more).for_each(|(sum, count)| *sum += count);
}

/// The usage in Postgres, by key and route.
fn stored(database: &Database) -> HashMap<(String, String), Counts> {
    let totals = database.output(&["usage", "--by", "key,route", "--json"]).json();
    let name = |total: &Value, of: &str| total[of].as_str().expect("a name").to_owned();
    let totals = totals.as_array().expect("a list").iter();
    totals.map(|total| ((name(total, "key"), name(total, "route")), counts(total))).collect()
}

fn requests(database: &Database) -> i64 {
    stored(database).values().map(|counts| counts[0]).sum()
}

#[tokio::test]
async fn totals_of_two_instances_equal_the_requests_sent() {
    let database = Database::sample().await;
    let mut apps = App::with_shared_redis(&database, 2).await;
    let keys = [database.issue("pro"), database.issue("free")];
    let mut expected: HashMap<(String, String), Counts> = HashMap::new();
    for round in 0..60 {
        let combinations = PATHS
            .iter()
            .zip(ROUTES)
            .flat_map(|(path, route)| keys.iter().map(move |key| (path, route, key)));
        let answers = combinations.enumerate().map(async |(at, (path, route, key))| {
            let answer = apps[(round + at) % apps.len()].get(key, path).await;
            let (refused, hit) = (answer.status() == 429, header(&answer, "x-cache") == "HIT");
            let bytes = answer.bytes().await.expect("a body").len();
            (
                (id_of(key).to_owned(), route.to_owned()),
                [1, refused.into(), hit.into(), bytes as i64],
            )
        });
        for (of, counts) in join_all(answers).await {
            add(expected.entry(of).or_default(), counts);
        }
    }
    for app in &mut apps {
        app.signal("TERM");
        assert_eq!(app.wait_for_exit().await, Some(0));
    }
    let refused: i64 = expected.values().map(|counts| counts[1]).sum();
    let hits: i64 = expected.values().map(|counts| counts[2]).sum();
    assert!(
        refused >= 200 && hits >= 300,
        "{refused} refusals, {hits} hits: too few for a meaningful test"
    );
    assert_eq!(stored(&database), expected);
}

#[tokio::test]
async fn a_response_without_a_body_adds_no_bytes() {
    let database = Database::sample().await;
    let mut app = App::without_redis(&database).await;
    let key = database.issue("pro");
    let tag = header(&app.get(&key, RANGE).await, "etag").to_owned();
    let bytes = app.get(&key, RANGE).await.bytes().await.unwrap().len() as i64;
    let head = app.request("HEAD", RANGE).header("x-api-key", &key).send().await.unwrap();
    let unchanged = app
        .request("GET", RANGE)
        .header("x-api-key", &key)
        .header("if-none-match", tag)
        .send()
        .await;
    assert_eq!(
        (head.status(), unchanged.unwrap().status()),
        (200.try_into().unwrap(), 304.try_into().unwrap())
    );
    app.signal("TERM");
    assert_eq!(app.wait_for_exit().await, Some(0));
    assert_eq!(
        stored(&database)[&(id_of(&key).to_owned(), ROUTES[0].to_owned())],
        [4, 0, 3, 2 * bytes]
    );
}

#[tokio::test]
async fn a_crash_loses_at_most_the_usage_since_the_last_batch() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("USAGE_FLUSH_MS", "100")]).await;
    let key = database.issue("pro");
    for _ in 0..20 {
        app.get(&key, RANGE).await;
    }
    eventually("a batch is stored", Duration::from_secs(10), async || requests(&database) == 20)
        .await;
    app.get(&key, RANGE).await;
    app.signal("KILL");
    let stored = requests(&database);
    assert!((20..=21).contains(&stored), "{stored}");
}

#[tokio::test]
async fn usage_during_an_outage_of_postgres_is_stored_after_it() {
    let database = Database::sample().await;
    // Issued first: a notification about the key would make the server read its row during the
    // outage.
    let key = database.issue("pro");
    let app = App::with(&database, &[("USAGE_FLUSH_MS", "50")]).await;
    app.get(&key, RANGE).await;
    database.refuse_connections().await;
    for _ in 0..30 {
        assert_eq!(app.get(&key, RANGE).await.status(), 200, "from memory");
    }
    eventually("a batch fails", Duration::from_secs(10), async || {
        app.log().iter().any(|line| line.contains("usage can't be stored"))
    })
    .await;
    app.get(&key, RANGE).await;
    database.accept_connections().await;
    eventually("all usage is stored", Duration::from_secs(20), async || requests(&database) == 32)
        .await;
}

#[tokio::test]
async fn a_stop_right_after_an_outage_loses_no_usage() {
    let database = Database::sample().await;
    // Issued first: a notification about the key would make the server read its row during the
    // outage.
    let key = database.issue("pro");
    // The server stops at once, before another batch is due.
    let mut app = App::with(&database, &[("USAGE_FLUSH_MS", "3000"), ("DRAIN_MS", "0")]).await;
    let send = async || assert_eq!(app.get(&key, RANGE).await.status(), 200);
    send().await;
    database.refuse_connections().await;
    // The batch that fails is kept, and later counts wait behind it.
    send().await;
    eventually("a batch fails", Duration::from_secs(10), async || {
        app.log().iter().any(|line| line.contains("usage can't be stored"))
    })
    .await;
    for _ in 0..30 {
        send().await;
    }
    database.accept_connections().await;
    app.signal("TERM");
    assert_eq!(app.wait_for_exit().await, Some(0));
    assert_eq!(requests(&database), 32);
}

#[tokio::test]
async fn a_batch_sent_twice_counts_once_and_a_missing_key_does_not_block_others() {
    let database = Database::sample().await;
    let key: KeyId = id_of(&database.issue("pro")).parse().unwrap();
    let url = database.url();
    let store = tickerd_store(&url);
    let row = |key| UsageRow {
        key,
        route: "/api/stocks",
        requests: 5,
        refusals: 1,
        cache_hits: 2,
        bytes: 300,
        last_used_at: DateTime::from_timestamp_millis(1_700_000_000_000).unwrap(),
    };
    let day = Utc::now().date_naive();
    let batch = |instance, sequence| UsageBatch {
        instance,
        sequence,
        day,
        rows: vec![row(KeyId::random()), row(key)],
    };
    for (instance, sequence) in [(1, 1), (1, 1), (1, 2), (2, 1), (1, 2), (1, 1)] {
        store.add_usage(&batch(instance, sequence)).await.unwrap();
    }
    let totals = stored(&database);
    assert_eq!(
        totals.into_values().collect::<Vec<_>>(),
        [[15, 3, 6, 900]],
        "three batches of one key"
    );
}

fn tickerd_store(url: &str) -> Store {
    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        database: DatabaseConfig,
    }
    let arguments: Arguments = clap::Parser::parse_from(["test", "--database-url", url]);
    Store::new(&arguments.database).unwrap()
}

#[tokio::test]
async fn a_key_holder_sees_only_the_usage_of_that_key() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("USAGE_FLUSH_MS", "50")]).await;
    let (key, other) = (database.issue("pro"), database.issue("free"));
    for path in PATHS {
        app.get(&key, path).await;
        app.get(&other, path).await;
    }
    eventually("all usage is stored", Duration::from_secs(10), async || requests(&database) == 10)
        .await;
    let (status, body) = app.json(&key, "/api/usage").await;
    assert_eq!(
        (status, &body["key"], &body["tier"]),
        (200, &id_of(&key).into(), &"pro".into()),
        "{body}"
    );
    let all = body["usage"].as_array().unwrap();
    // This request itself may have been stored before its response was made.
    let rows: Vec<_> = all.iter().filter(|row| row["route"] != "/api/usage").collect();
    assert_eq!(rows.iter().map(|row| row["requests"].as_i64().unwrap()).sum::<i64>(), 5, "{body}");
    assert_eq!(
        (rows.len(), &body["count"]),
        (4, &all.len().into()),
        "one row for each route: {body}"
    );
    let today = Utc::now().date_naive();
    assert_eq!(body["end"], today.to_string());
    assert!(rows.iter().all(|row| row["day"].as_str().unwrap().parse::<NaiveDate>().is_ok()));
    let (status, body) = app.json(&key, "/api/usage?start=2001-01-01&end=2001-12-31").await;
    assert_eq!((status, &body["count"]), (200, &0.into()));
    for (query, message) in [
        ("start=2001-01-01", "start is too early: expected at most 366 days up to end"),
        ("start=2002-01-02&end=2002-01-01", "start (2002-01-02) is after end (2002-01-01)"),
        ("day=2002-01-02", "the parameter \"day\" is unknown: expected start, end"),
    ] {
        let (status, body) = app.json(&key, &format!("/api/usage?{query}")).await;
        assert!(status == 400 && body["error"].as_str().unwrap().starts_with(message), "{body}");
    }
}

#[tokio::test]
async fn usage_is_printed_as_a_table_as_csv_and_as_json() {
    let database = Database::sample().await;
    let day = Utc::now().date_naive().to_string();
    assert!(database.output(&["usage"]).stderr.starts_with("There is no usage from "));
    let mut app = App::without_redis(&database).await;
    let key = database.issue("pro");
    app.get(&key, RANGE).await;
    app.get(&key, "/api/stocks").await;
    app.signal("TERM");
    assert_eq!(app.wait_for_exit().await, Some(0));
    let csv = database.output(&["usage", "--by", "day,owner", "--format", "csv"]).stdout;
    let (head, row) = csv.trim_end().split_once('\n').unwrap();
    assert_eq!(head, "day,owner,requests,refusals,cacheHits,bytes,lastUsedAt");
    assert!(row.starts_with(&format!("{day},tests,2,0,0,")), "{row}");
    let table = database.output(&["usage", "--key", id_of(&key), "--day", &day]).stdout;
    let widths: Vec<_> = table.lines().map(str::len).collect();
    assert!(widths.len() == 2 && widths[0] <= widths[1] && table.contains(id_of(&key)), "{table}");
    let none = database.output(&["usage", "--owner", "nobody", "--json"]);
    assert_eq!(none.stdout, "[]\n");
    let wrong = database.output(&["usage", "--day", "yesterday"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("expected a day, as YYYY-MM-DD"), "{wrong:?}");
    let wrong = database.output(&["usage", "--start", "2002-01-02", "--end", "2002-01-01"]);
    assert_eq!(wrong.error_line(), "--start (2002-01-02) is after --end (2002-01-01)");
}

#[tokio::test]
async fn the_stored_requests_of_today_are_shown_to_the_holder_and_to_operators() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("USAGE_FLUSH_MS", "100")]).await;
    let key = database.issue("pro");
    let yesterday = (Utc::now() - chrono::TimeDelta::days(1)).date_naive();
    let earlier = "INSERT INTO key_usage
        (key_id, day, route, requests, refusals, cache_hits, bytes, last_used_at)
        VALUES ($1, $2, '/api/stocks', 1000, 0, 0, 0, now() - interval '1 day')";
    database.connect().await.execute(earlier, &[&id_of(&key), &yesterday]).await.unwrap();
    for path in [RANGE, RANGE, "/api/stocks"] {
        assert_eq!(app.get(&key, path).await.status(), 200);
    }
    let mut requests = 3;
    eventually("the requests are stored", Duration::from_secs(10), async || {
        let (status, report) = app.json(&key, "/api/usage").await;
        assert_eq!(status, 200, "{report}");
        let shown = report["requestsToday"].as_i64().expect("a number");
        // This request and its predecessors count as well.
        let is_shown = (3..=requests).contains(&shown);
        requests += 1;
        is_shown
    })
    .await;
    eventually("operators see them", Duration::from_secs(10), async || {
        let shown = database.output(&["keys", "show", id_of(&key), "--json"]).json();
        shown["requestsToday"] == requests
    })
    .await;
}
