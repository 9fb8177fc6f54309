//! The environment: old names of settings, empty variables, and variables of other programs.

use std::process::Command;

use crate::support::{App, CommandOutput, Database, header, tickerd};

const OLD_AND_NEW: [(&str, &str); 4] = [
    ("KEY_STATUS_BELIEVED_MS", "KEY_STATUS_STALE_MAX_MS"),
    ("CHANGES_POLL_ALONE_MS", "CHANGES_POLL_WITHOUT_REDIS_MS"),
    ("KEYLESS_REQUESTS_PER_HOUR_MAX", "ANONYMOUS_REQUESTS_PER_HOUR_MAX"),
    ("KEYLESS_ADDRESSES_MAX", "ANONYMOUS_ADDRESSES_MAX"),
];

fn flag(variable: &str) -> String {
    format!("--{}", variable.to_lowercase().replace('_', "-"))
}

/// The warnings of a server that name a variable.
fn warnings(app: &App, variable: &str) -> Vec<String> {
    let is_warning = |line: &String| line.contains("\"WARN\"") && line.contains(variable);
    app.log().into_iter().filter(is_warning).collect()
}

/// The limit of requests without a key.
async fn limit_of(app: &App) -> String {
    let answer = app.request("GET", "/nothing").send().await.expect("an answer");
    header(&answer, "ratelimit-policy").to_owned()
}

#[tokio::test]
async fn an_old_name_has_its_effect_and_a_warning_names_the_new_one() {
    let database = Database::sample().await;
    let old = OLD_AND_NEW.map(|(old, _)| (old, "777"));
    let app = App::with(&database, &old).await;
    assert_eq!(limit_of(&app).await, "\"keyless\";q=777;w=3600");
    for (old, new) in OLD_AND_NEW {
        let warnings = warnings(&app, old);
        assert_eq!(warnings.len(), 1, "{old}: {:?}", app.log());
        assert!(warnings[0].contains(&format!("{old} has a new name: set {new}")), "{warnings:?}");
    }
}

#[tokio::test]
async fn the_new_name_wins_over_the_old_one() {
    let database = Database::sample().await;
    let both =
        [("KEYLESS_REQUESTS_PER_HOUR_MAX", "nonsense"), ("ANONYMOUS_REQUESTS_PER_HOUR_MAX", "55")];
    let app = App::with(&database, &both).await;
    assert_eq!(limit_of(&app).await, "\"keyless\";q=55;w=3600");
    let warnings = warnings(&app, "KEYLESS_REQUESTS_PER_HOUR_MAX");
    assert!(warnings.len() == 1 && warnings[0].contains("is ignored"), "{warnings:?}");
}

#[tokio::test]
async fn without_old_names_nothing_is_warned_about() {
    let app = App::without_redis(&Database::sample().await).await;
    assert_eq!(limit_of(&app).await, "\"keyless\";q=100;w=3600");
    assert_eq!(warnings(&app, "name"), Vec::<String>::new());
}

#[test]
fn every_old_variable_and_flag_is_read_as_the_new_one_and_not_shown_in_the_help() {
    let serve = |arguments: &[&str]| -> Command {
        let mut command = tickerd(&["serve", "--database-url", "postgres://localhost/none"]);
        command.args(arguments);
        command
    };
    let help = CommandOutput::of(&mut serve(&["--help"])).stdout;
    for (old, new) in OLD_AND_NEW {
        let by_variable = CommandOutput::of(serve(&[]).env(old, "nonsense"));
        let by_flag = CommandOutput::of(&mut serve(&[&flag(old), "nonsense"]));
        for output in [by_variable, by_flag] {
            let expected = format!("invalid value 'nonsense' for '{} ", flag(new));
            assert!(
                output.code == Some(2) && output.stderr.contains(&expected),
                "{old}: {output:?}"
            );
        }
        assert!(help.contains(&flag(new)) && !help.contains(old) && !help.contains(&flag(old)));
    }
}

/// Compose files set a variable that is missing to an empty text.
#[tokio::test]
async fn every_variable_that_is_set_and_empty_counts_as_not_set() {
    let command = tickerd::cli::command();
    let serve = command.find_subcommand("serve").unwrap();
    let names = serve.get_arguments().filter_map(|argument| argument.get_env());
    let names = names.map(|name| name.to_str().unwrap());
    // The test chooses these itself.
    let chosen = ["DATABASE_URL", "PORT", "ADMIN_PORT"];
    let empty: Vec<_> =
        names.filter(|name| !chosen.contains(name)).map(|name| (name, "")).collect();
    assert!(empty.len() > 40, "{empty:?}");
    let app = App::with(&Database::sample().await, &empty).await;
    assert_eq!(limit_of(&app).await, "\"keyless\";q=100;w=3600");
    assert_eq!(app.warnings_and_errors(), Vec::<String>::new());
}

/// conda and some shells set HOST to a name.
#[tokio::test]
async fn a_host_that_is_a_name_is_ignored_with_a_warning() {
    let database = Database::sample().await;
    let app = App::with(&database, &[("HOST", "x86_64-conda-linux-gnu")]).await;
    assert!(app.address().starts_with("127.0.0.1:"), "{}", app.address());
    let warnings = warnings(&app, "HOST");
    assert!(warnings.len() == 1 && warnings[0].contains("x86_64-conda-linux-gnu"), "{warnings:?}");
}

/// conda on macOS has dots in the name.
#[tokio::test]
async fn hosts_and_ports_as_other_programs_set_them_do_not_stop_the_server() {
    let database = Database::sample().await;
    let variables = [
        ("HOST", "x86_64-apple-darwin13.4.0"),
        ("TICKERD_PORT", "tcp://10.0.0.1:3000"),
        ("TICKERD_ADMIN_PORT", "tcp://10.0.0.1:9900"),
    ];
    let app = App::with(&database, &variables).await;
    assert!(app.address().starts_with("127.0.0.1:"), "{}", app.address());
    for (name, value) in variables {
        let warnings = warnings(&app, name);
        assert!(warnings.len() == 1 && warnings[0].contains(value), "{name}: {:?}", app.log());
    }
}

#[tokio::test]
async fn an_address_in_brackets_and_lists_with_spaces_are_read() {
    let variables = [("HOST", "[::1]"), ("TRUSTED_PROXIES", " 127.0.0.1, ::1 , 10.0.0.0/8,")];
    let app = App::with(&Database::sample().await, &variables).await;
    assert!(app.address().starts_with("[::1]:"), "{}", app.address());
    assert_eq!(limit_of(&app).await, "\"keyless\";q=100;w=3600");
}

/// Each of the three names a limit; the command line another one.
#[tokio::test]
async fn a_flag_comes_before_a_prefixed_variable_before_a_plain_one_before_the_file() {
    let database = Database::sample().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("env");
    // A password with characters that a shell would expand.
    let text = format!(
        "# settings\nexport DATABASE_URL='{}'\n\
         ANONYMOUS_REQUESTS_PER_HOUR_MAX=\"11\" # a comment\n\
         ADMIN_TOKEN='$HOME#0123456789abcdef0123'\n",
        database.url()
    );
    std::fs::write(&file, text).unwrap();
    let serve = |variables: &[(&str, &str)], flags: &[&str]| {
        let mut command = tickerd(&["--env-file", file.to_str().unwrap(), "serve"]);
        command.args(flags).envs(variables.iter().copied());
        command
    };
    let name = "ANONYMOUS_REQUESTS_PER_HOUR_MAX";
    let (plain, prefixed) = ((name, "22"), (&*format!("TICKERD_{name}"), "33"));
    let flag = [&*flag(name), "44"];
    for (variables, flags, limit) in [
        ([(name, "")].as_slice(), [].as_slice(), 11),
        (&[plain], &[], 22),
        (&[plain, prefixed], &[], 33),
        (&[plain, prefixed], &flag, 44),
    ] {
        let app = App::start(serve(variables, flags)).await;
        assert_eq!(limit_of(&app).await, format!("\"keyless\";q={limit};w=3600"));
        let keys = app.admin("GET", "/admin/keys").bearer_auth("$HOME#0123456789abcdef0123");
        assert_eq!(keys.send().await.unwrap().status(), 200);
    }
}

#[test]
fn a_missing_database_url_is_named_with_the_file_that_may_have_it() {
    let dir = tempfile::tempdir().unwrap();
    let run = || {
        let output = CommandOutput::of(tickerd(&["serve"]).current_dir(dir.path()));
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.stderr.contains("DATABASE_URL is not set"), "{output:?}");
        output.stderr
    };
    assert!(run().contains("--env-file"), "{}", run());
    std::fs::write(dir.path().join(".env"), "DATABASE_URL=postgres://localhost/none\n").unwrap();
    assert!(run().contains("This directory has a file .env"), "{}", run());
}

#[test]
fn a_file_of_variables_that_is_not_usable_is_named_without_its_values() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("env");
    let run = || CommandOutput::of(&mut tickerd(&["serve", "--env-file", file.to_str().unwrap()]));
    let absent = run();
    assert!(absent.code == Some(2) && absent.stderr.contains("env can't be read"), "{absent:?}");
    std::fs::write(&file, "PORT=1\nADMIN_TOKEN: sesame\n").unwrap();
    let wrong = run();
    assert!(wrong.code == Some(2) && wrong.stderr.contains("env, line 2"), "{wrong:?}");
    assert!(!wrong.stderr.contains("sesame"), "{wrong:?}");
    std::fs::write(&file, "PORT=sesame\nDATABASE_URL=postgres://localhost/none\n").unwrap();
    let value = run();
    let source = format!("The value comes from PORT in {}.", file.display());
    assert!(value.code == Some(2) && value.stderr.contains(&source), "{value:?}");
}

#[test]
fn all_wrong_values_are_reported_at_once() {
    let wrong = [("HOST", "0.0.0"), ("PORT", "x"), ("WORKERS", "many"), ("LOG", "verbose")];
    let mut command = tickerd(&["serve"]);
    let output = CommandOutput::of(command.envs(wrong));
    assert_eq!(output.code, Some(2), "{output:?}");
    for name in wrong.map(|(name, _)| name).into_iter().chain(["DATABASE_URL"]) {
        assert!(output.stderr.contains(name), "{name}: {output:?}");
    }
    // A value that a flag replaces is not read.
    let mut command = tickerd(&["serve", "--port", "y", "--database-url", "postgres://h/d"]);
    let output = CommandOutput::of(command.env("PORT", "x"));
    assert!(output.stderr.contains("'y'") && !output.stderr.contains("'x'"), "{output:?}");
}

#[test]
fn two_variables_that_exclude_each_other_are_both_named() {
    let mut command = tickerd(&["serve", "--database-url", "postgres://localhost/none"]);
    command.env("ADMIN_TOKEN", "sesame").env("ADMIN_TOKEN_FILE", "/nowhere");
    let output = CommandOutput::of(&mut command);
    assert!(output.code == Some(2) && !output.stderr.contains("sesame"), "{output:?}");
    assert!(output.stderr.contains("ADMIN_TOKEN and "), "{output:?}");
    assert!(output.stderr.contains("ADMIN_TOKEN_FILE are both set"), "{output:?}");
}

#[tokio::test]
async fn localhost_is_an_address_to_listen_on() {
    let app = App::with(&Database::sample().await, &[("HOST", "localhost")]).await;
    assert!(app.address().starts_with("127.0.0.1:"), "{}", app.address());
}

#[test]
fn an_invalid_value_of_a_variable_is_reported_with_the_name_of_the_variable() {
    let serve = |arguments: &[&str]| {
        let mut command = tickerd(&["serve", "--database-url", "postgres://localhost/none"]);
        command.args(arguments);
        command
    };
    for (variable, value) in [("HOST", "0.0.0"), ("PORT", "x"), ("WORKERS", "many")] {
        let output = CommandOutput::of(serve(&[]).env(variable, value));
        let source = format!("The value comes from the environment variable {variable}.");
        assert!(output.code == Some(2) && output.stderr.contains(&source), "{output:?}");
    }
    let by_flag = CommandOutput::of(&mut serve(&["--port", "x"]));
    assert!(!by_flag.stderr.contains("environment variable"), "{by_flag:?}");
}
