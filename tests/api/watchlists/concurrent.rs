//! Concurrent requests, over several instances.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{LISTS, issue_to, make, send};
use crate::support::{App, Database, eventually, header};

#[tokio::test]
async fn a_write_is_seen_by_the_next_read_on_every_instance() {
    let database = Database::sample().await;
    let (apps, key) = (App::with_shared_redis(&database, 2).await, issue_to(&database, "ann"));
    let list = make(&apps[0], &key, "0", &["AAPL", "IBM"]).await;
    for n in 1..=50 {
        let (writer, reader) = (&apps[n % 2], &apps[(n + 1) % 2]);
        let symbols = if n % 2 == 0 { ["AAPL", "IBM"] } else { ["IBM", "MSFT"] };
        let (status, written) = send(
            writer,
            &key,
            "PATCH",
            &list,
            json!({ "name": n.to_string(), "symbols": symbols }),
        )
        .await;
        assert_eq!((status, &written["name"]), (200, &n.to_string().into()));
        assert_eq!(
            send(reader, &key, "GET", &list, Value::Null).await,
            (200, written.clone()),
            "write {n}"
        );
        let (_, all) = send(reader, &key, "GET", LISTS, Value::Null).await;
        assert_eq!(all["watchlists"][0], written, "write {n}");
        let (_, quotes) = send(reader, &key, "GET", &format!("{list}/quotes"), Value::Null).await;
        assert_eq!(
            (&quotes["name"], &quotes["quotes"][0]["symbol"]),
            (&written["name"], &symbols[0].into()),
            "{n}"
        );
    }
}

#[tokio::test]
async fn concurrent_requests_never_exceed_an_owners_maximum_of_lists() {
    let database = Database::sample().await;
    let (apps, ann, bob) = (
        App::with_shared_redis(&database, 2).await,
        issue_to(&database, "ann"),
        issue_to(&database, "bob"),
    );
    let fill = "INSERT INTO watchlists (id, owner, name, stock_ids)
                SELECT lpad(n::text, 16, '0'), 'ann', n::text, '{}' FROM generate_series(1, 97) n";
    database.connect().await.batch_execute(fill).await.unwrap();
    // Each instance caches the key first, so that all inserts reach the table together.
    for app in &apps {
        send(app, &ann, "GET", LISTS, Value::Null).await;
    }
    let made = (0..24).map(|n| {
        let (app, ann) = (&apps[n % 2], &ann);
        async move { send(app, ann, "POST", LISTS, json!({ "name": format!("new {n}") })).await }
    });
    let answers = join_all(made).await;
    let (made, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|(status, _)| *status == 201);
    assert_eq!((made.len(), refused.len()), (3, 21), "{refused:?}");
    for (status, problem) in refused {
        assert_eq!((status, &problem["code"]), (409, &"too_many_watchlists".into()), "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("100"), "{problem}");
    }
    assert_eq!(send(&apps[1], &ann, "GET", LISTS, Value::Null).await.1["count"], 100);
    // A client that lost the response and retries learns that the list was created.
    let (status, problem) =
        send(&apps[0], &ann, "POST", LISTS, json!({ "name": made[2].1["name"] })).await;
    assert_eq!((status, &problem["code"]), (409, &"watchlist_exists".into()), "{problem}");
    make(&apps[0], &bob, "another owner's", &[]).await;
    assert_eq!(
        send(&apps[0], &ann, "DELETE", &format!("{LISTS}/{:016}", 1), Value::Null).await.0,
        204
    );
    make(&apps[1], &ann, "in its place", &[]).await;
}

#[tokio::test]
async fn of_concurrent_lists_with_one_name_one_is_created() {
    let database = Database::sample().await;
    let (apps, key) = (App::with_shared_redis(&database, 2).await, issue_to(&database, "ann"));
    let answers =
        join_all((0..10).map(|n| send(&apps[n % 2], &key, "POST", LISTS, json!({ "name": "A" }))))
            .await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1, "{answers:?}");
    let refused = answers.iter().filter(|(status, _)| *status != 201);
    assert!(
        refused
            .clone()
            .all(|(status, problem)| *status == 409 && problem["code"] == "watchlist_exists")
    );
    // A list can't be renamed to the name of another list.
    let other = make(&apps[0], &key, "B", &[]).await;
    let (status, problem) = send(&apps[0], &key, "PATCH", &other, json!({ "name": "A" })).await;
    assert_eq!((status, &problem["code"]), (409, &"watchlist_exists".into()));
    assert_eq!(
        send(&apps[0], &key, "PATCH", &other, json!({ "name": "B" })).await.0,
        200,
        "a list can keep its own name"
    );
}

#[tokio::test]
async fn concurrent_additions_are_all_kept() {
    let database = Database::sample().await;
    let (apps, key) = (App::with_shared_redis(&database, 2).await, issue_to(&database, "ann"));
    let list = make(&apps[0], &key, "A", &[]).await;
    for _ in 0..10 {
        send(&apps[0], &key, "PATCH", &list, json!({ "symbols": [] })).await;
        let added = ["AAPL", "FB", "GOOG", "IBM", "MSFT"].into_iter().enumerate();
        let added = added.map(|(n, symbol)| {
            send(&apps[n % 2], &key, "PATCH", &list, json!({ "add": [symbol] }))
        });
        join_all(added).await;
        let (_, found) = send(&apps[1], &key, "GET", &list, Value::Null).await;
        let mut symbols: Vec<_> =
            found["symbols"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
        symbols.sort_unstable();
        assert_eq!(symbols, ["AAPL", "FB", "GOOG", "IBM", "MSFT"]);
    }
}

#[tokio::test]
async fn without_postgres_watchlists_answer_503_and_no_stale_data() {
    let database = Database::sample().await;
    let app = App::with(
        &database,
        &[("DATABASE_WAIT_TIMEOUT_MS", "300"), ("DATABASE_CONNECT_TIMEOUT_MS", "300")],
    )
    .await;
    let key = issue_to(&database, "ann");
    let list = make(&app, &key, "A", &["IBM"]).await;
    database.refuse_connections().await;
    for (method, path, body) in [
        ("GET", list.as_str(), Value::Null),
        ("POST", LISTS, json!({ "name": "B" })),
        ("PATCH", &list, json!({ "name": "B" })),
        ("DELETE", &list, Value::Null),
    ] {
        let answer =
            app.request(method, path).header("x-api-key", &key).json(&body).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "retry-after")),
            (503, "1"),
            "{method}"
        );
    }
    database.accept_connections().await;
    let readable = async || send(&app, &key, "GET", &list, Value::Null).await.0 == 200;
    eventually("the list is readable again", Duration::from_secs(5), readable).await;
    assert_eq!(
        send(&app, &key, "GET", LISTS, Value::Null).await.1["count"],
        1,
        "no write was applied"
    );
}
