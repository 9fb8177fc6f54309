//! Helpers for the tests of a lost Redis.

use std::time::Duration;

use crate::support::{App, Database, Proxy, eventually, redis_url, unique};

/// The default of REDIS_COMMAND_TIMEOUT_MS, and a margin for a machine that runs all tests at once.
pub const RESPONSE_TIME_MAX: Duration = Duration::from_millis(250 + 1250);
/// How soon Redis is shared after its return: one second for the connection, one as a margin.
const SHARED_AGAIN_WITHIN: Duration = Duration::from_secs(2);

/// Waits until each instance counts all of them. An instance without Redis divides each limit by
/// that count.
pub async fn wait_until_counted(apps: &[App]) {
    for app in apps {
        eventually("the instance counts all others", Duration::from_secs(15), async || {
            metric(app, "tickerd_instances").await == apps.len() as u64
        })
        .await;
    }
}

/// How many lease requests Redis has granted.
pub async fn granted_count(app: &App) -> u64 {
    metric(app, "tickerd_limiter_lease_permits_count").await
}

/// Waits until every instance takes permits from Redis again, under a running load.
pub async fn wait_until_granted(apps: &[App]) -> Duration {
    let mut took = Duration::ZERO;
    for app in apps {
        let before = granted_count(app).await;
        let grants = async || granted_count(app).await > before + 1;
        took +=
            eventually("Redis is shared again", SHARED_AGAIN_WITHIN.saturating_sub(took), grants)
                .await;
    }
    took
}

/// The value of a metric; `name` includes its labels.
pub async fn metric(app: &App, name: &str) -> u64 {
    let metrics = app.admin("GET", "/metrics").send().await.unwrap().text().await.unwrap();
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("there is no metric {name}")).parse().expect("a whole number")
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Two instances that share a Redis and count each other, each behind a proxy of its own.
pub async fn two_behind_proxies(database: &Database) -> ([Proxy; 2], Vec<App>) {
    let prefix = format!("{}:", unique("test"));
    let proxies = [Proxy::to(&redis_url()), Proxy::to(&redis_url())];
    let mut apps = Vec::new();
    for proxy in &proxies {
        apps.push(
            App::with(database, &[("REDIS_URL", &proxy.url()), ("REDIS_KEY_PREFIX", &prefix)])
                .await,
        );
    }
    wait_until_counted(&apps).await;
    (proxies, apps)
}

/// Waits until an instance asks Redis again, with requests of a key of its own.
pub async fn wait_until_granted_by(app: &App, key: &str) {
    let before = granted_count(app).await;
    let grants = async || {
        app.get(key, "/api/stocks/AAPL").await;
        granted_count(app).await > before
    };
    eventually("Redis is shared again", Duration::from_secs(5), grants).await;
}
