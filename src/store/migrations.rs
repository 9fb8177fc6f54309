//! Migrations. They are embedded, and one process at a time applies them.

use std::time::Duration;

use refinery_core::{Migration, Runner};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::error::describe;
use super::server_role::grant_to_server;
use super::{Database, StoreError};

// MIGRATIONS: the name and the SQL of each file of migrations/, in their order. See build.rs.
include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

fn runner() -> Runner {
    let migrations = MIGRATIONS.map(|(name, sql)| {
        Migration::unapplied(name, sql).expect("a file is named as in V1__tables.sql")
    });
    Runner::new(&migrations)
}

/// The version and the name of each embedded migration, in their order.
pub(super) fn embedded() -> impl Iterator<Item = (i32, String)> {
    let migrations = runner().get_migrations().clone();
    migrations.into_iter().map(|it| (it.version(), it.to_string()))
}

/// The advisory lock of a process that migrates.
const MIGRATION_LOCK: i64 = i64::from_be_bytes(*b"\0tickerd");

/// How long a migration waits for a lock on a table that a load or a backup uses, the number of
/// tries, and the pause between them.
const TABLE_LOCK_TIMEOUT_MS: u32 = 2000;
const TABLE_LOCK_TRIES: u32 = 120;
const TABLE_LOCK_PAUSE: Duration = Duration::from_secs(3);

/// The only extension that the tables need.
pub(super) const EXTENSION: &str = "pg_trgm";

/// All tables and views. A test compares the list with a migrated database.
pub(super) const TABLES: [&str; 25] = [
    "api_keys",
    "audit",
    "changes",
    "corporate_action_versions",
    "corporate_actions",
    "corporate_actions_history",
    "drawn_revisions",
    "exchanges",
    "former_symbol_versions",
    "former_symbols",
    "former_symbols_history",
    "inherited_symbols",
    "kept_windows",
    "key_usage",
    "price_versions",
    "prices",
    "prices_history",
    "refinery_schema_history",
    "revision",
    "stock_versions",
    "stocks",
    "stocks_history",
    "tiers",
    "usage_batches",
    "watchlists",
];

/// The roles under which Supabase and PostgREST let anybody use tables over HTTP. Some projects
/// grant them every new table by default, which would publish the hashes of keys.
const DATA_API_ROLES: [&str; 2] = ["anon", "authenticated"];

impl Database {
    /// Applies the missing migrations and returns their names. Concurrent processes wait for each
    /// other. The lock belongs to the connection, so a process that dies releases it.
    ///
    /// # Errors
    /// If Postgres can't be reached, a migration fails, or an applied migration differs from the
    /// embedded one. Applied migrations of a newer release are not an error.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let mut client = self.connect_unpooled().await?;
        client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await?;
        // Readers of a table queue behind a process that waits for an exclusive lock on it.
        client.batch_execute(&format!("SET lock_timeout = '{TABLE_LOCK_TIMEOUT_MS}ms'")).await?;
        let mut report = runner().run_async(&mut client).await;
        for _ in 0..TABLE_LOCK_TRIES {
            if !report.as_ref().is_err_and(waited_too_long) {
                break;
            }
            tokio::time::sleep(TABLE_LOCK_PAUSE).await;
            report = runner().run_async(&mut client).await;
        }
        if let Some(migration) = report.as_ref().err().and_then(from_newer_release) {
            // Migrations expand first and contract later, so the tables of a newer release also
            // serve this one, and a binary can be rolled back.
            tracing::warn!(migration, "the tables are of a newer release than this binary");
            report = runner().set_abort_missing(false).run_async(&mut client).await;
        }
        let report = report.map_err(|e| StoreError::Migration(reason(&e)))?;
        revoke_from_data_api(&client).await?;
        grant_to_server(&client).await?;
        client.execute("SELECT pg_advisory_unlock($1)", &[&MIGRATION_LOCK]).await?;
        Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
    }
}

/// Takes all rights on the tables from the roles of a data API, where these roles exist.
async fn revoke_from_data_api(client: &Client) -> Result<(), StoreError> {
    let sql = "SELECT format('REVOKE ALL ON %s FROM %I', c.oid::regclass, r.rolname) AS revoke
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN pg_roles r
               WHERE n.nspname = current_schema() AND c.relname = ANY($1)
                 AND c.relkind IN ('r', 'v') AND r.rolname = ANY($2)";
    let tables: &[&str] = &TABLES;
    let roles: &[&str] = &DATA_API_ROLES;
    for row in client.query(sql, &[&tables, &roles]).await? {
        client.batch_execute(row.try_get("revoke")?).await?;
    }
    Ok(())
}

/// The applied migration that this binary lacks, if it is newer than all embedded ones.
fn from_newer_release(error: &refinery_core::Error) -> Option<String> {
    let refinery_core::error::Kind::MissingVersion(applied) = error.kind() else { return None };
    let newest = runner().get_migrations().iter().map(Migration::version).max();
    (Some(applied.version()) > newest).then(|| applied.to_string())
}

fn waited_too_long(error: &refinery_core::Error) -> bool {
    cause(error).is_some_and(|e| e.code() == Some(&SqlState::LOCK_NOT_AVAILABLE))
}

/// The error with its root cause, in the words of Postgres if it is an error of Postgres.
fn reason(error: &refinery_core::Error) -> String {
    match cause(error) {
        Some(cause) if lacks_extension(cause) => format!(
            "{error}: {}: install the modules that come with Postgres (Debian: postgresql-contrib, \
             in the server's package). If they are installed, let a role that may do so run CREATE \
             EXTENSION {EXTENSION}; CREATE SCHEMA as_of AUTHORIZATION the_role_that_migrates; in \
             this database. Then migrate again",
            describe(cause)
        ),
        Some(cause) => format!("{error}: {}", describe(cause)),
        None => error.to_string(),
    }
}

/// Whether the extension is not on the server's disk (Postgres has two codes for it) or may not be
/// created.
fn lacks_extension(error: &tokio_postgres::Error) -> bool {
    let states = [
        SqlState::UNDEFINED_FILE,
        SqlState::FEATURE_NOT_SUPPORTED,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ];
    error
        .as_db_error()
        .is_some_and(|db| states.contains(db.code()) && db.message().contains(EXTENSION))
}

fn cause(error: &refinery_core::Error) -> Option<&tokio_postgres::Error> {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        if let Some(found) = deeper.downcast_ref() {
            return Some(found);
        }
        cause = deeper;
    }
    None
}
