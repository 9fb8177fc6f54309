//! Settings of the log and of traces.

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

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
        default_value = "info,actix_server=warn,actix_http=off",
        value_parser = levels
    )]
    pub log: String,
    /// Log format: `text`, `json`, or `auto` for text on a terminal and JSON otherwise
    #[arg(long, global = true, env = "LOG_FORMAT", default_value = "auto")]
    pub log_format: LogFormat,
    /// Maximum log lines about requests in any second
    ///
    /// Further lines are not written. tickerd logs only how many there were, so that many requests
    /// cannot fill the disk. At 2 million requests a day every request has its line. Server errors
    /// have a limit of the same size for themselves.
    #[arg(long, global = true, env = "LOG_REQUESTS_PER_S_MAX", default_value_t = 100)]
    pub log_requests_per_s_max: u32,
    /// Maximum bytes of log lines about requests in any second
    ///
    /// 100 ordinary lines have 30 KB. A client can make each of its lines 2.5 KB long with long
    /// URLs, and gets fewer lines then. Server errors have a limit of the same size for themselves.
    #[arg(
        long,
        global = true,
        env = "LOG_REQUEST_BYTES_PER_S_MAX",
        default_value_t = 64 * 1024,
        value_parser = clap::value_parser!(u32).range(4096..)
    )]
    pub log_request_bytes_per_s_max: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Auto,
    Text,
    Json,
}

/// Traces of requests, for an OpenTelemetry collector.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Traces")]
pub struct TracesConfig {
    /// URL of a collector that accepts OTLP over HTTP, as in `http://127.0.0.1:4318`
    ///
    /// Without it, requests are not traced.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_parser = endpoint)]
    pub otel_exporter_otlp_endpoint: Option<String>,
    /// Share of traces that are kept, from 0 to 1
    ///
    /// It is decided anew for each request, whatever its `traceparent` says: see
    /// `TRACEPARENT_TRUSTED`.
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", default_value_t = 0.1, value_parser = share)]
    pub otel_traces_sampler_arg: f64,
}

/// Checks log levels. A word alone is a level: tracing would take any other for the name of a
/// module, and then log nothing.
fn levels(text: &str) -> Result<String, String> {
    const EXPECTED: &str = "expected levels (off, error, warn, info, debug, trace), as in \
                            tickerd=debug,warn";
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    let words: Vec<_> = text.split(',').map(str::trim).collect();
    let text = words.join(",");
    let wrong = words.into_iter().find(|word| {
        word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !is_level(word)
    });
    match (wrong, EnvFilter::try_new(&text)) {
        (None | Some("tickerd"), Ok(_)) => Ok(text),
        (Some(word), Ok(_)) => Err(format!("{word:?} is no level: {EXPECTED}")),
        (_, Err(error)) => Err(format!("{error}: {EXPECTED}")),
    }
}

fn endpoint(text: &str) -> Result<String, &'static str> {
    let host =
        text.strip_prefix("http://").filter(|host| !host.is_empty() && !host.starts_with('/'));
    // Without TLS: a collector runs beside the server, and a trace holds no secret.
    host.map(|_| text.trim_end_matches('/').to_owned())
        .ok_or("expected a URL as in http://127.0.0.1:4318")
}

fn share(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or("expected a number from 0 to 1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_levels_are_told_from_words_that_would_silence_the_log() {
        for text in
            ["info", "WARN", "tickerd=debug,warn", "off", "tickerd", "a::b", "info, a=off", "3"]
        {
            assert_eq!(levels(text), Ok(text.replace(' ', "")));
        }
        for text in ["verbose", "warning", "info,verbose", "tickerd=verbose", "9"] {
            assert!(levels(text).is_err_and(|error| error.contains("expected levels")), "{text}");
        }
    }
}
