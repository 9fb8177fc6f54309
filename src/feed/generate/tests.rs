use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::market::ActionKind;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date in the test")
}

fn plan(stocks: u32, from: &str, to: &str, seed: u64) -> Plan {
    Plan { stocks, from: date(from), to: date(to), seed }
}

fn histories(plan: Plan) -> Vec<History> {
    plan.histories().expect("a valid plan").collect()
}

/// Enough years and stocks for dividends and splits of all kinds.
fn long_history(seed: u64) -> Vec<History> {
    histories(plan(8, "2000-01-01", "2024-12-31", seed))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_bar_is_positive_with_low_and_high_around_open_and_close(seed: u64) {
        for history in long_history(seed) {
            for bar in &history.bars {
                prop_assert!(0.0 < bar.low, "seed {seed}: {bar:?}");
                prop_assert!(bar.low <= bar.open.min(bar.close), "seed {seed}: {bar:?}");
                prop_assert!(bar.open.max(bar.close) <= bar.high, "seed {seed}: {bar:?}");
                prop_assert!(bar.high.is_finite() && bar.volume > 0, "seed {seed}: {bar:?}");
            }
        }
    }

    #[test]
    fn bars_fall_on_each_trading_day_from_the_listing_to_the_end(seed: u64) {
        for History { bars, .. } in long_history(seed) {
            let days: Vec<_> = bars.iter().map(|bar| bar.date).collect();
            let expected: Vec<_> = Calendar::US.trading_days(days[0], date("2024-12-31")).collect();
            prop_assert_eq!(days, expected, "seed {}", seed);
        }
    }

    #[test]
    fn adjustment_is_constant_between_actions_and_one_on_the_last_day(seed: u64) {
        for History { stock, bars, actions } in long_history(seed) {
            let last = bars.last().expect("a bar");
            prop_assert!((last.adjusted_close / last.close - 1.0).abs() < 1e-8);
            let mut found = 0;
            for pair in bars.windows(2) {
                let action = actions.iter().find(|action| action.ex_date == pair[1].date);
                let factor = action.map_or(1.0, |action| {
                    found += 1;
                    action.kind.factor(pair[1].close)
                });
                let [before, after] =
                    [&pair[0], &pair[1]].map(|bar| bar.adjusted_close / bar.close);
                prop_assert!(
                    (before / after / factor - 1.0).abs() < 1e-8,
                    "seed {seed}, {} on {}: {before} / {after} isn't {factor}",
                    stock.symbol,
                    pair[1].date
                );
            }
            prop_assert_eq!(found, actions.len(), "seed {}: an action off the bars", seed);
        }
    }

    #[test]
    fn adjusted_returns_are_plausible_even_over_actions(seed: u64) {
        for History { bars, .. } in long_history(seed) {
            for pair in bars.windows(2) {
                let change = pair[1].adjusted_close / pair[0].adjusted_close - 1.0;
                prop_assert!(change.abs() < 0.21, "seed {seed}: {change} on {}", pair[1].date);
            }
        }
    }

    #[test]
    fn prices_are_whole_cents_or_four_decimals_below_a_dollar(
        dollars in prop_oneof![0.0001..2.0_f64, 2.0..2000.0]
    ) {
        let rounded = walk::round_price(dollars);
        let text = format!("{rounded}");
        let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        prop_assert!(decimals <= if rounded < 1.0 { 4 } else { 2 }, "{rounded}");
        let half_tick = if dollars < 1.0 { 0.000_05 } else { 0.005 };
        prop_assert!((rounded - dollars).abs() < half_tick + 1e-9, "{dollars} became {rounded}");
    }

    #[test]
    fn a_history_depends_on_seed_and_index_only(seed: u64, stocks in 1..30_u32) {
        let few = histories(plan(stocks, "2020-01-01", "2020-06-30", seed));
        let many = histories(plan(30, "2020-01-01", "2020-06-30", seed));
        prop_assert_eq!(&few[..], &many[..few.len()], "seed {}", seed);
        let other = histories(plan(stocks, "2020-01-01", "2020-06-30", seed ^ 1));
        prop_assert_ne!(few, other, "seed {}", seed);
    }
}

/// A failure means that the sets of an earlier version can no longer be generated.
#[test]
fn seed_one_always_gives_the_same_numbers() {
    let history = &histories(plan(2, "2000-01-01", "2024-12-31", 1))[1];
    let bar = history.bars[0];
    let numbers = (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.adjusted_close);
    assert_eq!(numbers, (48.6, 49.34, 46.82, 47.25, 955_000, 13.937_411_15));
    assert_eq!(
        history.actions[0],
        Action { ex_date: date("2000-02-18"), kind: ActionKind::Dividend(0.6058) }
    );
    let last = history.bars.last().expect("a bar");
    assert_eq!((last.date, last.close, last.volume), (date("2024-12-31"), 88.67, 275_200));
}

/// The example of Yahoo Finance Help, "What is the adjusted close?".
#[test]
fn adjustment_agrees_with_the_published_example() {
    let closes = [
        ("2003-02-13", 46.99),
        ("2003-02-14", 48.30),
        ("2003-02-18", 24.96),
        ("2003-02-19", 24.53),
    ];
    let mut bars = closes.map(|(day, close)| Bar {
        date: date(day),
        open: close,
        high: close,
        low: close,
        close,
        volume: 100,
        adjusted_close: 0.0,
        vwap: None,
        trades: None,
    });
    let actions = [
        Action { ex_date: date("2003-02-18"), kind: ActionKind::Split { from: 1.0, to: 2.0 } },
        Action { ex_date: date("2003-02-19"), kind: ActionKind::Dividend(0.08) },
    ];
    adjust(&mut bars, &actions);
    let adjusted = bars.map(|bar| (bar.adjusted_close * 100.0).round() / 100.0);
    assert_eq!(adjusted, [23.42, 24.07, 24.88, 24.53]);
}

#[test]
fn long_histories_have_dividends_and_splits_both_ways_and_late_listings() {
    let histories = histories(plan(200, "2000-01-01", "2024-12-31", 1));
    let has = |wanted: fn(&ActionKind) -> bool| {
        histories
            .iter()
            .filter(|history| history.actions.iter().any(|action| wanted(&action.kind)))
            .count()
    };
    assert!((80..120).contains(&has(|event| matches!(event, ActionKind::Dividend(_)))));
    assert!(has(|event| matches!(event, ActionKind::Split { from: 1.0, to: 2.0 })) > 10);
    assert!(has(|event| matches!(event, ActionKind::Split { from: 1.0, to: 3.0 })) > 10);
    assert!(has(|event| matches!(event, ActionKind::Split { from: 10.0, to: 1.0 })) > 2);
    let late = histories.iter().filter(|history| history.bars[0].date > date("2000-01-03")).count();
    assert!((30..70).contains(&late), "{late} of 200 list late");
}

#[test]
fn symbols_are_distinct_and_differ_from_the_five_of_the_seed_data() {
    let mut seen = HashSet::new();
    for index in 0..500_000 {
        let symbol = stock::symbol(index);
        assert!(
            (4..=5).contains(&symbol.len())
                && symbol.bytes().all(|letter| letter.is_ascii_uppercase())
        );
        assert!(!["AAPL", "FB", "GOOG", "IBM", "MSFT"].contains(&symbol.as_str()), "{index}");
        assert!(seen.insert(symbol), "{index}");
    }
    assert_eq!(stock::symbol(0), "AAAA");
    assert_eq!(stock::symbol(1), "AAAB");
    assert_eq!(stock::symbol(MAX_STOCKS - 1), "ZZZZZ");
}

#[test]
fn an_invalid_plan_is_rejected_with_a_reason() {
    let error = |plan: Plan| plan.histories().err().expect("an error");
    assert_eq!(error(plan(0, "2024-01-01", "2024-02-01", 1)), PlanError::NoStocks);
    let too_many = MAX_STOCKS + 1;
    assert_eq!(
        error(plan(too_many, "2024-01-01", "2024-02-01", 1)),
        PlanError::TooManyStocks(too_many)
    );
    for (from, to, message) in [
        (
            "2024-02-01",
            "2024-01-01",
            "the first day 2024-02-01 is after the last day 2024-01-01: swap them",
        ),
        (
            "2024-06-01",
            "2024-06-02",
            "the exchanges are closed from 2024-06-01 to 2024-06-02: choose a longer range",
        ),
        (
            "1997-12-31",
            "2024-06-02",
            "1997-12-31 to 2024-06-02 reaches beyond the known trading calendar: choose days from \
             1998-01-01 to 2099-12-31",
        ),
    ] {
        assert_eq!(error(plan(1, from, to, 1)).to_string(), message);
    }
}

#[test]
fn one_trading_day_is_enough_for_every_seed() {
    for seed in 0..100 {
        let histories = histories(plan(3, "2024-01-02", "2024-01-02", seed));
        assert!(histories.iter().all(|history| history.bars.len() == 1), "seed {seed}");
    }
}

#[test]
fn normal_draws_have_mean_zero_and_variance_one() {
    let mut random = Random::new(1, 0);
    let draws: Vec<f64> = (0..100_000).map(|_| random.normal()).collect();
    let mean = draws.iter().sum::<f64>() / 1e5;
    let variance = draws.iter().map(|draw| draw * draw).sum::<f64>() / 1e5 - mean * mean;
    // Four standard errors: 1/√100000 of the mean, 1.3/√100000 of the variance.
    assert!(mean.abs() < 0.013 && (variance - 1.0).abs() < 0.017, "seed 1: {mean} {variance}");
}
