//! Slow and simple versions of the sliding window, which tests compare with the real ones.

use std::collections::VecDeque;
use std::iter::repeat_n;

use proptest::prelude::*;

use super::take::{Grant, LeaseReturn, TakeRequest, USED_WITHIN_MS};
use crate::caller::RateLimit;

const CELLS: u64 = 60;
const MINUTE_MS: u64 = 60_000;
const KEPT_MS: u64 = 3_600_000;

/// A window that lists the time of every permit, and counts them anew for each call.
#[derive(Clone, Default)]
pub struct ReferenceWindow {
    newest_ms: u64,
    permits_ms: Vec<u64>,
}

impl ReferenceWindow {
    pub fn take(&mut self, now_ms: u64, limit: RateLimit, take: TakeRequest) -> Grant {
        let window_ms = u64::from(limit.window_s) * 1000;
        self.newest_ms = self.newest_ms.max(now_ms);
        let newest_ms = self.newest_ms;
        self.permits_ms.retain(|permit_ms| permit_ms + KEPT_MS >= newest_ms);
        let cell = |at_ms: u64| {
            if at_ms + window_ms >= newest_ms {
                ("in the window", at_ms / window_ms.div_ceil(CELLS))
            } else {
                ("old", at_ms / MINUTE_MS)
            }
        };
        // All permits of a cell count as the last.
        let join = |permits_ms: &mut Vec<u64>| {
            let all_ms = permits_ms.clone();
            for permit_ms in permits_ms.iter_mut() {
                let same_cell = all_ms.iter().filter(|other| cell(**other) == cell(*permit_ms));
                *permit_ms = *same_cell.max().expect("the permit itself");
            }
            permits_ms.sort_unstable();
        };
        join(&mut self.permits_ms);
        let LeaseReturn { bucket_ms, unused } = take.lease_return;
        for _ in 0..unused {
            let is_returned = |permit_ms: &u64| cell(*permit_ms) == cell(bucket_ms);
            if let Some(position) = self.permits_ms.iter().position(is_returned) {
                self.permits_ms.remove(position);
            }
        }
        let counts = |permit_ms: &&u64| *permit_ms + window_ms >= newest_ms;
        let total = self.permits_ms.iter().filter(counts).count();
        let (requests, cost) = (limit.requests as usize, take.cost as usize);
        let free = requests.saturating_sub(total);
        let admitted = free >= cost;
        let taken = if admitted { cost } else { 0 };
        let prefetched = if admitted { (take.prefetch as usize).min(free - cost) } else { 0 };
        let bucket_ms = newest_ms + USED_WITHIN_MS;
        self.permits_ms.extend(repeat_n(newest_ms, taken));
        self.permits_ms.extend(repeat_n(bucket_ms, prefetched));
        join(&mut self.permits_ms);
        // How many of the oldest permits must leave before the reset.
        let leaving = if admitted { 1 } else { total + cost - requests };
        let last_ms = self.permits_ms.iter().filter(counts).nth(leaving - 1).expect("permits");
        let reset_ms = last_ms + window_ms + 1;
        Grant {
            admitted,
            prefetched: prefetched as u32,
            bucket_ms,
            remaining: (free - taken - prefetched) as u32,
            reset_in_ms: reset_ms.saturating_sub(now_ms),
            ..Grant::NOTHING
        }
    }
}

/// The guarantee itself, independent of how the window counts: the exact time and cost of each
/// admitted request of one key, for as long as the longest window lasts.
#[derive(Default)]
pub struct ExactLog {
    admitted: VecDeque<(u64, u32)>,
    /// The window of the last call, how many of `admitted` have left it, and the cost of the rest.
    window_s: u32,
    left: usize,
    in_window: u32,
}

impl ExactLog {
    /// Adds a request that was admitted at `at_ms`, not earlier than the last one. Returns the cost
    /// of the trailing window.
    pub fn admit(&mut self, at_ms: u64, cost: u32, window_s: u32) -> u32 {
        self.admitted.push_back((at_ms, cost));
        self.in_window += cost;
        if window_s != self.window_s {
            self.window_s = window_s;
            self.left = 0;
            self.in_window = self.admitted.iter().map(|(_, cost)| cost).sum();
        }
        let window_ms = u64::from(window_s) * 1000;
        while let Some((_, left_cost)) =
            self.admitted.get(self.left).filter(|(first_ms, _)| first_ms + window_ms <= at_ms)
        {
            self.in_window -= left_cost;
            self.left += 1;
        }
        while self.admitted.front().is_some_and(|(first_ms, _)| first_ms + KEPT_MS <= at_ms) {
            self.admitted.pop_front();
            self.left -= 1;
        }
        self.in_window
    }
}

/// One call of a test case, which every implementation of the window must answer alike.
#[derive(Debug, Clone)]
pub struct ModelStep {
    /// The time since the call before it.
    pub wait_ms: u64,
    pub limit: RateLimit,
    pub cost: u32,
    pub prefetch: u32,
    /// How many of the permits that the last call prefetched are given back.
    pub unused: u32,
}

/// Windows of any length, and mostly those at the ends of the range.
pub fn window_s() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(10), 3 => Just(60), 3 => Just(3600), 1 => 10u32..=3600]
}

/// Random test cases. Each has one window, or its window changes now and then.
pub fn steps() -> impl Strategy<Value = Vec<ModelStep>> {
    let requests = || prop_oneof![9 => Just(9u32), 1 => 1u32..20];
    let cost = || prop_oneof![2 => Just(1u32), 1 => 2u32..20];
    (window_s(), any::<bool>()).prop_flat_map(move |(usual_window_s, changes)| {
        let window_ms = u64::from(usual_window_s) * 1000;
        let wait_ms = prop_oneof![
            4 => 0..window_ms / 40,
            2 => 0..window_ms / 3,
            1 => window_ms * 11 / 12..window_ms * 13 / 12,
            1 => window_ms * 5 / 3..window_ms * 10 / 3,
        ];
        let window_s = if changes {
            prop_oneof![6 => Just(usual_window_s), 1 => window_s()].boxed()
        } else {
            Just(usual_window_s).boxed()
        };
        let step = (wait_ms, requests(), window_s, cost(), 0u32..4, 0u32..4).prop_map(
            |(wait_ms, requests, window_s, cost, prefetch, unused)| ModelStep {
                wait_ms,
                limit: RateLimit { requests, window_s },
                cost: cost.min(requests),
                prefetch,
                unused,
            },
        );
        proptest::collection::vec(step, 1..150)
    })
}

/// The call of a step. `last` is the answer to the step before it.
pub fn take_request(step: &ModelStep, last: Option<Grant>) -> TakeRequest {
    let lease_return =
        last.map_or(LeaseReturn::NOTHING, |Grant { prefetched, bucket_ms, .. }| LeaseReturn {
            bucket_ms,
            unused: step.unused.min(prefetched),
        });
    TakeRequest { prefetch: step.prefetch, lease_return, ..TakeRequest::of(step.cost) }
}
