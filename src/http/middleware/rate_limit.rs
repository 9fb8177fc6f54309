//! Writes a decision of the limiter into the response: headers on every response, or a 429.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use super::shared::HeaderWriter;
use crate::caller::{RateLimit, Tier};
use crate::http::respond::error::Problem;
use crate::limiter::Decision;

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
    Problem::RateLimited { limit: tier.limit, cost, retry_after_s: decision.reset_in_s(), upgrade }
}

/// The headers that describe a limit, whatever its state.
pub struct PolicyHeaders {
    /// The name of the limit: that of the tier.
    name: String,
    x_limit: HeaderValue,
    policy: HeaderValue,
}

impl PolicyHeaders {
    /// A limit that is called `name`.
    pub fn new(name: &str, limit: RateLimit) -> Self {
        let RateLimit { requests, window_s } = limit;
        let mut writer = HeaderWriter::new();
        let x_limit = writer.number(requests).finish();
        writer.text("\"").text(name).text("\";q=").number(requests).text(";w=").number(window_s);
        Self { name: name.to_owned(), x_limit, policy: writer.finish() }
    }

    pub fn of_tier(tier: &Tier) -> Self {
        Self::new(&tier.name, tier.limit)
    }

    /// Writes the headers of a response to a request of this cost. `decision` is that of the
    /// limiter at `now_ms` (epoch milliseconds).
    pub fn write(&self, headers: &mut HeaderMap, decision: &Decision, cost: u32, now_ms: u64) {
        let Decision { remaining, reset_in_ms, .. } = *decision;
        let mut writer = HeaderWriter::new();
        headers.insert(X_LIMIT, self.x_limit.clone());
        headers.insert(X_REMAINING, writer.number(remaining).finish());
        headers.insert(X_RESET, writer.number(now_ms + reset_in_ms).finish());
        // The cost of most requests.
        if cost != 1 {
            headers.insert(X_COST, writer.number(cost).finish());
        }
        headers.insert(POLICY, self.policy.clone());
        writer.text("\"").text(&self.name).text("\";r=").number(remaining);
        writer.text(";t=").number(decision.reset_in_s());
        headers.insert(STATE, writer.finish());
    }
}
