//! Listening, serving, stopping.

mod admin_token;
pub mod changes;
pub mod connection;
pub mod housekeeping;
pub mod listener;
pub mod log;
mod newest_days;
pub mod shutdown;
pub mod state;
mod systemd;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use super::{State, admin, app};
use crate::config::{AdminConfig, AdminPort, HttpConfig, LogConfig, ServeConfig};
use crate::redis::RedisError;
use crate::store::StoreError;
use changes::follow_changes;
use housekeeping::{housekeeping, store_last_usage, store_usage};
use listener::{Workers, serve};
use shutdown::{Signals, stop_on_signal};

/// Connections that the kernel holds until a worker takes them.
const BACKLOG: u32 = 1024;

/// How long the start waits for Redis.
const REDIS_WAIT: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error(transparent)]
    AdminToken(#[from] admin_token::AdminTokenError),
    #[error("port {} of {} is taken: stop what listens there, or choose another with {knob}", address.port(), address.ip())]
    PortTaken { address: SocketAddr, knob: &'static str },
    #[error("can't listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(
        "the socket that systemd passed can't be used ({0}): expected one ListenStream= with a TCP port in tickerd.socket"
    )]
    PassedSocket(#[source] std::io::Error),
    #[error("the server failed: {0}")]
    Run(#[source] std::io::Error),
}

/// Connections of operators at once: a few people, a sign-up page, what gathers metrics.
const OPERATORS_MAX: usize = 64;

/// Ports that were taken.
pub struct Listeners {
    pub callers: TcpListener,
    /// Whether that of callers is nobody else's: then whoever comes when we end is to be refused,
    /// not kept waiting.
    pub is_ours: bool,
    /// `None` where that is switched off.
    pub operators: Option<TcpListener>,
}

/// A server that listens already and answers once it runs.
pub struct Server {
    listeners: Listeners,
    state: &'static State,
    config: ServeConfig,
}

impl Server {
    /// Builds what the server stands on. Call it on the runtime that is to drive the connections to
    /// Postgres and Redis.
    ///
    /// # Errors
    /// When a URL or a certificate authority can't be read.
    pub fn new(
        listeners: Listeners,
        config: ServeConfig,
        log: &LogConfig,
    ) -> Result<Self, ServeError> {
        let state = Box::leak(Box::new(State::new(&config, log)?));
        Ok(Self { listeners, state, config })
    }

    /// Serves until SIGTERM or SIGINT, then lets requests in flight finish. Calls `on_stop` when the
    /// signal arrives, with true if clients get time to reconnect elsewhere.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self, on_stop: impl FnOnce(bool) + Send + 'static) -> Result<(), ServeError> {
        let http = &self.config.http;
        // Limits are to be shared from the first request on; a Redis that is down must not keep us
        // from serving.
        if let Some(redis) = &self.state.redis {
            redis.wait_until_connected(REDIS_WAIT).await;
        }
        tokio::spawn(follow_changes(self.state, self.config.cache.clone()));
        tokio::spawn(housekeeping(self.state));
        tokio::spawn(store_usage(self.state, self.config.usage.usage_flush_ms));
        let state = self.state;
        let signals = Signals::catch().map_err(ServeError::Run)?;
        let Listeners { callers, is_ours, operators } = self.listeners;
        let port = if is_ours { Some(callers.try_clone().map_err(ServeError::Run)?) } else { None };
        let workers = Workers {
            count: (http.workers > 0).then(|| usize::from(http.workers)),
            connections_max: http.connections_per_worker_max,
        };
        let callers = serve(callers, workers, http, move || app(state)).map_err(ServeError::Run)?;
        let operators = match operators {
            None => None,
            Some(listener) => {
                let workers = Workers { count: Some(1), connections_max: OPERATORS_MAX };
                Some(
                    serve(listener, workers, http, move || admin::app(state))
                        .map_err(ServeError::Run)?,
                )
            }
        };
        let servers = std::iter::once(&callers)
            .chain(&operators)
            .map(actix_web::dev::Server::handle)
            .collect();
        tokio::spawn(stop_on_signal(
            signals,
            servers,
            port,
            state,
            Duration::from_millis(http.drain_ms),
            on_stop,
        ));
        systemd::say_ready();
        let operators = async { if let Some(server) = operators { server.await } else { Ok(()) } };
        let served = tokio::try_join!(callers, operators).map(drop);
        store_last_usage(state).await;
        served.map_err(ServeError::Run)
    }
}

impl Listeners {
    /// Takes the ports; that of callers may be one that systemd listens on.
    ///
    /// # Errors
    /// When one can't be had.
    pub fn take(http: &HttpConfig, admin: &AdminConfig) -> Result<Self, ServeError> {
        let passed = systemd::listener()?;
        let is_ours = passed.is_none();
        let callers = match passed {
            Some(passed) => passed,
            None => listen(SocketAddr::new(http.host, http.port), "--port (PORT)")?,
        };
        let operators = match admin.admin_port {
            AdminPort::Off => None,
            AdminPort::At(port) => {
                Some(listen(SocketAddr::new(admin.admin_host, port), "--admin-port (ADMIN_PORT)")?)
            }
        };
        Ok(Self { callers, is_ours, operators })
    }
}

/// Takes one port; `knob` is what chooses another.
fn listen(address: SocketAddr, knob: &'static str) -> Result<TcpListener, ServeError> {
    let error = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AddrInUse => ServeError::PortTaken { address, knob },
        _ => ServeError::Listen { address, source },
    };
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4(),
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6(),
    };
    let socket = socket.map_err(error)?;
    // A restart must not wait for old connections to time out.
    socket.set_reuseaddr(true).map_err(error)?;
    socket.bind(address).map_err(error)?;
    socket.listen(BACKLOG).and_then(tokio::net::TcpListener::into_std).map_err(error)
}
