//! `/admin/tiers`: the HTTP counterpart of `tickerd tiers`.

use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use super::json::{NotifiedJson, TierJson};
use super::service::AdminService;
use crate::caller::{RequestsPerMinute, TierName};
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
    let set = service.set_tier(&name, limit).await?;
    Ok(ok(&NotifiedJson::<TierJson<'_>>::from(&set)))
}
