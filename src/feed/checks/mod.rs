//! Checks the rows of each kind of file, and writes the valid ones for the staging table.

mod actions;
mod country;
mod prices;
mod stocks;

use chrono::{Datelike, NaiveDate, Weekday};

use super::error::{RowError, RowErrorKind};
use super::row::FeedRow;
use crate::market::currency;
use crate::store::{DuplicateRow, KnownStock, ReferenceData, StagedRows, Table};

/// The year of the agreement that founded the New York Stock Exchange: no file has older prices.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(1792, 1, 1).unwrap();

/// What the operator should know about a row that is not bad.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowNotes {
    /// It has no prices at all, so it is no bar and nothing was staged.
    pub has_no_prices: bool,
    /// The exchange was closed on its day.
    pub is_on_closed_day: bool,
    /// Its day is a Saturday or Sunday of which no calendar is known.
    pub is_on_unknown_weekend: bool,
    pub is_volume_rounded: bool,
    pub are_trades_rounded: bool,
    /// It holds a split, which a load of prices does not read.
    pub has_split: bool,
    /// It holds a dividend, which a load of prices does not read.
    pub has_dividend: bool,
    /// It holds neither a split nor a dividend, so nothing was staged as an action.
    pub has_no_action: bool,
    /// It has no type, and its ratio was taken for that of a spin-off.
    pub is_taken_for_spin_off: bool,
    /// Optional values that were not understood. Without them the row was staged.
    pub unread: Vec<RowError>,
}

/// Checks a row and writes it in the columns of the staging table.
///
/// # Errors
/// The first invalid value of the row.
pub fn stage(
    table: Table,
    row: &FeedRow<'_>,
    reference: &ReferenceData,
    out: &mut StagedRows,
) -> Result<RowNotes, RowError> {
    match table {
        Table::Stocks => stocks::stage_stock(row, reference, out),
        Table::Prices => prices::stage_price(row, reference, out),
        Table::Actions => actions::stage_action(row, reference, out),
    }
}

/// The message for a row that repeats the key of an earlier one.
pub fn describe_duplicate(table: Table, row: &DuplicateRow) -> String {
    let key = match table {
        Table::Stocks => "symbol",
        Table::Prices => "symbol and date",
        Table::Actions => "symbol, ex_date and type of action",
    };
    let DuplicateRow { line, first_line, is_dividend } = row;
    let what_to_do = if *is_dividend {
        "; if both were paid, give one of them another type, or write their sum \
         (--same-day-dividends add)"
    } else {
        ""
    };
    format!(
        "line {line}: expected one row for each {key}, found a duplicate of line \
         {first_line}{what_to_do}"
    )
}

/// The stock of a row, and the day in `column`. Under a former symbol only days on which the stock
/// had that symbol are accepted: later ones may be another company's.
fn stock_on(
    row: &FeedRow<'_>,
    reference: &ReferenceData,
    column: &'static str,
) -> Result<(KnownStock, NaiveDate), RowError> {
    let Some((symbol, stock)) = reference.find(row.symbol("symbol")?) else {
        let expected = "expected a known symbol (ingest its row of stocks first)";
        let error = row.error("symbol", expected);
        return Err(RowError { kind: RowErrorKind::UnknownSymbol, ..error });
    };
    let day = match session_end(row, stock, column) {
        Some(day) => day,
        None => row.date(column, stock.zone)?,
    };
    if day < FIRST_DAY {
        return Err(row.error(column, format!("expected a day from {FIRST_DAY} on")));
    }
    if let Some(since) = reference.free_since.get(&symbol).filter(|since| day < **since) {
        let expected =
            format!("expected a day from {since} on, before which {symbol} was another company's");
        return Err(row.error(column, expected));
    }
    let inherited = reference.inherited.get(&symbol);
    if let Some(inherited) = inherited.filter(|inherited| day >= inherited.replaced_on) {
        let since = inherited.replaced_on;
        let now = stock.symbol;
        let expected = format!(
            "expected a day before {since}, from which {symbol} is {now} (write {now}, or ingest \
             stocks --reuse {symbol})"
        );
        return Err(row.error(column, expected));
    }
    Ok((stock, day))
}

/// What is known of the day of a row.
struct TradingDay {
    is_closed: bool,
    /// It is a Saturday or Sunday of which no calendar is known: some exchanges trade on them.
    is_unknown_weekend: bool,
}

/// The day whose session ends at the time in `column`: at the regular or an early close of the
/// exchange.
fn session_end(row: &FeedRow<'_>, stock: KnownStock, column: &'static str) -> Option<NaiveDate> {
    let calendar = stock.calendar?;
    let end = row.session_end(column, stock.zone)?;
    let early = calendar.early_close(end.date()).map(|early| early.closes_at);
    let is_end = end.time() == calendar.hours.closes_at || Some(end.time()) == early;
    is_end.then(|| end.date())
}

/// Rejects a day after the delisting and, unless such days are kept, a day on which the exchange
/// was closed. Without a calendar for the day nothing is claimed.
fn check_trading_day(
    row: &FeedRow<'_>,
    reference: &ReferenceData,
    stock: KnownStock,
    column: &'static str,
    day: NaiveDate,
) -> Result<TradingDay, RowError> {
    if let Some(last) = stock.delisted_on.filter(|last| day > *last) {
        let symbol = stock.symbol;
        let expected = format!(
            "expected no day after {last}, on which {symbol} was delisted (tickerd stocks relist)"
        );
        return Err(row.error(column, expected));
    }
    let Some(calendar) = stock.calendar.filter(|calendar| calendar.covers(day)) else {
        let is_unknown_weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
        return Ok(TradingDay { is_closed: false, is_unknown_weekend });
    };
    match calendar.closure(day) {
        Some(reason) if !reference.keeps_closed_days => {
            let expected = format!(
                "expected a trading day, but the exchange was closed ({reason}); --closed-days \
                 keep loads the row"
            );
            Err(row.error(column, expected))
        }
        closure => Ok(TradingDay { is_closed: closure.is_some(), is_unknown_weekend: false }),
    }
}

/// Prices and dividends are in the currency of their stock. A file that says otherwise is not
/// believed: a price in pence is not one in pounds.
fn check_currency(
    row: &FeedRow<'_>,
    stock: KnownStock,
    reference: &ReferenceData,
) -> Result<(), RowError> {
    let expected = reference.currencies.get(&stock.id).map_or("", String::as_str);
    let text = row.text("currency");
    // A stored currency may be older than the list of the known ones.
    if row.is_blank("currency") || text == expected || currency(text) == Some(expected) {
        return Ok(());
    }
    let symbol = stock.symbol;
    Err(row.error("currency", format!("expected {expected}, the currency of {symbol}")))
}

#[cfg(test)]
mod tests;
