//! `/admin/keys` and `/admin/audit`: the HTTP counterpart of `tickerd keys`.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::json::{AuditEntryJson, IssuedJson, KeyJson, NotifiedJson};
use super::service::AdminService;
use crate::caller::TierName;
use crate::http::request::body::{JsonBody, given};
use crate::http::request::parameter::Whole;
use crate::http::request::query::{Query, in_path, invalid, value};
use crate::http::respond::error::Problem;
use crate::http::respond::uncached::{created, ok};
use crate::keys::{Grace, IssueRequest, expiry};
use crate::store::{AuditFilter, ENTRIES_PER_PAGE_MAX, KEYS_PER_PAGE_MAX, KeyChange, KeyFilter};

const KEYS_PER_PAGE: Whole = Whole { min: 1, max: KEYS_PER_PAGE_MAX, default: 100 };
const ENTRIES_PER_PAGE: Whole = Whole { min: 1, max: ENTRIES_PER_PAGE_MAX, default: 100 };
/// The default tier, as on the command line.
const DEFAULT_TIER: &str = "free";

#[derive(Serialize)]
struct KeyPage<'a> {
    keys: Vec<KeyJson<'a>>,
    /// The value of `after` for the next page; null on the last page.
    next: Option<String>,
}

pub async fn list(
    AdminService(service): AdminService,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = Query::naming(&request, &["owner", "tier", "active", "search", "after", "limit"])?;
    let filter = KeyFilter {
        id: None,
        owner: query.value("owner")?,
        tier: query.value("tier")?,
        active_only: query.flag("active")?,
        search: query.value("search")?,
        after: query.value("after")?,
        limit: query.number("limit", KEYS_PER_PAGE)?,
    };
    let keys = service.store().list_keys(&filter).await?;
    let is_last = keys.len() < filter.limit as usize;
    let next = keys.last().filter(|_| !is_last).map(|key| key.id.clone());
    Ok(ok(&KeyPage { keys: keys.iter().map(KeyJson::from).collect(), next }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssueBody {
    id: Option<String>,
    owner: String,
    name: String,
    note: Option<String>,
    tier: Option<String>,
    expires_at: Option<String>,
}

pub async fn issue(
    AdminService(service): AdminService,
    JsonBody(body): JsonBody<IssueBody>,
) -> Result<HttpResponse, Problem> {
    let issue = IssueRequest {
        id: body.id.map(|id| value("id", &id)).transpose()?,
        owner: value("owner", &body.owner)?,
        name: value("name", &body.name)?,
        note: body.note.map(|note| value("note", &note)).transpose()?,
        tier: value::<TierName>("tier", body.tier.as_deref().unwrap_or(DEFAULT_TIER))?,
        expires_at: body.expires_at.as_deref().map(expires_at).transpose()?,
    };
    let issued = service.issue(&issue).await?;
    Ok(created(&format!("/admin/keys/{}", issued.key.id), &IssuedJson::from(&issued)))
}

pub async fn show(
    AdminService(service): AdminService,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let key = service.find(in_path(&request, "id")?).await?;
    Ok(ok(&KeyJson::from(&key)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeBody {
    owner: Option<String>,
    name: Option<String>,
    tier: Option<String>,
    #[serde(default, deserialize_with = "given")]
    note: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    expires_at: Option<Option<String>>,
}

pub async fn change(
    AdminService(service): AdminService,
    request: HttpRequest,
    JsonBody(body): JsonBody<ChangeBody>,
) -> Result<HttpResponse, Problem> {
    let id = in_path(&request, "id")?;
    let change = KeyChange {
        owner: body.owner.map(|owner| value("owner", &owner)).transpose()?,
        name: body.name.map(|name| value("name", &name)).transpose()?,
        tier: body.tier.map(|tier| value("tier", &tier)).transpose()?,
        note: body
            .note
            .map(|note| note.map(|note| value("note", &note)).transpose())
            .transpose()?,
        expires_at: body
            .expires_at
            .map(|at| at.as_deref().map(expires_at).transpose())
            .transpose()?,
    };
    if change == KeyChange::default() {
        let expected = "expected one or more of owner, name, tier, note and expiresAt";
        return Err(Problem::InvalidBody(expected.to_owned()));
    }
    let changed = service.change(id, &change).await?;
    Ok(ok(&NotifiedJson::<KeyJson<'_>>::from(&changed)))
}

pub async fn revoke(
    AdminService(service): AdminService,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let revoked = service.revoke(in_path(&request, "id")?).await?;
    Ok(ok(&NotifiedJson::<KeyJson<'_>>::from(&revoked)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotateBody {
    grace_s: Option<u64>,
    expires_at: Option<String>,
}

pub async fn rotate(
    AdminService(service): AdminService,
    request: HttpRequest,
    JsonBody(body): JsonBody<RotateBody>,
) -> Result<HttpResponse, Problem> {
    let id = in_path(&request, "id")?;
    let grace = body.grace_s.map_or(Ok(Grace::default()), Grace::from_s);
    let grace = grace.map_err(|error| invalid("graceS", format!("is not valid: {error}")))?;
    let expires_at = body.expires_at.as_deref().map(expires_at).transpose()?;
    let rotated = service.rotate(id, grace, expires_at).await?;
    let path = format!("/admin/keys/{}", rotated.result.new.key.id);
    Ok(created(&path, &NotifiedJson::<IssuedJson<'_>>::from(&rotated)))
}

#[derive(Serialize)]
struct AuditPage<'a> {
    entries: Vec<AuditEntryJson<'a>>,
    /// The value of `before` for the next page, with older entries; null on the last page.
    next: Option<i64>,
}

pub async fn audit(
    AdminService(service): AdminService,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = Query::naming(&request, &["subject", "before", "limit"])?;
    let filter = AuditFilter {
        subject: query.text("subject")?,
        before: query.value("before")?,
        limit: query.number("limit", ENTRIES_PER_PAGE)?,
    };
    let entries = service.store().list_audit(&filter).await?;
    let is_last = entries.len() < filter.limit as usize;
    let next = entries.last().filter(|_| !is_last).map(|entry| entry.id);
    let entries = entries.iter().map(AuditEntryJson::from).collect();
    Ok(ok(&AuditPage { entries, next }))
}

fn expires_at(text: &str) -> Result<DateTime<Utc>, Problem> {
    expiry(text, Utc::now()).map_err(|error| invalid("expiresAt", format!("is not valid: {error}")))
}
