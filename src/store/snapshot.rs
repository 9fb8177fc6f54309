//! The published data: as it is now, or as it was published at a time.

use tokio_postgres::Row;

use super::pool::{Params, Statement};
use super::{Store, StoreError};
use crate::market::AsOf;

/// A version that no replica has replayed, so that the primary is read.
pub(super) const ON_PRIMARY: i64 = i64::MAX;

/// Reads stocks, prices and corporate actions as of one time. The statements are the same for every
/// time: the schema `as_of` has a view for each of their tables.
#[derive(Clone, Copy)]
pub struct Snapshot<'a> {
    store: &'a Store,
    as_of: Option<AsOf>,
}

impl Store {
    /// The data as it is now.
    pub fn now(&self) -> Snapshot<'_> {
        self.as_of(None)
    }

    /// The data as it was published at a time; `None` for now.
    pub fn as_of(&self, as_of: Option<AsOf>) -> Snapshot<'_> {
        Snapshot { store: self, as_of }
    }

    /// The revision from which on replaced data stays readable.
    async fn history_start(&self) -> Result<i64, StoreError> {
        let read = async || {
            let rows = self.query("SELECT min(revision) AS start FROM changes", &[]).await?;
            let start: Option<i64> =
                rows.first().map(|row| row.try_get("start")).transpose()?.flatten();
            start.ok_or_else(|| StoreError::Corrupt("changes has no row".to_owned()))
        };
        self.history_start.get_or_try_init(read).await.copied()
    }
}

impl Snapshot<'_> {
    /// Reads content as of `version` or later, and of this snapshot's time.
    ///
    /// # Errors
    /// [`StoreError::BeforeHistory`] if nothing is known about the time; any error of Postgres.
    pub(super) async fn query(
        &self,
        version: i64,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.run(version, Statement { as_of: self.as_of, ..Statement::now(sql, params) }).await
    }

    /// The same for a statement that may read every stock: only a few run at once.
    pub(super) async fn scan(
        &self,
        version: i64,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let permit = self.store.scans.permit().await?;
        let statement = Statement { sql, params, as_of: self.as_of, scan: Some(&permit) };
        self.run(version, statement).await
    }

    async fn run(&self, version: i64, statement: Statement<'_>) -> Result<Vec<Row>, StoreError> {
        if let Some(as_of) = self.as_of {
            let start = self.store.history_start().await?;
            if as_of.revision() < start {
                return Err(StoreError::BeforeHistory { start });
            }
        }
        self.store.query_content(version, statement).await
    }
}
