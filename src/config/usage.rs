//! Settings of usage counts.

use clap::Args;

use super::milliseconds;

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
