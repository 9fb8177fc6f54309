//! `tickerd check`: each kind of mistake is found before the server starts.

use serde_json::Value;

use crate::support::{
    App, CommandOutput, Database, RedisServer, redis_url, scratch, tickerd, unique,
};

/// Runs a check with JSON. Returns its exit code, its result and its findings.
fn check(database: &Database, variables: &[(&str, &str)]) -> (i32, String, Vec<Value>) {
    let mut command = database.tickerd(&["check", "--json"]);
    // A limit of open files that any machine has.
    command.env("PORT", "0").env("WORKERS", "1").env("CONNECTIONS_PER_WORKER_MAX", "100");
    let output = CommandOutput::of(command.envs(variables.iter().copied()));
    let report: Value =
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let findings = report["findings"].as_array().unwrap().clone();
    (output.code.unwrap(), report["result"].as_str().unwrap().to_owned(), findings)
}

/// The part of a URL after its password.
fn address(url: &str) -> String {
    url.split_once('@').expect("the URL has a password").1.to_owned()
}

/// Whether a finding of this part and level contains a text.
fn has(findings: &[Value], part: &str, level: &str, text: &str) -> bool {
    findings.iter().any(|it| {
        it["part"] == part
            && it["level"] == level
            && it["message"].as_str().is_some_and(|message| message.contains(text))
    })
}

#[tokio::test]
async fn all_is_well_on_a_migrated_database_with_redis() {
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("test"));
    let redis = [("REDIS_URL", &*redis_url()), ("REDIS_KEY_PREFIX", &*prefix)];
    let (code, result, findings) = check(&database, &redis);
    assert_eq!((code, &*result), (0, "ok"), "{findings:#?}");
    for (part, text) in [
        ("postgres", "the tables are up to date"),
        ("postgres", "no transaction pooler"),
        ("redis", "the script of the limits runs"),
        ("redis", "eviction policy"),
        ("clock", "Postgres"),
        ("clock", "Redis"),
        ("ports", "is free"),
        ("open files", "suffices"),
    ] {
        assert!(has(&findings, part, "ok", text), "{part}: {text}: {findings:#?}");
    }
    // The same, for people.
    let mut command = database.tickerd(&["check"]);
    let text = CommandOutput::of(command.env("PORT", "0"));
    assert!(text.stdout.contains("ok       postgres       version"), "{text:?}");
}

#[tokio::test]
async fn missing_tables_rights_and_migrations_are_wrong_and_say_what_to_do() {
    let empty = Database::empty().await;
    let (code, result, findings) = check(&empty, &[]);
    assert_eq!((code, &*result), (2, "wrong"), "{findings:#?}");
    assert!(has(&findings, "postgres", "wrong", "run tickerd migrate"), "{findings:#?}");

    let database = Database::sample().await;
    let client = database.connect().await;
    let role = unique("reader");
    let sql = format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'sesame'; GRANT USAGE ON SCHEMA as_of TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA public, as_of \
         TO {role}; DELETE FROM refinery_schema_history WHERE version = 14"
    );
    client.batch_execute(&sql).await.unwrap();
    let address = address(&database.url());
    let url = format!("postgres://{role}:sesame@{address}");
    let (code, _, findings) = check(&database, &[("DATABASE_URL", &url)]);
    assert_eq!(code, 2, "{findings:#?}");
    assert!(has(&findings, "postgres", "wrong", "the tables lack V14"), "{findings:#?}");
    assert!(has(&findings, "postgres", "wrong", "GRANT INSERT ON"), "{findings:#?}");
    assert!(!has(&findings, "postgres", "wrong", "GRANT SELECT"), "{findings:#?}");
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
}

#[tokio::test]
async fn servers_that_refuse_or_are_away_are_wrong() {
    let database = Database::sample().await;
    let address = address(&database.url());
    let wrong = format!("postgres://nobody:sesame@{address}");
    for (url, text) in [
        (wrong.as_str(), "check the user"),
        ("postgres://u:p@127.0.0.1:1/d", "check host and port of DATABASE_URL"),
    ] {
        let (code, _, findings) = check(&database, &[("DATABASE_URL", url)]);
        assert!(code == 2 && has(&findings, "postgres", "wrong", text), "{findings:#?}");
    }
    let with_password = redis_url();
    let (_, address) = with_password.split_once('@').unwrap();
    for (url, text) in [
        (format!("redis://:sesame@{address}"), "Redis refuses the password"),
        (format!("redis://{address}"), "Redis refuses the password"),
        ("redis://127.0.0.1:1".to_owned(), "Redis can't be reached"),
    ] {
        let (code, _, findings) = check(&database, &[("REDIS_URL", &url)]);
        assert!(code == 2 && has(&findings, "redis", "wrong", text), "{findings:#?}");
        assert!(!format!("{findings:?}").contains("sesame"), "{findings:#?}");
    }
}

#[tokio::test]
async fn a_redis_that_may_lose_windows_is_a_warning_and_one_without_scripts_is_wrong() {
    let (scratch, database) = (scratch(), Database::sample().await);
    let redis = RedisServer::start(scratch.path()).await;
    redis.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let url = redis.url();
    let (code, result, findings) = check(&database, &[("REDIS_URL", &url)]);
    assert_eq!((code, &*result), (1, "warning"), "{findings:#?}");
    assert!(has(&findings, "redis", "warning", "maxmemory-policy volatile-lru"), "{findings:#?}");
    let user = ["ACL", "SETUSER", "few", "on", ">sesame", "~*", "&*", "+@all", "-@scripting"];
    redis.command(&user);
    let url = format!("redis://few:sesame@127.0.0.1:{}", redis.port());
    let (code, _, findings) = check(&database, &[("REDIS_URL", &url)]);
    assert_eq!(code, 2, "{findings:#?}");
    assert!(has(&findings, "redis", "wrong", "limits can't be shared"), "{findings:#?}");
}

#[tokio::test]
async fn a_taken_port_and_too_few_open_files_are_warnings() {
    let database = Database::sample().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let variables = [("PORT", &*port), ("CONNECTIONS_PER_WORKER_MAX", "1000000000")];
    let (code, _, findings) = check(&database, &variables);
    assert_eq!(code, 1, "{findings:#?}");
    assert!(has(&findings, "ports", "warning", "is taken"), "{findings:#?}");
    assert!(has(&findings, "open files", "warning", "LimitNOFILE"), "{findings:#?}");
}

#[test]
fn wrong_settings_are_all_reported_with_exit_code_2() {
    let mut command = tickerd(&["check"]);
    let output = CommandOutput::of(command.env("PORT", "x").env("DATABASE_URL", "mysql://h/d"));
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("PORT") && output.stderr.contains("mysql"), "{output:?}");
}

/// A shell and systemd give a process a low limit that it may raise.
#[tokio::test]
async fn a_server_raises_its_limit_of_open_files() {
    let database = Database::sample().await;
    let serve = database.tickerd(&["serve"]);
    let mut command = std::process::Command::new("bash");
    let run = "ulimit -Sn 256; exec \"$0\" serve";
    command.args(["-c", run]).arg(serve.get_program()).env("DATABASE_URL", database.url());
    command.env("ADMIN_PORT", "0");
    let app = App::start(command).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", app.pid())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let words: Vec<_> = line.split_whitespace().collect();
    assert!(words[3] == words[4] && words[3] != "256", "{line}");
}
