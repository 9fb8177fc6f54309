//! The windows that all instances share: one Redis string per key, and one script call per take.
//!
//! The script is `window.lua`. It uses the clock of Redis, so the clocks of the instances do not
//! matter.
//!
//! Redis has a *generation*, the time since when it has had data. An instance that knows an earlier
//! one notices that Redis has lost its data. In a Redis Cluster, the masters lose data
//! independently of each other, and a script uses keys of one hash slot only. Windows are therefore
//! in [`GROUPS`] groups, each with a hash tag and a generation.

use std::sync::atomic::{AtomicU64, Ordering};

use super::take::{Grant, LeaseReturn, Report, TakeRequest, WindowAnswer};
use crate::caller::{ClientNetwork, KeyId, RateLimit};
use crate::redis::{Redis, RedisError, Script};

pub struct RedisWindow {
    redis: Redis,
    script: Script,
    /// The generation of each group, as last seen; 0 before the first answer.
    generations_us: [AtomicU64; GROUPS as usize],
}

/// The number of client networks is unbounded, so their windows expire this long after their last
/// use. If a full Redis evicts one, that network gets a new window.
const NETWORK_TTL_S: u64 = 2 * 3600;
/// How many groups there are, and so how many masters of a cluster can share the windows.
const GROUPS: u32 = 16;

/// A call of the script besides the limit and the take.
#[derive(Clone, Copy, Default)]
struct CallOptions<'a> {
    /// The string in Redis expires this long after its last use. 0 for no expiry, as for the window
    /// of a key: a full Redis evicts strings that have one. The number of keys that were ever used
    /// bounds the memory.
    ttl_s: u64,
    /// Sent after the answer that the window was lost.
    report: Option<&'a Report>,
    /// The clock of Redis in tests, in epoch milliseconds.
    now_ms: Option<u64>,
}

impl RedisWindow {
    pub fn new(redis: Redis) -> Self {
        let script = Script::new(include_str!("window.lua"));
        Self { redis, script, generations_us: Default::default() }
    }

    /// Takes permits of a key.
    ///
    /// # Errors
    /// If Redis did not answer in time. It may have counted the permits nevertheless, so a failed
    /// call makes the limit stricter, never looser.
    pub async fn take(
        &self,
        key: KeyId,
        limit: RateLimit,
        take: TakeRequest,
    ) -> Result<WindowAnswer, RedisError> {
        self.call(&key.to_string(), limit, take, CallOptions::default()).await
    }

    /// Takes permits of a key whose window was lost, after counting what this instance admitted.
    ///
    /// # Errors
    /// As [`RedisWindow::take`].
    pub async fn report_and_take(
        &self,
        key: KeyId,
        limit: RateLimit,
        take: TakeRequest,
        report: &Report,
    ) -> Result<Grant, RedisError> {
        let options = CallOptions { report: Some(report), ..CallOptions::default() };
        self.call(&key.to_string(), limit, take, options).await.map(to_grant)
    }

    /// Takes one permit of a client network.
    ///
    /// # Errors
    /// As [`RedisWindow::take`].
    pub async fn take_of_network(
        &self,
        network: ClientNetwork,
        limit: RateLimit,
    ) -> Result<Grant, RedisError> {
        let options = CallOptions { ttl_s: NETWORK_TTL_S, ..CallOptions::default() };
        let name = format!("ip:{network}");
        self.call(&name, limit, TakeRequest::ONE, options).await.map(to_grant)
    }

    /// Creates the generation of each group that has none, and learns the others.
    ///
    /// # Errors
    /// As [`RedisWindow::take`].
    pub async fn mark_generations(&self) -> Result<(), RedisError> {
        let names: Vec<_> = (0..GROUPS).map(generation_name).collect();
        let stored = self.redis.get_all(&names).await?;
        for (group, stored) in (0..GROUPS).zip(stored) {
            let known_us = self.generations_us[group as usize].load(Ordering::Relaxed);
            if known_us != 0 && stored.as_deref().and_then(generation_us) == Some(known_us) {
                continue;
            }
            // A take of nothing writes no window.
            let (limit, take) = (RateLimit::per_minute(0), TakeRequest::of(0));
            self.call_group(group, "none", limit, take, CallOptions::default()).await?;
        }
        Ok(())
    }

    async fn call(
        &self,
        name: &str,
        limit: RateLimit,
        take: TakeRequest,
        options: CallOptions<'_>,
    ) -> Result<WindowAnswer, RedisError> {
        self.call_group(group_of(name), name, limit, take, options).await
    }

    async fn call_group(
        &self,
        group: u32,
        name: &str,
        limit: RateLimit,
        take: TakeRequest,
        options: CallOptions<'_>,
    ) -> Result<WindowAnswer, RedisError> {
        let TakeRequest { cost, prefetch, lease_return, known_us, incomplete_max } = take;
        let LeaseReturn { bucket_ms, unused } = lease_return;
        let known_generation_us = &self.generations_us[group as usize];
        let report = options.report.map_or_else(|| "-".to_owned(), report_text);
        let arguments = vec![
            limit.requests.to_string(),
            limit.window_s.to_string(),
            cost.to_string(),
            prefetch.to_string(),
            bucket_ms.to_string(),
            unused.to_string(),
            known_us.to_string(),
            incomplete_max.to_string(),
            known_generation_us.load(Ordering::Relaxed).to_string(),
            u8::from(self.redis.may_evict_windows()).to_string(),
            report,
            options.ttl_s.to_string(),
            options.now_ms.map_or(String::new(), |ms| ms.to_string()),
        ];
        // The braces are the hash tag of Redis Cluster: all strings of a group are on one node.
        let names = [format!("rl:{{{group}}}:{name}"), generation_name(group)];
        let names = [names[0].as_str(), &names[1]];
        let answer: (u8, u32, u64, u32, u64, u64, u64, u64) =
            self.redis.run(&self.script, &names, arguments).await?;
        let (state, prefetched, bucket_ms, remaining, reset_in_ms, ..) = answer;
        let (.., created_us, incomplete_ms, generation_us) = answer;
        known_generation_us.store(generation_us, Ordering::Relaxed);
        if state == LOST {
            return Ok(WindowAnswer::Lost);
        }
        let admitted = state == ADMITTED;
        Ok(WindowAnswer::Decided(Grant {
            admitted,
            prefetched,
            bucket_ms,
            remaining,
            reset_in_ms,
            created_us,
            incomplete_ms,
        }))
    }
}

// The states of the script's answer.
const ADMITTED: u8 = 1;
const LOST: u8 = 2;

/// The answer to a call with a report, or of an instance that knows no window. If it was
/// [`WindowAnswer::Lost`], the request would be rejected.
fn to_grant(answer: WindowAnswer) -> Grant {
    match answer {
        WindowAnswer::Decided(grant) => grant,
        WindowAnswer::Lost => Grant::NOTHING,
    }
}

fn generation_name(group: u32) -> String {
    format!("rl:{{{group}}}:generation")
}

/// The generation as `window.lua` stores it.
fn generation_us(stored: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(stored).ok()?;
    text.strip_prefix('!').unwrap_or(text).parse().ok()
}

fn report_text(report: &Report) -> String {
    let permits: Vec<_> =
        report.iter().map(|(age_ms, permits)| format!("{age_ms}:{permits}")).collect();
    permits.join(",")
}

fn group_of(name: &str) -> u32 {
    name.bytes().fold(0u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into())) % GROUPS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{Config as RunnerConfig, TestRunner};

    use super::super::redis_model::RedisModel;
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

    /// What happens to Redis before a call.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Loss {
        None,
        All,
        Window,
        Generation,
    }

    /// Calls of two instances, and what Redis loses before each.
    fn steps_with_losses() -> impl Strategy<Value = Vec<(ModelStep, usize, Loss)>> {
        let loss = prop_oneof![
            20 => Just(Loss::None),
            1 => Just(Loss::All),
            1 => Just(Loss::Window),
            1 => Just(Loss::Generation),
        ];
        steps().prop_flat_map(move |steps| {
            let count = steps.len();
            let others = prop::collection::vec((0..2usize, loss.clone()), count);
            (Just(steps), others).prop_map(|(steps, others)| {
                let joined = steps.into_iter().zip(others);
                joined.map(|(step, (instance, loss))| (step, instance, loss)).collect()
            })
        })
    }

    /// A call of the script at a time, with a report if Redis asks for it.
    fn decide(
        mut call: impl FnMut(TakeRequest, Option<&Report>) -> WindowAnswer,
        take: TakeRequest,
        report: &Report,
    ) -> Grant {
        match call(take, None) {
            WindowAnswer::Decided(grant) => grant,
            WindowAnswer::Lost => {
                let take = TakeRequest { lease_return: LeaseReturn::NOTHING, ..take };
                to_grant(call(take, Some(report)))
            }
        }
    }

    #[test]
    fn the_script_answers_like_its_models_whatever_redis_loses() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (_scratch, server, redis_window) = redis_window(&runtime);
        let mut runner = TestRunner::new(RunnerConfig {
            cases: 64,
            failure_persistence: None,
            ..RunnerConfig::default()
        });
        let answers_are_equal = |steps: Vec<(ModelStep, usize, Loss)>| {
            let key = KeyId::random();
            let mut model = RedisModel::default();
            let instances = [(); 2].map(|()| RedisWindow::new(redis_window.redis.clone()));
            let mut generations_us = [0; 2];
            let command = |arguments: &[&str]| {
                let mut client = std::process::Command::new("redis-cli");
                let url = server.url().replace("redis://:", "redis://default:");
                client.args(["--no-auth-warning", "-e", "-u", &url]).args(arguments);
                assert!(client.output().unwrap().status.success(), "{arguments:?}");
            };
            command(&["FLUSHALL"]);
            let group = group_of(&key.to_string());
            let mut now_ms = START_MS;
            let (mut last, mut known_us) = ([None; 2], [0; 2]);
            for (step, instance, loss) in steps {
                now_ms += step.wait_ms;
                match loss {
                    Loss::None => {}
                    Loss::All => {
                        command(&["FLUSHALL"]);
                        model.lose_all();
                    }
                    Loss::Window => {
                        command(&["DEL", &format!("tickerd:rl:{{{group}}}:{key}")]);
                        model.lose_window(0);
                    }
                    Loss::Generation => {
                        command(&["DEL", &format!("tickerd:rl:{{{group}}}:generation")]);
                        model.lose_generation();
                    }
                }
                let take = TakeRequest {
                    known_us: known_us[instance],
                    incomplete_max: 5,
                    ..take_request(&step, last[instance])
                };
                let report = vec![(0, step.unused), (7_000, 1), (60_000, 2), (3_600_000, 3)];
                let by_script = decide(
                    |take, report| {
                        let options = CallOptions { report, now_ms: Some(now_ms), ttl_s: 0 };
                        runtime
                            .block_on(instances[instance].call(
                                &key.to_string(),
                                step.limit,
                                take,
                                options,
                            ))
                            .unwrap()
                    },
                    take,
                    &report,
                );
                let by_model = decide(
                    |take, report| {
                        let generation_us = &mut generations_us[instance];
                        model.take(0, now_ms, step.limit, take, generation_us, report)
                    },
                    take,
                    &report,
                );
                prop_assert_eq!(by_script, by_model, "{:?}, {:?}", step, loss);
                (last[instance], known_us[instance]) = (Some(by_script), by_script.created_us);
            }
            Ok(())
        };
        // On a failure, the runner prints the smallest failing case.
        runner.run(&steps_with_losses(), answers_are_equal).unwrap();
    }

    #[test]
    fn the_script_and_the_window_in_process_answer_like_the_reference() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (_scratch, _server, redis_window) = redis_window(&runtime);
        let mut runner = TestRunner::new(RunnerConfig {
            cases: 64,
            failure_persistence: None,
            ..RunnerConfig::default()
        });
        for ttl_s in [0, NETWORK_TTL_S] {
            let answers_are_equal = |steps: Vec<ModelStep>| {
                let name = KeyId::random().to_string();
                let mut window = SlidingWindow::default();
                let mut reference = ReferenceWindow::default();
                let mut now_ms = START_MS;
                let mut last = None;
                for step in steps {
                    now_ms += step.wait_ms;
                    let limit = step.limit;
                    let take = take_request(&step, last);
                    let options = CallOptions { ttl_s, now_ms: Some(now_ms), report: None };
                    let by_script = runtime
                        .block_on(redis_window.call(&name, limit, take, options))
                        .map_err(|error| TestCaseError::fail(error.to_string()))?;
                    let by_script = to_grant(by_script);
                    let by_script = Grant { created_us: 0, incomplete_ms: 0, ..by_script };
                    let before = (reference.clone(), window.clone());
                    let by_reference = reference.take(now_ms, limit, take);
                    let by_window = window.take(now_ms, limit, take);
                    if !by_script.admitted && take.lease_return.unused == 0 {
                        // The script writes nothing, so the cells are not joined.
                        (reference, window) = before;
                    }
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
        let name = KeyId::random().to_string();
        let prefetching = TakeRequest { prefetch: 2, ..TakeRequest::ONE };
        let take = |now_ms| {
            let options = CallOptions { now_ms: Some(now_ms), ..CallOptions::default() };
            let taken = redis_window.call(&name, RateLimit::per_minute(3), prefetching, options);
            to_grant(runtime.block_on(taken).unwrap())
        };
        assert_eq!(take(START_MS).prefetched, 2);
        assert!(!take(START_MS - 100_000).admitted);
        assert!(!take(START_MS + 60_000).admitted);
        assert_eq!(take(START_MS + 61_001).prefetched, 2);
    }
}
