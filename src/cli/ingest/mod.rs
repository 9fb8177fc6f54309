//! `tickerd ingest stocks|prices|actions FILE`: loads a file, all of it or nothing.

mod assumptions;
mod bad_rows;
mod load;
mod progress;
mod read;
mod report;
mod request;
mod skip;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::console::{CliError, confirm, confirmation_required, print_line};
use super::operator::notify_of_data;
use crate::config::{DatabaseConfig, RedisConfig};
use crate::feed::{DateOrder, FileHints, Source};
use crate::market::{PriceBasis, Symbol};
use crate::redis::Redis;
use crate::store::{AdjustedCloseOrigin, Database, Table};
pub use load::{LoadOutcome, load};
pub use request::LoadRequest;
use skip::{SkipMax, SkipRules, SkippedRows};

#[derive(Debug, Args)]
pub struct IngestArgs {
    /// The content of the file
    kind: FileKind,
    /// A file of CSV, JSON or Parquet, plain, gzip or zstd; - for stdin
    file: PathBuf,
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    redis: RedisConfig,
    /// The symbol of all rows, for a file without a symbol column
    #[arg(long, help_heading = "Options")]
    symbol: Option<Symbol>,
    /// The order of day and month in dates such as 03/04/2024: mdy or dmy
    #[arg(long, value_name = "ORDER", help_heading = "Options")]
    dates: Option<DateOrder>,
    /// Leave these rows out instead of refusing the file; may be repeated
    #[arg(long, value_enum, value_name = "ROWS", help_heading = "Options")]
    skip: Vec<SkippedRows>,
    /// Refuse the file if more rows would be left out, as N or N% [default: 10%, or 100 rows]
    #[arg(long, value_name = "MAX", help_heading = "Options")]
    skip_max: Option<SkipMax>,
    /// Write all bad rows with their reasons to this CSV file
    #[arg(long, value_name = "FILE", help_heading = "Options")]
    rejects: Option<PathBuf>,
    /// The source of adjusted closes; by default the feed if the file has them, else computed
    #[arg(long, value_enum, help_heading = "Options")]
    adjusted_close: Option<AdjustedCloseSource>,
    /// Another stock's former symbol that a new stock in the file has now
    #[arg(long, value_name = "SYMBOL", help_heading = "Options")]
    reuse: Vec<Symbol>,
    /// What the prices are; by default raw, unless known splits contradict that
    #[arg(long, value_enum, help_heading = "Options")]
    prices_are: Option<PricesAre>,
    /// What the dividends are; raw, as paid, by default
    #[arg(long, value_enum, default_value_t = DividendsAre::Raw, help_heading = "Options")]
    dividends_are: DividendsAre,
    /// What to do with dividends of one day and type with different amounts
    #[arg(long, value_enum, default_value_t = SameDayDividends::Refuse, help_heading = "Options")]
    same_day_dividends: SameDayDividends,
    /// Whether to load prices and actions of days on which the exchange was closed
    #[arg(long, value_enum, default_value_t = ClosedDays::Refuse, help_heading = "Options")]
    closed_days: ClosedDays,
    /// Whether to load bars that are unmistakably those of weeks or months
    #[arg(long, value_enum, default_value_t = SparseBars::Refuse, help_heading = "Options")]
    sparse_bars: SparseBars,
    /// Replace a feed's adjusted closes by computed ones, or the unit of a currency, without asking
    #[arg(long, help_heading = "Options")]
    yes: bool,
    /// Print the report as one JSON object on stdout
    #[arg(long, help_heading = "Options")]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FileKind {
    Stocks,
    Prices,
    Actions,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AdjustedCloseSource {
    /// The file's column
    Feed,
    /// Raw closes and corporate actions; the file's column is ignored
    Computed,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PricesAre {
    /// As traded, although the closes around a split may look otherwise
    Raw,
    /// Adjusted for all splits up to today: they are converted to as traded
    SplitAdjusted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DividendsAre {
    /// As paid for each share on the ex-date
    Raw,
    /// Divided by the ratios of all later splits, as Yahoo's are: they are converted to as paid
    SplitAdjusted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ClosedDays {
    /// Such a row is invalid, if the calendar of the exchange is known
    Refuse,
    /// Load the row
    Keep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SparseBars {
    /// Refuse the file if a stock has one bar a week or month, always at its beginning or end
    Refuse,
    /// Load them as bars of days
    Keep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SameDayDividends {
    /// Such rows contradict each other
    Refuse,
    /// Load their sum
    Add,
}

impl IngestArgs {
    /// Exits with 2 if an option does not apply to this kind of file.
    fn check(&self) {
        let message = match self.kind {
            FileKind::Prices | FileKind::Actions if !self.reuse.is_empty() => {
                "--reuse is for files of stocks"
            }
            FileKind::Stocks | FileKind::Actions if self.adjusted_close.is_some() => {
                "--adjusted-close is for files of prices"
            }
            FileKind::Actions if self.yes => "--yes is for files of prices or stocks",
            FileKind::Stocks if self.closed_days != ClosedDays::Refuse => {
                "--closed-days is for files of prices or actions"
            }
            FileKind::Stocks | FileKind::Actions if self.sparse_bars != SparseBars::Refuse => {
                "--sparse-bars is for files of prices"
            }
            FileKind::Stocks | FileKind::Prices if self.dividends_are != DividendsAre::Raw => {
                "--dividends-are is for files of actions"
            }
            FileKind::Stocks | FileKind::Prices
                if self.same_day_dividends != SameDayDividends::Refuse =>
            {
                "--same-day-dividends is for files of actions"
            }
            FileKind::Stocks if self.prices_are.is_some() => {
                "--prices-are is for files of prices or actions"
            }
            FileKind::Stocks if self.symbol.is_some() || self.dates.is_some() => {
                "--symbol and --dates are for files of prices or actions"
            }
            _ if self.skip.is_empty() && self.skip_max.is_some() => "--skip-max needs --skip",
            _ => return,
        };
        clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, format!("{message}\n")).exit();
    }
}

pub async fn run(args: IngestArgs) -> Result<(), CliError> {
    args.check();
    if args.rejects.as_deref().is_some_and(|rejects| is_same_file(rejects, &args.file)) {
        // Writing to it would destroy the rows that are not read yet.
        return Err("--rejects names the file to load: expected another one".into());
    }
    let database = Database::new(&args.database)?;
    let redis = Redis::start(&args.redis)?;
    let mut request = LoadRequest {
        table: match args.kind {
            FileKind::Stocks => Table::Stocks,
            FileKind::Prices => Table::Prices,
            FileKind::Actions => Table::Actions,
        },
        hints: FileHints {
            symbol: args.symbol,
            date_order: args.dates,
            is_price_basis_given: args.prices_are.is_some(),
        },
        origin: args.adjusted_close.map(|source| match source {
            AdjustedCloseSource::Feed => AdjustedCloseOrigin::Feed,
            AdjustedCloseSource::Computed => AdjustedCloseOrigin::Computed,
        }),
        reuse: args.reuse,
        may_replace: args.yes,
        basis: args.prices_are.map(|are| match are {
            PricesAre::Raw => PriceBasis::Raw,
            PricesAre::SplitAdjusted => PriceBasis::SplitAdjusted,
        }),
        are_dividends_adjusted: args.dividends_are == DividendsAre::SplitAdjusted,
        adds_same_day_dividends: args.same_day_dividends == SameDayDividends::Add,
        keeps_closed_days: args.closed_days == ClosedDays::Keep,
        keeps_sparse_bars: args.sparse_bars == SparseBars::Keep,
        skip: SkipRules { rows: args.skip, max: args.skip_max.unwrap_or_default() },
        rejects: args.rejects,
    };
    let mut outcome = load(&database, &request, source(&args.file)?).await?;
    if let LoadOutcome::NeedsConfirmation(loss) = &outcome {
        // Stdin can't be read a second time, so the confirmation must be in the arguments.
        if args.file.as_os_str() == STDIN {
            return Err(confirmation_required(loss));
        }
        confirm(args.yes, loss)?;
        request.may_replace = true;
        outcome = load(&database, &request, source(&args.file)?).await?;
    }
    let LoadOutcome::Committed(report, reading, loader) = outcome else {
        return Err("the load needs a confirmation although it has one: run it again".into());
    };
    // Notify before the vacuum, which takes long: committed data is served immediately.
    notify_of_data(redis).await;
    loader.vacuum(&report).await;
    if args.json {
        let name = args.file.display();
        print_line(&serde_json::to_string(&report::ReportJson::of(&report, &reading))?).map_err(
            |error| format!("{name} was loaded, but the report of it can't be written: {error}"),
        )?;
    } else {
        eprintln!("{}", report::text(&args.file.display().to_string(), &report, &reading));
    }
    Ok(())
}

const STDIN: &str = "-";

fn source(file: &Path) -> Result<Source, CliError> {
    Ok(if file.as_os_str() == STDIN { Source::stdin() } else { Source::file(file)? })
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| a == b)
}
