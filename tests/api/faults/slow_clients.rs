//! Clients that send request heads and bodies slowly, or do not read their responses.

use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::support::{App, Database, ProcessStats, RawClient, eventually, get, record};

/// The whole history of five stocks: a megabyte.
const HISTORY: &str = "/api/prices?symbols=AAPL,GOOG,IBM,MSFT,AMZN&start=1990-01-01&format=csv";
const PREFLIGHT: &str = "OPTIONS /x HTTP/1.1\r\nhost: x\r\norigin: http://x\r\n\
                         access-control-request-method: GET\r\n\r\n";

#[tokio::test]
async fn a_client_that_reads_nothing_is_disconnected_and_its_resources_are_freed() {
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
    let mut most = 0;
    let files_at_rest = before.files + 2;
    let ended = eventually("all are disconnected", Duration::from_secs(20), async || {
        let now = ProcessStats::of(app.pid());
        most = most.max(now.memory_mib);
        now.files <= files_at_rest
    })
    .await;
    let after = ProcessStats::of(app.pid());
    assert!(most < before.memory_mib + 60, "{before:?}, {most} MiB at most");
    assert!(after.memory_mib < before.memory_mib + 30, "{before:?} {after:?}");
    assert_eq!(app.get(&key, "/api/stocks").await.status(), 200);
    record(
        "a_client_that_reads_nothing_is_disconnected_and_its_resources_are_freed",
        &format!(
            "all were disconnected {} ms later, and their sockets were closed; memory {} MiB \
             before, {most} at most, {} after",
            ended.as_millis(),
            before.memory_mib,
            after.memory_mib
        ),
    );
}

#[tokio::test]
async fn a_slow_reader_gets_its_whole_response() {
    let database = Database::sample().await;
    let app = App::with(
        &database,
        &[("CLIENT_STALL_TIMEOUT_MS", "1000"), ("REQUEST_HEAD_TIMEOUT_MS", "1000")],
    )
    .await;
    let key = database.issue("enterprise");
    let whole = app.get(&key, HISTORY).await.text().await.unwrap();
    let mut client = RawClient::with_small_buffer(app.address()).await;
    // Four responses are more than the socket buffers hold.
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
        // The pause makes the client slow.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 4);
    let (first, last) = (whole.lines().nth(1).unwrap(), whole.lines().last().unwrap());
    assert_eq!((text.matches(first).count(), text.matches(last).count()), (4, 4));
    record(
        "a_slow_reader_gets_its_whole_response",
        &format!("{} bytes in {:.1} s, all of them", text.len(), started.elapsed().as_secs_f64()),
    );
}

#[tokio::test]
async fn a_request_head_never_takes_longer_than_its_timeout() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("REQUEST_HEAD_TIMEOUT_MS", "1000")]).await;
    let request = "GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
    let pause = Duration::from_millis(100);
    let bound = Duration::from_millis(3000);
    let mut first = RawClient::connect(app.address()).await;
    let took = first.send_slowly("G", pause).await;
    assert!(took < bound, "the first: {took:?}");
    let mut figures = format!("the first head ended after {} ms", took.as_millis());
    let mut second = RawClient::connect(app.address()).await;
    second.send(request).await;
    second.read_until("}").await;
    let took = second.send_slowly("G", pause).await;
    assert!(took < bound, "the second: {took:?}");
    write!(figures, ", a second after {}", took.as_millis()).unwrap();
    // Its first byte arrives with the request before it.
    let mut tail = RawClient::connect(app.address()).await;
    tail.send(format!("{request}G")).await;
    tail.read_until("}").await;
    let took = tail.send_slowly("E", pause).await;
    assert!(took < bound, "the early one: {took:?}");
    write!(figures, ", one that began with the request before after {}", took.as_millis()).unwrap();
    record("a_request_head_never_takes_longer_than_its_timeout", &figures);
    // A client within the time-out is served repeatedly.
    let mut prompt = RawClient::connect(app.address()).await;
    for _ in 0..3 {
        prompt.send(request).await;
        assert!(prompt.read_until("}").await.starts_with("HTTP/1.1 200"));
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

#[tokio::test]
async fn a_request_body_never_takes_longer_than_its_timeout() {
    let database = Database::sample().await;
    let variables = [("REQUEST_HEAD_TIMEOUT_MS", "1000"), ("BODY_TIMEOUT_MS", "1000")];
    let app = App::with(&database, &variables).await;
    let key = database.issue("pro");
    let head = |method: &str, path: &str, kind: &str| {
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n{kind}\r\n\r\n")
    };
    let pause = Duration::from_millis(100);
    let bound = Duration::from_secs(4);
    let mut slowest = Duration::ZERO;
    for (kind, text) in
        [("content-length: 1000", " "), ("transfer-encoding: chunked", "1\r\n \r\n")]
    {
        for (method, path) in
            [("POST", "/api/watchlists"), ("POST", "/api/stocks"), ("GET", "/health")]
        {
            let mut client = RawClient::connect(app.address()).await;
            client.send(head(method, path, kind)).await;
            let took = client.send_slowly(text, pause).await;
            assert!(took < bound, "{method} {path} {kind}: {took:?}");
            slowest = slowest.max(took);
            let mut silent = RawClient::connect(app.address()).await;
            silent.send(head(method, path, kind)).await;
            let (response, took) = silent.read_to_end().await;
            assert!(took < bound, "{method} {path} {kind}: {took:?}");
            slowest = slowest.max(took);
            let expected = if path == "/api/watchlists" { "body_too_slow" } else { "HTTP/1.1 " };
            assert!(response.contains(expected), "{method} {path} {kind}: {response}");
        }
    }
    record(
        "a_request_body_never_takes_longer_than_its_timeout",
        &format!(
            "all 12 connections ended, the slowest after {} ms; routes that read the body sent 408",
            slowest.as_millis()
        ),
    );
}

#[tokio::test]
async fn the_server_stops_reading_from_a_pipelining_client_that_reads_no_responses() {
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
    assert!(idle.cpu_s - stuck.cpu_s < 0.2, "the server spins: {stuck:?} {idle:?}");
    record(
        "the_server_stops_reading_from_a_pipelining_client_that_reads_no_responses",
        &format!(
            "reading stopped after {taken} bytes; memory {} MiB before, {} then; {:.2} s of CPU \
             time in the next second",
            before.memory_mib,
            stuck.memory_mib,
            idle.cpu_s - stuck.cpu_s
        ),
    );
}

#[tokio::test]
async fn a_pipelining_client_that_reads_gets_every_response() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let mut client = RawClient::with_small_buffer(app.address()).await;
    let requests = PREFLIGHT.repeat(100);
    let count = 20_000;
    let mut left = requests.as_bytes().repeat(count / 100);
    let mut received = 0;
    let started = Instant::now();
    let mut tail = String::new();
    while received < count {
        let part = left.len().min(64 * 1024);
        let sent = client.try_send(&left[..part]).await;
        left.drain(..sent);
        tail.push_str(&String::from_utf8_lossy(&client.read_some(1024 * 1024).await));
        received += tail.matches("HTTP/1.1 204").count();
        let keep = tail.len() - tail.len().min(11);
        tail.drain(..keep);
    }
    assert_eq!(received, count);
    record(
        "a_pipelining_client_that_reads_gets_every_response",
        &format!("{received} responses in {:.1} s", started.elapsed().as_secs_f64()),
    );
}
