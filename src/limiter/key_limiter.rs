//! Limits the requests of keys.
//!
//! [`KeyLimiter::admit`] first tries to decide from the key's lease in memory. If the lease cannot
//! decide, one request of the key calls Redis, and the others wait for its result. If Redis does
//! not answer, this instance decides from what it admitted itself, up to its share of the limit.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::runtime::Handle;

use super::instance_count::InstanceCount;
use super::key_state::{KeyState, RenewalTask};
use super::lease::LeaseDecision;
use super::local_windows::LocalWindows;
use super::redis_window::RedisWindow;
use super::take::{Decision, Grant, Report, TakeRequest, WindowAnswer};
use crate::caller::{Caller, KeyId, RateLimit};
use crate::clock::MonotonicClock;
use crate::metrics::{self, Basis};
use crate::redis::{Redis, RedisError};

pub struct KeyLimiter {
    clock: MonotonicClock,
    /// `None` if no Redis is configured.
    shared: Option<Shared>,
    /// One entry per key in use. Only verified callers get here.
    keys: DashMap<KeyId, Arc<KeyState>>,
    /// Used without Redis.
    local_windows: LocalWindows,
    instances: InstanceCount,
}

/// The windows in Redis, which all instances share.
struct Shared {
    redis_window: Arc<RedisWindow>,
    /// Runs renewals, which outlive the requests that start them.
    runtime: Handle,
}

/// A request, as far as the limit is concerned.
#[derive(Clone, Copy)]
struct KeyRequest {
    key: KeyId,
    limit: RateLimit,
    cost: u32,
}

impl KeyRequest {
    fn of(caller: &Caller, cost: u32) -> Self {
        Self { key: caller.limit_id, limit: caller.tier.limit, cost }
    }
}

impl KeyLimiter {
    /// With Redis, renewals run on the current tokio runtime.
    ///
    /// # Panics
    /// With Redis, if it is called outside of a tokio runtime.
    pub fn new(redis: Option<Redis>) -> Self {
        let shared = |redis| Shared {
            redis_window: Arc::new(RedisWindow::new(redis)),
            runtime: Handle::current(),
        };
        Self {
            clock: MonotonicClock::start(),
            shared: redis.map(shared),
            keys: DashMap::new(),
            local_windows: LocalWindows::default(),
            instances: InstanceCount::default(),
        }
    }

    /// Admits or rejects a request of `caller`.
    ///
    /// It takes `cost` permits, from 1 to the limit. A request gets all of its permits or none.
    pub async fn admit(&self, caller: &Caller, cost: u32) -> Decision {
        let request = KeyRequest::of(caller, cost);
        let Some(shared) = &self.shared else { return self.decide_alone(request) };
        let key_state = self.key_state(request.key);
        match self.decide_from_memory(shared, &key_state, request) {
            Some(decision) => decision,
            // Boxed, which keeps the future small for requests that need no call.
            None => Box::pin(self.call_redis(shared, &key_state, request)).await,
        }
    }

    /// Admits or rejects a request as [`Self::admit`] does, with the state of the caller's key.
    /// `None`, with nothing taken, if that needs a call to Redis.
    pub fn admit_from_memory(
        &self,
        key_state: &Arc<KeyState>,
        caller: &Caller,
        cost: u32,
    ) -> Option<Decision> {
        let request = KeyRequest::of(caller, cost);
        let Some(shared) = &self.shared else { return Some(self.decide_alone(request)) };
        self.decide_from_memory(shared, key_state, request)
    }

    /// Decides without a configured Redis.
    fn decide_alone(&self, KeyRequest { key, limit, cost }: KeyRequest) -> Decision {
        let grant = self.local_windows.take(key, limit, cost, self.clock.now_ms());
        to_local_decision(grant, limit.requests)
    }

    /// Decides without a call to Redis, and starts the renewal of a lease with few permits. `None`
    /// if a call is necessary.
    fn decide_from_memory(
        &self,
        shared: &Shared,
        key_state: &Arc<KeyState>,
        request: KeyRequest,
    ) -> Option<Decision> {
        let KeyRequest { key, limit, cost } = request;
        let lease_decision = key_state.lease.decide(self.clock.now_ms(), limit, cost);
        if let LeaseDecision::Admit { lease_to_renew_ends_ms: Some(lease_ends_ms), .. } =
            lease_decision
        {
            let renewal = RenewalTask {
                clock: self.clock,
                redis_window: shared.redis_window.clone(),
                key_state: key_state.clone(),
                key,
                limit,
                instances: self.instances(),
                lease_ends_ms,
            };
            shared.runtime.spawn(renewal.run());
        }
        match lease_decision {
            LeaseDecision::DecideLocally => Some(self.decide_by_share(key_state, request)),
            decided => to_decision(decided, limit.requests, Basis::Memory),
        }
    }

    /// Takes permits from Redis, for this request and for those that wait behind it.
    async fn call_redis(
        &self,
        shared: &Shared,
        key_state: &Arc<KeyState>,
        request: KeyRequest,
    ) -> Decision {
        let KeyRequest { limit, cost, .. } = request;
        let _waiting = key_state.wait(cost);
        let _calling = key_state.call_lock.lock().await;
        // The call before this one may have brought permits for this request.
        if let Some(decision) = self.decide_from_memory(shared, key_state, request) {
            return decision;
        }
        let lease = &key_state.lease;
        let sent_ms = self.clock.now_ms();
        // `_waiting` counts this request as well.
        let total_cost = key_state.waiting_cost();
        let (instances, share) = (self.instances(), self.share(limit).requests);
        let take = lease.prepare_call(sent_ms, cost, total_cost, limit, instances, share);
        let decision = match self.take_or_report(shared, key_state, request, take).await {
            Ok(grant) => {
                metrics::lease(grant.prefetched);
                let now_ms = self.clock.now_ms();
                let decided = lease.apply_grant(sent_ms, now_ms, take, grant, limit);
                to_decision(decided, limit.requests, Basis::RedisWindow)
            }
            Err(_) => {
                lease.call_failed(self.clock.now_ms());
                None
            }
        };
        decision.unwrap_or_else(|| self.decide_by_share(key_state, request))
    }

    /// Takes permits from Redis. If it has lost the window of the key, tells it first what this
    /// instance has admitted.
    async fn take_or_report(
        &self,
        shared: &Shared,
        key_state: &KeyState,
        request: KeyRequest,
        take: TakeRequest,
    ) -> Result<Grant, RedisError> {
        let KeyRequest { key, limit, .. } = request;
        match shared.redis_window.take(key, limit, take).await? {
            WindowAnswer::Decided(grant) => Ok(grant),
            WindowAnswer::Lost => {
                metrics::window_lost();
                let (take, report) = key_state.lease.prepare_report(self.clock.now_ms(), take);
                shared.redis_window.report_and_take(key, limit, take, &report).await
            }
        }
    }

    /// Decides while Redis is unavailable: this instance admits its share of the limit, less all
    /// that it admitted in the last window, and at least one request per window of any cost.
    fn decide_by_share(&self, key_state: &KeyState, request: KeyRequest) -> Decision {
        let KeyRequest { limit, cost, .. } = request;
        let grant = key_state.lease.decide_locally(self.clock.now_ms(), self.share(limit), cost);
        to_local_decision(grant, limit.requests)
    }

    /// What this instance admits while Redis can't tell what others admit. An instance that has not
    /// counted any other takes the whole limit.
    fn share(&self, limit: RateLimit) -> RateLimit {
        let divisor = self.fallback_divisor(limit.window_s);
        RateLimit { requests: limit.requests / divisor, ..limit }
    }

    /// Makes Redis remember since when it has had data, so that it notices a loss. Called
    /// regularly, because a window of a key that was never used must not look like a lost one.
    pub async fn mark_generations(&self) {
        if let Some(shared) = &self.shared {
            // Without an answer, the next call of a key does the same.
            let _ = shared.redis_window.mark_generations().await;
        }
    }

    /// The state of a key. It stays the only one of the key while anybody holds it.
    pub fn key_state(&self, key: KeyId) -> Arc<KeyState> {
        if let Some(key_state) = self.keys.get(&key) {
            return key_state.clone();
        }
        self.keys.entry(key).or_default().clone()
    }

    /// The number of instances that share the Redis, as last counted.
    pub fn instances(&self) -> u32 {
        self.instances.current()
    }

    /// While Redis is unavailable, each instance admits a limit divided by this: the largest number
    /// of instances in the last window and some minutes before it.
    pub fn fallback_divisor(&self, window_s: u32) -> u32 {
        self.instances.recent_max(window_s)
    }

    /// Sets the number of instances that share the Redis.
    pub fn set_instances(&self, instances: u32) {
        self.instances.record(self.clock.now_ms(), instances);
    }

    /// What this process admitted without Redis, for the next one. Redis keeps it otherwise.
    pub fn local_reports(&self) -> Vec<(KeyId, Report)> {
        self.local_windows.reports(self.clock.now_ms())
    }

    /// Counts what an earlier process admitted without Redis.
    pub fn add_local_report(&self, key: KeyId, report: &Report) {
        self.local_windows.add_report(key, report, self.clock.now_ms());
    }

    /// Removes the state of idle keys.
    pub fn sweep(&self) {
        let now_ms = self.clock.now_ms();
        self.local_windows.sweep(now_ms);
        // A state that a request holds stays. With two states of one key, two calls could be in
        // progress.
        self.keys.retain(|_, key_state| {
            Arc::strong_count(key_state) > 1 || !key_state.lease.is_idle(now_ms)
        });
    }
}

fn to_local_decision(grant: Grant, limit: u32) -> Decision {
    metrics::decision(Basis::LocalFallback, grant.admitted);
    Decision::from_grant(grant, limit)
}

/// `None` if the lease did not decide.
fn to_decision(decided: LeaseDecision, limit: u32, basis: Basis) -> Option<Decision> {
    let decision = match decided {
        LeaseDecision::Admit { remaining, reset_in_ms, .. } => {
            Decision { admitted: true, limit, remaining, reset_in_ms }
        }
        LeaseDecision::Reject { remaining, reset_in_ms } => {
            Decision { admitted: false, limit, remaining, reset_in_ms }
        }
        LeaseDecision::CallRedis | LeaseDecision::DecideLocally => return None,
    };
    metrics::decision(basis, decision.admitted);
    Some(decision)
}
