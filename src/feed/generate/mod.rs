//! Synthetic daily history: stocks, OHLCV bars and corporate actions.
//!
//! The same [`Plan`] gives the same numbers on every machine and after every upgrade, so that its
//! seed identifies a generated set. Therefore:
//!
//! - The generator is ChaCha8, a published cipher, not the standard generator of `rand`, which may
//!   change. Its key is the seed, its stream the index of the stock.
//! - Only its raw 64-bit words are used: the distributions of the `rand` crates may change from one
//!   version to the next.
//! - Prices are computed with `+ - * /` and rounding alone: IEEE 754 defines these results to the
//!   last bit, but not those of `exp` or `ln`.

mod random;
mod stock;
mod walk;

use chrono::{Datelike, NaiveDate};

pub use self::stock::{MAX_STOCKS, SyntheticStock};

use self::random::Random;
use self::walk::{Character, round_price};
use crate::market::{Action, ActionKind, Bar, Calendar};

/// The last year that a plan may reach. It bounds the memory of one stock (26,000 bars), and keeps
/// prices that are adjusted over many splits within plain decimals.
pub const LAST_YEAR: i32 = Calendar::US.last_year;

/// The first year that a plan may reach.
pub const FIRST_YEAR: i32 = Calendar::US.first_year;

/// What to generate. A stock's history depends on `from`, `to`, `seed` and the index of the stock,
/// not on the number of `stocks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Number of stocks, 1 to [`MAX_STOCKS`].
    pub stocks: u32,
    /// First day, inclusive.
    pub from: NaiveDate,
    /// Last day, inclusive.
    pub to: NaiveDate,
    /// Any number. Another seed gives other histories.
    pub seed: u64,
}

/// The history of one stock: bars and actions in order of date, and at least one bar.
///
/// Prices from one dollar up have two decimals, prices below have four. Volumes are multiples of
/// 100, and adjusted closes have ten significant digits. An action falls on the date of a bar other
/// than the first, with at most one action per date.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    pub stock: SyntheticStock,
    pub bars: Vec<Bar>,
    pub actions: Vec<Action>,
}

/// Why a plan can't be carried out, and what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("a plan needs stocks: ask for at least 1")]
    NoStocks,
    #[error("there are not enough symbols for {0} stocks: ask for at most {MAX_STOCKS}")]
    TooManyStocks(u32),
    #[error("the first day {from} is after the last day {to}: swap them")]
    Reversed { from: NaiveDate, to: NaiveDate },
    #[error(
        "{from} to {to} reaches beyond the known trading calendar: choose days from \
         {FIRST_YEAR}-01-01 to {LAST_YEAR}-12-31"
    )]
    OutsideCalendar { from: NaiveDate, to: NaiveDate },
    #[error("the exchanges are closed from {from} to {to}: choose a longer range")]
    NoTradingDay { from: NaiveDate, to: NaiveDate },
}

impl Plan {
    /// The histories in order of index. Only the current one is in memory. Each is generated whole,
    /// because adjusted closes depend on later actions.
    ///
    /// # Errors
    /// If the plan has no stocks or too many, no trading day, or days outside [`FIRST_YEAR`] to
    /// [`LAST_YEAR`].
    pub fn histories(self) -> Result<impl Iterator<Item = History>, PlanError> {
        let days = self.trading_days()?;
        Ok((0..self.stocks).map(move |index| history(&days, self.seed, index)))
    }

    fn trading_days(&self) -> Result<Vec<NaiveDate>, PlanError> {
        let Self { stocks, from, to, .. } = *self;
        if stocks == 0 {
            return Err(PlanError::NoStocks);
        }
        if stocks > MAX_STOCKS {
            return Err(PlanError::TooManyStocks(stocks));
        }
        if from > to {
            return Err(PlanError::Reversed { from, to });
        }
        if from.year() < FIRST_YEAR || to.year() > LAST_YEAR {
            return Err(PlanError::OutsideCalendar { from, to });
        }
        let days: Vec<_> = Calendar::US.trading_days(from, to).collect();
        if days.is_empty() {
            return Err(PlanError::NoTradingDay { from, to });
        }
        Ok(days)
    }
}

/// `days` must not be empty.
fn history(days: &[NaiveDate], seed: u64, index: u32) -> History {
    let mut random = Random::new(seed, index);
    let stock = stock::stock(&mut random, index);
    let character = Character::draw(&mut random);
    let days = &days[listing_day(&mut random, days.len())..];

    let mut close = round_price(random.between(10.0, 150.0));
    let mut bars = Vec::with_capacity(days.len());
    let mut actions = Vec::new();
    for (age, &date) in days.iter().enumerate() {
        // The price from which the day starts: an action changes it without a gain or a loss.
        let mut reference = close;
        if let Some(event) = character.event(&mut random, age, close) {
            reference *= match event {
                ActionKind::Split { from, to } => from / to,
                ActionKind::Dividend(dividend) => 1.0 - dividend / close,
            };
            actions.push(Action { ex_date: date, kind: event });
        }
        let bar = character.bar(&mut random, date, reference);
        close = bar.close;
        bars.push(bar);
    }
    adjust(&mut bars, &actions);
    History { stock, bars, actions }
}

/// Computes the adjusted closes backwards from the last day, which has the factor 1.
fn adjust(bars: &mut [Bar], actions: &[Action]) {
    let mut later_actions = actions.iter().rev().peekable();
    let mut factor = 1.0;
    for bar in bars.iter_mut().rev() {
        bar.adjusted_close = round_significant(bar.close * factor);
        if let Some(action) = later_actions.next_if(|action| action.ex_date == bar.date) {
            factor *= action.kind.factor(bar.close);
        }
    }
}

/// The index of the stock's first day. One stock in four is listed after the start, within the
/// first four fifths.
fn listing_day(random: &mut Random, days: usize) -> usize {
    if random.chance(0.75) {
        return 0;
    }
    random.below(days.saturating_mul(4).div_ceil(5))
}

/// Rounds to ten significant digits: more than a price has, yet short to write.
fn round_significant(value: f64) -> f64 {
    let mut scale = 1.0;
    while value * scale < 1e9 && scale < 1e22 {
        scale *= 10.0;
    }
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests;
