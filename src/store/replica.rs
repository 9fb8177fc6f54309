//! A replica that content is read from, up to the revision that it has replayed.
//!
//! The cache stores an answer under a data version, and a lagging replica must not fill it with
//! older content. Commits draw their numbers from the only row of `revision` one after the other,
//! and a replica replays them in that order: if it shows a number, it shows everything that was
//! committed up to that number. A background task polls the number. Content of a later version is
//! read from the primary.
//!
//! The numbers must be of the same history: a replica that did not follow when another one was
//! promoted may have commits that the new primary never had.

use std::mem::discriminant;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio_postgres::Row;

use super::connect::Database;
use super::error::StoreError;
use super::history::read_position;
use super::pool::{PoolTimeouts, Postgres, Statement};
use crate::config::{DatabaseConfig, ReplicaConfig};

/// Stands for the revision while the replica does not answer: nothing is read from it.
const UNAVAILABLE: i64 = -1;

pub(super) struct Replica {
    postgres: Postgres,
    primary: Postgres,
    timeout: Duration,
    /// The newest revision that the replica is known to have replayed, or [`UNAVAILABLE`].
    replayed: AtomicI64,
    is_paused: AtomicBool,
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
        primary: Postgres,
    ) -> Result<Option<Arc<Self>>, StoreError> {
        let Some(url) = &config.database_read_url else { return Ok(None) };
        let replica = Database::at("DATABASE_READ_URL", url, database)?;
        let timeout = Duration::from_millis(config.database_read_timeout_ms);
        let timeouts = PoolTimeouts { wait: timeout, connect: timeout, statement: timeout };
        let postgres = Postgres::new(replica, database, timeouts)?;
        let replayed = AtomicI64::new(UNAVAILABLE);
        let replica = Arc::new(Self {
            postgres,
            primary,
            timeout,
            replayed,
            is_paused: AtomicBool::new(false),
        });
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

    /// The revision up to which content may be read here, after a poll that found `revision`. Asks
    /// the primary only if something may have changed since it confirmed a revision.
    async fn confirm(&self, revision: i64, confirmed: &mut Option<Confirmed>) -> (i64, Found) {
        let current = Confirmed { revision, opened: self.primary.links().opened() };
        if confirmed.as_ref() == Some(&current) {
            return (revision, Found::Usable);
        }
        // A replica has applied its revision, as an instance has.
        match read_position(&self.primary, revision).await {
            Ok(position) if position.has_applied => {
                *confirmed = Some(current);
                (revision, Found::Usable)
            }
            Ok(_) => {
                *confirmed = None;
                (UNAVAILABLE, Found::Diverged)
            }
            // The primary is down. What it has confirmed stays readable.
            Err(_) => {
                let replayed =
                    confirmed.as_ref().map_or(UNAVAILABLE, |of| of.revision.min(revision));
                (replayed, Found::Usable)
            }
        }
    }

    pub(super) fn close_unused_connections(&self) {
        self.postgres.close_unused();
    }

    /// Stops the polls, or lets them go on. Nothing is read here until the next poll.
    pub(super) fn pause_polls(&self, is_paused: bool) {
        self.is_paused.store(is_paused, Ordering::Release);
        if is_paused {
            self.replayed.store(UNAVAILABLE, Ordering::Release);
        }
    }

    async fn revision(&self) -> Result<i64, StoreError> {
        let rows = self.postgres.probe("SELECT current FROM revision", self.timeout).await?;
        let row = rows.first();
        let row = row.ok_or_else(|| StoreError::Corrupt("revision has no row".to_owned()))?;
        Ok(row.try_get("current")?)
    }
}

/// A revision that the primary has drawn, as it said over one of its connections.
#[derive(PartialEq, Eq)]
struct Confirmed {
    revision: i64,
    /// The number of connections to the primary that were opened before. The next one may lead to
    /// another history.
    opened: u64,
}

/// What a poll of the replica has found.
enum Found {
    Usable,
    /// It has commits that the primary does not have.
    Diverged,
    Silent(StoreError),
}

impl Found {
    fn log(&self) {
        match self {
            Self::Usable => tracing::info!("the replica answers again"),
            Self::Diverged => tracing::warn!(
                "the replica (DATABASE_READ_URL) has commits that the primary does not have: set \
                 it up anew from the primary; reads go to the primary"
            ),
            Self::Silent(cause) => tracing::warn!(
                %cause,
                "the replica (DATABASE_READ_URL) does not answer; reads go to the primary"
            ),
        }
    }
}

/// Polls the revision that the replica has replayed.
async fn follow(replica: Weak<Replica>, poll: Duration) {
    let (mut last, mut confirmed) = (Found::Usable, None);
    while let Some(replica) = replica.upgrade() {
        if replica.is_paused.load(Ordering::Acquire) {
            drop(replica);
            tokio::time::sleep(poll).await;
            continue;
        }
        let (replayed, found) = match replica.revision().await {
            Ok(revision) => replica.confirm(revision, &mut confirmed).await,
            Err(error) => (UNAVAILABLE, Found::Silent(error)),
        };
        // Logged once per outage.
        if discriminant(&last) != discriminant(&found) {
            found.log();
        }
        last = found;
        replica.replayed.store(replayed, Ordering::Release);
        drop(replica);
        tokio::time::sleep(poll).await;
    }
}
