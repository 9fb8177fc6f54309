//! The changes by a load.

use chrono::NaiveDate;

/// The changes by a load.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    pub added: i64,
    pub changed: i64,
    pub unchanged: i64,
    /// Rows of the file that were converted from split-adjusted to as traded.
    pub converted: i64,
    /// The number of stocks with changes.
    pub stocks_touched: usize,
    /// The stocks with changes to data that was served before, ordered by symbol.
    pub restated: Vec<RestatedStock>,
    /// The symbols of stocks whose adjusted closes come from a feed and lack an action.
    pub stale_closes: Vec<String>,
    /// Stocks whose bars are as far apart as those of weeks or months.
    pub sparse_stocks: i64,
    /// Spin-offs that were not undone in split-adjusted prices, each as its stock and ex-date.
    pub kept_spin_offs: Vec<String>,
    /// Stocks whose dividends are said to be split-adjusted, and of which no split is known.
    pub stocks_without_splits: i64,
    /// The symbols of stocks with a new split, by which dividends that were loaded later may have
    /// been divided.
    pub late_splits: Vec<String>,
    /// Dividends above the last close before their ex-date, with both.
    pub large_dividends: Vec<String>,
    /// Stocks with prices that have another currency now, as `VOD from GBP to USD`.
    pub changed_currencies: Vec<String>,
    /// Rows of stocks under another spelling of a stored symbol, as `BRK-B is BRK.B`.
    pub other_spellings: Vec<String>,
}

impl LoadReport {
    /// The number of rows of the file, without those that repeat an earlier one.
    pub fn rows(&self) -> u64 {
        (self.added + self.changed + self.unchanged).unsigned_abs()
    }

    /// The number of rows written.
    pub fn written(&self) -> i64 {
        let others = self.restated.iter().map(|of| of.readjusted + of.converted).sum::<i64>();
        self.added + self.changed + others
    }
}

/// Changes to data of a stock that was served before.
#[derive(Debug, PartialEq, Eq)]
pub struct RestatedStock {
    pub symbol: String,
    /// Rows that the file changed.
    pub changed: i64,
    /// Other bars whose adjusted close was recomputed.
    pub readjusted: i64,
    /// Stored bars that were converted from split-adjusted to as traded.
    pub converted: i64,
    /// The first day with a change; `None` for a file of stocks.
    pub from: Option<NaiveDate>,
    /// The last day with a change.
    pub to: Option<NaiveDate>,
}
/// The changes of one stock by a load.
#[derive(Debug, Clone, Default)]
pub(super) struct MergedStock {
    pub stock_id: i32,
    pub added: i64,
    pub changed: i64,
    /// The first and the last day with a change.
    pub days: Option<(NaiveDate, NaiveDate)>,
    pub readjusted: i64,
    pub converted: i64,
}

impl MergedStock {
    pub fn is_restated(&self) -> bool {
        self.changed + self.readjusted + self.converted > 0
    }

    /// Adds changes of other bars of the same stock.
    pub fn add(&mut self, other: &Self) {
        self.readjusted += other.readjusted;
        self.converted += other.converted;
        let (Some((first, last)), days) = (other.days, self.days) else { return };
        let (from, to) = days.unwrap_or((first, last));
        self.days = Some((from.min(first), to.max(last)));
    }
}
