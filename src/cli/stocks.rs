//! `tickerd stocks list|show|rename|delist|relist`: shows stocks, and changes the symbol or the
//! listing of one. Its history stays.

use chrono::{NaiveDate, Utc};
use clap::{Args, Subcommand};

use super::console::{CliError, confirm, day, print_line};
use super::operator::notify_of_data;
use super::stock_list;
use crate::config::{DatabaseConfig, RedisConfig};
use crate::market::Symbol;
use crate::redis::Redis;
use crate::store::{Database, StockUpdate, StockUpdateError, Store};

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
    /// List stocks by symbol, delisted ones included
    List {
        /// Only the stocks of this exchange, by its code
        #[arg(long)]
        exchange: Option<String>,
    },
    /// Show a stock, under its current or a former symbol
    Show {
        /// The symbol of the stock
        symbol: Symbol,
    },
    #[command(flatten)]
    Change(ChangeCommand),
}

#[derive(Debug, Subcommand)]
enum ChangeCommand {
    /// Change the symbol of a stock, as FB became META; both symbols find its history
    Rename {
        /// The current symbol
        symbol: Symbol,
        /// The new symbol
        new: Symbol,
        /// The first day of the new symbol, as YYYY-MM-DD; today (UTC) by default
        #[arg(long, value_name = "DATE", value_parser = day)]
        from: Option<NaiveDate>,
        /// Take over another stock's former symbol without asking
        #[arg(long)]
        yes: bool,
    },
    /// Record the end of a stock's listing; its history stays, and later prices are rejected
    Delist {
        /// The symbol of the stock
        symbol: Symbol,
        /// The last day of trading, as YYYY-MM-DD
        #[arg(long, value_name = "DATE", value_parser = day)]
        on: NaiveDate,
    },
    /// Record that a stock trades again
    Relist {
        /// The symbol of the stock
        symbol: Symbol,
    },
}

pub async fn run(args: StocksArgs) -> Result<(), CliError> {
    match args.command {
        StocksCommand::List { exchange } => {
            stock_list::list(&Store::new(&args.database)?, exchange, args.json).await
        }
        StocksCommand::Show { symbol } => {
            stock_list::show(&Store::new(&args.database)?, symbol, args.json).await
        }
        StocksCommand::Change(command) => {
            let database = Database::new(&args.database)?;
            change(command, &database, Redis::start(&args.redis)?, args.json).await
        }
    }
}

async fn change(
    command: ChangeCommand,
    database: &Database,
    redis: Option<Redis>,
    is_json: bool,
) -> Result<(), CliError> {
    let (change, text, mut json) = match command {
        ChangeCommand::Rename { symbol, new, from, yes } => {
            let from = from.unwrap_or_else(|| Utc::now().date_naive());
            let change = rename(database, symbol, new, from, yes).await?;
            let json =
                serde_json::json!({ "symbol": new.as_str(), "formerSymbol": symbol.as_str() });
            let text = format!("{symbol} is {} {new}; both symbols find it.", since(change));
            (change, text, json)
        }
        ChangeCommand::Delist { symbol, on } => {
            let change = database.delist_stock(symbol, Some(on)).await??;
            let json = serde_json::json!({ "symbol": symbol.as_str(), "delistedOn": on });
            (change, format!("{symbol} is {} delisted; its last day is {on}.", since(change)), json)
        }
        ChangeCommand::Relist { symbol } => {
            let change = database.delist_stock(symbol, None).await??;
            let json = serde_json::json!({ "symbol": symbol.as_str(), "delistedOn": null });
            (change, format!("{symbol} is {} listed.", since(change)), json)
        }
    };
    if change == StockUpdate::Done {
        notify_of_data(redis).await;
    }
    if is_json {
        json["changed"] = (change == StockUpdate::Done).into();
        return print_line(&json.to_string());
    }
    eprintln!("{text}");
    Ok(())
}

fn since(change: StockUpdate) -> &'static str {
    if change == StockUpdate::Unchanged { "already" } else { "now" }
}

async fn rename(
    database: &Database,
    symbol: Symbol,
    new: Symbol,
    from: NaiveDate,
    yes: bool,
) -> Result<StockUpdate, CliError> {
    match database.rename_stock(symbol, new, from, yes).await? {
        Err(loss @ StockUpdateError::WouldTakeOver { .. }) => {
            confirm(yes, &loss.to_string())?;
            Ok(database.rename_stock(symbol, new, from, true).await??)
        }
        result => Ok(result?),
    }
}
