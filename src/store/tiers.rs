//! The table `tiers`.

use tokio_postgres::Row;

use super::{Store, StoreError};
use crate::caller::{Actor, RateLimit, TierName};

/// A tier, and the number of its active keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierRecord {
    pub name: String,
    pub limit: RateLimit,
    /// The number of keys of this tier that are neither revoked nor expired.
    pub active_keys: i64,
}

impl Store {
    /// Lists the tiers, lowest rate first.
    pub async fn list_tiers(&self) -> Result<Vec<TierRecord>, StoreError> {
        let sql = "
            SELECT t.name, t.requests_per_minute, t.window_s, count(k.id) AS active_keys
            FROM tiers t LEFT JOIN api_keys k ON k.tier = t.name AND k.revoked_at IS NULL
                                              AND (k.expires_at IS NULL OR k.expires_at > now())
            GROUP BY t.name
            ORDER BY t.requests_per_minute::float8 / t.window_s, t.requests_per_minute, t.name";
        let status = |row: &Row| {
            Ok(TierRecord {
                name: row.try_get("name")?,
                limit: limit(row)?,
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
        limit: RateLimit,
    ) -> Result<(), StoreError> {
        let sql = "
            WITH next AS (SELECT next_revision_by($1) AS current)
            INSERT INTO tiers (name, requests_per_minute, window_s, revision)
            SELECT $2, $3, $4, current FROM next
            ON CONFLICT (name) DO UPDATE
            SET requests_per_minute = excluded.requests_per_minute, window_s = excluded.window_s,
                revision = excluded.revision";
        let [requests, window_s] =
            [limit.requests, limit.window_s].map(|n| i32::try_from(n).unwrap_or(i32::MAX));
        self.query_once(sql, &[&actor.as_str(), &name.as_str(), &requests, &window_s])
            .await
            .map(drop)
    }
}

/// The limit in the columns of `tiers`. `requests_per_minute` holds the requests in a window of any
/// length.
pub(super) fn limit(row: &Row) -> Result<RateLimit, StoreError> {
    let [requests, window_s]: [i32; 2] =
        [row.try_get("requests_per_minute")?, row.try_get("window_s")?];
    Ok(RateLimit { requests: requests.unsigned_abs(), window_s: window_s.unsigned_abs() })
}
