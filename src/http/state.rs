//! What every worker shares.

use crate::cache::{Cache, Versions};
use crate::config::{HttpConfig, LogConfig, ServeConfig};
use crate::keys::Verifier;
use crate::limiter::Limiter;
use crate::redis::Redis;
use crate::store::Store;

use super::ServeFault;
use super::log::RequestLog;

pub struct State {
    pub store: Store,
    pub redis: Option<Redis>,
    pub verifier: Verifier,
    pub limiter: Limiter,
    pub cache: Cache,
    pub versions: Versions,
    pub http: HttpConfig,
    pub log: RequestLog,
}

impl State {
    /// Builds everything; nothing has to be up yet. Connections live on the runtime that this is called on.
    ///
    /// # Errors
    /// When a URL or a certificate authority can't be read.
    pub fn new(config: &ServeConfig, log: &LogConfig) -> Result<Self, ServeFault> {
        let store = Store::new(&config.database)?;
        let redis = Redis::start(&config.redis)?;
        Ok(Self {
            verifier: Verifier::new(store.clone(), config.keys.clone()),
            limiter: Limiter::new(redis.clone()),
            cache: Cache::new(&config.cache, redis.clone()),
            versions: Versions::default(),
            http: config.http.clone(),
            log: RequestLog::new(log.log_requests_per_s_max),
            store,
            redis,
        })
    }
}
