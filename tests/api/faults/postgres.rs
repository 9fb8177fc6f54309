//! Postgres is lost, in every possible way.

use std::time::{Duration, Instant};

use serde_json::json;

use super::fixtures::{assert_same_as_healthy, distinct_paths, issue_unlimited};
use crate::support::{App, Database, Fault, Load, Postgres, Proxy, record, scratch};

/// Short time-outs for the test. A request that waits for each of them in turn is answered within
/// their sum.
const TIMEOUTS: [(&str, &str); 3] = [
    ("DATABASE_CONNECT_TIMEOUT_MS", "600"),
    ("DATABASE_WAIT_TIMEOUT_MS", "600"),
    ("DATABASE_STATEMENT_TIMEOUT_MS", "1000"),
];
const TIMEOUTS_SUM: Duration = Duration::from_millis(2200);
/// A margin for a machine that runs all tests at once.
const SLACK: Duration = Duration::from_millis(800);
/// How soon requests succeed after Postgres is back.
const BACK_WITHIN: Duration = Duration::from_secs(1);
const CACHED: [&str; 3] = [
    "/api/stocks/AAPL",
    "/api/stocks/AAPL/quote",
    "/api/stocks/MSFT/prices?start=2012-01-01&end=2012-12-31&limit=1000",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    Killed,
    Restarted,
    Stopped,
    Refuses,
    Stalls,
    LosesResponses,
    Vanishes,
}

impl Failure {
    const ALL: [Self; 7] = [
        Self::Killed,
        Self::Restarted,
        Self::Stopped,
        Self::Refuses,
        Self::Stalls,
        Self::LosesResponses,
        Self::Vanishes,
    ];

    /// Causes the failure for `time`, then ends it.
    async fn cause(self, postgres: &mut Postgres, proxy: &Proxy, time: Duration) {
        match self {
            Self::Killed => postgres.kill(),
            Self::Restarted => postgres.stop().await,
            Self::Stopped => postgres.signal("STOP"),
            Self::Refuses => proxy.set(Fault::Refuse),
            Self::Stalls => proxy.set(Fault::Stall),
            Self::LosesResponses => proxy.set(Fault::LoseResponses),
            Self::Vanishes => proxy.set(Fault::Vanish),
        }
        // A vanished machine has already been replaced, and a restart takes no time in between.
        if !matches!(self, Self::Vanishes | Self::Restarted) {
            tokio::time::sleep(time).await;
        }
        match self {
            Self::Killed | Self::Restarted => postgres.start(&[]).await,
            Self::Stopped => postgres.signal("CONT"),
            _ => proxy.set(Fault::None),
        }
    }

    /// How long requests may fail after the failure has ended: those that wait on connections that
    /// have vanished.
    fn aftermath(self) -> Duration {
        if self == Self::Vanishes { Duration::from_secs(1) } else { Duration::ZERO }
    }
}

#[tokio::test]
async fn a_killed_or_vanished_postgres_leaves_cached_responses_and_503_for_the_rest() {
    let figures = cause_all(&[Failure::Killed, Failure::Vanishes]).await;
    record("a_killed_or_vanished_postgres_leaves_cached_responses_and_503_for_the_rest", &figures);
}

#[tokio::test]
#[ignore = "make test-faults: takes half a minute"]
async fn any_postgres_failure_leaves_cached_responses_and_503_for_the_rest() {
    let figures = cause_all(&Failure::ALL).await;
    record("any_postgres_failure_leaves_cached_responses_and_503_for_the_rest", &figures);
}

/// Causes all failures one after the other in a Postgres under load, and describes the results.
async fn cause_all(failures: &[Failure]) -> String {
    let scratch = scratch();
    let mut postgres = Postgres::with_sample(scratch.path()).await;
    let proxy = Proxy::to(&postgres.database().url());
    let key = issue_unlimited(&postgres.database()).await;
    let app = App::with(&Database::at(&proxy.url()), &TIMEOUTS).await;
    let list = json!({ "name": "all", "symbols": ["AAPL", "IBM"] });
    let made = app
        .request("POST", "/api/watchlists")
        .header("x-api-key", &key)
        .json(&list)
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), 201);
    for path in CACHED {
        app.get(&key, path).await;
    }
    // One request in ten is never cached.
    let mut paths = distinct_paths(2000);
    paths.iter_mut().step_by(10).for_each(|path| "/api/watchlists".clone_into(path));
    let texts: Vec<_> = paths.iter().map(String::as_str).collect();
    let cached = Load::new(&[&app], &[&key], &CACHED).per_second(100).start();
    let rest = Load::new(&[&app], &[&key], &texts).per_second(50).clients(300).start();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut periods = Vec::new();
    for failure in failures.iter().copied() {
        let from = Instant::now();
        failure.cause(&mut postgres, &proxy, Duration::from_secs(2)).await;
        let back = Instant::now();
        tokio::time::sleep(failure.aftermath() + BACK_WITHIN + Duration::from_millis(300)).await;
        periods.push((failure, from, back, Instant::now()));
        // Requests in progress get their response before the next failure begins.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let (cached, rest) = (cached.stop(), rest.stop());
    cached.assert_only(&[200]);
    rest.assert_only(&[200, 503]);
    assert!(
        cached.responses.iter().all(|response| response.cache == "hit"),
        "no cached response has expired yet"
    );
    assert_same_as_healthy(&rest, &paths, &App::without_redis(&postgres.database()).await, &key)
        .await;
    let mut figures = Vec::new();
    let mut p99 = Duration::ZERO;
    let mut slowest = Duration::ZERO;
    for (failure, from, back, until) in periods {
        let during = rest.between(from, until);
        let refused: Vec<_> =
            during.responses.iter().filter(|response| response.status == 503).collect();
        assert!(
            refused.iter().all(|response| response.retry_after.as_deref() == Some("1")),
            "{failure:?}"
        );
        assert!(during.slowest() < TIMEOUTS_SUM + SLACK, "{failure:?}: {:?}", during.slowest());
        let last = refused
            .iter()
            .map(|response| response.due.saturating_duration_since(back))
            .max()
            .unwrap_or_default();
        assert!(
            last < failure.aftermath() + BACK_WITHIN,
            "{failure:?}: still refused {last:?} after Postgres was back"
        );
        p99 = p99.max(cached.between(from, until).p99());
        slowest = slowest.max(during.slowest());
        let refused = refused.len();
        let all = during.responses.len();
        figures.push(format!("{failure:?} {refused} of {all}, {} ms", last.as_millis()));
    }
    format!(
        "{} cached responses, all 200 and fresh, p99 {} ms at most; 503 among the rest, and time \
         to recover: {}; the slowest after {} ms",
        cached.responses.len(),
        p99.as_millis(),
        figures.join("; "),
        slowest.as_millis()
    )
}
