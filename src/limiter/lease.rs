//! A lease: permits of one key that one instance takes from the window in Redis in advance, so that
//! most requests need no call to Redis. A permit admits a request that costs 1. Here, *requests*
//! come from clients and *calls* go to Redis.
//!
//! 1. [`Lease::decide`] decides on a request from memory: it takes permits of the lease, or repeats
//!    a rejection. If neither is possible, the caller must call Redis.
//! 2. [`Lease::prepare_call`] prepares the call to Redis, and [`Lease::apply_grant`] stores the
//!    answer as the new lease.
//! 3. [`Lease::prepare_renewal`] and [`Lease::apply_renewal`] do the same in the background when
//!    half of a large lease is used, so that requests of a hot key do not wait.
//!
//! The window counts the permits of a lease as if all were used at the end of the lease. Permits
//! can only be used earlier, so they never count for less than 60 s after their use. The limit
//! therefore holds over all instances, whatever their clocks say and even if some of them crash.
//!
//! A lease does no I/O. Times are arguments, in milliseconds of the instance's monotonic clock.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::lease_state::{HOT_PREFETCH_S, LeaseState, PrefetchWas};
use super::permit_pool::{PermitPool, Remainder};
use super::rejections::Rejections;
use super::take::{Grant, TakeRequest};

/// After a failed call, requests are decided locally for this long before the next call.
const LOCAL_FALLBACK_MS: u64 = 100;
/// Only leases with at least this many permits are renewed in the background.
const RENEWED_PERMITS_MIN: u32 = 8;
/// What a renewal's call takes besides its prefetch: the least that a call can take.
const RENEWAL_COST: u32 = 1;
/// The state of a key without requests is removed after this time.
const IDLE_MS: u64 = 10 * 60 * 1000;

/// The lease of one key on one instance.
///
/// Decisions on requests that cost 1 take no lock. The system may suspend a worker that holds a
/// lock, and all other workers with requests of the same key would wait for it.
#[derive(Debug, Default)]
pub struct Lease {
    permits: PermitPool,
    /// The request that leaves this many permits or fewer starts the renewal. 0 for no renewal.
    renew_at: AtomicU32,
    rejections: Rejections,
    /// Requests are decided without Redis until then.
    local_until_ms: AtomicU64,
    /// The permits that were left in the window at the last call.
    remaining: AtomicU32,
    /// When the window frees the next permit, as of the last call.
    reset_ms: AtomicU64,
    /// Used for calls only.
    state: Mutex<LeaseState>,
}

/// The decision on a request, or the way to get one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseDecision {
    Admit {
        remaining: u32,
        reset_in_ms: u64,
        /// If present, start the renewal of the lease that ends at this time. Do not wait for it.
        renew_ending_ms: Option<u64>,
    },
    Reject {
        /// Fewer than the request costs.
        remaining: u32,
        reset_in_ms: u64,
    },
    /// Call Redis.
    CallRedis,
    /// A call failed a moment ago: decide without Redis.
    DecideLocally,
}

impl Lease {
    /// Decides on a request from memory if possible.
    pub fn decide(&self, now_ms: u64, limit: u32, cost: u32) -> LeaseDecision {
        if let Some((left, ends_ms)) = self.permits.take(cost, now_ms) {
            // The number of permits left only decreases. Exactly one request brings it from above
            // `renew_at` to `renew_at` or below, and that request starts the renewal.
            let renew_at = self.renew_at.load(Ordering::Relaxed);
            let passes_renew_at = left <= renew_at && renew_at < left + cost;
            return LeaseDecision::Admit {
                remaining: self.remaining.load(Ordering::Relaxed).saturating_add(left),
                reset_in_ms: self.reset_ms.load(Ordering::Relaxed).saturating_sub(now_ms),
                renew_ending_ms: (left > 0 && passes_renew_at).then_some(ends_ms),
            };
        }
        if let Some(until_ms) = self.rejections.until_ms(now_ms, cost, limit) {
            let available = self.permits.available(now_ms);
            let free = self.remaining.load(Ordering::Relaxed).saturating_add(available);
            LeaseDecision::Reject { remaining: free.min(cost - 1), reset_in_ms: until_ms - now_ms }
        } else if now_ms < self.local_until_ms.load(Ordering::Relaxed) {
            LeaseDecision::DecideLocally
        } else {
            LeaseDecision::CallRedis
        }
    }

    /// Ends the lease and prepares the call to Redis for a request of this `cost`.
    ///
    /// `waiting_cost` is the cost of all requests that wait for the answer, including this one. The
    /// call prefetches permits for them as well. `instances` share the Redis.
    pub fn prepare_call(
        &self,
        now_ms: u64,
        cost: u32,
        waiting_cost: u32,
        limit: u32,
        instances: u32,
    ) -> TakeRequest {
        let mut state = self.state();
        if state.last_call_ms.is_none() {
            self.remaining.store(limit, Ordering::Relaxed);
        }
        let left = self.permits.take_all();
        let prefetch_was = state.prefetch_was(now_ms, left.permits, cost);
        state.observe(now_ms, left.permits, prefetch_was);
        state.end_lease(left);
        let free = self.remaining.load(Ordering::Relaxed).saturating_add(left.permits);
        let mut prefetch = state
            .choose_prefetch(limit, free)
            .at_most_share_of(free.saturating_sub(cost - 1), instances);
        state.waiting_cost = waiting_cost.saturating_sub(cost);
        if state.waiting_cost > 0 {
            // Waiting requests use their permits at once, so prefetch them for the shortest time.
            prefetch.seconds = HOT_PREFETCH_S;
        }
        prefetch.permits = prefetch.permits.saturating_add(state.waiting_cost);
        state.next_take(now_ms, cost, prefetch)
    }

    /// Stores the answer to a call that was sent at `sent_ms`, and decides on the request that
    /// waited for it.
    pub fn apply_grant(
        &self,
        sent_ms: u64,
        now_ms: u64,
        take: TakeRequest,
        grant: Grant,
        limit: u32,
    ) -> LeaseDecision {
        let mut state = self.state();
        let taken = if grant.admitted { take.cost } else { 0 };
        state.permits_since_call = grant.prefetched + taken;
        self.start_lease(&mut state, sent_ms, now_ms, take, grant);
        let Grant { admitted, remaining, reset_in_ms, .. } = grant;
        if !admitted {
            self.rejections.add(now_ms, take.cost, limit, now_ms + reset_in_ms);
            return LeaseDecision::Reject { remaining, reset_in_ms };
        }
        let remaining = remaining.saturating_add(grant.prefetched);
        LeaseDecision::Admit { remaining, reset_in_ms, renew_ending_ms: None }
    }

    /// Handles a call without an answer. Redis may have charged the permits; nobody uses them.
    pub fn call_failed(&self, now_ms: u64) {
        self.state().permits_since_call = 0;
        self.local_until_ms.store(now_ms + LOCAL_FALLBACK_MS, Ordering::Relaxed);
    }

    /// Prepares the call of a renewal, while the lease that ends at `ending_ms` is in use. `None`
    /// if another lease has replaced it.
    pub fn prepare_renewal(
        &self,
        now_ms: u64,
        ending_ms: u64,
        limit: u32,
        instances: u32,
    ) -> Option<TakeRequest> {
        let mut state = self.state();
        let left = self.permits.left_of(ending_ms)?;
        state.observe(now_ms, left, PrefetchWas::TooSmall);
        state.permits_since_call = left;
        state.waiting_cost = 0;
        let free = self.remaining.load(Ordering::Relaxed).saturating_add(left);
        let prefetch = state.choose_prefetch(limit, free).at_most_share_of(free, instances);
        Some(state.next_take(now_ms, RENEWAL_COST, prefetch))
    }

    /// Replaces the old lease with the answer to a renewal that was sent at `sent_ms`. The unused
    /// permits of the old lease go back with the next call.
    pub fn apply_renewal(&self, sent_ms: u64, now_ms: u64, take: TakeRequest, grant: Grant) {
        let mut state = self.state();
        if !grant.admitted {
            self.remaining.store(0, Ordering::Relaxed);
            return;
        }
        let left = self.permits.take_all();
        let used_during_renewal = state.permits_since_call.saturating_sub(left.permits);
        // The window counts the permit that the renewal's call took, but no request waited for it.
        // It stands for the request that started the renewal, which used a permit of the old lease.
        // That permit goes back as if it were unused, so the window counts this request once.
        state.end_lease(Remainder { permits: left.permits + RENEWAL_COST, ..left });
        state.permits_since_call = grant.prefetched + used_during_renewal;
        self.start_lease(&mut state, sent_ms, now_ms, take, grant);
    }

    /// Handles a renewal without an answer. No request waits for it, and Redis is called again when
    /// the lease is used up.
    pub fn renewal_failed(&self) {
        self.state().permits_since_call = 0;
    }

    /// Makes the prefetched permits of `grant` the lease.
    ///
    /// The lease ends counted from the time at which the call was sent. Redis handled the call
    /// later, so the lease ends within the second in which Redis counts its permits.
    fn start_lease(
        &self,
        state: &mut LeaseState,
        sent_ms: u64,
        now_ms: u64,
        take: TakeRequest,
        grant: Grant,
    ) {
        state.prefetched = grant.prefetched;
        state.bucket_s = grant.bucket_s;
        // Permits that go back with the next call are free as well.
        let remaining = grant.remaining.saturating_add(state.lease_return.unused);
        self.remaining.store(remaining, Ordering::Relaxed);
        self.reset_ms.store(now_ms + grant.reset_in_ms, Ordering::Relaxed);
        self.local_until_ms.store(0, Ordering::Relaxed);
        let spare = grant.prefetched.saturating_sub(state.waiting_cost);
        let is_renewed = spare >= RENEWED_PERMITS_MIN && take.prefetch_s == HOT_PREFETCH_S;
        self.renew_at.store(if is_renewed { spare / 2 } else { 0 }, Ordering::Relaxed);
        // A renewal identifies its lease by the end. Of two leases whose calls were sent within the
        // same millisecond, the second ends 1 ms earlier.
        let mut ends_ms = sent_ms + u64::from(take.prefetch_s) * 1000;
        if state.lease_sent_ms == Some(sent_ms) {
            ends_ms = ends_ms.min(state.lease_ends_ms.saturating_sub(1));
        }
        state.lease_ends_ms = ends_ms;
        state.lease_sent_ms = Some(sent_ms);
        self.permits.fill(grant.prefetched, ends_ms);
    }

    /// Whether the lease can be removed from memory without any effect.
    pub fn is_idle(&self, now_ms: u64) -> bool {
        let last_call_ms = self.state().last_call_ms;
        last_call_ms.is_none_or(|last_call_ms| now_ms > last_call_ms + IDLE_MS)
            && self.rejections.have_ended(now_ms)
            && self.permits.has_ended(now_ms)
    }

    fn state(&self) -> MutexGuard<'_, LeaseState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
