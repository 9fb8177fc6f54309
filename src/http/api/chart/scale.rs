//! Where values lie on an axis, and which of them are written beside it.

use chrono::{Datelike, NaiveDate};

/// Maps values to pixels, linearly.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// The values at both ends; they differ.
    pub values: (f64, f64),
    pub pixels: (f64, f64),
}

impl Scale {
    pub fn at(&self, value: f64) -> f64 {
        let share = (value - self.values.0) / (self.values.1 - self.values.0);
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }
}

/// Round numbers on an axis, and the decimals that tell them apart.
#[derive(Debug, PartialEq)]
pub struct Ticks {
    pub values: Vec<f64>,
    pub decimals: usize,
}

/// The multiples of 1, 2 or 5 times a power of ten from `from` to `to`, which is larger: about
/// `count` of them, and never more than one above it.
pub fn ticks(from: f64, to: f64, count: usize) -> Ticks {
    let least = (to - from) / count.max(1) as f64;
    let exponent = least.log10().floor() as i32;
    let digits =
        [1, 2, 5].into_iter().find(|digit| f64::from(*digit) * 10_f64.powi(exponent) >= least);
    let (digit, exponent) = digits.map_or((1, exponent + 1), |digit| (digit, exponent));
    let step = f64::from(digit) * 10_f64.powi(exponent);
    let (first, last) = ((from / step).ceil() as i64, (to / step).floor() as i64);
    Ticks {
        values: (first..=last).map(|n| n as f64 * step).collect(),
        decimals: usize::try_from(-exponent).unwrap_or(0),
    }
}

/// The distance of days that are written on an axis.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Counted from a Monday on.
    Days(i32),
    /// Counted from January on.
    Months(i32),
}

const STEPS: [Step; 14] = [
    Step::Days(1),
    Step::Days(2),
    Step::Days(7),
    Step::Days(14),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Months(12),
    Step::Months(24),
    Step::Months(60),
    Step::Months(120),
    Step::Months(240),
    Step::Months(600),
];

/// Days to write from `from` to `to`, and what to write: about `count` of them, at equal distances
/// by the calendar.
pub fn days(from: NaiveDate, to: NaiveDate, count: usize) -> Vec<(NaiveDate, String)> {
    let least_days = (to - from).num_days() as f64 / count.max(1) as f64;
    let step =
        STEPS.into_iter().find(|step| step.days() >= least_days).unwrap_or(Step::Months(1200));
    let days =
        std::iter::successors(step.from(from), |day| step.after(*day)).take_while(|day| *day <= to);
    days.map(|day| (day, step.label(day))).collect()
}

impl Step {
    fn days(self) -> f64 {
        match self {
            Self::Days(days) => f64::from(days),
            Self::Months(months) => f64::from(months) * 365.25 / 12.0,
        }
    }

    /// The first one that is not before a day.
    fn from(self, day: NaiveDate) -> Option<NaiveDate> {
        match self {
            // Day 1 of chrono's is a Monday.
            Self::Days(days) => {
                let number = day.num_days_from_ce() - 1;
                NaiveDate::from_num_days_from_ce_opt(number + (-number).rem_euclid(days) + 1)
            }
            Self::Months(months) => {
                let number = month_number(day) + i32::from(day.day() > 1);
                month(number + (-number).rem_euclid(months))
            }
        }
    }

    fn after(self, day: NaiveDate) -> Option<NaiveDate> {
        self.from(day.succ_opt()?)
    }

    fn label(self, day: NaiveDate) -> String {
        let form = match self {
            Self::Days(_) => "%b %-d",
            Self::Months(months) if months < 12 && day.month() > 1 => "%b",
            Self::Months(_) => "%Y",
        };
        day.format(form).to_string()
    }
}

/// Months since January of the year 0.
fn month_number(day: NaiveDate) -> i32 {
    day.year() * 12 + day.month0().cast_signed()
}

fn month(number: i32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(number.div_euclid(12), number.rem_euclid(12).unsigned_abs() + 1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::parse_date;
    use proptest::prelude::*;

    fn labels(from: &str, to: &str, count: usize) -> Vec<String> {
        days(parse_date(from).unwrap(), parse_date(to).unwrap(), count)
            .into_iter()
            .map(|(_, label)| label)
            .collect()
    }

    #[test]
    fn prices_are_written_at_round_numbers() {
        assert_eq!(
            ticks(371.0, 707.0, 5),
            Ticks { values: vec![400.0, 500.0, 600.0, 700.0], decimals: 0 }
        );
        assert_eq!(ticks(27.11, 27.95, 4), Ticks { values: vec![27.5], decimals: 1 });
        let Ticks { values, decimals } = ticks(0.0011, 0.0019, 4);
        let written: Vec<_> = values.iter().map(|value| format!("{value:.decimals$}")).collect();
        assert_eq!(written, ["0.0012", "0.0014", "0.0016", "0.0018"]);
    }

    #[test]
    fn days_are_written_at_equal_distances_of_the_calendar() {
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
        fn round_prices_lie_within_and_are_not_many(from in -4.0..6.0, span in -4.0..6.0, count in 1usize..20) {
            let [from, span] = [from, span].map(|power| 10_f64.powf(power));
            let Ticks { values, decimals } = ticks(from, from + span, count);
            prop_assert!(values.len() <= count + 1, "{values:?}");
            let mut written: Vec<_> = values.iter().map(|value| format!("{value:.decimals$}")).collect();
            written.dedup();
            prop_assert_eq!(written.len(), values.len());
            let slack = span * 1e-9 + from * 1e-14;
            prop_assert!(values.iter().all(|value| (from - slack..=from + span + slack).contains(value)));
        }

        #[test]
        fn days_lie_within_in_order_and_are_not_many(
            start in 0i32..3_000_000, span in prop_oneof![0i32..100, 0i32..60_000], count in 1usize..20
        ) {
            let day = |n| NaiveDate::from_num_days_from_ce_opt(n).unwrap();
            let (from, to) = (day(start + 1), day(start + 1 + span));
            let found = days(from, to, count);
            prop_assert!(found.len() <= count + 2, "{found:?}");
            prop_assert!(found.iter().all(|(day, _)| (from..=to).contains(day)));
            prop_assert!(found.is_sorted_by(|(a, _), (b, _)| a < b));
        }
    }
}
