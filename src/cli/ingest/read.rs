//! Reads and checks the rows of a file, in a thread of its own.

use std::collections::BTreeSet;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::bad_rows::{BadRows, NamedRows};
use super::progress::LoadProgress;
use super::request::LoadRequest;
use crate::cli::console::CliError;
use crate::feed::{self, FeedReader, RowNotes, Source};
use crate::store::{AdjustedCloseOrigin, ReferenceData, StagedRows, Table};

const ADJUSTED_CLOSE: &str = "adjusted_close";

/// What was read, what was read otherwise than it is written, and what was left out.
#[derive(Debug, Default)]
pub struct ReadReport {
    /// All rows of the file.
    pub rows: u64,
    /// Whether the line of a row is its number, because the file has no lines.
    pub counts_records: bool,
    /// Whether the file has a column of splits.
    pub has_splits: bool,
    pub ignored_columns: Vec<String>,
    /// What was assumed about the file, as sentences.
    pub notes: Vec<String>,
    pub rows_without_prices: u64,
    /// Rows of a file of actions that have none.
    pub rows_without_actions: u64,
    /// Ratios that were taken for those of spin-offs.
    pub assumed_spin_offs: u64,
    /// Rows of days on which the exchange was closed.
    pub rows_of_closed_days: u64,
    /// Rows of Saturdays and Sundays of which no calendar is known.
    pub rows_of_unknown_weekends: u64,
    pub rounded_volumes: u64,
    /// Numbers of trades with a fraction.
    pub rounded_trades: u64,
    /// Rows of prices beside which the file has a split, which is not loaded.
    pub rows_with_splits: u64,
    /// The same for dividends.
    pub rows_with_dividends: u64,
    /// Optional values that were not understood and are left out.
    pub unread_values: NamedRows,
    /// Dividends that are the sums of several rows.
    pub summed_dividends: u64,
    /// Rows that are the same as an earlier one.
    pub identical_rows: u64,
    pub left_out: NamedRows,
    pub unknown_symbols: BTreeSet<String>,
}

/// The result of reading a file.
pub struct Reading {
    /// The source of adjusted closes.
    pub origin: AdjustedCloseOrigin,
    pub report: ReadReport,
    pub bad_rows: BadRows,
}

impl ReadReport {
    fn add_row(&mut self, notes: RowNotes) {
        self.rows_without_prices += u64::from(notes.has_no_prices);
        self.rows_without_actions += u64::from(notes.has_no_action);
        self.assumed_spin_offs += u64::from(notes.is_taken_for_spin_off);
        self.rows_of_closed_days += u64::from(notes.is_on_closed_day);
        self.rows_of_unknown_weekends += u64::from(notes.is_on_unknown_weekend);
        self.rounded_volumes += u64::from(notes.is_volume_rounded);
        self.rounded_trades += u64::from(notes.are_trades_rounded);
        self.rows_with_splits += u64::from(notes.has_split);
        self.rows_with_dividends += u64::from(notes.has_dividend);
        for value in &notes.unread {
            self.unread_values.add(|| value.to_string());
        }
    }
}

/// Reads and checks all rows and sends them in chunks.
///
/// # Errors
/// If the file can't be read, or has bad rows that may not be left out.
pub fn read(
    request: &LoadRequest,
    mut source: Source,
    reference: &ReferenceData,
    chunks: &mpsc::Sender<Bytes>,
    progress: &LoadProgress,
) -> Result<Reading, CliError> {
    let name = source.name.clone();
    source.raw = progress.wrap(source.raw);
    let (mut reader, origin) = open(request, source)?;
    let mut report = ReadReport {
        notes: reader.notes().iter().cloned().chain(assumption(request, &reader)).collect(),
        counts_records: reader.counts_records(),
        has_splits: ["split", "split_to"].iter().any(|column| reader.has(column)),
        ..ReadReport::default()
    };
    let rejects = request.rejects.as_deref();
    let mut bad_rows = BadRows::new(request.skip.clone(), rejects, reader.names())?;
    let mut out = StagedRows::new(request.table);
    loop {
        match reader.next_row() {
            Ok(None) => break,
            Ok(Some(row)) => {
                progress.row();
                report.rows += 1;
                match feed::stage(request.table, &row, reference, &mut out) {
                    Ok(notes) => report.add_row(notes),
                    Err(error) => bad_rows.add(&error, row.fields())?,
                }
            }
            Err(error) if error.is_of_one_row() => {
                report.rows += 1;
                bad_rows.add_unreadable(&error, reader.last_fields())?;
            }
            Err(error) if bad_rows.refused.count == 0 => return Err(error.into()),
            Err(error) => {
                bad_rows.add_unreadable(&error, reader.last_fields())?;
                break;
            }
        }
        if out.is_full() {
            let full = out.take();
            // Nothing of a refused file is loaded, but all of its bad rows are looked for.
            if bad_rows.refused.count > 0 {
                continue;
            }
            // The receiver is gone if Postgres failed. The caller reports that error.
            if chunks.blocking_send(full).is_err() {
                break;
            }
        }
    }
    if bad_rows.refused.count > 0 {
        bad_rows.flush()?;
        return Err(refused(&name, &report, bad_rows.refused.lines()));
    }
    // Later records of NDJSON may have further fields.
    report.ignored_columns = reader.ignored_columns().to_vec();
    let _ = chunks.blocking_send(out.take());
    Ok(Reading { origin, report, bad_rows })
}

/// Finds the columns of a file and the source of its adjusted closes.
fn open(
    request: &LoadRequest,
    source: Source,
) -> Result<(FeedReader, AdjustedCloseOrigin), CliError> {
    let name = source.name.clone();
    let mut reader = FeedReader::open(source, feed::columns(request.table), request.hints)?;
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

/// What is assumed about prices or dividends that may not be as traded, as the header tells.
fn assumption(request: &LoadRequest, reader: &FeedReader) -> Option<String> {
    let names = reader.names();
    let has = |name: &str| names.iter().any(|own| own == name);
    if request.table == Table::Actions && has("Dividends") && !request.are_dividends_adjusted {
        let vendor = "those of Yahoo are divided by later splits: use --dividends-are \
                      split-adjusted, after the splits are loaded";
        return Some(format!("dividends were taken as paid, but {vendor}"));
    }
    if request.table != Table::Prices || request.basis.is_some() {
        return None;
    }
    let has_adjusted_close = names.iter().any(|own| own.to_ascii_lowercase().starts_with("adj"));
    // yfinance orders its columns by name, and R's packages read Yahoo.
    let order = ["Close", "High", "Low", "Open"];
    let is_ordered_by_name = (0..names.len()).any(|at| names.iter().skip(at).take(4).eq(order));
    let is_of_yfinance = is_ordered_by_name || has("Stock Splits");
    let is_of_r = has("adjusted") || has("Adjusted");
    // Twelve Data states the interval in JSON, and separates its CSV with semicolons.
    let is_of_twelve_data =
        has("datetime") && (reader.has_semicolons() || reader.states_interval());
    let vendor = if has("Close/Last") {
        "those of nasdaq.com are adjusted for splits: use --prices-are split-adjusted"
    } else if has("Adj Close") || is_of_r {
        "those of Yahoo are adjusted for splits: use --prices-are split-adjusted"
    } else if is_of_yfinance && !has_adjusted_close {
        "those of yfinance without \"Adj Close\" are adjusted for dividends too: use \
         auto_adjust=False"
    } else if has("<TICKER>") {
        "those of Stooq are adjusted for splits and dividends, which can't be undone: use another \
         source"
    } else if is_of_twelve_data {
        "those of Twelve Data are adjusted for splits: use --prices-are split-adjusted"
    } else if has("Name") && has("close") {
        "those of Kaggle's S&P 500 are adjusted for splits: use --prices-are split-adjusted"
    } else {
        return None;
    };
    Some(format!("prices were taken as traded, but {vendor}"))
}

/// The error for a file with bad rows.
pub fn refused(name: &str, report: &ReadReport, rows: Vec<String>) -> CliError {
    let rows: Vec<_> = rows.into_iter().map(|row| format!("\n  {row}")).collect();
    let lines = if report.counts_records { " (line 1 is the first record)" } else { "" };
    format!("no row of {name} was loaded; the first bad rows are{lines}:{}", rows.concat()).into()
}
