//! Checks of the rows of a prices file.

use std::io::Write;

use chrono::NaiveDate;

use super::{WRITES_TO_MEMORY, stock_on};
use crate::feed::error::RowError;
use crate::feed::row::FeedRow;
use crate::market::Bar;
use crate::store::{KnownStock, ReferenceData};

pub(super) fn stage_price<W: Write>(
    row: &FeedRow<'_>,
    reference: &ReferenceData,
    out: &mut csv::Writer<W>,
) -> Result<(), RowError> {
    let (stock, date) = stock_on(row, reference, "date")?;
    if let Some(today) = reference.today.filter(|today| date > *today) {
        let expected =
            format!("expected a day up to {today}, because later ones are in the future");
        return Err(row.error("date", expected));
    }
    if let Some(last) = stock.delisted_on.filter(|last| date > *last) {
        let symbol = stock.symbol;
        let expected = format!(
            "expected no day after {last}, on which {symbol} was delisted (tickerd stocks relist)"
        );
        return Err(row.error("date", expected));
    }
    if let Some(reason) = closure(stock, date).filter(|_| !reference.keeps_closed_days) {
        let expected = format!(
            "expected a trading day, but the exchange was closed ({reason}); --closed-days keep \
             loads the row"
        );
        return Err(row.error("date", expected));
    }
    let adjusted_close =
        if row.has("adjusted_close") { Some(row.number("adjusted_close")?) } else { None };
    let close = row.number("close")?;
    let bar = Bar {
        date,
        open: row.number("open")?,
        high: row.number("high")?,
        low: row.number("low")?,
        close,
        adjusted_close: adjusted_close.unwrap_or(close),
        volume: row.whole_number("volume")?,
    };
    bar.check().map_err(|error| row.error(error.column, error.expected))?;
    let Bar { date, open, high, low, close, volume, .. } = bar;
    out.serialize((row.line, stock.id, date, open, high, low, close, adjusted_close, volume))
        .expect(WRITES_TO_MEMORY);
    Ok(())
}

/// Why the stock's exchange did not trade on `date`. `None` if it traded, or if its calendar is not
/// known for that day.
fn closure(stock: KnownStock, date: NaiveDate) -> Option<&'static str> {
    stock.calendar.filter(|calendar| calendar.covers(date))?.closure(date)
}
