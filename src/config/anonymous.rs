//! Those who ask without a key.

use clap::Args;

use crate::caller::REQUESTS_PER_MINUTE_MAX;

/// Pages and documents, which need no key.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Without a key")]
pub struct KeylessConfig {
    /// Requests outside /api and /health from one address (an IPv4, or an IPv6 /64) in any trailing
    /// hour: a reader of the documents needs a few, who copies them or looks for holes needs many.
    /// 0 for no limit
    #[arg(long, env = "KEYLESS_REQUESTS_PER_HOUR_MAX", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=i64::from(REQUESTS_PER_MINUTE_MAX)))]
    pub keyless_requests_per_hour_max: u32,
    /// Addresses that are remembered for it, about 900 bytes each. Beyond it the coldest are
    /// forgotten: were newcomers refused instead, who has many addresses could shut everybody out
    #[arg(long, env = "KEYLESS_ADDRESSES_MAX", default_value_t = 10_000)]
    pub keyless_addresses_max: usize,
}
