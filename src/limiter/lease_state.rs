//! The history of a lease, on which its next call depends: how fast the key is used, how many
//! permits to prefetch, and which permits are not settled yet.
//!
//! A key is *hot* if it uses at least one permit within [`HOT_WINDOW_S`]. A hot key prefetches for
//! one second; the number of permits doubles while they are too few and halves while they suffice.
//! Any other key is *slow*. It prefetches a few permits for a long time, because its requests are
//! far apart.

use super::permit_pool::Remainder;
use super::take::{LeaseReturn, PREFETCH_S_MAX, TakeRequest};

/// A hot key prefetches at most the permits that it uses within this time.
const HOT_WINDOW_S: f64 = 0.25;
/// The time for which a hot key prefetches.
pub const HOT_PREFETCH_S: u32 = 1;

/// The time for which a slow key prefetches.
const SLOW_PREFETCH_S: u32 = PREFETCH_S_MAX;
/// The most permits that a slow key prefetches.
const SLOW_PERMITS_MAX: u32 = 4;
/// A slow key prefetches at most its limit divided by this. It bounds how many permits can count
/// too long.
const SLOW_LIMIT_DIVISOR: u32 = 20;
/// A slow key prefetches only while at least its limit divided by this is left.
const SLOW_REMAINING_DIVISOR: u32 = 2;
/// The assumed rate of a new key: it uses `SLOW_PERMITS_MAX` within `SLOW_PREFETCH_S`.
const NEW_KEY_RATE_PER_S: f64 = SLOW_PERMITS_MAX as f64 / SLOW_PREFETCH_S as f64;

/// An instance prefetches at most its share of the remaining permits divided by this.
const SHARE_DIVISOR: u32 = 2;

#[derive(Debug, Default)]
pub struct LeaseState {
    /// Prefetched permits that are not settled yet, and the second in which the window counts them.
    pub prefetched: u32,
    pub bucket_s: u64,
    /// Permits that requests could use since the last call: the prefetched ones, and those that the
    /// call took for the request that waited for it. Without the unused ones they give the key's
    /// rate.
    pub permits_since_call: u32,
    /// The part of the prefetch that belongs to other requests that waited for the call.
    pub other_waiting_cost: u32,
    /// Settles earlier leases. The next call sends it.
    pub lease_return: LeaseReturn,
    pub last_call_ms: Option<u64>,
    /// When the call for the lease was sent, and when the lease ends.
    pub lease_sent_ms: Option<u64>,
    pub lease_ends_ms: u64,
    rate_per_s: f64,
    /// How many permits a hot key prefetches beyond those of waiting requests.
    hot_prefetch: u32,
}

/// Whether the last prefetch was enough for the requests since then.
#[derive(Debug, Clone, Copy)]
pub enum PrefetchVerdict {
    /// Requests used all of it, or so much that a renewal started, before the lease ended.
    TooSmall,
    Enough,
}

/// How many permits to prefetch, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Prefetch {
    pub permits: u32,
    pub seconds: u32,
}

impl LeaseState {
    /// Adapts the rate and the prefetch size of the key to its use since the last call. `unused`
    /// permits are left.
    pub fn observe(&mut self, now_ms: u64, unused: u32, verdict: PrefetchVerdict) {
        let Some(last_call_ms) = self.last_call_ms else {
            self.rate_per_s = NEW_KEY_RATE_PER_S;
            return;
        };
        let elapsed_s = now_ms.saturating_sub(last_call_ms).max(1) as f64 / 1000.0;
        let used = self.permits_since_call.saturating_sub(unused);
        // The mean of the old and the new rate follows a spike within two calls, and forgets it as
        // fast.
        self.rate_per_s = (self.rate_per_s + f64::from(used) / elapsed_s) / 2.0;
        self.hot_prefetch = match verdict {
            PrefetchVerdict::TooSmall => self.hot_prefetch.saturating_mul(2).max(1),
            PrefetchVerdict::Enough => self.hot_prefetch / 2,
        };
    }

    /// Judges the last prefetch by a request of this `cost`, for which `left` permits are left. It
    /// was too small if they are too few within the duration of a hot lease.
    pub fn judge_prefetch(&self, now_ms: u64, left: u32, cost: u32) -> PrefetchVerdict {
        let is_recent = self.last_call_ms.is_some_and(|last_call_ms| {
            now_ms.saturating_sub(last_call_ms) < u64::from(HOT_PREFETCH_S) * 1000
        });
        if left < cost && is_recent { PrefetchVerdict::TooSmall } else { PrefetchVerdict::Enough }
    }

    /// Ends the lease. The next call settles its permits.
    ///
    /// A lease ends within the second in which it is counted. Permits whose last use was `idle_s`
    /// before the end were therefore used by `bucket_s - idle_s`.
    ///
    /// One call can settle permits of one second only. If two leases of different seconds are not
    /// settled yet, the smaller one is dropped and its permits expire.
    pub fn end_lease(&mut self, left: Remainder) {
        let Remainder { permits: unused, idle_s } = left;
        let prefetched = std::mem::take(&mut self.prefetched);
        // Without an idle second, the used permits are already counted in the right one.
        let used = if idle_s > 0 { prefetched.saturating_sub(unused) } else { 0 };
        let used_by_s = self.bucket_s.saturating_sub(idle_s);
        let ended = LeaseReturn { bucket_s: self.bucket_s, unused, used, used_by_s };
        let earlier = self.lease_return;
        if ended.bucket_s == earlier.bucket_s {
            self.lease_return = LeaseReturn {
                bucket_s: ended.bucket_s,
                unused: earlier.unused + ended.unused,
                used: earlier.used + ended.used,
                used_by_s: earlier.used_by_s.max(ended.used_by_s),
            };
        } else if ended.unused + ended.used > earlier.unused + earlier.used {
            self.lease_return = ended;
        }
    }

    /// Chooses the prefetch of a key with this limit, of which `free` permits are left.
    pub fn choose_prefetch(&mut self, limit: u32, free: u32) -> Prefetch {
        let hot_prefetch_max = (self.rate_per_s * HOT_WINDOW_S) as u32;
        if hot_prefetch_max >= 1 {
            self.hot_prefetch = self.hot_prefetch.min(hot_prefetch_max);
            return Prefetch { permits: self.hot_prefetch, seconds: HOT_PREFETCH_S };
        }
        if free < limit / SLOW_REMAINING_DIVISOR {
            return Prefetch { permits: 0, seconds: HOT_PREFETCH_S };
        }
        let expected = (self.rate_per_s * f64::from(SLOW_PREFETCH_S)).round() as u32;
        let permits = expected.min(SLOW_PERMITS_MAX).min(limit / SLOW_LIMIT_DIVISOR);
        Prefetch { permits, seconds: SLOW_PREFETCH_S }
    }

    /// What the next call takes. It also settles earlier leases.
    pub fn next_take(&mut self, now_ms: u64, cost: u32, prefetch: Prefetch) -> TakeRequest {
        self.last_call_ms = Some(now_ms);
        TakeRequest {
            cost,
            prefetch: prefetch.permits,
            prefetch_s: prefetch.seconds,
            lease_return: std::mem::take(&mut self.lease_return),
        }
    }
}

impl Prefetch {
    /// Leaves permits to the other instances: at most half of an equal share of the `free` ones.
    pub fn at_most_share_of(self, free: u32, instances: u32) -> Self {
        let permits = self.permits.min(free / (SHARE_DIVISOR * instances.max(1)));
        Self { permits, ..self }
    }
}
