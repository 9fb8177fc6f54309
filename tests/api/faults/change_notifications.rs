//! Every instance serves a commit within a second, or at its next poll if the notification is lost.

use std::time::{Duration, Instant};

use crate::support::{App, Database, Files, eventually, header, record, redis_url, run, unique};

const PATH: &str = "/api/stocks/AAPL/prices?start=2012-12-31&end=2012-12-31";
/// The poll interval in these tests, instead of 30 s.
const POLL_MS: u64 = 2000;

/// Loads another close of one day. Returns the text that every later response must contain.
fn load_correction(database: &Database, variables: &[(&str, &str)], close: u32) -> String {
    let files = Files::new();
    let rows = format!(
        "symbol,date,open,high,low,close,volume,adjusted_close\n\
         AAPL,2012-12-31,510,900,500,{close},23553300,69\n"
    );
    let file = files.write("prices.csv", rows);
    let output =
        run(database.tickerd(&["ingest", "prices", &file]).envs(variables.iter().copied()));
    assert!(output.status.success(), "{output:?}");
    format!("\"close\":{close}.0,")
}

/// The promised second, with a margin for many tests on two cores.
const SERVED_WITHIN: Duration = Duration::from_secs(4);

/// Waits until every instance serves the expected text, and returns how long that took. Each
/// instance still has the old response in memory before.
async fn wait_until_served(apps: &[App], key: &str, expected: &str, within: Duration) -> Duration {
    let started = Instant::now();
    for app in apps {
        let corrected = async || app.get(key, PATH).await.text().await.unwrap().contains(expected);
        eventually("the correction is served", within.saturating_sub(started.elapsed()), corrected)
            .await;
    }
    started.elapsed()
}

#[tokio::test]
async fn instances_serve_a_commit_within_a_second_or_at_the_next_poll_if_its_message_is_lost() {
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("following"));
    let poll = POLL_MS.to_string();
    let url = redis_url();
    let shared =
        [("REDIS_URL", url.as_str()), ("REDIS_KEY_PREFIX", &prefix), ("CHANGES_POLL_MS", &poll)];
    let apps = [App::with(&database, &shared).await, App::with(&database, &shared).await];
    let key = database.issue("pro");
    let warm = async || {
        for app in &apps {
            app.get(&key, PATH).await;
            assert_eq!(header(&app.get(&key, PATH).await, "x-cache"), "HIT");
        }
    };
    warm().await;
    let notified =
        wait_until_served(&apps, &key, &load_correction(&database, &shared, 601), SERVED_WITHIN)
            .await;
    warm().await;
    // With another key prefix the notification reaches no instance.
    let elsewhere = [("REDIS_URL", url.as_str()), ("REDIS_KEY_PREFIX", "nobody:")];
    let expected = load_correction(&database, &elsewhere, 602);
    let within = Duration::from_millis(POLL_MS) + SERVED_WITHIN;
    let polled = wait_until_served(&apps, &key, &expected, within).await;
    record(
        "instances_serve_a_commit_within_a_second_or_at_the_next_poll_if_its_message_is_lost",
        &format!(
            "both after {} ms; after {} ms without the message",
            notified.as_millis(),
            polled.as_millis()
        ),
    );
}

#[tokio::test]
async fn two_instances_without_redis_serve_a_commit_within_a_second() {
    let database = Database::sample().await;
    let apps = [App::without_redis(&database).await, App::without_redis(&database).await];
    let key = database.issue("pro");
    for app in &apps {
        app.get(&key, PATH).await;
    }
    let took =
        wait_until_served(&apps, &key, &load_correction(&database, &[], 603), SERVED_WITHIN).await;
    record(
        "two_instances_without_redis_serve_a_commit_within_a_second",
        &format!("both after {} ms", took.as_millis()),
    );
}

#[tokio::test]
async fn two_instances_serve_a_rename_within_a_second() {
    let database = Database::sample().await;
    let prefix = format!("{}:", unique("following"));
    let url = redis_url();
    let shared = [("REDIS_URL", url.as_str()), ("REDIS_KEY_PREFIX", &prefix)];
    let apps = [App::with(&database, &shared).await, App::with(&database, &shared).await];
    let key = database.issue("pro");
    let path = "/api/stocks/FB/prices?start=2013-02-01&end=2013-02-28";
    for app in &apps {
        assert!(app.get(&key, path).await.text().await.unwrap().starts_with("{\"symbol\":\"FB\""));
    }
    let ran = run(database.tickerd(&["stocks", "rename", "FB", "META"]).envs(shared));
    assert!(ran.status.success(), "{ran:?}");
    for app in &apps {
        let renamed = async || {
            app.get(&key, path).await.text().await.unwrap().starts_with("{\"symbol\":\"META\"")
        };
        eventually("the rename is served", SERVED_WITHIN, renamed).await;
    }
}
