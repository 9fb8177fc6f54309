//! A tier may have another window than a minute, and its window may change while servers run.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::limits::burst;
use crate::support::{App, Database, eventually, header, id_of, redis_url, run, unique};

const PATH: &str = "/api/stocks/AAPL";

/// Sets the limit of the tier `quick` with the command, which notifies instances under this prefix.
fn set(database: &Database, prefix: &str, requests: &str, window_s: &str) {
    let set = ["tiers", "set", "quick", "--requests-per-window", requests, "--window-s", window_s];
    let mut set = database.tickerd(&[set.as_slice(), &["--yes"]].concat());
    let output = run(set.envs([("REDIS_URL", redis_url().as_str()), ("REDIS_KEY_PREFIX", prefix)]));
    assert!(output.status.success(), "{output:?}");
}

/// Two instances that share a Redis under this prefix.
async fn sharing(database: &Database, prefix: &str) -> [App; 2] {
    let url = redis_url();
    let variables = [("REDIS_URL", url.as_str()), ("REDIS_KEY_PREFIX", prefix)];
    [App::with(database, &variables).await, App::with(database, &variables).await]
}

/// Waits until requests of the key are answered under this policy.
async fn policy_applies(app: &App, key: &str, policy: &str) {
    eventually("the new window applies", Duration::from_secs(5), async || {
        header(&app.get(key, PATH).await, "ratelimit-policy") == policy
    })
    .await;
}

/// The seconds after which a refused request may be repeated.
async fn refused_for_s(app: &App, key: &str, policy: &str) -> u64 {
    let refused = app.get(key, PATH).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(header(&refused, "ratelimit-policy"), policy);
    let retry_after_s = header(&refused, "retry-after").parse().unwrap();
    assert_eq!(header(&refused, "ratelimit"), format!("\"quick\";r=0;t={retry_after_s}"));
    retry_after_s
}

/// Uses a limit of 5 in 10 s up, and waits until a request is admitted again.
async fn uses_up_a_window_of_10_s(database: &Database, apps: &[App]) {
    let key = database.issue("quick");
    let policy = "\"quick\";q=5;w=10";
    let sent = Instant::now();
    for (n, left) in ["4", "3", "2", "1", "0"].into_iter().enumerate() {
        let answer = apps[n % apps.len()].get(&key, PATH).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(header(&answer, "ratelimit-policy"), policy);
        assert_eq!(header(&answer, "x-ratelimit-limit"), "5");
        if apps.len() == 1 {
            assert_eq!(header(&answer, "x-ratelimit-remaining"), left);
        }
    }
    for app in apps {
        let retry_after_s = refused_for_s(app, &key, policy).await;
        assert!((8..=10).contains(&retry_after_s), "{retry_after_s}");
    }
    let (_, body) = apps[0].json(&key, PATH).await;
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.starts_with("the limit of 5 requests in 10 s is reached: retry in"), "{detail}");
    eventually("a request is admitted again", Duration::from_secs(12), async || {
        apps[0].get(&key, PATH).await.status() == 200
    })
    .await;
    let waited = sent.elapsed();
    assert!(waited >= Duration::from_secs(10), "{waited:?}");
    eventually("usage counts the refusals", Duration::from_secs(10), async || {
        let (status, usage) = apps[0].json(&key, "/api/usage").await;
        // While the limit is reached, the usage can't be read either.
        status == 200
            && usage["tier"] == "quick"
            && usage["usage"].as_array().unwrap().iter().any(|row| {
                row["refusals"].as_u64().unwrap() > 1 && row["requests"].as_u64().unwrap() > 6
            })
    })
    .await;
}

#[tokio::test]
async fn a_window_of_10_s_refuses_beyond_its_limit_and_opens_after_10_s() {
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("window"));
    set(&database, &prefix, "5", "10");
    let apps = sharing(&database, &prefix).await;
    uses_up_a_window_of_10_s(&database, &apps).await;
}

#[tokio::test]
async fn without_redis_a_window_of_10_s_opens_after_10_s() {
    let database = Database::sample().await;
    set(&database, "none:", "5", "10");
    let apps = [App::without_redis(&database).await];
    uses_up_a_window_of_10_s(&database, &apps).await;
}

/// The window of a tier goes from 10 s to an hour and back, and its limit remains 100.
async fn changes_from_10_s_to_an_hour_and_back(database: &Database, prefix: &str, apps: &[App]) {
    let key = database.issue("quick");
    assert_eq!(burst(apps, &key, 300).await, 100);
    eventually("the window of 10 s opens", Duration::from_secs(12), async || {
        apps[0].get(&key, PATH).await.status() == 200
    })
    .await;
    // All others leave the window as well. To ask for it would use the window.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let answer = apps[0].get(&key, PATH).await;
    let left: u32 = header(&answer, "x-ratelimit-remaining").parse().unwrap();
    assert!(left > 90, "{left}");
    set(database, prefix, "100", "3600");
    let hourly = "\"quick\";q=100;w=3600";
    for app in apps {
        policy_applies(app, &key, hourly).await;
    }
    assert_eq!(burst(apps, &key, 50).await, 0, "an hour counts what has left the 10 s");
    let retry_after_s = refused_for_s(&apps[0], &key, hourly).await;
    assert!((3500..=3601).contains(&retry_after_s), "{retry_after_s}");
    set(database, prefix, "100", "10");
    let quick = "\"quick\";q=100;w=10";
    for app in apps {
        policy_applies(app, &key, quick).await;
    }
    eventually("the window of 10 s opens again", Duration::from_secs(13), async || {
        apps[0].get(&key, PATH).await.status() == 200
    })
    .await;
    assert!(burst(apps, &key, 150).await <= 99);
}

#[tokio::test]
async fn a_window_that_becomes_an_hour_counts_what_has_left_the_window_of_10_s() {
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("window"));
    set(&database, &prefix, "100", "10");
    let apps = sharing(&database, &prefix).await;
    changes_from_10_s_to_an_hour_and_back(&database, &prefix, &apps).await;
}

#[tokio::test]
async fn without_redis_a_window_that_becomes_an_hour_counts_earlier_requests() {
    let database = Database::sample().await;
    set(&database, "none:", "100", "10");
    let apps = [App::without_redis(&database).await];
    changes_from_10_s_to_an_hour_and_back(&database, "none:", &apps).await;
}

#[tokio::test]
async fn the_command_and_the_admin_api_set_and_show_a_window() {
    let database = Database::sample().await;
    let app = App::with_admin(&database).await;
    let set = ["tiers", "set", "quick", "--requests-per-window", "7", "--window-s", "10"];
    let made = database.output(&set);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.stderr.contains("The new tier quick has 7 requests in 10 s"), "{made:?}");
    let quick = json!({
        "name": "quick", "requestsPerMinute": null, "requestsPerWindow": 7, "windowS": 10,
        "activeKeys": 0
    });
    // Lowest rate first: 42 a minute are fewer than the 100 of the tier `free`.
    assert_eq!(database.output(&["tiers", "list", "--json"]).json()[0], quick);
    let text = database.output(&["tiers", "list"]).stdout;
    assert!(text.lines().any(|line| line.split_whitespace().eq(["quick", "7", "10", "0"])));
    let hourly = json!({ "requestsPerWindow": 900, "windowS": 3600 });
    let (status, changed) = app.admin_json("PUT", "/admin/tiers/quick", hourly).await;
    assert_eq!((status, &changed["windowS"]), (200, &json!(3600)));
    let key = database.issue("quick");
    assert_eq!(header(&app.get(&key, PATH).await, "ratelimit-policy"), "\"quick\";q=900;w=3600");
    let shown = database.output(&["keys", "show", id_of(&key)]).stdout;
    assert!(shown.contains("quick, 900 requests an hour"), "{shown}");
    let (_, shown) =
        app.admin_json("GET", &format!("/admin/keys/{}", id_of(&key)), Value::Null).await;
    let limit = ["requestsPerMinute", "requestsPerWindow", "windowS"].map(|name| &shown[name]);
    assert_eq!(limit, [&Value::Null, &json!(900), &json!(3600)]);
    // Requests per minute set a window of a minute.
    let set = ["tiers", "set", "quick", "--requests-per-minute", "900", "--actor", "ann"];
    assert_eq!(database.output(&set).code, Some(0));
    let (_, page) = app.admin_json("GET", "/admin/audit?subject=quick", Value::Null).await;
    let changes: Vec<_> = page["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["actor"].as_str().unwrap(), &entry["was"], &entry["became"]))
        .collect();
    let first = json!({ "name": "quick", "requestsPerMinute": 7, "windowS": 10 });
    let expected = [
        ("cli:ann", &json!({ "windowS": 3600 }), &json!({ "windowS": 60 })),
        (
            "http:admin",
            &json!({ "requestsPerMinute": 7, "windowS": 10 }),
            &json!({ "requestsPerMinute": 900, "windowS": 3600 }),
        ),
    ];
    assert_eq!(changes[..2], expected);
    assert_eq!((changes[2].1, changes[2].2), (&Value::Null, &first));
}

#[tokio::test]
async fn a_window_out_of_range_or_half_of_a_limit_is_a_usage_error() {
    let database = Database::sample().await;
    let app = App::with_admin(&database).await;
    let (per_minute, per_window, window) =
        ("--requests-per-minute", "--requests-per-window", "--window-s");
    for (options, part) in [
        (vec![per_window, "5", window, "9"], "10 to 3600"),
        (vec![per_window, "5", window, "3601"], "10 to 3600"),
        (vec![per_window, "0", window, "10"], "1 to 10000000"),
        (vec![per_window, "5"], window),
        (vec![window, "10"], per_window),
        (vec![per_minute, "5", window, "10"], per_minute),
        (vec![], per_minute),
    ] {
        let output = database.output(&[["tiers", "set", "free"].as_slice(), &options].concat());
        assert_eq!((output.code, output.stderr.contains(part)), (Some(2), true), "{output:?}");
    }
    for (body, part) in [
        (json!({ "requestsPerWindow": 5, "windowS": 9 }), "windowS"),
        (json!({ "requestsPerWindow": 5, "windowS": 3601 }), "10 to 3600"),
        (json!({ "requestsPerWindow": 0, "windowS": 10 }), "requestsPerWindow"),
        (json!({ "requestsPerWindow": 5 }), "and windowS"),
        (json!({ "windowS": 10 }), "requestsPerWindow"),
        (json!({ "requestsPerMinute": 5, "windowS": 10 }), "either requestsPerMinute"),
        (json!({}), "either requestsPerMinute"),
    ] {
        let (status, answer) = app.admin_json("PUT", "/admin/tiers/free", body).await;
        assert_eq!(status, 400);
        assert!(answer["detail"].as_str().unwrap().contains(part), "{answer}");
    }
    let kept = "SELECT concat_ws(' ', requests_per_minute, window_s) FROM tiers
                WHERE name = 'free'";
    assert_eq!(database.texts(kept).await, ["100 60"]);
}

#[tokio::test]
async fn a_longer_window_or_a_lower_rate_of_active_keys_requires_yes() {
    let database = Database::sample().await;
    database.issue("free");
    let set = |requests: &str, window_s: &str| {
        let limit = ["--requests-per-window", requests, "--window-s", window_s];
        database.output(&[["tiers", "set", "free"].as_slice(), &limit].concat())
    };
    for (requests, window_s) in [("100", "61"), ("200", "3600"), ("50", "10")] {
        let output = set(requests, window_s);
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.stderr.contains("instead of 100 requests a minute"), "{output:?}");
    }
    assert_eq!(set("100", "59").code, Some(0));
    assert_eq!(set("102", "60").code, Some(0));
}
