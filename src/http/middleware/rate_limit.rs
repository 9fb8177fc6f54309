//! What the limiter decided, in words: every answer says where the limit stands.

use actix_web::http::header::{HeaderMap, HeaderName};

use super::Values;
use crate::caller::Tier;
use crate::http::respond::error::Problem;
use crate::limiter::{Decision, WINDOW_S};

/// The tier whose callers are told where a better one is sold.
const FREE_TIER: &str = "free";

// The headers of common use, and those of the IETF's draft (draft-ietf-httpapi-ratelimit-headers).
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");
const X_COST: HeaderName = HeaderName::from_static("x-ratelimit-cost");

/// What a caller is told whose request counts as `cost` and has no room in the limit.
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

/// Puts the state of the limit at `now_ms` (epoch milliseconds) into an answer, and what the
/// request counted as where that is more than one.
pub fn write_headers(
    headers: &mut HeaderMap,
    decision: &Decision,
    cost: u32,
    tier: &Tier,
    now_ms: u64,
) {
    let Decision { limit, remaining, reset_in_ms, .. } = *decision;
    let reset_ms = now_ms + reset_in_ms;
    let mut values = Values::new();
    values.put(headers, X_LIMIT, format_args!("{limit}"));
    values.put(headers, X_REMAINING, format_args!("{remaining}"));
    values.put(headers, X_RESET, format_args!("{reset_ms}"));
    if cost > 1 {
        values.put(headers, X_COST, format_args!("{cost}"));
    }
    write_policy_headers(headers, &mut values, &tier.name, decision, WINDOW_S);
}

/// The same in the headers of the draft: the limit called `name` holds in any trailing `window_s`.
pub fn write_policy_headers(
    headers: &mut HeaderMap,
    values: &mut Values,
    name: &str,
    decision: &Decision,
    window_s: u64,
) {
    let (limit, remaining, reset_in_s) =
        (decision.limit, decision.remaining, decision.reset_in_s());
    values.put(headers, POLICY, format_args!("\"{name}\";q={limit};w={window_s}"));
    values.put(headers, STATE, format_args!("\"{name}\";r={remaining};t={reset_in_s}"));
}
