//! One load: a thread reads and checks rows, Postgres takes them meanwhile, one commit at the end.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::progress::Progress;
use crate::cli::Failure;
use crate::feed::{self, CsvReader, FeedError, Source};
use crate::market::Symbol;
use crate::store::{
    AdjustedCloseOrigin, Database, LoadError, LoadRejection, LoadReport, Loader, ReferenceData,
    Table,
};

/// Rows on their way to Postgres are sent in pieces of this size,
const CHUNK_BYTES: usize = 256 * 1024;
/// of which so many may wait.
const CHUNKS_WAITING_MAX: usize = 8;
/// Bad rows that are named; more are not looked for.
const FAULTS_NAMED_MAX: usize = 10;

/// What is to be loaded, and how.
#[derive(Debug, Clone)]
pub struct Load {
    pub table: Table,
    /// The symbol of every row of a file that names none.
    pub symbol: Option<Symbol>,
    /// `None`: the feed where the file has adjusted closes, otherwise computed.
    pub origin: Option<AdjustedCloseOrigin>,
    /// Former symbols that new stocks take over.
    pub reuse: Vec<Symbol>,
    /// Whether computed adjusted closes may replace those of a feed.
    pub may_replace: bool,
}

impl Load {
    /// A file of this kind as it is.
    pub fn of(table: Table) -> Self {
        Self { table, symbol: None, origin: None, reuse: Vec::new(), may_replace: false }
    }
}

/// What a load came to.
pub enum Loaded {
    Done(LoadReport, Box<Loader>),
    /// Nothing was loaded: first somebody has to say yes to what this says.
    Asks(String),
}

/// Loads a file in one transaction.
///
/// # Errors
/// When the file or Postgres can't be read, or any row is not as it should be: then nothing was
/// loaded, but where the fault says that this is not known.
pub async fn load(database: &Database, wanted: &Load, source: Source) -> Result<Loaded, Failure> {
    let (name, progress) = (source.name.clone(), Progress::start(source.length_bytes));
    let loader = Loader::begin(database, wanted.table).await?;
    let mut reference = loader.reference_data().await?;
    reference.free(&wanted.reuse);
    let (chunks, mut waiting) = mpsc::channel(CHUNKS_WAITING_MAX);
    let reading = {
        let (wanted, progress) = (wanted.clone(), progress.clone());
        tokio::task::spawn_blocking(move || read(&wanted, source, &reference, &chunks, &progress))
    };
    let nothing_loaded =
        |why: &dyn std::fmt::Display| Failure::from(format!("nothing of {name} was loaded: {why}"));
    let mut rows = loader.staging_writer().await.map_err(|error| nothing_loaded(&error))?;
    while let Some(chunk) = waiting.recv().await {
        rows.send(chunk).await.map_err(|error| nothing_loaded(&error))?;
    }
    let origin = reading.await??;
    rows.close().await.map_err(|error| nothing_loaded(&error))?;
    progress.merging();
    let rejection = match loader.commit(origin, wanted.may_replace).await {
        Ok(report) => return Ok(Loaded::Done(report, Box::new(loader))),
        Err(LoadError::Store(error)) => return Err(nothing_loaded(&error)),
        Err(LoadError::OutcomeUnknown(error)) => {
            let again = "run it again, what is there already stays as it is";
            return Err(format!("whether {name} was loaded is not known: {error}; {again}").into());
        }
        Err(LoadError::Rejected(rejection)) => rejection,
    };
    match rejection {
        LoadRejection::WouldReplace(_) => Ok(Loaded::Asks(rejection.to_string())),
        LoadRejection::Duplicates(rows) => {
            let errors = rows.iter().map(|row| feed::describe_duplicate(wanted.table, row));
            Err(rejected(&name, errors))
        }
        LoadRejection::WouldMix(_) => Err(nothing_loaded(&rejection)),
    }
}

/// Reads and checks every row, and hands them on in chunks. Returns where adjusted closes come
/// from.
fn read(
    wanted: &Load,
    mut source: Source,
    reference: &ReferenceData,
    chunks: &mpsc::Sender<Bytes>,
    progress: &Progress,
) -> Result<AdjustedCloseOrigin, Failure> {
    let name = source.name.clone();
    source.raw = progress.wrap(source.raw);
    let (mut reader, origin) = open(wanted, source)?;
    let mut faults = Vec::new();
    let mut out = staging();
    while faults.len() < FAULTS_NAMED_MAX {
        match reader.next_row() {
            Ok(None) => break,
            Ok(Some(row)) => {
                progress.row();
                faults.extend(
                    feed::stage(wanted.table, &row, reference, &mut out)
                        .err()
                        .map(|error| error.to_string()),
                );
            }
            Err(error @ FeedError::Csv { .. }) => faults.push(error.to_string()),
            Err(error) if faults.is_empty() => return Err(error.into()),
            Err(error) => {
                faults.push(error.to_string());
                break;
            }
        }
        if out.get_ref().len() >= CHUNK_BYTES {
            let full = std::mem::replace(&mut out, staging());
            // Nobody takes it any more where Postgres gave up: that fault is the one to report.
            if chunks.blocking_send(full.into_inner()?.into()).is_err() {
                return Ok(origin);
            }
        }
    }
    if !faults.is_empty() {
        return Err(rejected(&name, faults));
    }
    let _ = chunks.blocking_send(out.into_inner()?.into());
    Ok(origin)
}

/// Finds the columns of a file, and where its adjusted closes come from.
fn open(wanted: &Load, source: Source) -> Result<(CsvReader, AdjustedCloseOrigin), Failure> {
    let name = source.name.clone();
    let mut reader = CsvReader::open(source, feed::columns(wanted.table), wanted.symbol)?;
    let origin = wanted.origin.unwrap_or(if reader.has(ADJUSTED_CLOSE) {
        AdjustedCloseOrigin::Feed
    } else {
        AdjustedCloseOrigin::Computed
    });
    if origin == AdjustedCloseOrigin::Computed {
        reader.ignore_column(ADJUSTED_CLOSE);
    } else if wanted.table == Table::Prices && !reader.has(ADJUSTED_CLOSE) {
        return Err(format!(
            "{name} lacks the column {ADJUSTED_CLOSE}: leave --adjusted-close feed out"
        )
        .into());
    }
    Ok((reader, origin))
}

const ADJUSTED_CLOSE: &str = "adjusted_close";

fn staging() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().has_headers(false).from_writer(Vec::with_capacity(CHUNK_BYTES + 1024))
}

fn rejected(name: &str, faults: impl IntoIterator<Item = String>) -> Failure {
    let faults: Vec<_> = faults.into_iter().map(|error| format!("\n  {error}")).collect();
    format!("nothing of {name} was loaded; the first bad rows are:{}", faults.concat()).into()
}
