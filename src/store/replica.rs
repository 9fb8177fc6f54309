//! A replica that content is read from, up to the revision that it has replayed.
//!
//! The cache stores an answer under a data version, and a lagging replica must not fill it with
//! older content. Commits draw their numbers from the only row of `revision` one after the other,
//! and a replica replays them in that order: if it shows a number, it shows everything that was
//! committed up to that number. A background task polls the number. Content of a later version is
//! read from the primary.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio_postgres::Row;

use super::connect::Database;
use super::error::StoreError;
use super::pool::{PoolTimeouts, Postgres, Statement};
use crate::config::{DatabaseConfig, ReplicaConfig};

/// Stands for the revision while the replica does not answer: nothing is read from it.
const UNAVAILABLE: i64 = -1;

pub(super) struct Replica {
    postgres: Postgres,
    timeout: Duration,
    /// The newest revision that the replica is known to have replayed, or [`UNAVAILABLE`].
    replayed: AtomicI64,
}

impl Replica {
    /// `None` if none is configured. A task on the runtime of the caller polls the revision until
    /// the replica is dropped.
    ///
    /// # Errors
    /// If the URL or the certificate authority can't be read. A replica that is down is not an
    /// error.
    pub(super) fn start(
        config: &ReplicaConfig,
        database: &DatabaseConfig,
    ) -> Result<Option<Arc<Self>>, StoreError> {
        let Some(url) = &config.database_read_url else { return Ok(None) };
        let replica = Database::at("DATABASE_READ_URL", url, database)?;
        let timeout = Duration::from_millis(config.database_read_timeout_ms);
        let timeouts = PoolTimeouts { wait: timeout, connect: timeout, statement: timeout };
        let postgres = Postgres::new(replica, database, timeouts)?;
        let replica = Arc::new(Self { postgres, timeout, replayed: AtomicI64::new(UNAVAILABLE) });
        tokio::spawn(follow(
            Arc::downgrade(&replica),
            Duration::from_millis(config.database_read_poll_ms),
        ));
        Ok(Some(replica))
    }

    /// The rows, if the replica has replayed `revision` and answers in time; otherwise `None`, and
    /// the caller asks the primary. After a failure the replica is not used until it has answered a
    /// poll.
    pub(super) async fn query(&self, revision: i64, statement: Statement<'_>) -> Option<Vec<Row>> {
        if self.replayed.load(Ordering::Acquire) < revision.max(0) {
            return None;
        }
        let rows = self.postgres.query_once(statement).await;
        rows.inspect_err(|_| self.replayed.store(UNAVAILABLE, Ordering::Release)).ok()
    }

    async fn revision(&self) -> Result<i64, StoreError> {
        let rows = self.postgres.probe("SELECT current FROM revision", self.timeout).await?;
        let row = rows.first();
        let row = row.ok_or_else(|| StoreError::Corrupt("revision has no row".to_owned()))?;
        Ok(row.try_get("current")?)
    }
}

/// Polls the revision that the replica has replayed.
async fn follow(replica: Weak<Replica>, poll: Duration) {
    let mut was_unavailable = false;
    while let Some(replica) = replica.upgrade() {
        let revision = replica.revision().await;
        match &revision {
            // Logged once per outage.
            Err(error) if !was_unavailable => {
                tracing::warn!(
                    cause = %error,
                    "the replica (DATABASE_READ_URL) does not answer; reads go to the primary"
                );
            }
            Ok(_) if was_unavailable => tracing::info!("the replica answers again"),
            _ => {}
        }
        was_unavailable = revision.is_err();
        replica.replayed.store(revision.unwrap_or(UNAVAILABLE), Ordering::Release);
        drop(replica);
        tokio::time::sleep(poll).await;
    }
}
