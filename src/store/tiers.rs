//! The table `tiers`.

use tokio_postgres::Row;

use super::{Store, StoreError};
use crate::caller::{Actor, RequestsPerMinute, TierName};

/// A tier, and the number of its active keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierRecord {
    pub name: String,
    pub requests_per_minute: i32,
    /// The number of keys of this tier that are neither revoked nor expired.
    pub active_keys: i64,
}

impl Store {
    /// Lists the tiers, lowest limit first.
    pub async fn list_tiers(&self) -> Result<Vec<TierRecord>, StoreError> {
        let sql = "
            SELECT t.name, t.requests_per_minute, count(k.id) AS active_keys
            FROM tiers t LEFT JOIN api_keys k ON k.tier = t.name AND k.revoked_at IS NULL
                                              AND (k.expires_at IS NULL OR k.expires_at > now())
            GROUP BY t.name ORDER BY t.requests_per_minute, t.name";
        let status = |row: &Row| {
            Ok(TierRecord {
                name: row.try_get("name")?,
                requests_per_minute: row.try_get("requests_per_minute")?,
                active_keys: row.try_get("active_keys")?,
            })
        };
        self.query(sql, &[]).await?.iter().map(status).collect()
    }

    /// Deletes a tier. False if a key has it, also a revoked or expired one.
    pub async fn delete_tier(&self, actor: &Actor, name: &TierName) -> Result<bool, StoreError> {
        let sql = "
            WITH next AS (SELECT next_revision_by($1) AS current)
            DELETE FROM tiers USING next WHERE name = $2 AND next.current > 0";
        match self.query_once(sql, &[&actor.as_str(), &name.as_str()]).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_constraint_violation() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Creates a tier or changes its limit.
    pub async fn set_tier(
        &self,
        actor: &Actor,
        name: &TierName,
        limit: RequestsPerMinute,
    ) -> Result<(), StoreError> {
        let sql = "
            WITH next AS (SELECT next_revision_by($1) AS current)
            INSERT INTO tiers (name, requests_per_minute, revision) SELECT $2, $3, current FROM next
            ON CONFLICT (name) DO UPDATE
            SET requests_per_minute = excluded.requests_per_minute, revision = excluded.revision";
        let limit = i32::try_from(limit.get()).unwrap_or(i32::MAX);
        self.query_once(sql, &[&actor.as_str(), &name.as_str(), &limit]).await.map(drop)
    }
}
