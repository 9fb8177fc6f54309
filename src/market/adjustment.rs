//! Adjusted closes from raw closes and corporate actions.
//!
//! Each action multiplies all closes before its ex-date by its factor ([`ActionKind::factor`]), so
//! that adjusted closes move by the total return. The newest close stays as traded.
//!
//! [`ActionKind::factor`]: super::ActionKind::factor

use std::cmp::Reverse;

use chrono::NaiveDate;

use super::Action;

/// An action that has taken effect, and the raw close that its factor is computed from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EffectiveAction {
    pub action: Action,
    /// The raw close of the first trading day from the ex-date on.
    pub close: f64,
}

/// The product by which raw closes are multiplied. It holds for the days before `before`, back to
/// the `before` of the next older factor. From the newest `before` on, closes stay as traded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdjustmentFactor {
    pub before: NaiveDate,
    pub factor: f64,
}

/// The factors of a stock, newest first, from its actions in any order.
pub fn factors(mut actions: Vec<EffectiveAction>) -> Vec<AdjustmentFactor> {
    // Also by kind: the last digit of a product of floats depends on the order.
    actions.sort_by_key(|taken| (Reverse(taken.action.ex_date), taken.action.kind.is_dividend()));
    let mut product = 1.0;
    let of_day = |of_day: &[EffectiveAction]| {
        product *=
            of_day.iter().map(|taken| taken.action.kind.factor(taken.close)).product::<f64>();
        AdjustmentFactor { before: of_day[0].action.ex_date, factor: product }
    };
    actions.chunk_by(|a, b| a.action.ex_date == b.action.ex_date).map(of_day).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::ActionKind;
    use proptest::prelude::*;

    fn day(n: u64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2020, 1, 1).unwrap() + chrono::Days::new(n)
    }

    fn taken(n: u64, kind: ActionKind, close: f64) -> EffectiveAction {
        EffectiveAction { action: Action { ex_date: day(n), kind }, close }
    }

    fn split(n: u64, from: f64, to: f64) -> EffectiveAction {
        taken(n, ActionKind::Split { from, to }, 1.0)
    }

    #[test]
    fn each_action_multiplies_all_closes_before_its_ex_date() {
        let actions = vec![
            split(10, 1.0, 2.0),
            taken(20, ActionKind::Dividend(1.0), 49.0),
            split(30, 10.0, 1.0),
        ];
        let expected = [(30, 10.0), (20, 10.0 * 0.98), (10, 10.0 * 0.98 * 0.5)];
        let expected = expected.map(|(n, factor)| AdjustmentFactor { before: day(n), factor });
        assert_eq!(factors(actions), expected);
        assert_eq!(factors(Vec::new()), []);
    }

    #[test]
    fn a_dividend_on_the_day_of_a_split_is_paid_on_the_new_shares() {
        let (dividend, split) = (taken(10, ActionKind::Dividend(1.0), 49.0), split(10, 1.0, 2.0));
        for actions in [vec![dividend, split], vec![split, dividend]] {
            assert_eq!(
                factors(actions),
                [AdjustmentFactor { before: day(10), factor: 0.5 * 0.98 }]
            );
        }
    }

    /// A holder of one share who reinvests every dividend gains what the adjusted closes say.
    #[test]
    fn adjusted_closes_move_as_a_holding_does() {
        let holding_before = 1.0 * 40.0;
        let holding_after = 2.0 * (1.0 + 0.5 / 19.0) * 19.0;
        let factor =
            factors(vec![split(1, 1.0, 2.0), taken(1, ActionKind::Dividend(0.5), 19.0)])[0].factor;
        let moved = 19.0 / (40.0 * factor);
        assert!((moved / (holding_after / holding_before) - 1.0).abs() < 1e-12, "{moved}");
    }

    /// Actions of different days, in order.
    fn actions(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<EffectiveAction>> {
        let of_day = (1.0f64..10.0, 1.0f64..10.0, prop::bool::ANY);
        prop::collection::btree_map(0u64..1000, of_day, count).prop_map(|days| {
            let action = |(n, (a, b, is_split))| {
                if is_split { split(n, a, b) } else { taken(n, ActionKind::Dividend(a), b) }
            };
            days.into_iter().map(action).collect()
        })
    }

    proptest! {
        #[test]
        fn factors_are_above_0_and_independent_of_the_order_of_actions(
            actions in actions(0..20).prop_shuffle()
        ) {
            let mut sorted = actions.clone();
            sorted.sort_by_key(|taken| taken.action.ex_date);
            let factors_found = factors(actions);
            prop_assert!(factors_found.iter().all(|of| of.factor > 0.0));
            prop_assert_eq!(factors_found, factors(sorted));
        }
    }

    proptest! {
        #[test]
        fn each_day_multiplies_by_its_own_factor_and_older_actions_leave_newer_factors_alone(
            actions in actions(1..20)
        ) {
            let all = factors(actions.clone());
            prop_assert_eq!(&factors(actions[1..].to_vec())[..], &all[..all.len() - 1]);
            let mut product = 1.0;
            for (of, action) in all.iter().zip(actions.iter().rev()) {
                product *= factors(vec![*action])[0].factor;
                prop_assert!((of.factor / product - 1.0).abs() < 1e-9);
            }
        }
    }
}
