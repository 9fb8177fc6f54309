//! Changes of keys by operators. Each is one statement: it draws a revision in the name of an
//! actor, which the audit records, and returns the new state of the key. With a second statement, a
//! failure of that one would lose the token.

use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use super::super::{Params, Store, StoreError};
use super::read::{KeyRecord, status_of};
use crate::caller::{Actor, KeyId, Label, Note, TierName};

/// A key to insert.
pub struct NewKey<'a> {
    pub id: KeyId,
    pub secret_hash: &'a str,
    pub secret_hint: i16,
    pub owner: &'a Label,
    pub name: &'a Label,
    pub note: Option<&'a Note>,
    pub tier: &'a TierName,
    pub expires_at: Option<DateTime<Utc>>,
}

/// New values for fields of a key; `None` leaves a field as it is.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct KeyChange {
    pub owner: Option<Label>,
    pub name: Option<Label>,
    pub tier: Option<TierName>,
    /// `Some(None)` removes it.
    pub note: Option<Option<Note>>,
    /// `Some(None)` means that the key never expires.
    pub expires_at: Option<Option<DateTime<Utc>>>,
}

/// A key that replaces another one, and the end of the replaced key.
pub struct Rotation {
    pub new: KeyRecord,
    pub old_expires_at: DateTime<Utc>,
}

/// The outcome of a write that constraints may reject.
#[derive(Debug, PartialEq, Eq)]
pub enum KeyWrite<T> {
    Done(T),
    UnknownTier,
    /// The id of the new key exists, or the old key was replaced before.
    Taken,
}

impl Store {
    pub async fn insert_key(
        &self,
        actor: &Actor,
        key: &NewKey<'_>,
    ) -> Result<KeyWrite<KeyRecord>, StoreError> {
        let sql = concat!(
            "WITH next AS (SELECT next_revision_by($1) AS current),
             new AS (INSERT INTO api_keys (id, secret_hash, secret_hint, owner, name, note, tier,
                                           expires_at, revision)
                     SELECT $2, $3, $4, $5, $6, $7, $8, $9, current FROM next RETURNING *) ",
            status_of!("new")
        );
        let params: Params<'_> = &[
            &actor.as_str(),
            &key.id.as_str(),
            &key.secret_hash,
            &key.secret_hint,
            &key.owner.as_str(),
            &key.name.as_str(),
            &key.note.map(Note::as_str),
            &key.tier.as_str(),
            &key.expires_at,
        ];
        let rows = match write_outcome(self.query_once(sql, params).await)? {
            KeyWrite::Done(rows) => rows,
            KeyWrite::UnknownTier => return Ok(KeyWrite::UnknownTier),
            KeyWrite::Taken => return Ok(KeyWrite::Taken),
        };
        rows.first().map_or(Ok(KeyWrite::UnknownTier), |row| KeyRecord::of(row).map(KeyWrite::Done))
    }

    /// Replaces the key `id` by a new one with the same owner, name, note, tier and shared limit.
    /// Without `expires_at` the new key also takes the expiry. The old key stays valid for `grace`
    /// at most. `Done(None)` if the old key is not active.
    pub async fn rotate_key(
        &self,
        actor: &Actor,
        id: KeyId,
        (new_id, secret_hash, secret_hint): (KeyId, &str, i16),
        expires_at: Option<DateTime<Utc>>,
        grace: TimeDelta,
    ) -> Result<KeyWrite<Option<Rotation>>, StoreError> {
        let sql = concat!(
            "WITH next AS (SELECT next_revision_by($1) AS current),
             old AS (SELECT k.*, next.current FROM next, api_keys k
                     WHERE k.id = $2 AND k.revoked_at IS NULL
                       AND (k.expires_at IS NULL OR k.expires_at > now())
                     FOR UPDATE OF k),
             new AS (INSERT INTO api_keys (id, secret_hash, secret_hint, owner, name, note, tier,
                                           expires_at, limit_id, replaces, revision)
                     SELECT $3, $4, $5, owner, name, note, tier, coalesce($6, expires_at),
                            coalesce(limit_id, id), id, current
                     FROM old RETURNING *),
             ending AS (UPDATE api_keys k
                        SET expires_at = least(k.expires_at, now() + make_interval(secs => $7)),
                            revision = old.current
                        FROM old, new WHERE k.id = new.replaces RETURNING k.expires_at)
             SELECT status.*, ending.expires_at AS old_expires_at FROM ending, (",
            status_of!("new"),
            ") status"
        );
        let grace_s = grace.as_seconds_f64();
        let params: Params<'_> = &[
            &actor.as_str(),
            &id.as_str(),
            &new_id.as_str(),
            &secret_hash,
            &secret_hint,
            &expires_at,
            &grace_s,
        ];
        let rotation = |row: &Row| {
            let old_expires_at = row.try_get("old_expires_at")?;
            Ok(Rotation { new: KeyRecord::of(row)?, old_expires_at })
        };
        write_outcome(self.query_once(sql, params).await)?
            .try_map(|rows| rows.first().map(rotation).transpose())
    }

    /// Stores the hint of a secret that was verified against this hash, for a key of a release that
    /// stored none. This draws no revision and writes no audit entry: the key itself does not
    /// change.
    pub async fn keep_hint(
        &self,
        id: KeyId,
        secret_hash: &str,
        secret_hint: i16,
    ) -> Result<(), StoreError> {
        let sql = "
            UPDATE api_keys SET secret_hint = $3
            WHERE id = $1 AND secret_hash = $2 AND secret_hint IS NULL";
        self.query_once(sql, &[&id.as_str(), &secret_hash, &secret_hint]).await.map(drop)
    }

    /// Changes a key, and all keys that share its limit and are not revoked: to their holder, keys
    /// of one rotation are one key. Only the expiry is changed for this key alone. Returns the
    /// changed keys: none if there is no such key.
    pub async fn change_key(
        &self,
        actor: &Actor,
        id: KeyId,
        change: &KeyChange,
    ) -> Result<KeyWrite<Vec<KeyRecord>>, StoreError> {
        let sql = concat!(
            "WITH next AS (SELECT next_revision_by($1) AS current),
             shared AS (SELECT coalesce(limit_id, id) AS limit_id FROM api_keys WHERE id = $2),
             changed AS (UPDATE api_keys k
                         SET owner = coalesce($3, k.owner), name = coalesce($4, k.name),
                             tier = coalesce($5, k.tier),
                             note = CASE WHEN $6 THEN $7 ELSE k.note END,
                             expires_at = CASE WHEN $8 AND k.id = $2 THEN $9 ELSE k.expires_at END,
                             revision = next.current
                         FROM next, shared
                         WHERE coalesce(k.limit_id, k.id) = shared.limit_id
                           AND (k.id = $2 OR ($10 AND k.revoked_at IS NULL))
                         RETURNING k.*) ",
            status_of!("changed")
        );
        let id = id.as_str();
        let owner = change.owner.as_ref().map(Label::as_str);
        let name = change.name.as_ref().map(Label::as_str);
        let tier = change.tier.as_ref().map(TierName::as_str);
        let sets_note = change.note.is_some();
        let note = change.note.as_ref().and_then(Option::as_ref).map(Note::as_str);
        let sets_expiry = change.expires_at.is_some();
        let expires_at = change.expires_at.flatten();
        let concerns_all = owner.is_some() || name.is_some() || tier.is_some() || sets_note;
        let params: Params<'_> = &[
            &actor.as_str(),
            &id,
            &owner,
            &name,
            &tier,
            &sets_note,
            &note,
            &sets_expiry,
            &expires_at,
            &concerns_all,
        ];
        let mut changed = write_outcome(self.query_once(sql, params).await)?;
        // A rotation may have committed while this statement waited for its revision. The statement
        // did not see its new key then, and runs once more.
        if let KeyWrite::Done(rows) = &changed
            && concerns_all
            && self.count_sharing_limit(id).await? > rows.len()
        {
            changed = write_outcome(self.query_once(sql, params).await)?;
        }
        changed.try_map(|rows| rows.iter().map(KeyRecord::of).collect())
    }

    /// The number of keys that share the limit of this one and are not revoked, itself included.
    async fn count_sharing_limit(&self, id: &str) -> Result<usize, StoreError> {
        let sql = "SELECT id FROM api_keys WHERE revoked_at IS NULL AND coalesce(limit_id, id) =
                       (SELECT coalesce(limit_id, id) FROM api_keys WHERE id = $1)";
        Ok(self.query(sql, &[&id]).await?.len())
    }

    /// Revokes a key; `None` if there is no such key. Revoking a revoked key keeps the first time.
    pub async fn revoke_key(
        &self,
        actor: &Actor,
        id: KeyId,
    ) -> Result<Option<KeyRecord>, StoreError> {
        let sql = concat!(
            "WITH next AS (SELECT next_revision_by($1) AS current),
             revoked AS (UPDATE api_keys k
                         SET revoked_at = coalesce(k.revoked_at, now()), revision = next.current
                         FROM next WHERE k.id = $2 RETURNING k.*) ",
            status_of!("revoked")
        );
        let rows = self.query_once(sql, &[&actor.as_str(), &id.as_str()]).await?;
        rows.first().map(KeyRecord::of).transpose()
    }
}

/// Turns violated constraints into outcomes.
fn write_outcome<T>(answer: Result<T, StoreError>) -> Result<KeyWrite<T>, StoreError> {
    match answer {
        Ok(done) => Ok(KeyWrite::Done(done)),
        Err(error) if error.has_state(&SqlState::FOREIGN_KEY_VIOLATION) => {
            Ok(KeyWrite::UnknownTier)
        }
        Err(error) if error.has_state(&SqlState::UNIQUE_VIOLATION) => Ok(KeyWrite::Taken),
        Err(error) => Err(error),
    }
}

impl<T> KeyWrite<T> {
    fn try_map<U>(
        self,
        with: impl FnOnce(T) -> Result<U, StoreError>,
    ) -> Result<KeyWrite<U>, StoreError> {
        Ok(match self {
            Self::Done(done) => KeyWrite::Done(with(done)?),
            Self::UnknownTier => KeyWrite::UnknownTier,
            Self::Taken => KeyWrite::Taken,
        })
    }
}
