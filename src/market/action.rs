//! Corporate actions: splits, spin-offs and dividends.

use chrono::NaiveDate;

use super::{Ratio, word_enum};

/// A corporate action, effective from the open of its ex-date.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Action {
    pub ex_date: NaiveDate,
    pub kind: ActionKind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ActionKind {
    /// `from` shares became `to`: a two-for-one split is from 1 to 2, a one-for-ten reverse split
    /// from 10 to 1.
    Split { from: f64, to: f64 },
    /// Cash per share, as paid, in the stock's currency.
    Dividend(f64),
}

impl ActionKind {
    /// The factor of closes before the ex-date as a double, for synthetic histories. The exact one
    /// is computed in `adjustment.rs`.
    pub fn factor(self, close: f64) -> f64 {
        match self {
            Self::Split { from, to } => from / to,
            Self::Dividend(dividend) => close / (close + dividend),
        }
    }
}

word_enum! {
    /// A kind of corporate action.
    pub enum EventKind: "split or dividend" {
        Split = "split",
        Dividend = "dividend",
    }
}

word_enum! {
    /// A type of corporate action. Each type belongs to one kind.
    pub enum ActionType: "cash, special, capital_gain, long_term_capital_gain, \
                          short_term_capital_gain, return_of_capital, split or spin_off" {
        /// A regular dividend, or one whose type is not known.
        Cash = "cash",
        /// A dividend outside of the usual ones.
        Special = "special",
        /// A gain that a fund distributes.
        CapitalGain = "capital_gain",
        LongTermCapitalGain = "long_term_capital_gain",
        ShortTermCapitalGain = "short_term_capital_gain",
        /// Capital that is paid back to the holders.
        ReturnOfCapital = "return_of_capital",
        /// More or fewer shares for the same holding.
        Split = "split",
        /// Shares of another company, written as the ratio by which the price falls. The number of
        /// shares stays.
        SpinOff = "spin_off",
    }
}

impl ActionType {
    pub fn kind(self) -> EventKind {
        match self {
            Self::Split | Self::SpinOff => EventKind::Split,
            _ => EventKind::Dividend,
        }
    }
}

/// The smaller side of a reduced ratio above which it is taken for a spin-off.
const SPLIT_SIDE_MAX: f64 = 100.0;
/// Both sides as written from which on a ratio is taken for a spin-off: `1253:1000`.
const SPIN_OFF_SIDES_MIN: f64 = 1000.0;

/// The type of a split whose file does not say it. Companies split shares in ratios of small whole
/// numbers. Some feeds write a spin-off as a split in the ratio of the prices, such as 1253:1000.
pub fn type_of_ratio(from: f64, to: f64) -> ActionType {
    let smaller_side = Ratio::of(from, to).smaller_side();
    let is_odd = smaller_side > SPLIT_SIDE_MAX || from.min(to) >= SPIN_OFF_SIDES_MIN;
    // After a spin-off no holder has fewer shares.
    if to > from && is_odd { ActionType::SpinOff } else { ActionType::Split }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_lowers_earlier_closes_by_its_factor() {
        assert_eq!(ActionKind::Split { from: 1.0, to: 4.0 }.factor(80.0), 0.25);
        assert_eq!(ActionKind::Split { from: 10.0, to: 1.0 }.factor(80.0), 10.0);
        assert_eq!(ActionKind::Dividend(20.0).factor(80.0), 0.8);
    }

    #[test]
    fn every_type_belongs_to_the_kind_of_its_values() {
        for action in ActionType::ALL {
            let is_ratio = matches!(action, ActionType::Split | ActionType::SpinOff);
            let kind = if is_ratio { EventKind::Split } else { EventKind::Dividend };
            assert_eq!(action.kind(), kind, "{action:?}");
        }
    }

    #[test]
    fn a_ratio_that_no_company_splits_in_is_taken_for_a_spin_off() {
        for (from, to) in [
            (1.0, 2.0),
            (2.0, 3.0),
            (10.0, 1.0),
            (100.0, 103.0),
            (1000.0, 1.0),
            (1.0, 1.05),
            (3.0, 1.0),
            (1.0, 100.0),
            (1253.0, 1000.0),
            (1000.0, 1000.0),
        ] {
            assert_eq!(type_of_ratio(from, to), ActionType::Split, "{from} to {to}");
        }
        for (from, to) in [(1000.0, 1253.0), (1.0, 1.253), (1000.0, 1250.0), (500.0, 523.0)] {
            assert_eq!(type_of_ratio(from, to), ActionType::SpinOff, "{from} to {to}");
        }
    }
}
