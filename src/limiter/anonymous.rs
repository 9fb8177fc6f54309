//! Those who ask without a key: so many requests of one address in any trailing hour.
//!
//! A window of an hour is the window of a minute by a clock that goes 60 times slower
//! ([`TIME_SCALE`]). Nobody takes permits ahead here: an address asks for a few pages, and each
//! is one call where there is a Redis.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::sync::Cache;

use super::redis_window::RedisWindow;
use super::sliding_window::{Grant, SlidingWindow, TIME_SCALE, TakeRequest};
use super::{Clock, Decision};
use crate::caller::ClientNetwork;
use crate::config::AnonymousConfig;
use crate::redis::Redis;

/// Decides which of them may go on.
pub struct AnonymousLimiter {
    clock: Clock,
    /// `None` where no Redis is configured.
    shared: Option<RedisWindow>,
    seen: Cache<ClientNetwork, Arc<Mutex<AddressState>>>,
    per_hour_max: u32,
}

/// One household, as this instance knows it.
#[derive(Default)]
struct AddressState {
    /// What was admitted here while no Redis answered, by the slow clock.
    alone: SlidingWindow,
    /// Not by its share while Redis is lost: whoever comes once that is back is judged by what
    /// Redis remembers.
    refused_until_ms: u64,
}

impl AnonymousLimiter {
    /// Beyond `anonymous_addresses_max` the coldest are forgotten, and begin anew where no Redis
    /// remembers them.
    pub fn new(config: &AnonymousConfig, redis: Option<Redis>) -> Self {
        Self {
            clock: Clock::start(),
            shared: redis.map(RedisWindow::new),
            seen: Cache::new(config.anonymous_addresses_max),
            per_hour_max: config.anonymous_requests_per_hour_max,
        }
    }

    /// Admits or refuses one request from `address`; `None` where there is no limit. With a Redis
    /// that is lost, this instance admits one of so many `shares`, at least one page.
    pub async fn admit(&self, address: IpAddr, shares: u32) -> Option<Decision> {
        let limit = self.per_hour_max;
        if limit == 0 {
            return None;
        }
        let (network, now_ms) = (ClientNetwork::from(address), self.clock.now_ms());
        let fresh = || Ok::<_, Infallible>(Arc::default());
        let Ok(visitor) = self.seen.get_or_insert_with(&network, fresh);
        let refused_until_ms = lock(&visitor).refused_until_ms;
        if now_ms < refused_until_ms {
            return Some(Decision {
                admitted: false,
                limit,
                remaining: 0,
                reset_in_ms: refused_until_ms - now_ms,
            });
        }
        let shared = match &self.shared {
            Some(redis_window) => Some(redis_window.take_of_hour(network, limit).await),
            None => None,
        };
        let (grant, holds) = match shared {
            Some(Ok(grant)) => (grant, true),
            Some(Err(_)) => {
                (lock(&visitor).take_local(now_ms, (limit / shares.max(1)).max(1)), false)
            }
            None => (lock(&visitor).take_local(now_ms, limit), true),
        };
        let Grant { admitted, remaining, reset_in_ms, .. } = grant;
        if !admitted && holds {
            lock(&visitor).refused_until_ms = self.clock.now_ms() + reset_in_ms;
        }
        Some(Decision { admitted, limit, remaining, reset_in_ms })
    }
}

impl AddressState {
    fn take_local(&mut self, now_ms: u64, limit: u32) -> Grant {
        let grant = self.alone.take(now_ms / TIME_SCALE, limit, TakeRequest::ONE);
        Grant { reset_in_ms: grant.reset_in_ms * TIME_SCALE, ..grant }
    }
}

fn lock(visitor: &Mutex<AddressState>) -> MutexGuard<'_, AddressState> {
    visitor.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::RedisConfig;

    const HOUR_MS: u64 = 3_600_000;
    const START_MS: u64 = 1_700_000_012_345;

    proptest! {
        #[test]
        fn no_trailing_hour_holds_more_than_the_limit(waits_ms in prop::collection::vec(0u64..400_000, 1..300)) {
            let (mut visitor, mut admitted_ms, mut now_ms) = (AddressState::default(), Vec::new(), START_MS);
            for wait_ms in waits_ms {
                now_ms += wait_ms;
                let grant = visitor.take_local(now_ms, 5);
                if grant.admitted {
                    admitted_ms.push(now_ms);
                    prop_assert!(admitted_ms.iter().filter(|at_ms| **at_ms + HOUR_MS > now_ms).count() <= 5);
                } else {
                    let again_ms = now_ms + grant.reset_in_ms;
                    prop_assert!(grant.reset_in_ms <= HOUR_MS + 61_000);
                    let mut later = AddressState { alone: visitor.alone.clone(), refused_until_ms: 0 };
                    prop_assert!(later.take_local(again_ms, 5).admitted, "who waits so long is not early");
                }
            }
        }
    }

    #[tokio::test]
    async fn of_a_flood_from_more_addresses_than_are_remembered_the_memory_is_bounded() {
        let config =
            AnonymousConfig { anonymous_requests_per_hour_max: 1, anonymous_addresses_max: 50 };
        let visitors = AnonymousLimiter::new(&config, None);
        for n in 0..1000u32 {
            let decision = visitors.admit(IpAddr::V4(n.into()), 1).await.unwrap();
            assert!(
                decision.admitted,
                "an address that nobody knows is not refused for the others"
            );
        }
        assert!(visitors.seen.len() <= 50);
    }

    #[tokio::test]
    async fn an_instance_that_has_lost_its_redis_admits_its_share() {
        // Nobody listens there: a port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("redis://127.0.0.1:{port}");
        let lost = RedisConfig { redis_url: Some(url.into()), ..RedisConfig::default() };
        let config =
            AnonymousConfig { anonymous_requests_per_hour_max: 7, anonymous_addresses_max: 50 };
        let visitors = AnonymousLimiter::new(&config, Redis::start(&lost).unwrap());
        for (address, shares, share) in [(1, 1, 7), (2, 2, 3), (3, 9, 1)] {
            let mut admitted = 0;
            for _ in 0..20 {
                let decision = visitors.admit(IpAddr::V4(address.into()), shares).await.unwrap();
                admitted += u32::from(decision.admitted);
            }
            assert_eq!(admitted, share, "of {shares} shares");
        }
    }

    #[tokio::test]
    async fn without_a_limit_nobody_is_remembered() {
        let config =
            AnonymousConfig { anonymous_requests_per_hour_max: 0, anonymous_addresses_max: 50 };
        let visitors = AnonymousLimiter::new(&config, None);
        assert!(visitors.admit(IpAddr::V4(1.into()), 1).await.is_none());
        assert_eq!(visitors.seen.len(), 0);
    }
}
