//! Bars in today's shares: prices and volumes of the past made comparable with those of now.

use std::str::FromStr;

use chrono::NaiveDate;

use super::Bar;

/// What prices and volumes are adjusted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Adjust {
    /// Nothing: as traded.
    #[default]
    None,
    /// Splits: prices are multiplied, volumes divided by the shares that one of today was then.
    Splits,
    /// Splits and dividends: prices move as `adjusted_close` does. Volumes are adjusted for splits.
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected none, splits or all")]
pub struct AdjustError;

/// A split: `factor` is the shares before for each share after, 0.5 for two for one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    pub ex_date: NaiveDate,
    pub factor: f64,
}

/// Significant digits of an adjusted price: more than any price has, fewer than what arithmetic in
/// doubles leaves over.
const DIGITS: i32 = 10;

impl Adjust {
    pub const WORDS: [&str; 3] = ["none", "splits", "all"];

    pub const fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }

    /// A bar of a stock with these splits, adjusted.
    pub fn of(self, bar: Bar, splits: &[Split]) -> Bar {
        let later = splits.iter().filter(|split| split.ex_date > bar.date);
        let factor: f64 = later.map(|split| split.factor).product();
        match self {
            Self::None => bar,
            Self::Splits => scaled(bar, factor, factor, None),
            Self::All => {
                scaled(bar, bar.adjusted_close / bar.close, factor, Some(bar.adjusted_close))
            }
        }
    }
}

/// `close` is what the close is known to be.
fn scaled(bar: Bar, factor: f64, shares_factor: f64, close: Option<f64>) -> Bar {
    if factor == 1.0 && shares_factor == 1.0 {
        return bar;
    }
    let price = |price: f64| rounded(price * factor);
    let close = close.unwrap_or_else(|| price(bar.close));
    Bar {
        open: price(bar.open),
        // Rounding may not push a close out of its bar.
        high: price(bar.high).max(close),
        low: price(bar.low).min(close),
        close,
        volume: (bar.volume as f64 / shares_factor).round() as i64,
        ..bar
    }
}

/// To [`DIGITS`] significant digits: 88.99 / 2 is 44.495, and not 44.494999999999997.
fn rounded(price: f64) -> f64 {
    let digits_before = price.abs().log10().floor() as i32 + 1;
    let places = usize::try_from(DIGITS - digits_before).unwrap_or(0);
    format!("{price:.places$}").parse().unwrap_or(price)
}

impl FromStr for Adjust {
    type Err = AdjustError;

    fn from_str(text: &str) -> Result<Self, AdjustError> {
        [Self::None, Self::Splits, Self::All]
            .into_iter()
            .find(|adjust| adjust.as_str() == text)
            .ok_or(AdjustError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(n: u64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2005, 1, 1).unwrap() + chrono::Days::new(n)
    }

    fn bar(n: u64) -> Bar {
        Bar {
            date: day(n),
            open: 89.62,
            high: 89.91,
            low: 88.19,
            close: 88.99,
            adjusted_close: 6.1,
            volume: 32_000_001,
        }
    }

    const TWO_FOR_ONE: f64 = 0.5;

    #[test]
    fn a_split_halves_the_prices_before_it_doubles_their_volume_and_leaves_its_own_day_alone() {
        let splits = [Split { ex_date: day(3), factor: TWO_FOR_ONE }];
        let before = Adjust::Splits.of(bar(2), &splits);
        assert_eq!(
            (before.open, before.high, before.low, before.close),
            (44.81, 44.955, 44.095, 44.495)
        );
        assert_eq!((before.volume, before.adjusted_close), (64_000_002, 6.1));
        assert_eq!(Adjust::Splits.of(bar(3), &splits), bar(3));
        assert_eq!(Adjust::None.of(bar(2), &splits), bar(2));
    }

    #[test]
    fn fully_adjusted_the_close_is_the_adjusted_close() {
        let splits = [Split { ex_date: day(3), factor: TWO_FOR_ONE }];
        let all = Adjust::All.of(bar(2), &splits);
        assert_eq!((all.close, all.adjusted_close, all.volume), (6.1, 6.1, 64_000_002));
        assert!((all.open / all.close - 89.62 / 88.99).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn an_adjusted_bar_is_a_possible_bar(
            cents in prop::collection::vec(1u32..100_000_000, 4), adjusted in 0.0001f64..1e6, factor in 0.001f64..1000.0,
            volume in 0i64..1_000_000_000_000, is_flat: bool
        ) {
            let mut prices: Vec<f64> = cents.iter().map(|cents| f64::from(*cents) / 100.0).collect();
            if is_flat {
                let price = prices[0];
                prices.fill(price);
            }
            prices.sort_by(f64::total_cmp);
            let raw = Bar { date: day(1), low: prices[0], open: prices[1], close: prices[2], high: prices[3], adjusted_close: adjusted, volume };
            let splits = [Split { ex_date: day(2), factor }];
            for adjust in [Adjust::None, Adjust::Splits, Adjust::All] {
                let bar = adjust.of(raw, &splits);
                prop_assert_eq!(bar.check(), Ok(()), "{:?} of {:?} is {:?}", adjust, raw, bar);
            }
        }
    }
}
