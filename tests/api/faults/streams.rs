//! Postgres is lost while a long answer is on its way: it is whole, or its client sees that it is
//! not.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::harm::issue_unlimited;
use crate::support::{App, Database, Fault, Proxy, eventually, header, record};

/// As gzip more than the 4 MiB of an answer that Linux holds for a client which is not reading yet,
/// on a busy machine.
const DAYS: u32 = 150_000;
/// What ends a body whose length was not known when it began.
pub const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// A history that is read in batches of 1,000 days, of numbers that can't be packed to little.
pub async fn long_history(days: u32) -> Database {
    let database = Database::sample().await;
    let sql = format!(
        "INSERT INTO prices (stock_id, date, open, high, low, close, adjusted_close, volume)
         SELECT id, date '1584-01-01' + day, 1 + 100 * random(), 200, 0.5, 1 + 100 * random(), 1 + 100 * random(),
                (1e12 * random())::bigint
         FROM stocks, generate_series(1, {days}) AS day WHERE symbol = 'MSFT'"
    );
    database.connect().await.batch_execute(&sql).await.unwrap();
    database
}

/// Asks for that history and reads nothing of the answer but its beginning.
pub async fn begun(app: &App, key: &str, format: &str, encoding: &str) -> TcpStream {
    // No more of the answer may lie in the buffers of the system than has to: the rest is still to
    // be read from Postgres.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut stream = socket.connect(app.address().parse().unwrap()).await.unwrap();
    let path = format!("/api/stocks/MSFT/prices?start=1584-01-01&end=1995-12-31&format={format}");
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\naccept-encoding: {encoding}\r\nx-api-key: {key}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut beginning = [0; 100];
    stream.read_exact(&mut beginning).await.unwrap();
    assert!(beginning.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&beginning));
    stream
}

pub async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(120), stream.read_to_end(&mut rest));
    // A connection that is cut off may say so, or just end.
    let _ = read.await.expect("the answer ends");
    rest
}

#[tokio::test]
async fn a_stream_whose_postgres_is_lost_is_cut_off_and_one_whose_connection_ends_is_whole() {
    let database = long_history(DAYS).await;
    let proxy = Proxy::to(&database.url());
    let bounds = [
        ("DATABASE_CONNECT_TIMEOUT_MS", "2000"),
        ("DATABASE_WAIT_TIMEOUT_MS", "2000"),
        ("DATABASE_STATEMENT_TIMEOUT_MS", "2000"),
    ];
    let key = issue_unlimited(&database).await;
    let app = App::with(&Database::at(&proxy.url()), &bounds).await;
    let mut refuse_connections = Vec::new();
    for (format, encoding) in [("ndjson", "identity"), ("csv", "identity"), ("csv", "gzip")] {
        let (whole, ended) =
            (begun(&app, &key, format, encoding).await, begun(&app, &key, format, encoding).await);
        let whole = rest(whole).await;
        assert!(whole.ends_with(LAST_CHUNK), "{format} {encoding}: {} bytes", whole.len());
        // Between two batches, of which this client has taken only the first.
        proxy.set(Fault::Cut);
        proxy.set(Fault::None);
        let ended = rest(ended).await;
        assert!(ended.ends_with(LAST_CHUNK), "{format} {encoding}: {} bytes", ended.len());
        // The id of the request differs; the body doesn't.
        let body = |answer: &[u8]| {
            answer.windows(4).position(|end| end == b"\r\n\r\n").map(|at| answer[at..].to_vec())
        };
        assert!(body(&ended) == body(&whole), "{format} {encoding}: another body");
        let all = [Fault::Cut, Fault::Stall, Fault::Vanish];
        let faults = if format == "ndjson" { all.as_slice() } else { &all[..1] };
        for fault in faults.iter().copied() {
            let lost = begun(&app, &key, format, encoding).await;
            proxy.set(fault);
            if fault == Fault::Vanish {
                // And nobody takes its place.
                proxy.set(Fault::Refuse);
            }
            let started = Instant::now();
            let lost = rest(lost).await;
            assert!(
                !lost.ends_with(LAST_CHUNK),
                "{fault:?}, {format} {encoding}: {} bytes",
                lost.len()
            );
            assert!(lost.len() < whole.len(), "{fault:?}");
            refuse_connections.push(started.elapsed());
            proxy.set(Fault::None);
            let back = async || app.get(&key, "/api/watchlists").await.status() == 200;
            eventually("Postgres is back", Duration::from_secs(20), back).await;
            assert!(rest(begun(&app, &key, format, encoding).await).await.ends_with(LAST_CHUNK));
        }
    }
    let slowest = refuse_connections.iter().max().unwrap();
    let seen = format!(
        "3 of 3 whole and alike after their connection ended; {} of 5 cut off before their end, the slowest after {} ms",
        refuse_connections.len(),
        slowest.as_millis()
    );
    record(
        "a_stream_whose_postgres_is_lost_is_cut_off_and_one_whose_connection_ends_is_whole",
        &seen,
    );
}

#[tokio::test]
#[ignore = "make test-faults: sets a clock forward, with libfaketime"]
async fn what_is_beyond_its_time_is_served_and_says_so_while_postgres_is_away() {
    let database = Database::sample().await;
    let (proxy, offset) = (Proxy::to(&database.url()), tempfile::NamedTempFile::new().unwrap());
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
    let back = eventually("it is fresh again", Duration::from_secs(3), renewed).await;
    let seen = format!(
        "50 of 50 were 200, STALE and max-age=0; fresh again {} ms after Postgres was back",
        back.as_millis()
    );
    record("what_is_beyond_its_time_is_served_and_says_so_while_postgres_is_away", &seen);
}
