//! Formats keys and audit entries for people.

use chrono::{DateTime, Utc};

use crate::caller::RateLimit;
use crate::http::admin::json::camel_case;
use crate::store::{AuditRecord, KeyRecord};

pub fn heading() -> String {
    format!(
        "{:12}  {:10}  {:>10}  {:>8}  {:20}  {:8}  OWNER / NAME",
        "ID", "TIER", "LIMIT", "WINDOW/S", "CREATED", "STATUS"
    )
}

pub fn line(key: &KeyRecord) -> String {
    let created = time(key.created_at);
    let status = key.status.as_str();
    let (id, tier) = (&key.id, &key.tier);
    let RateLimit { requests, window_s } = key.limit;
    format!(
        "{id:12}  {tier:10}  {requests:>10}  {window_s:>8}  {created:20}  {status:8}  {} / {}",
        key.owner, key.name
    )
}

/// The fields of a key, one per line. Empty ones are omitted.
pub fn details(key: &KeyRecord) -> String {
    let shares_limit_of = (key.limit_id != key.id).then(|| key.limit_id.clone());
    let lines = [
        ("id", Some(key.id.clone())),
        ("status", Some(key.status.as_str().to_owned())),
        ("owner", Some(key.owner.clone())),
        ("name", Some(key.name.clone())),
        ("note", key.note.clone()),
        ("tier", Some(format!("{}, {}", key.tier, key.limit))),
        ("shares limit of", shares_limit_of),
        ("replaces", key.replaces.clone()),
        ("replaced by", key.replaced_by.clone()),
        ("last used", key.last_used_at.map(time)),
        ("requests today", Some(key.requests_today.to_string())),
        ("created", Some(time(key.created_at))),
        ("expires", Some(key.expires_at.map_or_else(|| "never".to_owned(), time))),
        ("revoked", key.revoked_at.map(time)),
    ];
    let present =
        lines.into_iter().filter_map(|(name, value)| Some(format!("{name:15}  {}", value?)));
    present.collect::<Vec<_>>().join("\n")
}

/// Time, actor, action and subject, then each changed field with its old and new value.
pub fn entry(entry: &AuditRecord) -> String {
    let text = |value: Option<&serde_json::Value>| {
        value.map_or_else(|| "none".to_owned(), ToString::to_string)
    };
    let (was, became) = (entry.was.as_ref(), entry.became.as_ref());
    let columns = became.or(was).into_iter().flat_map(|columns| columns.keys());
    let changes = columns.map(|column| {
        let name = camel_case(column);
        let was = was.and_then(|was| was.get(column));
        let became = became.and_then(|became| became.get(column));
        if was.is_none() {
            format!("{name} {}", text(became))
        } else {
            format!("{name} {} -> {}", text(was), text(became))
        }
    });
    let changes = changes.collect::<Vec<_>>().join(", ");
    let time = time(entry.at);
    let action = format!("{} {}", entry.action, entry.kind);
    format!("{time}  {:20}  {action:11}  {:12}  {changes}", entry.actor, entry.subject)
}

pub fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
