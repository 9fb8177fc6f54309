//! The public face: every route and the order of the middleware, on one screen.

mod admin;
mod answer;
mod background;
mod body;
mod calendar;
mod changes;
mod chart;
mod client;
mod connection;
mod error;
mod events;
mod exchanges;
mod fault;
mod format;
mod health;
mod listener;
mod log;
mod middleware;
mod page;
mod parameter;
#[doc(hidden)] // for the benchmarks
pub mod prices;
mod query;
#[doc(hidden)] // for the benchmarks
pub mod question;
mod quote;
mod reference;
mod server;
#[cfg(test)]
mod simulation;
mod site;
mod state;
mod status;
mod stocks;
mod stop;
mod systemd;
mod unkept;
mod usage;
mod visit;
mod watchlists;
mod weight;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::web;
use actix_web::{App, Error, FromRequest, Handler, HttpRequest, Resource, Responder, Route, guard};

use error::{Problem, not_found};
use middleware::{boundary, cache, gate, visitors};
use question::Question;
pub use server::{Listeners, ServeFault, Server};
pub use state::State;

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
        .service(read::<prices::many::ManyQuestion, _, _>("/prices", prices::many::prices))
        .service(read::<stocks::ListQuestion, _, _>("/stocks", stocks::list))
        .service(read::<events::EventsQuestion, _, _>("/events", events::of_all))
        .service(read::<exchanges::ExchangesQuestion, _, _>("/exchanges", exchanges::exchanges))
        .service(read::<calendar::CalendarQuestion, _, _>("/calendar", calendar::calendar))
        .service(read::<status::StatusQuestion, _, _>("/status", status::status))
        .service(
            plain("/watchlists", watchlists::list)
                .route(web::post().to(watchlists::write::create))
                .default_service(only("GET, HEAD, POST")),
        )
        .service(plain("/usage", usage::usage))
        .service(read::<prices::PricesQuestion, _, _>("/stocks/{symbol}/prices", prices::prices))
        .service(read::<quote::QuoteQuestion, _, _>("/stocks/{symbol}/quote", quote::quote))
        .service(read::<events::StockEventsQuestion, _, _>(
            "/stocks/{symbol}/events",
            events::of_stock,
        ))
        .service(read::<chart::ChartQuestion, _, _>("/stocks/{symbol}/chart.svg", chart::chart))
        .service(read::<stocks::StockQuestion, _, _>("/stocks/{symbol}", stocks::stock))
        .service(read::<prices::day::DayQuestion, _, _>(
            "/prices/daily/{date}",
            prices::day::prices,
        ))
        .service(
            plain("/watchlists/{id}", watchlists::show)
                .route(web::patch().to(watchlists::write::change))
                .route(web::delete().to(watchlists::write::delete))
                .default_service(only("GET, HEAD, PATCH, DELETE")),
        )
        .service(plain("/watchlists/{id}/quotes", watchlists::quotes))
        .default_service(web::to(not_found))
        .wrap(from_fn(gate)); //     2. who calls? may the caller go on now?
    // Whatever needs no key, but for health.
    let open = web::scope("")
        .service(plain("/", site::page))
        .service(plain("/docs", site::reference))
        .service(plain("/openapi.json", reference::document))
        .service(plain("/assets/{file}", site::asset))
        .default_service(web::to(not_found))
        .wrap(from_fn(visitors)); // 2. may this address go on now?
    App::new()
        .app_data(state)
        .app_data(body::bound(state.http.body_bytes_max))
        .service(api)
        .service(plain("/health", health::alive))
        .service(plain("/health/ready", health::ready))
        .service(open) // takes all paths that are left: it stands last
        .wrap(from_fn(boundary)) //  1. size, request id, CORS, security headers, errors as documents, log line
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
