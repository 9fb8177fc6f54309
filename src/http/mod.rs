//! HTTP: every public route, and the order of the middleware, on one screen.
//!
//! A request passes the middleware in the order of the numbers below, then its handler. Each folder
//! here uses only those below it:
//!
//! 1. `admin`, `reference`: the admin API; the OpenAPI document.
//! 2. `api`, `pages`: the endpoints; the web pages.
//! 3. `middleware`: one concern per file.
//! 4. `request`: reading a request.
//! 5. `respond`, `server`: making a response; ports, connections and the shared state.

pub mod admin;
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

use std::cell::RefCell;
use std::rc::Rc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{App, Error, web};

use crate::config::{LogConfig, ServeConfig};
use api::prices::{self, day, many};
use api::{
    calendar, chart, events, exchanges, health, market_status, quote, revisions, status, stocks,
    usage, watchlists,
};
use middleware::{
    RequestMemo, anonymous_limit, authorize, boundary, cached, hot_path, only, uncached,
};
pub use reference::problems;
use respond::error::not_found;
use server::Apps;
use server::listener::{serve, service_of};
pub use server::shutdown::{ACCEPTOR, is_accept_on_closed_port};
use server::state::State;
pub use server::{Listeners, ServeError, Server};

/// The public app of one worker. `cached` and `uncached` make routes for GET and HEAD.
fn app(
    state: &'static State,
    memo: Rc<RefCell<RequestMemo>>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let api = web::scope("/api")
        // The router tries routes in this order. A plain path is fast to compare, and a pattern is
        // a regular expression, so the most requested pattern comes first among the patterns.
        .service(cached::<many::ManyQuery, _, _>("/prices", many::prices))
        .service(cached::<stocks::StockListQuery, _, _>("/stocks", stocks::list))
        .service(cached::<events::EventsQuery, _, _>("/events", events::market_events))
        .service(cached::<exchanges::ExchangesQuery, _, _>("/exchanges", exchanges::exchanges))
        .service(cached::<calendar::CalendarQuery, _, _>("/calendar", calendar::calendar))
        .service(cached::<status::StatusQuery, _, _>("/status", status::status))
        .service(cached::<market_status::MarketStatusQuery, _, _>(
            "/market/status",
            market_status::market_status,
        ))
        .service(
            uncached("/watchlists", watchlists::list)
                .route(web::post().to(watchlists::write::create))
                .default_service(only("GET, HEAD, POST")),
        )
        .service(uncached("/usage", usage::usage))
        .service(cached::<prices::PricesQuery, _, _>("/stocks/{symbol}/prices", prices::prices))
        .service(cached::<quote::QuoteQuery, _, _>("/stocks/{symbol}/quote", quote::quote))
        .service(cached::<events::StockEventsQuery, _, _>(
            "/stocks/{symbol}/events",
            events::stock_events,
        ))
        .service(cached::<revisions::RevisionsQuery, _, _>(
            "/stocks/{symbol}/revisions",
            revisions::revisions,
        ))
        .service(cached::<chart::ChartQuery, _, _>("/stocks/{symbol}/chart.svg", chart::chart))
        .service(cached::<stocks::StockQuery, _, _>("/stocks/{symbol}", stocks::stock))
        .service(cached::<day::DayQuery, _, _>("/prices/daily/{date}", day::prices))
        .service(
            uncached("/watchlists/{id}", watchlists::show)
                .route(web::patch().to(watchlists::write::change))
                .route(web::delete().to(watchlists::write::delete))
                .default_service(only("GET, HEAD, PATCH, DELETE")),
        )
        .service(uncached("/watchlists/{id}/quotes", watchlists::quotes))
        .default_service(web::to(not_found))
        // 3. `cached` looks in the cache.
        .wrap(from_fn(authorize)); // 2. the key, and its rate limit
    // All other paths but /health, which has no limit.
    let open = web::scope("")
        .service(uncached("/", pages::page))
        .service(uncached("/docs", pages::reference))
        .service(uncached("/openapi.json", reference::document))
        .service(uncached("/assets/{file}", pages::asset))
        .default_service(web::to(not_found))
        .wrap(from_fn(anonymous_limit)); // 2. the rate limit of the address
    App::new()
        .app_data(state)
        .app_data(memo) // filled by `cached`
        .app_data(request::body::bound(state.http.body_bytes_max))
        .service(api)
        .service(uncached("/health", health::alive))
        .service(uncached("/health/ready", health::ready))
        .service(open) // last, because it takes all other paths
        .wrap(from_fn(boundary)) // 1. sizes, id, CORS, security headers, errors, metrics, log
}

impl Server {
    /// Builds a server with the public and the admin app. The current runtime will drive the
    /// connections to Postgres and Redis.
    ///
    /// # Errors
    /// When a URL, a certificate authority or the admin token can't be read.
    pub fn new(
        listeners: Listeners,
        config: ServeConfig,
        log: &LogConfig,
    ) -> Result<Self, ServeError> {
        let apps = Apps {
            public: |state, listener, workers| {
                serve(listener, workers, &state.http, move || {
                    let memo = Rc::<RefCell<RequestMemo>>::default();
                    // 0. answers repeated requests from memory
                    hot_path(state, memo.clone(), service_of(app(state, memo)))
                })
            },
            admin: |state, listener, workers| {
                serve(listener, workers, &state.http, move || service_of(admin::app(state)))
            },
        };
        Self::with_apps(listeners, config, log, apps)
    }
}
