//! The sliding window: how many requests one key made in each of the last seconds.
//!
//! A request admitted at time t counts against every later time t' with t' - t < 60 s. Seconds are counted whole, so
//! a request in the first instant of second s still counts in the last instant of second s + 60: 61 buckets are live
//! at once. Counting the oldest whole only ever refuses too early, by less than a second; it never admits too much.

/// The length of the window, in seconds: a limit holds in any trailing stretch of this length.
pub const WINDOW_S: u64 = 60;
const BUCKETS: usize = WINDOW_S as usize + 1;

/// The log of one key's admitted requests, in 1-second buckets.
#[derive(Debug, Clone)]
pub struct Ring {
    /// The newest second seen. Time never goes back: an earlier clock counts as this second.
    newest_s: u64,
    total: u64,
    buckets: [u32; BUCKETS],
}

/// What a window answers to a request for permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Permits given, from 0 to the number wanted.
    pub granted: u32,
    /// Permits that could still be taken now.
    pub remaining: u32,
    /// Milliseconds until the oldest counted request leaves the window. Where nothing was granted: until the next
    /// permit can be had, exactly.
    pub reset_in_ms: u64,
}

impl Default for Ring {
    fn default() -> Self {
        Self { newest_s: 0, total: 0, buckets: [0; BUCKETS] }
    }
}

impl Ring {
    /// Takes up to `wanted` permits at `now_ms` (epoch milliseconds), so that the window never holds more than `limit`.
    pub fn take(&mut self, now_ms: u64, limit: u32, wanted: u32) -> Grant {
        self.advance(now_ms / 1000);
        let free = u64::from(limit).saturating_sub(self.total);
        let granted = u64::from(wanted).min(free) as u32;
        self.buckets[self.newest_s as usize % BUCKETS] += granted;
        self.total += u64::from(granted);
        let room_for = if granted == 0 { u64::from(limit.max(1)) } else { self.total };
        let reset_in_ms = (self.falls_below_at_s(room_for) * 1000).saturating_sub(now_ms);
        Grant { granted, remaining: (free - u64::from(granted)) as u32, reset_in_ms }
    }

    /// Whether nothing counted here can matter at `now_ms` any more.
    pub fn is_idle(&self, now_ms: u64) -> bool {
        let mut then = self.clone();
        then.advance(now_ms / 1000);
        then.total == 0
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
        for second in self.newest_s + 1..=now_s {
            let left = std::mem::take(&mut self.buckets[second as usize % BUCKETS]);
            self.total -= u64::from(left);
        }
        self.newest_s = now_s;
    }

    /// The second at which fewer than `count` requests are left in the window.
    fn falls_below_at_s(&self, count: u64) -> u64 {
        let mut left = self.total;
        for age in (0..BUCKETS as u64).rev() {
            let Some(second) = self.newest_s.checked_sub(age) else { continue };
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
    //! The reference: a log of every admitted instant, as simple as the promise itself.

    use super::{Grant, WINDOW_S};

    #[derive(Default)]
    pub struct Log {
        pub admitted_ms: Vec<u64>,
    }

    impl Log {
        /// The most requests admitted in any trailing 60 s, by the exact instants.
        pub fn most_in_any_window(&self) -> usize {
            let within = |(at, end): (usize, &u64)| {
                self.admitted_ms[..=at].iter().filter(|&&t| t + WINDOW_S * 1000 > *end).count()
            };
            self.admitted_ms.iter().enumerate().map(within).max().unwrap_or(0)
        }

        /// What a window of whole seconds must answer, counted from scratch.
        pub fn take(&mut self, now_ms: u64, limit: u32, wanted: u32) -> Grant {
            let second = |ms: u64| ms / 1000;
            let mut live: Vec<u64> =
                self.admitted_ms.iter().map(|&t| second(t)).filter(|&s| second(now_ms) - s <= WINDOW_S).collect();
            let granted = wanted.min((limit as usize).saturating_sub(live.len()) as u32);
            for _ in 0..granted {
                self.admitted_ms.push(now_ms);
                live.push(second(now_ms));
            }
            let leaves_first = if granted == 0 { live.len().saturating_sub(limit.max(1) as usize) } else { 0 };
            let reset_s = live.get(leaves_first).map_or(second(now_ms), |s| s + WINDOW_S + 1);
            let remaining = (limit as usize).saturating_sub(live.len()) as u32;
            Grant { granted, remaining, reset_in_ms: (reset_s * 1000).saturating_sub(now_ms) }
        }
    }

    /// One step of a case that every implementation of the window must answer alike: wait, then want.
    #[derive(Debug, Clone)]
    pub struct Step {
        pub wait_ms: u64,
        pub limit: u32,
        pub wanted: u32,
    }

    pub fn steps() -> impl proptest::strategy::Strategy<Value = Vec<Step>> {
        use proptest::prelude::*;
        let wait_ms = prop_oneof![4 => 0u64..1500, 2 => 0u64..20_000, 1 => 55_000u64..65_000, 1 => Just(1_000_000u64)];
        let step = (wait_ms, prop_oneof![9 => Just(7u32), 1 => 1u32..20], 1u32..4);
        proptest::collection::vec(step.prop_map(|(wait_ms, limit, wanted)| Step { wait_ms, limit, wanted }), 1..150)
    }
}

#[cfg(test)]
mod tests {
    use super::model::{Log, steps};
    use super::*;
    use proptest::prelude::*;

    const START_MS: u64 = 1_700_000_000_500;

    proptest! {
        #[test]
        fn the_ring_answers_as_the_log_does(steps in steps()) {
            let (mut ring, mut log, mut now_ms) = (Ring::default(), Log::default(), START_MS);
            for step in steps {
                now_ms += step.wait_ms;
                let expected = log.take(now_ms, step.limit, step.wanted);
                prop_assert_eq!(ring.take(now_ms, step.limit, step.wanted), expected, "{:?}", step);
            }
        }

        #[test]
        fn no_trailing_minute_holds_more_than_the_limit(waits_ms in prop::collection::vec(0u64..3000, 1..400)) {
            let (mut ring, mut log, mut now_ms) = (Ring::default(), Log::default(), START_MS);
            for wait_ms in waits_ms {
                now_ms += wait_ms;
                if ring.take(now_ms, 5, 1).granted == 1 {
                    log.admitted_ms.push(now_ms);
                }
            }
            prop_assert!(log.most_in_any_window() <= 5);
        }

        #[test]
        fn a_refusal_names_the_exact_instant_at_which_one_more_is_admitted(steps in steps()) {
            let (mut ring, mut now_ms) = (Ring::default(), START_MS);
            for step in steps {
                now_ms += step.wait_ms;
                let grant = ring.take(now_ms, step.limit, step.wanted);
                if grant.granted == 0 {
                    prop_assert_eq!(ring.clone().take(now_ms + grant.reset_in_ms - 1, step.limit, 1).granted, 0);
                    prop_assert_eq!(ring.clone().take(now_ms + grant.reset_in_ms, step.limit, 1).granted, 1);
                }
            }
        }

        #[test]
        fn a_clock_that_steps_back_frees_nothing(back_ms in 0u64..200_000) {
            let mut ring = Ring::default();
            prop_assert_eq!(ring.take(START_MS, 3, 3).granted, 3);
            prop_assert_eq!(ring.take(START_MS - back_ms, 3, 1).granted, 0);
        }
    }

    #[test]
    fn a_steady_flood_is_admitted_at_over_98_percent_of_the_limit() {
        let (mut ring, mut admitted) = (Ring::default(), 0);
        for tick in 0..600_000u64 {
            admitted += ring.take(START_MS + tick, 1000, 1).granted;
        }
        let share = f64::from(admitted) / (1000.0 * 600.0 / 60.0);
        assert!(share > 0.98, "{share}");
    }
}
