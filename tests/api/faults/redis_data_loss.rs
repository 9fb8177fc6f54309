//! Redis loses its data while instances hold on to their limits.

use std::time::Duration;

use super::redis_fixtures::{metric, wait_until_counted, wait_until_granted_by};
use crate::limits::burst;
use crate::support::{App, Database, RedisServer, eventually, id_of, record, scratch};

const LIMIT: usize = 100;

/// Instances that share a Redis which has had data for a long time.
struct LosingRedis {
    database: Database,
    server: RedisServer,
    apps: Vec<App>,
    _scratch: tempfile::TempDir,
}

impl LosingRedis {
    async fn start(instances: usize) -> Self {
        let (database, scratch) = (Database::sample().await, scratch());
        let server = RedisServer::start(scratch.path()).await;
        for group in 0..16 {
            let generation = format!("tickerd:rl:{{{group}}}:generation");
            server.command_ok(&["SET", &generation, "1700000000000000"]);
        }
        let mut apps = Vec::new();
        for _ in 0..instances {
            apps.push(App::with(&database, &[("REDIS_URL", &server.url())]).await);
        }
        wait_until_counted(&apps).await;
        Self { database, server, apps, _scratch: scratch }
    }

    /// A client that uses the limit at the first instance, and then asks all of them in turn after
    /// each loss. Returns what was admitted, in less than a minute.
    async fn admitted(&mut self, losses: usize, lose: impl AsyncFn(&mut RedisServer)) -> usize {
        let started = std::time::Instant::now();
        let key = self.database.issue("free");
        let mut admitted = burst(&self.apps[..1], &key, LIMIT).await;
        assert_eq!(admitted, LIMIT, "the window is complete");
        for loss in 0..losses {
            lose(&mut self.server).await;
            let other = self.database.issue("free");
            for app in &self.apps {
                wait_until_granted_by(app, &other).await;
            }
            // Another instance is asked first each time.
            self.apps.rotate_left(1 + loss % 2);
            for app in self.apps.chunks(1) {
                admitted += burst(app, &key, LIMIT).await;
            }
        }
        assert!(started.elapsed().as_secs() < 60, "all within a minute");
        admitted
    }
}

#[tokio::test]
async fn a_redis_that_restarts_empty_many_times_admits_at_most_twice_the_limit_in_a_minute() {
    let mut redis = LosingRedis::start(3).await;
    let admitted = redis
        .admitted(5, async |server| {
            server.kill();
            server.run().await;
        })
        .await;
    assert!(admitted <= 2 * LIMIT, "{admitted} of {LIMIT}");
    record(
        "a_redis_that_restarts_empty_many_times_admits_at_most_twice_the_limit_in_a_minute",
        &format!("{admitted} of {LIMIT} after 5 restarts, with 3 instances"),
    );
}

#[tokio::test]
async fn a_redis_whose_data_are_deleted_many_times_admits_at_most_twice_the_limit_in_a_minute() {
    let mut redis = LosingRedis::start(3).await;
    let admitted = redis.admitted(8, async |server| server.command_ok(&["FLUSHALL"])).await;
    assert!(admitted <= 2 * LIMIT, "{admitted} of {LIMIT}");
    record(
        "a_redis_whose_data_are_deleted_many_times_admits_at_most_twice_the_limit_in_a_minute",
        &format!("{admitted} of {LIMIT} after 8 FLUSHALL, with 3 instances"),
    );
}

/// Each way in which one window can be damaged, and what Redis answers for it.
#[tokio::test]
async fn a_damaged_window_neither_locks_a_key_out_nor_frees_it_of_its_limit() {
    let redis = LosingRedis::start(2).await;
    let dated_2100 = "return redis.call('SET', KEYS[1], \
                      struct.pack('>I6I6I8I6I4', 4102444800000, 0, 0, 4102444800000, 4294967295))";
    let complete_in_2100 = "return redis.call('SET', KEYS[1], \
                            struct.pack('>I6I6I8', 1700000000000, 4102444800000, 0))";
    let mut results = Vec::new();
    for damage in [
        vec!["SET", "", "abc"],
        vec!["SET", "", "0123456789abcdefghij"],
        vec!["EVAL", dated_2100, "1", ""],
        vec!["EVAL", complete_in_2100, "1", ""],
        vec!["HSET", "", "field", "value"],
    ] {
        let key = redis.database.issue("free");
        let before = burst(&redis.apps[..1], &key, 10).await;
        let pattern = format!("tickerd:rl:*:{}", id_of(&key));
        let name = redis.server.command(&["KEYS", &pattern]);
        if damage[0] == "HSET" {
            redis.server.command(&["DEL", &name]);
        }
        let arguments: Vec<_> =
            damage.iter().map(|word| if word.is_empty() { name.as_str() } else { word }).collect();
        redis.server.command(&arguments);
        let after =
            [burst(&redis.apps[..1], &key, 150).await, burst(&redis.apps[1..], &key, 150).await];
        // Each instance admits its share. The first one has used 10 of it.
        assert_eq!((before, after), (10, [40, 50]), "{damage:?}");
        results.push(before + after[0] + after[1]);
    }
    record(
        "a_damaged_window_neither_locks_a_key_out_nor_frees_it_of_its_limit",
        &format!("admitted of {LIMIT}: {results:?}"),
    );
}

/// A hosted Redis often has such a policy. It evicts windows, though they have no time to live.
#[tokio::test]
async fn a_redis_that_evicts_windows_admits_at_most_twice_the_limit_and_says_so() {
    let mut redis = LosingRedis::start(2).await;
    for setting in [["maxmemory-policy", "allkeys-random"], ["maxmemory", "4mb"]] {
        redis.server.command_ok(&[["CONFIG", "SET"], setting].concat());
    }
    // Instances look at the policy when they connect.
    redis.server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    let policy = "\"redisEvictionPolicy\":\"allkeys-random\"";
    for app in &redis.apps {
        let shown =
            async || app.get("", "/health/ready").await.text().await.unwrap().contains(policy);
        eventually("readiness shows the policy", Duration::from_secs(5), shown).await;
        let warned = |line: &&String| line.contains("evicts windows of limits");
        assert_eq!(app.warnings_and_errors().iter().filter(warned).count(), 1);
        assert_eq!(metric(app, "tickerd_redis_evicts_windows").await, 1);
    }
    let fill = "for n = 1, 20000 do redis.call('SET', ARGV[1] .. n, string.rep('x', 300)) end";
    let key = redis.database.issue("free");
    let mut admitted = 0;
    for round in 0..8 {
        for app in redis.apps.chunks(1) {
            admitted += burst(app, &key, LIMIT).await;
        }
        redis.apps.rotate_left(1);
        redis.server.command(&["EVAL", fill, "0", &format!("round {round} ")]);
        redis.server.command(&["SET", "one", "more"]);
    }
    let evicted = redis.server.command(&["INFO", "stats"]);
    let evicted = evicted.lines().find_map(|line| line.strip_prefix("evicted_keys:")).unwrap();
    assert!(evicted.trim().parse::<u64>().unwrap() > 10_000, "{evicted}");
    assert!((LIMIT..=2 * LIMIT).contains(&admitted), "{admitted} of {LIMIT}");
    record(
        "a_redis_that_evicts_windows_admits_at_most_twice_the_limit_and_says_so",
        &format!("{admitted} of {LIMIT}, with 2 instances"),
    );
}
