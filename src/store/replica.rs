//! A replica that content is read from, as far as it has come.
//!
//! An answer is kept under the data version that it was asked of. A replica that lags must not fill
//! the cache with what was before that version. Commits draw their numbers from the one row of
//! `revision` in their order, and a replica replays them in that order: one that shows a number
//! shows all that was committed up to it. So the number is read from the replica every so often,
//! beside the requests, and content of a version that lies beyond it is read from the primary.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio_postgres::Row;

use super::pool::{Bounds, Params, Postgres};
use super::{Database, StoreError};
use crate::config::{DatabaseConfig, ReplicaConfig};

/// No revision is reached: nothing is read from the replica.
const AWAY: i64 = -1;

pub(super) struct Replica {
    postgres: Postgres,
    timeout: Duration,
    /// The revision that it was seen to have reached, or [`AWAY`].
    reached: AtomicI64,
}

impl Replica {
    /// `None` where none is configured. Its revision is followed on the runtime that this is called
    /// on, for as long as the replica is held by anybody.
    ///
    /// # Errors
    /// When the URL or the certificate authority can't be read. A replica that is down is no error.
    pub(super) fn start(
        config: &ReplicaConfig,
        database: &DatabaseConfig,
    ) -> Result<Option<Arc<Self>>, StoreError> {
        let Some(url) = &config.database_read_url else { return Ok(None) };
        let replica = Database::at("DATABASE_READ_URL", url, database)?;
        let timeout = Duration::from_millis(config.database_read_timeout_ms);
        let bounds = Bounds { wait: timeout, connect: timeout, statement: timeout };
        let postgres = Postgres::new(replica, database, bounds)?;
        let replica = Arc::new(Self { postgres, timeout, reached: AtomicI64::new(AWAY) });
        tokio::spawn(follow(
            Arc::downgrade(&replica),
            Duration::from_millis(config.database_read_poll_ms),
        ));
        Ok(Some(replica))
    }

    /// The rows, where the replica has reached `revision` and answers in time. Where not, the
    /// primary is there to ask: whatever went wrong here, the replica is left alone until it has
    /// answered again.
    pub(super) async fn rows(
        &self,
        revision: i64,
        sql: &'static str,
        params: Params<'_>,
    ) -> Option<Vec<Row>> {
        if self.reached.load(Ordering::Acquire) < revision.max(0) {
            return None;
        }
        let rows = self.postgres.rows_once(sql, params).await;
        rows.inspect_err(|_| self.reached.store(AWAY, Ordering::Release)).ok()
    }

    async fn current(&self) -> Result<i64, StoreError> {
        let rows = self.postgres.look("SELECT current FROM revision", self.timeout).await?;
        let row = rows.first();
        let row = row.ok_or_else(|| StoreError::Corrupt("revision has no row".to_owned()))?;
        Ok(row.try_get("current")?)
    }
}

/// Keeps what the replica has reached.
async fn follow(replica: Weak<Replica>, poll: Duration) {
    let mut was_away = false;
    while let Some(replica) = replica.upgrade() {
        let current = replica.current().await;
        match &current {
            // Once an outage: it may last.
            Err(error) if !was_away => {
                tracing::warn!(cause = %error, "the replica (DATABASE_READ_URL) can't be asked; reads go to the primary");
            }
            Ok(_) if was_away => tracing::info!("the replica answers again"),
            _ => {}
        }
        was_away = current.is_err();
        replica.reached.store(current.unwrap_or(AWAY), Ordering::Release);
        drop(replica);
        tokio::time::sleep(poll).await;
    }
}
