//! `tickerd ingest stocks|prices|actions FILE`: all of a file, or nothing of it.

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use futures_util::SinkExt;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;

use super::{Failure, print_line};
use crate::config::{DatabaseConfig, RedisConfig};
use crate::feed::{self, FeedFault, Reader, Source};
use crate::redis::{Redis, Word};
use crate::store::{Database, Known, LoadReport, Loader, StoreFault, Table};

#[derive(Debug, Args)]
pub struct IngestArgs {
    /// What the file holds
    kind: Kind,
    /// A CSV file with a header line, plain or gzip
    file: PathBuf,
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    redis: RedisConfig,
    /// Print what was loaded as one JSON object on stdout
    #[arg(long, help_heading = "Options")]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Stocks,
    Prices,
    Actions,
}

/// Rows on their way to Postgres are sent in pieces of this size,
const CHUNK_BYTES: usize = 256 * 1024;
/// of which so many may wait.
const CHUNKS_WAITING_MAX: usize = 8;
/// Bad rows that are named; more are not looked for.
const FAULTS_NAMED_MAX: usize = 10;
const REDIS_WAIT: Duration = Duration::from_secs(2);

pub async fn run(args: IngestArgs) -> Result<(), Failure> {
    let (database, redis) = (Database::new(&args.database)?, Redis::start(&args.redis)?);
    let table = match args.kind {
        Kind::Stocks => Table::Stocks,
        Kind::Prices => Table::Prices,
        Kind::Actions => Table::Actions,
    };
    let (report, loader) = load(&database, table, Source::file(&args.file)?).await?;
    // Before the vacuum, which takes its time: what is committed is to be served at once.
    tell(redis).await;
    loader.vacuum(&report).await;
    if args.json {
        print_line(&serde_json::to_string(&report)?)?;
    } else {
        let LoadReport { added, changed, unchanged, stocks_touched } = report;
        eprintln!(
            "{}: {added} added, {changed} changed, {unchanged} unchanged; {stocks_touched} stocks touched",
            args.file.display()
        );
    }
    Ok(())
}

/// Loads a file in one transaction.
///
/// # Errors
/// When the file or Postgres can't be read, or any row is not as it should be: then nothing was loaded.
pub async fn load(database: &Database, table: Table, source: Source) -> Result<(LoadReport, Loader), Failure> {
    let name = source.name.clone();
    let loader = Loader::begin(database, table).await?;
    let known = loader.known().await?;
    let (chunks, mut waiting) = mpsc::channel(CHUNKS_WAITING_MAX);
    let reading = tokio::task::spawn_blocking(move || read(table, source, &known, &chunks));
    let mut rows = pin!(loader.rows::<Bytes>().await?);
    while let Some(chunk) = waiting.recv().await {
        rows.send(chunk).await.map_err(StoreFault::from)?;
    }
    reading.await??;
    rows.close().await.map_err(StoreFault::from)?;
    match loader.commit().await? {
        Ok(report) => Ok((report, loader)),
        Err(repeats) => Err(rejected(&name, repeats.iter().map(|repeat| feed::repeated(table, repeat)))),
    }
}

/// Reads and checks every row, and hands them on in chunks.
fn read(table: Table, mut source: Source, known: &Known, chunks: &mpsc::Sender<Bytes>) -> Result<(), Failure> {
    let (name, progress) = (source.name.clone(), progress(source.length_bytes));
    source.raw = Box::new(progress.wrap_read(source.raw));
    let mut reader = Reader::open(source, &feed::columns(table))?;
    let mut faults = Vec::new();
    let mut out = staging();
    while faults.len() < FAULTS_NAMED_MAX {
        match reader.next_row() {
            Ok(None) => break,
            Ok(Some(row)) => {
                faults.extend(feed::check(table, &row, known, &mut out).err().map(|fault| fault.to_string()))
            }
            Err(fault @ FeedFault::Csv { .. }) => faults.push(fault.to_string()),
            Err(fault) if faults.is_empty() => return Err(fault.into()),
            Err(fault) => {
                faults.push(fault.to_string());
                break;
            }
        }
        if out.get_ref().len() >= CHUNK_BYTES {
            let full = std::mem::replace(&mut out, staging());
            // Nobody takes it any more where Postgres gave up: that fault is the one to report.
            if chunks.blocking_send(full.into_inner()?.into()).is_err() {
                return Ok(());
            }
        }
    }
    progress.finish_and_clear();
    if !faults.is_empty() {
        return Err(rejected(&name, faults));
    }
    let _ = chunks.blocking_send(out.into_inner()?.into());
    Ok(())
}

fn staging() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().has_headers(false).from_writer(Vec::with_capacity(CHUNK_BYTES + 1024))
}

fn rejected(name: &str, faults: impl IntoIterator<Item = String>) -> Failure {
    let faults: Vec<_> = faults.into_iter().map(|fault| format!("\n  {fault}")).collect();
    format!("nothing of {name} was loaded; the first bad rows are:{}", faults.concat()).into()
}

/// A bar on stderr; nothing is drawn when that isn't a terminal.
fn progress(length_bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} read, {bytes_per_sec}, {eta} left");
    ProgressBar::new(length_bytes).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Tells every instance that data changed. Where nobody can be told, they look for themselves in a while.
async fn tell(redis: Option<Redis>) {
    let Some(redis) = redis else { return };
    if !(redis.wait_until_connected(REDIS_WAIT).await && redis.tell(Word::Look).await.is_ok()) {
        eprintln!("Redis could not be reached: instances notice the new data within 30 s.");
    }
}
