//! The admin API for keys, as a sign-up page uses it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{ADMIN_TOKEN, App, Database, eventually, header, id_of, redis_url, unique};

const PATH: &str = "/api/stocks/AAPL";

fn issue_request() -> Value {
    json!({ "owner": "ann@example.com", "name": "notebook" })
}

#[tokio::test]
async fn an_issued_key_works_at_once_and_its_token_is_shown_only_then() {
    let database = Database::sample().await;
    let app = App::with_admin(&database).await;
    let request = app.admin("POST", "/admin/keys").bearer_auth(ADMIN_TOKEN).json(&json!({
        "owner": "ann@example.com", "name": "notebook", "tier": "pro",
        "note": "paid", "expiresAt": "2099-01-31T00:00:00Z"
    }));
    let answer = request.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "cache-control")), (201, "no-store"));
    let location = header(&answer, "location").to_owned();
    let issued: Value = answer.json().await.unwrap();
    let token = issued["token"].as_str().unwrap();
    assert_eq!(location, format!("/admin/keys/{}", id_of(token)));
    assert_eq!(header(&app.get(token, PATH).await, "x-ratelimit-limit"), "1000");
    let (status, shown) = app.admin_json("GET", &location, Value::Null).await;
    assert_eq!(status, 200);
    let expected = json!({
        "id": id_of(token), "owner": "ann@example.com", "name": "notebook",
        "note": "paid", "tier": "pro",
        "requestsPerMinute": 1000, "requestsPerWindow": 1000, "windowS": 60,
        "status": "active", "createdAt": shown["createdAt"],
        "expiresAt": "2099-01-31T00:00:00Z", "revokedAt": null, "limitId": id_of(token),
        "replaces": null,
        "replacedBy": null, "lastUsedAt": null, "requestsToday": 0
    });
    assert_eq!(shown, expected);
    let (_, listed) = app.admin_json("GET", "/admin/keys", Value::Null).await;
    assert_eq!(listed, json!({ "keys": [expected], "next": null }));
    let default = app.admin_json("POST", "/admin/keys", issue_request()).await;
    assert_eq!(
        (default.0, &default.1["tier"], &default.1["expiresAt"]),
        (201, &json!("free"), &Value::Null)
    );
}

/// A client that got no response retries. The retry issues no second key, and a rotation gives the
/// client a token.
#[tokio::test]
async fn a_repeated_issue_request_with_an_id_issues_one_key() {
    let database = Database::sample().await;
    let app = App::with_admin(&database).await;
    let mut request = issue_request();
    request["id"] = json!("Abcdef123456");
    let (status, first) = app.admin_json("POST", "/admin/keys", request.clone()).await;
    assert_eq!((status, first["id"].as_str()), (201, Some("Abcdef123456")));
    let (status, again) = app.admin_json("POST", "/admin/keys", request).await;
    assert_eq!((status, again["code"].as_str()), (409, Some("key_exists")));
    assert_eq!(database.texts("SELECT id FROM api_keys").await, ["Abcdef123456"]);
    let rotate = json!({ "graceS": 0 });
    let (status, new) =
        app.admin_json("POST", "/admin/keys/Abcdef123456/rotate", rotate.clone()).await;
    assert_eq!((status, new["replaces"].as_str()), (201, Some("Abcdef123456")));
    assert_eq!(app.get(new["token"].as_str().unwrap(), PATH).await.status(), 200);
    let old = first["token"].as_str().unwrap();
    eventually("the old key is rejected", Duration::from_secs(1), async || {
        app.get(old, PATH).await.status() == 401
    })
    .await;
    let (status, again) = app.admin_json("POST", "/admin/keys/Abcdef123456/rotate", rotate).await;
    assert_eq!((status, again["code"].as_str()), (409, Some("key_rotated")));
    assert!(again["detail"].as_str().unwrap().contains(new["id"].as_str().unwrap()), "{again}");
}

#[tokio::test]
async fn a_patch_changes_only_its_fields_and_null_clears_one() {
    let database = Database::sample().await;
    let (app, key) = (App::with_admin(&database).await, database.issue("free"));
    assert_eq!(header(&app.get(&key, PATH).await, "x-ratelimit-limit"), "100");
    let path = format!("/admin/keys/{}", id_of(&key));
    let (status, changed) = app
        .admin_json(
            "PATCH",
            &path,
            json!({ "tier": "pro",
        "note": "paid", "expiresAt": "2099-01-31" }),
        )
        .await;
    assert_eq!(
        (status, changed["tier"].as_str(), changed["note"].as_str()),
        (200, Some("pro"), Some("paid"))
    );
    assert_eq!(
        (changed["owner"].as_str(), changed["name"].as_str()),
        (Some("tests"), Some("a key"))
    );
    let raised = async || header(&app.get(&key, PATH).await, "x-ratelimit-limit") == "1000";
    eventually("the limit is the new tier's", Duration::from_secs(1), raised).await;
    let (_, changed) = app
        .admin_json("PATCH", &path, json!({ "owner": "ann", "note": null, "expiresAt": null }))
        .await;
    assert_eq!((&changed["owner"], &changed["tier"]), (&json!("ann"), &json!("pro")));
    assert!(changed["note"].is_null() && changed["expiresAt"].is_null(), "{changed}");
}

#[tokio::test]
async fn a_deleted_key_is_rejected_within_a_second_and_stays_listed() {
    let database = Database::sample().await;
    let (app, key) = (App::with_admin(&database).await, database.issue("free"));
    assert_eq!(app.get(&key, PATH).await.status(), 200);
    let path = format!("/admin/keys/{}", id_of(&key));
    let (status, revoked) = app.admin_json("DELETE", &path, Value::Null).await;
    assert_eq!((status, revoked["status"].as_str()), (200, Some("revoked")));
    eventually("the key is rejected", Duration::from_secs(1), async || {
        app.get(&key, PATH).await.status() == 401
    })
    .await;
    assert_eq!(
        app.admin_json("DELETE", &path, Value::Null).await.1["revokedAt"],
        revoked["revokedAt"]
    );
    let (status, refused) = app.admin_json("POST", &format!("{path}/rotate"), Value::Null).await;
    assert_eq!((status, refused["code"].as_str()), (409, Some("key_not_active")));
}

#[tokio::test]
async fn an_invalid_request_names_the_field_and_changes_nothing() {
    let database = Database::sample().await;
    let (app, key) = (App::with_admin(&database).await, database.issue("free"));
    let before = database.texts("SELECT k::text FROM api_keys k").await;
    let key_path = format!("/admin/keys/{}", id_of(&key));
    let rotate_path = format!("{key_path}/rotate");
    let with = |field: &str, value: Value| {
        let mut request = issue_request();
        request[field] = value;
        request
    };
    for (method, path, body, status, code, part) in [
        (
            "POST",
            "/admin/keys",
            with("owner", json!("a\nb")),
            400,
            "invalid_parameter",
            "owner is not valid",
        ),
        (
            "POST",
            "/admin/keys",
            with("name", json!("")),
            400,
            "invalid_parameter",
            "name is not valid",
        ),
        (
            "POST",
            "/admin/keys",
            with("tier", json!("gold")),
            400,
            "invalid_parameter",
            "free, pro, enterprise",
        ),
        (
            "POST",
            "/admin/keys",
            with("tier", json!("Gold")),
            400,
            "invalid_parameter",
            "tier is not valid",
        ),
        (
            "POST",
            "/admin/keys",
            with("expiresAt", json!("2001-01-01")),
            400,
            "invalid_parameter",
            "expiresAt",
        ),
        (
            "POST",
            "/admin/keys",
            with("id", json!("short")),
            400,
            "invalid_parameter",
            "id is not valid",
        ),
        ("POST", "/admin/keys", with("owner", json!(5)), 400, "invalid_body", "expected a string"),
        (
            "POST",
            "/admin/keys",
            with("role", json!("x")),
            400,
            "invalid_body",
            "unknown field `role`",
        ),
        (
            "POST",
            "/admin/keys",
            json!({ "owner": "ann" }),
            400,
            "invalid_body",
            "missing field `name`",
        ),
        ("POST", "/admin/keys", json!([]), 400, "invalid_body", "body"),
        ("PATCH", &key_path, json!({}), 400, "invalid_body", "one or more of"),
        (
            "PATCH",
            &key_path,
            json!({ "tier": null, "note": "\u{7}" }),
            400,
            "invalid_parameter",
            "note",
        ),
        (
            "PATCH",
            "/admin/keys/000000000000",
            json!({ "tier": "pro" }),
            404,
            "unknown_key",
            "000000000000",
        ),
        ("GET", "/admin/keys/000000000000", Value::Null, 404, "unknown_key", "000000000000"),
        ("GET", "/admin/keys/short", Value::Null, 400, "invalid_parameter", "id"),
        ("DELETE", "/admin/keys/000000000000", Value::Null, 404, "unknown_key", "000000000000"),
        (
            "POST",
            "/admin/keys/000000000000/rotate",
            Value::Null,
            404,
            "unknown_key",
            "000000000000",
        ),
        ("POST", &rotate_path, json!({ "graceS": 7_776_001 }), 400, "invalid_parameter", "graceS"),
        ("POST", &rotate_path, json!({ "graceS": -1 }), 400, "invalid_body", "-1"),
        ("GET", "/admin/keys?limit=0", Value::Null, 400, "invalid_parameter", "1 to 1000"),
        ("GET", "/admin/keys?active=yes", Value::Null, 400, "invalid_parameter", "true or false"),
        ("GET", "/admin/keys?search=@@", Value::Null, 400, "invalid_parameter", "a word or more"),
        ("GET", "/admin/keys?role=x", Value::Null, 400, "unknown_parameter", "owner, tier"),
        ("PUT", "/admin/keys", Value::Null, 405, "method_not_allowed", "GET or POST"),
        ("GET", "/admin/nothing", Value::Null, 404, "not_found", "/admin/keys"),
    ] {
        let (answered, problem) = app.admin_json(method, path, body.clone()).await;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(
            answered == status && problem["code"] == code && detail.contains(part),
            "{method} {path} {body}: {problem}"
        );
    }
    assert_eq!(database.texts("SELECT k::text FROM api_keys k").await, before);
}

#[tokio::test]
async fn bodies_are_bounded_with_and_without_a_declared_length() {
    let database = Database::sample().await;
    let app = App::with_admin(&database).await;
    let big = format!("{{\"owner\":\"{}\"}}", "x".repeat(17 * 1024));
    let response = app
        .admin("POST", "/admin/keys")
        .bearer_auth(ADMIN_TOKEN)
        .body(big.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    let head = format!(
        "POST /admin/keys HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {ADMIN_TOKEN}\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    let sent = format!("{head}{:x}\r\n{big}\r\n0\r\n\r\n", big.len());
    let address = app.admin_address().to_owned();
    let answer = tokio::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.write_all(sent.as_bytes()).unwrap();
        let mut start = [0; 12];
        socket.read_exact(&mut start).unwrap();
        String::from_utf8(start.to_vec()).unwrap()
    });
    assert_eq!(answer.await.unwrap(), "HTTP/1.1 413");
}

#[tokio::test]
async fn pages_list_every_key_once_and_link_to_the_next() {
    let database = Database::sample().await;
    let app = App::with_admin(&database).await;
    let mut issued: Vec<_> = (0..5).map(|_| id_of(&database.issue("free")).to_owned()).collect();
    issued.reverse();
    let (mut listed, mut path) = (Vec::new(), "/admin/keys?limit=2".to_owned());
    loop {
        let (_, page) = app.admin_json("GET", &path, Value::Null).await;
        listed.extend(
            page["keys"]
                .as_array()
                .unwrap()
                .iter()
                .map(|key| key["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/admin/keys?limit=2&after={next}");
    }
    assert_eq!(listed, issued);
}

#[tokio::test]
async fn no_token_is_ever_logged() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("ADMIN_TOKEN", ADMIN_TOKEN), ("LOG", "trace")]).await;
    let (_, issued) = app.admin_json("POST", "/admin/keys", issue_request()).await;
    let token = issued["token"].as_str().unwrap();
    let (_, rotated) =
        app.admin_json("POST", &format!("/admin/keys/{}/rotate", id_of(token)), Value::Null).await;
    let (status, _) = app.admin_json("GET", &format!("/admin/keys/{token}"), Value::Null).await;
    assert_eq!(status, 400, "a token is not accepted as an id");
    app.admin_json("GET", &format!("/admin/keys?search={token}"), Value::Null).await;
    assert_eq!(app.get(token, PATH).await.status(), 200);
    let log = app.log().join("\n");
    assert!(log.contains("/admin/keys"), "requests are logged");
    for secret in [&token[21..], &rotated["token"].as_str().unwrap()[21..], ADMIN_TOKEN] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn a_change_on_one_instance_takes_effect_on_the_others_within_a_second() {
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("admin"));
    let variables =
        [("REDIS_URL", &*redis_url()), ("REDIS_KEY_PREFIX", &prefix), ("ADMIN_TOKEN", ADMIN_TOKEN)];
    let (first, second) =
        (App::with(&database, &variables).await, App::with(&database, &variables).await);
    let (_, issued) = first.admin_json("POST", "/admin/keys", issue_request()).await;
    let token = issued["token"].as_str().unwrap();
    assert_eq!(second.get(token, PATH).await.status(), 200, "at once");
    let (_, revoked) =
        first.admin_json("DELETE", &format!("/admin/keys/{}", id_of(token)), Value::Null).await;
    assert_eq!(revoked["instancesTold"], 2, "{revoked}");
    let refused = async || second.get(token, PATH).await.status() == 401;
    eventually("the second instance rejects the key", Duration::from_secs(1), refused).await;
}

#[tokio::test]
async fn concurrent_issue_requests_all_succeed() {
    let database = Database::sample().await;
    let app = App::with_admin(&database).await;
    let answers = futures_util::future::join_all(
        (0..40).map(|_| app.admin_json("POST", "/admin/keys", issue_request())),
    )
    .await;
    assert!(answers.iter().all(|(status, _)| *status == 201), "{answers:?}");
    let mut ids: Vec<_> =
        answers.iter().map(|(_, key)| key["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    assert_eq!(database.texts("SELECT id FROM api_keys ORDER BY id COLLATE \"C\"").await, ids);
}

#[tokio::test]
async fn without_postgres_the_admin_api_answers_503_without_the_drivers_text() {
    let database = Database::sample().await;
    let app = App::with_admin(&database).await;
    database.refuse_connections().await;
    for (method, path, body) in [
        ("POST", "/admin/keys", issue_request()),
        ("GET", "/admin/tiers", Value::Null),
        ("GET", "/admin/audit", Value::Null),
    ] {
        let (status, problem) = app.admin_json(method, path, body).await;
        assert_eq!((status, problem["code"].as_str()), (503, Some("unavailable")), "{problem}");
        assert_eq!(problem["detail"], "the data is temporarily unavailable: retry in 1 s");
    }
    database.accept_connections().await;
    assert_eq!(app.admin_json("POST", "/admin/keys", issue_request()).await.0, 201);
}
