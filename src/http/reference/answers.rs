//! Answers, good and bad, and their headers.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::{ContentBuilder, Header, Ref, Response, Type};

/// Every header that is described: (name, what its value is, what it says).
const HEADERS: [(&str, Type, &str); 15] = [
    (
        "X-Request-Id",
        Type::String,
        "Yours, where it is up to 64 letters, digits, `-`, `_` or `.`; otherwise a new one",
    ),
    ("X-RateLimit-Limit", Type::Integer, "Requests in any trailing 60 s"),
    ("X-RateLimit-Remaining", Type::Integer, "Requests that are left now"),
    ("X-RateLimit-Reset", Type::Integer, "When more are admitted, in epoch milliseconds"),
    ("X-RateLimit-Cost", Type::Integer, "What this request counted as"),
    ("RateLimit-Policy", Type::String, "Tier, limit and window, as in `\"pro\";q=1000;w=60`"),
    (
        "RateLimit",
        Type::String,
        "Tier, what is left, and seconds until more is, as in `\"pro\";r=57;t=12`",
    ),
    ("ETag", Type::String, "Names this very answer: send it as `If-None-Match`"),
    ("Age", Type::Integer, "How long ago the answer was made, in seconds"),
    ("X-Cache", Type::String, "`HIT`, `MISS` or `STALE`"),
    ("Cache-Control", Type::String, "How long the answer may be believed"),
    ("Link", Type::String, "The next page, as `<url>; rel=\"next\"`; left out on the last one"),
    (
        "X-Unknown-Symbols",
        Type::String,
        "Symbols of the question that no stock has, parted by commas",
    ),
    ("Location", Type::String, "Where what was made is"),
    ("Retry-After", Type::Integer, "Seconds to wait"),
];
pub const EVERYWHERE: &[&str] = &["X-Request-Id"];
pub const OF_LIMITS: &[&str] = &[
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-RateLimit-Cost",
    "RateLimit-Policy",
    "RateLimit",
];
pub const OF_ADDRESSES: &[&str] = &["RateLimit-Policy", "RateLimit"];
pub const OF_KEPT: &[&str] = &["ETag", "Age", "X-Cache", "Cache-Control"];
pub const OF_NEW: &[&str] = &["Location"];
pub const OF_PAGES: &[&str] = &["Link"];
pub const OF_MANY: &[&str] = &["Link", "X-Unknown-Symbols"];
const OF_WAITS: &[&str] = &["Retry-After"];

pub fn headers() -> impl Iterator<Item = (&'static str, Header)> {
    HEADERS.into_iter().map(|(name, kind, about)| {
        let schema = ObjectBuilder::new().schema_type(kind);
        (name, HeaderBuilder::new().schema(Some(schema)).description(Some(about)).build())
    })
}

/// Names headers in an answer; what they say is told once.
pub fn with_headers<'a>(
    answer: ResponseBuilder,
    names: impl IntoIterator<Item = &'a [&'a str]>,
) -> ResponseBuilder {
    let names = names.into_iter().flatten();
    names.fold(answer, |answer, name| {
        answer.header_ref(*name, Ref::new(format!("#/components/headers/{name}")))
    })
}

/// A refusal or a failure: what it is for, by code. `limits` are the headers that say how the limit
/// stands.
pub fn problem(status: u16, problems: &[(&str, &str)], limits: &[&str]) -> Response {
    let list: Vec<_> = problems.iter().map(|(code, when)| format!("`{code}`: {when}")).collect();
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let answer = ResponseBuilder::new()
        .description(list.join("; "))
        .content("application/problem+json", content);
    // Who is not known has no limit, and what is too large is refused before anybody looks whose it
    // is.
    let limits = if [401, 413, 414, 431].contains(&status) { &[] } else { limits };
    let waits = if [429, 503].contains(&status) { OF_WAITS } else { &[] };
    with_headers(answer, [EVERYWHERE, limits, waits]).build()
}
