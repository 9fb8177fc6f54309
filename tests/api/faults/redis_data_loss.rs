//! Redis loses its data while instances hold on to their limits.

use super::redis_fixtures::{wait_until_counted, wait_until_granted_by};
use crate::limits::burst;
use crate::support::{App, Database, RedisServer, id_of, record, scratch};

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
                      struct.pack('>I4I4I4I4I4I4', 4102444800, 0, 0, 0, 4102444800, 4294967295))";
    let complete_in_2100 = "return redis.call('SET', KEYS[1], \
                            struct.pack('>I4I4I4I4', 1700000000, 4102444800, 0, 0))";
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
