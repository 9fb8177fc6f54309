//! Authentication: where keys are accepted, and when they are rejected.

use std::time::Duration;

use futures_util::future::join_all;
use testkit::servers::{Durability, LocalPostgres, choose_dir};

use crate::faults::wrong_keys::wrong_secret;
use crate::support::{App, Database, eventually, header, id_of, redis_url, run, scratch, unique};

const PATH: &str = "/api/stocks/AAPL";

#[tokio::test]
async fn every_invalid_key_gets_the_same_response() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let (valid, revoked, expired) =
        (database.issue("pro"), database.issue("pro"), database.issue("pro"));
    assert!(database.run(&["keys", "revoke", id_of(&revoked), "--yes"]).status.success());
    let client = database.connect().await;
    client
        .execute(
            "UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE id = $1",
            &[&id_of(&expired)],
        )
        .await
        .unwrap();
    // The id of one key with the secret of another, and with a valid checksum.
    let foreign = with_checksum(&format!("{}{}", &valid[..21], &revoked[21..53]));
    let unknown = with_checksum(&format!("tk_live_000000000000_{}", &valid[21..53]));
    let malformed = format!("{}{}", &valid[..58], if valid.ends_with('x') { 'y' } else { 'x' });
    let mut bodies = Vec::new();
    for key in ["", "x", &revoked, &expired, &foreign, &unknown, &malformed, &valid.to_lowercase()]
    {
        let answer = app.get(key, PATH).await;
        assert_eq!(answer.status(), 401, "{key}");
        assert_eq!(header(&answer, "www-authenticate"), "Bearer realm=\"tickerd\"");
        let id = header(&answer, "x-request-id").to_owned();
        bodies.push(answer.text().await.unwrap().replace(&id, "ID"));
    }
    let without = app.request("GET", PATH).send().await.unwrap();
    let id = header(&without, "x-request-id").to_owned();
    bodies.push(without.text().await.unwrap().replace(&id, "ID"));
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(app.get(&valid, PATH).await.status(), 200);
}

/// Appends the checksum of the token format: CRC-32 in base62.
pub fn with_checksum(body: &str) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rest = crc32fast::hash(body.as_bytes()) as usize;
    let mut sum = [0; 6];
    for digit in sum.iter_mut().rev() {
        *digit = DIGITS[rest % 62];
        rest /= 62;
    }
    format!("{body}{}", std::str::from_utf8(&sum).unwrap())
}

#[tokio::test]
async fn a_key_is_accepted_in_either_header() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    for value in [format!("Bearer {key}"), format!("bearer {key}")] {
        let answer = app.request("GET", PATH).header("authorization", value).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    for value in [format!("Basic {key}"), key.clone()] {
        let answer = app.request("GET", PATH).header("authorization", value).send().await.unwrap();
        assert_eq!(answer.status(), 401);
    }
}

#[tokio::test]
async fn a_key_is_accepted_in_the_url_and_headers_take_precedence() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let wrong = with_checksum(&format!("tk_live_000000000000_{}", &key[21..53]));
    let encoded = key.replace('_', "%5F");
    for (query, header, value, status) in [
        (format!("apikey={key}"), "accept", "*/*", 200),
        (format!("api%6Bey={encoded}"), "accept", "*/*", 200),
        (format!("apikey={wrong}"), "accept", "*/*", 401),
        ("apikey=".to_owned(), "accept", "*/*", 401),
        (format!("ApiKey={key}"), "accept", "*/*", 401),
        (format!("apikey={wrong}"), "x-api-key", &*key, 200),
        (format!("apikey={key}"), "x-api-key", &*wrong, 401),
        (format!("apikey={wrong}"), "authorization", &*format!("Bearer {key}"), 200),
        (format!("apikey={key}"), "authorization", &*format!("Bearer {wrong}"), 401),
        (format!("apikey={key}"), "authorization", "Basic YTpi", 401),
        (format!("apikey={key}&apikey={key}"), "accept", "*/*", 400),
        (format!("apikey={key}&apikey={key}"), "x-api-key", &*key, 400),
    ] {
        let answer = app
            .request("GET", &format!("{PATH}?{query}"))
            .header(header, value)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{query} {header}: {value}");
        assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
        let body = answer.text().await.unwrap();
        assert!(!body.contains(&key[21..]) && !body.contains(&encoded), "{body}");
    }
    // `apikey` is not part of the cache key: both requests share one entry.
    let listed =
        app.request("GET", &format!("/api/stocks?limit=2&apikey={key}")).send().await.unwrap();
    assert_eq!(
        (listed.status().as_u16(), &listed.headers()["x-cache"]),
        (200, &"MISS".parse().unwrap())
    );
    assert_eq!(header(&app.get(&key, "/api/stocks?limit=2").await, "x-cache"), "HIT");
    let pages = app
        .request("GET", &format!("/api/stocks/AAPL/prices?start=2012-01-01&limit=2&apikey={key}"));
    let pages = pages.send().await.unwrap();
    assert!(
        header(&pages, "link").contains("cursor=") && !header(&pages, "link").contains("apikey"),
        "{pages:?}"
    );
    assert!(!pages.text().await.unwrap().contains("apikey"));
    let unknown =
        app.request("GET", &format!("/api/stocks?limti=2&apikey={key}")).send().await.unwrap();
    assert!(
        unknown
            .text()
            .await
            .unwrap()
            .contains("the parameter \\\"limti\\\" is unknown: expected q, ")
    );
}

#[tokio::test]
async fn keys_in_urls_can_be_disabled_and_are_then_rejected_and_not_repeated() {
    let database = Database::sample().await;
    let (app, key) =
        (App::with(&database, &[("APIKEY_IN_QUERY", "false")]).await, database.issue("pro"));
    let path = format!("{PATH}?apikey={key}");
    assert_eq!(app.request("GET", &path).send().await.unwrap().status(), 401);
    let answer = app.get(&key, &path).await;
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "referrer-policy")),
        (400, "no-referrer")
    );
    let body = answer.text().await.unwrap();
    assert!(
        body.contains("\"code\":\"unknown_parameter\"") && !body.contains(&key[21..]),
        "{body}"
    );
}

#[tokio::test]
async fn the_reference_and_the_page_mention_keys_in_urls_only_if_they_are_enabled() {
    let database = Database::sample().await;
    let (enabled, disabled) = (
        App::without_redis(&database).await,
        App::with(&database, &[("APIKEY_IN_QUERY", "false")]).await,
    );
    for (app, is_enabled) in [(enabled, true), (disabled, false)] {
        let body =
            async |path| app.request("GET", path).send().await.unwrap().text().await.unwrap();
        assert_eq!(body("/openapi.json").await.contains("\"apikey\""), is_enabled);
        assert_eq!(body("/").await.contains("<html lang=\"en\" data-key-in-query>"), is_enabled);
        let packed =
            app.request("GET", "/").header("accept-encoding", "gzip").send().await.unwrap();
        assert_eq!((packed.status().as_u16(), header(&packed, "content-encoding")), (200, "gzip"));
    }
}

#[tokio::test]
async fn a_wrong_key_in_a_url_counts_as_a_failed_attempt() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("AUTH_FAILURES_PER_MINUTE_MAX", "2")]).await;
    let key = database.issue("pro");
    let mut statuses = Vec::new();
    for n in 0..3 {
        let wrong = with_checksum(&format!("tk_live_{n:012}_{}", &key[21..53]));
        let answer = app.request("GET", &format!("{PATH}?apikey={wrong}")).send().await.unwrap();
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses, [401, 401, 429]);
}

#[tokio::test]
async fn a_revoked_key_is_refused_within_a_second_on_every_instance_that_shares_the_redis() {
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("revoke"));
    let shared = [("REDIS_URL", redis_url()), ("REDIS_KEY_PREFIX", prefix)];
    let variables: Vec<_> = shared.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let apps = [App::with(&database, &variables).await, App::with(&database, &variables).await];
    let key = database.issue("pro");
    for app in &apps {
        assert_eq!(app.get(&key, PATH).await.status(), 200);
    }
    let mut revoke = database.tickerd(&["keys", "revoke", id_of(&key), "--yes", "--json"]);
    let output = run(revoke.envs(variables.iter().copied()));
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"instancesTold\":2"), "{output:?}");
    for app in &apps {
        let refused = async || app.get(&key, PATH).await.status() == 401;
        eventually("the key is rejected", Duration::from_secs(1), refused).await;
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_within_a_second_without_a_redis_too() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    assert_eq!(app.get(&key, PATH).await.status(), 200);
    assert!(database.run(&["keys", "revoke", id_of(&key), "--yes"]).status.success());
    eventually("the key is rejected", Duration::from_secs(1), async || {
        app.get(&key, PATH).await.status() == 401
    })
    .await;
}

#[tokio::test]
async fn a_lost_notification_of_a_revocation_is_made_up_by_the_next_poll() {
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("lost"));
    let app = App::with(
        &database,
        &[("REDIS_URL", &redis_url()), ("REDIS_KEY_PREFIX", &prefix), ("CHANGES_POLL_MS", "500")],
    )
    .await;
    let key = database.issue("pro");
    assert_eq!(app.get(&key, PATH).await.status(), 200);
    // Revoked by a command that has no Redis, so it notifies no instance.
    let output = database.run(&["keys", "revoke", id_of(&key), "--yes", "--json"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"instancesTold\":0"), "{output:?}");
    eventually("the key is rejected", Duration::from_secs(2), async || {
        app.get(&key, PATH).await.status() == 401
    })
    .await;
}

#[tokio::test]
async fn a_cached_key_is_rejected_once_it_expires() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let client = database.connect().await;
    client
        .execute(
            "UPDATE api_keys SET expires_at = now() + interval '2 s' WHERE id = $1",
            &[&id_of(&key)],
        )
        .await
        .unwrap();
    assert_eq!(app.get(&key, PATH).await.status(), 200);
    eventually("the key expires", Duration::from_secs(4), async || {
        app.get(&key, PATH).await.status() == 401
    })
    .await;
}

#[tokio::test]
async fn a_tiers_limit_is_changed_in_the_database_without_a_restart() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("KEY_STATUS_TTL_MS", "100")]).await;
    let key = database.issue("free");
    assert_eq!(header(&app.get(&key, PATH).await, "x-ratelimit-limit"), "100");
    database
        .connect()
        .await
        .batch_execute("UPDATE tiers SET requests_per_minute = 10000000 WHERE name = 'free'")
        .await
        .unwrap();
    let raised = async || header(&app.get(&key, PATH).await, "x-ratelimit-limit") == "10000000";
    eventually("the limit is raised", Duration::from_secs(2), raised).await;
}

#[tokio::test]
async fn an_address_with_too_many_wrong_keys_is_limited_while_cached_keys_work() {
    let database = Database::sample().await;
    // Keys are issued first: a notification of a new key may arrive while the key is verified,
    // which keeps it out of the cache.
    let (known, new) = (database.issue("pro"), database.issue("pro"));
    let app = App::with(&database, &[("AUTH_FAILURES_PER_MINUTE_MAX", "3")]).await;
    assert_eq!(app.get(&known, PATH).await.status(), 200);
    for n in 0..3 {
        let wrong = with_checksum(&format!("tk_live_{n:012}_{}", &known[21..53]));
        assert_eq!(app.get(&wrong, PATH).await.status(), 401);
    }
    let refused = app.get(&new, PATH).await;
    assert_eq!(refused.status(), 429);
    let wait_s: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((55..=61).contains(&wait_s), "{wait_s}");
    assert!(refused.text().await.unwrap().contains("\"code\":\"too_many_failures\""));
    assert_eq!(app.get(&known, PATH).await.status(), 200);
}

#[tokio::test]
async fn of_300_concurrent_wrong_keys_of_one_address_60_are_verified() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let id = id_of(&database.issue("free")).to_owned();
    let wrong: Vec<_> = (0..300).map(|n| wrong_secret(&id, n)).collect();
    let path = "/api/stocks/AAPL";
    let answers = join_all(wrong.iter().map(|key| app.get(key, path))).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status() == status).count();
    assert_eq!((count(401), count(429)), (60, 240));
}

#[tokio::test]
async fn concurrent_first_requests_with_one_key_are_all_admitted_and_hash_once() {
    let database = Database::sample().await;
    // One hash at a time and a queue of one: if each request hashed, most would be rejected.
    let app =
        App::with(&database, &[("ARGON2_PARALLEL_MAX", "1"), ("ARGON2_QUEUE_MAX", "1")]).await;
    let key = database.issue("pro");
    let answers = (0..50).map(|_| app.get(&key, PATH));
    let answers = futures_util::future::join_all(answers).await;
    assert!(answers.iter().all(|answer| answer.status() == 200));
}

#[tokio::test]
async fn cached_keys_and_responses_work_without_postgres() {
    let database = Database::sample().await;
    // Both keys are issued first: a notification about a key makes the server read its row again.
    let (key, new) = (database.issue("pro"), database.issue("pro"));
    let app = App::with(
        &database,
        &[
            ("KEY_STATUS_TTL_MS", "100"),
            ("DATABASE_WAIT_TIMEOUT_MS", "300"),
            ("DATABASE_CONNECT_TIMEOUT_MS", "300"),
        ],
    )
    .await;
    assert_eq!(app.get(&key, PATH).await.status(), 200);
    database.refuse_connections().await;
    for _ in 0..5 {
        let answer = app.get(&key, PATH).await;
        assert_eq!((answer.status().as_u16(), header(&answer, "x-cache")), (200, "HIT"));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (key, path) in [(&key, "/api/stocks/IBM"), (&new, PATH)] {
        let answer = app.get(key, path).await;
        assert_eq!((answer.status().as_u16(), header(&answer, "retry-after")), (503, "1"));
    }
    // Concurrent requests for the same data fail together, not one timeout after the other.
    let (started, path) = (std::time::Instant::now(), "/api/stocks/FB");
    let answers = futures_util::future::join_all((0..50).map(|_| app.get(&key, path))).await;
    assert!(answers.iter().all(|answer| answer.status() == 503));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    let ready = app.request("GET", "/health/ready").send().await.unwrap();
    assert_eq!(
        (ready.status().as_u16(), header(&ready, "content-type")),
        (503, "application/json")
    );
    let ready: serde_json::Value = ready.json().await.unwrap();
    assert_eq!((&ready["status"], &ready["postgres"]), (&"unavailable".into(), &"down".into()));
    database.accept_connections().await;
    let accepted = async || app.get(&new, PATH).await.status() == 200;
    eventually("the new key is accepted", Duration::from_secs(2), accepted).await;
}

#[tokio::test]
async fn a_hanging_postgres_delays_cached_keys_once() {
    let scratch = scratch();
    let dir = choose_dir(&scratch.path().join("servers")).unwrap();
    let server = LocalPostgres::start(&dir, Durability::Throwaway).unwrap();
    let database = Database::at(&server.url());
    for arguments in [["migrate"].as_slice(), &["ingest", "stocks", "seed/stocks.csv"]] {
        assert!(database.run(arguments).status.success());
    }
    // Issued before the server starts: a notification would make the server read the row again.
    let key = database.issue("pro");
    let app = App::with(
        &database,
        &[("KEY_STATUS_TTL_MS", "100"), ("DATABASE_STATEMENT_TIMEOUT_MS", "500")],
    )
    .await;
    assert_eq!(app.get(&key, PATH).await.status(), 200);
    let signal = |name: &str| {
        let mut pkill = std::process::Command::new("pkill");
        assert!(pkill.args([name, "-P", &server.pid().to_string()]).status().unwrap().success());
    };
    signal("-STOP");
    // From here on, the cached key is due for a refresh.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = std::time::Instant::now();
    for _ in 0..20 {
        assert_eq!(app.get(&key, PATH).await.status(), 200);
    }
    signal("-CONT");
    assert!(started.elapsed() < Duration::from_millis(1500), "{:?}", started.elapsed());
}
