//! The windows that all instances share: one Redis string per key, and one script call per take.
//!
//! The script is `window.lua`. It uses the clock of Redis, so the clocks of the instances do not
//! matter.

use super::sliding_window::TIME_SCALE;
use super::take::{Grant, LeaseReturn, TakeRequest};
use crate::caller::{ClientNetwork, KeyId};
use crate::redis::{Redis, RedisError, Script};

pub struct RedisWindow {
    redis: Redis,
    script: Script,
}

/// The length and the lifetime of a window.
#[derive(Clone, Copy)]
struct WindowKind {
    /// The clock of the window runs slower by this factor. A window has 60 seconds of this clock.
    time_scale: u64,
    /// The string in Redis expires this long after its last use. 0 for no expiry.
    ttl_s: u64,
}

/// The window of a key: 60 seconds. It has no expiry, because a full Redis evicts strings that have
/// one. The number of keys that were ever used bounds the memory.
const KEY_WINDOW: WindowKind = WindowKind { time_scale: 1, ttl_s: 0 };
/// The window of a client network: one hour. The number of networks is unbounded, so the windows
/// expire. If a full Redis evicts one, that network gets a new hour.
const NETWORK_WINDOW: WindowKind = WindowKind { time_scale: TIME_SCALE, ttl_s: 2 * 3600 };

impl RedisWindow {
    pub fn new(redis: Redis) -> Self {
        Self { redis, script: Script::new(include_str!("window.lua")) }
    }

    /// Takes permits of a key.
    ///
    /// # Errors
    /// If Redis did not answer in time. It may have counted the permits nevertheless, so a failed
    /// call makes the limit stricter, never looser.
    pub async fn take(
        &self,
        key: KeyId,
        limit: u32,
        take: TakeRequest,
    ) -> Result<Grant, RedisError> {
        self.take_at(&key_name(key), KEY_WINDOW, limit, take, None).await
    }

    /// Takes one permit of a client network, whose window is an hour.
    ///
    /// # Errors
    /// As [`RedisWindow::take`].
    pub async fn take_hourly(
        &self,
        network: ClientNetwork,
        limit: u32,
    ) -> Result<Grant, RedisError> {
        let name = network_name(network);
        self.take_at(&name, NETWORK_WINDOW, limit, TakeRequest::ONE, None).await
    }

    /// `now_ms` replaces the clock of Redis in tests, in epoch milliseconds.
    async fn take_at(
        &self,
        name: &str,
        kind: WindowKind,
        limit: u32,
        take: TakeRequest,
        now_ms: Option<u64>,
    ) -> Result<Grant, RedisError> {
        let TakeRequest { cost, prefetch, lease_return } = take;
        let LeaseReturn { bucket_s, unused } = lease_return;
        let taken = [limit, cost, prefetch].map(u64::from);
        let given_back = [bucket_s, unused.into()];
        let numbers = taken.into_iter().chain(given_back).chain([kind.time_scale, kind.ttl_s]);
        let mut arguments: Vec<_> = numbers.map(|number| number.to_string()).collect();
        arguments.push(now_ms.map_or(String::new(), |ms| ms.to_string()));
        let answer: (u8, u32, u64, u32, u64) =
            self.redis.run(&self.script, name, arguments).await?;
        let (admitted, prefetched, bucket_s, remaining, reset_in_scaled_ms) = answer;
        let reset_in_ms = reset_in_scaled_ms * kind.time_scale;
        Ok(Grant { admitted: admitted == 1, prefetched, bucket_s, remaining, reset_in_ms })
    }
}

// The braces are the hash tag of Redis Cluster: all strings of a key are on the same node.
fn key_name(key: KeyId) -> String {
    format!("rl:{{{key}}}")
}

fn network_name(network: ClientNetwork) -> String {
    format!("rl:{{ip:{network}}}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    use super::super::sliding_window::SlidingWindow;
    use super::super::window_model::{ModelStep, ReferenceWindow, steps, take_request};
    use super::*;
    use crate::config::RedisConfig;
    use testkit::servers::{LocalRedis, choose_dir};

    const START_MS: u64 = 1_700_000_000_500;

    /// A Redis for one test, and the windows on it.
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
    fn the_script_and_the_window_in_process_answer_like_the_reference() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (_scratch, _server, redis_window) = redis_window(&runtime);
        let mut runner =
            TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
        for kind in [KEY_WINDOW, NETWORK_WINDOW] {
            let answers_are_equal = |steps: Vec<ModelStep>| {
                let name = key_name(KeyId::random());
                let mut window = SlidingWindow::default();
                let mut reference = ReferenceWindow::default();
                let mut now_ms = START_MS;
                let mut last = None;
                for step in steps {
                    now_ms += step.wait_ms * kind.time_scale;
                    let scaled_ms = now_ms / kind.time_scale;
                    let limit = step.limit;
                    let take = take_request(&step, last);
                    let by_script = runtime
                        .block_on(redis_window.take_at(&name, kind, limit, take, Some(now_ms)))
                        .map_err(|error| TestCaseError::fail(error.to_string()))?;
                    let reset_in_ms = by_script.reset_in_ms / kind.time_scale;
                    let by_script = Grant { reset_in_ms, ..by_script };
                    let by_reference = reference.take(scaled_ms, limit, take);
                    let by_window = window.take(scaled_ms, limit, take);
                    prop_assert_eq!(by_script, by_reference, "{:?}", step);
                    prop_assert_eq!(by_script, by_window, "{:?}", step);
                    last = Some(by_script);
                }
                Ok(())
            };
            // On a failure, the runner prints the smallest failing case.
            runner.run(&steps(), answers_are_equal).unwrap();
        }
    }

    #[test]
    fn a_clock_that_steps_back_frees_no_permit() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (_scratch, _server, redis_window) = redis_window(&runtime);
        let name = key_name(KeyId::random());
        let prefetching = TakeRequest { prefetch: 2, ..TakeRequest::ONE };
        let take = |now_ms| {
            let taken = redis_window.take_at(&name, KEY_WINDOW, 3, prefetching, Some(now_ms));
            runtime.block_on(taken).unwrap()
        };
        assert_eq!(take(START_MS).prefetched, 2);
        assert!(!take(START_MS - 100_000).admitted);
        assert!(!take(START_MS + 60_499).admitted);
        assert_eq!(take(START_MS + 61_500).prefetched, 2);
    }
}
