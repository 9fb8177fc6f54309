//! The table `api_keys`: the lookup for requests. `read.rs` and `write.rs` are for operators.

mod read;
mod write;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_postgres::Row;

use super::tiers::limit;
use super::{Store, StoreError};
use crate::caller::{Caller, KeyId, Tier};
pub use read::{KEYS_PER_PAGE_MAX, KeyFilter, KeyRecord, KeySearch, KeyStatus};
pub use write::{KeyChange, KeyWrite, NewKey, Rotation};

/// The columns of a key that a request needs.
pub struct KeyRow {
    id: KeyId,
    limit_id: KeyId,
    owner: String,
    /// argon2id, as a PHC string.
    pub secret_hash: String,
    /// The hint of the secret; `None` for a key of a release that stored none.
    pub secret_hint: Option<i16>,
    tier: Tier,
    expires_at: Option<DateTime<Utc>>,
    revoked: bool,
}

impl KeyRow {
    /// `None` for a revoked key.
    pub fn into_caller(self) -> Option<Caller> {
        let Self { id, limit_id, owner, tier, expires_at, .. } = self;
        let caller = Caller { id, limit_id, owner, tier: Arc::new(tier), expires_at };
        (!self.revoked).then_some(caller)
    }
}

impl Store {
    /// The key, revoked or not, and the limit of its tier.
    pub async fn find_key(&self, id: KeyId) -> Result<Option<KeyRow>, StoreError> {
        let sql = "
            SELECT k.secret_hash, k.expires_at, k.revoked_at IS NOT NULL AS is_revoked,
                   t.name AS tier, t.requests_per_minute, t.window_s,
                   coalesce(k.limit_id, k.id) AS limit_id, k.owner, k.secret_hint
            FROM api_keys k JOIN tiers t ON t.name = k.tier WHERE k.id = $1";
        let rows = self.query(sql, &[&id.as_str()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(KeyRow {
            id,
            limit_id: key_id(row, "limit_id")?,
            owner: row.try_get("owner")?,
            secret_hash: row.try_get("secret_hash")?,
            secret_hint: row.try_get("secret_hint")?,
            expires_at: row.try_get("expires_at")?,
            revoked: row.try_get("is_revoked")?,
            tier: Tier { name: row.try_get("tier")?, limit: limit(row)? },
        }))
    }
}

/// The key id in a column.
pub(super) fn key_id(row: &Row, column: &str) -> Result<KeyId, StoreError> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|_| StoreError::Corrupt(format!("{text:?} is not a key id")))
}
