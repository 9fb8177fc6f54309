//! A load that is killed at any point is committed completely or not at all.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::support::{Database, Files, eventually, read_text};

const KILLS: u32 = 12;
const HEADER: &str = "symbol,date,open,high,low,close,volume";
/// The values that tell which file the rows are from.
const LOADED: &str = "SELECT DISTINCT concat_ws(' ', close, volume, data_version) FROM prices
                      JOIN stocks ON id = stock_id";

/// The sample's days with prices and volumes that identify their file. Adjusted closes are
/// computed.
fn prices(of: u32) -> String {
    let (close, text) = (200 + of, read_text("seed/prices.csv.gz"));
    let day = |line: &str| line.split(',').take(2).collect::<Vec<_>>().join(",");
    let rows = text
        .lines()
        .skip(1)
        .map(|line| format!("{},{close},{close},{close},{close},{of}\n", day(line)));
    format!("{HEADER}\n{}", rows.collect::<String>())
}

#[tokio::test]
async fn a_load_killed_at_a_random_point_is_committed_completely_or_not_at_all() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (database, files) = (Database::empty().await, Files::new());
    let mut file = files.write("0.csv", prices(0));
    for arguments in [
        ["migrate"].as_slice(),
        &["ingest", "stocks", "seed/stocks.csv"],
        &["ingest", "actions", "seed/corporate_actions.csv"],
        &["ingest", "prices", &file, "--prices-are", "raw"],
    ] {
        assert_eq!(database.output(arguments).code, Some(0));
    }
    let (mut loaded, mut taken) = (database.texts(LOADED).await, Duration::from_secs(1));
    for n in 1..=KILLS {
        let next = files.write(&format!("{n}.csv"), prices(n));
        let after = random.random_range(Duration::ZERO..taken.mul_f64(1.1));
        let started = Instant::now();
        let mut load = database.tickerd(&["ingest", "prices", &next, "--prices-are", "raw"]);
        let mut load = load.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // This wait has no condition: it chooses the moment of the kill.
        while started.elapsed() < after && load.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if load.try_wait().unwrap().is_some() {
            taken = started.elapsed();
        }
        load.kill().unwrap();
        load.wait().unwrap();
        let connections =
            "SELECT pid::text FROM pg_stat_activity WHERE application_name = 'tickerd'
                    AND datname = current_database()";
        let ended = async || database.texts(connections).await.is_empty();
        eventually("the connection ends", Duration::from_secs(20), ended).await;
        let found = database.texts(LOADED).await;
        assert_eq!(
            found.len(),
            1,
            "seed {seed}, killed after {after:?}: parts of two files: {found:?}"
        );
        if found != loaded {
            assert!(found[0].starts_with(&format!("{} {n} ", 200 + n)), "seed {seed}: {found:?}");
            let version = |state: &[String]| state[0].rsplit_once(' ').unwrap().1.to_owned();
            assert_ne!(
                version(&found),
                version(&loaded),
                "seed {seed}: no revision announces the change"
            );
            (loaded, file) = (found, next);
        }
        println!("killed after {after:?} of {taken:?}: {loaded:?}");
    }
    // The rows are those of a complete load of their file, adjusted closes included.
    let report =
        database.output(&["ingest", "prices", &file, "--json", "--prices-are", "raw"]).json();
    assert_eq!((&report["changed"], &report["restated"]), (&0.into(), &json!([])), "seed {seed}");
    let last = files.write("last.csv", prices(KILLS + 1));
    let report =
        database.output(&["ingest", "prices", &last, "--json", "--prices-are", "raw"]).json();
    assert_eq!(report["changed"], 12_154, "seed {seed}");
}
