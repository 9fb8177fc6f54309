//! A lease: permits of one key that one instance takes from the window in Redis in advance, so that
//! most requests need no call to Redis. A permit admits a request that costs 1. Here, *requests*
//! come from clients and *calls* go to Redis.
//!
//! 1. [`Lease::decide`] decides on a request from memory: it takes permits of the lease, or repeats
//!    a rejection. If neither is possible, the caller must call Redis.
//! 2. [`Lease::prepare_call`] prepares the call to Redis, and [`Lease::apply_grant`] stores the
//!    answer as the new lease.
//! 3. [`Lease::prepare_renewal`] and [`Lease::apply_renewal`] do the same in the background when
//!    few permits of a large lease are left, so that requests of a hot key do not wait.
//!
//! A lease lasts a quarter of a second, because the remaining permits that clients are told are as
//! old as the lease. The lease of an instance alone lasts up to a second. A lease ends at once when
//! the limit of the key changes.
//!
//! The window counts the permits of a lease as if all were used at the end of the lease. A permit
//! is used before that end, so it stays in the window for at least its length after its use. The
//! limit therefore holds over all instances, whatever their clocks say and even if some of them
//! crash.
//!
//! Redis may lose the window. The instance knows when its window was created, and Redis answers
//! that it has another one. [`Lease::prepare_report`] then tells the new window what this instance
//! has admitted. Until the new window counts every request of its length, this instance takes from
//! it only as much as it would admit without Redis ([`Lease::decide_locally`]): its share of the
//! limit, less all that it has admitted in the last window.
//!
//! A lease does no I/O. Times are arguments, in milliseconds of the instance's monotonic clock.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::atomic_limit::AtomicLimit;
use super::lease_state::{LeaseState, PrefetchVerdict};
use super::permit_pool::PermitPool;
use super::rejections::Rejections;
use super::take::{Grant, LeaseReturn, Report, TakeRequest, USED_WITHIN_MS};
use crate::caller::{RateLimit, WINDOW_S_MAX};

/// After a failed call, requests are decided locally for this long before the next call.
const LOCAL_FALLBACK_MS: u64 = 100;
/// Only leases with at least this many permits are renewed in the background.
const RENEWED_PERMITS_MIN: u32 = 8;
/// What a renewal's call takes besides its prefetch. A call must take at least one permit, even a
/// renewal, which answers no request.
const RENEWAL_COST: u32 = 1;
/// The state of a key without requests is removed after this time. The instance then has nothing to
/// report to a Redis that lost its data, not even if the window has become the longest one.
const IDLE_MS: u64 = (WINDOW_S_MAX as u64 + 60) * 1000;

/// The lease of one key on one instance.
///
/// Decisions on requests that cost 1 take no lock. The system may suspend a worker that holds a
/// lock, and all other workers with requests of the same key would wait for it.
#[derive(Debug, Default)]
pub struct Lease {
    permits: PermitPool,
    /// The limit under which the permits were taken.
    limit: AtomicLimit,
    /// The request that leaves this many permits or fewer starts the renewal. 0 for no renewal.
    renew_at_permits: AtomicU32,
    rejections: Rejections,
    /// Requests are decided without Redis until then.
    local_until_ms: AtomicU64,
    /// Permits free in the window as of the last call, plus those that go back with the next one.
    window_free: AtomicU32,
    /// When Redis last answered, and how many permits per second the other instances used then.
    answered_ms: AtomicU64,
    others_per_s: AtomicU32,
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
        lease_to_renew_ends_ms: Option<u64>,
    },
    Reject {
        /// The permits left, always fewer than the cost.
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
    pub fn decide(&self, now_ms: u64, limit: RateLimit, cost: u32) -> LeaseDecision {
        // Under another limit, the permits go back with the call.
        let has_same_limit = self.limit.load() == limit;
        if has_same_limit && let Some((left, lease_ends_ms)) = self.permits.take(cost, now_ms) {
            // The number of permits left only decreases. Exactly one request brings it from above
            // `renew_at_permits` to that number or below, and that request starts the renewal.
            let renew_at_permits = self.renew_at_permits.load(Ordering::Relaxed);
            let passes_renew_at = left <= renew_at_permits && renew_at_permits < left + cost;
            // 0 is excluded: a `renew_at_permits` of 0 means no renewal, and an empty lease makes
            // the next request call Redis anyway.
            let starts_renewal = left > 0 && passes_renew_at;
            return LeaseDecision::Admit {
                remaining: self.estimate_window_free(now_ms).saturating_add(left),
                reset_in_ms: self.reset_ms.load(Ordering::Relaxed).saturating_sub(now_ms),
                lease_to_renew_ends_ms: starts_renewal.then_some(lease_ends_ms),
            };
        }
        if let Some(until_ms) = self.rejections.until_ms(now_ms, cost, limit) {
            let available = self.permits.available(now_ms);
            let free = self.estimate_window_free(now_ms).saturating_add(available);
            // The sum may reach the cost: the values are read one after the other, and other
            // instances may have returned permits since the rejection.
            LeaseDecision::Reject { remaining: free.min(cost - 1), reset_in_ms: until_ms - now_ms }
        } else if now_ms < self.local_until_ms.load(Ordering::Relaxed) {
            LeaseDecision::DecideLocally
        } else {
            LeaseDecision::CallRedis
        }
    }

    /// Ends the lease and prepares the call to Redis for a request of this `cost`.
    ///
    /// `total_cost` is the cost of all requests that wait for the answer, including this one. The
    /// call prefetches permits for the others. `instances` share the Redis, and this one has a
    /// `share` of the limit.
    pub fn prepare_call(
        &self,
        now_ms: u64,
        cost: u32,
        total_cost: u32,
        limit: RateLimit,
        instances: u32,
        share: u32,
    ) -> TakeRequest {
        let mut state = self.state();
        (state.share, state.instances) = (share, instances);
        if state.last_call_ms.is_none() {
            self.window_free.store(limit.requests, Ordering::Relaxed);
        }
        let left = self.permits.take_all();
        let verdict = state.judge_prefetch(now_ms, left, cost);
        state.observe(now_ms, left, verdict);
        state.end_lease(now_ms, left);
        let free = self.window_free.fetch_add(left, Ordering::Relaxed) + left;
        // Instances share the permits that this request does not take. Its first permit is not
        // subtracted, as in a renewal.
        let free_to_prefetch = free.saturating_sub(cost - 1);
        let prefetch = state.choose_prefetch(free_to_prefetch);
        state.other_waiting_cost = total_cost.saturating_sub(cost);
        let prefetch = prefetch.saturating_add(state.other_waiting_cost);
        state.next_take(now_ms, limit.window_s, cost, prefetch)
    }

    /// Prepares the call after the one that Redis answered with [`WindowAnswer::Lost`].
    ///
    /// [`WindowAnswer::Lost`]: super::take::WindowAnswer::Lost
    pub fn prepare_report(&self, now_ms: u64, take: TakeRequest) -> (TakeRequest, Report) {
        let report = self.state().report(now_ms, self.limit.load().window_s);
        (TakeRequest { lease_return: LeaseReturn::NOTHING, ..take }, report)
    }

    /// Decides without Redis: from what this instance admitted in the last window. `share` is its
    /// share of the limit.
    pub fn decide_locally(&self, now_ms: u64, share: RateLimit, cost: u32) -> Grant {
        let mut state = self.state();
        // After a renewal without an answer, there may be a lease.
        let left = self.permits.take_all();
        state.end_lease(now_ms, left);
        let share = RateLimit { requests: share.requests.max(cost), ..share };
        state.admitted.take(now_ms, share, TakeRequest::of(cost))
    }

    /// Stores the answer to a call that was sent at `sent_ms`, and decides on the request that
    /// waited for it.
    pub fn apply_grant(
        &self,
        sent_ms: u64,
        now_ms: u64,
        take: TakeRequest,
        grant: Grant,
        limit: RateLimit,
    ) -> LeaseDecision {
        let mut state = self.state();
        let taken = if grant.admitted { take.cost } else { 0 };
        state.permits_since_call = grant.prefetched + taken;
        self.start_lease(&mut state, sent_ms, now_ms, take, grant, limit);
        state.admitted.record(now_ms, taken);
        let Grant { admitted, remaining, mut reset_in_ms, incomplete_ms, .. } = grant;
        if !admitted {
            // The share may be used up, until some of it is free or the window is complete.
            let share = RateLimit { requests: state.share.max(take.cost), ..limit };
            let share_in_ms = state.admitted.ms_until_fits(now_ms, share, take.cost);
            reset_in_ms = reset_in_ms.max(share_in_ms.min(incomplete_ms));
            self.rejections.add(now_ms, take.cost, limit, now_ms + reset_in_ms);
            return LeaseDecision::Reject { remaining, reset_in_ms };
        }
        let remaining = remaining.saturating_add(grant.prefetched);
        LeaseDecision::Admit { remaining, reset_in_ms, lease_to_renew_ends_ms: None }
    }

    /// Handles a call without an answer. Redis may have charged permits, which then nobody uses.
    pub fn call_failed(&self, now_ms: u64) {
        self.state().permits_since_call = 0;
        self.local_until_ms.store(now_ms + LOCAL_FALLBACK_MS, Ordering::Relaxed);
    }

    /// Prepares the call of a renewal, while the lease that ends at `lease_ends_ms` is in use.
    /// `None` if another lease has replaced it.
    pub fn prepare_renewal(
        &self,
        now_ms: u64,
        lease_ends_ms: u64,
        instances: u32,
    ) -> Option<TakeRequest> {
        let mut state = self.state();
        let left = self.permits.left_of(lease_ends_ms)?;
        state.observe(now_ms, left, PrefetchVerdict::TooSmall);
        state.permits_since_call = left;
        state.other_waiting_cost = 0;
        let free = self.window_free.load(Ordering::Relaxed).saturating_add(left);
        state.instances = instances;
        let prefetch = state.choose_prefetch(free);
        Some(state.next_take(now_ms, self.limit.load().window_s, RENEWAL_COST, prefetch))
    }

    /// Replaces the old lease with the answer to a renewal that was sent at `sent_ms`. The unused
    /// permits of the old lease go back with the next call.
    pub fn apply_renewal(
        &self,
        sent_ms: u64,
        now_ms: u64,
        take: TakeRequest,
        grant: Grant,
        limit: RateLimit,
    ) {
        let mut state = self.state();
        if !grant.admitted {
            // The window is full. Keep the old lease.
            self.window_free.store(0, Ordering::Relaxed);
            return;
        }
        let left = self.permits.take_all();
        let used_during_renewal = state.permits_since_call.saturating_sub(left);
        // The renewal's call took one permit that no request uses. Charge it to the request that
        // started the renewal: return one permit that this request used from the old lease, as if
        // unused. Each request then counts once.
        state.prefetched += RENEWAL_COST;
        state.end_lease(now_ms, left + RENEWAL_COST);
        state.permits_since_call = grant.prefetched + used_during_renewal;
        self.start_lease(&mut state, sent_ms, now_ms, take, grant, limit);
    }

    /// Ends the lease, because the window that counts it was lost. The next call reports what it
    /// admitted.
    pub fn renewal_lost(&self, now_ms: u64) {
        let mut state = self.state();
        let left = self.permits.take_all();
        state.end_lease(now_ms, left);
        state.lease_return = LeaseReturn::NOTHING;
        state.permits_since_call = 0;
    }

    /// Handles a renewal without an answer. No request waits for it, and Redis is called again when
    /// the lease is used up.
    pub fn renewal_failed(&self) {
        self.state().permits_since_call = 0;
    }

    /// Makes the prefetched permits of `grant` the lease.
    ///
    /// No permit is used later than [`USED_WITHIN_MS`] after the call was sent. Redis handled the
    /// call later, so no permit can be used after the time at which Redis counts it.
    fn start_lease(
        &self,
        state: &mut LeaseState,
        sent_ms: u64,
        now_ms: u64,
        take: TakeRequest,
        grant: Grant,
        limit: RateLimit,
    ) {
        self.observe_others(now_ms, take, grant, limit);
        self.limit.store(limit);
        state.known_us = grant.created_us;
        state.prefetched = grant.prefetched;
        state.bucket_ms = grant.bucket_ms;
        let window_free = grant.remaining.saturating_add(state.lease_return.unused);
        self.window_free.store(window_free, Ordering::Relaxed);
        self.reset_ms.store(now_ms + grant.reset_in_ms, Ordering::Relaxed);
        self.local_until_ms.store(0, Ordering::Relaxed);
        let spare = grant.prefetched.saturating_sub(state.other_waiting_cost);
        let is_renewed = spare >= RENEWED_PERMITS_MIN;
        self.renew_at_permits
            .store(if is_renewed { spare / state.renewal_divisor() } else { 0 }, Ordering::Relaxed);
        // The end identifies a lease, so ends must differ. If two answers came in the same
        // millisecond, the second lease ends 1 ms earlier.
        let mut lease_ends_ms = (sent_ms + USED_WITHIN_MS).min(now_ms + state.lease_ms());
        if state.answered_ms == Some(now_ms) {
            lease_ends_ms = lease_ends_ms.min(state.lease_ends_ms.saturating_sub(1));
        }
        state.lease_ends_ms = lease_ends_ms;
        state.answered_ms = Some(now_ms);
        self.permits.fill(grant.prefetched, lease_ends_ms);
    }

    /// Measures how fast other instances use the window: what is missing since the last answer, and
    /// was not taken by this instance. Requests that left the window meanwhile hide some of it.
    fn observe_others(&self, now_ms: u64, take: TakeRequest, grant: Grant, limit: RateLimit) {
        let elapsed_ms = now_ms.saturating_sub(self.answered_ms.swap(now_ms, Ordering::Relaxed));
        if self.limit.load() != limit {
            self.others_per_s.store(0, Ordering::Relaxed);
            return;
        }
        let own = if grant.admitted { take.cost + grant.prefetched } else { 0 };
        let free_before = self.window_free.load(Ordering::Relaxed);
        let used = free_before.saturating_sub(own).saturating_sub(grant.remaining);
        let per_s = u64::from(used) * 1000 / elapsed_ms.max(1);
        let old_per_s = u64::from(self.others_per_s.load(Ordering::Relaxed));
        let mean_per_s = (old_per_s + per_s).div_ceil(2).min(u64::from(limit.requests));
        self.others_per_s.store(mean_per_s as u32, Ordering::Relaxed);
    }

    /// The permits free in the window, if the other instances have continued as fast as before.
    fn estimate_window_free(&self, now_ms: u64) -> u32 {
        let age_ms = now_ms.saturating_sub(self.answered_ms.load(Ordering::Relaxed));
        let others_per_s = u64::from(self.others_per_s.load(Ordering::Relaxed));
        let used = (others_per_s * age_ms).div_ceil(1000).min(u64::from(u32::MAX)) as u32;
        self.window_free.load(Ordering::Relaxed).saturating_sub(used)
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
