//! Random histories of stocks, as text, and what their adjusted numbers are.

use num_bigint::BigUint;
use proptest::prelude::*;

use super::exact::Fraction;

/// A history of one stock. Bars and actions lie on days counted from 2020-01-01.
#[derive(Debug, Clone)]
pub struct History {
    /// Oldest first.
    pub bars: Vec<RawBar>,
    pub actions: Vec<RawAction>,
}

#[derive(Debug, Clone)]
pub struct RawBar {
    pub day: u64,
    /// Open, high, low and close as written in a file.
    pub prices: [String; 4],
    pub volume: u64,
}

#[derive(Debug, Clone)]
pub struct RawAction {
    pub day: u64,
    pub effect: Effect,
}

#[derive(Debug, Clone)]
pub enum Effect {
    Split { from: u32, to: u32 },
    SpinOff { from: u32, to: u32 },
    Dividend { amount: String, kind: &'static str },
}

/// The day as a date.
pub fn date(day: u64) -> String {
    (chrono::NaiveDate::from_ymd_opt(2020, 1, 1).unwrap() + chrono::Days::new(day)).to_string()
}

impl History {
    /// The newest day with a bar. Actions after it are only announced.
    pub fn newest(&self) -> u64 {
        self.bars.last().unwrap().day
    }

    /// The number of dividends whose ex-date has no bar, with a split before the next one.
    pub fn dividends_before_a_split_without_a_bar(&self) -> usize {
        let is_dividend = |action: &&RawAction| matches!(action.effect, Effect::Dividend { .. });
        let is_split_off = |dividend: &&RawAction| {
            let next = self.bars.iter().find(|bar| bar.day >= dividend.day);
            next.is_some_and(|bar| {
                let between = |action: &RawAction| {
                    matches!(action.effect, Effect::Split { .. } | Effect::SpinOff { .. })
                        && action.day > dividend.day
                        && action.day <= bar.day
                };
                self.actions.iter().any(between)
            })
        };
        self.actions.iter().filter(is_dividend).filter(is_split_off).count()
    }

    /// The close of a bar in the shares of an earlier day.
    fn close_before_splits(&self, bar: &RawBar, day: u64) -> Fraction {
        let mut close = bar.close();
        let between = |action: &&RawAction| action.day > day && action.day <= bar.day;
        for action in self.actions.iter().filter(between) {
            if let Effect::Split { from, to } | Effect::SpinOff { from, to } = &action.effect {
                let whole = |side: &u32| Fraction::of(&side.to_string());
                close = close.times(&whole(to)).over(&whole(from));
            }
        }
        close
    }

    /// The product of the factors of the actions from the day after `after` to `until`.
    pub fn factor(&self, after: u64, until: u64, of: Of) -> Fraction {
        let days = after + 1..=until;
        let of_day = |day: u64| self.actions.iter().filter(move |action| action.day == day);
        let mut factor = Fraction::one();
        for day in days {
            let mut paid: Option<Fraction> = None;
            for action in of_day(day) {
                let ratio = match &action.effect {
                    Effect::Split { from, to } => (from, to),
                    Effect::SpinOff { from, to } if of != Of::Shares => (from, to),
                    Effect::Dividend { amount, .. } if of == Of::All => {
                        let amount = Fraction::of(amount);
                        paid = Some(paid.map_or(amount.clone(), |paid| paid.plus(&amount)));
                        continue;
                    }
                    Effect::SpinOff { .. } | Effect::Dividend { .. } => continue,
                };
                let whole = |side: &u32| Fraction::of(&side.to_string());
                factor = factor.times(&whole(ratio.0)).over(&whole(ratio.1));
            }
            if let Some(paid) = paid {
                let bar = self.bars.iter().find(|bar| bar.day >= day).unwrap();
                let close = self.close_before_splits(bar, day);
                factor = factor.times(&close).over(&close.plus(&paid));
            }
        }
        factor
    }

    /// Open, high, low and close of a bar, adjusted.
    pub fn prices(&self, bar: &RawBar, of: Of) -> [f64; 4] {
        let factor = self.factor(bar.day, self.newest(), of);
        bar.prices.clone().map(|text| match factor.is_one() {
            true => text.parse().unwrap(),
            false => Fraction::of(&text).times(&factor).with_ten_digits(),
        })
    }

    pub fn volume(&self, bar: &RawBar) -> u64 {
        let shares = self.factor(bar.day, self.newest(), Of::Shares);
        let volume = Fraction::of(&bar.volume.to_string()).over(&shares).rounded();
        u64::try_from(volume.min(BigUint::from(i64::MAX as u64))).unwrap()
    }
}

impl RawBar {
    pub fn close(&self) -> Fraction {
        Fraction::of(&self.prices[3])
    }
}

/// The actions that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Splits, for volumes.
    Shares,
    /// Splits and spin-offs.
    Splits,
    /// Dividends too.
    All,
}

fn price(decimals: usize) -> impl Strategy<Value = String> {
    (1_000u64..1_000_000_000).prop_map(move |units| {
        format!("{:.decimals$}", units as f64 / 10f64.powi(i32::try_from(decimals).unwrap()))
    })
}

fn bar() -> impl Strategy<Value = ([String; 4], u64)> {
    let prices = (2usize..5).prop_flat_map(|decimals| prop::collection::vec(price(decimals), 4));
    (prices, 0u64..10_000_000_000).prop_map(|(mut prices, volume)| {
        prices.sort_by(|a, b| a.parse::<f64>().unwrap().total_cmp(&b.parse().unwrap()));
        let [low, open, close, high] = [0, 1, 2, 3].map(|n| prices[n].clone());
        ([open, high, low, close], volume)
    })
}

fn effect() -> impl Strategy<Value = Effect> {
    let sides = || (1u32..40, 1u32..40).prop_filter("a ratio", |(from, to)| from != to);
    prop_oneof![
        sides().prop_map(|(from, to)| Effect::Split { from, to }),
        Just(Effect::Split { from: 1, to: 20 }),
        (1001u32..1999).prop_map(|to| Effect::SpinOff { from: 1000, to }),
        price(4).prop_map(|amount| Effect::Dividend { amount, kind: "cash" }),
        price(4).prop_map(|amount| Effect::Dividend { amount, kind: "special" }),
    ]
}

/// At most one split and one spin-off a day, and one dividend of each type.
fn key(action: &RawAction) -> (u64, &'static str) {
    let kind = match action.effect {
        Effect::Split { .. } => "split",
        Effect::SpinOff { .. } => "spin_off",
        Effect::Dividend { kind, .. } => kind,
    };
    (action.day, kind)
}

/// Some 30 bars with gaps of days and weeks, and actions on any day, also after the newest bar. In
/// half of the gaps of weeks two actions follow each other.
pub fn history() -> impl Strategy<Value = History> {
    let gap = prop_oneof![4 => 1u64..4, 1 => 5u64..12];
    let bars = prop::collection::vec((gap, bar()), 2..30);
    let actions = prop::collection::vec((2u64..90, effect()), 0..9);
    let in_gaps = prop::collection::vec(prop::option::of((effect(), 1u64..4, effect())), 6);
    (bars, actions, in_gaps).prop_map(|(bars, mut actions, in_gaps)| {
        let mut day = 0;
        let mut next = |(gap, (prices, volume))| {
            day += gap;
            RawBar { day, prices, volume }
        };
        let bars: Vec<_> = bars.into_iter().map(&mut next).collect();
        let weeks = bars.windows(2).filter(|pair| pair[1].day - pair[0].day >= 5);
        for (pair, two) in weeks.zip(in_gaps) {
            if let Some((first, days, second)) = two {
                actions.push((pair[0].day + 1, first));
                actions.push((pair[0].day + 1 + days, second));
            }
        }
        let mut actions: Vec<_> =
            actions.into_iter().map(|(day, effect)| RawAction { day, effect }).collect();
        actions.sort_by_key(key);
        actions.dedup_by(|a, b| key(a) == key(b));
        History { bars, actions }
    })
}
