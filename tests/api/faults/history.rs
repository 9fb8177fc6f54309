//! The history of the database goes back: a replica is promoted that lacks the last commits, or a
//! backup is restored. No instance is restarted.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::failover::{either, kill};
use super::fixtures::issue_unlimited;
use crate::support::{
    App, Database, Files, Replicated, eventually, record, redis_url, run, unique,
};

const AAPL: &str = "/api/stocks/AAPL/prices?start=2012-12-31&end=2012-12-31";
const NEWA: &str = "/api/stocks/NEWA/prices?start=2012-12-27&end=2012-12-31";
const STOCKS: &str = "symbol,name,exchange,currency\n";
const PRICES: &str = "symbol,date,open,high,low,close,volume\n";

/// A correction of one bar, and a new stock with one bar.
fn commit_lost_data(primary: &Database) {
    let header = PRICES.trim_end();
    let bar = "AAPL,2012-12-31,1000,1000,1000,1000,7,1000";
    primary.load("prices", &format!("{header},adjusted_close\n{bar}\n"));
    add_stock(primary, "NEWA", 11);
}

fn add_stock(database: &Database, symbol: &str, close: u32) {
    database.load("stocks", &format!("{STOCKS}{symbol},A new company,NYSE,USD\n"));
    let bar = format!("{symbol},2012-12-31,{close},{close},{close},{close},7\n");
    database.load("prices", &format!("{PRICES}{bar}"));
}

/// The closes in a response, or its status if it has none.
async fn closes(app: &App, key: &str, path: &str) -> Value {
    let (status, body) = app.json(key, path).await;
    match body["prices"].as_array() {
        Some(bars) => bars.iter().map(|bar| bar["close"].as_f64()).collect(),
        None => json!(status),
    }
}

/// A replica that receives nothing more.
async fn stop_replication(servers: &Replicated) -> Database {
    let replica = Database::at(&servers.replica.url());
    let operator = replica.connect().await;
    operator.batch_execute("ALTER SYSTEM SET primary_conninfo = ''").await.unwrap();
    operator.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let is_cut_off =
        async || replica.texts("SELECT status FROM pg_stat_wal_receiver").await.is_empty();
    eventually("the replica is cut off", Duration::from_secs(10), is_cut_off).await;
    replica
}

#[tokio::test]
async fn a_promoted_replica_without_the_last_commits_leaves_nothing_of_them_behind() {
    let servers = Replicated::with_sample();
    let primary = servers.database();
    let key = issue_unlimited(&primary).await;
    let has_key = async |database: &Database| {
        let keys = database.texts("SELECT count(*)::text FROM api_keys").await;
        keys.first().is_some_and(|keys| keys == "1")
    };
    let replica = Database::at(&servers.replica.url());
    eventually("the replica has the key", Duration::from_secs(10), async || {
        has_key(&replica).await
    })
    .await;
    let replica = stop_replication(&servers).await;
    let (both, prefix, redis) = (either(&servers), format!("{}:", unique("test")), redis_url());
    let variables = [("REDIS_URL", redis.as_str()), ("REDIS_KEY_PREFIX", &prefix)];
    let mut apps = Vec::new();
    for _ in 0..2 {
        apps.push(App::with(&Database::at(&both), &variables).await);
    }
    commit_lost_data(&primary);
    let lost_key = primary.issue("pro");
    for app in &apps {
        let is_applied = async || closes(app, &key, NEWA).await == json!([11.0]);
        eventually("the new stock is served", Duration::from_secs(5), is_applied).await;
        assert_eq!(closes(app, &key, AAPL).await, json!([1000.0]));
        assert_eq!(closes(app, &lost_key, AAPL).await, json!([1000.0]));
    }
    kill(&servers.primary);
    let refused = async || app_status(&apps[0], &key).await == 503;
    eventually("nothing is read", Duration::from_secs(5), refused).await;
    replica.connect().await.batch_execute("SELECT pg_promote()").await.unwrap();
    let is_back = async || app_status(&apps[0], &key).await == 200;
    eventually("the promoted replica is read", Duration::from_secs(5), is_back).await;
    let back = Instant::now();
    for app in &apps {
        let is_forgotten = async || closes(app, &key, AAPL).await != json!([1000.0]);
        eventually("the correction is forgotten", Duration::from_secs(1), is_forgotten).await;
        let is_unknown = async || closes(app, &key, NEWA).await == json!(404);
        eventually("the stock is forgotten", Duration::from_secs(1), is_unknown).await;
        let is_rejected = async || closes(app, &lost_key, AAPL).await == json!(401);
        eventually("the key is forgotten", Duration::from_secs(2), is_rejected).await;
    }
    let took = back.elapsed();
    // A stock that is added now may get the id of the lost one.
    let ids = "SELECT setval(pg_get_serial_sequence('stocks', 'id'), max(id)) FROM stocks";
    replica.connect().await.batch_execute(ids).await.unwrap();
    add_stock(&replica, "NEWB", 22);
    let fresh = App::with(&Database::at(&both), &variables).await;
    for app in apps.iter().chain([&fresh]) {
        let newb = NEWA.replace("NEWA", "NEWB");
        let is_served = async || closes(app, &key, &newb).await == json!([22.0]);
        eventually("the next stock is served", Duration::from_secs(5), is_served).await;
        assert_eq!(closes(app, &key, NEWA).await, json!(404));
        let original = "SELECT close::text FROM prices JOIN stocks ON id = stock_id
                        WHERE symbol = 'AAPL' AND date = '2012-12-31'";
        let original: f64 = replica.texts(original).await[0].parse().unwrap();
        assert_eq!(closes(app, &key, AAPL).await, json!([original]));
    }
    record(
        "a_promoted_replica_without_the_last_commits_leaves_nothing_of_them_behind",
        &format!("gone {} ms after the first read from the promoted server", took.as_millis()),
    );
}

/// The status of a request that no cache answers.
async fn app_status(app: &App, key: &str) -> u16 {
    app.get(key, "/api/watchlists").await.status().as_u16()
}

#[tokio::test]
async fn a_restored_backup_is_noticed_by_running_instances_and_by_the_next_ones() {
    let database = Database::sample().await;
    let key = issue_unlimited(&database).await;
    let original = {
        let app = App::without_redis(&database).await;
        closes(&app, &key, AAPL).await
    };
    let files = Files::new();
    let backup = format!("{}/backup", files.path());
    let url = database.url();
    let dump = ["--format=custom", "--file", &backup, "--dbname", &url];
    assert!(run(Command::new("pg_dump").args(dump)).status.success());
    let prefix = format!("{}:", unique("test"));
    let redis = redis_url();
    let variables = [("REDIS_URL", redis.as_str()), ("REDIS_KEY_PREFIX", &prefix)];
    let running = App::without_redis(&database).await;
    let stopped = App::with(&database, &variables).await;
    commit_lost_data(&database);
    for app in [&running, &stopped] {
        let is_applied = async || closes(app, &key, NEWA).await == json!([11.0]);
        eventually("the new stock is served", Duration::from_secs(5), is_applied).await;
        assert_eq!(closes(app, &key, AAPL).await, json!([1000.0]));
    }
    drop(stopped);
    let clean = ["--clean", "--if-exists", "--single-transaction", "--dbname", &url, &backup];
    assert!(run(Command::new("pg_restore").args(clean)).status.success());
    let next = App::with(&database, &variables).await;
    for app in [&running, &next] {
        let is_restored = async || closes(app, &key, AAPL).await == original;
        eventually("the backup is served", Duration::from_secs(2), is_restored).await;
        assert_eq!(closes(app, &key, NEWA).await, json!(404));
    }
    let restored = "SELECT (restored_at > 0)::text FROM revision";
    assert_eq!(database.texts(restored).await, ["true"], "no instance has recorded it");
}

#[tokio::test]
async fn a_read_replica_with_commits_that_the_primary_lacks_is_not_read() {
    let servers = Replicated::with_sample();
    let old = servers.database();
    let key = issue_unlimited(&old).await;
    let copied = Database::at(&servers.replica.url());
    let has_key = async || copied.texts("SELECT id FROM api_keys").await.len() == 1;
    eventually("the replica has the key", Duration::from_secs(10), has_key).await;
    let promoted = stop_replication(&servers).await;
    let original = {
        let app = App::without_redis(&old).await;
        closes(&app, &key, AAPL).await
    };
    commit_lost_data(&old);
    promoted.connect().await.batch_execute("SELECT pg_promote()").await.unwrap();
    // The old primary lives on and is read as a replica.
    let app = App::with(&promoted, &[("DATABASE_READ_URL", &old.url())]).await;
    let is_noticed =
        async || app.warnings_and_errors().iter().any(|line| line.contains("does not have"));
    eventually("the replica is found to be another one", Duration::from_secs(5), is_noticed).await;
    assert_eq!(closes(&app, &key, AAPL).await, original);
    add_stock(&promoted, "NEWB", 22);
    let newb = NEWA.replace("NEWA", "NEWB");
    let is_served = async || closes(&app, &key, &newb).await == json!([22.0]);
    eventually("the next stock is served", Duration::from_secs(5), is_served).await;
    assert_eq!(closes(&app, &key, NEWA).await, json!(404));
}
