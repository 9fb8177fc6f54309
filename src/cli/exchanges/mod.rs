//! `tickerd exchanges list|add|set`: the exchanges that stocks may trade on.

mod fields;

use clap::{Args, Subcommand};

use super::console::{CliError, print_line};
use super::operator::{OperatorArgs, notify_of_data};
use crate::http::api::exchanges::ListedExchange;
use crate::market::KnownExchange;
use crate::store::{ExchangeChange, ExchangeRecord};
use fields::{FieldArgs, check, code};

#[derive(Debug, Args)]
pub struct ExchangesArgs {
    #[command(subcommand)]
    command: ExchangesCommand,
    #[command(flatten)]
    operator: OperatorArgs,
}

#[derive(Debug, Subcommand)]
enum ExchangesCommand {
    /// List exchanges, ordered by code
    List,
    /// Add an exchange; a built-in one, such as XETR, needs no further options
    Add {
        /// The code that files of stocks use: 1 to 12 letters and digits
        #[arg(value_parser = code)]
        code: String,
        #[command(flatten)]
        fields: FieldArgs,
    },
    /// Change an exchange
    Set {
        /// The code of the exchange
        #[arg(value_parser = code)]
        code: String,
        #[command(flatten)]
        fields: FieldArgs,
    },
}

pub async fn run(args: ExchangesArgs) -> Result<(), CliError> {
    let operator = &args.operator;
    match args.command {
        ExchangesCommand::List => list(operator).await,
        ExchangesCommand::Add { code, fields } => {
            let known = KnownExchange::of(fields.mic.as_deref().unwrap_or(&code));
            let new = fields.complete(&code, known);
            check(&code, &new)?;
            let (actor, database) = (operator.actor()?, operator.database()?);
            database.add_exchange(&actor, &code, &new).await??;
            report(operator, &code, ExchangeChange::Done, "added").await
        }
        ExchangesCommand::Set { code, fields } => {
            fields.require_any();
            let (actor, database) = (operator.actor()?, operator.database()?);
            let change = database.change_exchange(&actor, &code, |present| {
                fields.apply(present);
                check(&code, present)
            });
            let change = change.await??;
            report(operator, &code, change, "changed").await
        }
    }
}

/// Notifies the instances of a change, and prints the exchange as it is now.
async fn report(
    operator: &OperatorArgs,
    code: &str,
    change: ExchangeChange,
    verb: &str,
) -> Result<(), CliError> {
    if change == ExchangeChange::Done {
        notify_of_data(operator.redis()?).await;
    }
    let exchanges = operator.store()?.exchange_records(i64::MAX).await?;
    let Some(exchange) = exchanges.into_iter().find(|exchange| exchange.code == code) else {
        return Err(format!("the exchange {code} was {verb}, but it is gone again").into());
    };
    let calendar = exchange.calendar.map_or("no calendar".to_owned(), |calendar| {
        let last_year = calendar.last_year;
        format!("the calendar {}, which is known until {last_year}-12-31", calendar.mic)
    });
    let done = match change {
        ExchangeChange::Done => verb,
        ExchangeChange::Unchanged => "as before",
    };
    let (zone, hours) = (exchange.time_zone.clone(), hours(&exchange));
    operator.report(&ListedExchange::from(exchange), || {
        format!("The exchange {code} is {done}: {hours} in {zone}, with {calendar}.")
    })
}

async fn list(operator: &OperatorArgs) -> Result<(), CliError> {
    let exchanges = operator.store()?.exchange_records(i64::MAX).await?;
    if operator.json {
        let exchanges: Vec<_> = exchanges.into_iter().map(ListedExchange::from).collect();
        return print_line(&serde_json::to_string(&exchanges)?);
    }
    let line = |of: [&str; 8]| {
        let [code, mic, currency, hours, zone, calendar, stocks, name] = of;
        format!(
            "{code:12}  {mic:4}  {currency:8}  {hours:11}  {zone:20}  {calendar:8}  {stocks:>7}  \
             {name}"
        )
    };
    print_line(&line([
        "CODE",
        "MIC",
        "CURRENCY",
        "HOURS",
        "TIME ZONE",
        "CALENDAR",
        "STOCKS",
        "NAME",
    ]))?;
    for exchange in &exchanges {
        print_line(&line([
            &exchange.code,
            exchange.mic.as_deref().unwrap_or("-"),
            exchange.currency.as_deref().unwrap_or("-"),
            &hours(exchange),
            &exchange.time_zone,
            exchange.calendar.map_or("-", |calendar| calendar.mic),
            &exchange.stocks.to_string(),
            &exchange.name,
        ]))?;
    }
    Ok(())
}

/// The regular hours, as `09:30-16:00`.
fn hours(exchange: &ExchangeRecord) -> String {
    let opens_at = exchange.opens_at.map_or("?".to_owned(), |at| at.format("%H:%M").to_string());
    format!("{opens_at}-{}", exchange.closes_at.format("%H:%M"))
}
