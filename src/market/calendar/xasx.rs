//! The trading calendar of the Australian Securities Exchange in Sydney.
//!
//! Source: ASX, "Trading calendar", of each year.

use chrono::{Datelike, NaiveDate, Weekday};

use super::rules::{
    EASTER_MONDAY, GOOD_FRIDAY, Listed, christmas_with_substitutes, days_after_easter,
    is_kept_by_monday, is_last_workday_until, is_nth_weekday, listed,
};
use super::{Calendar, EarlyClose, Hours};

pub(super) const CALENDAR: Calendar = Calendar {
    mic: "XASX",
    zone: chrono_tz::Australia::Sydney,
    first_year: 2000,
    last_year: 2099,
    hours: Hours::new((10, 0), (16, 0)),
    holiday,
    early_close,
    special_sessions: &[],
};

/// Anzac Day moves from no weekend and from no holiday, except in these years.
const SPECIAL_CLOSURES: &[Listed] = &[
    (2010, 4, 26, "Anzac Day"),
    (2011, 4, 26, "Anzac Day"),
    (2022, 9, 22, "day of mourning for Queen Elizabeth II"),
];

fn holiday(date: NaiveDate) -> Option<&'static str> {
    let by_rule = match date.month() {
        1 if is_kept_by_monday(date, 1) => Some("New Year's Day"),
        1 if is_kept_by_monday(date, 26) => Some("Australia Day"),
        4 if date.day() == 25 => Some("Anzac Day"),
        6 if is_nth_weekday(date, Weekday::Mon, 2) => {
            Some(if date.year() < 2023 { "Queen's Birthday" } else { "King's Birthday" })
        }
        12 => christmas_with_substitutes(date),
        _ => match days_after_easter(date) {
            GOOD_FRIDAY => Some("Good Friday"),
            EASTER_MONDAY => Some("Easter Monday"),
            _ => None,
        },
    };
    by_rule.or_else(|| listed(SPECIAL_CLOSURES, date))
}

/// Since 2010 the last trading days before Christmas and of the year end at 14:10. In 2022 they
/// had full sessions.
fn early_close(date: NaiveDate) -> Option<EarlyClose> {
    let year = date.year();
    if year < 2010 || year == 2022 {
        None
    } else if is_last_workday_until(date, 12, 24) {
        Some(EarlyClose::new("last trading day before Christmas", (14, 10)))
    } else if is_last_workday_until(date, 12, 31) {
        Some(EarlyClose::new("last trading day of the year", (14, 10)))
    } else {
        None
    }
}
