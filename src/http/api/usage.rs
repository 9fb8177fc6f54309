//! `GET /api/usage`: the usage of the caller's key, by day and route.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::request::context::RequestContext;
use crate::http::request::parameter::{Parameter, Takes};
use crate::http::request::query::{Query, invalid};
use crate::http::respond::error::Problem;
use crate::http::respond::uncached::ok;
use crate::http::server::state::State;
use crate::store::{UsageBy, UsageFilter, UsageRecord};

/// The default length of the range in days, including the last day.
const DAYS_DEFAULT: u64 = 30;
const DAYS_MAX: i64 = 366;
pub const PARAMETERS: &[Parameter] = &[
    Parameter::new("start", Takes::Date, "The first day, in UTC. Default: 29 days before `end`."),
    Parameter::new("end", Takes::Date, "The last day, in UTC, inclusive. Default: today."),
];

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Usage)]
pub struct UsageReport<'a> {
    /// The public id of the key.
    key: &'a str,
    tier: &'a str,
    /// The first day, in UTC.
    start: NaiveDate,
    /// The last day, in UTC, inclusive.
    end: NaiveDate,
    /// The requests of the current day, in UTC. Instances store their counts every few seconds
    /// (`USAGE_FLUSH_MS`), so the latest requests are missing, as in `usage`.
    requests_today: i64,
    /// The number of rows in this response.
    count: usize,
    usage: Vec<UsageTotal>,
}

/// The usage of one group. Fields that totals are not grouped by are left out.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageTotal {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    /// In UTC.
    day: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    /// The public id of a key.
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    /// The pattern of the path.
    route: Option<String>,
    /// The number of requests, with any response.
    requests: i64,
    /// The number of requests over the limit (429).
    refusals: i64,
    /// The number of requests that were answered from the cache.
    cache_hits: i64,
    /// The bytes of response bodies, as sent.
    bytes: i64,
    last_used_at: DateTime<Utc>,
}

impl From<UsageRecord> for UsageTotal {
    fn from(usage: UsageRecord) -> Self {
        Self {
            day: usage.day,
            key: usage.key,
            owner: usage.owner,
            route: usage.route,
            requests: usage.requests,
            refusals: usage.refusals,
            cache_hits: usage.cache_hits,
            bytes: usage.bytes,
            last_used_at: usage.last_used_at,
        }
    }
}

pub async fn usage(request: HttpRequest, state: &'static State) -> Result<HttpResponse, Problem> {
    let today = Utc::now().date_naive();
    let (start, end) = days(&request, today)?;
    let caller = RequestContext::of(&request, |context| {
        context.client.get().map(|client| client.caller.clone())
    });
    let caller = caller.ok_or(Problem::Unauthorized)?;
    let filter = UsageFilter { start, end, key: Some(caller.id), owner: None };
    let by_day_and_route = UsageBy { day: true, route: true, ..UsageBy::default() };
    let usage = state.store.usage(&filter, by_day_and_route).await?;
    let usage: Vec<_> = usage.into_iter().map(UsageTotal::from).collect();
    let requests_today = state.store.requests_of_day(caller.id, today).await?;
    // Not cached: it changes with every request, and only this caller may see it.
    Ok(ok(&UsageReport {
        key: caller.id.as_str(),
        tier: &caller.tier.name,
        start,
        end,
        requests_today,
        count: usage.len(),
        usage,
    }))
}

/// Reads the first and the last day, both inclusive.
fn days(request: &HttpRequest, today: NaiveDate) -> Result<(NaiveDate, NaiveDate), Problem> {
    let query = Query::of(request, PARAMETERS)?;
    let end = query.date("end")?.unwrap_or(today);
    let start = query
        .date("start")?
        .unwrap_or_else(|| end.checked_sub_days(Days::new(DAYS_DEFAULT - 1)).unwrap_or(end));
    if start > end {
        return Err(invalid("start", format!("({start}) is after end ({end})")));
    }
    if (end - start).num_days() >= DAYS_MAX {
        return Err(invalid(
            "start",
            format!("is too early: expected at most {DAYS_MAX} days up to end ({end})"),
        ));
    }
    Ok((start, end))
}
