//! Checks of the rows of a prices file.

use super::{RowNotes, check_currency, check_trading_day, stock_on};
use crate::feed::error::RowError;
use crate::feed::row::FeedRow;
use crate::feed::values;
use crate::market::Bar;
use crate::store::{ReferenceData, StagedRows};

const PRICES: [&str; 4] = ["open", "high", "low", "close"];

pub(super) fn stage_price(
    row: &FeedRow<'_>,
    reference: &ReferenceData,
    out: &mut StagedRows,
) -> Result<RowNotes, RowError> {
    match stage_bar(row, reference, out) {
        Err(_) if PRICES.iter().all(|column| row.is_blank(column)) => {
            Ok(RowNotes { has_no_prices: true, ..RowNotes::default() })
        }
        staged => staged,
    }
}

fn stage_bar(
    row: &FeedRow<'_>,
    reference: &ReferenceData,
    out: &mut StagedRows,
) -> Result<RowNotes, RowError> {
    let (stock, date) = stock_on(row, reference, "date")?;
    let today = reference.now.map(|now| now.with_timezone(&stock.zone).date_naive());
    if let Some(today) = today.filter(|today| date > *today) {
        let expected =
            format!("expected a day up to {today}, because later ones are in the future");
        return Err(row.error("date", expected));
    }
    let trading_day = check_trading_day(row, reference, stock, "date", date)?;
    check_is_daily(row)?;
    check_is_unadjusted(row)?;
    check_currency(row, stock, reference)?;
    let adjusted_close =
        if row.has("adjusted_close") { Some(row.number("adjusted_close")?) } else { None };
    let close = row.number("close")?;
    let volume = row.whole_number("volume")?;
    let trades = row.optional_whole_number("trades")?;
    let bar = Bar {
        date,
        open: row.number("open")?,
        high: row.number("high")?,
        low: row.number("low")?,
        close,
        adjusted_close: adjusted_close.unwrap_or(close),
        volume: volume.number,
        vwap: average_price(row, volume.number)?,
        trades: trades.map(|trades| trades.number),
    };
    let are_trades_rounded = trades.is_some_and(|trades| trades.is_rounded);
    bar.check().map_err(|error| row.error(error.column, error.expected))?;
    let Bar { date, open, high, low, close, volume: shares, vwap, trades, .. } = bar;
    let line = row.line.cast_signed();
    out.push(&[
        &line,
        &stock.id,
        &date,
        &open,
        &high,
        &low,
        &close,
        &adjusted_close,
        &shares,
        &vwap,
        &trades,
    ]);
    Ok(RowNotes {
        is_on_closed_day: trading_day.is_closed,
        is_on_unknown_weekend: trading_day.is_unknown_weekend,
        is_volume_rounded: volume.is_rounded,
        are_trades_rounded,
        has_split: row.has("splits") && is_event(row.text("splits"), true),
        has_dividend: row.has("dividends") && is_event(row.text("dividends"), false),
        ..RowNotes::default()
    })
}

/// The volume-weighted average price. Feeds write 0 for a day without trades, which has none.
fn average_price(row: &FeedRow<'_>, volume: i64) -> Result<Option<f64>, RowError> {
    let vwap = row.optional_number("vwap")?;
    Ok(vwap.filter(|vwap| volume > 0 || *vwap != 0.0))
}

/// Rejects the bars of shorter and of longer periods.
fn check_is_daily(row: &FeedRow<'_>) -> Result<(), RowError> {
    if !row.is_blank("period") && !values::is_day(row.text("period")) {
        return Err(row.error("period", "expected a day (D)"));
    }
    if row.has("unfinished") {
        let expected = "expected the bars of days: this API writes the column for weeks, months \
                        and years alone";
        return Err(row.error("unfinished", expected));
    }
    if row.has("time") && !row.text("time").bytes().all(|b| matches!(b, b'0' | b':' | b'.')) {
        return Err(row.error("time", "expected midnight, as in the bar of a day"));
    }
    Ok(())
}

/// Rejects the rows of an adjusted answer of this API.
fn check_is_unadjusted(row: &FeedRow<'_>) -> Result<(), RowError> {
    match row.text("adjust") {
        "" | "none" => Ok(()),
        adjust => Err(row.error(
            "adjust",
            format!("this is an answer of tickerd with adjust={adjust}: ask with adjust=none"),
        )),
    }
}

/// Whether a field holds a dividend or a split. Most rows hold 0; a split of 1 is none either.
fn is_event(text: &str, is_split: bool) -> bool {
    if values::is_blank(text) {
        return false;
    }
    let number = values::number(text);
    number != Some(0.0) && !(is_split && number == Some(1.0))
}
