//! What one connection finds out about a Redis: whether instances can share limits through it.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use fred::prelude::*;
use fred::types::{ClusterHash, CustomCommand};

use super::client::server;
use super::permissions::SCRIPT;
use super::{Redis, RedisError};
use crate::config::RedisConfig;

/// For the whole inspection.
const TIMEOUT: Duration = Duration::from_secs(4);

/// For the check of the password, which delays the start of a server if Redis is silent.
const PASSWORD_TIMEOUT: Duration = Duration::from_secs(1);

/// A Redis as one connection finds it. What its user may not read is `None`.
#[derive(Debug)]
pub struct Inspection {
    pub version: Option<String>,
    /// The most memory that it uses, in bytes; 0 for no limit.
    pub memory_bytes_max: Option<u64>,
    /// What it does when its memory is full, as in `volatile-lru`.
    pub eviction_policy: Option<String>,
    /// The clock of the server, and that of this machine at the same moment.
    pub clocks: (DateTime<Utc>, DateTime<Utc>),
    /// Of one command.
    pub round_trip: Duration,
    /// Why the script of the limits can't run; `None` if it can.
    pub script_refused: Option<String>,
    /// Why changes can't be published; `None` if they can.
    pub channel_refused: Option<String>,
}

impl Redis {
    /// Connects once, and looks around. `None` if no Redis is configured.
    ///
    /// # Errors
    /// If Redis can't be reached, or refuses the password ([`RedisError::Refused`]).
    pub async fn inspect(config: &RedisConfig) -> Result<Option<Inspection>, RedisError> {
        let look = async |client: &Client| inspect(client, &config.redis_key_prefix).await;
        on_a_connection(config, TIMEOUT, look).await
    }

    /// Connects once, so that a password that is refused is found.
    ///
    /// # Errors
    /// [`RedisError::Refused`]. Anything else may be mended by waiting.
    pub async fn check_password(config: &RedisConfig) -> Result<(), RedisError> {
        let ping = async |client: &Client| client.ping::<String>(None).await.map(drop);
        match on_a_connection(config, PASSWORD_TIMEOUT, ping).await {
            Err(error @ RedisError::Refused(_)) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Connects once, for at most `wait`, and looks around. `None` if no Redis is configured.
async fn on_a_connection<T>(
    config: &RedisConfig,
    wait: Duration,
    look: impl AsyncFnOnce(&Client) -> Result<T, Error>,
) -> Result<Option<T>, RedisError> {
    let Some(server) = server(config)? else { return Ok(None) };
    let mut builder = Builder::from_config(server);
    builder.with_connection_config(|connection| connection.connection_timeout = wait);
    let client = builder.build()?;
    let refused_hint = match config.server() {
        Ok(Some(server)) if server.is_rest_token => {
            "; the token of the REST interface is no password here: set REDIS_URL to the value \
             that begins with rediss://, which the console of Upstash shows under TCP"
        }
        _ => "",
    };
    let found = tokio::time::timeout(wait, async {
        client.init().await?;
        look(&client).await
    });
    let result = match found.await {
        Ok(Ok(found)) => Ok(Some(found)),
        Ok(Err(e)) if *e.kind() == ErrorKind::Auth => {
            Err(RedisError::Refused(format!("{}{refused_hint}", e.details())))
        }
        Ok(Err(e)) => Err(RedisError::Unreachable(e.to_string())),
        Err(_) => Err(RedisError::Unreachable("it does not answer in time".to_owned())),
    };
    // The answer does not matter: the process ends or goes on with a client of its own.
    let _ = tokio::time::timeout(wait, client.quit()).await;
    result
}

async fn inspect(client: &Client, prefix: &str) -> Result<Inspection, Error> {
    let sent = (Instant::now(), Utc::now());
    let (seconds, microseconds): (i64, u32) = command(client, "TIME").await?;
    let round_trip = sent.0.elapsed();
    let clock = DateTime::from_timestamp(seconds, microseconds.saturating_mul(1000));
    let info: String = command(client, "INFO").await.unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(|value| value.trim().to_owned())
    };
    let key = format!("{prefix}probe");
    let script = client.eval::<i64, _, _, _>(SCRIPT, key, Vec::<i64>::new()).await;
    // Nobody reads this channel; the rule for the prefix covers it.
    let channel = client.publish::<i64, _, _>(format!("{prefix}probe"), "").await;
    let refusal = |answer: Result<i64, Error>| answer.err().map(|e| e.details().to_owned());
    Ok(Inspection {
        version: field("redis_version"),
        memory_bytes_max: field("maxmemory").and_then(|bytes| bytes.parse().ok()),
        eviction_policy: field("maxmemory_policy"),
        clocks: (clock.unwrap_or_default(), sent.1 + round_trip / 2),
        round_trip,
        script_refused: refusal(script),
        channel_refused: refusal(channel),
    })
}

/// A command without arguments.
async fn command<R: FromValue>(client: &Client, name: &'static str) -> Result<R, Error> {
    let command = CustomCommand::new_static(name, ClusterHash::Random, false);
    client.custom(command, Vec::<String>::new()).await
}
