//! Settings of the log.

use clap::{Args, ValueEnum};

/// The log, which goes to stderr.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logs")]
pub struct LogConfig {
    /// Log levels, as in `info` or `tickerd=debug,warn`
    ///
    /// `actix_http` is off: it logs every malformed request, without a limit.
    #[arg(
        long,
        global = true,
        env = "LOG",
        default_value = "info,actix_server=warn,actix_http=off"
    )]
    pub log: String,
    /// Log format: `text`, `json`, or `auto` for text on a terminal and JSON otherwise
    #[arg(long, global = true, env = "LOG_FORMAT", default_value = "auto")]
    pub log_format: LogFormat,
    /// Maximum log lines about requests in any second
    ///
    /// More are counted, and the count is logged, so that a flood cannot fill the disk. At 2
    /// million requests a day every request has its line. Server errors have a limit of the same
    /// size for themselves.
    #[arg(long, global = true, env = "LOG_REQUESTS_PER_S_MAX", default_value_t = 100)]
    pub log_requests_per_s_max: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Auto,
    Text,
    Json,
}
