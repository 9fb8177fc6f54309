//! Adjusted bars: prices and volumes of the past, made comparable with those of today.

use chrono::NaiveDate;

use super::{Bar, word_enum};

word_enum! {
    /// The corporate actions that prices and volumes are adjusted for.
    #[derive(Default)]
    pub enum Adjust: "none, splits or all" {
        /// None: as traded.
        #[default]
        None = "none",
        /// Splits: prices are multiplied by the split factor, volumes divided by it.
        Splits = "splits",
        /// Splits and dividends: prices move as `adjusted_close` does, volumes are adjusted for
        /// splits.
        All = "all",
    }
}

/// A split. `factor` is the number of shares before it for each share after: 0.5 for two for one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    pub ex_date: NaiveDate,
    pub factor: f64,
}

/// Significant digits of an adjusted price: more than any price has, few enough to hide the
/// rounding errors of doubles.
const DIGITS: i32 = 10;

impl Adjust {
    /// Adjusts a bar of a stock with these splits.
    pub fn apply(self, bar: Bar, splits: &[Split]) -> Bar {
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

/// Multiplies prices by `factor` and divides the volume by `shares_factor`. `close` replaces the
/// product where the adjusted close is stored.
fn scaled(bar: Bar, factor: f64, shares_factor: f64, close: Option<f64>) -> Bar {
    if factor == 1.0 && shares_factor == 1.0 {
        return bar;
    }
    let price = |price: f64| rounded(price * factor);
    let close = close.unwrap_or_else(|| price(bar.close));
    Bar {
        open: price(bar.open),
        // Rounding must not push the close out of its bar.
        high: price(bar.high).max(close),
        low: price(bar.low).min(close),
        close,
        volume: (bar.volume as f64 / shares_factor).round() as i64,
        ..bar
    }
}

/// Rounds to [`DIGITS`] significant digits: 88.99 / 2 is 44.495, not 44.494999999999997.
fn rounded(price: f64) -> f64 {
    let digits_before = price.abs().log10().floor() as i32 + 1;
    let places = usize::try_from(DIGITS - digits_before).unwrap_or(0);
    format!("{price:.places$}").parse().unwrap_or(price)
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
    fn a_two_for_one_split_halves_earlier_prices_and_doubles_earlier_volumes() {
        let splits = [Split { ex_date: day(3), factor: TWO_FOR_ONE }];
        let before = Adjust::Splits.apply(bar(2), &splits);
        assert_eq!(
            (before.open, before.high, before.low, before.close),
            (44.81, 44.955, 44.095, 44.495)
        );
        assert_eq!((before.volume, before.adjusted_close), (64_000_002, 6.1));
        assert_eq!(Adjust::Splits.apply(bar(3), &splits), bar(3));
        assert_eq!(Adjust::None.apply(bar(2), &splits), bar(2));
    }

    #[test]
    fn adjusting_for_all_makes_the_close_the_adjusted_close() {
        let splits = [Split { ex_date: day(3), factor: TWO_FOR_ONE }];
        let all = Adjust::All.apply(bar(2), &splits);
        assert_eq!((all.close, all.adjusted_close, all.volume), (6.1, 6.1, 64_000_002));
        assert!((all.open / all.close - 89.62 / 88.99).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn an_adjusted_bar_passes_the_checks_of_a_bar(
            cents in prop::collection::vec(1u32..100_000_000, 4),
            adjusted_close in 0.0001f64..1e6,
            factor in 0.001f64..1000.0,
            volume in 0i64..1_000_000_000_000,
            is_flat: bool
        ) {
            let mut prices: Vec<_> = cents.iter().map(|cents| f64::from(*cents) / 100.0).collect();
            if is_flat {
                let price = prices[0];
                prices.fill(price);
            }
            prices.sort_by(f64::total_cmp);
            let raw = Bar {
                date: day(1),
                low: prices[0],
                open: prices[1],
                close: prices[2],
                high: prices[3],
                adjusted_close,
                volume,
            };
            let splits = [Split { ex_date: day(2), factor }];
            for adjust in [Adjust::None, Adjust::Splits, Adjust::All] {
                let bar = adjust.apply(raw, &splits);
                prop_assert_eq!(bar.check(), Ok(()), "{:?} of {:?} is {:?}", adjust, raw, bar);
            }
        }
    }
}
