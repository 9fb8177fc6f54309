//! A sliding window in process: it counts the permits that one key took in each second.
//!
//! A request at time t counts against every later time t' with t' - t < 60 s. The window counts
//! whole seconds, so a request at the start of second s counts until the end of second s + 60. The
//! last 61 seconds are therefore live at once. A request can count for up to a second too long,
//! which makes the limit stricter, never looser.
//!
//! Prefetched permits are counted in the last second in which they can be used, so they can also
//! count too long, but not too short. A [`LeaseReturn`] removes the unused ones.

use super::take::{Grant, LEASE_S, LeaseReturn, Report, TakeRequest, WINDOW_S};

/// The clock of a window of one hour runs slower by this factor: a second of it is a minute.
pub const TIME_SCALE: u64 = 60;
/// One bucket per second: the past 60, the present one, and that of prefetched permits.
const BUCKETS: usize = WINDOW_S as usize + 1 + LEASE_S as usize;

#[derive(Debug, Clone)]
pub struct SlidingWindow {
    /// The newest second seen. If the clock steps back, this second counts as the present.
    newest_s: u64,
    /// The sum of all buckets.
    total: u64,
    /// The permits of the seconds from `newest_s - 60` to `newest_s + 1`. Second s is at index s
    /// modulo `BUCKETS`.
    buckets: [u32; BUCKETS],
}

impl Default for SlidingWindow {
    fn default() -> Self {
        Self { newest_s: 0, total: 0, buckets: [0; BUCKETS] }
    }
}

impl SlidingWindow {
    /// Takes permits at `now_ms`, if the window then holds no more than `limit`.
    pub fn take(&mut self, now_ms: u64, limit: u32, take: TakeRequest) -> Grant {
        self.take_at_most(now_ms, limit, take, u32::MAX)
    }

    /// Takes permits at `now_ms`: no more than `permits_max`, and only if the window then holds no
    /// more than `limit`.
    pub(super) fn take_at_most(
        &mut self,
        now_ms: u64,
        limit: u32,
        take: TakeRequest,
        permits_max: u32,
    ) -> Grant {
        self.advance(now_ms / 1000);
        self.give_back(take.lease_return);
        let free = (u64::from(limit).saturating_sub(self.total) as u32).min(permits_max);
        let bucket_s = self.newest_s + LEASE_S;
        let Some(left) = free.checked_sub(take.cost) else {
            let total_max = u64::from(limit).saturating_sub(take.cost.into());
            let reset_in_ms = self.ms_until_below(total_max + 1, now_ms);
            return Grant { bucket_s, remaining: free, reset_in_ms, ..Grant::NOTHING };
        };
        let prefetched = take.prefetch.min(left);
        self.add(self.newest_s, take.cost);
        self.add(bucket_s, prefetched);
        let reset_in_ms = self.ms_until_below(self.total, now_ms);
        let remaining = left - prefetched;
        Grant { admitted: true, prefetched, bucket_s, remaining, reset_in_ms, ..Grant::NOTHING }
    }

    /// Counts permits that were taken by `now_ms`, whatever the limit.
    pub(super) fn record(&mut self, now_ms: u64, permits: u32) {
        self.advance(now_ms / 1000);
        self.add(self.newest_s, permits);
    }

    /// Counts permits that were taken `age_s` before `now_ms`, as the report of an instance says.
    #[cfg(test)]
    pub(super) fn record_earlier(&mut self, now_ms: u64, age_s: u64, permits: u32) {
        self.advance(now_ms / 1000);
        self.add(self.newest_s - age_s, permits);
    }

    /// The permits that count at `now_ms`.
    pub(super) fn total(&mut self, now_ms: u64) -> u32 {
        self.advance(now_ms / 1000);
        u32::try_from(self.total).unwrap_or(u32::MAX)
    }

    /// Milliseconds from `now_ms` until a request of this cost fits the limit.
    pub(super) fn ms_until_fits(&mut self, now_ms: u64, limit: u32, cost: u32) -> u64 {
        self.advance(now_ms / 1000);
        self.ms_until_below(u64::from(limit.saturating_sub(cost)) + 1, now_ms)
    }

    /// The permits that count at `now_ms`, by the least age that they can have.
    pub(super) fn report(&mut self, now_ms: u64) -> Report {
        self.advance(now_ms / 1000);
        let newest_s = self.newest_s;
        (0..=WINDOW_S.min(newest_s))
            .map(|age_s| (age_s.saturating_sub(1), *self.bucket(newest_s - age_s)))
            .filter(|(_, permits)| *permits > 0)
            .collect()
    }

    /// Whether the window is empty at `now_ms`.
    pub fn is_idle(&self, now_ms: u64) -> bool {
        let mut copy = self.clone();
        copy.advance(now_ms / 1000);
        copy.total == 0
    }

    fn bucket(&mut self, second: u64) -> &mut u32 {
        &mut self.buckets[second as usize % BUCKETS]
    }

    fn add(&mut self, second: u64, permits: u32) {
        *self.bucket(second) += permits;
        self.total += u64::from(permits);
    }

    /// Removes the unused permits of a lease.
    fn give_back(&mut self, lease_return: LeaseReturn) {
        let LeaseReturn { bucket_s, unused } = lease_return;
        let oldest_s = self.newest_s.saturating_sub(WINDOW_S);
        if (oldest_s..=self.newest_s + LEASE_S).contains(&bucket_s) {
            let removed = unused.min(*self.bucket(bucket_s));
            *self.bucket(bucket_s) -= removed;
            self.total -= u64::from(removed);
        }
    }

    /// Makes `now_s` the present and empties the buckets that leave the window.
    fn advance(&mut self, now_s: u64) {
        if now_s <= self.newest_s {
            return;
        }
        if now_s - self.newest_s >= BUCKETS as u64 {
            *self = Self { newest_s: now_s, ..Self::default() };
            return;
        }
        for second in self.newest_s..now_s {
            // The bucket of second - 60. It becomes the bucket of second + 2.
            let permits = std::mem::take(self.bucket(second + BUCKETS as u64 - WINDOW_S));
            self.total -= u64::from(permits);
        }
        self.newest_s = now_s;
    }

    /// Milliseconds until the window holds fewer than `permits` permits.
    fn ms_until_below(&self, permits: u64, now_ms: u64) -> u64 {
        if self.total < permits {
            return 0;
        }
        let mut left = self.total;
        let oldest_s = self.newest_s.saturating_sub(WINDOW_S);
        let newest_bucket_s = self.newest_s + LEASE_S;
        let below_at_s = (oldest_s..=newest_bucket_s)
            .find(|second| {
                left -= u64::from(self.buckets[*second as usize % BUCKETS]);
                left < permits
            })
            .map_or(self.newest_s, |last_s| last_s + WINDOW_S + 1);
        (below_at_s * 1000).saturating_sub(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::window_model::{ExactLog, ReferenceWindow, steps, take_request};
    use super::*;

    const START_MS: u64 = 1_700_000_000_500;
    const ONE: TakeRequest = TakeRequest::ONE;

    proptest! {
        #[test]
        fn the_window_answers_like_the_reference(steps in steps()) {
            let mut window = SlidingWindow::default();
            let mut reference = ReferenceWindow::default();
            let mut now_ms = START_MS;
            let mut last = None;
            for step in steps {
                now_ms += step.wait_ms;
                let take = take_request(&step, last);
                let expected = reference.take(now_ms, step.limit, take);
                prop_assert_eq!(window.take(now_ms, step.limit, take), expected, "{:?}", step);
                last = Some(expected);
            }
        }

        #[test]
        fn no_trailing_minute_holds_more_than_the_limit(
            requests in prop::collection::vec((0u64..3000, 1u32..=5), 1..400),
        ) {
            let mut window = SlidingWindow::default();
            let mut log = ExactLog::default();
            let mut now_ms = START_MS;
            for (wait_ms, cost) in requests {
                now_ms += wait_ms;
                if window.take(now_ms, 5, TakeRequest::of(cost)).admitted {
                    prop_assert!(log.admit(now_ms, cost) <= 5);
                }
            }
        }

        #[test]
        fn a_rejection_names_the_exact_time_at_which_a_retry_is_admitted(steps in steps()) {
            let mut window = SlidingWindow::default();
            let mut now_ms = START_MS;
            let mut last = None;
            for step in steps {
                now_ms += step.wait_ms;
                let grant = window.take(now_ms, step.limit, take_request(&step, last));
                last = Some(grant);
                if !grant.admitted {
                    let reset_ms = now_ms + grant.reset_in_ms;
                    let same = TakeRequest::of(step.cost);
                    prop_assert!(!window.clone().take(reset_ms - 1, step.limit, same).admitted);
                    prop_assert!(window.clone().take(reset_ms, step.limit, same).admitted);
                }
            }
        }

        #[test]
        fn a_clock_that_steps_back_frees_no_permit(back_ms in 0u64..200_000) {
            let mut window = SlidingWindow::default();
            (0..3).for_each(|_| assert!(window.take(START_MS, 3, ONE).admitted));
            prop_assert!(!window.take(START_MS - back_ms, 3, ONE).admitted);
        }
    }

    #[test]
    fn a_rejected_request_takes_no_permits() {
        let mut window = SlidingWindow::default();
        assert!(window.take(START_MS, 10, TakeRequest::of(4)).admitted);
        assert_eq!(window.take(START_MS, 10, TakeRequest::of(7)).remaining, 6);
        assert_eq!(window.take(START_MS, 10, TakeRequest::of(6)).remaining, 0);
    }

    #[test]
    fn a_steady_flood_is_admitted_at_over_98_percent_of_the_limit() {
        let mut window = SlidingWindow::default();
        let admitted =
            (0..600_000).filter(|n| window.take(START_MS + n, 1000, ONE).admitted).count();
        let share = admitted as f64 / (1000.0 * 600.0 / 60.0);
        assert!(share > 0.98, "{share}");
    }
}
