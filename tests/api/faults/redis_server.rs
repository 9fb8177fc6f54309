//! What happens to Redis itself, under load: it is lost, and shared again.

use std::time::{Duration, Instant};

use super::shared::{
    SLOWEST_MAX, granted, granted_again, know_of_each_other, measured, milliseconds,
};
use crate::limits::burst;
use crate::support::{App, Database, Load, RedisServer, Tally, eventually, id_of, record, scratch};

const PATHS: [&str; 2] =
    ["/api/stocks/AAPL", "/api/stocks/MSFT/prices?start=2012-01-01&end=2012-12-31"];
const ALONE: &str = "tickerd_limiter_decisions_total{basis=\"alone\",decision=\"admitted\"}";

/// Two instances that know of each other, on a Redis of their own, under load.
struct Scene {
    database: Database,
    server: RedisServer,
    apps: Vec<App>,
    load: Load,
    scratch: tempfile::TempDir,
}

impl Scene {
    async fn start() -> Self {
        let (database, scratch) = (Database::sample().await, scratch());
        let server = RedisServer::start(scratch.path()).await;
        let mut apps = Vec::new();
        for _ in 0..2 {
            apps.push(App::with(&database, &[("REDIS_URL", &server.url())]).await);
        }
        know_of_each_other(&apps).await;
        let key = database.issue("enterprise");
        let load = Load::new(&[&apps[0], &apps[1]], &[&key], &PATHS).clients(100);
        Self { database, server, apps, load, scratch }
    }

    /// Does harm and mends it, and returns what was seen of it.
    async fn lost_and_shared_again(
        &mut self,
        harm: impl AsyncFnOnce(&mut RedisServer),
        mend: impl AsyncFnOnce(&mut RedisServer),
    ) -> String {
        let keys = [(); 3].map(|()| self.database.issue("free"));
        let load = self.load.clone().start();
        granted_again(&self.apps).await;
        harm(&mut self.server).await;
        // Lost is what does not grant: half a second is more than a time-out.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let before = granted(&self.apps[0]).await;
        let ready =
            self.apps[0].get("", "/health/ready").await.json::<serde_json::Value>().await.unwrap();
        let mut shares = Vec::new();
        for (app, key) in self.apps.chunks(1).zip(&keys) {
            shares.push(burst(app, key, 150).await);
        }
        assert_eq!(granted(&self.apps[0]).await, before, "it is lost");
        mend(&mut self.server).await;
        let took = granted_again(&self.apps).await;
        let tally = load.stop();
        // A window that is shared: one instance alone may have all of it, and then the other has
        // none.
        let whole = burst(&self.apps[..1], &keys[2], 150).await
            + burst(&self.apps[1..], &keys[2], 50).await;
        assert_eq!(
            (shares, whole),
            (vec![50, 50], 100),
            "of 100: shares while it is lost; then the whole"
        );
        format!(
            "{}; 50 of 100 on each instance meanwhile, Redis is said to be {}; shared after {} ms",
            answered(&tally),
            ready["redis"].as_str().expect("it says how Redis is"),
            took.as_millis()
        )
    }
}

/// That nothing failed and nobody waited long.
fn answered(tally: &Tally) -> String {
    tally.assert_only(&[200]);
    assert!(tally.slowest() < SLOWEST_MAX, "{:?}", tally.slowest());
    format!(
        "{} answers, all 200, the slowest {:.0} ms",
        tally.answers.len(),
        milliseconds(tally.slowest())
    )
}

#[tokio::test]
async fn a_redis_that_hangs_is_a_lost_redis() {
    let mut scene = Scene::start().await;
    let seen = scene
        .lost_and_shared_again(
            async |server| server.signal("STOP"),
            async |server| server.signal("CONT"),
        )
        .await;
    assert!(seen.contains("said to be down"), "{seen}");
    record("a_redis_that_hangs_is_a_lost_redis", &seen);
}

#[tokio::test]
async fn a_redis_that_hangs_holds_up_no_revocation_and_is_said_to_be_lost() {
    let scene = Scene::start().await;
    let revoked = scene.database.issue("free");
    for app in &scene.apps {
        assert_eq!(app.get(&revoked, PATHS[0]).await.status(), 200);
    }
    let load = scene.load.clone().start();
    scene.server.signal("STOP");
    let said = async || {
        scene.apps.iter().all(|app| app.log().iter().any(|line| line.contains("Redis is lost")))
    };
    let said = eventually("it is said", Duration::from_secs(10), said).await;
    // Nobody can tell the instances of it.
    assert!(scene.database.run(&["keys", "revoke", id_of(&revoked), "--yes"]).status.success());
    let started = Instant::now();
    for app in &scene.apps {
        let refused = async || app.get(&revoked, PATHS[0]).await.status() == 401;
        eventually("the key is refused", Duration::from_secs(4), refused).await;
    }
    let refused = started.elapsed();
    scene.server.signal("CONT");
    let again = async || {
        scene.apps.iter().all(|app| app.log().iter().any(|line| line.contains("answers again")))
    };
    eventually("it is said", Duration::from_secs(4), again).await;
    load.stop().assert_only(&[200]);
    record(
        "a_redis_that_hangs_holds_up_no_revocation_and_is_said_to_be_lost",
        &format!(
            "logged after {} ms; both refuse the key after {} ms",
            said.as_millis(),
            refused.as_millis()
        ),
    );
}

#[tokio::test]
async fn a_redis_that_is_killed_and_started_again_is_shared_within_two_seconds() {
    let mut scene = Scene::start().await;
    let seen = scene
        .lost_and_shared_again(async |server| server.kill(), async |server| server.run().await)
        .await;
    assert!(seen.contains("said to be down"), "{seen}");
    record("a_redis_that_is_killed_and_started_again_is_shared_within_two_seconds", &seen);
}

#[tokio::test]
async fn a_redis_that_is_full_and_may_evict_nothing_is_a_lost_redis() {
    let mut scene = Scene::start().await;
    let bound = |bytes| ["CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", bytes];
    let seen = scene
        .lost_and_shared_again(
            async |server| server.command_ok(&bound("1")),
            async |server| server.command_ok(&bound("0")),
        )
        .await;
    assert!(
        scene.apps[0]
            .log()
            .iter()
            .any(|line| line.contains("Redis rejects") && line.contains("OOM"))
    );
    record("a_redis_that_is_full_and_may_evict_nothing_is_a_lost_redis", &seen);
}

/// A primary that was demoted answers READONLY to whoever still has its address.
#[tokio::test]
async fn a_redis_that_became_a_replica_is_a_lost_redis() {
    let mut scene = Scene::start().await;
    let primary = RedisServer::start(scene.scratch.path()).await;
    let seen = scene
        .lost_and_shared_again(
            async |server| server.command_ok(&["REPLICAOF", "127.0.0.1", &primary.port()]),
            async |server| server.command_ok(&["REPLICAOF", "NO", "ONE"]),
        )
        .await;
    assert!(
        scene.apps[0]
            .log()
            .iter()
            .any(|line| line.contains("Redis rejects") && line.contains("READONLY"))
    );
    record("a_redis_that_became_a_replica_is_a_lost_redis", &seen);
}

/// One URL, behind which another server answers from now on: what a name that is led elsewhere
/// does.
#[tokio::test]
async fn a_replica_that_takes_the_place_of_its_primary_goes_on_with_the_windows() {
    let mut scene = Scene::start().await;
    let mut replica = RedisServer::start(scene.scratch.path()).await;
    replica.command_ok(&["REPLICAOF", "127.0.0.1", &scene.server.port()]);
    let spent = scene.database.issue("free");
    assert_eq!(burst(&scene.apps, &spent, 300).await, 100);
    assert_eq!(scene.server.command(&["WAIT", "1", "5000"]), "1", "the replica has all of it");
    let seen = scene
        .lost_and_shared_again(
            async |server| server.kill(),
            async |server| {
                replica.command_ok(&["REPLICAOF", "NO", "ONE"]);
                replica.take_over_port_of(server);
                std::mem::swap(server, &mut replica);
            },
        )
        .await;
    assert_eq!(burst(&scene.apps, &spent, 50).await, 0, "what was used is not forgotten");
    assert!(seen.contains("said to be down"), "{seen}");
    record("a_replica_that_takes_the_place_of_its_primary_goes_on_with_the_windows", &seen);
}

#[tokio::test]
async fn a_redis_that_loses_its_scripts_is_not_even_noticed() {
    let scene = Scene::start().await;
    let load = scene.load.clone().start();
    granted_again(&scene.apps).await;
    let alone = measured(&scene.apps[0], ALONE).await;
    let started = Instant::now();
    let mut flushed = 0;
    while started.elapsed() < Duration::from_secs(3) {
        scene.server.command_ok(&["SCRIPT", "FLUSH"]);
        flushed += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let seen = answered(&load.stop());
    assert_eq!(
        measured(&scene.apps[0], ALONE).await,
        alone,
        "no request was decided without Redis"
    );
    scene.server.command_ok(&["SCRIPT", "FLUSH"]);
    assert_eq!(burst(&scene.apps, &scene.database.issue("free"), 300).await, 100);
    record(
        "a_redis_that_loses_its_scripts_is_not_even_noticed",
        &format!("flushed {flushed} times; {seen}"),
    );
}

#[tokio::test]
async fn a_redis_that_is_lost_holds_up_no_request_and_no_revocation() {
    let (database, scratch) = (Database::sample().await, scratch());
    let mut server = RedisServer::start(scratch.path()).await;
    let app = App::with(&database, &[("REDIS_URL", &server.url())]).await;
    let (key, revoked) = (database.issue("pro"), database.issue("pro"));
    let message = async |what: &str| {
        app.request("GET", "/health/ready")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains(what)
    };
    eventually("Redis is shared", Duration::from_secs(5), async || {
        message("\"redis\":\"up\"").await
    })
    .await;
    for key in [&key, &revoked] {
        assert_eq!(app.get(key, PATHS[0]).await.status(), 200);
    }
    server.kill();
    eventually("Redis is lost", Duration::from_secs(5), async || {
        message("\"redis\":\"down\"").await
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
        "a_redis_that_is_lost_holds_up_no_request_and_no_revocation",
        &format!(
            "the slowest {:.1} ms; refused {} ms after the command",
            milliseconds(slowest),
            took.as_millis()
        ),
    );
}

/// A request asks Redis twice: for permits, and for the answer. It waits once.
#[tokio::test]
async fn a_request_that_waited_for_redis_in_vain_does_not_wait_again() {
    let (database, scratch) = (Database::sample().await, scratch());
    let server = RedisServer::start(scratch.path()).await;
    let app = App::with(&database, &[("REDIS_URL", &server.url())]).await;
    // Proving a new key takes its time.
    let key = database.issue("pro");
    assert_eq!(app.get(&key, PATHS[0]).await.status(), 200);
    server.signal("STOP");
    let started = Instant::now();
    // It counts as 10, more than the instance has taken ahead.
    let answer = app.get(&key, "/api/prices/daily/2012-12-31").await;
    let took = started.elapsed();
    server.signal("CONT");
    assert_eq!(answer.status(), 200);
    assert!((Duration::from_millis(200)..Duration::from_millis(450)).contains(&took), "{took:?}");
    record(
        "a_request_that_waited_for_redis_in_vain_does_not_wait_again",
        &format!("it took {} ms, 250 of them the time-out", took.as_millis()),
    );
}
