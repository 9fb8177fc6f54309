//! Watchlists: which keys can write and see them.

mod bad_input;
mod concurrent;
mod owners;
mod quotes;

use serde_json::{Value, json};

use crate::support::{App, Database, header};

const LISTS: &str = "/api/watchlists";

/// Sends a request, with a body unless it is null. Returns (status, body); null for an empty body.
async fn send(app: &App, key: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let request = app.request(method, path).header("x-api-key", key);
    let request = if body.is_null() { request } else { request.json(&body) };
    let answer = request.send().await.expect("an answer");
    let (status, text) = (answer.status().as_u16(), answer.text().await.expect("a body"));
    (
        status,
        if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).expect("a body of JSON")
        },
    )
}

/// Creates a list and returns its path.
async fn make(app: &App, key: &str, name: &str, symbols: &[&str]) -> String {
    let (status, list) =
        send(app, key, "POST", LISTS, json!({ "name": name, "symbols": symbols })).await;
    assert_eq!(status, 201, "{list}");
    format!("{LISTS}/{}", list["id"].as_str().unwrap())
}

/// The token of a new key of an owner.
fn issue_to(database: &Database, owner: &str) -> String {
    let output = database.output(&[
        "keys",
        "issue",
        "--owner",
        owner,
        "--name",
        "a key",
        "--tier",
        "enterprise",
    ]);
    assert_eq!(output.code, Some(0), "{output:?}");
    output.stdout.trim().to_owned()
}

#[tokio::test]
async fn a_list_is_created_read_changed_and_deleted() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    assert_eq!(
        send(&app, &key, "GET", LISTS, Value::Null).await,
        (200, json!({ "watchlists": [], "count": 0 }))
    );
    let body = json!({ "name": "Tech & more", "symbols": ["msft", "AAPL"] });
    let answer =
        app.request("POST", LISTS).header("x-api-key", &key).json(&body).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "cache-control")), (201, "no-store"));
    assert_eq!(header(&answer, "x-ratelimit-remaining"), "998", "writes count against the limit");
    let path = header(&answer, "location").to_owned();
    let made: Value = answer.json().await.unwrap();
    let id = path.strip_prefix("/api/watchlists/").unwrap();
    assert!(id.len() == 16 && id.bytes().all(|b| b.is_ascii_alphanumeric()), "{id}");
    let fields: Vec<_> = made.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["createdAt", "id", "name", "symbols", "updatedAt"]);
    assert_eq!(
        (&made["id"], &made["name"], &made["symbols"]),
        (&id.into(), &body["name"], &json!(["MSFT", "AAPL"]))
    );
    assert_eq!(made["createdAt"], made["updatedAt"]);
    assert_eq!(send(&app, &key, "GET", &path, Value::Null).await, (200, made.clone()));
    assert_eq!(
        send(&app, &key, "GET", LISTS, Value::Null).await,
        (200, json!({ "watchlists": [made.clone()], "count": 1 }))
    );
    let (status, changed) = send(&app, &key, "PATCH", &path, json!({ "name": "Tech" })).await;
    assert_eq!(
        (status, &changed["name"], &changed["symbols"]),
        (200, &"Tech".into(), &made["symbols"])
    );
    let at = |list: &Value, field: &str| {
        list[field].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap()
    };
    assert!(at(&changed, "updatedAt") > at(&made, "updatedAt"), "{changed}");
    assert_eq!(changed["createdAt"], made["createdAt"]);
    let head = app.request("HEAD", &path).header("x-api-key", &key).send().await.unwrap();
    assert_eq!((head.status().as_u16(), header(&head, "cache-control")), (200, "no-store"));
    assert!(head.bytes().await.unwrap().is_empty());
    assert_eq!(send(&app, &key, "DELETE", &path, Value::Null).await, (204, Value::Null));
    for method in ["GET", "DELETE"] {
        let (status, problem) = send(&app, &key, method, &path, Value::Null).await;
        assert_eq!((status, &problem["code"]), (404, &"unknown_watchlist".into()));
    }
}

#[tokio::test]
async fn a_list_keeps_its_order_and_holds_no_stock_twice() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let list = make(&app, &key, "A", &["IBM", "ibm", "AAPL", "IBM"]).await;
    for (change, symbols) in [
        (json!({ "add": [] }), vec!["IBM", "AAPL"]),
        (json!({ "add": ["msft", "IBM", "GOOG", "MSFT"] }), vec!["IBM", "AAPL", "MSFT", "GOOG"]),
        (json!({ "remove": ["AAPL", "FB"] }), vec!["IBM", "MSFT", "GOOG"]),
        (json!({ "add": ["AAPL"], "remove": ["IBM"] }), vec!["MSFT", "GOOG", "AAPL"]),
        (json!({ "symbols": ["FB", "MSFT"] }), vec!["FB", "MSFT"]),
        (
            json!({ "symbols": ["GOOG", "IBM"], "add": ["FB"], "remove": ["IBM"] }),
            vec!["GOOG", "FB"],
        ),
        (json!({ "symbols": [] }), vec![]),
    ] {
        let (status, changed) = send(&app, &key, "PATCH", &list, change.clone()).await;
        assert_eq!((status, &changed["symbols"]), (200, &json!(symbols)), "{change}: {changed}");
        assert_eq!(send(&app, &key, "GET", &list, Value::Null).await.1, changed, "{change}");
    }
}

#[tokio::test]
async fn a_renamed_stock_stays_in_its_place_under_its_new_symbol() {
    let database = Database::sample().await;
    let (app, key) = (App::without_redis(&database).await, database.issue("pro"));
    let list = make(&app, &key, "A", &["IBM", "FB", "AAPL"]).await;
    assert_eq!(
        database.output(&["stocks", "rename", "FB", "META", "--from", "2022-06-09"]).code,
        Some(0)
    );
    let (_, found) = send(&app, &key, "GET", &list, Value::Null).await;
    assert_eq!(found["symbols"], json!(["IBM", "META", "AAPL"]), "at once");
    // Both symbols name the stock that the list already holds.
    let (status, changed) =
        send(&app, &key, "PATCH", &list, json!({ "add": ["FB", "META"] })).await;
    assert_eq!((status, &changed["symbols"]), (200, &json!(["IBM", "META", "AAPL"])));
    let (_, changed) = send(&app, &key, "PATCH", &list, json!({ "remove": ["FB"] })).await;
    assert_eq!(changed["symbols"], json!(["IBM", "AAPL"]));
}
