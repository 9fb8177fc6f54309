//! Where traces go.

use clap::Args;

/// Traces of requests, for a collector of OpenTelemetry.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Traces")]
pub struct TracesConfig {
    /// A collector that takes OTLP over HTTP, as in http://127.0.0.1:4318. Without it nothing is
    /// traced
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_parser = endpoint)]
    pub otel_exporter_otlp_endpoint: Option<String>,
    /// The share of traces that are kept, 0 to 1, by their ids: a client's own, where its request
    /// has a traceparent
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", default_value_t = 0.1, value_parser = share)]
    pub otel_traces_sampler_arg: f64,
}

fn endpoint(text: &str) -> Result<String, &'static str> {
    let host =
        text.strip_prefix("http://").filter(|host| !host.is_empty() && !host.starts_with('/'));
    // Without TLS: a collector runs beside the server, and nothing secret is in a trace.
    host.map(|_| text.trim_end_matches('/').to_owned())
        .ok_or("expected a URL as in http://127.0.0.1:4318")
}

fn share(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or("expected a number from 0 to 1")
}
