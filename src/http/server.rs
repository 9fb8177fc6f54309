//! Listening, serving, stopping.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::HttpServer;
use chrono::Utc;

use super::background::{follow_changes, keep_house, store_usage};
use super::{State, app};
use crate::config::{HttpConfig, LogConfig, ServeConfig};
use crate::redis::RedisFault;
use crate::store::StoreFault;

/// Connections that the kernel holds until a worker takes them.
const BACKLOG: u32 = 1024;

/// How long the start waits for Redis.
const REDIS_WAIT: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub enum ServeFault {
    #[error(transparent)]
    Store(#[from] StoreFault),
    #[error(transparent)]
    Redis(#[from] RedisFault),
    #[error("port {port} of {host} is taken: stop what listens there, or choose another with --port (PORT)")]
    PortTaken { host: std::net::IpAddr, port: u16 },
    #[error("can't listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("the server failed: {0}")]
    Run(#[source] std::io::Error),
}

/// A server that listens already and answers once it runs.
pub struct Server {
    listener: TcpListener,
    state: &'static State,
    config: ServeConfig,
}

impl Server {
    /// Builds what the server stands on. Call it on the runtime that is to drive the connections to Postgres and Redis.
    ///
    /// # Errors
    /// When a URL or a certificate authority can't be read.
    pub fn new(listener: TcpListener, config: ServeConfig, log: &LogConfig) -> Result<Self, ServeFault> {
        let state = Box::leak(Box::new(State::new(&config, log)?));
        Ok(Self { listener, state, config })
    }

    /// Where it listens: the port that was taken where 0 was asked for.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until SIGTERM or SIGINT, then lets requests in flight finish.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self) -> Result<(), ServeFault> {
        let http = &self.config.http;
        // Limits are to be shared from the first request on; a Redis that is down must not keep us from serving.
        if let Some(redis) = &self.state.redis {
            redis.wait_until_connected(REDIS_WAIT).await;
        }
        tokio::spawn(follow_changes(self.state, self.config.cache.clone()));
        tokio::spawn(keep_house(self.state));
        tokio::spawn(store_usage(self.state, self.config.usage.usage_flush_ms));
        let state = self.state;
        let mut server = HttpServer::new(move || app(state))
            .keep_alive(Duration::from_secs(http.keep_alive_s))
            .client_request_timeout(Duration::from_millis(http.request_head_timeout_ms))
            .max_connections(http.connections_per_worker_max)
            .shutdown_timeout(http.shutdown_timeout_s);
        if http.workers > 0 {
            server = server.workers(usize::from(http.workers));
        }
        let served = server.listen(self.listener).map_err(ServeFault::Run)?.run().await;
        // What was counted since the last batch; the time-outs of the store bound it.
        if let Err(fault) = state.usage.flush(&state.store, Utc::now()).await {
            tracing::error!(cause = %fault, "the usage since the last batch is lost");
        }
        served.map_err(ServeFault::Run)
    }
}

/// Takes the port.
///
/// # Errors
/// When it can't be had.
pub fn listen(config: &HttpConfig) -> Result<TcpListener, ServeFault> {
    let address = SocketAddr::new(config.host, config.port);
    let fault = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AddrInUse => ServeFault::PortTaken { host: address.ip(), port: address.port() },
        _ => ServeFault::Listen { address, source },
    };
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4(),
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6(),
    };
    let socket = socket.map_err(fault)?;
    // A restart must not wait for old connections to time out.
    socket.set_reuseaddr(true).map_err(fault)?;
    socket.bind(address).map_err(fault)?;
    socket.listen(BACKLOG).and_then(tokio::net::TcpListener::into_std).map_err(fault)
}
