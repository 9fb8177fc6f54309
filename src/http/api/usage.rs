//! `GET /api/usage`: the usage of the caller's key, by day and route.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{Days, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::request::context::RequestContext;
use crate::http::request::parameter::{Parameter, Takes};
use crate::http::request::query::{Query, invalid};
use crate::http::respond::error::Problem;
use crate::http::respond::uncached::ok;
use crate::http::server::state::State;
use crate::store::{UsageBy, UsageFilter, UsageTotal};

/// The default length of the range in days, including the last day.
const DAYS_DEFAULT: u64 = 30;
const DAYS_MAX: i64 = 366;
pub const PARAMETERS: &[Parameter] = &[
    Parameter::new("start", Takes::Date, "The first day, in UTC. Default: 29 days before `end`."),
    Parameter::new("end", Takes::Date, "The last day, in UTC, inclusive. Default: today."),
];

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Used)]
pub struct UsageReport<'a> {
    /// The public id of the key.
    key: &'a str,
    tier: &'a str,
    /// The first day, in UTC.
    start: NaiveDate,
    /// The last day, in UTC, inclusive.
    end: NaiveDate,
    /// The number of rows in this response.
    count: usize,
    usage: Vec<UsageTotal>,
}

pub async fn usage(request: HttpRequest, state: &'static State) -> Result<HttpResponse, Problem> {
    let (start, end) = days(&request, Utc::now().date_naive())?;
    let caller = RequestContext::of(&request, |context| {
        context.client.get().map(|client| client.caller.clone())
    });
    let caller = caller.ok_or(Problem::Unauthorized)?;
    let filter = UsageFilter { start, end, key: Some(caller.id), owner: None };
    let by_day_and_route = UsageBy { day: true, route: true, ..UsageBy::default() };
    let usage = state.store.usage(&filter, by_day_and_route).await?;
    // Not cached: it changes with every request, and only this caller may see it.
    Ok(ok(&UsageReport {
        key: caller.id.as_str(),
        tier: &caller.tier.name,
        start,
        end,
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
