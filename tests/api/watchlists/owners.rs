//! A list belongs to its owner, and all of the owner's keys can use it.

use serde_json::{Value, json};

use super::{LISTS, issue_to, make, send};
use crate::support::{App, Database, id_of};

#[tokio::test]
async fn all_keys_of_an_owner_see_the_same_lists_and_a_rotated_key_keeps_them() {
    let database = Database::sample().await;
    let (app, laptop, phone) = (
        App::without_redis(&database).await,
        issue_to(&database, "ann"),
        issue_to(&database, "ann"),
    );
    let list = make(&app, &laptop, "A", &["IBM"]).await;
    let (status, changed) = send(&app, &phone, "PATCH", &list, json!({ "add": ["FB"] })).await;
    assert_eq!(status, 200, "{changed}");
    let rotated = database.output(&["keys", "rotate", id_of(&laptop)]);
    for key in [laptop.as_str(), rotated.stdout.trim()] {
        assert_eq!(send(&app, key, "GET", &list, Value::Null).await, (200, changed.clone()));
    }
}

/// The response does not even reveal that the list exists.
#[tokio::test]
async fn another_owners_list_is_indistinguishable_from_a_missing_one() {
    let database = Database::sample().await;
    let (app, ann, bob) = (
        App::without_redis(&database).await,
        issue_to(&database, "ann"),
        issue_to(&database, "bob"),
    );
    let list = make(&app, &ann, "A", &["IBM"]).await;
    let missing = format!("{LISTS}/{}", "x".repeat(16));
    let before = send(&app, &ann, "GET", &list, Value::Null).await;
    for (method, end, body) in [
        ("GET", "", Value::Null),
        ("GET", "/quotes", Value::Null),
        ("PATCH", "", json!({ "name": "mine" })),
        ("PATCH", "", json!({ "name": "A", "remove": ["IBM"] })),
        ("DELETE", "", Value::Null),
    ] {
        let mut answers = Vec::new();
        for path in [&list, &missing, &format!("{LISTS}/no%00id"), &format!("{LISTS}/%FF")] {
            let (status, mut problem) =
                send(&app, &bob, method, &format!("{path}{end}"), body.clone()).await;
            problem["requestId"] = Value::Null;
            assert_eq!(
                (status, &problem["code"]),
                (404, &"unknown_watchlist".into()),
                "{method} {path}: {problem}"
            );
            answers.push(problem);
        }
        assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
    }
    assert_eq!(send(&app, &bob, "GET", LISTS, Value::Null).await.1["count"], 0);
    assert_eq!(send(&app, &ann, "GET", &list, Value::Null).await, before);
    // Two owners can use the same name.
    make(&app, &bob, "A", &[]).await;
}

#[tokio::test]
async fn a_key_that_passes_to_another_owner_sees_that_owners_lists() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("KEY_STATUS_TTL_MS", "0")]).await;
    let (ann, bob) = (issue_to(&database, "ann"), issue_to(&database, "bob"));
    let list = make(&app, &ann, "A", &[]).await;
    assert_eq!(send(&app, &bob, "GET", &list, Value::Null).await.0, 404);
    assert_eq!(database.output(&["keys", "set", id_of(&bob), "--owner", "ann"]).code, Some(0));
    assert_eq!(send(&app, &bob, "GET", &list, Value::Null).await.0, 200);
}
