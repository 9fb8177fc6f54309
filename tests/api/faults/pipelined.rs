//! What comes while an answer is still being made.

use std::time::Duration;

use crate::support::{
    App, Database, Fault, ProcessStats, Proxy, RawClient, eventually, get, record,
};

/// Everything there is of a stock, read in batches.
const HISTORY: &str = "/api/stocks/IBM/prices?start=1990-01-01&format=csv";

#[tokio::test]
async fn requests_behind_one_that_waits_cost_no_processor() {
    let database = Database::sample().await;
    let proxy = Proxy::to(&database.url());
    let app = App::with(&Database::at(&proxy.url()), &[]).await;
    proxy.set(Fault::Stall);
    // Each waits for a second to say that Postgres is away, one after the other.
    let requests = get("/health/ready", "").repeat(4000);
    let mut client = RawClient::connect(app.address()).await;
    let sending = client.send_until_stuck(requests.as_bytes(), Duration::from_secs(1));
    let taken =
        tokio::time::timeout(Duration::from_secs(10), sending).await.expect("reading stops");
    let before = ProcessStats::of(app.pid());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after = ProcessStats::of(app.pid());
    let spent = after.cpu_s - before.cpu_s;
    assert!(spent < 0.6, "it spins: {before:?} {after:?}");
    proxy.set(Fault::None);
    assert!(client.read_until("}").await.starts_with("HTTP/1.1 "));
    record(
        "requests_behind_one_that_waits_cost_no_processor",
        &format!(
            "{taken} bytes of them were taken, including system buffers; {spent:.2} s of processor time in 3 s"
        ),
    );
}

#[tokio::test]
async fn a_stream_is_not_cut_off_for_what_comes_while_it_is_silent() {
    let database = Database::sample().await;
    let proxy = Proxy::to(&database.url());
    let app = App::with(
        &Database::at(&proxy.url()),
        &[("REQUEST_HEAD_TIMEOUT_MS", "300"), ("KEEP_ALIVE_S", "1")],
    )
    .await;
    let key = database.issue("enterprise");
    let whole = app.get(&key, HISTORY).await.text().await.unwrap();
    // Longer than a head may take, and than a connection may idle.
    proxy.set(Fault::Slow(Duration::from_millis(800)));
    let mut client = RawClient::connect(app.address()).await;
    client.send(get(HISTORY, &key)).await;
    let mut answer = client.read_some(4096).await;
    client.send("GET /health HTTP/1.1\r\n").await;
    let (rest, took) = client.read_to_end().await;
    answer.extend(rest.as_bytes());
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // The size of a chunk may stand between the parts of a row.
    let lines = |text: &str| {
        text.lines().filter(|line| line.starts_with("19") || line.starts_with("20")).count()
    };
    assert_eq!(lines(&answer), lines(&whole), "after {took:?}");
    record(
        "a_stream_is_not_cut_off_for_what_comes_while_it_is_silent",
        &format!(
            "{} of {} rows, the last after {:.1} s",
            lines(&answer),
            lines(&whole),
            took.as_secs_f64()
        ),
    );
}

#[tokio::test]
async fn a_connection_is_not_kept_when_a_body_of_unknown_length_was_not_read() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("REQUEST_HEAD_TIMEOUT_MS", "1000")]).await;
    let mut client = RawClient::connect(app.address()).await;
    client
        .send("POST /api/watchlists HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
        .await;
    let (answer, _) = client.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("connection: close"), "{answer}");
    // One that was read to its end leaves nothing open.
    let key = database.issue("pro");
    let mut client = RawClient::connect(app.address()).await;
    let body = "{\"name\":\"mine\",\"symbols\":[\"AAPL\"]}";
    let head = format!(
        "POST /api/watchlists HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ntransfer-encoding: chunked\r\n"
    );
    client.send(format!("{head}\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())).await;
    let created = client.read_until("}").await;
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    // Silent for longer than a head may take.
    assert!(!client.is_closed_within(Duration::from_millis(2500)).await);
    eventually("it still answers", Duration::from_secs(5), async || {
        client.send(get("/health", "")).await;
        client.read_until("}").await.starts_with("HTTP/1.1 200")
    })
    .await;
}
