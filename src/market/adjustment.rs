//! The factors by which prices and volumes of the past are adjusted, from corporate actions.
//!
//! Each action multiplies all prices before its ex-date by its factor, so that adjusted closes move
//! by the total return. The newest close stays as traded.

use std::cmp::Reverse;

use chrono::NaiveDate;

use super::{ActionType, Ratio};

/// An action that has taken effect: its stock has a bar on or after the ex-date. An action that is
/// only announced has no effect yet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EffectiveAction {
    pub ex_date: NaiveDate,
    pub effect: Effect,
}

/// What an action does to earlier prices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effect {
    /// `from` shares became `to`, and volumes are counted in the new shares.
    Split { from: f64, to: f64 },
    /// The price fell as in a split from `from` to `to`. The shares are the same.
    SpinOff { from: f64, to: f64 },
    /// Cash per share, and the raw close of the first bar from the ex-date on.
    Dividend { amount: f64, close: f64, bar_date: NaiveDate },
}

/// The factors of the days before `before`, back to the `before` of the next older ones. From the
/// newest `before` on, prices and volumes stay as traded.
#[derive(Debug, Clone, PartialEq)]
pub struct AdjustmentFactor {
    pub before: NaiveDate,
    /// Prices adjusted for splits and spin-offs are multiplied by it.
    pub splits: Ratio,
    /// Volumes are divided by it.
    pub shares: Ratio,
    /// Prices adjusted for dividends too are multiplied by it.
    pub all: Ratio,
}

impl Effect {
    /// # Errors
    /// If the values are not those of the type. The error says so.
    ///
    /// `dividend` is its amount, and the close and the date of the bar.
    pub fn of(
        kind: ActionType,
        split: Option<(f64, f64)>,
        dividend: Option<(f64, f64, NaiveDate)>,
    ) -> Result<Self, &'static str> {
        match (kind, split, dividend) {
            (ActionType::Split, Some((from, to)), None) => Ok(Self::Split { from, to }),
            (ActionType::SpinOff, Some((from, to)), None) => Ok(Self::SpinOff { from, to }),
            (ActionType::Split | ActionType::SpinOff, ..) => Err("a split has no ratio"),
            (_, None, Some((amount, close, bar_date))) => {
                Ok(Self::Dividend { amount, close, bar_date })
            }
            _ => Err("a dividend has no amount"),
        }
    }
}

/// The factors of a stock, newest first, from its actions in any order.
///
/// The factor of a split is `from / to`. Of the dividends of a day it is `c / (c + d)`, with their
/// sum `d`: they buy shares at `c`, the first raw close from the ex-date on. On a day with both,
/// the dividends are paid on the shares after the split. If there is a split between the ex-date
/// and the bar of `c`, the close is converted to the shares of the ex-date.
///
/// Source: the total return of the Center for Research in Security Prices (CRSP US Stock & Indexes
/// Databases, Data Descriptions Guide), `(p(t) f(t) + d(t)) / p(t') - 1`.
pub fn factors(mut actions: Vec<EffectiveAction>) -> Vec<AdjustmentFactor> {
    actions.sort_by_key(|action| Reverse(action.ex_date));
    let one = Ratio::one();
    let (mut splits, mut shares, mut all) = (one.clone(), one.clone(), one);
    let mut newer: Vec<EffectiveAction> = Vec::new();
    let of_day = |of_day: &[EffectiveAction]| {
        for action in of_day {
            match action.effect {
                Effect::Split { from, to } => {
                    let ratio = Ratio::of(from, to);
                    splits = splits.times(&ratio);
                    shares = shares.times(&ratio);
                    all = all.times(&ratio);
                }
                Effect::SpinOff { from, to } => {
                    let ratio = Ratio::of(from, to);
                    splits = splits.times(&ratio);
                    all = all.times(&ratio);
                }
                Effect::Dividend { .. } => {}
            }
        }
        if let Some(ratio) = dividends(of_day, &newer) {
            all = all.times(&ratio);
        }
        newer.extend(of_day);
        AdjustmentFactor {
            before: of_day[0].ex_date,
            splits: splits.clone(),
            shares: shares.clone(),
            all: all.clone(),
        }
    };
    actions.chunk_by(|a, b| a.ex_date == b.ex_date).map(of_day).collect()
}

/// The factor of the dividends of one day; `None` if it has none. All have the same bar. `newer`
/// are the actions of later days.
fn dividends(of_day: &[EffectiveAction], newer: &[EffectiveAction]) -> Option<Ratio> {
    let dividend = |action: &EffectiveAction| match action.effect {
        Effect::Dividend { amount, close, bar_date } => Some((amount, close, bar_date)),
        Effect::Split { .. } | Effect::SpinOff { .. } => None,
    };
    let (_, close, bar_date) = of_day.iter().find_map(dividend)?;
    let amounts = of_day.iter().filter_map(dividend).map(|(amount, ..)| amount);
    let until_bar = newer.iter().filter(|action| action.ex_date <= bar_date);
    let splits = until_bar.fold(Ratio::one(), |ratio, action| match action.effect {
        Effect::Split { from, to } | Effect::SpinOff { from, to } => {
            ratio.times(&Ratio::of(from, to))
        }
        Effect::Dividend { .. } => ratio,
    });
    Some(Ratio::of_dividends(close, amounts, &splits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(n: u64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2020, 1, 1).unwrap() + chrono::Days::new(n)
    }

    fn split(n: u64, from: f64, to: f64) -> EffectiveAction {
        EffectiveAction { ex_date: day(n), effect: Effect::Split { from, to } }
    }

    fn spin_off(n: u64, from: f64, to: f64) -> EffectiveAction {
        EffectiveAction { ex_date: day(n), effect: Effect::SpinOff { from, to } }
    }

    fn dividend(n: u64, amount: f64, close: f64) -> EffectiveAction {
        dividend_until(n, amount, close, n)
    }

    /// A dividend whose first bar from its ex-date on is that of the day `bar`.
    fn dividend_until(n: u64, amount: f64, close: f64, bar: u64) -> EffectiveAction {
        let effect = Effect::Dividend { amount, close, bar_date: day(bar) };
        EffectiveAction { ex_date: day(n), effect }
    }

    /// The adjusted closes of 100 before each ex-date, newest first.
    fn hundreds(actions: Vec<EffectiveAction>) -> Vec<(NaiveDate, f64)> {
        factors(actions).iter().map(|of| (of.before, of.all.of_price(100.0))).collect()
    }

    #[test]
    fn an_effect_has_the_values_of_its_type_or_is_an_error() {
        let (ratio, cash) = (Some((1.0, 4.0)), Some((0.5, 80.0, day(3))));
        let split = Effect::Split { from: 1.0, to: 4.0 };
        let spin_off = Effect::SpinOff { from: 1.0, to: 4.0 };
        let dividend = Effect::Dividend { amount: 0.5, close: 80.0, bar_date: day(3) };
        assert_eq!(Effect::of(ActionType::Split, ratio, None), Ok(split));
        assert_eq!(Effect::of(ActionType::SpinOff, ratio, None), Ok(spin_off));
        assert_eq!(Effect::of(ActionType::Special, None, cash), Ok(dividend));
        for kind in [ActionType::Split, ActionType::SpinOff] {
            assert_eq!(Effect::of(kind, None, cash), Err("a split has no ratio"));
        }
        for ratio in [ratio, None] {
            let error = Effect::of(ActionType::Cash, ratio, None);
            assert_eq!(error, Err("a dividend has no amount"));
        }
    }

    #[test]
    fn each_action_multiplies_all_closes_before_its_ex_date() {
        let actions = vec![split(10, 1.0, 2.0), dividend(20, 1.0, 49.0), split(30, 10.0, 1.0)];
        assert_eq!(hundreds(actions), [(day(30), 1000.0), (day(20), 980.0), (day(10), 490.0)]);
        assert_eq!(factors(Vec::new()), []);
    }

    #[test]
    fn a_dividend_on_the_day_of_a_split_is_paid_on_the_new_shares() {
        let (dividend, split) = (dividend(10, 1.0, 49.0), split(10, 1.0, 2.0));
        for actions in [vec![dividend, split], vec![split, dividend]] {
            assert_eq!(hundreds(actions), [(day(10), 49.0)]);
        }
    }

    #[test]
    fn a_split_between_an_ex_date_and_the_next_bar_converts_the_close_of_the_dividend() {
        // 100 before; a dividend of 4 without a bar; then four for one, and a close of 25.
        let forward = vec![dividend_until(10, 4.0, 25.0, 12), split(11, 1.0, 4.0)];
        assert_eq!(hundreds(forward), [(day(11), 25.0), (day(10), 24.038_461_54)]);
        // 10 before; a dividend of 1; then one for ten, and a close of 90.
        let reverse = factors(vec![dividend_until(10, 1.0, 90.0, 12), split(12, 10.0, 1.0)]);
        assert_eq!(reverse[1].all.of_price(10.0), 90.0);
        // A split after the bar is no matter of the dividend.
        let later = vec![dividend_until(10, 4.0, 96.0, 12), split(13, 1.0, 4.0)];
        assert_eq!(hundreds(later), [(day(13), 25.0), (day(10), 24.0)]);
    }

    #[test]
    fn dividends_of_one_day_count_as_their_sum() {
        let actions = vec![dividend(10, 0.15, 12.4), dividend(10, 0.65, 12.4)];
        assert_eq!(factors(actions)[0].all.of_price(13.2), 12.4);
    }

    #[test]
    fn a_spin_off_adjusts_prices_and_no_volume() {
        let of = &factors(vec![spin_off(10, 1000.0, 1253.0), split(10, 1.0, 2.0)])[0];
        assert_eq!(of.splits.of_price(175.0), 69.832_402_23);
        assert_eq!(of.all.of_price(175.0), 69.832_402_23);
        assert_eq!(of.shares.of_shares(10_000), 20_000);
    }

    /// A holder of one share who reinvests every dividend gains what the adjusted closes say.
    #[test]
    fn adjusted_closes_move_as_a_holding_does() {
        let holding_before = 1.0 * 40.0;
        let holding_after = 2.0 * (1.0 + 0.5 / 19.0) * 19.0;
        let all = &factors(vec![split(1, 1.0, 2.0), dividend(1, 0.5, 19.0)])[0].all;
        let moved = 19.0 / all.of_price(40.0);
        assert!((moved / (holding_after / holding_before) - 1.0).abs() < 1e-9, "{moved}");
    }

    /// Actions of different days, in order.
    fn actions(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<EffectiveAction>> {
        let of_day = (1.0f64..10.0, 1.0f64..10.0, 0..3u8);
        prop::collection::btree_map(0u64..1000, of_day, count).prop_map(|days| {
            let action = |(n, (a, b, kind))| match kind {
                0 => split(n, a, b),
                1 => spin_off(n, a, b),
                _ => dividend(n, a, b),
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
            sorted.sort_by_key(|action| action.ex_date);
            let factors_found = factors(actions);
            prop_assert!(factors_found.iter().all(|of| of.all.approximate() > 0.0));
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
                product *= factors(vec![*action])[0].all.approximate();
                prop_assert!((of.all.approximate() / product - 1.0).abs() < 1e-9);
            }
        }
    }
}
