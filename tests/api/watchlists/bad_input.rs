//! An invalid watchlist is rejected with a clear message, and changes nothing.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{LISTS, make, send};
use crate::support::{App, Database, eventually, header};

#[tokio::test]
async fn each_invalid_body_gets_an_error_that_names_the_field_and_the_expectation() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let list = make(&app, &key, "A", &["IBM"]).await;
    let before = send(&app, &key, "GET", LISTS, Value::Null).await;
    let many = |count: usize| (0..count).map(|_| "AAPL").collect::<Vec<_>>();
    for (method, path, body, code, message) in [
        ("POST", LISTS, json!({}), "invalid_body", "missing field `name`"),
        ("POST", LISTS, Value::Null, "invalid_body", "missing field `name`"),
        ("POST", LISTS, json!(["B", ["IBM"]]), "invalid_body", "expected a JSON object"),
        (
            "POST",
            LISTS,
            json!({ "name": "B", "symbol": ["IBM"] }),
            "invalid_body",
            "unknown field `symbol`",
        ),
        (
            "POST",
            LISTS,
            json!({ "name": "B", "symbols": "IBM" }),
            "invalid_body",
            "expected a sequence",
        ),
        (
            "POST",
            LISTS,
            json!({ "name": "" }),
            "invalid_parameter",
            "name is not valid: expected 1 to 100 printable",
        ),
        ("POST", LISTS, json!({ "name": "x".repeat(101) }), "invalid_parameter", "1 to 100"),
        ("POST", LISTS, json!({ "name": "a\0b" }), "invalid_parameter", "printable"),
        (
            "POST",
            LISTS,
            json!({ "name": "B", "symbols": ["IBM", "NOPE"] }),
            "invalid_parameter",
            "symbol NOPE",
        ),
        (
            "POST",
            LISTS,
            json!({ "name": "B", "symbols": ["A B"] }),
            "invalid_parameter",
            "symbols is not valid",
        ),
        (
            "POST",
            LISTS,
            json!({ "name": "B", "symbols": many(101) }),
            "invalid_parameter",
            "at most 100 stocks",
        ),
        ("PATCH", &list, json!({}), "invalid_body", "one or more of name, symbols, add and remove"),
        ("PATCH", &list, json!({ "id": "0123456789abcdef" }), "invalid_body", "unknown field `id`"),
        ("PATCH", &list, json!({ "name": " " }), "invalid_parameter", "name is not valid"),
        (
            "PATCH",
            &list,
            json!({ "name": "B", "add": ["NOPE"] }),
            "invalid_parameter",
            "add is not valid: no stock",
        ),
        (
            "PATCH",
            &list,
            json!({ "name": "B", "remove": ["NOPE"] }),
            "invalid_parameter",
            "remove is not valid",
        ),
    ] {
        let (status, problem) = send(&app, &key, method, path, body.clone()).await;
        let detail = problem["detail"].as_str().unwrap();
        assert_eq!((status, &problem["code"]), (400, &code.into()), "{method} {body}: {detail}");
        assert!(detail.contains(message), "{method} {body}: {detail}");
    }
    let (status, problem) = send(&app, &key, "GET", &format!("{LISTS}?limit=5"), Value::Null).await;
    assert_eq!((status, &problem["code"]), (400, &"unknown_parameter".into()));
    assert_eq!(send(&app, &key, "GET", LISTS, Value::Null).await, before);
    // The longest list and the longest name, whose length is counted in characters.
    let name = "ü".repeat(100);
    assert_eq!(
        send(&app, &key, "POST", LISTS, json!({ "name": name, "symbols": many(100) })).await.0,
        201
    );
}

#[tokio::test]
async fn a_list_never_grows_beyond_its_bound() {
    let database = Database::sample().await;
    let more = "INSERT INTO stocks (symbol, name, exchange, currency, data_version)
                SELECT 'S' || n, 'S', 'NYSE', 'USD', 1 FROM generate_series(1, 100) n";
    database.connect().await.batch_execute(more).await.unwrap();
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let symbols: Vec<_> = (1..=99).map(|n| format!("S{n}")).collect();
    let list = make(&app, &key, "A", &symbols.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(send(&app, &key, "PATCH", &list, json!({ "add": ["S100", "S1"] })).await.0, 200);
    let (status, problem) = send(&app, &key, "PATCH", &list, json!({ "add": ["AAPL"] })).await;
    assert_eq!((status, &problem["code"]), (400, &"invalid_parameter".into()));
    assert!(problem["detail"].as_str().unwrap().contains("at most 100 stocks"), "{problem}");
    let (_, found) =
        send(&app, &key, "PATCH", &list, json!({ "add": ["AAPL"], "remove": ["S1"] })).await;
    assert_eq!(
        (found["symbols"].as_array().unwrap().len(), &found["symbols"][99]),
        (100, &"AAPL".into())
    );
}

#[tokio::test]
async fn watchlists_require_a_key_count_against_the_limit_and_bound_bodies() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("free"));
    assert_eq!(send(&app, "no key", "POST", LISTS, json!({ "name": "A" })).await.0, 401);
    for (method, path, allowed) in [
        ("PUT", LISTS, "GET, HEAD, POST"),
        ("PATCH", LISTS, "GET, HEAD, POST"),
        ("POST", "/api/watchlists/0123456789abcdef", "GET, HEAD, PATCH, DELETE"),
        ("DELETE", "/api/watchlists/0123456789abcdef/quotes", "GET, HEAD"),
    ] {
        let answer = app.request(method, path).header("x-api-key", &key).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "allow")),
            (405, allowed),
            "{method} {path}"
        );
    }
    // A body without a declared length is measured as it arrives.
    let mut connection = tokio::net::TcpStream::connect(app.address()).await.unwrap();
    let head = format!(
        "POST {LISTS} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let body = format!("5000\r\n{}\r\n0\r\n\r\n", " ".repeat(0x5000));
    connection.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    eventually("the request is rejected", Duration::from_secs(5), async || {
        let mut read = [0; 4096];
        let count = connection.read(&mut read).await.unwrap();
        answer += std::str::from_utf8(&read[..count]).unwrap();
        answer.contains("body_too_large")
    })
    .await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    loop {
        let (status, problem) = send(&app, &key, "POST", LISTS, json!({ "name": "A" })).await;
        match status {
            201 | 409 => {}
            _ => {
                assert_eq!((status, &problem["code"]), (429, &"rate_limited".into()));
                break;
            }
        }
    }
}
