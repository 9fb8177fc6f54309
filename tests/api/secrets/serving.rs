//! A server gets keys in every place that accepts them, and in every place that must reject them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use testkit::servers::{Durability, LocalPostgres, LocalRedis, choose_dir};
use tickerd::keys::Token;
use tickerd::route::Route;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::places::{Secrets, dump, processes, redis_content, server_log};
use crate::support::{ADMIN_TOKEN, App, Database, eventually, id_of, scratch};
use crate::traces::collector;

/// A path of every route, for existing items.
fn paths(watchlist: &str) -> Vec<String> {
    let query = |route| match route {
        Route::Prices | Route::Events => "?start=2012-12-01",
        Route::PricesOfMany => "?start=2012-12-01&symbols=AAPL,IBM",
        Route::Stocks => "?q=app",
        _ => "?",
    };
    let path = |route: &Route| {
        let pattern = route.pattern().replace("{symbol}", "AAPL").replace("{date}", "2012-12-31");
        pattern
            .replace("{id}", watchlist)
            .replace("{file}", "icon.svg")
            .replace("other", "/nothing")
            + query(*route)
    };
    Route::ALL.iter().map(path).chain(["/health/ready?".to_owned()]).collect()
}

/// Requests every route with the key in each place that accepts one. No response may repeat it.
async fn request_every_route(app: &App, key: &str, watchlist: &str) {
    for path in paths(watchlist) {
        let in_url = format!("{path}&apikey={key}").replace("?&", "?");
        let path = path.trim_end_matches('?');
        for request in [
            app.request("GET", path).header("x-api-key", key),
            app.request("GET", path).bearer_auth(key),
            app.request("GET", &in_url),
        ] {
            let answer = request.send().await.unwrap();
            assert_ne!(answer.status(), 401, "{path}");
            let response = format!("{:?}", answer.headers()) + &answer.text().await.unwrap();
            assert!(!response.contains(&key[21..53]), "{path}: {response}");
        }
        for method in ["HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"] {
            app.request(method, "/api/stocks")
                .header("x-api-key", key)
                .body("{")
                .send()
                .await
                .unwrap();
        }
    }
}

/// A password sent as a key has no recognisable format. Its parts are separated by characters that
/// URLs use.
const PASSWORD: [&str; 3] =
    ["correct-horse-battery", "staple-and-some-more", "than-one-could-guess"];

/// Sends a key in places where a client might put it by mistake.
async fn misplace(app: &App, key: &str, valid: &str) {
    let (encoded, password) =
        (key.replace('_', "%5f"), PASSWORD.join("/").replacen("/than", "?than", 1));
    for path in [
        format!("/api/stocks/{key}"),
        format!("/api/stocks/{encoded}/prices?start={key}"),
        format!("/{key}"),
        format!("/assets/{key}"),
        format!("/api/stocks?q={key}"),
        format!("/api/stocks?q={encoded}"),
        format!("/api/stocks?sector={key}&exchange={key}"),
        format!("/api/stocks?{key}"),
        format!("/api/stocks?{encoded}=1"),
        format!("/api/stocks?name={}", encoded.replace('%', "%25")),
        format!("/{}", encoded.replace('%', "%25")),
        format!("/nothing?{}&y={key}", "x".repeat(2030)),
        format!("/api/events?start=2012-01-01&cursor={key}"),
        format!("/api/prices?start=2012-01-01&symbols={key}"),
        format!("/api/stocks?apikey={key}&apikey={key}"),
        format!("/api/stocks?%41pi_Key={encoded}"),
        format!("/api/stocks?q={key}{}", "x".repeat(5000)),
        format!("/api/stocks?{key}=1&apikey={password}"),
        format!("/api/stocks?%41pi_Key={password}"),
        format!("/nothing?limit=5&apikey={password}"),
        format!("/api/watchlists/{key}"),
        format!("/api/usage?start={key}"),
    ] {
        let status = app
            .request("GET", &path)
            .header("x-api-key", valid)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16();
        assert!(status >= 400, "{path}: {status}");
    }
    for name in [
        "cookie",
        "referer",
        "user-agent",
        "x-request-id",
        "traceparent",
        "tracestate",
        "x-forwarded-for",
    ] {
        app.request("GET", "/api/status")
            .header("x-api-key", valid)
            .header(name, key)
            .send()
            .await
            .unwrap();
        app.request("GET", "/api/nothing").header(name, key).send().await.unwrap();
    }
    let method = reqwest::Method::from_bytes(key.as_bytes()).unwrap();
    for path in ["/api/status", "/nothing"] {
        let request = reqwest::Client::new().request(method.clone(), app.url(path));
        let answer = request.header("x-api-key", valid).send().await.unwrap();
        assert!(!answer.text().await.unwrap().contains(key), "{path}");
    }
    for value in [format!("Basic {key}"), key.to_owned(), format!("Bearer  {key} x")] {
        app.request("GET", "/api/status").header("authorization", value).send().await.unwrap();
    }
    let padded = format!("{key}{}", "x".repeat(20_000));
    assert_eq!(
        app.request("GET", "/api/status")
            .header("x-api-key", padded)
            .send()
            .await
            .unwrap()
            .status(),
        431
    );
    for body in [
        json!({ key: 1 }).to_string(),
        json!({"name": key}).to_string(),
        json!({"name": [key]}).to_string(),
        json!({"name": "x", "symbols": [key]}).to_string(),
        key.to_owned(),
        format!("\"{key}{}\"", "x".repeat(20_000)),
    ] {
        let request = app.request("POST", "/api/watchlists").header("x-api-key", valid).body(body);
        assert!(request.send().await.unwrap().status().is_client_error());
    }
    for request in [
        format!("GET /?apikey={key} HTTP/9.9\r\n\r\n"),
        format!("{key}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{key}\r\n\r\n"),
    ] {
        let mut socket = TcpStream::connect(app.address()).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let refused =
            tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut Vec::new()))
                .await;
        assert!(refused.is_ok(), "input that is not HTTP closes the connection: {request}");
    }
}

/// Issues and rotates keys through the admin API, and sends requests that it rejects. Returns the
/// new tokens.
async fn use_admin_api(app: &App, key: &str) -> Vec<String> {
    let order = json!({"owner": "tests", "name": "a key", "tier": "enterprise"});
    let (status, issued) = app.admin_json("POST", "/admin/keys", order).await;
    assert_eq!(status, 201, "{issued}");
    let id = issued["id"].as_str().unwrap();
    let (status, rotated) =
        app.admin_json("POST", &format!("/admin/keys/{id}/rotate"), json!({"graceS": 60})).await;
    assert_eq!(status, 201, "{rotated}");
    for (method, path, body) in [
        ("GET", format!("/admin/keys/{id}"), Value::Null),
        ("GET", "/admin/keys?limit=1000".to_owned(), Value::Null),
        ("GET", "/admin/audit".to_owned(), Value::Null),
    ] {
        let (status, answer) = app.admin_json(method, &path, body).await;
        assert_eq!(status, 200, "{path}");
        assert!(!answer.to_string().contains("tk_live_"), "{path}: {answer}");
    }
    for (method, path, body) in [
        ("GET", format!("/admin/keys/{key}"), Value::Null),
        ("GET", format!("/admin/keys?search={key}"), Value::Null),
        ("GET", format!("/admin/keys?owner={key}"), Value::Null),
        ("POST", "/admin/keys".to_owned(), json!({"owner": key, "name": "x"})),
        ("POST", "/admin/keys".to_owned(), json!({"owner": "x", "name": "x", "note": key})),
        ("POST", "/admin/keys".to_owned(), json!({"owner": "x", "name": "x", "id": key})),
        ("POST", "/admin/keys".to_owned(), json!({ key: 1 })),
        ("PATCH", format!("/admin/keys/{id}"), json!({"note": key})),
    ] {
        let (status, answer) = app.admin_json(method, &path, body.clone()).await;
        assert!((400..500).contains(&status), "{method} {path} {body}: {answer}");
    }
    // Each listener rejects the other's credentials.
    assert_eq!(
        app.admin("GET", "/admin/keys").bearer_auth(key).send().await.unwrap().status(),
        401
    );
    assert_eq!(app.get(ADMIN_TOKEN, "/api/status").await.status(), 401);
    let in_url = format!("/api/status?apikey={ADMIN_TOKEN}");
    assert_eq!(app.request("GET", &in_url).send().await.unwrap().status(), 401);
    [issued, rotated].iter().map(|new| new["token"].as_str().expect("a token").to_owned()).collect()
}

async fn metrics(app: &App) -> String {
    app.admin("GET", "/metrics").send().await.unwrap().text().await.unwrap()
}

/// Postgres and Redis of this test alone, since it searches their logs. Postgres logs each
/// statement.
struct Servers {
    dir: PathBuf,
    postgres: LocalPostgres,
    redis: LocalRedis,
    database: Database,
}

impl Servers {
    async fn start(scratch: &Path) -> Self {
        let dir = choose_dir(&scratch.join("servers")).unwrap();
        let postgres = LocalPostgres::start(&dir, Durability::Throwaway).unwrap();
        let redis = LocalRedis::start(&dir).unwrap();
        let database = Database::at(&postgres.url());
        database.load_sample();
        let client = database.connect().await;
        for setting in ["log_statement = 'all'", "log_connections = on"] {
            client.batch_execute(&format!("ALTER SYSTEM SET {setting}")).await.unwrap();
        }
        client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        Self { dir, postgres, redis, database }
    }

    /// A server that logs at the lowest level and sends every trace to a collector.
    async fn app(&self, collector: &str) -> App {
        let variables = [
            ("LOG", "trace"),
            ("ADMIN_TOKEN", ADMIN_TOKEN),
            ("REDIS_URL", &self.redis.url()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector),
            ("OTEL_TRACES_SAMPLER_ARG", "1"),
            ("AUTH_FAILURES_PER_MINUTE_MAX", "100000"),
            ("DATABASE_CONNECT_TIMEOUT_MS", "500"),
        ];
        App::with(&self.database, &variables).await
    }
}

/// Sends every kind of request, with valid and invalid keys.
async fn send_everything(app: &App, key: &str, secrets: &mut Secrets) {
    let list = app.request("POST", "/api/watchlists").header("x-api-key", key);
    let list = list.json(&json!({"name": "x", "symbols": ["AAPL"]})).send().await.unwrap();
    let list: Value = list.json().await.unwrap();
    // Twice: a repeated request is shared through Redis.
    for _ in 0..2 {
        request_every_route(app, key, list["id"].as_str().expect("a watchlist")).await;
    }
    let (unknown, foreign) = (Token::random(), Token::for_id(id_of(key).parse().unwrap()));
    for (name, token) in [("an unknown key", unknown), ("a wrong secret of a key", foreign)] {
        let token = token.reveal();
        secrets.add_token(name, token.expose_secret());
        assert_eq!(app.get(token.expose_secret(), "/api/stocks").await.status(), 401);
        misplace(app, token.expose_secret(), key).await;
    }
    misplace(app, key, key).await;
    for token in use_admin_api(app, key).await {
        secrets.add_token("a key that operators issued", &token);
        assert_eq!(app.get(&token, "/api/stocks").await.status(), 200);
    }
}

#[tokio::test]
async fn a_server_leaves_no_secret_in_logs_databases_metrics_traces_or_arguments() {
    let (scratch, (collector, spans)) = (scratch(), collector().await);
    let servers = Servers::start(scratch.path()).await;
    let mut app = servers.app(&collector).await;
    let key = servers.database.issue("enterprise");
    let (id, mut secrets) = (id_of(&key), Secrets::default());
    secrets.add("ADMIN_TOKEN", ADMIN_TOKEN);
    secrets.add_password("the password of Postgres", &servers.postgres.url());
    secrets.add_password("the password of Redis", &servers.redis.url());
    secrets.add_token("a valid key", &key);
    PASSWORD.iter().for_each(|part| secrets.add("a password sent as a key", part));
    send_everything(&app, &key, &mut secrets).await;

    secrets.assert_not_in("Redis", &redis_content(&servers.redis.url()), id);
    secrets.assert_not_in("a dump of Postgres", dump(&servers.database).as_bytes(), id);
    secrets.assert_not_in("the log of Postgres", &server_log(&servers.dir, "postgres"), id);
    secrets.assert_not_in(
        "the log of Redis",
        &server_log(&servers.dir, "redis"),
        "Ready to accept",
    );
    secrets.assert_not_in("the metrics", metrics(&app).await.as_bytes(), "tickerd_");
    for (pid, arguments, _) in processes(app.pid()) {
        secrets.assert_not_in(&format!("the arguments of process {pid}"), &arguments, "tickerd");
    }

    // Without Postgres and Redis, requests fail with 503.
    drop(servers);
    let stranger = Token::random().reveal();
    let stranger = stranger.expose_secret();
    secrets.add_token("a key that can't be looked up", stranger);
    for (token, path) in
        [(stranger, "/api/stocks"), (&*key, "/api/stocks/FB"), (&*key, "/api/watchlists")]
    {
        assert_eq!(app.get(token, path).await.status(), 503, "{path}");
    }
    app.signal("TERM");
    assert_eq!(app.wait_for_exit().await, Some(0));
    let stopped = async || app.log().iter().any(|line| line.contains("\"stopped\""));
    eventually("the log is read to its end", Duration::from_secs(5), stopped).await;
    let log = app.log().join("\n");
    assert!(log.contains("\"TRACE\"") && log.contains(id), "the log has every level");
    secrets.assert_not_in("the log at its lowest level", log.as_bytes(), "\"stopped\"");
    assert!(app.stdout_lines().is_empty(), "{:?}", app.stdout_lines());
    secrets.assert_not_in("spans", &spans.lock().unwrap().concat(), id);
}
