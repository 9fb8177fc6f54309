//! The public face: every route and the order of the middleware, on one screen.

mod admin;
#[doc(hidden)] // for the benchmarks
pub mod api;
mod middleware;
mod pages;
mod reference;
#[doc(hidden)] // for the benchmarks
pub mod request;
mod respond;
mod server;
#[cfg(test)]
mod simulation;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::web;
use actix_web::{App, Error, FromRequest, Handler, HttpRequest, Resource, Responder, Route, guard};

use middleware::{anonymous_limit, authorize, boundary, cache};
pub use reference::problems;
use request::cacheable_query::CacheableQuery;
use respond::error::{Problem, not_found};
pub use server::shutdown::{ACCEPTOR, is_accept_on_closed_port};
pub use server::state::State;
pub use server::{Listeners, ServeError, Server};

/// The service of one worker. actix runs the wrap that was added last first: the numbers give the
/// order.
fn app(
    state: &'static State,
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
        // The router tries one after the other. A path is compared, which is little; each pattern
        // is a regular expression, so that of the question that is asked most stands first among
        // them.
        .service(read::<api::prices::many::ManyQuery, _, _>("/prices", api::prices::many::prices))
        .service(read::<api::stocks::StockListQuery, _, _>("/stocks", api::stocks::list))
        .service(read::<api::events::EventsQuery, _, _>("/events", api::events::market_events))
        .service(read::<api::exchanges::ExchangesQuery, _, _>(
            "/exchanges",
            api::exchanges::exchanges,
        ))
        .service(read::<api::calendar::CalendarQuery, _, _>("/calendar", api::calendar::calendar))
        .service(read::<api::status::StatusQuery, _, _>("/status", api::status::status))
        .service(
            plain("/watchlists", api::watchlists::list)
                .route(web::post().to(api::watchlists::write::create))
                .default_service(only("GET, HEAD, POST")),
        )
        .service(plain("/usage", api::usage::usage))
        .service(read::<api::prices::PricesQuery, _, _>(
            "/stocks/{symbol}/prices",
            api::prices::prices,
        ))
        .service(read::<api::quote::QuoteQuery, _, _>("/stocks/{symbol}/quote", api::quote::quote))
        .service(read::<api::events::StockEventsQuery, _, _>(
            "/stocks/{symbol}/events",
            api::events::stock_events,
        ))
        .service(read::<api::chart::ChartQuery, _, _>(
            "/stocks/{symbol}/chart.svg",
            api::chart::chart,
        ))
        .service(read::<api::stocks::StockQuery, _, _>("/stocks/{symbol}", api::stocks::stock))
        .service(read::<api::prices::day::DayQuery, _, _>(
            "/prices/daily/{date}",
            api::prices::day::prices,
        ))
        .service(
            plain("/watchlists/{id}", api::watchlists::show)
                .route(web::patch().to(api::watchlists::write::change))
                .route(web::delete().to(api::watchlists::write::delete))
                .default_service(only("GET, HEAD, PATCH, DELETE")),
        )
        .service(plain("/watchlists/{id}/quotes", api::watchlists::quotes))
        .default_service(web::to(not_found))
        .wrap(from_fn(authorize)); //     2. who calls? may the caller go on now?
    // Whatever needs no key, but for health.
    let open = web::scope("")
        .service(plain("/", pages::page))
        .service(plain("/docs", pages::reference))
        .service(plain("/openapi.json", reference::document))
        .service(plain("/assets/{file}", pages::asset))
        .default_service(web::to(not_found))
        .wrap(from_fn(anonymous_limit)); // 2. may this address go on now?
    App::new()
        .app_data(state)
        .app_data(request::body::bound(state.http.body_bytes_max))
        .service(api)
        .service(plain("/health", api::health::alive))
        .service(plain("/health/ready", api::health::ready))
        .service(open) // takes all paths that are left: it stands last
        .wrap(from_fn(boundary)) //  1. size, request id, CORS, security headers, errors as documents, log line
}

/// A route that is answered from the cache where it can be.
fn read<Q: CacheableQuery, H: Handler<Args>, Args: FromRequest + 'static>(
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
    plain(path, handler).wrap(from_fn(cache::<Q>)) // 3. was it answered before?
}

/// A route for GET and HEAD.
fn plain<H: Handler<Args>, Args: FromRequest + 'static>(path: &str, handler: H) -> Resource
where
    H::Output: Responder + 'static,
{
    let get_or_head = Route::new().guard(guard::Any(guard::Get()).or(guard::Head()));
    web::resource(path).route(get_or_head.to(handler)).default_service(only("GET, HEAD"))
}

/// Whatever else is sent to a route that takes these methods.
fn only(allowed: &'static str) -> Route {
    web::to(move |request: HttpRequest| async move {
        Problem::MethodNotAllowed { method: request.method().clone(), allowed }
    })
}
