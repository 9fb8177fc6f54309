//! Postgres is lost during a long response: the response is complete, or its client can tell that
//! it is not.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::fixtures::issue_unlimited;
use crate::support::{App, Database, Fault, Proxy, eventually, header, record};

/// The compressed history exceeds the 4 MiB that Linux buffers for a client that does not read yet.
const DAYS: u32 = 150_000;
/// The end of a chunked body.
pub const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// A history that is read in batches of 1,000 days. Its random numbers compress badly.
pub async fn long_history(days: u32) -> Database {
    let database = Database::sample().await;
    let sql = format!(
        "INSERT INTO prices (stock_id, date, open, high, low, close, adjusted_close, volume)
         SELECT id, date '1584-01-01' + day, 1 + 100 * random(), 200, 0.5, 1 + 100 * random(),
                1 + 100 * random(), (1e12 * random())::bigint
         FROM stocks, generate_series(1, {days}) AS day WHERE symbol = 'MSFT'"
    );
    database.connect().await.batch_execute(&sql).await.unwrap();
    database
}

/// Requests that history and reads only the beginning of the response.
pub async fn start_stream(app: &App, key: &str, format: &str, encoding: &str) -> TcpStream {
    // A small buffer keeps the rest of the response unread in Postgres.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut stream = socket.connect(app.address().parse().unwrap()).await.unwrap();
    let path = format!("/api/stocks/MSFT/prices?start=1584-01-01&end=1995-12-31&format={format}");
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
         accept-encoding: {encoding}\r\nx-api-key: {key}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut beginning = [0; 100];
    stream.read_exact(&mut beginning).await.unwrap();
    assert!(beginning.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&beginning));
    stream
}

pub async fn read_rest(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(120), stream.read_to_end(&mut rest));
    // A connection that is cut off may be reset or just end.
    let _ = read.await.expect("the response ends");
    rest
}

#[tokio::test]
async fn a_stream_is_cut_off_without_postgres_and_complete_if_only_its_connection_ends() {
    let database = long_history(DAYS).await;
    let proxy = Proxy::to(&database.url());
    let bounds = [
        ("DATABASE_CONNECT_TIMEOUT_MS", "2000"),
        ("DATABASE_WAIT_TIMEOUT_MS", "2000"),
        ("DATABASE_STATEMENT_TIMEOUT_MS", "2000"),
    ];
    let key = issue_unlimited(&database).await;
    let app = App::with(&Database::at(&proxy.url()), &bounds).await;
    let mut cut_off = Vec::new();
    for (format, encoding) in [("ndjson", "identity"), ("csv", "identity"), ("csv", "gzip")] {
        let (whole, ended) = (
            start_stream(&app, &key, format, encoding).await,
            start_stream(&app, &key, format, encoding).await,
        );
        let whole = read_rest(whole).await;
        assert!(whole.ends_with(LAST_CHUNK), "{format} {encoding}: {} bytes", whole.len());
        // The connection ends between two batches; the client has read only the first.
        proxy.set(Fault::Cut);
        proxy.set(Fault::None);
        let ended = read_rest(ended).await;
        assert!(ended.ends_with(LAST_CHUNK), "{format} {encoding}: {} bytes", ended.len());
        // Only the request id differs, not the body.
        let body = |response: &[u8]| {
            response.windows(4).position(|end| end == b"\r\n\r\n").map(|at| response[at..].to_vec())
        };
        assert!(body(&ended) == body(&whole), "{format} {encoding}: the body differs");
        let all = [Fault::Cut, Fault::Stall, Fault::Vanish];
        let faults = if format == "ndjson" { all.as_slice() } else { &all[..1] };
        for fault in faults.iter().copied() {
            let lost = start_stream(&app, &key, format, encoding).await;
            proxy.set(fault);
            if fault == Fault::Vanish {
                // No other server replaces it.
                proxy.set(Fault::Refuse);
            }
            let started = Instant::now();
            let lost = read_rest(lost).await;
            assert!(
                !lost.ends_with(LAST_CHUNK),
                "{fault:?}, {format} {encoding}: {} bytes",
                lost.len()
            );
            assert!(lost.len() < whole.len(), "{fault:?}");
            cut_off.push(started.elapsed());
            proxy.set(Fault::None);
            let back = async || app.get(&key, "/api/watchlists").await.status() == 200;
            eventually("Postgres is back", Duration::from_secs(20), back).await;
            assert!(
                read_rest(start_stream(&app, &key, format, encoding).await)
                    .await
                    .ends_with(LAST_CHUNK)
            );
        }
    }
    let slowest = cut_off.iter().max().unwrap();
    let figures = format!(
        "3 of 3 complete and identical after their connection ended; {} of 5 cut off before their \
         end, the slowest after {} ms",
        cut_off.len(),
        slowest.as_millis()
    );
    record(
        "a_stream_is_cut_off_without_postgres_and_complete_if_only_its_connection_ends",
        &figures,
    );
}

#[tokio::test]
#[ignore = "make test-faults: sets a clock forward, with libfaketime"]
async fn expired_responses_are_served_as_stale_while_postgres_is_unavailable() {
    let database = Database::sample().await;
    let proxy = Proxy::to(&database.url());
    let offset = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(offset.path(), "+0\n").unwrap();
    let mut serve = Database::at(&proxy.url()).tickerd(&["serve"]);
    let library = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"].iter();
    let library = library.map(|dir| format!("{dir}/faketime/libfaketime.so.1"));
    let library = library.into_iter().find(|file| std::path::Path::new(file).exists());
    serve.env(
        "LD_PRELOAD",
        library.expect("libfaketime is installed (deploy/install-tools faults)"),
    );
    serve
        .env("FAKETIME_TIMESTAMP_FILE", offset.path())
        .env("FAKETIME_NO_CACHE", "1")
        .env("DONT_FAKE_MONOTONIC", "1");
    let key = issue_unlimited(&database).await;
    let app = App::start(serve).await;
    let quote = "/api/stocks/AAPL/quote";
    let fresh = app.get(&key, quote).await;
    assert_eq!(header(&fresh, "x-cache"), "MISS");
    let fresh: Value = fresh.json().await.unwrap();
    proxy.set(Fault::Refuse);
    // A quote is fresh for a minute.
    std::fs::write(offset.path(), "+120\n").unwrap();
    for _ in 0..50 {
        let stale = app.get(&key, quote).await;
        assert_eq!((stale.status().as_u16(), header(&stale, "x-cache")), (200, "STALE"));
        assert_eq!(header(&stale, "cache-control"), "private, max-age=0");
        assert!(header(&stale, "age").parse::<u32>().unwrap() >= 119);
        assert_eq!(stale.json::<Value>().await.unwrap(), fresh);
    }
    proxy.set(Fault::None);
    let renewed = async || header(&app.get(&key, quote).await, "x-cache") != "STALE";
    let back = eventually("the quote is fresh again", Duration::from_secs(3), renewed).await;
    let figures = format!(
        "50 of 50 were 200, STALE and max-age=0; fresh again {} ms after Postgres was back",
        back.as_millis()
    );
    record("expired_responses_are_served_as_stale_while_postgres_is_unavailable", &figures);
}
