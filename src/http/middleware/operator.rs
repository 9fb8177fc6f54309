//! Operators only: whoever has the token of `ADMIN_TOKEN`.

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use super::authenticate::bearer;
use super::{refuse, state};
use crate::http::respond::error::Problem;

pub async fn operators_only(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(expected) = &state(&request).admin_token else {
        return Ok(refuse(request, Problem::AdminOff));
    };
    if !bearer(&request).is_some_and(|given| expected.is(given)) {
        return Ok(refuse(request, Problem::AdminUnauthorized));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}
