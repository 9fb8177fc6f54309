//! `/admin/tiers`: the HTTP counterpart of `tickerd tiers`.

use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use super::json::{NotifiedJson, TierJson};
use super::service::AdminService;
use crate::caller::{MINUTE_S, RateLimit, RateLimitError, TierName};
use crate::http::request::body::JsonBody;
use crate::http::request::query::{Query, in_path, invalid};
use crate::http::respond::error::Problem;
use crate::http::respond::uncached::ok;

#[derive(Serialize)]
struct TierList<'a> {
    tiers: Vec<TierJson<'a>>,
}

pub async fn list(
    AdminService(service): AdminService,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Query::naming(&request, &[])?;
    let tiers = service.store().list_tiers().await?;
    Ok(ok(&TierList { tiers: tiers.iter().map(TierJson::from).collect() }))
}

/// A limit: requests per minute, or requests per window together with its length.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TierBody {
    requests_per_minute: Option<u32>,
    requests_per_window: Option<u32>,
    window_s: Option<u32>,
}

pub async fn set(
    AdminService(service): AdminService,
    request: HttpRequest,
    JsonBody(body): JsonBody<TierBody>,
) -> Result<HttpResponse, Problem> {
    let name: TierName = in_path(&request, "name")?;
    let set = service.set_tier(&name, body.limit()?).await?;
    Ok(ok(&NotifiedJson::<TierJson<'_>>::from(&set)))
}

impl TierBody {
    fn limit(&self) -> Result<RateLimit, Problem> {
        let (field, requests, window_s) =
            match (self.requests_per_minute, self.requests_per_window, self.window_s) {
                (Some(requests), None, None) => ("requestsPerMinute", requests, MINUTE_S),
                (None, Some(requests), Some(window_s)) => ("requestsPerWindow", requests, window_s),
                _ => {
                    let expected = "expected either requestsPerMinute, \
                                    or requestsPerWindow and windowS";
                    return Err(invalid("requestsPerMinute", expected.to_owned()));
                }
            };
        RateLimit::new(requests, window_s).map_err(|error| {
            let field = if error == RateLimitError::Window { "windowS" } else { field };
            invalid(field, format!("is not valid: {error}"))
        })
    }
}
