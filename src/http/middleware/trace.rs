//! The trace of a request, where traces go anywhere.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderMap;
use opentelemetry::propagation::Extractor;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::routed_path;
use crate::route::Route;

/// Opens the span of a request, below that of the client where it names one (W3C Trace Context). Where nothing is traced
/// it costs one look at a flag.
pub fn span(request: &ServiceRequest) -> Span {
    let route = || Route::of(routed_path(request)).pattern();
    // Names and attributes are those of OpenTelemetry's semantic conventions for HTTP.
    let span = tracing::trace_span!(
        "request",
        otel.name = Empty,
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = request.method().as_str(),
        http.route = route(),
        http.response.status_code = Empty,
        tickerd.outcome = Empty,
        tickerd.key = Empty,
    );
    if !span.is_disabled() {
        span.record("otel.name", format_args!("{} {}", request.method(), route()).to_string());
        let parent = opentelemetry::global::get_text_map_propagator(|it| it.extract(&Headers(request.headers())));
        let _ = span.set_parent(parent);
    }
    span
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}
