//! The table `audit`, which this module only reads. Triggers write it (migrations/V2__keys.sql),
//! and `load/delete.rs` for deleted market data.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tokio_postgres::Row;

use super::{Store, StoreError};

/// The most entries of one page.
pub const ENTRIES_PER_PAGE_MAX: u32 = 1000;

/// One change of a key, a tier or an exchange, or a deletion of market data.
#[derive(Debug)]
pub struct AuditRecord {
    pub id: i64,
    pub at: DateTime<Utc>,
    /// `cli:NAME`, `http:NAME`, or `sql:ROLE` for a change that was made directly in SQL.
    pub actor: String,
    pub action: String,
    /// `key`, `tier`, `exchange`, `price` or `action`.
    pub kind: String,
    /// The key's id, the name of the tier, the code of the exchange, or the symbol of the stock.
    pub subject: String,
    /// The values before the change, of the columns that changed.
    pub was: Option<Map<String, Value>>,
    /// The values after the change, of the same columns.
    pub became: Option<Map<String, Value>>,
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
    pub async fn list_audit(&self, filter: &AuditFilter) -> Result<Vec<AuditRecord>, StoreError> {
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

fn entry(row: &Row) -> Result<AuditRecord, StoreError> {
    Ok(AuditRecord {
        id: row.try_get("id")?,
        at: row.try_get("at")?,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        kind: row.try_get("kind")?,
        subject: row.try_get("subject")?,
        was: columns(row, "was")?,
        became: columns(row, "became")?,
    })
}

/// The object of column values in a column of JSON text.
fn columns(row: &Row, column: &str) -> Result<Option<Map<String, Value>>, StoreError> {
    let text: Option<&str> = row.try_get(column)?;
    let parse = |text| {
        serde_json::from_str(text)
            .map_err(|_| StoreError::Corrupt(format!("{column} of the audit is not an object")))
    };
    text.map(parse).transpose()
}
