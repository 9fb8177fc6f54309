//! Settings of the connection to Redis.

use std::path::PathBuf;

use clap::Args;
use secrecy::SecretString;

/// Redis, which instances use to share limits, cached responses and notifications.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Redis")]
pub struct RedisConfig {
    /// Connection URL of Redis, `redis://:password@host:port/0`; `rediss://` for TLS
    ///
    /// Without it, limits and cache stay in the process, which is right for one instance. For a
    /// cluster: `redis-cluster://:password@host:port?node=host:port`, or `rediss-cluster://` for
    /// TLS.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<SecretString>,
    /// PEM file with the certificate of Redis or of its authority; by default the system's
    #[arg(long, env = "REDIS_CA_FILE")]
    pub redis_ca_file: Option<PathBuf>,
    /// Prefix of every key and channel in Redis
    ///
    /// Instances with the same prefix share limits and cache.
    #[arg(long, env = "REDIS_KEY_PREFIX", default_value = "tickerd:")]
    pub redis_key_prefix: String,
    /// Time-out of one command; after it, the request continues without Redis
    #[arg(long, env = "REDIS_COMMAND_TIMEOUT_MS", default_value_t = 250)]
    pub redis_command_timeout_ms: u64,
    /// Pause after 3 failed commands in a row, before one command tries Redis again
    #[arg(long, env = "REDIS_BREAKER_OPEN_MS", default_value_t = 500)]
    pub redis_breaker_open_ms: u64,
}

#[cfg(test)]
impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            redis_url: None,
            redis_ca_file: None,
            redis_key_prefix: "tickerd:".to_owned(),
            // Tests share their machine, so a slow response is no failure here.
            redis_command_timeout_ms: 10_000,
            redis_breaker_open_ms: 500,
        }
    }
}
