//! The answer of a limiter to one request.

use super::take::Grant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub admitted: bool,
    /// Requests per window: a minute for keys, an hour for requests without a key.
    pub limit: u32,
    /// Requests that are left in the window.
    pub remaining: u32,
    /// Milliseconds until the window next frees a request. After a rejection: until a request of
    /// the same cost is admitted.
    pub reset_in_ms: u64,
}

impl Decision {
    pub(super) fn from_grant(grant: Grant, limit: u32) -> Self {
        let Grant { admitted, remaining, reset_in_ms, .. } = grant;
        Self { admitted, limit, remaining, reset_in_ms }
    }

    /// Whole seconds until the reset, rounded up and at least 1. A client that waits this long does
    /// not come too early.
    pub fn reset_in_s(&self) -> u64 {
        self.reset_in_ms.div_ceil(1000).max(1)
    }
}
