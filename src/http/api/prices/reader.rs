//! Reads bars batch by batch, and makes rows of them.

use super::bars_query::BarsQuery;
use super::rows::Row;
use crate::http::respond::error::Problem;
use crate::http::server::state::State;
use crate::market::{Adjust, Bar, DateRange, Interval, Order, PeriodBar, Resampler, Symbol};
use crate::store::{AdjustmentData, BatchRow, StockRef};

/// Bars of several stocks, one stock after the other. What it holds is bounded by one batch.
pub struct Reader {
    state: &'static State,
    asked: BarsQuery,
    /// By the symbols that they were asked for by: those of a URL stay, whatever a stock is called
    /// meanwhile.
    names: Vec<Symbol>,
    stocks: Vec<StockRef>,
    /// Of each stock; empty where neither adjusting nor merging needs them.
    adjustment_data: Vec<AdjustmentData>,
    /// The version of each stock, once it was read.
    versions: Vec<Option<i64>>,
    /// The place of the stock that is next, and what of its range; `None` at the end.
    rest: Option<(usize, DateRange)>,
    merging: Option<(usize, Resampler)>,
}

/// The last row of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// The one that its stock was asked for by.
    pub symbol: Symbol,
    pub date: chrono::NaiveDate,
}

impl Reader {
    /// `stocks` are in the order of the symbols that they were asked for by.
    pub async fn open(
        state: &'static State,
        asked: BarsQuery,
        stocks: &[(Symbol, StockRef)],
        after: Option<After>,
    ) -> Result<Self, Problem> {
        let (names, stocks): (Vec<Symbol>, Vec<StockRef>) = stocks.iter().copied().unzip();
        let plain = asked.adjust == Adjust::None && asked.interval == Interval::Day;
        let adjustment_data =
            if plain { Vec::new() } else { state.store.adjustment_data(&stocks).await? };
        if !plain && adjustment_data.len() != stocks.len() {
            return Err(Problem::Restated);
        }
        let versions = match adjustment_data.is_empty() {
            true => vec![None; stocks.len()],
            false => adjustment_data.iter().map(|background| Some(background.version)).collect(),
        };
        let mut reader = Self {
            state,
            asked,
            names,
            stocks,
            adjustment_data,
            versions,
            rest: None,
            merging: None,
        };
        reader.rest = reader.rest_after(after);
        Ok(reader)
    }

    fn rest_after(&self, after: Option<After>) -> Option<(usize, DateRange)> {
        let whole = self.asked.range.whole(self.asked.interval);
        let Some(After { symbol, date }) = after else { return self.from(0, whole) };
        let place = self.names.iter().position(|name| *name >= symbol)?;
        if self.names[place] > symbol {
            return self.from(place, whole);
        }
        // A row stands for its whole period.
        let period = self.asked.interval.period(date);
        let edge = if self.asked.order == Order::Desc { period.first } else { period.last };
        whole
            .after(edge, self.asked.order)
            .map(|rest| (place, rest))
            .or_else(|| self.from(place + 1, whole))
    }

    fn from(&self, place: usize, whole: DateRange) -> Option<(usize, DateRange)> {
        (place < self.stocks.len()).then_some((place, whole))
    }

    pub fn is_done(&self) -> bool {
        self.rest.is_none()
    }

    /// The next rows, of at most `bars_max` daily bars. Fewer rows do not mean that there are no
    /// more.
    ///
    /// # Errors
    /// [`Problem::Restated`] where a stock was changed since its first bars were read: rows of
    /// before and after do not fit together.
    pub async fn read(&mut self, bars_max: u32) -> Result<Vec<Row>, Problem> {
        let Some((place, first)) = self.rest else { return Ok(Vec::new()) };
        let whole = self.asked.range.whole(self.asked.interval);
        let order = self.asked.order;
        let sheet = self
            .state
            .store
            .bars_batch(&self.stocks[place..], first, whole, order, bars_max)
            .await?;
        let mut rows = Vec::with_capacity(sheet.len());
        for row in &sheet {
            self.take(place + row.place, row, &mut rows)?;
        }
        self.rest = match sheet.last() {
            Some(last) if sheet.len() == bars_max as usize => {
                let place = place + last.place;
                whole
                    .after(last.bar.date, order)
                    .map(|rest| (place, rest))
                    .or_else(|| self.from(place + 1, whole))
            }
            _ => None,
        };
        if self.rest.is_none() {
            self.end_period(&mut rows);
        }
        Ok(rows)
    }

    fn take(&mut self, place: usize, row: &BatchRow, rows: &mut Vec<Row>) -> Result<(), Problem> {
        if *self.versions[place].get_or_insert(row.version) != row.version {
            return Err(Problem::Restated);
        }
        let background = self.adjustment_data.get(place);
        let bar = background
            .map_or(row.bar, |background| self.asked.adjust.of(row.bar, &background.splits));
        let standing = background.and_then(|background| background.standing);
        let Some(standing) = standing.filter(|_| self.asked.interval != Interval::Day) else {
            self.emit(place, PeriodBar { bar, unfinished: false }, rows);
            return Ok(());
        };
        if self.merging.as_ref().is_none_or(|(merging, _)| *merging != place) {
            self.end_period(rows);
            self.merging = Some((place, Resampler::new(self.asked.interval, standing)));
        }
        if let Some(period) = self.merging.as_mut().and_then(|(_, resampler)| resampler.push(bar)) {
            self.emit(place, period, rows);
        }
        Ok(())
    }

    fn end_period(&mut self, rows: &mut Vec<Row>) {
        if let Some((place, mut resampler)) = self.merging.take()
            && let Some(period) = resampler.finish()
        {
            self.emit(place, period, rows);
        }
    }

    /// Periods are read whole, and belong to the range that their label lies in.
    fn emit(&self, place: usize, PeriodBar { bar, unfinished }: PeriodBar, rows: &mut Vec<Row>) {
        if self.asked.range.contains(bar.date) {
            rows.push(Row {
                symbol: self.stocks[place].symbol,
                asked_for_by: self.names[place],
                bar,
                unfinished,
            });
        }
    }
}

/// A row of a stock that is found under its own symbol.
pub fn row(symbol: Symbol, bar: Bar, unfinished: bool) -> Row {
    Row { symbol, asked_for_by: symbol, bar, unfinished }
}
