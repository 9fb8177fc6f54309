//! The responses in the document, successes and errors, and their headers.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::{ContentBuilder, Header, Ref, Response, Type};

/// All described headers: (name, type, description).
const HEADERS: [(&str, Type, &str); 15] = [
    (
        "X-Request-Id",
        Type::String,
        "The request's value if it has up to 64 letters, digits, `-`, `_` or `.`; else a new id",
    ),
    ("X-RateLimit-Limit", Type::Integer, "The limit: requests in any trailing window"),
    ("X-RateLimit-Remaining", Type::Integer, "The number of requests available now"),
    ("X-RateLimit-Reset", Type::Integer, "When more become available, in epoch milliseconds"),
    ("X-RateLimit-Cost", Type::Integer, "The cost of this request"),
    ("RateLimit-Policy", Type::String, "Tier, limit and window, as in `\"pro\";q=1000;w=60`"),
    (
        "RateLimit",
        Type::String,
        "Tier, available requests, and seconds until there are more, as in `\"pro\";r=57;t=12`",
    ),
    ("ETag", Type::String, "The tag of this response, for `If-None-Match`"),
    ("Age", Type::Integer, "The age of the response in seconds"),
    ("X-Cache", Type::String, "`HIT`, `MISS` or `STALE`"),
    ("Cache-Control", Type::String, "How long clients may reuse the response"),
    ("Link", Type::String, "The next page, as `<url>; rel=\"next\"`; absent on the last page"),
    ("X-Unknown-Symbols", Type::String, "Requested symbols that no stock has, separated by commas"),
    ("Location", Type::String, "The URL of the created object"),
    ("Retry-After", Type::Integer, "Seconds to wait"),
];
pub const ALWAYS: &[&str] = &["X-Request-Id"];
pub const KEY_LIMIT: &[&str] = &[
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-RateLimit-Cost",
    "RateLimit-Policy",
    "RateLimit",
];
pub const CACHED: &[&str] = &["ETag", "Age", "X-Cache", "Cache-Control"];
pub const CREATED: &[&str] = &["Location"];
pub const PAGED: &[&str] = &["Link"];
pub const MULTI_STOCK: &[&str] = &["Link", "X-Unknown-Symbols"];
const RETRY: &[&str] = &["Retry-After"];

/// Statuses that are returned before the limit of the client is known.
const WITHOUT_LIMIT: [u16; 4] = [401, 413, 414, 431];

pub fn headers() -> impl Iterator<Item = (&'static str, Header)> {
    HEADERS.into_iter().map(|(name, kind, description)| {
        let schema = ObjectBuilder::new().schema_type(kind);
        (name, HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build())
    })
}

/// Adds headers to a response, as references to their shared description.
pub fn with_headers<'a>(
    response: ResponseBuilder,
    names: impl IntoIterator<Item = &'a [&'a str]>,
) -> ResponseBuilder {
    names.into_iter().flatten().fold(response, |response, name| {
        response.header_ref(*name, Ref::new(format!("#/components/headers/{name}")))
    })
}

/// An error response with a status and its (code, when) pairs. `limit_headers` are those of
/// requests that count towards a limit.
pub fn problem(status: u16, problems: &[(&str, &str)], limit_headers: &[&str]) -> Response {
    let list: Vec<_> = problems.iter().map(|(code, when)| format!("`{code}`: {when}")).collect();
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response = ResponseBuilder::new()
        .description(list.join("; "))
        .content("application/problem+json", content);
    let limit_headers = if WITHOUT_LIMIT.contains(&status) { &[] } else { limit_headers };
    let retry = if [429, 503].contains(&status) { RETRY } else { &[] };
    with_headers(response, [ALWAYS, limit_headers, retry]).build()
}
