//! `/admin/audit`: who changed what, when.

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::desk::AdminService;
use crate::http::request::parameter::Whole;
use crate::http::request::query::Query;
use crate::http::respond::error::Problem;
use crate::http::respond::uncached::ok;
use crate::store::{AuditEntry, AuditFilter, ENTRIES_PER_PAGE_MAX};

const ENTRIES_PER_PAGE: Whole = Whole { min: 1, max: ENTRIES_PER_PAGE_MAX, default: 100 };

#[derive(Serialize)]
struct Page {
    entries: Vec<AuditEntry>,
    /// What to pass as `before` for those that are older.
    next: Option<i64>,
}

pub async fn list(
    AdminService(registry): AdminService,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let query = Query::naming(&request, &["subject", "before", "limit"])?;
    let filter = AuditFilter {
        subject: query.text("subject")?,
        before: query.value("before")?,
        limit: query.number("limit", ENTRIES_PER_PAGE)?,
    };
    let entries = registry.store().list_audit(&filter).await?;
    let is_last = entries.len() < filter.limit as usize;
    let next = entries.last().filter(|_| !is_last).map(|entry| entry.id);
    Ok(ok(&Page { entries, next }))
}
