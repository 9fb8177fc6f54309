//! Synthetic daily history: stocks, OHLCV bars and corporate actions.
//!
//! The same [`Plan`] gives the same numbers on every machine and after every
//! upgrade, so that a generated set can be named by its seed. That is why:
//!
//! - the generator is ChaCha8, a published cipher and not "whatever `rand` has as
//!   its standard generator today"; seed and stock index are its key and stream;
//! - only its raw 64-bit words are used: the distributions of the `rand` crates
//!   may change their values from one version to the next;
//! - only `+ - * /` and rounding touch a price: IEEE 754 fixes their results to
//!   the last bit, which no platform promises of `exp` or `ln`.

mod random;
mod records;
mod symbols;
mod walk;

use chrono::{Datelike, NaiveDate};

pub use self::records::{History, Stock};
pub use self::symbols::MAX_STOCKS;

use self::random::Random;
use self::walk::{Character, round_price};
use crate::market::{Action, ActionKind, Bar, Calendar};

/// The last year a plan may reach; bounds the memory one stock needs (26,000
/// bars) and keeps prices adjusted over many splits within plain decimals.
pub const LAST_YEAR: i32 = Calendar::US.last_year;

/// The first year that a plan may reach.
pub const FIRST_YEAR: i32 = Calendar::US.first_year;

/// What to generate. A stock's history depends on `from`, `to`, `seed` and its
/// own index, not on how many `stocks` there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Number of stocks, 1 to [`MAX_STOCKS`].
    pub stocks: u32,
    /// First day, inclusive.
    pub from: NaiveDate,
    /// Last day, inclusive.
    pub to: NaiveDate,
    /// Any number; another seed gives other histories.
    pub seed: u64,
}

/// Why a plan can't be carried out; each message says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("there is nothing to generate for 0 stocks: ask for at least 1")]
    NoStocks,
    #[error("{0} stocks are more than there are symbols for: ask for at most {MAX_STOCKS}")]
    TooManyStocks(u32),
    #[error("the first day {from} is after the last day {to}: swap them")]
    Reversed { from: NaiveDate, to: NaiveDate },
    #[error(
        "{from} to {to} reaches beyond the known trading calendar: choose days from {FIRST_YEAR}-01-01 to {LAST_YEAR}-12-31"
    )]
    OutsideCalendar { from: NaiveDate, to: NaiveDate },
    #[error("the exchanges are closed from {from} to {to}: choose a longer range")]
    NoTradingDay { from: NaiveDate, to: NaiveDate },
}

impl Plan {
    /// The histories one by one, in order of index; only the one last asked for
    /// is in memory. A stock is generated whole since its adjusted closes depend
    /// on its future.
    ///
    /// # Errors
    /// [`PlanError`] if the plan has no stocks or too many, no trading day, or
    /// days outside [`FIRST_YEAR`] to [`LAST_YEAR`].
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
    let stock = symbols::stock(&mut random, index);
    let character = Character::draw(&mut random);
    let days = &days[listing_day(&mut random, days.len())..];

    let mut close = round_price(random.between(10.0, 150.0));
    let mut bars = Vec::with_capacity(days.len());
    let mut actions = Vec::new();
    for (age, &date) in days.iter().enumerate() {
        // The market opens where yesterday's close is worth the same after the action.
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

/// Fills in the adjusted closes, from the last day, whose factor is 1, back.
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

/// One stock in four lists only after the start, within the first four fifths.
fn listing_day(random: &mut Random, days: usize) -> usize {
    if random.chance(0.75) {
        return 0;
    }
    random.below(days.saturating_mul(4).div_ceil(5))
}

/// Ten significant digits: more than a price carries, yet short to write.
fn round_significant(value: f64) -> f64 {
    let mut scale = 1.0;
    while value * scale < 1e9 && scale < 1e22 {
        scale *= 10.0;
    }
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests;
