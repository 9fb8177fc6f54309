//! Keys as operators see them: everything but their secrets.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use tokio_postgres::Row;

use super::super::tiers::limit;
use super::super::{Store, StoreError};
use crate::caller::{KeyId, Label, RateLimit, TierName};
use crate::market::word_enum;

/// The most keys of one page.
pub const KEYS_PER_PAGE_MAX: u32 = 1000;

/// Selects the columns of [`KeyRecord::of`] from rows of `api_keys`, or from rows that a statement
/// has just written.
macro_rules! status_of {
    ($rows:literal) => {
        concat!(
            "SELECT k.id, k.owner, k.name, k.note, t.name AS tier,
                    t.requests_per_minute, t.window_s,
                    k.created_at, k.expires_at, k.revoked_at,
                    coalesce(k.limit_id, k.id) AS limit_id, k.replaces, n.id AS replaced_by,
                    k.expires_at <= now() AS is_expired,
                    (SELECT max(u.last_used_at) FROM key_usage u
                     WHERE u.key_id = k.id
                       AND u.day = (SELECT max(day) FROM key_usage WHERE key_id = k.id)
                    ) AS last_used_at,
                    (SELECT coalesce(sum(u.requests), 0)::bigint FROM key_usage u
                     WHERE u.key_id = k.id AND u.day = (now() AT TIME ZONE 'UTC')::date
                    ) AS requests_today
             FROM ",
            $rows,
            " k JOIN tiers t ON t.name = k.tier LEFT JOIN api_keys n ON n.replaces = k.id "
        )
    };
}
pub(super) use status_of;

/// A key as operators see it.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    pub id: String,
    pub owner: String,
    pub name: String,
    pub note: Option<String>,
    pub tier: String,
    pub limit: RateLimit,
    pub status: KeyStatus,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// The id whose limit this key shares: its own, or that of the first key in a chain of
    /// rotations.
    pub limit_id: String,
    pub replaces: Option<String>,
    pub replaced_by: Option<String>,
    /// The last use that instances have stored so far.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The requests of the current day (UTC) that instances have stored so far.
    pub requests_today: i64,
}

word_enum! {
    pub enum KeyStatus: "active, expired or revoked" {
        Active = "active",
        Expired = "expired",
        Revoked = "revoked",
    }
}

/// Which keys to list.
#[derive(Debug, Default, Clone)]
pub struct KeyFilter {
    pub id: Option<KeyId>,
    pub owner: Option<Label>,
    pub tier: Option<TierName>,
    /// Only keys that are neither revoked nor expired.
    pub active_only: bool,
    pub search: Option<KeySearch>,
    /// Only keys that follow this one in the list.
    pub after: Option<KeyId>,
    /// The most keys to return, up to [`KEYS_PER_PAGE_MAX`].
    pub limit: u32,
}

impl Store {
    /// A key in any state.
    pub async fn find_key_record(&self, id: KeyId) -> Result<Option<KeyRecord>, StoreError> {
        Ok(self
            .list_keys(&KeyFilter { id: Some(id), limit: 1, ..KeyFilter::default() })
            .await?
            .pop())
    }

    /// Lists keys, newest first.
    pub async fn list_keys(&self, filter: &KeyFilter) -> Result<Vec<KeyRecord>, StoreError> {
        let sql = concat!(
            status_of!("api_keys"),
            "WHERE ($1::text IS NULL OR k.owner = $1)
               AND ($2::text IS NULL OR k.tier = $2)
               AND (NOT $3
                    OR (k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())))
               AND ($4::text IS NULL
                    OR key_words(k.owner, k.name, k.note) @@ to_tsquery('simple', $4))
               AND ($5::text IS NULL
                    OR (k.created_at, k.id) < (SELECT created_at, id FROM api_keys WHERE id = $5))
               AND ($6::text IS NULL OR k.id = $6)
             ORDER BY k.created_at DESC, k.id DESC LIMIT $7"
        );
        let owner = filter.owner.as_ref().map(Label::as_str);
        let tier = filter.tier.as_ref().map(TierName::as_str);
        let words = filter.search.as_ref().map(|search| search.0.as_str());
        let after = filter.after.map(|id| id.to_string());
        let id = filter.id.map(|id| id.to_string());
        let limit = i64::from(filter.limit.min(KEYS_PER_PAGE_MAX));
        let rows = self
            .query(sql, &[&owner, &tier, &filter.active_only, &words, &after, &id, &limit])
            .await?;
        rows.iter().map(KeyRecord::of).collect()
    }
}

impl KeyRecord {
    pub(super) fn of(row: &Row) -> Result<Self, StoreError> {
        let revoked_at: Option<DateTime<Utc>> = row.try_get("revoked_at")?;
        let is_expired: Option<bool> = row.try_get("is_expired")?;
        let status = match (revoked_at, is_expired) {
            (Some(_), _) => KeyStatus::Revoked,
            (None, Some(true)) => KeyStatus::Expired,
            (None, _) => KeyStatus::Active,
        };
        Ok(Self {
            id: row.try_get("id")?,
            owner: row.try_get("owner")?,
            name: row.try_get("name")?,
            note: row.try_get("note")?,
            tier: row.try_get("tier")?,
            limit: limit(row)?,
            status,
            created_at: row.try_get("created_at")?,
            expires_at: row.try_get("expires_at")?,
            revoked_at,
            limit_id: row.try_get("limit_id")?,
            replaces: row.try_get("replaces")?,
            replaced_by: row.try_get("replaced_by")?,
            last_used_at: row.try_get("last_used_at")?,
            requests_today: row.try_get("requests_today")?,
        })
    }
}

/// Words to search keys for, as a text for `to_tsquery`. Each must be the beginning of a word of
/// the owner, the name or the note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySearch(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a word or more to search for, in up to {SEARCH_CHARS_MAX} characters")]
pub struct KeySearchError;

const SEARCH_CHARS_MAX: usize = 200;

impl FromStr for KeySearch {
    type Err = KeySearchError;

    /// Splits where the SQL function `key_words` splits, so that no word has an operator of
    /// `to_tsquery`.
    fn from_str(text: &str) -> Result<Self, KeySearchError> {
        let parts =
            text.split(|c: char| c.is_ascii_punctuation() || c.is_whitespace() || c.is_control());
        let words: Vec<_> =
            parts.filter(|part| !part.is_empty()).map(|word| format!("'{word}':*")).collect();
        let fits = !words.is_empty() && text.chars().count() <= SEARCH_CHARS_MAX;
        if fits { Ok(Self(words.join(" & "))) } else { Err(KeySearchError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_turned_into_prefixes_without_operators() {
        let words = |text: &str| text.parse::<KeySearch>().map(|search| search.0);
        assert_eq!(words("ann@example.com").unwrap(), "'ann':* & 'example':* & 'com':*");
        assert_eq!(words(" !(a & 'b') | c:* \\ ").unwrap(), "'a':* & 'b':* & 'c':*");
        for none in ["", "@@ ", &"x".repeat(201)] {
            assert_eq!(words(none), Err(KeySearchError), "{none}");
        }
    }
}
