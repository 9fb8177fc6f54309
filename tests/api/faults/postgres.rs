//! Postgres is lost, in every way in which it can be.

use std::time::{Duration, Instant};

use serde_json::json;

use super::harm::{assert_right, issue_unlimited, unasked};
use crate::support::{App, Database, Fault, Load, Postgres, Proxy, record, scratch};

/// As short as a test wants them. What may wait for each of them in turn is answered within their
/// sum.
const TIMEOUTS: [(&str, &str); 3] = [
    ("DATABASE_CONNECT_TIMEOUT_MS", "600"),
    ("DATABASE_WAIT_TIMEOUT_MS", "600"),
    ("DATABASE_STATEMENT_TIMEOUT_MS", "1000"),
];
const TIMEOUTS_SUM: Duration = Duration::from_millis(2200);
/// What a machine adds on which all tests run at once.
const SLACK: Duration = Duration::from_millis(800);
/// How soon after Postgres is back everything is.
const BACK_WITHIN: Duration = Duration::from_secs(1);
const CACHED: [&str; 3] = [
    "/api/stocks/AAPL",
    "/api/stocks/AAPL/quote",
    "/api/stocks/MSFT/prices?start=2012-01-01&end=2012-12-31&limit=1000",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    Killed,
    Restarted,
    Stopped,
    Refuses,
    Stalls,
    LosesAnswers,
    Vanishes,
}

impl Harm {
    const ALL: [Self; 7] = [
        Self::Killed,
        Self::Restarted,
        Self::Stopped,
        Self::Refuses,
        Self::Stalls,
        Self::LosesAnswers,
        Self::Vanishes,
    ];

    /// Does it for `time`, and undoes it.
    async fn happen(self, postgres: &mut Postgres, proxy: &Proxy, time: Duration) {
        match self {
            Self::Killed => postgres.kill(),
            Self::Restarted => postgres.stop().await,
            Self::Stopped => postgres.signal("STOP"),
            Self::Refuses => proxy.set(Fault::Refuse),
            Self::Stalls => proxy.set(Fault::Stall),
            Self::LosesAnswers => proxy.set(Fault::LoseResponses),
            Self::Vanishes => proxy.set(Fault::Vanish),
        }
        // Another machine has taken its place already, or it is started again at once.
        if !matches!(self, Self::Vanishes | Self::Restarted) {
            tokio::time::sleep(time).await;
        }
        match self {
            Self::Killed | Self::Restarted => postgres.start(&[]).await,
            Self::Stopped => postgres.signal("CONT"),
            _ => proxy.set(Fault::None),
        }
    }

    /// For how long after its end requests may still meet it: those that wait on connections that
    /// have vanished.
    fn echo(self) -> Duration {
        if self == Self::Vanishes { Duration::from_secs(1) } else { Duration::ZERO }
    }
}

#[tokio::test]
async fn when_postgres_is_killed_or_vanishes_what_is_cached_is_served_and_the_rest_is_told_to_come_back()
 {
    let seen = happen(&[Harm::Killed, Harm::Vanishes]).await;
    record(
        "when_postgres_is_killed_or_vanishes_what_is_cached_is_served_and_the_rest_is_told_to_come_back",
        &seen,
    );
}

#[tokio::test]
#[ignore = "make test-faults: takes half a minute"]
async fn whatever_happens_to_postgres_what_is_cached_is_served_and_the_rest_is_told_to_come_back() {
    let seen = happen(&Harm::ALL).await;
    record(
        "whatever_happens_to_postgres_what_is_cached_is_served_and_the_rest_is_told_to_come_back",
        &seen,
    );
}

/// Does all of it to a Postgres under load, one after the other, and says what was seen.
async fn happen(harms: &[Harm]) -> String {
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
    // Of ten questions one is about what is never kept.
    let mut paths = unasked(2000);
    paths.iter_mut().step_by(10).for_each(|path| "/api/watchlists".clone_into(path));
    let asked: Vec<_> = paths.iter().map(String::as_str).collect();
    let kept = Load::new(&[&app], &[&key], &CACHED).per_second(100).start();
    let rest = Load::new(&[&app], &[&key], &asked).per_second(50).clients(300).start();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut periods = Vec::new();
    for harm in harms.iter().copied() {
        let from = Instant::now();
        harm.happen(&mut postgres, &proxy, Duration::from_secs(2)).await;
        let back = Instant::now();
        tokio::time::sleep(harm.echo() + BACK_WITHIN + Duration::from_millis(300)).await;
        periods.push((harm, from, back, Instant::now()));
        // Who asks before the next one begins is to have an answer by then.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let (kept, rest) = (kept.stop(), rest.stop());
    kept.assert_only(&[200]);
    rest.assert_only(&[200, 503]);
    assert!(kept.answers.iter().all(|answer| answer.cache == "hit"), "none is beyond its time yet");
    assert_right(&rest, &paths, &App::without_redis(&postgres.database()).await, &key).await;
    let (mut seen, mut p99, mut slowest) = (Vec::new(), Duration::ZERO, Duration::ZERO);
    for (harm, from, back, until) in periods {
        let during = rest.between(from, until);
        let refused: Vec<_> = during.answers.iter().filter(|answer| answer.status == 503).collect();
        assert!(
            refused.iter().all(|answer| answer.retry_after.as_deref() == Some("1")),
            "{harm:?}"
        );
        assert!(during.slowest() < TIMEOUTS_SUM + SLACK, "{harm:?}: {:?}", during.slowest());
        let last = refused
            .iter()
            .map(|answer| answer.due.saturating_duration_since(back))
            .max()
            .unwrap_or_default();
        assert!(
            last < harm.echo() + BACK_WITHIN,
            "{harm:?}: still refused {last:?} after it was back"
        );
        p99 = p99.max(kept.between(from, until).p99());
        slowest = slowest.max(during.slowest());
        let (refused, all) = (refused.len(), during.answers.len());
        seen.push(format!("{harm:?} {refused} of {all}, {} ms", last.as_millis()));
    }
    format!(
        "{} cached answers, all 200 and fresh, p99 {} ms at most; 503 among the rest, and time to recover: {}; the \
         slowest after {} ms",
        kept.answers.len(),
        p99.as_millis(),
        seen.join("; "),
        slowest.as_millis()
    )
}
