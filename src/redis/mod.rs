//! The one Redis client: bounded waits, a breaker, and word of changes between instances.
//!
//! Nothing here ever fails a request: who can't have Redis goes on without it.

mod breaker;
mod messages;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fred::prelude::*;
use fred::types::config::{TlsConfig, TlsConnector, UnresponsiveConfig};
use fred::types::scripts;
use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use tracing::Instrument;

use crate::config::RedisConfig;
use crate::metrics;
use crate::tls;
use breaker::{Breaker, Outcome};
pub use messages::Message;
use watch::{ASK_AGAIN_MS, FailureReport, watch};

/// Why Redis gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    #[error("REDIS_URL is not usable: {0}")]
    Url(String),
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    #[error("Redis failed a moment ago and is left alone")]
    CircuitOpen,
    #[error("Redis did not answer within {0} ms")]
    Timeout(u64),
    #[error("Redis: {0}")]
    Command(#[from] fred::error::Error),
}

/// A Lua script, sent by its hash and in full only where the server doesn't know it.
pub struct Script(scripts::Script);

impl Script {
    pub fn new(lua: &'static str) -> Self {
        Self(scripts::Script::from_lua(lua))
    }
}

/// A handle to the shared client; clones share it.
#[derive(Clone)]
pub struct Redis {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    builder: Builder,
    prefix: String,
    timeout_ms: u64,
    breaker: Breaker,
    /// Kept by ourselves: the client calls itself connected while it tries to be.
    connected: Arc<AtomicBool>,
    /// Told when the breaker opens.
    reports: mpsc::Sender<FailureReport>,
}

impl Redis {
    /// Builds the client and lets it connect in the background of the runtime that this is called
    /// on, again and again until it succeeds. `None` where no Redis is configured.
    ///
    /// # Errors
    /// When the URL or the certificate authority can't be read. A Redis that is down is no error.
    pub fn start(config: &RedisConfig) -> Result<Option<Self>, RedisError> {
        let Some(url) = &config.redis_url else { return Ok(None) };
        let mut server = Config::from_url(url.expose_secret())
            .map_err(|e| RedisError::Url(e.details().to_owned()))?;
        // A Redis that is down when we start is waited for like one that goes away later.
        server.fail_fast = false;
        if server.tls.is_some() {
            let client_config = tls::client_config(config.redis_ca_file.as_deref())?;
            server.tls = Some(TlsConfig::from(TlsConnector::from(client_config)));
        }
        let timeout = Duration::from_millis(config.redis_command_timeout_ms);
        let mut builder = Builder::from_config(server);
        builder
            .with_performance_config(|performance| performance.default_command_timeout = timeout)
            .with_connection_config(|connection| {
                connection.connection_timeout = Duration::from_millis(CONNECT_TIMEOUT_MS);
                connection.internal_command_timeout = Duration::from_millis(CONNECT_TIMEOUT_MS);
                // A script that was sent twice could charge twice.
                connection.max_command_attempts = 1;
                // What waits here is bounded in time by the time-out and in number by this.
                connection.max_command_buffer_len = COMMANDS_WAITING_MAX;
                connection.unresponsive = UnresponsiveConfig {
                    max_timeout: Some(Duration::from_millis(SILENCE_MAX_MS)),
                    interval: Duration::from_millis(ASK_AGAIN_MS),
                };
            })
            .set_policy(ReconnectPolicy::Exponential {
                // The client waits even before its first try: the start of the server would wait
                // with it.
                min_delay: 5,
                base: 4,
                // Each process its own, so that all don't come at once.
                max_delay: rand::random_range(RECONNECT_DELAY_MS / 2..RECONNECT_DELAY_MS),
                jitter: 0,
                attempts: 0,
                max_attempts: 0,
            });
        let client = builder.build()?;
        let connected = Arc::new(AtomicBool::new(false));
        let (reports, complained) = mpsc::channel(1);
        tokio::spawn(watch(client.clone(), connected.clone(), timeout, complained));
        client.connect();
        let breaker = Breaker::new(config.redis_breaker_open_ms);
        let (prefix, timeout_ms) =
            (config.redis_key_prefix.clone(), config.redis_command_timeout_ms);
        Ok(Some(Self {
            shared: Arc::new(Shared {
                client,
                builder,
                prefix,
                timeout_ms,
                breaker,
                connected,
                reports,
            }),
        }))
    }

    /// Waits for the first connection, at most `wait`. False where there is none yet.
    pub async fn wait_until_connected(&self, wait: Duration) -> bool {
        let connects = matches!(
            tokio::time::timeout(wait, self.shared.client.wait_for_connect()).await,
            Ok(Ok(()))
        );
        self.shared.connected.fetch_or(connects, Ordering::Relaxed);
        connects
    }

    /// Whether there is a connection, as far as we have heard.
    pub fn is_connected(&self) -> bool {
        self.shared.connected.load(Ordering::Relaxed)
    }

    pub async fn ping(&self) -> Result<(), RedisError> {
        self.bounded("ping", self.shared.client.ping::<String>(None)).await.map(drop)
    }

    /// What can be had elsewhere: whoever has just waited for Redis in vain doesn't wait for this
    /// as well.
    ///
    /// # Errors
    /// When Redis did not answer in time, or is left alone.
    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, RedisError> {
        if self.shared.breaker.timed_out_recently(self.shared.timeout_ms) {
            return Err(RedisError::CircuitOpen);
        }
        self.bounded("get", self.shared.client.get(self.name(name))).await
    }

    /// Stores `value` for `ttl_ms` milliseconds.
    pub async fn set(&self, name: &str, value: Vec<u8>, ttl_ms: i64) -> Result<(), RedisError> {
        let value = Value::Bytes(value.into());
        let command = self.shared.client.set(
            self.name(name),
            value,
            Some(Expiration::PX(ttl_ms)),
            None,
            false,
        );
        self.bounded("set", command).await
    }

    /// Runs a script on one key.
    pub async fn run<R: FromValue>(
        &self,
        script: &Script,
        name: &str,
        arguments: Vec<String>,
    ) -> Result<R, RedisError> {
        let (client, name) = (&self.shared.client, self.name(name));
        self.bounded("evalsha", async {
            match client.evalsha(script.0.sha1().clone(), name.clone(), arguments.clone()).await {
                // The server was restarted or its scripts flushed: it ran nothing, so nothing is
                // charged twice.
                Err(e) if e.details().starts_with("NOSCRIPT") => {
                    let lua = script.0.lua().cloned().unwrap_or_default();
                    client.eval(lua, name, arguments).await
                }
                answer => answer,
            }
        })
        .await
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.shared.prefix)
    }

    async fn bounded<T>(
        &self,
        call: &'static str,
        command: impl Future<Output = Result<T, fred::error::Error>>,
    ) -> Result<T, RedisError> {
        // Without a connection there is nothing to wait for: the client makes one in the
        // background.
        if !self.is_connected() || !self.shared.breaker.allows() {
            return Err(RedisError::CircuitOpen);
        }
        // fred's own time-out doesn't reach every kind of command.
        let (timeout, started) = (Duration::from_millis(self.shared.timeout_ms), Instant::now());
        let command = command.instrument(tracing::trace_span!(
            "redis",
            otel.kind = "client",
            db.operation.name = call
        ));
        let answer = match tokio::time::timeout(timeout, command).await {
            Ok(answer) => answer.map_err(RedisError::from),
            Err(_) => Err(RedisError::Timeout(self.shared.timeout_ms)),
        };
        let outcome = match answer {
            Ok(_) => Outcome::Answered,
            Err(RedisError::Timeout(_)) => Outcome::TimedOut,
            Err(RedisError::Command(ref e)) if *e.kind() == ErrorKind::Timeout => Outcome::TimedOut,
            Err(_) => Outcome::Failed,
        };
        if self.shared.breaker.note(outcome)
            && let Err(error) = &answer
        {
            // Where somebody has said so already, nothing more has to be said.
            let _ = self.shared.reports.try_send(FailureReport {
                timed_out: outcome == Outcome::TimedOut,
                cause: error.to_string(),
            });
        }
        metrics::redis_call(call, answer.is_ok(), started.elapsed().as_secs_f64());
        answer
    }
}

/// To connect, TLS and sign-in included.
const CONNECT_TIMEOUT_MS: u64 = 2000;
/// How long a connection may owe an answer before it is closed and made anew.
const SILENCE_MAX_MS: u64 = 2000;
/// Commands that may wait for a connection at once.
const COMMANDS_WAITING_MAX: usize = 10_000;
/// The longest wait between attempts to connect: Redis is shared again within a second of its
/// return.
const RECONNECT_DELAY_MS: u32 = 250;
