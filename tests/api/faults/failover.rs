//! The machine of Postgres is gone, and its replica takes its place.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use super::harm::{issue_unlimited, unasked};
use crate::support::{App, Database, Replicated, eventually, record};

const LISTS: &str = "/api/watchlists";

/// One URL for both: whichever of them can be written to is the primary.
fn either(servers: &Replicated) -> String {
    let authority = |url: &str| {
        url.rsplit('@').next().and_then(|end| end.split('/').next()).unwrap().to_owned()
    };
    let (primary, replica) = (authority(&servers.primary.url()), authority(&servers.replica.url()));
    let both = servers.primary.url().replace(&primary, &format!("{primary},{replica}"));
    format!("{both}?target_session_attrs=read-write")
}

#[tokio::test]
async fn a_replica_that_is_promoted_serves_within_a_second_where_the_url_names_both() {
    let servers = Replicated::with_sample();
    let primary = servers.database();
    // Issued first: a server that hears of a key while it uses it reads its row again.
    let (key, app) =
        (issue_unlimited(&primary).await, App::with(&Database::at(&either(&servers)), &[]).await);
    let write = async |name: &str| {
        let list = json!({ "name": name, "symbols": ["AAPL"] });
        let sent = app.request("POST", LISTS).header("x-api-key", &key).json(&list).send().await;
        sent.unwrap().status().as_u16()
    };
    assert_eq!(write("before").await, 201);
    let paths = unasked(2000);
    for path in &paths[..20] {
        assert_eq!(app.get(&key, path).await.status(), 200);
    }
    let replica = Database::at(&servers.replica.url());
    let operator = replica.connect().await;
    let arrived = async || replica.texts("SELECT name FROM watchlists").await == ["before"];
    eventually("the replica has it", Duration::from_secs(10), arrived).await;
    let kill = Command::new("kill")
        .args(["-s", "KILL", &servers.primary.pid().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    // Nobody can be written to.
    let refused = async || write("meanwhile").await == 503;
    eventually("writes are refused", Duration::from_secs(5), refused).await;
    let cached = app.get(&key, &paths[0]).await;
    assert_eq!(cached.status(), 200);
    operator.batch_execute("SELECT pg_promote()").await.unwrap();
    let promoted = Instant::now();
    eventually("it is written", Duration::from_secs(1), async || write("after").await == 201).await;
    let back = promoted.elapsed();
    for path in &paths[20..40] {
        assert_eq!(app.get(&key, path).await.status(), 200, "{path}");
    }
    let lists = app.json(&key, LISTS).await.1;
    assert_eq!(lists["count"], 2, "{lists}");
    record(
        "a_replica_that_is_promoted_serves_within_a_second_where_the_url_names_both",
        &format!(
            "written again {} ms after the promotion; what was written before is there",
            back.as_millis()
        ),
    );
}
