//! No key is admitted more often than its limit in any trailing 60 seconds.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::Value;

use crate::support::{App, Database, eventually, header, id_of, redis_url, run};

const PATH: &str = "/api/stocks/AAPL";

/// Sends `count` concurrent requests, spread over the servers, and counts those admitted.
pub async fn burst(apps: &[App], key: &str, count: usize) -> usize {
    let answers = join_all((0..count).map(|n| apps[n % apps.len()].get(key, PATH))).await;
    let mut admitted = 0;
    for answer in answers {
        match answer.status().as_u16() {
            200 => admitted += 1,
            429 => assert_eq!(header(&answer, "x-ratelimit-remaining"), "0"),
            other => panic!("{other}: {:?}", answer.text().await),
        }
    }
    admitted
}

#[tokio::test]
async fn of_300_concurrent_requests_over_two_instances_exactly_100_are_admitted() {
    let database = Database::sample().await;
    let apps = App::with_shared_redis(&database, 2).await;
    assert_eq!(burst(&apps, &database.issue("free"), 300).await, 100);
}

/// Permits that one instance leased and did not use are missing on the other for a while. With two
/// instances that know each other, they are at most half of the rest, and usually a tenth.
#[tokio::test]
async fn after_a_burst_on_one_instance_another_admits_at_least_half_of_the_rest() {
    let database = Database::sample().await;
    let apps = App::with_shared_redis(&database, 2).await;
    let knows = "tickerd_instances 2\n";
    eventually("the first instance counts the second", Duration::from_secs(15), async || {
        let metrics = apps[0].admin("GET", "/metrics").send().await.unwrap();
        metrics.text().await.unwrap().contains(knows)
    })
    .await;
    let key = database.issue("free");
    let (first, second) = (burst(&apps[..1], &key, 50).await, burst(&apps[1..], &key, 150).await);
    assert_eq!(first, 50);
    assert!(((100 - first) / 2..=100 - first).contains(&second), "{second}");
}

/// A client that sends one request after the other, most of them to the second instance.
#[tokio::test]
async fn the_remaining_requests_are_at_most_a_quarter_of_a_second_old() {
    let database = Database::sample().await;
    let (apps, key) = (App::with_shared_redis(&database, 2).await, database.issue("free"));
    let (mut left, mut answered) = (100, Vec::new());
    for sent in 0..90 {
        // Of 20 requests, two in a row go to the first instance.
        let app = &apps[usize::from(sent % 20 >= 2)];
        let answer = app.get(&key, PATH).await;
        assert_eq!(answer.status(), 200, "request {sent}");
        left -= 1;
        let remaining: u32 = header(&answer, "x-ratelimit-remaining").parse().unwrap();
        let recent = answered.iter().filter(|at: &&Instant| at.elapsed().as_millis() < 260).count();
        assert!(
            remaining as usize <= left + recent,
            "request {sent}: {remaining}, {left} are left, {recent} are recent"
        );
        answered.push(Instant::now());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn of_300_concurrent_requests_to_one_instance_without_redis_exactly_100_are_admitted() {
    let database = Database::sample().await;
    let apps = [App::without_redis(&database).await];
    assert_eq!(burst(&apps, &database.issue("free"), 300).await, 100);
}

/// Measures the shared window with the clock of this test, around the moment when it opens again.
#[tokio::test]
async fn bursts_around_a_minutes_edge_never_exceed_the_limit_in_any_trailing_minute() {
    let database = Database::sample().await;
    let apps = App::with_shared_redis(&database, 2).await;
    around_a_minutes_edge(&apps, &database.issue("free")).await;
}

/// Sends bursts against a limit of 100 just before and after its window opens again. Returns (the
/// most in any minute, all).
pub async fn around_a_minutes_edge(apps: &[App], key: &str) -> (usize, usize) {
    let started = Instant::now();
    let mut admitted = Vec::new();
    // Two halves of the limit, 2 s apart, then a burst every half second around the end of the
    // minute.
    let at_ms = [0, 2000].into_iter().chain((58_000..64_500).step_by(500));
    for (n, at_ms) in at_ms.enumerate() {
        tokio::time::sleep(Duration::from_millis(at_ms).saturating_sub(started.elapsed())).await;
        let sent = started.elapsed();
        let count = burst(apps, key, if n < 2 { 50 } else { 30 }).await;
        // The earliest and the latest time at which the requests can have been admitted.
        admitted.push((sent, started.elapsed(), count));
    }
    let mut most = 0;
    for (_, end, _) in &admitted {
        // Requests that were certainly admitted within the 60 s before this burst's end.
        let within = |(sent, done, _): &&(Duration, Duration, usize)| {
            done <= end && *sent + Duration::from_secs(60) > *end
        };
        let total: usize = admitted.iter().filter(within).map(|(_, _, count)| count).sum();
        assert!(total <= 100, "{total} within the minute before {end:?}: {admitted:?}");
        most = most.max(total);
    }
    let total: usize = admitted.iter().map(|(_, _, count)| count).sum();
    assert!(total > 100, "the window opens again: {admitted:?}");
    (most, total)
}

#[tokio::test]
async fn a_429_says_exactly_when_to_retry() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("UPGRADE_URL", "https://example.com/pricing")]).await;
    database
        .connect()
        .await
        .batch_execute("UPDATE tiers SET requests_per_minute = 2")
        .await
        .unwrap();
    let (free, pro) = (database.issue("free"), database.issue("pro"));
    for key in [&free, &pro] {
        for _ in 0..2 {
            assert_eq!(app.get(key, PATH).await.status(), 200);
        }
    }
    let refused = app.get(&free, PATH).await;
    assert_eq!(refused.status(), 429);
    let retry_after: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((59..=61).contains(&retry_after), "{retry_after}");
    assert_eq!(header(&refused, "ratelimit"), format!("\"free\";r=0;t={retry_after}"));
    let body: Value = refused.json().await.unwrap();
    assert_eq!((&body["code"], &body["retryAfter"]), (&"rate_limited".into(), &retry_after.into()));
    assert_eq!(body["upgrade"], "https://example.com/pricing");
    let detail = format!(
        "the limit of 2 requests a minute is reached: retry in {retry_after} s; \
         a higher limit: https://example.com/pricing"
    );
    assert_eq!(body["detail"], detail);
    let (_, body) = app.json(&pro, PATH).await;
    assert!(body["upgrade"].is_null(), "only the free tier gets a hint to upgrade: {body}");
}

#[tokio::test]
async fn a_limit_of_one_and_a_limit_of_ten_million_both_work() {
    let database = Database::sample().await;
    let apps = App::with_shared_redis(&database, 1).await;
    let tiers = "INSERT INTO tiers VALUES ('one', 1), ('most', 10000000)";
    database.connect().await.batch_execute(tiers).await.unwrap();
    assert_eq!(burst(&apps, &database.issue("one"), 20).await, 1);
    let answer = apps[0].get(&database.issue("most"), PATH).await;
    assert_eq!(header(&answer, "x-ratelimit-remaining"), "9999999");
}

#[tokio::test]
async fn a_flood_with_one_key_does_not_affect_another() {
    let database = Database::sample().await;
    let apps = App::with_shared_redis(&database, 2).await;
    let (flooding, other) = (database.issue("free"), database.issue("free"));
    assert_eq!(burst(&apps, &flooding, 300).await, 100);
    assert_eq!(header(&apps[1].get(&other, PATH).await, "x-ratelimit-remaining"), "99");
}

/// A full Redis evicts keys that have a TTL: cache entries have one, rate limit windows must not.
#[tokio::test]
async fn a_full_redis_evicts_cache_entries_and_no_rate_limit_windows() {
    let database = Database::sample().await;
    let (apps, key) = (App::with_shared_redis(&database, 1).await, database.issue("free"));
    for _ in 0..2 {
        assert_eq!(apps[0].get(&key, PATH).await.status(), 200);
    }
    let redis = |arguments: &[&str]| {
        let mut client = std::process::Command::new("redis-cli");
        client
            .args([
                "--no-auth-warning",
                "-u",
                &redis_url().replace("redis://:", "redis://default:"),
            ])
            .args(arguments);
        String::from_utf8(run(&mut client).stdout).unwrap()
    };
    let window = redis(&["--scan", "--pattern", &format!("*rl:*:{}", id_of(&key))]);
    assert_eq!(redis(&["TTL", window.trim()]).trim(), "-1", "{window}");
    let (prefix, _) = window.split_once("rl:").unwrap();
    eventually("the answer is cached", Duration::from_secs(5), async || {
        let answers = redis(&["--scan", "--pattern", &format!("{prefix}cache:*stock/AAPL")]);
        answers.lines().any(|answer| {
            redis(&["TTL", answer]).trim().parse::<i64>().is_ok_and(|ttl_s| ttl_s > 0)
        })
    })
    .await;
}

#[tokio::test]
async fn without_redis_a_restart_forgets_no_request() {
    let database = Database::sample().await;
    let (key, path) = (database.issue("free"), "/api/stocks/AAPL");
    let mut admitted = 0;
    // 30 of 100 by each process, and the last one finds the limit used up.
    for expected in [30, 30, 30, 10, 0] {
        // A process that is killed loses only what it admitted itself.
        let mut killed = App::without_redis(&database).await;
        killed.signal("KILL");
        killed.wait_for_exit().await;
        let mut app = App::without_redis(&database).await;
        let mut of_this = 0;
        for _ in 0..30 {
            of_this += u32::from(app.get(&key, path).await.status() == 200);
        }
        assert_eq!(of_this, expected, "after {admitted}");
        admitted += of_this;
        app.signal("TERM");
        assert_eq!(app.wait_for_exit().await, Some(0));
        assert_eq!(app.warnings_and_errors(), Vec::<String>::new());
    }
}
