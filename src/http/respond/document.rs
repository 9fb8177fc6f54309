//! The body of an error response: a problem document (RFC 9457).

use std::fmt;

use actix_web::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong (RFC 9457).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub struct Document<'a> {
    /// `urn:problem-type:tickerd:` and the code.
    #[schema(value_type = String)]
    r#type: fmt::Arguments<'a>,
    /// The name of the status.
    title: &'a str,
    status: u16,
    /// A sentence: what was expected, where, what to do.
    detail: &'a str,
    /// A stable identifier for programs. A published code never changes.
    code: &'a str,
    /// The value of `X-Request-Id`, by which the operator finds the request.
    request_id: &'a str,
    /// The same as `detail`.
    error: &'a str,
    /// Seconds, as in `Retry-After`: with every 429 and 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after: Option<u64>,
    /// The URL of the pricing page: with 429, on the tier `free`, if the operator has set one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    upgrade: Option<&'a str>,
}

/// The parts of a document that depend on the problem.
pub struct Parts<'a> {
    pub status: StatusCode,
    pub code: &'a str,
    pub detail: &'a str,
    pub retry_after_s: Option<u64>,
    pub upgrade: Option<&'a str>,
}

/// A document as JSON.
pub fn to_json(problem: &Parts<'_>, request_id: &str) -> Vec<u8> {
    let Parts { status, code, detail, retry_after_s, upgrade } = *problem;
    let document = Document {
        r#type: format_args!("urn:problem-type:tickerd:{code}"),
        title: status.canonical_reason().unwrap_or_default(),
        status: status.as_u16(),
        detail,
        code,
        request_id,
        error: detail,
        retry_after: retry_after_s,
        upgrade,
    };
    serde_json::to_vec(&document).unwrap_or_default()
}

/// A page that says the same to people. It loads nothing.
pub fn to_html(status: StatusCode, detail: &str, request_id: &str) -> String {
    let title = status.canonical_reason().unwrap_or_default();
    let detail = escaped(detail);
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title>\
         <h1>{title}</h1><p>{detail}</p>\
         <p><a href=\"/\">Prices</a> · <a href=\"/docs\">API reference</a></p>\
         <p><small>Status {code}, request {request_id}</small></p></html>\n",
        code = status.as_u16(),
    )
}

/// Text for HTML, outside of tags.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
