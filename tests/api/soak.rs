//! Mixed load for a long time: memory, files and connections must stop growing. `make soak`, or
//! `make soak MINUTES=5`.

mod sample;

use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::auth::with_checksum;
use crate::support::{
    App, CommandOutput, Database, Load, RawClient, get, id_of, record, redis_url, run,
};
use sample::{Sample, verdict};

const MINUTES: u64 = 30;
const REQUESTS_PER_S: u32 = 200;
const SAMPLE_S: u64 = 10;
const CORRECTION_S: u64 = 5;
/// Small bounds, so that caches are full early: memory grows until its bound.
const CACHE_BYTES: &str = "4194304";
const REDIS_BYTES: &str = "6mb";
const PREFIX: &str = "soak:";
const HISTORY: &str = "/api/stocks/IBM/prices?start=1990-01-01&format=csv";

/// The paths of the load. One in a hundred is a whole history.
fn paths() -> Vec<String> {
    let stocks = ["AAPL", "FB", "GOOG", "IBM", "MSFT"];
    let prices = (2000..2013).flat_map(|year| {
        ["AAPL", "IBM", "MSFT"].map(|stock| {
            format!("/api/stocks/{stock}/prices?start={year}-01-01&end={year}-12-31&limit=300")
        })
    });
    let others = stocks.iter().flat_map(|stock| {
        ["", "/quote", "/events", "/chart.svg"].map(|what| format!("/api/stocks/{stock}{what}"))
    });
    let lists = [
        "/api/stocks",
        "/api/exchanges",
        "/api/status",
        "/api/usage",
        "/api/watchlists",
        "/health/ready",
    ];
    prices.chain(others).chain(lists.map(str::to_owned)).chain([HISTORY.to_owned()]).collect()
}

fn redis(arguments: &[&str]) -> String {
    let mut client = Command::new("redis-cli");
    client
        .args(["--no-auth-warning", "-u", &redis_url().replace("redis://:", "redis://default:")])
        .args(arguments);
    String::from_utf8(run(&mut client).stdout).expect("text")
}

/// Loads prices and notifies the instances.
fn load_correction(database: &Database, rows: &str) {
    let file = tempfile::NamedTempFile::with_suffix(".csv").expect("a file");
    std::fs::write(file.path(), rows).expect("written");
    let path = file.path().to_str().expect("the path is UTF-8");
    let mut ingest = database.tickerd(&["ingest", "prices", path]);
    let ran =
        CommandOutput::of(ingest.env("REDIS_URL", redis_url()).env("REDIS_KEY_PREFIX", PREFIX));
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

/// The events beside the load, once a second.
async fn background_events(
    second: u64,
    database: &Database,
    apps: &[App; 2],
    key: &str,
    list: &str,
) {
    let app = &apps[(second % 2) as usize];
    // One client writes, one disconnects in the middle of a history, and one sends an invalid key.
    let change =
        if second % 4 < 2 { json!({ "add": ["IBM"] }) } else { json!({ "remove": ["IBM"] }) };
    let written = app
        .request("PATCH", list)
        .header("x-api-key", key)
        .json(&change)
        .send()
        .await
        .expect("a response");
    let status = written.status();
    assert_eq!(status, 200, "at second {second}: {}", written.text().await.expect("a body"));
    let mut aborted = RawClient::with_small_buffer(app.address()).await;
    aborted.send(get(HISTORY, key)).await;
    aborted.read_some(1000).await;
    drop(aborted);
    let wrong = with_checksum(&format!("tk_live_{}_{second:032}", id_of(key)));
    let refused = app.get(&wrong, "/api/stocks").await;
    let status = refused.status().as_u16();
    assert!(
        [401, 429].contains(&status),
        "{status} at second {second}: {}",
        refused.text().await.expect("a body")
    );
    if second.is_multiple_of(CORRECTION_S) {
        let close = 100 + second % 50;
        let row = format!(
            "symbol,date,open,high,low,close,volume,adjusted_close\n\
             IBM,2012-12-27,100,200,50,{close},1000,{close}\n"
        );
        tokio::task::block_in_place(|| load_correction(database, &row));
    }
    if second % SAMPLE_S == 3 {
        let new = tokio::task::block_in_place(|| database.issue("free"));
        for app in apps {
            assert_eq!(app.get(&new, "/api/stocks/AAPL").await.status(), 200);
        }
        let id = id_of(&new);
        let set = ["set", id, "--tier", "pro"];
        let rotate = ["rotate", id];
        let revoke = ["revoke", id, "--yes"];
        for change in [set.as_slice(), &rotate, &revoke] {
            let ran =
                tokio::task::block_in_place(|| database.output(&[&["keys"], change].concat()));
            assert_eq!(ran.code, Some(0), "{ran:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "make soak"]
async fn nothing_grows_under_a_mixed_load() {
    let minutes = std::env::var("SOAK_MINUTES")
        .map_or(MINUTES, |text| text.parse().expect("SOAK_MINUTES is a number"));
    let database = Database::sample().await;
    assert_eq!(redis(&["CONFIG", "SET", "maxmemory", REDIS_BYTES]).trim(), "OK");
    let variables = [
        ("REDIS_URL", redis_url()),
        ("REDIS_KEY_PREFIX", PREFIX.into()),
        ("CACHE_MEMORY_BYTES_MAX", CACHE_BYTES.into()),
        ("CLIENT_STALL_TIMEOUT_MS", "5000".into()),
    ];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let apps = [App::with(&database, &variables).await, App::with(&database, &variables).await];
    let keys: Vec<_> = (0..10).map(|_| database.issue("enterprise")).collect();
    let (keys, paths): (Vec<_>, _) = (keys.iter().map(String::as_str).collect(), paths());
    let created = apps[0]
        .request("POST", "/api/watchlists")
        .header("x-api-key", keys[0])
        .json(&json!({ "name": "soak" }));
    let created = created.send().await.expect("a response");
    let list = created.headers()["location"].to_str().expect("a path").to_owned();
    let paths: Vec<_> = paths.iter().map(String::as_str).collect();
    let load = Load::new(&[&apps[0], &apps[1]], &keys, &paths).per_second(REQUESTS_PER_S).start();
    let started = Instant::now();
    let mut samples = Vec::new();
    println!("{}", Sample::head());
    for second in 0..minutes * 60 {
        tokio::time::sleep_until(started + Duration::from_secs(second)).await;
        background_events(second, &database, &apps, keys[0], &list).await;
        if second % SAMPLE_S == SAMPLE_S - 1 {
            let sample = Sample::take(&database, &apps).await;
            println!("{}", sample.row(second + 1));
            samples.push(sample);
        }
    }
    let tally = load.stop();
    // A history that is corrected during its response is cut off or not started.
    let responses = tally.responses.len();
    let interrupted = tally.count(503) + tally.failed.len();
    let other = tally.responses.iter().find(|response| ![200, 503].contains(&response.status));
    assert!(other.is_none(), "{:?}", other.map(|response| (response.status, paths[response.path])));
    assert!(
        interrupted * 1000 < responses,
        "{interrupted} of {responses}: {:?}",
        tally.failed.first()
    );
    let verdict = verdict(&samples);
    assert!(verdict.is_flat, "{}", verdict.text);
    record(
        "nothing_grows_under_a_mixed_load",
        &format!(
            "{minutes} minutes, {responses} responses, {interrupted} histories corrected while \
             they were read; {}",
            verdict.text
        ),
    );
}
