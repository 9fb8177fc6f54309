//! The admin listener has its own address and its own token.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;

use crate::support::{
    ADMIN_TOKEN as TOKEN, App, CommandOutput, Database, RawClient, header, scratch,
};

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

#[tokio::test]
async fn a_web_page_cannot_reach_the_admin_api_under_a_name_of_its_own() {
    let database = Database::sample().await;
    let app =
        App::with(&database, &[("ADMIN_TOKEN", TOKEN), ("ADMIN_HOSTS", "ops.example,tickerd")])
            .await;
    for (host, status) in [
        ("attacker.example", 403),
        ("attacker.example:9900", 403),
        ("127.0.0.1.attacker.example", 403),
        ("ops.example", 200),
        ("tickerd:9900", 200),
        ("localhost:9900", 200),
    ] {
        let request = app.admin("GET", "/admin/tiers").bearer_auth(TOKEN).header("host", host);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{host}");
        if status == 403 {
            let problem: Value = answer.json().await.unwrap();
            assert_eq!(problem["code"], "admin_host");
            assert!(problem["detail"].as_str().unwrap().contains("ADMIN_HOSTS"), "{problem}");
        }
    }
    // Collectors use any name.
    let metrics = app.admin("GET", "/metrics").header("host", "tickerd.internal").send().await;
    assert_eq!(metrics.unwrap().status(), 200);
}

#[tokio::test]
async fn requests_without_the_token_hold_no_connection_of_operators() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("ADMIN_TOKEN", TOKEN)]).await;
    let mut idle = Vec::new();
    for _ in 0..70 {
        let mut client = RawClient::connect(app.admin_address()).await;
        client.send("GET /admin/keys HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        idle.push(client);
    }
    for client in &mut idle {
        let (refusal, took) = client.read_to_end().await;
        assert!(refusal.starts_with("HTTP/1.1 401"), "{refusal}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    assert_eq!(
        app.admin("GET", "/admin/tiers").bearer_auth(TOKEN).send().await.unwrap().status(),
        200
    );
    // An idle collector of metrics keeps its connection for longer than it pauses, not for ever.
    let mut collector = RawClient::connect(app.admin_address()).await;
    collector.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let (index, took) = collector.read_to_end().await;
    assert!(index.contains("/metrics") && index.contains("/admin/keys"), "{index}");
    assert!((15..=25).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test]
async fn listening_for_operators_on_all_addresses_is_logged_as_a_warning() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("ADMIN_HOST", "0.0.0.0")]).await;
    let warnings = app.warnings_and_errors();
    assert!(warnings.iter().any(|line| line.contains("ADMIN_HOST")), "{warnings:?}");
}
