//! The server: its ports, connections, shared state, background tasks and shutdown.
//!
//! It does not know the routes. `http/mod.rs` passes the two apps, the public and the admin one.

pub mod activity;
mod admin_hosts;
mod admin_token;
pub mod changes;
pub mod connection;
mod error;
pub mod housekeeping;
mod kept_windows;
pub mod listener;
pub mod log;
mod newest_days;
mod ports;
mod postgres_probe;
pub mod progress;
pub mod shutdown;
pub mod state;
pub mod streams;
mod systemd;

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use crate::config::{LogConfig, ServeConfig};
use changes::follow_changes;
pub use error::ServeError;
use housekeeping::{housekeeping, store_last_usage, store_usage};
use kept_windows::{keep_windows, take_kept_windows};
use listener::Workers;
pub use ports::Listeners;
use shutdown::{Signals, stop_on_signal};
use state::State;

/// How long the start waits for Redis.
const REDIS_START_WAIT: Duration = Duration::from_millis(500);

/// Connections of operators at once: a few people, a sign-up page, a collector of metrics.
const OPERATORS_MAX: usize = 64;

/// How long an idle connection of an operator is kept: longer than the usual 15 s between two
/// collections of metrics, and short because there are few connections.
const OPERATORS_KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Starts the workers that serve one app on a listener.
pub type StartApp = fn(&'static State, TcpListener, Workers) -> io::Result<actix_web::dev::Server>;

/// The apps of the two ports.
pub struct Apps {
    pub public: StartApp,
    pub admin: StartApp,
}

/// A server whose ports are open. It responds once it runs.
pub struct Server {
    listeners: Listeners,
    state: &'static State,
    config: ServeConfig,
    apps: Apps,
}

impl Server {
    /// Builds the state that the server needs. The current runtime will drive the connections to
    /// Postgres and Redis.
    ///
    /// # Errors
    /// When a URL, a certificate authority or the admin token can't be read.
    pub fn with_apps(
        listeners: Listeners,
        config: ServeConfig,
        log: &LogConfig,
        apps: Apps,
    ) -> Result<Self, ServeError> {
        let state = Box::leak(Box::new(State::new(&config, log)?));
        Ok(Self { listeners, state, config, apps })
    }

    /// Serves until SIGTERM or SIGINT, then lets requests in flight finish. Calls `on_stop` when
    /// the signal arrives, with true if clients get time to reconnect elsewhere.
    ///
    /// # Errors
    /// When a listener fails.
    pub async fn run(self, on_stop: impl FnOnce(bool) + Send + 'static) -> Result<(), ServeError> {
        let Self { listeners, state, config, apps } = self;
        let http = &config.http;
        let signals = Signals::catch().map_err(ServeError::Run)?;
        let counted = take_kept_windows(state).await;
        // So that limits are shared from the first request on. If Redis is down, serve without it.
        if let Some(redis) = &state.redis {
            redis.wait_until_connected(REDIS_START_WAIT).await;
        }
        tokio::spawn(follow_changes(state, config.cache.clone()));
        tokio::spawn(housekeeping(state));
        tokio::spawn(store_usage(state, config.usage.usage_flush_ms));
        let Listeners { public, owns_public_port, admin } = listeners;
        let port = if owns_public_port {
            Some(public.try_clone().map_err(ServeError::Run)?)
        } else {
            None
        };
        let workers = Workers {
            count: (http.workers > 0).then(|| usize::from(http.workers)),
            connections_max: http.connections_per_worker_max,
            keep_alive: Duration::from_secs(http.keep_alive_s),
        };
        let keep_alive = workers.keep_alive.min(OPERATORS_KEEP_ALIVE);
        let public = (apps.public)(state, public, workers).map_err(ServeError::Run)?;
        let admin = match admin {
            None => None,
            Some(listener) => {
                let (count, connections_max) = (Some(1), OPERATORS_MAX);
                let workers = Workers { count, connections_max, keep_alive };
                Some((apps.admin)(state, listener, workers).map_err(ServeError::Run)?)
            }
        };
        let servers =
            std::iter::once(&public).chain(&admin).map(actix_web::dev::Server::handle).collect();
        tokio::spawn(stop_on_signal(
            signals,
            servers,
            port,
            state,
            Duration::from_millis(http.drain_ms),
            on_stop,
        ));
        systemd::notify_ready();
        let admin = async { if let Some(server) = admin { server.await } else { Ok(()) } };
        let served = tokio::try_join!(public, admin).map(drop);
        tokio::join!(store_last_usage(state), keep_windows(state, &counted));
        served.map_err(ServeError::Run)
    }
}
