//! Loads a file in one transaction: a thread reads and checks the rows while Postgres receives
//! them, then one statement merges them.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::progress::LoadProgress;
use crate::cli::console::CliError;
use crate::feed::{self, CsvReader, FeedError, Source};
use crate::market::{PriceBasis, Symbol};
use crate::store::{
    AdjustedCloseOrigin, CommitOptions, Database, LoadError, LoadRejection, LoadReport, Loader,
    ReferenceData, Table,
};

/// The size of a chunk of rows for Postgres.
const CHUNK_BYTES: usize = 256 * 1024;
/// The maximum number of chunks that wait for Postgres.
const CHUNKS_WAITING_MAX: usize = 8;
/// The maximum number of bad rows in an error. Reading stops there.
const BAD_ROWS_MAX: usize = 10;

#[derive(Debug, Clone)]
pub struct LoadRequest {
    pub table: Table,
    /// The symbol of all rows, for files without a symbol column.
    pub symbol: Option<Symbol>,
    /// The source of adjusted closes. `None`: the feed if the file has them, else computed.
    pub origin: Option<AdjustedCloseOrigin>,
    /// Former symbols of other stocks that new stocks take over.
    pub reuse: Vec<Symbol>,
    /// Whether computed adjusted closes may replace those of a feed.
    pub may_replace: bool,
    /// What prices are; `None` if the operator does not say.
    pub basis: Option<PriceBasis>,
    /// Whether prices of days without trading are loaded.
    pub keeps_closed_days: bool,
}

impl LoadRequest {
    /// A load with default options.
    pub fn of(table: Table) -> Self {
        Self {
            table,
            symbol: None,
            origin: None,
            reuse: Vec::new(),
            may_replace: false,
            basis: None,
            keeps_closed_days: false,
        }
    }
}

pub enum LoadOutcome {
    Committed(LoadReport, Box<Loader>),
    /// Nothing was loaded: the operator must confirm this loss first.
    NeedsConfirmation(String),
}

/// Loads a file in one transaction.
///
/// # Errors
/// If reading the file or Postgres fails, or any row is invalid. Then nothing was loaded, unless
/// the message says that this is unknown.
pub async fn load(
    database: &Database,
    request: &LoadRequest,
    source: Source,
) -> Result<LoadOutcome, CliError> {
    let name = source.name.clone();
    let progress = LoadProgress::start(source.length_bytes);
    let loader = Loader::begin(database, request.table).await?;
    let mut reference = loader.reference_data().await?;
    reference.free(&request.reuse);
    reference.keeps_closed_days = request.keeps_closed_days;
    let (sender, mut chunks) = mpsc::channel(CHUNKS_WAITING_MAX);
    let reading = {
        let (request, progress) = (request.clone(), progress.clone());
        tokio::task::spawn_blocking(move || read(&request, source, &reference, &sender, &progress))
    };
    let nothing_loaded = |reason: &dyn std::fmt::Display| {
        CliError::from(format!("no row of {name} was loaded: {reason}"))
    };
    let mut rows = loader.staging_writer().await.map_err(|error| nothing_loaded(&error))?;
    while let Some(chunk) = chunks.recv().await {
        rows.send(chunk).await.map_err(|error| nothing_loaded(&error))?;
    }
    let origin = reading.await??;
    rows.close().await.map_err(|error| nothing_loaded(&error))?;
    progress.merging();
    let LoadRequest { may_replace, basis, .. } = *request;
    let rejection = match loader.commit(CommitOptions { origin, may_replace, basis }).await {
        Ok(report) => return Ok(LoadOutcome::Committed(report, Box::new(loader))),
        Err(LoadError::Store(error)) => return Err(nothing_loaded(&error)),
        Err(LoadError::OutcomeUnknown(error)) => {
            return Err(format!(
                "whether {name} was loaded is not known: {error}; run it again, which changes \
                 nothing if it was"
            )
            .into());
        }
        Err(LoadError::Rejected(rejection)) => rejection,
    };
    match rejection {
        LoadRejection::WouldReplace(_) => Ok(LoadOutcome::NeedsConfirmation(rejection.to_string())),
        LoadRejection::Duplicates(rows) => Err(bad_rows(
            &name,
            rows.iter().map(|row| feed::describe_duplicate(request.table, row)),
        )),
        LoadRejection::Conflicts(rows) => {
            Err(bad_rows(&name, rows.iter().map(ToString::to_string)))
        }
        LoadRejection::WouldMix(_)
        | LoadRejection::LooksSplitAdjusted(_)
        | LoadRejection::WouldConvertTwice(_) => Err(nothing_loaded(&rejection)),
    }
}

/// Reads and checks all rows and sends them in chunks. Returns the source of adjusted closes.
fn read(
    request: &LoadRequest,
    mut source: Source,
    reference: &ReferenceData,
    chunks: &mpsc::Sender<Bytes>,
    progress: &LoadProgress,
) -> Result<AdjustedCloseOrigin, CliError> {
    let name = source.name.clone();
    source.raw = progress.wrap(source.raw);
    let (mut reader, origin) = open(request, source)?;
    let mut errors = Vec::new();
    let mut out = chunk_writer();
    while errors.len() < BAD_ROWS_MAX {
        match reader.next_row() {
            Ok(None) => break,
            Ok(Some(row)) => {
                progress.row();
                let checked = feed::stage(request.table, &row, reference, &mut out);
                errors.extend(checked.err().map(|error| error.to_string()));
            }
            Err(error @ FeedError::Csv { .. }) => errors.push(error.to_string()),
            Err(error) if errors.is_empty() => return Err(error.into()),
            Err(error) => {
                errors.push(error.to_string());
                break;
            }
        }
        if out.get_ref().len() >= CHUNK_BYTES {
            let full = std::mem::replace(&mut out, chunk_writer());
            // The receiver is gone if Postgres failed. The caller reports that error.
            if chunks.blocking_send(full.into_inner()?.into()).is_err() {
                return Ok(origin);
            }
        }
    }
    if !errors.is_empty() {
        return Err(bad_rows(&name, errors));
    }
    let _ = chunks.blocking_send(out.into_inner()?.into());
    Ok(origin)
}

/// Finds the columns of a file and the source of its adjusted closes.
fn open(
    request: &LoadRequest,
    source: Source,
) -> Result<(CsvReader, AdjustedCloseOrigin), CliError> {
    let name = source.name.clone();
    let mut reader = CsvReader::open(source, feed::columns(request.table), request.symbol)?;
    let origin = request.origin.unwrap_or(if reader.has(ADJUSTED_CLOSE) {
        AdjustedCloseOrigin::Feed
    } else {
        AdjustedCloseOrigin::Computed
    });
    if origin == AdjustedCloseOrigin::Computed {
        reader.ignore_column(ADJUSTED_CLOSE);
    } else if request.table == Table::Prices && !reader.has(ADJUSTED_CLOSE) {
        return Err(format!(
            "{name} lacks the column {ADJUSTED_CLOSE}: remove --adjusted-close feed"
        )
        .into());
    }
    Ok((reader, origin))
}

const ADJUSTED_CLOSE: &str = "adjusted_close";

fn chunk_writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().has_headers(false).from_writer(Vec::with_capacity(CHUNK_BYTES + 1024))
}

fn bad_rows(name: &str, errors: impl IntoIterator<Item = String>) -> CliError {
    let errors: Vec<_> = errors.into_iter().map(|error| format!("\n  {error}")).collect();
    format!("no row of {name} was loaded; the first bad rows are:{}", errors.concat()).into()
}
