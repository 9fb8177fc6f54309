//! Every setting: its name (the unit comes last), its default and its reason.
//!
//! Each setting is a flag and an environment variable of the same name. The doc comment of a field
//! is its text in `--help` and in docs/configuration.md: the first paragraph is the short form.

mod admin;
mod cache;
mod database;
mod environment;
mod http;
mod keys;
mod postgres_url;
mod redis;
mod redis_url;
mod telemetry;

use std::net::{IpAddr, Ipv4Addr};

use clap::Args;
use clap::builder::{RangedI64ValueParser, RangedU64ValueParser, TypedValueParser};

pub use admin::{AdminConfig, AdminPort};
pub use cache::CacheConfig;
pub use database::{DatabaseConfig, ReplicaConfig};
pub use environment::{ParseError, Parsed, definition, parse, parse_without};
pub use http::{AddressHeader, HttpConfig};
pub use keys::{AnonymousConfig, KeysConfig, UsageConfig};
pub use postgres_url::{Pooler, PostgresUrl};
pub use redis::{RedisConfig, ServerOfRedis};
pub use redis_url::RedisUrl;
pub use telemetry::{LogConfig, LogFormat, TracesConfig};

/// The environment variables whose values are secret. Programs that tickerd starts do not get them.
pub const SECRETS: [&str; 6] = [
    "DATABASE_URL",
    "DATABASE_DIRECT_URL",
    "DATABASE_READ_URL",
    "REDIS_URL",
    "UPSTASH_REDIS_REST_TOKEN",
    "ADMIN_TOKEN",
];

/// All settings of the server.
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
    pub anonymous: AnonymousConfig,
    #[command(flatten)]
    pub cache: CacheConfig,
    #[command(flatten)]
    pub usage: UsageConfig,
}

/// An address to listen on.
fn listen_address(text: &str) -> Result<IpAddr, &'static str> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    match bare {
        "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => bare.parse().map_err(|_| {
            "expected an IP address such as 127.0.0.1, or 0.0.0.0 for all addresses of this machine"
        }),
    }
}

/// A port to listen on.
fn port(text: &str) -> Result<u16, &'static str> {
    text.parse().map_err(|_| "expected a port from 0 to 65535, where 0 is any free port")
}

/// A number of milliseconds from `min` to `max`.
fn milliseconds(min: u64, max: u64) -> RangedU64ValueParser {
    clap::value_parser!(u64).range(min..=max)
}

/// A time-out in milliseconds, up to 10 minutes.
fn timeout() -> RangedU64ValueParser {
    milliseconds(1, 600_000)
}

/// A number from 1 to `max`.
fn count(max: i64) -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=max)
}

/// A number of threads; 0 for a number that depends on the cores.
fn threads() -> RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(0..=1024)
}

/// The size of a semaphore, which tokio bounds.
fn permits() -> impl TypedValueParser<Value = usize> {
    count(1_000_000).map(|n| n as usize)
}
