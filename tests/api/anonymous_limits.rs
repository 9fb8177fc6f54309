//! Requests without a key are limited by address.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Response;
use serde_json::Value;

use crate::auth::with_checksum;
use crate::support::{
    App, Database, Program, eventually, free_port, header, redis_url, run, scratch, server_dir,
    unique,
};

/// The tests act as a proxy, so that requests can come from any address.
const BEHIND_PROXY: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.1");

/// Paths that lead nowhere count.
const PAGE: &str = "/nothing";

async fn get(app: &App, address: &str, path: &str) -> Response {
    app.request("GET", path).header("x-forwarded-for", address).send().await.expect("an answer")
}

async fn status(app: &App, address: &str, path: &str) -> u16 {
    get(app, address, path).await.status().as_u16()
}

#[tokio::test]
async fn anonymous_requests_are_limited_per_address_and_other_requests_are_not() {
    let database = Database::sample().await;
    let app = App::with(&database, &[BEHIND_PROXY, ("ANONYMOUS_REQUESTS_PER_HOUR_MAX", "3")]).await;
    let (address, key) = ("198.51.100.1", database.issue("free"));
    for (path, state) in [("/nothing", "r=2"), ("/health/nothing", "r=1"), ("/apix", "r=0")] {
        let answer = get(&app, address, path).await;
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "ratelimit-policy")),
            (404, "\"keyless\";q=3;w=3600")
        );
        assert!(
            header(&answer, "ratelimit").starts_with(&format!("\"keyless\";{state};t=36")),
            "{answer:?}"
        );
    }
    for path in ["/nothing", "/elsewhere"] {
        let refused = get(&app, address, path).await;
        let wait_s: u64 = header(&refused, "retry-after").parse().unwrap();
        assert!((3590..=3660).contains(&wait_s), "{wait_s}");
        assert_eq!(header(&refused, "ratelimit"), format!("\"keyless\";r=0;t={wait_s}"));
        let counts =
            ["x-ratelimit-limit", "x-ratelimit-remaining"].map(|name| header(&refused, name));
        assert_eq!(counts, ["3", "0"]);
        let body: Value = refused.json().await.unwrap();
        assert_eq!((&body["status"], &body["code"]), (&429.into(), &"address_limited".into()));
    }
    for path in ["/health", "/health/ready", "/health"] {
        let health = get(&app, address, path).await;
        assert_eq!(
            (health.status().as_u16(), header(&health, "ratelimit")),
            (200, ""),
            "health checks are not counted"
        );
    }
    for (path, expected) in [("/", 200), ("/docs", 200), ("/openapi.json", 200)] {
        assert_eq!(status(&app, address, path).await, expected, "{path} is not counted");
    }
    assert_eq!(status(&app, address, "/assets/nothing.css").await, 404, "assets are not counted");
    assert_eq!(status(&app, address, "//api/stocks").await, 404, "a slash too many is no crime");
    let with_key = app
        .request("GET", "/api/stocks")
        .header("x-forwarded-for", address)
        .header("x-api-key", &key);
    assert_eq!(with_key.send().await.unwrap().status(), 200, "keys have limits of their own");
    assert_eq!(
        status(&app, address, "/api/stocks").await,
        401,
        "requests that need a key are not counted"
    );
    assert_eq!(
        status(&app, "198.51.100.2", "/nothing").await,
        404,
        "other addresses are not affected"
    );
}

#[tokio::test]
async fn hosts_of_one_ipv6_network_share_a_limit() {
    let database = Database::sample().await;
    let app = App::with(&database, &[BEHIND_PROXY, ("ANONYMOUS_REQUESTS_PER_HOUR_MAX", "2")]).await;
    let hosts =
        ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:1:abcd:1:2:3", "2001:db8:0:2::1"];
    let mut statuses = Vec::new();
    for host in hosts {
        statuses.push(status(&app, host, "/nothing").await);
    }
    assert_eq!(statuses, [404, 404, 429, 404]);
}

#[tokio::test]
async fn instances_that_share_a_redis_share_the_limit_of_an_address() {
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("anonymous"));
    let url = redis_url();
    let shared = [
        BEHIND_PROXY,
        ("ANONYMOUS_REQUESTS_PER_HOUR_MAX", "10"),
        ("REDIS_URL", &url),
        ("REDIS_KEY_PREFIX", &prefix),
    ];
    let apps = [App::with(&database, &shared).await, App::with(&database, &shared).await];
    let answers = join_all((0..40).map(|n| status(&apps[n % 2], "2001:db8::1", "/nothing"))).await;
    assert_eq!(answers.iter().filter(|status| **status == 404).count(), 10, "{answers:?}");
    // The number of addresses is unbounded, so their keys in Redis must expire.
    let redis = |arguments: &[&str]| {
        let mut client = std::process::Command::new("redis-cli");
        client
            .args(["--no-auth-warning", "-u", &url.replace("redis://:", "redis://default:")])
            .args(arguments);
        String::from_utf8(run(&mut client).stdout).unwrap().trim().to_owned()
    };
    let window = redis(&["--scan", "--pattern", &format!("{prefix}rl:*:ip:2001:db8::")]);
    let ttl_s: i64 = redis(&["TTL", &window]).parse().unwrap();
    assert!((3660..=7200).contains(&ttl_s), "{ttl_s}");
}

/// An instance that rejects on its own share stops doing so when Redis is back.
#[tokio::test]
async fn an_address_limited_during_a_redis_outage_is_admitted_after_it() {
    let (database, scratch, port) = (Database::sample().await, scratch(), free_port().to_string());
    let dir = server_dir(scratch.path(), "redis");
    let redis = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    let url = format!("redis://127.0.0.1:{port}");
    let few = [BEHIND_PROXY, ("ANONYMOUS_REQUESTS_PER_HOUR_MAX", "3"), ("REDIS_URL", &url)];
    let app = App::with(&database, &few).await;
    let redis_is = async |state: &str| {
        let ready = app.request("GET", "/health/ready").send().await.unwrap().text().await.unwrap();
        ready.contains(&format!("\"redis\":{state:?}"))
    };
    let server = Program::start(&dir, "redis-server", &redis);
    eventually("Redis is shared", Duration::from_secs(10), async || redis_is("up").await).await;
    drop(server);
    eventually("Redis is lost", Duration::from_secs(10), async || redis_is("down").await).await;
    let address = "198.51.100.1";
    eventually("the local share is used up", Duration::from_secs(5), async || {
        status(&app, address, PAGE).await == 429
    })
    .await;
    let _server = Program::start(&dir, "redis-server", &redis);
    eventually("Redis is back", Duration::from_secs(10), async || redis_is("up").await).await;
    let goes_on = async || status(&app, address, PAGE).await == 404;
    eventually("the address is admitted again", Duration::from_secs(5), goes_on).await;
    // A rejection by Redis is remembered: the instance rejects from memory until its time is over.
    eventually("the hourly limit is used up", Duration::from_secs(5), async || {
        status(&app, address, PAGE).await == 429
    })
    .await;
    assert_eq!(status(&app, address, PAGE).await, 429);
}

#[tokio::test]
async fn failed_keys_and_anonymous_requests_are_counted_separately() {
    let database = Database::sample().await;
    let limits = [
        BEHIND_PROXY,
        ("ANONYMOUS_REQUESTS_PER_HOUR_MAX", "2"),
        ("AUTH_FAILURES_PER_MINUTE_MAX", "2"),
    ];
    let (app, key) = (App::with(&database, &limits).await, database.issue("free"));
    let sign_in = async |address: &str, n: usize| {
        let wrong = with_checksum(&format!("tk_live_{n:012}_{}", &key[21..53]));
        let request = app
            .request("GET", "/api/stocks")
            .header("x-forwarded-for", address)
            .header("x-api-key", wrong);
        request.send().await.unwrap().status().as_u16()
    };
    let (first, second) = ("198.51.100.1", "198.51.100.2");
    assert_eq!(
        [sign_in(first, 1).await, sign_in(first, 2).await, sign_in(first, 3).await],
        [401, 401, 429]
    );
    assert_eq!([status(&app, first, PAGE).await, status(&app, first, PAGE).await], [404, 404]);
    let pages = [
        status(&app, second, PAGE).await,
        status(&app, second, PAGE).await,
        status(&app, second, PAGE).await,
    ];
    assert_eq!(pages, [404, 404, 429]);
    assert_eq!(
        [sign_in(second, 4).await, sign_in(second, 5).await, sign_in(second, 6).await],
        [401, 401, 429]
    );
}

#[tokio::test]
async fn a_limit_of_0_disables_the_limit() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("ANONYMOUS_REQUESTS_PER_HOUR_MAX", "0")]).await;
    for _ in 0..120 {
        let answer = app.request("GET", "/nothing").send().await.unwrap();
        assert_eq!((answer.status().as_u16(), header(&answer, "ratelimit")), (404, ""));
    }
}
