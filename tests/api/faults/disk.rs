//! Disks that are full.

use std::fs::File;
use std::process::Stdio;

use super::harm::{PRICES, STATE, history};
use crate::support::{App, CommandOutput, Database, Files, Postgres, SmallDisk, record, tickerd};

const QUOTE: &str = "/api/stocks/AAPL/quote";

#[tokio::test]
#[ignore = "make test-faults: mounts a small disk, as root or with sudo"]
async fn a_load_onto_a_full_disk_says_so_leaves_nothing_and_succeeds_once_there_is_room() {
    let (disk, files) = (SmallDisk::mount(400), Files::new());
    let mut postgres = Postgres::with_sample(disk.path()).await;
    let database = postgres.database();
    let (stocks, prices, rows) = history(&files, 20);
    assert_eq!(database.output(&["ingest", "stocks", &stocks]).code, Some(0));
    let (app, key) = (App::without_redis(&database).await, database.issue("enterprise"));
    let quote = app.get(&key, QUOTE).await.text().await.unwrap();
    let before = database.texts(STATE).await;
    // The staging table, the table itself, what is written ahead of it: each finds no more room in
    // one of these.
    let (mut refused, mut crashed) = (0, 0);
    for megabytes in [1, 4, 8, 12, 16, 20, 24, 28] {
        disk.fill_except(megabytes);
        let output = database.output(&["ingest", "prices", &prices]);
        let said = output.stderr.lines().last().unwrap_or_default();
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (Some(1), ""),
            "{megabytes} MB: {output:?}"
        );
        assert!(said.contains(&prices), "{output:?}");
        match said.contains("its disk is full") {
            true => refused += 1,
            // Without room for what it writes ahead, Postgres ends all that it does and starts
            // anew.
            false => crashed += 1,
        }
        assert_eq!(app.get(&key, QUOTE).await.text().await.unwrap(), quote, "{megabytes} MB");
        disk.free_space();
        postgres.start(&[]).await;
        assert_eq!(database.texts(STATE).await, before, "{megabytes} MB");
        assert_eq!(app.get(&key, &format!("/api/stocks?limit={megabytes}")).await.status(), 200);
    }
    assert!(refused > 3, "{refused} of 8 met a full disk");
    let report = database.output(&["ingest", "prices", &prices, "--json"]).json();
    assert_eq!(report["added"], rows);
    let seen = format!(
        "{refused} of 8 times the sentence named the disk, {crashed} times Postgres itself ended on the full disk and the sentence \
         said that its connection was lost; nothing was loaded, cached answers went on; then {rows} rows at once"
    );
    record("a_load_onto_a_full_disk_says_so_leaves_nothing_and_succeeds_once_there_is_room", &seen);
}

#[tokio::test]
#[ignore = "make test-faults: mounts a small disk, as root or with sudo"]
async fn a_history_that_finds_no_room_for_its_files_is_an_error_that_says_where() {
    let disk = SmallDisk::mount(1);
    let out = disk.path().to_str().unwrap();
    let output = CommandOutput::of(&mut tickerd(&[
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
        output.error_line().starts_with(&format!("can't write in {out}: No space left on device")),
        "{output:?}"
    );
    let seen = output.error_line().replace(out, "DIR");
    record("a_history_that_finds_no_room_for_its_files_is_an_error_that_says_where", &seen);
}

#[tokio::test]
async fn a_report_that_finds_no_room_says_that_the_load_is_done() {
    let (database, files) = (Database::sample().await, Files::new());
    let path =
        files.write("prices.csv", format!("{PRICES},adjusted_close\nAAPL,2013-03-04,1,2,1,1,5,1"));
    let mut load = database.tickerd(&["ingest", "prices", &path, "--json"]);
    let output = CommandOutput::wait_for(
        load.stdout(File::create("/dev/full").unwrap()).stderr(Stdio::piped()).spawn().unwrap(),
    );
    assert!(
        output.error_line().contains("was loaded, but the report of it can't be written"),
        "{output:?}"
    );
    assert_eq!(database.output(&["ingest", "prices", &path, "--json"]).json()["unchanged"], 1);
    record(
        "a_report_that_finds_no_room_says_that_the_load_is_done",
        &output.error_line().replace(&path, "FILE"),
    );
}
