//! Keys and their audit, for people.

use chrono::{DateTime, Utc};

use crate::store::{AuditEntry, KeyStatus};

pub fn heading() -> String {
    format!(
        "{:12}  {:10}  {:>10}  {:20}  {:8}  OWNER / NAME",
        "ID", "TIER", "LIMIT/MIN", "CREATED", "STATUS"
    )
}

pub fn line(key: &KeyStatus) -> String {
    let (created, status) = (time(key.created_at), key.status.as_str());
    let (id, tier, limit) = (&key.id, &key.tier, key.requests_per_minute);
    format!(
        "{id:12}  {tier:10}  {limit:>10}  {created:20}  {status:8}  {} / {}",
        key.owner, key.name
    )
}

/// All that is known of a key, a line each.
pub fn details(key: &KeyStatus) -> String {
    let shared = (key.limit_id != key.id).then(|| key.limit_id.clone());
    let lines = [
        ("id", Some(key.id.clone())),
        ("status", Some(key.status.as_str().to_owned())),
        ("owner", Some(key.owner.clone())),
        ("name", Some(key.name.clone())),
        ("note", key.note.clone()),
        ("tier", Some(format!("{}, {} requests a minute", key.tier, key.requests_per_minute))),
        ("shares limit of", shared),
        ("replaces", key.replaces.clone()),
        ("replaced by", key.replaced_by.clone()),
        ("last used", key.last_used_at.map(time)),
        ("created", Some(time(key.created_at))),
        ("expires", Some(key.expires_at.map_or_else(|| "never".to_owned(), time))),
        ("revoked", key.revoked_at.map(time)),
    ];
    let known =
        lines.into_iter().filter_map(|(name, value)| Some(format!("{name:15}  {}", value?)));
    known.collect::<Vec<_>>().join("\n")
}

/// When, who, what, and each field as it was and became.
pub fn entry(entry: &AuditEntry) -> String {
    let field = |value: Option<&serde_json::Value>| {
        value.map_or_else(|| "none".to_owned(), ToString::to_string)
    };
    let (was, became) = (entry.was.as_ref(), entry.became.as_ref());
    let names = became
        .or(was)
        .and_then(serde_json::Value::as_object)
        .into_iter()
        .flat_map(|fields| fields.keys());
    let changes = names.map(|name| {
        let (was, became) =
            (was.and_then(|was| was.get(name)), became.and_then(|became| became.get(name)));
        if was.is_none() {
            format!("{name} {}", field(became))
        } else {
            format!("{name} {} -> {}", field(was), field(became))
        }
    });
    let (at, what) = (time(entry.at), format!("{} {}", entry.action, entry.kind));
    let changes = changes.collect::<Vec<_>>().join(", ");
    format!("{at}  {:20}  {what:11}  {:12}  {changes}", entry.actor, entry.subject)
}

pub fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
