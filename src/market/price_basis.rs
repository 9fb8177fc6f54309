//! Whether prices are as traded, or already adjusted for splits by their vendor.

/// What the prices of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriceBasis {
    /// As traded on their day.
    Raw,
    /// Divided by the ratios of all later splits, and volumes multiplied by them.
    SplitAdjusted,
}

/// Smaller splits move a close no more than a day of trading may, so they prove nothing.
const RATIO_MIN: f64 = 1.5;

/// Whether prices look adjusted for a split already. `ratio` is the number of new shares for each
/// old one, `before` and `after` are the closes around its ex-date.
///
/// At a split, a close as traded moves by about `1 / ratio`, and an adjusted one by about 1. The
/// nearer of the two on a logarithmic scale decides: for a two-for-one split, adjusted prices are
/// assumed if the close moves by -29 % to +41 %.
pub fn looks_split_adjusted(ratio: f64, before: f64, after: f64) -> bool {
    let expected = ratio.ln().abs();
    expected >= RATIO_MIN.ln() && (after / before).ln().abs() < expected / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_close_that_ignores_a_split_looks_adjusted() {
        for (ratio, before, after) in
            [(20.0, 123.05, 125.0), (2.0, 40.0, 40.1), (0.1, 30.0, 29.0), (1.5, 10.0, 10.9)]
        {
            assert!(looks_split_adjusted(ratio, before, after), "{ratio} {before} {after}");
        }
    }

    #[test]
    fn a_close_that_moves_with_a_split_looks_raw() {
        for (ratio, before, after) in
            [(20.0, 2447.0, 125.0), (2.0, 40.0, 20.5), (0.1, 1.2, 11.5), (2.0, 40.0, 26.0)]
        {
            assert!(!looks_split_adjusted(ratio, before, after), "{ratio} {before} {after}");
        }
    }

    #[test]
    fn a_small_split_proves_nothing() {
        assert!(!looks_split_adjusted(1.05, 10.0, 10.0));
        assert!(!looks_split_adjusted(1.0, 10.0, 10.0));
    }

    proptest! {
        #[test]
        fn a_day_of_at_most_20_percent_decides_as_the_prices_are(
            ratio in prop_oneof![1.6f64..100.0, 0.01f64..0.62],
            before in 0.5f64..5000.0,
            day in 0.82f64..1.2
        ) {
            prop_assert!(looks_split_adjusted(ratio, before, before * day));
            prop_assert!(!looks_split_adjusted(ratio, before, before / ratio * day));
        }
    }
}
