//! The table `audit`. Triggers write it (migrations/V2__keys.sql); this module only reads it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Row;

use super::{Store, StoreError};

/// The most entries of one page.
pub const ENTRIES_PER_PAGE_MAX: u32 = 1000;

/// One change of a key or a tier.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    pub id: i64,
    pub at: DateTime<Utc>,
    /// `cli:NAME`, `http:NAME`, or `sql:ROLE` for a change that was made directly in SQL.
    pub actor: String,
    pub action: String,
    /// `key` or `tier`.
    pub kind: String,
    /// The key's id, or the tier's name.
    pub subject: String,
    /// The values before the change, of the fields that changed.
    pub was: Option<Value>,
    /// The values after the change, of the same fields.
    pub became: Option<Value>,
}

/// Which entries to list.
#[derive(Debug, Default, Clone)]
pub struct AuditFilter {
    /// A key's id, which also matches the key that replaced it; or a tier's name.
    pub subject: Option<String>,
    /// Only entries that are older than this one.
    pub before: Option<i64>,
    /// The most entries to return, up to [`ENTRIES_PER_PAGE_MAX`].
    pub limit: u32,
}

impl Store {
    /// Lists changes, newest first.
    pub async fn list_audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        let sql = "
            SELECT id, at, actor, action, kind, subject, was::text AS was, became::text AS became
            FROM audit
            WHERE ($1::text IS NULL OR subject = $1 OR became ->> 'replaces' = $1)
              AND ($2::bigint IS NULL OR id < $2)
            ORDER BY id DESC LIMIT $3";
        let limit = i64::from(filter.limit.min(ENTRIES_PER_PAGE_MAX));
        let rows = self.query(sql, &[&filter.subject, &filter.before, &limit]).await?;
        rows.iter().map(entry).collect()
    }
}

fn entry(row: &Row) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        id: row.try_get("id")?,
        at: row.try_get("at")?,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        kind: row.try_get("kind")?,
        subject: row.try_get("subject")?,
        was: row.try_get::<_, Option<&str>>("was")?.map(in_camel_case),
        became: row.try_get::<_, Option<&str>>("became")?.map(in_camel_case),
    })
}

/// An object of columns, with names as in the rest of the API: `expires_at` becomes `expiresAt`.
fn in_camel_case(columns: &str) -> Value {
    let Ok(Value::Object(columns)) = serde_json::from_str(columns) else { return Value::Null };
    let renamed = |name: String| {
        let mut parts = name.split('_');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |name, part| {
            let mut letters = part.chars();
            let initial = letters.next().map(|letter| letter.to_ascii_uppercase());
            name + &initial.into_iter().chain(letters).collect::<String>()
        })
    };
    columns.into_iter().map(|(name, value)| (renamed(name), value)).collect()
}
