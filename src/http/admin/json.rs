//! The JSON of keys, tiers and the audit: the responses of `/admin`, and the output of `--json`.

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::caller::RateLimit;
use crate::keys::{Issued, Notified, Rotated};
use crate::store::{AuditRecord, KeyRecord, TierRecord};

/// The limit of a tier.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LimitJson {
    /// `None` if the window is not a minute.
    requests_per_minute: Option<u32>,
    requests_per_window: u32,
    window_s: u32,
}

/// A key, without its secret.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyJson<'a> {
    id: &'a str,
    owner: &'a str,
    name: &'a str,
    note: Option<&'a str>,
    tier: &'a str,
    #[serde(flatten)]
    limit: LimitJson,
    status: &'static str,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    limit_id: &'a str,
    replaces: Option<&'a str>,
    replaced_by: Option<&'a str>,
    last_used_at: Option<DateTime<Utc>>,
    requests_today: i64,
}

/// A new key with its token. No other JSON contains a token.
#[derive(Serialize)]
pub struct IssuedJson<'a> {
    #[serde(flatten)]
    key: KeyJson<'a>,
    token: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TierJson<'a> {
    name: &'a str,
    #[serde(flatten)]
    limit: LimitJson,
    active_keys: i64,
}

/// The result of a change, and the number of instances that were notified of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotifiedJson<T> {
    #[serde(flatten)]
    result: T,
    instances_told: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntryJson<'a> {
    id: i64,
    at: DateTime<Utc>,
    actor: &'a str,
    action: &'a str,
    kind: &'a str,
    subject: &'a str,
    was: Option<Map<String, Value>>,
    became: Option<Map<String, Value>>,
}

impl From<RateLimit> for LimitJson {
    fn from(limit: RateLimit) -> Self {
        Self {
            requests_per_minute: limit.requests_per_minute(),
            requests_per_window: limit.requests,
            window_s: limit.window_s,
        }
    }
}

impl<'a> From<&'a KeyRecord> for KeyJson<'a> {
    fn from(key: &'a KeyRecord) -> Self {
        Self {
            id: &key.id,
            owner: &key.owner,
            name: &key.name,
            note: key.note.as_deref(),
            tier: &key.tier,
            limit: key.limit.into(),
            status: key.status.as_str(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            limit_id: &key.limit_id,
            replaces: key.replaces.as_deref(),
            replaced_by: key.replaced_by.as_deref(),
            last_used_at: key.last_used_at,
            requests_today: key.requests_today,
        }
    }
}

impl<'a> From<&'a Issued> for IssuedJson<'a> {
    fn from(issued: &'a Issued) -> Self {
        Self { key: (&issued.key).into(), token: issued.token.expose_secret() }
    }
}

impl<'a> From<&'a Rotated> for IssuedJson<'a> {
    fn from(rotated: &'a Rotated) -> Self {
        (&rotated.new).into()
    }
}

impl<'a> From<&'a TierRecord> for TierJson<'a> {
    fn from(tier: &'a TierRecord) -> Self {
        Self { name: &tier.name, limit: tier.limit.into(), active_keys: tier.active_keys }
    }
}

impl<'a, T, R> From<&'a Notified<R>> for NotifiedJson<T>
where
    T: From<&'a R>,
{
    fn from(notified: &'a Notified<R>) -> Self {
        Self { result: (&notified.result).into(), instances_told: notified.instances_notified }
    }
}

impl<'a> From<&'a AuditRecord> for AuditEntryJson<'a> {
    fn from(entry: &'a AuditRecord) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            actor: &entry.actor,
            action: &entry.action,
            kind: &entry.kind,
            subject: &entry.subject,
            was: entry.was.as_ref().map(in_camel_case),
            became: entry.became.as_ref().map(in_camel_case),
        }
    }
}

/// Renames columns to fields of the API: `expires_at` becomes `expiresAt`.
fn in_camel_case(columns: &Map<String, Value>) -> Map<String, Value> {
    columns.iter().map(|(column, value)| (camel_case(column), value.clone())).collect()
}

/// The name of a column as a field of the API.
pub fn camel_case(column: &str) -> String {
    let mut parts = column.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| {
        let mut letters = part.chars();
        let initial = letters.next().map(|letter| letter.to_ascii_uppercase());
        name + &initial.into_iter().chain(letters).collect::<String>()
    })
}
