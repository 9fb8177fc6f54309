//! Settings of requests without a key.

use clap::Args;

use crate::caller::REQUESTS_PER_MINUTE_MAX;

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
        value_parser = clap::value_parser!(u32).range(0..=i64::from(REQUESTS_PER_MINUTE_MAX))
    )]
    pub anonymous_requests_per_hour_max: u32,
    /// Maximum addresses whose requests are counted, about 900 bytes each
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
