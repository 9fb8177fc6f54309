//! Whether prices are as traded, or already adjusted for splits by their vendor.

/// What the prices of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriceBasis {
    /// As traded on their day.
    Raw,
    /// Divided by the ratios of all later splits, and volumes multiplied by them.
    SplitAdjusted,
}

/// What the closes around a split say about the prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitEvidence {
    /// The close moved as the split moves it: the prices are as traded.
    Raw,
    /// The close moved as if nothing had happened: the prices are adjusted for the split.
    Adjusted,
    /// The close moved as the split in the other direction moves it: from and to are turned round.
    TurnedRound,
    /// The close moved in another way, as if the split had been applied twice.
    Neither,
    /// A split so small moves a close no more than a day of trading may.
    TooSmall,
}

/// Smaller splits prove nothing.
const RATIO_MIN: f64 = 1.5;
/// Smaller splits prove nothing by closes that are weeks apart: in two months, few stocks move by
/// more than the 2.8 that a split of four for one leaves between its move and what proves another.
const DISTANT_RATIO_MIN: f64 = 4.0;

impl SplitEvidence {
    /// `ratio` is the number of new shares for each old one, `before` and `after` are the closes
    /// around the ex-date.
    ///
    /// At a split, a close as traded moves by about `1 / ratio`, and an adjusted one by about 1. On
    /// a logarithmic scale, a move belongs to the one that is nearer than half of the distance
    /// between them: for a two-for-one split, prices are adjusted if the close moves by -29 % to
    /// +41 %.
    pub fn of(ratio: f64, before: f64, after: f64) -> Self {
        let distance = ratio.ln().abs();
        let is_within = |moved: f64| moved.ln().abs() < distance / 2.0;
        if distance < RATIO_MIN.ln() {
            Self::TooSmall
        } else if is_within(after / before) {
            Self::Adjusted
        } else if is_within(after / before * ratio) {
            Self::Raw
        } else if is_within(after / before / ratio) {
            Self::TurnedRound
        } else {
            Self::Neither
        }
    }

    /// The evidence of closes that are weeks apart; `None` if they prove nothing.
    ///
    /// The stock itself moves meanwhile, so a move belongs to the one that is nearer than a quarter
    /// of the distance: for a four-for-one split, prices are adjusted if the close moves by -29 %
    /// to +41 %. As traded, the stock would have to rise to 2.8 times its price for that.
    pub fn of_distant(ratio: f64, before: f64, after: f64) -> Option<Self> {
        let distance = ratio.ln().abs();
        let is_near = |moved: f64| moved.ln().abs() < distance / 4.0;
        let of_distant = || match Self::of(ratio, before, after) {
            Self::Adjusted => is_near(after / before),
            Self::Raw => is_near(after / before * ratio),
            Self::TurnedRound => is_near(after / before / ratio),
            Self::Neither | Self::TooSmall => false,
        };
        let proves = distance >= DISTANT_RATIO_MIN.ln() && of_distant();
        proves.then(|| Self::of(ratio, before, after))
    }

    /// Whether the evidence contradicts what somebody says about the prices. Without a word, prices
    /// are taken as raw unless they are clearly adjusted, or the split is clearly turned round.
    pub fn contradicts(self, basis: Option<PriceBasis>) -> bool {
        match basis {
            Some(PriceBasis::Raw) => false,
            None => matches!(self, Self::Adjusted | Self::TurnedRound),
            // After the conversion the prices must be as traded.
            Some(PriceBasis::SplitAdjusted) => !matches!(self, Self::Raw | Self::TooSmall),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_closes_around_a_split_tell_what_the_prices_are() {
        for (ratio, before, after, expected) in [
            (20.0, 123.05, 125.0, SplitEvidence::Adjusted),
            (2.0, 40.0, 40.1, SplitEvidence::Adjusted),
            (0.1, 30.0, 29.0, SplitEvidence::Adjusted),
            (1.5, 10.0, 10.9, SplitEvidence::Adjusted),
            (20.0, 2447.0, 125.0, SplitEvidence::Raw),
            (2.0, 40.0, 20.5, SplitEvidence::Raw),
            (0.1, 1.2, 11.5, SplitEvidence::Raw),
            (2.0, 40.0, 26.0, SplitEvidence::Raw),
            (0.05, 1007.37, 51.1, SplitEvidence::TurnedRound),
            (2.0, 10.0, 21.0, SplitEvidence::TurnedRound),
            // Converted although they were as traded.
            (20.0, 48_940.0, 125.0, SplitEvidence::Neither),
            (2.0, 80.0, 20.5, SplitEvidence::Neither),
            (1.05, 10.0, 10.0, SplitEvidence::TooSmall),
            (1.0, 10.0, 10.0, SplitEvidence::TooSmall),
        ] {
            let evidence = SplitEvidence::of(ratio, before, after);
            assert_eq!(evidence, expected, "{ratio}: {before} to {after}");
        }
    }

    #[test]
    fn closes_that_are_weeks_apart_prove_only_large_splits_and_clear_moves() {
        for (ratio, before, after, expected) in [
            (20.0, 50.0, 50.0, Some(SplitEvidence::Adjusted)),
            (20.0, 50.0, 25.0, Some(SplitEvidence::Adjusted)),
            (0.1, 50.0, 70.0, Some(SplitEvidence::Adjusted)),
            (4.0, 50.0, 60.0, Some(SplitEvidence::Adjusted)),
            (20.0, 1000.0, 50.0, Some(SplitEvidence::Raw)),
            // As traded, and the stock fell by half, or doubled, meanwhile.
            (20.0, 1000.0, 25.0, Some(SplitEvidence::Raw)),
            (4.0, 100.0, 12.5, None),
            (4.0, 100.0, 50.0, None),
            (0.1, 1.0, 5.0, None),
            (0.1, 1.0, 20.0, None),
            (20.0, 50.0, 1000.0, Some(SplitEvidence::TurnedRound)),
            (3.0, 50.0, 50.0, None),
        ] {
            let evidence = SplitEvidence::of_distant(ratio, before, after);
            assert_eq!(evidence, expected, "{ratio}: {before} to {after}");
        }
    }

    proptest! {
        #[test]
        fn any_day_short_of_half_the_split_leaves_the_evidence_as_it_is(
            ratio in prop_oneof![1.5f64..100.0, 0.01f64..0.66],
            before in 0.5f64..5000.0,
            share in -0.49f64..0.49
        ) {
            let day = ratio.powf(share);
            let evidence = |after: f64| SplitEvidence::of(ratio, before, after);
            prop_assert_eq!(evidence(before * day), SplitEvidence::Adjusted);
            prop_assert_eq!(evidence(before / ratio * day), SplitEvidence::Raw);
            prop_assert_eq!(evidence(before * ratio * day), SplitEvidence::TurnedRound);
            prop_assert_eq!(evidence(before / ratio / ratio * day), SplitEvidence::Neither);
        }
    }
}
