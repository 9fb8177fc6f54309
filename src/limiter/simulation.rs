//! Simulates instances, traffic, crashes and a failing Redis at random, and compares millions of
//! decisions with the exact log of admitted requests.
//!
//! While Redis keeps its data, no key exceeds its limit, even if limits and windows change. If
//! Redis loses data or answers no calls, no key exceeds twice its limit, however often that
//! happens.

mod events;
mod faults;
mod stats;
mod tests;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::lease::{Lease, LeaseDecision};
use super::redis_model::RedisModel;
use super::take::{Report, TakeRequest, WindowAnswer};
use super::window_model::ExactLog;
use crate::caller::RateLimit;
use faults::{Faults, Loss, SentCall, SimulatedRenewal};
use stats::{KEYS, LIMITS, Stats};

const INSTANCES: usize = 5;
const DECISIONS: u32 = 1_000_000;
/// By then, every instance has used every key.
const KNOWN_AFTER_DECISIONS: u32 = 20_000;

/// The start of the simulation by the clock of Redis. The clocks of instances start near zero.
const START_MS: u64 = 1_700_000_000_000;

/// The state of all instances and of Redis.
///
/// Each instance has a monotonic clock with an offset of its own. An instance that crashes starts
/// again with an empty lease and another offset.
struct Simulation {
    random: StdRng,
    faults: Faults,
    /// The length of every window, if it does not change.
    fixed_window_s: Option<u32>,
    /// The present limit of each key.
    limits: [RateLimit; KEYS],
    /// The present by the clock of Redis.
    now_ms: u64,
    offsets_ms: [u64; INSTANCES],
    leases: [[Lease; KEYS]; INSTANCES],
    /// At most one for each lease is sent at a time.
    renewals: Vec<SimulatedRenewal>,
    redis: RedisModel,
    /// The generation of Redis that each instance knows.
    generations_us: [u64; INSTANCES],
    /// Redis answers no calls until then.
    redis_lost_until_ms: u64,
    logs: [ExactLog; KEYS],
    stats: Stats,
}

impl Simulation {
    fn new(seed: u64, faults: Faults, fixed_window_s: Option<u32>) -> Self {
        let window_s = fixed_window_s.unwrap_or(60);
        Self {
            faults,
            fixed_window_s,
            limits: LIMITS.map(|requests| RateLimit { requests, window_s }),
            random: StdRng::seed_from_u64(seed),
            now_ms: START_MS,
            offsets_ms: std::array::from_fn(|instance| instance as u64 * 1_000_000),
            leases: Default::default(),
            renewals: Vec::new(),
            redis: RedisModel::default(),
            generations_us: [0; INSTANCES],
            redis_lost_until_ms: 0,
            logs: Default::default(),
            stats: Stats::default(),
        }
    }

    /// Lets some time pass, and sends some requests of one key to one instance.
    fn step(&mut self) {
        let instance = self.random.random_range(0..INSTANCES);
        let key = self.random.random_range(0..KEYS);
        // Bursts and pauses, of which few are long. More are long if the window is, so that enough
        // windows pass.
        let window_ms = u64::from(self.limits[key].window_s) * 1000;
        let long_pauses = if window_ms > 1_000_000 { 6 } else { 1 };
        self.now_ms += match self.random.random_range(0..1000) {
            pause if pause < long_pauses => self.random.random_range(0..window_ms * 3 / 2),
            0..30 => self.random.random_range(0..1500),
            30..300 => self.random.random_range(0..20),
            _ => 0,
        };
        if self.fixed_window_s.is_none() && self.random.random_range(0..200) == 0 {
            self.change_window(key);
        }
        match self.faults {
            Faults::CrashesAndLimits if self.random.random_range(0..20_000) == 0 => {
                self.crash(instance);
            }
            Faults::CrashesAndLimits if self.random.random_range(0..2000) == 0 => {
                let divisor = [1, 1, 2, 10, 100][self.random.random_range(0..5)];
                self.limits[key].requests = (LIMITS[key] / divisor).max(1);
                self.stats.limit_changes += 1;
            }
            // An instance that never used a key can't notice that its window alone was lost.
            Faults::Losses
                if self.stats.decisions > KNOWN_AFTER_DECISIONS
                    && self.random.random_range(0..100) == 0 =>
            {
                self.lose(key);
            }
            _ => {}
        }
        let cost_max = match self.faults {
            Faults::CrashesAndLimits => self.limits[key].requests,
            Faults::Losses => self.share(key).requests.max(1),
        };
        for _ in 0..self.random.random_range(1..40) {
            let is_costly = self.random.random_range(0..20) == 0;
            let cost = if is_costly { self.random.random_range(2..=100) } else { 1 };
            self.request(instance, key, cost.min(cost_max));
        }
    }

    fn request(&mut self, instance: usize, key: usize, cost: u32) {
        self.stats.decisions += 1;
        while let Some(renewal) = self.next_due_renewal() {
            self.proceed(renewal);
        }
        let clock_ms = self.clock_ms(instance);
        let decision = match self.leases[instance][key].decide(clock_ms, self.limits[key], cost) {
            LeaseDecision::CallRedis => self.call(instance, key, cost),
            decision => decision,
        };
        if decision == LeaseDecision::DecideLocally && self.faults == Faults::Losses {
            let (clock_ms, share) = (self.clock_ms(instance), self.share(key));
            if self.leases[instance][key].decide_locally(clock_ms, share, cost).admitted {
                self.stats.admitted_locally += 1;
                self.record_admitted(key, self.now_ms, cost);
            }
        }
        match decision {
            LeaseDecision::Admit { lease_to_renew_ends_ms, .. } => {
                if let Some(lease_ends_ms) = lease_to_renew_ends_ms {
                    let is_delayed = self.random.random_range(0..2) == 1;
                    let delay_ms = self.random.random_range(0..1200);
                    let due_ms = self.now_ms + if is_delayed { delay_ms } else { 0 };
                    self.renewals.push(SimulatedRenewal {
                        instance,
                        key,
                        lease_ends_ms,
                        due_ms,
                        sent: None,
                    });
                }
                self.record_admitted(key, self.now_ms, cost);
            }
            LeaseDecision::Reject { .. } => self.stats.costly_rejected += u32::from(cost > 1),
            LeaseDecision::CallRedis | LeaseDecision::DecideLocally => {}
        }
    }

    fn record_admitted(&mut self, key: usize, at_ms: u64, cost: u32) {
        self.stats.admitted += 1;
        self.stats.costly_admitted += u32::from(cost > 1);
        let RateLimit { requests, window_s } = self.limits[key];
        let in_window = self.logs[key].admit(at_ms, cost, window_s);
        self.stats.highest[key] = self.stats.highest[key].max(in_window);
        self.stats.over_limit += u32::from(in_window > requests);
        self.stats.over_bound += u32::from(in_window > self.bound(key));
    }

    /// The index of the renewal that happens next, if it is due. At the same time, an answer comes
    /// before a renewal that waits to be sent.
    fn next_due_renewal(&self) -> Option<usize> {
        let order = |index: &usize| {
            let renewal = &self.renewals[*index];
            (renewal.due_ms, renewal.sent.is_none())
        };
        (0..self.renewals.len())
            .min_by_key(order)
            .filter(|index| self.renewals[*index].due_ms <= self.now_ms)
    }

    fn clock_ms(&self, instance: usize) -> u64 {
        self.now_ms - START_MS + self.offsets_ms[instance]
    }

    /// Sends a renewal or applies its answer. Redis charges a sent renewal at once; its answer
    /// comes later or never.
    fn proceed(&mut self, index: usize) {
        let SimulatedRenewal { instance, key, lease_ends_ms, due_ms, sent } =
            self.renewals.swap_remove(index);
        self.now_ms = self.now_ms.max(due_ms);
        let clock_ms = self.clock_ms(instance);
        let lease = &self.leases[instance][key];
        if let Some(SentCall { at_ms, take, limit, answer }) = sent {
            self.stats.answered_renewals += u32::from(answer.is_some());
            match answer {
                Some(WindowAnswer::Lost) => lease.renewal_lost(clock_ms),
                Some(WindowAnswer::Decided(grant)) => {
                    lease.apply_renewal(at_ms, clock_ms, take, grant, limit)
                }
                None => lease.renewal_failed(),
            }
            return;
        }
        if let Some(sent_renewal) = self.sent_renewal(instance, key) {
            // One call of a key at a time: this one waits for the answer.
            let due_ms = self.renewals[sent_renewal].due_ms;
            let renewal = SimulatedRenewal { instance, key, lease_ends_ms, due_ms, sent: None };
            self.renewals.push(renewal);
            return;
        }
        let limit = self.limits[key];
        let instances = self.random.random_range(1..=INSTANCES as u32);
        let Some(take) = lease.prepare_renewal(clock_ms, lease_ends_ms, instances) else {
            return;
        };
        self.stats.calls += 1;
        let charged_ms = self.now_ms + self.random.random_range(0..50);
        let due_ms = charged_ms + self.random.random_range(0..1500);
        let loss = self.random_loss();
        let answer = (loss != Some(Loss::ToRedis))
            .then(|| self.take(instance, key, charged_ms, take, None))
            .filter(|_| loss != Some(Loss::FromRedis));
        let sent = Some(SentCall { at_ms: clock_ms, take, limit, answer });
        self.renewals.push(SimulatedRenewal { instance, key, lease_ends_ms, due_ms, sent });
    }

    /// The index of the renewal of a key that waits for its answer.
    fn sent_renewal(&self, instance: usize, key: usize) -> Option<usize> {
        self.renewals.iter().position(|renewal| {
            (renewal.instance, renewal.key) == (instance, key) && renewal.sent.is_some()
        })
    }

    fn take(
        &mut self,
        instance: usize,
        key: usize,
        at_ms: u64,
        take: TakeRequest,
        report: Option<&Report>,
    ) -> WindowAnswer {
        let generation_us = &mut self.generations_us[instance];
        self.redis.take(key, at_ms, self.limits[key], take, generation_us, report)
    }

    /// Calls Redis for a request. The call takes time in both directions and may be lost in either.
    fn call(&mut self, instance: usize, key: usize, cost: u32) -> LeaseDecision {
        let limit = self.limits[key];
        if let Some(renewal) = self.sent_renewal(instance, key) {
            // A request that needs a call waits for the renewal in progress.
            self.proceed(renewal);
            let decision = self.leases[instance][key].decide(self.clock_ms(instance), limit, cost);
            if decision != LeaseDecision::CallRedis {
                return decision;
            }
        }
        self.stats.calls += 1;
        let others_cost = self.random.random_range(0..9);
        let instances = self.random.random_range(1..=INSTANCES as u32);
        let sent_ms = self.clock_ms(instance);
        let take = self.leases[instance][key].prepare_call(
            sent_ms,
            cost,
            cost + others_cost,
            limit,
            instances,
            self.share(key).requests,
        );
        self.now_ms += self.random.random_range(0..250);
        let loss = self.random_loss();
        if loss == Some(Loss::ToRedis) {
            self.leases[instance][key].call_failed(self.clock_ms(instance));
            return LeaseDecision::DecideLocally;
        }
        let mut answer = self.take(instance, key, self.now_ms, take, None);
        if answer == WindowAnswer::Lost {
            self.stats.lost += 1;
            let (take, report) =
                self.leases[instance][key].prepare_report(self.clock_ms(instance), take);
            self.now_ms += self.random.random_range(0..50);
            answer = self.take(instance, key, self.now_ms, take, Some(&report));
        }
        let WindowAnswer::Decided(grant) = answer else { unreachable!("the call had a report") };
        let charged_ms = self.now_ms;
        if self.random.random_range(0..4) == 0 {
            self.now_ms += self.random.random_range(0..3000);
        }
        let clock_ms = self.clock_ms(instance);
        let lease = &self.leases[instance][key];
        if loss == Some(Loss::FromRedis) {
            lease.call_failed(clock_ms);
            return LeaseDecision::DecideLocally;
        }
        let decision = lease.apply_grant(sent_ms, clock_ms, take, grant, limit);
        if matches!(decision, LeaseDecision::Admit { .. }) {
            // The request counts from the time at which Redis admitted it, not from the answer.
            self.record_admitted(key, charged_ms, cost);
            return LeaseDecision::CallRedis;
        }
        decision
    }
}
