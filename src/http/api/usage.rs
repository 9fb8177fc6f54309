//! `GET /api/usage`: what the caller's key used, day by day and route by route.

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

/// Days that are shown where none are asked for, the current one included.
const DAYS_DEFAULT: u64 = 30;
const DAYS_MAX: i64 = 366;
pub const PARAMETERS: &[Parameter] = &[
    Parameter::new(
        "start",
        Takes::Date,
        "The first day, of UTC; 29 days before `end` where it is not given",
    ),
    Parameter::new(
        "end",
        Takes::Date,
        "The last day, of UTC, included; today where it is not given",
    ),
];

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Used<'a> {
    /// The public id of the key.
    key: &'a str,
    tier: &'a str,
    /// Days of UTC, both included.
    start: NaiveDate,
    end: NaiveDate,
    /// Rows in this answer.
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
    let usage = state
        .store
        .usage(&filter, UsageBy { day: true, route: true, ..UsageBy::default() })
        .await?;
    let (key, tier, count) = (caller.id.as_str(), &*caller.tier.name, usage.len());
    // It changes with every request, and nobody else is to see it.
    Ok(ok(&Used { key, tier, start, end, count, usage }))
}

/// From and to which day, both included.
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
