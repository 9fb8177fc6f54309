//! Calendar dates as the API writes them, and ranges of them.

use chrono::{Datelike, NaiveDate};

use super::{Interval, word_enum};

/// Parses `YYYY-MM-DD` and no other form: chrono alone would also accept `2013-2-3` or
/// `+2013-02-03`.
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes
            .iter()
            .enumerate()
            .all(|(at, b)| if at == 4 || at == 7 { *b == b'-' } else { b.is_ascii_digit() });
    if !shaped {
        return None;
    }
    NaiveDate::from_ymd_opt(
        text[0..4].parse().ok()?,
        text[5..7].parse().ok()?,
        text[8..10].parse().ok()?,
    )
}

/// A date in the form that [`parse_date`] accepts. Answers are full of dates, and chrono's own
/// formatting takes four times as long.
#[derive(Clone, Copy)]
pub struct DateText([u8; 10]);

impl DateText {
    /// `None` for a year before 0 or after 9999, which [`parse_date`] rejects.
    pub fn of(date: NaiveDate) -> Option<Self> {
        let year = u32::try_from(date.year()).ok().filter(|year| *year <= 9999)?;
        let digit = |number: u32, place: u32| b'0' + (number / place % 10) as u8;
        let (month, day) = (date.month(), date.day());
        let [y1, y2, y3, y4] = [1000, 100, 10, 1].map(|place| digit(year, place));
        let [[m1, m2], [d1, d2]] =
            [month, day].map(|number| [10, 1].map(|place| digit(number, place)));
        Some(Self([y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2]))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits and dashes are ASCII")
    }
}

word_enum! {
    /// The order of days.
    #[derive(Default)]
    pub enum Order: "desc (newest first) or asc" {
        /// Newest first.
        #[default]
        Desc = "desc",
        /// Oldest first.
        Asc = "asc",
    }
}

/// The days from `start` to `end`, both included. Without an `end` the range is open, so every new
/// day joins it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateRange {
    start: NaiveDate,
    end: Option<NaiveDate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("start ({start}) is after end ({end})")]
pub struct DateRangeError {
    pub start: NaiveDate,
    pub end: NaiveDate,
}

impl DateRange {
    pub fn new(start: NaiveDate, end: Option<NaiveDate>) -> Result<Self, DateRangeError> {
        match end {
            Some(end) if end < start => Err(DateRangeError { start, end }),
            _ => Ok(Self { start, end }),
        }
    }

    /// The range of one day.
    pub fn day(date: NaiveDate) -> Self {
        Self { start: date, end: Some(date) }
    }

    pub fn start(&self) -> NaiveDate {
        self.start
    }

    pub fn end(&self) -> Option<NaiveDate> {
        self.end
    }

    pub fn contains(&self, date: NaiveDate) -> bool {
        self.start <= date && self.end.is_none_or(|end| date <= end)
    }

    /// The range, extended to whole periods at both ends.
    pub fn whole(&self, interval: Interval) -> Self {
        Self {
            start: interval.period(self.start).first,
            end: self.end.map(|end| interval.period(end).last),
        }
    }

    /// The part of the range that follows `date` in this order; `None` if none does.
    pub fn after(&self, date: NaiveDate, order: Order) -> Option<Self> {
        let rest = match order {
            Order::Desc => {
                let before = date.pred_opt()?;
                Self { end: Some(self.end.map_or(before, |end| end.min(before))), ..*self }
            }
            Order::Asc => Self { start: self.start.max(date.succ_opt()?), ..*self },
        };
        rest.end.is_none_or(|end| rest.start <= end).then_some(rest)
    }

    /// Whether the range ends before `today`, so that no trading can add a bar to it.
    pub fn is_closed(&self, today: NaiveDate) -> bool {
        self.end.is_some_and(|end| end < today)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> NaiveDate {
        parse_date(text).unwrap()
    }

    #[test]
    fn only_existing_days_in_the_one_form_are_parsed() {
        assert_eq!(parse_date("2012-02-29"), NaiveDate::from_ymd_opt(2012, 2, 29));
        for text in [
            "2013-02-30",
            "2013-02-29",
            "2013-2-3",
            "20130203",
            "2013-02-03T00",
            "2013/02/03",
            "ten",
            "",
            "2013-02-0٣",
        ] {
            assert_eq!(parse_date(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_range_that_ends_before_it_starts_is_refused() {
        let error = DateRange::new(day("2013-01-02"), Some(day("2013-01-01"))).unwrap_err();
        assert_eq!(error.to_string(), "start (2013-01-02) is after end (2013-01-01)");
    }

    #[test]
    fn a_range_contains_both_of_its_ends() {
        let range = DateRange::new(day("2013-01-10"), Some(day("2013-01-31"))).unwrap();
        assert_eq!((range.start(), range.end()), (day("2013-01-10"), Some(day("2013-01-31"))));
        for (date, is_inside) in [
            ("2013-01-09", false),
            ("2013-01-10", true),
            ("2013-01-31", true),
            ("2013-02-01", false),
        ] {
            assert_eq!(range.contains(day(date)), is_inside, "{date}");
        }
        let open = DateRange::new(day("2013-01-10"), None).unwrap();
        assert_eq!(open.end(), None);
        assert!(open.contains(day("2099-01-01")) && !open.contains(day("2013-01-09")));
    }

    #[test]
    fn a_range_is_closed_only_once_its_last_day_is_over() {
        let range = DateRange::new(day("2013-01-01"), Some(day("2013-01-31"))).unwrap();
        assert!(!range.is_closed(day("2013-01-31")));
        assert!(range.is_closed(day("2013-02-01")));
        assert!(!DateRange::new(day("2013-01-01"), None).unwrap().is_closed(day("2099-01-01")));
    }

    #[test]
    fn the_rest_after_a_day_depends_on_the_order() {
        let range = DateRange::new(day("2013-01-10"), Some(day("2013-01-31"))).unwrap();
        let of = |date: &str, order| {
            range.after(day(date), order).map(|rest| (rest.start, rest.end.unwrap()))
        };
        assert_eq!(of("2013-01-20", Order::Desc), Some((day("2013-01-10"), day("2013-01-19"))));
        assert_eq!(of("2013-01-20", Order::Asc), Some((day("2013-01-21"), day("2013-01-31"))));
        assert_eq!((of("2013-01-10", Order::Desc), of("2013-01-31", Order::Asc)), (None, None));
        let month = range.whole(Interval::Month);
        assert_eq!((month.start, month.end), (day("2013-01-01"), Some(day("2013-01-31"))));
    }

    proptest! {
        #[test]
        fn a_date_is_written_in_the_form_that_is_parsed(days in 0u64..3_652_059) {
            let date = NaiveDate::from_ymd_opt(0, 1, 1).unwrap() + chrono::Days::new(days);
            let text = DateText::of(date).unwrap();
            prop_assert_eq!(text.as_str(), date.to_string());
            prop_assert_eq!(parse_date(text.as_str()), Some(date));
        }

        #[test]
        fn every_day_is_parsed_back_from_its_text(days in 0i32..3_000_000) {
            let date = NaiveDate::from_num_days_from_ce_opt(days + 366).unwrap();
            prop_assert_eq!(parse_date(&date.to_string()), Some(date));
        }

        #[test]
        fn parsing_any_text_does_not_panic(text in ".{0,12}") {
            let _ = parse_date(&text);
        }
    }

    proptest! {
        #[test]
        fn pages_together_hold_the_whole_range_in_either_order(
            days in prop::collection::btree_set(0u64..400, 0..60),
            size in 1usize..20,
            start in 0u64..400,
            length in prop::option::of(0u64..400),
            order in prop::sample::select(Order::ALL.to_vec())
        ) {
            let day = |n: u64| day("2012-01-01") + chrono::Days::new(n);
            let end = length.map(|length| day(start + length));
            let range = DateRange::new(day(start), end).unwrap();
            let page = |of: DateRange| {
                let days = days.iter().map(|n| day(*n));
                let mut found: Vec<_> = days.filter(|date| of.contains(*date)).collect();
                if order == Order::Desc {
                    found.reverse();
                }
                found
            };
            let mut rest = Some(range);
            let mut pages = Vec::new();
            while let Some(found) = rest.map(page).filter(|found| !found.is_empty()) {
                let found = &found[..found.len().min(size)];
                pages.extend_from_slice(found);
                prop_assert!(pages.len() <= days.len(), "pages repeat days");
                rest = rest.and_then(|rest| rest.after(*found.last()?, order));
            }
            prop_assert_eq!(pages, page(range));
        }
    }
}
