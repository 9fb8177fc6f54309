//! Settings of the cache and of the change follower.

use clap::Args;

use super::{milliseconds, permits};

/// The cache of responses.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cache")]
pub struct CacheConfig {
    /// Maximum memory for cached responses
    ///
    /// 64 MiB hold about 20,000 responses of 20 rows and fit a machine with 512 MB.
    #[arg(long, env = "CACHE_MEMORY_BYTES_MAX", default_value_t = 64 * 1024 * 1024)]
    pub cache_memory_bytes_max: u64,
    /// Time for which an expired response may be served while Postgres is unavailable
    ///
    /// Such a response is marked `X-Cache: STALE`.
    #[arg(long, env = "CACHE_STALE_S_MAX", default_value_t = 86_400)]
    pub cache_stale_s_max: u32,
    /// Maximum concurrent writes of responses to Redis; more are not stored there
    #[arg(long, env = "CACHE_WRITES_MAX", default_value_t = 64, value_parser = permits())]
    pub cache_writes_max: usize,
    /// Interval at which an instance polls for changes while Redis delivers notifications
    ///
    /// A lost notification delays a change by this time at most.
    #[arg(
        long,
        env = "CHANGES_POLL_MS",
        default_value_t = 30_000,
        value_parser = milliseconds(50, 60_000)
    )]
    pub changes_poll_ms: u64,
    /// The same without Redis, or while Redis is unavailable
    ///
    /// The default applies a revocation within 1 s.
    #[arg(
        long,
        alias = "changes-poll-alone-ms",
        env = "CHANGES_POLL_WITHOUT_REDIS_MS",
        default_value_t = 500,
        value_parser = milliseconds(50, 60_000)
    )]
    pub changes_poll_without_redis_ms: u64,
    /// Time without requests after which an instance stops polling Postgres and Redis; 0 for never
    ///
    /// The next request waits until the changes have been read. The default lets a hosted database
    /// sleep, and is long for a server that is in use.
    #[arg(long, env = "REST_AFTER_S", default_value_t = 300)]
    pub rest_after_s: u64,
}
