//! The client and its commands.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fred::prelude::*;
use fred::types::config::{TlsConfig, TlsConnector, UnresponsiveConfig};
use fred::types::scripts;
use secrecy::ExposeSecret;
use tokio::sync::{Notify, mpsc};
use tracing::Instrument;

use super::breaker::{Breaker, CommandOutcome};
use super::permissions::{Permissions, is_refusal};
use super::watch::{FailureReport, PING_INTERVAL_MS, watch};
use crate::config::RedisConfig;
use crate::metrics;
use crate::tls;

/// For a new connection, with TLS and authentication.
const CONNECT_TIMEOUT_MS: u64 = 2000;
/// A connection that owes a response for this long is closed and opened again.
const SILENCE_MAX_MS: u64 = 2000;
/// The name of the calls that run scripts.
const SCRIPT_CALL: &str = "evalsha";
/// Commands that may wait for a connection at once.
const COMMANDS_WAITING_MAX: usize = 10_000;
/// The longest pause between attempts to connect. Instances share Redis again within a second of
/// its return.
pub(super) const RECONNECT_DELAY_MS: u32 = 250;

/// The reason why a call to Redis has no result.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    #[error("REDIS_URL is not usable: {0}")]
    Url(String),
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    #[error("Redis was not called: it is not connected, or failed a moment ago")]
    CircuitOpen,
    #[error("Redis did not answer within {0} ms")]
    Timeout(u64),
    /// Waiting does not help.
    #[error("Redis refuses the password (REDIS_URL): {0}")]
    Refused(String),
    #[error("Redis can't be reached (REDIS_URL): {0}")]
    Unreachable(String),
    #[error("Redis: {0}")]
    Command(#[from] fred::error::Error),
}

/// A Lua script. It is sent by its hash, and in full only if the server does not know it.
pub struct Script(scripts::Script);

impl Script {
    pub fn new(lua: &'static str) -> Self {
        Self(scripts::Script::from_lua(lua))
    }
}

/// A handle to the client. Clones share the connection and the circuit breaker.
#[derive(Clone)]
pub struct Redis {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub client: Client,
    pub builder: Builder,
    prefix: String,
    timeout_ms: u64,
    breaker: Breaker,
    /// Opens when scripts fail, even if other commands succeed.
    pub script_breaker: Breaker,
    /// Set by [`watch`], because the client calls itself connected while it reconnects.
    connected: Arc<AtomicBool>,
    /// Gets a report when the breaker opens.
    reports: mpsc::Sender<FailureReport>,
    pub permissions: Permissions,
    /// A command failed, so that the permissions are worth a check.
    pub failed: Notify,
}

impl Redis {
    /// Builds the client and connects in the background on the current runtime. The client tries
    /// again until it succeeds. `None` if no Redis is configured.
    ///
    /// # Errors
    /// When the URL or the certificate authority can't be read, not when Redis is down.
    pub fn start(config: &RedisConfig) -> Result<Option<Self>, RedisError> {
        let Some(mut server) = server(config)? else { return Ok(None) };
        // If Redis is down at the start, connect when it returns.
        server.fail_fast = false;
        let timeout_ms = config.redis_command_timeout_ms;
        let timeout = Duration::from_millis(timeout_ms);
        let builder = builder(server, timeout);
        let client = builder.build()?;
        let connected = Arc::new(AtomicBool::new(false));
        let (reports, received_reports) = mpsc::channel(1);
        tokio::spawn(watch(client.clone(), connected.clone(), timeout, received_reports));
        client.connect();
        let shared = Shared {
            client,
            builder,
            prefix: config.redis_key_prefix.clone(),
            timeout_ms,
            breaker: Breaker::new(config.redis_breaker_open_ms),
            script_breaker: Breaker::new(config.redis_breaker_open_ms),
            connected,
            reports,
            permissions: Permissions::default(),
            failed: Notify::new(),
        };
        Ok(Some(Self { shared: Arc::new(shared) }))
    }

    /// Waits for the first connection, at most `wait`. False if there is none by then.
    pub async fn wait_until_connected(&self, wait: Duration) -> bool {
        let connects = matches!(
            tokio::time::timeout(wait, self.shared.client.wait_for_connect()).await,
            Ok(Ok(()))
        );
        self.shared.connected.fetch_or(connects, Ordering::Relaxed);
        connects
    }

    /// Whether there is a connection, as last observed.
    pub fn is_connected(&self) -> bool {
        self.shared.connected.load(Ordering::Relaxed)
    }

    /// Whether Redis may evict windows of keys when it is full, as last looked at.
    pub fn may_evict_windows(&self) -> bool {
        self.shared.permissions.may_evict_windows()
    }

    /// The `maxmemory-policy` of Redis, as last looked at. `None` if it is unknown.
    pub fn eviction_policy(&self) -> Option<String> {
        self.shared.permissions.eviction_policy()
    }

    /// Whether messages of other instances can arrive.
    pub fn receives_messages(&self) -> bool {
        self.is_connected() && !self.shared.permissions.channel.is_refused()
    }

    /// Whether Redis has refused something that this program needs.
    pub fn is_restricted(&self) -> bool {
        self.shared.permissions.are_restricted() || self.shared.script_breaker.is_open()
    }

    pub async fn ping(&self) -> Result<(), RedisError> {
        self.call("ping", self.shared.client.ping::<String>(None)).await.map(drop)
    }

    /// Reads a value that the caller can also get elsewhere.
    ///
    /// # Errors
    /// When Redis fails or does not answer in time. Without a call if a command has just timed out,
    /// so that a request does not wait twice.
    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, RedisError> {
        if self.shared.breaker.timed_out_recently(self.shared.timeout_ms) {
            return Err(RedisError::CircuitOpen);
        }
        self.call("get", self.shared.client.get(self.name(name))).await
    }

    /// Reads several values. In a cluster, each needs a call.
    ///
    /// # Errors
    /// When Redis fails or does not answer in time.
    pub async fn get_all(&self, names: &[String]) -> Result<Vec<Option<Vec<u8>>>, RedisError> {
        let client = &self.shared.client;
        let names: Vec<_> = names.iter().map(|name| self.name(name)).collect();
        if !client.is_clustered() {
            match self.call("mget", client.mget(names.clone())).await {
                // A node of a cluster that is used as a single server.
                Err(RedisError::Command(error)) if error.details().starts_with("CROSSSLOT") => {}
                values => return values,
            }
        }
        let mut values = Vec::new();
        for name in names {
            values.push(self.call("get", client.get(name)).await?);
        }
        Ok(values)
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
        self.call("set", command).await
    }

    /// Runs a script on keys of one hash slot.
    pub async fn run<R: FromValue>(
        &self,
        script: &Script,
        names: &[&str],
        arguments: Vec<String>,
    ) -> Result<R, RedisError> {
        if self.shared.permissions.scripts.is_refused() {
            return Err(RedisError::CircuitOpen);
        }
        let client = &self.shared.client;
        let names: Vec<_> = names.iter().map(|name| self.name(name)).collect();
        self.call(SCRIPT_CALL, async {
            match client.evalsha(script.0.sha1().clone(), names.clone(), arguments.clone()).await {
                // The server does not know the script and ran nothing, so nothing is charged twice.
                Err(e) if e.details().starts_with("NOSCRIPT") => {
                    let lua = script.0.lua().cloned().unwrap_or_default();
                    client.eval(lua, names, arguments).await
                }
                result => result,
            }
        })
        .await
    }

    /// The name of a key or channel, with the prefix of this deployment.
    pub(super) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.shared.prefix)
    }

    /// Runs a command within the timeout, unless the circuit is open, and records its outcome.
    pub(super) async fn call<T>(
        &self,
        call: &'static str,
        command: impl Future<Output = Result<T, fred::error::Error>>,
    ) -> Result<T, RedisError> {
        // Without a connection, don't wait for one: the client reconnects in the background.
        let is_script = call == SCRIPT_CALL;
        if !self.is_connected()
            || !self.shared.breaker.allows()
            || is_script && !self.shared.script_breaker.allows()
        {
            return Err(RedisError::CircuitOpen);
        }
        // The timeout of fred does not cover every kind of command.
        let (timeout, started) = (Duration::from_millis(self.shared.timeout_ms), Instant::now());
        let command = command.instrument(tracing::trace_span!(
            "redis",
            otel.kind = "client",
            db.operation.name = call
        ));
        let result = match tokio::time::timeout(timeout, command).await {
            Ok(result) => result.map_err(RedisError::from),
            Err(_) => Err(RedisError::Timeout(self.shared.timeout_ms)),
        };
        if let Err(RedisError::Command(_)) = &result {
            self.shared.failed.notify_one();
        }
        let outcome = match &result {
            Ok(_) => CommandOutcome::Answered,
            Err(RedisError::Timeout(_)) => CommandOutcome::TimedOut,
            // Redis works, and other commands may be allowed.
            Err(RedisError::Command(e)) if is_refusal(e) => CommandOutcome::Answered,
            Err(RedisError::Command(e)) if *e.kind() == ErrorKind::Timeout => {
                CommandOutcome::TimedOut
            }
            Err(_) => CommandOutcome::Failed,
        };
        if self.record(is_script, outcome)
            && let Err(error) = &result
        {
            // If the channel is full, another command has just reported the same.
            let _ = self.shared.reports.try_send(FailureReport {
                timed_out: outcome == CommandOutcome::TimedOut,
                cause: error.to_string(),
            });
        }
        metrics::redis_call(call, result.is_ok(), started.elapsed().as_secs_f64());
        result
    }
}

impl Redis {
    /// Records an outcome. Returns whether it opened a circuit, or left it open.
    ///
    /// A response means that Redis works, and a timeout that it may not: both count for all
    /// commands. An error counts for commands of its kind, because others may succeed.
    fn record(&self, is_script: bool, outcome: CommandOutcome) -> bool {
        let Shared { breaker, script_breaker, .. } = &*self.shared;
        if !is_script {
            return breaker.record(outcome);
        }
        let opens_scripts = script_breaker.record(outcome);
        outcome != CommandOutcome::Failed && breaker.record(outcome) || opens_scripts
    }
}

/// The server and how to connect to it; `None` if none is configured.
pub(super) fn server(config: &RedisConfig) -> Result<Option<Config>, RedisError> {
    let server = config.server().map_err(|e| RedisError::Url(e.to_owned()))?;
    let Some(server) = server else { return Ok(None) };
    let mut server = Config::from_url(server.url.expose_secret())
        .map_err(|e| RedisError::Url(e.details().to_owned()))?;
    if server.tls.is_some() {
        let client_config = tls::client_config(config.redis_ca_file.as_deref())?;
        server.tls = Some(TlsConfig::from(TlsConnector::from(client_config)));
    }
    Ok(Some(server))
}

fn builder(server: Config, timeout: Duration) -> Builder {
    let mut builder = Builder::from_config(server);
    builder
        .with_performance_config(|performance| performance.default_command_timeout = timeout)
        .with_connection_config(|connection| {
            connection.connection_timeout = Duration::from_millis(CONNECT_TIMEOUT_MS);
            connection.internal_command_timeout = Duration::from_millis(CONNECT_TIMEOUT_MS);
            // A script that is sent twice could charge twice.
            connection.max_command_attempts = 1;
            connection.max_command_buffer_len = COMMANDS_WAITING_MAX;
            connection.unresponsive = UnresponsiveConfig {
                max_timeout: Some(Duration::from_millis(SILENCE_MAX_MS)),
                interval: Duration::from_millis(PING_INTERVAL_MS),
            };
        })
        .set_policy(ReconnectPolicy::Exponential {
            // The client also waits before its first attempt, and the server's start waits for it.
            min_delay: 5,
            base: 4,
            // Random per process, so that instances do not reconnect at the same moment.
            max_delay: rand::random_range(RECONNECT_DELAY_MS / 2..RECONNECT_DELAY_MS),
            jitter: 0,
            attempts: 0,
            max_attempts: 0,
        });
    builder
}
