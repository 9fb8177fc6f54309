//! The window that instances share: one Redis string a key, one script call a take.

use super::ring::{Grant, HOUR_SLOWNESS, Settlement, Want};
use crate::caller::{Household, KeyId};
use crate::redis::{Redis, RedisFault, Script};

/// The shared log of every key's admitted requests, and of those who have no key.
pub struct Ledger {
    redis: Redis,
    window: Script,
}

impl Ledger {
    pub fn new(redis: Redis) -> Self {
        Self { redis, window: Script::new(include_str!("window.lua")) }
    }

    /// Takes a permit of `key`, and permits ahead, by the clock of Redis: instances' own clocks
    /// don't matter.
    ///
    /// # Errors
    /// When Redis did not answer in time. The permits may then have been charged: a failed call can
    /// only under-admit.
    pub async fn take(&self, key: KeyId, limit: u32, want: Want) -> Result<Grant, RedisFault> {
        self.take_at(&of_key(key), MINUTE, limit, want, None).await
    }

    /// Takes a permit of who asks without a key, from a window of an hour.
    ///
    /// # Errors
    /// As [`Ledger::take`].
    pub async fn take_of_hour(
        &self,
        household: Household,
        limit: u32,
    ) -> Result<Grant, RedisFault> {
        self.take_at(&of_household(household), HOUR, limit, Want::ONE, None).await
    }

    /// The same at a given time, in epoch milliseconds.
    async fn take_at(
        &self,
        name: &str,
        span: Span,
        limit: u32,
        want: Want,
        now_ms: Option<u64>,
    ) -> Result<Grant, RedisFault> {
        let Want {
            weight,
            ahead,
            ahead_s,
            settlement: Settlement { stamp_s, unused, used, used_s },
        } = want;
        let take = [limit, weight, ahead, ahead_s].map(u64::from);
        let settle = [stamp_s, unused.into(), used.into(), used_s];
        let numbers = take.into_iter().chain(settle).chain([span.slowness, span.ttl_s]);
        let mut arguments: Vec<_> = numbers.map(|number| number.to_string()).collect();
        arguments.push(now_ms.map_or(String::new(), |ms| ms.to_string()));
        let answer = self.redis.run(&self.window, name, arguments).await?;
        let (admitted, ahead, stamp_s, remaining, reset_in_ms): (u8, u32, u64, u32, u64) = answer;
        let reset_in_ms = reset_in_ms * span.slowness;
        Ok(Grant { admitted: admitted == 1, ahead, stamp_s, remaining, reset_in_ms })
    }
}

/// What a window spans, and how long its log is kept.
#[derive(Clone, Copy)]
struct Span {
    /// How many times slower than time the window's clock goes.
    slowness: u64,
    /// 0 for as long as Redis has it.
    ttl_s: u64,
}

/// One short string for each API key that was ever used, for ever: a full Redis evicts what has a
/// time to live.
const MINUTE: Span = Span { slowness: 1, ttl_s: 0 };
/// Addresses are without number, so that these have to go: after twice the hour in which they
/// matter. A full Redis may evict one before, which forgives that address an hour of pages.
const HOUR: Span = Span { slowness: HOUR_SLOWNESS, ttl_s: 2 * 3600 };

// The braces are the hash tag: whatever else is ever kept for a key lies on the same node of a
// cluster.
fn of_key(key: KeyId) -> String {
    format!("rl:{{{key}}}")
}

fn of_household(household: Household) -> String {
    format!("rl:{{ip:{household}}}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    use super::super::ring::Ring;
    use super::super::ring::model::{Log, Step, steps, want};
    use super::*;
    use crate::cli::demo::private::{PrivateRedis, choose_dir};
    use crate::config::RedisConfig;

    const START_MS: u64 = 1_700_000_000_500;

    /// A Redis of the test's own, and a ledger on it.
    fn ledger(runtime: &tokio::runtime::Runtime) -> (tempfile::TempDir, PrivateRedis, Ledger) {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        let scratch = tempfile::Builder::new().permissions(permissions).tempdir().unwrap();
        let dir = choose_dir(&scratch.path().join("servers")).unwrap();
        let server = PrivateRedis::start(&dir).unwrap();
        let config = RedisConfig { redis_url: Some(server.url().into()), ..RedisConfig::default() };
        let _inside = runtime.enter();
        let redis = Redis::start(&config).unwrap().unwrap();
        assert!(runtime.block_on(redis.wait_until_connected(std::time::Duration::from_secs(10))));
        (scratch, server, Ledger::new(redis))
    }

    #[test]
    fn the_script_the_ring_and_the_log_answer_the_same_cases_alike() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (_scratch, _server, ledger) = ledger(&runtime);
        let mut runner =
            TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
        for span in [MINUTE, HOUR] {
            let answers_alike = |steps: Vec<Step>| {
                let (name, mut ring, mut log) =
                    (of_key(KeyId::random()), Ring::default(), Log::default());
                let (mut now_ms, mut last) = (START_MS, None);
                for step in steps {
                    now_ms += step.wait_ms * span.slowness;
                    let (want, slow_ms) = (want(&step, last), now_ms / span.slowness);
                    let by_script = runtime.block_on(ledger.take_at(
                        &name,
                        span,
                        step.limit,
                        want,
                        Some(now_ms),
                    ));
                    let by_script =
                        by_script.map_err(|fault| TestCaseError::fail(fault.to_string()))?;
                    let by_script =
                        Grant { reset_in_ms: by_script.reset_in_ms / span.slowness, ..by_script };
                    prop_assert_eq!(by_script, log.take(slow_ms, step.limit, want), "{:?}", step);
                    prop_assert_eq!(by_script, ring.take(slow_ms, step.limit, want), "{:?}", step);
                    last = Some(by_script);
                }
                Ok(())
            };
            // A failure prints the smallest failing case.
            runner.run(&steps(), answers_alike).unwrap();
        }
    }

    #[test]
    fn a_clock_that_steps_back_frees_nothing() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (_scratch, _server, ledger) = ledger(&runtime);
        let (name, two_ahead) = (of_key(KeyId::random()), Want { ahead: 2, ..Want::ONE });
        let take = |now_ms| {
            runtime.block_on(ledger.take_at(&name, MINUTE, 3, two_ahead, Some(now_ms))).unwrap()
        };
        assert_eq!(take(START_MS).ahead, 2);
        assert!(!take(START_MS - 100_000).admitted);
        assert!(!take(START_MS + 60_499).admitted);
        assert_eq!(take(START_MS + 60_500).ahead, 2);
    }
}
