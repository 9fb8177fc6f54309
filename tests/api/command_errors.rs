//! Operator mistakes and outages: silent servers, closed pipes, bad files, concurrent loads.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{
    App, CommandOutput, Database, client, eventually, free_port, redis_url, scratch, tickerd,
};

const HEADER: &str = "symbol,date,open,high,low,close,volume,adjusted_close";

#[tokio::test]
async fn a_silent_postgres_fails_after_the_connect_timeout() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://ann:sesame@{}/stocks", silent.local_addr().unwrap());
    for arguments in
        [["keys", "list"].as_slice(), &["migrate"], &["ingest", "stocks", "seed/stocks.csv"]]
    {
        let mut command = tickerd(arguments);
        command.env("DATABASE_URL", &url).env("DATABASE_CONNECT_TIMEOUT_MS", "300");
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut ended = false;
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            ended = process.try_wait().unwrap().is_some();
            if ended {
                break;
            }
        }
        process.kill().unwrap();
        let output = CommandOutput::wait_for(process);
        assert!(ended, "{arguments:?} still waits after 5 s: {output:?}");
        assert!(output.error_line().starts_with("Postgres can't be reached: "), "{output:?}");
    }
}

/// Both lock rows of stocks and the revision. They use one order, so they can't deadlock.
#[tokio::test]
async fn concurrent_loads_of_stocks_and_prices_both_succeed() {
    let database = Database::sample().await;
    let scratch = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = scratch.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let stocks =
        write("stocks.csv", "symbol,name,exchange,currency\nAAPL,Apple,NASDAQ,USD\n".to_owned());
    let prices = write("prices.csv", format!("{HEADER}\nAAPL,2000-03-01,1,2,1,1,5,1\n"));
    let waiting = async |count: usize| {
        let sql = "SELECT pid::text FROM pg_stat_activity WHERE application_name = 'tickerd'
                   AND datname = current_database() AND wait_event_type = 'Lock'";
        let all_wait = async || database.texts(sql).await.len() == count;
        eventually("the loads wait for a lock", Duration::from_secs(20), all_wait).await;
    };
    let start = |arguments: &[&str]| {
        database.tickerd(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let gate = database.connect().await;
    gate.batch_execute("BEGIN; SELECT * FROM revision FOR UPDATE").await.unwrap();
    let first = start(&["ingest", "prices", &prices, "--json"]);
    waiting(1).await;
    let second = start(&["ingest", "stocks", &stocks, "--json"]);
    waiting(2).await;
    gate.batch_execute("ROLLBACK").await.unwrap();
    for load in [first, second] {
        assert_eq!(CommandOutput::wait_for(load).json()["changed"], 1);
    }
}

/// The report names the first bad rows, also when a later line ends the reading.
#[tokio::test]
async fn an_unreadable_line_does_not_hide_the_bad_rows_before_it() {
    let database = Database::sample().await;
    let scratch = tempfile::tempdir().unwrap();
    for (n, end) in
        [b"AAPL,2020-01-03,1\n".as_slice(), b"\xff,2020-01-03,1,2,1,1,5,1\n"].iter().enumerate()
    {
        let path = scratch.path().join(format!("{n}.csv"));
        let rows = format!("{HEADER}\nAAPL,2020-01-02,x,2,1,1,5,1\n");
        std::fs::write(&path, [rows.as_bytes(), end].concat()).unwrap();
        let output = database.output(&["ingest", "prices", path.to_str().unwrap()]);
        assert_eq!(output.code, Some(1));
        assert!(
            output.stderr.contains("line 2, column open") && output.stderr.contains("line 3"),
            "{output:?}"
        );
    }
}

/// Postgres would reject these values too, but without line and column.
#[tokio::test]
async fn every_value_that_postgres_would_refuse_is_named_by_line_and_column() {
    let database = Database::sample().await;
    let scratch = tempfile::tempdir().unwrap();
    let huge = "9".repeat(400);
    let (stocks, actions) =
        ("symbol,name,exchange,currency", "symbol,ex_date,split_from,split_to,dividend");
    let mut unnamed = Vec::new();
    for (kind, text, place) in [
        ("stocks", format!("{stocks}\nAAPL,A\0B,NASDAQ,USD\n"), "line 2, column name"),
        ("actions", format!("{actions}\nAAPL,2020-01-02,1,{huge},\n"), "line 2, column split_to"),
        ("actions", format!("{actions}\nAAPL,2020-01-02,,,{huge}\n"), "line 2, column dividend"),
        ("prices", format!("{HEADER}\nAAPL,2020-01-02,1,{huge},1,1,5,1\n"), "line 2, column high"),
    ] {
        let path = scratch.path().join("file.csv");
        std::fs::write(&path, text).unwrap();
        let output = database.output(&["ingest", kind, path.to_str().unwrap()]);
        assert_eq!(output.code, Some(1), "{output:?}");
        if !output.stderr.contains(place) {
            unnamed.push((place, output.stderr));
        }
    }
    assert!(unnamed.is_empty(), "{unnamed:?}");
}

/// `tickerd keys list | head -1`.
#[tokio::test]
async fn a_closed_pipe_causes_no_panic() {
    let database = Database::sample().await;
    database.issue("pro");
    for arguments in
        [["keys", "list"].as_slice(), &["keys", "list", "--json"], &["migrate", "--json"]]
    {
        let mut process = database
            .tickerd(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(process.stdout.take());
        let output = CommandOutput::wait_for(process);
        assert!(!output.stderr.contains("panicked"), "{output:?}");
    }
}

#[tokio::test]
async fn an_invalid_redis_url_is_reported_before_any_change() {
    let database = Database::sample().await;
    for arguments in [["ingest", "stocks", "seed/stocks.csv"], ["keys", "revoke", "000000000000"]] {
        let output =
            CommandOutput::of(database.tickerd(&arguments).env("REDIS_URL", "nonsense://"));
        assert!(output.code == Some(2) && output.stderr.contains("REDIS_URL"), "{output:?}");
    }
}

/// Each is told apart, and said without the password.
#[test]
fn urls_that_are_of_something_else_are_refused_with_what_is_expected() {
    let (postgres, redis) = ("postgres://user:password@host", "redis://");
    for (variable, value, expected) in [
        ("DATABASE_URL", "mysql://u:sesame@h/d", "mysql:// is no URL of Postgres"),
        ("DATABASE_URL", "localhost:5432/d", postgres),
        ("DATABASE_URL", "sesame", postgres),
        ("DATABASE_URL", "postgres://u:[YOUR-PASSWORD]@h/d", "placeholder"),
        ("DATABASE_URL", "postgres://u:sesame@h/d?sslmod=require", "\"sslmod\" is unknown"),
        ("DATABASE_DIRECT_URL", "http://u:sesame@h/d", "http:// is no URL of Postgres"),
        ("DATABASE_READ_URL", "sesame@h", postgres),
        ("REDIS_URL", "https://u:sesame@h", "https:// is no URL of Redis"),
        ("REDIS_URL", "localhost:6379", "such as redis://localhost:6379"),
        ("REDIS_URL", "sesame@h:6379", redis),
    ] {
        let mut command = tickerd(&["serve"]);
        command.env("DATABASE_URL", "postgres://localhost:1/none").env(variable, value);
        let output = CommandOutput::of(&mut command);
        assert_eq!(output.code, Some(2), "{variable}={value}: {output:?}");
        assert!(output.stderr.contains(expected) && output.stderr.contains(variable), "{output:?}");
        assert!(!output.stderr.contains("sesame"), "{output:?}");
    }
}

#[test]
fn the_rest_address_of_upstash_is_told_from_the_url_of_a_client() {
    for variable in ["REDIS_URL", "UPSTASH_REDIS_REST_URL"] {
        let mut command = tickerd(&["serve", "--database-url", "postgres://localhost:1/none"]);
        let output = CommandOutput::of(command.env(variable, "https://eu1-a.upstash.io"));
        let line = output.error_line();
        assert!(line.contains("rediss://") && line.contains("UPSTASH_REDIS_REST_TOKEN"), "{line}");
    }
}

#[tokio::test]
async fn without_tables_commands_name_tickerd_migrate() {
    let database = Database::empty().await;
    for arguments in [["keys", "list"].as_slice(), &["ingest", "stocks", "seed/stocks.csv"]] {
        let output = database.output(arguments);
        assert!(output.error_line().contains("tickerd migrate"), "{output:?}");
    }
}

/// The printed URL has the address of the listener.
#[tokio::test]
async fn a_demo_prints_the_address_that_it_listens_on() {
    let scratch = scratch();
    let mut command: Command = tickerd(&["demo", "--dir", scratch.path().to_str().unwrap()]);
    command.env("HOST", "127.0.0.2");
    let mut app = App::start(command).await;
    let lines =
        app.stdout_lines().into_iter().filter(|line| line.contains("curl ")).collect::<Vec<_>>();
    let right = lines.iter().all(|line| line.contains(&app.url("/api/stocks")));
    app.signal("TERM");
    app.wait_for_exit().await;
    assert!(lines.len() == 4 && right, "{lines:?}");
}

/// Starts a server that must refuse to start, and returns its last line.
fn refusal(command: &mut Command) -> String {
    let output = CommandOutput::of(command.env("PORT", "0").env("LOG", "error"));
    output.error_line().to_owned()
}

/// Waiting mends none of these.
#[tokio::test]
async fn a_server_refuses_to_start_with_a_wrong_password_role_or_database() {
    let database = Database::sample().await;
    let url = database.url();
    let (_, address) = url.split_once('@').unwrap();
    let (server, _) = address.split_once('/').unwrap();
    let own = database.url();
    for (url, expected) in [
        (format!("postgres://tickerd:sesame@{address}"), "check the user and the password"),
        (format!("postgres://nobody:sesame@{address}"), "check the user"),
        (own.replace(address, &format!("{server}/no_such_database")), "create it, or name another"),
        (format!("postgres://tickerd@{address}"), "password missing"),
        (format!("{own}?sslmode=require"), "does not support TLS"),
    ] {
        let line = refusal(tickerd(&["serve"]).env("DATABASE_URL", &url));
        assert!(line.starts_with("Postgres can't be used: "), "{line}");
        assert!(line.contains(expected) && !line.contains("sesame"), "{expected}: {line}");
    }
}

#[tokio::test]
async fn a_server_refuses_to_start_with_a_wrong_password_of_redis_or_without_one() {
    let database = Database::sample().await;
    let url = redis_url();
    let (_, address) = url.split_once('@').expect("the Redis has a password");
    for url in [
        format!("redis://:sesame@{address}"),
        format!("redis://nobody:sesame@{address}"),
        format!("redis://{address}"),
    ] {
        let line = refusal(database.tickerd(&["serve"]).env("REDIS_URL", &url));
        assert!(line.starts_with("Redis refuses the password (REDIS_URL): "), "{line}");
        assert!(!line.contains("sesame"), "{line}");
    }
}

/// It answers 503 until the tables are there, and needs no restart.
#[tokio::test]
async fn a_server_on_an_empty_database_is_not_ready_until_the_tables_are_made() {
    let database = Database::empty().await;
    let mut command = database.tickerd(&["serve"]);
    let port = free_port().to_string();
    command.env("PORT", &port).env("LOG_FORMAT", "json");
    let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
    let client = client();
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let key = tickerd::keys::Token::random().reveal();
    let key = secrecy::ExposeSecret::expose_secret(&key).to_owned();
    let get = async |path: &str| client.get(url(path)).header("x-api-key", &key).send().await;
    eventually("the server listens", Duration::from_secs(30), async || {
        get("/health").await.is_ok()
    })
    .await;
    assert_eq!(get("/health/ready").await.unwrap().status(), 503);
    let answer = get("/api/stocks").await.unwrap();
    assert!(answer.headers().contains_key("retry-after"), "{answer:?}");
    assert_eq!(answer.status(), 503);
    let body = answer.text().await.unwrap();
    assert!(body.contains("temporarily unavailable") && !body.contains("migrate"), "{body}");
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    let is_ready = async || get("/health/ready").await.is_ok_and(|it| it.status() == 200);
    eventually("the server is ready", Duration::from_secs(20), is_ready).await;
    assert_eq!(get("/api/stocks").await.unwrap().status(), 401);
    process.kill().unwrap();
    let log = CommandOutput::wait_for(process).stderr;
    let line = log.lines().find(|line| line.contains("the database has no tables")).unwrap();
    assert!(line.contains("\"ERROR\"") && line.contains("tickerd migrate"), "{line}");
}

/// A database that is away comes back: the server starts, and is ready then.
#[tokio::test]
async fn a_server_starts_without_a_postgres_that_can_be_reached() {
    let mut command = tickerd(&["serve", "--database-url", "postgres://u:p@127.0.0.1:1/d"]);
    let port = free_port();
    let mut process = command.env("PORT", port.to_string()).spawn().unwrap();
    let url = format!("http://127.0.0.1:{port}/health");
    let client = client();
    let listens = async || client.get(&url).send().await.is_ok_and(|it| it.status() == 200);
    eventually("the server listens", Duration::from_secs(30), listens).await;
    process.kill().unwrap();
    process.wait().unwrap();
}
