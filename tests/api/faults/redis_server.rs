//! Redis itself fails under load: instances lose it, then share it again.

use std::time::{Duration, Instant};

use super::redis_fixtures::{
    RESPONSE_TIME_MAX, granted_count, metric, milliseconds, wait_until_counted, wait_until_granted,
};
use crate::limits::burst;
use crate::support::{App, Database, Load, RedisServer, Tally, eventually, id_of, record, scratch};

const PATHS: [&str; 2] =
    ["/api/stocks/AAPL", "/api/stocks/MSFT/prices?start=2012-01-01&end=2012-12-31"];
const LOCAL_DECISIONS: &str =
    "tickerd_limiter_decisions_total{basis=\"alone\",decision=\"admitted\"}";

/// Two instances on a Redis of their own, and a load for them. The instances count each other.
struct SharedRedis {
    database: Database,
    server: RedisServer,
    apps: Vec<App>,
    load: Load,
    scratch: tempfile::TempDir,
}

impl SharedRedis {
    async fn start() -> Self {
        let database = Database::sample().await;
        let scratch = scratch();
        let server = RedisServer::start(scratch.path()).await;
        let mut apps = Vec::new();
        for _ in 0..2 {
            apps.push(App::with(&database, &[("REDIS_URL", &server.url())]).await);
        }
        wait_until_counted(&apps).await;
        let key = database.issue("enterprise");
        let load = Load::new(&[&apps[0], &apps[1]], &[&key], &PATHS).clients(100);
        Self { database, server, apps, load, scratch }
    }

    /// Breaks Redis and repairs it under load. Returns a description of the results.
    async fn lose_and_recover(
        &mut self,
        break_redis: impl AsyncFnOnce(&mut RedisServer),
        repair: impl AsyncFnOnce(&mut RedisServer),
    ) -> String {
        let keys = [(); 3].map(|()| self.database.issue("free"));
        let load = self.load.clone().start();
        wait_until_granted(&self.apps).await;
        break_redis(&mut self.server).await;
        // Redis counts as lost when it grants no lease. Half a second is more than a time-out.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let before = granted_count(&self.apps[0]).await;
        let ready =
            self.apps[0].get("", "/health/ready").await.json::<serde_json::Value>().await.unwrap();
        let mut shares = Vec::new();
        for (app, key) in self.apps.chunks(1).zip(&keys) {
            shares.push(burst(app, key, 150).await);
        }
        assert_eq!(granted_count(&self.apps[0]).await, before, "Redis is lost");
        repair(&mut self.server).await;
        let took = wait_until_granted(&self.apps).await;
        let tally = load.stop();
        // The shared window: one instance alone may use all of it, and then the other gets none.
        let whole = burst(&self.apps[..1], &keys[2], 150).await
            + burst(&self.apps[1..], &keys[2], 50).await;
        assert_eq!(
            (shares, whole),
            (vec![50, 50], 100),
            "of 100: the shares without Redis, then the whole limit"
        );
        format!(
            "{}; 50 of 100 on each instance meanwhile, Redis reported as {}; shared after {} ms",
            assert_served(&tally),
            ready["redis"].as_str().expect("a state of Redis"),
            took.as_millis()
        )
    }
}

/// Asserts that no request failed or waited long, and describes the responses.
fn assert_served(tally: &Tally) -> String {
    tally.assert_only(&[200]);
    assert!(tally.slowest() < RESPONSE_TIME_MAX, "{:?}", tally.slowest());
    format!(
        "{} responses, all 200, the slowest {:.0} ms",
        tally.responses.len(),
        milliseconds(tally.slowest())
    )
}

#[tokio::test]
async fn a_redis_that_hangs_counts_as_lost() {
    let mut shared = SharedRedis::start().await;
    let figures = shared
        .lose_and_recover(
            async |server| server.signal("STOP"),
            async |server| server.signal("CONT"),
        )
        .await;
    assert!(figures.contains("reported as down"), "{figures}");
    record("a_redis_that_hangs_counts_as_lost", &figures);
}

#[tokio::test]
async fn a_redis_that_hangs_delays_no_revocation_and_is_logged_as_lost() {
    let shared = SharedRedis::start().await;
    let revoked = shared.database.issue("free");
    for app in &shared.apps {
        assert_eq!(app.get(&revoked, PATHS[0]).await.status(), 200);
    }
    let load = shared.load.clone().start();
    shared.server.signal("STOP");
    let logged = async || {
        shared.apps.iter().all(|app| app.log().iter().any(|line| line.contains("Redis is lost")))
    };
    let logged = eventually("the loss is logged", Duration::from_secs(10), logged).await;
    // No notification reaches the instances.
    assert!(shared.database.run(&["keys", "revoke", id_of(&revoked), "--yes"]).status.success());
    let started = Instant::now();
    for app in &shared.apps {
        let refused = async || app.get(&revoked, PATHS[0]).await.status() == 401;
        eventually("the key is refused", Duration::from_secs(4), refused).await;
    }
    let refused = started.elapsed();
    shared.server.signal("CONT");
    let again = async || {
        shared.apps.iter().all(|app| app.log().iter().any(|line| line.contains("answers again")))
    };
    eventually("the return is logged", Duration::from_secs(4), again).await;
    load.stop().assert_only(&[200]);
    record(
        "a_redis_that_hangs_delays_no_revocation_and_is_logged_as_lost",
        &format!(
            "logged after {} ms; both refuse the key after {} ms",
            logged.as_millis(),
            refused.as_millis()
        ),
    );
}

#[tokio::test]
async fn a_redis_that_is_killed_and_restarted_is_shared_within_two_seconds() {
    let mut shared = SharedRedis::start().await;
    let figures = shared
        .lose_and_recover(async |server| server.kill(), async |server| server.run().await)
        .await;
    assert!(figures.contains("reported as down"), "{figures}");
    record("a_redis_that_is_killed_and_restarted_is_shared_within_two_seconds", &figures);
}

#[tokio::test]
async fn a_full_redis_that_may_not_evict_counts_as_lost() {
    let mut shared = SharedRedis::start().await;
    let bound = |bytes| ["CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", bytes];
    let figures = shared
        .lose_and_recover(
            async |server| server.command_ok(&bound("1")),
            async |server| server.command_ok(&bound("0")),
        )
        .await;
    assert!(figures.contains("reported as restricted"), "{figures}");
    assert!(
        shared.apps[0]
            .log()
            .iter()
            .any(|line| line.contains("Redis rejects") && line.contains("OOM"))
    );
    record("a_full_redis_that_may_not_evict_counts_as_lost", &figures);
}

/// A demoted primary responds with READONLY to clients that still use its address.
#[tokio::test]
async fn a_redis_demoted_to_a_replica_counts_as_lost() {
    let mut shared = SharedRedis::start().await;
    let primary = RedisServer::start(shared.scratch.path()).await;
    let figures = shared
        .lose_and_recover(
            async |server| server.command_ok(&["REPLICAOF", "127.0.0.1", &primary.port()]),
            async |server| server.command_ok(&["REPLICAOF", "NO", "ONE"]),
        )
        .await;
    assert!(figures.contains("reported as restricted"), "{figures}");
    assert!(
        shared.apps[0]
            .log()
            .iter()
            .any(|line| line.contains("Redis rejects") && line.contains("READONLY"))
    );
    record("a_redis_demoted_to_a_replica_counts_as_lost", &figures);
}

/// Another server takes over the address, as when a DNS name moves to another machine.
#[tokio::test]
async fn a_promoted_redis_replica_keeps_the_rate_limit_windows() {
    let mut shared = SharedRedis::start().await;
    let mut replica = RedisServer::start(shared.scratch.path()).await;
    replica.command_ok(&["REPLICAOF", "127.0.0.1", &shared.server.port()]);
    let spent = shared.database.issue("free");
    assert_eq!(burst(&shared.apps, &spent, 300).await, 100);
    assert_eq!(shared.server.command(&["WAIT", "1", "5000"]), "1", "the replica has all writes");
    let figures = shared
        .lose_and_recover(
            async |server| server.kill(),
            async |server| {
                replica.command_ok(&["REPLICAOF", "NO", "ONE"]);
                replica.take_over_port_of(server);
                std::mem::swap(server, &mut replica);
            },
        )
        .await;
    assert_eq!(burst(&shared.apps, &spent, 50).await, 0, "used permits are not forgotten");
    assert!(figures.contains("reported as down"), "{figures}");
    record("a_promoted_redis_replica_keeps_the_rate_limit_windows", &figures);
}

#[tokio::test]
async fn a_redis_that_loses_its_scripts_affects_no_request() {
    let shared = SharedRedis::start().await;
    let load = shared.load.clone().start();
    wait_until_granted(&shared.apps).await;
    let alone = metric(&shared.apps[0], LOCAL_DECISIONS).await;
    let started = Instant::now();
    let mut flushed = 0;
    while started.elapsed() < Duration::from_secs(3) {
        shared.server.command_ok(&["SCRIPT", "FLUSH"]);
        flushed += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let figures = assert_served(&load.stop());
    assert_eq!(
        metric(&shared.apps[0], LOCAL_DECISIONS).await,
        alone,
        "every request was decided with Redis"
    );
    shared.server.command_ok(&["SCRIPT", "FLUSH"]);
    assert_eq!(burst(&shared.apps, &shared.database.issue("free"), 300).await, 100);
    record(
        "a_redis_that_loses_its_scripts_affects_no_request",
        &format!("flushed {flushed} times; {figures}"),
    );
}

#[tokio::test]
async fn a_lost_redis_delays_no_request_and_no_revocation() {
    let database = Database::sample().await;
    let scratch = scratch();
    let mut server = RedisServer::start(scratch.path()).await;
    let app = App::with(&database, &[("REDIS_URL", &server.url())]).await;
    let (key, revoked) = (database.issue("pro"), database.issue("pro"));
    let readiness_has = async |text: &str| {
        app.request("GET", "/health/ready")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains(text)
    };
    eventually("Redis is shared", Duration::from_secs(5), async || {
        readiness_has("\"redis\":\"up\"").await
    })
    .await;
    for key in [&key, &revoked] {
        assert_eq!(app.get(key, PATHS[0]).await.status(), 200);
    }
    server.kill();
    eventually("Redis is lost", Duration::from_secs(5), async || {
        readiness_has("\"redis\":\"down\"").await
    })
    .await;
    let mut slowest = Duration::ZERO;
    for _ in 0..30 {
        let started = Instant::now();
        assert_eq!(app.get(&key, PATHS[0]).await.status(), 200);
        slowest = slowest.max(started.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(slowest < Duration::from_millis(200), "{slowest:?}");
    assert!(database.run(&["keys", "revoke", id_of(&revoked), "--yes"]).status.success());
    let refused = async || app.get(&revoked, PATHS[0]).await.status() == 401;
    let took = eventually("the key is refused", Duration::from_millis(1500), refused).await;
    record(
        "a_lost_redis_delays_no_request_and_no_revocation",
        &format!(
            "the slowest {:.1} ms; refused {} ms after the command",
            milliseconds(slowest),
            took.as_millis()
        ),
    );
}

/// A request uses Redis twice, for permits and for the cached response, but it waits only once.
#[tokio::test]
async fn a_request_waits_for_an_unresponsive_redis_only_once() {
    let database = Database::sample().await;
    let scratch = scratch();
    let server = RedisServer::start(scratch.path()).await;
    let app = App::with(&database, &[("REDIS_URL", &server.url())]).await;
    // The first request verifies the key, which takes time.
    let key = database.issue("pro");
    assert_eq!(app.get(&key, PATHS[0]).await.status(), 200);
    server.signal("STOP");
    let started = Instant::now();
    // It costs 10, more than the instance has prefetched.
    let response = app.get(&key, "/api/prices/daily/2012-12-31").await;
    let took = started.elapsed();
    server.signal("CONT");
    assert_eq!(response.status(), 200);
    assert!((Duration::from_millis(200)..Duration::from_millis(450)).contains(&took), "{took:?}");
    record(
        "a_request_waits_for_an_unresponsive_redis_only_once",
        &format!("it took {} ms, 250 of them the time-out", took.as_millis()),
    );
}
