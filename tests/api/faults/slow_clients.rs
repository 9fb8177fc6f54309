//! Clients that keep a server waiting: with a head, with a body, with taking what they asked for.

use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::support::{App, Database, ProcessStats, RawClient, eventually, get, record};

/// Everything there is of five stocks: a megabyte.
const HISTORY: &str = "/api/prices?symbols=AAPL,GOOG,IBM,MSFT,AMZN&start=1990-01-01&format=csv";
const PREFLIGHT: &str = "OPTIONS /x HTTP/1.1\r\nhost: x\r\norigin: http://x\r\naccess-control-request-method: GET\r\n\r\n";

#[tokio::test]
async fn who_takes_nothing_of_what_it_asked_for_is_hung_up_on_and_leaves_nothing_behind() {
    let database = Database::sample().await;
    let variables = [("CLIENT_STALL_TIMEOUT_MS", "1000"), ("DATABASE_CONNECTIONS_MAX", "2")];
    let app = App::with(&database, &variables).await;
    let key = database.issue("enterprise");
    app.get(&key, HISTORY).await.bytes().await.unwrap();
    let before = ProcessStats::of(app.pid());
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = RawClient::with_small_buffer(app.address()).await;
        client.send(get(HISTORY, &key).repeat(16)).await;
        clients.push(client);
    }
    eventually("all are connected", Duration::from_secs(10), async || {
        ProcessStats::of(app.pid()).files >= before.files + 20
    })
    .await;
    let (mut most, gone) = (0, before.files + 2);
    let ended = eventually("all are hung up on", Duration::from_secs(20), async || {
        let now = ProcessStats::of(app.pid());
        most = most.max(now.memory_mib);
        now.files <= gone
    })
    .await;
    let after = ProcessStats::of(app.pid());
    assert!(most < before.memory_mib + 60, "{before:?}, {most} MiB at most");
    assert!(after.memory_mib < before.memory_mib + 30, "{before:?} {after:?}");
    assert_eq!(app.get(&key, "/api/stocks").await.status(), 200);
    record(
        "who_takes_nothing_of_what_it_asked_for_is_hung_up_on_and_leaves_nothing_behind",
        &format!(
            "all had ended {} ms later, none of their files is open; memory {} MiB before, {most} at most, {} after",
            ended.as_millis(),
            before.memory_mib,
            after.memory_mib
        ),
    );
}

#[tokio::test]
async fn who_reads_slowly_gets_all_of_it() {
    let database = Database::sample().await;
    let app = App::with(
        &database,
        &[("CLIENT_STALL_TIMEOUT_MS", "1000"), ("REQUEST_HEAD_TIMEOUT_MS", "1000")],
    )
    .await;
    let key = database.issue("enterprise");
    let whole = app.get(&key, HISTORY).await.text().await.unwrap();
    let mut client = RawClient::with_small_buffer(app.address()).await;
    // Four answers are more than systems hold for a connection.
    client.send(get(HISTORY, &key).repeat(4)).await;
    client.close_sending().await;
    let started = Instant::now();
    let mut bytes = Vec::new();
    loop {
        let some = client.read_some(256 * 1024).await;
        if some.is_empty() {
            break;
        }
        bytes.extend(some);
        // A pause is what makes it slow.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 4);
    let (first, last) = (whole.lines().nth(1).unwrap(), whole.lines().last().unwrap());
    assert_eq!((text.matches(first).count(), text.matches(last).count()), (4, 4));
    record(
        "who_reads_slowly_gets_all_of_it",
        &format!("{} bytes in {:.1} s, all of them", text.len(), started.elapsed().as_secs_f64()),
    );
}

#[tokio::test]
async fn no_head_takes_longer_than_its_time_however_it_drips() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("REQUEST_HEAD_TIMEOUT_MS", "1000")]).await;
    let (request, drop) = ("GET /health HTTP/1.1\r\nhost: x\r\n\r\n", Duration::from_millis(100));
    let bound = Duration::from_millis(3000);
    let mut first = RawClient::connect(app.address()).await;
    let took = first.send_slowly("G", drop).await;
    assert!(took < bound, "the first: {took:?}");
    let mut seen = format!("the first head ended after {} ms", took.as_millis());
    let mut second = RawClient::connect(app.address()).await;
    second.send(request).await;
    second.read_until("}").await;
    let took = second.send_slowly("G", drop).await;
    assert!(took < bound, "the second: {took:?}");
    write!(seen, ", a second after {}", took.as_millis()).unwrap();
    // Its first byte comes with the request before.
    let mut tail = RawClient::connect(app.address()).await;
    tail.send(format!("{request}G")).await;
    tail.read_until("}").await;
    let took = tail.send_slowly("E", drop).await;
    assert!(took < bound, "one that began early: {took:?}");
    write!(seen, ", one that began with the request before after {}", took.as_millis()).unwrap();
    record("no_head_takes_longer_than_its_time_however_it_drips", &seen);
    // Who is in time is served again and again.
    let mut good = RawClient::connect(app.address()).await;
    for _ in 0..3 {
        good.send(request).await;
        assert!(good.read_until("}").await.starts_with("HTTP/1.1 200"));
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

#[tokio::test]
async fn no_body_takes_longer_than_its_time_read_or_not() {
    let database = Database::sample().await;
    let variables = [("REQUEST_HEAD_TIMEOUT_MS", "1000"), ("BODY_TIMEOUT_MS", "1000")];
    let (app, key) = (App::with(&database, &variables).await, database.issue("pro"));
    let head = |method: &str, path: &str, kind: &str| {
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n{kind}\r\n\r\n")
    };
    let (drop, bound) = (Duration::from_millis(100), Duration::from_secs(4));
    let mut slowest = Duration::ZERO;
    for (kind, text) in
        [("content-length: 1000", " "), ("transfer-encoding: chunked", "1\r\n \r\n")]
    {
        for (method, path) in
            [("POST", "/api/watchlists"), ("POST", "/api/stocks"), ("GET", "/health")]
        {
            let mut client = RawClient::connect(app.address()).await;
            client.send(head(method, path, kind)).await;
            let took = client.send_slowly(text, drop).await;
            assert!(took < bound, "{method} {path} {kind}: {took:?}");
            slowest = slowest.max(took);
            let mut silent = RawClient::connect(app.address()).await;
            silent.send(head(method, path, kind)).await;
            let (answer, took) = silent.read_to_end().await;
            assert!(took < bound, "{method} {path} {kind}: {took:?}");
            slowest = slowest.max(took);
            let expected = if path == "/api/watchlists" { "body_too_slow" } else { "HTTP/1.1 " };
            assert!(answer.contains(expected), "{method} {path} {kind}: {answer}");
        }
    }
    record(
        "no_body_takes_longer_than_its_time_read_or_not",
        &format!(
            "all 12 connections ended, the slowest after {} ms; routes that read the body sent 408",
            slowest.as_millis()
        ),
    );
}

#[tokio::test]
async fn who_pipelines_and_takes_no_answers_is_not_read_from() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let before = ProcessStats::of(app.pid());
    let mut client = RawClient::with_small_buffer(app.address()).await;
    let requests = PREFLIGHT.repeat(1000);
    let sending = client.send_until_stuck(requests.as_bytes(), Duration::from_secs(3));
    let taken = tokio::time::timeout(Duration::from_secs(30), sending).await;
    let stuck = ProcessStats::of(app.pid());
    assert!(
        stuck.memory_mib < before.memory_mib + 24,
        "{before:?} {stuck:?} after {taken:?} bytes"
    );
    let taken = taken.expect("reading stops");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = ProcessStats::of(app.pid());
    assert!(idle.cpu_s - stuck.cpu_s < 0.2, "it spins: {stuck:?} {idle:?}");
    record(
        "who_pipelines_and_takes_no_answers_is_not_read_from",
        &format!(
            "reading stopped after {taken} bytes; memory {} MiB before, {} then; {:.2} s of processor in the next second",
            before.memory_mib,
            stuck.memory_mib,
            idle.cpu_s - stuck.cpu_s
        ),
    );
}

#[tokio::test]
async fn who_pipelines_and_reads_gets_every_answer() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let mut client = RawClient::with_small_buffer(app.address()).await;
    let (requests, count) = (PREFLIGHT.repeat(100), 20_000);
    let mut left = requests.as_bytes().repeat(count / 100);
    let (mut seen, started) = (0, Instant::now());
    let mut tail = String::new();
    while seen < count {
        let part = left.len().min(64 * 1024);
        let sent = client.try_send(&left[..part]).await;
        left.drain(..sent);
        tail.push_str(&String::from_utf8_lossy(&client.read_some(1024 * 1024).await));
        seen += tail.matches("HTTP/1.1 204").count();
        let keep = tail.len() - tail.len().min(11);
        tail.drain(..keep);
    }
    assert_eq!(seen, count);
    record(
        "who_pipelines_and_reads_gets_every_answer",
        &format!("{seen} answers in {:.1} s", started.elapsed().as_secs_f64()),
    );
}
