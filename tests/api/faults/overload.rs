//! Twice the load that can be served: as much is served as before, and the rest is told so at once.

use std::time::{Duration, Instant};

use chrono::{Days, NaiveDate};

use crate::support::{Answer, App, Database, Fault, Load, ProcessStats, Proxy, Tally, record};

const CACHED: &str = "/api/stocks/AAPL";
const ROUND: Duration = Duration::from_secs(3);
/// More than there is to do: whoever is free asks.
const WITHOUT_END: u32 = 10_000_000;

/// Questions that nobody asked before.
fn never_asked(from: u32, count: u32) -> Vec<String> {
    let start = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap();
    let path = |n: u32| {
        let (symbol, day) = (
            ["AAPL", "MSFT", "IBM", "GOOG"][n as usize % 4],
            start + Days::new(u64::from(n / 4 % 3000)),
        );
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
    let (app, key) = (App::with(database, variables).await, database.issue("enterprise"));
    // The key, the stocks and what is cached are known from here on.
    let warm = [[CACHED.to_owned()].as_slice(), &never_asked(0, 8)].concat();
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
async fn twice_of_what_postgres_can_serve_is_half_served_and_half_refused_at_once() {
    let database = Database::sample().await;
    let proxy = Proxy::to(&database.url());
    // A Postgres that is 10 ms away, so that what it can serve doesn't depend on what else this
    // machine does.
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
    let peak = load(&never_asked(1000, 4000)).clients(16).per_second(WITHOUT_END).run(ROUND).await;
    peak.assert_only(&[200]);
    let peak_per_s = per_s(&peak, ROUND);
    let (cached, from) = (load(&[CACHED.to_owned()]).per_second(100).start(), Instant::now());
    let twice = (peak_per_s * 2.0) as u32;
    let tally =
        load(&never_asked(6000, twice * 6)).clients(500).per_second(twice).run(ROUND * 2).await;
    let after = ProcessStats::of(app.pid());
    let (cached, to) = (cached.stop(), from + ROUND * 2);
    tally.assert_only(&[200, 503]);
    cached.assert_only(&[200]);
    assert!(cached.answers.iter().all(|answer| answer.cache == "hit"));
    let served_per_s = per_s(&tally.between(from, to), ROUND * 2);
    assert!(served_per_s > 0.9 * peak_per_s, "{served_per_s} of {peak_per_s}");
    let of = |status: u16| {
        let answers =
            tally.answers.iter().filter(|answer| answer.status == status).cloned().collect();
        Tally { answers, ..Tally::default() }
    };
    let (served, refused) = (of(200), of(503));
    assert!(
        refused.answers.len() * 3 > served.answers.len(),
        "it was no overload: {}",
        refused.answers.len()
    );
    assert!(refused.answers.iter().all(|answer| answer.retry_after.as_deref() == Some("1")));
    // 44 are before it, at what is served: a few times that is no queue that grows.
    assert!(served.p99() < Duration::from_secs_f64(4.0 * 44.0 / peak_per_s), "{:?}", served.p99());
    assert!(refused.p99() < Duration::from_millis(100), "{:?}", refused.p99());
    assert!(after.memory_mib < before.memory_mib + 48, "{before:?} {after:?}");
    record(
        "twice_of_what_postgres_can_serve_is_half_served_and_half_refused_at_once",
        &format!(
            "{peak_per_s:.0} a second at most, {served_per_s:.0} at twice that (p99 {} ms); {} times 503 (p99 {} ms); \
             all {} cached ones served (p99 {} ms); {} MiB before, {} after",
            served.p99().as_millis(),
            refused.answers.len(),
            refused.p99().as_millis(),
            cached.answers.len(),
            cached.p99().as_millis(),
            before.memory_mib,
            after.memory_mib
        ),
    );
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn twice_of_what_the_processor_can_serve_costs_none_of_it() {
    let database = Database::sample().await;
    let (app, key) = without_limits(&database, &[]).await;
    let (mut calm, mut crowded) = (Vec::new(), Vec::new());
    for round in 0..3 {
        // Nine of ten are cached.
        let paths: Vec<_> = never_asked(100_000 * (round + 1), 10_000)
            .into_iter()
            .flat_map(|path| std::iter::repeat_n(CACHED.to_owned(), 9).chain([path]))
            .collect();
        let load = Load::new(&[&app], &[&key], &texts(&paths));
        let peak = Pace::of(&app, load.clone().clients(32).per_second(WITHOUT_END)).await;
        crowded
            .push(Pace::of(&app, load.clients(2000).per_second((peak.per_s * 2.0) as u32)).await);
        calm.push(peak);
    }
    let (calm, crowded) = (Pace::median(calm), Pace::median(crowded));
    let memory_mib = ProcessStats::of(app.pid()).memory_mib;
    // The clients have the same processor, and 2,000 of them take more of it.
    assert!(
        crowded.per_cpu_s > 0.9 * calm.per_cpu_s && crowded.per_s > 0.75 * calm.per_s,
        "{calm:?} {crowded:?}"
    );
    assert!(memory_mib < 256, "{memory_mib}");
    record(
        "twice_of_what_the_processor_can_serve_costs_none_of_it",
        &format!(
            "{:.0} a second by 32 clients, {:.0} by 2,000; {:.0} and {:.0} per second of processor time of the server; \
             {memory_mib} MiB",
            calm.per_s, crowded.per_s, calm.per_cpu_s, crowded.per_cpu_s
        ),
    );
}

/// How fast a server answers.
#[derive(Debug)]
struct Pace {
    per_s: f64,
    per_cpu_s: f64,
}

impl Pace {
    /// Once all clients have connected.
    async fn of(app: &App, load: Load) -> Self {
        let load = load.start();
        tokio::time::sleep(ROUND / 3).await;
        let (from, before) = (Instant::now(), ProcessStats::of(app.pid()));
        tokio::time::sleep(ROUND).await;
        let (to, after) = (Instant::now(), ProcessStats::of(app.pid()));
        let tally = load.stop();
        tally.assert_only(&[200, 503]);
        let in_time = |answer: &&Answer| {
            answer.status == 200 && (from..to).contains(&(answer.due + answer.took))
        };
        let count = tally.answers.iter().filter(in_time).count() as f64;
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
        Self { per_s: median(|pace| pace.per_s), per_cpu_s: median(|pace| pace.per_cpu_s) }
    }
}
