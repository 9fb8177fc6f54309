//! Where log lines and traces go: stderr, as text for people and as JSON for machines; a collector,
//! if there is one.

use std::io::IsTerminal;

use tracing::Metadata;
use tracing::subscriber::Interest;
use tracing_subscriber::filter::{DynFilterFn, FilterExt, LevelFilter};
use tracing_subscriber::layer::{Context, Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use super::console::CliError;
use crate::config::{LogConfig, LogFormat, TracesConfig};
use crate::http;
pub use traces::Telemetry;

/// Starts logging, and tracing where a collector is named. Call it outside of any runtime: traces
/// have a thread of their own, so that a slow collector keeps nobody.
///
/// # Errors
/// When the levels can't be read.
pub fn start(log: &LogConfig, traces: Option<&TracesConfig>) -> Result<Telemetry, CliError> {
    let levels = EnvFilter::try_new(&log.log).map_err(|e| {
        format!("LOG is not usable ({e}): expected levels such as info or tickerd=debug,warn")
    })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let is_terminal = std::io::stderr().is_terminal();
    let lines = match (log.log_format, is_terminal) {
        (LogFormat::Json, _) | (LogFormat::Auto, false) => lines.json().flatten_event(true).boxed(),
        (LogFormat::Text, _) | (LogFormat::Auto, true) => lines.with_ansi(is_terminal).boxed(),
    };
    let (telemetry, spans) = traces::start(traces)?;
    let levels = levels.and(unexpected());
    tracing_subscriber::registry().with(spans).with(lines.with_filter(levels)).init();
    if cfg!(not(feature = "traces"))
        && traces.is_some_and(|it| it.otel_exporter_otlp_endpoint.is_some())
    {
        tracing::warn!(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but this build exports no traces: \
             build it with the default features"
        );
    }
    Ok(telemetry)
}

/// Leaves out errors that our own stop causes. Only the acceptor's events are checked each time.
fn unexpected<S>() -> impl Filter<S> {
    DynFilterFn::new(|event: &Metadata<'_>, _: &Context<'_, S>| {
        !http::is_accept_on_closed_port(event)
    })
    .with_callsite_filter(|event| {
        if event.target() == http::ACCEPTOR { Interest::sometimes() } else { Interest::always() }
    })
    .with_max_level_hint(LevelFilter::TRACE)
}

#[cfg(not(feature = "traces"))]
mod traces {
    use tracing_subscriber::layer::Identity;

    use super::{CliError, TracesConfig};

    pub struct Telemetry;

    pub fn start(_: Option<&TracesConfig>) -> Result<(Telemetry, Option<Identity>), CliError> {
        Ok((Telemetry, None))
    }
}

#[cfg(feature = "traces")]
mod traces {
    use std::time::Duration;

    use opentelemetry::trace::{
        Link, SpanContext, SpanKind, TraceContextExt, TraceId, TracerProvider,
    };
    use opentelemetry::{Context, KeyValue};
    use opentelemetry_otlp::{SpanExporter, WithExportConfig};
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use opentelemetry_sdk::trace::{
        BatchConfigBuilder, BatchSpanProcessor, SamplingDecision, SamplingResult,
        SdkTracerProvider, ShouldSample,
    };
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::{Layer, Registry};

    use super::{CliError, TracesConfig};

    /// For one batch of spans to reach the collector, and for what is left to reach it at the end.
    const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);
    /// Spans that wait for the collector, some 500 bytes each; more are lost.
    const SPANS_WAITING_MAX: usize = 2048;

    /// Keeps a share of the requests, drawn for each one: a client chooses the id of its trace, so
    /// the id must not decide. The middleware clears the flag of clients that may not decide.
    #[derive(Debug, Clone)]
    struct Share(f64);

    impl ShouldSample for Share {
        fn should_sample(
            &self,
            parent: Option<&Context>,
            _: TraceId,
            _: &str,
            _: &SpanKind,
            _: &[KeyValue],
            _: &[Link],
        ) -> SamplingResult {
            let parent = parent.map(|context| context.span().span_context().clone());
            let parent = parent.filter(SpanContext::is_valid);
            let is_kept = match &parent {
                Some(parent) if parent.is_sampled() => true,
                // A part of a request that is not kept.
                Some(parent) if !parent.is_remote() => false,
                _ => rand::random::<f64>() < self.0,
            };
            SamplingResult {
                decision: match is_kept {
                    true => SamplingDecision::RecordAndSample,
                    false => SamplingDecision::Drop,
                },
                attributes: Vec::new(),
                trace_state: parent.map(|of| of.trace_state().clone()).unwrap_or_default(),
            }
        }
    }

    /// Sends what is left when it is dropped.
    pub struct Telemetry(Option<SdkTracerProvider>);

    impl Drop for Telemetry {
        fn drop(&mut self) {
            if let Some(Err(error)) =
                self.0.take().map(|provider| provider.shutdown_with_timeout(EXPORT_TIMEOUT))
            {
                tracing::warn!(cause = %error, "the last traces are lost");
            }
        }
    }

    /// Starts exporting spans where the settings name a collector.
    pub fn start(
        traces: Option<&TracesConfig>,
    ) -> Result<(Telemetry, Option<impl Layer<Registry> + use<>>), CliError> {
        let provider = traces.map(provider).transpose()?.flatten();
        let spans = provider.as_ref().map(|provider| {
            // Our own spans alone, whatever the level of the log.
            let ours = filter_fn(|metadata| {
                metadata.is_span() && metadata.target().starts_with("tickerd")
            });
            tracing_opentelemetry::layer().with_tracer(provider.tracer("tickerd")).with_filter(ours)
        });
        Ok((Telemetry(provider), spans))
    }

    fn provider(config: &TracesConfig) -> Result<Option<SdkTracerProvider>, CliError> {
        let Some(endpoint) = &config.otel_exporter_otlp_endpoint else { return Ok(None) };
        let exporter =
            SpanExporter::builder().with_http().with_endpoint(format!("{endpoint}/v1/traces"));
        let exporter = exporter.with_timeout(EXPORT_TIMEOUT).build()?;
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let share = Share(config.otel_traces_sampler_arg);
        // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come before ours.
        let named = std::env::var_os("OTEL_SERVICE_NAME").is_some();
        let resource = if named {
            Resource::builder()
        } else {
            Resource::builder().with_service_name("tickerd")
        };
        let batches = BatchConfigBuilder::default().with_max_queue_size(SPANS_WAITING_MAX).build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(
                BatchSpanProcessor::builder(exporter).with_batch_config(batches).build(),
            )
            .with_sampler(share)
            .with_resource(resource.build())
            .build();
        Ok(Some(provider))
    }
}
