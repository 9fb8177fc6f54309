//! Rules for dates that holidays of several countries follow.

use chrono::{Datelike, Days, NaiveDate, Weekday};

/// A day that follows no rule: (year, month, day, name).
pub(super) type Listed = (i32, u32, u32, &'static str);

/// The days from Easter Sunday to days that move with it.
pub(super) const GOOD_FRIDAY: i64 = -2;
pub(super) const EASTER_MONDAY: i64 = 1;
pub(super) const ASCENSION_DAY: i64 = 39;
pub(super) const WHIT_MONDAY: i64 = 50;

/// Whether `date` is the `nth` `weekday` of its month, counted from 1.
pub(super) fn is_nth_weekday(date: NaiveDate, weekday: Weekday, nth: u32) -> bool {
    date.weekday() == weekday && date.day().div_ceil(7) == nth
}

/// Whether `date` is the last `weekday` of its month.
pub(super) fn is_last_weekday(date: NaiveDate, weekday: Weekday) -> bool {
    let next = date.checked_add_days(Days::new(7));
    date.weekday() == weekday && next.is_none_or(|next| next.month() != date.month())
}

/// Whether `date` lies in `month` and is the last day from Monday to Friday up to its `day`.
pub(super) fn is_last_workday_until(date: NaiveDate, month: u32, day: u32) -> bool {
    let days_before = i64::from(day) - i64::from(date.day());
    let is_last = match date.weekday() {
        Weekday::Fri => (0..=2).contains(&days_before),
        Weekday::Sat | Weekday::Sun => false,
        _ => days_before == 0,
    };
    date.month() == month && is_last
}

/// Whether a holiday on `day` of the same month is kept on `date`: on the day itself, or on the
/// Monday after it if it falls on a weekend.
pub(super) fn is_kept_by_monday(date: NaiveDate, day: u32) -> bool {
    let is_monday_after =
        date.weekday() == Weekday::Mon && (day + 1..=day + 2).contains(&date.day());
    date.day() == day || is_monday_after
}

/// The same, but only a Sunday moves the holiday to the Monday.
pub(super) fn is_kept_after_sunday(date: NaiveDate, day: u32) -> bool {
    date.day() == day || (date.weekday() == Weekday::Mon && date.day() == day + 1)
}

/// Christmas Day and Boxing Day, each with the weekday that stands in for it after a weekend.
pub(super) fn christmas_with_substitutes(date: NaiveDate) -> Option<&'static str> {
    let weekday = date.weekday();
    match (date.month(), date.day()) {
        (12, 25) => Some("Christmas Day"),
        (12, 26) => Some("Boxing Day"),
        // Christmas Day was a Saturday, or a Sunday with Boxing Day on the Monday.
        (12, 27) if matches!(weekday, Weekday::Mon | Weekday::Tue) => Some("Christmas Day"),
        // Boxing Day was a Saturday, or a Sunday with Christmas Day kept on the Monday.
        (12, 28) if matches!(weekday, Weekday::Mon | Weekday::Tue) => Some("Boxing Day"),
        _ => None,
    }
}

/// The name that a list gives to `date`. The list is in order of date.
pub(super) fn listed(list: &'static [Listed], date: NaiveDate) -> Option<&'static str> {
    debug_assert!(list.is_sorted_by_key(|(year, month, day, _)| (*year, *month, *day)));
    let wanted = (date.year(), date.month(), date.day());
    let found = list.binary_search_by_key(&wanted, |(year, month, day, _)| (*year, *month, *day));
    found.ok().map(|at| list[at].3)
}

/// The number of days from Easter Sunday of the same year to `date`.
pub(super) fn days_after_easter(date: NaiveDate) -> i64 {
    let (month, day) = easter_sunday(date.year());
    NaiveDate::from_ymd_opt(date.year(), month, day)
        .map_or(i64::MAX, |easter| (date - easter).num_days())
}

pub(super) fn is_good_friday(date: NaiveDate) -> bool {
    days_after_easter(date) == GOOD_FRIDAY
}

/// Month and day of Easter Sunday in the Gregorian `year`.
///
/// The anonymous Gregorian computus (Meeus/Jones/Butcher algorithm): Nature 13 (1876) p. 487;
/// J. Meeus, Astronomical Algorithms (1991), ch. 8. The variables are named by the letters used
/// there.
fn easter_sunday(year: i32) -> (u32, u32) {
    let a = year.rem_euclid(19);
    let (b, c) = (year.div_euclid(100), year.rem_euclid(100));
    let (d, e) = (b / 4, b % 4);
    let f = (b + 8) / 25;
    let g = (b - f + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    (n.unsigned_abs() / 31, n.unsigned_abs() % 31 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easter_agrees_with_the_published_dates() {
        for (year, easter) in [
            (1998, (4, 12)),
            (2000, (4, 23)),
            (2008, (3, 23)), // one day after the earliest possible date
            (2011, (4, 24)),
            (2016, (3, 27)),
            (2024, (3, 31)),
            (2025, (4, 20)),
            (2038, (4, 25)), // the latest possible date
            // Years that are no leap years by the Gregorian rule, and one that is.
            (1900, (4, 15)),
            (2100, (3, 28)),
            (2200, (4, 6)),
            (2300, (4, 8)),
            (2400, (4, 16)),
        ] {
            assert_eq!(easter_sunday(year), easter, "{year}");
        }
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date in the test")
    }

    #[test]
    fn days_that_move_with_easter_are_those_of_the_church_year_2024() {
        for (day, after) in [
            ("2024-03-29", GOOD_FRIDAY),
            ("2024-04-01", EASTER_MONDAY),
            ("2024-05-09", ASCENSION_DAY),
            ("2024-05-20", WHIT_MONDAY),
        ] {
            assert_eq!(days_after_easter(date(day)), after, "{day}");
        }
    }

    #[test]
    fn christmas_on_any_weekday_leaves_two_weekdays_free() {
        for (year, free) in [
            (2020, ["2020-12-25", "2020-12-28"]), // a Friday
            (2021, ["2021-12-27", "2021-12-28"]), // a Saturday
            (2022, ["2022-12-26", "2022-12-27"]), // a Sunday
            (2023, ["2023-12-25", "2023-12-26"]), // a Monday
        ] {
            let days = date(&format!("{year}-12-24")).iter_days().take(8);
            let found: Vec<_> = days
                .filter(|day| day.weekday().num_days_from_monday() < 5)
                .filter(|day| christmas_with_substitutes(*day).is_some())
                .map(|day| day.to_string())
                .collect();
            assert_eq!(found, free, "{year}");
        }
    }

    #[test]
    fn a_holiday_on_a_weekend_moves_to_the_monday_by_its_rule() {
        for (day, by_monday, after_sunday) in [
            ("2021-01-01", true, true), // a Friday
            ("2021-01-04", false, false),
            ("2022-01-01", true, true), // a Saturday
            ("2022-01-03", true, false),
            ("2023-01-01", true, true), // a Sunday
            ("2023-01-02", true, true),
            ("2023-01-03", false, false),
            ("2024-01-01", true, true), // a Monday
            ("2024-01-02", false, false),
            ("2024-01-08", false, false),
        ] {
            let kept = (is_kept_by_monday(date(day), 1), is_kept_after_sunday(date(day), 1));
            assert_eq!(kept, (by_monday, after_sunday), "{day}");
        }
    }

    #[test]
    fn the_last_workday_until_a_weekend_is_the_friday_before_it() {
        for (day, is_last) in [
            ("2022-12-23", true), // the 24th is a Saturday
            ("2023-12-22", true), // the 24th is a Sunday
            ("2024-12-24", true),
            ("2024-12-23", false),
            ("2022-12-22", false),
            ("2022-12-24", false),
        ] {
            assert_eq!(is_last_workday_until(date(day), 12, 24), is_last, "{day}");
        }
    }
}
