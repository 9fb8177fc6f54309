//! Days, weeks, months and years: the periods that bars cover.

use chrono::{Datelike, Months, NaiveDate, Weekday};

use super::{Calendar, word_enum};

word_enum! {
    /// The period that one bar covers.
    #[derive(Default)]
    pub enum Interval: "1d, 1w, 1mo or 1y" {
        #[default]
        Day = "1d",
        /// From Monday to Sunday (ISO 8601).
        Week = "1w",
        Month = "1mo",
        Year = "1y",
    }
}

/// The first and the last calendar day of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub first: NaiveDate,
    pub last: NaiveDate,
}

impl Interval {
    /// The period that a day lies in.
    pub fn period(self, date: NaiveDate) -> Period {
        let (first, next) = match self {
            Self::Day => return Period { first: date, last: date },
            Self::Week => {
                let week = date.week(Weekday::Mon);
                return Period {
                    first: week.checked_first_day().unwrap_or(date),
                    last: week.checked_last_day().unwrap_or(date),
                };
            }
            Self::Month => {
                let first = date.with_day(1).unwrap_or(date);
                (first, first.checked_add_months(Months::new(1)))
            }
            Self::Year => {
                let first = date.with_ordinal(1).unwrap_or(date);
                (first, first.checked_add_months(Months::new(12)))
            }
        };
        // There is no next period only at the end of chrono's range.
        Period { first, last: next.and_then(|next| next.pred_opt()).unwrap_or(date) }
    }
}

impl Period {
    /// The last trading day in the period; `None` if it has none.
    pub fn last_trading_day(self, calendar: &Calendar) -> Option<NaiveDate> {
        calendar.last_trading_day(self.last).filter(|day| *day >= self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn periods_begin_and_end_on_calendar_boundaries() {
        for (interval, date, first, last) in [
            ("1d", "2012-02-29", "2012-02-29", "2012-02-29"),
            ("1w", "2012-01-01", "2011-12-26", "2012-01-01"),
            ("1w", "2012-01-02", "2012-01-02", "2012-01-08"),
            ("1mo", "2012-02-10", "2012-02-01", "2012-02-29"),
            ("1mo", "2012-12-31", "2012-12-01", "2012-12-31"),
            ("1y", "2012-12-31", "2012-01-01", "2012-12-31"),
        ] {
            let period = interval.parse::<Interval>().unwrap().period(day(date));
            assert_eq!(
                period,
                Period { first: day(first), last: day(last) },
                "{interval} of {date}"
            );
        }
        assert!("1m".parse::<Interval>().is_err());
    }

    #[test]
    fn the_last_trading_day_of_a_period_is_no_holiday() {
        // Good Friday 2013 was the last weekday of March.
        assert_eq!(
            Interval::Month.period(day("2013-03-05")).last_trading_day(Calendar::US),
            Some(day("2013-03-28"))
        );
        assert_eq!(
            Interval::Week.period(day("2013-03-29")).last_trading_day(Calendar::US),
            Some(day("2013-03-28"))
        );
        assert_eq!(Interval::Day.period(day("2013-03-29")).last_trading_day(Calendar::US), None);
    }

    proptest! {
        #[test]
        fn a_day_lies_in_its_period_and_periods_leave_no_gap(
            days in 0i32..3_652_059, interval in prop::sample::select(Interval::ALL.to_vec())
        ) {
            let date = NaiveDate::from_num_days_from_ce_opt(days - 365).unwrap();
            let period = interval.period(date);
            prop_assert!(period.first <= date && date <= period.last);
            prop_assert_eq!(interval.period(period.first), period);
            let after = period.last.succ_opt().unwrap();
            prop_assert_eq!(interval.period(after).first, after);
        }
    }
}
