//! Writes a decision of the limiter into the response: headers on every response, or a 429.

use actix_web::http::header::{HeaderMap, HeaderName};

use super::shared::HeaderWriter;
use crate::caller::Tier;
use crate::http::respond::error::Problem;
use crate::limiter::{Decision, WINDOW_S};

/// The tier whose callers get the URL of the pricing page.
const FREE_TIER: &str = "free";

// The headers in common use, and those of the IETF (draft-ietf-httpapi-ratelimit-headers).
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");
const X_COST: HeaderName = HeaderName::from_static("x-ratelimit-cost");

/// The problem for a request of this cost that the limiter did not admit.
pub fn limit_exceeded(
    decision: &Decision,
    cost: u32,
    tier: &Tier,
    upgrade_url: Option<&str>,
) -> Problem {
    let upgrade = upgrade_url.filter(|_| tier.name == FREE_TIER).map(str::to_owned);
    Problem::RateLimited {
        limit: decision.limit,
        cost,
        retry_after_s: decision.reset_in_s(),
        upgrade,
    }
}

/// Writes the state of the limit at `now_ms` (epoch milliseconds), and the cost if it is not 1.
pub fn write_headers(
    headers: &mut HeaderMap,
    decision: &Decision,
    cost: u32,
    tier: &Tier,
    now_ms: u64,
) {
    let mut writer = HeaderWriter::new();
    write_counts(headers, &mut writer, decision, now_ms);
    if cost > 1 {
        writer.put(headers, X_COST, format_args!("{cost}"));
    }
    write_policy(headers, &mut writer, &tier.name, decision, WINDOW_S);
}

/// Writes the state of the limit of an address, which is called `name` and holds in any `window_s`
/// seconds.
pub fn write_address_headers(
    headers: &mut HeaderMap,
    name: &str,
    decision: &Decision,
    window_s: u64,
    now_ms: u64,
) {
    let mut writer = HeaderWriter::new();
    write_counts(headers, &mut writer, decision, now_ms);
    write_policy(headers, &mut writer, name, decision, window_s);
}

fn write_counts(
    headers: &mut HeaderMap,
    writer: &mut HeaderWriter,
    decision: &Decision,
    now_ms: u64,
) {
    let Decision { limit, remaining, reset_in_ms, .. } = *decision;
    let reset_ms = now_ms + reset_in_ms;
    writer.put(headers, X_LIMIT, format_args!("{limit}"));
    writer.put(headers, X_REMAINING, format_args!("{remaining}"));
    writer.put(headers, X_RESET, format_args!("{reset_ms}"));
}

/// Writes the headers of the IETF. The limit is called `name` and holds in any `window_s` seconds.
fn write_policy(
    headers: &mut HeaderMap,
    writer: &mut HeaderWriter,
    name: &str,
    decision: &Decision,
    window_s: u64,
) {
    let (limit, remaining, reset_in_s) =
        (decision.limit, decision.remaining, decision.reset_in_s());
    writer.put(headers, POLICY, format_args!("\"{name}\";q={limit};w={window_s}"));
    writer.put(headers, STATE, format_args!("\"{name}\";r={remaining};t={reset_in_s}"));
}
