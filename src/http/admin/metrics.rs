//! `GET /metrics`: the metrics in the text format of Prometheus.

use actix_web::HttpResponse;
use actix_web::http::header;

use crate::http::server::state::State;
use crate::metrics::{CONTENT_TYPE, Readings, text};

pub async fn metrics(state: &'static State) -> HttpResponse {
    let (cache_entries, cache_bytes) = state.cache.memory_usage();
    let connections = state.store.connections();
    let readings = Readings {
        cache_bytes,
        cache_entries,
        connections_idle: connections.idle,
        connections_busy: connections.busy,
        connection_waiters: connections.waiters,
        argon2_waiting: state.verifier.queue_length(),
        redis_configured: state.redis.is_some(),
        redis_connected: state.redis.as_ref().is_some_and(|redis| redis.is_connected()),
        instances: state.limiter.instances(),
        changes_followed: state.versions.is_up_to_date(),
        newest_days: state.newest_days.get(&state.store, &state.versions).await,
    };
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, CONTENT_TYPE)).body(text(&readings))
}
