//! The machine of Postgres fails, and its replica is promoted.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::servers::LocalPostgres;

use super::fixtures::{distinct_paths, issue_unlimited};
use crate::support::{App, Database, Replicated, eventually, record};

const LISTS: &str = "/api/watchlists";

/// One URL for both servers. The one that accepts writes is the primary.
pub fn either(servers: &Replicated) -> String {
    let authority = |url: &str| {
        url.rsplit('@').next().and_then(|end| end.split('/').next()).unwrap().to_owned()
    };
    let (primary, replica) = (authority(&servers.primary.url()), authority(&servers.replica.url()));
    let both = servers.primary.url().replace(&primary, &format!("{primary},{replica}"));
    format!("{both}?target_session_attrs=read-write")
}

pub fn kill(server: &LocalPostgres) {
    let arguments = ["-s", "KILL", &server.pid().to_string()];
    assert!(Command::new("kill").args(arguments).status().unwrap().success());
}

#[tokio::test]
async fn a_promoted_postgres_replica_serves_within_a_second_if_the_url_names_both() {
    let servers = Replicated::with_sample();
    let primary = servers.database();
    // Issued before the server starts: a notification about a key in use makes the server read its
    // row again.
    let key = issue_unlimited(&primary).await;
    let app = App::with(&Database::at(&either(&servers)), &[]).await;
    let write = async |name: &str| {
        let list = json!({ "name": name, "symbols": ["AAPL"] });
        let sent = app.request("POST", LISTS).header("x-api-key", &key).json(&list).send().await;
        sent.unwrap().status().as_u16()
    };
    assert_eq!(write("before").await, 201);
    let paths = distinct_paths(2000);
    for path in &paths[..20] {
        assert_eq!(app.get(&key, path).await.status(), 200);
    }
    let replica = Database::at(&servers.replica.url());
    let operator = replica.connect().await;
    let arrived = async || replica.texts("SELECT name FROM watchlists").await == ["before"];
    eventually("the replica has the list", Duration::from_secs(10), arrived).await;
    kill(&servers.primary);
    // No server accepts writes.
    let refused = async || write("meanwhile").await == 503;
    eventually("writes are refused", Duration::from_secs(5), refused).await;
    let cached = app.get(&key, &paths[0]).await;
    assert_eq!(cached.status(), 200);
    operator.batch_execute("SELECT pg_promote()").await.unwrap();
    let promoted = Instant::now();
    eventually("a write succeeds", Duration::from_secs(1), async || write("after").await == 201)
        .await;
    let back = promoted.elapsed();
    for path in &paths[20..40] {
        assert_eq!(app.get(&key, path).await.status(), 200, "{path}");
    }
    let lists = app.json(&key, LISTS).await.1;
    // A write of the last moment may have reached the replica, too.
    let names: Vec<_> =
        lists["watchlists"].as_array().unwrap().iter().map(|l| &l["name"]).collect();
    assert!(names.contains(&&json!("before")) && names.contains(&&json!("after")), "{lists}");
    record(
        "a_promoted_postgres_replica_serves_within_a_second_if_the_url_names_both",
        &format!(
            "writes succeed {} ms after the promotion; earlier writes are kept",
            back.as_millis()
        ),
    );
}
