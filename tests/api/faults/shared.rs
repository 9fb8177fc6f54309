//! What the tests of a lost Redis ask of instances.

use std::time::Duration;

use crate::support::{App, Database, Proxy, eventually, redis_url, unique};

/// REDIS_COMMAND_TIMEOUT_MS as it is by default, and what a machine adds on which all tests run at
/// once.
pub const SLOWEST_MAX: Duration = Duration::from_millis(250 + 1250);
/// After its return, until Redis is shared: one second for the connection, one for what a machine
/// adds.
const SHARED_WITHIN: Duration = Duration::from_secs(2);

/// Waits until all of them count all of them: a lost Redis divides the limits by that.
pub async fn know_of_each_other(apps: &[App]) {
    for app in apps {
        eventually("it knows of the others", Duration::from_secs(15), async || {
            measured(app, "tickerd_instances").await == apps.len() as u64
        })
        .await;
    }
}

/// How many calls to the ledger were answered.
pub async fn granted(app: &App) -> u64 {
    measured(app, "tickerd_limiter_lease_permits_count").await
}

/// Waits until every instance takes permits from Redis, for a load that is under way.
pub async fn granted_again(apps: &[App]) -> Duration {
    let mut took = Duration::ZERO;
    for app in apps {
        let before = granted(app).await;
        let grants = async || granted(app).await > before + 1;
        took +=
            eventually("Redis is shared again", SHARED_WITHIN.saturating_sub(took), grants).await;
    }
    took
}

/// The value of what is measured under this name, labels included.
pub async fn measured(app: &App, name: &str) -> u64 {
    let metrics = app.admin("GET", "/metrics").send().await.unwrap().text().await.unwrap();
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("nothing measures {name}")).parse().expect("a whole number")
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Two instances that share a Redis and know of each other, and the way to it of each.
pub async fn each_on_its_own_way(database: &Database) -> ([Proxy; 2], Vec<App>) {
    let (prefix, proxies) =
        (format!("{}:", unique("test")), [Proxy::to(&redis_url()), Proxy::to(&redis_url())]);
    let mut apps = Vec::new();
    for proxy in &proxies {
        apps.push(
            App::with(database, &[("REDIS_URL", &proxy.url()), ("REDIS_KEY_PREFIX", &prefix)])
                .await,
        );
    }
    know_of_each_other(&apps).await;
    (proxies, apps)
}
