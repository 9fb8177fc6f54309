//! Limits requests without a key: so many per client network in any trailing hour.
//!
//! There are no leases: a client requests few pages, and each costs one call to Redis.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::sync::Cache;

use super::redis_window::RedisWindow;
use super::sliding_window::SlidingWindow;
use super::take::{Decision, Grant, TakeRequest};
use crate::caller::{ClientNetwork, HOUR_S, RateLimit};
use crate::clock::MonotonicClock;
use crate::config::AnonymousConfig;
use crate::redis::Redis;

pub struct AnonymousLimiter {
    clock: MonotonicClock,
    /// `None` if no Redis is configured.
    redis_window: Option<RedisWindow>,
    networks: Cache<ClientNetwork, Arc<Mutex<NetworkState>>>,
    /// Zero requests for no limit.
    limit: RateLimit,
}

/// The state of one network on this instance.
struct NetworkState {
    /// The requests that this instance admitted without Redis.
    local_window: SlidingWindow,
    /// Requests are rejected from memory until then.
    rejected_until_ms: u64,
}

impl AnonymousLimiter {
    /// Beyond `anonymous_addresses_max`, the least recently used networks are evicted. Without
    /// Redis their count starts anew.
    pub fn new(config: &AnonymousConfig, redis: Option<Redis>) -> Self {
        Self {
            clock: MonotonicClock::start(),
            redis_window: redis.map(RedisWindow::new),
            networks: Cache::new(config.anonymous_addresses_max),
            limit: RateLimit { requests: config.anonymous_requests_per_hour_max, window_s: HOUR_S },
        }
    }

    /// Admits or rejects a request from `address`. `None` if there is no limit.
    ///
    /// While Redis is unavailable, this instance admits the limit divided by `fallback_divisor`,
    /// and at least one request.
    pub async fn admit(&self, address: IpAddr, fallback_divisor: u32) -> Option<Decision> {
        let limit = self.limit;
        if limit.requests == 0 {
            return None;
        }
        let network = ClientNetwork::from(address);
        let now_ms = self.clock.now_ms();
        let Ok(state) =
            self.networks.get_or_insert_with(&network, || Ok::<_, Infallible>(Arc::default()));
        let rejected_until_ms = lock(&state).rejected_until_ms;
        if now_ms < rejected_until_ms {
            let reset_in_ms = rejected_until_ms - now_ms;
            let limit = limit.requests;
            return Some(Decision { admitted: false, limit, remaining: 0, reset_in_ms });
        }
        let by_redis = match &self.redis_window {
            Some(redis_window) => Some(redis_window.take_of_network(network, limit).await),
            None => None,
        };
        let grant = match by_redis {
            Some(Ok(grant)) => grant,
            Some(Err(_)) => {
                let requests = (limit.requests / fallback_divisor.max(1)).max(1);
                let share = RateLimit { requests, ..limit };
                let grant = lock(&state).take_local(now_ms, share);
                // Not remembered if it is a rejection: when Redis is back, its window decides.
                return Some(Decision::from_grant(grant, limit.requests));
            }
            None => lock(&state).take_local(now_ms, limit),
        };
        if !grant.admitted {
            lock(&state).rejected_until_ms = self.clock.now_ms() + grant.reset_in_ms;
        }
        Some(Decision::from_grant(grant, limit.requests))
    }
}

impl Default for NetworkState {
    fn default() -> Self {
        Self { local_window: SlidingWindow::of_at_most(HOUR_S), rejected_until_ms: 0 }
    }
}

impl NetworkState {
    fn take_local(&mut self, now_ms: u64, limit: RateLimit) -> Grant {
        self.local_window.take(now_ms, limit, TakeRequest::ONE)
    }
}

fn lock(state: &Mutex<NetworkState>) -> MutexGuard<'_, NetworkState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::RedisConfig;

    const HOUR_MS: u64 = 3_600_000;
    const START_MS: u64 = 1_700_000_012_345;
    const LIMIT: RateLimit = RateLimit { requests: 5, window_s: HOUR_S };

    proptest! {
        #[test]
        fn no_trailing_hour_holds_more_than_the_limit(
            waits_ms in prop::collection::vec(0u64..400_000, 1..300),
        ) {
            let mut state = NetworkState::default();
            let mut admitted_ms = Vec::new();
            let mut now_ms = START_MS;
            for wait_ms in waits_ms {
                now_ms += wait_ms;
                let grant = state.take_local(now_ms, LIMIT);
                if grant.admitted {
                    admitted_ms.push(now_ms);
                    let in_hour = admitted_ms.iter().filter(|at_ms| **at_ms + HOUR_MS > now_ms);
                    prop_assert!(in_hour.count() <= 5);
                } else {
                    prop_assert!(grant.reset_in_ms <= HOUR_MS + 1);
                    let local_window = state.local_window.clone();
                    let mut later = NetworkState { local_window, rejected_until_ms: 0 };
                    let after_reset = later.take_local(now_ms + grant.reset_in_ms, LIMIT);
                    prop_assert!(after_reset.admitted);
                }
            }
        }
    }

    #[tokio::test]
    async fn a_flood_from_many_addresses_uses_bounded_memory() {
        let config =
            AnonymousConfig { anonymous_requests_per_hour_max: 1, anonymous_addresses_max: 50 };
        let limiter = AnonymousLimiter::new(&config, None);
        for n in 0..1000u32 {
            let decision = limiter.admit(IpAddr::V4(n.into()), 1).await.unwrap();
            assert!(decision.admitted, "a new address is not rejected because of the others");
        }
        assert!(limiter.networks.len() <= 50);
    }

    #[tokio::test]
    async fn an_instance_without_its_redis_admits_its_share() {
        // No server listens on a port that was just released.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("redis://127.0.0.1:{port}");
        let redis_config = RedisConfig { redis_url: Some(url.into()), ..RedisConfig::default() };
        let config =
            AnonymousConfig { anonymous_requests_per_hour_max: 7, anonymous_addresses_max: 50 };
        let limiter = AnonymousLimiter::new(&config, Redis::start(&redis_config).unwrap());
        for (address, divisor, share) in [(1, 1, 7), (2, 2, 3), (3, 9, 1)] {
            let mut admitted = 0;
            for _ in 0..20 {
                let decision = limiter.admit(IpAddr::V4(address.into()), divisor).await.unwrap();
                admitted += u32::from(decision.admitted);
            }
            assert_eq!(admitted, share, "the limit divided by {divisor}");
        }
    }

    #[tokio::test]
    async fn without_a_limit_no_network_is_remembered() {
        let config =
            AnonymousConfig { anonymous_requests_per_hour_max: 0, anonymous_addresses_max: 50 };
        let limiter = AnonymousLimiter::new(&config, None);
        assert!(limiter.admit(IpAddr::V4(1.into()), 1).await.is_none());
        assert_eq!(limiter.networks.len(), 0);
    }
}
