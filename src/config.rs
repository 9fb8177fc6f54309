//! Every knob: its name, its unit (last in the name), its default and why.
//!
//! Each is a flag and an environment variable of the same name. The doc comment of a field is its
//! `--help`.

mod admin;
mod database;
mod keyless;
mod traces;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use secrecy::SecretString;

pub use admin::{AdminConfig, AdminPort};
pub use database::{DatabaseConfig, Pooler};
pub use keyless::KeylessConfig;
pub use traces::TracesConfig;

/// A replica of Postgres that content is read from.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Postgres, replica")]
pub struct ReplicaConfig {
    /// A streaming replica, for prices, quotes and stocks. What it has not replayed yet is read
    /// from DATABASE_URL
    #[arg(long, env = "DATABASE_READ_URL", hide_env_values = true)]
    pub database_read_url: Option<SecretString>,
    /// How often it is asked how far it has come. After a load, reads of what was loaded go to
    /// DATABASE_URL for so long, and for as long as it lags
    #[arg(long, env = "DATABASE_READ_POLL_MS", default_value_t = 250, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub database_read_poll_ms: u64,
    /// For a connection and for a statement there. Then it is read from DATABASE_URL, and the
    /// replica is left alone until it answers
    #[arg(long, env = "DATABASE_READ_TIMEOUT_MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    pub database_read_timeout_ms: u64,
}

/// Redis: what instances share.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Redis")]
pub struct RedisConfig {
    /// Where Redis is: redis://:password@host:port/0, rediss:// for TLS. Without it limits and
    /// cache are in process, which is right for one instance
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<SecretString>,
    /// A PEM file with the certificate authority of Redis, where the system's do not know it
    #[arg(long, env = "REDIS_CA_FILE")]
    pub redis_ca_file: Option<PathBuf>,
    /// What every key and channel in Redis starts with. Instances with the same prefix share limits
    /// and cache
    #[arg(long, env = "REDIS_KEY_PREFIX", default_value = "tickerd:")]
    pub redis_key_prefix: String,
    /// For one command. A request goes on without Redis when it takes longer
    #[arg(long, env = "REDIS_COMMAND_TIMEOUT_MS", default_value_t = 250)]
    pub redis_command_timeout_ms: u64,
    /// How long Redis is left alone after 3 failed commands in a row, before one command tries it
    /// again
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
            // Tests share their machine: here a slow answer is no fault.
            redis_command_timeout_ms: 10_000,
            redis_breaker_open_ms: 500,
        }
    }
}

/// The HTTP server.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
pub struct HttpConfig {
    /// The address to listen on. Loopback unless told otherwise: TLS belongs in front of it
    #[arg(long, env = "HOST", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub host: IpAddr,
    /// The port to listen on; 0 for any free one
    #[arg(long, env = "PORT", default_value_t = 3000)]
    pub port: u16,
    /// Threads that serve requests; 0 for one a core
    #[arg(long, env = "WORKERS", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1024))]
    pub workers: u16,
    /// Connections at most, for each worker
    #[arg(long, env = "CONNECTIONS_PER_WORKER_MAX", default_value_t = 10_000)]
    pub connections_per_worker_max: usize,
    /// How long a connection may idle between requests. Longer than the 60 s of common load
    /// balancers, which must be the ones to close
    #[arg(long, env = "KEEP_ALIVE_S", default_value_t = 75)]
    pub keep_alive_s: u64,
    /// For a client to send the head of its request
    #[arg(long, env = "REQUEST_HEAD_TIMEOUT_MS", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub request_head_timeout_ms: u64,
    /// For a client to send the body of its request: beyond it, the answer is 408
    #[arg(long, env = "BODY_TIMEOUT_MS", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub body_timeout_ms: u64,
    /// For a client to take some of its answer: one that takes less than 64 KiB for so long, while
    /// more waits, is hung up on. Longer than a phone in a tunnel
    #[arg(long, env = "CLIENT_STALL_TIMEOUT_MS", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub client_stall_timeout_ms: u64,
    /// The path and query of a request: beyond it, the answer is 414
    #[arg(long, env = "URL_BYTES_MAX", default_value_t = 4096)]
    pub url_bytes_max: usize,
    /// All headers of a request: beyond it, the answer is 431
    #[arg(long, env = "HEADER_BYTES_MAX", default_value_t = 16 * 1024)]
    pub header_bytes_max: usize,
    /// The body of a request, which watchlists and /admin read: beyond it, the answer is 413
    #[arg(long, env = "BODY_BYTES_MAX", default_value_t = 16 * 1024)]
    pub body_bytes_max: u64,
    /// How long after SIGTERM connections are still accepted, and each answer tells its client to
    /// connect anew: who asks in that time never meets a connection that we closed
    #[arg(long, env = "DRAIN_MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub drain_ms: u64,
    /// How long requests in flight may take to finish after that
    #[arg(long, env = "SHUTDOWN_TIMEOUT_S", default_value_t = 10)]
    pub shutdown_timeout_s: u64,
    /// Addresses or networks of proxies, as in 127.0.0.1,10.0.0.0/8: a client's address is the last
    /// one in X-Forwarded-For that is not among them. From anybody else that header is not believed
    #[arg(long, env = "TRUSTED_PROXIES", value_delimiter = ',', value_parser = network)]
    pub trusted_proxies: Vec<IpNet>,
    /// Whether a key may also come as ?apikey=KEY, for spreadsheets and others that can't send
    /// headers. Proxies log URLs and browsers remember them: set it to false where nobody needs it
    #[arg(long, env = "APIKEY_IN_QUERY", default_value_t = true, action = clap::ArgAction::Set)]
    pub apikey_in_query: bool,
    /// A page where a better tier is sold: named to free callers that reach their limit
    #[arg(long, env = "UPGRADE_URL")]
    pub upgrade_url: Option<String>,
}

/// A network, or the network of one address.
fn network(text: &str) -> Result<IpNet, &'static str> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| "expected an address or a network, as in 127.0.0.1,10.0.0.0/8")
}

/// What is remembered of keys.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Keys")]
pub struct KeysConfig {
    /// How long a key's row (tier, expiry, revocation) is believed before it is read again
    #[arg(long, env = "KEY_STATUS_TTL_MS", default_value_t = 60_000)]
    pub key_status_ttl_ms: u64,
    /// How long it is believed while Postgres can't be asked: an outage of an hour refuses no known
    /// caller
    #[arg(long, env = "KEY_STATUS_BELIEVED_MS", default_value_t = 3_600_000)]
    pub key_status_believed_ms: u64,
    /// How long Postgres is left alone about a key after it could not be asked
    #[arg(long, env = "KEY_STATUS_RETRY_MS", default_value_t = 1000)]
    pub key_status_retry_ms: u64,
    /// How long a wrong key is refused from memory
    #[arg(long, env = "KEY_REFUSAL_TTL_MS", default_value_t = 60_000)]
    pub key_refusal_ttl_ms: u64,
    /// Verified keys in memory, about 500 bytes each
    #[arg(long, env = "KEYS_REMEMBERED_MAX", default_value_t = 100_000)]
    pub keys_remembered_max: usize,
    /// Wrong keys in memory, about 100 bytes each
    #[arg(long, env = "REFUSALS_REMEMBERED_MAX", default_value_t = 10_000)]
    pub refusals_remembered_max: usize,
    /// argon2id runs at once; 0 for one on every two cores. Each keeps 19 MiB and takes a core for
    /// some 15 ms: more prove keys faster after a restart, and leave less to requests
    #[arg(long, env = "ARGON2_PARALLEL_MAX", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=1024))]
    pub argon2_parallel_max: u16,
    /// New keys that are looked at at once: beyond it, the answer is 503 with Retry-After
    #[arg(long, env = "ARGON2_QUEUE_MAX", default_value_t = 128, value_parser = parallel())]
    pub argon2_queue_max: usize,
    /// How long a new key may wait for its look-up, and then as long again for argon2id
    #[arg(long, env = "ARGON2_WAIT_TIMEOUT_MS", default_value_t = 3000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub argon2_wait_timeout_ms: u64,
    /// Wrong keys from one address (an IPv4, or an IPv6 /64) in any minute, before more are refused
    /// unread
    #[arg(long, env = "AUTH_FAILURES_PER_MINUTE_MAX", default_value_t = 60)]
    pub auth_failures_per_minute_max: u32,
    /// Addresses whose failures are counted, about 800 bytes each
    #[arg(long, env = "AUTH_ADDRESSES_MAX", default_value_t = 10_000)]
    pub auth_addresses_max: usize,
}

/// Semaphores refuse to be built with more permits than this.
fn parallel() -> impl clap::builder::TypedValueParser<Value = usize> {
    use clap::builder::TypedValueParser;
    clap::value_parser!(u32).range(1..=1_000_000).map(|n| n as usize)
}

/// The cache of answers.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cache")]
pub struct CacheConfig {
    /// Memory for answers. 64 MiB hold about 20,000 answers of 20 rows and leave room on a machine
    /// of 512 MB
    #[arg(long, env = "CACHE_MEMORY_BYTES_MAX", default_value_t = 64 * 1024 * 1024)]
    pub cache_memory_bytes_max: u64,
    /// How long an answer may be served beyond its time while Postgres is away, marked as stale
    #[arg(long, env = "CACHE_STALE_S_MAX", default_value_t = 86_400)]
    pub cache_stale_s_max: u32,
    /// Answers on their way to Redis at once; more are not stored there
    #[arg(long, env = "CACHE_WRITES_MAX", default_value_t = 64, value_parser = parallel())]
    pub cache_writes_max: usize,
    /// How often changes are looked for while no word of them comes: what a lost message can cost
    /// at most
    #[arg(long, env = "CHANGES_POLL_MS", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    pub changes_poll_ms: u64,
    /// The same where no Redis carries messages, or it is lost: twice a second keeps a revocation
    /// within 1 s
    #[arg(long, env = "CHANGES_POLL_ALONE_MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    pub changes_poll_alone_ms: u64,
}

/// What is counted.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Usage")]
pub struct UsageConfig {
    /// How often what keys used is stored: what a crash can cost at most, and how old `usage` shows
    /// it
    #[arg(long, env = "USAGE_FLUSH_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(50..=600_000))]
    pub usage_flush_ms: u64,
}

/// What is said, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logs")]
pub struct LogConfig {
    /// Levels, as in `info` or `tickerd=debug,warn`. The framework is not to say so of each message
    /// that is no HTTP: nothing would bound that
    #[arg(
        long,
        global = true,
        env = "LOG",
        default_value = "info,actix_server=warn,actix_http=off"
    )]
    pub log: String,
    /// text, json, or auto: text on a terminal, JSON otherwise
    #[arg(long, global = true, env = "LOG_FORMAT", default_value = "auto")]
    pub log_format: LogFormat,
    /// Lines about requests in any second; the rest is counted and the count is logged. At 2
    /// million requests a day every one has its line, and a spike can't fill the disk. Server
    /// errors have as many for themselves
    #[arg(long, global = true, env = "LOG_REQUESTS_PER_S_MAX", default_value_t = 100)]
    pub log_requests_per_s_max: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Auto,
    Text,
    Json,
}

/// The variables whose values are secret: no program that is started gets them.
pub const SECRETS: [&str; 5] =
    ["DATABASE_URL", "DATABASE_DIRECT_URL", "DATABASE_READ_URL", "REDIS_URL", "ADMIN_TOKEN"];

/// Everything that `serve` reads.
#[derive(Debug, Clone, Args)]
pub struct ServeConfig {
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub replica: ReplicaConfig,
    #[command(flatten)]
    pub redis: RedisConfig,
    #[command(flatten)]
    pub http: HttpConfig,
    #[command(flatten)]
    pub admin: AdminConfig,
    #[command(flatten)]
    pub keys: KeysConfig,
    #[command(flatten)]
    pub keyless: KeylessConfig,
    #[command(flatten)]
    pub cache: CacheConfig,
    #[command(flatten)]
    pub usage: UsageConfig,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_network_is_read_as_it_is_written_and_an_address_is_one_of_its_own(address: IpAddr, length in 0u8..=32) {
            let net = IpNet::new(address, length).unwrap();
            prop_assert_eq!(network(&net.to_string()), Ok(net));
            let alone = network(&address.to_string()).unwrap();
            prop_assert_eq!((alone.network(), alone.broadcast()), (address, address));
        }

        #[test]
        fn any_text_is_a_network_or_refused_with_an_example(text in "[0-9a-f.:/]{0,20}|.{0,10}") {
            prop_assert!(network(&text).is_ok() || network(&text).is_err_and(|why| why.contains("as in 127.0.0.1")));
        }
    }
}
