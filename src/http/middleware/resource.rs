//! Resources: a path with its handler, the methods that it allows, and the cache.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{Error, FromRequest, Handler, HttpRequest, Resource, Responder, Route, guard, web};

use super::cache::cache;
use crate::http::request::cacheable_query::CacheableQuery;
use crate::http::respond::error::Problem;
use crate::http::server::log::shown_method;

/// A resource for GET and HEAD whose responses are cached by its query `Q`.
pub fn cached<Q: CacheableQuery, H: Handler<Args>, Args: FromRequest + 'static>(
    path: &str,
    handler: H,
) -> Resource<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
>
where
    H::Output: Responder + 'static,
{
    uncached(path, handler).wrap(from_fn(cache::<Q>))
}

/// A resource for GET and HEAD whose handler runs for each request.
pub fn uncached<H: Handler<Args>, Args: FromRequest + 'static>(path: &str, handler: H) -> Resource
where
    H::Output: Responder + 'static,
{
    let get_or_head = Route::new().guard(guard::Any(guard::Get()).or(guard::Head()));
    web::resource(path).route(get_or_head.to(handler)).default_service(only("GET, HEAD"))
}

/// The response to all other methods than `allowed`.
pub fn only(allowed: &'static str) -> Route {
    web::to(move |request: HttpRequest| async move {
        Problem::MethodNotAllowed { method: shown_method(request.method()), allowed }
    })
}
