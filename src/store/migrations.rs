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
    /// When Postgres can't be reached, a migration fails, or an applied one differs from the embedded one.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreFault> {
        let mut client = self.connect_alone().await?;
        client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await?;
        let report = embedded::migrations::runner().run_async(&mut client).await;
        let report = report.map_err(|e| StoreFault::Migration(reason(&e)))?;
        client.execute("SELECT pg_advisory_unlock($1)", &[&MIGRATION_LOCK]).await?;
        Ok(report.applied_migrations().iter().map(ToString::to_string).collect())
    }
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
