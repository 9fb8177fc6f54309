//! Twice the load that can be served: throughput does not fall, and excess requests are refused at
//! once.

use std::time::{Duration, Instant};

use chrono::{Days, NaiveDate};

use crate::support::{
    App, Database, Fault, Load, ProcessStats, Proxy, Tally, TimedResponse, record,
};

const CACHED: &str = "/api/stocks/AAPL";
const ROUND: Duration = Duration::from_secs(3);
/// A rate that no server reaches, so that every free client sends at once.
const UNLIMITED: u32 = 10_000_000;

/// Paths of different queries, numbered from `from`.
fn distinct_paths(from: u32, count: u32) -> Vec<String> {
    let start = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap();
    let path = |n: u32| {
        let symbol = ["AAPL", "MSFT", "IBM", "GOOG"][n as usize % 4];
        let day = start + Days::new(u64::from(n / 4 % 3000));
        format!("/api/stocks/{symbol}/prices?start={day}&limit={}", n / 12_000 + 5)
    };
    (from..from + count).map(path).collect()
}

fn texts(paths: &[String]) -> Vec<&str> {
    paths.iter().map(String::as_str).collect()
}

async fn without_limits(database: &Database, variables: &[(&str, &str)]) -> (App, String) {
    let limit = "UPDATE tiers SET requests_per_minute = 10000000 WHERE name = 'enterprise'";
    database.connect().await.batch_execute(limit).await.unwrap();
    let app = App::with(database, variables).await;
    let key = database.issue("enterprise");
    // From here on, the key, the stocks and the cached response are in memory.
    let warm = [[CACHED.to_owned()].as_slice(), &distinct_paths(0, 8)].concat();
    Load::new(&[&app], &[&key], &texts(&warm))
        .run(Duration::from_secs(1))
        .await
        .assert_only(&[200]);
    (app, key)
}

fn per_s(tally: &Tally, time: Duration) -> f64 {
    tally.count(200) as f64 / time.as_secs_f64()
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn at_twice_the_capacity_of_postgres_half_is_served_and_half_refused_at_once() {
    let database = Database::sample().await;
    let proxy = Proxy::to(&database.url());
    // Postgres is 10 ms away, so that its capacity does not depend on other load on this machine.
    proxy.set(Fault::Slow(Duration::from_millis(5)));
    let variables = [
        ("DATABASE_URL", proxy.url()),
        ("DATABASE_CONNECTIONS_MAX", "4".into()),
        ("DATABASE_QUEUE_MAX", "40".into()),
    ];
    let (app, key) = without_limits(
        &database,
        &variables.each_ref().map(|(name, value)| (*name, value.as_str())),
    )
    .await;
    let load = |paths: &[String]| Load::new(&[&app], &[&key], &texts(paths));
    let before = ProcessStats::of(app.pid());
    let peak = load(&distinct_paths(1000, 4000)).clients(16).per_second(UNLIMITED).run(ROUND).await;
    peak.assert_only(&[200]);
    let peak_per_s = per_s(&peak, ROUND);
    let cached = load(&[CACHED.to_owned()]).per_second(100).start();
    let from = Instant::now();
    let twice = (peak_per_s * 2.0) as u32;
    let tally =
        load(&distinct_paths(6000, twice * 6)).clients(500).per_second(twice).run(ROUND * 2).await;
    let after = ProcessStats::of(app.pid());
    let cached = cached.stop();
    let to = from + ROUND * 2;
    tally.assert_only(&[200, 503]);
    cached.assert_only(&[200]);
    assert!(cached.responses.iter().all(|response| response.cache == "hit"));
    let served_per_s = per_s(&tally.between(from, to), ROUND * 2);
    assert!(served_per_s > 0.9 * peak_per_s, "{served_per_s} of {peak_per_s}");
    let of = |status: u16| {
        let responses =
            tally.responses.iter().filter(|response| response.status == status).cloned().collect();
        Tally { responses, ..Tally::default() }
    };
    let (served, refused) = (of(200), of(503));
    assert!(
        refused.responses.len() * 3 > served.responses.len(),
        "there was no overload: {}",
        refused.responses.len()
    );
    assert!(refused.responses.iter().all(|response| response.retry_after.as_deref() == Some("1")));
    // At most 44 requests are ahead of each one. A few times their service time shows that the
    // queue does not grow.
    assert!(served.p99() < Duration::from_secs_f64(4.0 * 44.0 / peak_per_s), "{:?}", served.p99());
    assert!(refused.p99() < Duration::from_millis(100), "{:?}", refused.p99());
    assert!(after.memory_mib < before.memory_mib + 48, "{before:?} {after:?}");
    record(
        "at_twice_the_capacity_of_postgres_half_is_served_and_half_refused_at_once",
        &format!(
            "{peak_per_s:.0} a second at most, {served_per_s:.0} at twice that (p99 {} ms); {} \
             times 503 (p99 {} ms); all {} cached ones served (p99 {} ms); {} MiB before, {} after",
            served.p99().as_millis(),
            refused.responses.len(),
            refused.p99().as_millis(),
            cached.responses.len(),
            cached.p99().as_millis(),
            before.memory_mib,
            after.memory_mib
        ),
    );
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn at_twice_the_capacity_of_the_cpu_throughput_does_not_fall() {
    let database = Database::sample().await;
    let (app, key) = without_limits(&database, &[]).await;
    let (mut calm, mut crowded) = (Vec::new(), Vec::new());
    for round in 0..3 {
        // Nine of ten requests are cached.
        let paths: Vec<_> = distinct_paths(100_000 * (round + 1), 10_000)
            .into_iter()
            .flat_map(|path| std::iter::repeat_n(CACHED.to_owned(), 9).chain([path]))
            .collect();
        let load = Load::new(&[&app], &[&key], &texts(&paths));
        let peak = Throughput::of(&app, load.clone().clients(32).per_second(UNLIMITED)).await;
        crowded.push(
            Throughput::of(&app, load.clients(2000).per_second((peak.per_s * 2.0) as u32)).await,
        );
        calm.push(peak);
    }
    let (calm, crowded) = (Throughput::median(calm), Throughput::median(crowded));
    let memory_mib = ProcessStats::of(app.pid()).memory_mib;
    // The clients share the CPU, and 2,000 of them use more of it.
    assert!(
        crowded.per_cpu_s > 0.9 * calm.per_cpu_s && crowded.per_s > 0.75 * calm.per_s,
        "{calm:?} {crowded:?}"
    );
    assert!(memory_mib < 256, "{memory_mib}");
    record(
        "at_twice_the_capacity_of_the_cpu_throughput_does_not_fall",
        &format!(
            "{:.0} a second by 32 clients, {:.0} by 2,000; {:.0} and {:.0} per second of the \
             server's CPU time; {memory_mib} MiB",
            calm.per_s, crowded.per_s, calm.per_cpu_s, crowded.per_cpu_s
        ),
    );
}

/// The throughput of a server, per second and per second of its CPU time.
#[derive(Debug)]
struct Throughput {
    per_s: f64,
    per_cpu_s: f64,
}

impl Throughput {
    /// Measures after all clients have connected.
    async fn of(app: &App, load: Load) -> Self {
        let load = load.start();
        tokio::time::sleep(ROUND / 3).await;
        let from = Instant::now();
        let before = ProcessStats::of(app.pid());
        tokio::time::sleep(ROUND).await;
        let to = Instant::now();
        let after = ProcessStats::of(app.pid());
        let tally = load.stop();
        tally.assert_only(&[200, 503]);
        let in_time = |response: &&TimedResponse| {
            response.status == 200 && (from..to).contains(&(response.due + response.took))
        };
        let count = tally.responses.iter().filter(in_time).count() as f64;
        Self {
            per_s: count / (to - from).as_secs_f64(),
            per_cpu_s: count / (after.cpu_s - before.cpu_s),
        }
    }

    fn median(of: Vec<Self>) -> Self {
        let median = |value: fn(&Self) -> f64| {
            let mut values: Vec<_> = of.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Self {
            per_s: median(|throughput| throughput.per_s),
            per_cpu_s: median(|throughput| throughput.per_cpu_s),
        }
    }
}
