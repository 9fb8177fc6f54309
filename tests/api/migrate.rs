//! The binary creates the tables, once, however many processes migrate at a time.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;

use crate::support::{App, CommandOutput, Database, eventually, unique};

/// As text: version, name and number of entries.
const HISTORY: &str = "SELECT concat_ws(' ', version, name, count(*)) FROM refinery_schema_history
                       GROUP BY version, name ORDER BY version";
const TABLES: &str = "SELECT relname::text FROM pg_class
                      WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
/// The advisory lock that migrating processes take. It is published: all versions of the binary
/// must take the same lock.
const LOCK: i64 = i64::from_be_bytes(*b"\0tickerd");

/// The expected history: each file of migrations/ once.
fn each_once() -> Vec<String> {
    let files = std::fs::read_dir("migrations")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut versions: Vec<(i32, String)> = files
        .map(|file| {
            let (version, name) = file[1..].trim_end_matches(".sql").split_once("__").unwrap();
            (version.parse().unwrap(), name.to_owned())
        })
        .collect();
    versions.sort();
    versions.iter().map(|(version, name)| format!("{version} {name} 1")).collect()
}

#[tokio::test]
async fn eight_processes_at_once_all_succeed_and_each_migration_is_applied_once() {
    let database = Database::empty().await;
    // Hold all processes at the lock, so that they run at the same time.
    let gate = database.connect().await;
    gate.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await.unwrap();
    let start = || {
        database
            .tickerd(&["migrate", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    };
    let processes: Vec<_> = (0..8).map(|_| start().unwrap()).collect();
    let waiting = "SELECT pid::text FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event = 'advisory'";
    let all_wait = async || database.texts(waiting).await.len() == 8;
    eventually("eight processes wait for the lock", Duration::from_secs(20), all_wait).await;
    assert!(database.texts(TABLES).await.is_empty(), "waiting processes have changed nothing");
    gate.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await.unwrap();
    let mut applied = Vec::new();
    for process in processes {
        let output = CommandOutput::wait_for(process);
        applied.push(output.json()["applied"].as_array().unwrap().len());
    }
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, 0, 0, 0, 0, 0, each_once().len()]);
    assert_eq!(database.texts(HISTORY).await, each_once());
}

#[tokio::test]
async fn a_second_run_says_that_the_tables_are_up_to_date() {
    let database = Database::empty().await;
    let first = database.output(&["migrate"]);
    assert_eq!((first.code, first.stdout.as_str()), (Some(0), ""), "{first:?}");
    assert!(first.stderr.contains("Applied V1__tables"), "{first:?}");
    let second = database.output(&["migrate"]);
    assert_eq!((second.code, second.stdout.as_str()), (Some(0), ""), "{second:?}");
    assert_eq!(second.stderr, "The tables are up to date.\n");
    assert_eq!(database.texts(HISTORY).await, each_once());
}

#[tokio::test]
async fn json_is_alone_on_stdout_and_names_what_was_applied() {
    let database = Database::empty().await;
    let first = database.output(&["migrate", "--json"]);
    let applied = first.json()["applied"].as_array().unwrap().clone();
    assert_eq!((applied.len(), applied[0].as_str()), (each_once().len(), Some("V1__tables")));
    assert_eq!(database.output(&["migrate", "--json"]).json(), json!({ "applied": [] }));
}

#[tokio::test]
async fn servers_that_start_together_on_an_empty_database_migrate_it_once() {
    let database = Database::empty().await;
    let serve = || App::start(database.tickerd(&["serve", "--migrate"]));
    let (one, other) = tokio::join!(serve(), serve());
    assert_eq!(database.texts(HISTORY).await, each_once());
    let key = database.issue("pro");
    for app in [one, other] {
        assert_eq!(
            app.json(&key, "/api/stocks").await,
            (200, json!({ "stocks": [], "count": 0, "total": 0 }))
        );
    }
}

#[tokio::test]
async fn a_migration_that_differs_from_the_applied_one_is_one_error_line() {
    let database = Database::empty().await;
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    database
        .connect()
        .await
        .batch_execute("UPDATE refinery_schema_history SET checksum = '1'")
        .await
        .unwrap();
    for arguments in [["migrate"].as_slice(), &["serve", "--migrate", "--port", "0"]] {
        let output = database.output(arguments);
        assert!(output.error_line().contains("V1__tables"), "{output:?}");
    }
}

#[tokio::test]
async fn a_role_that_may_not_create_in_the_database_learns_what_to_do_and_then_migrates() {
    let database = Database::empty().await;
    let (client, role) = (database.connect().await, unique("poor"));
    // The role may create tables but nothing in the database itself.
    let poor =
        format!("CREATE ROLE {role} LOGIN PASSWORD 'poor'; GRANT ALL ON SCHEMA public TO {role}");
    client.batch_execute(&poor).await.unwrap();
    let url = database.url();
    let (_, server) = url.split_once('@').unwrap();
    let migrate = || {
        let mut command = database.tickerd(&["migrate"]);
        CommandOutput::of(command.env("DATABASE_URL", format!("postgres://{role}:poor@{server}")))
    };
    let output = migrate();
    for part in
        ["CREATE EXTENSION pg_trgm; CREATE SCHEMA as_of", "postgresql-contrib", "migrate again"]
    {
        assert!(output.error_line().contains(part), "{part}: {output:?}");
    }
    client.batch_execute("CREATE EXTENSION pg_trgm").await.unwrap();
    let create = format!("CREATE SCHEMA as_of AUTHORIZATION {role}");
    let output = migrate();
    assert!(output.error_line().contains(&create), "{output:?}");
    client.batch_execute(&create).await.unwrap();
    assert_eq!(migrate().code, Some(0));
    assert_eq!(database.texts(HISTORY).await, each_once());
}

/// After a rollback of the binary, the tables may be those of the next release.
#[tokio::test]
async fn a_binary_that_is_older_than_the_tables_migrates_nothing_and_serves() {
    let database = Database::sample().await;
    let later = "INSERT INTO refinery_schema_history
                 SELECT 9999, 'of_a_later_release', applied_on, '1'
                 FROM refinery_schema_history LIMIT 1";
    database.connect().await.batch_execute(later).await.unwrap();
    let output = database.output(&["migrate", "--json"]);
    assert!(output.stderr.contains("V9999__of_a_later_release"), "{output:?}");
    assert_eq!(output.json(), json!({ "applied": [] }));
    let app = App::start(database.tickerd(&["serve", "--migrate"])).await;
    assert_eq!(app.json(&database.issue("pro"), "/api/stocks").await.0, 200);
}

/// Supabase grants every new table to the roles of its public data API, if a project says so.
#[tokio::test]
async fn roles_of_a_data_api_get_no_rights_on_any_table() {
    let database = Database::empty().await;
    let connection = database.connect().await;
    let roles = "DO $$ BEGIN CREATE ROLE anon NOLOGIN; EXCEPTION WHEN duplicate_object THEN END $$;
                 GRANT USAGE ON SCHEMA public TO anon;
                 ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon";
    connection.batch_execute(roles).await.unwrap();
    assert_eq!(database.output(&["migrate"]).code, Some(0));
    let granted = "SELECT relname::text FROM pg_class
                   WHERE relkind IN ('r', 'v') AND relnamespace = 'public'::regnamespace
                   AND has_table_privilege('anon', oid, 'SELECT, INSERT, UPDATE, DELETE')";
    assert_eq!(database.texts(granted).await, Vec::<String>::new());
    let denied = connection.batch_execute("SET ROLE anon; SELECT id FROM api_keys").await;
    let message = denied.unwrap_err().as_db_error().unwrap().message().to_owned();
    assert_eq!(message, "permission denied for table api_keys");
    // The owner of the tables is not affected.
    database.load_sample();
}
