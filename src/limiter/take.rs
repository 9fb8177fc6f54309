//! The call to a sliding window, its answer, and the decision that a limiter makes from it.
//!
//! The window in Redis and the window in process take the same [`TakeRequest`] and return the same
//! [`Grant`].

/// The time within which prefetched permits are used.
pub const USED_WITHIN_MS: u64 = 1000;

/// Takes the permits of one request, and optionally prefetches permits for later requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakeRequest {
    /// The permits of the request that calls, 1 to the limit. It gets all of them or none.
    pub cost: u32,
    /// The permits to prefetch, to be used within [`USED_WITHIN_MS`]. Fewer are granted if fewer
    /// are left.
    pub prefetch: u32,
    /// Gives back permits that were prefetched earlier.
    pub lease_return: LeaseReturn,
    /// When the window that the instance knows was created; 0 if it knows none.
    pub known_us: u64,
    /// The permits that the call may take, if the window may lack requests of its length.
    pub incomplete_max: u32,
}

/// Gives back prefetched permits that were not used. It is sent once, after the last use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeaseReturn {
    /// The time at which the window counts these permits, in epoch milliseconds.
    pub bucket_ms: u64,
    /// Permits that were not used. The window stops counting them.
    pub unused: u32,
}

/// The answer of a window to a [`TakeRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Whether that request got its permits. If not, nothing was prefetched either.
    pub admitted: bool,
    /// The number of prefetched permits.
    pub prefetched: u32,
    /// The time at which the window counts the prefetched permits, in epoch milliseconds.
    pub bucket_ms: u64,
    /// The permits that are left after this grant.
    pub remaining: u32,
    /// Milliseconds until the oldest counted permit leaves the window. If the request was not
    /// admitted: the exact time until its cost is available.
    pub reset_in_ms: u64,
    /// When the window was created, in epoch microseconds.
    pub created_us: u64,
    /// Milliseconds until the window is complete, so that it counts every request of its length;
    /// 0 if it is.
    pub incomplete_ms: u64,
}

/// The answer of a shared window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowAnswer {
    /// The window was not lost.
    Decided(Grant),
    /// The window that the instance knows was lost, and nothing was taken. The instance calls again
    /// and reports what it admitted.
    Lost,
}

/// What one instance admitted in the longest window: permits by their age in milliseconds.
pub type Report = Vec<(u64, u32)>;

/// The answer of a limiter to one request, which it makes from a [`Grant`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub admitted: bool,
    /// Requests per window.
    pub limit: u32,
    /// Requests that are left in the window.
    pub remaining: u32,
    /// Milliseconds until the window next frees a request. After a rejection: until a request of
    /// the same cost is admitted.
    pub reset_in_ms: u64,
}

impl TakeRequest {
    /// The permit of a request that costs 1.
    pub const ONE: Self = Self::of(1);

    /// The permits of a request, without a prefetch.
    pub const fn of(cost: u32) -> Self {
        Self {
            cost,
            prefetch: 0,
            lease_return: LeaseReturn::NOTHING,
            known_us: 0,
            incomplete_max: u32::MAX,
        }
    }
}

impl Grant {
    pub(super) const NOTHING: Self = Self {
        admitted: false,
        prefetched: 0,
        bucket_ms: 0,
        remaining: 0,
        reset_in_ms: 0,
        created_us: 0,
        incomplete_ms: 0,
    };
}

impl LeaseReturn {
    pub const NOTHING: Self = Self { bucket_ms: 0, unused: 0 };
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
