//! The public face: every route and the order of the middleware, on one screen.

mod answer;
mod background;
mod client;
mod error;
mod health;
mod log;
mod middleware;
mod prices;
mod query;
mod question;
mod quote;
mod server;
mod state;
mod stocks;

use actix_cors::Cors;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use actix_web::{App, Error, FromRequest, Handler, Resource, Responder, Route, guard, http::header};

use error::{not_allowed, not_found};
use middleware::{authenticate, boundary, cache, rate_limit};
use question::Question;
pub use server::{ServeFault, Server, listen};
pub use state::State;

/// The service of one worker. actix runs the wrap that was added last first: the numbers give the order.
fn app(
    state: Data<State>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let api = web::scope("/api")
        //                             5. cache: around each of these
        .service(read::<stocks::ListQuestion, _, _>("/stocks", stocks::list))
        .service(read::<stocks::StockQuestion, _, _>("/stocks/{symbol}", stocks::stock))
        .service(read::<prices::PricesQuestion, _, _>("/stocks/{symbol}/prices", prices::prices))
        .service(read::<quote::QuoteQuestion, _, _>("/stocks/{symbol}/quote", quote::quote))
        .default_service(web::to(not_found))
        .wrap(from_fn(rate_limit)) //   4. may the caller go on now?
        .wrap(from_fn(authenticate)); // 3. who calls?
    App::new()
        .app_data(state)
        .service(plain("/health", health::alive))
        .service(plain("/health/ready", health::ready))
        .service(api)
        .default_service(web::to(not_found))
        .wrap(from_fn(boundary)) //     2. request id, log line, security headers, errors as documents
        .wrap(cors()) //                1. browsers of any origin
}

/// A route that is answered from the cache where it can be.
fn read<Q: Question, H: Handler<Args>, Args: FromRequest + 'static>(
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
    plain(path, handler).wrap(from_fn(cache::<Q>))
}

/// A route for GET and HEAD.
fn plain<H: Handler<Args>, Args: FromRequest + 'static>(path: &str, handler: H) -> Resource
where
    H::Output: Responder + 'static,
{
    let get_or_head = Route::new().guard(guard::Any(guard::Get()).or(guard::Head()));
    web::resource(path).route(get_or_head.to(handler)).default_service(web::to(not_allowed))
}

fn cors() -> Cors {
    let shown = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit-policy", "ratelimit"];
    let shown = shown.into_iter().chain(["retry-after", "x-request-id", "x-cache", "age", "etag"]);
    Cors::default()
        .allow_any_origin()
        .send_wildcard()
        .allowed_methods(["GET", "HEAD"])
        .allowed_headers([header::AUTHORIZATION, header::IF_NONE_MATCH, middleware::API_KEY, middleware::REQUEST_ID])
        .expose_headers(shown)
        .max_age(86_400)
        // The answers are the same for every origin.
        .disable_vary_header()
}
