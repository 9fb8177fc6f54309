//! All engines together: three instances behind nginx, on a Redis Cluster, a PgBouncer and a
//! replica.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use reqwest::Client;

use super::cluster::Cluster;
use super::pooler::PgBouncer;
use super::proxy::{addresses, nginx};
use crate::support::{App, CommandOutput, Replicated, client, eventually, header, id_of, scratch};

const PATH: &str = "/api/stocks/AAPL";
const INSTANCES: usize = 3;
/// The number of concurrent requests, limited by the connections of this nginx.
const CONCURRENT_REQUESTS: usize = 60;

async fn admitted(url: &str, client: &Client, key: &str, count: usize) -> usize {
    let send = async || {
        client
            .get(format!("{url}{PATH}"))
            .header("x-api-key", key)
            .send()
            .await
            .expect("a response")
            .status()
    };
    let statuses: Vec<_> = stream::iter(0..count)
        .map(|_| send())
        .buffer_unordered(CONCURRENT_REQUESTS)
        .collect()
        .await;
    assert!(statuses.iter().all(|status| *status == 200 || *status == 429), "{statuses:?}");
    statuses.iter().filter(|status| **status == 200).count()
}

#[tokio::test]
#[ignore = "needs nginx and pgbouncer: make test-scale"]
async fn limits_corrections_and_revocations_hold_on_all_engines_together() {
    let scratch = scratch();
    let servers = Replicated::with_sample();
    let database = servers.database();
    let cluster = Cluster::start(scratch.path(), 0).await;
    let bouncer = PgBouncer::before(&database, scratch.path()).await;
    let mut apps = Vec::new();
    for _ in 0..INSTANCES {
        let mut command = bouncer.tickerd(&database, &["serve"]);
        command.env("DATABASE_READ_URL", servers.replica.url()).env("REDIS_URL", cluster.url());
        command.env("TRUSTED_PROXIES", "127.0.0.1");
        apps.push(App::start(command).await);
    }
    let proxy = nginx(scratch.path(), &addresses(&apps)).await;
    let client = client();
    for tier in ["free", "free", "pro"] {
        let key = database.issue(tier);
        let limit = if tier == "pro" { 1000 } else { 100 };
        assert_eq!(admitted(&proxy.url, &client, &key, 4 * limit).await, limit, "{tier}");
    }

    let key = database.issue("enterprise");
    let close = async |app: &App| {
        let (_, body) = app.json(&key, "/api/stocks/AAPL/prices?start=2012-01-01&limit=1").await;
        body["prices"][0]["close"].as_f64()
    };
    for app in &apps {
        assert!(close(app).await.is_some_and(|close| close != 700.0));
    }
    let file = scratch.path().join("correction.csv");
    let rows =
        "symbol,date,open,high,low,close,volume,adjusted_close\nAAPL,2013-03-01,1,999,1,700,5,1\n";
    std::fs::write(&file, rows).unwrap();
    let with_redis = |arguments: &[&str]| {
        let ran = CommandOutput::of(
            bouncer.tickerd(&database, arguments).env("REDIS_URL", cluster.url()),
        );
        assert_eq!(ran.code, Some(0), "{ran:?}");
    };
    with_redis(&["ingest", "prices", file.to_str().unwrap()]);
    for app in &apps {
        eventually("the correction is served", Duration::from_secs(1), async || {
            close(app).await == Some(700.0)
        })
        .await;
    }
    with_redis(&["keys", "revoke", id_of(&key), "--yes"]);
    for app in &apps {
        let refused = async || app.get(&key, PATH).await.status() == 401;
        eventually("the key is refused", Duration::from_secs(1), refused).await;
    }

    // An instance that stops fails no request: nginx uses the next one.
    let key = database.issue("enterprise");
    let load = async {
        let mut served = 0;
        for _ in 0..60 {
            served += admitted(&proxy.url, &client, &key, 20).await;
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        served
    };
    let mut leaving = apps.pop().unwrap();
    let leave = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        leaving.signal("TERM");
        leaving.wait_for_exit().await
    };
    let (served, code) = tokio::join!(load, leave);
    assert_eq!((served, code), (60 * 20, Some(0)));
    let response =
        client.get(format!("{}{PATH}", proxy.url)).header("x-api-key", &key).send().await.unwrap();
    assert_eq!(header(&response, "x-cache"), "HIT");
}
