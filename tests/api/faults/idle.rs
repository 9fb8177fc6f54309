//! Many connections that ask for nothing.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::{App, Database, ProcessStats, RawClient, eventually, record};

const ASK: &str = "GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
const IDLE: usize = 10_000;

/// A connection that has been used and is kept.
async fn kept(address: &str) -> RawClient {
    let mut wire = RawClient::connect(address).await;
    wire.send(ASK).await;
    assert!(wire.read_until("}").await.starts_with("HTTP/1.1 200"));
    wire
}

/// The median of what new clients wait for an answer, connecting included.
async fn newcomers(address: &str) -> Duration {
    let mut took = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        kept(address).await;
        took.push(started.elapsed());
    }
    took.sort();
    took[took.len() / 2]
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn ten_thousand_idle_connections_cost_memory_alone() {
    // Ours and the server's, which inherits it.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .expect("more files may be open");
    assert!(
        limit.maximum.is_none_or(|most| most > IDLE as u64 + 1000),
        "expected ulimit -Hn of 11,000 or more"
    );
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let calm = newcomers(app.address()).await;
    let before = ProcessStats::of(app.pid());
    let mut idle = Vec::new();
    while idle.len() < IDLE {
        idle.extend(join_all((0..250).map(|_| kept(app.address()))).await);
    }
    let full = ProcessStats::of(app.pid());
    let crowded = newcomers(app.address()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let resting = ProcessStats::of(app.pid());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let busy = (ProcessStats::of(app.pid()).cpu_s - resting.cpu_s) / 5.0;
    let each_kib = (full.memory_mib - before.memory_mib) * 1024 / IDLE as u64;
    assert!(each_kib <= 32, "{each_kib} KiB each");
    assert!(busy < 0.05, "{busy} of a core");
    assert!(crowded < calm.mul_f64(1.5) + Duration::from_millis(1), "{calm:?} {crowded:?}");
    record(
        "ten_thousand_idle_connections_cost_memory_alone",
        &format!(
            "{each_kib} KiB each ({} MiB before, {} then), {:.0} % of a core; a new client is answered after {} us, \
             {} without them (medians of 200)",
            before.memory_mib,
            full.memory_mib,
            busy * 100.0,
            crowded.as_micros(),
            calm.as_micros()
        ),
    );
    drop(idle);
}

/// Whether a line of /proc/net/tcp is a connection that a server on this port, in hexadecimal, has
/// accepted.
fn is_open(line: &str, port: &str) -> bool {
    const ESTABLISHED: &str = "01";
    let fields: Vec<_> = line.split_whitespace().collect();
    fields[1].ends_with(port) && fields[3] == ESTABLISHED
}

#[tokio::test]
async fn who_comes_when_all_connections_are_taken_waits_until_one_ends() {
    let database = Database::sample().await;
    let variables = [("WORKERS", "1"), ("CONNECTIONS_PER_WORKER_MAX", "2"), ("KEEP_ALIVE_S", "2")];
    let app = App::with(&database, &variables).await;
    // That of the test's start ends as it idles.
    let port =
        format!(":{:04X}", app.address().rsplit(':').next().unwrap().parse::<u16>().unwrap());
    let is_alone = async || {
        !std::fs::read_to_string("/proc/net/tcp").unwrap().lines().any(|line| is_open(line, &port))
    };
    eventually("no connection is left", Duration::from_secs(10), is_alone).await;
    let _first = kept(app.address()).await;
    let second = kept(app.address()).await;
    let mut third = RawClient::connect(app.address()).await;
    third.send(ASK).await;
    assert!(!third.is_closed_within(Duration::from_millis(300)).await);
    let started = Instant::now();
    drop(second);
    assert!(third.read_until("}").await.starts_with("HTTP/1.1 200"));
    let accept_connections = started.elapsed();
    // Not only when the first is hung up on, 2 s after it was used.
    assert!(accept_connections < Duration::from_millis(1500), "{accept_connections:?}");
    // And when those who idle are hung up on.
    let mut fourth = RawClient::connect(app.address()).await;
    fourth.send(ASK).await;
    assert!(fourth.read_until("}").await.starts_with("HTTP/1.1 200"));
    let idle_s = started.elapsed().as_secs_f64();
    assert!(idle_s < 6.0, "{idle_s}");
    record(
        "who_comes_when_all_connections_are_taken_waits_until_one_ends",
        &format!(
            "answered {} ms after one had hung up; the next after {idle_s:.1} s, when the first had idled for 2",
            accept_connections.as_millis()
        ),
    );
}
