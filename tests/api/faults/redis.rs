//! Redis is lost, in every way in which it can be.

use std::time::{Duration, Instant};

use crate::support::{App, Database, Fault, Load, Proxy, record, redis_url, unique};

/// REDIS_COMMAND_TIMEOUT_MS as it is by default, and what a machine adds on which all tests run at once.
const SLOWEST_MAX: Duration = Duration::from_millis(250 + 750);

#[tokio::test]
async fn whatever_happens_to_the_way_to_redis_every_request_is_answered() {
    let database = Database::sample().await;
    let (proxy, prefix) = (Proxy::to(&redis_url()), format!("{}:", unique("test")));
    let variables = [("REDIS_URL", proxy.url()), ("REDIS_KEY_PREFIX", prefix)];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let (a, b) = (App::with(&database, &variables).await, App::with(&database, &variables).await);
    let key = database.issue("enterprise");
    let paths = ["/api/stocks/AAPL", "/api/stocks/MSFT/prices?start=2012-01-01&end=2012-12-31"];
    let load = Load::on(&[&a, &b], &[&key], &paths).start();
    let second = async || tokio::time::sleep(Duration::from_secs(1)).await;
    second().await;
    let faults = [
        Fault::Refuse,
        Fault::Stall,
        Fault::Cut,
        Fault::Slow(Duration::from_millis(100)),
        Fault::LoseAnswers,
        Fault::Vanish,
    ];
    let mut periods = Vec::new();
    for fault in faults {
        let from = Instant::now();
        proxy.set(fault);
        second().await;
        second().await;
        proxy.set(Fault::None);
        periods.push((fault, from, Instant::now()));
        second().await;
    }
    let tally = load.stop();
    tally.assert_only(&[200]);
    assert!(tally.slowest() < SLOWEST_MAX, "{:?}", tally.slowest());
    let slowest = periods.iter().map(|(fault, from, to)| {
        let slowest = tally.between(*from, *to).slowest();
        format!("{fault:?} {} ms", slowest.as_millis())
    });
    let slowest: Vec<_> = slowest.collect();
    record(
        "whatever_happens_to_the_way_to_redis_every_request_is_answered",
        &format!("{} answers, all 200; the slowest: {}", tally.answers.len(), slowest.join(", ")),
    );
}
