//! `tickerd prices delete` and `tickerd actions delete`: take back rows that are wrong.

use std::fmt;

use chrono::NaiveDate;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::console::{CliError, confirm, day};
use super::operator::{OperatorArgs, notify_of_data};
use crate::market::{DateRange, EventKind, Symbol};
use crate::store::{DeletedRows, Deletion, FoundRows, LoadError};

#[derive(Debug, Args)]
pub struct PricesArgs {
    #[command(subcommand)]
    command: PricesCommand,
    #[command(flatten)]
    operator: OperatorArgs,
}

#[derive(Debug, Subcommand)]
enum PricesCommand {
    /// Delete the bars of a stock in a range of days; asks first
    Delete(RowsArgs),
}

#[derive(Debug, Args)]
pub struct ActionsArgs {
    #[command(subcommand)]
    command: ActionsCommand,
    #[command(flatten)]
    operator: OperatorArgs,
}

#[derive(Debug, Subcommand)]
enum ActionsCommand {
    /// Delete the splits and dividends of a stock in a range of ex-dates; asks first
    Delete {
        #[command(flatten)]
        rows: RowsArgs,
        /// Delete only splits, or only dividends
        #[arg(long, value_parser = EventKind::WORDS)]
        kind: Option<String>,
    },
}

#[derive(Debug, Args)]
struct RowsArgs {
    /// The current symbol of the stock
    #[arg(long)]
    symbol: Symbol,
    /// The first day, as YYYY-MM-DD
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: NaiveDate,
    /// The last day; by default the first, so that one day is deleted
    #[arg(long, value_name = "DATE", value_parser = day)]
    to: Option<NaiveDate>,
    /// Delete without asking
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeletionJson {
    symbol: String,
    deleted: i64,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    /// Remaining bars whose adjusted close was computed anew.
    readjusted: i64,
}

pub async fn run_prices(args: PricesArgs) -> Result<(), CliError> {
    let PricesCommand::Delete(rows) = args.command;
    delete(&args.operator, rows, DeletedRows::Prices).await
}

pub async fn run_actions(args: ActionsArgs) -> Result<(), CliError> {
    let ActionsCommand::Delete { rows, kind } = args.command;
    let kind = kind.map(|kind| kind.parse()).transpose()?;
    delete(&args.operator, rows, DeletedRows::Actions(kind)).await
}

async fn delete(
    operator: &OperatorArgs,
    args: RowsArgs,
    rows: DeletedRows,
) -> Result<(), CliError> {
    let RowsArgs { symbol, from, to, yes } = args;
    let range = DateRange::new(from, Some(to.unwrap_or(from)))
        .map_err(|_| "expected --to to be --from or a later day")?;
    let deletion = Deletion { symbol, rows, range };
    let database = operator.database()?;
    let redis = operator.redis()?;
    let unknown = || format!("no stock has the symbol {symbol} now: see tickerd stocks list");
    let found = database.find_rows(deletion).await?.ok_or_else(unknown)?;
    if found.count > 0 {
        let what = Described { rows, found };
        confirm(yes, &format!("{what} of {symbol} would be deleted, and no longer be served"))?;
    }
    let deleted = match database.delete_rows(deletion, &operator.actor()?).await {
        Err(LoadError::OutcomeUnknown(error)) => {
            notify_of_data(redis).await;
            return Err(format!(
                "whether the rows were deleted is not known: {error}; run the command again"
            )
            .into());
        }
        result => result?.ok_or_else(unknown)?,
    };
    if deleted.count > 0 {
        notify_of_data(redis).await;
    }
    let FoundRows { count, days, readjusted } = deleted;
    let json = DeletionJson {
        symbol: symbol.to_string(),
        deleted: count,
        from: days.map(|(first, _)| first),
        to: days.map(|(_, last)| last),
        readjusted,
    };
    operator.report(&json, || {
        let what = Described { rows, found: deleted };
        format!("Deleted {what} of {symbol}; {readjusted} adjusted closes computed anew.")
    })
}

/// The rows as people read them: "3 bars from 2024-01-02 to 2024-01-04".
struct Described {
    rows: DeletedRows,
    found: FoundRows,
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.found.count;
        let noun = match (self.rows, count) {
            (DeletedRows::Prices, 1) => "bar",
            (DeletedRows::Prices, _) => "bars",
            (DeletedRows::Actions(_), 1) => "action",
            (DeletedRows::Actions(_), _) => "actions",
        };
        match self.found.days {
            None => write!(f, "no {noun}"),
            Some((first, last)) if first == last => write!(f, "{count} {noun} on {first}"),
            Some((first, last)) => write!(f, "{count} {noun} from {first} to {last}"),
        }
    }
}
