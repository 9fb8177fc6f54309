//! Reads bars from Postgres in batches, adjusts and resamples them, and yields rows.

use std::fmt;
use std::str::FromStr;

use super::bars_query::BarsQuery;
use super::rows::PriceRow;
use crate::http::respond::error::Problem;
use crate::http::server::state::State;
use crate::market::{
    Adjustments, Bar, DateRange, Interval, Order, PeriodBar, Resampler, Symbol, parse_date,
};
use crate::store::{AdjustmentData, BatchRow, StockRef};

/// Reads the bars of several stocks, one stock after the other. It holds one batch at most.
pub struct BarReader {
    state: &'static State,
    query: BarsQuery,
    /// The requested symbols. Cursors refer to them, so a page stays valid if a stock is renamed.
    requested_symbols: Vec<Symbol>,
    stocks: Vec<StockRef>,
    /// One per stock; empty if the bars need neither adjustment nor resampling.
    adjustment_data: Vec<AdjustmentData>,
    /// The version of each stock; `None` until its first bar is read.
    versions: Vec<Option<i64>>,
    /// The index of the next stock and its unread range; `None` at the end.
    rest: Option<(usize, DateRange)>,
    /// The unfinished period, with the index of its stock.
    resampling: Option<(usize, Resampler)>,
}

/// The last row of the previous page. In a cursor it is written as `SYMBOL/DATE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowCursor {
    /// The requested symbol of the stock.
    pub symbol: Symbol,
    pub date: chrono::NaiveDate,
}

impl BarReader {
    /// `stocks` are pairs of requested symbol and stock, ordered by symbol.
    ///
    /// # Errors
    /// [`Problem::Restated`] if a stock was removed since it was looked up; any error of Postgres.
    pub async fn open(
        state: &'static State,
        query: BarsQuery,
        stocks: &[(Symbol, StockRef)],
        after: Option<RowCursor>,
    ) -> Result<Self, Problem> {
        let (requested_symbols, stocks): (Vec<Symbol>, Vec<StockRef>) =
            stocks.iter().copied().unzip();
        // As of an earlier time, even adjusted closes are computed here.
        let is_plain = query.is_unadjusted() && query.as_of.is_none();
        let adjustment_data = match is_plain {
            true => Vec::new(),
            false => {
                let first = query.range.whole(query.interval).start();
                let with_dividends = query.adjust.needs_dividends() || query.as_of.is_some();
                let snapshot = state.store.as_of(query.as_of);
                snapshot.adjustment_data(&stocks, first, with_dividends).await?
            }
        };
        if !is_plain && adjustment_data.len() != stocks.len() {
            return Err(Problem::Restated);
        }
        let versions = match adjustment_data.is_empty() {
            true => vec![None; stocks.len()],
            false => adjustment_data.iter().map(|data| Some(data.version)).collect(),
        };
        let mut reader = Self {
            state,
            query,
            requested_symbols,
            stocks,
            adjustment_data,
            versions,
            rest: None,
            resampling: None,
        };
        reader.rest = reader.rest_after(after);
        Ok(reader)
    }

    /// The requested range, extended to whole periods.
    fn whole_range(&self) -> DateRange {
        self.query.range.whole(self.query.interval)
    }

    fn rest_after(&self, after: Option<RowCursor>) -> Option<(usize, DateRange)> {
        let Some(RowCursor { symbol, date }) = after else { return self.rest_from(0) };
        let index = self.requested_symbols.iter().position(|requested| *requested >= symbol)?;
        if self.requested_symbols[index] > symbol {
            return self.rest_from(index);
        }
        // The row covers its whole period.
        let period = self.query.interval.period(date);
        let edge = if self.query.order == Order::Desc { period.first } else { period.last };
        self.rest_after_date(index, edge)
    }

    /// The whole range of the stock at `index`; `None` after the last stock.
    fn rest_from(&self, index: usize) -> Option<(usize, DateRange)> {
        (index < self.stocks.len()).then_some((index, self.whole_range()))
    }

    /// What follows `date` in the range of the stock at `index`, or else the next stock.
    fn rest_after_date(&self, index: usize, date: chrono::NaiveDate) -> Option<(usize, DateRange)> {
        let rest = self.whole_range().after(date, self.query.order);
        rest.map(|rest| (index, rest)).or_else(|| self.rest_from(index + 1))
    }

    pub fn is_done(&self) -> bool {
        self.rest.is_none()
    }

    /// Returns the rows of the next `bars_max` daily bars. There may be more rows even if the
    /// result is shorter or empty: see [`Self::is_done`].
    ///
    /// # Errors
    /// [`Problem::Restated`] if a stock changed since its first bars were read: rows from before
    /// and after the change are inconsistent. Any error of Postgres.
    pub async fn read(&mut self, bars_max: u32) -> Result<Vec<PriceRow>, Problem> {
        let Some((first_index, first_range)) = self.rest else { return Ok(Vec::new()) };
        let whole_range = self.whole_range();
        let order = self.query.order;
        let stocks = &self.stocks[first_index..];
        let snapshot = self.state.store.as_of(self.query.as_of);
        let with_details = self.query.columns.has_details();
        let batch = snapshot
            .bars_batch(stocks, first_range, whole_range, order, bars_max, with_details)
            .await?;
        let mut rows = Vec::with_capacity(batch.len());
        for row in &batch {
            self.process(first_index + row.place, row, &mut rows)?;
        }
        self.rest = match batch.last() {
            Some(last) if batch.len() == bars_max as usize => {
                self.rest_after_date(first_index + last.place, last.bar.date)
            }
            _ => None,
        };
        if self.rest.is_none() {
            self.finish_period(&mut rows);
        }
        Ok(rows)
    }

    /// Adjusts and resamples a bar of the stock at `index`.
    fn process(
        &mut self,
        index: usize,
        row: &BatchRow,
        rows: &mut Vec<PriceRow>,
    ) -> Result<(), Problem> {
        if *self.versions[index].get_or_insert(row.version) != row.version {
            return Err(Problem::Restated);
        }
        let data = self.adjustment_data.get(index);
        let bar = data.map_or(row.bar, |data| self.adjust(row.bar, &data.adjustments));
        let listing = data.and_then(|data| data.listing);
        let Some(listing) = listing.filter(|_| self.query.interval != Interval::Day) else {
            self.emit(index, PeriodBar { bar, unfinished: false }, rows);
            return Ok(());
        };
        if self.resampling.as_ref().is_none_or(|(resampled, _)| *resampled != index) {
            self.finish_period(rows);
            self.resampling = Some((index, Resampler::new(self.query.interval, listing)));
        }
        let period = self.resampling.as_mut().and_then(|(_, resampler)| resampler.push(bar));
        if let Some(period) = period {
            self.emit(index, period, rows);
        }
        Ok(())
    }

    fn adjust(&self, bar: Bar, adjustments: &Adjustments) -> Bar {
        // The stored adjusted close follows from what is known now.
        let bar = match self.query.as_of {
            Some(_) => adjustments.with_adjusted_close(bar),
            None => bar,
        };
        self.query.adjust.apply(bar, adjustments)
    }

    fn finish_period(&mut self, rows: &mut Vec<PriceRow>) {
        if let Some((index, mut resampler)) = self.resampling.take()
            && let Some(period) = resampler.finish()
        {
            self.emit(index, period, rows);
        }
    }

    /// Adds a row if its date is in the requested range. Periods are read whole, so the first and
    /// the last may be labelled with a date outside of it.
    fn emit(
        &self,
        index: usize,
        PeriodBar { bar, unfinished }: PeriodBar,
        rows: &mut Vec<PriceRow>,
    ) {
        if self.query.range.contains(bar.date) {
            rows.push(PriceRow {
                symbol: self.stocks[index].symbol,
                requested_symbol: self.requested_symbols[index],
                bar,
                unfinished,
                adjust: self.query.adjust,
            });
        }
    }
}

impl fmt::Display for RowCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.symbol, self.date)
    }
}

impl FromStr for RowCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (symbol, date) = text.split_once('/').ok_or(())?;
        Ok(Self { symbol: symbol.parse().map_err(drop)?, date: parse_date(date).ok_or(())? })
    }
}
