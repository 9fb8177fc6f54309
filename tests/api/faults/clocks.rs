//! Clocks that are wrong, and clocks that step, under real servers: libfaketime tells them another
//! time.
//!
//! What measures time that passes is left alone (CLOCK_MONOTONIC), as no setting of a clock can
//! move it.

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

/// What the instance takes for the time, as its answers say.
fn date(answer: &reqwest::Response) -> DateTime<Utc> {
    DateTime::parse_from_rfc2822(header(answer, "date")).expect("a date").with_timezone(&Utc)
}

fn max_age_s(answer: &reqwest::Response) -> u32 {
    let value = header(answer, "cache-control").rsplit("max-age=").next().expect("never empty");
    value.parse().unwrap_or_else(|_| panic!("{value}"))
}

async fn two_that_share(database: &Database, clocks: &[Clock; 2]) -> Vec<App> {
    let (url, prefix) = (redis_url(), format!("{}:", unique("test")));
    let mut apps = Vec::new();
    for clock in clocks {
        apps.push(clock.app(database, &[("REDIS_URL", &url), ("REDIS_KEY_PREFIX", &prefix)]).await);
    }
    apps
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn two_instances_whose_clocks_are_5_s_apart_admit_exactly_the_limit_around_a_minutes_edge() {
    let (database, clocks) =
        (Database::sample().await, [Clock::with_offset_s(0), Clock::with_offset_s(5)]);
    let apps = two_that_share(&database, &clocks).await;
    assert_eq!(burst(&apps, &database.issue("free"), 300).await, 100);
    let (most, total) = around_a_minutes_edge(&apps, &database.issue("free")).await;
    record(
        "two_instances_whose_clocks_are_5_s_apart_admit_exactly_the_limit_around_a_minutes_edge",
        &format!("exactly 100 of 300; {most} at most in any minute, {total} in 65 s"),
    );
}

/// Steps a clock to and fro by up to an hour for as long as a task runs.
async fn while_it_steps<T>(clocks: &[Clock], task: impl Future<Output = T>) -> (T, u32) {
    let seed = rand::rng().random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (over, mut steps) = (AtomicBool::new(false), 0);
    let stepping = async {
        while !over.load(Ordering::Relaxed) {
            for clock in clocks {
                clock.set_offset_s(random.random_range(-3600..=3600));
            }
            steps += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let task = async {
        let result = task.await;
        over.store(true, Ordering::Relaxed);
        result
    };
    let (result, ()) = tokio::join!(task, stepping);
    (result, steps)
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn instances_whose_clocks_step_to_and_fro_admit_exactly_the_limit() {
    let (database, clocks) =
        (Database::sample().await, [Clock::with_offset_s(0), Clock::with_offset_s(0)]);
    let apps = two_that_share(&database, &clocks).await;
    let key = database.issue("free");
    let ((most, total), steps) = while_it_steps(&clocks, around_a_minutes_edge(&apps, &key)).await;
    record(
        "instances_whose_clocks_step_to_and_fro_admit_exactly_the_limit",
        &format!("{steps} steps each; {most} at most in any minute, {total} in 65 s"),
    );
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn an_instance_without_redis_whose_clock_steps_to_and_fro_admits_exactly_the_limit() {
    let (database, clocks) = (Database::sample().await, [Clock::with_offset_s(0)]);
    let (apps, key) = ([clocks[0].app(&database, &[]).await], database.issue("free"));
    let ((most, total), steps) = while_it_steps(&clocks, around_a_minutes_edge(&apps, &key)).await;
    record(
        "an_instance_without_redis_whose_clock_steps_to_and_fro_admits_exactly_the_limit",
        &format!("{steps} steps; {most} at most in any minute, {total} in 65 s"),
    );
}

/// Moves all seconds of every window by so many: what the script sees then is what it would see by
/// a clock that has stepped the other way. (Redis with jemalloc does not start under libfaketime.)
const MOVE_WINDOWS: &str = "
    for _, name in ipairs(redis.call('KEYS', '*rl:*')) do
        local log, parts = redis.call('GET', name), {}
        for at = 1, #log, 4 do
            local number = struct.unpack('>I4', log, at)
            -- The newest second, and then pairs of a second and a count.
            local is_count = at > 1 and (at - 5) % 8 == 4
            parts[#parts + 1] = struct.pack('>I4', is_count and number or number + ARGV[1])
        end
        redis.call('SET', name, table.concat(parts))
    end
    return 'OK'";

#[tokio::test]
async fn a_redis_whose_clock_steps_back_admits_nothing_more_and_one_that_steps_forward_forgets_so_much()
 {
    let (database, scratch) = (Database::sample().await, scratch());
    let server = RedisServer::start(scratch.path()).await;
    let mut apps = Vec::new();
    for _ in 0..2 {
        apps.push(App::with(&database, &[("REDIS_URL", &server.url())]).await);
    }
    let mut admitted = Vec::new();
    for off_by_s in [-1800, 50, 62] {
        let key = database.issue("free");
        // The limit, and no refusal that an instance would remember.
        let first = burst(&apps, &key, 100).await;
        server.command_ok(&["EVAL", MOVE_WINDOWS, "0", &(-off_by_s).to_string()]);
        admitted.push(first + burst(&apps, &key, 150).await);
    }
    // Of a window that begins anew one instance may miss what the other has taken ahead.
    assert!(
        admitted[0] <= 100 && admitted[1] <= 100 && (150..=200).contains(&admitted[2]),
        "{admitted:?}"
    );
    record(
        "a_redis_whose_clock_steps_back_admits_nothing_more_and_one_that_steps_forward_forgets_so_much",
        &format!(
            "admitted of 100: half an hour back {}, 50 s forward {}, 62 s forward {}",
            admitted[0], admitted[1], admitted[2]
        ),
    );
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn a_range_that_ends_today_is_kept_for_a_day_from_midnight_at_the_exchange_on() {
    let database = Database::sample().await;
    let (clock, key) = (Clock::with_offset_s(0), database.issue("enterprise"));
    let midnight: DateTime<Utc> = "2013-01-01T05:00:00Z".parse().unwrap();
    clock.set(midnight - TimeDelta::hours(5));
    let app = clock.app(&database, &[]).await;
    let mut start = chrono::NaiveDate::from_ymd_opt(2012, 1, 1).unwrap().iter_days();
    // Another question each time: an answer that is there already lives as long as it was made to.
    let mut ask = async || {
        let path =
            format!("/api/stocks/AAPL/prices?start={}&end=2012-12-31", start.next().unwrap());
        let answer = app.get(&key, &path).await;
        assert_eq!(answer.status(), 200);
        (date(&answer), max_age_s(&answer))
    };
    assert!(
        ask().await.1 <= 300,
        "the year has five hours to go in New York, and is over in Greenwich"
    );
    clock.set(midnight - TimeDelta::seconds(4));
    let (mut open, mut closed) = (Vec::new(), Vec::new());
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(8) {
        let (date, max_age_s) = ask().await;
        match max_age_s {
            295..=300 => open.push(date),
            86_100..=86_400 => closed.push(date),
            other => panic!("{other} s at {date}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (last_open, first_closed) = (open.iter().max().unwrap(), closed.iter().min().unwrap());
    // Its header tells whole seconds, renewed now and then.
    let second = TimeDelta::seconds(1);
    assert!(
        *last_open <= midnight && midnight - second <= *first_closed,
        "{last_open} {first_closed}"
    );
    assert!(open.len() > 5 && closed.len() > 5, "{} {}", open.len(), closed.len());
    record(
        "a_range_that_ends_today_is_kept_for_a_day_from_midnight_at_the_exchange_on",
        &format!(
            "{} answers for 300 s, the last at {last_open}; {} for 24 h, the first at {first_closed}",
            open.len(),
            closed.len()
        ),
    );
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn no_answer_lives_longer_and_no_key_is_believed_longer_because_the_clock_steps_back() {
    let (database, clock) = (Database::sample().await, Clock::with_offset_s(0));
    let (app, key) =
        (clock.app(&database, &[("KEY_STATUS_TTL_MS", "60000")]).await, database.issue("pro"));
    let path = "/api/stocks/AAPL/quote";
    let mut seen = Vec::new();
    for off_by_s in [0, 0, -3600, -3600, 0] {
        clock.set_offset_s(off_by_s);
        let answer = app.get(&key, path).await;
        assert!(max_age_s(&answer) <= 60, "{answer:?}");
        seen.push(header(&answer, "x-cache").to_owned());
    }
    assert_eq!(seen, ["MISS", "HIT", "MISS", "HIT", "MISS"]);
    // The row of a key is read again after the step, though a minute has not passed: a change that
    // nobody was told of shows.
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
        "no_answer_lives_longer_and_no_key_is_believed_longer_because_the_clock_steps_back",
        &format!("{}; the key's row was read again after {} ms", seen.join(", "), took.as_millis()),
    );
}

#[tokio::test]
#[ignore = "make test-faults"]
async fn keys_end_and_usage_counts_by_the_clock_of_the_instance() {
    let database = Database::sample().await;
    let clocks = [Clock::with_offset_s(0), Clock::with_offset_s(24 * 3600)];
    let apps = two_that_share(&database, &clocks).await;
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
    assert_eq!(statuses, [200, 401], "by the clock of the second it has ended");
    for mut app in apps {
        app.signal("TERM");
        assert_eq!(app.wait_for_exit().await, Some(0));
    }
    let today = Utc::now().date_naive();
    let (start, end) =
        ((today - TimeDelta::days(1)).to_string(), (today + TimeDelta::days(2)).to_string());
    let asked = [
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
    let totals = database.output(&asked).json();
    let days: Vec<_> =
        totals.as_array().unwrap().iter().map(|total| total["day"].as_str().unwrap()).collect();
    assert_eq!(days.len(), 2, "{totals}");
    record(
        "keys_end_and_usage_counts_by_the_clock_of_the_instance",
        &format!(
            "a key with 12 h left: {statuses:?}; requests of the same moment count for {}",
            days.join(" and ")
        ),
    );
}
