//! `tickerd stocks rename|delist|relist`: a stock keeps its history, whatever it is called.

use chrono::{NaiveDate, Utc};
use clap::{Args, Subcommand};

use super::confirm::confirm;
use super::{Failure, print_line, tell_of_data};
use crate::config::{DatabaseConfig, RedisConfig};
use crate::market::{Symbol, parse_date};
use crate::redis::Redis;
use crate::store::{Change, Database, SymbolError};

#[derive(Debug, Args)]
pub struct StocksArgs {
    #[command(subcommand)]
    command: StocksCommand,
    #[command(flatten)]
    database: DatabaseConfig,
    #[command(flatten)]
    redis: RedisConfig,
    /// Print the result as JSON on stdout
    #[arg(long, global = true, help_heading = "Options")]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum StocksCommand {
    /// Give a stock another symbol, as FB became META: its history is served under both
    Rename {
        /// Its symbol so far
        symbol: Symbol,
        /// Its new symbol
        new: Symbol,
        /// The first day under the new symbol, as YYYY-MM-DD; today (UTC) by default
        #[arg(long, value_name = "DATE", value_parser = day)]
        from: Option<NaiveDate>,
        /// Take a symbol over that another stock had before, without asking
        #[arg(long)]
        yes: bool,
    },
    /// Note the end of a stock's listing: its history stays, and no later prices are loaded
    Delist {
        /// Its symbol
        symbol: Symbol,
        /// The last day of trading, as YYYY-MM-DD
        #[arg(long, value_name = "DATE", value_parser = day)]
        on: NaiveDate,
    },
    /// Note that a stock trades again
    Relist {
        /// Its symbol
        symbol: Symbol,
    },
}

pub async fn run(args: StocksArgs) -> Result<(), Failure> {
    let (database, redis) = (Database::new(&args.database)?, Redis::start(&args.redis)?);
    let (change, said, mut json) = match args.command {
        StocksCommand::Rename { symbol, new, from, yes } => {
            let from = from.unwrap_or_else(|| Utc::now().date_naive());
            let change = rename(&database, symbol, new, from, yes).await?;
            let json =
                serde_json::json!({ "symbol": new.as_str(), "formerSymbol": symbol.as_str() });
            (change, format!("{symbol} is {new}, and found under both"), json)
        }
        StocksCommand::Delist { symbol, on } => {
            let change = database.delist_stock(symbol, Some(on)).await??;
            let json = serde_json::json!({ "symbol": symbol.as_str(), "delistedOn": on });
            (change, format!("{symbol} is delisted, with {on} as its last day"), json)
        }
        StocksCommand::Relist { symbol } => {
            let change = database.delist_stock(symbol, None).await??;
            let json = serde_json::json!({ "symbol": symbol.as_str(), "delistedOn": null });
            (change, format!("{symbol} is listed"), json)
        }
    };
    if change == Change::Done {
        tell_of_data(redis).await;
    }
    if args.json {
        json["changed"] = (change == Change::Done).into();
        return print_line(&json.to_string());
    }
    eprintln!("{said}{}.", if change == Change::AlreadySo { " already" } else { "" });
    Ok(())
}

async fn rename(
    database: &Database,
    symbol: Symbol,
    new: Symbol,
    from: NaiveDate,
    yes: bool,
) -> Result<Change, Failure> {
    match database.rename_stock(symbol, new, from, yes).await? {
        Err(loss @ SymbolError::WouldTakeOver { .. }) => {
            confirm(yes, &loss.to_string())?;
            Ok(database.rename_stock(symbol, new, from, true).await??)
        }
        done => Ok(done?),
    }
}

fn day(text: &str) -> Result<NaiveDate, &'static str> {
    parse_date(text).ok_or("write a day that exists as YYYY-MM-DD, such as 2022-06-09")
}
