//! Strict sliding-window limits: never more than the limit in any trailing 60 seconds.
//!
//! With Redis, instances take permits from one [`redis_window::RedisWindow`], several at once where a key's
//! traffic calls for it ([`lease`]), so that most requests need no Redis. Without Redis the same
//! window is kept in process, which is exact for one instance. When Redis is lost, each instance
//! goes on alone with its share. Those who need no key are limited by the same window, with an hour
//! for a minute ([`AnonymousLimiter`]).

mod anonymous;
mod fallback;
mod instance_count;
mod lease;
mod permits;
mod redis_window;
mod refusals;
#[cfg(test)]
mod simulation;
mod sliding_window;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use dashmap::DashMap;
use tokio::runtime::Handle;

use crate::caller::{Caller, KeyId};
use crate::metrics::{self, Basis};
use crate::redis::Redis;
pub use anonymous::AnonymousLimiter;
use fallback::LocalWindows;
use instance_count::InstanceCount;
use lease::{Lease, Step};
use redis_window::RedisWindow;
pub use sliding_window::{Grant, SlidingWindow, TIME_SCALE, TakeRequest, WINDOW_S};

/// Decides who may go on.
pub struct Limiter {
    clock: Clock,
    /// `None` where no Redis is configured.
    shared: Option<Shared>,
    /// One for each key that was seen within the last minutes: only verified callers get here.
    keys: DashMap<KeyId, Arc<KeyState>>,
    local: LocalWindows,
    /// Instances that share the Redis, as last seen.
    instances: AtomicU32,
    /// What a lost Redis divides the limit by: the most that were seen lately.
    shares: AtomicU32,
    instance_count: Mutex<InstanceCount>,
}

/// Milliseconds since the limiter was made: a clock that never steps.
#[derive(Clone, Copy)]
struct Clock(Instant);

struct Shared {
    redis_window: Arc<RedisWindow>,
    /// Where renewals run on, after the request that started one is done.
    runtime: Handle,
}

/// One key on this instance.
#[derive(Default)]
struct KeyState {
    lease: Lease,
    /// Held by the one request that asks the ledger.
    turn: tokio::sync::Mutex<()>,
    /// What the requests count as that wait for its answer.
    waiting: AtomicU32,
}

/// One request, as the limiter sees it.
#[derive(Clone, Copy)]
struct Call {
    key: KeyId,
    /// Requests per minute.
    limit: u32,
    cost: u32,
}

/// The limiter's answer to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    pub admitted: bool,
    /// Requests per minute.
    pub limit: u32,
    pub remaining: u32,
    /// Milliseconds until the window next frees a request; after a refusal, until one that counts
    /// as much is admitted.
    pub reset_in_ms: u64,
}

impl Limiter {
    /// With Redis, renewals run on the runtime that this is called on.
    pub fn new(redis: Option<Redis>) -> Self {
        let shared = |redis| Shared {
            redis_window: Arc::new(RedisWindow::new(redis)),
            runtime: Handle::current(),
        };
        Self {
            clock: Clock::start(),
            shared: redis.map(shared),
            keys: DashMap::new(),
            local: LocalWindows::default(),
            instances: AtomicU32::new(1),
            shares: AtomicU32::new(1),
            instance_count: Mutex::default(),
        }
    }

    /// Admits or refuses one request of `caller`, from memory where a lease or a refusal still
    /// holds. It counts as `cost` requests, at least 1 and at most the limit: all of them are
    /// admitted, or none and nothing is charged.
    pub async fn admit(&self, caller: &Caller, cost: u32) -> Decision {
        let call = Call { key: caller.limit_id, limit: caller.tier.requests_per_minute, cost };
        let Some(shared) = &self.shared else {
            return self.decide_in_process(call, call.limit);
        };
        let key_state = self.key_state(call.key);
        match self.decide(shared, &key_state, call) {
            Some(decision) => decision,
            // Boxed, so that those who need not wait do not carry it.
            None => Box::pin(self.ask(shared, &key_state, call)).await,
        }
    }

    /// Asks the ledger: one request of a key at a time, for all who wait.
    async fn ask(&self, shared: &Shared, key_state: &Arc<KeyState>, call: Call) -> Decision {
        let Call { key, limit, cost } = call;
        let waiting = Waiting::at(key_state, cost);
        let _turn = key_state.turn.lock().await;
        if let Some(decision) = self.decide(shared, key_state, call) {
            return decision;
        }
        let sent_ms = self.clock.now_ms();
        let request =
            key_state.lease.request(sent_ms, cost, waiting.sum(), limit, self.instances());
        match shared.redis_window.take(key, limit, request).await {
            Ok(grant) => {
                metrics::lease(grant.ahead);
                let step = key_state.lease.apply_grant(
                    sent_ms,
                    self.clock.now_ms(),
                    request,
                    grant,
                    limit,
                );
                Decision::of(step, limit, Basis::RedisWindow)
            }
            Err(_) => {
                key_state.lease.fail(self.clock.now_ms());
                None
            }
        }
        .unwrap_or_else(|| self.decide_locally(call))
    }

    /// The decision, where the ledger need not be asked. Starts the renewal of a lease that is half
    /// used.
    fn decide(&self, shared: &Shared, key_state: &Arc<KeyState>, call: Call) -> Option<Decision> {
        let Call { key, limit, cost } = call;
        let step = key_state.lease.step(self.clock.now_ms(), limit, cost);
        if let Step::Admit { renew: Some(ends_ms), .. } = step {
            let (redis_window, key_state, instances) = (
                shared.redis_window.clone(),
                key_state.clone(),
                self.instances.load(Ordering::Relaxed),
            );
            let renewal = Renewal { redis_window, key_state, key, limit, instances, ends_ms };
            shared.runtime.spawn(renewal.run(self.clock));
        }
        if step == Step::LocalFallback {
            Some(self.decide_locally(call))
        } else {
            Decision::of(step, limit, Basis::Memory)
        }
    }

    /// Redis is lost: this instance admits its share of the limit, at least one request a minute,
    /// whatever it weighs. One that has counted nobody yet takes the whole limit for its share.
    fn decide_locally(&self, call: Call) -> Decision {
        let share = (call.limit / self.shares()).max(call.cost);
        self.decide_in_process(call, share)
    }

    /// By the window of this instance: `share` is what it may admit of the limit.
    fn decide_in_process(&self, Call { key, limit, cost }: Call, share: u32) -> Decision {
        let grant = self.local.take(key, share, cost, self.clock.now_ms());
        metrics::decision(Basis::Alone, grant.admitted);
        Decision {
            admitted: grant.admitted,
            limit,
            remaining: grant.remaining,
            reset_in_ms: grant.reset_in_ms,
        }
    }

    fn key_state(&self, key: KeyId) -> Arc<KeyState> {
        if let Some(key_state) = self.keys.get(&key) {
            return key_state.clone();
        }
        self.keys.entry(key).or_default().clone()
    }

    /// How many instances share the Redis, as last seen.
    pub fn instances(&self) -> u32 {
        self.instances.load(Ordering::Relaxed)
    }

    /// How many of them admit a share of a limit each when Redis is lost: also those that were not
    /// seen for some minutes.
    pub fn shares(&self) -> u32 {
        self.shares.load(Ordering::Relaxed)
    }

    /// Tells how many instances share the Redis now.
    pub fn set_instances(&self, instances: u32) {
        let instances = instances.max(1);
        self.instances.store(instances, Ordering::Relaxed);
        let mut instance_count = self.instance_count.lock().unwrap_or_else(PoisonError::into_inner);
        self.shares.store(instance_count.count(self.clock.now_ms(), instances), Ordering::Relaxed);
    }

    /// Forgets what can't matter any more.
    pub fn sweep(&self) {
        let now_ms = self.clock.now_ms();
        self.local.sweep(now_ms);
        // Who holds a meter right now keeps it: two meters of a key could ask twice.
        self.keys.retain(|_, key_state| {
            Arc::strong_count(key_state) > 1 || !key_state.lease.is_idle(now_ms)
        });
    }
}

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn now_ms(self) -> u64 {
        self.0.elapsed().as_millis() as u64
    }
}

/// Takes the next lease of a key while the one that ends at `ends_ms` is in use.
struct Renewal {
    redis_window: Arc<RedisWindow>,
    key_state: Arc<KeyState>,
    key: KeyId,
    limit: u32,
    instances: u32,
    ends_ms: u64,
}

impl Renewal {
    async fn run(self, clock: Clock) {
        let Self { redis_window, key_state, key, limit, instances, ends_ms } = self;
        let _turn = key_state.turn.lock().await;
        let sent_ms = clock.now_ms();
        let Some(request) = key_state.lease.want_renewal(sent_ms, ends_ms, limit, instances) else {
            return;
        };
        match redis_window.take(key, limit, request).await {
            Ok(grant) => {
                metrics::lease(grant.ahead);
                key_state.lease.apply_renewal(sent_ms, clock.now_ms(), request, grant);
            }
            // Whoever waits for this answer has waited enough.
            Err(_) if key_state.waiting.load(Ordering::Relaxed) > 0 => {
                key_state.lease.fail(clock.now_ms())
            }
            Err(_) => key_state.lease.fail_renewal(),
        }
    }
}

/// A request that waits for the ledger's answer; counted, as what it weighs, until it goes on or
/// its client hangs up.
struct Waiting<'a> {
    sum: &'a AtomicU32,
    cost: u32,
}

impl<'a> Waiting<'a> {
    fn at(key_state: &'a KeyState, cost: u32) -> Self {
        key_state.waiting.fetch_add(cost, Ordering::Relaxed);
        Self { sum: &key_state.waiting, cost }
    }

    fn sum(&self) -> u32 {
        self.sum.load(Ordering::Relaxed)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.sum.fetch_sub(self.cost, Ordering::Relaxed);
    }
}

impl Decision {
    fn of(step: Step, limit: u32, basis: Basis) -> Option<Self> {
        let decision = match step {
            Step::Admit { remaining, reset_in_ms, .. } => {
                Self { admitted: true, limit, remaining, reset_in_ms }
            }
            Step::Refuse { remaining, reset_in_ms } => {
                Self { admitted: false, limit, remaining, reset_in_ms }
            }
            Step::Ask | Step::LocalFallback => return None,
        };
        metrics::decision(basis, decision.admitted);
        Some(decision)
    }

    /// Whole seconds until the reset, rounded up, at least 1: who waits that long is not early.
    pub fn reset_in_s(&self) -> u64 {
        self.reset_in_ms.div_ceil(1000).max(1)
    }
}
