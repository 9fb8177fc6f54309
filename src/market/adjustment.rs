//! Adjusted closes from raw closes and corporate actions.
//!
//! The method is that of the Center for Research in Security Prices (CRSP) as Yahoo Finance Help states it ("What is
//! the adjusted close?"): going back in time, each action multiplies all closes before its ex-date by its factor. The
//! newest close is left as it was traded.

use chrono::NaiveDate;

use super::{Action, ActionKind};

/// An action that has taken effect, and the raw close that its factor is worked out from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TakenEffect {
    pub action: Action,
    /// The raw close of the last trading day before the ex-date.
    pub previous_close: f64,
}

/// What raw closes are multiplied by on the days before `before` and, where there is an earlier factor, from its
/// `before` on. After the last one closes are left as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factor {
    pub before: NaiveDate,
    pub factor: f64,
}

/// A dividend that leaves nothing of the share.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("the dividend of {dividend} on {ex_date} is not below {previous_close}, the close before in the same shares")]
pub struct AdjustmentFault {
    pub ex_date: NaiveDate,
    pub dividend: f64,
    pub previous_close: f64,
}

/// The factors of a stock, newest first, from its actions in any order.
///
/// On a day with both, the dividend is one on the shares after the split.
///
/// # Errors
/// When a dividend is not below the close before it: the closes before that would not be above 0.
pub fn factors(mut actions: Vec<TakenEffect>) -> Result<Vec<Factor>, AdjustmentFault> {
    let is_dividend = |taken: &TakenEffect| matches!(taken.action.kind, ActionKind::Dividend(_));
    actions.sort_by_key(|taken| (std::cmp::Reverse(taken.action.ex_date), is_dividend(taken)));
    let mut factors: Vec<Factor> = Vec::new();
    let mut product = 1.0;
    for of_day in actions.chunk_by(|a, b| a.action.ex_date == b.action.ex_date) {
        let mut of_splits = 1.0;
        for TakenEffect { action: Action { ex_date, kind }, previous_close } in of_day.iter().copied() {
            let previous_close = previous_close * of_splits;
            let factor = kind.factor(previous_close);
            match kind {
                ActionKind::Split { .. } => of_splits *= factor,
                ActionKind::Dividend(dividend) if factor <= 0.0 => {
                    return Err(AdjustmentFault { ex_date, dividend, previous_close });
                }
                ActionKind::Dividend(_) => {}
            }
            product *= factor;
        }
        factors.push(Factor { before: of_day[0].action.ex_date, factor: product });
    }
    Ok(factors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(n: u64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2020, 1, 1).unwrap() + chrono::Days::new(n)
    }

    fn taken(n: u64, kind: ActionKind, previous_close: f64) -> TakenEffect {
        TakenEffect { action: Action { ex_date: day(n), kind }, previous_close }
    }

    fn split(n: u64, from: f64, to: f64) -> TakenEffect {
        taken(n, ActionKind::Split { from, to }, 1.0)
    }

    #[test]
    fn each_action_multiplies_all_closes_before_its_ex_date() {
        let actions = vec![split(10, 1.0, 2.0), taken(20, ActionKind::Dividend(1.0), 50.0), split(30, 10.0, 1.0)];
        let expected = [(30, 10.0), (20, 10.0 * 0.98), (10, 10.0 * 0.98 * 0.5)];
        let expected = expected.map(|(n, factor)| Factor { before: day(n), factor });
        assert_eq!(factors(actions).unwrap(), expected);
        assert_eq!(factors(Vec::new()).unwrap(), []);
    }

    #[test]
    fn a_dividend_on_the_day_of_a_split_is_one_on_the_new_shares() {
        let (dividend, split) = (taken(10, ActionKind::Dividend(1.0), 100.0), split(10, 1.0, 2.0));
        for actions in [vec![dividend, split], vec![split, dividend]] {
            assert_eq!(factors(actions).unwrap(), [Factor { before: day(10), factor: 0.5 * 0.98 }]);
        }
    }

    #[test]
    fn a_dividend_of_all_that_there_is_is_refused_by_its_day() {
        let fault = factors(vec![taken(10, ActionKind::Dividend(5.0), 5.0)]).unwrap_err();
        let says = "the dividend of 5 on 2020-01-11 is not below 5, the close before in the same shares";
        assert_eq!(fault.to_string(), says);
    }

    proptest! {
        #[test]
        fn factors_depend_on_the_actions_and_not_on_their_order(
            actions in prop::collection::btree_map(0u64..1000, (1.0f64..10.0, 1.0f64..10.0), 0..20).prop_map(|days| {
                days.into_iter().map(|(n, (from, to))| split(n, from, to)).collect::<Vec<_>>()
            }).prop_shuffle()
        ) {
            let mut sorted = actions.clone();
            sorted.sort_by_key(|taken| taken.action.ex_date);
            prop_assert_eq!(factors(actions).unwrap(), factors(sorted).unwrap());
        }
    }
}
