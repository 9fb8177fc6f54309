//! The state that all workers share.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::atomic::AtomicBool;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use chrono::Utc;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::activity::Activity;
use super::admin_hosts::AdminHosts;
use super::admin_token::AdminToken;
use super::error::ServeError;
use super::log::RequestLog;
use super::newest_days::NewestDays;
use super::postgres_probe::PostgresProbe;
use super::streams::Streams;
use crate::cache::{Cache, EmptyDays, Versions};
use crate::config::{HttpConfig, LogConfig, ServeConfig};
use crate::keys::Verifier;
use crate::limiter::{AnonymousLimiter, KeyLimiter};
use crate::redis::Redis;
use crate::store::Store;
use crate::usage::Usage;

pub struct State {
    pub store: Store,
    pub redis: Option<Redis>,
    pub verifier: Verifier,
    pub limiter: KeyLimiter,
    pub anonymous_limiter: AnonymousLimiter,
    pub cache: Cache,
    pub empty_days: EmptyDays,
    pub usage: Usage,
    pub newest_days: NewestDays,
    pub postgres_probe: PostgresProbe,
    pub versions: Versions,
    /// The revision that Redis was last told, and when.
    pub revision_in_redis: tokio::sync::Mutex<Option<(i64, Instant)>>,
    pub streams: Streams,
    pub activity: Activity,
    /// Another instance has joined, so they must be counted.
    pub instance_joined: Notify,
    pub http: HttpConfig,
    /// `None` if the admin API is disabled.
    pub admin_token: Option<AdminToken>,
    pub admin_hosts: AdminHosts,
    pub log: RequestLog,
    /// Set at shutdown: responses have `Connection: close`.
    pub draining: AtomicBool,
    /// Set at shutdown if the port is about to close: readiness checks fail.
    pub port_closes: AtomicBool,
}

impl State {
    /// Builds the state. Postgres and Redis may still be down. Their connections are driven by the
    /// current runtime.
    ///
    /// # Errors
    /// When a URL, a certificate authority or the admin token can't be read.
    pub fn new(config: &ServeConfig, log: &LogConfig) -> Result<Self, ServeError> {
        let store =
            Store::new(&config.database)?.reading_from(&config.replica, &config.database)?;
        let redis = Redis::start(&config.redis)?;
        Ok(Self {
            verifier: Verifier::new(store.clone(), config.keys.clone()),
            limiter: KeyLimiter::new(redis.clone()),
            anonymous_limiter: AnonymousLimiter::new(&config.anonymous, redis.clone()),
            cache: Cache::new(&config.cache, redis.clone()),
            empty_days: EmptyDays::default(),
            versions: Versions::default(),
            revision_in_redis: tokio::sync::Mutex::default(),
            usage: Usage::new(Utc::now()),
            newest_days: NewestDays::default(),
            postgres_probe: PostgresProbe::default(),
            streams: Streams::new(&config.http),
            activity: Activity::new(config.cache.rest_after_s),
            instance_joined: Notify::new(),
            http: config.http.clone(),
            admin_token: AdminToken::read(&config.admin)?,
            admin_hosts: AdminHosts::new(&config.admin),
            log: RequestLog::new(log),
            draining: AtomicBool::new(false),
            port_closes: AtomicBool::new(false),
            store,
            redis,
        })
    }

    /// The state, from any request.
    pub fn of(request: &HttpRequest) -> &'static Self {
        request.app_data::<&'static Self>().expect("the app has its state")
    }
}

/// Extracts the state for a handler. It lives as long as the process, so requests need no reference
/// count.
impl FromRequest for &'static State {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(State::of(request)))
    }
}
