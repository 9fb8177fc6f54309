//! The routes for operators, on their own listener, their middleware, and the metrics.

pub mod json;
mod keys;
mod service;
mod tiers;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::{App, Error, HttpResponse, web};

use super::middleware::{closed_boundary, only, operators_only, uncached};
use super::request::body;
use super::respond::error::Problem;
use super::server::state::State;
use crate::metrics::{CONTENT_TYPE, Readings, text};

/// `/metrics` needs no token, as it reveals no key and changes nothing. Everything under `/admin`
/// needs one.
pub fn app(
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
    let admin = web::scope("/admin")
        .service(
            web::resource("/keys")
                .route(web::get().to(keys::list))
                .route(web::post().to(keys::issue))
                .default_service(only("GET, POST")),
        )
        .service(
            web::resource("/keys/{id}")
                .route(web::get().to(keys::show))
                .route(web::patch().to(keys::change))
                .route(web::delete().to(keys::revoke))
                .default_service(only("GET, PATCH, DELETE")),
        )
        .service(
            web::resource("/keys/{id}/rotate")
                .route(web::post().to(keys::rotate))
                .default_service(only("POST")),
        )
        .service(
            web::resource("/audit").route(web::get().to(keys::audit)).default_service(only("GET")),
        )
        .service(
            web::resource("/tiers").route(web::get().to(tiers::list)).default_service(only("GET")),
        )
        .service(
            web::resource("/tiers/{name}")
                .route(web::put().to(tiers::set))
                .default_service(only("PUT")),
        )
        .default_service(web::to(not_found))
        .wrap(from_fn(operators_only));
    App::new()
        .app_data(state)
        .app_data(body::bound(state.http.body_bytes_max))
        .service(uncached("/", index))
        .service(uncached("/metrics", metrics))
        .service(admin)
        .default_service(web::to(not_found))
        .wrap(from_fn(closed_boundary))
}

/// `GET /metrics`: the metrics in the text format of Prometheus.
async fn metrics(state: &'static State) -> HttpResponse {
    let cache = state.cache.memory_usage();
    let connections = state.store.connections();
    let readings = Readings {
        cache_bytes: cache.bytes,
        cache_entries: cache.entries,
        connections_idle: connections.idle,
        connections_busy: connections.busy,
        connection_waiters: connections.waiters,
        argon2_waiting: state.verifier.queue_length(),
        redis_configured: state.redis.is_some(),
        redis_connected: state.redis.as_ref().is_some_and(|redis| redis.is_connected()),
        redis_restricted: state.redis.as_ref().is_some_and(|redis| redis.is_restricted()),
        redis_evicts_windows: state.redis.as_ref().is_some_and(|redis| redis.may_evict_windows()),
        instances: state.limiter.instances(),
        changes_followed: state.versions.is_up_to_date(),
        newest_days: state.newest_days.get(&state.store, &state.versions).await,
    };
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, CONTENT_TYPE)).body(text(&readings))
}

/// `GET /`: what there is on this port.
async fn index() -> HttpResponse {
    let body = "The port for operators of tickerd.\n\n\
                /metrics      metrics for Prometheus\n\
                /admin/keys   keys, with the header Authorization: Bearer ADMIN_TOKEN\n\
                /admin/tiers  tiers and their limits, likewise\n\
                /admin/audit  who changed what and when, likewise\n";
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(body)
}

async fn not_found() -> Problem {
    Problem::NotFound { see: "/metrics, /admin/keys, /admin/tiers and /admin/audit", meant: None }
}
