//! A sliding window in process: it counts the permits that one key took, by their times.
//!
//! A request at time t counts against every later time t' with t' - t < the window. The permits of
//! one cell, a sixtieth of the window, count as if all were taken at the time of the last. They can
//! count too long by the length of a cell, which makes the limit stricter, never looser.
//!
//! Prefetched permits are counted at the last time at which they can be used, so they can also
//! count too long, but not too short. A [`LeaseReturn`] removes the unused ones.
//!
//! The length of the window is an argument of each call, because operators change it. A window
//! therefore remembers permits for as long as the longest window lasts. Those that have left the
//! present window are in cells of a minute.

use super::take::{Grant, LeaseReturn, Report, TakeRequest, USED_WITHIN_MS};
use crate::caller::{RateLimit, WINDOW_S_MAX};

/// The cells of a window.
const CELLS: u64 = 60;
/// The cells of permits that have left the window, but would count in a longer one.
const OLD_CELL_MS: u64 = 60_000;

#[derive(Debug, Clone)]
pub struct SlidingWindow {
    /// The newest time seen. If the clock steps back, this time counts as the present.
    newest_ms: u64,
    /// Permits are forgotten after this time.
    kept_ms: u64,
    /// The permits of each cell that has some, oldest first. There are at most 61 cells in the
    /// window, 7 of prefetched permits, and 62 of a minute.
    cells: Vec<Cell>,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    /// When the last of the permits was taken.
    last_ms: u64,
    permits: u32,
}

impl Cell {
    /// Adds permits that were taken at `at_ms`, not earlier than the others.
    fn add(&mut self, at_ms: u64, permits: u32) {
        *self = Self { last_ms: at_ms, permits: self.permits.saturating_add(permits) };
    }
}

impl Default for SlidingWindow {
    /// A window whose length may become that of any tier.
    fn default() -> Self {
        Self::of_at_most(WINDOW_S_MAX)
    }
}

impl SlidingWindow {
    /// A window that is never longer than `window_s`. It needs less memory.
    pub const fn of_at_most(window_s: u32) -> Self {
        Self { newest_ms: 0, kept_ms: window_s as u64 * 1000, cells: Vec::new() }
    }

    /// Takes permits at `now_ms`, if the window then holds no more than `limit`.
    pub fn take(&mut self, now_ms: u64, limit: RateLimit, take: TakeRequest) -> Grant {
        self.take_at_most(now_ms, limit, take, u32::MAX)
    }

    /// Takes permits at `now_ms`: no more than `permits_max`, and only if the window then holds no
    /// more than `limit`.
    pub(super) fn take_at_most(
        &mut self,
        now_ms: u64,
        limit: RateLimit,
        take: TakeRequest,
        permits_max: u32,
    ) -> Grant {
        let RateLimit { requests, window_s } = limit;
        self.advance(now_ms, window_s);
        self.give_back(take.lease_return, window_s);
        let total = self.count(window_s);
        let free = (u64::from(requests).saturating_sub(total) as u32).min(permits_max);
        let bucket_ms = self.newest_ms + USED_WITHIN_MS;
        let Some(left) = free.checked_sub(take.cost) else {
            let total_max = u64::from(requests).saturating_sub(take.cost.into());
            let reset_in_ms = self.ms_until_below(total_max + 1, now_ms, window_s);
            return Grant { bucket_ms, remaining: free, reset_in_ms, ..Grant::NOTHING };
        };
        let prefetched = take.prefetch.min(left);
        self.add(self.newest_ms, take.cost, window_s);
        self.add(bucket_ms, prefetched, window_s);
        let total = total + u64::from(take.cost) + u64::from(prefetched);
        let reset_in_ms = self.ms_until_below(total, now_ms, window_s);
        let remaining = left - prefetched;
        Grant { admitted: true, prefetched, bucket_ms, remaining, reset_in_ms, ..Grant::NOTHING }
    }

    /// Counts permits that were taken by `now_ms`, whatever the limit. The next call joins them
    /// with those of their cell. There must be no prefetched permits.
    pub(super) fn record(&mut self, now_ms: u64, permits: u32) {
        self.newest_ms = self.newest_ms.max(now_ms);
        self.cells.push(Cell { last_ms: self.newest_ms, permits });
    }

    /// Counts permits that were taken `age_ms` before `now_ms`, as the report of an instance says.
    pub(super) fn record_earlier(&mut self, now_ms: u64, age_ms: u64, permits: u32) {
        self.newest_ms = self.newest_ms.max(now_ms);
        if age_ms <= self.kept_ms {
            self.cells.push(Cell { last_ms: self.newest_ms.saturating_sub(age_ms), permits });
            self.cells.sort_by_key(|cell| cell.last_ms);
        }
    }

    /// The permits that count at `now_ms`.
    pub(super) fn total(&mut self, now_ms: u64, window_s: u32) -> u32 {
        self.advance(now_ms, window_s);
        u32::try_from(self.count(window_s)).unwrap_or(u32::MAX)
    }

    /// Milliseconds from `now_ms` until a request of this cost fits the limit.
    pub(super) fn ms_until_fits(&mut self, now_ms: u64, limit: RateLimit, cost: u32) -> u64 {
        let RateLimit { requests, window_s } = limit;
        self.advance(now_ms, window_s);
        self.ms_until_below(u64::from(requests.saturating_sub(cost)) + 1, now_ms, window_s)
    }

    /// The permits that are remembered at `now_ms`, by the least age that they can have.
    pub(super) fn report(&mut self, now_ms: u64, window_s: u32) -> Report {
        self.advance(now_ms, window_s);
        let age_ms = |cell: &Cell| (self.newest_ms - cell.last_ms).saturating_sub(1);
        self.cells.iter().map(|cell| (age_ms(cell), cell.permits)).collect()
    }

    /// Whether nothing is remembered at `now_ms`, so that no window would count anything.
    pub fn is_idle(&self, now_ms: u64) -> bool {
        let now_ms = self.newest_ms.max(now_ms);
        self.cells.iter().all(|cell| now_ms.saturating_sub(cell.last_ms) > self.kept_ms)
    }

    /// Adds permits to their cell.
    fn add(&mut self, at_ms: u64, permits: u32, window_s: u32) {
        if permits == 0 {
            return;
        }
        let cell_of = self.cell_of(window_s);
        let is_same = |cell: &&mut Cell| cell_of(cell.last_ms) == cell_of(at_ms);
        let later = self.cells.iter().rev().take_while(|cell| cell.last_ms > at_ms).count();
        let position = self.cells.len() - later;
        if let Some(cell) = self.cells.get_mut(position).filter(is_same) {
            cell.permits = cell.permits.saturating_add(permits);
            return;
        }
        match self.cells[..position].last_mut().filter(is_same) {
            Some(cell) => cell.add(at_ms, permits),
            None => self.cells.insert(position, Cell { last_ms: at_ms, permits }),
        }
    }

    /// Removes the unused permits of a lease. Since they were taken, their cell may have become
    /// part of a later one. Then they are not found, and count until they expire.
    fn give_back(&mut self, lease_return: LeaseReturn, window_s: u32) {
        let LeaseReturn { bucket_ms, unused } = lease_return;
        let cell_of = self.cell_of(window_s);
        let bucket = cell_of(bucket_ms);
        if let Some(at) = self.cells.iter().position(|cell| cell_of(cell.last_ms) == bucket) {
            self.cells[at].permits = self.cells[at].permits.saturating_sub(unused);
            if self.cells[at].permits == 0 {
                self.cells.remove(at);
            }
        }
    }

    /// Makes `now_ms` the present, forgets the permits that no window counts, and joins those of
    /// one cell.
    fn advance(&mut self, now_ms: u64, window_s: u32) {
        self.newest_ms = self.newest_ms.max(now_ms);
        let oldest_ms = self.newest_ms.saturating_sub(self.kept_ms);
        self.cells.retain(|cell| cell.permits > 0 && cell.last_ms >= oldest_ms);
        let cell_of = self.cell_of(window_s);
        self.cells.dedup_by(|later, earlier| {
            let is_same = cell_of(later.last_ms) == cell_of(earlier.last_ms);
            if is_same {
                earlier.add(later.last_ms, later.permits);
            }
            is_same
        });
    }

    /// The cell of a time: whether it is in the window, and a number.
    fn cell_of(&self, window_s: u32) -> impl Fn(u64) -> (bool, u64) + use<> {
        let start_ms = self.start_ms(window_s);
        let cell_ms = (u64::from(window_s) * 1000).div_ceil(CELLS);
        move |at_ms| {
            let is_old = at_ms < start_ms;
            (is_old, at_ms / if is_old { OLD_CELL_MS } else { cell_ms })
        }
    }

    /// The first time that counts. The clock counts whole milliseconds, so a request at time t
    /// counts until the end of millisecond t + window.
    fn start_ms(&self, window_s: u32) -> u64 {
        self.newest_ms.saturating_sub(u64::from(window_s) * 1000)
    }

    fn in_window(&self, window_s: u32) -> impl Iterator<Item = &Cell> {
        let start_ms = self.start_ms(window_s);
        self.cells.iter().filter(move |cell| cell.last_ms >= start_ms)
    }

    fn count(&self, window_s: u32) -> u64 {
        self.in_window(window_s).map(|cell| u64::from(cell.permits)).sum()
    }

    /// Milliseconds until the window holds fewer than `permits` permits.
    fn ms_until_below(&self, permits: u64, now_ms: u64, window_s: u32) -> u64 {
        let mut left = self.count(window_s);
        if left < permits {
            return 0;
        }
        let last_to_leave = self.in_window(window_s).find(|cell| {
            left -= u64::from(cell.permits);
            left < permits
        });
        let last_ms = last_to_leave.map_or(self.newest_ms, |cell| cell.last_ms);
        (last_ms + u64::from(window_s) * 1000 + 1).saturating_sub(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::window_model::{ExactLog, ReferenceWindow, steps, take_request, window_s};
    use super::*;

    const START_MS: u64 = 1_700_000_000_500;
    const ONE: TakeRequest = TakeRequest::ONE;

    fn limit(requests: u32) -> RateLimit {
        RateLimit::per_minute(requests)
    }

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
        fn no_trailing_window_holds_more_than_the_limit_while_its_length_changes(
            requests in prop::collection::vec((0u64..3000, 1u32..=5, window_s(), 0..20), 1..400),
        ) {
            let mut window = SlidingWindow::default();
            let mut log = ExactLog::default();
            let mut now_ms = START_MS;
            let mut window_s = 60;
            for (wait_ms, cost, other_window_s, change) in requests {
                if change == 0 {
                    window_s = other_window_s;
                }
                now_ms += wait_ms * u64::from(window_s) / 60;
                let limit = RateLimit { requests: 5, window_s };
                if window.take(now_ms, limit, TakeRequest::of(cost)).admitted {
                    prop_assert!(log.admit(now_ms, cost, window_s) <= 5);
                }
                // The window, leases, and minutes of earlier permits.
                prop_assert!(window.cells.len() <= 61 + 7 + 62, "{}", window.cells.len());
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
            (0..3).for_each(|_| assert!(window.take(START_MS, limit(3), ONE).admitted));
            prop_assert!(!window.take(START_MS - back_ms, limit(3), ONE).admitted);
        }
    }

    #[test]
    fn a_rejected_request_takes_no_permits() {
        let mut window = SlidingWindow::default();
        assert!(window.take(START_MS, limit(10), TakeRequest::of(4)).admitted);
        assert_eq!(window.take(START_MS, limit(10), TakeRequest::of(7)).remaining, 6);
        assert_eq!(window.take(START_MS, limit(10), TakeRequest::of(6)).remaining, 0);
    }

    #[test]
    fn a_steady_flood_is_admitted_at_over_98_percent_of_the_limit() {
        for window_s in [10, 60, 3600] {
            let (mut window, limit) =
                (SlidingWindow::default(), RateLimit { requests: 1000, window_s });
            let step_ms = u64::from(window_s) / 10;
            let times_ms = (0..100_000).map(|n| START_MS + n * step_ms);
            let admitted = times_ms.filter(|at_ms| window.take(*at_ms, limit, ONE).admitted);
            let share = admitted.count() as f64 / (1000.0 * 10.0);
            assert!(share > 0.98, "{share} in {window_s} s");
        }
    }

    #[test]
    fn a_request_leaves_the_window_a_millisecond_after_its_length() {
        for window_s in [10, 60, 3600] {
            let (mut window, limit) =
                (SlidingWindow::default(), RateLimit { requests: 1, window_s });
            assert!(window.take(START_MS, limit, ONE).admitted);
            let last_ms = START_MS + u64::from(window_s) * 1000;
            assert!(!window.take(last_ms, limit, ONE).admitted);
            assert!(window.take(last_ms + 1, limit, ONE).admitted);
        }
    }

    #[test]
    fn a_longer_window_counts_what_a_shorter_one_has_forgotten() {
        let mut window = SlidingWindow::default();
        let [short, long] = [10, 3600].map(|window_s| RateLimit { requests: 100, window_s });
        for second in 0..100 {
            assert!(window.take(START_MS + second * 1000, short, ONE).admitted);
        }
        let now_ms = START_MS + 100_000;
        let grant = window.take(now_ms, long, ONE);
        assert!(!grant.admitted);
        assert!((3_500_000..=3_600_001).contains(&grant.reset_in_ms), "{grant:?}");
        // The longer window has joined permits, which then count too long in the shorter one.
        assert!(window.take(now_ms, short, ONE).remaining < 90);
    }
}
