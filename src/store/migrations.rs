//! Migrations: embedded, run by one process at a time.

use super::fault::describe;
use super::{Database, StoreFault};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The advisory lock that migrating processes take.
const MIGRATION_LOCK: i64 = i64::from_be_bytes(*b"\0tickerd");

impl Database {
    /// Applies the migrations that are missing and returns their names. Processes that come at once wait for each
    /// other: the lock belongs to the connection, so that a process that dies frees it.
    ///
    /// # Errors
    /// When Postgres can't be reached, a migration fails, or an applied one differs from the embedded one. Applied ones of
    /// a newer release are no error.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreFault> {
        let mut client = self.connect_alone().await?;
        client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await?;
        let mut report = embedded::migrations::runner().run_async(&mut client).await;
        if let Some(migration) = report.as_ref().err().and_then(of_a_newer_release) {
            // Its tables serve this release as well (expand, then contract): a binary can be taken back.
            tracing::warn!(migration, "the tables are of a newer release than this binary");
            report = embedded::migrations::runner().set_abort_missing(false).run_async(&mut client).await;
        }
        let report = report.map_err(|e| StoreFault::Migration(reason(&e)))?;
        client.execute("SELECT pg_advisory_unlock($1)", &[&MIGRATION_LOCK]).await?;
        Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
    }
}

/// The migration that is applied and not embedded here, where it comes after all that are.
fn of_a_newer_release(error: &refinery::Error) -> Option<String> {
    let refinery::error::Kind::MissingVersion(applied) = error.kind() else { return None };
    let runner = embedded::migrations::runner();
    let newest = runner.get_migrations().iter().map(refinery::Migration::version).max();
    (Some(applied.version()) > newest).then(|| applied.to_string())
}

/// What the migrations' own text hides: the cause at the end of the chain, in the words of Postgres where it is one.
fn reason(error: &refinery::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
        if let Some(e) = cause.downcast_ref() {
            return format!("{error}: {}", describe(e));
        }
    }
    error.to_string()
}
