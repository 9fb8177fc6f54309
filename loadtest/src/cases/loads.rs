//! Loads of prices: into fresh stocks, again without a change, and with a correction of every bar;
//! compared with COPY of the same rows into a plain table.

mod files;

use std::time::{Duration, Instant};

use futures_util::{SinkExt, pin_mut};
use tokio::io::AsyncReadExt;
use tokio_postgres::{Client, NoTls};

use self::files::LoadFiles;
use super::Run;
use crate::LoadtestError;
use crate::figures::median;
use crate::report::LoadSpeeds;
use crate::stage::{Stage, run_command};

/// Loads have a database of their own, which is created anew in each round.
const DATABASE: &str = "loads";
const STEP_TIMEOUT_S: u64 = 600;
const COPY_BYTES: usize = 256 * 1024;
/// The columns and the primary key of `prices`, without its checks and triggers.
const PLAIN_TABLE: &str = "CREATE TABLE plain (LIKE prices INCLUDING INDEXES)";
const COPY: &str = "COPY plain (stock_id, date, open, high, low, close, adjusted_close, volume)
    FROM STDIN (FORMAT csv)";

/// The elapsed seconds of one round.
struct Round {
    copy_s: f64,
    fresh_s: f64,
    same_s: f64,
    corrected_s: f64,
}

pub async fn run(run: &Run) -> Result<LoadSpeeds, LoadtestError> {
    let dir = run.stage.file("loads");
    run.progress.set_message("Writing the files to load");
    let files = tokio::task::spawn_blocking(move || LoadFiles::write(&dir)).await??;
    let mut rounds = Vec::new();
    for round in 1..=run.options().rounds {
        let of = run.options().rounds;
        run.progress.set_message(format!("loads of {} rows: round {round} of {of}", files.rows));
        rounds.push(one_round(&run.stage, &files).await?);
    }
    drop_database(&run.stage).await?;
    files.remove()?;
    Ok(speeds(files.rows, &rounds))
}

/// Medians over the rounds. A ratio is the median of the ratios within a round.
fn speeds(rows: u64, rounds: &[Round]) -> LoadSpeeds {
    let median_of = |figure: &dyn Fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
    let rows_per_s = |seconds: fn(&Round) -> f64| median_of(&|of| rows as f64 / seconds(of));
    LoadSpeeds {
        rows,
        rounds: rounds.len(),
        copy_rows_per_s: rows_per_s(|of| of.copy_s),
        fresh_rows_per_s: rows_per_s(|of| of.fresh_s),
        same_rows_per_s: rows_per_s(|of| of.same_s),
        corrected_rows_per_s: rows_per_s(|of| of.corrected_s),
        fresh_to_copy: median_of(&|of| of.copy_s / of.fresh_s),
        same_to_fresh: median_of(&|of| of.fresh_s / of.same_s),
        corrected_to_fresh: median_of(&|of| of.fresh_s / of.corrected_s),
    }
}

async fn one_round(stage: &Stage, files: &LoadFiles) -> Result<Round, LoadtestError> {
    drop_database(stage).await?;
    stage.database.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await?;
    tickerd(stage, &["migrate"]).await?;
    ingest(stage, "stocks", &files.stocks, "added", files.stock_count).await?;
    let client = connect(stage).await?;
    client.batch_execute(PLAIN_TABLE).await?;
    // What the step before has left to write is not counted.
    client.batch_execute("CHECKPOINT").await?;
    let copy_s = copy(&client, files).await?;
    client.batch_execute("CHECKPOINT").await?;
    let fresh_s = ingest(stage, "prices", &files.prices, "added", files.rows).await?;
    client.batch_execute("CHECKPOINT").await?;
    let same_s = ingest(stage, "prices", &files.prices, "unchanged", files.rows).await?;
    client.batch_execute("CHECKPOINT").await?;
    let corrected_s = ingest(stage, "prices", &files.corrected, "changed", files.rows).await?;
    Ok(Round { copy_s, fresh_s, same_s, corrected_s })
}

/// Copies the rows as `\copy` does. Returns the elapsed seconds.
async fn copy(client: &Client, files: &LoadFiles) -> Result<f64, LoadtestError> {
    let started = Instant::now();
    let mut file = tokio::fs::File::open(&files.plain).await?;
    let sink = client.copy_in(COPY).await?;
    pin_mut!(sink);
    loop {
        let mut chunk = Vec::with_capacity(COPY_BYTES);
        if file.read_buf(&mut chunk).await? == 0 {
            break;
        }
        sink.send(hyper::body::Bytes::from(chunk)).await?;
    }
    let copied = sink.finish().await?;
    let elapsed_s = started.elapsed().as_secs_f64();
    if copied == files.rows {
        Ok(elapsed_s)
    } else {
        Err(format!("expected COPY of {} rows, got {copied}", files.rows).into())
    }
}

/// Loads a file and checks that all of its rows are counted as `counted`. Returns the elapsed
/// seconds of the whole command.
async fn ingest(
    stage: &Stage,
    kind: &str,
    file: &str,
    counted: &str,
    rows: u64,
) -> Result<f64, LoadtestError> {
    let started = Instant::now();
    let report = tickerd(stage, &["ingest", kind, file, "--json"]).await?;
    let elapsed_s = started.elapsed().as_secs_f64();
    let report: serde_json::Value = serde_json::from_str(&report)?;
    if report[counted] == rows {
        Ok(elapsed_s)
    } else {
        Err(format!("expected {rows} rows {counted} by ingest {kind}, got {report}").into())
    }
}

/// Runs `tickerd ARGS` on the database of loads.
async fn tickerd(stage: &Stage, args: &[&str]) -> Result<String, LoadtestError> {
    let mut command = stage.tickerd(args);
    command.env("DATABASE_URL", url(stage)?);
    run_command(command, &stage.options.tickerd, Duration::from_secs(STEP_TIMEOUT_S)).await
}

async fn connect(stage: &Stage) -> Result<Client, LoadtestError> {
    let (client, connection) = tokio_postgres::connect(&url(stage)?, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The URL of the database of loads.
fn url(stage: &Stage) -> Result<String, LoadtestError> {
    let url = stage.postgres.url();
    let (server, _) = url.rsplit_once('/').ok_or("expected a URL with a database")?;
    Ok(format!("{server}/{DATABASE}"))
}

async fn drop_database(stage: &Stage) -> Result<(), LoadtestError> {
    let sql = format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)");
    Ok(stage.database.batch_execute(&sql).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_of_loads_are_taken_within_a_round() {
        let round = |slower: f64| Round {
            copy_s: slower,
            fresh_s: 2.0 * slower,
            same_s: slower,
            corrected_s: 4.0 * slower,
        };
        let speeds = speeds(1000, &[round(1.0), round(4.0), round(2.0)]);
        assert_eq!((speeds.copy_rows_per_s, speeds.fresh_rows_per_s), (500.0, 250.0));
        let ratios = (speeds.fresh_to_copy, speeds.same_to_fresh, speeds.corrected_to_fresh);
        assert_eq!(ratios, (0.5, 2.0, 0.5));
    }
}
