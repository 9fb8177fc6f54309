//! Loads a file in one transaction: a thread reads and checks the rows while Postgres receives
//! them, then one statement merges them.

use tokio::sync::mpsc;

use super::bad_rows::BadRows;
use super::progress::LoadProgress;
use super::read::{ReadReport, Reading, read, refused};
use super::request::LoadRequest;
use super::skip::SkippedRows;
use crate::cli::console::CliError;
use crate::feed::{self, Source};
use crate::store::{CommitOptions, Database, LoadError, LoadRejection, LoadReport, Loader, Table};

/// The maximum number of chunks that wait for Postgres.
const CHUNKS_WAITING_MAX: usize = 8;

pub enum LoadOutcome {
    Committed(Box<LoadReport>, Box<ReadReport>, Box<Loader>),
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
    let Reading { origin, mut report, mut bad_rows } = reading.await??;
    let mut staged = rows.close().await.map_err(|error| nothing_loaded(&error))?;
    if request.adds_same_day_dividends {
        let added = loader.add_same_day_dividends().await.map_err(|e| nothing_loaded(&e))?;
        report.summed_dividends = added.sums;
        staged -= added.rows_gone;
    }
    if request.skip.rows.contains(&SkippedRows::BadRows) {
        staged -= leave_out_contradicting(&loader, request.table, &mut bad_rows).await?;
    }
    bad_rows.flush()?;
    report.left_out = std::mem::take(&mut bad_rows.left_out);
    report.unknown_symbols = std::mem::take(&mut bad_rows.unknown_symbols);
    if !request.skip.max.allows(report.left_out.count, report.rows) {
        return Err(too_many_left_out(&name, request, &report));
    }
    progress.merging();
    let options = CommitOptions {
        origin,
        may_replace: request.may_replace,
        basis: request.basis,
        are_dividends_adjusted: request.are_dividends_adjusted,
        keeps_sparse_bars: request.keeps_sparse_bars,
    };
    let outcome = loader.commit(options).await;
    let contradicts = |rejection: &LoadRejection| {
        matches!(rejection, LoadRejection::Duplicates(_) | LoadRejection::Conflicts(_))
    };
    if request.rejects.is_some()
        && matches!(&outcome, Err(LoadError::Rejected(rejection)) if contradicts(rejection))
    {
        // The message names the first of these rows, and the file of rejects has all.
        leave_out_contradicting(&loader, request.table, &mut bad_rows).await?;
        bad_rows.flush()?;
    }
    match outcome {
        Ok(mut merged) => {
            if report.has_splits {
                // The file says itself which of its stocks have split.
                merged.stocks_without_splits = 0;
            }
            report.identical_rows = staged.saturating_sub(merged.rows());
            Ok(LoadOutcome::Committed(Box::new(merged), Box::new(report), Box::new(loader)))
        }
        Err(LoadError::Store(error)) => Err(nothing_loaded(&error)),
        Err(LoadError::OutcomeUnknown(error)) => Err(format!(
            "whether {name} was loaded is not known: {error}; run it again, which changes nothing \
             if it was"
        )
        .into()),
        Err(LoadError::Rejected(LoadRejection::Duplicates(rows))) => {
            let rows = rows.iter().map(|row| feed::describe_duplicate(request.table, row));
            Err(refused(&name, &report, rows.collect()))
        }
        Err(LoadError::Rejected(LoadRejection::Conflicts(rows))) => {
            Err(refused(&name, &report, rows.iter().map(ToString::to_string).collect()))
        }
        Err(LoadError::Rejected(
            loss @ (LoadRejection::WouldReplace(_) | LoadRejection::WouldChangeUnit(_)),
        )) => Ok(LoadOutcome::NeedsConfirmation(loss.to_string())),
        Err(LoadError::Rejected(rejection)) => Err(nothing_loaded(&rejection)),
    }
}

/// Leaves out rows that contradict each other, and actions that may be stored already. Returns the
/// number of staged rows.
async fn leave_out_contradicting(
    loader: &Loader,
    table: Table,
    bad_rows: &mut BadRows,
) -> Result<u64, CliError> {
    let duplicates = loader.leave_out_duplicates().await?;
    for row in &duplicates.rows {
        bad_rows.add_contradicting(row.line, &feed::describe_duplicate(table, row))?;
    }
    let conflicts = loader.leave_out_conflicts().await?;
    for row in &conflicts.rows {
        bad_rows.add_contradicting(row.line, &row.to_string())?;
    }
    Ok(duplicates.staged_rows + conflicts.staged_rows)
}

fn too_many_left_out(name: &str, request: &LoadRequest, report: &ReadReport) -> CliError {
    let ReadReport { left_out, rows, .. } = report;
    let lines: Vec<_> = left_out.lines().iter().map(|line| format!("\n  {line}")).collect();
    format!(
        "no row of {name} was loaded: {} of {rows} rows would be left out, expected at most {} \
         (--skip-max):{}",
        left_out.count,
        request.skip.max,
        lines.concat()
    )
    .into()
}
