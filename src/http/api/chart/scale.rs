//! Axes: the mapping of values to pixels, and the values that get a label.

use chrono::{Datelike, NaiveDate};

/// A linear mapping of values to pixels.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// The values at both ends, which must differ.
    pub values: (f64, f64),
    pub pixels: (f64, f64),
}

impl Scale {
    pub fn at(&self, value: f64) -> f64 {
        let share = (value - self.values.0) / (self.values.1 - self.values.0);
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }
}

/// Round numbers on an axis, and the number of decimals that their labels need.
#[derive(Debug, PartialEq)]
pub struct Ticks {
    pub values: Vec<f64>,
    pub decimals: usize,
}

/// The multiples of a step in `from..=to`. The step is 1, 2 or 5 times a power of ten, chosen so
/// that there are about `count` ticks and at most `count + 1`. Requires `from < to`.
pub fn price_ticks(from: f64, to: f64, count: usize) -> Ticks {
    let step_min = (to - from) / count.max(1) as f64;
    let exponent = step_min.log10().floor() as i32;
    let digit =
        [1, 2, 5].into_iter().find(|digit| f64::from(*digit) * 10_f64.powi(exponent) >= step_min);
    let (digit, exponent) = digit.map_or((1, exponent + 1), |digit| (digit, exponent));
    let step = f64::from(digit) * 10_f64.powi(exponent);
    let (first, last) = ((from / step).ceil() as i64, (to / step).floor() as i64);
    Ticks {
        values: (first..=last).map(|n| n as f64 * step).collect(),
        decimals: usize::try_from(-exponent).unwrap_or(0),
    }
}

/// The distance between labelled dates.
#[derive(Debug, Clone, Copy)]
enum DateStep {
    /// Multiples count from a Monday.
    Days(i32),
    /// Multiples count from January of year 0.
    Months(i32),
}

const DATE_STEPS: [DateStep; 14] = [
    DateStep::Days(1),
    DateStep::Days(2),
    DateStep::Days(7),
    DateStep::Days(14),
    DateStep::Months(1),
    DateStep::Months(2),
    DateStep::Months(3),
    DateStep::Months(6),
    DateStep::Months(12),
    DateStep::Months(24),
    DateStep::Months(60),
    DateStep::Months(120),
    DateStep::Months(240),
    DateStep::Months(600),
];
/// For ranges that are too long for all [`DATE_STEPS`].
const LONGEST_STEP: DateStep = DateStep::Months(1200);

/// About `count` dates in `from..=to` with their labels, at equal calendar distances.
pub fn date_ticks(from: NaiveDate, to: NaiveDate, count: usize) -> Vec<(NaiveDate, String)> {
    let days_min = (to - from).num_days() as f64 / count.max(1) as f64;
    let step = DATE_STEPS.into_iter().find(|step| step.days() >= days_min).unwrap_or(LONGEST_STEP);
    let dates = std::iter::successors(step.first_from(from), |date| step.first_after(*date))
        .take_while(|date| *date <= to);
    dates.map(|date| (date, step.label(date))).collect()
}

impl DateStep {
    fn days(self) -> f64 {
        match self {
            Self::Days(days) => f64::from(days),
            Self::Months(months) => f64::from(months) * 365.25 / 12.0,
        }
    }

    /// The first multiple on or after `date`.
    fn first_from(self, date: NaiveDate) -> Option<NaiveDate> {
        match self {
            // Day 1 of the Common Era is a Monday.
            Self::Days(days) => {
                let number = date.num_days_from_ce() - 1;
                NaiveDate::from_num_days_from_ce_opt(number + (-number).rem_euclid(days) + 1)
            }
            Self::Months(months) => {
                let number = month_number(date) + i32::from(date.day() > 1);
                month_start(number + (-number).rem_euclid(months))
            }
        }
    }

    fn first_after(self, date: NaiveDate) -> Option<NaiveDate> {
        self.first_from(date.succ_opt()?)
    }

    fn label(self, date: NaiveDate) -> String {
        let format = match self {
            Self::Days(_) => "%b %-d",
            Self::Months(months) if months < 12 && date.month() > 1 => "%b",
            Self::Months(_) => "%Y",
        };
        date.format(format).to_string()
    }
}

/// Months since January of year 0.
fn month_number(date: NaiveDate) -> i32 {
    date.year() * 12 + date.month0().cast_signed()
}

/// The first day of a month, by its [`month_number`].
fn month_start(number: i32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(number.div_euclid(12), number.rem_euclid(12).unsigned_abs() + 1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::parse_date;
    use proptest::prelude::*;

    fn labels(from: &str, to: &str, count: usize) -> Vec<String> {
        date_ticks(parse_date(from).unwrap(), parse_date(to).unwrap(), count)
            .into_iter()
            .map(|(_, label)| label)
            .collect()
    }

    #[test]
    fn price_ticks_are_round_numbers() {
        assert_eq!(
            price_ticks(371.0, 707.0, 5),
            Ticks { values: vec![400.0, 500.0, 600.0, 700.0], decimals: 0 }
        );
        assert_eq!(price_ticks(27.11, 27.95, 4), Ticks { values: vec![27.5], decimals: 1 });
        let Ticks { values, decimals } = price_ticks(0.0011, 0.0019, 4);
        let written: Vec<_> = values.iter().map(|value| format!("{value:.decimals$}")).collect();
        assert_eq!(written, ["0.0012", "0.0014", "0.0016", "0.0018"]);
    }

    #[test]
    fn date_ticks_have_equal_calendar_distances() {
        assert_eq!(
            labels("2013-02-25", "2013-03-01", 8),
            ["Feb 25", "Feb 26", "Feb 27", "Feb 28", "Mar 1"]
        );
        assert_eq!(labels("2013-02-01", "2013-03-01", 5), ["Feb 4", "Feb 11", "Feb 18", "Feb 25"]);
        assert_eq!(
            labels("2012-03-01", "2013-03-01", 6),
            ["Mar", "May", "Jul", "Sep", "Nov", "2013", "Mar"]
        );
        assert_eq!(labels("2000-01-03", "2013-03-01", 6), ["2005", "2010"]);
        assert_eq!(labels("2013-03-01", "2013-03-01", 6), ["Mar 1"]);
    }

    proptest! {
        #[test]
        fn price_ticks_are_within_the_range_and_bounded_in_number(
            from in -4.0..6.0,
            span in -4.0..6.0,
            count in 1usize..20,
        ) {
            let [from, span] = [from, span].map(|power| 10_f64.powf(power));
            let Ticks { values, decimals } = price_ticks(from, from + span, count);
            prop_assert!(values.len() <= count + 1, "{values:?}");
            let mut labels: Vec<_> =
                values.iter().map(|value| format!("{value:.decimals$}")).collect();
            labels.dedup();
            prop_assert_eq!(labels.len(), values.len());
            let slack = span * 1e-9 + from * 1e-14;
            let range = from - slack..=from + span + slack;
            prop_assert!(values.iter().all(|value| range.contains(value)));
        }

        #[test]
        fn date_ticks_are_within_the_range_in_order_and_bounded_in_number(
            start in 0i32..3_000_000,
            span in prop_oneof![0i32..100, 0i32..60_000],
            count in 1usize..20,
        ) {
            let date = |n| NaiveDate::from_num_days_from_ce_opt(n).unwrap();
            let (from, to) = (date(start + 1), date(start + 1 + span));
            let ticks = date_ticks(from, to, count);
            prop_assert!(ticks.len() <= count + 2, "{ticks:?}");
            prop_assert!(ticks.iter().all(|(date, _)| (from..=to).contains(date)));
            prop_assert!(ticks.is_sorted_by(|(a, _), (b, _)| a < b));
        }
    }
}
