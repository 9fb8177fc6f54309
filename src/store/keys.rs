//! The table `api_keys`.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::error::SqlState;

use super::{Store, StoreFault};
use crate::caller::{Caller, KeyId, Tier};

/// What a request needs to know of a key.
pub struct KeyRow {
    id: KeyId,
    /// argon2id, as a PHC string.
    pub secret_hash: String,
    tier: Tier,
    expires_at: Option<DateTime<Utc>>,
    revoked: bool,
}

impl KeyRow {
    /// `None` for a revoked key.
    pub fn into_caller(self) -> Option<Caller> {
        let caller = Caller { id: self.id, tier: Arc::new(self.tier), expires_at: self.expires_at };
        (!self.revoked).then_some(caller)
    }
}

/// A key as operators see it: everything but its secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyStatus {
    pub id: String,
    pub owner: String,
    pub name: String,
    pub tier: String,
    pub requests_per_minute: i32,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A key to be stored.
pub struct NewKey<'a> {
    pub id: KeyId,
    pub secret_hash: &'a str,
    pub owner: &'a str,
    pub name: &'a str,
    pub tier: &'a str,
    pub expires_at: Option<DateTime<Utc>>,
}

impl Store {
    /// The key and its tier's limit as of now, revoked or not.
    pub async fn find_key(&self, id: KeyId) -> Result<Option<KeyRow>, StoreFault> {
        let sql = "SELECT k.secret_hash, k.expires_at, k.revoked_at IS NOT NULL, t.name, t.requests_per_minute
                   FROM api_keys k JOIN tiers t ON t.name = k.tier WHERE k.id = $1";
        let rows = self.rows(sql, &[&id.as_str()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let requests_per_minute: i32 = row.get(4);
        Ok(Some(KeyRow {
            id,
            secret_hash: row.get(0),
            expires_at: row.get(1),
            revoked: row.get(2),
            tier: Tier { name: row.get(3), requests_per_minute: requests_per_minute.unsigned_abs() },
        }))
    }

    /// Stores a key. False where its tier doesn't exist.
    pub async fn insert_key(&self, key: &NewKey<'_>) -> Result<bool, StoreFault> {
        let sql = "WITH next AS (SELECT next_revision() AS current)
                   INSERT INTO api_keys (id, secret_hash, owner, name, tier, expires_at, revision)
                   SELECT $1, $2, $3, $4, $5, $6, current FROM next";
        let params: super::Params<'_> =
            &[&key.id.as_str(), &key.secret_hash, &key.owner, &key.name, &key.tier, &key.expires_at];
        match self.rows_once(sql, params).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.is(&SqlState::FOREIGN_KEY_VIOLATION) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Revokes a key and returns since when it is revoked; `None` where there is no such key. Again is no error.
    pub async fn revoke_key(&self, id: KeyId) -> Result<Option<DateTime<Utc>>, StoreFault> {
        let sql = "WITH next AS (SELECT next_revision() AS current)
                   UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()), revision = next.current
                   FROM next WHERE id = $1 RETURNING revoked_at";
        let rows = self.rows_once(sql, &[&id.as_str()]).await?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// All keys, newest first; with an owner only that owner's.
    pub async fn list_keys(&self, owner: Option<&str>) -> Result<Vec<KeyStatus>, StoreFault> {
        let sql =
            "SELECT k.id, k.owner, k.name, t.name, t.requests_per_minute, k.created_at, k.expires_at, k.revoked_at
                   FROM api_keys k JOIN tiers t ON t.name = k.tier
                   WHERE $1::text IS NULL OR k.owner = $1 ORDER BY k.created_at DESC, k.id";
        let rows = self.rows(sql, &[&owner]).await?;
        let status = |row: &tokio_postgres::Row| KeyStatus {
            id: row.get(0),
            owner: row.get(1),
            name: row.get(2),
            tier: row.get(3),
            requests_per_minute: row.get(4),
            created_at: row.get(5),
            expires_at: row.get(6),
            revoked_at: row.get(7),
        };
        Ok(rows.iter().map(status).collect())
    }

    /// The tiers, smallest first: (name, requests per minute).
    pub async fn list_tiers(&self) -> Result<Vec<(String, i32)>, StoreFault> {
        let sql = "SELECT name, requests_per_minute FROM tiers ORDER BY requests_per_minute, name";
        Ok(self.rows(sql, &[]).await?.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}
