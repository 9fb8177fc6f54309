//! The window that instances share: one Redis string a key, one script call a take.

use super::sliding_window::{Grant, LeaseReturn, TIME_SCALE, TakeRequest};
use crate::caller::{ClientNetwork, KeyId};
use crate::redis::{Redis, RedisError, Script};

/// The shared log of every key's admitted requests, and of those who have no key.
pub struct RedisWindow {
    redis: Redis,
    window: Script,
}

impl RedisWindow {
    pub fn new(redis: Redis) -> Self {
        Self { redis, window: Script::new(include_str!("window.lua")) }
    }

    /// Takes a permit of `key`, and permits ahead, by the clock of Redis: instances' own clocks
    /// don't matter.
    ///
    /// # Errors
    /// When Redis did not answer in time. The permits may then have been charged: a failed call can
    /// only under-admit.
    pub async fn take(
        &self,
        key: KeyId,
        limit: u32,
        request: TakeRequest,
    ) -> Result<Grant, RedisError> {
        self.take_at(&of_key(key), MINUTE, limit, request, None).await
    }

    /// Takes a permit of who asks without a key, from a window of an hour.
    ///
    /// # Errors
    /// As [`RedisWindow::take`].
    pub async fn take_of_hour(
        &self,
        network: ClientNetwork,
        limit: u32,
    ) -> Result<Grant, RedisError> {
        self.take_at(&of_household(network), HOUR, limit, TakeRequest::ONE, None).await
    }

    /// The same at a given time, in epoch milliseconds.
    async fn take_at(
        &self,
        name: &str,
        span: Span,
        limit: u32,
        request: TakeRequest,
        now_ms: Option<u64>,
    ) -> Result<Grant, RedisError> {
        let TakeRequest {
            cost,
            ahead,
            ahead_s,
            lease_return: LeaseReturn { stamp_s, unused, used, used_s },
        } = request;
        let take = [limit, cost, ahead, ahead_s].map(u64::from);
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
const HOUR: Span = Span { slowness: TIME_SCALE, ttl_s: 2 * 3600 };

// The braces are the hash tag: whatever else is ever kept for a key lies on the same node of a
// cluster.
fn of_key(key: KeyId) -> String {
    format!("rl:{{{key}}}")
}

fn of_household(network: ClientNetwork) -> String {
    format!("rl:{{ip:{network}}}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    use super::super::sliding_window::SlidingWindow;
    use super::super::sliding_window::model::{Log, Step, request, steps};
    use super::*;
    use crate::config::RedisConfig;
    use testkit::servers::{LocalRedis, choose_dir};

    const START_MS: u64 = 1_700_000_000_500;

    /// A Redis of the test's own, and a ledger on it.
    fn redis_window(
        runtime: &tokio::runtime::Runtime,
    ) -> (tempfile::TempDir, LocalRedis, RedisWindow) {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        let scratch = tempfile::Builder::new().permissions(permissions).tempdir().unwrap();
        let dir = choose_dir(&scratch.path().join("servers")).unwrap();
        let server = LocalRedis::start(&dir).unwrap();
        let config = RedisConfig { redis_url: Some(server.url().into()), ..RedisConfig::default() };
        let _inside = runtime.enter();
        let redis = Redis::start(&config).unwrap().unwrap();
        assert!(runtime.block_on(redis.wait_until_connected(std::time::Duration::from_secs(10))));
        (scratch, server, RedisWindow::new(redis))
    }

    #[test]
    fn the_script_the_ring_and_the_log_answer_the_same_cases_alike() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (_scratch, _server, redis_window) = redis_window(&runtime);
        let mut runner =
            TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
        for span in [MINUTE, HOUR] {
            let answers_alike = |steps: Vec<Step>| {
                let (name, mut window, mut log) =
                    (of_key(KeyId::random()), SlidingWindow::default(), Log::default());
                let (mut now_ms, mut last) = (START_MS, None);
                for step in steps {
                    now_ms += step.wait_ms * span.slowness;
                    let (request, slow_ms) = (request(&step, last), now_ms / span.slowness);
                    let by_script = runtime.block_on(redis_window.take_at(
                        &name,
                        span,
                        step.limit,
                        request,
                        Some(now_ms),
                    ));
                    let by_script =
                        by_script.map_err(|error| TestCaseError::fail(error.to_string()))?;
                    let by_script =
                        Grant { reset_in_ms: by_script.reset_in_ms / span.slowness, ..by_script };
                    prop_assert_eq!(
                        by_script,
                        log.take(slow_ms, step.limit, request),
                        "{:?}",
                        step
                    );
                    prop_assert_eq!(
                        by_script,
                        window.take(slow_ms, step.limit, request),
                        "{:?}",
                        step
                    );
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
        let (_scratch, _server, redis_window) = redis_window(&runtime);
        let (name, two_ahead) =
            (of_key(KeyId::random()), TakeRequest { ahead: 2, ..TakeRequest::ONE });
        let take = |now_ms| {
            runtime
                .block_on(redis_window.take_at(&name, MINUTE, 3, two_ahead, Some(now_ms)))
                .unwrap()
        };
        assert_eq!(take(START_MS).ahead, 2);
        assert!(!take(START_MS - 100_000).admitted);
        assert!(!take(START_MS + 60_499).admitted);
        assert_eq!(take(START_MS + 60_500).ahead, 2);
    }
}
