//! The history of the database, which goes back if a replica is promoted that lacks the last
//! commits, or if a backup is restored.
//!
//! Every commit that changes data, keys or tiers draws a revision, and `drawn_revisions` keeps it.
//! An instance that has applied a revision that is missing there knows data that never was. An
//! instance may also have cached the content of a lost commit before it applied its revision. So a
//! new timeline of Postgres counts as a history that went back, even if no revision is missing.

use tokio_postgres::error::SqlState;

use super::pool::{Postgres, Statement};
use super::{Store, StoreError};

/// Where the history stands, seen from an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryPosition {
    /// The revision of the last commit.
    pub revision: i64,
    /// The revision that was drawn when the history was last found to have gone back; 0 if it never
    /// was.
    pub restored_at: i64,
    /// Whether the revision that the instance has applied was drawn in this history.
    pub has_applied: bool,
    /// Whether Postgres has another timeline than at `restored_at`.
    pub has_new_timeline: bool,
}

impl Store {
    /// Where the history stands for an instance that has applied everything up to `applied`.
    pub(super) async fn read_history_position(
        &self,
        applied: i64,
    ) -> Result<HistoryPosition, StoreError> {
        read_position(&self.primary, applied).await
    }

    /// Records that the history went back, for every instance: draws a revision that is higher than
    /// `applied`. Does nothing if another instance has recorded it since `seen` was read. Returns
    /// the position after it.
    pub(super) async fn write_restored_history(
        &self,
        applied: i64,
        seen: HistoryPosition,
    ) -> Result<HistoryPosition, StoreError> {
        match self.draw_restored_revision(applied, Some(seen.restored_at)).await {
            Ok(_) => self.read_history_position(applied).await,
            // It can't draw a revision: this number is one that no cached response is of.
            Err(error)
                if error.has_state(&SqlState::READ_ONLY_SQL_TRANSACTION)
                    || error.has_state(&SqlState::INSUFFICIENT_PRIVILEGE) =>
            {
                Ok(HistoryPosition { restored_at: applied.max(seen.revision) + 1, ..seen })
            }
            Err(error) => Err(error),
        }
    }

    /// Lets every instance use new cache keys, as after a history that went back. Returns the
    /// revision that was drawn for it.
    pub async fn forget_cached_responses(&self) -> Result<i64, StoreError> {
        let drawn = self.draw_restored_revision(0, None).await?;
        drawn.ok_or_else(|| StoreError::Corrupt("revision has no row".to_owned()))
    }

    /// Draws a revision that is higher than `applied`, from which every instance uses new cache
    /// keys. `None`, and nothing is drawn, if `restored_at` is another than `seen_restored_at`.
    async fn draw_restored_revision(
        &self,
        applied: i64,
        seen_restored_at: Option<i64>,
    ) -> Result<Option<i64>, StoreError> {
        let sql = "
            WITH restored AS (
                UPDATE revision SET current = drawn.revision, restored_at = drawn.revision,
                    timeline = coalesce(cluster_timeline(), timeline)
                FROM (SELECT greatest(current, $1, (extract(epoch FROM now()) * 1000000)::int8) + 1
                          AS revision FROM revision) AS drawn
                WHERE restored_at = coalesce($2, restored_at)
                RETURNING revision.current
            )
            INSERT INTO drawn_revisions (revision) SELECT current FROM restored
            RETURNING revision";
        let rows = self.query_in_background(sql, &[&applied, &seen_restored_at]).await?;
        rows.first().map(|row| row.try_get("revision")).transpose().map_err(StoreError::from)
    }
}

/// Where the history of one Postgres stands for an instance, or a replica, that has applied
/// everything up to `applied`.
pub(super) async fn read_position(
    postgres: &Postgres,
    applied: i64,
) -> Result<HistoryPosition, StoreError> {
    let sql = "
        SELECT current, restored_at, timeline <> cluster_timeline() AS has_new_timeline,
            EXISTS (SELECT FROM drawn_revisions d WHERE d.revision = $1) AS has_applied
        FROM revision";
    let rows = postgres.query_in_background(Statement::now(sql, &[&applied])).await?;
    let row = rows.first();
    let row = row.ok_or_else(|| StoreError::Corrupt("revision has no row".to_owned()))?;
    let has_new_timeline: Option<bool> = row.try_get("has_new_timeline")?;
    Ok(HistoryPosition {
        revision: row.try_get("current")?,
        restored_at: row.try_get("restored_at")?,
        has_applied: row.try_get("has_applied")?,
        has_new_timeline: has_new_timeline.unwrap_or(false),
    })
}
