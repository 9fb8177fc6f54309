//! Without requests, an instance lets a database that may sleep do so, and calls no Redis.

use std::time::Duration;

use crate::support::{App, Database, RedisServer, eventually, scratch};

/// Polls come often and rests soon, so that the difference shows within seconds.
const SETTINGS: [(&str, &str); 4] = [
    ("REST_AFTER_S", "2"),
    ("CHANGES_POLL_MS", "100"),
    ("CHANGES_POLL_WITHOUT_REDIS_MS", "100"),
    ("USAGE_FLUSH_MS", "100"),
];
const PRICES: &str = "/api/stocks/IBM/prices?start=2012-12-31&end=2012-12-31";

/// Waits until no instance has asked Postgres for a second, ten times the interval of polls.
async fn rests(database: &Database) {
    let sql = "SELECT (now() - max(query_start) > '1 s')::text FROM pg_stat_activity
               WHERE application_name = 'tickerd' AND datname = current_database()
                     AND pid <> pg_backend_pid()";
    eventually("Postgres is not asked", Duration::from_secs(20), async || {
        database.texts(sql).await == ["true"]
    })
    .await;
}

/// The number of commands that Redis has run, but for the one that asks.
fn commands(redis: &RedisServer) -> u64 {
    let stats = redis.command(&["INFO", "commandstats"]);
    let calls = stats.lines().filter(|line| !line.contains("_info:"));
    calls
        .filter_map(|line| line.split("calls=").nth(1)?.split(',').next()?.parse::<u64>().ok())
        .sum()
}

async fn close(app: &App, key: &str) -> f64 {
    let (status, body) = app.json(key, PRICES).await;
    assert_eq!(status, 200, "{body}");
    body["prices"][0]["close"].as_f64().unwrap()
}

fn correct(database: &Database, close: f64) {
    let row = format!("IBM,2012-12-31,{close},{close},{close},{close},1,{close}\n");
    database
        .load("prices", &format!("symbol,date,open,high,low,close,volume,adjusted_close\n{row}"));
}

#[tokio::test]
async fn the_first_request_after_a_rest_sees_what_changed_meanwhile() {
    let database = Database::sample().await;
    let mut settings = SETTINGS.to_vec();
    // So that only the request itself can end the rest in time.
    settings.push(("REDIS_URL", ""));
    let key = database.issue("pro");
    let app = App::with(&database, &settings).await;
    for new_close in [501.0, 502.0] {
        let before = close(&app, &key).await;
        assert_eq!(close(&app, &key).await, before, "from memory");
        rests(&database).await;
        assert_ne!(before, new_close);
        correct(&database, new_close);
        assert_eq!(close(&app, &key).await, new_close);
    }
}

#[tokio::test]
async fn an_instance_without_requests_calls_neither_postgres_nor_redis() {
    let (scratch, database) = (scratch(), Database::sample().await);
    let redis = RedisServer::start(scratch.path()).await;
    let url = redis.url();
    let mut settings = SETTINGS.to_vec();
    settings.push(("REDIS_URL", &url));
    let key = database.issue("pro");
    let app = App::with(&database, &settings).await;
    close(&app, &key).await;
    rests(&database).await;
    let before = commands(&redis);
    // Longer than the interval of each task: polls, counts of instances.
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(commands(&redis), before, "{}", redis.command(&["INFO", "commandstats"]));
    rests(&database).await;
    // A message still ends the rest of one that hears it, and the next request sees the change.
    correct(&database, 503.0);
    assert_eq!(close(&app, &key).await, 503.0);
}
