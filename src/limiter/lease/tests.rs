//! One lease against a window in process.

use super::*;
use crate::limiter::sliding_window::SlidingWindow;

const LIMIT: u32 = 10_000;

fn per_minute(requests: u32) -> RateLimit {
    RateLimit::per_minute(requests)
}

/// One instance with its lease, and a window in place of Redis that answers at once.
#[derive(Default)]
struct Instance {
    lease: Lease,
    window: SlidingWindow,
    /// Those beside it, which take nothing.
    others: u32,
    /// Calls for a request that waited, and renewals.
    calls: u32,
    renewals: u32,
}

impl Instance {
    /// A request that costs `cost`: from memory, or with a call.
    fn request(&mut self, now_ms: u64, limit: u32, cost: u32) -> LeaseDecision {
        match self.lease.decide(now_ms, per_minute(limit), cost) {
            LeaseDecision::CallRedis => self.call(now_ms, limit, cost, cost),
            decision => decision,
        }
    }

    fn call(&mut self, now_ms: u64, limit: u32, cost: u32, total_cost: u32) -> LeaseDecision {
        self.calls += 1;
        let (instances, per_minute) = (1 + self.others, per_minute(limit));
        let take = self.lease.prepare_call(now_ms, cost, total_cost, per_minute, instances, limit);
        let grant = self.window.take(now_ms, per_minute, take);
        self.lease.apply_grant(now_ms, now_ms, take, grant, per_minute)
    }

    /// A request after which the instance renews the lease if necessary.
    fn request_and_renew(&mut self, now_ms: u64, limit: u32, cost: u32) -> LeaseDecision {
        let decision = self.request(now_ms, limit, cost);
        if let LeaseDecision::Admit { lease_to_renew_ends_ms: Some(lease_ends_ms), .. } = decision {
            self.renewals += 1;
            let take = self.lease.prepare_renewal(now_ms, lease_ends_ms, 1 + self.others).unwrap();
            let grant = self.window.take(now_ms, per_minute(limit), take);
            self.lease.apply_renewal(now_ms, now_ms, take, grant, per_minute(limit));
        }
        decision
    }

    /// Requests at these times. Returns how many are admitted.
    fn run(&mut self, times_ms: impl Iterator<Item = u64>, limit: u32) -> u32 {
        times_ms
            .map(|now_ms| u32::from(is_admitted(self.request_and_renew(now_ms, limit, 1))))
            .sum()
    }
}

fn is_admitted(decision: LeaseDecision) -> bool {
    matches!(decision, LeaseDecision::Admit { .. })
}

fn is_rejected(decision: LeaseDecision) -> bool {
    matches!(decision, LeaseDecision::Reject { .. })
}

/// The prefetch of a hot key doubles with each call that finds no permit left, which happens often
/// while Redis does not answer.
#[test]
fn a_long_outage_of_redis_does_not_overflow_the_prefetch() {
    let lease = Lease::default();
    for call in 0..1000 {
        let now_ms = call * LOCAL_FALLBACK_MS;
        assert_eq!(lease.decide(now_ms, per_minute(LIMIT), 1), LeaseDecision::CallRedis);
        lease.prepare_call(now_ms, 1, 1, per_minute(LIMIT), 1, LIMIT);
        lease.call_failed(now_ms);
    }
}

#[test]
fn a_hot_key_calls_redis_a_few_times_per_second_at_any_rate() {
    // 100 per second for a minute: 6,000 requests, fewer than the limit.
    let mut instance = Instance::default();
    assert_eq!(instance.run((0..60_000).step_by(10), LIMIT), 6000);
    let calls = instance.calls + instance.renewals;
    assert!(calls < 600, "{calls}");
}

#[test]
fn requests_of_a_hot_key_do_not_wait_for_redis() {
    // 1,000 per second for ten minutes. Requests wait only until the lease has grown.
    let mut instance = Instance::default();
    assert_eq!(instance.run(0..600_000, 100_000), 600_000);
    assert!(instance.calls < 10, "{}", instance.calls);
}

#[test]
fn a_late_renewal_does_not_replace_the_next_lease() {
    let mut instance = Instance::default();
    let [first_ends_ms, second_ends_ms] = [900, 2000].map(|now_ms| {
        instance.call(now_ms, LIMIT, 1, 20);
        instance.lease.state().lease_ends_ms
    });
    assert_eq!(instance.lease.prepare_renewal(2001, first_ends_ms, 1), None);
    assert!(instance.lease.prepare_renewal(2001, second_ends_ms, 1).is_some());
}

#[test]
fn a_renewal_does_not_replace_another_lease_of_the_same_millisecond() {
    let mut instance = Instance::default();
    let [first_ends_ms, second_ends_ms, third_ends_ms] = [1, 50, 60].map(|cost| {
        instance.call(900, LIMIT, cost, cost + 20);
        instance.lease.state().lease_ends_ms
    });
    assert_eq!(instance.lease.prepare_renewal(900, first_ends_ms, 1), None);
    assert_eq!(instance.lease.prepare_renewal(900, second_ends_ms, 1), None);
    assert!(instance.lease.prepare_renewal(900, third_ends_ms, 1).is_some());
}

#[test]
fn renewals_lose_no_permits() {
    // 500 per second against 10,000 per minute: the whole limit is admitted in the first 20 s.
    let mut instance = Instance::default();
    assert_eq!(instance.run((0..60_000).step_by(2), LIMIT), LIMIT);
}

#[test]
fn a_flood_is_rejected_from_memory() {
    let mut instance = Instance::default();
    assert_eq!(instance.run(0..59_000, 100), 100);
    let calls = instance.calls + instance.renewals;
    assert!(calls < 100, "{calls}");
}

#[test]
fn a_rejection_holds_until_its_time_or_until_the_limit_changes() {
    let mut instance = Instance::default();
    assert!(is_admitted(instance.call(1000, 1, 1, 1)));
    assert!(is_rejected(instance.call(1000, 1, 1, 1)));
    assert!(is_rejected(instance.lease.decide(2000, per_minute(1), 1)));
    assert_eq!(instance.lease.decide(2000, per_minute(2), 1), LeaseDecision::CallRedis);
    assert_eq!(instance.lease.decide(2000, per_minute(0), 1), LeaseDecision::CallRedis);
    assert_eq!(instance.lease.decide(62_000, per_minute(1), 1), LeaseDecision::CallRedis);
}

#[test]
fn after_the_rejection_of_a_costly_request_cheaper_ones_are_admitted() {
    let mut instance = Instance::default();
    assert!(is_admitted(instance.request(1000, 100, 60)));
    let rejection = LeaseDecision::Reject { remaining: 40, reset_in_ms: 60_001 };
    assert_eq!(instance.request(1000, 100, 41), rejection);
    // The repeated request is rejected from memory, and takes no permits.
    assert_eq!(instance.lease.decide(1000, per_minute(100), 41), rejection);
    for _ in 0..40 {
        assert!(is_admitted(instance.request(1000, 100, 1)));
    }
    let last = instance.request(1000, 100, 1);
    assert!(matches!(last, LeaseDecision::Reject { remaining: 0, .. }), "{last:?}");
    let two = instance.lease.decide(1000, per_minute(100), 2);
    assert_eq!(two, LeaseDecision::CallRedis, "only Redis knows when 2 permits are free");
    assert!(is_admitted(instance.request(62_000, 100, 41)));
}

#[test]
fn a_request_that_costs_more_than_the_lease_can_use_its_permits() {
    let mut instance = Instance::default();
    let mut used = 0;
    for now_ms in (0..2000).step_by(4) {
        assert!(is_admitted(instance.request(now_ms, 1000, 1)));
        used += 1;
    }
    assert!(instance.lease.permits.available(1999) > 0, "the test needs a lease with permits");
    let rest = instance.request(1999, 1000, 1000 - used);
    assert!(matches!(rest, LeaseDecision::Admit { remaining: 0, .. }), "{rest:?}");
    assert!(is_rejected(instance.request(1999, 1000, 1)));
}

#[test]
fn costly_requests_use_leases_and_renewals() {
    let mut instance = Instance::default();
    // 100 per second that cost 7 each.
    for now_ms in (0..10_000).step_by(10) {
        let decision = instance.request_and_renew(now_ms, 100_000, 7);
        assert!(is_admitted(decision), "{decision:?}");
    }
    let Instance { calls, renewals, .. } = instance;
    assert!(calls < 20 && renewals > 8, "{calls} calls, {renewals} renewals");
}

#[test]
fn an_instance_alone_calls_redis_a_fifth_as_often() {
    let [alone, beside_another] = [0, 1].map(|others| {
        let mut instance = Instance { others, ..Instance::default() };
        let requests = 150 * 60;
        assert_eq!(instance.run((0..requests).map(|n| n * 1000 / 150), 10_000), 9000);
        instance.calls + instance.renewals
    });
    assert!(alone * 5 <= beside_another, "{alone} and {beside_another} calls");
}

#[test]
fn a_burst_on_a_new_key_strands_few_permits() {
    let mut window = SlidingWindow::default();
    let lease = Lease::default();
    for total_cost in [1, 60, 14] {
        let take = lease.prepare_call(1000, 1, total_cost, per_minute(100), 2, 50);
        let grant = window.take(1000, per_minute(100), take);
        assert!(is_admitted(lease.apply_grant(1000, 1000, take, grant, per_minute(100))));
        for _ in 1..total_cost {
            assert!(is_admitted(lease.decide(1000, per_minute(100), 1)));
        }
    }
    let stranded = lease.permits.take_all();
    assert!(stranded <= 4, "{stranded}");
}

/// The tier of a key goes from 1,000 to 10 a minute while the instance holds permits ahead.
#[test]
fn a_lease_under_an_old_limit_admits_nothing_and_goes_back_with_the_next_request() {
    let mut instance = Instance::default();
    instance.run((0..1000).step_by(5), 1000);
    assert!(instance.lease.permits.available(1000) > 0, "the test needs a lease with permits");
    let after_a_minute_ms = 60_900;
    let mut admitted = 0;
    for now_ms in 1000..after_a_minute_ms {
        admitted += u32::from(is_admitted(instance.request(now_ms, 10, 1)));
    }
    assert_eq!(admitted, 0, "200 of 10 are used in the last minute");
    // All permits of the old lease are back: the key waits for its own requests only.
    let LeaseDecision::Reject { remaining: 0, reset_in_ms } = instance.request(1000, 10, 1) else {
        panic!("a rejection from memory");
    };
    assert!(reset_in_ms <= 61_000, "{reset_in_ms} ms");
    assert_eq!(
        instance.window.clone().take(1000, per_minute(1000), TakeRequest::ONE).remaining,
        799
    );
}

/// The window of a tier goes from 10 s to an hour and back while the instance holds permits ahead.
#[test]
fn a_lease_under_an_old_window_admits_nothing_and_goes_back_with_the_next_request() {
    let mut instance = Instance::default();
    let [short, hour] = [10, 3600].map(|window_s| RateLimit { requests: 1000, window_s });
    let mut used = 0;
    for (second, limit) in [(0, short), (1, hour), (2, short), (3, hour)] {
        for now_ms in (0..1000).step_by(5).map(|ms| second * 1000 + ms) {
            used += 1;
            let decision = match instance.lease.decide(now_ms, limit, 1) {
                LeaseDecision::CallRedis => {
                    let take = instance.lease.prepare_call(now_ms, 1, 1, limit, 1, 1000);
                    let grant = instance.window.take(now_ms, limit, take);
                    instance.lease.apply_grant(now_ms, now_ms, take, grant, limit)
                }
                decision => decision,
            };
            assert!(is_admitted(decision), "{decision:?}");
        }
        let now_ms = second * 1000 + 999;
        assert!(instance.lease.permits.available(now_ms) > 0, "the test needs permits ahead");
        let other = if limit == short { hour } else { short };
        assert_eq!(instance.lease.decide(now_ms, other, 1), LeaseDecision::CallRedis);
    }
    let take = instance.lease.prepare_call(4000, 1, 1, short, 1, 1000);
    let grant = instance.window.take(4000, short, TakeRequest { prefetch: 0, ..take });
    assert_eq!(grant.remaining, 1000 - used - 1, "all permits ahead are back");
}

/// Two instances share a window, and the other one uses most of it.
#[test]
fn the_remaining_permits_are_those_that_the_other_instance_leaves() {
    let mut window = SlidingWindow::default();
    let leases = [Lease::default(), Lease::default()];
    let mut decide = |of: usize, now_ms| match leases[of].decide(now_ms, per_minute(1000), 1) {
        LeaseDecision::CallRedis => {
            let take = leases[of].prepare_call(now_ms, 1, 1, per_minute(1000), 2, 500);
            let grant = window.take(now_ms, per_minute(1000), take);
            leases[of].apply_grant(now_ms, now_ms, take, grant, per_minute(1000))
        }
        decision => decision,
    };
    let (mut left, mut too_high) = (1000, 0);
    for now_ms in 0..3000 {
        // 200 a second on the second instance, 20 a second on the first.
        let of = match now_ms {
            _ if now_ms % 50 == 0 => 0,
            _ if now_ms % 5 == 0 => 1,
            _ => continue,
        };
        let LeaseDecision::Admit { remaining, .. } = decide(of, now_ms) else {
            panic!("{left} are left")
        };
        left -= 1;
        too_high = too_high.max(remaining.saturating_sub(left));
    }
    // In the first second, nothing is known of the other instance.
    assert!(too_high <= 50, "{too_high} more than are left");
}
