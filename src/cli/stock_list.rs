//! Shows stocks to operators: all of them, or one.

use chrono::NaiveDate;

use super::console::{CliError, print_line};
use crate::http::api::stocks::Stock;
use crate::market::Symbol;
use crate::store::{ListPage, StockFilter, StockRecord, Store};

/// The number of stocks that one query reads.
const STOCKS_PER_QUERY: u32 = 1000;
/// Any data version will do: a command reads from the primary.
const ANY_VERSION: i64 = 0;

/// Prints the stocks of an exchange, or of all, one per line.
pub async fn list(store: &Store, exchange: Option<String>, is_json: bool) -> Result<(), CliError> {
    let exchange = exchange.map(|code| code.to_ascii_uppercase());
    let filter = StockFilter { exchange, ..StockFilter::default() };
    let mut all = Vec::new();
    loop {
        let page = ListPage { limit: STOCKS_PER_QUERY, offset: all.len() as u32 };
        let found = store.now().list_stocks(&filter, page, ANY_VERSION).await?;
        let stocks = store.now().stocks(&found.ids, ANY_VERSION).await?;
        let is_last = stocks.len() < STOCKS_PER_QUERY as usize;
        all.extend(stocks);
        if is_last {
            break;
        }
    }
    if is_json {
        let all: Vec<_> = all.into_iter().map(Stock::from).collect();
        return print_line(&serde_json::to_string(&all)?);
    }
    print_line(&line(["SYMBOL", "EXCHANGE", "CCY", "FIRST DAY", "LAST DAY"], "NAME"))?;
    for stock in &all {
        let (first, last) = (day(stock.first_date), last_day(stock));
        let StockRecord { symbol, exchange, currency, name, .. } = stock;
        print_line(&line([symbol, exchange, currency, &first, &last], name))?;
    }
    Ok(())
}

fn line([symbol, exchange, currency, first, last]: [&str; 5], name: &str) -> String {
    format!("{symbol:12}  {exchange:12}  {currency:3}  {first:10}  {last:16}  {name}")
}

/// Prints the fields of a stock, one per line. Empty ones are omitted.
pub async fn show(store: &Store, symbol: Symbol, is_json: bool) -> Result<(), CliError> {
    let unknown = || format!("no stock has or had the symbol {symbol}: see tickerd stocks list");
    let found = store.now().stock_of(symbol).await?.ok_or_else(unknown)?;
    let stock = store.now().find_stock(found).await?.ok_or_else(unknown)?;
    if is_json {
        return print_line(&serde_json::to_string(&Stock::from(stock))?);
    }
    let former = stock.former_symbols.iter();
    let former: Vec<_> = former.map(|(symbol, on)| format!("{symbol} until {on}")).collect();
    let lines = [
        ("symbol", Some(stock.symbol.clone())),
        ("name", Some(stock.name.clone())),
        ("exchange", Some(stock.exchange.clone())),
        ("currency", Some(stock.currency.clone())),
        ("sector", stock.sector.clone()),
        ("industry", stock.industry.clone()),
        ("type", stock.instrument_type.map(|of| of.as_str().to_owned())),
        ("country", stock.country.clone()),
        ("isin", stock.isin.clone()),
        ("cusip", stock.cusip.clone()),
        ("figi", stock.figi.clone()),
        ("cik", stock.cik.clone()),
        ("market cap", stock.market_cap.map(|cap| cap.to_string())),
        ("first day", stock.first_date.map(|day| day.to_string())),
        ("last day", stock.last_date.map(|day| day.to_string())),
        ("delisted on", stock.delisted_on.map(|day| day.to_string())),
        ("former symbols", (!former.is_empty()).then(|| former.join(", "))),
        ("changed", stock.updated_at.map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            print_line(&format!("{name:15}  {value}"))?;
        }
    }
    Ok(())
}

/// The last day with prices, marked if the stock is delisted.
fn last_day(stock: &StockRecord) -> String {
    let mark = if stock.delisted_on.is_some() { " (end)" } else { "" };
    format!("{}{mark}", day(stock.last_date))
}

fn day(day: Option<NaiveDate>) -> String {
    day.map_or_else(|| "none".to_owned(), |day| day.to_string())
}
