//! A process ends: after one signal, after two, while Postgres hangs, and by SIGKILL.
//!
//! If a service manager holds the socket, no request fails: see `tests/api/restart.rs`.

use std::time::{Duration, Instant};

use futures_util::future::join;
use serde_json::{Value, json};

use super::fixtures::{distinct_paths, issue_unlimited};
use super::streams::{LAST_CHUNK, long_history, read_rest, start_stream};
use crate::scale::proxy::{addresses, nginx};
use crate::support::{
    App, Database, Fault, Load, Proxy, client, eventually, id_of, record, redis_url, scratch,
    unique,
};

const LISTS: &str = "/api/watchlists";
/// The length of a history whose response takes a while: about 13 MB.
const DAYS: u32 = 90_000;
const QUOTE: &str = "/api/stocks/AAPL/quote";
/// A margin for a machine that runs all tests at once.
const SLACK: Duration = Duration::from_millis(1500);

/// How many requests of a key are stored in its usage.
async fn stored_usage(database: &Database, key: &str) -> usize {
    let sql = format!(
        "SELECT coalesce(sum(requests), 0)::text FROM key_usage WHERE key_id = '{}'",
        id_of(key)
    );
    database.texts(&sql).await[0].parse().unwrap()
}

#[tokio::test]
async fn sigterm_under_load_fails_only_requests_at_the_closing_port_and_stores_all_usage() {
    let database = long_history(DAYS).await;
    let key = issue_unlimited(&database).await;
    let mut app = App::with(&database, &[("SHUTDOWN_TIMEOUT_S", "60")]).await;
    let paths = distinct_paths(4000);
    let mut paths: Vec<_> = paths.iter().map(String::as_str).collect();
    // Every other request is cached.
    paths.iter_mut().step_by(2).for_each(|path| *path = QUOTE);
    let streams = [
        start_stream(&app, &key, "ndjson", "identity").await,
        start_stream(&app, &key, "csv", "gzip").await,
    ];
    let load = Load::new(&[&app], &[&key], &paths).per_second(400).clients(32).start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let signalled = Instant::now();
    app.signal("TERM");
    // The streams are read after the port has closed.
    eventually("the port is closed", Duration::from_secs(5), async || {
        tokio::net::TcpStream::connect(app.address()).await.is_err()
    })
    .await;
    let closed = signalled.elapsed();
    let [a, b] = streams;
    let (a, b) = join(read_rest(a), read_rest(b)).await;
    assert!(
        a.ends_with(LAST_CHUNK) && b.ends_with(LAST_CHUNK),
        "{} and {} bytes",
        a.len(),
        b.len()
    );
    assert_eq!(app.wait_for_exit().await, Some(0));
    let tally = load.stop();
    let refused = |error: &str| error.contains("Connection refused");
    let lost: Vec<_> = tally.failed.iter().filter(|(_, error)| !refused(error)).collect();
    // The system drops connections that wait in its queue when the port closes.
    let as_the_port_closed = |due: Instant| due > signalled + closed - Duration::from_millis(50);
    assert!(lost.len() <= 2 && lost.iter().all(|(due, _)| as_the_port_closed(*due)), "{lost:?}");
    assert!(
        !tally.failed.is_empty() && tally.responses.iter().all(|response| response.status == 200)
    );
    assert_eq!(
        stored_usage(&database, &key).await,
        tally.responses.len() + 2,
        "all usage is stored"
    );
    let after = tally.responses.iter().filter(|response| response.due > signalled).count();
    let figures = format!(
        "{} requests answered, {after} of them after SIGTERM, and 2 streams; {} lost; the port \
         closed after {} ms; usage stored for every one",
        tally.responses.len(),
        lost.len(),
        closed.as_millis()
    );
    record(
        "sigterm_under_load_fails_only_requests_at_the_closing_port_and_stores_all_usage",
        &figures,
    );
}

#[tokio::test]
#[ignore = "needs nginx: make test-faults"]
async fn sigterm_of_one_of_two_instances_behind_nginx_fails_no_read_and_one_write_at_most() {
    let scratch = scratch();
    let database = Database::sample().await;
    let mut apps = App::with_shared_redis(&database, 2).await;
    let key = issue_unlimited(&database).await;
    let writer = issue_unlimited(&database).await;
    let nginx = nginx(scratch.path(), &addresses(&apps)).await;
    let client = client();
    let created = json!({ "name": "0", "symbols": ["AAPL"] });
    let created = apps[0]
        .request("POST", LISTS)
        .header("x-api-key", &writer)
        .json(&created)
        .send()
        .await
        .unwrap();
    let list = format!(
        "{}{LISTS}/{}",
        nginx.url,
        created.json::<Value>().await.unwrap()["id"].as_str().unwrap()
    );
    let load = Load::new(&[], &[&key], &[QUOTE, "/api/stocks/IBM"])
        .through(nginx.url.trim_start_matches("http://"))
        .start();
    let started = Instant::now();
    let mut signalled = false;
    let mut written = Vec::new();
    while started.elapsed() < Duration::from_secs(4) {
        if !signalled && started.elapsed() > Duration::from_secs(1) {
            apps[0].signal("TERM");
            signalled = true;
        }
        let change = json!({ "name": written.len().to_string() });
        let response =
            client.patch(&list).header("x-api-key", &writer).json(&change).send().await.unwrap();
        written.push(response.status().as_u16());
    }
    assert_eq!(apps[0].wait_for_exit().await, Some(0));
    let tally = load.stop();
    tally.assert_only(&[200]);
    let failed = written.iter().filter(|status| **status != 200).count();
    // A write may fail when its connection closes: nginx repeats only idempotent requests.
    assert!(failed <= 1 && written.len() > 100, "{failed} of {}", written.len());
    let figures = format!(
        "{} reads, all 200, the slowest after {} ms; {failed} of {} writes failed",
        tally.responses.len(),
        tally.slowest().as_millis(),
        written.len()
    );
    record(
        "sigterm_of_one_of_two_instances_behind_nginx_fails_no_read_and_one_write_at_most",
        &figures,
    );
}

#[tokio::test]
async fn a_second_sigterm_cuts_the_drain_short_and_lets_open_requests_finish() {
    let database = long_history(DAYS).await;
    let key = issue_unlimited(&database).await;
    let mut app =
        App::with(&database, &[("DRAIN_MS", "60000"), ("SHUTDOWN_TIMEOUT_S", "60")]).await;
    let stream = start_stream(&app, &key, "csv", "identity").await;
    app.signal("TERM");
    let stopping = async || {
        let response = app.get(&key, QUOTE).await;
        response.headers().get("connection").is_some_and(|value| value == "close")
    };
    eventually("responses announce the shutdown", Duration::from_secs(5), stopping).await;
    // A load balancer that checks readiness sends new requests elsewhere.
    let ready = app.request("GET", "/health/ready").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    assert_eq!(ready.json::<serde_json::Value>().await.unwrap()["status"], "stopping");
    let signalled = Instant::now();
    app.signal("TERM");
    let rest = read_rest(stream).await;
    assert!(rest.ends_with(LAST_CHUNK));
    assert_eq!(app.wait_for_exit().await, Some(0));
    let took = signalled.elapsed();
    assert!(took < Duration::from_secs(50), "{took:?}");
    assert_eq!(
        stored_usage(&database, &key).await,
        app.log().iter().filter(|line| line.contains(id_of(&key))).count()
    );
    let figures = format!(
        "a stream of {} MB finished, all usage stored, ended {} ms after the second signal; not \
         ready meanwhile",
        rest.len() / 1_000_000,
        took.as_millis()
    );
    record("a_second_sigterm_cuts_the_drain_short_and_lets_open_requests_finish", &figures);
}

#[tokio::test]
async fn sigterm_while_postgres_hangs_ends_in_time_and_logs_that_usage_is_lost() {
    let database = Database::sample().await;
    let proxy = Proxy::to(&database.url());
    let bounds = [("DRAIN_MS", "100"), ("SHUTDOWN_TIMEOUT_S", "2")];
    let key = issue_unlimited(&database).await;
    let mut app = App::with(&Database::at(&proxy.url()), &bounds).await;
    assert_eq!(app.get(&key, QUOTE).await.status(), 200);
    proxy.set(Fault::Stall);
    let hanging = Load::new(&[&app], &[&key], &[LISTS]).per_second(20).clients(40).start();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let signalled = Instant::now();
    app.signal("TERM");
    assert_eq!(app.wait_for_exit().await, Some(0));
    let took = signalled.elapsed();
    drop(hanging);
    // The drain, 0.2 s for requests that have just arrived, the time-out of requests, and 5 s for
    // storing usage.
    assert!(took < Duration::from_millis(100 + 200 + 2000 + 5000) + SLACK, "{took:?}");
    let logged =
        app.log().iter().any(|line| line.contains("the usage since the last batch is lost"));
    assert!(logged, "{:?}", app.log().last());
    let figures = format!(
        "ended after {} ms (DRAIN_MS=100, SHUTDOWN_TIMEOUT_S=2), and logged that usage is lost",
        took.as_millis()
    );
    record("sigterm_while_postgres_hangs_ends_in_time_and_logs_that_usage_is_lost", &figures);
}

/// The port closes while the server may still accept, and tasks end while they wait for Redis and
/// Postgres. Neither is a failure.
#[tokio::test]
async fn a_signal_ends_a_server_without_a_warning_in_its_log() {
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("test"));
    let redis = redis_url();
    let settings =
        [("DRAIN_MS", "0"), ("REDIS_URL", redis.as_str()), ("REDIS_KEY_PREFIX", &prefix)];
    for signal in ["TERM", "INT"].into_iter().cycle().take(24) {
        let mut app = App::with(&database, &settings).await;
        app.signal(signal);
        assert_eq!(app.wait_for_exit().await, Some(0));
        assert_eq!(app.warnings_and_errors(), [] as [String; 0], "{signal}");
    }
}

/// Renames a list and replaces its stocks, so that each version can be identified.
async fn rewrite(app: &App, key: &str, list: &str, n: u32) -> bool {
    let symbols = if n.is_multiple_of(2) { json!(["AAPL", "IBM"]) } else { json!(["MSFT"]) };
    let change = json!({ "name": n.to_string(), "symbols": symbols });
    let sent = app.request("PATCH", list).header("x-api-key", key).json(&change).send().await;
    sent.is_ok_and(|response| response.status() == 200)
}

#[tokio::test]
async fn sigkill_under_load_loses_the_usage_of_one_interval_and_nothing_else() {
    const FLUSH: Duration = Duration::from_secs(1);
    const LIMIT: usize = 1000;
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("test"));
    let redis = redis_url();
    let flush = FLUSH.as_millis().to_string();
    let shared =
        [("REDIS_URL", redis.as_str()), ("REDIS_KEY_PREFIX", &prefix), ("USAGE_FLUSH_MS", &flush)];
    let (killed, other) =
        (App::with(&database, &shared).await, App::with(&database, &shared).await);
    let key = issue_unlimited(&database).await;
    let limited = database.issue("pro");
    let writer = database.issue("enterprise");
    let created = json!({ "name": "0", "symbols": ["AAPL", "IBM"] });
    let created = killed
        .request("POST", LISTS)
        .header("x-api-key", &writer)
        .json(&created)
        .send()
        .await
        .unwrap();
    let list =
        format!("{LISTS}/{}", created.json::<Value>().await.unwrap()["id"].as_str().unwrap());
    let started = Instant::now();
    let counted =
        Load::new(&[&killed], &[&key], &[QUOTE, "/api/stocks/IBM"]).per_second(200).start();
    let strict = Load::new(&[&killed, &other], &[&limited], &[QUOTE]).per_second(400).start();
    let mut written = 0;
    while started.elapsed() < Duration::from_millis(2300)
        && rewrite(&killed, &writer, &list, written + 1).await
    {
        written += 1;
    }
    let writing = rewrite(&killed, &writer, &list, written + 1);
    let (_, at) = join(writing, async {
        killed.signal("KILL");
        Instant::now()
    })
    .await;
    drop(killed);
    let starting = Instant::now();
    let next = App::with(&database, &shared).await;
    assert_eq!(next.get(&key, QUOTE).await.status(), 200);
    let first_response = starting.elapsed();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let counted = counted.stop();
    let strict = strict.stop();
    // Creating the list counts towards the writer; the first response of the next process counts
    // towards the key.
    let answered = counted.responses.len();
    let stored = stored_usage(&database, &key).await;
    let at_risk = counted.between(at - FLUSH - Duration::from_millis(300), at).responses.len();
    assert!(
        stored <= answered + 1 && answered - stored.min(answered) <= at_risk,
        "{stored} of {answered}, {at_risk} at risk"
    );
    let admitted = strict.count(200);
    assert!(
        started.elapsed() < Duration::from_secs(60) && admitted <= LIMIT,
        "{admitted} within a minute"
    );
    let (_, found) = next.json(&writer, &list).await;
    let n: u32 = found["name"].as_str().unwrap().parse().unwrap();
    let whole = if n.is_multiple_of(2) { json!(["AAPL", "IBM"]) } else { json!(["MSFT"]) };
    assert!(n == written || n == written + 1, "{n}: {written} were answered");
    assert_eq!(found["symbols"], whole, "{n}");
    let figures = format!(
        "{} of {answered} responses not counted, {at_risk} in the last interval of 1 s; {admitted} \
         of a limit of {LIMIT} admitted by three instances; a watchlist intact after {n} writes; \
         the next process answered {} ms after its start",
        answered.saturating_sub(stored),
        first_response.as_millis()
    );
    record("sigkill_under_load_loses_the_usage_of_one_interval_and_nothing_else", &figures);
}
