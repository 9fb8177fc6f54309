//! Settings of keys: their verification and their usage counts. Also those of requests without a
//! key.

use clap::Args;

use super::{milliseconds, permits, threads, timeout};
use crate::caller::REQUESTS_MAX;

/// How API keys are verified and remembered.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Keys")]
pub struct KeysConfig {
    /// Time after which the row of a key (tier, expiry, revocation) is read again
    #[arg(long, env = "KEY_STATUS_TTL_MS", default_value_t = 60_000)]
    pub key_status_ttl_ms: u64,
    /// Time for which the row of a key remains valid while Postgres is unavailable
    ///
    /// With the default, an outage of an hour refuses no client that this instance knows.
    #[arg(
        long,
        alias = "key-status-believed-ms",
        env = "KEY_STATUS_STALE_MAX_MS",
        default_value_t = 3_600_000
    )]
    pub key_status_stale_max_ms: u64,
    /// Pause before the row of a key is read again after a failed read
    #[arg(long, env = "KEY_STATUS_RETRY_MS", default_value_t = 1000)]
    pub key_status_retry_ms: u64,
    /// Time for which an invalid key is refused from memory
    #[arg(long, env = "KEY_REFUSAL_TTL_MS", default_value_t = 60_000)]
    pub key_refusal_ttl_ms: u64,
    /// Maximum verified keys in memory, about 500 bytes each
    #[arg(long, env = "KEYS_REMEMBERED_MAX", default_value_t = 100_000)]
    pub keys_remembered_max: usize,
    /// Maximum invalid keys in memory, about 100 bytes each
    #[arg(long, env = "REFUSALS_REMEMBERED_MAX", default_value_t = 10_000)]
    pub refusals_remembered_max: usize,
    /// Concurrent runs of argon2id; 0 for one per two cores
    ///
    /// Each keeps 19 MiB of memory and uses a core for about 15 ms. More of them verify keys faster
    /// after a restart, but leave less of the processor to requests.
    #[arg(long, env = "ARGON2_PARALLEL_MAX", default_value_t = 0, value_parser = threads())]
    pub argon2_parallel_max: u16,
    /// Maximum new keys that are verified at once; beyond it, 503 with `Retry-After`
    #[arg(long, env = "ARGON2_QUEUE_MAX", default_value_t = 128, value_parser = permits())]
    pub argon2_queue_max: usize,
    /// Time-out of the look-up of a new key, and again of its wait for argon2id; then 503
    #[arg(
        long,
        env = "ARGON2_WAIT_TIMEOUT_MS",
        default_value_t = 3000,
        value_parser = timeout()
    )]
    pub argon2_wait_timeout_ms: u64,
    /// Maximum invalid keys from one address in any minute; beyond it, 429 without a check
    ///
    /// An address is an IPv4 address or an IPv6 /64 network. Keys that this instance has already
    /// verified continue to work.
    #[arg(long, env = "AUTH_FAILURES_PER_MINUTE_MAX", default_value_t = 60)]
    pub auth_failures_per_minute_max: u32,
    /// Maximum addresses whose failures are counted, at most 1,300 bytes each
    #[arg(long, env = "AUTH_ADDRESSES_MAX", default_value_t = 10_000)]
    pub auth_addresses_max: usize,
}

/// Limits of pages and documents, which need no key.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Without a key")]
pub struct AnonymousConfig {
    /// Maximum requests without a key from one address in any hour; then 429. 0 for no limit
    ///
    /// It covers everything outside `/api` and `/health`. An address is an IPv4 address or an IPv6
    /// /64 network. A reader of the documents needs few requests; a program that copies the site or
    /// scans it for weaknesses needs many.
    #[arg(
        long,
        alias = "keyless-requests-per-hour-max",
        env = "ANONYMOUS_REQUESTS_PER_HOUR_MAX",
        default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(0..=i64::from(REQUESTS_MAX))
    )]
    pub anonymous_requests_per_hour_max: u32,
    /// Maximum addresses whose requests are counted, at most 1,300 bytes each
    ///
    /// Beyond it, the least recently used addresses are forgotten; without Redis their count starts
    /// again. Refusing new addresses instead would let a client with many addresses shut out all
    /// others.
    #[arg(
        long,
        alias = "keyless-addresses-max",
        env = "ANONYMOUS_ADDRESSES_MAX",
        default_value_t = 10_000
    )]
    pub anonymous_addresses_max: usize,
}

/// How the usage of keys is counted.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Usage")]
pub struct UsageConfig {
    /// Interval at which usage counts are stored in Postgres
    ///
    /// A crash loses the counts of this time at most. `tickerd usage` and `/api/usage` lag by it.
    #[arg(
        long,
        env = "USAGE_FLUSH_MS",
        default_value_t = 10_000,
        value_parser = milliseconds(50, 600_000)
    )]
    pub usage_flush_ms: u64,
}
