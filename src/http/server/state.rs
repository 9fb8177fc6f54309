//! What every worker shares.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::atomic::AtomicBool;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use chrono::Utc;

use crate::cache::{Cache, Versions};
use crate::config::{HttpConfig, LogConfig, ServeConfig};
use crate::keys::Verifier;
use crate::limiter::{AnonymousLimiter, KeyLimiter};
use crate::redis::Redis;
use crate::store::Store;
use crate::usage::Usage;

use super::admin_token::AdminToken;
use super::log::RequestLog;
use super::newest_days::NewestDays;
use crate::http::ServeError;
use crate::http::api::health::PostgresProbe;

pub struct State {
    pub store: Store,
    pub redis: Option<Redis>,
    pub verifier: Verifier,
    pub limiter: KeyLimiter,
    pub anonymous_limiter: AnonymousLimiter,
    pub cache: Cache,
    pub usage: Usage,
    pub newest_days: NewestDays,
    pub postgres_probe: PostgresProbe,
    pub versions: Versions,
    pub http: HttpConfig,
    /// `None` where operators may not ask over HTTP.
    pub admin_token: Option<AdminToken>,
    pub log: RequestLog,
    /// Whether answers are to tell their clients to connect anew: this process is about to end.
    pub draining: AtomicBool,
    /// Whether load balancers are to go elsewhere, since the port is about to close as well.
    pub port_closes: AtomicBool,
}

impl State {
    /// Builds everything; nothing has to be up yet. Connections live on the runtime that this is
    /// called on.
    ///
    /// # Errors
    /// When a URL or a certificate authority can't be read.
    pub fn new(config: &ServeConfig, log: &LogConfig) -> Result<Self, ServeError> {
        let store =
            Store::new(&config.database)?.reading_from(&config.replica, &config.database)?;
        let redis = Redis::start(&config.redis)?;
        Ok(Self {
            verifier: Verifier::new(store.clone(), config.keys.clone()),
            limiter: KeyLimiter::new(redis.clone()),
            anonymous_limiter: AnonymousLimiter::new(&config.anonymous, redis.clone()),
            cache: Cache::new(&config.cache, redis.clone()),
            versions: Versions::default(),
            usage: Usage::new(Utc::now()),
            newest_days: NewestDays::default(),
            postgres_probe: PostgresProbe::default(),
            http: config.http.clone(),
            admin_token: AdminToken::read(&config.admin)?,
            log: RequestLog::new(log.log_requests_per_s_max),
            draining: AtomicBool::new(false),
            port_closes: AtomicBool::new(false),
            store,
            redis,
        })
    }

    /// What a request shares with all others.
    pub fn of(request: &HttpRequest) -> &'static Self {
        request.app_data::<&'static Self>().expect("the app has its state")
    }
}

/// Hands a handler what it shares with all others. It lives as long as the process, so that no
/// request has to count who else holds it.
impl FromRequest for &'static State {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(State::of(request)))
    }
}
