//! Commands print tokens they issue on stdout only, and leave no secret anywhere else.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use secrecy::ExposeSecret;
use testkit::servers::{Durability, LocalPostgres, choose_dir};
use tickerd::config::SECRETS;
use tickerd::keys::Token;

use super::places::{Secrets, processes, server_log};
use crate::support::{ADMIN_TOKEN, App, CommandOutput, Database, id_of, scratch, tickerd};

#[tokio::test]
async fn commands_never_repeat_a_given_token_nor_send_it_to_postgres() {
    let scratch = scratch();
    let dir = choose_dir(&scratch.path().join("servers")).unwrap();
    let postgres = LocalPostgres::start(&dir, Durability::Throwaway).unwrap();
    let database = Database::at(&postgres.url());
    assert!(database.run(&["migrate"]).status.success());
    let client = database.connect().await;
    for sql in ["ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()"] {
        client.batch_execute(sql).await.unwrap();
    }
    let (token, stranger) = (database.issue("pro"), Token::random().reveal());
    let cut = &token[..token.len() - 1];
    let mut secrets = Secrets::default();
    secrets.add_token("a token", &token);
    secrets.add_token("a stranger's token", stranger.expose_secret());
    secrets.add_password("the password of Postgres", &postgres.url());
    for token in [
        &token,
        stranger.expose_secret(),
        cut,
        &format!(" {token}"),
        &token.replacen("live_", "live_.", 1),
    ] {
        for arguments in [
            vec!["keys", "show", token],
            vec!["keys", "set", token, "--note", token],
            vec!["keys", "set", token, "--note", "a note"],
            vec!["keys", "audit", token],
            vec!["keys", "list", "--owner", token],
            vec!["keys", "issue", "--owner", token, "--name", "x"],
            vec!["keys", "issue", "--owner", "x", "--name", "x", "--tier", token],
            vec!["keys", "revoke", token],
            vec!["usage", "--key", token],
            vec!["tiers", "set", token, "--requests-per-minute", "1"],
            vec!["stocks", "rename", token, token],
            vec!["keys", token],
            vec![token],
        ] {
            let output = CommandOutput::of(database.tickerd(&arguments).env("LOG", "trace"));
            secrets.assert_not_in(
                &format!("{arguments:?}"),
                format!("{output:?}").as_bytes(),
                "CommandOutput",
            );
        }
    }
    let rotated = CommandOutput::of(
        database.tickerd(&["keys", "rotate", &token, "--json"]).env("LOG", "trace"),
    );
    assert_eq!(rotated.code, Some(0), "{}", rotated.stderr);
    let new: serde_json::Value = serde_json::from_str(&rotated.stdout).unwrap();
    secrets.assert_not_in(
        "the output of a rotation",
        rotated.stdout.as_bytes(),
        new["id"].as_str().unwrap(),
    );
    secrets.add_token("the new token", new["token"].as_str().unwrap());
    secrets.assert_not_in("the log of a rotation", format!("-{}", rotated.stderr).as_bytes(), "-");
    secrets.assert_not_in("the log of Postgres", &server_log(&dir, "postgres"), id_of(&token));
}

/// Every user of the machine sees a command's arguments in the list of processes.
#[tokio::test]
async fn a_token_can_be_given_on_stdin() {
    let database = Database::sample().await;
    let token = database.issue("pro");
    let mut command = database.tickerd(&["keys", "show", "-", "--json"]);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(format!("{token}\n").as_bytes()).unwrap();
    let shown: serde_json::Value = CommandOutput::wait_for(process).json();
    assert_eq!(shown["id"], id_of(&token));
    let nothing = CommandOutput::of(database.tickerd(&["keys", "show", "-"]).stdin(Stdio::null()));
    assert!(nothing.code == Some(2) && nothing.stderr.contains("expected a key id"), "{nothing:?}");
}

#[test]
fn startup_errors_contain_no_secrets() {
    const PASSWORD: &str = "correct-horse-battery-staple";
    let mut secrets = Secrets::default();
    secrets.add("a password", PASSWORD);
    for (name, value) in [
        ("DATABASE_URL", format!("postgres://u:{PASSWORD}@127.0.0.1:port/d")),
        ("DATABASE_URL", format!("postgres://u:{PASSWORD}@127.0.0.1/d?sslmode={PASSWORD}")),
        ("DATABASE_URL", PASSWORD.to_owned()),
        ("DATABASE_READ_URL", format!("mysql://u:{PASSWORD}@127.0.0.1/d")),
        ("REDIS_URL", format!("redis://:{PASSWORD}@127.0.0.1:port/0")),
        ("REDIS_URL", format!("redis://:{PASSWORD}@127.0.0.1:1/{PASSWORD}")),
        ("REDIS_URL", PASSWORD.to_owned()),
        ("ADMIN_TOKEN", format!("{PASSWORD} {PASSWORD}")),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("https://u:{PASSWORD}@127.0.0.1")),
        ("PORT", format!("postgres://u:{PASSWORD}@127.0.0.1/d")),
    ] {
        let mut command = tickerd(&["serve", "--port", "0"]);
        if name == "PORT" {
            command = tickerd(&["serve"]);
        }
        let output = CommandOutput::of(
            command
                .env("DATABASE_URL", "postgres://u:p@127.0.0.1:1/d")
                .env(name, &value)
                .env("LOG", "trace"),
        );
        assert!(matches!(output.code, Some(1 | 2)), "{name}={value}: {output:?}");
        secrets.assert_not_in(&format!("the error for {name}"), output.stderr.as_bytes(), "e");
    }
}

/// The demo prints its keys and the URLs of its servers on purpose. They appear nowhere else, and
/// its servers get no secret of the operator's environment.
#[tokio::test]
async fn the_demo_prints_keys_only_on_stdout_and_hides_operator_secrets_from_its_servers() {
    const OPERATORS: &str = "postgres://operator:of-another-database@127.0.0.1:1/none";
    let scratch = scratch();
    let mut command = tickerd(&["demo", "--dir", scratch.path().join("demo").to_str().unwrap()]);
    for name in SECRETS.iter().filter(|name| name.ends_with("URL")) {
        command.env(name, OPERATORS);
    }
    command.env("ADMIN_TOKEN", ADMIN_TOKEN).env("LOG", "trace").process_group(0);
    let mut app = App::start(command).await;
    let printed = app.stdout_lines();
    let words = printed.iter().flat_map(|line| line.split(['\'', ' ', '=']));
    let (mut shown, mut secrets) = (0, Secrets::default());
    for word in words {
        if word.starts_with("tk_live_") {
            secrets.add_token("a key of the demo", word);
            shown += 1;
        } else if word.contains("://") && word.contains('@') {
            secrets.add_password("a password of the demo", word);
            shown += 1;
        }
    }
    assert!(shown >= 5, "{printed:?}");
    let all = processes(app.pid());
    assert!(all.len() >= 5, "a shell and a server each, and Postgres' own: {}", all.len());
    let arguments: Vec<_> = all.iter().flat_map(|(_, arguments, _)| arguments.clone()).collect();
    secrets.assert_not_in("the arguments of its processes", &arguments, "demo");
    secrets.add("ADMIN_TOKEN", ADMIN_TOKEN);
    secrets.add_password("the operator's password", OPERATORS);
    let environments: Vec<_> =
        all.iter().skip(1).flat_map(|(_, _, environment)| environment.clone()).collect();
    secrets.assert_not_in("the environments of its servers", &environments, "LC_ALL=C");
    app.signal("TERM");
    assert_eq!(app.wait_for_exit().await, Some(0));
    secrets.assert_not_in("the log of the demo", app.log().join("\n").as_bytes(), "listening");
}
