//! Loads that fail: they leave nothing behind and report why.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::fixtures::{ALL_BARS, PRICES, STATE, history, wait_for_copy};
use crate::support::{
    CommandOutput, Database, Fault, Files, Postgres, Proxy, eventually, read_text, record, scratch,
};

/// Blocks a load after its merge and before its commit.
const BLOCK_COMMIT: &str = "BEGIN; SELECT * FROM revision FOR UPDATE";

#[tokio::test]
async fn a_load_disconnected_during_copy_leaves_nothing_and_ends_at_the_next_rows() {
    let database = Database::sample().await;
    let files = Files::new();
    let (stocks, prices, rows) = history(&files, 20);
    assert_eq!(database.output(&["ingest", "stocks", &stocks]).code, Some(0));
    let before = database.texts(STATE).await;
    let mut load = database.tickerd(&["ingest", "prices", "-"]);
    let mut load =
        load.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The pipe stays open: its writer may be waiting for something else.
    let mut feed = load.stdin.take().unwrap();
    let text = read_text(&prices);
    let (first, more) = text.split_at(text.len() / 2);
    feed.write_all(first.as_bytes()).unwrap();
    wait_for_copy(&database, "true").await;
    database
        .texts(
            "SELECT pg_terminate_backend(pid)::text FROM pg_stat_progress_copy
             WHERE datname = current_database()",
        )
        .await;
    database.wait_for_connections(0, "true").await;
    // Enough rows for the load to send on. No more follow, so the load must not wait for the rest.
    let _ = feed.write_all(&more.as_bytes()[..300 * 1024]);
    let ends = async || load.try_wait().unwrap().is_some();
    let took = eventually("the load ends", Duration::from_secs(10), ends).await;
    let ran = CommandOutput::wait_for(load);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(
        ran.stderr.contains("no row of stdin was loaded: Postgres: the connection was lost"),
        "{ran:?}"
    );
    assert_eq!(database.texts(STATE).await, before);
    assert_eq!(database.output(&["ingest", "prices", &prices, "--json"]).json()["added"], rows);
    record(
        "a_load_disconnected_during_copy_leaves_nothing_and_ends_at_the_next_rows",
        &format!(
            "exit code 1, {} ms after more rows arrived; nothing loaded; then {rows} rows",
            took.as_millis()
        ),
    );
}

#[tokio::test]
async fn a_load_interrupted_by_a_killed_postgres_leaves_nothing_and_can_be_repeated() {
    let scratch = scratch();
    let files = Files::new();
    let mut postgres = Postgres::with_sample(scratch.path()).await;
    let database = postgres.database();
    let (stocks, prices, rows) = history(&files, 20);
    assert_eq!(database.output(&["ingest", "stocks", &stocks]).code, Some(0));
    let before = database.texts(STATE).await;
    for merged in [false, true] {
        let held = database.connect().await;
        held.batch_execute(if merged { BLOCK_COMMIT } else { "SELECT 1" }).await.unwrap();
        let load = database.spawn(&["ingest", "prices", &prices]);
        match merged {
            true => database.wait_for_connections(1, "wait_event_type = 'Lock'").await,
            false => wait_for_copy(&database, "tuples_processed > 1000").await,
        }
        postgres.kill();
        let ran = CommandOutput::wait_for(load);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(
            ran.stderr.contains(&format!("no row of {prices} was loaded: Postgres: ")),
            "{ran:?}"
        );
        postgres.start(&[]).await;
        assert_eq!(database.texts(STATE).await, before, "merged: {merged}");
    }
    assert_eq!(database.output(&["ingest", "prices", &prices, "--json"]).json()["added"], rows);
    // A load that was reported as done survives the next kill.
    postgres.kill();
    postgres.start(&[]).await;
    assert_eq!(database.output(&["ingest", "prices", &prices, "--json"]).json()["unchanged"], rows);
    record(
        "a_load_interrupted_by_a_killed_postgres_leaves_nothing_and_can_be_repeated",
        &format!(
            "2 of 2 times nothing of the load was left after the recovery; {rows} rows of the next \
             load survived another kill"
        ),
    );
}

#[tokio::test]
async fn a_load_whose_commit_gets_no_response_reports_an_unknown_outcome_and_is_complete() {
    let scratch = scratch();
    let files = Files::new();
    let postgres = Postgres::with_sample(scratch.path()).await;
    let database = postgres.database();
    let path =
        files.write("prices.csv", format!("{PRICES},adjusted_close\nAAPL,2013-03-04,1,2,1,1,5,1"));
    // Commits wait for a replica that is not there.
    let operator = database.connect().await;
    operator.batch_execute("ALTER SYSTEM SET synchronous_standby_names = 'away'").await.unwrap();
    operator.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let mut load = database.tickerd(&["ingest", "prices", &path]);
    let ran = CommandOutput::of(load.env("DATABASE_LOAD_TIMEOUT_S", "1"));
    assert!(
        ran.error_line().contains("whether")
            && ran.error_line().contains("is not known: Postgres did not answer"),
        "{ran:?}"
    );
    operator.batch_execute("ALTER SYSTEM RESET synchronous_standby_names").await.unwrap();
    operator.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    database.wait_for_connections(0, "true").await;
    let report = database.output(&["ingest", "prices", &path, "--json"]).json();
    assert_eq!((&report["added"], &report["unchanged"]), (&0.into(), &1.into()));
    let figures = ran.error_line().replace(&path, "FILE");
    record(
        "a_load_whose_commit_gets_no_response_reports_an_unknown_outcome_and_is_complete",
        &figures,
    );
}

#[tokio::test]
#[ignore = "make test-faults: takes a minute"]
async fn a_load_whose_connection_to_postgres_breaks_ends_in_time_and_leaves_nothing() {
    let database = Database::sample().await;
    let files = Files::new();
    let (stocks, prices, rows) = history(&files, 20);
    assert_eq!(database.output(&["ingest", "stocks", &stocks]).code, Some(0));
    let before = database.texts(STATE).await;
    let mut ended = Vec::new();
    for fault in [Fault::Cut, Fault::Refuse, Fault::Stall, Fault::LoseResponses, Fault::Vanish] {
        for merged in [false, true] {
            let proxy = Proxy::to(&database.url());
            let gate = database.connect().await;
            gate.batch_execute(if merged { BLOCK_COMMIT } else { "BEGIN" }).await.unwrap();
            let mut load = Database::at(&proxy.url()).tickerd(&["ingest", "prices", &prices]);
            let load = load
                .env("DATABASE_LOAD_TIMEOUT_S", "6")
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            match merged {
                true => database.wait_for_connections(1, "wait_event_type = 'Lock'").await,
                false => wait_for_copy(&database, "tuples_processed > 1000").await,
            }
            let started = Instant::now();
            proxy.set(fault);
            let waiting = tokio::task::spawn_blocking(|| CommandOutput::wait_for(load));
            let ran = tokio::time::timeout(Duration::from_secs(30), waiting)
                .await
                .expect("the load ends")
                .unwrap();
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{fault:?}: {ran:?}");
            assert!(
                ran.stderr.contains(&format!("no row of {prices} was loaded: Postgres")),
                "{fault:?}: {ran:?}"
            );
            ended.push((fault, started.elapsed()));
            gate.batch_execute("ROLLBACK").await.unwrap();
            drop(proxy);
            database.wait_for_connections(0, "true").await;
            assert_eq!(database.texts(STATE).await, before, "{fault:?}, merged: {merged}");
        }
    }
    assert_eq!(database.output(&["ingest", "prices", &prices, "--json"]).json()["added"], rows);
    let slowest = |faults: &[Fault]| {
        let times = ended
            .iter()
            .filter(|(fault, _)| faults.contains(fault))
            .map(|(_, time)| time.as_millis());
        times.max().unwrap_or_default()
    };
    let figures = format!(
        "10 of 10 ended with an error and nothing loaded: those cut off within {} ms, those \
         without a response within {} ms",
        slowest(&[Fault::Cut, Fault::Refuse]),
        slowest(&[Fault::Stall, Fault::LoseResponses, Fault::Vanish])
    );
    record("a_load_whose_connection_to_postgres_breaks_ends_in_time_and_leaves_nothing", &figures);
}

#[tokio::test]
#[ignore = "make test-faults: takes half a minute"]
async fn a_load_whose_machine_vanished_releases_its_locks_within_a_minute() {
    let database = Database::sample().await;
    let files = Files::new();
    let proxy = Proxy::to(&database.url());
    let gate = database.connect().await;
    let path =
        files.write("prices.csv", format!("{PRICES},adjusted_close\nAAPL,2013-03-04,1,2,1,1,5,1"));
    gate.batch_execute(BLOCK_COMMIT).await.unwrap();
    let mut load = Database::at(&proxy.url()).tickerd(&["ingest", "prices", &path]);
    let mut load = load.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    database.wait_for_connections(1, "wait_event_type = 'Lock'").await;
    proxy.set(Fault::Vanish);
    gate.batch_execute("ROLLBACK").await.unwrap();
    let started = Instant::now();
    let next = database.spawn(&["ingest", "prices", &path, "--json"]);
    let waiting = tokio::task::spawn_blocking(|| CommandOutput::wait_for(next));
    let ran = tokio::time::timeout(Duration::from_secs(60), waiting)
        .await
        .expect("the next load ends")
        .unwrap();
    assert_eq!(ran.json()["added"], 1);
    load.kill().unwrap();
    load.wait().unwrap();
    let figures = format!(
        "the next load of the same stock waited for {} s, then loaded it",
        started.elapsed().as_secs()
    );
    record("a_load_whose_machine_vanished_releases_its_locks_within_a_minute", &figures);
}

/// The prices have no adjusted closes. The loads compute them from the actions.
#[tokio::test]
async fn concurrent_loads_of_prices_and_actions_end_like_consecutive_loads() {
    let files = Files::new();
    let sample = read_text("seed/prices.csv.gz");
    let raw = sample.lines().skip(1).map(|line| line.rsplit_once(',').unwrap().0);
    let prices =
        files.write("prices.csv", format!("{PRICES}\n{}\n", raw.collect::<Vec<_>>().join("\n")));
    let early = sample
        .lines()
        .skip(1)
        .filter(|line| !line.contains(",2012-"))
        .map(|line| line.rsplit_once(',').unwrap().0);
    let early =
        files.write("early.csv", format!("{PRICES}\n{}\n", early.collect::<Vec<_>>().join("\n")));
    let loads =
        [["ingest", "prices", &prices], ["ingest", "actions", "seed/corporate_actions.csv"]];
    let mut found = Vec::new();
    for order in [None, Some([0, 1]), Some([1, 0])] {
        let database = Database::empty().await;
        for arguments in [
            ["migrate"].as_slice(),
            &["ingest", "stocks", "seed/stocks.csv"],
            &["ingest", "prices", &early],
        ] {
            assert_eq!(database.output(arguments).code, Some(0));
        }
        let Some(order) = order else {
            assert!(loads.iter().all(|load| database.output(load).code == Some(0)));
            found.push(database.texts(ALL_BARS).await);
            continue;
        };
        // Both loads have sent all rows and wait for the same stocks before either changes one.
        let gate = database.connect().await;
        gate.batch_execute("BEGIN; SELECT * FROM stocks FOR UPDATE").await.unwrap();
        let mut under_way = Vec::new();
        for (waiting, load) in order.into_iter().enumerate() {
            under_way.push(database.spawn(&loads[load]));
            database.wait_for_connections(waiting + 1, "wait_event_type = 'Lock'").await;
        }
        gate.batch_execute("ROLLBACK").await.unwrap();
        for load in under_way {
            let ran = CommandOutput::wait_for(load);
            assert_eq!(ran.code, Some(0), "{ran:?}");
        }
        found.push(database.texts(ALL_BARS).await);
    }
    assert_eq!(found[0].len(), 12_154);
    assert!(found[1] == found[0], "the prices first");
    assert!(found[2] == found[0], "the actions first");
    record(
        "concurrent_loads_of_prices_and_actions_end_like_consecutive_loads",
        &format!("{} bars identical in both orders, adjusted closes included", found[0].len()),
    );
}
