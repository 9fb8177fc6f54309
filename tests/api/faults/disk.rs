//! Full disks.

use std::fs::File;
use std::process::Stdio;

use super::fixtures::{PRICES, STATE, history};
use crate::support::{App, CommandOutput, Database, Files, Postgres, SmallDisk, record, tickerd};

const QUOTE: &str = "/api/stocks/AAPL/quote";

#[tokio::test]
#[ignore = "make test-faults: mounts a small disk, as root or with sudo"]
async fn a_load_on_a_full_disk_reports_it_leaves_nothing_and_succeeds_once_there_is_space() {
    let disk = SmallDisk::mount(400);
    let files = Files::new();
    let mut postgres = Postgres::with_sample(disk.path()).await;
    let database = postgres.database();
    let (stocks, prices, rows) = history(&files, 20);
    assert_eq!(database.output(&["ingest", "stocks", &stocks]).code, Some(0));
    let app = App::without_redis(&database).await;
    let key = database.issue("enterprise");
    let quote = app.get(&key, QUOTE).await.text().await.unwrap();
    let before = database.texts(STATE).await;
    // With different amounts of free space, the staging table, the table or the write-ahead log
    // runs out of space.
    let mut refused = 0;
    let mut crashed = 0;
    for megabytes in [1, 4, 8, 12, 16, 20, 24, 28] {
        disk.fill_except(megabytes);
        let ran = database.output(&["ingest", "prices", &prices]);
        let error = ran.stderr.lines().last().unwrap_or_default();
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{megabytes} MB: {ran:?}");
        assert!(error.contains(&prices), "{ran:?}");
        match error.contains("its disk is full") {
            true => refused += 1,
            // Without space for its write-ahead log, Postgres crashes and recovers.
            false => crashed += 1,
        }
        assert_eq!(app.get(&key, QUOTE).await.text().await.unwrap(), quote, "{megabytes} MB");
        disk.free_space();
        postgres.start(&[]).await;
        assert_eq!(database.texts(STATE).await, before, "{megabytes} MB");
        assert_eq!(app.get(&key, &format!("/api/stocks?limit={megabytes}")).await.status(), 200);
    }
    assert!(refused > 3, "{refused} of 8 loads reported a full disk");
    let report = database.output(&["ingest", "prices", &prices, "--json"]).json();
    assert_eq!(report["added"], rows);
    let figures = format!(
        "{refused} of 8 errors named the full disk, {crashed} times Postgres crashed and the error \
         named the lost connection; nothing was loaded, and cached responses continued; then \
         {rows} rows"
    );
    record(
        "a_load_on_a_full_disk_reports_it_leaves_nothing_and_succeeds_once_there_is_space",
        &figures,
    );
}

#[tokio::test]
#[ignore = "make test-faults: mounts a small disk, as root or with sudo"]
async fn generate_on_a_full_disk_fails_and_names_the_directory() {
    let disk = SmallDisk::mount(1);
    let out = disk.path().to_str().unwrap();
    let ran = CommandOutput::of(&mut tickerd(&[
        "generate",
        "--stocks",
        "200",
        "--from",
        "2000-01-01",
        "--to",
        "2019-12-31",
        "--out",
        out,
    ]));
    assert!(
        ran.error_line().starts_with(&format!("can't write in {out}: No space left on device")),
        "{ran:?}"
    );
    let figures = ran.error_line().replace(out, "DIR");
    record("generate_on_a_full_disk_fails_and_names_the_directory", &figures);
}

#[tokio::test]
async fn a_load_whose_report_cannot_be_written_says_that_the_load_succeeded() {
    let database = Database::sample().await;
    let files = Files::new();
    let path =
        files.write("prices.csv", format!("{PRICES},adjusted_close\nAAPL,2013-03-04,1,2,1,1,5,1"));
    let mut load = database.tickerd(&["ingest", "prices", &path, "--json"]);
    let ran = CommandOutput::wait_for(
        load.stdout(File::create("/dev/full").unwrap()).stderr(Stdio::piped()).spawn().unwrap(),
    );
    assert!(
        ran.error_line().contains("was loaded, but the report of it can't be written"),
        "{ran:?}"
    );
    assert_eq!(database.output(&["ingest", "prices", &path, "--json"]).json()["unchanged"], 1);
    record(
        "a_load_whose_report_cannot_be_written_says_that_the_load_succeeded",
        &ran.error_line().replace(&path, "FILE"),
    );
}
