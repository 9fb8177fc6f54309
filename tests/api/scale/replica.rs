//! Reads from a replica: it serves only content that it has replayed, so no response is older than
//! its cache entry claims.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{App, Database, Replicated, eventually, record};

const HEADER: &str = "symbol,date,open,high,low,close,volume,adjusted_close";

async fn start_app(servers: &Replicated) -> (App, String) {
    let database = servers.database();
    let app = App::with(&database, &[("DATABASE_READ_URL", &servers.replica.url())]).await;
    (app, database.issue("enterprise"))
}

/// Sends different queries until one was read from the replica.
async fn wait_until_replica_is_read(servers: &Replicated, app: &App, key: &str, symbol: &str) {
    let replica = Database::at(&servers.replica.url()).connect().await;
    let mut limit = 1000;
    eventually("the replica is read", Duration::from_secs(10), async || {
        let since: String =
            replica.query_one("SELECT clock_timestamp()::text", &[]).await.unwrap().get(0);
        limit -= 1;
        let path = format!("/api/stocks/{symbol}/prices?start=2012-01-01&limit={limit}");
        assert_eq!(app.get(key, &path).await.status(), 200);
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tickerd'
                   AND query LIKE '%FROM prices%' AND query_start > $1::text::timestamptz";
        replica.query_one(sql, &[&since]).await.unwrap().get::<_, i64>(0) > 0
    })
    .await;
}

async fn newest_close(app: &App, key: &str, limit: u32) -> f64 {
    let (status, body) =
        app.json(key, &format!("/api/stocks/AAPL/prices?start=2012-01-01&limit={limit}")).await;
    assert_eq!(status, 200, "{body}");
    body["prices"][0]["close"].as_f64().unwrap()
}

fn load_correction(database: &Database, close: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{HEADER}\nAAPL,2013-03-01,1,999,1,{close},5,1\n"))
        .unwrap();
    let report =
        database.output(&["ingest", "prices", file.path().to_str().unwrap(), "--json"]).json();
    assert_eq!(report["stocksTouched"], Value::from(1));
}

#[tokio::test]
async fn a_correction_is_served_at_once_while_the_replica_has_not_replayed_it() {
    let servers = Replicated::with_sample();
    let (app, key) = start_app(&servers).await;
    wait_until_replica_is_read(&servers, &app, &key, "AAPL").await;
    load_correction(&servers.database(), "500");
    eventually("the first value is served", Duration::from_secs(5), async || {
        newest_close(&app, &key, 1).await == 500.0
    })
    .await;
    wait_until_replica_is_read(&servers, &app, &key, "AAPL").await;

    let replica = Database::at(&servers.replica.url()).connect().await;
    replica.batch_execute("SELECT pg_wal_replay_pause()").await.unwrap();
    eventually("replay is paused", Duration::from_secs(10), async || {
        let state: String =
            replica.query_one("SELECT pg_get_wal_replay_pause_state()", &[]).await.unwrap().get(0);
        state == "paused"
    })
    .await;
    load_correction(&servers.database(), "600");
    eventually("the correction is served", Duration::from_secs(5), async || {
        newest_close(&app, &key, 1).await == 600.0
    })
    .await;
    // Each is a different query. None may be read from the replica, which still has the old value.
    const READS: u32 = 38;
    for limit in 2..2 + READS {
        assert_eq!(newest_close(&app, &key, limit).await, 600.0, "limit={limit}");
    }
    let old = "SELECT close FROM prices JOIN stocks ON id = stock_id
               WHERE symbol = 'AAPL' AND date = '2013-03-01'";
    assert_eq!(
        replica.query_one(old, &[]).await.unwrap().get::<_, f64>(0),
        500.0,
        "the replica is behind"
    );
    // Stocks that did not change are still read from the replica.
    wait_until_replica_is_read(&servers, &app, &key, "MSFT").await;

    replica.batch_execute("SELECT pg_wal_replay_resume()").await.unwrap();
    wait_until_replica_is_read(&servers, &app, &key, "AAPL").await;
    assert_eq!(newest_close(&app, &key, 41).await, 600.0);
    record(
        "a_correction_is_served_at_once_while_the_replica_has_not_replayed_it",
        &format!(
            "{READS} reads while the replica was paused, all with the new value; afterwards reads \
             use the replica again"
        ),
    );
}

#[tokio::test]
async fn a_replica_that_hangs_or_dies_fails_no_request() {
    let servers = Replicated::with_sample();
    let (app, key) = start_app(&servers).await;
    wait_until_replica_is_read(&servers, &app, &key, "AAPL").await;
    let pid = servers.replica.pid().to_string();
    let backends = Database::at(&servers.replica.url())
        .texts("SELECT pid::text FROM pg_stat_activity WHERE application_name = 'tickerd'")
        .await;
    let signal = |name: &str| {
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .args(&backends)
                .status()
                .unwrap()
                .success()
        );
    };
    let slowest = async |from: u32| {
        let mut slowest = Duration::ZERO;
        for limit in from..from + 40 {
            let started = Instant::now();
            newest_close(&app, &key, limit).await;
            slowest = slowest.max(started.elapsed());
        }
        slowest
    };
    signal("STOP");
    // A request that meets the hanging replica waits DATABASE_READ_TIMEOUT_MS, 500 by default, and
    // then reads from the primary.
    let (hanging, known) = (slowest(1).await, slowest(41).await);
    signal("CONT");
    assert!(
        hanging < Duration::from_secs(4) && known < Duration::from_secs(2),
        "{hanging:?}, {known:?}"
    );
    wait_until_replica_is_read(&servers, &app, &key, "AAPL").await;

    let Replicated { primary: _primary, replica, _scratch } = servers;
    replica.stop().unwrap();
    let dead = slowest(81).await;
    assert!(dead < Duration::from_secs(2), "{dead:?}");
    let [hanging, known, dead] = [hanging, known, dead].map(|slowest| slowest.as_millis());
    record(
        "a_replica_that_hangs_or_dies_fails_no_request",
        &format!(
            "120 responses, all 200; the slowest {hanging} ms when it hung, {known} ms once that \
             was known, {dead} ms when it died"
        ),
    );
    let logged = async || app.log().iter().any(|line| line.contains("DATABASE_READ_URL"));
    eventually("the loss is logged", Duration::from_secs(10), logged).await;
}
