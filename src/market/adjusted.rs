//! Adjusted bars: prices and volumes of the past, made comparable with those of today.

use super::decimal::Decimal;
use super::{AdjustmentFactor, Bar, PRICE_DIGITS, Ratio, word_enum};

word_enum! {
    /// The corporate actions that prices and volumes are adjusted for.
    #[derive(Default)]
    pub enum Adjust: "none, splits or all" {
        /// None: as traded.
        #[default]
        None = "none",
        /// Splits and spin-offs: prices are multiplied by their factors, volumes divided by those
        /// of splits.
        Splits = "splits",
        /// Splits and dividends: prices move as `adjusted_close` does, volumes are adjusted for
        /// splits.
        All = "all",
    }
}

/// The origin of a stock's adjusted closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdjustedCloseOrigin {
    /// A feed supplied them.
    Feed,
    /// They are computed from raw closes and corporate actions.
    Computed,
}

/// What the bars of one stock are adjusted by.
#[derive(Debug, Clone, PartialEq)]
pub struct Adjustments {
    /// Newest first. Without dividends, if they are not needed.
    pub factors: Vec<AdjustmentFactor>,
    pub origin: AdjustedCloseOrigin,
}

impl Adjust {
    /// Whether the dividends of a stock are needed, beside its splits.
    pub fn needs_dividends(self) -> bool {
        self == Self::All
    }

    /// Adjusts a bar of the stock with these factors.
    pub fn apply(self, bar: Bar, adjustments: &Adjustments) -> Bar {
        let newer = adjustments.factors.partition_point(|factor| factor.before > bar.date);
        let factor = newer.checked_sub(1).map(|last| &adjustments.factors[last]);
        let volume = factor.map_or(bar.volume, |factor| factor.shares.of_shares(bar.volume));
        match (self, adjustments.origin, factor) {
            (Self::None, ..) => bar,
            (Self::Splits, _, Some(factor)) => scaled(Bar { volume, ..bar }, &factor.splits),
            (Self::All, AdjustedCloseOrigin::Computed, Some(factor)) => {
                scaled(Bar { volume, ..bar }, &factor.all)
            }
            (Self::All, AdjustedCloseOrigin::Feed, _) => as_adjusted_close(Bar { volume, ..bar }),
            (_, _, None) => bar,
        }
    }
}

impl Adjustments {
    /// The bar with the adjusted close that follows from these adjustments, which must have the
    /// dividends. A feed's adjusted close stays.
    pub fn with_adjusted_close(&self, bar: Bar) -> Bar {
        match self.origin {
            AdjustedCloseOrigin::Computed => {
                let adjusted_close = Adjust::All.apply(bar, self).close;
                Bar { adjusted_close, ..bar }
            }
            AdjustedCloseOrigin::Feed => bar,
        }
    }
}

/// Multiplies prices by a ratio. Rounding keeps their order.
fn scaled(bar: Bar, ratio: &Ratio) -> Bar {
    Bar {
        open: ratio.of_price(bar.open),
        high: ratio.of_price(bar.high),
        low: ratio.of_price(bar.low),
        close: ratio.of_price(bar.close),
        vwap: bar.vwap.map(|vwap| ratio.of_price(vwap)),
        ..bar
    }
}

/// Moves prices as a feed's adjusted close moves the close. That one stays as it was loaded.
///
/// A feed's adjusted close may have more digits than the other prices have after rounding. A high
/// that rounding has moved below it is the next one above with as many digits; so is a low below.
fn as_adjusted_close(bar: Bar) -> Bar {
    let close = bar.adjusted_close;
    let all = scaled(bar, &Ratio::of(close, bar.close));
    let (below, above) = Decimal::of(close).neighbours(PRICE_DIGITS.unsigned_abs());
    let high = if all.high < close { above } else { all.high };
    let low = if all.low > close { below } else { all.low };
    Bar { high, low, close, ..all }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Effect, EffectiveAction, factors};
    use chrono::NaiveDate;
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
            vwap: Some(89.5),
            trades: Some(9),
        }
    }

    fn adjustments(origin: AdjustedCloseOrigin, effects: &[(u64, Effect)]) -> Adjustments {
        let action =
            |(n, effect): &(u64, Effect)| EffectiveAction { ex_date: day(*n), effect: *effect };
        Adjustments { factors: factors(effects.iter().map(action).collect()), origin }
    }

    const TWO_FOR_ONE: Effect = Effect::Split { from: 1.0, to: 2.0 };

    #[test]
    fn a_two_for_one_split_halves_earlier_prices_and_doubles_earlier_volumes() {
        let splits = adjustments(AdjustedCloseOrigin::Feed, &[(3, TWO_FOR_ONE)]);
        let before = Adjust::Splits.apply(bar(2), &splits);
        assert_eq!(
            (before.open, before.high, before.low, before.close),
            (44.81, 44.955, 44.095, 44.495)
        );
        assert_eq!((before.volume, before.adjusted_close), (64_000_002, 6.1));
        assert_eq!((before.vwap, before.trades), (Some(44.75), Some(9)));
        assert_eq!(Adjust::Splits.apply(bar(3), &splits), bar(3));
        assert_eq!(Adjust::None.apply(bar(2), &splits), bar(2));
    }

    #[test]
    fn each_bar_is_adjusted_by_the_actions_after_it() {
        let effects = [
            (9, TWO_FOR_ONE),
            (6, Effect::SpinOff { from: 4.0, to: 5.0 }),
            (3, Effect::Dividend { amount: 11.01, close: 99.09, bar_date: day(3) }),
        ];
        let of = adjustments(AdjustedCloseOrigin::Computed, &effects);
        for (n, splits, all, volume) in [
            (9, 88.99, 88.99, 32_000_001),
            (8, 44.495, 44.495, 64_000_002),
            (6, 44.495, 44.495, 64_000_002),
            (5, 35.596, 35.596, 64_000_002),
            (2, 35.596, 32.0364, 64_000_002),
        ] {
            let adjusted = [Adjust::Splits, Adjust::All].map(|adjust| adjust.apply(bar(n), &of));
            assert_eq!(adjusted.map(|bar| bar.close), [splits, all], "day {n}");
            assert_eq!(adjusted.map(|bar| bar.volume), [volume, volume], "day {n}");
        }
    }

    #[test]
    fn adjusting_for_all_makes_the_close_the_adjusted_close_of_a_feed() {
        let splits = adjustments(AdjustedCloseOrigin::Feed, &[(3, TWO_FOR_ONE)]);
        let all = Adjust::All.apply(bar(2), &splits);
        assert_eq!((all.close, all.adjusted_close, all.volume), (6.1, 6.1, 64_000_002));
        // 89.62 * 6.1 / 88.99
        assert_eq!(all.open, 6.143_184_627);
        // More digits than are promised come back as they were loaded.
        let long = Bar { adjusted_close: 4.186_662_803_811, ..bar(2) };
        assert_eq!(Adjust::All.apply(long, &splits).close, 4.186_662_803_811);
        // The other prices have no more than are promised, and still enclose it.
        let long = Bar { high: 88.99, low: 88.99, open: 88.99, ..long };
        let all = Adjust::All.apply(long, &splits);
        assert_eq!((all.high, all.low), (4.186_662_804, 4.186_662_803));
        assert!(all.low <= all.open && all.open <= all.high, "{all:?}");
    }

    proptest! {
        #[test]
        fn an_adjusted_bar_passes_the_checks_of_a_bar(
            cents in prop::collection::vec(1u32..100_000_000, 4),
            adjusted_close in 0.0001f64..1e6,
            ratio in (1u32..5000, 1u32..5000),
            dividend in (1u32..5000, 1u32..5000),
            volume in 0i64..1_000_000_000_000,
            is_flat: bool,
            is_computed: bool
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
                vwap: Some(prices[2]),
                trades: None,
            };
            let split = Effect::Split { from: ratio.0.into(), to: ratio.1.into() };
            let (amount, close) = (dividend.0.into(), dividend.1.into());
            let dividend = Effect::Dividend { amount, close, bar_date: day(2) };
            let origin =
                if is_computed { AdjustedCloseOrigin::Computed } else { AdjustedCloseOrigin::Feed };
            let adjustments = adjustments(origin, &[(2, split), (2, dividend)]);
            for adjust in [Adjust::None, Adjust::Splits, Adjust::All] {
                let bar = adjust.apply(raw, &adjustments);
                prop_assert_eq!(bar.check(), Ok(()), "{:?} of {:?} is {:?}", adjust, raw, bar);
                let close = if is_computed { bar.close } else { bar.open };
                for price in [bar.open, bar.high, bar.low, close] {
                    let digits = Decimal::of(price).digits;
                    prop_assert!(digits < 10_000_000_000, "{:?} has {}", adjust, price);
                }
            }
        }
    }
}
