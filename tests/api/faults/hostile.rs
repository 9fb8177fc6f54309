//! Malformed and ambiguous HTTP. Each message closes its own connection or gets a status, and no
//! bytes after an ambiguous message are taken for a request.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::support::{App, Database, ProcessStats, RawClient, eventually, record};

/// The request that an attacker tries to smuggle. Its path would appear in the log.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";

/// Malformed messages, each with the statuses that the server may send, in order.
const MALFORMED: &[(&str, &[u16])] = &[
    // Request lines.
    ("GET\r\n\r\n", &[400]),
    ("GET /\r\n\r\n", &[400]), // HTTP/0.9
    ("GET / HTTP/1.1 \r\nhost: x\r\n\r\n", &[400]),
    ("GET / HTTP/1.2\r\nhost: x\r\n\r\n", &[400]),
    ("GET / HTTP/9.9\r\n\r\n", &[400]),
    ("GET / http/1.1\r\nhost: x\r\n\r\n", &[400]),
    ("GET  / HTTP/1.1\r\nhost: x\r\n\r\n", &[400]),
    ("G\x01T / HTTP/1.1\r\nhost: x\r\n\r\n", &[400]),
    ("GET /\0 HTTP/1.1\r\nhost: x\r\n\r\n", &[400]),
    ("GET /a b HTTP/1.1\r\nhost: x\r\n\r\n", &[400]),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[400]),
    ("\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03", &[400]), // TLS
    ("SSH-2.0-OpenSSH_9.6\r\n", &[400]),
    ("*1\r\n$4\r\nPING\r\n", &[400]),
    ("\r\n\r\n\0\0\0", &[400]),
    ("\u{ff}\u{fe}\u{0}", &[400]),
    // Headers.
    ("GET /health HTTP/1.1\r\n\r\n", &[400]), // no Host
    ("GET /health HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n", &[400]),
    ("GET /health HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n", &[400]),
    ("GET /health HTTP/1.1\r\nhost: x\r\nspaced : y\r\n\r\n", &[400]),
    ("GET /health HTTP/1.1\r\nhost: x\r\nfolded: y\r\n z\r\n\r\n", &[400]),
    ("GET /health HTTP/1.1\r\nhost: x\r\nnul: \0\r\n\r\n", &[400]),
    ("GET /health HTTP/1.1\r\nhost: x\r\n: y\r\n\r\n", &[400]),
    // Lengths. A server that disagrees with its proxy about the end of a message may take the rest
    // for a request.
    (
        "POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\
         transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    ("POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n", &[400]),
    (
        "POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
        &[400],
    ),
    ("POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 5, 5\r\n\r\nhello", &[400]),
    ("POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", &[400]),
    ("POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: +5\r\n\r\nhello", &[400]),
    ("POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 0x5\r\n\r\nhello", &[400]),
    ("POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n", &[400]),
    (
        "POST /health HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    ("POST /health HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n", &[400]),
    (
        "POST /health HTTP/1.1\r\nhost: x\r\n\
         transfer-encoding: chunked\r\ntransfer-encoding: x\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    ("POST /health HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", &[400]),
    ("POST /health HTTP/1.1\r\nhost: x\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n", &[400]),
    ("POST /health HTTP/1.1\r\nhost: x\r\ntransfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n", &[400]),
    // Chunks. The server responds to the head before it finds the error in the body.
    ("POST /health HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", &[405, 400]),
    ("POST /health HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n", &[405, 400]),
    (
        "POST /health HTTP/1.1\r\nhost: x\r\n\
         transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        &[405, 400],
    ),
    (
        "POST /health HTTP/1.1\r\nhost: x\r\n\
         transfer-encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n",
        &[405, 400],
    ),
    (
        "POST /health HTTP/1.1\r\nhost: x\r\n\
         transfer-encoding: chunked\r\n\r\n1;a\nb\r\nx\r\n0\r\n\r\n",
        &[405, 400],
    ),
];

/// Unusual but valid messages, each with its status.
const UNUSUAL: &[(&str, u16)] = &[
    ("GET /health HTTP/1.0\r\n\r\n", 200),
    ("GET http://x/health HTTP/1.1\r\nhost: x\r\n\r\n", 200),
    ("GET //health HTTP/1.1\r\nhost: x\r\n\r\n", 404),
    ("GET /api/../health HTTP/1.1\r\nhost: x\r\n\r\n", 401),
    ("GET /%ff%fe HTTP/1.1\r\nhost: x\r\n\r\n", 404),
    ("GET /\u{fc} HTTP/1.1\r\nhost: x\r\n\r\n", 400), // not a URI
    ("GET /%00 HTTP/1.1\r\nhost: x\r\n\r\n", 404),
    ("OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n", 404),
    ("CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n", 404),
    ("TRACE /health HTTP/1.1\r\nhost: x\r\n\r\n", 405),
    ("BREW /health HTTP/1.1\r\nhost: x\r\n\r\n", 405),
    ("\r\nGET /health HTTP/1.1\r\nhost: x\r\n\r\n", 200),
    ("GET /health HTTP/1.1\nhost: x\n\n", 200),
    ("GET /health HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\r\n", 200),
    ("GET /health HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", 200),
    ("GET /health HTTP/1.1\r\nhost: x\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n", 200),
];

/// Sends bytes over a new connection, closes the sending side, and returns the received statuses.
async fn statuses(address: &str, bytes: &[u8]) -> Vec<u16> {
    let mut client = RawClient::connect(address).await;
    client.send_if_accepted(bytes).await;
    client.close_sending().await;
    let (text, _) = client.read_to_end().await;
    let heads = text.split("HTTP/1.").skip(1);
    let statuses = heads.filter_map(|head| head.get(2..5)?.parse().ok());
    statuses.filter(|status| *status != 100).collect()
}

#[tokio::test]
async fn malformed_messages_smuggle_no_request_and_affect_no_other_client() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("REQUEST_HEAD_TIMEOUT_MS", "1000")]).await;
    let mut attacks = JoinSet::new();
    for (bytes, expected) in MALFORMED {
        let address = app.address().to_owned();
        let bytes = format!("{bytes}{SMUGGLED}");
        attacks.spawn(async move {
            let got = statuses(&address, bytes.as_bytes()).await;
            assert!(!got.is_empty() && expected.starts_with(&got), "{bytes:?}: {got:?}");
        });
    }
    while let Some(attacked) = attacks.join_next().await {
        attacked.unwrap();
    }
    assert_eq!(app.get("none", "/health").await.status(), 200);
    eventually("the log is written", Duration::from_secs(5), async || {
        app.log().iter().any(|line| line.contains("\"/health\""))
    })
    .await;
    let is_event = |line: &&String| !line.contains("\"message\":\"request\"");
    assert!(
        app.log().iter().all(|line| !line.contains("smuggled") && !line.contains("panic")),
        "{:?}",
        app.log()
    );
    let logged: Vec<_> =
        app.log().into_iter().filter(|line| is_event(&line) && line.contains("ERROR")).collect();
    assert!(logged.is_empty(), "malformed messages must not fill the log: {logged:?}");
    record(
        "malformed_messages_smuggle_no_request_and_affect_no_other_client",
        &format!(
            "{} messages, each refused with 400 or disconnected; no bytes behind them taken for a \
             request; no error in the log",
            MALFORMED.len()
        ),
    );
}

#[tokio::test]
async fn unusual_but_valid_messages_get_exactly_one_response() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    for (bytes, status) in UNUSUAL {
        assert_eq!(statuses(app.address(), bytes.as_bytes()).await, [*status], "{bytes:?}");
    }
    record(
        "unusual_but_valid_messages_get_exactly_one_response",
        &format!("{} messages, one response each", UNUSUAL.len()),
    );
}

#[tokio::test]
async fn oversized_messages_are_refused_and_use_little_memory() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    let head = |filler: &str| format!("GET /health HTTP/1.1\r\nhost: x\r\n{filler}\r\n");
    for (bytes, status) in [
        (format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(5000)), 414),
        (format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(60_000)), 414),
        (head(&format!("f: {}\r\n", "x".repeat(20_000))), 431),
        (head(&format!("f: {}\r\n", "x".repeat(100_000))), 431),
        (head(&"f: x\r\n".repeat(90)), 200),
        (head(&"f: x\r\n".repeat(97)), 431),
        (head("content-length: 99999999\r\n"), 413),
    ] {
        let got = statuses(app.address(), bytes.as_bytes()).await;
        assert_eq!(got, [status], "{}", &bytes[..60]);
    }
    // The server reads only a part of an endless head. The response may get lost with the rest.
    let before = ProcessStats::of(app.pid());
    for bytes in [
        format!("GET /{}", "x".repeat(10_000_000)),
        head(&format!("f: {}\r\n", "x".repeat(10_000_000))),
    ] {
        let got = statuses(app.address(), bytes.as_bytes()).await;
        assert!(got.is_empty() || got == [431], "{got:?}");
    }
    let after = ProcessStats::of(app.pid());
    assert!(after.memory_mib < before.memory_mib + 8, "{before:?} {after:?}");
    record(
        "oversized_messages_are_refused_and_use_little_memory",
        &format!(
            "431, 414 and 413; memory {} MiB before, {} after 20 MB of heads without end",
            before.memory_mib, after.memory_mib
        ),
    );
}
