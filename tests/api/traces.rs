//! A request can be followed from its client's trace down to Postgres.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{App, Database, id_of};

const RANGE: &str = "/api/stocks/AAPL/prices?start=2012-01-01&end=2012-12-31";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// Receives exported traces over HTTP. Returns its URL and the bodies received so far.
pub async fn collector() -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let received = bodies.clone();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(receive(connection, received.clone()));
        }
    });
    (url, bodies)
}

async fn receive(mut connection: TcpStream, received: Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut read = Vec::new();
    while connection.read_buf(&mut read).await.is_ok_and(|bytes| bytes > 0) {
        let Some(head) = read.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&read[..head]).to_lowercase();
        assert!(text.starts_with("post /v1/traces "), "{text}");
        let length = text
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.lines().next()?.parse::<usize>().ok());
        let end = head + 4 + length.expect("a length");
        if read.len() >= end {
            received.lock().unwrap().push(read.drain(..end).skip(head + 4).collect());
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        }
    }
}

fn spans(bodies: &Mutex<Vec<Vec<u8>>>) -> Vec<Span> {
    let bodies = bodies.lock().unwrap();
    let exports =
        bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.as_slice()).unwrap());
    exports
        .flat_map(|export| export.resource_spans)
        .flat_map(|of| of.scope_spans)
        .flat_map(|of| of.spans)
        .collect()
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_request_is_a_child_span_of_its_clients_and_its_waits_are_child_spans() {
    let database = Database::sample().await;
    let (url, bodies) = collector().await;
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()), ("OTEL_TRACES_SAMPLER_ARG", "1")];
    // Issued before the server starts: a change of a key makes it read the row again.
    let key = database.issue("pro");
    let mut app = App::with(&database, &variables).await;
    let traceparent = format!("00-{TRACE}-{CALLER}-01");
    let request =
        app.request("GET", RANGE).header("x-api-key", &key).header("traceparent", traceparent);
    assert_eq!(request.send().await.unwrap().status(), 200);
    app.signal("TERM");
    assert_eq!(app.wait_for_exit().await, Some(0));
    let spans = spans(&bodies);
    let root = spans
        .iter()
        .find(|span| span.name == "GET /api/stocks/{symbol}/prices")
        .expect("a span of the request");
    assert_eq!(
        (hex(&root.trace_id), hex(&root.parent_span_id)),
        (TRACE.to_owned(), CALLER.to_owned())
    );
    let attributes: BTreeMap<_, _> = root
        .attributes
        .iter()
        .map(|pair| (pair.key.as_str(), format!("{:?}", pair.value)))
        .collect();
    for (name, value) in [
        ("http.response.status_code", "200"),
        ("tickerd.outcome", "miss"),
        ("tickerd.key", id_of(&key)),
    ] {
        assert!(attributes[name].contains(value), "{name}: {attributes:?}");
    }
    let mut below: Vec<_> = spans
        .iter()
        .filter(|span| span.parent_span_id == root.span_id)
        .map(|span| span.name.as_str())
        .collect();
    below.sort_unstable();
    assert_eq!(below, ["argon2id", "postgres", "postgres"], "the key's row, its secret, the range");
    let secret = &key.as_bytes()[21..];
    let bodies = bodies.lock().unwrap();
    assert!(bodies.iter().all(|body| !body.windows(secret.len()).any(|bytes| bytes == secret)));
}

#[tokio::test]
async fn a_client_cannot_force_its_traces_to_be_kept_unless_it_is_trusted() {
    const REQUESTS: usize = 50;
    let database = Database::sample().await;
    for (trusted, kept) in [("false", 0), ("true", REQUESTS)] {
        let (url, bodies) = collector().await;
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
            ("OTEL_TRACES_SAMPLER_ARG", "0.000001"),
            ("TRACEPARENT_TRUSTED", trusted),
        ];
        let mut app = App::with(&database, &variables).await;
        for _ in 0..REQUESTS {
            // An id that a share of ids keeps first, and the flag that asks for it.
            let traceparent = format!("00-{:032x}-{CALLER}-01", 1);
            let request = app.request("GET", "/health").header("traceparent", traceparent);
            assert_eq!(request.send().await.unwrap().status(), 200);
        }
        app.signal("TERM");
        assert_eq!(app.wait_for_exit().await, Some(0));
        let of_clients = spans(&bodies)
            .iter()
            .filter(|span| hex(&span.trace_id) == format!("{:032x}", 1))
            .count();
        assert_eq!(of_clients, kept, "trusted: {trusted}");
    }
}

#[tokio::test]
async fn an_unreachable_collector_does_not_affect_requests() {
    let database = Database::sample().await;
    // A port without a listener: it was just released.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let mut app = App::with(
        &database,
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url), ("OTEL_TRACES_SAMPLER_ARG", "1")],
    )
    .await;
    let key = database.issue("pro");
    for _ in 0..100 {
        assert_eq!(app.get(&key, RANGE).await.status(), 200);
    }
    app.signal("TERM");
    assert_eq!(app.wait_for_exit().await, Some(0));
}

#[test]
fn an_invalid_endpoint_is_a_usage_error() {
    for (variable, value, message) in [
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "collector:4318",
            "expected a URL as in http://127.0.0.1:4318",
        ),
        ("OTEL_TRACES_SAMPLER_ARG", "2", "expected a number from 0 to 1"),
    ] {
        let mut command =
            crate::support::tickerd(&["serve", "--database-url", "postgres://localhost"]);
        let output = crate::support::CommandOutput::of(command.env(variable, value));
        assert!(output.code == Some(2) && output.stderr.contains(message), "{output:?}");
    }
}
