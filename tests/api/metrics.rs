//! Metrics match what happened, and the dashboard and alerts use metrics that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::support::{App, Database, eventually, id_of};

const RANGE: &str = "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31";

/// Every sample: its name with labels, and its value.
pub async fn samples(app: &App) -> BTreeMap<String, f64> {
    let answer = app.admin("GET", "/metrics").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        })
        .collect()
}

/// A duplicate watchlist is the client's error and must not trigger the alert for Postgres.
#[tokio::test]
async fn client_errors_are_not_counted_as_postgres_failures() {
    let database = Database::sample().await;
    let (app, key) = (App::with_admin(&database).await, database.issue("pro"));
    let make = || {
        app.request("POST", "/api/watchlists")
            .header("x-api-key", &key)
            .json(&json!({ "name": "mine" }))
    };
    for status in [201, 409] {
        assert_eq!(make().send().await.unwrap().status(), status);
    }
    assert_eq!(samples(&app).await["tickerd_database_query_failures_total"], 0.0);
}

fn count_of(route: &str, outcome: &str) -> String {
    format!(
        "tickerd_http_request_duration_seconds_count{{outcome=\"{outcome}\",route=\"{route}\"}}"
    )
}

#[tokio::test]
async fn requests_are_counted_by_route_and_outcome() {
    let database = Database::sample().await;
    let app = &App::with_shared_redis(&database, 1).await[0];
    let (key, free) = (database.issue("pro"), database.issue("free"));
    for _ in 0..3 {
        app.get(&key, RANGE).await;
    }
    app.get(&key, "/api/stocks/NOSUCH/prices?start=2012-01-01").await;
    app.get("no key", "/api/stocks").await;
    for _ in 0..105 {
        app.get(&free, "/api/stocks/AAPL/quote").await;
    }
    let metrics = samples(app).await;
    let prices = "/api/stocks/{symbol}/prices";
    for (route, outcome, count) in [
        (prices, "miss", 1.0),
        (prices, "hit", 2.0),
        (prices, "client_error", 1.0),
        ("/api/stocks", "unauthorized", 1.0),
        ("/api/stocks/{symbol}/quote", "hit", 99.0),
        ("/api/stocks/{symbol}/quote", "limited", 5.0),
    ] {
        assert_eq!(
            metrics.get(&count_of(route, outcome)),
            Some(&count),
            "{route} {outcome}: {metrics:#?}"
        );
    }
    let decisions = |decision: &str| {
        let names = ["memory", "ledger", "alone"].map(|basis| {
            metrics[&format!(
                "tickerd_limiter_decisions_total{{basis=\"{basis}\",decision=\"{decision}\"}}"
            )]
        });
        names.iter().sum::<f64>()
    };
    assert_eq!((decisions("admitted"), decisions("refused")), (104.0, 5.0));
    assert!(metrics["tickerd_limiter_lease_permits_count"] >= 1.0);
    assert_eq!(metrics["tickerd_cache_lookups_total{result=\"hit\",tier=\"memory\"}"], 101.0);
    assert_eq!(metrics["tickerd_cache_memory_entries"], 2.0);
    assert_eq!(metrics["tickerd_argon2_duration_seconds_count"], 2.0);
    assert!(metrics["tickerd_database_query_duration_seconds_count"] >= 4.0);
    assert!(metrics["tickerd_redis_call_duration_seconds_count{call=\"evalsha\"}"] >= 1.0);
}

#[tokio::test]
async fn no_label_names_a_key_a_symbol_or_an_owner() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let key = database.issue("pro");
    for path in [RANGE, &format!("/api/stocks/{key}"), &format!("/{key}"), "/api/usage"] {
        app.get(&key, path).await;
    }
    let names: String = samples(&app).await.into_keys().collect();
    for secret in [&key[21..], id_of(&key), "AAPL", "tests"] {
        assert!(!names.contains(secret), "{secret}: {names}");
    }
}

#[tokio::test]
async fn gauges_show_the_dependencies_and_the_newest_day() {
    let database = Database::sample().await;
    let app = &App::with_shared_redis(&database, 1).await[0];
    let metrics = samples(app).await;
    // The last day of the sample, 2013-03-01, ended at 16:00 in New York.
    assert_eq!(
        metrics["tickerd_newest_day_timestamp_seconds{exchange=\"NASDAQ\"}"], 1_362_171_600.0,
        "{metrics:#?}"
    );
    for up in ["tickerd_redis_configured", "tickerd_redis_connected", "tickerd_changes_followed"] {
        assert_eq!(metrics[up], 1.0, "{up}");
    }
    assert!(metrics["process_resident_memory_bytes"] > 1e6);
    let alone = App::without_redis(&database).await;
    assert_eq!(samples(&alone).await["tickerd_redis_configured"], 0.0);
    database.refuse_connections().await;
    eventually("the gauge shows the lost connection", Duration::from_secs(20), async || {
        samples(&alone).await["tickerd_changes_followed"] == 0.0
    })
    .await;
}

/// The names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .filter(|word| word.starts_with("tickerd_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_name_only_metrics_that_exist() {
    let database = Database::sample().await;
    let app = &App::with_shared_redis(&database, 1).await[0];
    app.get(&database.issue("pro"), RANGE).await;
    let exist: BTreeSet<_> = samples(app)
        .await
        .into_keys()
        .map(|name| name.split('{').next().unwrap().to_owned())
        .collect();
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let read = |name: &str| std::fs::read_to_string(deploy.join(name)).unwrap();
    let (dashboard, alerts) = (read("grafana/tickerd.json"), read("prometheus/alerts.yml"));
    assert!(serde_json::from_str::<serde_json::Value>(&dashboard).is_ok(), "the dashboard is JSON");
    for (file, text) in [("dashboard", &dashboard), ("alerts", &alerts)] {
        let named = named(text);
        assert!(named.len() > 8, "{file}: {named:?}");
        let missing: Vec<_> = named.difference(&exist).collect();
        assert!(missing.is_empty(), "{file}: {missing:?}");
    }
    // Every metric is used by the dashboard or an alert.
    let used = named(&(dashboard + &alerts));
    let base = |name: &str| {
        let ends = ["_bucket", "_sum", "_count"];
        ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
    };
    let used: BTreeSet<_> = used.iter().map(|name| base(name)).collect();
    let measured: BTreeSet<_> =
        exist.iter().filter(|name| name.starts_with("tickerd_")).map(|name| base(name)).collect();
    let unused: Vec<_> = measured.difference(&used).collect();
    assert!(unused.is_empty(), "{unused:?}");
}
