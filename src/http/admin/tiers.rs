//! `/admin/tiers`: the HTTP counterpart of `tickerd tiers`.

use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use super::service::AdminService;
use crate::caller::{RequestsPerMinute, TierName};
use crate::http::request::body::JsonBody;
use crate::http::request::query::{Query, in_path, invalid};
use crate::http::respond::error::Problem;
use crate::http::respond::uncached::ok;
use crate::store::TierStatus;

#[derive(Serialize)]
struct TierList {
    tiers: Vec<TierStatus>,
}

pub async fn list(
    AdminService(service): AdminService,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    Query::naming(&request, &[])?;
    Ok(ok(&TierList { tiers: service.store().list_tiers().await? }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TierBody {
    requests_per_minute: u32,
}

pub async fn set(
    AdminService(service): AdminService,
    request: HttpRequest,
    JsonBody(body): JsonBody<TierBody>,
) -> Result<HttpResponse, Problem> {
    let name: TierName = in_path(&request, "name")?;
    let limit = RequestsPerMinute::new(body.requests_per_minute);
    let limit =
        limit.map_err(|error| invalid("requestsPerMinute", format!("is not valid: {error}")))?;
    Ok(ok(&service.set_tier(&name, limit).await?))
}
