//! `GET /health`: whether this process responds. `GET /health/ready`: whether it can serve
//! requests, and the state of Postgres, Redis and change notifications.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix_web::{HttpResponse, http::StatusCode, http::header};
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use crate::http::respond::answer::JSON;
use crate::http::server::state::State;
use crate::store::Store;

/// For Postgres to answer: a load balancer asks every few seconds and gives up early.
const READY_TIMEOUT_MS: u64 = 1000;

/// How long an answer of Postgres, or its silence, is everybody's who asks: whoever likes may ask,
/// and as often.
const READY_SHARED_MS: u64 = 200;

/// Whether Postgres answers, as of the last look. Held by the one that looks.
#[derive(Default)]
pub struct PostgresProbe(Mutex<Option<(Instant, bool)>>);

impl PostgresProbe {
    /// Whether it does now, or did a moment ago. One look at a time, whoever hangs up meanwhile:
    /// those who were given up would hold their connections for longer.
    async fn is_felt(&'static self, store: &'static Store) -> bool {
        let timeout = Duration::from_millis(READY_TIMEOUT_MS);
        let felt = async {
            let mut last = self.0.lock().await;
            match *last {
                Some((at, answers)) if at.elapsed() < Duration::from_millis(READY_SHARED_MS) => {
                    answers
                }
                _ => {
                    let look = tokio::spawn(async move {
                        let answers = store.ping(timeout).await.is_ok();
                        *last = Some((Instant::now(), answers));
                        answers
                    });
                    look.await.unwrap_or(false)
                }
            }
        };
        tokio::time::timeout(timeout, felt).await.unwrap_or(false)
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Alive)]
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
    /// `up`, `down`, `not configured`, or `not asked` while this server is stopping.
    redis: &'static str,
    /// `followed` if this instance knows all committed changes, else `behind`.
    changes: &'static str,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub async fn alive() -> HttpResponse {
    document(StatusCode::OK, &Liveness { status: "ok", version: VERSION })
}

/// Responds with 503 only if Postgres or its tables are missing, or if the port is about to close.
/// Without Redis the server still serves, with less accurate limits.
pub async fn ready(state: &'static State) -> HttpResponse {
    let changes = if state.versions.is_up_to_date() { "followed" } else { "behind" };
    if state.port_closes.load(Ordering::Relaxed) {
        // A load balancer that must go elsewhere does not wait for a Postgres that hangs.
        let (status, postgres, redis) = ("stopping", "not asked", "not asked");
        let stopping = Readiness { status, version: VERSION, postgres, redis, changes };
        return document(StatusCode::SERVICE_UNAVAILABLE, &stopping);
    }
    let postgres = if state.postgres_probe.is_felt(&state.store).await { "up" } else { "down" };
    let redis = match &state.redis {
        None => "not configured",
        Some(redis) if redis.ping().await.is_ok() => "up",
        Some(_) => "down",
    };
    // Until the tables have been read once, there is nothing to serve.
    let postgres_has_tables = state.versions.revision().is_some();
    let (http_status, status) = match (postgres, redis, changes) {
        ("down", _, _) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        _ if !postgres_has_tables => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        (_, "down", _) | (_, _, "behind") => (StatusCode::OK, "degraded"),
        _ => (StatusCode::OK, "ok"),
    };
    document(http_status, &Readiness { status, version: VERSION, postgres, redis, changes })
}

fn document(status: StatusCode, value: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, JSON))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(serde_json::to_vec(value).unwrap_or_default())
}
