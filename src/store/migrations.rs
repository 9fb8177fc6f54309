//! Migrations: embedded, run by one process at a time.

use std::time::Duration;

use refinery_core::{Migration, Runner};
use tokio_postgres::error::SqlState;

use super::error::describe;
use super::{Database, StoreError};

// MIGRATIONS: the name and the SQL of each file of migrations/, in their order. See build.rs.
include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

fn runner() -> Runner {
    let migrations = MIGRATIONS.map(|(name, sql)| {
        Migration::unapplied(name, sql).expect("a file is named as in V1__tables.sql")
    });
    Runner::new(&migrations)
}

/// The advisory lock that migrating processes take.
const MIGRATION_LOCK: i64 = i64::from_be_bytes(*b"\0tickerd");

/// How long a migration waits for a table that a load or a backup uses, how often it tries, and the
/// pause between.
const TABLE_LOCK_TIMEOUT_MS: u32 = 2000;
const TABLE_LOCK_TRIES: u32 = 120;
const TABLE_LOCK_PAUSE: Duration = Duration::from_secs(3);

/// The one extension that is needed.
const EXTENSION: &str = "pg_trgm";

impl Database {
    /// Applies the migrations that are missing and returns their names. Processes that come at once
    /// wait for each other: the lock belongs to the connection, so that a process that dies frees
    /// it.
    ///
    /// # Errors
    /// When Postgres can't be reached, a migration fails, or an applied one differs from the
    /// embedded one. Applied ones of a newer release are no error.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let mut client = self.connect_alone().await?;
        client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await?;
        // Whoever reads a table queues behind one who waits for the lock on it.
        client.batch_execute(&format!("SET lock_timeout = '{TABLE_LOCK_TIMEOUT_MS}ms'")).await?;
        let mut report = runner().run_async(&mut client).await;
        for _ in 0..TABLE_LOCK_TRIES {
            if !report.as_ref().is_err_and(waited_too_long) {
                break;
            }
            tokio::time::sleep(TABLE_LOCK_PAUSE).await;
            report = runner().run_async(&mut client).await;
        }
        if let Some(migration) = report.as_ref().err().and_then(of_a_newer_release) {
            // Its tables serve this release as well (expand, then contract): a binary can be taken
            // back.
            tracing::warn!(migration, "the tables are of a newer release than this binary");
            report = runner().set_abort_missing(false).run_async(&mut client).await;
        }
        let report = report.map_err(|e| StoreError::Migration(reason(&e)))?;
        client.execute("SELECT pg_advisory_unlock($1)", &[&MIGRATION_LOCK]).await?;
        Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
    }
}

/// The migration that is applied and not embedded here, where it comes after all that are.
fn of_a_newer_release(error: &refinery_core::Error) -> Option<String> {
    let refinery_core::error::Kind::MissingVersion(applied) = error.kind() else { return None };
    let newest = runner().get_migrations().iter().map(Migration::version).max();
    (Some(applied.version()) > newest).then(|| applied.to_string())
}

fn waited_too_long(error: &refinery_core::Error) -> bool {
    cause(error).is_some_and(|e| e.code() == Some(&SqlState::LOCK_NOT_AVAILABLE))
}

/// What the migrations' own text hides: the cause at the end of the chain, in the words of Postgres
/// where it is one.
fn reason(error: &refinery_core::Error) -> String {
    match cause(error) {
        Some(cause) if lacks_extension(cause) => format!(
            "{error}: {}: install what Postgres comes with (Debian: postgresql-contrib, in the server's package) or, where \
             it is there, have CREATE EXTENSION {EXTENSION} run in this database by who may, then migrate again",
            describe(cause)
        ),
        Some(cause) => format!("{error}: {}", describe(cause)),
        None => error.to_string(),
    }
}

/// Whether the extension is not on the server's disk (which Postgres has two codes for) or may not
/// be created.
fn lacks_extension(error: &tokio_postgres::Error) -> bool {
    let lacking = [
        SqlState::UNDEFINED_FILE,
        SqlState::FEATURE_NOT_SUPPORTED,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ];
    error
        .as_db_error()
        .is_some_and(|db| lacking.contains(db.code()) && db.message().contains(EXTENSION))
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
