//! Many idle connections.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::{App, Database, ProcessStats, RawClient, eventually, record};

const REQUEST: &str = "GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
const CONNECTIONS: usize = 10_000;

/// An idle connection that has served one request.
async fn used_connection(address: &str) -> RawClient {
    let mut client = RawClient::connect(address).await;
    client.send(REQUEST).await;
    assert!(client.read_until("}").await.starts_with("HTTP/1.1 200"));
    client
}

/// The median time to the first response of a new client, including the connection.
async fn median_first_response(address: &str) -> Duration {
    let mut took = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        used_connection(address).await;
        took.push(started.elapsed());
    }
    took.sort();
    took[took.len() / 2]
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn ten_thousand_idle_connections_cost_only_memory() {
    // The limit of this process; the server inherits it.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .expect("the limit of open files is raised");
    assert!(
        limit.maximum.is_none_or(|most| most > CONNECTIONS as u64 + 1000),
        "expected ulimit -Hn of 11,000 or more"
    );
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let calm = median_first_response(app.address()).await;
    let before = ProcessStats::of(app.pid());
    let mut idle = Vec::new();
    while idle.len() < CONNECTIONS {
        idle.extend(join_all((0..250).map(|_| used_connection(app.address()))).await);
    }
    let full = ProcessStats::of(app.pid());
    let crowded = median_first_response(app.address()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let resting = ProcessStats::of(app.pid());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let busy = (ProcessStats::of(app.pid()).cpu_s - resting.cpu_s) / 5.0;
    let each_kib = (full.memory_mib - before.memory_mib) * 1024 / CONNECTIONS as u64;
    assert!(each_kib <= 32, "{each_kib} KiB each");
    assert!(busy < 0.05, "{busy} of a core");
    assert!(crowded < calm.mul_f64(1.5) + Duration::from_millis(1), "{calm:?} {crowded:?}");
    record(
        "ten_thousand_idle_connections_cost_only_memory",
        &format!(
            "{each_kib} KiB each ({} MiB before, {} then), {:.0} % of a core; a new client gets \
             its response after {} us, {} without them (medians of 200)",
            before.memory_mib,
            full.memory_mib,
            busy * 100.0,
            crowded.as_micros(),
            calm.as_micros()
        ),
    );
    drop(idle);
}

/// Whether a line of /proc/net/tcp is a connection that a server on this port has accepted. The
/// port is in hexadecimal.
fn is_open(line: &str, port: &str) -> bool {
    const ESTABLISHED: &str = "01";
    let fields: Vec<_> = line.split_whitespace().collect();
    fields[1].ends_with(port) && fields[3] == ESTABLISHED
}

#[tokio::test]
async fn a_client_beyond_the_connection_limit_waits_until_a_connection_ends() {
    let database = Database::sample().await;
    let variables = [("WORKERS", "1"), ("CONNECTIONS_PER_WORKER_MAX", "2"), ("KEEP_ALIVE_S", "2")];
    let app = App::with(&database, &variables).await;
    // The connection that checked readiness closes when it is idle.
    let port =
        format!(":{:04X}", app.address().rsplit(':').next().unwrap().parse::<u16>().unwrap());
    let is_alone = async || {
        !std::fs::read_to_string("/proc/net/tcp").unwrap().lines().any(|line| is_open(line, &port))
    };
    eventually("no connection is left", Duration::from_secs(10), is_alone).await;
    let _first = used_connection(app.address()).await;
    let second = used_connection(app.address()).await;
    let mut third = RawClient::connect(app.address()).await;
    third.send(REQUEST).await;
    assert!(!third.is_closed_within(Duration::from_millis(300)).await);
    let started = Instant::now();
    drop(second);
    assert!(third.read_until("}").await.starts_with("HTTP/1.1 200"));
    let admitted = started.elapsed();
    // Before the server closes the first connection, which has 2 s of keep-alive.
    assert!(admitted < Duration::from_millis(1500), "{admitted:?}");
    // A fourth client is served when the server closes an idle connection.
    let mut fourth = RawClient::connect(app.address()).await;
    fourth.send(REQUEST).await;
    assert!(fourth.read_until("}").await.starts_with("HTTP/1.1 200"));
    let idle_s = started.elapsed().as_secs_f64();
    assert!(idle_s < 6.0, "{idle_s}");
    record(
        "a_client_beyond_the_connection_limit_waits_until_a_connection_ends",
        &format!(
            "answered {} ms after a connection ended; the next after {idle_s:.1} s, when the first \
             had been idle for 2 s",
            admitted.as_millis()
        ),
    );
}
