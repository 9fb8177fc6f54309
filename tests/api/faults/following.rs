//! Every instance serves what was committed: within a second, and when the message about it is
//! lost, when it looks next.

use std::time::{Duration, Instant};

use crate::support::{App, Database, Files, eventually, header, record, redis_url, run, unique};

const PATH: &str = "/api/stocks/AAPL/prices?start=2012-12-31&end=2012-12-31";
/// How often instances look for themselves here, instead of every 30 s.
const POLL_MS: u64 = 2000;

/// Loads another close of a day, and returns what every answer about it has to hold from then on.
fn correct(database: &Database, variables: &[(&str, &str)], close: u32) -> String {
    let files = Files::new();
    let rows = format!(
        "symbol,date,open,high,low,close,volume,adjusted_close\nAAPL,2012-12-31,510,900,500,{close},23553300,69\n"
    );
    let file = files.write("prices.csv", rows);
    let output =
        run(database.tickerd(&["ingest", "prices", &file]).envs(variables.iter().copied()));
    assert!(output.status.success(), "{output:?}");
    format!("\"close\":{close}.0,")
}

/// What the promise of a second may take where many tests share two cores.
const SOON: Duration = Duration::from_secs(4);

/// Waits until every instance serves it, and returns how long that took. Before, each has the old
/// answer in memory.
async fn served(apps: &[App], key: &str, expected: &str, within: Duration) -> Duration {
    let started = Instant::now();
    for app in apps {
        let corrected = async || app.get(key, PATH).await.text().await.unwrap().contains(expected);
        eventually("the correction is served", within.saturating_sub(started.elapsed()), corrected)
            .await;
    }
    started.elapsed()
}

#[tokio::test]
async fn two_instances_serve_a_commit_within_a_second_and_when_its_message_is_lost_when_they_look_next()
 {
    let database = Database::sample().await;
    let (prefix, poll) = (format!("{}:", unique("following")), POLL_MS.to_string());
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
    let told = served(&apps, &key, &correct(&database, &shared, 601), SOON).await;
    warm().await;
    // Said on another channel, it reaches nobody.
    let elsewhere = [("REDIS_URL", url.as_str()), ("REDIS_KEY_PREFIX", "nobody:")];
    let expected = correct(&database, &elsewhere, 602);
    let within = Duration::from_millis(POLL_MS) + SOON;
    let untold = served(&apps, &key, &expected, within).await;
    record(
        "two_instances_serve_a_commit_within_a_second_and_when_its_message_is_lost_when_they_look_next",
        &format!(
            "both after {} ms; after {} ms without the message",
            told.as_millis(),
            untold.as_millis()
        ),
    );
}

#[tokio::test]
async fn two_instances_without_redis_serve_a_commit_within_a_second() {
    let database = Database::sample().await;
    let (apps, key) = (
        [App::without_redis(&database).await, App::without_redis(&database).await],
        database.issue("pro"),
    );
    for app in &apps {
        app.get(&key, PATH).await;
    }
    let took = served(&apps, &key, &correct(&database, &[], 603), SOON).await;
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
    let (key, path) =
        (database.issue("pro"), "/api/stocks/FB/prices?start=2013-02-01&end=2013-02-28");
    for app in &apps {
        assert!(app.get(&key, path).await.text().await.unwrap().starts_with("{\"symbol\":\"FB\""));
    }
    let output = run(database.tickerd(&["stocks", "rename", "FB", "META"]).envs(shared));
    assert!(output.status.success(), "{output:?}");
    for app in &apps {
        let renamed = async || {
            app.get(&key, path).await.text().await.unwrap().starts_with("{\"symbol\":\"META\"")
        };
        eventually("the rename is served", SOON, renamed).await;
    }
}
