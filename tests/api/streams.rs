//! Streams are bounded in number and in memory, and every client can read them.

use std::time::Duration;

use crate::support::{App, Database, ProcessStats, RawClient, eventually, get, header};

/// The whole history of five stocks: a megabyte.
const HISTORY: &str = "/api/prices?symbols=AAPL,GOOG,IBM,MSFT,AMZN&start=1990-01-01&format=csv";

/// A client that begins to read a gzip stream and then reads nothing more.
async fn slow_reader(app: &App, key: &str) -> RawClient {
    let mut client = RawClient::with_small_buffer(app.address()).await;
    let head = format!("GET {HISTORY} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n");
    client.send(head + "accept-encoding: gzip\r\n\r\n").await;
    let start = client.read_some(100).await;
    assert!(start.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&start));
    client
}

#[tokio::test]
async fn a_key_and_an_instance_have_a_bounded_number_of_slow_streams() {
    let database = Database::sample().await;
    let bounds = [("STREAMS_PER_KEY_MAX", "2"), ("STREAMS_MAX", "3")];
    let app = App::with(&database, &bounds).await;
    let [first, second] = [database.issue("enterprise"), database.issue("enterprise")];
    let slow = [slow_reader(&app, &first).await, slow_reader(&app, &first).await];
    let refused = app.get(&first, HISTORY).await;
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (429, "1"));
    let problem: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "too_many_streams");
    let detail = "2 streams of this key are in progress, and no more are allowed: \
                  read or close one, or retry in 1 s";
    assert_eq!(problem["detail"], detail);
    // Pages are no streams.
    assert_eq!(app.get(&first, &format!("{HISTORY}&limit=1000")).await.status(), 200);
    let other = slow_reader(&app, &second).await;
    let refused = app.get(&second, HISTORY).await;
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (503, "1"));
    let problem: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(
        (&problem["code"], &problem["detail"]),
        (&"busy".into(), &"too many streams are in progress: retry in 1 s".into())
    );
    drop((slow, other));
    for key in [&first, &second] {
        eventually("a stream that has ended makes room", Duration::from_secs(10), async || {
            app.get(key, HISTORY).await.status() == 200
        })
        .await;
    }
}

#[tokio::test]
async fn a_slow_gzip_stream_holds_no_compressor() {
    const READERS: u64 = 200;
    let database = Database::sample().await;
    let app = App::with(&database, &[("STREAMS_PER_KEY_MAX", "1000")]).await;
    let key = database.issue("enterprise");
    for _ in 0..20 {
        app.get(&key, HISTORY).await.bytes().await.unwrap();
    }
    let before = ProcessStats::of(app.pid()).memory_mib;
    let mut readers = Vec::new();
    for _ in 0..READERS {
        readers.push(slow_reader(&app, &key).await);
    }
    let held = ProcessStats::of(app.pid()).memory_mib;
    let kib_each = (held - before) * 1024 / READERS;
    assert!(kib_each < 300, "{kib_each} KiB for each stream: {before} MiB, then {held} MiB");
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_a_stream_that_ends_with_its_connection() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let expected = app.get(&key, HISTORY).await.text().await.unwrap();
    assert!(expected.lines().count() > 1000);
    let mut client = RawClient::connect(app.address()).await;
    let head = format!("GET {HISTORY} HTTP/1.0\r\nx-api-key: {key}\r\n");
    client.send(head + "connection: keep-alive\r\n\r\n").await;
    let (response, _) = client.read_to_end().await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
    assert_eq!(body, expected);
    // An answer of known length keeps the connection.
    let mut client = RawClient::connect(app.address()).await;
    let request = format!(
        "GET /api/stocks/AAPL HTTP/1.0\r\nx-api-key: {key}\r\nconnection: keep-alive\r\n\r\n"
    );
    for _ in 0..2 {
        client.send(&request).await;
        assert!(client.read_until("}}").await.contains("content-length: "));
    }
}

#[tokio::test]
async fn long_pages_count_as_streams_of_their_key_while_they_are_sent() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("STREAMS_PER_KEY_MAX", "2")]).await;
    let key = database.issue("enterprise");
    let page = |limit: u32| format!("{HISTORY}&limit={limit}");
    let mut slow = Vec::new();
    for limit in [9999, 9998] {
        let mut client = RawClient::with_small_buffer(app.address()).await;
        client.send(get(&page(limit), &key)).await;
        assert!(client.read_some(100).await.starts_with(b"HTTP/1.1 200"));
        slow.push(client);
    }
    // Also from the cache.
    for limit in [9999, 9997] {
        let (status, problem) = app.json(&key, &page(limit)).await;
        assert_eq!((status, &problem["code"]), (429, &"too_many_streams".into()), "{limit}");
    }
    assert_eq!(app.get(&key, &page(1000)).await.status(), 200);
    drop(slow);
    eventually("a page that is sent makes room", Duration::from_secs(10), async || {
        app.get(&key, &page(9997)).await.status() == 200
    })
    .await;
    // Readers that take their pages are not refused, one after the other.
    for _ in 0..5 {
        let answer = app.get(&key, &page(9996)).await;
        assert_eq!(
            (answer.status().as_u16(), answer.text().await.unwrap().lines().count()),
            (200, 9997)
        );
    }
}
