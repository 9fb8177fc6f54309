//! The sliding window: how many requests one key made in each of the last seconds.
//!
//! A request admitted at time t counts against every later time t' with t' - t < 60 s. Seconds are
//! counted whole, so a request in the first instant of second s still counts in the last instant of
//! second s + 60: 61 buckets are live at once. Counting the oldest whole only ever refuses too
//! early, by less than a second; it never admits too much.
//!
//! Permits can also be taken ahead, to be used within so many seconds. They are counted in the
//! second in which they can last be used, as if all were used then: also that only ever refuses too
//! early. Once it is known by when they were used they are counted then, and those that were not
//! used are not counted any more.

/// The length of the window, in seconds: a limit holds in any trailing stretch of this length.
pub const WINDOW_S: u64 = 60;
/// How many times slower than time the clock of a ring goes that is to be a window of an hour: what
/// is a second to the ring is then a minute.
pub const TIME_SCALE: u64 = 60;
/// For how long permits can be taken ahead, in seconds.
pub const AHEAD_S_MAX: u32 = 120;
const BUCKETS: usize = WINDOW_S as usize + 1 + AHEAD_S_MAX as usize;

/// The log of one key's admitted requests, in 1-second buckets.
#[derive(Debug, Clone)]
pub struct SlidingWindow {
    /// The newest second seen. Time never goes back: an earlier clock counts as this second.
    newest_s: u64,
    total: u64,
    /// The seconds from `newest_s - 60` to `newest_s + 120`, each at its number modulo the length.
    buckets: [u32; BUCKETS],
}

/// What is asked of a window: the permits of a request that is here now, and what goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakeRequest {
    /// How many requests the one that is here counts as: 1 to the limit. It gets all of them or
    /// none.
    pub cost: u32,
    /// Permits to take ahead. Fewer are given where fewer are left.
    pub ahead: u32,
    /// For how many seconds, at most [`AHEAD_S_MAX`].
    pub ahead_s: u32,
    /// What became of permits that were taken ahead earlier.
    pub lease_return: LeaseReturn,
}

/// What became of permits that were taken ahead. Whoever sends it never uses another one of them,
/// and sends it once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeaseReturn {
    /// The second that they are counted in.
    pub stamp_s: u64,
    /// How many were not used: they are not counted any more.
    pub unused: u32,
    /// How many are to be counted earlier,
    pub used: u32,
    /// in this second, no later than `stamp_s`: all of them were used by its end.
    pub used_s: u64,
}

/// What a window gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Whether there are the permits for now. Without them there is none ahead either.
    pub admitted: bool,
    pub ahead: u32,
    /// The second in which the permits ahead are counted.
    pub stamp_s: u64,
    /// Permits that could still be taken now.
    pub remaining: u32,
    /// Milliseconds until the oldest counted permit leaves the window. Where none was given: until
    /// as many as were asked for can be had, exactly.
    pub reset_in_ms: u64,
}

impl TakeRequest {
    /// A permit for a common request, and nothing else.
    pub const ONE: Self = Self::of(1);

    /// The permits of a request that counts as `cost`, and nothing else.
    pub const fn of(cost: u32) -> Self {
        Self { cost, ahead: 0, ahead_s: 0, lease_return: LeaseReturn::NOTHING }
    }
}

impl LeaseReturn {
    pub const NOTHING: Self = Self { stamp_s: 0, unused: 0, used: 0, used_s: 0 };
}

impl Default for SlidingWindow {
    fn default() -> Self {
        Self { newest_s: 0, total: 0, buckets: [0; BUCKETS] }
    }
}

impl SlidingWindow {
    /// Takes the permits of a request at `now_ms` (epoch milliseconds) and those ahead, so that the
    /// window never holds more than `limit`.
    pub fn take(&mut self, now_ms: u64, limit: u32, request: TakeRequest) -> Grant {
        self.advance(now_ms / 1000);
        self.settle(request.lease_return);
        let free = u64::from(limit).saturating_sub(self.total) as u32;
        let stamp_s = self.newest_s + u64::from(request.ahead_s.min(AHEAD_S_MAX));
        let Some(left) = free.checked_sub(request.cost) else {
            let below = u64::from(limit).saturating_sub(request.cost.into()) + 1;
            let reset_in_ms = self.falls_below_in_ms(below, now_ms);
            return Grant { admitted: false, ahead: 0, stamp_s, remaining: free, reset_in_ms };
        };
        let ahead = request.ahead.min(left);
        self.count(self.newest_s, request.cost);
        self.count(stamp_s, ahead);
        let reset_in_ms = self.falls_below_in_ms(self.total, now_ms);
        Grant { admitted: true, ahead, stamp_s, remaining: left - ahead, reset_in_ms }
    }

    /// Whether nothing counted here can matter at `now_ms` any more.
    pub fn is_idle(&self, now_ms: u64) -> bool {
        let mut then = self.clone();
        then.advance(now_ms / 1000);
        then.total == 0
    }

    fn bucket(&mut self, second: u64) -> &mut u32 {
        &mut self.buckets[second as usize % BUCKETS]
    }

    fn count(&mut self, second: u64, permits: u32) {
        *self.bucket(second) += permits;
        self.total += u64::from(permits);
    }

    fn settle(&mut self, LeaseReturn { stamp_s, unused, used, used_s }: LeaseReturn) {
        let live = self.newest_s.saturating_sub(WINDOW_S)..=self.newest_s + u64::from(AHEAD_S_MAX);
        if live.contains(&stamp_s) {
            let counted = *self.bucket(stamp_s);
            let settled = counted.min(unused.saturating_add(used));
            *self.bucket(stamp_s) -= settled;
            self.total -= u64::from(settled);
            if live.contains(&used_s) {
                self.count(used_s, settled.saturating_sub(unused));
            }
        }
    }

    /// Empties the buckets that have left the window by `now_s`.
    fn advance(&mut self, now_s: u64) {
        if now_s <= self.newest_s {
            return;
        }
        if now_s - self.newest_s >= BUCKETS as u64 {
            *self = Self { newest_s: now_s, ..Self::default() };
            return;
        }
        for second in self.newest_s..now_s {
            // The bucket of second - 60, which is next used for second + 121.
            let left = std::mem::take(self.bucket(second + BUCKETS as u64 - WINDOW_S));
            self.total -= u64::from(left);
        }
        self.newest_s = now_s;
    }

    /// Milliseconds until fewer than `count` permits are left in the window.
    fn falls_below_in_ms(&self, count: u64, now_ms: u64) -> u64 {
        (self.falls_below_at_s(count) * 1000).saturating_sub(now_ms)
    }

    fn falls_below_at_s(&self, count: u64) -> u64 {
        let mut left = self.total;
        let oldest = self.newest_s.saturating_sub(WINDOW_S);
        for second in oldest..=self.newest_s + u64::from(AHEAD_S_MAX) {
            left -= u64::from(self.buckets[second as usize % BUCKETS]);
            if left < count {
                return second + WINDOW_S + 1;
            }
        }
        self.newest_s
    }
}

#[cfg(test)]
pub mod model {
    //! The reference: a list of every permit's second, as simple as the promise itself.

    use std::collections::VecDeque;
    use std::iter::repeat_n;

    use super::{Grant, LeaseReturn, TakeRequest, WINDOW_S};

    /// Counts from scratch each time.
    #[derive(Default)]
    pub struct Log {
        newest_s: u64,
        stamps_s: Vec<u64>,
    }

    impl Log {
        /// What a window of whole seconds must answer.
        pub fn take(&mut self, now_ms: u64, limit: u32, request: TakeRequest) -> Grant {
            self.newest_s = self.newest_s.max(now_ms / 1000);
            let now_s = self.newest_s;
            self.stamps_s.retain(|stamp_s| stamp_s + WINDOW_S >= now_s);
            let LeaseReturn { stamp_s, unused, used, used_s } = request.lease_return;
            for instead_s in
                repeat_n(None, unused as usize).chain(repeat_n(Some(used_s), used as usize))
            {
                if let Some(at) = self.stamps_s.iter().position(|counted_s| *counted_s == stamp_s) {
                    self.stamps_s.remove(at);
                    self.stamps_s.extend(instead_s.filter(|used_s| used_s + WINDOW_S >= now_s));
                }
            }
            let free = (limit as usize).saturating_sub(self.stamps_s.len());
            let cost = request.cost as usize;
            let admitted = free >= cost;
            let (taken, ahead) =
                if admitted { (cost, (request.ahead as usize).min(free - cost)) } else { (0, 0) };
            let stamp_s = now_s + u64::from(request.ahead_s);
            self.stamps_s.extend(repeat_n(now_s, taken));
            self.stamps_s.extend(repeat_n(stamp_s, ahead));
            self.stamps_s.sort_unstable();
            let in_the_way = if admitted { 1 } else { self.stamps_s.len() + cost - limit as usize };
            let reset_s = self.stamps_s[in_the_way - 1] + WINDOW_S + 1;
            let remaining = (free - taken - ahead) as u32;
            let reset_in_ms = (reset_s * 1000).saturating_sub(now_ms);
            Grant { admitted, ahead: ahead as u32, stamp_s, remaining, reset_in_ms }
        }
    }

    /// What is promised, whatever the window makes of it.
    const MINUTE_MS: u64 = 60_000;

    /// The promise itself: the exact instants at which one key was admitted, and what each request
    /// counted as.
    #[derive(Default)]
    pub struct Oracle {
        admitted: VecDeque<(u64, u32)>,
        in_window: u32,
    }

    impl Oracle {
        /// Notes a request admitted at `at_ms`, no earlier than the last, and returns what the
        /// trailing 60 s count.
        pub fn admitted(&mut self, at_ms: u64, cost: u32) -> u32 {
            self.admitted.push_back((at_ms, cost));
            self.in_window += cost;
            while let Some((_, left)) =
                self.admitted.front().filter(|(first_ms, _)| first_ms + MINUTE_MS <= at_ms)
            {
                self.in_window -= left;
                self.admitted.pop_front();
            }
            self.in_window
        }
    }

    /// One step of a case that every implementation of the window must answer alike.
    #[derive(Debug, Clone)]
    pub struct Step {
        pub wait_ms: u64,
        pub limit: u32,
        pub cost: u32,
        pub ahead: u32,
        pub ahead_s: u32,
        /// How many of the last grant's permits ahead come back, how many of the others were used,
        /// and how many seconds before their last.
        pub unused: u32,
        pub used: u32,
        pub early_s: u64,
    }

    pub fn steps() -> impl proptest::strategy::Strategy<Value = Vec<Step>> {
        use proptest::prelude::*;
        let wait_ms = prop_oneof![4 => 0u64..1500, 2 => 0u64..20_000, 1 => 55_000u64..65_000, 1 => 100_000u64..200_000];
        let limit = prop_oneof![9 => Just(9u32), 1 => 1u32..20];
        let ahead_s = prop_oneof![Just(1u32), Just(120), 0u32..=120];
        let cost = prop_oneof![2 => Just(1u32), 1 => 2u32..20];
        let settled = (0u32..4, 0u32..4, 0u64..=120);
        let step = (wait_ms, limit, cost, 0u32..4, ahead_s, settled);
        let step =
            step.prop_map(|(wait_ms, limit, cost, ahead, ahead_s, (unused, used, early_s))| Step {
                wait_ms,
                limit,
                cost: cost.min(limit),
                ahead,
                ahead_s,
                unused,
                used,
                early_s,
            });
        proptest::collection::vec(step, 1..150)
    }

    /// The want of a step, after the grant before it.
    pub fn request(step: &Step, last: Option<Grant>) -> TakeRequest {
        let lease_return = last.map_or(LeaseReturn::NOTHING, |Grant { ahead, stamp_s, .. }| {
            let unused = step.unused.min(ahead);
            LeaseReturn {
                stamp_s,
                unused,
                used: step.used.min(ahead - unused),
                used_s: stamp_s - step.early_s,
            }
        });
        TakeRequest { cost: step.cost, ahead: step.ahead, ahead_s: step.ahead_s, lease_return }
    }
}

#[cfg(test)]
mod tests {
    use super::model::{Log, Oracle, request, steps};
    use super::*;
    use proptest::prelude::*;

    const START_MS: u64 = 1_700_000_000_500;
    const ONE: TakeRequest = TakeRequest::ONE;

    proptest! {
        #[test]
        fn the_ring_answers_as_the_log_does(steps in steps()) {
            let (mut window, mut log, mut now_ms, mut last) = (SlidingWindow::default(), Log::default(), START_MS, None);
            for step in steps {
                now_ms += step.wait_ms;
                let request = request(&step, last);
                let expected = log.take(now_ms, step.limit, request);
                prop_assert_eq!(window.take(now_ms, step.limit, request), expected, "{:?}", step);
                last = Some(expected);
            }
        }

        #[test]
        fn no_trailing_minute_holds_more_than_the_limit(steps in prop::collection::vec((0u64..3000, 1u32..=5), 1..400)) {
            let (mut window, mut oracle, mut now_ms) = (SlidingWindow::default(), Oracle::default(), START_MS);
            for (wait_ms, cost) in steps {
                now_ms += wait_ms;
                if window.take(now_ms, 5, TakeRequest::of(cost)).admitted {
                    prop_assert!(oracle.admitted(now_ms, cost) <= 5);
                }
            }
        }

        #[test]
        fn a_refusal_names_the_exact_instant_at_which_such_a_request_is_admitted(steps in steps()) {
            let (mut window, mut now_ms, mut last) = (SlidingWindow::default(), START_MS, None);
            for step in steps {
                now_ms += step.wait_ms;
                let grant = window.take(now_ms, step.limit, request(&step, last));
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
        fn a_clock_that_steps_back_frees_nothing(back_ms in 0u64..200_000) {
            let mut window = SlidingWindow::default();
            (0..3).for_each(|_| assert!(window.take(START_MS, 3, ONE).admitted));
            prop_assert!(!window.take(START_MS - back_ms, 3, ONE).admitted);
        }
    }

    #[test]
    fn a_refused_request_is_charged_nothing_however_heavy() {
        let mut window = SlidingWindow::default();
        assert!(window.take(START_MS, 10, TakeRequest::of(4)).admitted);
        assert_eq!(window.take(START_MS, 10, TakeRequest::of(7)).remaining, 6);
        assert_eq!(window.take(START_MS, 10, TakeRequest::of(6)).remaining, 0);
    }

    #[test]
    fn a_steady_flood_is_admitted_at_over_98_percent_of_the_limit() {
        let mut window = SlidingWindow::default();
        let admitted =
            (0..600_000).filter(|tick| window.take(START_MS + tick, 1000, ONE).admitted).count();
        let share = admitted as f64 / (1000.0 * 600.0 / 60.0);
        assert!(share > 0.98, "{share}");
    }
}
