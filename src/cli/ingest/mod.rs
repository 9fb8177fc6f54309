//! `tickerd ingest stocks|prices|actions FILE`: all of a file, or nothing of it.

mod load;
mod progress;
mod report;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::confirm::{confirm, confirmation_required};
use super::{Failure, print_line, tell_of_data};
use crate::config::{DatabaseConfig, RedisConfig};
use crate::feed::Source;
use crate::market::Symbol;
use crate::redis::Redis;
use crate::store::{AdjustedCloseOrigin, Database, Table};
pub use load::{Load, Loaded, load};

#[derive(Debug, Args)]
pub struct IngestArgs {
    /// What the file holds
    kind: Kind,
    /// A CSV file with a header line, plain or gzip; - for stdin
    file: PathBuf,
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    redis: RedisConfig,
    /// The symbol of every row, for a file without such a column
    #[arg(long, help_heading = "Options")]
    symbol: Option<Symbol>,
    /// Where adjusted closes come from; by default from the feed if the file has them, else
    /// computed
    #[arg(long, value_enum, help_heading = "Options")]
    adjusted_close: Option<AdjustedClose>,
    /// A former symbol of another stock that a new company has now, so that its row of stocks is
    /// one of a new stock
    #[arg(long, value_name = "SYMBOL", help_heading = "Options")]
    reuse: Vec<Symbol>,
    /// Replace a feed's adjusted closes by computed ones without asking
    #[arg(long, help_heading = "Options")]
    yes: bool,
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

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AdjustedClose {
    /// The file's column
    Feed,
    /// Raw closes and corporate actions; the file's column is left out
    Computed,
}

impl IngestArgs {
    /// Exits with 2 where an option has nothing to do with this kind of file: to ignore it would be
    /// to guess.
    fn check(&self) {
        let misplaced = match self.kind {
            Kind::Prices | Kind::Actions if !self.reuse.is_empty() => {
                "--reuse is for files of stocks"
            }
            Kind::Stocks | Kind::Actions if self.adjusted_close.is_some() || self.yes => {
                "--adjusted-close and --yes are for files of prices"
            }
            Kind::Stocks if self.symbol.is_some() => "--symbol is for files of prices or actions",
            _ => return,
        };
        clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, format!("{misplaced}\n")).exit();
    }
}

pub async fn run(args: IngestArgs) -> Result<(), Failure> {
    args.check();
    let (database, redis) = (Database::new(&args.database)?, Redis::start(&args.redis)?);
    let mut wanted = Load {
        table: match args.kind {
            Kind::Stocks => Table::Stocks,
            Kind::Prices => Table::Prices,
            Kind::Actions => Table::Actions,
        },
        symbol: args.symbol,
        origin: args.adjusted_close.map(|origin| match origin {
            AdjustedClose::Feed => AdjustedCloseOrigin::Feed,
            AdjustedClose::Computed => AdjustedCloseOrigin::Computed,
        }),
        reuse: args.reuse,
        may_replace: args.yes,
    };
    let mut loaded = load(&database, &wanted, source(&args.file)?).await?;
    if let Loaded::Asks(question) = &loaded {
        // Stdin is read once: there the answer has to be known before.
        if args.file.as_os_str() == STDIN {
            return Err(confirmation_required(question));
        }
        confirm(args.yes, question)?;
        wanted.may_replace = true;
        loaded = load(&database, &wanted, source(&args.file)?).await?;
    }
    let Loaded::Done(report, loader) = loaded else {
        return Err("the question came up once more after it was answered: run it again".into());
    };
    // Before the vacuum, which takes its time: what is committed is to be served at once.
    tell_of_data(redis).await;
    loader.vacuum(&report).await;
    if args.json {
        let name = args.file.display();
        print_line(&serde_json::to_string(&report)?).map_err(|error| {
            format!("{name} was loaded, but the report of it can't be written: {error}")
        })?;
    } else {
        eprintln!("{}", report::in_words(&args.file.display().to_string(), &report));
    }
    Ok(())
}

const STDIN: &str = "-";

fn source(file: &Path) -> Result<Source, Failure> {
    Ok(if file.as_os_str() == STDIN { Source::stdin() } else { Source::file(file)? })
}
