//! Real servers with wrong clocks and with clocks that step: libfaketime shows them another time.
//!
//! It does not change the clock that measures elapsed time (CLOCK_MONOTONIC), which no system
//! setting can move.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::limits::{around_a_minutes_edge, burst};
use crate::support::{
    App, Clock, Database, RedisServer, eventually, header, id_of, record, redis_url, scratch,
    unique,
};

/// The time of the instance, from a response's `Date`.
fn date(response: &reqwest::Response) -> DateTime<Utc> {
    DateTime::parse_from_rfc2822(header(response, "date")).expect("a date").with_timezone(&Utc)
}

fn max_age_s(response: &reqwest::Response) -> u32 {
    let value = header(response, "cache-control").rsplit("max-age=").next().expect("never empty");
    value.parse().unwrap_or_else(|_| panic!("{value}"))
}

async fn two_sharing_redis(database: &Database, clocks: &[Clock; 2]) -> Vec<App> {
    let url = redis_url();
    let prefix = format!("{}:", unique("test"));
    let mut apps = Vec::new();
    for clock in clocks {
        apps.push(clock.app(database, &[("REDIS_URL", &url), ("REDIS_KEY_PREFIX", &prefix)]).await);
    }
    apps
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn instances_with_clocks_5_s_apart_admit_exactly_the_limit_across_a_minute_boundary() {
    let database = Database::sample().await;
    let clocks = [Clock::with_offset_s(0), Clock::with_offset_s(5)];
    let apps = two_sharing_redis(&database, &clocks).await;
    assert_eq!(burst(&apps, &database.issue("free"), 300).await, 100);
    let (most, total) = around_a_minutes_edge(&apps, &database.issue("free")).await;
    record(
        "instances_with_clocks_5_s_apart_admit_exactly_the_limit_across_a_minute_boundary",
        &format!("exactly 100 of 300; {most} at most in any minute, {total} in 65 s"),
    );
}

/// Steps the clocks back and forth by up to an hour while a task runs.
async fn while_clocks_step<T>(clocks: &[Clock], task: impl Future<Output = T>) -> (T, u32) {
    let seed = rand::rng().random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let done = AtomicBool::new(false);
    let mut steps = 0;
    let stepping = async {
        while !done.load(Ordering::Relaxed) {
            for clock in clocks {
                clock.set_offset_s(random.random_range(-3600..=3600));
            }
            steps += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let task = async {
        let result = task.await;
        done.store(true, Ordering::Relaxed);
        result
    };
    let (result, ()) = tokio::join!(task, stepping);
    (result, steps)
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn instances_whose_clocks_step_back_and_forth_admit_exactly_the_limit() {
    let database = Database::sample().await;
    let clocks = [Clock::with_offset_s(0), Clock::with_offset_s(0)];
    let apps = two_sharing_redis(&database, &clocks).await;
    let key = database.issue("free");
    let ((most, total), steps) =
        while_clocks_step(&clocks, around_a_minutes_edge(&apps, &key)).await;
    record(
        "instances_whose_clocks_step_back_and_forth_admit_exactly_the_limit",
        &format!("{steps} steps each; {most} at most in any minute, {total} in 65 s"),
    );
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn an_instance_without_redis_whose_clock_steps_back_and_forth_admits_exactly_the_limit() {
    let database = Database::sample().await;
    let clocks = [Clock::with_offset_s(0)];
    let apps = [clocks[0].app(&database, &[]).await];
    let key = database.issue("free");
    let ((most, total), steps) =
        while_clocks_step(&clocks, around_a_minutes_edge(&apps, &key)).await;
    record(
        "an_instance_without_redis_whose_clock_steps_back_and_forth_admits_exactly_the_limit",
        &format!("{steps} steps; {most} at most in any minute, {total} in 65 s"),
    );
}

/// Moves all times of every window by an offset in seconds. The script then sees the same as with a
/// clock that has stepped the other way. (Redis with jemalloc does not start under libfaketime.)
const MOVE_WINDOWS: &str = "
    for _, name in ipairs(redis.call('KEYS', '*rl:{*}:????????????')) do
        local log, offset_ms = redis.call('GET', name), ARGV[1] * 1000
        -- The newest time, two others, and then cells of a time and a count.
        local newest_ms, since_ms, created_us = struct.unpack('>I6I6I8', log)
        local parts = { struct.pack('>I6I6I8', newest_ms + offset_ms, since_ms, created_us) }
        for at = 21, #log, 10 do
            local last_ms, count = struct.unpack('>I6I4', log, at)
            parts[#parts + 1] = struct.pack('>I6I4', last_ms + offset_ms, count)
        end
        redis.call('SET', name, table.concat(parts))
    end
    return 'OK'";

#[tokio::test]
async fn a_redis_clock_step_back_admits_nothing_more_and_a_step_forward_expires_that_much() {
    let database = Database::sample().await;
    let scratch = scratch();
    let server = RedisServer::start(scratch.path()).await;
    let mut apps = Vec::new();
    for _ in 0..2 {
        apps.push(App::with(&database, &[("REDIS_URL", &server.url())]).await);
    }
    let mut admitted = Vec::new();
    for off_by_s in [-240, 50, 62, -1800] {
        let key = database.issue("free");
        // Exactly the limit, so that no instance caches a refusal.
        let first = burst(&apps, &key, 100).await;
        server.command_ok(&["EVAL", MOVE_WINDOWS, "0", &(-off_by_s).to_string()]);
        admitted.push(first + burst(&apps, &key, 150).await);
    }
    // In a new window an instance may miss permits that the other has prefetched.
    assert!(
        admitted[0] <= 100 && admitted[1] <= 100 && (150..=200).contains(&admitted[2])
            // A window half an hour ahead counts as lost.
            && admitted[3] <= 200,
        "{admitted:?}"
    );
    record(
        "a_redis_clock_step_back_admits_nothing_more_and_a_step_forward_expires_that_much",
        &format!(
            "admitted of 100: 4 minutes back {}, 50 s forward {}, 62 s forward {}, half an hour \
             back {}",
            admitted[0], admitted[1], admitted[2], admitted[3]
        ),
    );
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn a_range_that_ends_today_is_cached_for_a_day_after_midnight_at_the_exchange() {
    let database = Database::sample().await;
    let clock = Clock::with_offset_s(0);
    let key = database.issue("enterprise");
    let midnight: DateTime<Utc> = "2013-01-01T05:00:00Z".parse().unwrap();
    clock.set(midnight - TimeDelta::hours(5));
    let app = clock.app(&database, &[]).await;
    let mut start = chrono::NaiveDate::from_ymd_opt(2012, 1, 1).unwrap().iter_days();
    // A different query each time: a cached response keeps its time to live.
    let mut send = async || {
        let path =
            format!("/api/stocks/AAPL/prices?start={}&end=2012-12-31", start.next().unwrap());
        let response = app.get(&key, &path).await;
        assert_eq!(response.status(), 200);
        (date(&response), max_age_s(&response))
    };
    assert!(send().await.1 <= 300, "the year has ended in Greenwich but not in New York");
    clock.set(midnight - TimeDelta::seconds(4));
    let (mut open, mut closed) = (Vec::new(), Vec::new());
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(8) {
        let (date, max_age_s) = send().await;
        match max_age_s {
            295..=300 => open.push(date),
            86_100..=86_400 => closed.push(date),
            other => panic!("{other} s at {date}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (last_open, first_closed) = (open.iter().max().unwrap(), closed.iter().min().unwrap());
    // The header has whole seconds, and the server updates it now and then.
    let second = TimeDelta::seconds(1);
    assert!(
        *last_open <= midnight && midnight - second <= *first_closed,
        "{last_open} {first_closed}"
    );
    assert!(open.len() > 5 && closed.len() > 5, "{} {}", open.len(), closed.len());
    record(
        "a_range_that_ends_today_is_cached_for_a_day_after_midnight_at_the_exchange",
        &format!(
            "{} responses for 300 s, the last at {last_open}; {} for 24 h, the first at \
             {first_closed}",
            open.len(),
            closed.len()
        ),
    );
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn a_clock_step_back_prolongs_no_cached_response_and_no_cached_key() {
    let database = Database::sample().await;
    let clock = Clock::with_offset_s(0);
    let app = clock.app(&database, &[("KEY_STATUS_TTL_MS", "60000")]).await;
    let key = database.issue("pro");
    let path = "/api/stocks/AAPL/quote";
    let mut cache_states = Vec::new();
    for off_by_s in [0, 0, -3600, -3600, 0] {
        clock.set_offset_s(off_by_s);
        let response = app.get(&key, path).await;
        assert!(max_age_s(&response) <= 60, "{response:?}");
        cache_states.push(header(&response, "x-cache").to_owned());
    }
    assert_eq!(cache_states, ["MISS", "HIT", "MISS", "HIT", "MISS"]);
    // The server reads the row of a key again after the step, though its minute has not passed. A
    // change without a notification then takes effect.
    let changed =
        format!("UPDATE api_keys SET expires_at = '2000-01-01Z' WHERE id = '{}'", id_of(&key));
    database
        .connect()
        .await
        .batch_execute(&format!("SET session_replication_role = replica; {changed}"))
        .await
        .unwrap();
    clock.set_offset_s(-7200);
    let refused = async || app.get(&key, path).await.status() == 401;
    let took = eventually("the key is refused", Duration::from_secs(2), refused).await;
    record(
        "a_clock_step_back_prolongs_no_cached_response_and_no_cached_key",
        &format!(
            "{}; the key's row was read again after {} ms",
            cache_states.join(", "),
            took.as_millis()
        ),
    );
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn keys_expire_and_usage_is_dated_by_the_clock_of_the_instance() {
    let database = Database::sample().await;
    let clocks = [Clock::with_offset_s(0), Clock::with_offset_s(24 * 3600)];
    let apps = two_sharing_redis(&database, &clocks).await;
    let ends = (Utc::now() + TimeDelta::hours(12)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let issued = database.output(&[
        "keys",
        "issue",
        "--owner",
        "tests",
        "--name",
        "ends",
        "--expires",
        &ends,
    ]);
    let (ending, lasting) = (issued.stdout.trim().to_owned(), database.issue("free"));
    let mut statuses = Vec::new();
    for app in &apps {
        statuses.push(app.get(&ending, "/api/stocks/AAPL").await.status().as_u16());
        assert_eq!(app.get(&lasting, "/api/stocks/AAPL").await.status(), 200);
    }
    assert_eq!(statuses, [200, 401], "by the clock of the second instance the key has expired");
    for mut app in apps {
        app.signal("TERM");
        assert_eq!(app.wait_for_exit().await, Some(0));
    }
    let today = Utc::now().date_naive();
    let (start, end) =
        ((today - TimeDelta::days(1)).to_string(), (today + TimeDelta::days(2)).to_string());
    let arguments = [
        "usage",
        "--key",
        id_of(&lasting),
        "--by",
        "day",
        "--start",
        &start,
        "--end",
        &end,
        "--json",
    ];
    let totals = database.output(&arguments).json();
    let days: Vec<_> =
        totals.as_array().unwrap().iter().map(|total| total["day"].as_str().unwrap()).collect();
    assert_eq!(days.len(), 2, "{totals}");
    record(
        "keys_expire_and_usage_is_dated_by_the_clock_of_the_instance",
        &format!(
            "a key with 12 h left: {statuses:?}; requests of the same moment count for {}",
            days.join(" and ")
        ),
    );
}
