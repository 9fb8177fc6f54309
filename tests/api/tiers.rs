//! The limits of tiers change while servers run.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{App, Database, eventually, header, id_of, redis_url, run, unique};

const PATH: &str = "/api/stocks/AAPL";
const SET: [&str; 4] = ["tiers", "set", "free", "--requests-per-minute"];

#[tokio::test]
async fn a_changed_limit_takes_effect_on_every_instance_within_a_second() {
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("tiers"));
    let shared = [("REDIS_URL", redis_url()), ("REDIS_KEY_PREFIX", prefix)];
    let variables: Vec<_> = shared.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let apps = [App::with(&database, &variables).await, App::with(&database, &variables).await];
    let (alone, key) = (App::with_admin(&database).await, database.issue("free"));
    let limit =
        async |app: &App| header(&app.get(&key, PATH).await, "x-ratelimit-limit").to_owned();
    for app in apps.iter().chain([&alone]) {
        assert_eq!(limit(app).await, "100");
    }
    let mut set = database.tickerd(&[SET.as_slice(), &["250", "--json"]].concat());
    let output = run(set.envs(variables.iter().copied()));
    let changed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        changed,
        json!({
            "name": "free", "requestsPerMinute": 250, "requestsPerWindow": 250, "windowS": 60,
            "activeKeys": 1, "instancesTold": 2
        })
    );
    for app in apps.iter().chain([&alone]) {
        eventually("the new limit applies", Duration::from_secs(1), async || {
            limit(app).await == "250"
        })
        .await;
    }
    let (status, _) =
        alone.admin_json("PUT", "/admin/tiers/free", json!({ "requestsPerMinute": 10 })).await;
    assert_eq!(status, 200);
    eventually("the next request, too", Duration::from_secs(1), async || {
        limit(&alone).await == "10"
    })
    .await;
}

/// An instance rejects from memory while a key is over its limit. A better tier must end that.
#[tokio::test]
async fn a_better_tier_ends_a_limit_within_a_second() {
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("upgrade"));
    let shared = [("REDIS_URL", redis_url()), ("REDIS_KEY_PREFIX", prefix)];
    let variables: Vec<_> = shared.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (app, key) = (App::with(&database, &variables).await, database.issue("free"));
    for _ in 0..100 {
        assert_eq!(app.get(&key, PATH).await.status(), 200);
    }
    assert_eq!(app.get(&key, PATH).await.status(), 429);
    let mut set = database.tickerd(&["keys", "set", &key, "--tier", "pro"]);
    assert!(run(set.envs(variables.iter().copied())).status.success());
    eventually("the key is admitted again", Duration::from_secs(1), async || {
        app.get(&key, PATH).await.status() == 200
    })
    .await;
    let answer = app.get(&key, PATH).await;
    let left: u32 = header(&answer, "x-ratelimit-remaining").parse().unwrap();
    assert!(left < 900, "earlier requests count under the new limit: {left}");
}

/// Each of four instances has admitted a request when the limit becomes 1. Permits that an instance
/// took under the old limit must not admit another one.
#[tokio::test]
async fn a_lowered_limit_admits_nothing_more_and_all_headers_agree_with_it() {
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("lower"));
    let shared = [("REDIS_URL", redis_url()), ("REDIS_KEY_PREFIX", prefix)];
    let variables: Vec<_> = shared.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (mut apps, key) = (Vec::new(), database.issue("free"));
    for _ in 0..4 {
        apps.push(App::with(&database, &variables).await);
    }
    for app in &apps {
        assert_eq!(app.get(&key, PATH).await.status(), 200);
    }
    let mut set = database.tickerd(&[SET.as_slice(), &["1", "--yes"]].concat());
    assert!(run(set.envs(variables.iter().copied())).status.success());
    tokio::time::sleep(Duration::from_secs(2)).await;
    for app in apps.iter().cycle().take(8) {
        let answer = app.get(&key, PATH).await;
        assert_eq!(answer.status(), 429);
        let retry_after_s: u32 = header(&answer, "retry-after").parse().unwrap();
        assert!((50..=62).contains(&retry_after_s), "{retry_after_s}");
        assert_eq!(header(&answer, "ratelimit-policy"), "\"free\";q=1;w=60");
        assert_eq!(header(&answer, "ratelimit"), format!("\"free\";r=0;t={retry_after_s}"));
    }
}

#[tokio::test]
async fn a_tier_can_be_created_and_keys_moved_to_it() {
    let database = Database::sample().await;
    let app = App::with_admin(&database).await;
    let made = database.output(&["tiers", "set", "gold", "--requests-per-minute", "5000"]);
    assert_eq!((made.code, made.stdout.as_str()), (Some(0), ""), "{made:?}");
    let key = database.issue("gold");
    assert_eq!(header(&app.get(&key, PATH).await, "ratelimit-policy"), "\"gold\";q=5000;w=60");
    let listed = database.output(&["tiers", "list", "--json"]).json();
    assert_eq!(
        app.admin_json("GET", "/admin/tiers", Value::Null).await,
        (200, json!({ "tiers": listed }))
    );
    let names: Vec<_> =
        listed.as_array().unwrap().iter().map(|tier| tier["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["free", "pro", "gold", "enterprise"]);
    let text = database.output(&["tiers", "list"]).stdout;
    assert!(
        text.lines().any(|line| line.split_whitespace().eq(["gold", "5000", "60", "1"])),
        "{text}"
    );
}

#[tokio::test]
async fn a_tier_is_deleted_only_if_no_key_has_it_and_after_a_confirmation() {
    let database = Database::sample().await;
    let delete =
        |arguments: &[&str]| database.output(&[["tiers", "delete"].as_slice(), arguments].concat());
    assert_eq!(
        database.output(&["tiers", "set", "gold", "--requests-per-minute", "5"]).code,
        Some(0)
    );
    let key = database.issue("gold");
    assert_eq!(delete(&["gold"]).code, Some(2), "it asks first");
    let used = delete(&["gold", "--yes"]);
    assert_eq!(used.code, Some(1));
    assert!(used.stderr.contains("of which 1 are active"), "{used:?}");
    let moved = database.output(&["keys", "set", id_of(&key), "--tier", "pro"]);
    assert_eq!(moved.code, Some(0), "{moved:?}");
    let deleted = delete(&["gold", "--yes", "--json", "--actor", "ann"]);
    assert_eq!((deleted.code, &deleted.json()["name"]), (Some(0), &json!("gold")));
    let unknown = delete(&["gold", "--yes"]);
    assert!(unknown.stderr.contains("expected one of free, pro, enterprise"), "{unknown:?}");
    let audited = "SELECT concat_ws(' ', actor, action, subject) FROM audit
                   WHERE kind = 'tier' ORDER BY id DESC LIMIT 1";
    assert_eq!(database.texts(audited).await, ["cli:ann delete gold"]);
}

#[tokio::test]
async fn lowering_the_limit_of_active_keys_requires_yes() {
    let database = Database::sample().await;
    let limits = async || {
        database.texts("SELECT requests_per_minute::text FROM tiers WHERE name = 'free'").await
    };
    // No key has this tier, so nothing is lost.
    assert_eq!(database.output(&[SET.as_slice(), &["90"]].concat()).code, Some(0));
    database.issue("free");
    let output = database.output(&[SET.as_slice(), &["80"]].concat());
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{output:?}");
    assert!(
        ["(1)", "80", "90", "--yes"].iter().all(|part| output.stderr.contains(part)),
        "{output:?}"
    );
    assert_eq!(limits().await, ["90"]);
    assert_eq!(database.output(&[SET.as_slice(), &["80", "--yes"]].concat()).code, Some(0));
    assert_eq!(
        database.output(&[SET.as_slice(), &["100"]].concat()).code,
        Some(0),
        "raising a limit needs no confirmation"
    );
    assert_eq!(limits().await, ["100"]);
}

#[tokio::test]
async fn limits_and_names_out_of_range_are_usage_errors() {
    let database = Database::sample().await;
    let app = App::with_admin(&database).await;
    for (name, limit, part) in [
        ("free", "0", "1 to 10000000"),
        ("free", "10000001", "1 to 10000000"),
        ("Gold", "5", "a-z"),
        ("free", "x", "whole"),
    ] {
        let output = database.output(&["tiers", "set", name, "--requests-per-minute", limit]);
        assert_eq!((output.code, output.stderr.contains(part)), (Some(2), true), "{output:?}");
        let body = limit.parse().map_or(
            json!({ "requestsPerMinute": limit }),
            |n: u32| json!({ "requestsPerMinute": n }),
        );
        let (status, _) = app.admin_json("PUT", &format!("/admin/tiers/{name}"), body).await;
        assert_eq!(status, 400);
    }
    assert_eq!(
        database.texts("SELECT requests_per_minute::text FROM tiers ORDER BY 1").await.len(),
        3
    );
}
