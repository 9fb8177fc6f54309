//! Settings of the connection to Redis.

use std::path::PathBuf;

use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

use super::RedisUrl;

/// Redis, which instances use to share limits, cached responses and notifications.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Redis")]
pub struct RedisConfig {
    /// Connection URL of Redis, `redis://:password@host:port/0`; `rediss://` for TLS
    ///
    /// Without it, limits and cache stay in the process, which is right for one instance. For a
    /// cluster: `redis-cluster://:password@host:port?node=host:port`, or `rediss-cluster://` for
    /// TLS. With Sentinel, whose addresses follow instead:
    /// `redis-sentinel://:password@host:26379?sentinelServiceName=mymaster&node=host:26379`, or
    /// `rediss-sentinel://`. The password is that of Redis; `&sentinelPassword=` is that of
    /// Sentinels.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<RedisUrl>,
    /// Address of the REST interface of Upstash, `https://NAME.upstash.io`; without `REDIS_URL`
    ///
    /// tickerd speaks the protocol of Redis, which the same host serves over TLS on port 6379.
    #[arg(long, env = "UPSTASH_REDIS_REST_URL")]
    pub upstash_redis_rest_url: Option<RedisUrl>,
    /// Token of that interface, which is also the password of the user `default`
    #[arg(long, env = "UPSTASH_REDIS_REST_TOKEN", hide_env_values = true)]
    pub upstash_redis_rest_token: Option<SecretString>,
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

/// The Redis to connect to.
#[derive(Debug)]
pub struct ServerOfRedis {
    pub url: SecretString,
    /// Whether the password is the token of the REST interface, which need not be accepted.
    pub is_rest_token: bool,
}

impl RedisConfig {
    /// The Redis to connect to; `None` if none is configured.
    ///
    /// # Errors
    /// If only the address of a REST interface is known, as a sentence.
    pub fn server(&self) -> Result<Option<ServerOfRedis>, &'static str> {
        let host = match (&self.redis_url, &self.upstash_redis_rest_url) {
            (Some(RedisUrl::Server(url)), _) | (None, Some(RedisUrl::Server(url))) => {
                return Ok(Some(ServerOfRedis { url: url.clone(), is_rest_token: false }));
            }
            (Some(RedisUrl::UpstashRest { host }), _)
            | (None, Some(RedisUrl::UpstashRest { host })) => host,
            (None, None) => return Ok(None),
        };
        let Some(token) = &self.upstash_redis_rest_token else {
            return Err("it is the address of a REST interface: set the URL that begins with \
                        rediss://, which the console of Upstash shows under TCP, or set \
                        UPSTASH_REDIS_REST_TOKEN as well");
        };
        let password = utf8_percent_encode(token.expose_secret(), NON_ALPHANUMERIC);
        let url = format!("rediss://default:{password}@{host}:6379").into();
        Ok(Some(ServerOfRedis { url, is_rest_token: true }))
    }
}

#[cfg(test)]
impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            redis_url: None,
            upstash_redis_rest_url: None,
            upstash_redis_rest_token: None,
            redis_ca_file: None,
            redis_key_prefix: "tickerd:".to_owned(),
            // Tests share their machine, so a slow response is no failure here.
            redis_command_timeout_ms: 10_000,
            redis_breaker_open_ms: 500,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_address_and_token_of_upstash_are_those_of_a_client_over_tls() {
        let rest = || Some("https://eu1-a.upstash.io".parse().unwrap());
        let token = || Some(SecretString::from("A+b="));
        for (redis_url, upstash_redis_rest_url) in [(rest(), None), (None, rest())] {
            let config = RedisConfig {
                redis_url,
                upstash_redis_rest_url,
                upstash_redis_rest_token: token(),
                ..RedisConfig::default()
            };
            let server = config.server().unwrap().unwrap();
            let url = server.url.expose_secret();
            assert_eq!(url, "rediss://default:A%2Bb%3D@eu1-a.upstash.io:6379");
            assert!(server.is_rest_token);
        }
        let both = RedisConfig {
            redis_url: Some("redis://h".into()),
            upstash_redis_rest_url: rest(),
            ..RedisConfig::default()
        };
        assert_eq!(both.server().unwrap().unwrap().url.expose_secret(), "redis://h");
    }
}
