//! Slow and simple versions of the sliding window, which tests compare with the real ones.

use std::collections::VecDeque;
use std::iter::repeat_n;

use proptest::prelude::*;

use super::take::{Grant, LEASE_S, LeaseReturn, TakeRequest, WINDOW_S};

/// A window of whole seconds: a list of the second of every permit, counted anew for each call.
#[derive(Default)]
pub struct ReferenceWindow {
    newest_s: u64,
    permits_s: Vec<u64>,
}

impl ReferenceWindow {
    pub fn take(&mut self, now_ms: u64, limit: u32, take: TakeRequest) -> Grant {
        self.newest_s = self.newest_s.max(now_ms / 1000);
        let now_s = self.newest_s;
        self.permits_s.retain(|permit_s| permit_s + WINDOW_S >= now_s);
        self.give_back(take.lease_return);
        let free = (limit as usize).saturating_sub(self.permits_s.len());
        let cost = take.cost as usize;
        let admitted = free >= cost;
        let taken = if admitted { cost } else { 0 };
        let prefetched = if admitted { (take.prefetch as usize).min(free - cost) } else { 0 };
        let bucket_s = now_s + LEASE_S;
        self.permits_s.extend(repeat_n(now_s, taken));
        self.permits_s.extend(repeat_n(bucket_s, prefetched));
        self.permits_s.sort_unstable();
        // How many of the oldest permits must leave before the reset.
        let leaving = if admitted { 1 } else { self.permits_s.len() + cost - limit as usize };
        let reset_s = self.permits_s[leaving - 1] + WINDOW_S + 1;
        Grant {
            admitted,
            prefetched: prefetched as u32,
            bucket_s,
            remaining: (free - taken - prefetched) as u32,
            reset_in_ms: (reset_s * 1000).saturating_sub(now_ms),
            ..Grant::NOTHING
        }
    }

    fn give_back(&mut self, lease_return: LeaseReturn) {
        let LeaseReturn { bucket_s, unused } = lease_return;
        for _ in 0..unused {
            if let Some(position) = self.permits_s.iter().position(|permit_s| *permit_s == bucket_s)
            {
                self.permits_s.remove(position);
            }
        }
    }
}

/// The guarantee itself, independent of how the window counts: the exact time and cost of each
/// admitted request of one key.
#[derive(Default)]
pub struct ExactLog {
    admitted: VecDeque<(u64, u32)>,
    in_window: u32,
}

const MINUTE_MS: u64 = 60_000;

impl ExactLog {
    /// Adds a request that was admitted at `at_ms`, not earlier than the last one. Returns the cost
    /// of the trailing 60 s.
    pub fn admit(&mut self, at_ms: u64, cost: u32) -> u32 {
        self.admitted.push_back((at_ms, cost));
        self.in_window += cost;
        while let Some((_, expired_cost)) =
            self.admitted.front().filter(|(first_ms, _)| first_ms + MINUTE_MS <= at_ms)
        {
            self.in_window -= expired_cost;
            self.admitted.pop_front();
        }
        self.in_window
    }
}

/// One call of a test case, which every implementation of the window must answer alike.
#[derive(Debug, Clone)]
pub struct ModelStep {
    /// The time since the call before it.
    pub wait_ms: u64,
    pub limit: u32,
    pub cost: u32,
    pub prefetch: u32,
    /// How many of the permits that the last call prefetched are given back.
    pub unused: u32,
}

/// Random test cases.
pub fn steps() -> impl Strategy<Value = Vec<ModelStep>> {
    let wait_ms = prop_oneof![
        4 => 0u64..1500,
        2 => 0u64..20_000,
        1 => 55_000u64..65_000,
        1 => 100_000u64..200_000,
    ];
    let limit = prop_oneof![9 => Just(9u32), 1 => 1u32..20];
    let cost = prop_oneof![2 => Just(1u32), 1 => 2u32..20];
    let step = (wait_ms, limit, cost, 0u32..4, 0u32..4).prop_map(
        |(wait_ms, limit, cost, prefetch, unused)| ModelStep {
            wait_ms,
            limit,
            cost: cost.min(limit),
            prefetch,
            unused,
        },
    );
    proptest::collection::vec(step, 1..150)
}

/// The call of a step. `last` is the answer to the step before it.
pub fn take_request(step: &ModelStep, last: Option<Grant>) -> TakeRequest {
    let lease_return =
        last.map_or(LeaseReturn::NOTHING, |Grant { prefetched, bucket_s, .. }| LeaseReturn {
            bucket_s,
            unused: step.unused.min(prefetched),
        });
    TakeRequest { prefetch: step.prefetch, lease_return, ..TakeRequest::of(step.cost) }
}
