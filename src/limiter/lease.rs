//! A lease: permits of one key that one instance has taken ahead, so that most requests need no
//! Redis.
//!
//! Pure: the time is an argument, in milliseconds of a clock of the instance's own that never
//! steps.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::permits::{Permits, Rest};
use super::refusals::Refusals;
use super::sliding_window::{AHEAD_S_MAX, Grant, LeaseReturn, TakeRequest};

/// How much of a hot key's traffic a lease holds at most: what comes within this many seconds.
const HOT_S: f64 = 0.25;
/// For how many seconds a hot key's permits are taken.
const HOT_AHEAD_S: u32 = 1;
/// A slow key's permits are taken for the longest time, since its requests are far apart,
const SLOW_AHEAD_S: u32 = AHEAD_S_MAX;
/// at most so many,
const SLOW_PERMITS_MAX: u32 = 4;
/// at most this part of its limit, so that what is counted too long is no more than that,
const SLOW_PART_OF_LIMIT: u32 = 20;
/// and only while it is far from its limit.
const SLOW_REMAINING_PART: u32 = 2;
/// What a new key is taken for, until more is known: one that uses just those.
const SLOW_RATE_PER_S: f64 = SLOW_PERMITS_MAX as f64 / SLOW_AHEAD_S as f64;
/// After a failed call, how long requests go on without another one.
const LOCAL_FALLBACK_MS: u64 = 100;

/// A lease of at least so many permits is renewed when half of them are used: those who use it
/// never wait for Redis.
const RENEWED_PERMITS_MIN: u32 = 8;

/// A key that was not asked about for this long starts anew.
const IDLE_MS: u64 = 10 * 60 * 1000;

/// What one instance holds and knows of one key.
///
/// Deciding on a request that counts as one takes no lock: a worker that the system puts to sleep
/// with a lock in its hand would stop all others that serve the same key for as long as it sleeps.
#[derive(Debug, Default)]
pub struct Lease {
    permits: Permits,
    /// Whoever leaves so many permits starts the renewal.
    renew_at: AtomicU32,
    refusals: Refusals,
    local_until_ms: AtomicU64,
    /// As of the last call: permits that nobody had taken, and when the window next frees one.
    remaining: AtomicU32,
    reset_ms: AtomicU64,
    /// Only for whoever asks the ledger.
    state: Mutex<LeaseState>,
}

/// What the next call depends on.
#[derive(Debug, Default)]
struct LeaseState {
    /// The second in which the permits at hand are counted, how many were taken ahead, and with
    /// those for requests that were there already.
    stamp_s: u64,
    ahead: u32,
    held: u32,
    /// How many of the permits asked for are for requests that wait.
    waiting: u32,
    /// What became of an earlier lease: the next call says so.
    lease_return: LeaseReturn,
    called_ms: Option<u64>,
    /// When the lease at hand was asked for, and when it ends.
    lease_sent_ms: Option<u64>,
    ends_ms: u64,
    rate_per_s: f64,
    /// How many permits beyond those waited for a hot key's next lease may hold.
    size: u32,
}

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Admit {
        remaining: u32,
        reset_in_ms: u64,
        /// Whoever is admitted is to renew the lease that ends then, without waiting for it.
        renew: Option<u64>,
    },
    Refuse {
        /// Fewer than the request counts as.
        remaining: u32,
        reset_in_ms: u64,
    },
    /// Ask the ledger.
    Ask,
    /// The ledger has just failed: decide without it.
    LocalFallback,
}

impl Lease {
    /// Decides on a request that counts as `cost`, from memory where that can be done.
    pub fn step(&self, now_ms: u64, limit: u32, cost: u32) -> Step {
        if let Some((left, ends_ms)) = self.permits.take(cost, now_ms) {
            let reset_in_ms = self.reset_ms.load(Ordering::Relaxed).saturating_sub(now_ms);
            let remaining = self.remaining.load(Ordering::Relaxed).saturating_add(left);
            // Each permit is taken by one request only, so that one renews.
            let renew_at = self.renew_at.load(Ordering::Relaxed);
            let renews = left > 0 && left <= renew_at && renew_at < left + cost;
            return Step::Admit { remaining, reset_in_ms, renew: renews.then_some(ends_ms) };
        }
        if let Some(until_ms) = self.refusals.until_ms(now_ms, cost, limit) {
            let free =
                self.remaining.load(Ordering::Relaxed).saturating_add(self.permits.at_hand(now_ms));
            Step::Refuse { remaining: free.min(cost - 1), reset_in_ms: until_ms - now_ms }
        } else if now_ms < self.local_until_ms.load(Ordering::Relaxed) {
            Step::LocalFallback
        } else {
            Step::Ask
        }
    }

    /// What to ask the ledger for, for a request that counts as `cost`, where those that wait for
    /// the answer count as `waiting` (this one included). Permits that are too few for it or ran
    /// out unused go back, and used ones are counted when they were used.
    pub fn request(
        &self,
        now_ms: u64,
        cost: u32,
        waiting: u32,
        limit: u32,
        instances: u32,
    ) -> TakeRequest {
        let mut state = self.state();
        let Rest { count: unused, early_s } = self.permits.take_all();
        match state.called_ms {
            Some(called_ms) => {
                let elapsed_ms = now_ms.saturating_sub(called_ms);
                state.observe(
                    elapsed_ms,
                    unused,
                    unused < cost && elapsed_ms < u64::from(HOT_AHEAD_S) * 1000,
                );
            }
            None => {
                self.remaining.store(limit, Ordering::Relaxed);
                state.rate_per_s = SLOW_RATE_PER_S;
            }
        }
        state.settle_later(unused, early_s);
        let free = self.remaining.load(Ordering::Relaxed).saturating_add(unused);
        let (ahead, ahead_s) = state.prefetch(limit, free);
        state.waiting = waiting.saturating_sub(cost);
        // Who waits already uses his permit at once; it must not be taken for long.
        let ahead_s = if state.waiting > 0 { HOT_AHEAD_S } else { ahead_s };
        let left = free.saturating_sub(cost - 1);
        let ahead = state.waiting.saturating_add(ahead.min(left / (2 * instances.max(1))));
        state.call(now_ms, cost, ahead, ahead_s)
    }

    /// Takes in the ledger's answer to a `request` that was sent at `sent_ms`, and decides on the
    /// request that asked.
    ///
    /// The lease ends counted from the sending: the ledger stamped the permits later than that, so
    /// the last use of one lies within the second that it is counted in, whatever the clocks say
    /// and however long the answer took.
    pub fn apply_grant(
        &self,
        sent_ms: u64,
        now_ms: u64,
        request: TakeRequest,
        grant: Grant,
        limit: u32,
    ) -> Step {
        let mut state = self.state();
        let taken = if grant.admitted { request.cost } else { 0 };
        (state.stamp_s, state.ahead, state.held) =
            (grant.stamp_s, grant.ahead, grant.ahead + taken);
        self.absorb_grant(&mut state, sent_ms, now_ms, request, grant);
        if !grant.admitted {
            self.refusals.note(now_ms, request.cost, limit, now_ms + grant.reset_in_ms);
            return Step::Refuse { remaining: grant.remaining, reset_in_ms: grant.reset_in_ms };
        }
        let remaining = grant.remaining.saturating_add(grant.ahead);
        Step::Admit { remaining, reset_in_ms: grant.reset_in_ms, renew: None }
    }

    /// What to ask the ledger for while the lease that ends at `ends_ms` is in use. `None` where
    /// another one has taken its place: whoever started the renewal had no permit of that one to
    /// give back.
    pub fn want_renewal(
        &self,
        now_ms: u64,
        ends_ms: u64,
        limit: u32,
        instances: u32,
    ) -> Option<TakeRequest> {
        let mut state = self.state();
        let left = self.permits.left(ends_ms)?;
        let called_ms = state.called_ms.unwrap_or(now_ms);
        state.observe(now_ms.saturating_sub(called_ms), left, true);
        (state.held, state.waiting) = (left, 0);
        let free = self.remaining.load(Ordering::Relaxed).saturating_add(left);
        let (ahead, ahead_s) = state.prefetch(limit, free);
        Some(state.call(now_ms, 1, ahead.min(free / (2 * instances.max(1))), ahead_s))
    }

    /// Takes in the answer to a `want_renewal`. The permit for now that comes with it stands for
    /// one of those of the old lease by which the request was admitted that started the renewal:
    /// that one goes back with the unused.
    pub fn apply_renewal(&self, sent_ms: u64, now_ms: u64, request: TakeRequest, grant: Grant) {
        let mut state = self.state();
        if !grant.admitted {
            self.remaining.store(0, Ordering::Relaxed);
            return;
        }
        let Rest { count: left, early_s } = self.permits.take_all();
        state.settle_later(left + 1, early_s);
        let used_meanwhile = state.held.saturating_sub(left);
        (state.stamp_s, state.ahead, state.held) =
            (grant.stamp_s, grant.ahead, grant.ahead + used_meanwhile);
        self.absorb_grant(&mut state, sent_ms, now_ms, request, grant);
    }

    fn absorb_grant(
        &self,
        state: &mut LeaseState,
        sent_ms: u64,
        now_ms: u64,
        request: TakeRequest,
        grant: Grant,
    ) {
        // What waits to go back is nobody's.
        self.remaining
            .store(grant.remaining.saturating_add(state.lease_return.unused), Ordering::Relaxed);
        self.reset_ms.store(now_ms + grant.reset_in_ms, Ordering::Relaxed);
        self.local_until_ms.store(0, Ordering::Relaxed);
        let spare = grant.ahead.saturating_sub(state.waiting);
        let renewed = spare >= RENEWED_PERMITS_MIN && request.ahead_s == HOT_AHEAD_S;
        self.renew_at.store(if renewed { spare / 2 } else { 0 }, Ordering::Relaxed);
        // A renewal knows its lease by its end. Where a heavy request took the place of one within
        // its first millisecond, the next one ends earlier by one.
        let ends_ms = sent_ms + u64::from(request.ahead_s) * 1000;
        let is_twin = state.lease_sent_ms == Some(sent_ms);
        state.ends_ms =
            if is_twin { ends_ms.min(state.ends_ms.saturating_sub(1)) } else { ends_ms };
        state.lease_sent_ms = Some(sent_ms);
        self.permits.put(grant.ahead, state.ends_ms);
    }

    /// A renewal got no answer. Nobody waited for it: whoever runs out of permits asks, and judges
    /// for himself.
    pub fn fail_renewal(&self) {
        self.state().held = 0;
    }

    /// The ledger gave no answer. What was asked for may have been charged: it is not used.
    pub fn fail(&self, now_ms: u64) {
        self.state().held = 0;
        self.local_until_ms.store(now_ms + LOCAL_FALLBACK_MS, Ordering::Relaxed);
    }

    /// Whether nothing in here matters at `now_ms` any more.
    pub fn is_idle(&self, now_ms: u64) -> bool {
        let called_long_ago =
            self.state().called_ms.is_none_or(|called_ms| now_ms > called_ms + IDLE_MS);
        called_long_ago && self.refusals.have_ended(now_ms) && self.permits.has_ended(now_ms)
    }

    fn state(&self) -> MutexGuard<'_, LeaseState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LeaseState {
    /// Learns from the time since the last call, and from what is `unused` of the lease: the key's
    /// rate, and whether the lease was too small. It doubles where it was used up and halves where
    /// it was not, so that a burst strands no more permits than the burst before needed.
    fn observe(&mut self, elapsed_ms: u64, unused: u32, too_small: bool) {
        let elapsed_s = elapsed_ms.max(1) as f64 / 1000.0;
        let used = self.held.saturating_sub(unused);
        // Half of it new each time: follows a spike within two calls, and forgets it as fast.
        self.rate_per_s = (self.rate_per_s + f64::from(used) / elapsed_s) / 2.0;
        self.size = if too_small { self.size.saturating_mul(2).max(1) } else { self.size / 2 };
    }

    /// The lease at hand is used no more: `unused` of its permits are left, and the others were
    /// used `early_s` or more before its end. It ends within the second in which it is counted, so
    /// that they were used by so much earlier a second.
    ///
    /// Two leases may wait to be settled; a call settles those of one second. The others are the
    /// fewer, and run out.
    fn settle_later(&mut self, unused: u32, early_s: u64) {
        let stamp_s = self.stamp_s;
        let used = std::mem::take(&mut self.ahead).saturating_sub(unused);
        let used = if early_s > 0 { used } else { 0 };
        let (used_s, last) = (stamp_s.saturating_sub(early_s), self.lease_return);
        if stamp_s == last.stamp_s {
            let (unused, used) = (last.unused + unused, last.used + used);
            self.lease_return =
                LeaseReturn { stamp_s, unused, used, used_s: last.used_s.max(used_s) };
        } else if unused + used > last.unused + last.used {
            self.lease_return = LeaseReturn { stamp_s, unused, used, used_s };
        }
    }

    fn call(&mut self, now_ms: u64, cost: u32, ahead: u32, ahead_s: u32) -> TakeRequest {
        self.called_ms = Some(now_ms);
        let lease_return = std::mem::take(&mut self.lease_return);
        TakeRequest { cost, ahead, ahead_s, lease_return }
    }

    /// How many permits to take beyond those waited for, and for how many seconds, where
    /// `remaining` are left.
    fn prefetch(&mut self, limit: u32, remaining: u32) -> (u32, u32) {
        let hot = (self.rate_per_s * HOT_S) as u32;
        if hot >= 1 {
            self.size = self.size.min(hot);
            return (self.size, HOT_AHEAD_S);
        }
        if remaining < limit / SLOW_REMAINING_PART {
            return (0, HOT_AHEAD_S);
        }
        let expected = (self.rate_per_s * f64::from(SLOW_AHEAD_S)).round() as u32;
        (expected.min(SLOW_PERMITS_MAX).min(limit / SLOW_PART_OF_LIMIT), SLOW_AHEAD_S)
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::limiter::sliding_window::SlidingWindow;

    const LIMIT: u32 = 10_000;

    /// It doubles with each call that finds no permit left, and while the ledger is away there are
    /// many of those.
    #[test]
    fn a_ledger_that_stays_away_for_minutes_makes_no_lease_overflow() {
        let lease = Lease::default();
        for call in 0..1000 {
            let now_ms = call * LOCAL_FALLBACK_MS;
            assert_eq!(lease.step(now_ms, LIMIT, 1), Step::Ask);
            lease.request(now_ms, 1, 1, LIMIT, 1);
            lease.fail(now_ms);
        }
    }

    /// Requests at these times, one after the other, through one lease: (admitted, calls, requests
    /// that waited).
    fn drive(times_ms: impl Iterator<Item = u64>, limit: u32) -> (u32, u32, u32) {
        let (lease, mut window, mut admitted, mut calls, mut waited) =
            (Lease::default(), SlidingWindow::default(), 0, 0, 0);
        for now_ms in times_ms {
            let mut step = lease.step(now_ms, limit, 1);
            if step == Step::Ask {
                (calls, waited) = (calls + 1, waited + 1);
                let request = lease.request(now_ms, 1, 1, limit, 1);
                step = lease.apply_grant(
                    now_ms,
                    now_ms,
                    request,
                    window.take(now_ms, limit, request),
                    limit,
                );
            }
            if let Step::Admit { renew: Some(ends_ms), .. } = step {
                calls += 1;
                let request = lease.want_renewal(now_ms, ends_ms, limit, 1).unwrap();
                lease.apply_renewal(now_ms, now_ms, request, window.take(now_ms, limit, request));
            }
            admitted += u32::from(matches!(step, Step::Admit { .. }));
        }
        (admitted, calls, waited)
    }

    #[test]
    fn a_hot_key_asks_a_few_times_a_second_whatever_its_rate() {
        // 100 a second for a minute: 6,000 requests below the limit.
        let (admitted, calls, _) = drive((0..60_000).step_by(10), LIMIT);
        assert_eq!(admitted, 6000);
        assert!(calls < 600, "{calls}");
    }

    #[test]
    fn those_who_use_a_hot_key_do_not_wait_for_redis() {
        // 1,000 a second for ten minutes: it waits until the first leases have grown, and never
        // again.
        let (admitted, _, waited) = drive(0..600_000, 100_000);
        assert_eq!(admitted, 600_000);
        assert!(waited < 10, "{waited}");
    }

    #[test]
    fn a_renewal_that_comes_too_late_leaves_the_next_lease_alone() {
        let (lease, mut window) = (Lease::default(), SlidingWindow::default());
        for now_ms in [900, 2000] {
            let request = lease.request(now_ms, 1, 20, LIMIT, 1);
            lease.apply_grant(now_ms, now_ms, request, window.take(now_ms, LIMIT, request), LIMIT);
        }
        assert_eq!(lease.want_renewal(2001, 1900, LIMIT, 1), None);
        assert!(lease.want_renewal(2001, 3000, LIMIT, 1).is_some());
    }

    #[test]
    fn a_renewal_leaves_a_lease_alone_that_has_the_age_of_its_own_but_is_another() {
        let (lease, mut window) = (Lease::default(), SlidingWindow::default());
        let mut ends_ms = Vec::new();
        for cost in [1, 50, 60] {
            let request = lease.request(900, cost, cost + 20, LIMIT, 1);
            lease.apply_grant(900, 900, request, window.take(900, LIMIT, request), LIMIT);
            ends_ms.push(lease.state().ends_ms);
        }
        let [first, second, third] = ends_ms[..] else { panic!("{ends_ms:?}") };
        assert_eq!(
            [lease.want_renewal(900, first, LIMIT, 1), lease.want_renewal(900, second, LIMIT, 1)],
            [None, None]
        );
        assert!(lease.want_renewal(900, third, LIMIT, 1).is_some());
    }

    #[test]
    fn renewals_lose_no_permits() {
        // 500 a second against 10,000 a minute: all of them are admitted, and the next one comes a
        // minute later.
        let (admitted, ..) = drive((0..60_000).step_by(2), LIMIT);
        assert_eq!(admitted, LIMIT);
    }

    #[test]
    fn a_slow_key_asks_once_for_several_requests() {
        // One request in 35 s for an hour and a half.
        let (admitted, calls, _) = drive((0..5_400_000).step_by(35_000), 100);
        assert_eq!(admitted, 155);
        assert!(calls < 60, "{calls}");
    }

    #[test]
    fn eight_hundred_keys_that_share_23_requests_a_second_ask_for_less_than_a_third_of_them() {
        let seed = rand::rng().random();
        println!("seed {seed}");
        let mut random = StdRng::seed_from_u64(seed);
        // An hour of each; the time between two requests is exponential.
        let (mut requests, mut asked) = (0, 0);
        for _ in 0..800 {
            let mut now_ms = 0.0;
            let waits = std::iter::repeat_with(|| {
                now_ms +=
                    -random.random_range(f64::MIN_POSITIVE..1.0f64).ln() * 1000.0 * 800.0 / 23.0;
                now_ms as u64
            });
            let (admitted, calls, _) = drive(waits.take_while(|now_ms| *now_ms < 3_600_000), 100);
            (requests, asked) = (requests + admitted, asked + calls);
        }
        println!("{asked} of {requests}");
        assert!(asked * 3 < requests, "{asked} of {requests}");
    }

    #[test]
    fn a_flood_is_refused_from_memory() {
        let (admitted, calls, _) = drive(0..59_000, 100);
        assert_eq!(admitted, 100);
        assert!(calls < 100, "{calls}");
    }

    #[test]
    fn a_refusal_holds_until_its_time_or_until_the_limit_is_raised() {
        let (lease, mut window) = (Lease::default(), SlidingWindow::default());
        for admitted in [true, false] {
            let request = lease.request(1000, 1, 1, 1, 1);
            let step = lease.apply_grant(1000, 1000, request, window.take(1000, 1, request), 1);
            assert_eq!(matches!(step, Step::Admit { .. }), admitted);
        }
        assert!(matches!(lease.step(2000, 1, 1), Step::Refuse { .. }));
        assert_eq!(lease.step(2000, 2, 1), Step::Ask);
        assert_eq!(lease.step(62_000, 1, 1), Step::Ask);
    }

    /// One instance and its ledger: a request that counts as `cost`, at `now_ms`.
    fn request(
        lease: &Lease,
        window: &mut SlidingWindow,
        now_ms: u64,
        limit: u32,
        cost: u32,
    ) -> Step {
        match lease.step(now_ms, limit, cost) {
            Step::Ask => {
                let request = lease.request(now_ms, cost, cost, limit, 1);
                lease.apply_grant(
                    now_ms,
                    now_ms,
                    request,
                    window.take(now_ms, limit, request),
                    limit,
                )
            }
            step => step,
        }
    }

    #[test]
    fn a_heavy_request_that_is_refused_lets_lighter_ones_go_on() {
        let (lease, mut window) = (Lease::default(), SlidingWindow::default());
        assert!(matches!(request(&lease, &mut window, 1000, 100, 60), Step::Admit { .. }));
        let refused = Step::Refuse { remaining: 40, reset_in_ms: 61_000 };
        assert_eq!(request(&lease, &mut window, 1000, 100, 41), refused);
        // It is refused again without asking, and is charged nothing.
        assert_eq!(lease.step(1000, 100, 41), refused);
        for _ in 0..40 {
            assert!(matches!(request(&lease, &mut window, 1000, 100, 1), Step::Admit { .. }));
        }
        assert!(matches!(
            request(&lease, &mut window, 1000, 100, 1),
            Step::Refuse { remaining: 0, .. }
        ));
        assert_eq!(lease.step(1000, 100, 2), Step::Ask, "when two are free, only the ledger knows");
        assert!(matches!(request(&lease, &mut window, 62_000, 100, 41), Step::Admit { .. }));
    }

    #[test]
    fn what_a_lease_holds_is_not_missed_by_a_request_that_is_too_heavy_for_it() {
        let (lease, mut window, mut used) = (Lease::default(), SlidingWindow::default(), 0);
        for now_ms in (0..2000).step_by(4) {
            assert!(matches!(request(&lease, &mut window, now_ms, 1000, 1), Step::Admit { .. }));
            used += 1;
        }
        let held = lease.permits.at_hand(1999);
        assert!(held > 0, "there has to be a lease");
        assert!(matches!(
            request(&lease, &mut window, 1999, 1000, 1000 - used),
            Step::Admit { remaining: 0, .. }
        ));
        assert!(matches!(request(&lease, &mut window, 1999, 1000, 1), Step::Refuse { .. }));
    }

    #[test]
    fn what_a_quiet_key_took_ahead_and_used_counts_no_longer_than_its_other_requests() {
        for quick in 1..=10 {
            let (lease, mut window) = (Lease::default(), SlidingWindow::default());
            for now_ms in 1000..1000 + quick {
                assert!(matches!(request(&lease, &mut window, now_ms, 100, 1), Step::Admit { .. }));
            }
            // A second more for where in its second the lease began, another for where in its
            // second it was used.
            let again_ms = 1000 + quick + 62_000;
            let heaviest = request(&lease, &mut window, again_ms, 100, 100);
            assert!(
                matches!(heaviest, Step::Admit { remaining: 0, .. }),
                "after {quick}: {heaviest:?}"
            );
        }
    }

    #[test]
    fn heavy_requests_too_use_leases_and_one_of_them_renews() {
        let (lease, mut window) = (Lease::default(), SlidingWindow::default());
        let (mut asked, mut renewed) = (0, 0);
        // 100 a second that count as 7 each.
        for now_ms in (0..10_000).step_by(10) {
            let mut step = lease.step(now_ms, 100_000, 7);
            if step == Step::Ask {
                asked += 1;
                step = request(&lease, &mut window, now_ms, 100_000, 7);
            }
            let Step::Admit { renew, .. } = step else { panic!("{step:?}") };
            if let Some(ends_ms) = renew {
                renewed += 1;
                let request = lease.want_renewal(now_ms, ends_ms, 100_000, 1).unwrap();
                lease.apply_renewal(now_ms, now_ms, request, window.take(now_ms, 100_000, request));
            }
        }
        assert!(asked < 20 && renewed > 50, "{asked} {renewed}");
    }

    #[test]
    fn a_burst_on_a_new_key_strands_few_permits() {
        let (lease, mut window) = (Lease::default(), SlidingWindow::default());
        for waiting in [1, 60, 14] {
            let request = lease.request(1000, 1, waiting, 100, 2);
            assert!(matches!(
                lease.apply_grant(1000, 1000, request, window.take(1000, 100, request), 100),
                Step::Admit { .. }
            ));
            (1..waiting)
                .for_each(|_| assert!(matches!(lease.step(1000, 100, 1), Step::Admit { .. })));
        }
        let left = lease.permits.take_all().count;
        assert!(left <= 4, "{left}");
    }
}
