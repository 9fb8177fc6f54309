//! A process ends: told to, told twice, while Postgres hangs, and without a word.
//!
//! With its socket in the hands of a service manager nothing fails at all: that is in
//! `tests/api/restart.rs`.

use std::time::{Duration, Instant};

use futures_util::future::join;
use serde_json::{Value, json};

use super::harm::{issue_unlimited, unasked};
use super::streams::{LAST_CHUNK, begun, long_history, rest};
use crate::scale::proxy::{addresses, nginx};
use crate::support::{
    App, Database, Fault, Load, Proxy, client, eventually, id_of, record, redis_url, scratch,
    unique,
};

const LISTS: &str = "/api/watchlists";
/// Of a history whose answer takes a while: some 13 MB.
const DAYS: u32 = 90_000;
const QUOTE: &str = "/api/stocks/AAPL/quote";
/// What a machine adds on which all tests run at once.
const SLACK: Duration = Duration::from_millis(1500);

/// How many requests of a key are stored as used.
async fn stored(database: &Database, key: &str) -> usize {
    let sql = format!(
        "SELECT coalesce(sum(requests), 0)::text FROM key_usage WHERE key_id = '{}'",
        id_of(key)
    );
    database.texts(&sql).await[0].parse().unwrap()
}

#[tokio::test]
async fn sigterm_under_load_fails_nothing_but_what_meets_the_closing_port_and_stores_all_usage() {
    let database = long_history(DAYS).await;
    let key = issue_unlimited(&database).await;
    let mut app = App::with(&database, &[("SHUTDOWN_TIMEOUT_S", "60")]).await;
    let paths = unasked(4000);
    let mut paths: Vec<_> = paths.iter().map(String::as_str).collect();
    // Every other one is in memory.
    paths.iter_mut().step_by(2).for_each(|path| *path = QUOTE);
    let streams =
        [begun(&app, &key, "ndjson", "identity").await, begun(&app, &key, "csv", "gzip").await];
    let load = Load::new(&[&app], &[&key], &paths).per_second(400).clients(32).start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let told = Instant::now();
    app.signal("TERM");
    // They read on when the port is closed already.
    eventually("the port is closed", Duration::from_secs(5), async || {
        tokio::net::TcpStream::connect(app.address()).await.is_err()
    })
    .await;
    let closed = told.elapsed();
    let [a, b] = streams;
    let (a, b) = join(rest(a), rest(b)).await;
    assert!(
        a.ends_with(LAST_CHUNK) && b.ends_with(LAST_CHUNK),
        "{} and {} bytes",
        a.len(),
        b.len()
    );
    assert_eq!(app.wait_for_exit().await, Some(0));
    let tally = load.stop();
    let refused = |fault: &str| fault.contains("Connection refused");
    let lost: Vec<_> = tally.failed.iter().filter(|(_, fault)| !refused(fault)).collect();
    // What the system has in its queue in the very moment in which the port is closed is nobody's
    // to answer.
    let in_that_moment = |due: Instant| due > told + closed - Duration::from_millis(50);
    assert!(lost.len() <= 2 && lost.iter().all(|(due, _)| in_that_moment(*due)), "{lost:?}");
    assert!(!tally.failed.is_empty() && tally.answers.iter().all(|answer| answer.status == 200));
    assert_eq!(stored(&database, &key).await, tally.answers.len() + 2, "used and stored");
    let after = tally.answers.iter().filter(|answer| answer.due > told).count();
    let seen = format!(
        "{} requests answered, {after} of them after SIGTERM, and 2 streams; {} lost; the port closed after {} ms; usage stored \
         for every one",
        tally.answers.len(),
        lost.len(),
        closed.as_millis()
    );
    record(
        "sigterm_under_load_fails_nothing_but_what_meets_the_closing_port_and_stores_all_usage",
        &seen,
    );
}

#[tokio::test]
#[ignore = "needs nginx: make test-faults"]
async fn sigterm_of_one_of_two_instances_behind_nginx_fails_no_read_and_one_write_at_most() {
    let (scratch, database) = (scratch(), Database::sample().await);
    let mut apps = App::with_shared_redis(&database, 2).await;
    let (key, writer) = (issue_unlimited(&database).await, issue_unlimited(&database).await);
    let nginx = nginx(scratch.path(), &addresses(&apps)).await;
    let (client, made) = (client(), json!({ "name": "0", "symbols": ["AAPL"] }));
    let made = apps[0]
        .request("POST", LISTS)
        .header("x-api-key", &writer)
        .json(&made)
        .send()
        .await
        .unwrap();
    let list = format!(
        "{}{LISTS}/{}",
        nginx.url,
        made.json::<Value>().await.unwrap()["id"].as_str().unwrap()
    );
    let load = Load::new(&[], &[&key], &[QUOTE, "/api/stocks/IBM"])
        .through(nginx.url.trim_start_matches("http://"))
        .start();
    let (started, mut told, mut written) = (Instant::now(), false, Vec::new());
    while started.elapsed() < Duration::from_secs(4) {
        if !told && started.elapsed() > Duration::from_secs(1) {
            apps[0].signal("TERM");
            told = true;
        }
        let change = json!({ "name": written.len().to_string() });
        let answer =
            client.patch(&list).header("x-api-key", &writer).json(&change).send().await.unwrap();
        written.push(answer.status().as_u16());
    }
    assert_eq!(apps[0].wait_for_exit().await, Some(0));
    let tally = load.stop();
    tally.assert_only(&[200]);
    let failed = written.iter().filter(|status| **status != 200).count();
    // That which was sent as its connection ended: only what is harmless twice is sent to the other
    // one.
    assert!(failed <= 1 && written.len() > 100, "{failed} of {}", written.len());
    let seen = format!(
        "{} reads, all 200, the slowest after {} ms; {failed} of {} writes failed",
        tally.answers.len(),
        tally.slowest().as_millis(),
        written.len()
    );
    record(
        "sigterm_of_one_of_two_instances_behind_nginx_fails_no_read_and_one_write_at_most",
        &seen,
    );
}

#[tokio::test]
async fn a_second_sigterm_cuts_the_drain_short_and_lets_what_is_under_way_finish() {
    let database = long_history(DAYS).await;
    let key = issue_unlimited(&database).await;
    let mut app =
        App::with(&database, &[("DRAIN_MS", "60000"), ("SHUTDOWN_TIMEOUT_S", "60")]).await;
    let stream = begun(&app, &key, "csv", "identity").await;
    app.signal("TERM");
    let stopping = async || {
        let answer = app.get(&key, QUOTE).await;
        answer.headers().get("connection").is_some_and(|value| value == "close")
    };
    eventually("answers say so", Duration::from_secs(5), stopping).await;
    // Who asks whether it is ready sends new requests elsewhere.
    let ready = app.request("GET", "/health/ready").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    assert_eq!(ready.json::<serde_json::Value>().await.unwrap()["status"], "stopping");
    let told = Instant::now();
    app.signal("TERM");
    let rest = rest(stream).await;
    assert!(rest.ends_with(LAST_CHUNK));
    assert_eq!(app.wait_for_exit().await, Some(0));
    let took = told.elapsed();
    assert!(took < Duration::from_secs(50), "{took:?}");
    assert_eq!(
        stored(&database, &key).await,
        app.log().iter().filter(|line| line.contains(id_of(&key))).count()
    );
    let seen = format!(
        "a stream of {} MB finished, all usage stored, ended {} ms after the second; not ready meanwhile",
        rest.len() / 1_000_000,
        took.as_millis()
    );
    record("a_second_sigterm_cuts_the_drain_short_and_lets_what_is_under_way_finish", &seen);
}

#[tokio::test]
async fn sigterm_while_postgres_hangs_ends_in_time_and_says_what_is_lost() {
    let database = Database::sample().await;
    let proxy = Proxy::to(&database.url());
    let bounds = [("DRAIN_MS", "100"), ("SHUTDOWN_TIMEOUT_S", "2")];
    let key = issue_unlimited(&database).await;
    let mut app = App::with(&Database::at(&proxy.url()), &bounds).await;
    assert_eq!(app.get(&key, QUOTE).await.status(), 200);
    proxy.set(Fault::Stall);
    let hanging = Load::new(&[&app], &[&key], &[LISTS]).per_second(20).clients(40).start();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let told = Instant::now();
    app.signal("TERM");
    assert_eq!(app.wait_for_exit().await, Some(0));
    let took = told.elapsed();
    drop(hanging);
    // The drain, 0.2 s for those who were just let in, the time for requests, 5 s for the usage.
    assert!(took < Duration::from_millis(100 + 200 + 2000 + 5000) + SLACK, "{took:?}");
    let said = app.log().iter().any(|line| line.contains("the usage since the last batch is lost"));
    assert!(said, "{:?}", app.log().last());
    let seen = format!(
        "ended after {} ms (DRAIN_MS=100, SHUTDOWN_TIMEOUT_S=2), and said what was lost",
        took.as_millis()
    );
    record("sigterm_while_postgres_hangs_ends_in_time_and_says_what_is_lost", &seen);
}

/// The port closes while the acceptor may still accept, and tasks end while they wait for Redis and
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

/// Renames a list and changes its stocks with each write, so that each version of it can be told.
async fn rewrite(app: &App, key: &str, list: &str, n: u32) -> bool {
    let symbols = if n.is_multiple_of(2) { json!(["AAPL", "IBM"]) } else { json!(["MSFT"]) };
    let change = json!({ "name": n.to_string(), "symbols": symbols });
    let sent = app.request("PATCH", list).header("x-api-key", key).json(&change).send().await;
    sent.is_ok_and(|answer| answer.status() == 200)
}

#[tokio::test]
async fn sigkill_under_load_loses_counts_of_one_interval_and_nothing_else() {
    const FLUSH: Duration = Duration::from_secs(1);
    const LIMIT: usize = 1000;
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("test"));
    let (redis, flush) = (redis_url(), FLUSH.as_millis().to_string());
    let shared =
        [("REDIS_URL", redis.as_str()), ("REDIS_KEY_PREFIX", &prefix), ("USAGE_FLUSH_MS", &flush)];
    let (killed, other) =
        (App::with(&database, &shared).await, App::with(&database, &shared).await);
    let (key, limited, writer) =
        (issue_unlimited(&database).await, database.issue("pro"), database.issue("enterprise"));
    let made = json!({ "name": "0", "symbols": ["AAPL", "IBM"] });
    let made = killed
        .request("POST", LISTS)
        .header("x-api-key", &writer)
        .json(&made)
        .send()
        .await
        .unwrap();
    let list = format!("{LISTS}/{}", made.json::<Value>().await.unwrap()["id"].as_str().unwrap());
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
    let first_answer = starting.elapsed();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (counted, strict) = (counted.stop(), strict.stop());
    // The one that answered "0" to begin with counts towards the writer; the first answer of the
    // next process towards the key.
    let answered = counted.answers.len();
    let stored = stored(&database, &key).await;
    let at_risk = counted.between(at - FLUSH - Duration::from_millis(300), at).answers.len();
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
    let seen = format!(
        "{} of {answered} responses not counted, {at_risk} in the last interval of 1 s; {admitted} of a limit of {LIMIT} admitted \
         by three instances; a watchlist whole after {n} writes; the next process answered {} ms after its start",
        answered.saturating_sub(stored),
        first_answer.as_millis()
    );
    record("sigkill_under_load_loses_counts_of_one_interval_and_nothing_else", &seen);
}
