//! `GET /health`: whether this process responds. `GET /health/ready`: whether it can serve
//! requests, and the state of Postgres, Redis and change notifications.

use std::sync::atomic::Ordering;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::respond::uncached::no_store;
use crate::http::server::state::State;
use crate::redis::Redis;

#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub struct Liveness {
    /// `ok`.
    status: &'static str,
    /// The version of tickerd.
    version: &'static str,
}

#[derive(Serialize, ToSchema)]
pub struct Readiness {
    /// `ok`, `degraded`, `unavailable`, or `stopping` when the port is about to close.
    status: &'static str,
    /// The version of tickerd.
    version: &'static str,
    /// `up`, `down`, or `not asked` while this server is stopping.
    postgres: &'static str,
    /// `up`, `down`, `restricted` if its user may not do what this server needs, `not configured`,
    /// or `not asked` while this server is stopping.
    redis: &'static str,
    /// `followed` if this instance knows all committed changes, else `behind`.
    changes: &'static str,
    /// The `maxmemory-policy` of Redis. With one that begins with `allkeys`, a full Redis evicts
    /// windows of limits. Absent if it is unknown.
    #[serde(rename = "redisEvictionPolicy", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    redis_eviction_policy: Option<String>,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub async fn alive() -> HttpResponse {
    no_store(StatusCode::OK, &Liveness { status: "ok", version: VERSION })
}

/// Responds with 503 only if Postgres or its tables are missing, or if the port is about to close.
/// Without Redis the server still serves, with less accurate limits.
pub async fn ready(state: &'static State) -> HttpResponse {
    let changes = || if state.versions.is_up_to_date() { "followed" } else { "behind" };
    if state.port_closes.load(Ordering::Relaxed) {
        // A load balancer that must go elsewhere does not wait for a Postgres that hangs.
        let (status, postgres, redis) = ("stopping", "not asked", "not asked");
        let stopping = Readiness {
            status,
            version: VERSION,
            postgres,
            redis,
            changes: changes(),
            redis_eviction_policy: None,
        };
        return no_store(StatusCode::SERVICE_UNAVAILABLE, &stopping);
    }
    let postgres = if state.postgres_probe.is_up(&state.store).await { "up" } else { "down" };
    let redis = match &state.redis {
        None => "not configured",
        Some(redis) if redis.ping().await.is_ok() => {
            if redis.is_restricted() {
                "restricted"
            } else {
                "up"
            }
        }
        Some(_) => "down",
    };
    // Until the tables have been read once, there is nothing to serve.
    let postgres_has_tables = state.versions.revision().is_some();
    // Not before the waits above: the first read of the changes may end meanwhile.
    let changes = changes();
    let (http_status, status) = match (postgres, redis, changes) {
        ("down", _, _) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        _ if !postgres_has_tables => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        (_, "down" | "restricted", _) | (_, _, "behind") => (StatusCode::OK, "degraded"),
        _ => (StatusCode::OK, "ok"),
    };
    let redis_eviction_policy = state.redis.as_ref().and_then(Redis::eviction_policy);
    let version = VERSION;
    no_store(
        http_status,
        &Readiness { status, version, postgres, redis, changes, redis_eviction_policy },
    )
}
