//! The role of the server has no more rights than it needs, and the audit only grows.

use std::collections::BTreeSet;

use crate::support::{App, Database, id_of, read_text, run};

const INSUFFICIENT: &str = "42501";

/// The error code of a statement, if Postgres refuses it.
async fn refusal(url: &str, sql: &str) -> Option<String> {
    let client = Database::at(url).connect().await;
    let refused = client.batch_execute(sql).await.err()?;
    Some(refused.code().map_or_else(|| refused.to_string(), |code| code.code().to_owned()))
}

#[tokio::test]
async fn the_role_of_the_server_can_not_write_data_or_rewrite_the_audit() {
    let database = Database::sample().await;
    database.issue("free");
    for sql in [
        "UPDATE prices SET close = low",
        "DELETE FROM prices",
        "INSERT INTO stocks (symbol, name, exchange, currency, data_version)
         VALUES ('NEW', 'New', 'NYSE', 'USD', 1)",
        "UPDATE stocks SET symbol = 'NEW' WHERE symbol = 'IBM'",
        "DELETE FROM prices_history",
        "UPDATE exchanges SET closes_at = '12:00'",
        "DELETE FROM api_keys",
        "DELETE FROM tiers",
        "DELETE FROM audit",
        "UPDATE audit SET actor = 'nobody'",
        "TRUNCATE audit",
        "DELETE FROM drawn_revisions",
        "DELETE FROM key_usage",
        "ALTER TABLE audit DISABLE TRIGGER ALL",
        "DROP TABLE watchlists",
        "CREATE TABLE mine (id int)",
        "CREATE FUNCTION as_of.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ] {
        let refused = refusal(database.serve_url(), sql).await;
        assert_eq!(refused.as_deref(), Some(INSUFFICIENT), "{sql}");
    }
}

#[tokio::test]
async fn the_owner_of_the_tables_can_only_add_to_the_audit() {
    let database = Database::sample().await;
    let key = database.issue("free");
    for sql in ["DELETE FROM audit", "UPDATE audit SET actor = 'nobody'", "TRUNCATE audit"] {
        let refused = refusal(&database.url(), sql).await;
        assert_eq!(refused.as_deref(), Some(INSUFFICIENT), "{sql}");
    }
    let entries = format!("SELECT action FROM audit WHERE subject = '{}'", id_of(&key));
    assert_eq!(database.texts(&entries).await.len(), 1);
}

#[tokio::test]
async fn the_script_of_roles_can_be_run_again_and_names_every_table() {
    let database = Database::sample().await;
    let script = read_text("deploy/roles.sql");
    let owner = database.connect().await;
    owner.batch_execute(&script).await.unwrap();
    let tables = "SELECT c.relname::text FROM pg_class c
                  JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname = 'public' AND c.relkind IN ('r', 'v')
                    AND NOT has_table_privilege('tickerd_serve', c.oid, 'SELECT')";
    assert_eq!(database.texts(tables).await, [""; 0]);
    let app = App::without_redis(&database).await;
    assert_eq!(app.get(&database.issue("free"), "/api/stocks").await.status(), 200);
    let users: BTreeSet<String> = database
        .texts(
            "SELECT usename::text FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'tickerd'",
        )
        .await
        .into_iter()
        .collect();
    assert_eq!(users, BTreeSet::from(["tickerd_serve".to_owned()]));
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_by_the_check_and_at_the_start() {
    let database = Database::sample().await;
    let check = async || {
        let mut command = database.tickerd(&["check", "--json"]);
        command.env("DATABASE_URL", database.serve_url());
        String::from_utf8(run(&mut command).stdout).unwrap()
    };
    let complete = check().await;
    assert!(!complete.contains("GRANT"), "{complete}");
    let revoke = "REVOKE DELETE ON watchlists, usage_batches FROM tickerd_serve;
                  REVOKE USAGE ON SCHEMA as_of FROM tickerd_serve;
                  REVOKE SELECT ON as_of.prices FROM tickerd_serve";
    database.connect().await.batch_execute(revoke).await.unwrap();
    let grant = "GRANT DELETE ON usage_batches, watchlists TO tickerd_serve";
    let incomplete = check().await;
    for grant in [
        grant,
        "GRANT USAGE ON SCHEMA as_of TO tickerd_serve",
        "GRANT SELECT ON as_of.prices TO tickerd_serve",
    ] {
        assert!(incomplete.contains(grant), "{incomplete}");
    }
    let app = App::without_redis(&database).await;
    let named = app.warnings_and_errors().iter().filter(|line| line.contains(grant)).count();
    assert_eq!(named, 1, "{:?}", app.log());
}
