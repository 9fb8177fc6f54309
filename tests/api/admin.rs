//! The admin listener has its own address and its own token.

use std::net::TcpListener;

use serde_json::Value;

use crate::support::{ADMIN_TOKEN as TOKEN, App, CommandOutput, Database, header, scratch};

#[tokio::test]
async fn without_a_token_the_admin_api_explains_how_to_enable_it() {
    let database = Database::sample().await;
    let app = App::without_redis(&database).await;
    for request in
        [app.admin("GET", "/admin/keys"), app.admin("GET", "/admin/keys").bearer_auth("")]
    {
        let answer = request.send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "content-type")),
            (403, "application/problem+json")
        );
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["code"], "admin_off");
        assert!(body["detail"].as_str().unwrap().contains("ADMIN_TOKEN"), "{body}");
    }
}

#[tokio::test]
async fn admin_requests_without_the_token_are_rejected() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("ADMIN_TOKEN", TOKEN)]).await;
    let key = database.issue("enterprise");
    for path in ["/admin/keys", "/admin/nothing", "/admin"] {
        let without = [
            app.admin("GET", path),
            app.admin("GET", path).bearer_auth(&TOKEN[1..]),
            app.admin("GET", path).bearer_auth(format!("{TOKEN}0")),
            app.admin("GET", path).bearer_auth(TOKEN.to_uppercase()),
            app.admin("GET", path).header("x-api-key", TOKEN),
            app.admin("GET", path).bearer_auth(&key),
        ];
        for request in without {
            let answer = request.send().await.unwrap();
            assert_eq!(
                (answer.status().as_u16(), header(&answer, "www-authenticate")),
                (401, "Bearer realm=\"tickerd\"")
            );
            assert_eq!(
                answer.json::<Value>().await.unwrap()["code"],
                "admin_unauthorized",
                "{path}"
            );
        }
    }
    let inside = app.admin("GET", "/admin/nothing").bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(inside.status(), 404);
    assert!(app.log().iter().all(|line| !line.contains(&TOKEN[1..])), "{:?}", app.log());
}

#[tokio::test]
async fn the_public_port_has_no_admin_routes() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("ADMIN_TOKEN", TOKEN)]).await;
    for path in ["/admin/keys", "/metrics", "/api/admin/keys"] {
        let answer = app.request("GET", path).bearer_auth(TOKEN).send().await.unwrap();
        let not_there = if path.starts_with("/api") { 401 } else { 404 };
        assert_eq!(answer.status(), not_there, "{path}");
    }
}

#[tokio::test]
async fn the_admin_token_can_come_from_a_file() {
    let database = Database::sample().await;
    let scratch = scratch();
    let file = scratch.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let app = App::with(&database, &[("ADMIN_TOKEN_FILE", file.to_str().unwrap())]).await;
    let answer = app.admin("GET", "/admin/nothing").bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(answer.status(), 404);
}

/// A web page in an operator's browser can reach the operator's loopback address.
#[tokio::test]
async fn the_admin_api_allows_no_other_origin() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("ADMIN_TOKEN", TOKEN)]).await;
    let preflight =
        app.admin("OPTIONS", "/admin/keys").header("access-control-request-method", "GET");
    for request in [app.admin("GET", "/admin/nothing").bearer_auth(TOKEN), preflight] {
        let answer = request.header("origin", "https://example.com").send().await.unwrap();
        assert!(!answer.headers().contains_key("access-control-allow-origin"), "{answer:?}");
        assert!(!answer.headers().contains_key("access-control-allow-methods"), "{answer:?}");
    }
}

#[tokio::test]
async fn an_admin_port_in_use_is_reported_with_a_fix() {
    let database = Database::sample().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output =
        CommandOutput::of(database.tickerd(&["serve"]).env("PORT", "0").env("ADMIN_PORT", &port));
    assert!(
        output.error_line().contains(&port) && output.error_line().contains("ADMIN_PORT"),
        "{output:?}"
    );
    let output = CommandOutput::of(
        database.tickerd(&["serve"]).env("PORT", "0").env("ADMIN_TOKEN", "short"),
    );
    assert!(
        output.error_line().contains("ADMIN_TOKEN") && !output.error_line().contains("short"),
        "{output:?}"
    );
    let output = CommandOutput::of(
        database.tickerd(&["serve"]).env("PORT", "0").env("ADMIN_TOKEN_FILE", "/nowhere/token"),
    );
    assert!(
        output.error_line().contains("ADMIN_TOKEN_FILE")
            && output.error_line().contains("/nowhere/token"),
        "{output:?}"
    );
    let output = CommandOutput::of(database.tickerd(&["serve"]).env("ADMIN_PORT", "none"));
    assert_eq!((output.code, output.stderr.contains("or off")), (Some(2), true), "{output:?}");
}

#[tokio::test]
async fn the_admin_listener_can_be_disabled_and_stops_with_the_server() {
    let database = Database::sample().await;
    let off = App::with(&database, &[("ADMIN_PORT", "off")]).await;
    assert!(!off.log().iter().any(|line| line.contains("for operators")), "{:?}", off.log());
    let mut on = App::with(&database, &[("ADMIN_TOKEN", TOKEN)]).await;
    assert_eq!(
        on.admin("GET", "/admin/nothing").bearer_auth(TOKEN).send().await.unwrap().status(),
        404
    );
    on.signal("TERM");
    assert_eq!(on.wait_for_exit().await, Some(0));
}

#[tokio::test]
async fn the_port_for_operators_says_what_is_on_it() {
    let app = App::without_redis(&Database::sample().await).await;
    let answer = app.admin("GET", "/").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.unwrap();
    for path in ["/metrics", "/admin/keys", "/admin/tiers", "/admin/audit"] {
        assert!(text.contains(path), "{text}");
    }
}
