//! Bytes that arrive while the server is still responding.

use std::time::Duration;

use crate::support::{
    App, Database, Fault, ProcessStats, Proxy, RawClient, eventually, get, record,
};

/// The whole history of a stock, read in batches.
const HISTORY: &str = "/api/stocks/IBM/prices?start=1990-01-01&format=csv";

#[tokio::test]
async fn pipelined_requests_behind_a_waiting_one_use_no_cpu() {
    let database = Database::sample().await;
    let proxy = Proxy::to(&database.url());
    let app = App::with(&Database::at(&proxy.url()), &[]).await;
    proxy.set(Fault::Stall);
    // Each request waits one second before it reports that Postgres is down, one after the other.
    let requests = get("/health/ready", "").repeat(4000);
    let mut client = RawClient::connect(app.address()).await;
    let sending = client.send_until_stuck(requests.as_bytes(), Duration::from_secs(1));
    let taken =
        tokio::time::timeout(Duration::from_secs(10), sending).await.expect("reading stops");
    let before = ProcessStats::of(app.pid());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after = ProcessStats::of(app.pid());
    let spent = after.cpu_s - before.cpu_s;
    assert!(spent < 0.6, "the server spins: {before:?} {after:?}");
    proxy.set(Fault::None);
    assert!(client.read_until("}").await.starts_with("HTTP/1.1 "));
    record(
        "pipelined_requests_behind_a_waiting_one_use_no_cpu",
        &format!(
            "{taken} bytes were accepted, including system buffers; {spent:.2} s of CPU time in 3 s"
        ),
    );
}

/// The body of a response in chunks, of which another response may follow.
fn unchunked(response: &str) -> String {
    let (_, mut rest) = response.split_once("\r\n\r\n").expect("a head");
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").expect("a chunk's size");
        let size = usize::from_str_radix(size, 16).expect("a number");
        if size == 0 {
            return body;
        }
        body.push_str(&after[..size]);
        rest = &after[size + 2..];
    }
}

#[tokio::test]
async fn a_silent_stream_is_not_cut_off_when_another_request_arrives() {
    let database = Database::sample().await;
    let proxy = Proxy::to(&database.url());
    let app = App::with(
        &Database::at(&proxy.url()),
        &[("REQUEST_HEAD_TIMEOUT_MS", "700"), ("KEEP_ALIVE_S", "1")],
    )
    .await;
    let key = database.issue("enterprise");
    let whole = app.get(&key, HISTORY).await.text().await.unwrap();
    // Longer than the time-outs for a head and for an idle connection.
    proxy.set(Fault::Slow(Duration::from_millis(800)));
    let mut client = RawClient::connect(app.address()).await;
    client.send(get(HISTORY, &key)).await;
    let mut response = client.read_some(4096).await;
    client.send("GET /health HTTP/1.1\r\n").await;
    let (rest, took) = client.read_to_end().await;
    response.extend(rest.as_bytes());
    let response = String::from_utf8_lossy(&response);
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    let streamed = unchunked(&response);
    assert_eq!(streamed, whole, "after {took:?}");
    let lines = |text: &str| text.lines().count() - 1;
    record(
        "a_silent_stream_is_not_cut_off_when_another_request_arrives",
        &format!(
            "{} of {} rows, the last after {:.1} s",
            lines(&streamed),
            lines(&whole),
            took.as_secs_f64()
        ),
    );
}

#[tokio::test]
async fn a_connection_is_closed_when_a_chunked_body_was_not_read() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("REQUEST_HEAD_TIMEOUT_MS", "1000")]).await;
    let mut client = RawClient::connect(app.address()).await;
    client
        .send(
            "POST /api/watchlists HTTP/1.1\r\nhost: x\r\n\
               transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        )
        .await;
    let (response, _) = client.read_to_end().await;
    assert!(
        response.starts_with("HTTP/1.1 401") && response.contains("connection: close"),
        "{response}"
    );
    // A body that was read to its end leaves the connection open.
    let key = database.issue("pro");
    let mut client = RawClient::connect(app.address()).await;
    let body = "{\"name\":\"mine\",\"symbols\":[\"AAPL\"]}";
    let head = format!(
        "POST /api/watchlists HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\
         transfer-encoding: chunked\r\n"
    );
    client.send(format!("{head}\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())).await;
    let created = client.read_until("}").await;
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    // Silent for longer than the time-out for a head.
    assert!(!client.is_closed_within(Duration::from_millis(2500)).await);
    eventually("the server still responds", Duration::from_secs(5), async || {
        client.send(get("/health", "")).await;
        client.read_until("}").await.starts_with("HTTP/1.1 200")
    })
    .await;
}
