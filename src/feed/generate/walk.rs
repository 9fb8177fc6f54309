//! The geometric random walk of a stock's price.

use chrono::NaiveDate;

use super::random::Random;
use crate::market::{ActionKind, Bar};

/// Trading days between two dividends: a quarter of the usual 252 a year.
const QUARTER: usize = 63;
const TRADING_DAYS_A_YEAR: f64 = 252.0;

/// The parameters of a stock's random walk.
pub(super) struct Character {
    /// Mean and standard deviation of the return from one close to the next.
    drift: f64,
    volatility: f64,
    /// The quarterly dividend as a fraction of the price; zero if the stock pays none.
    quarterly_yield: f64,
    /// The day of the quarter on which the dividend falls.
    dividend_day: usize,
    /// The daily turnover, in dollars.
    turnover: f64,
    /// The closes, in dollars, above which the company splits its shares and below which it merges
    /// them.
    split_above: f64,
    merge_below: f64,
}

impl Character {
    pub(super) fn draw(random: &mut Random) -> Self {
        let volatility = random.between(0.008, 0.04);
        let growth_a_year = random.between(-0.15, 0.15);
        let pays = random.chance(0.5);
        let yield_a_year = random.between(0.005, 0.05);
        Self {
            // Compounding lowers the growth of a random walk by half its variance: add it back.
            drift: growth_a_year / TRADING_DAYS_A_YEAR + volatility * volatility / 2.0,
            volatility,
            quarterly_yield: if pays { yield_a_year / 4.0 } else { 0.0 },
            dividend_day: random.below(QUARTER),
            turnover: random.between(1e6, 200e6),
            split_above: random.between(150.0, 600.0),
            merge_below: random.between(0.5, 3.0),
        }
    }

    /// The corporate action on the day `age` after the listing. A split waits for the next day if a
    /// dividend falls on this one.
    pub(super) fn event(&self, random: &mut Random, age: usize, close: f64) -> Option<ActionKind> {
        if age == 0 {
            return None;
        }
        let dividend = round_price(close * self.quarterly_yield);
        if age % QUARTER == self.dividend_day && dividend > 0.0 {
            Some(ActionKind::Dividend(dividend))
        } else if close > self.split_above {
            let to = random.pick(&[2.0, 2.0, 3.0]);
            Some(ActionKind::Split { from: 1.0, to })
        } else if close < self.merge_below {
            Some(ActionKind::Split { from: 10.0, to: 1.0 })
        } else {
            None
        }
    }

    /// The bar of a day that starts from `reference`, the previous close after any action.
    /// `adjusted_close` is not set: it depends on later actions.
    pub(super) fn bar(&self, random: &mut Random, date: NaiveDate, reference: f64) -> Bar {
        let overnight = 0.4 * self.volatility * random.normal();
        // 0.4² + 0.9165² = 1, so night and day together have the volatility of one day.
        let intraday = self.drift + 0.9165 * self.volatility * random.normal();
        let open = reference * (1.0 + overnight);
        let close = open * (1.0 + intraday);
        let reach_up = 0.5 * self.volatility * random.normal().abs();
        let reach_down = 0.5 * self.volatility * random.normal().abs();
        let close_rounded = round_price(close);
        let shares =
            self.turnover * random.between(0.5, 1.5) * (0.5 + intraday.abs() / self.volatility)
                / close_rounded;
        Bar {
            date,
            open: round_price(open),
            high: round_price(open.max(close) * (1.0 + reach_up)),
            low: round_price(open.min(close) * (1.0 - reach_down)),
            close: close_rounded,
            volume: (shares / 100.0).round() as i64 * 100,
            adjusted_close: f64::NAN,
            vwap: None,
            trades: None,
        }
    }
}

/// Rounds dollars to the tick of Rule 612 of Regulation NMS: a cent from one dollar up, a hundredth
/// of a cent below. Rounding keeps the order of prices, so low <= high holds.
pub(super) fn round_price(dollars: f64) -> f64 {
    let ticks_a_dollar = if dollars < 1.0 { 10_000.0 } else { 100.0 };
    (dollars * ticks_a_dollar).round() / ticks_a_dollar
}
