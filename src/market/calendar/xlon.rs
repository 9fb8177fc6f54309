//! The trading calendar of the London Stock Exchange: the bank holidays of England and Wales.
//!
//! Source: gov.uk, "UK bank holidays"; London Stock Exchange, "Business days and trading hours".

use chrono::{Datelike, NaiveDate, Weekday};

use super::rules::{
    EASTER_MONDAY, GOOD_FRIDAY, Listed, christmas_with_substitutes, days_after_easter,
    is_kept_by_monday, is_last_weekday, is_last_workday_until, is_nth_weekday, listed,
};
use super::{Calendar, EarlyClose, Hours};

pub(super) const CALENDAR: Calendar = Calendar {
    mic: "XLON",
    zone: chrono_tz::Europe::London,
    first_year: 2000,
    last_year: 2099,
    hours: Hours::new((8, 0), (16, 30)),
    holiday,
    early_close,
    special_sessions: &[],
};

/// Days by royal proclamation: bank holidays that were moved, and single ones.
const PROCLAIMED: &[Listed] = &[
    (2002, 6, 3, "Golden Jubilee"),
    (2002, 6, 4, "Spring Bank Holiday"),
    (2011, 4, 29, "wedding of Prince William"),
    (2012, 6, 4, "Spring Bank Holiday"),
    (2012, 6, 5, "Diamond Jubilee"),
    (2020, 5, 8, "Early May Bank Holiday"),
    (2022, 6, 2, "Spring Bank Holiday"),
    (2022, 6, 3, "Platinum Jubilee"),
    (2022, 9, 19, "funeral of Queen Elizabeth II"),
    (2023, 5, 8, "coronation of King Charles III"),
];

/// Years in which the early May and the spring bank holiday moved to a day of [`PROCLAIMED`].
const MOVED_EARLY_MAY: [i32; 1] = [2020];
const MOVED_SPRING: [i32; 3] = [2002, 2012, 2022];

fn holiday(date: NaiveDate) -> Option<&'static str> {
    let year = date.year();
    let by_rule = match date.month() {
        1 if is_kept_by_monday(date, 1) => Some("New Year's Day"),
        5 if is_nth_weekday(date, Weekday::Mon, 1) && !MOVED_EARLY_MAY.contains(&year) => {
            Some("Early May Bank Holiday")
        }
        5 if is_last_weekday(date, Weekday::Mon) && !MOVED_SPRING.contains(&year) => {
            Some("Spring Bank Holiday")
        }
        8 if is_last_weekday(date, Weekday::Mon) => Some("Summer Bank Holiday"),
        12 => christmas_with_substitutes(date),
        _ => match days_after_easter(date) {
            GOOD_FRIDAY => Some("Good Friday"),
            EASTER_MONDAY => Some("Easter Monday"),
            _ => None,
        },
    };
    by_rule.or_else(|| listed(PROCLAIMED, date))
}

/// The last trading days before Christmas and before the end of the year end at half past twelve.
fn early_close(date: NaiveDate) -> Option<EarlyClose> {
    if is_last_workday_until(date, 12, 24) {
        Some(EarlyClose::new("Christmas Eve", (12, 30)))
    } else if is_last_workday_until(date, 12, 31) {
        Some(EarlyClose::new("New Year's Eve", (12, 30)))
    } else {
        None
    }
}
