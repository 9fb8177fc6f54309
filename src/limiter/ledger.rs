//! The window that instances share: one Redis string a key, one script call a take.

use super::ring::Grant;
use crate::caller::KeyId;
use crate::redis::{Redis, RedisFault, Script};

/// The shared log of every key's admitted requests.
pub struct Ledger {
    redis: Redis,
    window: Script,
}

impl Ledger {
    pub fn new(redis: Redis) -> Self {
        Self { redis, window: Script::new(include_str!("window.lua")) }
    }

    /// Takes up to `wanted` permits of `key` by the clock of Redis, so that instances' own clocks don't matter.
    ///
    /// # Errors
    /// When Redis did not answer in time. The permits may then have been charged: a failed call can only under-admit.
    pub async fn take(&self, key: KeyId, limit: u32, wanted: u32) -> Result<Grant, RedisFault> {
        self.take_at(key, limit, wanted, None).await
    }

    /// The same at a given time, in epoch milliseconds.
    async fn take_at(&self, key: KeyId, limit: u32, wanted: u32, now_ms: Option<u64>) -> Result<Grant, RedisFault> {
        // The braces are the hash tag: whatever else is ever kept for a key lies on the same node of a cluster.
        let name = format!("rl:{{{key}}}");
        let now_ms = now_ms.map_or(String::new(), |ms| ms.to_string());
        let arguments = vec![limit.to_string(), wanted.to_string(), now_ms];
        let (granted, remaining, reset_in_ms) = self.redis.run(&self.window, &name, arguments).await?;
        Ok(Grant { granted, remaining, reset_in_ms })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    use super::super::ring::Ring;
    use super::super::ring::model::{Log, steps};
    use super::*;
    use crate::cli::demo::private::{PrivateRedis, choose_dir};
    use crate::config::RedisConfig;

    const START_MS: u64 = 1_700_000_000_500;

    /// A Redis of the test's own, and a ledger on it.
    fn ledger(runtime: &tokio::runtime::Runtime) -> (tempfile::TempDir, PrivateRedis, Ledger) {
        let scratch = tempfile::tempdir().unwrap();
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
        let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
        let answers_alike = |steps: Vec<super::super::ring::model::Step>| {
            let (key, mut ring, mut log, mut now_ms) = (KeyId::random(), Ring::default(), Log::default(), START_MS);
            for step in steps {
                now_ms += step.wait_ms;
                let by_script = ledger.take_at(key, step.limit, step.wanted, Some(now_ms));
                let by_script = runtime.block_on(by_script).map_err(|fault| TestCaseError::fail(fault.to_string()))?;
                prop_assert_eq!(by_script, log.take(now_ms, step.limit, step.wanted), "{:?}", step);
                prop_assert_eq!(by_script, ring.take(now_ms, step.limit, step.wanted), "{:?}", step);
            }
            Ok(())
        };
        // A failure prints the smallest failing case.
        runner.run(&steps(), answers_alike).unwrap();
    }

    #[test]
    fn a_clock_that_steps_back_frees_nothing() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (_scratch, _server, ledger) = ledger(&runtime);
        let (key, take) =
            (KeyId::random(), |key, now_ms| runtime.block_on(ledger.take_at(key, 3, 3, Some(now_ms))).unwrap());
        assert_eq!(take(key, START_MS).granted, 3);
        assert_eq!(take(key, START_MS - 100_000).granted, 0);
        assert_eq!(take(key, START_MS + 60_499).granted, 0);
        assert_eq!(take(key, START_MS + 60_500).granted, 3);
    }
}
