//! The history of a lease, on which its next call depends: how fast the key is used, how many
//! permits to prefetch, and which permits are not settled yet.
//!
//! A key prefetches what it uses during a lease ([`LeaseState::lease_ms`]). The number of permits
//! doubles while they are too few and halves while they suffice. A key that uses less than one
//! permit in that time prefetches none, so each of its requests asks Redis.

use super::sliding_window::SlidingWindow;
use super::take::{LeaseReturn, Report, TakeRequest, USED_WITHIN_MS};

/// How long a lease lasts beside other instances: the remaining permits that clients are told are
/// as old as the lease.
const LEASE_MS: u64 = 250;
/// How long it lasts if no other instance changes the remaining permits.
const LEASE_ALONE_MS: u64 = USED_WITHIN_MS;

/// An instance prefetches at most its share of the remaining permits divided by this.
const SHARE_DIVISOR: u32 = 2;

#[derive(Debug, Default)]
pub struct LeaseState {
    /// The permits of the lease at its begin, and the time at which the window counts them.
    pub prefetched: u32,
    pub bucket_ms: u64,
    /// What this instance admitted in the last hour, without what the present lease admits.
    pub admitted: SlidingWindow,
    /// What this instance may admit in a window while Redis is lost or its window is incomplete.
    pub share: u32,
    /// When the window in Redis was created, in epoch microseconds; 0 before the first answer.
    pub known_us: u64,
    /// Permits that requests could use since the last call: the prefetched ones, and those that the
    /// call took for the request that waited for it. Without the unused ones they give the key's
    /// rate.
    pub permits_since_call: u32,
    /// The part of the prefetch that belongs to other requests that waited for the call.
    pub other_waiting_cost: u32,
    /// The instances that share Redis, as of the last call.
    pub instances: u32,
    /// Unused permits of earlier leases. The next call gives them back.
    pub lease_return: LeaseReturn,
    pub last_call_ms: Option<u64>,
    /// When Redis answered the call for the lease, and when the lease ends.
    pub answered_ms: Option<u64>,
    pub lease_ends_ms: u64,
    rate_per_s: f64,
    /// How many permits to prefetch beyond those of waiting requests.
    prefetch: u32,
}

/// Whether the last prefetch was enough for the requests since then.
#[derive(Debug, Clone, Copy)]
pub enum PrefetchVerdict {
    /// Requests used all of it, or so much that a renewal started, before the lease ended.
    TooSmall,
    Enough,
}

impl LeaseState {
    /// Adapts the rate and the prefetch size of the key to its use since the last call. `unused`
    /// permits are left.
    pub fn observe(&mut self, now_ms: u64, unused: u32, verdict: PrefetchVerdict) {
        let Some(last_call_ms) = self.last_call_ms else {
            return;
        };
        let elapsed_s = now_ms.saturating_sub(last_call_ms).max(1) as f64 / 1000.0;
        let used = self.permits_since_call.saturating_sub(unused);
        // The mean of the old and the new rate follows a spike within two calls, and forgets it as
        // fast.
        self.rate_per_s = (self.rate_per_s + f64::from(used) / elapsed_s) / 2.0;
        self.prefetch = match verdict {
            PrefetchVerdict::TooSmall => self.prefetch.saturating_mul(2).max(1),
            PrefetchVerdict::Enough => self.prefetch / 2,
        };
    }

    /// Judges the last prefetch by a request of this `cost`, for which `left` permits are left. It
    /// was too small if they are too few within the duration of a lease.
    pub fn judge_prefetch(&self, now_ms: u64, left: u32, cost: u32) -> PrefetchVerdict {
        let is_recent = self
            .last_call_ms
            .is_some_and(|last_call_ms| now_ms.saturating_sub(last_call_ms) < USED_WITHIN_MS);
        if left < cost && is_recent { PrefetchVerdict::TooSmall } else { PrefetchVerdict::Enough }
    }

    /// Ends the lease at `now_ms`, of which `unused` permits are left. The next call gives them
    /// back.
    ///
    /// One call can give back permits of one time only. Those of two leases go back at the earlier
    /// time, which makes the limit stricter: what was used then counts at the later time instead.
    pub fn end_lease(&mut self, now_ms: u64, unused: u32) {
        let used = std::mem::take(&mut self.prefetched).saturating_sub(unused);
        self.admitted.record(now_ms, used);
        let (ended, earlier) =
            (LeaseReturn { bucket_ms: self.bucket_ms, unused }, self.lease_return);
        self.lease_return = match (earlier.unused, unused) {
            (0, _) => ended,
            (_, 0) => earlier,
            _ => LeaseReturn {
                bucket_ms: earlier.bucket_ms.min(ended.bucket_ms),
                unused: earlier.unused + unused,
            },
        };
    }

    /// How many permits to prefetch if `free` ones are left. It leaves permits to the other
    /// instances: it is at most half of an equal share.
    pub fn choose_prefetch(&mut self, free: u32) -> u32 {
        let lease_s = self.lease_ms() as f64 / 1000.0;
        self.prefetch = self.prefetch.min((self.rate_per_s * lease_s) as u32);
        self.prefetch.min(free / (SHARE_DIVISOR * self.instances.max(1)))
    }

    /// The renewal of a lease starts when its permits divided by this are left. A long lease leaves
    /// time for the renewal with fewer.
    pub fn renewal_divisor(&self) -> u32 {
        if self.instances == 1 { 4 } else { 2 }
    }

    /// How long the next lease lasts.
    pub fn lease_ms(&self) -> u64 {
        if self.instances == 1 { LEASE_ALONE_MS } else { LEASE_MS }
    }

    /// What the next call takes. It also gives back permits of earlier leases.
    pub fn next_take(
        &mut self,
        now_ms: u64,
        window_s: u32,
        cost: u32,
        prefetch: u32,
    ) -> TakeRequest {
        self.last_call_ms = Some(now_ms);
        // The whole lease counts, as if it was used.
        let admitted = self.admitted.total(now_ms, window_s).saturating_add(self.prefetched);
        TakeRequest {
            cost,
            prefetch,
            lease_return: std::mem::take(&mut self.lease_return),
            known_us: self.known_us,
            incomplete_max: self.share.max(cost).saturating_sub(admitted),
        }
    }

    /// Forgets the permits that the lost window counted. Returns what this instance admitted.
    pub fn report(&mut self, now_ms: u64, window_s: u32) -> Report {
        self.lease_return = LeaseReturn::NOTHING;
        self.admitted.report(now_ms, window_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At the later time, permits that were used there would count until the earlier one only.
    #[test]
    fn the_permits_of_two_leases_go_back_at_the_earlier_time() {
        let mut state = LeaseState { prefetched: 5, bucket_ms: 2000, ..LeaseState::default() };
        state.end_lease(1000, 3);
        (state.prefetched, state.bucket_ms) = (7, 2250);
        state.end_lease(1250, 4);
        let take = state.next_take(1300, 60, 1, 0);
        assert_eq!(take.lease_return, LeaseReturn { bucket_ms: 2000, unused: 7 });
        assert_eq!(state.admitted.total(1300, 60), 2 + 3, "what was used");
        (state.prefetched, state.bucket_ms) = (7, 2500);
        state.end_lease(1500, 0);
        assert_eq!(state.next_take(1500, 60, 1, 0).lease_return.unused, 0);
    }
}
